/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest by its agent: what it tells of itself, and what it is told. */
#include "daemon.h"
#include "driver/guest-set.h"
#include "params.h"
#include "qemu/agent.h"
#include "util/json.h"

#define FSINFO_MAX 256u /* the protocol's; also of the devices of one */

/* ---- telling it ---- */

#define TIME_SYNC 1
#define PASSWORD_ENCRYPTED 1
enum { KEYS_APPEND = 1, KEYS_REMOVE = 2 };

DOMAIN_FUNC(set_time, remote_domain_set_time_args, void) {
    return driver_set_guest_time(domain, args->seconds, args->nseconds, args->flags & TIME_SYNC,
                                 reterr);
}

DOMAIN_FUNC(set_password, remote_domain_set_user_password_args, void) {
    const char *user = dispatch_opt(args->user), *password = dispatch_opt(args->password);

    if (!user || !password)
        return error_argument(reterr, "virDomainSetUserPassword", user ? "password" : "user",
                              "a user and a password are needed");
    return driver_set_user_password(domain, user, password, args->flags & PASSWORD_ENCRYPTED,
                                    reterr);
}

DOMAIN_FUNC(get_keys, remote_domain_authorized_ssh_keys_get_args,
            remote_domain_authorized_ssh_keys_get_ret) {
    CLEANUP_JSON json_object *value = NULL;
    json_object *keys;
    int r = driver_get_ssh_keys(domain, args->user, &value, reterr);
    size_t n;

    if (r < 0)
        return r;
    keys = json_member(value, "keys");
    n = MIN_OF(json_length(keys), (size_t)2048);
    ret->keys.keys_val = calloc(n + 1, sizeof(remote_string));
    if (!ret->keys.keys_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        const char *key = json_object_get_string(json_object_array_get_idx(keys, i));

        r = dispatch_string(&ret->keys.keys_val[ret->keys.keys_len++], key ? key : "", reterr);
    }
    return r;
}

DOMAIN_FUNC(set_keys, remote_domain_authorized_ssh_keys_set_args, void) {
    const SshKeysChange how = args->flags & KEYS_REMOVE   ? SSH_KEYS_REMOVE
                              : args->flags & KEYS_APPEND ? SSH_KEYS_APPEND
                                                          : SSH_KEYS_REPLACE;

    if ((args->flags & KEYS_APPEND) && (args->flags & KEYS_REMOVE))
        return error_argument(reterr, "virDomainAuthorizedSSHKeysSet", "flags",
                              "append and remove flags are mutually exclusive");
    return driver_set_ssh_keys(domain, args->user, args->keys.keys_val, args->keys.keys_len, how,
                               reterr);
}

DOMAIN_FUNC(pm_suspend, remote_domain_pm_suspend_for_duration_args, void) {
    if (args->duration)
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "Duration not supported. Use 0 for now");
    return driver_pm_suspend(domain, args->target, reterr);
}

DOMAIN_FUNC(pm_wakeup, remote_domain_flags_args, void) {
    return driver_pm_wakeup(domain, reterr);
}

DOMAIN_FUNC(set_timeout, remote_domain_agent_set_response_timeout_args, remote_int_ret) {
    return driver_set_agent_timeout(domain, args->timeout, reterr);
}

/* ---- its file systems ---- */

static int64_t part_of(json_object *pci, const char *name) {
    return json_member_int(pci, name, -1);
}

/* The disk at the address that the agent tells; NULL: it is none of the definition's. */
static const char *find_target(const DomainDef *def, json_object *disk) {
    json_object *pci = json_member(disk, "pci-controller");

    for (size_t i = 0; pci && i < def->n_disks; i++) {
        const DeviceAddress *address = &def->disks[i].info.address;

        if (address->type == ADDRESS_PCI &&
            (int64_t)address->pci.domain == part_of(pci, "domain") &&
            (int64_t)address->pci.bus == part_of(pci, "bus") &&
            (int64_t)address->pci.slot == part_of(pci, "slot") &&
            (int64_t)address->pci.function == part_of(pci, "function"))
            return def->disks[i].target;
    }
    return NULL;
}

static int fill_aliases(const DomainDef *def, json_object *disks, remote_domain_fsinfo *ret,
                        Error **reterr) {
    const size_t n = MIN_OF(json_length(disks), (size_t)FSINFO_MAX);
    int r = 0;

    ret->dev_aliases.dev_aliases_val = calloc(n + 1, sizeof(remote_string));
    if (!ret->dev_aliases.dev_aliases_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        const char *target = find_target(def, json_object_array_get_idx(disks, i));

        if (target)
            r = dispatch_string(
                &ret->dev_aliases.dev_aliases_val[ret->dev_aliases.dev_aliases_len++], target,
                reterr);
    }
    return r;
}

static int fill_fsinfo(const DomainDef *def, json_object *row, remote_domain_fsinfo *ret,
                       Error **reterr) {
    const char *mountpoint = json_member_string(row, "mountpoint");
    const char *name = json_member_string(row, "name"), *type = json_member_string(row, "type");
    int r = dispatch_string(&ret->mountpoint, mountpoint ? mountpoint : "", reterr);

    if (r >= 0)
        r = dispatch_string(&ret->name, name ? name : "", reterr);
    if (r >= 0)
        r = dispatch_string(&ret->fstype, type ? type : "", reterr);
    return r < 0 ? r : fill_aliases(def, json_member(row, "disk"), ret, reterr);
}

DOMAIN_FUNC(get_fsinfo, remote_domain_flags_args, remote_domain_get_fsinfo_ret) {
    CLEANUP_JSON json_object *value = NULL;
    int r = driver_agent_run(domain, "guest-get-fsinfo", NULL, AGENT_DEFAULT, &value, reterr);
    size_t n;

    if (r < 0)
        return r;
    n = MIN_OF(json_length(value), (size_t)FSINFO_MAX);
    ret->info.info_val = calloc(n + 1, sizeof(remote_domain_fsinfo));
    if (!ret->info.info_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = fill_fsinfo(domain_def(domain), json_object_array_get_idx(value, i),
                        &ret->info.info_val[ret->info.info_len++], reterr);
    ret->ret = ret->info.info_len;
    return r;
}

/* ---- what it tells of itself ---- */

/* virDomainGuestInfoTypes */
enum {
    INFO_USERS = 1,
    INFO_OS = 2,
    INFO_TIMEZONE = 4,
    INFO_HOSTNAME = 8,
    INFO_FILESYSTEM = 16,
    INFO_DISKS = 32,
    INFO_INTERFACES = 64,
    INFO_LOAD = 128,
    INFO_ALL = 255
};

/* A text of the answer under a name of the reply; nothing when it is not there. */
static void add_text(Params *params, json_object *from, const char *key, const char *name) {
    const char *text = json_member_string(from, key);

    if (text)
        params_add_string(params, name, text);
}

static void add_users(Params *params, json_object *value, const DomainDef *def) {
    const unsigned n = (unsigned)MIN_OF(json_length(value), (size_t)200);

    params_add_uint(params, "user.count", n);
    for (unsigned i = 0; i < n; i++) {
        json_object *row = json_object_array_get_idx(value, i),
                    *time = json_member(row, "login-time");

        add_text(params, row, "user", params_name(params, "user.%u.name", i));
        add_text(params, row, "domain", params_name(params, "user.%u.domain", i));
        params_add_ullong(params, params_name(params, "user.%u.login-time", i),
                          (uint64_t)(json_object_get_double(time) * 1000));
    }
}

static void add_os(Params *params, json_object *value, const DomainDef *def) {
    static const char *const names[] = {
        "id",      "name",    "pretty-name", "version",        "version-id",
        "machine", "variant", "variant-id",  "kernel-release", "kernel-version"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        add_text(params, value, names[i], params_name(params, "os.%s", names[i]));
}

static void add_timezone(Params *params, json_object *value, const DomainDef *def) {
    add_text(params, value, "zone", "timezone.name");
    params_add_int(params, "timezone.offset", (int)json_member_int(value, "offset", 0));
}

static void add_hostname(Params *params, json_object *value, const DomainDef *def) {
    add_text(params, value, "host-name", "hostname");
}

static void add_disk_of_fs(Params *params, json_object *disk, unsigned fs, unsigned i,
                           const DomainDef *def) {
    const char *target = find_target(def, disk);

    if (target)
        params_add_string(params, params_name(params, "fs.%u.disk.%u.alias", fs, i), target);
    add_text(params, disk, "serial", params_name(params, "fs.%u.disk.%u.serial", fs, i));
    add_text(params, disk, "dev", params_name(params, "fs.%u.disk.%u.device", fs, i));
}

static void add_filesystems(Params *params, json_object *value, const DomainDef *def) {
    const unsigned n = (unsigned)MIN_OF(json_length(value), (size_t)100);

    params_add_uint(params, "fs.count", n);
    for (unsigned i = 0; i < n; i++) {
        json_object *row = json_object_array_get_idx(value, i), *disks = json_member(row, "disk");
        const unsigned n_disks = (unsigned)MIN_OF(json_length(disks), (size_t)8);

        add_text(params, row, "mountpoint", params_name(params, "fs.%u.mountpoint", i));
        add_text(params, row, "name", params_name(params, "fs.%u.name", i));
        add_text(params, row, "type", params_name(params, "fs.%u.fstype", i));
        if (json_member(row, "total-bytes"))
            params_add_ullong(params, params_name(params, "fs.%u.total-bytes", i),
                              json_member_uint(row, "total-bytes", 0));
        if (json_member(row, "used-bytes"))
            params_add_ullong(params, params_name(params, "fs.%u.used-bytes", i),
                              json_member_uint(row, "used-bytes", 0));
        params_add_uint(params, params_name(params, "fs.%u.disk.count", i), n_disks);
        for (unsigned k = 0; k < n_disks; k++)
            add_disk_of_fs(params, json_object_array_get_idx(disks, k), i, k, def);
    }
}

static void add_disks(Params *params, json_object *value, const DomainDef *def) {
    const unsigned n = (unsigned)MIN_OF(json_length(value), (size_t)200);

    params_add_uint(params, "disk.count", n);
    for (unsigned i = 0; i < n; i++) {
        json_object *row = json_object_array_get_idx(value, i);
        const char *target = find_target(def, json_member(row, "address"));

        add_text(params, row, "name", params_name(params, "disk.%u.name", i));
        params_add_bool(params, params_name(params, "disk.%u.partition", i),
                        json_member_bool(row, "partition", false));
        if (target)
            params_add_string(params, params_name(params, "disk.%u.alias", i), target);
        add_text(params, row, "alias", params_name(params, "disk.%u.guest_alias", i));
    }
}

static void add_interfaces(Params *params, json_object *value, const DomainDef *def) {
    const unsigned n = (unsigned)MIN_OF(json_length(value), (size_t)100);

    params_add_uint(params, "if.count", n);
    for (unsigned i = 0; i < n; i++) {
        json_object *row = json_object_array_get_idx(value, i);
        json_object *list = json_member(row, "ip-addresses");
        const unsigned n_addresses = (unsigned)MIN_OF(json_length(list), (size_t)8);

        add_text(params, row, "name", params_name(params, "if.%u.name", i));
        add_text(params, row, "hardware-address", params_name(params, "if.%u.hwaddr", i));
        params_add_uint(params, params_name(params, "if.%u.addr.count", i), n_addresses);
        for (unsigned k = 0; k < n_addresses; k++) {
            json_object *address = json_object_array_get_idx(list, k);

            add_text(params, address, "ip-address-type",
                     params_name(params, "if.%u.addr.%u.type", i, k));
            add_text(params, address, "ip-address",
                     params_name(params, "if.%u.addr.%u.addr", i, k));
            params_add_uint(params, params_name(params, "if.%u.addr.%u.prefix", i, k),
                            (unsigned)json_member_int(address, "prefix", 0));
        }
    }
}

static void add_load(Params *params, json_object *value, const DomainDef *def) {
    static const char *const minutes[] = {"1m", "5m", "15m"};

    for (size_t i = 0; i < ARRAY_SIZE(minutes); i++) {
        CLEANUP_FREE char *key = NULL;

        if (asprintf(&key, "load%s", minutes[i]) < 0) {
            params->failed = true;
            return;
        }
        params_add_double(params, params_name(params, "load.%s", minutes[i]),
                          json_object_get_double(json_member(value, key)));
    }
}

static const struct {
    unsigned type;
    const char *command;
    void (*add)(Params *params, json_object *value, const DomainDef *def);
} infos[] = {{INFO_USERS, "guest-get-users", add_users},
             {INFO_OS, "guest-get-osinfo", add_os},
             {INFO_TIMEZONE, "guest-get-timezone", add_timezone},
             {INFO_HOSTNAME, "guest-get-host-name", add_hostname},
             {INFO_FILESYSTEM, "guest-get-fsinfo", add_filesystems},
             {INFO_DISKS, "guest-get-disks", add_disks},
             {INFO_INTERFACES, "guest-network-get-interfaces", add_interfaces},
             {INFO_LOAD, "guest-get-load", add_load}};

/* Whatever was asked for must be there; of all, what this agent does not know is left out. */
DOMAIN_FUNC(get_guest_info, remote_domain_get_guest_info_args, remote_domain_get_guest_info_ret) {
    const unsigned types = args->types ? args->types : INFO_ALL;
    CLEANUP_PARAMS Params params = {0};
    int r = 0;

    if (types & ~(unsigned)INFO_ALL)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "unsupported guest information types '0x%x'",
                            types & ~(unsigned)INFO_ALL);
    for (size_t i = 0; i < ARRAY_SIZE(infos); i++) {
        CLEANUP_JSON json_object *value = NULL;
        CLEANUP_ERROR Error *error = NULL;

        if (!(types & infos[i].type))
            continue;
        r = driver_agent_run(domain, infos[i].command, NULL, AGENT_DEFAULT, &value, &error);
        if (r < 0 && (args->types || (error && error->code == ERROR_AGENT_UNRESPONSIVE) ||
                      domain->state != DOMAIN_RUNNING || !domain->run || !domain->run->agent))
            return error_propagate(reterr, TAKE_PTR(error));
        if (r >= 0)
            infos[i].add(&params, value, domain_def(domain));
    }
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

const RpcProc agent_procs[] = {
    FLAGS_ROW(DOMAIN_SET_TIME, "DomainSetTime", RPC_PROC_WRITE, set_time, TIME_SYNC,
              remote_domain_set_time_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SET_USER_PASSWORD, "DomainSetUserPassword", RPC_PROC_WRITE, set_password,
              PASSWORD_ENCRYPTED, remote_domain_set_user_password_args, NO_XDR),
    FLAGS_ROW(DOMAIN_AUTHORIZED_SSH_KEYS_GET, "DomainAuthorizedSSHKeysGet", RPC_PROC_WRITE,
              get_keys, 0, remote_domain_authorized_ssh_keys_get_args,
              XDR_OF(remote_domain_authorized_ssh_keys_get_ret)),
    FLAGS_ROW(DOMAIN_AUTHORIZED_SSH_KEYS_SET, "DomainAuthorizedSSHKeysSet", RPC_PROC_WRITE,
              set_keys, KEYS_APPEND | KEYS_REMOVE, remote_domain_authorized_ssh_keys_set_args,
              NO_XDR),
    FLAGS_ROW(DOMAIN_PM_SUSPEND_FOR_DURATION, "DomainPMSuspendForDuration", RPC_PROC_WRITE,
              pm_suspend, 0, remote_domain_pm_suspend_for_duration_args, NO_XDR),
    FLAGS_ROW(DOMAIN_PM_WAKEUP, "DomainPMWakeup", RPC_PROC_WRITE, pm_wakeup, 0,
              remote_domain_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_AGENT_SET_RESPONSE_TIMEOUT, "DomainAgentSetResponseTimeout", RPC_PROC_WRITE,
              set_timeout, 0, remote_domain_agent_set_response_timeout_args,
              XDR_OF(remote_int_ret)),
    FLAGS_ROW(DOMAIN_GET_FSINFO, "DomainGetFSInfo", RPC_PROC_WRITE, get_fsinfo, 0,
              remote_domain_flags_args, XDR_OF(remote_domain_get_fsinfo_ret)),
    FLAGS_ROW(DOMAIN_GET_GUEST_INFO, "DomainGetGuestInfo", RPC_PROC_WRITE, get_guest_info, 0,
              remote_domain_get_guest_info_args, XDR_OF(remote_domain_get_guest_info_ret)),
};
const size_t agent_n_procs = ARRAY_SIZE(agent_procs);
