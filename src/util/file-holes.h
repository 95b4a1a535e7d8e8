/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holes of sparse files. What has none, or is in a file system that does not tell of them, has data
 * only. Both functions move the descriptor's offset, and block: on a worker. */
#pragma once

#include "util/macro.h"

/* The next data of [at, end): from *ret_data up to *ret_hole. Both are `end` when there is no more.
 */
void file_next_data(int fd, uint64_t at, uint64_t end, uint64_t *ret_data, uint64_t *ret_hole);
/* Passes the hole that the descriptor's offset is in: *ret_hole bytes, to the next data or the
 * file's end; 0 when it is in none. *len is cut so that as many from there on are data. -errno of
 * what has no offset. */
int file_pass_hole(int fd, uint64_t *ret_hole, size_t *len);
