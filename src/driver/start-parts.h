/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host gives a QEMU that is started: descriptors, sockets, and a note of what was made for
 * it that outlives this daemon. */
#pragma once

#include "domain/made.h"
#include "domain/domain.h"
#include "domain/services.h"
#include "driver/confine-nodes.h"
#include "qemu/devices/device.h"

typedef struct StartParts {
    QemuHostParts parts; /* of the arrays below */
    QemuTap *taps;
    char **tpm_sockets, **filesystems;
    char **reservations; /* sockets of helpers, of disks; by no place */
    size_t n_tpms, n_filesystems, n_reservations;
    QemuSecret *secrets;
    size_t n_secrets;
    int *fds; /* what QEMU gets besides, from QEMU_FIRST_FD on; owned */
    unsigned n_fds;
    SysinfoDef *sysinfo;
    char **environment; /* "NAME=VALUE" besides, NULL-terminated; or NULL */
    ConfinePlan confine;
    bool files_given; /* of a device that is attached: its files are QEMU's */
} StartParts;

/* Closes this daemon's descriptors: QEMU has its own. */
void start_parts_done(StartParts *parts);
/* The descriptor becomes QEMU's: its number there, or -ENOMEM, -EMFILE. Takes it in every case. */
int start_parts_add_fd(StartParts *parts, int fd);

/* "run/made/UUID.json". Caller frees; NULL: out of memory. */
char *start_parts_note_path(const ServicePaths *paths, const uint8_t uuid[16]);
/* Writes down what was made for the domain's run. On a fiber. */
int start_parts_note(Domain *domain, const Made *made, Error **reterr);
