/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Labels of SELinux on files, given for a while and taken back exactly (security.selinux). As with
 * owners (host/file-owner.h) a path is followed only where nobody else could have led it astray.
 *
 * A file that is labelled has an extended attribute with the label it had and how often it is given
 * (trusted.vireo.label: "COUNT BOOT LABEL", of that boot of the host); where it can have none, the
 * caller's own note has to do. All functions block: on a worker. */
#pragma once

#include <sys/types.h>

#include "util/error.h"
#include "util/macro.h"

/* One file as it was found. */
typedef struct FileLabelled {
    dev_t dev;
    ino_t ino;
    char *label; /* that it had; NULL: none. The caller frees. */
} FileLabelled;

/* What file_label_give will take for granted. 1: it can have a label; 0: its file system has none.
 * Errors name the path: ERROR_OPERATION_DENIED, or of the system. */
int file_label_look(const char *path, FileLabelled *ret, Error **reterr);
/* Gives it what was looked at. A file that others have with another label is
 * ERROR_OPERATION_INVALID. */
int file_label_give(const char *path, const char *label, const FileLabelled *found, Error **reterr);
/* Gives one that has been given another one instead, with the same mark. One that others have, too,
 * is ERROR_OPERATION_INVALID. */
int file_label_change(const char *path, const char *label, const FileLabelled *found,
                      Error **reterr);
/* Takes that label back, unless somebody else has the file still. A file that was replaced, has
 * gone, or was labelled by somebody else since is left alone: 0. -errno. */
int file_label_take_back(const char *path, const char *label, const FileLabelled *found);
