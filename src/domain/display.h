/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain's displays (vnc, spice) need when it starts: TCP ports of the host, and the
 * passwords that no command line may show. */
#pragma once

#include "domain/domain.h"

/* Gives each display of `live` that asks for one (autoport) a port that is free at its address, the
 * lowest from 5900 up; the one that it had on another host, or before it was saved, counts for
 * nothing. The definition of a run holds it: no other domain of the list that starts
 * at `domains` gets the same, and it is given back when the run ends. Ports that are fixed in the
 * XML are left to QEMU. ERROR_INTERNAL: none is free, or this host has no such address. Does not
 * suspend. */
int display_assign_ports(const Domain *domains, DomainDef *live, bool tls, Error **reterr);

/* Tells QEMU the displays' passwords and until when they are valid. Until then a display that has
 * one lets nobody in. On a fiber, after the handshake and before the guest runs; job held.
 * ERROR_CONFIG_UNSUPPORTED: passwdValidTo is no time. */
int display_set_passwords(Domain *domain, uint64_t deadline, Error **reterr);
