/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a machine become its QEMU's while it runs, where that has a user of its own
 * (host/file-owner.h). What is given is noted with what was made for the run. */
#pragma once

#include "domain/made.h"
#include "driver/start-parts.h"
#include "host/file-owner.h"

/* Gives what the domain's run opens by its path: images, kernel, the firmware's variables, files of
 * character devices; and the sockets of the programs that serve it. parts->confine says to whom.
 * `own_files` false: only what the daemon has made itself. On a fiber. */
int prepare_owners(Domain *domain, const StartParts *parts, bool own_files, Error **reterr);
/* One file more, of a device that is attached. */
int prepare_owner(Domain *domain, const char *path, FileUse use, const QemuConfine *confine,
                  Error **reterr);
/* Takes one back; -errno. On a fiber. */
int prepare_owner_undo(const Made *made);
