/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a caller may do who is neither root, nor the daemon's user, nor in the socket's group: with
 * `access = polkit` each of his calls is a question to polkit, "may this process do
 * org.vireo.CLASS", about the domain that the call names. */
#pragma once

#include "daemon.h"

/* Kinds of calls that an administrator tells apart; each is an action of org.vireo.policy. */
typedef enum AccessClass {
    ACCESS_READ,    /* looks, changes nothing */
    ACCESS_WRITE,   /* everything else that changes something, or shows what is secret */
    ACCESS_SAVE,    /* a guest's memory to a file and back */
    ACCESS_MONITOR, /* talks to QEMU past Vireo */
    ACCESS_AGENT,   /* talks to programs in the guest */
    ACCESS_MIGRATE, /* to another host */
    ACCESS_BLOCK,   /* a guest's disks: sizes, contents */
    ACCESS_MAX_,
    ACCESS_INVALID = -EINVAL,
} AccessClass;

/* The session's gate (rpc/session.h); its userdata is a Client with its subject filled. */
int access_gate(RpcSession *session, const RpcProc *proc, const uint8_t *payload, size_t len,
                Error **reterr);
/* Whether the client may do that with the domain, or, with NULL, with no domain in particular. For
 * handlers whose arguments decide: without a gate everything may be done. On a fiber. */
int access_check(Client *client, AccessClass class, const Domain *domain, Error **reterr);
/* The same of a domain that may be there no more. */
int access_check_named(Client *client, AccessClass class, const char *name, const uint8_t uuid[16],
                       Error **reterr);
