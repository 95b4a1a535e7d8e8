/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Carrying plans out, on a worker. */
#pragma once

#include "limits/plan.h"

/* A failure takes back what was done. */
int limits_apply(const Limits *limits, LimitsPlan *plan, Error **reterr);
int limits_restore(const Limits *limits, LimitsPlan *plan, Error **reterr);
/* One thread of a plan, its group included. */
int limits_apply_thread(const Limits *limits, LimitsPlan *plan, ThreadPlan *thread,
                        const LimitTarget *as, Error **reterr);
/* The target that a plan's thread's group is; the threads in it are the same with a tid. */
LimitTarget limits_target(const Limits *limits, const ThreadPlan *thread);
/* Before threads of the emulator are told from others. */
void limits_plan_sort(LimitsPlan *plan);
