/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other ends of a guest's devices: its consoles and channels, its screen, its display. */
#pragma once

#include "driver/driver.h"

/* Opens the host's end of a console, serial or parallel device, or of a channel. `name` is the
 * alias, of a channel also its target's name; NULL: the first one. *ret_alias is borrowed from the
 * live definition. */
int driver_open_console(Domain *domain, const char *name, int *ret, const char **ret_alias,
                        Error **reterr);
int driver_open_channel(Domain *domain, const char *name, int *ret, const char **ret_alias,
                        Error **reterr);
/* What the screen shows, as a portable pixmap; *ret is at its beginning. Suspends. */
int driver_screenshot(Domain *domain, unsigned screen, int *ret, Error **reterr);
/* Makes the socket a client's connection to the display of that number; `fd` stays the caller's.
 * Suspends. */
int driver_open_graphics(Domain *domain, unsigned index, int fd, bool skip_auth, Error **reterr);
