/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A count of fibers. The end of one wakes none of the others that sleep: they may be thousands. */
#include "util/task.h"

typedef struct Task {
    TaskGroup *group;
    FiberFunc func;
    void *userdata;
} Task;

static void run(void *userdata) {
    const Task task = *(Task *)userdata;

    free(userdata);
    task.func(task.userdata);
    if (--task.group->n == 0)
        fiber_cond_broadcast(&task.group->ended);
}

int task_start(TaskGroup *group, const char *name, FiberFunc func, void *userdata) {
    Task *task;
    int r;

    if (group->stopping)
        return -ESHUTDOWN;
    task = malloc(sizeof(Task));
    if (!task)
        return -ENOMEM;
    *task = (Task){group, func, userdata};
    r = fiber_start(name, run, task);
    if (r < 0) {
        free(task);
        return r;
    }
    group->n++;
    return 0;
}

bool task_sleep(TaskGroup *group, uint64_t usec) {
    uint64_t deadline = deadline_in(usec);

    while (!group->stopping && fiber_cond_wait(&group->stop, deadline) >= 0)
        ;
    return group->stopping;
}

void task_group_stop(TaskGroup *group) {
    group->stopping = true;
    fiber_cond_broadcast(&group->stop);
}

int task_group_wait(TaskGroup *group, uint64_t deadline) {
    while (group->n > 0) {
        int r = fiber_cond_wait(&group->ended, deadline);

        if (r < 0 && group->n > 0)
            return r;
    }
    return 0;
}

void task_group_done(TaskGroup *group) {
    assert(group->n == 0);
    fiber_cond_done(&group->stop);
    fiber_cond_done(&group->ended);
}
