/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/firmware-internal.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>

#include "util/file.h"
#include "util/json.h"

#define DESCRIPTOR_MAX ((size_t)1 << 20) /* bytes */
#define DESCRIPTORS_MAX 256u             /* files of a directory that are looked at */

const char *const firmware_directories[] = {"/etc/qemu/firmware", "/usr/share/qemu/firmware", NULL};

/* ---- one descriptor ---- */

void firmware_done(Firmware *firmware) {
    free(firmware->executable);
    free(firmware->format);
    free(firmware->nvram_template);
    free(firmware->template_format);
    for (size_t i = 0; i < firmware->n_targets; i++)
        free(firmware->targets[i]);
    free(firmware->targets);
    *firmware = (Firmware){0};
}

/* A file of the mapping: its name and its format. */
static int read_file(json_object *object, char **ret_name, char **ret_format) {
    const char *name = json_member_string(object, "filename");
    const char *format = json_member_string(object, "format");

    if (!name)
        return -EBADMSG;
    *ret_name = strdup(name);
    *ret_format = strdup(format ? format : "raw");
    return *ret_name && *ret_format ? 0 : -ENOMEM;
}

static int read_mapping(json_object *mapping, Firmware *firmware) {
    const char *device = json_member_string(mapping, "device");
    json_object *variables = json_member(mapping, "nvram-template");
    int r;

    firmware->is_flash = streq_ptr(device, "flash");
    if (streq_ptr(device, "memory"))
        return read_file(mapping, &firmware->executable, &firmware->format);
    if (!firmware->is_flash)
        return device ? -EOPNOTSUPP : -EBADMSG;
    if (streq_ptr(json_member_string(mapping, "mode"), "combined"))
        return -EOPNOTSUPP;
    r = read_file(json_member(mapping, "executable"), &firmware->executable, &firmware->format);
    if (r < 0 || !variables)
        return r;
    return read_file(variables, &firmware->nvram_template, &firmware->template_format);
}

static int add_target(Firmware *firmware, const char *arch, const char *machine) {
    char **targets = realloc(firmware->targets, (firmware->n_targets + 1) * sizeof(char *));

    if (!targets)
        return -ENOMEM;
    firmware->targets = targets;
    targets[firmware->n_targets] = strf("%s %s", arch, machine);
    return targets[firmware->n_targets++] ? 0 : -ENOMEM;
}

static int read_targets(json_object *list, Firmware *firmware) {
    for (size_t i = 0; i < json_length(list); i++) {
        json_object *target = json_object_array_get_idx(list, i);
        json_object *machines = json_member(target, "machines");
        const char *arch = json_member_string(target, "architecture");

        for (size_t k = 0; arch && k < json_length(machines); k++) {
            json_object *machine = json_object_array_get_idx(machines, k);

            if (json_object_is_type(machine, json_type_string) &&
                add_target(firmware, arch, json_object_get_string(machine)) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

static bool has_word(json_object *list, const char *word) {
    for (size_t i = 0; i < json_length(list); i++) {
        json_object *item = json_object_array_get_idx(list, i);

        if (json_object_is_type(item, json_type_string) &&
            streq(json_object_get_string(item), word))
            return true;
    }
    return false;
}

int firmware_parse(const char *text, size_t len, Firmware *ret) {
    CLEANUP_JSON json_object *whole = NULL;
    CLEANUP(firmware_done) Firmware firmware = {0};
    json_object *kinds, *features;
    int r = json_parse(text, len, &whole);

    if (r < 0)
        return r;
    kinds = json_member(whole, "interface-types");
    features = json_member(whole, "features");
    firmware.uefi = has_word(kinds, "uefi");
    firmware.bios = has_word(kinds, "bios");
    firmware.secure_boot = has_word(features, "secure-boot");
    firmware.enrolled_keys = has_word(features, "enrolled-keys");
    firmware.requires_smm = has_word(features, "requires-smm");
    firmware.acpi_s3 = has_word(features, "acpi-s3");
    firmware.acpi_s4 = has_word(features, "acpi-s4");
    r = read_mapping(json_member(whole, "mapping"), &firmware);
    if (r >= 0)
        r = read_targets(json_member(whole, "targets"), &firmware);
    if (r < 0)
        return r;
    *ret = firmware;
    firmware = (Firmware){0};
    return 0;
}

/* ---- choosing ---- */

/* What is not said of a feature is no wish. */
static bool feature_suits(const DomainDef *def, const char *name, bool has) {
    for (size_t i = 0; i < def->os.n_firmware_features; i++) {
        const FirmwareFeature *feature = &def->os.firmware_features[i];

        if (streq_ptr(feature->name, name) && feature->enabled != TRISTATE_ABSENT &&
            (feature->enabled == TRISTATE_YES) != has)
            return false;
    }
    return true;
}

static bool target_suits(const Firmware *firmware, const char *arch, const char *machine) {
    for (size_t i = 0; i < firmware->n_targets; i++) {
        const char *target = firmware->targets[i], *pattern = strchr(target, ' ');
        size_t len = (size_t)(pattern - target);

        if (strlen(arch) == len && strncmp(arch, target, len) == 0 &&
            fnmatch(pattern + 1, machine, 0) == 0)
            return true;
    }
    return false;
}

/* Whether it is what the definition asks for, on that machine (the canonical name). */
static bool firmware_suits(const Firmware *firmware, const DomainDef *def, const char *machine) {
    const OsDef *os = &def->os;
    const Tristate smm = def->features.smm;

    if (!(streq_ptr(os->firmware, "bios") ? firmware->bios : firmware->uefi) ||
        !target_suits(firmware, os->arch, machine))
        return false;
    if (!feature_suits(def, "secure-boot", firmware->secure_boot) ||
        !feature_suits(def, "enrolled-keys", firmware->enrolled_keys))
        return false;
    if ((def->suspend_to_mem == TRISTATE_YES && !firmware->acpi_s3) ||
        (def->suspend_to_disk == TRISTATE_YES && !firmware->acpi_s4))
        return false;
    if (firmware->requires_smm ? smm == TRISTATE_NO || os->loader_secure == TRISTATE_NO
                               : smm == TRISTATE_YES || os->loader_secure == TRISTATE_YES)
        return false;
    if (os->loader && !streq(os->loader, firmware->executable))
        return false;
    return os->loader_stateless != TRISTATE_YES || !firmware->nvram_template;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct Names {
    char *names[DESCRIPTORS_MAX];
    size_t n;
} Names;

static void names_done(Names *names) {
    for (size_t i = 0; i < names->n; i++)
        free(names->names[i]);
}

/* A name of several directories once. */
static int collect(const char *const *directories, Names *names) {
    for (; *directories; directories++) {
        DIR *d = opendir(*directories);
        struct dirent *entry;
        int r = 0;

        while (d && r >= 0 && names->n < DESCRIPTORS_MAX && (entry = readdir(d))) {
            bool known = fnmatch("[!.]*.json", entry->d_name, 0) != 0;

            for (size_t i = 0; i < names->n && !known; i++)
                known = streq(names->names[i], entry->d_name);
            if (known)
                continue;
            names->names[names->n] = strdup(entry->d_name);
            r = names->names[names->n] ? 0 : -ENOMEM;
            names->n += r == 0;
        }
        if (d)
            closedir(d);
        if (r < 0)
            return r;
    }
    qsort(names->names, names->n, sizeof(char *), by_name);
    return 0;
}

/* A file that is empty hides that of a later directory; one that is damaged is passed over. */
static int load(const char *const *directories, const char *name, Firmware *ret) {
    for (; *directories; directories++) {
        CLEANUP_FREE char *path = path_join(*directories, name), *text = NULL;
        size_t len;
        int r = path ? file_read(path, DESCRIPTOR_MAX, &text, &len) : -ENOMEM;

        if (r >= 0)
            r = firmware_parse(text, len, ret);
        if (r != -ENOENT)
            return r;
    }
    return -ENOENT;
}

int firmware_choose(const char *const *directories, const DomainDef *def, const char *machine,
                    Firmware *ret, Error **reterr) {
    CLEANUP(names_done) Names names = {0};

    if (collect(directories, &names) < 0)
        return error_no_memory(reterr);
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(firmware_done) Firmware firmware = {0};
        int r = load(directories, names.names[i], &firmware);

        if (r == -ENOMEM)
            return error_no_memory(reterr);
        if (r < 0 || !firmware_suits(&firmware, def, machine) ||
            access(firmware.executable, R_OK) < 0)
            continue;
        *ret = firmware;
        firmware = (Firmware){0};
        return 0;
    }
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "Unable to find any firmware to satisfy '%s' for domain '%s' (%s, '%s'): "
                        "the descriptors in %s tell of none with what its <os> asks for; install "
                        "one (package ovmf), or name one in <loader>",
                        def->os.firmware, def->name, def->os.arch, machine,
                        directories[0] ? directories[1] ? directories[1] : directories[0] : "-");
}

/* ---- all that there is ---- */

void firmware_list_done(FirmwareList *list) {
    for (size_t i = 0; i < list->n_flash; i++)
        free(list->flash[i]);
    free(list->flash);
    *list = (FirmwareList){0};
}

/* Takes the executable of what is flash and new. */
static int list_add(FirmwareList *list, Firmware *firmware) {
    char **longer;

    list->uefi |= firmware->uefi;
    list->bios |= firmware->bios;
    list->secure_boot |= firmware->secure_boot && firmware->requires_smm;
    for (size_t i = 0; i < list->n_flash; i++)
        if (streq(list->flash[i], firmware->executable))
            return 0;
    if (!firmware->is_flash)
        return 0;
    longer = reallocarray(list->flash, list->n_flash + 1, sizeof(char *));
    if (!longer)
        return -ENOMEM;
    list->flash = longer;
    list->flash[list->n_flash++] = TAKE_PTR(firmware->executable);
    return 0;
}

int firmware_list(const char *const *directories, const char *arch, const char *machine,
                  FirmwareList *ret) {
    CLEANUP(names_done) Names names = {0};
    CLEANUP(firmware_list_done) FirmwareList list = {0};
    int r = collect(directories, &names);

    for (size_t i = 0; i < names.n && r >= 0; i++) {
        CLEANUP(firmware_done) Firmware firmware = {0};

        r = load(directories, names.names[i], &firmware);
        if (r >= 0 && target_suits(&firmware, arch, machine) &&
            access(firmware.executable, R_OK) == 0)
            r = list_add(&list, &firmware);
        else if (r != -ENOMEM)
            r = 0; /* a damaged one is passed over */
    }
    if (r < 0)
        return r;
    *ret = list;
    list = (FirmwareList){0};
    return 0;
}

/* ---- the variables ---- */

/* "OVMF_CODE.secboot.fd" has its variables in OVMF_VARS.fd: they have no keys yet. */
static int guess_template(const char *executable, char **ret) {
    const char *file = strrchr(executable, '/');
    const char *code = strstr(file ? file : executable, "CODE");
    CLEANUP_FREE char *guess = NULL;
    char *secure;

    if (!code)
        return -ENOENT;
    guess = strf("%.*sVARS%s", (int)(code - executable), executable, code + 4);
    if (!guess)
        return -ENOMEM;
    secure = strstr(guess, ".secboot");
    if (access(guess, R_OK) < 0 && secure)
        memmove(secure, secure + strlen(".secboot"), strlen(secure + strlen(".secboot")) + 1);
    if (access(guess, R_OK) < 0)
        return -ENOENT;
    *ret = TAKE_PTR(guess);
    return 0;
}

int firmware_find_template(const char *const *directories, const char *executable, char **ret) {
    CLEANUP(names_done) Names names = {0};

    if (collect(directories, &names) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(firmware_done) Firmware firmware = {0};
        int r = load(directories, names.names[i], &firmware);

        if (r == -ENOMEM)
            return r;
        if (r < 0 || !firmware.nvram_template || !streq(firmware.executable, executable))
            continue;
        *ret = TAKE_PTR(firmware.nvram_template);
        return 0;
    }
    return guess_template(executable, ret);
}

static int replace(char **to, const char *text) {
    char *copy = text ? strdup(text) : NULL;

    if (text && !copy)
        return -ENOMEM;
    free(*to);
    *to = copy;
    return 0;
}

int firmware_apply(const Firmware *firmware, DomainDef *def) {
    OsDef *os = &def->os;

    if (replace(&os->loader, firmware->executable) < 0 ||
        replace(&os->loader_type, firmware->is_flash ? "pflash" : "rom") < 0)
        return -ENOMEM;
    os->loader_readonly = TRISTATE_YES;
    if (firmware->requires_smm) {
        def->features.smm = TRISTATE_YES;
        os->loader_secure = TRISTATE_YES;
    }
    if (!firmware->is_flash)
        return 0;
    if (!streq(firmware->format, "raw") && replace(&os->loader_format, firmware->format) < 0)
        return -ENOMEM;
    if (!firmware->nvram_template)
        return 0;
    os->has_nvram = true;
    if (!os->nvram_format && !streq(firmware->template_format, "raw") &&
        replace(&os->nvram_format, firmware->template_format) < 0)
        return -ENOMEM;
    return os->nvram_template ? 0 : replace(&os->nvram_template, firmware->nvram_template);
}
