/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firmware for guests, as QEMU's descriptors tell of it (QEMU's docs/interop/firmware.json): one
 * JSON file per firmware, in directories of which an earlier one's file hides a later one's of the
 * same name; the names say the order in which they are preferred. */
#pragma once

#include "conf/domain-def.h"
#include "util/error.h"

typedef struct Firmware {
    char *executable, *format;
    char *nvram_template, *template_format; /* NULL: it keeps nothing */
    bool is_flash;                          /* mapped as flash; else read as a file (-bios) */
    bool uefi, bios;
    bool secure_boot, enrolled_keys, requires_smm, acpi_s3, acpi_s4;
    char **targets; /* "ARCHITECTURE MACHINE", the machine with * and ? */
    size_t n_targets;
} Firmware;

/* What QEMU's own tools look through; NULL at the end. */
extern const char *const firmware_directories[];

void firmware_done(Firmware *firmware);
/* The first that suits. ERROR_CONFIG_UNSUPPORTED when none does. Reads files: on the worker pool.
 */
int firmware_choose(const char *const *directories, const DomainDef *def, const char *machine,
                    Firmware *ret, Error **reterr);
/* The template of the variables of that executable: what a descriptor says, else a file beside it
 * with VARS for CODE in its name. -ENOENT; -ENOMEM. Caller frees. On the worker pool. */
int firmware_find_template(const char *const *directories, const char *executable, char **ret);
/* What there is for a machine. */
typedef struct FirmwareList {
    bool uefi, bios, secure_boot;
    char **flash; /* the executables that are mapped as flash, the preferred first, each once */
    size_t n_flash;
} FirmwareList;

void firmware_list_done(FirmwareList *list);
/* All that suits an architecture and a machine (the canonical name) and can be read. -ENOMEM. On
 * the worker pool. */
int firmware_list(const char *const *directories, const char *arch, const char *machine,
                  FirmwareList *ret);
/* Writes what was chosen into the definition: loader, template, SMM. -ENOMEM. */
int firmware_apply(const Firmware *firmware, DomainDef *def);
