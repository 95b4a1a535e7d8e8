/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way back of what was made for a domain: all of it when it no longer runs, one thing when a
 * device has gone. */
#pragma once

#include "domain/made.h"
#include "domain/services.h"

/* Removes what was made for a domain of this uuid, whose QEMU is gone. `elsewhere`: its guest runs
 * on another host, or still does; files that hosts share stay as that QEMU has them. What cannot be
 * removed is logged. On a fiber. */
void prepare_undo(const ServicePaths *paths, const uint8_t uuid[16], bool elsewhere);
/* The last thing of that kind and name, for a domain that goes on; it is undone before the note
 * forgets it. NULL is no name. Not for files that were given: those count. On a fiber. */
void prepare_undo_one(const ServicePaths *paths, const uint8_t uuid[16], MadeKind kind,
                      const char *name);
