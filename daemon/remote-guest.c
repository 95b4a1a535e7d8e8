/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest as a machine: keys, an NMI. */
#include "daemon.h"
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

const RpcProc guest_procs[] = {
    FLAGS_ROW(DOMAIN_SEND_KEY, "DomainSendKey", RPC_PROC_WRITE, send_key, 0,
              remote_domain_send_key_args, NO_XDR),
    FLAGS_ROW(DOMAIN_INJECT_NMI, "DomainInjectNMI", RPC_PROC_WRITE, inject_nmi, 0,
              remote_domain_flags_args, NO_XDR),
};
const size_t guest_n_procs = ARRAY_SIZE(guest_procs);
