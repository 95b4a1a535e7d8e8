/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/block-job.h"

#include "domain/files.h"
#include "driver/block-job-check.h"
#include "driver/block-job-settle.h"
#include "driver/device-use.h"
#include "driver/disk-chain.h"
#include "driver/disk-tune.h"
#include "driver/news.h"
#include "qemu/block-graph.h"
#include "qemu/devices/device.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define END_USEC (600 * USEC_PER_SEC) /* that a caller waits for a job's end */

/* ---- what is asked for ---- */

/* A job that is about to begin. */
typedef struct Beginning {
    Domain *domain;
    const BlockJobRequest *request;
    DomainDef *next; /* the live definition with the whole chain */
    DiskDef *disk;   /* of it */
    BlockJobKind kind;
    size_t top, base; /* places; a pull without a base has the chain's length */
} Beginning;

static int invalid(Error **reterr, const char *format, const char *a, const char *b) {
    return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, format, a, b);
}

/* Nothing is below the top image, or not what was asked for. */
static int no_base(const BlockJobRequest *request, const DiskDef *disk, Error **reterr) {
    const char *top = request->top ? request->top : disk->source.path;

    return request->base
               ? error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                              "could not find image '%.200s' beneath '%.200s' in chain "
                              "for '%s'",
                              request->base, top ? top : "", disk->target)
               : error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                              "could not find base image in chain for '%s'", disk->target);
}

static int choose_commit(Beginning *beginning, Error **reterr) {
    const BlockJobRequest *request = beginning->request;
    const DiskDef *disk = beginning->disk;
    const size_t n = chain_length(disk);
    const bool active = request->flags & BLOCK_COMMIT_ACTIVE;
    int top = request->top ? chain_find(disk, request->top) : 0, base;

    if (top < 0)
        return invalid(reterr, "could not find image '%.200s' in chain for '%s'", request->top,
                       disk->target);
    if ((size_t)top + 1 == n && chain_is_closed(disk))
        return no_base(request, disk, reterr);
    if (top == 0 && !active)
        return invalid(reterr, "commit of '%s' active layer requires active flag%s", disk->target,
                       "");
    if (top > 0 && active)
        return invalid(reterr, "active commit requested but '%s' is not active%s",
                       chain_at(disk, (size_t)top)->path, "");
    if ((size_t)top + 1 == n)
        return invalid(reterr,
                       "what is below image '%s' of disk '%s' is not known: name it with a "
                       "<backingStore> in the definition",
                       chain_at(disk, (size_t)top)->path, disk->target);
    base = request->base                           ? chain_find(disk, request->base)
           : request->flags & BLOCK_COMMIT_SHALLOW ? top + 1
                                                   : (int)n - 1;
    if (!request->base && !(request->flags & BLOCK_COMMIT_SHALLOW) && !chain_is_closed(disk))
        return invalid(reterr,
                       "what is below image '%s' of disk '%s' is not known: name it with a "
                       "<backingStore> in the definition, or give a base",
                       chain_at(disk, n - 1)->path, disk->target);
    if (base <= top)
        return no_base(request, disk, reterr);
    if ((request->flags & BLOCK_COMMIT_SHALLOW) && base != top + 1)
        return invalid(reterr, "base '%.200s' is not immediately below the top image of '%s'",
                       request->base, disk->target);
    beginning->kind = top == 0 ? BLOCK_JOB_ACTIVE_COMMIT : BLOCK_JOB_COMMIT;
    beginning->top = (size_t)top;
    beginning->base = (size_t)base;
    return 0;
}

static int choose_pull(Beginning *beginning, Error **reterr) {
    const BlockJobRequest *request = beginning->request;
    const DiskDef *disk = beginning->disk;
    const size_t n = chain_length(disk);
    int base = request->base ? chain_find(disk, request->base) : (int)n;

    if (base <= 0)
        return no_base(request, disk, reterr);
    beginning->kind = BLOCK_JOB_PULL;
    beginning->base = (size_t)base;
    return 0;
}

static int check_disk(const Domain *domain, const DiskDef *disk, Error **reterr) {
    if (domain->run->disks.n_overlays > 0)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "QEMU has not said yet what became of the last snapshot of domain '%s'",
                            domain_name(domain));
    if (!storage_is_there(&disk->source))
        return invalid(reterr, "disk %s has no source file to be committed%s", disk->target, "");
    if (disk_encryption(disk))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "an encrypted disk has no block jobs here");
    if (block_check_transient(disk, reterr) < 0)
        return -EINVAL;
    return block_job_check_disk(domain, disk->target, reterr);
}

/* Which images it is about; the definition is a copy. */
static int choose(Beginning *beginning, Error **reterr) {
    Domain *domain = beginning->domain;
    CLEANUP_JSON json_object *nodes = NULL;
    CLEANUP_FREE char *target = NULL;
    const DiskDef *disk = NULL;
    int r = driver_find_disk(domain, beginning->request->disk, AFFECT_LIVE, &disk, reterr);

    if (r >= 0)
        r = check_disk(domain, disk, reterr);
    if (r < 0)
        return r;
    target = strdup(disk->target);
    if (!target)
        return error_no_memory(reterr);
    r = block_job_ask(domain, "query-named-block-nodes", &nodes, reterr);
    if (r < 0)
        return r;
    beginning->next = domain_def_copy(domain->run->live);
    beginning->disk = beginning->next ? chain_disk(beginning->next, target) : NULL;
    if (!beginning->disk || chain_complete(domain, beginning->next, beginning->disk, nodes) < 0)
        return error_no_memory(reterr);
    return beginning->request->kind == BLOCK_JOB_PULL ? choose_pull(beginning, reterr)
                                                      : choose_commit(beginning, reterr);
}

/* ---- in QEMU ---- */

static void add_backing_file(Props *props, const StorageSource *base) {
    if (base && base->path && (base->type == DISK_FILE || base->type == DISK_BLOCK))
        props_text(props, "backing-file", base->path);
}

/* QEMU 7.2 ends when it is asked for its nodes while a stream that has ended is not forgotten: that
 * one is forgotten by itself, and what became of it the nodes say. */
static json_object *arguments_of(const Beginning *beginning, const char *id, const char *root) {
    const StorageSource *base = chain_at(beginning->disk, beginning->base);
    const bool pull = beginning->kind == BLOCK_JOB_PULL;
    Props props = props_new();

    props_text(&props, "job-id", id);
    props_text(&props, "device", pull ? beginning->disk->source.node : root);
    props_text(&props, "base-node", base ? base->node : NULL);
    if (!pull)
        props_text(&props, "top-node", chain_at(beginning->disk, beginning->top)->node);
    if (beginning->kind != BLOCK_JOB_ACTIVE_COMMIT)
        add_backing_file(&props, base);
    if (beginning->request->speed)
        props_uint(&props, "speed", beginning->request->speed);
    props_bool(&props, "auto-dismiss", pull);
    if (beginning->kind == BLOCK_JOB_ACTIVE_COMMIT) /* the definition is written before the pivot */
        props_bool(&props, "auto-finalize", false);
    return props_take(&props);
}

/* It is in the status file, and the live definition has the whole chain. */
static int note(Beginning *beginning, const char *id, Error **reterr) {
    DomainRun *run = beginning->domain->run;
    const DiskDef *disk = beginning->disk;
    BlockJob job = {.disk = strdup(disk->target),
                    .id = strdup(id),
                    .kind = beginning->kind,
                    .begins = true,
                    .top = chain_index(disk, beginning->top),
                    .base = chain_index(disk, beginning->base),
                    .path = disk->source.path ? strdup(disk->source.path) : NULL};

    if (run_add_block_job(&run->disks, &job) < 0)
        return error_no_memory(reterr);
    news_carry(run->live, beginning->next);
    domain_def_free(run->live);
    run->live = TAKE_PTR(beginning->next);
    for (size_t i = 0; i < run->disks.n_jobs; i++) /* others may be ready by now */
        block_job_show(beginning->domain, run->disks.jobs[i].disk);
    return domain_save_status(beginning->domain, reterr);
}

static void take_back(Domain *domain, const char *id) {
    BlockJob *job = domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
    CLEANUP_FREE char *target = job ? strdup(job->disk) : NULL;

    if (!job)
        return;
    run_remove_block_job(&domain->run->disks, job);
    if (target)
        block_job_show(domain, target);
    device_host_settle_jobs(domain);
    if (domain->run)
        domain_save_status(domain, NULL);
    fiber_cond_broadcast(&domain->block_job_cond);
}

static int send(Domain *domain, const char *id, BlockJobKind kind, json_object *arguments_consume,
                Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r = device_command(domain, kind == BLOCK_JOB_PULL ? "block-stream" : "block-commit",
                           arguments_consume, &error);

    if (r >= 0)
        return 0;
    if (!device_is_unanswered(domain, error))
        take_back(domain, id);
    else if (domain->run)
        block_job_settle_soon(domain, id);
    return error_propagate(reterr, TAKE_PTR(error));
}

static int begin(Beginning *beginning, Error **reterr) {
    Domain *domain = beginning->domain;
    CLEANUP_JSON json_object *blocks = NULL, *arguments = NULL;
    CLEANUP_FREE char *id = strf("%s-%u", beginning->kind == BLOCK_JOB_PULL ? "pull" : "commit",
                                 chain_index(beginning->disk, beginning->top));
    BlockRoot root = {0};
    BlockJob *job;
    int r = block_job_ask(domain, "query-block", &blocks, reterr);

    if (r >= 0 && !block_root_find(blocks, beginning->disk->info.alias, &root))
        r = error_report(reterr, FROM_QEMU, ERROR_INTERNAL, "QEMU says nothing of disk '%s'",
                         beginning->disk->target);
    if (r < 0)
        return r;
    arguments = id ? arguments_of(beginning, id, root.node) : NULL;
    if (!arguments)
        return error_no_memory(reterr);
    r = note(beginning, id, reterr);
    if (r >= 0) /* which says what QEMU will write to */
        r = device_host_admit_jobs(domain, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    job = r >= 0 ? run_block_job_by_id(&domain->run->disks, id) : NULL;
    if (job)
        job->begins = false;
    if (r >= 0)
        return send(domain, id, beginning->kind, TAKE_PTR(arguments), reterr);
    take_back(domain, id);
    return r;
}

static int begin_locked(Domain *domain, const BlockJobRequest *request, Error **reterr) {
    Beginning beginning = {.domain = domain, .request = request};
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = choose(&beginning, reterr);
    if (r >= 0)
        r = begin(&beginning, reterr);
    domain_def_free(beginning.next);
    return r;
}

int driver_begin_block_job(Domain *domain, const BlockJobRequest *request, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "block job", reterr);

    assert(request->kind == BLOCK_JOB_PULL || request->kind == BLOCK_JOB_COMMIT);
    if (r < 0)
        return r;
    r = begin_locked(domain, request, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* ---- what is asked of one that runs ---- */

/* Borrowed until the next wait. */
static int find_job(Domain *domain, const char *name, BlockJob **ret, Error **reterr) {
    const DiskDef *disk = NULL;
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = driver_find_disk(domain, name, AFFECT_LIVE, &disk, reterr);
    if (r < 0)
        return r;
    *ret = run_block_job(&domain->run->disks, disk->target);
    return *ret ? 0
                : error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                               "disk %s does not have an active block job", disk->target);
}

/* Written down first: the outcome of a job that ends is told by what it was asked for. */
static int ask_to_end(Domain *domain, const char *id, BlockJobPhase phase, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    BlockJob *job = run_block_job_by_id(&domain->run->disks, id);
    const BlockJobPhase before = job->phase;
    Props props = props_new();
    json_object *arguments;
    int r;

    job->phase = phase;
    props_text(&props, phase == BLOCK_JOB_PIVOTS ? "id" : "device", id);
    if (phase == BLOCK_JOB_ABORTS)
        props_bool(&props, "force", true);
    arguments = props_take(&props);
    r = domain_save_status(domain, &error);
    if (r < 0)
        json_object_put(arguments);
    else if (!arguments)
        r = error_no_memory(&error);
    else
        r = device_command(domain, phase == BLOCK_JOB_PIVOTS ? "job-complete" : "block-job-cancel",
                           arguments, &error);
    job = domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
    if (r >= 0 || !job)
        return r;
    if (!device_is_unanswered(domain, error) && job->phase == phase) {
        job->phase = before;
        domain_save_status(domain, NULL);
    }
    if (domain->run) /* it may have ended without a word */
        block_job_settle_soon(domain, id);
    return error_propagate(reterr, TAKE_PTR(error));
}

static int check_end(const BlockJob *job, unsigned flags, Error **reterr) {
    const bool again = job->phase == BLOCK_JOB_ABORTS && !(flags & BLOCK_ABORT_PIVOT);

    if (!again && (job->phase == BLOCK_JOB_PIVOTS || job->phase == BLOCK_JOB_ABORTS))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "block job on disk '%s' is being %s already", job->disk,
                            job->phase == BLOCK_JOB_PIVOTS ? "pivoted" : "aborted");
    if (!(flags & BLOCK_ABORT_PIVOT))
        return 0;
    if (job->kind != BLOCK_JOB_ACTIVE_COMMIT)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "job type of disk '%s' does not support pivot", job->disk);
    if (job->phase != BLOCK_JOB_READY)
        return error_report(reterr, FROM_QEMU, ERROR_BLOCK_COPY_ACTIVE,
                            "block job on disk '%s' is not ready for pivot yet", job->disk);
    return 0;
}

/* Until the run has no such job any more, or has ended itself. */
static int wait_for_end(Domain *domain, int run_id, const char *id, Error **reterr) {
    const uint64_t deadline = deadline_in(END_USEC);

    while (domain->run && domain->run->id == run_id && run_block_job_by_id(&domain->run->disks, id))
        if (fiber_cond_wait(&domain->block_job_cond, deadline) < 0)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                "the block job '%s' of domain '%s' has been asked to end and goes "
                                "on",
                                id, domain_name(domain));
    return 0;
}

/* A pivot that QEMU could not do, or whose definition could not be written. */
static int check_pivoted(const Domain *domain, int run_id, const char *target, unsigned top,
                         Error **reterr) {
    const DiskDef *disk = domain->run && domain->run->id == run_id
                              ? chain_disk(domain->run->live, target)
                              : NULL;

    return disk && chain_place(disk, top) >= 0
               ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                              "the pivot of disk '%s' of domain '%s' has failed, as the log says; "
                              "the disk has the images that it had",
                              target, domain_name(domain))
               : 0;
}

int driver_end_block_job(Domain *domain, const char *disk, unsigned flags, Error **reterr) {
    CLEANUP_FREE char *id = NULL, *target = NULL;
    BlockJob *found = NULL;
    DomainJob job;
    unsigned top = 0;
    int run_id = 0, r = domain_job_begin(domain, &job, "end of a block job", reterr);

    if (r < 0)
        return r;
    r = find_job(domain, disk, &found, reterr);
    if (r >= 0)
        r = check_end(found, flags, reterr);
    if (r >= 0) {
        run_id = domain->run->id;
        id = strdup(found->id);
        target = strdup(found->disk);
        top = found->top;
        r = !id || !target ? error_no_memory(reterr)
            : found->phase == BLOCK_JOB_SETTLED
                ? 0
                : ask_to_end(domain, id,
                             flags & BLOCK_ABORT_PIVOT ? BLOCK_JOB_PIVOTS : BLOCK_JOB_ABORTS,
                             reterr);
    }
    domain_job_end(domain, &job);
    if (r < 0 || flags & BLOCK_ABORT_ASYNC)
        return r;
    r = wait_for_end(domain, run_id, id, reterr);
    return r >= 0 && flags & BLOCK_ABORT_PIVOT ? check_pivoted(domain, run_id, target, top, reterr)
                                               : r;
}

static int set_speed(Domain *domain, const char *disk, uint64_t speed, Error **reterr) {
    Props props = props_new();
    json_object *arguments;
    BlockJob *job = NULL;
    int r = find_job(domain, disk, &job, reterr);

    if (r >= 0)
        props_text(&props, "device", job->id);
    props_uint(&props, "speed", speed);
    arguments = props_take(&props);
    if (r >= 0 && !arguments)
        return error_no_memory(reterr);
    if (r >= 0)
        return device_command(domain, "block-job-set-speed", arguments, reterr);
    json_object_put(arguments);
    return r;
}

int driver_set_block_job_speed(Domain *domain, const char *disk, uint64_t speed, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "speed of a block job", reterr);

    if (r < 0)
        return r;
    r = set_speed(domain, disk, speed, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* ---- how far it is ---- */

/* What clients wait for is that done equals total. */
static void settle_numbers(bool ready, BlockJobInfo *info) {
    if (ready && info->total == 0)
        info->done = info->total = 1;
    if (!ready && info->done == info->total) {
        info->total += info->total == 0;
        info->done = info->total - 1;
    }
}

int driver_block_job_info(Domain *domain, const char *name, BlockJobInfo *ret, Error **reterr) {
    CLEANUP_JSON json_object *jobs = NULL;
    CLEANUP_FREE char *id = NULL;
    CLEANUP(monitor_unrefp) Monitor *monitor = NULL;
    const DiskDef *disk = NULL;
    const BlockJob *job;
    bool ready = true;
    int r = domain_check_active(domain, reterr);

    *ret = (BlockJobInfo){0};
    if (r >= 0)
        r = driver_find_disk(domain, name, AFFECT_LIVE, &disk, reterr);
    job = r >= 0 ? run_block_job(&domain->run->disks, disk->target) : NULL;
    if (!job)
        return r;
    id = strdup(job->id);
    if (!id)
        return error_no_memory(reterr);
    ret->kind = job->kind;
    if (job->begins) {
        settle_numbers(false, ret);
        return 0;
    }
    monitor = monitor_ref(domain->run->monitor);
    r = monitor_run(monitor, "query-block-jobs", NULL, deadline_in(COMMAND_USEC), &jobs, reterr);
    if (r < 0)
        return r;
    /* One that QEMU has forgotten is about to be settled. */
    block_job_progress(jobs, id, &ret->done, &ret->total, &ret->speed, &ready);
    settle_numbers(ready, ret);
    return 0;
}
