/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/network.h"

#include <netinet/ether.h>

#include <arpa/inet.h>
#include <stdio.h>

#include "conf/uuid.h"
#include "conf/xml-document.h"

#define NAME_BYTES_MAX 200u

static int refuse(ElementReader *reader, const NetworkDef *def, const char *what) {
    return error_report(reader->reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED, "network '%s': %s",
                        def->name ? def->name : "?", what);
}

/* ---- <ip> ---- */

static bool is_ipv6(const NetworkIp *ip) {
    return streq_ptr(ip->family, "ipv6");
}

/* The number of leading ones; -1 when it is no netmask. */
static int prefix_of(const char *netmask) {
    struct in_addr mask;
    uint32_t bits;

    if (inet_pton(AF_INET, netmask, &mask) != 1)
        return -1;
    bits = ntohl(mask.s_addr);
    for (int n = 0; n <= 32; n++)
        if (bits == (n ? ~UINT32_C(0) << (32 - n) : 0))
            return n;
    return -1;
}

static int check_ip(ElementReader *reader, xmlNodePtr node, void *object) {
    NetworkIp *ip = object;
    uint8_t bytes[16];
    int prefix;

    if (!ip->address || inet_pton(is_ipv6(ip) ? AF_INET6 : AF_INET, ip->address, bytes) != 1)
        return error_report(reader->reterr, FROM_NETWORK, ERROR_XML,
                            "<ip> in line %ld has the address '%.60s', which is none of its family",
                            xmlGetLineNo(node), ip->address ? ip->address : "");
    if (ip->prefix > (is_ipv6(ip) ? 128u : 32u))
        return error_report(reader->reterr, FROM_NETWORK, ERROR_XML,
                            "<ip> in line %ld has the prefix %u", xmlGetLineNo(node), ip->prefix);
    if (!ip->netmask)
        return 0;
    prefix = is_ipv6(ip) ? -1 : prefix_of(ip->netmask);
    if (prefix < 0)
        return error_report(reader->reterr, FROM_NETWORK, ERROR_XML,
                            "<ip> in line %ld has the netmask '%.60s', which is none",
                            xmlGetLineNo(node), ip->netmask);
    if (!ip->prefix_given)
        ip->prefix = (unsigned)prefix;
    return 0;
}

/* It is refused with the network (check_services). */
static int read_nothing(ElementReader *reader, xmlNodePtr node, void *object) {
    return 0;
}

/* libvirt writes an end tag also where nothing is below. */
static void write_children(ElementWriter *w, const void *object) {
    writer_children(w);
}

static const Words families = WORDS("ipv4", "ipv6");
static const Field ip_fields[] = {
    FIELD_CHOICE("@family", NetworkIp, family, families),
    FIELD_TEXT("@address", NetworkIp, address),
    FIELD_TEXT("@netmask", NetworkIp, netmask),
    FIELD_UINT("@prefix", NetworkIp, prefix, 0, 128, FIELD_GIVEN(NetworkIp, prefix_given)),
    FIELD_CODE("dhcp", read_nothing, write_children),
    FIELD_END};
static const Element ip_element = {"ip", sizeof(NetworkIp), ip_fields, NULL, check_ip};

/* ---- <network> ---- */

bool network_is_isolated(const NetworkDef *def) {
    return !def->forward;
}

static bool is_name(const char *name, size_t most) {
    return name && *name && *name != '.' && strlen(name) <= most && !strpbrk(name, "/\n");
}

/* What would silently not be there. */
static int check_services(ElementReader *reader, xmlNodePtr node, const NetworkDef *def) {
    static const struct {
        const char *element, *what;
    } rows[] = {
        {"dhcp", "<dhcp> is not supported; give the guests fixed addresses, or let a DHCP server "
                 "of the bridge serve them"},
        {"tftp", "<tftp> is not supported"},
    };

    for (xmlNodePtr ip = node->children; ip; ip = ip->next)
        for (size_t i = 0; element_is(ip, "ip") && i < ARRAY_SIZE(rows); i++)
            if (element_child(ip, rows[i].element))
                return refuse(reader, def, rows[i].what);
    if (element_child(node, "portgroup"))
        return refuse(reader, def, "<portgroup> is not supported");
    if (element_child(node, "virtualport"))
        return refuse(reader, def, "<virtualport> is not supported");
    if (element_child(node, "bandwidth"))
        return refuse(reader, def,
                      "<bandwidth> of a network is not supported; give it to the "
                      "interfaces");
    return 0;
}

static int check_forward(ElementReader *reader, const NetworkDef *def) {
    char what[200];

    if (!def->forward || streq(def->forward, "bridge"))
        return 0;
    snprintf(what, sizeof(what),
             "forward mode='%.20s' is not supported; mode='bridge' with an existing bridge, and "
             "isolated networks without <forward> are",
             def->forward);
    return refuse(reader, def, what);
}

static int check_network(ElementReader *reader, xmlNodePtr node, void *object) {
    NetworkDef *def = object;
    struct ether_addr mac;
    int r;

    if (!is_name(def->name, NAME_BYTES_MAX))
        return error_report(reader->reterr, FROM_NETWORK, ERROR_XML,
                            "the network's <name> is '%.40s': a name without '/' that does not "
                            "begin with '.', of at most %u bytes, is wanted",
                            def->name ? def->name : "", NAME_BYTES_MAX);
    r = check_forward(reader, def);
    if (r >= 0)
        r = check_services(reader, node, def);
    if (r < 0)
        return r;
    if (def->bridge && !is_name(def->bridge, NETWORK_BRIDGE_MAX))
        return error_report(reader->reterr, FROM_NETWORK, ERROR_XML,
                            "network '%s': '%.40s' cannot be the name of a bridge", def->name,
                            def->bridge);
    if (def->mac && !ether_aton_r(def->mac, &mac))
        return error_report(reader->reterr, FROM_NETWORK, ERROR_XML,
                            "Invalid bridge mac address '%.40s' in network '%s'", def->mac,
                            def->name);
    if (!network_is_isolated(def) && def->n_ips)
        return error_report(reader->reterr, FROM_NETWORK, ERROR_XML,
                            "Unsupported <ip> element in network %s with forward mode='bridge'",
                            def->name);
    if (network_is_isolated(def) && def->stp == TRISTATE_ABSENT)
        def->stp = TRISTATE_YES;
    def->delay_given |= network_is_isolated(def);
    return 0;
}

static const Field forward_fields[] = {FIELD_TEXT("@mode", NetworkDef, forward), FIELD_END};
static const Field bridge_fields[] = {
    FIELD_TEXT("@name", NetworkDef, bridge), FIELD_ON_OFF("@stp", NetworkDef, stp),
    FIELD_UINT("@delay", NetworkDef, delay, 0, 1000, FIELD_GIVEN(NetworkDef, delay_given)),
    FIELD_END};
static const Field mac_fields[] = {FIELD_TEXT("@address", NetworkDef, mac), FIELD_END};
static const Field mtu_fields[] = {FIELD_UINT("@size", NetworkDef, mtu, 68, 65535), FIELD_END};
static const Field domain_fields[] = {FIELD_TEXT("@name", NetworkDef, domain), FIELD_END};
static const Field port_fields[] = {FIELD_TEXT("@isolated", NetworkDef, isolated_port), FIELD_END};
static const Field network_fields[] = {FIELD_TEXT("name", NetworkDef, name),
                                       FIELD_UUID("uuid", NetworkDef, uuid, uuid_given),
                                       FIELD_TEXT("title", NetworkDef, title),
                                       FIELD_TEXT("description", NetworkDef, description),
                                       FIELD_VERBATIM("metadata", NetworkDef, metadata),
                                       FIELD_GROUP("forward", forward_fields),
                                       FIELD_GROUP("bridge", bridge_fields),
                                       FIELD_GROUP("mtu", mtu_fields),
                                       FIELD_GROUP("mac", mac_fields),
                                       FIELD_GROUP("domain", domain_fields),
                                       FIELD_GROUP("port", port_fields),
                                       FIELD_LIST("ip", NetworkDef, ips, n_ips, ip_element),
                                       FIELD_END};
static const Element network_element = {"network", sizeof(NetworkDef), network_fields, NULL,
                                        check_network};

/* ---- text to struct, struct to text ---- */

static int make_uuid(NetworkDef *def, Error **reterr) {
    int r = uuid_make(def->uuid);

    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r, "cannot make a uuid for network '%s'",
                            def->name);
    def->uuid_given = true;
    return 0;
}

int network_parse(const char *xml, size_t len, NetworkDef **ret, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    CLEANUP_NETWORK_DEF NetworkDef *def = NULL;
    ElementReader reader = {.reterr = reterr};
    xmlNodePtr root;
    int r = xml_document_parse(xml, len, NETWORK_XML_MAX, "network_definition", &doc, reterr);

    if (r < 0)
        return r;
    root = xmlDocGetRootElement(doc);
    if (!element_is(root, "network"))
        return error_report(reterr, FROM_NETWORK, ERROR_XML,
                            "expecting root element of 'network', not '%.40s'",
                            (const char *)root->name);
    def = calloc(1, sizeof(NetworkDef));
    if (!def)
        return error_no_memory(reterr);
    r = element_read(&reader, &network_element, root, def);
    if (r >= 0 && !def->uuid_given)
        r = make_uuid(def, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(def);
    return r;
}

char *network_format(const NetworkDef *def) {
    ElementWriter writer = {0};

    element_write(&writer, &network_element, def);
    return element_writer_take(&writer);
}

NetworkDef *network_def_free(NetworkDef *def) {
    if (def)
        element_done(&network_element, def);
    free(def);
    return NULL;
}
