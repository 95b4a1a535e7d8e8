/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every handler needs: domains and flags of the wire. */
#include "dispatch.h"

#include <ctype.h>
#include <stdio.h>

/* Two flags that exclude each other, as the API checks say it. */
static int refuse_both(unsigned flags, const char *api, Error **reterr) {
    if ((flags & AFFECT_LIVE) && (flags & AFFECT_CONFIG))
        return error_argument(reterr, api, "ctl",
                              "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are "
                              "mutually exclusive");
    return 0;
}

static int check_flags(const RpcCall *call, const DomainCall *about, const void *args,
                       Error **reterr) {
    unsigned flags;
    int r = 0;

    if (!about->has_flags)
        return 0;
    memcpy(&flags, (const char *)args + about->flags_at, sizeof(flags));
    if (about->exclusive)
        r = refuse_both(flags, call->proc->api, reterr);
    return r < 0 ? r : dispatch_flags(flags, about->allowed, call->proc->api, reterr);
}

int dispatch_domain_call(RpcSession *session, RpcCall *call, void *args, void *ret,
                         Error **reterr) {
    const DomainCall *about = call->proc->data;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = check_flags(call, about, args, reterr);

    if (r >= 0)
        r = dispatch_domain(session, args, &domain, reterr); /* the first of every such struct */
    return r < 0 ? r : about->run(domain, args, ret, reterr);
}

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

remote_domain dispatch_borrow_domain(const Domain *domain) {
    remote_domain wire = {.name = (char *)domain_name(domain), .id = domain_id(domain)};

    memcpy(wire.uuid, domain_def(domain)->uuid, sizeof(wire.uuid));
    return wire;
}

int dispatch_flags(unsigned flags, unsigned allowed, const char *api, Error **reterr) {
    const bool is_libvirts = strncmp(api, "vir", 3) == 0 && isupper((unsigned char)api[3]);
    char function[80];

    if (!(flags & ~allowed))
        return 0;
    snprintf(function, sizeof(function), "%s%s", is_libvirts ? "qemu" : "",
             is_libvirts ? api + 3 : api);
    error_argument(reterr, function, "flags", "unsupported flags (0x%x) in function %s",
                   flags & ~allowed, function);
    if (reterr && *reterr)
        (*reterr)->from = FROM_QEMU;
    return -EINVAL;
}

int dispatch_string(char **to, const char *text, Error **reterr) {
    *to = strdup(text);
    return *to ? 0 : error_no_memory(reterr);
}
