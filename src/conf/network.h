/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual networks as their XML says them: an existing bridge of the host, or one of their own with
 * an address and no way out. Nothing of the host is looked at. */
#pragma once

#include "conf/element.h"

#define NETWORK_XML_MAX ((size_t)1 << 20)
#define NETWORK_BRIDGE_MAX 15u /* bytes of a link's name */

typedef struct NetworkIp {
    char *family; /* ipv4 or ipv6; NULL: ipv4 */
    char *address, *netmask;
    unsigned prefix; /* of the netmask, when that is given instead */
    bool prefix_given;
} NetworkIp;

typedef struct NetworkDef {
    char *name;
    uint8_t uuid[16];
    bool uuid_given;
    char *title, *description;
    char *metadata; /* the whole element */
    char *forward;  /* "bridge"; NULL: isolated */
    char *bridge;   /* NULL: one is to be found; of a forward "bridge": there is none */
    Tristate stp;   /* of an isolated one */
    unsigned delay; /* seconds, likewise */
    bool delay_given;
    unsigned mtu; /* 0: the kernel's */
    char *mac;    /* of the bridge of an isolated one */
    char *domain; /* a DNS name, kept */
    char *isolated_port;
    NetworkIp *ips;
    size_t n_ips;
} NetworkDef;

/* ERROR_XML and its kin; ERROR_CONFIG_UNSUPPORTED names what cannot be had. A uuid is made when
 * none is given. The caller frees. */
int network_parse(const char *xml, size_t len, NetworkDef **ret, Error **reterr);
/* As libvirt writes it; NULL when out of memory. The caller frees. */
char *network_format(const NetworkDef *def);
bool network_is_isolated(const NetworkDef *def);

NetworkDef *network_def_free(NetworkDef *def);
DEFINE_CLEANUP(NetworkDef *, network_def_free)
#define CLEANUP_NETWORK_DEF CLEANUP(network_def_freep)
