/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's network interfaces: which there are, statistics, addresses, links, bandwidth. */
#include <inttypes.h>
#include <strings.h>

#include "device.h"
#include "param.h"
#include "report.h"
#include "tables.h"

/* ---- domiflist ---- */

static int cmd_domiflist(Tool *tool, const Args *args) {
    static const char *const titles[] = {"Interface", "Type", "Source", "Model", "MAC"},
                             *const keys[] = {"interface", "type", "source", "model", "mac"};
    static const char *const paths[] = {
        "./target/@dev", "./@type",
        "./source/@bridge|./source/@dev|./source/@network|./source/@name|./source/@path",
        "./model/@type", "./mac/@address"};
    CLEANUP(xml_nodes_freep) xmlXPathObject *nics = NULL;
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    Rows rows;

    if (tool_domain(tool, args, &dom) < 0 ||
        xml_view_domain(tool, &dom, args_has(args, "inactive") ? XML_INACTIVE : 0, &view) < 0)
        return -EIO;
    nics = xml_view_nodes(&view, "./devices/interface");
    rows_start(&rows, tool, ARRAY_SIZE(titles), titles, keys);
    for (int i = 0; nics && i < nics->nodesetval->nodeNr; i++) {
        const char *cells[ARRAY_SIZE(paths)];
        char *texts[ARRAY_SIZE(paths)];

        for (size_t k = 0; k < ARRAY_SIZE(paths); k++) {
            texts[k] = xml_view_string(&view, nics->nodesetval->nodeTab[i], paths[k]);
            cells[k] = texts[k] ? texts[k] : "-";
        }
        rows_add(&rows, cells);
        for (size_t k = 0; k < ARRAY_SIZE(paths); k++)
            free(texts[k]);
    }
    rows_print(&rows);
    return 0;
}

/* ---- domifstat ---- */

static int cmd_domifstat(Tool *tool, const Args *args) {
    static const char *const names[] = {"rx_bytes", "rx_packets", "rx_errs", "rx_drop",
                                        "tx_bytes", "tx_packets", "tx_errs", "tx_drop"};
    remote_domain_interface_stats_args call = {.device = (char *)args_string(args, "interface")};
    remote_domain_interface_stats_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    Facts facts;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_INTERFACE_STATS, remote_domain_interface_stats_args, &call,
             remote_domain_interface_stats_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to get interface stats %s %s", dom.name, call.device);
    facts_start(&facts, tool, 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const int64_t values[] = {ret.rx_bytes, ret.rx_packets, ret.rx_errs, ret.rx_drop,
                                  ret.tx_bytes, ret.tx_packets, ret.tx_errs, ret.tx_drop};
        CLEANUP_FREE char *title = text_format("%s %s", call.device, names[i]);

        if (values[i] >= 0)
            facts_number(&facts, title, names[i], (uint64_t)values[i], NULL);
    }
    facts_print(&facts);
    return 0;
}

/* ---- domifaddr ---- */

static const char *const address_sources[] = {"lease", "agent", "arp", NULL};

static json_object *addresses_json(const remote_domain_interface_addresses_ret *ret,
                                   const char *only) {
    json_object *list = json_object_new_array();

    for (u_int i = 0; i < ret->ifaces.ifaces_len; i++) {
        const remote_domain_interface *nic = &ret->ifaces.ifaces_val[i];
        json_object *object, *addresses;

        if (only && !streq(only, nic->name))
            continue;
        object = json_object_new_object();
        addresses = json_object_new_array();
        json_object_object_add(object, "interface", json_object_new_string(nic->name));
        json_object_object_add(object, "mac",
                               nic->hwaddr ? json_object_new_string(*nic->hwaddr) : NULL);
        for (u_int k = 0; k < nic->addrs.addrs_len; k++) {
            const remote_domain_ip_addr *address = &nic->addrs.addrs_val[k];
            CLEANUP_FREE char *text = text_format("%s/%u", address->addr, address->prefix);

            json_object_array_add(addresses, json_object_new_string(text));
        }
        json_object_object_add(object, "addresses", addresses);
        json_object_array_add(list, object);
    }
    return list;
}

static void print_addresses(const remote_domain_interface *nic, bool full) {
    const char *mac = nic->hwaddr ? *nic->hwaddr : NULL;

    if (nic->addrs.addrs_len == 0)
        printf(" %-10s %-17s    %-12s %s\n", nic->name, mac ? mac : "N/A", "N/A", "N/A");
    for (u_int i = 0; i < nic->addrs.addrs_len; i++) {
        const remote_domain_ip_addr *address = &nic->addrs.addrs_val[i];
        bool named = full || i == 0;

        printf(" %-10s %-17s    %-12s %s/%u\n", named ? nic->name : "-",
               named ? (mac ? mac : "") : "-", address->type == 0 ? "ipv4" : "ipv6", address->addr,
               address->prefix);
    }
}

static int cmd_domifaddr(Tool *tool, const Args *args) {
    const char *only = args_string(args, "interface"), *source = args_string(args, "source");
    remote_domain_interface_addresses_args call = {0};
    remote_domain_interface_addresses_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    while (source && address_sources[call.source] && !streq(address_sources[call.source], source))
        call.source++;
    if (source && !address_sources[call.source])
        return tool_fail(NULL, "Unknown data source '%s'", source);
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_INTERFACE_ADDRESSES, remote_domain_interface_addresses_args, &call,
             remote_domain_interface_addresses_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to query for interfaces addresses");
    tool_say(tool, " %-10s %-20s %-8s     %s\n", "Name", "MAC address", "Protocol", "Address");
    tool_say(tool, "%.79s\n",
             "-------------------------------------------------------------------------------");
    if (tool->json)
        tool_print_json(addresses_json(&ret, only));
    for (u_int i = 0; !tool->json && i < ret.ifaces.ifaces_len; i++)
        if (!only || streq(only, ret.ifaces.ifaces_val[i].name))
            print_addresses(&ret.ifaces.ifaces_val[i], args_has(args, "full"));
    xdr_free((xdrproc_t)xdr_remote_domain_interface_addresses_ret, (char *)&ret);
    return 0;
}

/* ---- links ---- */

/* The interface with this target or MAC address, or NULL. */
static xmlNode *find_nic(const XmlView *view, const char *name) {
    CLEANUP(xml_nodes_freep) xmlXPathObject *nics = xml_view_nodes(view, "./devices/interface");

    for (int i = 0; nics && i < nics->nodesetval->nodeNr; i++) {
        xmlNode *nic = nics->nodesetval->nodeTab[i];
        CLEANUP_FREE char *mac = xml_view_string(view, nic, "./mac/@address");
        CLEANUP_FREE char *target = xml_view_string(view, nic, "./target/@dev");

        if ((mac && strcasecmp(mac, name) == 0) || (target && streq(target, name)))
            return nic;
    }
    return NULL;
}

static int cmd_domif_getlink(Tool *tool, const Args *args) {
    const char *name = args_string(args, "interface");
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_FREE char *state = NULL, *text = NULL;
    xmlNode *nic;

    if (tool_domain(tool, args, &dom) < 0 ||
        xml_view_domain(tool, &dom, args_has(args, "config") ? XML_INACTIVE : 0, &view) < 0)
        return -EIO;
    nic = find_nic(&view, name);
    if (!nic)
        return tool_fail(NULL, "Interface (%s: %s) not found.", strchr(name, ':') ? "mac" : "dev",
                         name);
    state = xml_view_string(&view, nic, "./link/@state");
    text = text_format("%s %s", name, state ? state : "up");
    if (tool->json)
        report_text(tool, "state", state ? state : "up");
    else
        printf("%s", text);
    return 0;
}

static int cmd_domif_setlink(Tool *tool, const Args *args) {
    const char *name = args_string(args, "interface"), *state = args_string(args, "state");
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_FREE char *xml = NULL;
    DeviceScope scope = {.given = true};
    xmlNode *nic, *link = NULL;

    if (!streq(state, "up") && !streq(state, "down"))
        return tool_fail(NULL, "invalid link state '%s'", state);
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    scope.flags = args_has(args, "config") || dom.id == -1 ? AFFECT_CONFIG : AFFECT_LIVE;
    if (xml_view_domain(tool, &dom, args_has(args, "config") ? XML_INACTIVE : 0, &view) < 0)
        return -EIO;
    nic = find_nic(&view, name);
    if (!nic)
        return tool_fail(NULL, "interface '%s' not found", name);
    for (xmlNode *child = nic->children; child && !link; child = child->next)
        if (child->type == XML_ELEMENT_NODE && streq((const char *)child->name, "link"))
            link = child;
    device_attribute(link ? link : device_element(nic, "link", NULL), "state", state);
    xml = xml_view_dump(&view, nic);
    return device_change(tool, args, &dom, DEVICE_UPDATE, &scope, xml,
                         "update interface link state", "Device updated successfully");
}

/* ---- domiftune ---- */

#define RATES_MAX 7

/* "average,peak,burst,floor", in that order, of which some may be left out. */
static int read_rate(const Args *args, const char *option, remote_typed_param *params, u_int *n) {
    static const char *const fields[][4] = {
        {"inbound.average", "inbound.peak", "inbound.burst", "inbound.floor"},
        {"outbound.average", "outbound.peak", "outbound.burst", NULL}};
    const char *const *names = fields[streq(option, "outbound")];
    const char *text = args_string(args, option);
    unsigned long values[4] = {0};

    for (size_t i = 0; text && *text; i++) {
        char *end = NULL;

        errno = 0;
        if (i == ARRAY_SIZE(values))
            return tool_fail(NULL, "Rate string '%s' has too many fields",
                             args_string(args, option));
        values[i] = *text == ',' ? 0 : strtoul(text, &end, 10);
        if (errno || (end && *end && *end != ',') || values[i] > UINT32_MAX)
            return tool_fail(NULL, "field '%s' is malformed",
                             (const char *[]){"average", "peak", "burst", "floor"}[i]);
        text = end ? end : text;
        text += *text == ',';
    }
    if (values[0] == 0 && (values[1] || values[2]) && values[3] == 0)
        return tool_fail(NULL, names[3] ? "either inbound average or floor is mandatory"
                                        : "outbound average is mandatory");
    if (values[3] && !names[3])
        return tool_fail(NULL, "outbound floor is unsupported yet");
    for (size_t i = 0; args_has(args, option) && i < ARRAY_SIZE(values); i++) {
        if (i > 0 && values[i] == 0)
            continue;
        params[*n] = (remote_typed_param){.field = (char *)names[i], .value = {.type = PARAM_UINT}};
        params[(*n)++].value.remote_param_value_u.ui = (unsigned)values[i];
    }
    return 0;
}

static int show_rates(Tool *tool, const remote_domain *dom, const char *device, unsigned flags) {
    remote_domain_get_interface_parameters_args call = {
        .dom = *dom, .device = (char *)device, .flags = flags};
    CLEANUP(params_done) ParamList list = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (params_get(tool, REMOTE_PROC_DOMAIN_GET_INTERFACE_PARAMETERS,
                   (xdrproc_t)xdr_remote_domain_get_interface_parameters_args, &call, &call.nparams,
                   &list, &error) < 0)
        return tool_fail(error, call.nparams ? "Unable to get interface parameters"
                                             : "Unable to get number of interface parameters");
    params_print(tool, list.params.params_val, list.params.params_len, 15, NULL);
    return 0;
}

static int cmd_domiftune(Tool *tool, const Args *args) {
    remote_typed_param params[RATES_MAX];
    remote_domain_set_interface_parameters_args call = {
        .device = (char *)args_string(args, "interface"), .params = {.params_val = params}};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0 ||
        read_rate(args, "inbound", params, &call.params.params_len) < 0 ||
        read_rate(args, "outbound", params, &call.params.params_len) < 0)
        return -EIO;
    if (call.params.params_len == 0)
        return show_rates(tool, &dom, call.device, call.flags | TYPED_PARAM_STRING_OKAY);
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_INTERFACE_PARAMETERS,
                  remote_domain_set_interface_parameters_args, &call, &error) < 0)
        return tool_fail(error, "Unable to set interface parameters");
    return 0;
}

/* ---- attach-interface, detach-interface ---- */

/* What the source of each type of interface is called. */
static const struct NicType {
    const char *type, *attribute;
} nic_types[] = {
    {"network", "network"}, {"bridge", "bridge"}, {"direct", "dev"}, {"hostdev", NULL}};

static void add_bandwidth(xmlNode *nic, const Args *args) {
    static const char *const directions[] = {"inbound", "outbound"}, *const names[] = {
                                                                         "average", "peak", "burst",
                                                                         "floor"};
    xmlNode *bandwidth = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
        const char *text = args_string(args, directions[i]);
        xmlNode *node;

        if (!text)
            continue;
        bandwidth = bandwidth ? bandwidth : device_element(nic, "bandwidth", NULL);
        node = device_element(bandwidth, directions[i], NULL);
        for (size_t k = 0; k < ARRAY_SIZE(names) && *text; k++) {
            size_t len = strcspn(text, ",");
            CLEANUP_FREE char *value = text_format("%.*s", (int)len, text);

            device_attribute(node, names[k], len ? value : NULL);
            text += len + (text[len] == ',');
        }
    }
}

static int build_nic(const Args *args, xmlDoc *doc, char **ret) {
    const char *type = args_string(args, "type");
    const struct NicType *kind = NULL;
    XmlView view = {.doc = doc};
    xmlNode *nic = xmlNewDocNode(doc, NULL, BAD_CAST "interface", NULL), *node;

    for (size_t i = 0; i < ARRAY_SIZE(nic_types); i++)
        if (streq(nic_types[i].type, type))
            kind = &nic_types[i];
    if (!kind || !kind->attribute)
        return tool_fail(NULL, "No support for %s in command 'attach-interface'", type);
    if (!nic)
        return tool_fail(NULL, "out of memory");
    xmlDocSetRootElement(doc, nic);
    device_attribute(nic, "type", type);
    device_attribute(nic, "managed", args_has(args, "managed") ? "yes" : NULL);
    node = device_element(nic, "source", NULL);
    device_attribute(node, kind->attribute, args_string(args, "source"));
    device_attribute(node, "mode", args_string(args, "source-mode"));
    if (args_has(args, "target"))
        device_attribute(device_element(nic, "target", NULL), "dev", args_string(args, "target"));
    if (args_has(args, "mac"))
        device_attribute(device_element(nic, "mac", NULL), "address", args_string(args, "mac"));
    if (args_has(args, "alias"))
        device_attribute(device_element(nic, "alias", NULL), "name", args_string(args, "alias"));
    if (args_has(args, "script"))
        device_attribute(device_element(nic, "script", NULL), "path", args_string(args, "script"));
    if (args_has(args, "model"))
        device_attribute(device_element(nic, "model", NULL), "type", args_string(args, "model"));
    add_bandwidth(nic, args);
    *ret = xml_view_dump(&view, nic);
    return 0;
}

static void doc_freep(xmlDoc **doc) {
    xmlFreeDoc(*doc);
}

static int cmd_attach_interface(Tool *tool, const Args *args) {
    CLEANUP(doc_freep) xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_FREE char *xml = NULL;
    DeviceScope scope = {0};

    if (tool_domain(tool, args, &dom) < 0 || device_scope(args, &dom, &scope) < 0 ||
        build_nic(args, doc, &xml) < 0)
        return -EIO;
    return device_change(tool, args, &dom, DEVICE_ATTACH, &scope, xml, "attach interface",
                         "Interface attached successfully");
}

static int cmd_detach_interface(Tool *tool, const Args *args) {
    const char *type = args_string(args, "type"), *mac = args_string(args, "mac");
    CLEANUP_FREE char *path = text_format("./devices/interface[@type='%s']", type);
    CLEANUP(xml_nodes_freep) xmlXPathObject *nics = NULL;
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_FREE char *xml = NULL;
    DeviceScope scope = {0};
    int n_found = 0;

    if (strchr(type, '\''))
        return tool_fail(NULL, "No interface of type '%s'", type);
    if (tool_domain(tool, args, &dom) < 0 || device_scope(args, &dom, &scope) < 0 ||
        xml_view_domain(tool, &dom, device_xml_flags(&scope), &view) < 0)
        return -EIO;
    nics = xml_view_nodes(&view, path);
    for (int i = 0; nics && i < nics->nodesetval->nodeNr; i++) {
        CLEANUP_FREE char *address = xml_view_string(&view, nics->nodesetval->nodeTab[i],
                                                     "./mac/@address");

        if (mac && !(address && strcasecmp(address, mac) == 0))
            continue;
        free(xml);
        xml = xml_view_dump(&view, nics->nodesetval->nodeTab[i]);
        n_found++;
    }
    if (n_found != 1) {
        if (n_found > 1)
            tool_fail(NULL,
                      "Domain has %d interfaces. Please specify which one to detach using --mac",
                      n_found);
        else if (mac)
            tool_fail(NULL, "No interface with MAC address %s was found", mac);
        else
            tool_fail(NULL, "No interface found whose type is %s", type);
        return tool_fail(NULL, "Failed to detach interface");
    }
    return device_change(tool, args, &dom, DEVICE_DETACH, &scope, xml, "detach interface",
                         "Interface detached successfully");
}

/* ---- tables ---- */

static const Option attach_interface_options[] = {
    OPTION_DOMAIN,
    {"type", OPTION_STRING, true, "type"},
    {"source", OPTION_STRING, true, "network, bridge or device of the host"},
    {"target", OPTION_STRING, false, "its name on the host"},
    {"mac", OPTION_STRING, false, "its MAC address"},
    {"script", OPTION_STRING, false, "script that sets it up"},
    {"model", OPTION_STRING, false, "model of the card"},
    {"alias", OPTION_STRING, false, "alias of the device"},
    {"inbound", OPTION_STRING, false, "average,peak,burst,floor of what comes in"},
    {"outbound", OPTION_STRING, false, "average,peak,burst of what goes out"},
    OPTION_PERSISTENT,
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_PRINT_XML,
    {"managed", OPTION_FLAG, false, "managed"},
    {"source-mode", OPTION_STRING, false, "mode of a direct source"},
    OPTION_END};
static const Option detach_interface_options[] = {OPTION_DOMAIN,
                                                  {"type", OPTION_STRING, true, "type"},
                                                  {"mac", OPTION_STRING, false, "its MAC address"},
                                                  OPTION_PERSISTENT,
                                                  OPTION_CONFIG,
                                                  OPTION_LIVE,
                                                  OPTION_CURRENT,
                                                  OPTION_PRINT_XML,
                                                  OPTION_END};
static const Option domif_getlink_options[] = {OPTION_DOMAIN, OPTION_INTERFACE, OPTION_CONFIG,
                                               OPTION_END};
static const Option domif_setlink_options[] = {
    OPTION_DOMAIN, OPTION_INTERFACE, {"state", OPTION_STRING, true, "up or down"},
    OPTION_CONFIG, OPTION_PRINT_XML, OPTION_END};
static const Option domifaddr_options[] = {
    OPTION_DOMAIN,
    {"interface", OPTION_STRING, false, "target or MAC address of the interface"},
    {"full", OPTION_FLAG, false, "repeat name and MAC in each row"},
    {"source", OPTION_STRING, false, "lease, agent or arp", .value = VALUE_WORD,
     .words = address_sources},
    OPTION_END};
static const Option domiflist_options[] = {
    OPTION_DOMAIN, {"inactive", OPTION_FLAG, false, "of the stored definition"}, OPTION_END};
static const Option domifstat_options[] = {OPTION_DOMAIN, OPTION_INTERFACE, OPTION_END};
static const Option domiftune_options[] = {
    OPTION_DOMAIN,
    OPTION_INTERFACE,
    {"inbound", OPTION_STRING, false, "average,peak,burst,floor of what comes in"},
    {"outbound", OPTION_STRING, false, "average,peak,burst of what goes out"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};

const Command commands_nic[] = {{.name = "attach-interface",
                                 .help = "attach a network interface",
                                 .options = attach_interface_options,
                                 .run = cmd_attach_interface},
                                {.name = "detach-interface",
                                 .help = "detach a network interface",
                                 .options = detach_interface_options,
                                 .run = cmd_detach_interface},
                                {.name = "domif-getlink",
                                 .help = "state of a network interface's link",
                                 .options = domif_getlink_options,
                                 .json = true,
                                 .run = cmd_domif_getlink},
                                {.name = "domif-setlink",
                                 .help = "set a network interface's link up or down",
                                 .options = domif_setlink_options,
                                 .run = cmd_domif_setlink},
                                {.name = "domifaddr",
                                 .help = "addresses of network interfaces",
                                 .options = domifaddr_options,
                                 .json = true,
                                 .run = cmd_domifaddr},
                                {.name = "domiflist",
                                 .help = "list network interfaces",
                                 .options = domiflist_options,
                                 .json = true,
                                 .run = cmd_domiflist},
                                {.name = "domifstat",
                                 .help = "statistics of a network interface",
                                 .options = domifstat_options,
                                 .json = true,
                                 .run = cmd_domifstat},
                                {.name = "domiftune",
                                 .help = "get or set the bandwidth of a network interface",
                                 .options = domiftune_options,
                                 .json = true,
                                 .run = cmd_domiftune},
                                {0}};
