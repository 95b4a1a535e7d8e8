/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters: growing lists for replies, and the reading of those that clients send. */
#pragma once

#include "rpc/remote_protocol.h"
#include "util/error.h"
#include "util/libvirt-numbers.h"
#include "util/macro.h"

/* A growing list; `failed` sticks, so callers check once. What was added is freed with the reply.
 */
typedef struct Params {
    remote_typed_param *list;
    size_t n, size;
    bool failed;
    char name[80]; /* of params_name */
} Params;

/* `name` is taken as it is, at most 79 bytes by the protocol. */
void params_add_int(Params *params, const char *name, int value);
void params_add_uint(Params *params, const char *name, unsigned value);
void params_add_ullong(Params *params, const char *name, uint64_t value);
void params_add_llong(Params *params, const char *name, int64_t value);
void params_add_bool(Params *params, const char *name, bool value);
void params_add_double(Params *params, const char *name, double value);
void params_add_string(Params *params, const char *name, const char *value);

/* A name with numbers in it: params_add_uint(p, params_name(p, "vcpu.%u.state", id), 1). Valid
 * until the next one. */
const char *params_name(Params *params, const char *format, ...) PRINTF_LIKE(2, 3);

/* Moves the list into a reply; -ENOMEM when something had failed. */
int params_hand_over(Params *params, remote_typed_param **ret, u_int *ret_n, Error **reterr);
/* One that could not be handed on. */
void params_done(Params *params);
#define CLEANUP_PARAMS CLEANUP(params_done)

/* What may be sent: name and type. */
typedef struct ParamRule {
    const char *name;
    int type;
} ParamRule;

/* Each one known, of its type, and given once, as libvirt's virTypedParamsValidate says it. *ret_at
 * (n_rules entries) gets for each rule the parameter or NULL. ERROR_ARGUMENT_UNSUPPORTED,
 * ERROR_INVALID_ARG. */
int params_check(const remote_typed_param *list, size_t n, const ParamRule *rules, size_t n_rules,
                 const remote_typed_param **ret_at, Error **reterr);
