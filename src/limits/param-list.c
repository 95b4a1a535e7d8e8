/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "limits/param-list.h"

#include "limits/kind.h"

const LimitParam *limit_param(size_t i) {
    for (size_t k = 0; limit_kinds[k]; k++)
        for (const LimitParam *param = limit_kinds[k]->params; param && param->name; param++)
            if (i-- == 0)
                return param;
    return NULL;
}
