/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/file-holes.h"

#include <unistd.h>

void file_next_data(int fd, uint64_t at, uint64_t end, uint64_t *ret_data, uint64_t *ret_hole) {
    const off_t data = lseek(fd, (off_t)at, SEEK_DATA);
    off_t hole = -1;

    if (data >= 0)
        at = MIN_OF((uint64_t)data, end);
    else if (errno == ENXIO)
        at = end;
    if (at < end)
        hole = lseek(fd, (off_t)at, SEEK_HOLE);
    *ret_data = at;
    *ret_hole = hole > (off_t)at ? MIN_OF((uint64_t)hole, end) : end;
}

int file_pass_hole(int fd, uint64_t *ret_hole, size_t *len) {
    const off_t at = lseek(fd, 0, SEEK_CUR), end = at < 0 ? -1 : lseek(fd, 0, SEEK_END);
    uint64_t data, hole;

    if (end < 0)
        return -errno;
    file_next_data(fd, (uint64_t)at, (uint64_t)MAX_OF(at, end), &data, &hole);
    if (lseek(fd, (off_t)data, SEEK_SET) < 0)
        return -errno;
    *ret_hole = data - (uint64_t)at;
    if (hole > data)
        *len = (size_t)MIN_OF((uint64_t)*len, hole - data);
    return 0;
}
