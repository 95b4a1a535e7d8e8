/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes of a disk image's file. Reads its first bytes only, never waits for what is no plain file,
 * and trusts nothing in it. Blocks the kernel: on a worker. */
#pragma once

#include "util/macro.h"

typedef struct ImageSize {
    uint64_t capacity;   /* what the guest sees: qcow2's header says it, else the file's length */
    uint64_t allocation; /* blocks that the file system has given it */
    uint64_t physical;   /* its length */
} ImageSize;

/* qcow2: whether to believe such a header; a guest can write one into its raw disk. -errno. */
int image_size(const char *path, bool qcow2, ImageSize *ret);
