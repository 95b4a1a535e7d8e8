/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/image-size.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

#define STAT_BLOCK 512u

/* qcow2's header, as far as the size (QEMU docs/interop/qcow2.txt); big endian. */
typedef struct Qcow2Start {
    uint32_t magic, version;
    uint64_t backing_offset;
    uint32_t backing_size, cluster_bits;
    uint64_t size;
} Qcow2Start;

#define QCOW2_MAGIC 0x514649fbu

static uint64_t device_length(int fd) {
    off_t end = lseek(fd, 0, SEEK_END);

    return end > 0 ? (uint64_t)end : 0;
}

int image_size(const char *path, bool qcow2, ImageSize *ret) {
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    Qcow2Start start = {0};
    struct stat info;

    if (fd < 0 || fstat(fd, &info) < 0)
        return -errno;
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
        return -EINVAL;
    *ret = (ImageSize){.allocation = (uint64_t)info.st_blocks * STAT_BLOCK,
                       .physical = (uint64_t)info.st_size};
    if (S_ISBLK(info.st_mode))
        ret->allocation = ret->physical = device_length(fd);
    ret->capacity = ret->physical;
    if (qcow2 && pread(fd, &start, sizeof(start), 0) == sizeof(start) &&
        be32toh(start.magic) == QCOW2_MAGIC && be32toh(start.version) >= 2)
        ret->capacity = be64toh(start.size);
    return 0;
}
