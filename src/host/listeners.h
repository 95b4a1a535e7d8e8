/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who listens at unix sockets of this network namespace, as the kernel knows it (/proc/net/unix,
 * proc(5)): also when the socket's path has been removed. */
#pragma once

#include <sys/types.h>

#include "util/macro.h"

typedef struct UnixListener {
    char *path; /* as it was bound */
    unsigned long inode;
    bool wanted; /* its owner is looked for; set by the caller */
    pid_t pid;   /* a process that has it open, other than this one; 0: none was found */
} UnixListener;

typedef struct UnixListeners {
    UnixListener *list;
    size_t n;
} UnixListeners;

/* Those below `directory`, whose name has no '/' at its end, without owners. -errno. Blocks: on a
 * fiber, call it on a worker. */
int unix_listeners_find(const char *directory, UnixListeners *ret);
/* Looks once through all processes for the owners of those that are wanted; not at all when none
 * is. -ENOMEM. Blocks for long on a host with many processes. */
int unix_listeners_find_owners(UnixListeners *listeners);
/* Borrowed; NULL: nobody listens there. */
UnixListener *unix_listeners_at(const UnixListeners *listeners, const char *path);
void unix_listeners_done(UnixListeners *listeners);
