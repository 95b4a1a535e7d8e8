/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a QEMU is kept to from its exec on, so that a guest that breaks out of it is nobody: its own
 * user and groups, no capability and no way to gain one (one that stays root can open any file), a
 * /dev with a few nodes in a mount namespace of its own, no core file.
 *
 * Facts: credentials(7), capabilities(7) (an exec of root gains what the bounding set has),
 * prctl(2), mount_namespaces(7), Linux's fs/devpts (a node 5:2 is the ptmx of the "pts" beside it).
 */
#pragma once

#include <sys/types.h>

#include "util/error.h"
#include "util/macro.h"

/* A node of the private /dev. */
typedef struct QemuNode {
    char *path;  /* "/dev/kvm", "/dev/disk/by-id/x" */
    mode_t mode; /* S_IFCHR or S_IFBLK, and who may do what */
    dev_t rdev;
    char *label; /* of SELinux, as the host's node has it; NULL: none */
    bool given;  /* it belongs to QEMU's user; else to root */
} QemuNode;

/* What a process wears from its exec on, by the word of a security module. */
typedef struct QemuLabel {
    const char *attributes[2]; /* files of the process itself where it is written, the second where
                                  there is no first */
    const char *text;          /* what is written; NULL: nothing */
} QemuLabel;

typedef struct QemuConfine {
    bool has_user; /* else it stays who the daemon is */
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* beside gid */
    size_t n_groups;
    bool private_dev;
    const QemuNode *nodes;
    size_t n_nodes;
    uint64_t core_max;    /* bytes of a core file */
    uint64_t memlock_max; /* bytes; 0: as the daemon has it */
    QemuLabel label;
    bool leaves_privs; /* no_new_privs is set by its own sandbox, not before its exec */
} QemuConfine;

/* Where qemu_confine_self gave up; for qemu_confine_step_text. */
typedef enum QemuConfineStep {
    CONFINE_LIMITS,
    CONFINE_LABEL,
    CONFINE_MOUNT,
    CONFINE_DEV,
    CONFINE_CAPABILITIES,
    CONFINE_USER,
    CONFINE_NO_NEW_PRIVS,
    CONFINE_STEP_MAX_,
} QemuConfineStep;

/* In a forked child with one thread: nothing but async-signal-safe calls. -errno and the step. */
int qemu_confine_self(const QemuConfine *confine, QemuConfineStep *ret_step);
/* "cannot make its own /dev" */
const char *qemu_confine_step_text(QemuConfineStep step);

/* 0 when a child of this process could be kept to it, else what qemu_confine_self says: tried with
 * one that ends at once. Blocks: on a worker. */
int qemu_confine_try(const QemuConfine *confine, QemuConfineStep *ret_step);

/* Makes the nodes that are not yet in the /dev of a running QEMU, where it has one of its own; and
 * lets it lock as much memory as confine->memlock_max. 1: it has a /dev of its own; 0; -errno.
 * Blocks: on a worker. */
int qemu_confine_add(pid_t pid, const QemuConfine *confine);
