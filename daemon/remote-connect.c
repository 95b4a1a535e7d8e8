/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connection and host calls. */
#include <sched.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "daemon.h"
#include "util/file.h"

HANDLER(connect_open) {
    remote_connect_open_args *args = args_;
    Client *client = client_of(session);
    const char *name = args->name ? *args->name : NULL;
    const char *path;

    if (dispatch_flags(args->flags, 3, "remoteDispatchConnectOpen", reterr) < 0)
        return -EINVAL;
    if (!name)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "connection not open");
    if (*name && strncmp(name, "qemu:", 5) != 0 && strncmp(name, "vireo:", 6) != 0)
        return error_report(reterr, FROM_NONE, ERROR_NO_CONNECT, "%.200s", name);
    path = *name ? strchr(name, ':') + 1 : "/system";
    if (strncmp(path, "//", 2) == 0)
        path += 2 + strcspn(path + 2, "/");
    if (strncmp(path, "/system", 7) != 0 && strncmp(path, "/session", 8) != 0)
        return error_report(reterr, FROM_NONE, ERROR_INTERNAL,
                            "unexpected qemu URI path '%.100s', try qemu:///system", path);
    free(client->uri);
    client->uri = strdup(*name ? name : "qemu:///system");
    if (!client->uri)
        return error_no_memory(reterr);
    if (args->flags & 1)
        rpc_session_set_readonly(session);
    rpc_session_set_open(session, true);
    return 0;
}

HANDLER(connect_close) {
    rpc_session_close_after_reply(session);
    return 0;
}

HANDLER(auth_list) {
    remote_auth_list_ret *ret = ret_;

    ret->types.types_val = calloc(1, sizeof(int));
    if (!ret->types.types_val)
        return error_no_memory(reterr);
    if (!rpc_session_authenticated(session))
        return error_report(reterr, FROM_RPC, ERROR_AUTH_FAILED,
                            "user %u may not manage domains; be root or use the read-only socket",
                            (unsigned)rpc_session_peer_uid(session));
    ret->types.types_len = 1; /* 0: none needed, the peer's credentials sufficed */
    return 0;
}

HANDLER(supports_feature) {
    remote_connect_supports_feature_args *args = args_;
    remote_connect_supports_feature_ret *ret = ret_;

    if (args->feature == 10) /* PROGRAM_KEEPALIVE: now the daemon may ping */
        rpc_session_enable_keepalive(session);
    ret->supported = args->feature == 9 || args->feature == 10 || args->feature == 14 ||
                     args->feature == 15;
    return 0;
}

HANDLER(get_uri) {
    remote_connect_get_uri_ret *ret = ret_;

    return dispatch_string(&ret->uri, client_of(session)->uri, reterr);
}

HANDLER(get_type) {
    remote_connect_get_type_ret *ret = ret_;

    return dispatch_string(&ret->type, "QEMU", reterr);
}

/* The version of the host's own emulator. */
HANDLER(get_version) {
    remote_connect_get_version_ret *ret = ret_;
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    CLEANUP_FREE char *emulator = NULL;
    struct utsname host;
    int r;

    uname(&host);
    emulator = qemu_default_emulator(host.machine);
    if (!emulator)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "no emulator is known for this host");
    r = qemu_caps_get(driver_of(session)->caps, emulator, &caps, reterr);
    if (r >= 0)
        ret->hv_ver = caps->major * UINT64_C(1000000) + caps->minor * 1000 + caps->micro;
    return r;
}

/* The libvirt release whose protocol and behaviour this is, not our own: clients decide by it what
 * they may ask for. */
HANDLER(get_lib_version) {
    ((remote_connect_get_lib_version_ret *)ret_)->lib_ver = 9 * UINT64_C(1000000);
    return 0;
}

HANDLER(get_hostname) {
    remote_connect_get_hostname_ret *ret = ret_;
    char name[256] = "";

    gethostname(name, sizeof(name) - 1);
    return dispatch_string(&ret->hostname, name, reterr);
}

HANDLER(is_secure) {
    remote_connect_is_secure_ret *ret = ret_;

    ret->secure = 1; /* a unix socket */
    return 0;
}

HANDLER(nothing) {
    return 0;
}

/* ---- the host ---- */

unsigned dispatch_host_cpus(void) {
    long n = sysconf(_SC_NPROCESSORS_CONF);

    return n > 0 ? (unsigned)n : 1;
}

static uint64_t meminfo_kib(const char *key) {
    CLEANUP_FREE char *text = NULL;
    const char *at;

    if (file_read("/proc/meminfo", 65536, &text, NULL) < 0 || !(at = strstr(text, key)))
        return 0;
    return strtoull(at + strlen(key), NULL, 10);
}

HANDLER(node_get_info) {
    remote_node_get_info_ret *ret = ret_;
    CLEANUP_FREE char *text = NULL;
    const char *mhz = NULL;
    struct utsname host;

    uname(&host);
    snprintf(ret->model, sizeof(ret->model), "%.31s", host.machine);
    ret->memory = meminfo_kib("MemTotal:");
    ret->cpus = dispatch_host_cpus();
    if (file_read("/proc/cpuinfo", 8u << 20, &text, NULL) >= 0 && (mhz = strstr(text, "cpu MHz")))
        mhz = strchr(mhz, ':');
    ret->mhz = mhz ? atoi(mhz + 1) : 0;
    ret->nodes = 1;
    ret->sockets = 1;
    ret->cores = ret->cpus;
    ret->threads = 1;
    return 0;
}

HANDLER(node_get_cpu_map) {
    remote_node_get_cpu_map_args *args = args_;
    remote_node_get_cpu_map_ret *ret = ret_;
    CLEANUP_FREE char *text = NULL;
    CLEANUP_BITMAP Bitmap *online = NULL;
    unsigned n = dispatch_host_cpus(), len = (n + 7) / 8;
    int r;

    r = file_read("/sys/devices/system/cpu/online", 4096, &text, NULL);
    if (r >= 0)
        r = bitmap_parse(text, BITMAP_MAX_BITS, &online);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot read the host's online CPUs");
    ret->ret = n;
    ret->online = bitmap_count(online);
    if (!args->need_map)
        return 0;
    ret->cpumap.cpumap_val = calloc(1, len);
    if (!ret->cpumap.cpumap_val)
        return error_no_memory(reterr);
    ret->cpumap.cpumap_len = len;
    bitmap_to_bytes(online, (uint8_t *)ret->cpumap.cpumap_val, len);
    return 0;
}

HANDLER(node_get_free_memory) {
    remote_node_get_free_memory_ret *ret = ret_;

    ret->freeMem = meminfo_kib("MemFree:") * 1024;
    return 0;
}

static char *one_nul(u_int *len) {
    *len = 1;
    return calloc(1, 1);
}

/* No security driver: an empty model. */
HANDLER(node_get_security_model) {
    remote_node_get_security_model_ret *ret = ret_;

    ret->model.model_val = one_nul(&ret->model.model_len);
    ret->doi.doi_val = one_nul(&ret->doi.doi_len);
    return ret->model.model_val && ret->doi.doi_val ? 0 : error_no_memory(reterr);
}

HANDLER(get_max_vcpus) {
    remote_connect_get_max_vcpus_ret *ret = ret_;
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    CLEANUP_FREE char *emulator = NULL;
    const QemuMachine *machine;
    struct utsname host;
    int r;

    uname(&host);
    emulator = qemu_default_emulator(host.machine);
    if (!emulator)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "no emulator is known for this host");
    r = qemu_caps_get(driver_of(session)->caps, emulator, &caps, reterr);
    if (r < 0)
        return r;
    machine = qemu_caps_machine(caps, NULL);
    ret->max_vcpus = machine ? (int)machine->cpu_max : 1;
    return 0;
}

HANDLER(get_capabilities) {
    remote_connect_get_capabilities_ret *ret = ret_;

    return qemu_caps_xml(driver_of(session)->caps, &ret->capabilities, reterr);
}

HANDLER(get_domain_capabilities) {
    remote_connect_get_domain_capabilities_args *args = args_;
    remote_connect_get_domain_capabilities_ret *ret = ret_;

    return qemu_caps_domain_xml(
        driver_of(session)->caps, args->emulatorbin ? *args->emulatorbin : NULL,
        args->arch ? *args->arch : NULL, args->machine ? *args->machine : NULL,
        args->virttype ? *args->virttype : NULL, &ret->capabilities, reterr);
}

HANDLER(zero) {
    ((remote_int_ret *)ret_)->value = 0;
    return 0;
}

#define EARLY (RPC_PROC_BEFORE_AUTH | RPC_PROC_BEFORE_OPEN)

const RpcProc connect_procs[] = {
    {REMOTE_PROC_CONNECT_OPEN, "virConnectOpen", RPC_PROC_BEFORE_OPEN, connect_open,
     XDR_OF(remote_connect_open_args), NO_XDR},
    {REMOTE_PROC_CONNECT_CLOSE, "virConnectClose", RPC_PROC_BEFORE_OPEN, connect_close, NO_XDR,
     NO_XDR},
    {REMOTE_PROC_AUTH_LIST, "authList", EARLY, auth_list, NO_XDR, XDR_OF(remote_auth_list_ret)},
    {REMOTE_PROC_CONNECT_SUPPORTS_FEATURE, "virConnectSupportsFeature", RPC_PROC_BEFORE_OPEN,
     supports_feature, XDR_OF(remote_connect_supports_feature_args),
     XDR_OF(remote_connect_supports_feature_ret)},
    {REMOTE_PROC_CONNECT_GET_URI, "virConnectGetURI", 0, get_uri, NO_XDR,
     XDR_OF(remote_connect_get_uri_ret)},
    {REMOTE_PROC_CONNECT_GET_TYPE, "virConnectGetType", 0, get_type, NO_XDR,
     XDR_OF(remote_connect_get_type_ret)},
    {REMOTE_PROC_CONNECT_GET_VERSION, "virConnectGetVersion", 0, get_version, NO_XDR,
     XDR_OF(remote_connect_get_version_ret)},
    {REMOTE_PROC_CONNECT_GET_LIB_VERSION, "virConnectGetLibVersion", 0, get_lib_version, NO_XDR,
     XDR_OF(remote_connect_get_lib_version_ret)},
    {REMOTE_PROC_CONNECT_GET_HOSTNAME, "virConnectGetHostname", 0, get_hostname, NO_XDR,
     XDR_OF(remote_connect_get_hostname_ret)},
    {REMOTE_PROC_CONNECT_IS_SECURE, "virConnectIsSecure", 0, is_secure, NO_XDR,
     XDR_OF(remote_connect_is_secure_ret)},
    {REMOTE_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, "virConnectRegisterCloseCallback", 0, nothing,
     NO_XDR, NO_XDR},
    {REMOTE_PROC_CONNECT_UNREGISTER_CLOSE_CALLBACK, "virConnectUnregisterCloseCallback", 0, nothing,
     NO_XDR, NO_XDR},
    {REMOTE_PROC_NODE_GET_INFO, "virNodeGetInfo", 0, node_get_info, NO_XDR,
     XDR_OF(remote_node_get_info_ret)},
    {REMOTE_PROC_NODE_GET_CPU_MAP, "virNodeGetCPUMap", 0, node_get_cpu_map,
     XDR_OF(remote_node_get_cpu_map_args), XDR_OF(remote_node_get_cpu_map_ret)},
    {REMOTE_PROC_NODE_GET_FREE_MEMORY, "virNodeGetFreeMemory", 0, node_get_free_memory, NO_XDR,
     XDR_OF(remote_node_get_free_memory_ret)},
    {REMOTE_PROC_NODE_GET_SECURITY_MODEL, "virNodeGetSecurityModel", 0, node_get_security_model,
     NO_XDR, XDR_OF(remote_node_get_security_model_ret)},
    {REMOTE_PROC_CONNECT_GET_MAX_VCPUS, "virConnectGetMaxVcpus", 0, get_max_vcpus,
     XDR_OF(remote_connect_get_max_vcpus_args), XDR_OF(remote_connect_get_max_vcpus_ret)},
    {REMOTE_PROC_CONNECT_GET_CAPABILITIES, "virConnectGetCapabilities", 0, get_capabilities, NO_XDR,
     XDR_OF(remote_connect_get_capabilities_ret)},
    {REMOTE_PROC_CONNECT_GET_DOMAIN_CAPABILITIES, "virConnectGetDomainCapabilities", RPC_PROC_WRITE,
     get_domain_capabilities, XDR_OF(remote_connect_get_domain_capabilities_args),
     XDR_OF(remote_connect_get_domain_capabilities_ret)},
    /* Objects there are none of: clients list them at start. */
    {REMOTE_PROC_CONNECT_NUM_OF_NETWORKS, "virConnectNumOfNetworks", 0, zero, NO_XDR,
     XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_DEFINED_NETWORKS, "virConnectNumOfDefinedNetworks", 0, zero, NO_XDR,
     XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_STORAGE_POOLS, "virConnectNumOfStoragePools", 0, zero, NO_XDR,
     XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_DEFINED_STORAGE_POOLS, "virConnectNumOfDefinedStoragePools", 0,
     zero, NO_XDR, XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_INTERFACES, "virConnectNumOfInterfaces", 0, zero, NO_XDR,
     XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_DEFINED_INTERFACES, "virConnectNumOfDefinedInterfaces", 0, zero,
     NO_XDR, XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_SECRETS, "virConnectNumOfSecrets", 0, zero, NO_XDR,
     XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_NWFILTERS, "virConnectNumOfNWFilters", 0, zero, NO_XDR,
     XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_LIST_ALL_STORAGE_POOLS, "virConnectListAllStoragePools", 0, nothing,
     XDR_OF(remote_list_all_args), XDR_OF(remote_empty_list_ret)},
    {REMOTE_PROC_CONNECT_LIST_ALL_NETWORKS, "virConnectListAllNetworks", 0, nothing,
     XDR_OF(remote_list_all_args), XDR_OF(remote_empty_list_ret)},
    {REMOTE_PROC_CONNECT_LIST_ALL_INTERFACES, "virConnectListAllInterfaces", 0, nothing,
     XDR_OF(remote_list_all_args), XDR_OF(remote_empty_list_ret)},
    {REMOTE_PROC_CONNECT_LIST_ALL_NODE_DEVICES, "virConnectListAllNodeDevices", 0, nothing,
     XDR_OF(remote_list_all_args), XDR_OF(remote_empty_list_ret)},
    {REMOTE_PROC_CONNECT_LIST_ALL_NWFILTERS, "virConnectListAllNWFilters", 0, nothing,
     XDR_OF(remote_list_all_args), XDR_OF(remote_empty_list_ret)},
    {REMOTE_PROC_CONNECT_LIST_ALL_SECRETS, "virConnectListAllSecrets", 0, nothing,
     XDR_OF(remote_list_all_args), XDR_OF(remote_empty_list_ret)},
};
const size_t connect_n_procs = ARRAY_SIZE(connect_procs);
