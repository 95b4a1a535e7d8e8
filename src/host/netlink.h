/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to the kernel about network links: rtnetlink(7). Each opens a socket of its own, waits
 * for the kernel's answer, and so may wait for other changes of the network: on the worker pool. */
#pragma once

#include "util/macro.h"

/* linux/if_link.h, macvlan_mode. */
typedef enum LinkMacvtapMode {
    LINK_MACVTAP_PRIVATE = 1,
    LINK_MACVTAP_VEPA = 2,
    LINK_MACVTAP_BRIDGE = 4,
    LINK_MACVTAP_PASSTHROUGH = 8,
} LinkMacvtapMode;

/* -ENODEV when there is no such link, else -errno. */
int link_index(const char *name);
/* A macvtap on the link `parent`. -EEXIST when the name is taken, -EOPNOTSUPP when the kernel has
 * none, else -errno. */
int link_add_macvtap(const char *name, int parent, LinkMacvtapMode mode, const uint8_t mac[6]);
/* 0 also when it is gone. */
int link_remove(const char *name);
/* Whether a port of a bridge talks to the ports that are not isolated only. */
int link_isolate_port(int index, bool isolated);
/* mtu 0 and mac NULL are left as they are. */
int link_set_mtu(const char *name, unsigned mtu);
int link_get_mtu(const char *name);
int link_set_mac(const char *name, const uint8_t mac[6]);
int link_set_up(const char *name, bool up);
/* -EBUSY when it is another's already; -EOPNOTSUPP when `bridge` is none. */
int link_add_to_bridge(const char *bridge, const char *name);
/* Whether it is a bridge of the kernel's. */
bool link_is_bridge(const char *name);
