/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's end of a network card: a tap, alone or in a bridge, or a macvtap on another link.
 *
 * A tap lives for as long as somebody has one of its descriptors open: the caller's are to be
 * closed once QEMU has them, and the tap goes with QEMU. A macvtap is a link that stays:
 * macvtap_remove. All of it on the worker pool. */
#pragma once

#include "util/error.h"

#define TAP_QUEUES_MAX 16u
#define TAP_NAME_SIZE 16 /* IFNAMSIZ */

typedef struct TapParams {
    const char *name;   /* may have one %d, for the first free number */
    bool existing;      /* it is somebody else's, and only opened: nothing of it is changed */
    const char *bridge; /* whose port it becomes; NULL: none */
    bool is_switch;     /* `bridge` is Open vSwitch's, and somebody else makes it the port */
    bool isolated;
    const uint8_t *mac; /* of the host's end; NULL: the kernel's */
    unsigned mtu;       /* 0: the bridge's */
    unsigned rx_frames; /* held back at most; 0: the kernel's */
    unsigned n_queues;
    bool vnet_hdr; /* QEMU and the guest's driver exchange offloads */
} TapParams;

typedef struct MacvtapParams {
    const char *parent, *mode; /* vepa, bridge, private, passthrough */
    const char *name;          /* NULL: "macvtapN" */
    const uint8_t *mac;        /* the guest's */
    unsigned mtu, n_queues;
    bool vnet_hdr;
} MacvtapParams;

typedef struct Tap {
    char name[TAP_NAME_SIZE];
    int fds[TAP_QUEUES_MAX];
    unsigned n_fds;
} Tap;

/* Errors are ERROR_CONFIG_UNSUPPORTED for what is not on this host, ERROR_SYSTEM for what the
 * kernel refuses; nothing is left then. The sentence begins with what is wrong, without the domain.
 */
int tap_open(const TapParams *params, Tap *ret, Error **reterr);
int macvtap_open(const MacvtapParams *params, Tap *ret, Error **reterr);
int macvtap_remove(const char *name);
/* Descriptors of the kernel's virtio back end, one for each queue. -ENOENT when it has none. */
int vhost_net_open(int *fds, unsigned n);
/* "aa:bb:cc:dd:ee:ff"; false: it is none. */
bool mac_parse(const char *text, uint8_t ret[6]);
