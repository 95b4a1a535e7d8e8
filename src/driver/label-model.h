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
    bool asked_for;    /* used where the setting names it, not of itself */
    bool labels_files; /* those of a static label with relabel='yes', too */
    /* no_new_privs is left to QEMU's own sandbox: set before, it may keep the exec from changing
     * the label. */
    bool changes_by_policy;
    const char *prefix; /* of what a process writes to have a label from its next exec on */
    /* Where it writes that: files of the process itself, the second where there is no first. */
    void (*attributes)(const char *ret[2]);
    bool (*is_on)(void);
    /* Tries whether it can be used: 0. Errors say why not. `run` is the daemon's directory. On a
     * fiber. */
    int (*try)(const char *run, Error **reterr);
    /* A label for a domain's run that no other has, of `base` (may be NULL) where it can have one;
     * put into the live definition, where others see that it is taken. The caller frees *ret. On a
     * fiber, with the job. */
    int (*make)(Domain *domain, const char *base, char **ret, Error **reterr);
    /* Whether a QEMU can wear the label that a definition gives. On a fiber. */
    int (*check)(const char *label, Error **reterr);
    /* The label of what it writes, for people; NULL: the same, or no memory. Caller frees. On a
     * fiber. */
    char *(*image)(const char *label);
    /* Has a label that was made let open what the live definition names, and `also` (may be NULL),
     * and no more. On a fiber, with the job. */
    int (*set)(Domain *domain, const DomainDef *also, const char *label, Error **reterr);
    /* The label's end, after its QEMU's: 0, -errno. On a fiber. */
    int (*end)(const char *run, const char *label);
} LabelModel;
