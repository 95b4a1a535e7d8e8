/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How fast an interface's end on this host may be: the kernel's queues and filters, set by tc. On a
 * fiber. */
#pragma once

#include "conf/interface.h"

/* Whether it has an end on this host that can be limited. */
bool nic_has_tap(const InterfaceDef *nic);

/* Limits a new one as its <bandwidth> says. */
int nic_limit(const InterfaceDef *nic, Error **reterr);
/* Has one that is limited as `from` says be limited as `to` says; only the way that differs is
 * touched. After an error it is as it was, or the log says what is left. */
int nic_limit_change(const InterfaceDef *from, const InterfaceDef *to, Error **reterr);
