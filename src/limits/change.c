/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of what threads have: planned on the loop, carried out and compared on a worker. */
#include "limits/change.h"

#include <stdio.h>
#include <sys/inotify.h>

#include "host/thread.h"
#include "limits/apply.h"
#include "limits/mend.h"
#include "limits/resctrl-group.h"
#include "limits/tree.h"
#include "limits/watch.h"
#include "util/log.h"
#include "util/text.h"
#include "util/worker.h"

struct LimitsChange {
    Limits *limits;
    LimitsPlan plan;
    Bitmap *came;     /* mending: host CPUs that have come */
    CgroupTree *tree; /* mending: made anew; NULL: the old one is there */
    char *text;       /* mending: what differed */
    Watches watches;  /* of the groups of the plan */
    Error *error;
};

/* ---- on a worker ---- */

static void watch_all(LimitsChange *change, const CgroupTree *tree) {
    for (size_t i = 0; i < change->plan.n_threads; i++)
        if (change->plan.threads[i].who.role != LIMIT_ROLE_DOMAIN)
            limits_watch_group(change->limits->host, tree, change->plan.threads[i].child,
                               &change->watches);
}

static int run_apply(void *arg) {
    LimitsChange *change = arg;
    int r = limits_apply(change->limits, &change->plan, &change->error);

    watch_all(change, change->limits->tree);
    return r;
}

static int run_restore(void *arg) {
    LimitsChange *change = arg;

    return limits_restore(change->limits, &change->plan, &change->error);
}

static int run_compare(void *arg) {
    LimitsChange *change = arg;

    return limits_differ(change->limits, &change->plan);
}

/* What mending looks at; the loop changes the rest meanwhile. */
static Limits view_of(const Limits *limits) {
    return (Limits){.host = limits->host,
                    .tree = limits->tree,
                    .had = limits->had,
                    .partition = limits->partition,
                    .group = limits->group,
                    .machine = limits->machine,
                    .in_scope = limits->in_scope,
                    .own_partition = limits->own_partition,
                    .resctrl = limits->resctrl};
}

static int mend(LimitsChange *change, const Limits *limits, FILE *out) {
    Limits view = view_of(limits);
    bool gone = limits->tree && cgroup_tree_is_gone(limits->tree);
    int r = 0;

    if (gone) {
        r = limits_tree_renew(limits, change->plan.pid, &change->tree, &change->error);
        if (r < 0)
            return r;
        view.tree = change->tree;
        fprintf(out, "domain: cgroup was 'missing', is '%s' again\n", limits->group);
    }
    r = limits_mend(&view, &change->plan, change->came, out, &change->error);
    watch_all(change, view.tree);
    return r < 0 ? r : r + gone;
}

static int run_mend(void *arg) {
    LimitsChange *change = arg;
    FILE *out = text_open(&change->text);
    int r;

    if (!out)
        return error_no_memory(&change->error);
    r = mend(change, change->limits, out);
    return fclose(out) == 0 ? r : error_no_memory(&change->error);
}

/* ---- on the loop ---- */

static bool existed(const LimitsPlan *plan) {
    for (size_t i = 0; i < plan->n_threads; i++)
        if (!plan->threads[i].made)
            return true;
    return false;
}

static void tell(Limits *limits) {
    if (limits->owner && limits->host->written)
        limits->host->written(limits->owner);
}

/* Whatever is written to our groups while a worker writes to them is kept for afterwards. What it
 * had no business with was somebody else's; where both may have written, the last word is looked
 * at. */
static int run_quietly(LimitsChange *change, WorkerFunc func) {
    Limits *limits = change->limits;
    bool others, ours;
    int r;

    limits->n_quiet++;
    r = limits_work(limits->host, func, change);
    limits_watch_add(limits, &change->watches);
    limits_host_read(limits->host);
    limits->n_quiet--;
    ours = limits->heard.n > 0 && r >= 0 && func == run_apply && existed(&change->plan);
    others = limits_watch_heard_others(limits, &limits->own, &change->watches);
    if (others || (ours && worker_run(run_compare, change) > 0))
        tell(limits);
    return r;
}

/* QEMU's single-threaded TCG has no thread for each vCPU: whatever is asked of one cannot be done.
 */
static int check_threads(const LimitsSubject *subject, Error **reterr) {
    const DomainDef *def = subject->def;
    bool asked = def->cputune.vcpu.quota > 0 || def->cputune.n_resctrls > 0;

    if (subject->vcpus->has_tids)
        return 0;
    for (unsigned id = 0; id < def->n_vcpus_max && !asked; id++)
        asked = (def->vcpus[id].pin &&
                 !(def->cpuset && bitmap_equal(def->vcpus[id].pin, def->cpuset))) ||
                def->vcpus[id].sched.given;
    return asked ? vcpu_map_check_affinity(subject->vcpus, reterr) : 0;
}

static int change_new(Limits *limits, const LimitsSubject *subject, const LimitsScope *scope,
                      bool newborn, LimitsChange **ret, Error **reterr) {
    CLEANUP(limits_change_freep) LimitsChange *change = calloc(1, sizeof(LimitsChange));
    int r = scope->all_vcpus || scope->vcpus ? check_threads(subject, reterr) : 0;

    if (r < 0)
        return r;
    if (!change)
        return error_no_memory(reterr);
    change->limits = limits_ref(limits);
    r = limits_plan(limits, subject, scope, newborn, &change->plan, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(change);
    return r;
}

int limits_change_new(Limits *limits, const LimitsSubject *subject, const LimitsScope *scope,
                      LimitsChange **ret, Error **reterr) {
    assert(!limits || subject->owner == limits->owner);
    *ret = NULL;
    return limits ? change_new(limits, subject, scope, false, ret, reterr) : 0;
}

void limits_change_free(LimitsChange *change) {
    if (!change)
        return;
    limits_plan_done(&change->plan);
    limits_unref(change->limits);
    bitmap_free(change->came);
    cgroup_tree_free(change->tree);
    free(change->watches.list);
    free(change->text);
    error_free(change->error);
    free(change);
}

int limits_change_run(LimitsChange *change, Error **reterr) {
    int r = change ? run_quietly(change, run_apply) : 0;

    return r < 0 ? error_propagate(reterr, TAKE_PTR(change->error)) : 0;
}

void limits_change_undo(LimitsChange *change) {
    if (change && run_quietly(change, run_restore) < 0)
        log_warning("domain '%s': what its threads had before cannot be restored whole: %s",
                    change->plan.name, error_message(change->error));
}

int limits_tune(Limits *limits, const LimitsSubject *subject, const LimitsScope *scope,
                Error **reterr) {
    CLEANUP(limits_change_freep) LimitsChange *change = NULL;
    int r = limits_change_new(limits, subject, scope, &change, reterr);

    return r < 0 ? r : limits_change_run(change, reterr);
}

int limits_tune_newborn(Limits *limits, const LimitsSubject *subject, Error **reterr) {
    CLEANUP(limits_change_freep) LimitsChange *change = NULL;
    const LimitsScope scope = {.emulator = true, .group = true};
    int r = change_new(limits, subject, &scope, true, &change, reterr);

    assert(limits && !limits->n_quiet);
    return r < 0 ? r : limits_change_run(change, reterr);
}

/* ---- mending ---- */

/* The old one's directories are gone; who reads it at this moment finds nothing. */
static void take_tree(Limits *limits, CgroupTree *tree) {
    cgroup_tree_free(limits->worn);
    limits->worn = limits->tree;
    limits->tree = tree;
    limits->own.n = 0;
    limits_watch_group(limits->host, tree, NULL, &limits->own);
    limits_watch_add(limits, &limits->own);
}

/* A bound that clips is said once, not each time somebody looks. */
static void log_clips(Limits *limits, const char *name, const char *text) {
    const char *clip = strstr(text, " are clipped to ");

    if (!clip) {
        free(TAKE_PTR(limits->clipped));
        return;
    }
    if (limits->clipped && streq(limits->clipped, clip))
        return;
    free(limits->clipped);
    limits->clipped = strdup(clip);
    log_warning("domain '%s' is bound by what others set:\n%s", name, text);
}

static int note_came(Limits *limits, LimitsChange *change) {
    change->came = TAKE_PTR(limits->came);
    return change->came && limits->had ? bitmap_union(limits->had, change->came) : 0;
}

int limits_reconcile(Limits *limits, const LimitsSubject *subject, char **ret_text,
                     Error **reterr) {
    CLEANUP(limits_change_freep) LimitsChange *change = NULL;
    LimitsScope everything = LIMITS_EVERYTHING;
    int r;

    if (!limits)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    r = limits_change_new(limits, subject, &everything, &change, reterr);
    if (r >= 0 && note_came(limits, change) < 0)
        r = error_no_memory(reterr);
    if (r < 0)
        return r;
    r = run_quietly(change, run_mend);
    if (change->tree)
        take_tree(limits, TAKE_PTR(change->tree));
    if (r < 0)
        return error_propagate(reterr, TAKE_PTR(change->error));
    log_clips(limits, change->plan.name, change->text);
    if (ret_text)
        *ret_text = TAKE_PTR(change->text);
    return r;
}

/* ---- the emulator's memory nodes ---- */

int limits_widen_memory(Limits *limits, const LimitsSubject *subject, bool wide, Error **reterr) {
    const NumaTuneDef *numa = &subject->def->numatune;
    const LimitsScope scope = {.emulator = true, .kind = limit_memory.name, .wide_memory = wide};

    if (!limits || !limits->tree || !numa->nodes ||
        (numa->mode != NUMA_STRICT && numa->mode != NUMA_RESTRICTIVE))
        return 0;
    return limits_tune(limits, subject, &scope, reterr);
}

/* ---- checks before a plug ---- */

typedef struct CpuCheck {
    Limits *limits;
    const Bitmap *cpus;
    bool is_gone;
    Error *error;
} CpuCheck;

static int run_check(void *arg) {
    CpuCheck *check = arg;
    Limits *limits = check->limits;

    check->is_gone = limits->tree && cgroup_tree_is_gone(limits->tree);
    if (check->is_gone || !check->cpus || bitmap_is_empty(check->cpus))
        return 0;
    if (limits->tree && cgroup_tree_require(limits->tree, CGROUP_CPUSET, NULL) >= 0)
        return cgroup_tree_check_cpus(limits->tree, check->cpus, &check->error);
    return thread_check_cpus(NULL, check->cpus, &check->error);
}

static int check_cpus(Limits *limits, const Bitmap *cpus, bool *ret_gone, Error **reterr) {
    CpuCheck check = {.limits = limits_ref(limits), .cpus = cpus};
    int r = worker_run(run_check, &check);

    limits_unref(check.limits);
    *ret_gone = check.is_gone;
    return r < 0 ? error_propagate(reterr, check.error) : 0;
}

int limits_check_cpus(Limits *limits, const Bitmap *cpus, Error **reterr) {
    bool gone;

    assert(cpus);
    return limits ? check_cpus(limits, cpus, &gone, reterr) : 0;
}

static const Bitmap *pin_of(const DomainDef *def, int id) {
    return def->vcpus[id].pin ? def->vcpus[id].pin : def->cpuset;
}

/* All pins at once; only if that fails one by one, to name the vCPU. */
static int check_pins(Limits *limits, const LimitsSubject *subject, const Bitmap *vcpus,
                      bool *ret_gone, Error **reterr) {
    const DomainDef *def = subject->def;
    CLEANUP_BITMAP Bitmap *all = bitmap_new();
    bool gone;

    if (!all)
        return error_no_memory(reterr);
    for (int id = bitmap_next(vcpus, 0); id >= 0 && (unsigned)id < def->n_vcpus_max;
         id = bitmap_next(vcpus, (unsigned)id + 1))
        if (pin_of(def, id) && bitmap_union(all, pin_of(def, id)) < 0)
            return error_no_memory(reterr);
    if (check_cpus(limits, all, ret_gone, NULL) >= 0)
        return 0;
    for (int id = bitmap_next(vcpus, 0); id >= 0 && (unsigned)id < def->n_vcpus_max;
         id = bitmap_next(vcpus, (unsigned)id + 1))
        if (pin_of(def, id) && check_cpus(limits, pin_of(def, id), &gone, reterr) < 0) {
            if (reterr && *reterr)
                error_prefix(reterr, "vCPU %d of domain '%s'", id, subject->name);
            return -EINVAL;
        }
    return 0;
}

int limits_prepare_vcpus(Limits *limits, const LimitsSubject *subject, const Bitmap *vcpus,
                         Error **reterr) {
    bool gone = false;
    int r;

    assert(vcpus);
    if (!limits)
        return 0;
    r = check_pins(limits, subject, vcpus, &gone, reterr);
    if (r >= 0 && gone) {
        r = limits_reconcile(limits, subject, NULL, reterr);
        if (r >= 0)
            r = check_pins(limits, subject, vcpus, &gone, reterr);
    }
    if (r < 0 || !limits->resctrl)
        return MIN_OF(r, 0);
    r = limits_groups_make(limits, subject, vcpus, reterr);
    if (r < 0)
        limits_groups_remove(limits, subject, false);
    return r;
}

/* ---- what has gone ---- */

typedef struct Drop {
    Limits *limits;
    const Bitmap *vcpus;
    unsigned iothread;
    Error *error;
} Drop;

/* The kernel keeps the watches of groups that are gone: they are let go by their numbers. */
static int drop_child(Drop *drop, const char *child) {
    const Limits *limits = drop->limits;
    CLEANUP(watches_done) Watches watches = {0};
    int r;

    limits_watch_group(limits->host, limits->tree, child, &watches);
    r = cgroup_tree_remove_child(limits->tree, child, drop->error ? NULL : &drop->error);
    for (size_t i = 0; i < watches.n && r >= 0; i++)
        inotify_rm_watch(limits->host->inotify_fd, watches.list[i]);
    return r;
}

static int run_drop(void *arg) {
    Drop *drop = arg;
    char child[CHILD_NAME_SIZE];
    int result = 0;

    for (int id = drop->vcpus ? bitmap_next(drop->vcpus, 0) : -1; id >= 0;
         id = bitmap_next(drop->vcpus, (unsigned)id + 1)) {
        snprintf(child, sizeof(child), "vcpu%d", id);
        if (drop_child(drop, child) < 0)
            result = -EBUSY;
    }
    snprintf(child, sizeof(child), "iothread%u", drop->iothread);
    if (drop->iothread && drop_child(drop, child) < 0)
        result = -EBUSY;
    return result;
}

static void drop(Limits *limits, const char *name, const Bitmap *vcpus, unsigned iothread) {
    Drop work = {.vcpus = vcpus, .iothread = iothread};

    if (!limits || !limits->tree)
        return;
    work.limits = limits_ref(limits);
    limits->n_quiet++;
    if (limits_work(limits->host, run_drop, &work) < 0)
        log_warning("domain '%s': %s", name, error_message(work.error));
    limits_host_read(limits->host);
    limits->n_quiet--;
    if (limits_watch_heard_others(limits, &limits->own, NULL))
        tell(limits);
    error_free(work.error);
    limits_unref(limits);
}

void limits_drop_vcpus(Limits *limits, const LimitsSubject *subject, const Bitmap *vcpus) {
    assert(vcpus);
    drop(limits, subject->name, vcpus, 0);
    limits_forget_vcpus(limits, subject);
}

void limits_forget_vcpus(Limits *limits, const LimitsSubject *subject) {
    if (limits)
        limits_groups_remove(limits, subject, false);
}

void limits_drop_iothread(Limits *limits, const LimitsSubject *subject, unsigned id) {
    assert(id > 0);
    drop(limits, subject->name, NULL, id);
}
