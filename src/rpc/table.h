/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which procedures of which programs are served: rows made by the daemon, found by number through
 * an index. */
#pragma once

#include <rpc/rpc.h> /* libtirpc: xdrproc_t */

#include "util/error.h"

#define RPC_PROC_NUMBER_MAX 1024u

typedef struct RpcSession RpcSession;
typedef struct RpcCall RpcCall;

/* Runs on a fiber of its own. `args` is decoded and freed by the caller; `ret` is zeroed before and
 * xdr_free'd after the reply, so handlers put malloc'ed memory there. A negative return without an
 * error set becomes an internal error. */
typedef int (*RpcHandler)(RpcSession *session, RpcCall *call, void *args, void *ret,
                          Error **reterr);

typedef enum RpcProcFlags {
    RPC_PROC_WRITE = 1 << 0,       /* refused on a read-only session (code 29) */
    RPC_PROC_BEFORE_AUTH = 1 << 1, /* allowed before authentication */
    RPC_PROC_BEFORE_OPEN = 1 << 2, /* allowed before CONNECT_OPEN */
    RPC_PROC_HEAVY = 1 << 3,       /* needs memory by the domain: few at a time (BUDGET_HEAVY) */
    RPC_PROC_ON_DOMAIN = 1 << 4,   /* its arguments begin with a remote_domain */
    RPC_PROC_ON_SNAPSHOT = 1 << 5, /* the same with a remote_domain_snapshot */
} RpcProcFlags;

typedef struct RpcProc {
    uint32_t number;
    const char *api; /* libvirt's API name, "virDomainCreate": for refusals and logs */
    unsigned flags;
    RpcHandler handler; /* NULL: known but not there: answered like an unknown procedure */
    xdrproc_t args_xdr; /* NULL: no arguments */
    size_t args_size;
    xdrproc_t ret_xdr; /* NULL: empty reply */
    size_t ret_size;
    const void *data; /* the handler's own */
} RpcProc;

/* Whether this session may make this call, asked on the call's fiber before its arguments are
 * decoded; may suspend. Negative with an error: no, and that is the reply. */
typedef int (*RpcGate)(RpcSession *session, const RpcProc *proc, const uint8_t *payload, size_t len,
                       Error **reterr);

typedef struct RpcProgram {
    uint32_t program, version;
    const RpcProc *procs; /* any order; numbers below RPC_PROC_NUMBER_MAX */
    size_t n_procs;
} RpcProgram;

typedef struct RpcTable RpcTable;

/* The programs stay the caller's and must outlive the table. -ENOMEM. */
int rpc_table_new(const RpcProgram *programs, size_t n_programs, RpcTable **ret);
void rpc_table_free(RpcTable *table);
DEFINE_CLEANUP(RpcTable *, rpc_table_free)

/* NULL: there is none. */
const RpcProgram *rpc_table_program(const RpcTable *table, uint32_t program);
const RpcProc *rpc_table_proc(const RpcTable *table, const RpcProgram *program, uint32_t number);
