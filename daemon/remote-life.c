/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's life: define, create, start, stop and what is between. */
#include "daemon.h"
#include "driver/guest-set.h"
#include "driver/auto-destroy.h"
#include "driver/rename.h"

/* What may be said of what is removed with a definition, or is not. */
enum {
    UNDEFINE_ALL = UNDEFINE_MANAGED_SAVE | UNDEFINE_SNAPSHOTS_METADATA | UNDEFINE_NVRAM |
                   UNDEFINE_KEEP_NVRAM | UNDEFINE_CHECKPOINTS_METADATA | UNDEFINE_TPM |
                   UNDEFINE_KEEP_TPM
};
enum { STOP_ACPI = 1, STOP_AGENT = 2 };

static int define(RpcSession *session, const char *xml, remote_domain_ret *ret, Error **reterr) {
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = driver_define(driver_of(session), xml, &domain, reterr);

    return r < 0 ? r : dispatch_make_domain(domain, &ret->dom, reterr);
}

HANDLER(define_xml) {
    remote_domain_define_xml_args *args = args_;

    return define(session, args->xml, ret_, reterr);
}

/* ---- validate ---- */

/* What the definition has and nobody knows: the first of it. */
typedef struct Unknown {
    bool found;
    char *path;
    int line;
} Unknown;

static void on_unknown(const char *path, int line, void *userdata) {
    Unknown *unknown = userdata;

    if (unknown->found)
        return;
    *unknown = (Unknown){true, strdup(path), line};
}

/* VALIDATE asks for a check against a schema. Ours are the tables of elements: what none of them
 * has is refused, which is left out with a warning otherwise. */
static int validate(const char *xml, bool wanted, Error **reterr) {
    Unknown unknown = {0};
    int r = wanted ? driver_check_xml(xml, on_unknown, NULL, &unknown, reterr) : 0;

    if (r >= 0 && unknown.found && !unknown.path)
        r = error_no_memory(reterr);
    else if (r >= 0 && unknown.found)
        r = error_report(reterr, FROM_XML, ERROR_XML_INVALID_SCHEMA,
                         "Unable to validate the definition: '%s' (line %d) is not known",
                         unknown.path, unknown.line);
    free(unknown.path);
    return r;
}

/* ---- define, create ---- */

HANDLER(define_xml_flags) {
    remote_domain_define_xml_flags_args *args = args_;
    int r = dispatch_flags(args->flags, DEFINE_VALIDATE, call->proc->api, reterr);

    if (r >= 0)
        r = validate(args->xml, args->flags & DEFINE_VALIDATE, reterr);
    return r < 0 ? r : define(session, args->xml, ret_, reterr);
}

HANDLER(create_xml) {
    remote_domain_create_xml_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags,
                           START_PAUSED | START_AUTODESTROY | START_VALIDATE | START_RESET_NVRAM,
                           call->proc->api, reterr);

    if (r >= 0)
        r = validate(args->xml_desc, args->flags & START_VALIDATE, reterr);
    if (r >= 0)
        r = driver_create_xml(driver_of(session), args->xml_desc, args->flags, &domain, reterr);
    if (r >= 0 && (args->flags & START_AUTODESTROY))
        driver_end_with(domain, rpc_session_id(session));
    return r < 0 ? r : dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr);
}

DOMAIN_FUNC(undefine, void, void) {
    return driver_undefine(domain, 0, reterr);
}

DOMAIN_FUNC(undefine_flags, remote_domain_flags_args, void) {
    return driver_undefine(domain, args->flags, reterr);
}

DOMAIN_FUNC(create, void, void) {
    return driver_start(domain, 0, reterr);
}

HANDLER(create_with_flags) {
    const remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags,
                           START_PAUSED | START_AUTODESTROY | START_BYPASS_CACHE |
                               START_FORCE_BOOT | START_VALIDATE | START_RESET_NVRAM,
                           call->proc->api, reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r >= 0)
        r = driver_start(domain, args->flags, reterr);
    if (r >= 0 && (args->flags & START_AUTODESTROY))
        driver_end_with(domain, rpc_session_id(session));
    return r < 0 ? r : dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr);
}

DOMAIN_FUNC(destroy, void, void) {
    return driver_destroy(domain, false, reterr);
}

DOMAIN_FUNC(destroy_flags, remote_domain_flags_args, void) {
    int r = driver_destroy(domain, args->flags & DESTROY_GRACEFUL, reterr);

    if (r >= 0 && (args->flags & DESTROY_REMOVE_LOGS))
        driver_remove_log(domain);
    return r;
}

DOMAIN_FUNC(shutdown_domain, void, void) {
    return driver_shutdown(domain, reterr);
}

/* The power button unless the agent alone is asked for. */
DOMAIN_FUNC(shutdown_flags, remote_domain_flags_args, void) {
    return args->flags == STOP_AGENT ? driver_agent_stop(domain, false, reterr)
                                     : driver_shutdown(domain, reterr);
}

DOMAIN_FUNC(reboot, remote_domain_flags_args, void) {
    return args->flags == STOP_AGENT ? driver_agent_stop(domain, true, reterr)
                                     : driver_reboot(domain, reterr);
}

DOMAIN_FUNC(reset, void, void) {
    return driver_reset(domain, reterr);
}

DOMAIN_FUNC(suspend, void, void) {
    return driver_suspend(domain, reterr);
}

DOMAIN_FUNC(resume, void, void) {
    return driver_resume(domain, reterr);
}

DOMAIN_FUNC(rename_domain, remote_domain_rename_args, remote_int_ret) {
    const char *name = dispatch_opt(args->new_name);

    return name ? driver_rename(domain, name, reterr)
                : error_argument(reterr, "virDomainRename", "new_name",
                                 "new_name in virDomainRename must not be NULL");
}

DOMAIN_FUNC(lifecycle_action, remote_domain_set_lifecycle_action_args, void) {
    return driver_set_lifecycle_action(domain, args->type, args->action, args->flags, reterr);
}

const RpcProc life_procs[] = {
    FLAGS_ROW(DOMAIN_RENAME, "DomainRename", RPC_PROC_WRITE, rename_domain, 0,
              remote_domain_rename_args, XDR_OF(remote_int_ret)),
    FLAGS_ROW(DOMAIN_SET_LIFECYCLE_ACTION, "DomainSetLifecycleAction", RPC_PROC_WRITE,
              lifecycle_action, AFFECT_LIVE | AFFECT_CONFIG,
              remote_domain_set_lifecycle_action_args, NO_XDR),
    {REMOTE_PROC_DOMAIN_DEFINE_XML, "virDomainDefineXML", RPC_PROC_WRITE, define_xml,
     XDR_OF(remote_domain_define_xml_args), XDR_OF(remote_domain_ret)},
    {REMOTE_PROC_DOMAIN_DEFINE_XML_FLAGS, "virDomainDefineXMLFlags", RPC_PROC_WRITE,
     define_xml_flags, XDR_OF(remote_domain_define_xml_flags_args), XDR_OF(remote_domain_ret)},
    {REMOTE_PROC_DOMAIN_CREATE_XML, "virDomainCreateXML", RPC_PROC_WRITE, create_xml,
     XDR_OF(remote_domain_create_xml_args), XDR_OF(remote_domain_ret)},
    PLAIN_ROW(DOMAIN_UNDEFINE, "DomainUndefine", RPC_PROC_WRITE, undefine, remote_domain_args,
              NO_XDR),
    FLAGS_ROW(DOMAIN_UNDEFINE_FLAGS, "DomainUndefineFlags", RPC_PROC_WRITE, undefine_flags,
              UNDEFINE_ALL, remote_domain_flags_args, NO_XDR),
    PLAIN_ROW(DOMAIN_CREATE, "DomainCreate", RPC_PROC_WRITE, create, remote_domain_args, NO_XDR),
    {REMOTE_PROC_DOMAIN_CREATE_WITH_FLAGS, "virDomainCreateWithFlags",
     RPC_PROC_WRITE | RPC_PROC_ON_DOMAIN, create_with_flags, XDR_OF(remote_domain_flags_args),
     XDR_OF(remote_domain_ret)},
    PLAIN_ROW(DOMAIN_DESTROY, "DomainDestroy", RPC_PROC_WRITE, destroy, remote_domain_args, NO_XDR),
    FLAGS_ROW(DOMAIN_DESTROY_FLAGS, "DomainDestroyFlags", RPC_PROC_WRITE, destroy_flags,
              DESTROY_GRACEFUL | DESTROY_REMOVE_LOGS, remote_domain_flags_args, NO_XDR),
    PLAIN_ROW(DOMAIN_SHUTDOWN, "DomainShutdown", RPC_PROC_WRITE, shutdown_domain,
              remote_domain_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SHUTDOWN_FLAGS, "DomainShutdownFlags", RPC_PROC_WRITE, shutdown_flags,
              STOP_ACPI | STOP_AGENT, remote_domain_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_REBOOT, "DomainReboot", RPC_PROC_WRITE, reboot, STOP_ACPI | STOP_AGENT,
              remote_domain_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_RESET, "DomainReset", RPC_PROC_WRITE, reset, 0, remote_domain_flags_args,
              NO_XDR),
    PLAIN_ROW(DOMAIN_SUSPEND, "DomainSuspend", RPC_PROC_WRITE, suspend, remote_domain_args, NO_XDR),
    PLAIN_ROW(DOMAIN_RESUME, "DomainResume", RPC_PROC_WRITE, resume, remote_domain_args, NO_XDR),
};
const size_t life_n_procs = ARRAY_SIZE(life_procs);
