/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-firmware.h"

#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>

#include "host/file-owner.h"
#include "qemu/firmware.h"
#include "util/file.h"
#include "util/worker.h"

#define VARIABLES_MAX ((size_t)64 << 20) /* bytes; flash of QEMU's machines is smaller */

char *prepare_nvram_directory(const ServicePaths *paths) {
    return path_join(paths->lib, "nvram");
}

/* ---- the firmware ---- */

typedef struct Choice {
    DomainDef *def;
    const char *machine;
    Error **reterr;
} Choice;

static int run_choose(void *arg) {
    const Choice *choice = arg;
    CLEANUP(firmware_done) Firmware firmware = {0};
    int r = firmware_choose(firmware_directories, choice->def, choice->machine, &firmware,
                            choice->reterr);

    if (r < 0)
        return r;
    return firmware_apply(&firmware, choice->def) < 0 ? error_no_memory(choice->reterr) : 0;
}

static int choose(Domain *domain, Error **reterr) {
    DomainDef *live = domain->run->live;
    const QemuMachine *machine = qemu_caps_machine(domain->run->caps, live->os.machine);
    Choice choice = {.def = live, .machine = machine ? machine->name : "", .reterr = reterr};

    if (!streq_ptr(live->os.firmware, "efi") || live->os.loader)
        return 0; /* the firmware of a BIOS is QEMU's own */
    return worker_run(run_choose, &choice);
}

/* ---- the variables ---- */

/* What nobody who is not trusted has put there. */
static int read_template(const char *path, char **ret, size_t *ret_len) {
    CLEANUP_CLOSE int fd = file_owner_open_existing(path, O_RDONLY);
    struct stat info;

    if (fd < 0)
        return fd;
    if (fstat(fd, &info) < 0)
        return -errno;
    return S_ISREG(info.st_mode) ? file_read_fd(fd, VARIABLES_MAX, ret, ret_len) : -EINVAL;
}

/* In the right place at once, and only whole. */
static int copy_variables(const char *from, const char *to) {
    CLEANUP_FREE char *data = NULL, *held = NULL, *directory = strdup(to);
    CLEANUP_CLOSE int way = -1;
    size_t len = 0;
    int r = directory ? read_template(from, &data, &len) : -ENOMEM;

    if (r >= 0)
        r = file_owner_make_directory(dirname(directory), 0755, NULL);
    if (r >= 0)
        r = file_owner_hold_way(to, &way, &held);
    return r < 0 ? r : file_write_atomic(held, data, len, 0600);
}

static int report_no_template(const DomainDef *def, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "unable to find any master var store for loader: %s: domain '%s' has no "
                        "'%s' yet; name what it is to be copied from in <nvram template=>",
                        def->os.loader, def->name, def->os.nvram.path);
}

typedef struct Copy {
    const DomainDef *def;
    bool anew; /* also over one that is there */
    Error **reterr;
} Copy;

static int run_copy(void *arg) {
    const Copy *copy = arg;
    const OsDef *os = &copy->def->os;
    CLEANUP_FREE char *found = NULL;
    const char *from = os->nvram_template;
    int r = access(os->nvram.path, F_OK) == 0 ? 0 : -errno;

    if (r == 0 && !copy->anew)
        return 0;
    if (r != 0 && r != -ENOENT && r != -ENOTDIR)
        return error_system(copy->reterr, FROM_QEMU, r,
                            "cannot use '%s', the <nvram> of domain '%s'", os->nvram.path,
                            copy->def->name);
    if (r == 0 && os->nvram.type == DISK_BLOCK)
        return error_report(copy->reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "'%s', the <nvram> of domain '%s', is a block device and is not reset; "
                            "write its template to it",
                            os->nvram.path, copy->def->name);
    if (!from) {
        r = firmware_find_template(firmware_directories, os->loader, &found);
        if (r == -ENOENT)
            return report_no_template(copy->def, copy->reterr);
        if (r < 0)
            return error_no_memory(copy->reterr);
        from = found;
    }
    r = copy_variables(from, os->nvram.path);
    return r < 0 ? error_system(copy->reterr, FROM_QEMU, r,
                                "cannot copy '%s' to '%s', the <nvram> of domain '%s'%s", from,
                                os->nvram.path, copy->def->name,
                                r == -EACCES ? ": one of them may be reached by a link of somebody "
                                               "else's, or be somebody else's file"
                                             : "")
                 : 0;
}

/* A definition of before it was filled in, or with a firmware that was chosen just now. */
static int name_copy(Domain *domain) {
    OsDef *os = &domain->run->live->os;
    CLEANUP_FREE char *directory = NULL;

    if (os->nvram.path || os->loader_stateless == TRISTATE_YES ||
        !(os->has_nvram || os->loader_readonly == TRISTATE_YES))
        return 0;
    directory = prepare_nvram_directory(&domain->services->paths);
    os->nvram.path = directory ? strf("%s/%s_VARS.fd", directory, domain->run->live->name) : NULL;
    os->has_nvram = os->nvram.path != NULL;
    return os->has_nvram ? 0 : -ENOMEM;
}

static int check_formats(const DomainDef *def, Error **reterr) {
    const OsDef *os = &def->os;
    const char *format = os->nvram_format ? os->nvram_format : "raw";

    if (!os->nvram_template_format || streq(os->nvram_template_format, format))
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "domain '%s': its <nvram> of format '%s' cannot be made from a template of "
                        "format '%s'",
                        def->name, format, os->nvram_template_format);
}

int prepare_firmware(Domain *domain, Error **reterr) {
    DomainDef *live = domain->run->live;
    const OsDef *os = &live->os;
    Copy copy = {.def = live, .anew = domain->run->fresh_nvram, .reterr = reterr};
    int r = choose(domain, reterr);

    if (r < 0)
        return r;
    if (os->loader && access(os->loader, R_OK) < 0)
        return error_system(reterr, FROM_QEMU, errno,
                            "cannot read the firmware '%s' (<loader>) of domain '%s'", os->loader,
                            live->name);
    if (!os->loader || !streq_ptr(os->loader_type, "pflash"))
        return 0;
    if (name_copy(domain) < 0)
        return error_no_memory(reterr);
    if (os->nvram.type != DISK_TYPE_NONE_ && os->nvram.type != DISK_FILE &&
        os->nvram.type != DISK_BLOCK)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': an <nvram type='%s'> cannot be started; use a file",
                            live->name, words_name(&disk_types, os->nvram.type));
    if (!os->has_nvram || !os->nvram.path)
        return 0;
    r = check_formats(live, reterr);
    return r < 0 ? r : worker_run(run_copy, &copy);
}
