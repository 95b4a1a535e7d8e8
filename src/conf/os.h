/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <os>: firmware, kernel, boot order; <sysinfo>. */
#pragma once

#include "conf/storage.h"

typedef enum BootDev { BOOT_HD, BOOT_CDROM, BOOT_NETWORK, BOOT_FD, BOOT_DEV_MAX_ } BootDev;

typedef struct FirmwareFeature {
    char *name;
    Tristate enabled;
} FirmwareFeature;

typedef struct OsDef {
    char *arch; /* x86_64, ppc64, s390x, ...; never NULL after parse (host arch is the default) */
    char *machine;  /* as written; NULL: the emulator's default, filled in at define */
    char *type;     /* hvm */
    char *firmware; /* efi, bios: chosen by a descriptor; NULL */
    FirmwareFeature *firmware_features;
    size_t n_firmware_features;
    char *loader;
    Tristate loader_readonly, loader_secure, loader_stateless;
    char *loader_type; /* rom, pflash */
    char *loader_format;
    char *nvram_template, *nvram_template_format, *nvram_format;
    StorageSource nvram; /* type NONE: a path as text */
    bool has_nvram;
    char *kernel, *initrd, *cmdline, *dtb, *shim;
    char *acpi_table, *acpi_table_type;
    BootDev boot[BOOT_DEV_MAX_];
    size_t n_boot;
    Tristate bootmenu;
    unsigned bootmenu_timeout;
    bool has_bootmenu_timeout;
    Tristate bios_serial;
    int reboot_timeout;
    bool has_reboot_timeout;
    char *smbios; /* emulate, host, sysinfo */
} OsDef;

typedef struct SysinfoEntry {
    char *name, *value, *file;
} SysinfoEntry;

typedef struct SysinfoBlock {
    SysinfoEntry *entries;
    size_t n_entries;
} SysinfoBlock;

typedef struct SysinfoDef {
    char *type; /* smbios, fwcfg */
    SysinfoBlock *bios, *system, *chassis, *oem;
    SysinfoBlock *boards;
    size_t n_boards;
    SysinfoEntry *entries; /* fwcfg */
    size_t n_entries;
} SysinfoDef;

extern const Field os_fields[]; /* of OsDef */
extern const Element sysinfo_element;
