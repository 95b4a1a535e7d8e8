/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual networks: definitions in etc/networks, active ones in run/networks. An active network has
 * its bridge: the host's own, or one that was made for it. */
#pragma once

#include "conf/network.h"
#include "util/error.h"
#include "util/fiber.h"

typedef struct NetworkStore NetworkStore;

typedef struct Network {
    unsigned n_refs;
    NetworkStore *store; /* NULL: no longer listed */
    struct Network *next;
    NetworkDef *def;
    bool active, persistent, autostart;
    bool busy; /* a change is under way */
    FiberCond idle;
} Network;

/* virNetworkEventLifecycleType */
typedef enum NetworkEvent {
    NETWORK_DEFINED = 0,
    NETWORK_UNDEFINED = 1,
    NETWORK_STARTED = 2,
    NETWORK_STOPPED = 3
} NetworkEvent;

typedef void (*NetworkEventFunc)(const Network *network, NetworkEvent event, void *userdata);

typedef struct NetworkParams {
    const char *etc, *run; /* copied */
    NetworkEventFunc event;
    void *userdata;
} NetworkParams;

/* NULL: out of memory. */
NetworkStore *networks_new(const NetworkParams *params);
NetworkStore *networks_free(NetworkStore *store);
/* Reads the definitions, finds those that are active, starts those that start with the host. On a
 * fiber; what cannot be used is logged. */
void networks_load(NetworkStore *store);

/* In order of definition, then Network.next. */
Network *networks_first(const NetworkStore *store);
/* Borrowed; ERROR_NO_NETWORK. */
Network *network_by_name(const NetworkStore *store, const char *name, Error **reterr);
Network *network_by_uuid(const NetworkStore *store, const uint8_t uuid[16], Error **reterr);
Network *network_ref(Network *network);
void network_unref(Network *network);
DEFINE_CLEANUP(Network *, network_unref)
#define CLEANUP_NETWORK CLEANUP(network_unrefp)

/* All of these suspend; define and create give a new reference. */
int networks_define(NetworkStore *store, const char *xml, Network **ret, Error **reterr);
int networks_create(NetworkStore *store, const char *xml, Network **ret, Error **reterr);
int network_start(Network *network, Error **reterr);
int network_stop(Network *network, Error **reterr);
int network_undefine(Network *network, Error **reterr);
int network_set_autostart(Network *network, bool yes, Error **reterr);

/* The bridge of an active network, borrowed until the next wait. ERROR_NO_NETWORK, and
 * ERROR_OPERATION_INVALID for one that is not active. */
const char *network_bridge(const NetworkStore *store, const char *name, Error **reterr);
