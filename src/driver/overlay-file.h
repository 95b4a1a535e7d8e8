/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of a transient disk's overlay, from nothing to one that an image can be written to, and
 * its end. A file is known by its inode and by when that was made, not by its name alone; what the
 * host's end has left is known by a mark (host/file-mark.h). All functions block: on a worker. */
#pragma once

#include "conf/uuid.h"
#include "util/error.h"
#include "util/macro.h"

typedef struct OverlayFile {
    const char *path;
    char owner[UUID_TEXT_SIZE]; /* the domain */
    int directory, fd;          /* where it was made, and what; -1: nothing */
    char *content;              /* a file of what is to be in it, in a directory of root's */
    char *detail;               /* by which it is known: "DEV INO SECONDS NANOSECONDS" */
} OverlayFile;

void overlay_file_done(OverlayFile *file);

/* Each takes an OverlayFile, for worker_run. -errno. */

/* Whether nothing has the name. What an earlier boot of the host has left of the same domain's, and
 * no process has, is removed. -EEXIST. */
int overlay_file_look(void *file);
/* Makes it, empty, with mode 0600. -EEXIST; -EACCES: somebody else may lead the way elsewhere. */
int overlay_file_make(void *file);
/* Takes the content over, and removes the file of it. By the descriptor: what has the name by then
 * may be somebody else's. -EFBIG. */
int overlay_file_fill(void *file);
/* Gives it to whom its directory belongs: in one that is not root's, a file of root's does not
 * become QEMU's (host/file-owner.h). */
int overlay_file_give(void *file);

/* Removes the one with that detail. NULL: it was about to be made, and an empty one of this
 * process's user is it. 0 when it has gone; -ESTALE: another file has its name; -EBADMSG, -errno.
 */
int overlay_file_remove(const char *path, const char *detail);
