/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's ends of a domain's network cards: taps in bridges, macvtaps, vDPA devices, and what is
 * limited there.
 *
 * A network is the bridge that it stands for (bridge_of_network). Ports of Open vSwitch are made by
 * ovs-vsctl. */
#include "driver/prepare-net.h"
#include "driver/network.h"
#include "driver/nic-limit.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file-owner.h"
#include "host/tap.h"
#include "util/child.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/log.h"
#include "util/path-owner.h"
#include "util/worker.h"

#define PROGRAM_USEC (20 * USEC_PER_SEC)
#define TAP_PATTERN "vnet%d"

static bool is_openvswitch(const InterfaceDef *interface) {
    return interface->virtualport && streq_ptr(interface->virtualport->type, "openvswitch");
}

static bool is_virtio(const InterfaceDef *interface) {
    return !interface->model || strncmp(interface->model, "virtio", 6) == 0;
}

/* Without a network of that name: libvirt's 'default' has the bridge virbr0, and each other is
 * taken for a bridge's name. */
static const char *bridge_of_network(const char *network) {
    return streq_ptr(network, "default") ? "virbr0" : network;
}

static int run(const char *const *argv, const char *package, const char *what, Error **reterr) {
    return child_run_checked(argv, deadline_in(PROGRAM_USEC), package, what, NULL, reterr);
}

/* ---- Open vSwitch ---- */

/* "tag=5", "trunks=5,6" or "" of the VLANs. NULL: out of memory. */
static char *vlan_text(const InterfaceDef *interface) {
    CLEANUP_FREE char *text = strdup("");

    if (interface->n_vlans == 1 && interface->vlan_trunk != TRISTATE_YES)
        return strf("tag=%u", interface->vlans[0].id);
    for (size_t i = 0; text && i < interface->n_vlans; i++) {
        char *longer = strf("%s%s%u", i ? text : "trunks=", i ? "," : "", interface->vlans[i].id);

        free(text);
        text = longer;
    }
    return TAKE_PTR(text);
}

/* The VLAN of what the guest sends without a tag; NULL: there is none. */
static const VlanTag *native_vlan(const InterfaceDef *interface) {
    for (size_t i = 0; i < interface->n_vlans; i++)
        if (interface->vlans[i].native_mode && !streq(interface->vlans[i].native_mode, "default"))
            return &interface->vlans[i];
    return NULL;
}

static int add_port(Domain *domain, const InterfaceDef *interface, const char *bridge,
                    Error **reterr) {
    const Made port = {.kind = MADE_SWITCH_PORT, .name = interface->target};
    const char *id = interface->virtualport->interfaceid;
    char vm[UUID_TEXT_SIZE];
    const char *profile = interface->virtualport->profileid;
    const VlanTag *native = native_vlan(interface);
    CLEANUP_FREE char *vlan = vlan_text(interface), *mac = NULL, *iface = NULL, *machine = NULL,
                      *mode = NULL, *tag = NULL, *port_profile = NULL;
    const char *argv[32] = {"ovs-vsctl", "--timeout=5",     "--", "--if-exists",
                            "del-port",  interface->target, "--", "add-port",
                            bridge,      interface->target};
    size_t n = 10;
    int r;

    uuid_format(domain->run->live->uuid, vm);
    mac = strf("external-ids:attached-mac=\"%s\"", interface->mac);
    iface = id ? strf("external-ids:iface-id=\"%s\"", id) : strdup("");
    machine = strf("external-ids:vm-id=\"%s\"", vm);
    mode = strf("vlan_mode=native-%s", native ? native->native_mode : "");
    tag = strf("tag=%u", native ? native->id : 0u);
    port_profile = strf("external-ids:port-profile=\"%s\"", profile ? profile : "");
    if (!vlan || !mac || !iface || !machine || !mode || !tag || !port_profile)
        return error_no_memory(reterr);
    if (*vlan)
        argv[n++] = vlan;
    if (native) {
        argv[n++] = mode;
        argv[n++] = tag;
    }
    if (profile) {
        argv[n++] = "--";
        argv[n++] = "set";
        argv[n++] = "Port";
        argv[n++] = interface->target;
        argv[n++] = port_profile;
    }
    argv[n++] = "--";
    argv[n++] = "set";
    argv[n++] = "Interface";
    argv[n++] = interface->target;
    argv[n++] = mac;
    argv[n++] = machine;
    argv[n++] = "external-ids:iface-status=active";
    if (*iface)
        argv[n++] = iface;
    r = start_parts_note(domain, &port, reterr);
    return r < 0 ? r
                 : run(argv, "openvswitch-switch",
                       "cannot add the port of its <virtualport type='openvswitch'/>", reterr);
}

void prepare_remove_port(const char *name) {
    const char *const argv[] = {"ovs-vsctl", "--timeout=5", "--", "--if-exists",
                                "del-port",  name,          NULL};
    CLEANUP_ERROR Error *error = NULL;

    if (run(argv, "openvswitch-switch", "cannot remove a port", &error) < 0)
        log_warning("%s, ignoring", error_message(error));
}

/* ---- taps ---- */

typedef struct TapJob {
    TapParams tap;
    MacvtapParams macvtap;
    bool is_macvtap;
    Tap result;
    int vhost_fds[TAP_QUEUES_MAX];
    bool wants_vhost;
    unsigned n_vhost_fds;
    Error **reterr;
} TapJob;

static int run_open(void *arg) {
    TapJob *job = arg;
    int r = job->is_macvtap ? macvtap_open(&job->macvtap, &job->result, job->reterr)
                            : tap_open(&job->tap, &job->result, job->reterr);

    if (r >= 0 && job->wants_vhost && vhost_net_open(job->vhost_fds, job->result.n_fds) >= 0)
        job->n_vhost_fds = job->result.n_fds;
    return r;
}

/* Both lists become QEMU's. */
static int hand_over(StartParts *parts, QemuTap *to, TapJob *job) {
    int r = 0, number;

    for (unsigned i = 0; i < job->result.n_fds; i++) {
        number = start_parts_add_fd(parts, job->result.fds[i]);
        to->fds[i] = number;
        r = number < 0 && r >= 0 ? number : r;
    }
    for (unsigned i = 0; i < job->n_vhost_fds; i++) {
        number = start_parts_add_fd(parts, job->vhost_fds[i]);
        to->vhost_fds[i] = number;
        r = number < 0 && r >= 0 ? number : r;
    }
    to->n_fds = job->result.n_fds;
    to->n_vhost_fds = job->n_vhost_fds;
    return r;
}

static int keep_name(InterfaceDef *interface, const char *name) {
    char *copy = strdup(name);

    if (!copy)
        return -ENOMEM;
    free(interface->target);
    interface->target = copy;
    return 0;
}

static TapJob tap_job(const InterfaceDef *interface, uint8_t mac[6], Error **reterr) {
    const unsigned n_queues = MAX_OF(interface->queues, 1u);
    const bool is_bridge = interface->type == INTERFACE_BRIDGE ||
                           interface->type == INTERFACE_NETWORK;
    TapJob job = {.is_macvtap = interface->type == INTERFACE_DIRECT,
                  .wants_vhost = is_virtio(interface) && !streq_ptr(interface->driver, "qemu"),
                  .reterr = reterr};

    job.macvtap = (MacvtapParams){.parent = interface->source ? interface->source : "",
                                  .mode = interface->mode,
                                  .name = interface->target,
                                  .mac = mac,
                                  .mtu = interface->mtu,
                                  .n_queues = n_queues,
                                  .vnet_hdr = is_virtio(interface)};
    job.tap = (TapParams){.name = interface->target ? interface->target : TAP_PATTERN,
                          .existing = streq_ptr(interface->target_managed, "no"),
                          .bridge = is_bridge ? interface->source : NULL,
                          .is_switch = is_openvswitch(interface),
                          .isolated = interface->isolated == TRISTATE_YES,
                          .mac = mac,
                          .mtu = interface->mtu,
                          .rx_frames = interface->rx_frames_max,
                          .n_queues = n_queues,
                          .vnet_hdr = is_virtio(interface)};
    if (interface->type == INTERFACE_NETWORK)
        job.tap.bridge = bridge_of_network(interface->source);
    return job;
}

/* It is run as root; a name without a path is found where root finds programs. */
static int run_script(const InterfaceDef *interface, const char *link, Error **reterr) {
    const char *const script[] = {interface->script, link, NULL};
    int r = *interface->script == '/'
                ? path_check_owner_worker(interface->script, "the <script> of its interface",
                                          reterr)
                : 0;

    return r < 0 ? r
                 : child_run_checked(script, deadline_in(PROGRAM_USEC), "(a script of yours)",
                                     "the <script> of its interface failed", NULL, reterr);
}

/* What happens once the link is there. */
static int finish(Domain *domain, InterfaceDef *interface, const TapJob *job, Error **reterr) {
    const Made macvtap = {.kind = MADE_MACVTAP, .name = (char *)job->result.name};
    int r = keep_name(interface, job->result.name);

    if (r < 0)
        return error_no_memory(reterr);
    if (job->is_macvtap)
        r = start_parts_note(domain, &macvtap, reterr);
    else if (job->tap.bridge && job->tap.is_switch)
        r = add_port(domain, interface, job->tap.bridge, reterr);
    else if (interface->type == INTERFACE_ETHERNET && interface->script && *interface->script)
        r = run_script(interface, job->result.name, reterr);
    return r < 0 ? r : nic_limit(interface, reterr);
}

static int check(const InterfaceDef *interface, Error **reterr) {
    const VirtualPort *port = interface->virtualport;

    if (port && port->type && !is_openvswitch(interface))
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "a <virtualport type='%s'/> cannot be had; use openvswitch",
                            port->type);
    if (interface->n_vlans > 0 && !is_openvswitch(interface))
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "<vlan> is for ports of Open vSwitch (<virtualport "
                            "type='openvswitch'/>), not for <interface type='%s'>",
                            words_name(&interface_types, interface->type));
    if (interface->rx_frames_max && interface->type == INTERFACE_DIRECT)
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "<coalesce> cannot be set on a macvtap: the kernel has it for taps");
    if (interface->queues > TAP_QUEUES_MAX)
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "an interface has at most %u queues", TAP_QUEUES_MAX);
    return 0;
}

/* Of an active network; *ret NULL: of none that is defined, and where it needs none. */
static int find_bridge(const Domain *domain, const InterfaceDef *interface, const char **ret,
                       Error **reterr) {
    const NetworkStore *networks = domain->services->networks;
    const char *name = interface->source;

    *ret = NULL;
    if (interface->type != INTERFACE_NETWORK || !networks || !name)
        return 0;
    if (!network_by_name(networks, name, NULL) &&
        (is_openvswitch(interface) || if_nametoindex(bridge_of_network(name)) > 0))
        return 0;
    *ret = network_bridge(networks, name, reterr);
    return *ret ? 0 : -EINVAL;
}

int prepare_check_network(const Domain *domain, const InterfaceDef *interface, Error **reterr) {
    const char *bridge;

    return find_bridge(domain, interface, &bridge, reterr);
}

/* The bridge of the network; `name` has room for it, which may be another while others run. */
static int resolve_network(const Domain *domain, const InterfaceDef *interface, TapJob *job,
                           char name[NETWORK_BRIDGE_MAX + 1], Error **reterr) {
    const char *bridge;
    int r = find_bridge(domain, interface, &bridge, reterr);

    if (r < 0 || !bridge)
        return r;
    snprintf(name, NETWORK_BRIDGE_MAX + 1, "%s", bridge);
    job->tap.bridge = name;
    return 0;
}

static int make_one(Domain *domain, InterfaceDef *interface, StartParts *parts, QemuTap *to,
                    Error **reterr) {
    char bridge[NETWORK_BRIDGE_MAX + 1];
    uint8_t mac[6];
    TapJob job;
    int r = check(interface, reterr);

    if (r < 0)
        return r;
    if (!mac_parse(interface->mac, mac))
        return error_report(reterr, FROM_NETWORK, ERROR_INTERNAL, "'%s' is no MAC address",
                            interface->mac);
    if (interface->type != INTERFACE_DIRECT)
        mac[0] = 0xfe; /* a bridge takes the lowest of its ports' for its own */
    job = tap_job(interface, mac, reterr);
    r = resolve_network(domain, interface, &job, bridge, reterr);
    if (r >= 0)
        r = worker_run(run_open, &job);
    if (r < 0)
        return r;
    if (hand_over(parts, to, &job) < 0)
        return error_no_memory(reterr);
    return finish(domain, interface, &job, reterr);
}

/* ---- vDPA ---- */

typedef struct Opening {
    const char *path;
    int fd;
} Opening;

/* Nothing but a device is opened for whoever writes a definition. */
static int run_open_device(void *arg) {
    Opening *opening = arg;
    struct stat info;

    opening->fd = file_owner_open_existing(opening->path, O_RDWR);
    if (opening->fd < 0)
        return opening->fd;
    if (fstat(opening->fd, &info) >= 0 && S_ISCHR(info.st_mode))
        return 0;
    close(TAKE_FD(opening->fd));
    return -ENODEV;
}

static int open_vdpa(InterfaceDef *interface, StartParts *parts, QemuTap *to, Error **reterr) {
    CLEANUP_FREE char *path = strdup(interface->source ? interface->source : "");
    Opening opening = {.path = path, .fd = -1};
    int r;

    if (!path)
        return error_no_memory(reterr);
    if (strncmp(path, "/dev/", 5) != 0)
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "its <source dev='%s'> is no vDPA device: it is one like "
                            "/dev/vhost-vdpa-0",
                            path);
    r = worker_run(run_open_device, &opening);
    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r, "cannot open its vDPA device '%s'", path);
    to->fds[0] = start_parts_add_fd(parts, opening.fd);
    to->n_fds = 1;
    return to->fds[0] < 0 ? error_no_memory(reterr) : 0;
}

int prepare_interface(Domain *domain, InterfaceDef *interface, StartParts *parts, QemuTap *to,
                      Error **reterr) {
    int r = nic_has_tap(interface)              ? make_one(domain, interface, parts, to, reterr)
            : interface->type == INTERFACE_VDPA ? open_vdpa(interface, parts, to, reterr)
                                                : 0;

    if (r < 0)
        error_prefix(reterr, "domain '%s': its interface %s", domain_name(domain), interface->mac);
    return r;
}

int prepare_interfaces(Domain *domain, StartParts *parts, Error **reterr) {
    DomainDef *live = domain->run->live;
    int r = 0;

    parts->taps = calloc(live->n_interfaces + 1, sizeof(QemuTap));
    parts->parts.taps = parts->taps;
    if (!parts->taps)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < live->n_interfaces; i++)
        r = prepare_interface(domain, &live->interfaces[i], parts, &parts->taps[i], reterr);
    return r;
}
