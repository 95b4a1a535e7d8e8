/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disk images through qemu-img(1). On a fiber; each function runs one program and waits for it.
 *
 * Paths are absolute, so that none is taken for an option or a protocol. An image is looked at
 * without its lock being taken (-U): a running QEMU may have it. */
#pragma once

#include "util/error.h"
#include "util/macro.h"

typedef struct ImageInfo {
    char *format;                   /* "raw", "qcow2" */
    uint64_t virtual_size;          /* bytes the guest sees */
    uint64_t actual_size;           /* bytes on the disk */
    uint64_t cluster_size;          /* 0: the format has none */
    char *backing, *backing_format; /* as written in the image; NULL: none */
    char *compat;                   /* "1.1" of qcow2 */
    char *data;                     /* another file that has its data; NULL: it has all of it */
    bool encrypted;
} ImageInfo;

void image_info_done(ImageInfo *info);
#define CLEANUP_IMAGE_INFO CLEANUP(image_info_done)

/* format NULL: probed by qemu-img, which a guest that writes to a raw image can mislead; so the
 * format that a definition names goes first. Errors: ERROR_OPERATION_FAILED with qemu-img's own
 * sentence, ERROR_CONFIG_UNSUPPORTED without qemu-img. */
int image_info(const char *path, const char *format, ImageInfo *ret, Error **reterr);

typedef struct ImageCreate {
    const char *path, *format;
    uint64_t size;                        /* bytes; 0 with a backing file: as large as that */
    const char *backing, *backing_format; /* NULL: none */
    const char *compat;                   /* qcow2's; NULL: qemu-img's default */
    bool preallocate;                     /* metadata of qcow2, the whole file of raw */
    bool blind; /* the backing file is not looked at, for a QEMU has it; `size` is given */
    const char *passphrase; /* a file with what it is encrypted with by LUKS; NULL: it is not */
} ImageCreate;

/* A file that is there is overwritten. */
int image_create(const ImageCreate *create, Error **reterr);

/* Copies an image into a new one of another format, without its backing file. `preallocate`: the
 * metadata of a qcow2. Takes as long as the copy takes. */
int image_convert(const char *from, const char *from_format, const char *to, const char *to_format,
                  bool preallocate, Error **reterr);

/* size in bytes; `shrink` allows less than it has. */
int image_resize(const char *path, const char *format, uint64_t size, bool shrink, Error **reterr);

/* ---- snapshots inside of an image ---- */

/* Of an image that no QEMU has open. `name` is not a number that QEMU could take for another's
 * (image_snapshot_is_number). Takes as long as it takes. */
typedef enum ImageSnapshotAct {
    IMAGE_SNAPSHOT_MAKE,
    IMAGE_SNAPSHOT_APPLY,
    IMAGE_SNAPSHOT_DELETE
} ImageSnapshotAct;
int image_snapshot(const char *path, const char *format, const char *name, ImageSnapshotAct act,
                   Error **reterr);
/* Whether the image has one of that name: 1, 0. */
int image_has_snapshot(const char *path, const char *format, const char *name, Error **reterr);
/* Whether QEMU may take the name for the number of another snapshot: an image counts its own. */
bool image_snapshot_is_number(const char *name);
