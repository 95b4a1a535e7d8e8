/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's Limits from start to end. Whatever touches a file goes to a worker; what it needs is
 * copied before. */
#include "limits/limits.h"

#include <stdio.h>
#include <sys/inotify.h>

#include "driver/drift.h"
#include "driver/driver.h"
#include "limits/limits-internal.h"
#include "util/file.h"
#include "util/log.h"
#include "host/scope.h"
#include "util/worker.h"

#define SCOPE_GROUP "vireo" /* our tree in a scope that systemd delegated */

/* ---- the host ---- */

int limits_host_new(const LimitsParams *params, LimitsHost **ret, Error **reterr) {
    LimitsHost *host = calloc(1, sizeof(LimitsHost));
    int r;

    if (!host)
        return error_no_memory(reterr);
    host->partition = strdup(params->partition);
    host->resctrl_root = params->resctrl_root ? strdup(params->resctrl_root) : NULL;
    host->enabled = params->cgroups;
    host->scopes = params->scopes;
    host->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    r = host->partition ? cgroup_host_new(NULL, &host->cgroups, reterr) : error_no_memory(reterr);
    if (r < 0) {
        limits_host_free(host);
        return r;
    }
    *ret = host;
    return 0;
}

void limits_host_free(LimitsHost *host) {
    if (!host)
        return;
    if (host->cgroups) {
        cgroup_partition_remove(host->cgroups, host->partition);
        cgroup_host_free(host->cgroups);
    }
    if (host->inotify_fd >= 0)
        close(host->inotify_fd);
    free(host->partition);
    free(host->resctrl_root);
    free(host);
}

int limits_default_cpus(Bitmap **ret, Error **reterr) {
    return thread_default_cpus(NULL, ret, reterr);
}

/* ---- memory ---- */

static Limits *limits_new(const LimitsHost *host) {
    Limits *limits = calloc(1, sizeof(Limits));

    if (!limits)
        return NULL;
    limits->n_refs = 1;
    limits->host = host;
    return limits;
}

static Limits *limits_ref(Limits *limits) {
    limits->n_refs++;
    return limits;
}

void limits_free(Limits *limits) {
    if (!limits || --limits->n_refs > 0)
        return;
    sd_event_source_disable_unref(limits->settle);
    free(limits->watches.list);
    cgroup_tree_free(limits->tree);
    resctrl_free(limits->resctrl);
    bitmap_free(limits->had);
    free(limits->no_tree);
    free(limits->partition);
    free(limits->group);
    free(limits->machine);
    free(limits->made);
    free(limits);
}

DEFINE_CLEANUP(Limits *, limits_free)

const char *limits_partition(const Limits *limits) {
    return limits->tree ? limits->partition : NULL;
}

const char *limits_group(const Limits *limits) {
    return limits->tree ? limits->group : NULL;
}

const char *limits_machine(const Limits *limits) {
    return limits->in_scope ? limits->machine : NULL;
}

/* ---- begin ---- */

/* What the worker makes is the domain's only when it is whole: readers do not wait. */
typedef struct Begin {
    Limits *limits;
    const char *name, *partition; /* the definition's; partition may be NULL */
    uint8_t uuid[16];
    pid_t pid;
    bool needs_cgroup, needs_resctrl;
    Error *error;
} Begin;

/* With what is below it. What is not there is no error. */
static int remove_cgroup(const Limits *limits, const char *partition, const char *group,
                         Error **reterr) {
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;

    if (cgroup_tree_open(limits->host->cgroups, partition, group, &tree, NULL) < 0)
        return 0;
    return cgroup_tree_remove(tree, reterr);
}

/* Into a scope of systemd's. -ENOTCONN: there is no systemd. On v1 systemd has a directory for the
 * scope in some hierarchies only (for v2 and its own, and for those that it hands to a delegated
 * unit: not in cpuset). */
static int enter_scope(Begin *begin, Error **reterr) {
    Limits *limits = begin->limits;
    CLEANUP_FREE char *unit = scope_unit_name(limits->machine),
                      *description = strf("Virtual machine %s", begin->name);
    CLEANUP_FREE char *slice = begin->partition ? scope_slice_name(begin->partition) : NULL;
    ScopeParams params = {.machine = limits->machine,
                          .description = description,
                          .slice = slice,
                          .uuid = begin->uuid,
                          .pid = begin->pid};
    CgroupController controller = CGROUP_CPU;
    int r;

    if (!unit || !description || (begin->partition && !slice))
        return error_no_memory(reterr);
    r = scope_start(NULL, &params, SCOPE_USEC, reterr);
    if (r < 0)
        return r;
    limits->in_scope = true;
    while (controller < CGROUP_CONTROLLER_MAX &&
           !cgroup_host_version(limits->host->cgroups, controller))
        controller++;
    if (controller == CGROUP_CONTROLLER_MAX)
        return error_report(reterr, FROM_CGROUP, ERROR_OPERATION_INVALID,
                            "this host has no cgroup controllers");
    r = cgroup_host_group_of(limits->host->cgroups, controller, begin->pid, &limits->partition,
                             reterr);
    if (r < 0)
        return r;
    if (!strstr(limits->partition, unit)) {
        free(limits->partition);
        limits->partition = strf("/%s/%s", slice ? slice : "machine.slice", unit);
        if (!limits->partition)
            return error_no_memory(reterr);
    }
    r = cgroup_partition_make(limits->host->cgroups, limits->partition, reterr);
    return r < 0 ? r
                 : remove_cgroup(limits, limits->partition, SCOPE_GROUP,
                                 reterr); /* as in enter_partition */
}

static int enter_partition(Begin *begin, Error **reterr) {
    Limits *limits = begin->limits;
    int r = 0;

    r = cgroup_partition_normal(begin->partition ? begin->partition : limits->host->partition,
                                &limits->partition, reterr);
    if (r >= 0 && !*limits->partition) { /* the top */
        free(limits->partition);
        limits->partition = strdup("/");
        r = limits->partition ? 0 : error_no_memory(reterr);
    }
    if (r >= 0 && !begin->partition)
        r = cgroup_partition_make(limits->host->cgroups, limits->partition, reterr);
    /* A group of our name may be left from a machine that ended while no daemon looked, with that
     * one's limits. */
    return r < 0 ? r : remove_cgroup(limits, limits->partition, limits->machine, reterr);
}

static int make_tree(Begin *begin, Error **reterr) {
    Limits *limits = begin->limits;
    int r;

    if (!limits->host->enabled)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cgroups are switched off (cgroups = no in vireod.conf)");
    r = limits->host->scopes ? enter_scope(begin, reterr) : -ENOTCONN;
    if (r == -ENOTCONN) {
        if (reterr)
            error_free(TAKE_PTR(*reterr));
        r = enter_partition(begin, reterr);
    }
    limits->group = strdup(limits->in_scope ? SCOPE_GROUP : limits->machine);
    if (r >= 0 && !limits->group)
        r = error_no_memory(reterr);
    if (r >= 0 && limits->in_scope)
        r = cgroup_move_down(limits->host->cgroups, limits->partition, limits->group, begin->pid,
                             reterr);
    if (r >= 0)
        r = cgroup_tree_create(limits->host->cgroups, limits->partition, limits->group,
                               &limits->tree, reterr);
    return r < 0 ? r : cgroup_tree_adopt(limits->tree, begin->pid, reterr);
}

static void note_cpus(Limits *limits) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};

    if (limits->tree && cgroup_tree_get(limits->tree, NULL, &state, NULL) >= 0)
        limits->had = TAKE_PTR(state.cpus);
}

static int run_begin(void *arg) {
    Begin *begin = arg;
    Limits *limits = begin->limits;
    CLEANUP_ERROR Error *error = NULL;
    int r = make_tree(begin, &error);

    if (r < 0) {
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
    return begin->needs_resctrl
               ? resctrl_new(limits->host->resctrl_root, &limits->resctrl, &begin->error)
               : 0;
}

/* Names and numbers of a Limits that is being made. */
static Limits *limits_of(Domain *domain, const char *machine) {
    CLEANUP(limits_freep) Limits *limits = limits_new(domain->driver->limits);
    size_t n = domain->run->live->cputune.n_resctrls;

    if (!limits)
        return NULL;
    limits->machine = machine
                          ? strdup(machine)
                          : scope_machine_name((unsigned)domain->run->id, domain->run->live->name);
    limits->made = calloc(n + 1, sizeof(bool));
    limits->n_made = n;
    return limits->machine && limits->made ? TAKE_PTR(limits) : NULL;
}

/* From here on the domain has it, readers see it, and limits_end cleans up. */
static void hand_over(Domain *domain, Limits *limits) {
    limits_free(domain->run->limits);
    domain->run->limits = limits;
    drift_watch_group(limits, NULL, &limits->watches);
}

int limits_begin(Domain *domain, Error **reterr) {
    const DomainDef *def = domain->run->live;
    Begin begin = {.limits = limits_of(domain, NULL),
                   .name = def->name,
                   .partition = def->partition,
                   .pid = domain->run->pid.pid,
                   .needs_cgroup = limits_needs_cgroup(def),
                   .needs_resctrl = def->cputune.n_resctrls > 0};
    int r;

    if (!begin.limits)
        return error_no_memory(reterr);
    if (begin.needs_resctrl && def->virt != DOMAIN_VIRT_KVM &&
        !domain->driver->limits->resctrl_root) {
        limits_free(begin.limits); /* libvirt's rule; who names a resctrl tree knows what for */
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "domain '%s': cachetune and memorytune are only supported for KVM domains", def->name);
    }
    memcpy(begin.uuid, def->uuid, sizeof(begin.uuid));
    r = worker_run(run_begin, &begin);
    hand_over(domain, begin.limits);
    if (r < 0) {
        r = error_propagate(reterr, begin.error);
        if (reterr && *reterr)
            error_prefix(reterr, "domain '%s'", def->name);
        return r;
    }
    if (!begin.limits->tree && domain->driver->limits->enabled)
        log_warning("domain '%s' has no cgroup: %s", def->name, begin.limits->no_tree);
    return limits_tune(domain, &(LimitsScope){.emulator = true, .group = true}, reterr);
}

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
    return resume->needs_resctrl
               ? resctrl_new(limits->host->resctrl_root, &limits->resctrl, &resume->error)
               : 0;
}

int limits_resume(Domain *domain, const char *partition, const char *group, const char *machine,
                  Error **reterr) {
    const DomainDef *def = domain->run->live;
    Limits *limits = limits_of(domain, machine);
    Resume resume = {.limits = limits, .needs_resctrl = def->cputune.n_resctrls > 0};
    int r;

    if (!limits)
        return error_no_memory(reterr);
    limits->partition = partition ? strdup(partition) : NULL;
    limits->group = group ? strdup(group) : NULL;
    limits->in_scope = machine != NULL;
    for (size_t i = 0; i < limits->n_made; i++)
        limits->made[i] = true; /* they may be: what is not there is no error to remove */
    if ((partition && !limits->partition) || (group && !limits->group)) {
        limits_free(limits);
        return error_no_memory(reterr);
    }
    r = worker_run(run_resume, &resume);
    hand_over(domain, limits);
    if (partition && !limits->tree)
        log_warning("domain '%s' has lost its cgroup: %s", def->name, limits->no_tree);
    return r < 0 ? error_propagate(reterr, resume.error) : 0;
}

/* ---- resctrl groups ---- */

typedef struct GroupWork {
    const Resctrl *resctrl;
    char *group;
    ResctrlRequest request;
    char **monitors;
    size_t n_monitors;
    Error *error;
} GroupWork;

static void group_work_done(GroupWork *work) {
    for (size_t i = 0; i < work->n_monitors; i++)
        free(work->monitors[i]);
    free(work->monitors);
    free(work->group);
    error_free(work->error);
}

/* The request's arrays stay the definition's: that part of it never changes while the domain runs.
 */
static int group_work_new(Domain *domain, const ResctrlDef *def, GroupWork *ret) {
    *ret = (GroupWork){.resctrl = domain->run->limits->resctrl,
                       .request = {.caches = def->caches,
                                   .n_caches = def->n_caches,
                                   .bandwidths = def->bandwidths,
                                   .n_bandwidths = def->n_bandwidths}};
    ret->monitors = calloc(def->n_monitors + 1, sizeof(char *));
    if (!ret->monitors || limits_resctrl_name(domain, def, &ret->group) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < def->n_monitors; i++) {
        if (limits_monitor_name(domain, def, &def->monitors[i], &ret->monitors[ret->n_monitors]) <
            0)
            return -ENOMEM;
        ret->n_monitors += ret->monitors[ret->n_monitors] != NULL;
    }
    return 0;
}

static int run_group_remove(void *arg) {
    GroupWork *work = arg;
    int r = 0;

    for (size_t i = 0; i < work->n_monitors && !work->group && r >= 0; i++)
        r = resctrl_monitor_remove(work->resctrl, NULL, work->monitors[i], &work->error);
    return work->group && r >= 0 ? resctrl_group_remove(work->resctrl, work->group, &work->error)
                                 : r;
}

/* One of that name is left from a machine that ended while no daemon looked: domain ids begin anew
 * with the host. */
static int run_group_make(void *arg) {
    GroupWork *work = arg;
    int r = run_group_remove(work);

    if (r < 0)
        return r;
    r = work->group ? resctrl_group_create(work->resctrl, work->group, &work->request, &work->error)
                    : 0;

    if (r < 0)
        return r;
    for (size_t i = 0; i < work->n_monitors && r >= 0; i++) {
        bool again = false; /* one of the cache and one of the memory share a monitor group */

        for (size_t k = 0; k < i; k++)
            again |= streq(work->monitors[i], work->monitors[k]);
        if (!again)
            r = resctrl_monitor_create(work->resctrl, work->group, work->monitors[i], &work->error);
    }
    if (r < 0) {
        Error *error = TAKE_PTR(work->error);

        run_group_remove(work);
        error_free(work->error);
        work->error = error;
    }
    return r;
}

static int group_error(const Domain *domain, const ResctrlDef *def, GroupWork *work,
                       Error **reterr) {
    CLEANUP_FREE char *list = bitmap_format(def->vcpus);
    int r = error_propagate(reterr, TAKE_PTR(work->error));

    if (reterr && *reterr)
        error_prefix(reterr, "the resctrl group of vCPUs '%s' of domain '%s'", list ? list : "?",
                     domain_name(domain));
    return r;
}

static int make_groups(Domain *domain, const Bitmap *vcpus, Error **reterr) {
    Limits *limits = domain->run->limits;

    for (size_t i = 0; i < limits->n_made; i++) {
        const ResctrlDef *def = &domain->run->live->cputune.resctrls[i];
        CLEANUP(group_work_done) GroupWork work = {0};
        int r;

        if (limits->made[i] || !bitmap_overlaps(def->vcpus, vcpus))
            continue;
        if (group_work_new(domain, def, &work) < 0)
            return error_no_memory(reterr);
        r = worker_run(run_group_make, &work);
        if (r < 0)
            return group_error(domain, def, &work, reterr);
        limits->made[i] = true;
    }
    return 0;
}

/* Groups none of whose vCPUs is online; with `all` every one. */
static void remove_groups(Domain *domain, bool all) {
    Limits *limits = domain->run->limits;

    for (size_t i = 0; limits->resctrl && i < limits->n_made; i++) {
        const ResctrlDef *def = &domain->run->live->cputune.resctrls[i];
        CLEANUP(group_work_done) GroupWork work = {0};
        bool used = false;

        for (int id = bitmap_next(def->vcpus, 0); id >= 0 && !all;
             id = bitmap_next(def->vcpus, (unsigned)id + 1))
            used |= (unsigned)id < domain->run->live->n_vcpus_max &&
                    domain->run->live->vcpus[id].online;
        if (!limits->made[i] || used || group_work_new(domain, def, &work) < 0)
            continue;
        if (worker_run(run_group_remove, &work) < 0)
            log_warning("domain '%s': %s", domain_name(domain), error_message(work.error));
        else
            limits->made[i] = false;
    }
}

/* ---- checks ---- */

typedef struct CpuCheck {
    Limits *limits;
    const Bitmap *cpus;
    Error *error;
} CpuCheck;

static int run_check(void *arg) {
    CpuCheck *check = arg;
    Limits *limits = check->limits;
    CLEANUP_BITMAP Bitmap *online = NULL;
    CLEANUP_FREE char *is = NULL, *wanted = NULL;
    int r;

    if (limits->tree && cgroup_tree_require(limits->tree, CGROUP_CPUSET, NULL) >= 0)
        return cgroup_tree_check_cpus(limits->tree, check->cpus, &check->error);
    r = thread_online_cpus(NULL, &online, &check->error);
    if (r < 0 || bitmap_is_subset(check->cpus, online))
        return r;
    is = bitmap_format(online);
    wanted = bitmap_format(check->cpus);
    return error_report(&check->error, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "cannot use CPUs '%s': the host has only '%s' online",
                        wanted ? wanted : "?", is ? is : "?");
}

int limits_check_cpus(Domain *domain, const Bitmap *cpus, Error **reterr) {
    CpuCheck check = {.limits = domain->run ? domain->run->limits : NULL, .cpus = cpus};
    int r;

    if (!check.limits)
        return 0;
    limits_ref(check.limits);
    r = worker_run(run_check, &check);
    limits_free(check.limits);
    return r < 0 ? error_propagate(reterr, check.error) : 0;
}

/* All pins at once; only if that fails one by one, to name the vCPU. */
static int check_pins(Domain *domain, const Bitmap *vcpus, Error **reterr) {
    const DomainDef *def = domain->run->live;
    CLEANUP_BITMAP Bitmap *all = bitmap_new();

    if (!all)
        return error_no_memory(reterr);
    for (int id = bitmap_next(vcpus, 0); id >= 0 && (unsigned)id < def->n_vcpus_max;
         id = bitmap_next(vcpus, (unsigned)id + 1)) {
        const Bitmap *pin = def->vcpus[id].pin ? def->vcpus[id].pin : def->cpuset;

        if (pin && bitmap_union(all, pin) < 0)
            return error_no_memory(reterr);
    }
    if (bitmap_is_empty(all) || limits_check_cpus(domain, all, NULL) >= 0)
        return 0;
    for (int id = bitmap_next(vcpus, 0); id >= 0 && (unsigned)id < def->n_vcpus_max;
         id = bitmap_next(vcpus, (unsigned)id + 1)) {
        const Bitmap *pin = def->vcpus[id].pin ? def->vcpus[id].pin : def->cpuset;

        if (pin && limits_check_cpus(domain, pin, reterr) < 0) {
            if (reterr && *reterr)
                error_prefix(reterr, "vCPU %d of domain '%s'", id, domain_name(domain));
            return -EINVAL;
        }
    }
    return 0;
}

int limits_prepare_vcpus(Domain *domain, const Bitmap *vcpus, Error **reterr) {
    int r;

    if (!domain->run->limits)
        return 0;
    r = check_pins(domain, vcpus, reterr);
    if (r < 0 || !domain->run->limits->resctrl)
        return r;
    r = make_groups(domain, vcpus, reterr);
    if (r < 0)
        remove_groups(domain, false);
    return r;
}

int limits_require(const Domain *domain, CgroupController controller, Error **reterr) {
    const Limits *limits = domain->run ? domain->run->limits : NULL;

    if (limits && limits->tree)
        return cgroup_tree_require(limits->tree, controller, reterr);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "domain '%s' has no cgroup controller %s: %s", domain_name(domain),
                        cgroup_controller_name(controller),
                        limits && limits->no_tree ? limits->no_tree : "it is not running");
}

/* ---- tuning ---- */

typedef struct Tune {
    Limits *limits;
    LimitsPlan plan;
    char *name;
    FILE *out; /* mending: what differed */
    Watches watches;
    Error *error;
} Tune;

static void tune_done(Tune *tune) {
    limits_plan_done(&tune->plan);
    limits_free(tune->limits);
    free(tune->watches.list);
    free(tune->name);
    error_free(tune->error);
}

static int run_tune(void *arg) {
    Tune *tune = arg;
    int r = tune->out ? limits_mend(tune->limits, &tune->plan, tune->name, tune->out, &tune->error)
                      : limits_apply(tune->limits, &tune->plan, tune->name, &tune->error);

    for (size_t i = 0; i < tune->plan.n_threads; i++)
        drift_watch_group(tune->limits, tune->plan.threads[i].child, &tune->watches);
    return r;
}

/* QEMU's single-threaded TCG has no thread for each vCPU: whatever is asked of one cannot be done.
 */
static int check_threads(const Domain *domain, Error **reterr) {
    const DomainDef *def = domain->run->live;
    bool asked = def->cputune.vcpu.quota > 0 || def->cputune.n_resctrls > 0;

    for (unsigned id = 0; id < def->n_vcpus_max && !asked; id++)
        asked = (def->vcpus[id].pin &&
                 !(def->cpuset && bitmap_equal(def->vcpus[id].pin, def->cpuset))) ||
                def->vcpus[id].sched.given;
    return asked ? vcpu_map_check_affinity(&domain->run->vcpus, reterr) : 0;
}

/* Our own writes are told apart from others' by not listening to this domain meanwhile. */
static int run_quietly(Domain *domain, Limits *limits, WorkerFunc func, void *arg,
                       const Watches *found) {
    int r;

    limits->n_quiet++;
    r = worker_run(func, arg);
    drift_listen(domain, limits, found);
    limits->n_quiet--;
    return r;
}

static int begin_tune(Domain *domain, const LimitsScope *scope, Tune *ret, Error **reterr) {
    int r;

    *ret = (Tune){.limits = limits_ref(domain->run->limits), .name = strdup(domain_name(domain))};
    if (!ret->name)
        return error_no_memory(reterr);
    r = scope->all_vcpus || scope->vcpus ? check_threads(domain, reterr) : 0;
    return r < 0 ? r : limits_plan(domain, scope, &ret->plan, reterr);
}

int limits_tune(Domain *domain, const LimitsScope *scope, Error **reterr) {
    CLEANUP(tune_done) Tune tune = {0};
    int r;

    if (!domain->run->limits)
        return 0;
    r = begin_tune(domain, scope, &tune, reterr);
    if (r >= 0) {
        r = run_quietly(domain, tune.limits, run_tune, &tune, &tune.watches);
        if (r < 0)
            error_propagate(reterr, TAKE_PTR(tune.error));
    }
    return r;
}

int limits_reconcile(Domain *domain, char **ret_text, Error **reterr) {
    CLEANUP(tune_done) Tune tune = {0};
    CLEANUP_FREE char *text = NULL;
    LimitsScope everything = LIMITS_EVERYTHING;
    size_t size = 0;
    int r;

    if (!domain->run->limits)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    r = begin_tune(domain, &everything, &tune, reterr);
    if (r < 0)
        return r;
    tune.out = open_memstream(&text, &size);
    if (!tune.out)
        return error_no_memory(reterr);
    r = run_quietly(domain, tune.limits, run_tune, &tune, &tune.watches);
    if (fclose(tune.out) != 0)
        return error_no_memory(reterr);
    if (r < 0)
        return error_propagate(reterr, TAKE_PTR(tune.error));
    if (ret_text)
        *ret_text = TAKE_PTR(text);
    return r;
}

/* ---- the emulator's memory nodes ---- */

int limits_widen_memory(Domain *domain, bool wide, Error **reterr) {
    const NumaTuneDef *numa = &domain->run->live->numatune;
    CLEANUP(tune_done) Tune tune = {0};
    int r;

    if (!domain->run->limits || !domain->run->limits->tree || !numa->nodes ||
        (numa->mode != NUMA_STRICT && numa->mode != NUMA_RESTRICTIVE))
        return 0;
    r = begin_tune(domain, &(LimitsScope){.emulator = true}, &tune, reterr);
    if (r >= 0 && wide) {
        CLEANUP(cgroup_state_done) CgroupState state = {0};

        r = cgroup_tree_get(domain->run->limits->tree, NULL, &state, reterr);
        if (r < 0 || !state.effective_mems)
            return r < 0 ? r : 0;
        bitmap_free(tune.plan.threads[0].mems);
        tune.plan.threads[0].mems = TAKE_PTR(state.effective_mems);
    }
    if (r < 0)
        return r;
    r = run_quietly(domain, tune.limits, run_tune, &tune, &tune.watches);
    return r < 0 ? error_propagate(reterr, TAKE_PTR(tune.error)) : 0;
}

/* ---- what has gone ---- */

typedef struct Drop {
    Limits *limits;
    const Bitmap *vcpus;
    unsigned iothread;
    Error *error;
} Drop;

static int run_drop(void *arg) {
    Drop *drop = arg;
    char child[CHILD_NAME_SIZE];
    int result = 0;

    for (int id = drop->vcpus ? bitmap_next(drop->vcpus, 0) : -1; id >= 0;
         id = bitmap_next(drop->vcpus, (unsigned)id + 1)) {
        snprintf(child, sizeof(child), "vcpu%d", id);
        if (cgroup_tree_remove_child(drop->limits->tree, child, drop->error ? NULL : &drop->error) <
            0)
            result = -EBUSY;
    }
    snprintf(child, sizeof(child), "iothread%u", drop->iothread);
    if (drop->iothread && cgroup_tree_remove_child(drop->limits->tree, child, &drop->error) < 0)
        result = -EBUSY;
    return result;
}

static void drop(Domain *domain, const Bitmap *vcpus, unsigned iothread) {
    Drop work = {.limits = domain->run->limits ? limits_ref(domain->run->limits) : NULL,
                 .vcpus = vcpus,
                 .iothread = iothread};
    const Watches none = {0};

    if (work.limits && work.limits->tree &&
        run_quietly(domain, work.limits, run_drop, &work, &none) < 0)
        log_warning("domain '%s': %s", domain_name(domain), error_message(work.error));
    error_free(work.error);
    limits_free(work.limits);
}

void limits_drop_vcpus(Domain *domain, const Bitmap *vcpus) {
    if (!domain->run->limits)
        return;
    drop(domain, vcpus, 0);
    limits_forget_vcpus(domain);
}

void limits_forget_vcpus(Domain *domain) {
    if (domain->run->limits)
        remove_groups(domain, false);
}

void limits_drop_iothread(Domain *domain, unsigned id) {
    drop(domain, NULL, id);
}

typedef struct End {
    Limits *limits;
    Error *error;
} End;

/* A scope goes with its last process, unless something is left in it. systemd tries to remove its
 * directory once, perhaps while what is below was still there, and never had those of hierarchies
 * that it does not use. */
static int end_scope(const Limits *limits, Error **reterr) {
    CLEANUP_FREE char *path = limits->partition ? strdup(limits->partition) : NULL;
    char *slash = path ? strrchr(path, '/') : NULL;
    int r = scope_stop(NULL, limits->machine, SCOPE_USEC, reterr);

    if (r < 0 || !slash)
        return r;
    *slash = '\0';
    return remove_cgroup(limits, *path ? path : "/", slash + 1, reterr);
}

static int run_end(void *arg) {
    End *end = arg;
    int r;

    for (size_t i = 0; i < end->limits->watches.n; i++)
        inotify_rm_watch(end->limits->host->inotify_fd, end->limits->watches.list[i]);
    r = end->limits->tree ? cgroup_tree_remove(end->limits->tree, &end->error) : 0;

    if (end->limits->in_scope) {
        int ended = end_scope(end->limits, r < 0 ? NULL : &end->error);

        r = r < 0 ? r : ended;
    }
    return r;
}

void limits_end(Domain *domain) {
    End end = {.limits = domain->run->limits};

    if (!domain->run->limits)
        return;
    remove_groups(domain, true);
    domain->run->limits = NULL;
    end.limits->settle = sd_event_source_disable_unref(end.limits->settle);
    if (worker_run(run_end, &end) < 0)
        log_warning("domain '%s': %s", domain_name(domain), error_message(end.error));
    error_free(end.error);
    limits_free(end.limits);
}

typedef struct Stray {
    const LimitsHost *host;
    char *partition, *group;
    pid_t pid;
} Stray;

/* ".../vireo-3-ol8/emulator": the last part that can be the name of a machine's group. In a scope
 * there is none, and systemd removes what is below. */
static int run_find_stray(void *arg) {
    Stray *stray = arg;
    CgroupController controller = CGROUP_CPU;
    char *slash;

    while (controller < CGROUP_CONTROLLER_MAX &&
           !cgroup_host_version(stray->host->cgroups, controller))
        controller++;
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
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;

    if (cgroup_tree_open(stray->host->cgroups, stray->partition, stray->group, &tree, NULL) < 0)
        return 0;
    return cgroup_tree_remove(tree, NULL);
}

void limits_end_stray(LimitsHost *host, const QemuPid *pid) {
    Stray stray = {.host = host, .pid = pid->pid};

    worker_run(run_find_stray, &stray);
    qemu_process_kill(pid, 0);
    if (stray.group)
        worker_run(run_remove_stray, &stray);
    free(stray.partition);
    free(stray.group);
}

/* ---- readings ---- */

typedef struct VcpuTimes {
    Limits *limits;
    unsigned *ids;
    size_t n_ids, n;
    uint64_t *times;
    Error *error;
} VcpuTimes;

static int run_vcpu_times(void *arg) {
    VcpuTimes *work = arg;

    for (size_t i = 0; i < work->n_ids; i++) {
        CLEANUP_FREE uint64_t *one = NULL;
        char child[CHILD_NAME_SIZE];
        size_t n = 0;
        int r;

        snprintf(child, sizeof(child), "vcpu%u", work->ids[i]);
        r = cgroup_tree_usage_percpu(work->limits->tree, child, &one, &n, &work->error);
        if (r < 0)
            return r;
        if (!work->times)
            work->times = calloc(n + 1, sizeof(uint64_t));
        if (!work->times)
            return error_no_memory(&work->error);
        if (i == 0)
            work->n = n;
        for (size_t cpu = 0; cpu < n && cpu < work->n; cpu++)
            work->times[cpu] += one[cpu];
    }
    return 0;
}

int limits_vcpu_times(Domain *domain, uint64_t **ret, size_t *ret_n, Error **reterr) {
    VcpuTimes work = {0};
    int r = limits_require(domain, CGROUP_CPUACCT, reterr);

    if (r >= 0)
        work.ids = calloc(domain->run->live->n_vcpus_max + 1, sizeof(unsigned));
    if (r >= 0 && !work.ids)
        r = error_no_memory(reterr);
    for (unsigned id = 0; r >= 0 && id < domain->run->live->n_vcpus_max; id++)
        if (vcpu_map_tid(&domain->run->vcpus, id))
            work.ids[work.n_ids++] = id;
    if (r >= 0) {
        work.limits = limits_ref(domain->run->limits);
        r = worker_run(run_vcpu_times, &work);
        limits_free(work.limits);
        if (r < 0)
            error_propagate(reterr, work.error);
    }
    free(work.ids);
    if (r < 0) {
        free(work.times);
        return r;
    }
    *ret = work.times;
    *ret_n = work.n;
    return 0;
}

int limits_usage(Domain *domain, const char *child, CgroupUsage *ret, Error **reterr) {
    int r = limits_require(domain, CGROUP_CPUACCT, reterr);

    return r < 0 ? r : cgroup_tree_usage(domain->run->limits->tree, child, ret, reterr);
}

int limits_usage_percpu(Domain *domain, const char *child, uint64_t **ret, size_t *ret_n,
                        Error **reterr) {
    int r = limits_require(domain, CGROUP_CPUACCT, reterr);

    return r < 0 ? r
                 : cgroup_tree_usage_percpu(domain->run->limits->tree, child, ret, ret_n, reterr);
}

int limits_shares(Domain *domain, uint64_t *ret, Error **reterr) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    int r;

    *ret = 0;
    if (!domain->run || !domain->run->limits || !domain->run->limits->tree)
        return 0;
    r = cgroup_tree_get(domain->run->limits->tree, NULL, &state, reterr);
    if (r >= 0)
        *ret = state.shares;
    return r;
}

int limits_whole(Domain *domain, Bitmap **ret_cpus, Bitmap **ret_mems, Error **reterr) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    int r = 0;

    if (domain->run && domain->run->limits && domain->run->limits->tree)
        r = cgroup_tree_get(domain->run->limits->tree, NULL, &state, reterr);
    *ret_cpus = TAKE_PTR(state.effective_cpus);
    *ret_mems = TAKE_PTR(state.effective_mems);
    return r < 0 || *ret_cpus ? r : thread_online_cpus(NULL, ret_cpus, reterr);
}

int limits_monitor(Domain *domain, size_t resctrl, size_t monitor, const char *feature,
                   ResctrlReading **ret, size_t *ret_n, Error **reterr) {
    const ResctrlDef *def = &domain->run->live->cputune.resctrls[resctrl];
    CLEANUP_FREE char *group = NULL, *name = NULL;

    if (!domain->run->limits || !domain->run->limits->resctrl)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has no resctrl monitors", domain_name(domain));
    if (limits_resctrl_name(domain, def, &group) < 0 ||
        limits_monitor_name(domain, def, &def->monitors[monitor], &name) < 0)
        return error_no_memory(reterr);
    return resctrl_monitor_read(domain->run->limits->resctrl, group, name, feature, ret, ret_n,
                                reterr);
}
