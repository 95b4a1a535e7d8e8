/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fibers that go on by themselves, and the wait for their end. */
#pragma once

#include "util/fiber.h"

/* Zero-initialised is empty. Whoever runs in it looks at `stopping` after each wait and ends. */
typedef struct TaskGroup {
    unsigned n;
    bool stopping;
    FiberCond stop;  /* broadcast by task_group_stop */
    FiberCond ended; /* when none runs any more */
} TaskGroup;

/* Starts func(userdata) as one of the group; `name` is copied. -ENOMEM, and -ESHUTDOWN when the
 * group is stopping: func will not be called. */
int task_start(TaskGroup *group, const char *name, FiberFunc func, void *userdata);
/* Sleeps as long as the group is not stopping; true: it is. On a fiber. */
bool task_sleep(TaskGroup *group, uint64_t usec);
/* Asks all to end. */
void task_group_stop(TaskGroup *group);
/* Waits until all have ended: 0, or -ETIMEDOUT. On a fiber. */
int task_group_wait(TaskGroup *group, uint64_t deadline);
/* None runs any more (asserted). */
void task_group_done(TaskGroup *group);
