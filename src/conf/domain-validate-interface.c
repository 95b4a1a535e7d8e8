/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interfaces, and the controllers. */
#include "conf/addresses.h"
#include "conf/validate-rules.h"

#define XHCI_PORTS_MAX 15u

static bool is_power_of_two(unsigned n) {
    return (n & (n - 1)) == 0;
}

static bool is_virtio(const char *model) {
    return model && strncmp(model, "virtio", 6) == 0;
}

static bool is_of_type(const InterfaceDef *interface, unsigned mask) {
    return mask & 1u << interface->type;
}

#define OF(type) (1u << INTERFACE_##type)

static int check_driver(const InterfaceDef *interface, Error **reterr) {
    const ValidateRule rules[] = {
        {!is_power_of_two(interface->rx_queue_size), ERROR_CONFIG_UNSUPPORTED,
         "rx_queue_size has to be a power of two"},
        {!is_power_of_two(interface->tx_queue_size), ERROR_CONFIG_UNSUPPORTED,
         "tx_queue_size has to be a power of two"},
        {interface->type == INTERFACE_VHOSTUSER && !is_virtio(interface->model), ERROR_INTERNAL,
         "Wrong or no <model> 'type' attribute: vhostuser requires the virtio-net* frontend"},
        {streq_ptr(interface->teaming, "persistent") && !is_virtio(interface->model),
         ERROR_CONFIG_UNSUPPORTED,
         "virtio-net teaming persistent interface must be <model type='virtio'/>"},
        {streq_ptr(interface->teaming, "transient") && interface->type != INTERFACE_HOSTDEV &&
             interface->type != INTERFACE_NETWORK, /* which may be of such */
         ERROR_CONFIG_UNSUPPORTED, "virtio-net teaming transient interface must be type='hostdev'"},
        {streq_ptr(interface->teaming, "persistent") && interface->teaming_persistent,
         ERROR_CONFIG_UNSUPPORTED,
         "teaming persistent attribute not allowed if teaming type is 'persistent'"},
        {streq_ptr(interface->teaming, "transient") && !interface->teaming_persistent,
         ERROR_CONFIG_UNSUPPORTED,
         "teaming persistent attribute must be set if teaming type is 'transient': it is the alias "
         "of the other one"},
        {interface->type == INTERFACE_VHOSTUSER && !interface->socket_type, ERROR_XML,
         "Missing required attribute 'type' in element 'source': it is 'unix'"},
        {interface->type == INTERFACE_VHOSTUSER && !streq_ptr(interface->socket_type, "unix"),
         ERROR_CONFIG_UNSUPPORTED,
         "Type of <source> unsupported for <interface type='vhostuser'>: it is 'unix'"},
        {interface->type == INTERFACE_VHOSTUSER && interface->reconnect &&
             !streq_ptr(interface->socket_mode, "client"),
         ERROR_CONFIG_UNSUPPORTED, "'reconnect' is for a <source> of mode 'client' only"},
        {streq_ptr(interface->model, "usb-net"), ERROR_INTERNAL,
         "no address can be assigned to a card of model 'usb-net'"},
    };

    return VALIDATE_RULES(rules, "interface", interface->mac, reterr);
}

static bool has_limit(const BandwidthLimit *limit) {
    return limit->average || limit->peak || limit->floor || limit->burst;
}

static unsigned count_family(const InterfaceDef *interface, const char *family) {
    unsigned n = 0;

    for (size_t i = 0; i < interface->n_guest_ips; i++)
        n += streq_ptr(interface->guest_ips[i].family, family);
    return n;
}

/* What the host's side can do. */
static int check_host(const InterfaceDef *interface, Error **reterr) {
    const BandwidthLimit *in = &interface->inbound, *out = &interface->outbound;
    const ValidateRule rules[] = {
        {interface->type == INTERFACE_HOSTDEV && interface->hostdev.type == ADDRESS_NONE, ERROR_XML,
         "missing source address type: <source> of the host's device needs an <address>"},
        {interface->type == INTERFACE_HOSTDEV && interface->hostdev.type != ADDRESS_PCI &&
             interface->hostdev.type != ADDRESS_USB,
         ERROR_XML, "the host's device has an <address> of type 'pci' or 'usb'"},
        {out->floor != 0, ERROR_CONFIG_UNSUPPORTED,
         "'floor' attribute allowed only in <inbound> element"},
        {has_limit(in) && !in->average && !in->floor, ERROR_XML_DETAIL,
         "Missing mandatory average or floor attributes of <inbound>"},
        {has_limit(out) && !out->average, ERROR_XML_DETAIL,
         "Missing mandatory average attribute of <outbound>"},
        {interface->mtu && !is_of_type(interface, OF(NETWORK) | OF(BRIDGE) | OF(ETHERNET) |
                                                      OF(VHOSTUSER) | OF(VDPA)),
         ERROR_CONFIG_UNSUPPORTED, "setting MTU is not supported on an interface of this type"},
        {interface->isolated == TRISTATE_YES && !is_of_type(interface, OF(NETWORK) | OF(BRIDGE)),
         ERROR_CONFIG_UNSUPPORTED,
         "<port isolated='yes'/> is not supported on an interface of this type"},
        {interface->isolated == TRISTATE_YES && interface->virtualport &&
             streq_ptr(interface->virtualport->type, "openvswitch"),
         ERROR_CONFIG_UNSUPPORTED,
         "<port isolated='yes'/> is not supported with a <virtualport type='openvswitch'>"},
        {interface->rx_frames_max &&
             !is_of_type(interface, OF(NETWORK) | OF(BRIDGE) | OF(ETHERNET) | OF(DIRECT)),
         ERROR_CONFIG_UNSUPPORTED,
         "coalesce settings are not supported on an interface of this type"},
        {interface->n_routes > 0 && interface->type == INTERFACE_USER, ERROR_CONFIG_UNSUPPORTED,
         "Invalid attempt to set network interface guest-side IP route, not supported by QEMU"},
        {count_family(interface, "ipv4") > 1, ERROR_CONFIG_UNSUPPORTED,
         "Only one IPv4 address per interface is allowed"},
        {count_family(interface, "ipv6") > 1, ERROR_CONFIG_UNSUPPORTED,
         "Only one IPv6 address per interface is allowed"},
        {interface->type == INTERFACE_UDP && !interface->local_address, ERROR_XML,
         "'<local>' element missing for 'udp' socket interface"},
    };

    return VALIDATE_RULES(rules, "interface", interface->mac, reterr);
}

static unsigned count_native(const InterfaceDef *interface) {
    unsigned n = 0;

    for (size_t i = 0; i < interface->n_vlans; i++)
        n += interface->vlans[i].native_mode != NULL;
    return n;
}

static int check_switch(const InterfaceDef *interface, Error **reterr) {
    const VirtualPort *port = interface->virtualport;
    const ValidateRule rules[] = {
        {interface->has_vlan && !interface->n_vlans, ERROR_XML,
         "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement"},
        {count_native(interface) > 1, ERROR_XML, "duplicate native vlan setting"},
        {interface->vlan_trunk == TRISTATE_NO &&
             (interface->n_vlans > 1 || count_native(interface) > 0),
         ERROR_XML, "invalid \"trunk='no'\" of a <vlan> with several tags or a native one"},
        {port && !is_of_type(interface, OF(NETWORK) | OF(BRIDGE) | OF(DIRECT) | OF(HOSTDEV)),
         ERROR_CONFIG_UNSUPPORTED, "<virtualport> element unsupported for this type"},
        {port && streq_ptr(port->type, "midonet") && !port->interfaceid, ERROR_XML,
         "missing interfaceid in <virtualport type='midonet'>"},
        {port && streq_ptr(port->type, "802.1Qbh") && !port->profileid, ERROR_XML,
         "missing profileid in <virtualport type='802.1Qbh'>"},
    };

    return VALIDATE_RULES(rules, "interface", interface->mac, reterr);
}

int validate_interfaces(const DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < def->n_interfaces && r >= 0; i++) {
        r = check_driver(&def->interfaces[i], reterr);
        if (r >= 0)
            r = check_host(&def->interfaces[i], reterr);
        if (r >= 0)
            r = check_switch(&def->interfaces[i], reterr);
    }
    return r;
}

/* ---- controllers ---- */

static bool is_duplicate(const DomainDef *def, size_t at) {
    const ControllerDef *one = &def->controllers[at];

    for (size_t i = 0; i < at; i++)
        if (def->controllers[i].type == one->type && def->controllers[i].index == one->index &&
            !one->info.has_master && !def->controllers[i].info.has_master)
            return true;
    return false;
}

static bool is_xhci(const ControllerDef *controller) {
    return controller->type == CONTROLLER_USB &&
           (streq_ptr(controller->model, "qemu-xhci") || streq_ptr(controller->model, "nec-xhci"));
}

static int check_controller(const DomainDef *def, size_t at, Error **reterr) {
    const ControllerDef *controller = &def->controllers[at];
    const bool ide = controller->type == CONTROLLER_IDE;
    const ValidateRule rules[] = {
        {is_duplicate(def, at), ERROR_XML,
         "Multiple controllers of a type with the same index: give each its own"},
        {ide && domain_def_is_q35(def), ERROR_CONFIG_UNSUPPORTED,
         "IDE controllers are unsupported for this QEMU binary or machine type"},
        {ide && domain_def_is_i440fx(def) && controller->index > 0, ERROR_CONFIG_UNSUPPORTED,
         "Only a single IDE controller is supported for this machine type"},
        {controller->type == CONTROLLER_FDC && controller->index > 0, ERROR_INTERNAL,
         "Only 1 fdc controller is supported"},
        {is_xhci(controller) && controller->has_ports && controller->ports > XHCI_PORTS_MAX,
         ERROR_CONFIG_UNSUPPORTED, "an xhci controller only supports up to '15' ports"},
        {controller->type == CONTROLLER_XENBUS || controller->type == CONTROLLER_ISA,
         ERROR_INTERNAL, "QEMU has no controller of this type that could be added"},
        {controller->has_node && controller->node >= def->cpu.n_cells, ERROR_XML,
         "the <node> of the controller is not a <cell> of <cpu><numa>"},
    };

    return VALIDATE_RULES(rules, "controller", words_name(&controller_types, controller->type),
                          reterr);
}

int validate_controllers(const DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < def->n_controllers && r >= 0; i++)
        r = check_controller(def, i, reterr);
    return r;
}
