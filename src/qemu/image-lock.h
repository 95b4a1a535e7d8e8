/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's locks of an image: bytes of the file that say what the processes that have it open let
 * others do with it. Source: QEMU's block/file-posix.c. */
#pragma once

/* Whether a process that has the open file does not let another one write to it: 1, 0, -errno.
 * Nothing is locked. Blocks. */
int image_lock_is_held(int fd);
