/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs vireod serves, and what every handler needs: domains and flags of the wire. */
#include "daemon.h"

int dispatch_domain(RpcSession *session, const remote_domain *wire, Domain **ret, Error **reterr) {
    Domain *domain = driver_find_uuid(driver_of(session), (const uint8_t *)wire->uuid, wire->name,
                                      reterr);

    if (!domain)
        return -ENOENT;
    *ret = domain_ref(domain);
    return 0;
}

int dispatch_make_domain(const Domain *domain, remote_domain *ret, Error **reterr) {
    ret->name = strdup(domain_name(domain));
    if (!ret->name)
        return error_no_memory(reterr);
    memcpy(ret->uuid, domain_def(domain)->uuid, sizeof(ret->uuid));
    ret->id = domain_id(domain);
    return 0;
}

int dispatch_flags(unsigned flags, unsigned allowed, const char *function, Error **reterr) {
    if (!(flags & ~allowed))
        return 0;
    error_argument(reterr, function, "flags", "unsupported flags (0x%x) in function %s",
                   flags & ~allowed, function);
    if (reterr && *reterr)
        (*reterr)->from = FROM_QEMU;
    return -EINVAL;
}

int dispatch_exclusive(unsigned flags, const char *api, Error **reterr) {
    if ((flags & AFFECT_LIVE) && (flags & AFFECT_CONFIG))
        return error_argument(reterr, api, "ctl",
                              "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are "
                              "mutually exclusive");
    return 0;
}

int dispatch_string(char **to, const char *text, Error **reterr) {
    *to = strdup(text);
    return *to ? 0 : error_no_memory(reterr);
}
