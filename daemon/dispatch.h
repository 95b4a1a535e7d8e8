/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How calls get to their functions. A call is a row of a table; most are about one domain: the row
 * says which flags it takes, and the function gets the domain (with a reference held) and its
 * arguments. */
#pragma once

#include "driver/driver.h"
#include "rpc/remote_protocol.h"
#include "rpc/server.h"
#include "util/libvirt-numbers.h"

/* ---- rows ---- */

#define HANDLER(name)                                                                              \
    static int name(RpcSession *session, RpcCall *call, void *args_, void *ret_, Error **reterr)
#define XDR_OF(type) (xdrproc_t) xdr_##type, sizeof(type)
#define NO_XDR NULL, 0

typedef int (*DomainFunc)(Domain *domain, const void *args, void *ret, Error **reterr);

/* What a row of a call about a domain says; its arguments begin with the domain. */
typedef struct DomainCall {
    DomainFunc run;
    bool has_flags, exclusive; /* exclusive: LIVE and CONFIG not both */
    unsigned allowed;
    size_t flags_at; /* of the flags in the arguments */
} DomainCall;

/* The handler of such a row. */
int dispatch_domain_call(RpcSession *session, RpcCall *call, void *args, void *ret, Error **reterr);

/* A function of such a row, with its own types. `ret_type` void: an empty reply. */
#define DOMAIN_FUNC(name, args_type, ret_type)                                                     \
    static int name##_typed(Domain *domain, const args_type *args, ret_type *ret, Error **reterr); \
    static int name(Domain *domain, const void *args, void *ret, Error **reterr) {                 \
        return name##_typed(domain, args, ret, reterr);                                            \
    }                                                                                              \
    static int name##_typed(Domain *domain, const args_type *args, ret_type *ret, Error **reterr)

/* Rows of calls about a domain. number: without REMOTE_PROC_; api: without "vir"; last the reply:
 * XDR_OF(type) or NO_XDR. */
#define DOMAIN_ROW(number, api, how, args, data, ...)                                              \
    {                                                                                              \
        REMOTE_PROC_##number, "vir" api, (how) | RPC_PROC_ON_DOMAIN, dispatch_domain_call,         \
            XDR_OF(args), __VA_ARGS__, data                                                        \
    }
#define CALL(run)                                                                                  \
    &(const DomainCall) {                                                                          \
        run                                                                                        \
    }
#define CALL_FLAGS(run, allow, either, args)                                                       \
    &(const DomainCall) {                                                                          \
        run, true, either, allow, offsetof(args, flags)                                            \
    }
/* Without flags. */
#define PLAIN_ROW(number, api, how, run, args, ...)                                                \
    DOMAIN_ROW(number, api, how, args, CALL(run), __VA_ARGS__)
/* With flags out of `allow`. */
#define FLAGS_ROW(number, api, how, run, allow, args, ...)                                         \
    DOMAIN_ROW(number, api, how, args, CALL_FLAGS(run, allow, false, args), __VA_ARGS__)
/* The same, LIVE and CONFIG not both. */
#define EITHER_ROW(number, api, how, run, allow, args, ...)                                        \
    DOMAIN_ROW(number, api, how, args, CALL_FLAGS(run, allow, true, args), __VA_ARGS__)

/* ---- helpers ---- */

/* The version of libvirt that clients may take this for: docs/differences.md says what they
 * conclude from it. */
#define LIBVIRT_VERSION_ANSWERED (10 * UINT64_C(1000000))

/* What the userdata of a session begins with. */
typedef struct DispatchContext {
    Driver *driver;
} DispatchContext;

static inline Driver *driver_of(RpcSession *session) {
    return ((DispatchContext *)rpc_session_userdata(session))->driver;
}

/* The domain a client means (by uuid only), with a reference. */
int dispatch_domain(RpcSession *session, const remote_domain *wire, Domain **ret, Error **reterr);
/* Fills the wire form; -ENOMEM. */
int dispatch_make_domain(const Domain *domain, remote_domain *ret, Error **reterr);
/* A wire form that points into the domain: for events, which are copied as they are sent. */
remote_domain dispatch_borrow_domain(const Domain *domain);
/* "unsupported flags (0x..) in function NAME" when a bit outside `allowed` is set. Of an API
 * "virX", the function is "qemuX". */
int dispatch_flags(unsigned flags, unsigned allowed, const char *api, Error **reterr);
/* CPUs the host has, online or not: the length of every CPU map of the wire, in bits. */
unsigned dispatch_host_cpus(void);
/* KiB of memory of all its nodes. On a fiber. */
uint64_t dispatch_host_memory(void);
int dispatch_string(char **to, const char *text, Error **reterr);
/* The text that an optional argument has, or NULL. */
static inline const char *dispatch_opt(const remote_opt_string text) {
    return text ? *text : NULL;
}
