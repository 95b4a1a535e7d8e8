/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest as a machine: keys, an NMI; and by its agent: file systems, time, name. */
#include "daemon.h"
#include "driver/guest.h"
#include "driver/power.h"

DOMAIN_FUNC(send_key, remote_domain_send_key_args, void) {
    if (args->keycodes.keycodes_len == 0)
        return error_argument(reterr, "virDomainSendKey", "nkeycodes",
                              "nkeycodes in virDomainSendKey must be greater than zero");
    return driver_send_key(domain, args->codeset, args->holdtime, args->keycodes.keycodes_val,
                           args->keycodes.keycodes_len, reterr);
}

DOMAIN_FUNC(inject_nmi, void, void) {
    return driver_inject_nmi(domain, reterr);
}

DOMAIN_FUNC(fsfreeze, remote_domain_fsfreeze_args, remote_int_ret) {
    unsigned n = 0;
    int r = driver_fs_freeze(domain, args->mountpoints.mountpoints_val,
                             args->mountpoints.mountpoints_len, &n, reterr);

    ret->value = (int)n;
    return r;
}

DOMAIN_FUNC(fsthaw, remote_domain_fsthaw_args, remote_int_ret) {
    unsigned n = 0;
    int r = args->mountpoints.mountpoints_len
                ? error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                               "specifying mountpoints is not supported: all are thawed")
                : driver_fs_thaw(domain, &n, reterr);

    ret->value = (int)n;
    return r;
}

DOMAIN_FUNC(fstrim, remote_domain_fstrim_args, void) {
    if (args->mountPoint)
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "Specifying mount point is not supported: all are trimmed");
    return driver_fs_trim(domain, args->minimum, reterr);
}

DOMAIN_FUNC(get_time, void, remote_domain_get_time_ret) {
    int64_t seconds = 0;
    int r = driver_guest_time(domain, &seconds, &ret->nseconds, reterr);

    ret->seconds = seconds;
    return r;
}

enum { HOSTNAME_LEASE = 1, HOSTNAME_AGENT = 2 };

DOMAIN_FUNC(get_hostname, remote_domain_flags_args, remote_domain_get_hostname_ret) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (args->flags & HOSTNAME_LEASE)
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "no networks with leases are kept; ask the guest agent (source agent)");
    return driver_guest_hostname(domain, &ret->hostname, reterr);
}

const RpcProc guest_procs[] = {
    FLAGS_ROW(DOMAIN_SEND_KEY, "DomainSendKey", RPC_PROC_WRITE, send_key, 0,
              remote_domain_send_key_args, NO_XDR),
    FLAGS_ROW(DOMAIN_INJECT_NMI, "DomainInjectNMI", RPC_PROC_WRITE, inject_nmi, 0,
              remote_domain_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_FSFREEZE, "DomainFSFreeze", RPC_PROC_WRITE, fsfreeze, 0,
              remote_domain_fsfreeze_args, XDR_OF(remote_int_ret)),
    FLAGS_ROW(DOMAIN_FSTHAW, "DomainFSThaw", RPC_PROC_WRITE, fsthaw, 0, remote_domain_fsthaw_args,
              XDR_OF(remote_int_ret)),
    FLAGS_ROW(DOMAIN_FSTRIM, "DomainFSTrim", RPC_PROC_WRITE, fstrim, 0, remote_domain_fstrim_args,
              NO_XDR),
    FLAGS_ROW(DOMAIN_GET_TIME, "DomainGetTime", RPC_PROC_WRITE, get_time, 0,
              remote_domain_flags_args, XDR_OF(remote_domain_get_time_ret)),
    FLAGS_ROW(DOMAIN_GET_HOSTNAME, "DomainGetHostname", RPC_PROC_WRITE, get_hostname,
              HOSTNAME_LEASE | HOSTNAME_AGENT, remote_domain_flags_args,
              XDR_OF(remote_domain_get_hostname_ret)),
};
const size_t guest_n_procs = ARRAY_SIZE(guest_procs);
