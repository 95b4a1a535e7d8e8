/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How capabilities come to be: asked (capabilities-probe.c), kept (capabilities-file.c). */
#pragma once

#include "qemu/capabilities.h"

/* A QEMU of machine "none" that is asked and ended. */
typedef struct QemuProbe {
    const char *run_dir;        /* of its socket and log */
    unsigned number;            /* tells probes in run_dir apart */
    const QemuConfine *confine; /* NULL: not confined */
    const char *binary, *accel; /* accel: of -machine: "tcg" */
} QemuProbe;

/* func asks; its error is prefixed with the binary and the end of its output. On a fiber. */
int qemu_probe_talk(const QemuProbe *probe, QemuTalk func, void *userdata, Error **reterr);
/* Fills caps, which has its binary, by running it, confined (NULL: not); `number` tells probes in
 * run_dir apart. On a fiber. After an error caps is half filled. */
int qemu_caps_probe(const char *run_dir, unsigned number, const QemuConfine *confine,
                    QemuCaps *caps, Error **reterr);
/* Fills caps, which has its binary's path, size and time, from a file. -ESTALE: it is of another
 * one; -ENOENT, -EBADMSG, -ENOMEM. After an error caps is half filled. */
int qemu_caps_load(const char *path, QemuCaps *caps);
/* Writes the file, with its directory; -errno. */
int qemu_caps_save(const char *path, const QemuCaps *caps);
