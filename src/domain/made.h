/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon has made on the host for one run of a domain and what outlives the daemon: it is
 * written down before, or as soon as, it is there, and undone backwards after the end of the QEMU,
 * by whichever daemon sees that.
 *
 * The file is run/made/UUID.json: {"made":[{"kind":"process","name":PATH,"pid":N,"start":N},...]}.
 */
#pragma once

#include "qemu/process.h"

typedef enum MadeKind {
    MADE_MACVTAP,     /* name: of the link */
    MADE_SWITCH_PORT, /* name: of the link, which is a port of Open vSwitch */
    MADE_PROCESS,     /* name: of its socket; pid */
    MADE_PCI,         /* name: address; detail: the driver it had, "" when none */
    MADE_OWNER,       /* name: of a file that was given to QEMU's user; detail: whose it was */
    MADE_JOB_OWNER,   /* the same for as long as something is under way with the disks */
    MADE_LABEL,       /* name: a security label that was made; detail: of which model */
    MADE_FILE_LABEL,  /* name: of a file that was given a label; detail: the one it had */
    MADE_OVERLAY, /* name: of a transient disk's overlay; detail: its inode (prepare-overlay.c) */
    MADE_KIND_MAX_
} MadeKind;

typedef struct Made {
    MadeKind kind;
    char *name, *detail; /* detail may be NULL */
    QemuPid pid;
} Made;

typedef struct MadeList {
    Made *items;
    size_t n;
} MadeList;

/* Reads the file, adds the item (the texts are copied), writes it. On a fiber. */
int made_add(const char *path, const Made *item, Error **reterr);
/* Takes the last item of that kind, name and detail (NULL: any) out of the file; the caller's texts
 * then. -ENOENT: there is none. On a fiber. */
int made_take(const char *path, MadeKind kind, const char *name, const char *detail, Made *ret);
/* Makes the last item of that kind and name one of another kind. -ENOENT: there is none. On a
 * fiber. */
int made_change(const char *path, MadeKind from, const char *name, MadeKind to);
/* -ENOENT: nothing was made. -EBADMSG, -errno. */
int made_read(const char *path, MadeList *ret);
bool made_has(const MadeList *list, MadeKind kind, const char *name);
void made_done(MadeList *list);
