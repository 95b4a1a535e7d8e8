/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection itself, and what the emulators can do. */
#include <sys/utsname.h>

#include "cpu-names.h"
#include "daemon.h"
#include "driver/native.h"

enum { CONNECT_RO = 1, CONNECT_NO_ALIASES = 2 };

#define CPU_MODELS_MAX 8192u /* the protocol's */

/* libvirt's "qemu://HOST/system", "/session", and the same for "vireo:". */
static int check_uri(const char *uri, Error **reterr) {
    const char *path = *uri ? strchr(uri, ':') : ":/system";

    if (*uri && strncmp(uri, "qemu:", 5) != 0 && strncmp(uri, "vireo:", 6) != 0)
        return error_report(reterr, FROM_NONE, ERROR_NO_CONNECT, "%.200s", uri);
    path++;
    if (strncmp(path, "//", 2) == 0)
        path += 2 + strcspn(path + 2, "/");
    if (strncmp(path, "/system", 7) != 0 && strncmp(path, "/session", 8) != 0)
        return error_report(reterr, FROM_NONE, ERROR_INTERNAL,
                            "unexpected qemu URI path '%.100s', try qemu:///system", path);
    return 0;
}

HANDLER(connect_open) {
    remote_connect_open_args *args = args_;
    Client *client = client_of(session);
    const char *uri = dispatch_opt(args->name);
    int r = dispatch_flags(args->flags, CONNECT_RO | CONNECT_NO_ALIASES,
                           "remoteDispatchConnectOpen", reterr);

    if (r >= 0 && !uri)
        r = error_report(reterr, FROM_RPC, ERROR_INTERNAL, "connection not open");
    if (r >= 0)
        r = check_uri(uri, reterr);
    if (r < 0)
        return r;
    free(TAKE_PTR(client->uri));
    r = dispatch_string(&client->uri, *uri ? uri : "qemu:///system", reterr);
    if (r < 0)
        return r;
    if (args->flags & CONNECT_RO)
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
        return *rpc_session_peer(session)->host
                   ? error_report(reterr, FROM_RPC, ERROR_AUTH_FAILED,
                                  "over TCP root of this host may manage domains and nobody else, "
                                  "unless vireod.conf says 'tcp_auth = none'; %s is not root's",
                                  rpc_session_peer(session)->text)
                   : error_report(
                         reterr, FROM_RPC, ERROR_AUTH_FAILED,
                         "user %u may not manage domains; be root or use the read-only socket",
                         (unsigned)rpc_session_peer_uid(session));
    ret->types.types_len = 1; /* 0: none needed, the peer's credentials sufficed */
    return 0;
}

/* virDrvFeature, as far as the remote protocol's: what this daemon does. */
enum {
    FEATURE_MIGRATION_P2P = 4,
    FEATURE_MIGRATION_V3 = 6,
    FEATURE_FD_PASSING = 8,
    FEATURE_TYPED_PARAM_STRING = 9,
    FEATURE_PROGRAM_KEEPALIVE = 10,
    FEATURE_XML_MIGRATABLE = 11,
    FEATURE_MIGRATION_OFFLINE = 12,
    FEATURE_MIGRATION_PARAMS = 13,
    FEATURE_REMOTE_EVENT_CALLBACK = 14,
    FEATURE_REMOTE_CLOSE_CALLBACK = 15
};

HANDLER(supports_feature) {
    remote_connect_supports_feature_args *args = args_;
    remote_connect_supports_feature_ret *ret = ret_;

    switch (args->feature) {
    case FEATURE_PROGRAM_KEEPALIVE: /* from here on the daemon may ping */
        rpc_session_enable_keepalive(session);
        ret->supported = 1;
        break;
    case FEATURE_MIGRATION_P2P:
    case FEATURE_MIGRATION_V3:
    case FEATURE_XML_MIGRATABLE:
    case FEATURE_MIGRATION_OFFLINE:
    case FEATURE_MIGRATION_PARAMS:
    case FEATURE_TYPED_PARAM_STRING:
    case FEATURE_REMOTE_EVENT_CALLBACK:
    case FEATURE_REMOTE_CLOSE_CALLBACK:
        ret->supported = 1;
        break;
    case FEATURE_FD_PASSING:
        ret->supported = !*rpc_session_peer(session)->host;
        break;
    default:
        break;
    }
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

/* What the emulator of the host's own architecture can do. */
static int host_caps(RpcSession *session, QemuCaps **ret, Error **reterr) {
    CLEANUP_FREE char *emulator = NULL;
    struct utsname host;

    uname(&host);
    emulator = qemu_default_emulator(host.machine);
    if (!emulator)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "no emulator is known for this host");
    return qemu_caps_get(driver_of(session)->services.caps, emulator, ret, reterr);
}

HANDLER(get_version) {
    remote_connect_get_version_ret *ret = ret_;
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    int r = host_caps(session, &caps, reterr);

    if (r >= 0)
        ret->hv_ver = caps->major * UINT64_C(1000000) + caps->minor * 1000 + caps->micro;
    return r;
}

/* The libvirt release whose protocol and behaviour this is, not our own: clients decide by it what
 * they may ask for. */
HANDLER(get_lib_version) {
    ((remote_connect_get_lib_version_ret *)ret_)->lib_ver = LIBVIRT_VERSION_ANSWERED;
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

    ret->secure = !*rpc_session_peer(session)->host; /* a unix socket is */
    return 0;
}

HANDLER(nothing) {
    return 0;
}

HANDLER(get_max_vcpus) {
    const char *type = dispatch_opt(((remote_connect_get_max_vcpus_args *)args_)->type);
    remote_connect_get_max_vcpus_ret *ret = ret_;
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    const QemuMachine *machine;
    int r = 0;

    if (type && !streq(type, "qemu") && !streq(type, "kvm"))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "unknown type '%.40s'", type);
    r = host_caps(session, &caps, reterr);
    if (r < 0)
        return r;
    machine = qemu_caps_machine(caps, NULL);
    ret->max_vcpus = machine ? (int)machine->cpu_max : 1;
    return 0;
}

HANDLER(get_domain_capabilities) {
    remote_connect_get_domain_capabilities_args *args = args_;
    remote_connect_get_domain_capabilities_ret *ret = ret_;

    return qemu_caps_domain_xml(driver_of(session)->services.caps, dispatch_opt(args->emulatorbin),
                                dispatch_opt(args->arch), dispatch_opt(args->machine),
                                dispatch_opt(args->virttype), &ret->capabilities, reterr);
}

/* What the architecture's emulator can do. */
static int check_arch(const char *arch, Error **reterr) {
    if (!cpu_is_arch(arch))
        return error_report(reterr, FROM_NONE, ERROR_INVALID_ARG, "cannot find architecture %.100s",
                            arch);
    return cpu_has_names(arch)
               ? 0
               : error_report(reterr, FROM_CPU, ERROR_NO_SUPPORT,
                              "no CPU models of architecture '%.40s' are named", arch);
}

HANDLER(get_cpu_model_names) {
    const remote_connect_get_cpu_model_names_args *args = args_;
    remote_connect_get_cpu_model_names_ret *ret = ret_;
    const char *const *names;
    size_t n;
    int r = dispatch_flags(args->flags, 0, "virConnectGetCPUModelNames", reterr);

    if (r >= 0)
        r = check_arch(args->arch, reterr);
    if (r < 0)
        return r;
    names = cpu_names(args->arch, &n);
    ret->ret = (int)n;
    if (!args->need_results || n == 0)
        return 0;
    ret->models.models_val = calloc(n, sizeof(remote_string));
    if (!ret->models.models_val)
        return error_no_memory(reterr);
    ret->models.models_len = (u_int)n;
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = dispatch_string(&ret->models.models_val[i], names[i], reterr);
    return r;
}

#define EARLY (RPC_PROC_BEFORE_AUTH | RPC_PROC_BEFORE_OPEN)

HANDLER(xml_to_native) {
    const remote_connect_domain_xml_to_native_args *args = args_;
    remote_connect_domain_xml_to_native_ret *ret = ret_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0 && !streq(args->nativeFormat, "qemu-argv"))
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "unsupported config type %.100s",
                         args->nativeFormat);
    return r < 0 ? r
                 : driver_native(driver_of(session), args->domainXml, &ret->nativeConfig, reterr);
}

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
    {REMOTE_PROC_CONNECT_GET_MAX_VCPUS, "virConnectGetMaxVcpus", 0, get_max_vcpus,
     XDR_OF(remote_connect_get_max_vcpus_args), XDR_OF(remote_connect_get_max_vcpus_ret)},
    {REMOTE_PROC_CONNECT_GET_DOMAIN_CAPABILITIES, "virConnectGetDomainCapabilities", RPC_PROC_WRITE,
     get_domain_capabilities, XDR_OF(remote_connect_get_domain_capabilities_args),
     XDR_OF(remote_connect_get_domain_capabilities_ret)},
    {REMOTE_PROC_CONNECT_GET_CPU_MODEL_NAMES, "virConnectGetCPUModelNames", 0, get_cpu_model_names,
     XDR_OF(remote_connect_get_cpu_model_names_args),
     XDR_OF(remote_connect_get_cpu_model_names_ret)},
    {REMOTE_PROC_CONNECT_DOMAIN_XML_TO_NATIVE, "virConnectDomainXMLToNative",
     RPC_PROC_WRITE | RPC_PROC_HEAVY, xml_to_native,
     XDR_OF(remote_connect_domain_xml_to_native_args),
     XDR_OF(remote_connect_domain_xml_to_native_ret)},
};
const size_t connect_n_procs = ARRAY_SIZE(connect_procs);
