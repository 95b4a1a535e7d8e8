/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All kinds of limit. */
#include "limits/kind.h"

const LimitKind *const limit_kinds[] = {&limit_pin,       &limit_memory,  &limit_bandwidth,
                                        &limit_scheduler, &limit_resctrl, NULL};
