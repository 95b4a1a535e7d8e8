/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <interface>. */
#pragma once

#include "conf/device-info.h"

typedef enum InterfaceType {
    INTERFACE_NONE_,
    INTERFACE_USER,
    INTERFACE_ETHERNET,
    INTERFACE_VHOSTUSER,
    INTERFACE_SERVER,
    INTERFACE_CLIENT,
    INTERFACE_MCAST,
    INTERFACE_NETWORK,
    INTERFACE_BRIDGE,
    INTERFACE_INTERNAL,
    INTERFACE_DIRECT,
    INTERFACE_HOSTDEV,
    INTERFACE_UDP,
    INTERFACE_VDPA,
    INTERFACE_NULL,
    INTERFACE_VDS,
    INTERFACE_TYPE_MAX_
} InterfaceType;

typedef struct InterfaceParameter {
    char *name, *value;
} InterfaceParameter;

typedef struct InterfaceIp {
    char *address, *family, *prefix, *peer;
} InterfaceIp;

typedef struct InterfaceRoute {
    char *family, *address, *netmask, *prefix, *gateway, *metric;
} InterfaceRoute;

typedef struct VlanTag {
    unsigned id;
    char *native_mode;
} VlanTag;

typedef struct PortRange {
    unsigned start, end, to;
    Tristate exclude;
} PortRange;

typedef struct PortForward {
    char *proto, *address, *dev;
    PortRange *ranges;
    size_t n_ranges;
} PortForward;

/* <virtualport>; its <parameters>. */
typedef struct VirtualPort {
    char *type; /* openvswitch, 802.1Qbh, ... */
    char *managerid, *typeid_, *typeidversion, *instanceid, *interfaceid, *profileid;
} VirtualPort;

/* KiB/s and KiB; 0: not given. */
typedef struct BandwidthLimit {
    uint64_t average, peak, floor, burst;
} BandwidthLimit;

typedef struct InterfaceDef {
    InterfaceType type;
    Tristate managed; /* hostdev */
    Tristate trust_rx_filters;
    char *mac; /* aa:bb:cc:dd:ee:ff, generated at parse when missing */
    char *mac_type, *mac_check;
    char *source;                    /* bridge, network, device, name, socket path: by the type */
    char *portgroup, *portid, *mode; /* network; live; direct */
    char *source_address, *local_address; /* server, client, mcast, udp */
    unsigned source_port, local_port;
    char *socket_type, *socket_mode; /* vhostuser */
    char *reconnect;
    unsigned reconnect_timeout;
    DeviceAddress hostdev; /* of the host's device: pci, or the bus of a usb one */
    unsigned hostdev_usb;  /* the device on that bus */
    char *switchid, *vds_portid, *portgroupid, *connectionid; /* vds */
    bool has_vlan;
    Tristate vlan_trunk;
    VlanTag *vlans;
    size_t n_vlans;
    VirtualPort *virtualport;
    BandwidthLimit inbound, outbound;
    Tristate isolated;
    char *script, *downscript, *backenddomain;
    InterfaceIp *host_ips, *guest_ips;
    size_t n_host_ips, n_guest_ips;
    InterfaceRoute *host_routes, *routes;
    size_t n_host_routes, n_routes;
    PortForward *forwards;
    size_t n_forwards;
    char *guest_dev;
    char *target;         /* the host's end */
    char *target_managed; /* ethernet: yes, no */
    char *model;          /* virtio, e1000, e1000e, rtl8139, ... NULL until filled in */
    bool tuned;           /* of a virtio card: has a <driver> and a vhost device of its own */
    char *driver;         /* vhost, qemu; hostdev: vfio, kvm */
    char *txmode;
    Tristate ioeventfd, event_idx, rss, rss_hash_report;
    unsigned queues, rx_queue_size, tx_queue_size;
    VirtioOptions virtio;
    Tristate host_csum, host_gso, host_tso4, host_tso6, host_ecn, host_ufo, host_mrg_rxbuf;
    Tristate guest_csum, guest_tso4, guest_tso6, guest_ecn, guest_ufo;
    char *backend_type, *backend_tap, *backend_vhost, *backend_log;
    char *filter;
    InterfaceParameter *parameters;
    size_t n_parameters;
    uint64_t sndbuf;
    bool has_sndbuf;
    char *teaming, *teaming_persistent;
    char *link; /* up, down */
    unsigned mtu;
    unsigned rx_frames_max;
    DeviceInfo info;
} InterfaceDef;

extern const Words interface_types;
extern const Element interface_element;
