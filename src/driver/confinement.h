/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the QEMUs of this daemon are kept to: the settings, what of them this host lets be done, and
 * from both what one domain's QEMU gets (qemu/confine.h). */
#pragma once

#include "driver/confine-nodes.h"
#include "driver/label-model.h"
#include "qemu/capabilities.h"

#define CONFINEMENT_USER "vireo-qemu" /* who QEMU is where root runs the daemon */

typedef struct ConfinementParams {
    const char *user, *group; /* names, or numbers after "+"; user NULL: CONFINEMENT_USER, which is
                                 made where it is missing; group NULL: the user's own */
    const char *directory;    /* what a user that nobody has named has to be able to reach */
    bool private_dev;         /* a /dev of its own, and no device nodes but those in it */
    bool own_files;           /* give files to the user and take them back */
    bool sandbox;             /* seccomp */
    uint64_t core_max;        /* bytes */
    const char *security_driver; /* "auto", "none", or a LabelModel's name; NULL: "none" */
    const char *run;             /* the daemon's directory */
} ConfinementParams;

typedef struct Confinement {
    char *user, *group, *directory; /* as set */
    bool make_user;
    bool has_user; /* QEMU is another user than this daemon */
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t n_groups;
    bool private_dev, own_files, sandbox;
    bool limit_devices; /* in its cgroup, where the host has that (driver/confine-devices.h) */
    uint64_t core_max;
    char *security_driver, *run;
    const LabelModel *label; /* what QEMUs wear (driver/label.h); NULL: nothing */
    bool trying_label;       /* confinement_try_label */
    FiberCond label_tried;
    char *no_dev, *no_user,
        *no_label;     /* why what was asked for is not there; NULL: it is, or is not asked for */
    QemuConfine probe; /* of QEMUs that are asked what they can do */
    ConfinePlan *probe_plan;
} Confinement;

/* The settings as they are; nothing is looked at. NULL: out of memory. */
Confinement *confinement_new(const ConfinementParams *params);
void confinement_free(Confinement *confinement);
/* Looks at the host: which of it can be had. Where CONFINEMENT_USER cannot be made, or cannot reach
 * the directory, QEMU stays root: a warning, and no_user. Where the host has a module whose labels
 * cannot be given: the same, and no_label. ERROR_CONFIG_UNSUPPORTED for a user or group that was
 * set and does not exist, and a security driver that was set and cannot be used. On a fiber, before
 * the first QEMU. */
int confinement_prepare(Confinement *confinement, Error **reterr);
/* Before each start: labels that the host has, and that could not be given before, are tried again;
 * one at a time. What is still in the way is in the log. On a fiber. ERROR_NO_MEMORY. */
int confinement_try_label(Confinement *confinement, Error **reterr);

/* The plan of a domain about to start; looks at nodes below /dev. ERROR_CONFIG_UNSUPPORTED names
 * what cannot be had: a user of its <seclabel>, a label of a module that is not in use, memory that
 * cannot be locked. On a fiber; the
 * caller ends it with confine_plan_done. */
int confinement_plan(const Confinement *confinement, const DomainDef *def, const QemuCaps *caps,
                     ConfinePlan *ret, Error **reterr);
