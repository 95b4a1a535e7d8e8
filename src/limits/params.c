/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parameters of all kinds as one list. */
#include "limits/params.h"

#include "limits/kind.h"

const LimitParam *limit_param(size_t i) {
    for (size_t k = 0; limit_kinds[k]; k++)
        for (const LimitParam *param = limit_kinds[k]->params; param && param->name; param++)
            if (i-- == 0)
                return param;
    return NULL;
}

int64_t limit_param_get(const LimitParam *param, const DomainDef *def) {
    int64_t value;

    memcpy(&value, (const char *)def + param->offset, sizeof(value));
    return value;
}

void limit_param_set(const LimitParam *param, DomainDef *def, int64_t value) {
    memcpy((char *)def + param->offset, &value, sizeof(value));
}
