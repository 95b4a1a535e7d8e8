/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of a definition by their place in it. */
#include "limits/params.h"

int64_t limit_param_get(const LimitParam *param, const DomainDef *def) {
    int64_t value;

    assert(param->offset + sizeof(value) <= sizeof(DomainDef));
    memcpy(&value, (const char *)def + param->offset, sizeof(value));
    return value;
}

void limit_param_set(const LimitParam *param, DomainDef *def, int64_t value) {
    assert(param->offset + sizeof(value) <= sizeof(DomainDef));
    memcpy((char *)def + param->offset, &value, sizeof(value));
}
