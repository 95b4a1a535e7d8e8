/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How calls about storage pools and volumes get to their functions; as dispatch.h has it for
 * domains. */
#pragma once

#include "daemon.h"
#include "driver/storage.h"

#define REMOTE_STORAGE_LIST_MAX 16384

Storage *storage_of(RpcSession *session);
/* StorageParams.event; the userdata is the Daemon. */
void storage_send_event(const Pool *pool, PoolEvent event, void *userdata);

typedef int (*PoolFunc)(Pool *pool, const void *args, void *ret, Error **reterr);

/* What a row of a call about a pool says; its arguments begin with the pool. */
typedef struct PoolCall {
    PoolFunc run; /* with a reference held */
    bool has_flags;
    unsigned allowed;
    size_t flags_at;
} PoolCall;

int dispatch_pool_call(RpcSession *session, RpcCall *call, void *args, void *ret, Error **reterr);

#define POOL_FUNC(name, args_type, ret_type)                                                       \
    static int name##_typed(Pool *pool, const args_type *args, ret_type *ret, Error **reterr);     \
    static int name(Pool *pool, const void *args, void *ret, Error **reterr) {                     \
        return name##_typed(pool, args, ret, reterr);                                              \
    }                                                                                              \
    static int name##_typed(Pool *pool, const args_type *args, ret_type *ret, Error **reterr)

/* number: without REMOTE_PROC_STORAGE_POOL_; api: without "virStoragePool"; last the reply. */
#define POOL_ROW(number, api, how, run, args, ...)                                                 \
    {                                                                                              \
        REMOTE_PROC_STORAGE_POOL_##number, "virStoragePool" api, how, dispatch_pool_call,          \
            XDR_OF(args), __VA_ARGS__, &(const PoolCall) {                                         \
            run                                                                                    \
        }                                                                                          \
    }
#define POOL_FLAGS_ROW(number, api, how, run, allow, args, ...)                                    \
    {                                                                                              \
        REMOTE_PROC_STORAGE_POOL_##number, "virStoragePool" api, how, dispatch_pool_call,          \
            XDR_OF(args), __VA_ARGS__, &(const PoolCall) {                                         \
            run, true, allow, offsetof(args, flags)                                                \
        }                                                                                          \
    }
