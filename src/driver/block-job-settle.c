/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of block jobs. An event only says that it is time to look: QEMU's list of jobs and its
 * nodes say what became of one. First both definitions are written, then QEMU may forget it. Before
 * a pivot the persistent one is written: the guest waits, both images have the same then, and if
 * QEMU ends, what the next one opens is right either way. */
#include "driver/block-job-settle.h"

#include "domain/events.h"
#include "domain/files.h"
#include "driver/device-use.h"
#include "driver/disk-chain.h"
#include "driver/prepare-owner.h"
#include "qemu/block-graph.h"
#include "qemu/devices/device.h"
#include "util/file.h"
#include "util/json.h"
#include "util/log.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define MIRROR_INDENT 6 /* of an element of a disk */
#define AGAIN_USEC (2 * USEC_PER_SEC)
#define CANCEL_USEC (10 * USEC_PER_SEC)
#define CANCEL_PAUSE_USEC (50 * USEC_PER_MSEC)
#define NODES_TRIES 50

int block_job_ask(Domain *domain, const char *command, json_object **ret, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r
                 : monitor_run(domain->run->monitor, command, block_query_args(command),
                               deadline_in(COMMAND_USEC), ret, reterr);
}

/* A command with one text. */
static int block_job_command(Domain *domain, const char *command, const char *member,
                             const char *text, Error **reterr) {
    Props props = props_new();
    json_object *arguments;

    props_text(&props, member, text);
    arguments = props_take(&props);
    return arguments ? device_command(domain, command, arguments, reterr) : error_no_memory(reterr);
}

/* ---- <mirror> ---- */

static char *mirror_of(const DiskDef *disk, const BlockJob *job) {
    int place = chain_place(disk, job->base);
    const StorageSource *base = place > 0 ? chain_at(disk, (size_t)place) : NULL;
    ElementWriter writer = {.indent = MIRROR_INDENT};
    CLEANUP_FREE char *text = NULL;

    if (!base || !base->path)
        return NULL;
    writer_open(&writer, "mirror");
    writer_attribute(&writer, "type", words_name(&disk_types, (int)base->type));
    writer_attribute(&writer, "job", "active-commit");
    writer_attribute(&writer, "ready", job->phase == BLOCK_JOB_RUNS ? NULL : "yes");
    writer_open(&writer, "format");
    writer_attribute(&writer, "type", words_name(&disk_formats, (int)base->format));
    writer_close(&writer, true);
    writer_open(&writer, "source");
    writer_attribute(&writer, base->type == DISK_BLOCK ? "dev" : "file", base->path);
    writer_attributef(&writer, "index", "%u", job->base);
    writer_close(&writer, true);
    writer_close(&writer, true);
    text = element_writer_take(&writer);
    if (!text)
        return NULL;
    text[strlen(text) - 1] = '\0'; /* the newline */
    return strdup(text + strspn(text, " "));
}

void block_job_show(Domain *domain, const char *target) {
    const BlockJob *job = run_block_job(&domain->run->disks, target);
    DiskDef *disk = chain_disk(domain->run->live, target);

    if (!disk)
        return;
    free(TAKE_PTR(disk->mirror));
    if (job && job->kind == BLOCK_JOB_ACTIVE_COMMIT && job->phase != BLOCK_JOB_SETTLED)
        disk->mirror = mirror_of(disk, job);
}

/* ---- what became of it ---- */

/* By the names of nodes: those of files depend on filters, headers and protocols. */
static int is_below(json_object *graph, const StorageSource *above, const StorageSource *below) {
    const char *node;

    if (!above || !block_graph_below(graph, above->node, "backing", &node))
        return -ENOENT;
    return below ? streq_ptr(node, below->node) : !node;
}

static int is_pull_done(json_object *graph, const DiskDef *disk, const BlockJob *job) {
    const int base = job->base ? chain_place(disk, job->base) : 0;

    if (base < 0)
        return base;
    return is_below(graph, &disk->source, base > 0 ? chain_at(disk, (size_t)base) : NULL);
}

static int is_commit_done(json_object *graph, const DiskDef *disk, const BlockJob *job) {
    const int top = chain_place(disk, job->top), base = chain_place(disk, job->base);

    if (top <= 0 || base <= 0)
        return -ENOENT;
    return is_below(graph, chain_at(disk, (size_t)top - 1), chain_at(disk, (size_t)base));
}

static int has_pivoted(json_object *graph, const DiskDef *disk, const BlockJob *job) {
    const int base = chain_place(disk, job->base);
    const StorageSource *below = base > 0 ? chain_at(disk, (size_t)base) : NULL;

    return below ? block_graph_which(graph, disk->info.alias,
                                     (const char *const[]){disk->source.node, below->node})
                 : -ENOENT;
}

/* Whether the guest's disk is now as it is after the job. Negative: that is not clear. */
static int is_done(Domain *domain, const char *id, Error **reterr) {
    CLEANUP_JSON json_object *graph = NULL;
    const BlockJob *job;
    const DiskDef *disk;
    int r = block_job_ask(domain, "x-debug-query-block-graph", &graph, reterr);

    if (r < 0)
        return r;
    job = domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
    disk = job ? chain_disk(domain->run->live, job->disk) : NULL;
    if (!disk)
        return 0;
    r = job->kind == BLOCK_JOB_ACTIVE_COMMIT ? has_pivoted(graph, disk, job)
        : job->kind == BLOCK_JOB_PULL        ? is_pull_done(graph, disk, job)
                                             : is_commit_done(graph, disk, job);
    return r >= 0
               ? r
               : error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                              "QEMU's block nodes do not say what disk '%s' has now", disk->target);
}

/* Of QEMU's own word, where its nodes say nothing: a job that has ended well has done what it was
 * asked for. */
static bool has_ended_well(const BlockJob *job, const BlockJobReading *reading) {
    return reading->status == BLOCK_JOB_STATUS_CONCLUDED && !reading->error &&
           (job->kind != BLOCK_JOB_ACTIVE_COMMIT || job->phase == BLOCK_JOB_PIVOTS);
}

/* The outcome, or -errno: QEMU does not say. */
static int outcome_of(Domain *domain, const char *id, const BlockJobReading *reading,
                      Error **reterr) {
    const bool canceled = reading->error && strstr(reading->error, "cancel");
    const BlockJob *job;
    int done = is_done(domain, id, reterr);

    job = domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
    if (!job)
        return -ENOENT;
    if (done < 0 && has_ended_well(job, reading)) {
        if (reterr)
            error_free(TAKE_PTR(*reterr));
        return BLOCK_JOB_COMPLETED;
    }
    if (done < 0)
        return done;
    if (done > 0)
        return BLOCK_JOB_COMPLETED;
    if (reading->error && !canceled)
        log_warning("domain '%s': block job '%s' of disk '%s' failed: %s", domain_name(domain), id,
                    job->disk, reading->error);
    return job->phase == BLOCK_JOB_ABORTS || canceled ? BLOCK_JOB_CANCELED : BLOCK_JOB_FAILED;
}

/* ---- both definitions ---- */

/* The nodes of images that have left a chain, blanks between them. NULL: no memory. */
static char *nodes_of(const DiskDef *disk, const BackingStore *dropped) {
    char *text = strdup(""), storage[96];

    for (const BackingStore *at = dropped; text && at; at = at->next) {
        char *longer;

        if (!at->source.node || device_node_is_qemus(at->source.node))
            continue;
        device_storage_node(disk, at->source.node, storage);
        longer = strf("%s%s%s %s", text, *text ? " " : "", at->source.node, storage);
        free(text);
        text = longer;
    }
    return text;
}

/* The persistent definition's disk follows if it is the same as the live one was. */
static int next_config(const Domain *domain, const BlockJob *job, const DiskDef *live,
                       DomainDef **ret) {
    CLEANUP_DOMAIN_DEF DomainDef *config = NULL;
    const bool active = job->kind == BLOCK_JOB_ACTIVE_COMMIT;
    DiskDef *disk = domain->config ? chain_disk(domain->config, job->disk) : NULL;
    int r;

    *ret = NULL;
    if (!disk || !streq_ptr(disk->source.path, job->path) || (!active && !disk->backing))
        return 0;
    config = domain_def_copy(domain->config);
    disk = config ? chain_disk(config, job->disk) : NULL;
    r = disk ? chain_copy_to_config(disk, live, active) : -ENOMEM;
    if (r >= 0)
        *ret = TAKE_PTR(config);
    return r;
}

static int drop(DiskDef *disk, const BlockJob *job, BackingStore **ret) {
    const int top = chain_place(disk, job->top), base = chain_place(disk, job->base);

    if (top < 0 || (job->base && base <= top))
        return -ENOENT;
    if (job->kind == BLOCK_JOB_PULL)
        return chain_length(disk) == 1 || base == 1
                   ? 0
                   : chain_drop(disk, 1, job->base ? (size_t)base : SIZE_MAX, ret);
    return chain_drop(disk, (size_t)top, (size_t)base, ret);
}

/* NULL: nothing has changed. */
static int save_config(Domain *domain, DomainDef *config_consume, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *config = config_consume;
    int r = config ? domain_save_config(domain, config, reterr) : 0;

    if (r >= 0 && config) {
        domain_def_free(domain->config);
        domain->config = TAKE_PTR(config);
    }
    return r;
}

static int save_both(Domain *domain, DomainDef *config_consume, Error **reterr) {
    int r = save_config(domain, config_consume, reterr);

    return r < 0 ? r : domain_save_status(domain, reterr);
}

/* The files of images that are no disk's any more go back to whose they were. */
static void release(Domain *domain, BackingStore *dropped) {
    DiskDef disk = {.source = dropped->source, .backing = dropped->next};

    prepare_owner_detach(domain, domain->run->live, &disk_kind, &disk);
}

static int complete(Domain *domain, const char *id, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *next = domain_def_copy(domain->run->live), *config = NULL;
    CLEANUP_CHAIN BackingStore *dropped = NULL;
    BlockJob *job = run_block_job_by_id(&domain->run->disks, id);
    DiskDef *disk = next ? chain_disk(next, job->disk) : NULL;
    CLEANUP_FREE char *nodes = NULL;
    int r = !next ? -ENOMEM : !disk ? -ENOENT : drop(disk, job, &dropped);

    if (r >= 0)
        nodes = nodes_of(disk, dropped);
    if (r >= 0)
        r = nodes ? next_config(domain, job, disk, &config) : -ENOMEM;
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "the images of disk '%s' are not as expected",
                            job->disk);
    free(TAKE_PTR(disk->mirror));
    domain_def_free(domain->run->live);
    domain->run->live = TAKE_PTR(next);
    free(job->nodes);
    job->nodes = TAKE_PTR(nodes);
    job->phase = BLOCK_JOB_SETTLED;
    job->outcome = BLOCK_JOB_COMPLETED;
    r = save_both(domain, TAKE_PTR(config), reterr);
    if (domain->run && dropped)
        release(domain, dropped);
    return r;
}

/* What could not be written before; done twice it has changed nothing. */
static int write_again(Domain *domain, const char *id, Error **reterr) {
    const BlockJob *job = run_block_job_by_id(&domain->run->disks, id);
    const DiskDef *disk = chain_disk(domain->run->live, job->disk);
    DomainDef *config = NULL;

    if (disk && job->outcome == BLOCK_JOB_COMPLETED && next_config(domain, job, disk, &config) < 0)
        return error_no_memory(reterr);
    return save_both(domain, config, reterr);
}

/* ---- a pivot ---- */

static int cancel(Domain *domain, const char *id, Error **reterr) {
    Props props = props_new();
    json_object *arguments;

    props_text(&props, "device", id);
    props_bool(&props, "force", true);
    arguments = props_take(&props);
    return arguments ? device_command(domain, "block-job-cancel", arguments, reterr)
                     : error_no_memory(reterr);
}

/* The persistent definition as it is after the pivot. */
static int write_ahead(Domain *domain, BlockJob *job, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *next = domain_def_copy(domain->run->live);
    CLEANUP_CHAIN BackingStore *dropped = NULL;
    DiskDef *disk = next ? chain_disk(next, job->disk) : NULL;
    DomainDef *config = NULL;
    int r = !next ? -ENOMEM : !disk ? -ENOENT : drop(disk, job, &dropped);

    job->phase = BLOCK_JOB_PIVOTS;
    if (r >= 0)
        r = next_config(domain, job, disk, &config);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "the images of disk '%s' are not as expected",
                            job->disk);
    return save_both(domain, config, reterr);
}

/* The guest waits for its disk meanwhile: what cannot be written now ends the job. */
static int finalize(Domain *domain, const char *id, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    BlockJob *job = run_block_job_by_id(&domain->run->disks, id);

    if (job->phase == BLOCK_JOB_ABORTS)
        return cancel(domain, id, reterr);
    if (write_ahead(domain, job, &error) >= 0)
        return domain->run ? block_job_command(domain, "job-finalize", "id", id, reterr) : 0;
    log_error("domain '%s': block job '%s' ends without a pivot, as its definition cannot be "
              "written: %s",
              domain_name(domain), id, error_message(error));
    return domain->run ? cancel(domain, id, reterr) : 0;
}

/* After a pivot that QEMU did not do although it was written down. */
static int write_back(Domain *domain, const BlockJob *job, Error **reterr) {
    const DiskDef *live = chain_disk(domain->run->live, job->disk);
    const int base = live ? chain_place(live, job->base) : -ENOENT;
    DiskDef *disk = domain->config ? chain_disk(domain->config, job->disk) : NULL;
    CLEANUP_DOMAIN_DEF DomainDef *config = NULL;

    if (job->kind != BLOCK_JOB_ACTIVE_COMMIT || job->phase != BLOCK_JOB_PIVOTS || base <= 0 ||
        !disk || !streq_ptr(disk->source.path, chain_at(live, (size_t)base)->path))
        return 0;
    config = domain_def_copy(domain->config);
    disk = config ? chain_disk(config, job->disk) : NULL;
    if (!disk || chain_copy_to_config(disk, live, true) < 0)
        return error_no_memory(reterr);
    return save_config(domain, TAKE_PTR(config), reterr);
}

/* ---- QEMU forgets it ---- */

static void delete_node(Domain *domain, const char *node) {
    for (unsigned i = 0; i < NODES_TRIES && domain->run; i++) {
        CLEANUP_ERROR Error *error = NULL;

        if (block_job_command(domain, "blockdev-del", "node-name", node, &error) >= 0 ||
            strstr(error_message(error), "Failed to find"))
            return;
        if (!strstr(error_message(error), "in use") && !strstr(error_message(error), "is busy")) {
            log_warning("domain '%s': node '%s' stays in QEMU, ignoring: %s", domain_name(domain),
                        node, error_message(error));
            return;
        }
        fiber_sleep(20 * USEC_PER_MSEC);
    }
}

static void delete_nodes(Domain *domain, const char *nodes) {
    CLEANUP_FREE char *copy = nodes ? strdup(nodes) : NULL;
    char *rest = NULL;

    for (char *node = copy ? strtok_r(copy, " ", &rest) : NULL; node;
         node = strtok_r(NULL, " ", &rest))
        delete_node(domain, node);
}

static void forget(Domain *domain, const char *id, bool concluded) {
    BlockJob *job = run_block_job_by_id(&domain->run->disks, id), ended;
    CLEANUP_FREE char *nodes = job->nodes ? strdup(job->nodes) : NULL;

    if (concluded)
        block_job_command(domain, "job-dismiss", "id", id, NULL);
    delete_nodes(domain, nodes);
    if (domain->run) /* when QEMU has written its last to what goes */
        device_host_settle_jobs(domain);
    job = domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
    if (!job)
        return;
    ended = *job; /* what it owns, too */
    *job = (BlockJob){0};
    run_remove_block_job(&domain->run->disks, job);
    block_job_show(domain, ended.disk);
    domain_save_status(domain, NULL);
    log_info("domain '%s': block job '%s' of disk '%s' %s", domain_name(domain), ended.id,
             ended.disk,
             ended.outcome == BLOCK_JOB_COMPLETED  ? "is complete"
             : ended.outcome == BLOCK_JOB_CANCELED ? "was canceled"
                                                   : "failed");
    events_block_job(domain, &ended, ended.outcome);
    block_job_done(&ended);
    fiber_cond_broadcast(&domain->block_job_cond);
}

/* ---- all of it ---- */

static void note_ready(Domain *domain, BlockJob *job) {
    if (job->kind != BLOCK_JOB_ACTIVE_COMMIT || job->phase != BLOCK_JOB_RUNS)
        return;
    job->phase = BLOCK_JOB_READY;
    block_job_show(domain, job->disk);
    domain_touch(domain);
    events_block_job(domain, job, BLOCK_JOB_BECAME_READY);
}

/* -EAGAIN: it goes on; other errors: it has to be looked at again. Job held. */
static int settle(Domain *domain, const char *id, Error **reterr) {
    CLEANUP_JSON json_object *jobs = NULL;
    BlockJob *job = run_block_job_by_id(&domain->run->disks, id);
    BlockJobReading reading;
    int r;

    if (!job)
        return 0;
    r = block_job_ask(domain, "query-jobs", &jobs, reterr);
    job = domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
    if (r < 0 || !job)
        return r;
    reading = block_job_reading(jobs, id);
    if (reading.status == BLOCK_JOB_STATUS_READY && job->phase != BLOCK_JOB_SETTLED)
        note_ready(domain, job);
    if (reading.status == BLOCK_JOB_STATUS_READY || reading.status == BLOCK_JOB_STATUS_RUNS)
        return -EAGAIN;
    if (reading.status == BLOCK_JOB_STATUS_PENDING) {
        r = finalize(domain, id, reterr);
        return r < 0 ? r : -EAGAIN;
    }
    if (job->phase != BLOCK_JOB_SETTLED) {
        r = outcome_of(domain, id, &reading, reterr);
        job = domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
        if (r < 0 || !job)
            return r;
        if (r == BLOCK_JOB_COMPLETED) {
            r = complete(domain, id, reterr);
        } else {
            const unsigned outcome = (unsigned)r;

            r = write_back(domain, job, reterr);
            job = domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
            if (r < 0 || !job)
                return r;
            job->phase = BLOCK_JOB_SETTLED;
            job->outcome = outcome;
        }
    } else {
        r = write_again(domain, id, reterr);
    }
    if (r >= 0 && domain->run)
        forget(domain, id, reading.status == BLOCK_JOB_STATUS_CONCLUDED);
    return r;
}

/* ---- by itself ---- */

typedef struct Late {
    Domain *domain;
    int run_id;
    char *id;
} Late;

/* What cannot be written, or is not answered, is tried again: QEMU keeps the job until then. */
static void settle_late(void *userdata) {
    Late *late = userdata;
    CLEANUP_DOMAIN Domain *domain = late->domain;
    CLEANUP_FREE char *id = late->id;
    const int run_id = late->run_id;
    bool again = true, told = false;

    free(late);
    while (again) {
        CLEANUP_ERROR Error *error = NULL;
        DomainJob job;
        int r;

        if (domain_job_begin_for_run(domain, &job, "end of a block job", run_id) < 0)
            return;
        r = domain->run && domain->run->monitor && monitor_is_open(domain->run->monitor)
                ? settle(domain, id, &error)
                : -EAGAIN; /* the reconnection looks */
        domain_job_end(domain, &job);
        again = r < 0 && r != -EAGAIN;
        if (again && !told)
            log_error("domain '%s': the end of block job '%s' cannot be written down, trying on: "
                      "%s",
                      domain_name(domain), id, error ? error_message(error) : strerror(-r));
        told = again;
        if (again && (!domain->services || task_sleep(&domain->services->tasks, AGAIN_USEC)))
            return;
    }
}

void block_job_settle_soon(Domain *domain, const char *id) {
    Late *late = calloc(1, sizeof(Late));

    if (late)
        *late = (Late){.domain = domain_ref(domain), .run_id = domain->run->id, .id = strdup(id)};
    if (late && late->id &&
        task_start(&domain->services->tasks, "block-job", settle_late, late) >= 0)
        return;
    if (late) {
        domain_unref(late->domain);
        free(late->id);
    }
    free(late);
}

bool block_job_event(Domain *domain, const char *name, json_object *data) {
    const char *id = json_member_string(data, "id"), *status = json_member_string(data, "status");
    BlockJob *job;

    if (!streq(name, "JOB_STATUS_CHANGE"))
        return false;
    job = id && domain->run ? run_block_job_by_id(&domain->run->disks, id) : NULL;
    if (!job) /* a snapshot's, which is waited for */
        fiber_cond_broadcast(&domain->block_job_cond);
    if (!job || !status || !domain->services)
        return true;
    if (streq(status, "ready"))
        note_ready(domain, job);
    if ((streq(status, "pending") || streq(status, "concluded") || streq(status, "null")) &&
        job->phase != BLOCK_JOB_SETTLED)
        block_job_settle_soon(domain, id);
    return true;
}

/* What was never sent, or whose job goes on as before: somebody may ask anew. */
static void look_again(BlockJob *job, const BlockJobReading *reading) {
    const bool asked = job->phase == BLOCK_JOB_PIVOTS || job->phase == BLOCK_JOB_ABORTS;

    if (reading->status == BLOCK_JOB_STATUS_READY && asked)
        job->phase = BLOCK_JOB_READY;
    if (reading->status == BLOCK_JOB_STATUS_RUNS && (asked || job->phase == BLOCK_JOB_READY))
        job->phase = BLOCK_JOB_RUNS;
}

void block_jobs_resume(Domain *domain) {
    CLEANUP_JSON json_object *jobs = NULL;

    assert(domain_job_is_mine(domain));
    if (!domain->run || domain->run->disks.n_jobs == 0 ||
        block_job_ask(domain, "query-jobs", &jobs, NULL) < 0 || !domain->run)
        return;
    for (size_t i = 0; i < domain->run->disks.n_jobs; i++) {
        BlockJob *job = &domain->run->disks.jobs[i];
        const BlockJobReading reading = block_job_reading(jobs, job->id);

        look_again(job, &reading);
        if (reading.status == BLOCK_JOB_STATUS_READY)
            note_ready(domain, job);
        else if (reading.status != BLOCK_JOB_STATUS_RUNS)
            block_job_settle_soon(domain, job->id);
        block_job_show(domain, job->disk);
    }
}

void block_job_forget_disk(Domain *domain, const char *target) {
    const BlockJob *job = domain->run ? run_block_job(&domain->run->disks, target) : NULL;
    CLEANUP_FREE char *id = job ? strdup(job->id) : NULL;
    const uint64_t deadline = deadline_in(CANCEL_USEC);

    if (!id)
        return;
    cancel(domain, id, NULL);
    while (domain->run && settle(domain, id, NULL) == -EAGAIN && now_usec() < deadline)
        fiber_sleep(CANCEL_PAUSE_USEC);
}
