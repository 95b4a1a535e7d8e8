/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A Limits from start to end. Whatever touches a file goes to a worker; what it needs is copied
 * before. */
#include <stdio.h>
#include <sys/inotify.h>

#include "host/numa.h"
#include "host/scope.h"
#include "host/thread.h"
#include "limits/change.h"
#include "limits/plan.h"
#include "limits/resctrl-group.h"
#include "limits/tree.h"
#include "util/log.h"
#include "util/worker.h"

/* ---- before a start ---- */

/* What a definition asks for by itself; the groups are not there yet. */
typedef struct StartCheck {
    const DomainDef *def;
    Error *error;
} StartCheck;

static int check_set(const Bitmap *cpus, const char *format, unsigned id, Error **reterr) {
    int r = cpus ? thread_check_cpus(NULL, cpus, reterr) : 0;

    if (r < 0 && reterr && *reterr)
        error_prefix(reterr, format, id);
    return r;
}

static int check_all_cpus(const DomainDef *def, Error **reterr) {
    int r = check_set(def->cpuset, "the cpuset of <vcpu>", 0, reterr);

    if (r >= 0)
        r = check_set(def->cputune.emulator_pin, "emulatorpin", 0, reterr);
    for (unsigned id = 0; id < def->n_vcpus_max && r >= 0; id++)
        if (def->vcpus[id].online)
            r = check_set(def->vcpus[id].pin, "the vcpupin of vCPU %u", id, reterr);
    for (size_t i = 0; i < def->n_iothreads && r >= 0; i++)
        r = check_set(def->iothreads[i].pin, "the iothreadpin of IO thread %u",
                      def->iothreads[i].id, reterr);
    return r;
}

static int check_all_nodes(const NumaTuneDef *numa, Error **reterr) {
    int r = numa->nodes ? numa_check_nodes(NULL, numa->nodes, reterr) : 0;

    for (size_t i = 0; i < numa->n_memnodes && r >= 0; i++)
        if (numa->memnodes[i].nodes)
            r = numa_check_nodes(NULL, numa->memnodes[i].nodes, reterr);
    return r;
}

int limits_check_nodes(const Bitmap *nodes, Error **reterr) {
    assert(nodes);
    return numa_check_nodes(NULL, nodes, reterr);
}

static int check_resctrl(const LimitsHost *host, const DomainDef *def, Error **reterr) {
    if (def->cputune.n_resctrls == 0 || def->virt == DOMAIN_VIRT_KVM || host->resctrl_root)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED, /* libvirt's rule */
                        "cachetune and memorytune are only supported for KVM domains");
}

int limits_check_start(const LimitsHost *host, const LimitsSubject *subject, Error **reterr) {
    int r = check_resctrl(host, subject->def, reterr);

    if (r >= 0)
        r = check_all_cpus(subject->def, reterr);
    if (r >= 0)
        r = check_all_nodes(&subject->def->numatune, reterr);
    if (r < 0 && reterr && *reterr)
        error_prefix(reterr, "domain '%s'", subject->name);
    return r;
}

/* ---- begin ---- */

/* What the worker makes is the domain's only when it is whole: readers do not wait. */
typedef struct Begin {
    Limits *limits;
    TreeRequest request;
    uint8_t uuid[16];
    bool needs_cgroup, needs_resctrl;
    Error *error;
} Begin;

static void note_cpus(Limits *limits) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};

    if (limits->tree && cgroup_tree_get(limits->tree, NULL, &state, NULL) >= 0)
        limits->had = TAKE_PTR(state.cpus);
}

static int open_resctrl(Limits *limits, bool needed, Error **reterr) {
    return needed ? resctrl_new(limits->host->resctrl_root, &limits->resctrl, reterr) : 0;
}

static int run_begin(void *arg) {
    Begin *begin = arg;
    Limits *limits = begin->limits;
    CLEANUP_ERROR Error *error = NULL;

    if (limits_tree_make(limits, &begin->request, &error) < 0) {
        if (limits->tree)
            cgroup_tree_remove(limits->tree, NULL);
        cgroup_tree_free(TAKE_PTR(limits->tree));
        limits->no_tree = strdup(error_message(error));
        if (!limits->no_tree)
            return error_no_memory(&begin->error);
        if (begin->needs_cgroup)
            return error_report(&begin->error, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "its tuning or partition needs a cgroup: %s", error_message(error));
    }
    note_cpus(limits);
    return open_resctrl(limits, begin->needs_resctrl, &begin->error);
}

/* Names and numbers of a Limits that is being made. */
static Limits *limits_new(LimitsHost *host, const LimitsSubject *subject, const char *machine) {
    Limits *limits = calloc(1, sizeof(Limits));

    if (!limits)
        return NULL;
    limits->n_refs = 1;
    limits->host = host;
    host->n_refs++;
    limits->machine = machine ? strdup(machine)
                              : scope_machine_name((unsigned)subject->id, subject->name);
    limits->n_made = subject->def->cputune.n_resctrls;
    limits->made = calloc(limits->n_made + 1, sizeof(bool));
    if (limits->machine && limits->made)
        return limits;
    limits_unref(limits);
    return NULL;
}

/* From here on readers see it, and limits_end cleans up. */
static Limits *hand_over(Limits *limits, void *owner) {
    LimitsHost *host = limits->host;

    limits->owner = owner;
    limits->next = host->first;
    host->first = limits;
    limits_watch_group(host, limits->tree, NULL, &limits->own);
    limits_watch_add(limits, &limits->own);
    return limits;
}

int limits_begin(LimitsHost *host, const LimitsSubject *subject, Limits **ret, Error **reterr) {
    const DomainDef *def = subject->def;
    Begin begin = {.limits = limits_new(host, subject, NULL),
                   .request = {.name = subject->name,
                               .partition = def->partition,
                               .uuid = begin.uuid,
                               .pid = subject->pid},
                   .needs_cgroup = limits_needs_cgroup(def),
                   .needs_resctrl = def->cputune.n_resctrls > 0};
    int r;

    assert(subject->pid > 0 && subject->owner && !*ret);
    if (!begin.limits)
        return error_no_memory(reterr);
    memcpy(begin.uuid, def->uuid, sizeof(begin.uuid));
    r = worker_run(run_begin, &begin);
    *ret = hand_over(begin.limits, subject->owner);
    if (r < 0) {
        r = error_propagate(reterr, begin.error);
        if (reterr && *reterr)
            error_prefix(reterr, "domain '%s'", subject->name);
        return r;
    }
    if (!begin.limits->tree && host->enabled)
        log_warning("domain '%s' has no cgroup: %s", subject->name, begin.limits->no_tree);
    return limits_tune_newborn(*ret, subject, reterr);
}

/* ---- found again ---- */

typedef struct Resume {
    Limits *limits;
    bool needs_resctrl;
    Error *error;
} Resume;

static int run_resume(void *arg) {
    Resume *resume = arg;
    Limits *limits = resume->limits;
    CLEANUP_ERROR Error *error = NULL;

    if (!limits->partition || !limits->group) {
        limits->no_tree = strdup("it was started without one");
    } else if (cgroup_tree_open(limits->host->cgroups, limits->partition, limits->group,
                                &limits->tree, &error) < 0) {
        limits->no_tree = strdup(error_message(error));
    }
    note_cpus(limits);
    return open_resctrl(limits, resume->needs_resctrl, &resume->error);
}

int limits_resume(LimitsHost *host, const LimitsSubject *subject, const LimitsFound *found,
                  Limits **ret, Error **reterr) {
    CLEANUP(limits_unrefp) Limits *limits = limits_new(host, subject, found->machine);
    Resume resume = {.limits = limits, .needs_resctrl = subject->def->cputune.n_resctrls > 0};
    int r;

    assert(subject->owner && !*ret);
    if (!limits)
        return error_no_memory(reterr);
    limits->partition = found->partition ? strdup(found->partition) : NULL;
    limits->group = found->group ? strdup(found->group) : NULL;
    limits->in_scope = found->machine != NULL;
    limits->own_partition = !subject->def->partition;
    for (size_t i = 0; i < limits->n_made; i++)
        limits->made[i] = true; /* they may be: what is not there is no error to remove */
    if ((found->partition && !limits->partition) || (found->group && !limits->group))
        return error_no_memory(reterr);
    r = worker_run(run_resume, &resume);
    *ret = hand_over(TAKE_PTR(limits), subject->owner);
    if ((*ret)->partition && !(*ret)->tree)
        log_warning("domain '%s' has lost its cgroup: %s", subject->name, (*ret)->no_tree);
    return r < 0 ? error_propagate(reterr, resume.error) : 0;
}

/* ---- the end ---- */

typedef struct End {
    Limits *limits;
    Watches watches;
    Error *error;
} End;

static int run_end(void *arg) {
    End *end = arg;
    const Limits *limits = end->limits;
    int r, ended = 0;

    for (size_t i = 0; i < end->watches.n; i++)
        inotify_rm_watch(limits->host->inotify_fd, end->watches.list[i]);
    r = limits->tree ? cgroup_tree_remove(limits->tree, &end->error) : 0;
    if (limits->partition && limits->group)
        ended = cgroup_devices_remove(limits->host->cgroups, limits->partition, limits->group,
                                      r < 0 ? NULL : &end->error);
    if (r >= 0)
        r = ended;
    if (limits->in_scope)
        ended = limits_scope_end(limits, r < 0 ? NULL : &end->error);
    return r < 0 ? r : ended;
}

void limits_end(Limits *limits, const LimitsSubject *subject) {
    End end = {.limits = limits};

    if (!limits)
        return;
    assert(subject->owner == limits->owner && !limits->n_quiet);
    limits_groups_remove(limits, subject, true);
    limits_watch_end(limits, &end.watches);
    if (worker_run(run_end, &end) < 0)
        log_warning("domain '%s': %s", subject->name, error_message(end.error));
    error_free(end.error);
    free(end.watches.list);
    limits_free(limits);
}

/* ---- a QEMU that nobody knows ---- */

typedef struct Stray {
    const LimitsHost *host;
    char *partition, *group;
    pid_t pid;
} Stray;

/* ".../vireo-3-ol8/emulator": the last part that can be the name of a machine's group. In a scope
 * there is none, and systemd removes what is below. */
static int run_find_stray(void *arg) {
    Stray *stray = arg;
    CgroupController controller = limits_any_controller(stray->host);
    char *slash;

    if (controller == CGROUP_CONTROLLER_MAX ||
        cgroup_host_group_of(stray->host->cgroups, controller, stray->pid, &stray->partition,
                             NULL) < 0)
        return 0;
    while ((slash = strrchr(stray->partition, '/')) && strncmp(slash, "/vireo-", 7) != 0 &&
           slash > stray->partition)
        *slash = '\0';
    if (!slash || slash == stray->partition)
        return 0;
    stray->group = strdup(slash + 1);
    *slash = '\0';
    return 0;
}

static int run_remove_stray(void *arg) {
    const Stray *stray = arg;

    return limits_tree_remove(stray->host, stray->partition, stray->group, NULL);
}

void limits_find_group(const LimitsHost *host, pid_t pid, char **ret_partition, char **ret_group) {
    Stray stray = {.host = host, .pid = pid};

    worker_run(run_find_stray, &stray);
    if (!stray.group)
        free(TAKE_PTR(stray.partition));
    *ret_partition = stray.partition;
    *ret_group = stray.group;
}

void limits_remove_group(const LimitsHost *host, char *partition, char *group) {
    Stray stray = {.host = host, .partition = partition, .group = group};

    assert(partition && group);
    worker_run(run_remove_stray, &stray);
}

void limits_end_stray(LimitsHost *host, const QemuPid *pid) {
    CLEANUP_FREE char *partition = NULL, *group = NULL;

    limits_find_group(host, pid->pid, &partition, &group);
    qemu_process_kill(pid, 0);
    if (group)
        limits_remove_group(host, partition, group);
}
