/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding strays (driver/strays.h), asking them, adopting them.
 *
 * They are found by their monitors, which lie in the directory for state, by the kernel's list of
 * those who listen there, and by birth records; never by the names of programs. Each is asked who
 * it is, for as long as it runs. One that has a birth record, no status file, and says that it was
 * never resumed is a start that failed, and is ended. One whose uuid is a domain's becomes the
 * domain's run again. Every other is left alone and named in the log. When it has ended, its files
 * and its cgroup are removed. */
#pragma once

#include "domain/services.h"

/* Looks for them and begins to ask each, counting as first tries. On a fiber, when the status files
 * have been read. */
void stray_find_all(Services *services);
