/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's console in this terminal. */
#pragma once

#include "vireo.h"

/* Connects this terminal with the console of that alias (NULL: the first) until Ctrl + ], or until
 * the console ends; flags: CONSOLE_*. Says what is wrong; fails without a terminal. */
int console_connect(Tool *tool, const remote_domain *dom, const char *devname, unsigned flags);
