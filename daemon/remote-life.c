/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's life: define, create, start, stop and what is between. */
#include "daemon.h"

HANDLER(define_xml) {
    remote_domain_define_xml_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = driver_define(driver_of(session), args->xml, &domain, reterr);

    return r < 0 ? r : dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr);
}

/* VALIDATE (1) asks for a check against a schema: the parser's own checks are always on. */
HANDLER(define_xml_flags) {
    remote_domain_define_xml_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags, 1, "qemuDomainDefineXMLFlags", reterr);

    if (r >= 0)
        r = driver_define(driver_of(session), args->xml, &domain, reterr);
    return r < 0 ? r : dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr);
}

HANDLER(undefine) {
    remote_domain_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    return r < 0 ? r : driver_undefine(domain, reterr);
}

/* The flags name things to remove with it that no domain has here. */
HANDLER(undefine_flags) {
    remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r >= 0)
        r = dispatch_flags(args->flags, 0x7f, "qemuDomainUndefineFlags", reterr);
    return r < 0 ? r : driver_undefine(domain, reterr);
}

HANDLER(create_xml) {
    remote_domain_create_xml_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags, START_PAUSED | START_VALIDATE, "qemuDomainCreateXML",
                           reterr);

    if (r >= 0)
        r = driver_create_xml(driver_of(session), args->xml_desc, args->flags & START_PAUSED,
                              &domain, reterr);
    return r < 0 ? r : dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr);
}

HANDLER(create) {
    remote_domain_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    return r < 0 ? r : driver_start(domain, false, reterr);
}

HANDLER(create_with_flags) {
    remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r >= 0)
        r = dispatch_flags(args->flags,
                           START_PAUSED | START_BYPASS_CACHE | START_FORCE_BOOT | START_VALIDATE,
                           "qemuDomainCreateWithFlags", reterr);
    if (r >= 0)
        r = driver_start(domain, args->flags & START_PAUSED, reterr);
    return r < 0 ? r : dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr);
}

HANDLER(destroy) {
    remote_domain_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    return r < 0 ? r : driver_destroy(domain, false, reterr);
}

HANDLER(destroy_flags) {
    remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r >= 0)
        r = dispatch_flags(args->flags, 1, "qemuDomainDestroyFlags", reterr);
    return r < 0 ? r : driver_destroy(domain, args->flags & 1, reterr);
}

enum { STOP_ACPI = 1, STOP_AGENT = 2 };

/* How the guest is asked: by the power button; the agent and other ways are not there. */
static int check_mode(unsigned flags, const char *function, Error **reterr) {
    int r = dispatch_flags(flags, STOP_ACPI | STOP_AGENT, function, reterr);

    if (r >= 0 && flags == STOP_AGENT)
        r = error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                         "QEMU guest agent is not connected");
    return r;
}

HANDLER(shutdown_domain) {
    remote_domain_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    return r < 0 ? r : driver_shutdown(domain, reterr);
}

HANDLER(shutdown_flags) {
    remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r >= 0)
        r = check_mode(args->flags, "qemuDomainShutdownFlags", reterr);
    return r < 0 ? r : driver_shutdown(domain, reterr);
}

HANDLER(reboot) {
    remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r >= 0)
        r = check_mode(args->flags, "qemuDomainReboot", reterr);
    return r < 0 ? r : driver_reboot(domain, reterr);
}

HANDLER(reset) {
    remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r >= 0)
        r = dispatch_flags(args->flags, 0, "qemuDomainReset", reterr);
    return r < 0 ? r : driver_reset(domain, reterr);
}

HANDLER(suspend) {
    remote_domain_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    return r < 0 ? r : driver_suspend(domain, reterr);
}

HANDLER(resume) {
    remote_domain_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    return r < 0 ? r : driver_resume(domain, reterr);
}

const RpcProc life_procs[] = {
    {REMOTE_PROC_DOMAIN_DEFINE_XML, "virDomainDefineXML", RPC_PROC_WRITE, define_xml,
     XDR_OF(remote_domain_define_xml_args), XDR_OF(remote_domain_ret)},
    {REMOTE_PROC_DOMAIN_DEFINE_XML_FLAGS, "virDomainDefineXMLFlags", RPC_PROC_WRITE,
     define_xml_flags, XDR_OF(remote_domain_define_xml_flags_args), XDR_OF(remote_domain_ret)},
    {REMOTE_PROC_DOMAIN_UNDEFINE, "virDomainUndefine", RPC_PROC_WRITE, undefine,
     XDR_OF(remote_domain_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, "virDomainUndefineFlags", RPC_PROC_WRITE, undefine_flags,
     XDR_OF(remote_domain_flags_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_CREATE_XML, "virDomainCreateXML", RPC_PROC_WRITE, create_xml,
     XDR_OF(remote_domain_create_xml_args), XDR_OF(remote_domain_ret)},
    {REMOTE_PROC_DOMAIN_CREATE, "virDomainCreate", RPC_PROC_WRITE, create,
     XDR_OF(remote_domain_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_CREATE_WITH_FLAGS, "virDomainCreateWithFlags", RPC_PROC_WRITE,
     create_with_flags, XDR_OF(remote_domain_flags_args), XDR_OF(remote_domain_ret)},
    {REMOTE_PROC_DOMAIN_DESTROY, "virDomainDestroy", RPC_PROC_WRITE, destroy,
     XDR_OF(remote_domain_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_DESTROY_FLAGS, "virDomainDestroyFlags", RPC_PROC_WRITE, destroy_flags,
     XDR_OF(remote_domain_flags_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_SHUTDOWN, "virDomainShutdown", RPC_PROC_WRITE, shutdown_domain,
     XDR_OF(remote_domain_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_SHUTDOWN_FLAGS, "virDomainShutdownFlags", RPC_PROC_WRITE, shutdown_flags,
     XDR_OF(remote_domain_flags_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_REBOOT, "virDomainReboot", RPC_PROC_WRITE, reboot,
     XDR_OF(remote_domain_flags_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_RESET, "virDomainReset", RPC_PROC_WRITE, reset,
     XDR_OF(remote_domain_flags_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_SUSPEND, "virDomainSuspend", RPC_PROC_WRITE, suspend,
     XDR_OF(remote_domain_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_RESUME, "virDomainResume", RPC_PROC_WRITE, resume,
     XDR_OF(remote_domain_args), NO_XDR},
};
const size_t life_n_procs = ARRAY_SIZE(life_procs);
