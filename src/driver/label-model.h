/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kind of security labels, as a row of a table: what the host's security module has a QEMU wear,
 * so that it opens nothing but what its domain names (<seclabel>). The user of a QEMU, which
 * libvirt calls the model dac, is not one of these: driver/confinement.h. */
#pragma once

#include "domain/domain.h"
#include "host/security-module.h"

typedef struct LabelModel {
    const char *name; /* of <seclabel model=''> */
    SecurityModule module;
    const char *attributes[2]; /* of a process itself, where it writes what it wears from its next
                                  exec on; the second where there is no first */
    const char *prefix;        /* of what is written there */
    /* Tries whether it can be used: 0. Errors say why not. `run` is the daemon's directory. On a
     * fiber. */
    int (*try)(const char *run, Error **reterr);
    /* A label for a domain's run that no other has. NULL: out of memory. Caller frees. */
    char *(*make)(const Domain *domain);
    /* Whether a QEMU can wear the label that a definition gives. On a fiber. */
    int (*check)(const char *label, Error **reterr);
    /* Has a label that was made let open what the live definition names, and `also` (may be NULL),
     * and no more. On a fiber, with the job. */
    int (*set)(Domain *domain, const DomainDef *also, const char *label, Error **reterr);
    /* The label's end, after its QEMU's: 0, -errno. On a fiber. */
    int (*end)(const char *run, const char *label);
} LabelModel;
