/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is not there: checkpoints, backups, launch security, and what no
 * hypervisor of libvirt's QEMU driver has. Each call has the code that clients know how to go on
 * with; a look-up finds nothing, a list is empty. */
#include "daemon.h"

/* What the row's `data` says. */
typedef struct Absence {
    ErrorCode code;
    ErrorFrom from;
    const char *what;
} Absence;

/* ---- of no object ---- */

HANDLER(not_there) {
    const Absence *absence = call->proc->data;

    return error_report(reterr, absence->from, absence->code, "%s",
                        absence->what ? absence->what : call->proc->api);
}

HANDLER(no_binding) {
    return error_report(reterr, FROM_NWFILTER, ERROR_NO_NWFILTER_BINDING,
                        "no nwfilter binding for port dev '%.200s'",
                        ((remote_name_args *)args_)->name);
}

HANDLER(no_sources) {
    return error_report(reterr, FROM_STORAGE, ERROR_NO_SUPPORT,
                        "pool type '%.40s' does not support source discovery",
                        ((remote_connect_find_storage_pool_sources_args *)args_)->type);
}

/* ---- of a domain ---- */

DOMAIN_FUNC(no_checkpoint, remote_domain_named_args, void) {
    return error_report(reterr, FROM_DOMAIN_CHECKPOINT, ERROR_NO_DOMAIN_CHECKPOINT,
                        "no domain checkpoint with matching name '%.200s'", args->name);
}

DOMAIN_FUNC(no_backup, void, void) {
    return error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN_BACKUP, "no domain backup job present");
}

DOMAIN_FUNC(nothing, void, void) {
    return 0;
}

static int refuse(const char *what, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED, "%s", what);
}

DOMAIN_FUNC(refuse_checkpoint, void, void) {
    return refuse("checkpoints are not made here", reterr);
}

DOMAIN_FUNC(refuse_backup, void, void) {
    if (!domain_is_active(domain))
        return refuse("cannot perform disk backup for inactive domain", reterr);
    return refuse("backups are not made here; copy the image of the domain when it is shut off",
                  reterr);
}

DOMAIN_FUNC(refuse_launch_secret, void, void) {
    return refuse("setting a launch secret is only supported in SEV-enabled domains", reterr);
}

/* ---- rows ---- */

#define ABSENT_ROW(number, api, how, absence)                                                      \
    { REMOTE_PROC_##number, "vir" api, how, not_there, NO_XDR, NO_XDR, absence }

static const Absence no_driver = {ERROR_NO_SUPPORT, FROM_NONE, NULL},
                     no_sev = {ERROR_OPERATION_UNSUPPORTED, FROM_QEMU,
                               "QEMU does not support SEV guest"},
                     no_suspend = {ERROR_ARGUMENT_UNSUPPORTED, FROM_QEMU,
                                   "the host is not suspended from here"},
                     no_pages = {ERROR_OPERATION_UNSUPPORTED, FROM_QEMU,
                                 "pools of pages are the host's: write "
                                 "/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages"};

const RpcProc absent_procs[] = {
    ABSENT_ROW(INTERFACE_DEFINE_XML, "InterfaceDefineXML", RPC_PROC_WRITE, &no_driver),
    ABSENT_ROW(INTERFACE_UNDEFINE, "InterfaceUndefine", RPC_PROC_WRITE, &no_driver),
    ABSENT_ROW(INTERFACE_CREATE, "InterfaceCreate", RPC_PROC_WRITE, &no_driver),
    ABSENT_ROW(INTERFACE_DESTROY, "InterfaceDestroy", RPC_PROC_WRITE, &no_driver),
    ABSENT_ROW(INTERFACE_CHANGE_BEGIN, "InterfaceChangeBegin", RPC_PROC_WRITE, &no_driver),
    ABSENT_ROW(INTERFACE_CHANGE_COMMIT, "InterfaceChangeCommit", RPC_PROC_WRITE, &no_driver),
    ABSENT_ROW(INTERFACE_CHANGE_ROLLBACK, "InterfaceChangeRollback", RPC_PROC_WRITE, &no_driver),
    ABSENT_ROW(CONNECT_DOMAIN_XML_FROM_NATIVE, "ConnectDomainXMLFromNative", RPC_PROC_WRITE,
               &no_driver),
    ABSENT_ROW(DOMAIN_SEND_PROCESS_SIGNAL, "DomainSendProcessSignal", RPC_PROC_WRITE, &no_driver),
    ABSENT_ROW(NODE_GET_SEV_INFO, "NodeGetSEVInfo", 0, &no_sev),
    ABSENT_ROW(NODE_SUSPEND_FOR_DURATION, "NodeSuspendForDuration", RPC_PROC_WRITE, &no_suspend),
    ABSENT_ROW(NODE_ALLOC_PAGES, "NodeAllocPages", RPC_PROC_WRITE, &no_pages),
    {REMOTE_PROC_NWFILTER_BINDING_LOOKUP_BY_PORT_DEV, "virNWFilterBindingLookupByPortDev", 0,
     no_binding, XDR_OF(remote_name_args), NO_XDR},
    {REMOTE_PROC_CONNECT_FIND_STORAGE_POOL_SOURCES, "virConnectFindStoragePoolSources",
     RPC_PROC_WRITE, no_sources, XDR_OF(remote_connect_find_storage_pool_sources_args), NO_XDR},

    PLAIN_ROW(DOMAIN_CHECKPOINT_LOOKUP_BY_NAME, "DomainCheckpointLookupByName", 0, no_checkpoint,
              remote_domain_named_args, NO_XDR),
    PLAIN_ROW(DOMAIN_CHECKPOINT_CREATE_XML, "DomainCheckpointCreateXML", RPC_PROC_WRITE,
              refuse_checkpoint, remote_domain_args, NO_XDR),
    PLAIN_ROW(DOMAIN_BACKUP_BEGIN, "DomainBackupBegin", RPC_PROC_WRITE, refuse_backup,
              remote_domain_args, NO_XDR),
    PLAIN_ROW(DOMAIN_BACKUP_GET_XML_DESC, "DomainBackupGetXMLDesc", 0, no_backup,
              remote_domain_args, NO_XDR),
    FLAGS_ROW(DOMAIN_GET_LAUNCH_SECURITY_INFO, "DomainGetLaunchSecurityInfo", 0, nothing,
              TYPED_PARAM_STRING_OKAY, remote_domain_flags_args,
              XDR_OF(remote_domain_get_launch_security_info_ret)),
    PLAIN_ROW(DOMAIN_SET_LAUNCH_SECURITY_STATE, "DomainSetLaunchSecurityState", RPC_PROC_WRITE,
              refuse_launch_secret, remote_domain_args, NO_XDR),
};
const size_t absent_n_procs = ARRAY_SIZE(absent_procs);
