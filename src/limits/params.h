/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scheduler parameters (schedinfo): numbers of the definition that a client may read and set by
 * name. The kinds of limit list theirs; limits/param-list.h has them all. */
#pragma once

#include "conf/domain-def.h"

/* Whom a parameter is about; decides what is tuned when it changes. */
typedef enum LimitRole {
    LIMIT_ROLE_DOMAIN, /* the domain's own group */
    LIMIT_ROLE_EMULATOR,
    LIMIT_ROLE_VCPU,
    LIMIT_ROLE_IOTHREAD,
} LimitRole;

typedef struct LimitParam {
    const char *name; /* "vcpu_quota" */
    LimitRole role;
    bool is_signed; /* a long long for clients, else an unsigned one */
    size_t offset;  /* of its 64-bit field in DomainDef */
    int64_t unset;  /* what runs has without it; 0: the kernel says (limits_shares) */
    /* Is the value in range? 0 passes. */
    int (*check)(const char *name, int64_t value, Error **reterr);
} LimitParam;

#define LIMIT_PARAMS_MAX 32u

/* Read and write the parameter's place in a definition; nothing is checked. */
int64_t limit_param_get(const LimitParam *param, const DomainDef *def);
void limit_param_set(const LimitParam *param, DomainDef *def, int64_t value);
