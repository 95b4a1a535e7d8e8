/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What two vireods tell each other about a guest that moves, through the client that moves it. Each
 * call of a migration carries what the call before it, at the other one, has given back:
 *
 *     <vireo-migration version='1'>
 *       <name>ol8</name>
 *       <uuid>...</uuid>
 *       <host name='kitchen' boot='...' namespace='4026531841'/>
 *       <definition check='4f2a90c1'/>
 *       <vcpus pending='3' online='2' present='' silent='4' unknown=''/>
 *       <intent reboot='1'/>
 *       <operation>a pending removal, as vireod journals it, escaped</operation>
 *       <token>...</token>
 *       <persistent>the persistent definition, escaped</persistent>
 *     </vireo-migration>
 *
 * Before the token stand what a libvirtd looks for first, and a feature that it does not know and
 * says so, by name: guests do not move from here to it.
 *
 * Begin writes all but the token; Prepare answers with the token, name, uuid, host and check.
 * Elements and attributes that are not known are passed over. */
#pragma once

#include "conf/uuid.h"
#include "util/bitmap.h"
#include "util/error.h"

#define MIGRATE_TOKEN_SIZE 32u        /* bytes; twice as many hexadecimal digits */
#define MIGRATE_COOKIE_MAX (4u << 20) /* bytes of libvirt's protocol */
#define MIGRATE_OPERATIONS_MAX 100u   /* more are passed over */
#define MIGRATE_VERDICTS 4u           /* names of what a guest did with plugged vCPUs */

typedef struct MigrateCookie {
    char *name;
    uint8_t uuid[16];
    char *host;      /* its name, for sentences */
    char *boot;      /* of the host's kernel (boot_id) */
    char *namespace; /* of its mounts: equal with the same boot, a path means the same on both */
    uint32_t check;  /* of the definition at Begin: the source's own business */
    Bitmap *pending; /* vCPUs that the guest was asked to release; NULL: none */
    Bitmap *verdicts[MIGRATE_VERDICTS]; /* unknown, online, present, silent; NULL: none */
    char **operations; /* pending removals, oldest first, as the source has journaled them */
    size_t n_operations;
    bool rebooting; /* the guest was asked to power off for a reboot */
    bool has_token;
    uint8_t token[MIGRATE_TOKEN_SIZE];
    char *persistent; /* NULL: the domain is not to be defined */
} MigrateCookie;

void migrate_cookie_done(MigrateCookie *cookie);
#define CLEANUP_MIGRATE_COOKIE CLEANUP(migrate_cookie_done)

/* The text; NULL: out of memory. Caller frees. */
char *migrate_cookie_format(const MigrateCookie *cookie);
/* Bytes of a client. ERROR_INVALID_ARG for what is none, is from libvirt, or from a newer vireod.
 * *ret is zeroed on failure. */
int migrate_cookie_parse(const char *text, size_t len, MigrateCookie *ret, Error **reterr);
