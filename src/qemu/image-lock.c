/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/image-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define NOT_SHARED_BASE 200 /* the first byte of those whose lock says "not with others" */
#define PERM_WRITE 1        /* the number of that permission */

int image_lock_is_held(int fd) {
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = NOT_SHARED_BASE + PERM_WRITE,
                         .l_len = 1};

    return fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno : lock.l_type != F_UNLCK;
}
