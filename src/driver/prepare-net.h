/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's ends of a domain's network cards. */
#pragma once

#include "driver/start-parts.h"

/* Makes the taps of the domain's run. The errors name the domain and the interface. */
int prepare_interfaces(Domain *domain, StartParts *parts, Error **reterr);
/* One interface's, of a device that is attached; fills *to with their numbers among the parts'
 * descriptors. An interface that has none is fine. */
int prepare_interface(Domain *domain, InterfaceDef *interface, StartParts *parts, QemuTap *to,
                      Error **reterr);
/* Whether the network of an interface is there, and active, or a bridge that it is taken for.
 * ERROR_NO_NETWORK, ERROR_OPERATION_INVALID. */
int prepare_check_network(const Domain *domain, const InterfaceDef *interface, Error **reterr);
/* Undoes a port of Open vSwitch. */
void prepare_remove_port(const char *name);
