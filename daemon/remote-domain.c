/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One domain as a client sees it: state, memory, marks, XML. */
#include "access.h"
#include "daemon.h"
#include "util/proc.h"

/* virDomainControlState */
enum { CONTROL_OK = 0, CONTROL_JOB = 1 };

DOMAIN_FUNC(get_info, void, remote_domain_get_info_ret) {
    const DomainDef *def = domain_def(domain);
    uint64_t cpu_ns = 0;

    ret->state = domain->state;
    ret->maxMem = def->memory_kib;
    ret->memory = def->current_memory_kib;
    ret->nrVirtCpu = domain_def_online_vcpus(def);
    if (domain_is_active(domain) && proc_cpu_time(domain->run->pid.pid, &cpu_ns) >= 0)
        ret->cpuTime = cpu_ns;
    return 0;
}

DOMAIN_FUNC(get_state, void, remote_domain_get_state_ret) {
    ret->state = domain->state;
    ret->reason = domain->reason;
    return 0;
}

DOMAIN_FUNC(get_os_type, void, remote_domain_get_os_type_ret) {
    return dispatch_string(&ret->type, "hvm", reterr);
}

DOMAIN_FUNC(is_active, void, remote_int_ret) {
    ret->value = domain_is_active(domain);
    return 0;
}

DOMAIN_FUNC(is_persistent, void, remote_int_ret) {
    ret->value = domain->config != NULL;
    return 0;
}

/* For whatever no domain has here: checkpoints, an update at run time. */
DOMAIN_FUNC(nothing, void, void) {
    return 0;
}

DOMAIN_FUNC(get_max_memory, void, remote_domain_get_max_memory_ret) {
    ret->memory = domain_def(domain)->memory_kib;
    return 0;
}

DOMAIN_FUNC(get_autostart, void, remote_int_ret) {
    ret->value = domain->autostart;
    return 0;
}

DOMAIN_FUNC(set_autostart, remote_domain_set_autostart_args, void) {
    return driver_set_autostart(domain, args->autostart != 0, reterr);
}

DOMAIN_FUNC(get_control_info, void, remote_domain_get_control_info_ret) {
    if (!domain_is_active(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    ret->state = domain->jobs ? CONTROL_JOB : CONTROL_OK;
    return 0;
}

/* ---- messages ---- */

static bool run_is_root(const DomainRun *run) {
    for (size_t i = 0; i < run->live->n_seclabels; i++)
        if (streq_ptr(run->live->seclabels[i].model, "dac") && run->live->seclabels[i].label)
            return strncmp(run->live->seclabels[i].label, "+0:", 3) == 0;
    return false;
}

static bool run_has_arguments(const DomainRun *run) {
    return run->live->qemu.has_commandline || run->live->qemu.has_override;
}

static bool run_was_commanded(const DomainRun *run) {
    return run->commanded;
}

static bool run_passes_cpu(const DomainRun *run) {
    return run->live->virt == DOMAIN_VIRT_KVM && run->live->cpu.mode == CPU_MODE_HOST_PASSTHROUGH;
}

enum { /* virDomainMessageType */ MESSAGE_DEPRECATION = 1, MESSAGE_TAINTING = 2 };

/* libvirt's sentences. */
static const struct {
    bool (*applies)(const DomainRun *run);
    const char *text;
} taints[] = {{run_is_root, "tainted: running with undesirable elevated privileges"},
              {run_has_arguments, "tainted: custom configuration parameters specified"},
              {run_was_commanded, "tainted: custom monitor control commands issued"},
              {run_passes_cpu, "tainted: potentially unsafe use of host CPU passthrough"}};

DOMAIN_FUNC(get_messages, remote_domain_flags_args, remote_domain_get_messages_ret) {
    const bool all = args->flags == 0;
    int r = 0;

    if (!domain_is_active(domain) || !(all || args->flags & MESSAGE_TAINTING))
        return 0;
    ret->msgs.msgs_val = calloc(ARRAY_SIZE(taints), sizeof(remote_string));
    if (!ret->msgs.msgs_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(taints); i++)
        if (taints[i].applies(domain->run))
            r = dispatch_string(&ret->msgs.msgs_val[ret->msgs.msgs_len++], taints[i].text, reterr);
    return r;
}

HANDLER(get_xml_desc) {
    remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags, XML_SECURE | XML_INACTIVE | XML_UPDATE_CPU | XML_MIGRATABLE,
                           call->proc->api, reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r < 0)
        return r;
    if ((args->flags & (XML_SECURE | XML_MIGRATABLE)) && rpc_session_readonly(session))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_DENIED,
                            "virDomainGetXMLDesc with secure flag");
    if (args->flags & (XML_SECURE | XML_MIGRATABLE))
        r = access_check(client_of(session), ACCESS_WRITE, domain, reterr);
    if (r < 0)
        return r;
    return driver_dump_xml(domain, args->flags, &((remote_domain_get_xml_desc_ret *)ret_)->xml,
                           reterr);
}

const RpcProc domain_procs[] = {
    PLAIN_ROW(DOMAIN_GET_INFO, "DomainGetInfo", 0, get_info, remote_domain_args,
              XDR_OF(remote_domain_get_info_ret)),
    FLAGS_ROW(DOMAIN_GET_STATE, "DomainGetState", 0, get_state, 0, remote_domain_flags_args,
              XDR_OF(remote_domain_get_state_ret)),
    PLAIN_ROW(DOMAIN_GET_OS_TYPE, "DomainGetOSType", 0, get_os_type, remote_domain_args,
              XDR_OF(remote_domain_get_os_type_ret)),
    PLAIN_ROW(DOMAIN_IS_ACTIVE, "DomainIsActive", 0, is_active, remote_domain_args,
              XDR_OF(remote_int_ret)),
    PLAIN_ROW(DOMAIN_IS_PERSISTENT, "DomainIsPersistent", 0, is_persistent, remote_domain_args,
              XDR_OF(remote_int_ret)),
    PLAIN_ROW(DOMAIN_IS_UPDATED, "DomainIsUpdated", 0, nothing, remote_domain_args,
              XDR_OF(remote_int_ret)),
    PLAIN_ROW(DOMAIN_GET_MAX_MEMORY, "DomainGetMaxMemory", 0, get_max_memory, remote_domain_args,
              XDR_OF(remote_domain_get_max_memory_ret)),
    PLAIN_ROW(DOMAIN_GET_AUTOSTART, "DomainGetAutostart", 0, get_autostart, remote_domain_args,
              XDR_OF(remote_int_ret)),
    PLAIN_ROW(DOMAIN_SET_AUTOSTART, "DomainSetAutostart", RPC_PROC_WRITE, set_autostart,
              remote_domain_set_autostart_args, NO_XDR),
    FLAGS_ROW(DOMAIN_GET_CONTROL_INFO, "DomainGetControlInfo", 0, get_control_info, 0,
              remote_domain_flags_args, XDR_OF(remote_domain_get_control_info_ret)),
    FLAGS_ROW(DOMAIN_GET_MESSAGES, "DomainGetMessages", 0, get_messages,
              MESSAGE_DEPRECATION | MESSAGE_TAINTING, remote_domain_flags_args,
              XDR_OF(remote_domain_get_messages_ret)),
    {REMOTE_PROC_DOMAIN_GET_XML_DESC, "virDomainGetXMLDesc", RPC_PROC_ON_DOMAIN, get_xml_desc,
     XDR_OF(remote_domain_flags_args), XDR_OF(remote_domain_get_xml_desc_ret)},
    PLAIN_ROW(DOMAIN_LIST_ALL_CHECKPOINTS, "DomainListAllCheckpoints", 0, nothing,
              remote_domain_list_all_args, XDR_OF(remote_empty_list_ret)),
};
const size_t domain_n_procs = ARRAY_SIZE(domain_procs);
