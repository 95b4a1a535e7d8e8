/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <interface>: the network card and QEMU's end of what it hangs on. Taps are made by the host and
 * come as descriptors. */
#include "qemu/devices/device.h"

#include <stdio.h>

static const Property virtio_rows[] = {PROP_ON_OFF("ioeventfd", InterfaceDef, ioeventfd),
                                       PROP_BOOL("event_idx", InterfaceDef, event_idx),
                                       PROP_BOOL("csum", InterfaceDef, host_csum),
                                       PROP_BOOL("gso", InterfaceDef, host_gso),
                                       PROP_BOOL("host_tso4", InterfaceDef, host_tso4),
                                       PROP_BOOL("host_tso6", InterfaceDef, host_tso6),
                                       PROP_BOOL("host_ecn", InterfaceDef, host_ecn),
                                       PROP_BOOL("host_ufo", InterfaceDef, host_ufo),
                                       PROP_BOOL("mrg_rxbuf", InterfaceDef, host_mrg_rxbuf),
                                       PROP_BOOL("guest_csum", InterfaceDef, guest_csum),
                                       PROP_BOOL("guest_tso4", InterfaceDef, guest_tso4),
                                       PROP_BOOL("guest_tso6", InterfaceDef, guest_tso6),
                                       PROP_BOOL("guest_ecn", InterfaceDef, guest_ecn),
                                       PROP_BOOL("guest_ufo", InterfaceDef, guest_ufo),
                                       PROP_UINT("rx_queue_size", InterfaceDef, rx_queue_size),
                                       PROP_UINT("tx_queue_size", InterfaceDef, tx_queue_size),
                                       PROP_BOOL("rss", InterfaceDef, rss),
                                       PROP_BOOL("hash", InterfaceDef, rss_hash_report),
                                       PROP_UINT("host_mtu", InterfaceDef, mtu),
                                       PROP_END};

/* ---- the host's side ---- */

static void add_fds(Props *netdev, const char *one, const char *many, const int *fds, unsigned n,
                    bool named) {
    char text[QEMU_QUEUES_MAX * (12 + sizeof(QEMU_FD_NAME))] = "";
    size_t used = 0;

    for (unsigned i = 0; i < n && i < QEMU_QUEUES_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%d", i ? ":" : "",
                                 named ? QEMU_FD_NAME : "", fds[i]);
    if (n > 0)
        props_text(netdev, n == 1 ? one : many, text);
}

/* NULL: nothing was made for it. */
static const QemuTap *tap_of(const DeviceContext *context, const InterfaceDef *interface) {
    const QemuTap *taps = context->parts->taps;
    const QemuTap *tap = taps ? &taps[interface - context->def->interfaces] : NULL;

    return tap && tap->n_fds > 0 ? tap : NULL;
}

static int build_tap(const DeviceContext *context, const InterfaceDef *interface, Props *netdev,
                     Error **reterr) {
    const QemuTap *tap = tap_of(context, interface);

    if (!tap)
        return device_refuse(context, reterr,
                             "an <interface type='%s'> cannot be started: the daemon has made no "
                             "tap for it",
                             words_name(&interface_types, interface->type));
    props_text(netdev, "type", "tap");
    add_fds(netdev, "fd", "fds", tap->fds, tap->n_fds, tap->named);
    if (tap->n_vhost_fds > 0) {
        props_bool(netdev, "vhost", true);
        add_fds(netdev, "vhostfd", "vhostfds", tap->vhost_fds, tap->n_vhost_fds, tap->named);
    }
    if (interface->has_sndbuf)
        props_uint(netdev, "sndbuf", interface->sndbuf);
    return 0;
}

/* A device of the host that does virtio's work in hardware, opened by the daemon. */
static int build_vdpa(const DeviceContext *context, const InterfaceDef *interface, Props *netdev,
                      Error **reterr) {
    const QemuTap *tap = tap_of(context, interface);

    if (!tap)
        return device_refuse(context, reterr,
                             "an <interface type='vdpa'> cannot be started: the daemon has not "
                             "opened its device");
    props_text(netdev, "type", "vhost-vdpa");
    add_fds(netdev, "vhostfd", "vhostfd", tap->fds, 1, tap->named);
    if (interface->queues > 1)
        props_uint(netdev, "queues", interface->queues);
    return 0;
}

static void add_forwards(Props *netdev, const InterfaceDef *interface) {
    json_object *list = NULL;

    for (size_t i = 0; i < interface->n_forwards; i++)
        for (size_t k = 0; k < interface->forwards[i].n_ranges; k++) {
            const PortForward *forward = &interface->forwards[i];
            const PortRange *range = &forward->ranges[k];
            unsigned last = MAX_OF(range->end, range->start);
            unsigned to = range->to ? range->to : range->start;

            for (unsigned port = range->start; port <= last && port - range->start < 1024; port++) {
                Props row = props_new();

                if (range->exclude == TRISTATE_YES)
                    port = last;
                props_textf(&row, "str", "%s:%s:%u-:%u", forward->proto ? forward->proto : "tcp",
                            forward->address ? forward->address : "", port,
                            to + (port - range->start));
                if (!list)
                    list = json_object_new_array();
                netdev->failed |= !list || json_append(list, props_take(&row)) < 0;
            }
        }
    if (list)
        props_add(netdev, "hostfwd", list);
}

static void build_user(const DeviceContext *context, const InterfaceDef *interface, Props *netdev) {
    props_text(netdev, "type", "user");
    for (size_t i = 0; i < interface->n_guest_ips; i++) {
        const InterfaceIp *ip = &interface->guest_ips[i];
        bool six = streq_ptr(ip->family, "ipv6");

        if (!ip->address)
            continue;
        if (six) {
            props_text(netdev, "ipv6-prefix", ip->address);
            if (ip->prefix)
                props_uint(netdev, "ipv6-prefixlen", strtoul(ip->prefix, NULL, 10));
        } else {
            props_textf(netdev, "net", "%s/%s", ip->address, ip->prefix ? ip->prefix : "24");
        }
    }
    add_forwards(netdev, interface);
    if (!context->plugged && interface == device_forwarding_card(context->def))
        device_add_guestfwd(context->def, NULL, netdev);
}

static int build_socket(const DeviceContext *context, const InterfaceDef *interface, Props *netdev,
                        Error **reterr) {
    const char *key = interface->type == INTERFACE_SERVER  ? "listen"
                      : interface->type == INTERFACE_MCAST ? "mcast"
                      : interface->type == INTERFACE_UDP   ? "udp"
                                                           : "connect";

    if (!interface->source_port)
        return device_refuse(context, reterr, "an <interface type='%s'> needs a port in <source>",
                             words_name(&interface_types, interface->type));
    props_text(netdev, "type", "socket");
    props_textf(netdev, key, "%s:%u", interface->source_address ? interface->source_address : "",
                interface->source_port);
    if (interface->type == INTERFACE_UDP)
        props_textf(netdev, "localaddr", "%s:%u",
                    interface->local_address ? interface->local_address : "",
                    interface->local_port);
    return 0;
}

static int build_vhostuser(const DeviceContext *context, const InterfaceDef *interface,
                           DeviceSteps *steps, Props *netdev, Error **reterr) {
    ChardevSource source = {.type = CHARDEV_UNIX,
                            .path = interface->source,
                            .listen = streq_ptr(interface->socket_mode, "server"),
                            .reconnect = interface->reconnect,
                            .reconnect_timeout = interface->reconnect_timeout};
    char id[96];
    int r;

    if (!interface->source)
        return device_refuse(context, reterr, "an <interface type='vhostuser'> needs a path");
    r = device_chardev(context, &source, interface->info.alias, id, steps, reterr);
    props_text(netdev, "type", "vhost-user");
    props_text(netdev, "chardev", id);
    if (interface->queues > 1)
        props_uint(netdev, "queues", interface->queues);
    return r;
}

static int build_netdev(const DeviceContext *context, const InterfaceDef *interface,
                        DeviceSteps *steps, Props *netdev, Error **reterr) {
    switch (interface->type) {
    case INTERFACE_USER:
        if (interface->backend_type && !streq(interface->backend_type, "default"))
            return device_refuse(context, reterr, "<backend type='%s'> cannot be had",
                                 interface->backend_type);
        build_user(context, interface, netdev);
        return 0;
    case INTERFACE_ETHERNET:
    case INTERFACE_NETWORK:
    case INTERFACE_BRIDGE:
    case INTERFACE_DIRECT:
        return build_tap(context, interface, netdev, reterr);
    case INTERFACE_SERVER:
    case INTERFACE_CLIENT:
    case INTERFACE_MCAST:
    case INTERFACE_UDP:
        return build_socket(context, interface, netdev, reterr);
    case INTERFACE_VDPA:
        return build_vdpa(context, interface, netdev, reterr);
    case INTERFACE_VHOSTUSER:
        return build_vhostuser(context, interface, steps, netdev, reterr);
    case INTERFACE_NULL:
        props_text(netdev, "type", "hubport");
        props_uint(netdev, "hubid", 0);
        return 0;
    default:
        return device_refuse(context, reterr, "an <interface type='%s'> cannot be started",
                             words_name(&interface_types, interface->type));
    }
}

/* ---- the card ---- */

static bool is_virtio(const InterfaceDef *interface) {
    return !interface->model || strncmp(interface->model, "virtio", 6) == 0;
}

static Props build_card(const DeviceContext *context, const InterfaceDef *interface) {
    const char *model = interface->model;
    Props props;

    if (!is_virtio(interface)) {
        if (streq(model, "usb-net") || !streq(model, "netfront"))
            return device_props(context, streq(model, "lan9118") ? "lan9118" : model,
                                &interface->info);
        return device_props(context, "virtio-net-pci", &interface->info);
    }
    props = device_virtio(context, "net", model, &interface->virtio, &interface->info);
    if (interface->txmode)
        props_text(&props, "tx", streq(interface->txmode, "iothread") ? "bh" : interface->txmode);
    if (interface->queues > 1) {
        props_bool(&props, "mq", true);
        if (!device_is_ccw(context->def, &interface->info))
            props_uint(&props, "vectors", 2 * interface->queues + 2);
    }
    if (streq_ptr(interface->teaming, "persistent"))
        props_bool(&props, "failover", true);
    props_rows(&props, virtio_rows, interface);
    return props;
}

static int build_hostdev(const DeviceContext *context, const InterfaceDef *interface,
                         DeviceSteps *steps, unsigned order) {
    const bool usb = interface->hostdev.type == ADDRESS_USB;
    char text[PCI_ADDRESS_TEXT_SIZE];
    Props props = device_props(context, usb ? "usb-host" : "vfio-pci", &interface->info);

    if (usb) {
        props_uint(&props, "hostbus", interface->hostdev.bus);
        props_uint(&props, "hostaddr", interface->hostdev_usb);
    } else {
        pci_address_format(&interface->hostdev.pci, text);
        props_text(&props, "host", text);
        props_text(&props, "failover_pair_id", interface->teaming_persistent);
    }
    if (order)
        props_uint(&props, "bootindex", order);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const InterfaceDef *interface = device;
    unsigned order = device_boot_order(context, BOOT_NETWORK, interface, &interface->info);
    Props netdev, props;
    char name[96];
    int r;

    if (interface->type == INTERFACE_HOSTDEV)
        return build_hostdev(context, interface, steps, order);
    if (streq_ptr(interface->teaming, "transient"))
        return device_refuse(context, reterr,
                             "interface %s: only one of type='hostdev' can be <teaming "
                             "type='transient'>",
                             interface->mac);
    if (interface->queues > QEMU_QUEUES_MAX)
        return device_refuse(context, reterr, "an interface has at most %u queues",
                             QEMU_QUEUES_MAX);
    snprintf(name, sizeof(name), "host%.80s", interface->info.alias);
    netdev = props_new();
    r = build_netdev(context, interface, steps, &netdev, reterr);
    props_text(&netdev, "id", name);
    if (r < 0) {
        json_object_put(props_take(&netdev));
        return r;
    }
    steps_props(steps, STEP_NETDEV, &netdev);
    props = build_card(context, interface);
    props_text(&props, "netdev", name);
    props_text(&props, "mac", interface->mac);
    if (order)
        props_uint(&props, "bootindex", order);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind interface_kind = {
    DEVICE_KIND_LIST("interface", interfaces, n_interfaces, InterfaceDef), .build = build};
