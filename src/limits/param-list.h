/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scheduler parameters of all kinds of limit as one list, in libvirt's order. */
#pragma once

#include "limits/params.h"

/* By place in the list; NULL beyond its end. */
const LimitParam *limit_param(size_t i);
