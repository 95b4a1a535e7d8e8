/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether other hosts have a file as well, by its file system. */
#pragma once

/* 1: yes, or the file system is one of which nobody can tell (FUSE); 0: no; -errno. Blocks: on a
 * worker. */
int shared_storage_look(const char *path);
