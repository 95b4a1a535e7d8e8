/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mark on a file that outlives the host's end: whose it is, and of which boot. It is an extended
 * attribute that only root can write (trusted.vireo.run: "OWNER BOOT"). Both functions block. */
#pragma once

#include "util/macro.h"

/* Marks an open file. Where the file system has no such attributes, or this process may not write
 * them, there is no mark. */
void file_mark_write(int fd, const char *owner);
/* Whether the file, which is no link, has that owner's mark of an earlier boot. */
bool file_mark_is_of_earlier_boot(const char *path, const char *owner);
