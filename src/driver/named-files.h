/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that a definition has its QEMU open by their paths: what is given to QEMU's user, and
 * what its label lets it open. */
#pragma once

#include "driver/storage.h"
#include "host/file-owner.h"
#include "qemu/devices.h"

typedef struct NamedFile {
    char *path;
    FileUse use;
    bool shared;    /* other guests write to it, too */
    bool has_chain; /* what its header names is below it */
} NamedFile;

typedef struct NamedFiles {
    NamedFile *items;
    size_t n;
} NamedFiles;

void named_files_done(NamedFiles *files);
#define CLEANUP_NAMED_FILES CLEANUP(named_files_done)

/* Whether its own <seclabel> of that model (dac, apparmor, selinux) wants it left alone. */
bool source_is_left_alone(const StorageSource *source, const char *model);

/* Whether the header of an image may have QEMU open that file below it. */
bool named_files_may_be_below(const Storage *storage, const char *image, const char *path);

/* Adds images and what is below them, kernel, the firmware's variables, files of <sysinfo>, of
 * ROMs, of character devices and of memory; not those that its model leaves alone. Of what the
 * header of an image names only files in the directory of the image or of a pool, and those to
 * read: a QEMU that a guest has taken over writes headers as it likes. What is elsewhere needs a
 * <backingStore>. A qcow2 image's external data file would be written to, and only a header names
 * it: it is not added. The definition is not looked at after the first wait. -ENOMEM. On a fiber.
 */
int named_files_add(NamedFiles *files, const Storage *storage, const DomainDef *def,
                    const char *model);
/* One image alone, if it is a file of this host and not left alone. -ENOMEM. */
int named_files_add_image(NamedFiles *files, const StorageSource *source, FileUse use,
                          const char *model);
/* As named_files_add, of one device (disks, memory, character devices; of others the ROM). */
int named_files_add_device(NamedFiles *files, const Storage *storage, const DeviceKind *kind,
                           const void *device, const char *model);
