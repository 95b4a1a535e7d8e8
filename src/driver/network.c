/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/network.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "conf/uuid.h"
#include "host/bridge.h"
#include "host/netlink.h"
#include "host/tap.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

#define TURN_USEC (30 * USEC_PER_SEC)
#define BRIDGES_MAX 256u /* virbr0 to virbr255 */
#define ADDRESSES_MAX 16u

struct NetworkStore {
    char *etc, *autostart, *run; /* directories of files NAME.xml */
    NetworkEventFunc event;
    void *userdata;
    Network *networks;
};

/* ---- memory ---- */

Network *network_ref(Network *network) {
    assert(network->n_refs > 0);
    network->n_refs++;
    return network;
}

void network_unref(Network *network) {
    if (!network)
        return;
    assert(network->n_refs > 0);
    if (--network->n_refs > 0)
        return;
    network_def_free(network->def);
    fiber_cond_done(&network->idle);
    free(network);
}

NetworkStore *networks_new(const NetworkParams *params) {
    NetworkStore *store = calloc(1, sizeof(NetworkStore));

    if (!store)
        return NULL;
    store->etc = path_join(params->etc, "networks");
    store->autostart = path_join(params->etc, "networks/autostart");
    store->run = path_join(params->run, "networks");
    store->event = params->event;
    store->userdata = params->userdata;
    return store->etc && store->autostart && store->run ? store : networks_free(store);
}

NetworkStore *networks_free(NetworkStore *store) {
    if (!store)
        return NULL;
    for (Network *network = store->networks, *next; network; network = next) {
        next = network->next;
        network->store = NULL;
        network_unref(network);
    }
    free(store->etc);
    free(store->autostart);
    free(store->run);
    free(store);
    return NULL;
}

/* Takes def; the list has the one reference. */
static Network *list_network(NetworkStore *store, NetworkDef *def_consume) {
    Network *network = calloc(1, sizeof(Network)), **end = &store->networks;

    if (!network) {
        network_def_free(def_consume);
        return NULL;
    }
    *network = (Network){.n_refs = 1, .store = store, .def = def_consume};
    while (*end)
        end = &(*end)->next;
    *end = network;
    return network;
}

/* The same with a reference for the caller. */
static Network *list_new(NetworkStore *store, NetworkDef *def_consume) {
    Network *network = list_network(store, def_consume);

    return network ? network_ref(network) : NULL;
}

static void unlist(Network *network) {
    Network **at = &network->store->networks;

    while (*at != network)
        at = &(*at)->next;
    *at = network->next;
    network->store = NULL;
    network_unref(network);
}

static void tell(const Network *network, NetworkEvent event) {
    if (network->store && network->store->event)
        network->store->event(network, event, network->store->userdata);
}

/* ---- looking up ---- */

Network *networks_first(const NetworkStore *store) {
    return store->networks;
}

Network *network_by_name(const NetworkStore *store, const char *name, Error **reterr) {
    for (Network *network = store->networks; network; network = network->next)
        if (streq(network->def->name, name))
            return network;
    error_report(reterr, FROM_NETWORK, ERROR_NO_NETWORK, "no network with matching name '%.200s'%s",
                 name,
                 streq(name, "default")
                     ? ", which clients take when nobody names one: name a network, or define "
                       "'default' on a bridge of this host (network-default.xml of the examples)"
                     : "");
    return NULL;
}

Network *network_by_uuid(const NetworkStore *store, const uint8_t uuid[16], Error **reterr) {
    char text[UUID_TEXT_SIZE];

    for (Network *network = store->networks; network; network = network->next)
        if (memcmp(network->def->uuid, uuid, 16) == 0)
            return network;
    uuid_format(uuid, text);
    error_report(reterr, FROM_NETWORK, ERROR_NO_NETWORK, "no network with matching uuid '%s'",
                 text);
    return NULL;
}

const char *network_bridge(const NetworkStore *store, const char *name, Error **reterr) {
    const Network *network = network_by_name(store, name, reterr);

    if (!network)
        return NULL;
    if (network->active && network->def->bridge)
        return network->def->bridge;
    if (network->active)
        error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                     "network '%.200s' names no <bridge>, so that nothing can be connected to it",
                     name);
    else
        error_report(reterr, FROM_NETWORK, ERROR_OPERATION_INVALID,
                     "network '%.200s' is not active; start it first", name);
    return NULL;
}

/* ---- one change at a time ---- */

static int begin(Network *network, Error **reterr) {
    const uint64_t deadline = deadline_in(TURN_USEC);

    while (network->busy)
        if (fiber_cond_wait(&network->idle, deadline) < 0 && network->busy)
            return error_report(reterr, FROM_NETWORK, ERROR_OPERATION_TIMEOUT,
                                "network '%s' is being changed by another call",
                                network->def->name);
    if (!network->store)
        return error_report(reterr, FROM_NETWORK, ERROR_NO_NETWORK,
                            "no network with matching name '%s'", network->def->name);
    network->busy = true;
    return 0;
}

static void end(Network *network) {
    network->busy = false;
    fiber_cond_broadcast(&network->idle);
}

/* ---- files ---- */

static char *file_of(const char *directory, const char *name) {
    return strf("%s/%s.xml", directory, name);
}

static int write_file(const char *directory, const NetworkDef *def, Error **reterr) {
    CLEANUP_FREE char *path = file_of(directory, def->name), *xml = network_format(def);
    int r;

    if (!path || !xml)
        return error_no_memory(reterr);
    r = dir_make(directory, 0700);
    if (r >= 0)
        r = file_write_atomic_worker(path, xml, strlen(xml), 0600);
    return r < 0 ? error_system(reterr, FROM_NETWORK, r, "cannot write '%s'", path) : 0;
}

static int remove_file(const char *directory, const char *name, Error **reterr) {
    CLEANUP_FREE char *path = file_of(directory, name);
    int r;

    if (!path)
        return error_no_memory(reterr);
    r = file_remove_worker(path);
    return r < 0 ? error_system(reterr, FROM_NETWORK, r, "cannot remove '%s'", path) : 0;
}

/* ---- definitions ---- */

static bool is_bridge_taken(const NetworkStore *store, const char *bridge) {
    for (const Network *network = store->networks; network; network = network->next)
        if (streq_ptr(network->def->bridge, bridge))
            return true;
    return link_index(bridge) > 0;
}

/* An isolated network that names no bridge gets the first that is free, as libvirt gives it. */
static int choose_bridge(const NetworkStore *store, NetworkDef *def, Error **reterr) {
    if (!network_is_isolated(def))
        return 0;
    for (unsigned i = 0; !def->bridge && i < BRIDGES_MAX; i++) {
        CLEANUP_FREE char *name = strf("virbr%u", i);

        if (!name)
            return error_no_memory(reterr);
        if (!is_bridge_taken(store, name))
            def->bridge = TAKE_PTR(name);
    }
    return def->bridge ? 0
                       : error_report(reterr, FROM_NETWORK, ERROR_OPERATION_FAILED,
                                      "network '%s': all names from virbr0 to virbr%u are taken",
                                      def->name, BRIDGES_MAX - 1);
}

/* 52:54:00 is what QEMU's and libvirt's machines have in front. */
static int choose_mac(NetworkDef *def, Error **reterr) {
    uint8_t bytes[3];

    if (def->mac || !network_is_isolated(def))
        return 0;
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return error_system(reterr, FROM_NETWORK, errno, "no random numbers");
    def->mac = strf("52:54:00:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2]);
    return def->mac ? 0 : error_no_memory(reterr);
}

/* The network that a new definition replaces, or NULL; an error when it clashes. */
static int find_same(const NetworkStore *store, const NetworkDef *def, Network **ret,
                     Error **reterr) {
    Network *by_uuid = network_by_uuid(store, def->uuid, NULL);
    Network *by_name = network_by_name(store, def->name, NULL);
    char text[UUID_TEXT_SIZE];

    if (by_name != by_uuid) {
        uuid_format((by_name ? by_name : by_uuid)->def->uuid, text);
        return error_report(reterr, FROM_NETWORK, ERROR_OPERATION_FAILED,
                            "network '%s' already exists with uuid %s",
                            (by_name ? by_name : by_uuid)->def->name, text);
    }
    *ret = by_uuid;
    return 0;
}

/* A bridge that is made for one network is no other's. */
static int check_bridge(const NetworkStore *store, const NetworkDef *def, const Network *same,
                        Error **reterr) {
    for (const Network *network = store->networks; network; network = network->next)
        if (network != same && network_is_isolated(def) && def->bridge &&
            streq_ptr(network->def->bridge, def->bridge))
            return error_report(reterr, FROM_NETWORK, ERROR_INTERNAL,
                                "bridge name '%s' already in use.", def->bridge);
    return 0;
}

/* A definition that names no uuid keeps that of the network of its name. */
static int parse(const NetworkStore *store, const char *xml, NetworkDef **ret, Network **ret_same,
                 Error **reterr) {
    int r = network_parse(xml, strlen(xml), ret, reterr);

    if (r >= 0)
        r = find_same(store, *ret, ret_same, reterr);
    if (r >= 0)
        r = check_bridge(store, *ret, *ret_same, reterr);
    if (r >= 0 && *ret_same && !(*ret)->bridge && network_is_isolated(*ret) &&
        (*ret_same)->def->bridge && !((*ret)->bridge = strdup((*ret_same)->def->bridge)))
        r = error_no_memory(reterr);
    if (r >= 0)
        r = choose_bridge(store, *ret, reterr);
    return r < 0 ? r : choose_mac(*ret, reterr);
}

static int redefine(Network *network, NetworkDef **def, Error **reterr) {
    int r = begin(network, reterr);

    if (r < 0)
        return r;
    if (network->active && !streq_ptr(network->def->bridge, (*def)->bridge))
        r = error_report(
            reterr, FROM_NETWORK, ERROR_OPERATION_INVALID,
            "network '%s' is active on the bridge '%s'; stop it before it gets another",
            network->def->name, network->def->bridge ? network->def->bridge : "");
    if (r >= 0)
        r = write_file(network->store->etc, *def, reterr);
    if (r >= 0) {
        network_def_free(network->def);
        network->def = TAKE_PTR(*def);
        network->persistent = true;
        tell(network, NETWORK_DEFINED);
    }
    end(network);
    return r;
}

/* The first definition of a network that was just listed. */
static int define_new(Network *network, Error **reterr) {
    int r = begin(network, reterr); /* the first: it does not wait */

    if (r < 0)
        return r;
    r = write_file(network->store->etc, network->def, reterr);
    if (r >= 0) {
        network->persistent = true;
        tell(network, NETWORK_DEFINED);
    } else {
        unlist(network);
    }
    end(network);
    return r;
}

int networks_define(NetworkStore *store, const char *xml, Network **ret, Error **reterr) {
    CLEANUP_NETWORK_DEF NetworkDef *def = NULL;
    CLEANUP_NETWORK Network *network = NULL;
    Network *same = NULL;
    int r = parse(store, xml, &def, &same, reterr);

    if (r < 0)
        return r;
    /* Listed before the file is written, so that a second define of the name waits for it. */
    network = same ? network_ref(same) : list_new(store, TAKE_PTR(def));
    if (!network)
        return error_no_memory(reterr);
    r = same ? redefine(network, &def, reterr) : define_new(network, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(network);
    return r;
}

/* ---- active or not ---- */

typedef struct Making {
    const NetworkDef *def;
    Error *error;
} Making;

static int run_make(void *arg) {
    Making *work = arg;
    const NetworkDef *def = work->def;
    BridgeAddress addresses[ADDRESSES_MAX];
    uint8_t mac[6];
    BridgeParams params = {.name = def->bridge,
                           .mtu = def->mtu,
                           .stp = def->stp != TRISTATE_NO,
                           .delay = def->delay,
                           .addresses = addresses};

    for (size_t i = 0; i < def->n_ips && i < ADDRESSES_MAX; i++)
        addresses[params.n_addresses++] = (BridgeAddress){def->ips[i].address, def->ips[i].prefix};
    if (def->mac && mac_parse(def->mac, mac))
        params.mac = mac;
    return bridge_make(&params, &work->error);
}

/* NULL: the network has none. */
static int run_check(void *arg) {
    return !arg || link_is_bridge(arg) ? 0 : -ENODEV;
}

static int run_remove(void *arg) {
    return bridge_remove(arg);
}

static int make_bridge(const NetworkDef *def, Error **reterr) {
    Making work = {.def = def};
    int r;

    if (!network_is_isolated(def)) {
        r = worker_run(run_check, def->bridge);
        return r < 0 ? error_report(reterr, FROM_NETWORK, ERROR_OPERATION_FAILED,
                                    "network '%s': there is no bridge '%s' on this host; make it "
                                    "first",
                                    def->name, def->bridge)
                     : 0;
    }
    r = worker_run(run_make, &work);
    if (r < 0)
        error_propagate(reterr, work.error);
    return r;
}

/* The file says that it is active before there is anything to be found. */
static int start(Network *network, Error **reterr) {
    int r;

    if (network->active)
        return error_report(reterr, FROM_NETWORK, ERROR_OPERATION_INVALID,
                            "network is already active");
    r = write_file(network->store->run, network->def, reterr);
    if (r < 0)
        return r;
    r = make_bridge(network->def, reterr);
    if (r < 0) {
        remove_file(network->store->run, network->def->name, NULL);
        return r;
    }
    network->active = true;
    tell(network, NETWORK_STARTED);
    return 0;
}

int network_start(Network *network, Error **reterr) {
    int r = begin(network, reterr);

    if (r < 0)
        return r;
    r = start(network, reterr);
    end(network);
    return r;
}

int networks_create(NetworkStore *store, const char *xml, Network **ret, Error **reterr) {
    CLEANUP_NETWORK_DEF NetworkDef *def = NULL;
    CLEANUP_NETWORK Network *network = NULL;
    Network *same = NULL;
    int r = parse(store, xml, &def, &same, reterr);

    if (r < 0)
        return r;
    network = same ? network_ref(same) : list_new(store, TAKE_PTR(def));
    if (!network)
        return error_no_memory(reterr);
    r = network_start(network, reterr);
    if (r < 0 && !same && network->store)
        unlist(network);
    if (r >= 0)
        *ret = TAKE_PTR(network);
    return r;
}

static int stop(Network *network, Error **reterr) {
    int r = 0;

    if (!network->active)
        return error_report(reterr, FROM_NETWORK, ERROR_OPERATION_INVALID,
                            "network '%s' is not active", network->def->name);
    if (network_is_isolated(network->def))
        r = worker_run(run_remove, network->def->bridge);
    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r,
                            "cannot remove the bridge '%s' of network '%s'", network->def->bridge,
                            network->def->name);
    r = remove_file(network->store->run, network->def->name, reterr);
    if (r < 0)
        return r;
    network->active = false;
    tell(network, NETWORK_STOPPED);
    if (!network->persistent)
        unlist(network);
    return 0;
}

int network_stop(Network *network, Error **reterr) {
    int r = begin(network, reterr);

    if (r < 0)
        return r;
    r = stop(network, reterr);
    end(network);
    return r;
}

int network_undefine(Network *network, Error **reterr) {
    int r = begin(network, reterr);

    if (r < 0)
        return r;
    if (!network->persistent)
        r = error_report(reterr, FROM_NETWORK, ERROR_OPERATION_INVALID,
                         "can't undefine transient network");
    if (r >= 0)
        r = remove_file(network->store->autostart, network->def->name, reterr);
    if (r >= 0)
        r = remove_file(network->store->etc, network->def->name, reterr);
    if (r >= 0) {
        network->persistent = network->autostart = false;
        tell(network, NETWORK_UNDEFINED);
        if (!network->active)
            unlist(network);
    }
    end(network);
    return r;
}

int network_set_autostart(Network *network, bool yes, Error **reterr) {
    int r = begin(network, reterr);

    if (r < 0)
        return r;
    if (!network->persistent)
        r = error_report(reterr, FROM_NETWORK, ERROR_OPERATION_INVALID,
                         "cannot set autostart for transient network");
    else
        r = yes ? write_file(network->store->autostart, network->def, reterr)
                : remove_file(network->store->autostart, network->def->name, reterr);
    if (r >= 0)
        network->autostart = yes;
    end(network);
    return r;
}

/* ---- what an earlier daemon left ---- */

static Network *load_file(NetworkStore *store, const char *path) {
    CLEANUP_NETWORK_DEF NetworkDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    Network *same = NULL;
    size_t len = 0;
    int r = file_read(path, NETWORK_XML_MAX, &xml, &len);

    if (r < 0)
        error_system(&error, FROM_NETWORK, r, "cannot read it");
    if (r >= 0)
        r = network_parse(xml, len, &def, &error);
    if (r >= 0)
        r = find_same(store, def, &same, &error);
    if (r < 0)
        log_warning("network file '%s', ignoring: %s", path, error_message(error));
    return r < 0 ? NULL : same ? same : list_network(store, TAKE_PTR(def));
}

/* The bridge went with the host's boot, or by somebody's hand. */
static void load_active(Network *network) {
    network->active = worker_run(run_check, network->def->bridge) >= 0;
    if (network->active)
        return;
    remove_file(network->store->run, network->def->name, NULL);
    if (!network->persistent)
        unlist(network);
}

static void load_one(NetworkStore *store, const char *path, bool persistent) {
    Network *network = load_file(store, path);

    if (!network)
        return;
    network->persistent |= persistent;
    if (!persistent)
        load_active(network);
}

static void load_directory(NetworkStore *store, const char *directory, bool persistent) {
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = directory_names(directory, ".xml", &names);

    if (r < 0)
        log_warning("networks cannot be read from '%s': %s", directory, strerror(-r));
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP_FREE char *path = path_join(directory, names.list[i]);

        if (path && *names.list[i] != '.')
            load_one(store, path, persistent);
    }
}

void networks_load(NetworkStore *store) {
    Network *next;

    load_directory(store, store->etc, true);
    load_directory(store, store->run, false);
    for (Network *network = store->networks; network; network = next) {
        CLEANUP_FREE char *path = file_of(store->autostart, network->def->name);
        CLEANUP_ERROR Error *error = NULL;

        next = network->next;
        network->autostart = path && access(path, F_OK) == 0;
        if (network->autostart && !network->active && network_start(network, &error) < 0)
            log_warning("network '%s' cannot be started: %s", network->def->name,
                        error_message(error));
    }
}
