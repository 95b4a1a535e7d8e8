/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Birth records: a file in run/births for each QEMU from before its exec until its status file is
 * on disk. What the next daemon finds there was never resumed: a start that did not come to its
 * end, whose QEMU may be ended. It is the only thing a QEMU is ended for that nobody asked to end.
 */
#pragma once

#include "qemu/process.h"

typedef struct Birth {
    int id; /* libvirt's id of the run */
    QemuPid pid;
    uint8_t uuid[16];
    char *name, *monitor_path;
} Birth;

/* Writes DIRECTORY/ID.json and fsyncs it; on a fiber. */
int birth_write(const char *directory, const Birth *birth, Error **reterr);
/* No such record is fine. */
void birth_remove(const char *directory, int id);
/* Reads one; the strings are the caller's, by birth_done. -errno, -EBADMSG. */
int birth_read(const char *path, Birth *ret);
void birth_done(Birth *birth);
