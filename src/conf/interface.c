/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/interface.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <sys/random.h>

#include "conf/uuid.h"
#include "util/file.h"

const Words interface_types = WORDS_NOT_STARTED(
    WORD_MASK(INTERFACE_INTERNAL) | WORD_MASK(INTERFACE_VDS), "", "user", "ethernet", "vhostuser",
    "server", "client", "mcast", "network", "bridge", "internal", "direct", "hostdev", "udp",
    "vdpa", "null", "vds");
static const Words mac_types = WORDS("generated", "static");
static const Words yes_no = WORDS("yes", "no");
static const Words direct_modes = WORDS("vepa", "bridge", "private", "passthrough");
static const Words socket_modes = WORDS("client", "server");
static const Words drivers = WORDS("qemu", "vhost", "vfio", "kvm", "xen");
static const Words txmodes = WORDS("iothread", "timer");
static const Words link_states = WORDS("up", "down");
static const Words teamings = WORDS("persistent", "transient");
static const Words virtualport_types = WORDS_NOT_STARTED(
    WORD_MASK(0) | WORD_MASK(1) | WORD_MASK(3), "802.1Qbg", "802.1Qbh", "openvswitch", "midonet");
static const Words native_modes = WORDS("default", "tagged", "untagged");
static const Words backend_types = WORDS_NOT_STARTED(WORD_MASK(1), "default", "passt");

/* ---- <driver> ---- */

#define OFFLOAD(name, member) FIELD_ON_OFF(name, InterfaceDef, member)

static const Field host_offloads[] = {OFFLOAD("@csum", host_csum),
                                      OFFLOAD("@gso", host_gso),
                                      OFFLOAD("@tso4", host_tso4),
                                      OFFLOAD("@tso6", host_tso6),
                                      OFFLOAD("@ecn", host_ecn),
                                      OFFLOAD("@ufo", host_ufo),
                                      OFFLOAD("@mrg_rxbuf", host_mrg_rxbuf),
                                      FIELD_END};
static const Field guest_offloads[] = {OFFLOAD("@csum", guest_csum), OFFLOAD("@tso4", guest_tso4),
                                       OFFLOAD("@tso6", guest_tso6), OFFLOAD("@ecn", guest_ecn),
                                       OFFLOAD("@ufo", guest_ufo),   FIELD_END};
static const Field driver_fields[] = {
    FIELD_CHOICE("@name", InterfaceDef, driver, drivers),
    FIELD_CHOICE("@txmode", InterfaceDef, txmode, txmodes),
    OFFLOAD("@ioeventfd", ioeventfd),
    OFFLOAD("@event_idx", event_idx),
    FIELD_UINT("@queues", InterfaceDef, queues, 1, 1024),
    FIELD_UINT("@rx_queue_size", InterfaceDef, rx_queue_size, 0, 65535),
    FIELD_UINT("@tx_queue_size", InterfaceDef, tx_queue_size, 0, 65535),
    OFFLOAD("@rss", rss),
    OFFLOAD("@rss_hash_report", rss_hash_report),
    FIELD_VIRTIO(InterfaceDef),
    FIELD_GROUP("host", host_offloads),
    FIELD_GROUP("guest", guest_offloads),
    FIELD_END};
/* ---- <source> by type ---- */

static const Field ip_fields[] = {
    FIELD_TEXT("@address", InterfaceIp, address), FIELD_TEXT("@family", InterfaceIp, family),
    FIELD_TEXT("@prefix", InterfaceIp, prefix), FIELD_TEXT("@peer", InterfaceIp, peer), FIELD_END};

/* The family goes by the address where it is not said. */
static int check_ip(ElementReader *reader, xmlNodePtr node, void *object) {
    InterfaceIp *ip = object;
    uint8_t bytes[sizeof(struct in6_addr)];
    bool v6 = ip->address && strchr(ip->address, ':');

    if (!ip->address)
        return element_missing(reader, node, "@address");
    if (inet_pton(v6 ? AF_INET6 : AF_INET, ip->address, bytes) != 1)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid address '%.80s' in <ip> (line %ld)", ip->address,
                            xmlGetLineNo(node));
    if (!ip->family && !(ip->family = strdup(v6 ? "ipv6" : "ipv4")))
        return error_no_memory(reader->reterr);
    return 0;
}

static const Element ip_element = {"ip", sizeof(InterfaceIp), ip_fields, NULL, check_ip};
static const Field route_fields[] = {FIELD_TEXT("@family", InterfaceRoute, family),
                                     FIELD_TEXT("@address", InterfaceRoute, address),
                                     FIELD_TEXT("@netmask", InterfaceRoute, netmask),
                                     FIELD_TEXT("@prefix", InterfaceRoute, prefix),
                                     FIELD_TEXT("@gateway", InterfaceRoute, gateway),
                                     FIELD_TEXT("@metric", InterfaceRoute, metric),
                                     FIELD_END};
static const Element route_element = {"route", sizeof(InterfaceRoute), route_fields, NULL, NULL};
static const Field dev_attributes[] = {
    FIELD_TEXT("@dev", InterfaceDef, source),
    FIELD_LIST("ip", InterfaceDef, host_ips, n_host_ips, ip_element, .flags = FIELD_NOT_ACTED),
    FIELD_LIST("route", InterfaceDef, host_routes, n_host_routes, route_element,
               .flags = FIELD_NOT_ACTED),
    FIELD_END};
static const Field dev_source[] = {FIELD_GROUP("source", dev_attributes), FIELD_END};

static const Field bridge_source[] = {
    FIELD_TEXT("source@bridge", InterfaceDef, source, .flags = FIELD_REQUIRED), FIELD_END};
static const Field network_attributes[] = {
    FIELD_TEXT("@network", InterfaceDef, source, .flags = FIELD_REQUIRED),
    FIELD_TEXT("@portgroup", InterfaceDef, portgroup, .flags = FIELD_NOT_ACTED),
    FIELD_TEXT("@portid", InterfaceDef, portid,
               .flags = FIELD_LIVE | FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_ALSO("@bridge"), FIELD_END};
static const Field network_source[] = {
    FIELD_GROUP("source", network_attributes, .flags = FIELD_REQUIRED), FIELD_END};
static const Field direct_attributes[] = {
    FIELD_TEXT("@dev", InterfaceDef, source, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@mode", InterfaceDef, mode, direct_modes), FIELD_END};
static const Field direct_source[] = {
    FIELD_GROUP("source", direct_attributes, .flags = FIELD_REQUIRED), FIELD_END};
static const Field internal_source[] = {
    FIELD_TEXT("source@name", InterfaceDef, source, .flags = FIELD_REQUIRED), FIELD_END};
static const Field vhostuser_reconnect[] = {
    FIELD_TEXT("@enabled", InterfaceDef, reconnect),
    FIELD_UINT("@timeout", InterfaceDef, reconnect_timeout, 0, UINT32_MAX), FIELD_END};
static const Field vhostuser_attributes[] = {
    FIELD_TEXT("@type", InterfaceDef, socket_type),
    FIELD_TEXT("@path", InterfaceDef, source, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@mode", InterfaceDef, socket_mode, socket_modes, .flags = FIELD_REQUIRED),
    FIELD_GROUP("reconnect", vhostuser_reconnect), FIELD_END};
static const Field vhostuser_source[] = {
    FIELD_GROUP("source", vhostuser_attributes, .flags = FIELD_REQUIRED), FIELD_END};
static const Field local_attributes[] = {FIELD_TEXT("@address", InterfaceDef, local_address),
                                         FIELD_UINT("@port", InterfaceDef, local_port, 1, 65535),
                                         FIELD_END};
static const Field socket_attributes[] = {
    FIELD_TEXT("@address", InterfaceDef, source_address),
    FIELD_UINT("@port", InterfaceDef, source_port, 1, 65535, .flags = FIELD_REQUIRED),
    FIELD_GROUP("local", local_attributes), FIELD_END};
static const Field socket_source[] = {
    FIELD_GROUP("source", socket_attributes, .flags = FIELD_REQUIRED), FIELD_END};
static const Field host_pci[] = {FIELD_PART(NULL, InterfaceDef, hostdev.pci, pci_address_fields),
                                 FIELD_END};
static const Field host_usb[] = {
    FIELD_UINT("@bus", InterfaceDef, hostdev.bus, 0, UINT32_MAX,
               .flags = FIELD_ANY_BASE | FIELD_ALWAYS),
    FIELD_UINT("@device", InterfaceDef, hostdev_usb, 0, UINT32_MAX,
               .flags = FIELD_ANY_BASE | FIELD_ALWAYS | FIELD_REQUIRED),
    FIELD_END};
static const Field *const host_kinds[ADDRESS_TYPE_MAX_] = {
    [ADDRESS_PCI] = host_pci, [ADDRESS_USB] = host_usb};
static const Field host_address[] = {
    FIELD_WORD("@type", InterfaceDef, hostdev.type, device_address_types),
    FIELD_SWITCH(NULL, InterfaceDef, hostdev.type, host_kinds), FIELD_END};
static const Field hostdev_attributes[] = {FIELD_GROUP("address", host_address), FIELD_END};
static const Field hostdev_driver[] = {FIELD_CHOICE("@name", InterfaceDef, driver, drivers),
                                       FIELD_END};
static const Field hostdev_source[] = {
    FIELD_GROUP("driver", hostdev_driver),
    FIELD_GROUP("source", hostdev_attributes, .flags = FIELD_REQUIRED), FIELD_END};
static const Field vds_attributes[] = {FIELD_TEXT("@switchid", InterfaceDef, switchid),
                                       FIELD_TEXT("@portid", InterfaceDef, vds_portid),
                                       FIELD_TEXT("@portgroupid", InterfaceDef, portgroupid),
                                       FIELD_TEXT("@connectionid", InterfaceDef, connectionid),
                                       FIELD_END};
static const Field vds_source[] = {FIELD_GROUP("source", vds_attributes), FIELD_END};

static const Field *const sources[INTERFACE_TYPE_MAX_] = {[INTERFACE_USER] = dev_source,
                                                          [INTERFACE_ETHERNET] = dev_source,
                                                          [INTERFACE_VHOSTUSER] = vhostuser_source,
                                                          [INTERFACE_SERVER] = socket_source,
                                                          [INTERFACE_CLIENT] = socket_source,
                                                          [INTERFACE_MCAST] = socket_source,
                                                          [INTERFACE_NETWORK] = network_source,
                                                          [INTERFACE_BRIDGE] = bridge_source,
                                                          [INTERFACE_INTERNAL] = internal_source,
                                                          [INTERFACE_DIRECT] = direct_source,
                                                          [INTERFACE_HOSTDEV] = hostdev_source,
                                                          [INTERFACE_UDP] = socket_source,
                                                          [INTERFACE_VDPA] = dev_source,
                                                          [INTERFACE_VDS] = vds_source};

/* A virtio card has its <driver> behind the model, a device of the host before the source; others
 * have none. */
static const Field driver_group[] = {FIELD_GROUP("driver", driver_fields), FIELD_END};
static const Field *const late_drivers[] = {NULL, driver_group};
static const Field vhost_device[] = {
    FIELD_TEXT("@vhost", InterfaceDef, backend_vhost, .flags = FIELD_NOT_ACTED), FIELD_END};
static const Field *const vhost_devices[] = {NULL, vhost_device};

static int find_tuned(ElementReader *reader, xmlNodePtr node, void *object) {
    InterfaceDef *interface = object;

    interface->tuned = interface->type != INTERFACE_HOSTDEV && interface->model &&
                       strncmp(interface->model, "virtio", 6) == 0;
    return 0;
}

/* ---- what is inside ---- */

static const Field tag_fields[] = {FIELD_UINT("@id", VlanTag, id, 0, 4095, .flags = FIELD_ALWAYS),
                                   FIELD_CHOICE("@nativeMode", VlanTag, native_mode, native_modes),
                                   FIELD_END};
static const Element tag_element = {"tag", sizeof(VlanTag), tag_fields, NULL, NULL};

/* Several tags, or a native one, make a trunk. */
static int find_trunk(ElementReader *reader, xmlNodePtr node, void *object) {
    InterfaceDef *interface = object;
    bool trunk = interface->n_vlans > 1;

    for (size_t i = 0; i < interface->n_vlans; i++)
        trunk |= interface->vlans[i].native_mode != NULL;
    if (trunk && interface->vlan_trunk == TRISTATE_ABSENT)
        interface->vlan_trunk = TRISTATE_YES;
    return 0;
}

static const Field vlan_fields[] = {FIELD_YESNO("@trunk", InterfaceDef, vlan_trunk),
                                    FIELD_LIST("tag", InterfaceDef, vlans, n_vlans, tag_element),
                                    FIELD_CODE(NULL, find_trunk, NULL), FIELD_END};

static const Field virtualport_parameters[] = {
    FIELD_TEXT("@managerid", VirtualPort, managerid, .flags = FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_TEXT("@typeid", VirtualPort, typeid_, .flags = FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_TEXT("@typeidversion", VirtualPort, typeidversion,
               .flags = FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_TEXT("@instanceid", VirtualPort, instanceid, .flags = FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_TEXT("@interfaceid", VirtualPort, interfaceid),
    FIELD_TEXT("@profileid", VirtualPort, profileid),
    FIELD_END};
static const Field virtualport_fields[] = {
    FIELD_CHOICE("@type", VirtualPort, type, virtualport_types),
    FIELD_GROUP("parameters", virtualport_parameters), FIELD_END};

static int make_id(ElementReader *reader, char **id) {
    char text[UUID_TEXT_SIZE];
    uint8_t random[16];
    int r = *id ? 0 : uuid_make(random);

    if (r < 0)
        return error_system(reader->reterr, FROM_DOMAIN, r, "no random numbers for a uuid");
    if (*id)
        return 0;
    uuid_format(random, text);
    *id = strdup(text);
    return *id ? 0 : error_no_memory(reader->reterr);
}

/* Who the port is for the switch; without a type it may be any. */
static int check_virtualport(ElementReader *reader, xmlNodePtr node, void *object) {
    VirtualPort *port = object;
    bool qbg = streq_ptr(port->type, "802.1Qbg");
    int r = 0;

    if (qbg && (!port->managerid || !port->typeid_ || !port->typeidversion))
        return element_missing(reader, node,
                               !port->managerid ? "managerid"
                               : !port->typeid_ ? "typeid"
                                                : "typeidversion");
    if (!port->type || qbg)
        r = make_id(reader, &port->instanceid);
    if (r >= 0 && (!port->type || streq(port->type, "openvswitch")))
        r = make_id(reader, &port->interfaceid);
    return r;
}

static const Element virtualport_element = {"virtualport", sizeof(VirtualPort), virtualport_fields,
                                            NULL, check_virtualport};

static const Field limit_fields[] = {FIELD_UINT("@average", BandwidthLimit, average, 0, INT64_MAX),
                                     FIELD_UINT("@peak", BandwidthLimit, peak, 0, INT64_MAX),
                                     FIELD_UINT("@floor", BandwidthLimit, floor, 0, INT64_MAX),
                                     FIELD_UINT("@burst", BandwidthLimit, burst, 0, INT64_MAX),
                                     FIELD_END};
static const Field bandwidth_fields[] = {
    FIELD_PART("inbound", InterfaceDef, inbound, limit_fields),
    FIELD_PART("outbound", InterfaceDef, outbound, limit_fields), FIELD_END};

static const Field range_fields[] = {FIELD_UINT("@start", PortRange, start, 1, 65535),
                                     FIELD_UINT("@end", PortRange, end, 1, 65535),
                                     FIELD_UINT("@to", PortRange, to, 1, 65535),
                                     FIELD_YESNO("@exclude", PortRange, exclude), FIELD_END};
static const Element range_element = {"range", sizeof(PortRange), range_fields, NULL, NULL};
static const Field forward_fields[] = {
    FIELD_TEXT("@proto", PortForward, proto), FIELD_TEXT("@address", PortForward, address),
    FIELD_TEXT("@dev", PortForward, dev),
    FIELD_LIST("range", PortForward, ranges, n_ranges, range_element), FIELD_END};
static const Element forward_element = {"portForward", sizeof(PortForward), forward_fields, NULL,
                                        NULL};

static const Field target_fields[] = {
    FIELD_TEXT("@dev", InterfaceDef, target),
    FIELD_CHOICE("@managed", InterfaceDef, target_managed, yes_no), FIELD_END};

static const Field backend_fields[] = {
    FIELD_CHOICE("@type", InterfaceDef, backend_type, backend_types),
    FIELD_TEXT("@tap", InterfaceDef, backend_tap, .flags = FIELD_NOT_ACTED),
    FIELD_SWITCH(NULL, InterfaceDef, tuned, vhost_devices),
    FIELD_TEXT("@logFile", InterfaceDef, backend_log, .flags = FIELD_NOT_ACTED), FIELD_END};
static const Field parameter_fields[] = {FIELD_TEXT("@name", InterfaceParameter, name),
                                         FIELD_TEXT("@value", InterfaceParameter, value),
                                         FIELD_END};
static const Element parameter_element = {"parameter", sizeof(InterfaceParameter), parameter_fields,
                                          NULL, NULL};

static int compare_parameters(const void *a, const void *b) {
    const InterfaceParameter *x = *(InterfaceParameter *const *)a,
                             *y = *(InterfaceParameter *const *)b;
    int names = strcmp(x->name ? x->name : "", y->name ? y->name : "");

    return names ? names : x < y ? -1 : x > y;
}

/* By name; those of one name stay as they came. */
static int sort_parameters(ElementReader *reader, xmlNodePtr node, void *object) {
    InterfaceDef *interface = object;
    const size_t n = interface->n_parameters;
    CLEANUP_FREE InterfaceParameter **order = calloc(n + 1, sizeof(*order));
    InterfaceParameter *sorted = calloc(n + 1, sizeof(*sorted));

    if (!order || !sorted) {
        free(sorted);
        return error_no_memory(reader->reterr);
    }
    for (size_t i = 0; i < n; i++)
        order[i] = &interface->parameters[i];
    qsort(order, n, sizeof(*order), compare_parameters);
    for (size_t i = 0; i < n; i++)
        sorted[i] = *order[i];
    free(interface->parameters);
    interface->parameters = sorted;
    return 0;
}

static const Field filter_fields[] = {
    FIELD_TEXT("@filter", InterfaceDef, filter),
    FIELD_LIST("parameter", InterfaceDef, parameters, n_parameters, parameter_element),
    FIELD_CODE(NULL, sort_parameters, NULL), FIELD_END};
/* Where packets pass through a tap of ours. */
static const Field filter_group[] = {
    FIELD_GROUP("filterref", filter_fields, .flags = FIELD_NOT_ACTED), FIELD_END};
static const Field *const filters[INTERFACE_TYPE_MAX_] = {[INTERFACE_ETHERNET] = filter_group,
                                                          [INTERFACE_NETWORK] = filter_group,
                                                          [INTERFACE_BRIDGE] = filter_group};
static const Field tune_fields[] = {
    FIELD_UINT("sndbuf", InterfaceDef, sndbuf, 0, INT64_MAX, FIELD_GIVEN(InterfaceDef, has_sndbuf)),
    FIELD_END};
static const Field teaming_fields[] = {FIELD_CHOICE("@type", InterfaceDef, teaming, teamings),
                                       FIELD_TEXT("@persistent", InterfaceDef, teaming_persistent),
                                       FIELD_END};
static const Field frames_fields[] = {
    FIELD_UINT("frames@max", InterfaceDef, rx_frames_max, 0, UINT32_MAX), FIELD_END};
static const Field coalesce_fields[] = {FIELD_GROUP("rx", frames_fields), FIELD_END};
static const Field mac_fields[] = {FIELD_TEXT("@address", InterfaceDef, mac),
                                   FIELD_CHOICE("@type", InterfaceDef, mac_type, mac_types,
                                                .flags = FIELD_NOT_ACTED | FIELD_SILENT),
                                   FIELD_CHOICE("@check", InterfaceDef, mac_check, yes_no,
                                                .flags = FIELD_NOT_ACTED | FIELD_SILENT),
                                   FIELD_END};

/* What becomes QEMU's -device as it is written, and is known to make a card. */
static const Words started_models = WORDS(
    "virtio", "virtio-transitional", "virtio-non-transitional", "e1000", "e1000e", "e1000-82544gc",
    "e1000-82545em", "igb", "rtl8139", "vmxnet3", "ne2k_pci", "pcnet", "i82550", "i82551",
    "i82557a", "i82557b", "i82557c", "i82558a", "i82558b", "i82559a", "i82559b", "i82559c",
    "i82559er", "i82562", "i82801", "tulip", "usb-net", "spapr-vlan");

static void refuse_model(ElementWriter *w, const void *object) {
    const char *model = ((const InterfaceDef *)object)->model;

    if (model && words_find(&started_models, model) < 0)
        writer_refuse(w, "model@type", model);
}

/* libvirt's own words for models, whatever their case; others are QEMU's and stay as they are. */
static const Words known_models = WORDS(
    "rtl8139", "virtio", "e1000", "e1000e", "virtio-transitional", "virtio-non-transitional",
    "usb-net", "spapr-vlan", "lan9118", "smc91c111", "vlance", "vmxnet", "vmxnet2", "vmxnet3",
    "Am79C970A", "Am79C973", "82540EM", "82545EM", "82543GC", "igb");

static int check_model(ElementReader *reader, xmlNodePtr node, void *object) {
    char *model = ((InterfaceDef *)object)->model;

    for (size_t i = 0; model && i < known_models.n; i++)
        if (strcasecmp(model, known_models.names[i]) == 0)
            memcpy(model, known_models.names[i], strlen(model));

    if (model &&
        strspn(model, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") !=
            strlen(model))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "Model name contains invalid characters: '%.80s' (line %ld)", model,
                            xmlGetLineNo(node));
    return 0;
}

/* Who does not say what the card hangs on has QEMU's own network, as with libvirt. */
static int default_type(ElementReader *reader, xmlNodePtr node, void *object) {
    InterfaceDef *interface = object;

    if (interface->type == INTERFACE_NONE_)
        interface->type = INTERFACE_USER;
    return 0;
}

static const Field interface_fields[] = {
    FIELD_WORD("@type", InterfaceDef, type, interface_types),
    FIELD_CODE(NULL, default_type, NULL),
    FIELD_YESNO("@managed", InterfaceDef, managed),
    FIELD_YESNO("@trustGuestRxFilters", InterfaceDef, trust_rx_filters, .flags = FIELD_NOT_ACTED),
    FIELD_GROUP("mac", mac_fields),
    FIELD_SWITCH(NULL, InterfaceDef, type, sources),
    FIELD_ALSO("actual"),
    FIELD_GROUP("vlan", vlan_fields, FIELD_GIVEN(InterfaceDef, has_vlan)),
    FIELD_ONE("virtualport", InterfaceDef, virtualport, virtualport_element),
    FIELD_GROUP("bandwidth", bandwidth_fields),
    FIELD_YESNO("port@isolated", InterfaceDef, isolated),
    FIELD_TEXT("script@path", InterfaceDef, script),
    FIELD_TEXT("downscript@path", InterfaceDef, downscript, .flags = FIELD_NOT_ACTED),
    FIELD_TEXT("backenddomain@name", InterfaceDef, backenddomain, .flags = FIELD_NOT_ACTED),
    FIELD_LIST("ip", InterfaceDef, guest_ips, n_guest_ips, ip_element),
    FIELD_LIST("route", InterfaceDef, routes, n_routes, route_element, .flags = FIELD_NOT_DEFINED),
    FIELD_LIST("portForward", InterfaceDef, forwards, n_forwards, forward_element),
    FIELD_GROUP("target", target_fields),
    FIELD_TEXT("guest@dev", InterfaceDef, guest_dev, .flags = FIELD_NOT_ACTED),
    FIELD_CODE(NULL, NULL, refuse_model),
    FIELD_TEXT("model@type", InterfaceDef, model),
    FIELD_CODE(NULL, check_model, NULL),
    FIELD_CODE(NULL, find_tuned, NULL),
    FIELD_SWITCH(NULL, InterfaceDef, tuned, late_drivers),
    FIELD_GROUP("backend", backend_fields),
    FIELD_SWITCH(NULL, InterfaceDef, type, filters),
    FIELD_GROUP("tune", tune_fields),
    FIELD_GROUP("teaming", teaming_fields),
    FIELD_CHOICE("link@state", InterfaceDef, link, link_states),
    FIELD_UINT("mtu@size", InterfaceDef, mtu, 68, 65535),
    FIELD_GROUP("coalesce", coalesce_fields),
    FIELD_INFO_BOOT(InterfaceDef),
    FIELD_END};

/* aa:bb:cc:dd:ee:ff, written with small letters; a part may have one digit. */
static bool normalise_mac(const char *text, char ret[18]) {
    for (unsigned i = 0; i < 6; i++) {
        unsigned value = 0, digits = 0;

        for (; digits < 2 && isxdigit((unsigned char)*text); digits++, text++)
            value = value * 16 + (isdigit((unsigned char)*text)
                                      ? (unsigned)(*text - '0')
                                      : (unsigned)(tolower((unsigned char)*text) - 'a' + 10));
        if (!digits || *text != (i < 5 ? ':' : '\0'))
            return false;
        text++;
        snprintf(ret + 3 * i, 4, i < 5 ? "%02x:" : "%02x", value);
    }
    return true;
}

/* What libvirt makes itself is not a person's: a new one is made at each start. */
static bool is_generated_name(const char *target) {
    static const char *const prefixes[] = {"vnet", "macvtap", "macvlan", "vif"};

    for (size_t i = 0; target && i < ARRAY_SIZE(prefixes); i++) {
        size_t len = strlen(prefixes[i]);

        if (strncmp(target, prefixes[i], len) == 0 &&
            strspn(target + len, "0123456789.") == strlen(target + len))
            return true;
    }
    return false;
}

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    InterfaceDef *interface = object;
    char mac[18];
    uint8_t random[3];

    if (!interface->mac) {
        if (getrandom(random, sizeof(random), 0) != sizeof(random))
            return error_system(reader->reterr, FROM_DOMAIN, EIO,
                                "no random numbers for a MAC address");
        interface->mac = strf("52:54:00:%02x:%02x:%02x", random[0], random[1], random[2]);
    }
    if (!interface->mac)
        return error_no_memory(reader->reterr);
    if (!normalise_mac(interface->mac, mac))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "unable to parse mac address '%.40s' (line %ld)", interface->mac,
                            xmlGetLineNo(node));
    free(interface->mac);
    interface->mac = strdup(mac);
    if (!interface->mac)
        return error_no_memory(reader->reterr);
    if (interface->mac[1] != '\0' && strchr("13579bdf", interface->mac[1]))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "expected unicast mac address, found multicast '%s' (line %ld)",
                            interface->mac, xmlGetLineNo(node));
    if (!reader->live && is_generated_name(interface->target))
        free(TAKE_PTR(interface->target));
    if (interface->type == INTERFACE_DIRECT && !interface->mode) {
        interface->mode = strdup("vepa");
        if (!interface->mode)
            return error_no_memory(reader->reterr);
    }
    return 0;
}

const Element interface_element = {"interface", sizeof(InterfaceDef), interface_fields, NULL,
                                   check};
