/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/os.h"

static const Words firmwares = WORDS("bios", "efi");
static const Words loader_types = WORDS("rom", "pflash");
static const Words boots = WORDS("hd", "cdrom", "network", "fd");
static const Words smbios_modes = WORDS("emulate", "host", "sysinfo");

static const Field type_fields[] = {FIELD_TEXT("@arch", OsDef, arch),
                                    FIELD_TEXT("@machine", OsDef, machine),
                                    FIELD_TEXT(".", OsDef, type), FIELD_END};

static const Field feature_fields[] = {FIELD_YESNO("@enabled", FirmwareFeature, enabled),
                                       FIELD_TEXT("@name", FirmwareFeature, name), FIELD_END};
static const Element feature_element = {"feature", sizeof(FirmwareFeature), feature_fields, NULL,
                                        NULL};

static int compare_features(const void *a, const void *b) {
    const FirmwareFeature *x = a, *y = b;

    return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

static int sort_features(ElementReader *reader, xmlNodePtr node, void *object) {
    OsDef *os = object;

    if (os->n_firmware_features > 1)
        qsort(os->firmware_features, os->n_firmware_features, sizeof(FirmwareFeature),
              compare_features);
    return 0;
}
static const Field firmware_fields[] = {
    FIELD_ALSO("@type"),
    FIELD_LIST("feature", OsDef, firmware_features, n_firmware_features, feature_element),
    FIELD_CODE(NULL, sort_features, NULL), FIELD_END};

static const Field loader_fields[] = {FIELD_YESNO("@readonly", OsDef, loader_readonly),
                                      FIELD_YESNO("@secure", OsDef, loader_secure),
                                      FIELD_CHOICE("@type", OsDef, loader_type, loader_types),
                                      FIELD_YESNO("@stateless", OsDef, loader_stateless),
                                      FIELD_TEXT("@format", OsDef, loader_format),
                                      FIELD_TEXT(".", OsDef, loader),
                                      FIELD_END};

/* <nvram>path</nvram>, or with a <source> of some type. */
static const Field nvram_type[] = {FIELD_WORD("@type", StorageSource, type, disk_types), FIELD_END};
static const Field nvram_text[] = {FIELD_TEXT(".", StorageSource, path), FIELD_END};
static const Field *const nvram_kinds[DISK_TYPE_MAX_] = {[DISK_TYPE_NONE_] = nvram_text,
                                                         [DISK_FILE] = storage_source_fields,
                                                         [DISK_BLOCK] = storage_source_fields,
                                                         [DISK_NETWORK] = storage_source_fields};
static const Field nvram_source[] = {FIELD_SWITCH(NULL, StorageSource, type, nvram_kinds),
                                     FIELD_END};
static const Field nvram_fields[] = {FIELD_TEXT("@template", OsDef, nvram_template),
                                     FIELD_TEXT("@templateFormat", OsDef, nvram_template_format),
                                     FIELD_PART(NULL, OsDef, nvram, nvram_type),
                                     FIELD_TEXT("@format", OsDef, nvram_format),
                                     FIELD_PART(NULL, OsDef, nvram, nvram_source),
                                     FIELD_END};

static const Field table_fields[] = {FIELD_TEXT("@type", OsDef, acpi_table_type),
                                     FIELD_TEXT(".", OsDef, acpi_table), FIELD_END};
static const Field acpi_fields[] = {FIELD_GROUP("table", table_fields), FIELD_END};

static int read_boot(ElementReader *reader, xmlNodePtr node, void *object) {
    OsDef *os = object;
    CLEANUP_FREE char *dev = NULL;
    int r = element_attribute(reader, node, "dev", &dev), device;

    if (r < 0)
        return r;
    if (!dev)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "missing boot device (line %ld)", xmlGetLineNo(node));
    device = words_find(&boots, dev);
    if (device < 0)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "unknown boot device '%.40s': 'dev' of element 'boot' (line %ld)", dev,
                            xmlGetLineNo(node));
    if (os->n_boot < BOOT_DEV_MAX_)
        os->boot[os->n_boot++] = device;
    return 0;
}

static void write_boot(ElementWriter *w, const void *object) {
    const OsDef *os = object;

    for (size_t i = 0; i < os->n_boot; i++) {
        writer_open(w, "boot");
        writer_attribute(w, "dev", words_name(&boots, os->boot[i]));
        writer_close(w, true);
    }
}

static bool equal_boot(const void *a, const void *b) {
    const OsDef *x = a, *y = b;

    return x->n_boot == y->n_boot && memcmp(x->boot, y->boot, x->n_boot * sizeof(x->boot[0])) == 0;
}

/* A menu that is not there is not waited for. */
static int check_bootmenu(ElementReader *reader, xmlNodePtr node, void *object) {
    OsDef *os = object;

    if (os->bootmenu != TRISTATE_YES)
        os->has_bootmenu_timeout = false;
    return 0;
}

static const Field bootmenu_fields[] = {FIELD_YESNO("@enable", OsDef, bootmenu),
                                        FIELD_UINT("@timeout", OsDef, bootmenu_timeout, 0, 65535,
                                                   FIELD_GIVEN(OsDef, has_bootmenu_timeout)),
                                        FIELD_CODE(NULL, check_bootmenu, NULL), FIELD_END};
static const Field bios_fields[] = {FIELD_YESNO("@useserial", OsDef, bios_serial),
                                    FIELD_INT("@rebootTimeout", OsDef, reboot_timeout, -1, 65535,
                                              FIELD_GIVEN(OsDef, has_reboot_timeout)),
                                    FIELD_END};

const Field os_fields[] = {
    FIELD_CHOICE("@firmware", OsDef, firmware, firmwares),
    FIELD_GROUP("type", type_fields),
    FIELD_GROUP("firmware", firmware_fields),
    FIELD_GROUP("loader", loader_fields),
    FIELD_GROUP("nvram", nvram_fields, FIELD_GIVEN(OsDef, has_nvram)),
    FIELD_TEXT("kernel", OsDef, kernel),
    FIELD_TEXT("initrd", OsDef, initrd),
    FIELD_TEXT("cmdline", OsDef, cmdline),
    FIELD_TEXT("dtb", OsDef, dtb),
    FIELD_TEXT("shim", OsDef, shim, .flags = FIELD_NOT_STARTED),
    FIELD_GROUP("acpi", acpi_fields),
    FIELD_CODE("boot", read_boot, write_boot, .flags = FIELD_EACH, .equal = equal_boot),
    FIELD_GROUP("bootmenu", bootmenu_fields),
    FIELD_GROUP("bios", bios_fields),
    FIELD_CHOICE("smbios@mode", OsDef, smbios, smbios_modes),
    FIELD_END};

/* ---- <sysinfo> ---- */

static const Words sysinfo_types = WORDS("smbios", "fwcfg");
static const Field entry_fields[] = {FIELD_TEXT("@name", SysinfoEntry, name),
                                     FIELD_TEXT("@file", SysinfoEntry, file),
                                     FIELD_TEXT(".", SysinfoEntry, value), FIELD_END};
/* The file counts where there is a value, too. */
static int check_entry(ElementReader *reader, xmlNodePtr node, void *object) {
    SysinfoEntry *entry = object;

    if (entry->file)
        free(TAKE_PTR(entry->value));
    return 0;
}

static const Element entry_element = {"entry", sizeof(SysinfoEntry), entry_fields, NULL,
                                      check_entry};
/* libvirt's order of the entries; empty ones are none. */
static unsigned entry_rank(const SysinfoEntry *entry) {
    static const char *const names[] = {"vendor", "manufacturer", "product", "version",
                                        "date",   "release",      "serial",  "asset",
                                        "uuid",   "location",     "sku",     "family"};
    unsigned i = 0;

    while (i < ARRAY_SIZE(names) && !streq_ptr(entry->name, names[i]))
        i++;
    return i;
}

static int compare_entries(const void *a, const void *b) {
    unsigned x = entry_rank(a), y = entry_rank(b);

    return (x > y) - (x < y);
}

static int sort_entries(ElementReader *reader, xmlNodePtr node, void *object) {
    SysinfoBlock *block = object;
    size_t n = 0;

    for (size_t i = 0; i < block->n_entries; i++)
        if (block->entries[i].value || !block->entries[i].name)
            block->entries[n++] = block->entries[i];
        else
            element_done(&entry_element, &block->entries[i]);
    block->n_entries = n;
    for (size_t i = 0; i < n; i++)
        if (!block->entries[i].name) /* OEM strings have an order of their own */
            return 0;
    if (n)
        qsort(block->entries, n, sizeof(SysinfoEntry), compare_entries);
    return 0;
}

static const Field block_fields[] = {
    FIELD_LIST("entry", SysinfoBlock, entries, n_entries, entry_element), FIELD_END};
static const Element block_element = {"block", sizeof(SysinfoBlock), block_fields, NULL,
                                      sort_entries};
static const Field sysinfo_fields[] = {
    FIELD_CHOICE("@type", SysinfoDef, type, sysinfo_types, .flags = FIELD_REQUIRED),
    FIELD_ONE("bios", SysinfoDef, bios, block_element),
    FIELD_ONE("system", SysinfoDef, system, block_element),
    FIELD_LIST("baseBoard", SysinfoDef, boards, n_boards, block_element),
    FIELD_ONE("chassis", SysinfoDef, chassis, block_element),
    FIELD_ONE("oemStrings", SysinfoDef, oem, block_element),
    FIELD_LIST("entry", SysinfoDef, entries, n_entries, entry_element),
    FIELD_END};
static void drop_empty(SysinfoBlock **block) {
    if (!*block || (*block)->n_entries)
        return;
    element_done(&block_element, *block);
    free(TAKE_PTR(*block));
}

static int check_sysinfo(ElementReader *reader, xmlNodePtr node, void *object) {
    SysinfoDef *sysinfo = object;
    size_t n = 0;

    drop_empty(&sysinfo->bios);
    drop_empty(&sysinfo->system);
    drop_empty(&sysinfo->chassis);
    drop_empty(&sysinfo->oem);
    for (size_t i = 0; i < sysinfo->n_boards; i++)
        if (sysinfo->boards[i].n_entries)
            sysinfo->boards[n++] = sysinfo->boards[i];
        else
            element_done(&block_element, &sysinfo->boards[i]);
    sysinfo->n_boards = n;
    return 0;
}

const Element sysinfo_element = {"sysinfo", sizeof(SysinfoDef), sysinfo_fields, NULL,
                                 check_sysinfo};
