/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in a directory, links and removals, without holding up the loop: each runs on the worker
 * pool while its fiber waits. */
#pragma once

#include "util/macro.h"

typedef struct DirectoryNames {
    char **list;
    size_t n;
} DirectoryNames;

/* The names of more than `suffix` that end so ("": all), in no order. A directory that is not there
 * has none. -ENOMEM, -errno. */
int directory_names(const char *path, const char *suffix, DirectoryNames *ret);
void directory_names_done(DirectoryNames *names);
#define CLEANUP_NAMES CLEANUP(directory_names_done)

/* unlink; what is not there is removed. -errno. */
int file_remove_worker(const char *path);
/* symlink; one that is there already stays as it is. -errno. */
int file_symlink_worker(const char *target, const char *path);
