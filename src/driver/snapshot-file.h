/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The new image of a disk-only snapshot, from nothing to a file that QEMU can open. On a fiber. */
#pragma once

#include "util/error.h"
#include "util/macro.h"

typedef struct SnapshotFile {
    const char *disk, *path;
    const char *backing, *backing_format; /* of the image below it */
    uint64_t size;                        /* bytes the guest sees */
    bool reuse;                           /* it is there, and stays as it is */
    bool is_node;                         /* said to be a block device */
    bool is_made;                         /* out: it was not there before */
} SnapshotFile;

/* Looks whether it may be made, and makes an empty file where there is none. Nothing is written to
 * what is there. A file that is not empty is refused unless it is to be used again, and what is of
 * another kind than is said always. After an error all is as before. */
int snapshot_file_look(SnapshotFile *file, Error **reterr);
/* Makes it as qcow2, after snapshot_file_look. After an error the caller takes it back. */
int snapshot_file_make(const SnapshotFile *file, Error **reterr);
/* Takes back what was made: the file, or what was written into one that was empty. */
void snapshot_file_undo(const char *path, bool is_made);
