/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A listening socket on the loop. Without file descriptors left it turns a client away by the
 * one it keeps for that, and accepts nothing for a moment, instead of trying for ever. */
#pragma once

#include "util/error.h"

typedef struct Listener Listener;

/* Takes the accepted, non-blocking fd. */
typedef void (*ListenerFunc)(int fd, void *userdata);

/* Takes the fd: bound, listening, close-on-exec, non-blocking. */
int listener_new(int fd, ListenerFunc accepted, void *userdata, Listener **ret);
/* Closes; takes NULL. */
void listener_free(Listener *listener);
DEFINE_CLEANUP(Listener *, listener_free)

/* Creates a bound listening unix socket with that mode; replaces a dead socket file, refuses a live
 * one (-EADDRINUSE). */
int rpc_listen_unix(const char *path, unsigned mode, int *ret_fd, Error **reterr);
/* The same at a numeric address of this host. */
int rpc_listen_tcp(const char *address, unsigned port, int *ret_fd, Error **reterr);
