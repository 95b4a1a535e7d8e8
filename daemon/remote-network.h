/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events of virtual networks. */
#pragma once

#include "daemon.h"
#include "driver/network.h"

/* NetworkParams.event; the userdata is the Daemon. */
void network_send_event(const Network *network, NetworkEvent event, void *userdata);
