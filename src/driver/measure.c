/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/measure.h"

#include "qemu/devices/device.h"
#include "util/json.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define SECONDS_MAX 60

typedef int (*Run)(Domain *domain, const void *arg, Error **reterr);

/* With the job of a domain that runs. */
static int with_job(Domain *domain, const char *what, Run run, const void *arg, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, what, reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = run(domain, arg, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* ---- memory ---- */

typedef struct DirtyRate {
    DirtyRateMode mode;
    int seconds;
} DirtyRate;

static int run_dirty_rate(Domain *domain, const void *arg, Error **reterr) {
    static const char *const modes[] = {"page-sampling", "dirty-bitmap", "dirty-ring"};
    const DirtyRate *wanted = arg;
    CLEANUP_JSON json_object *args = json_object_new_object();

    if (!args || json_add_int(args, "calc-time", wanted->seconds) < 0 ||
        json_add_string(args, "mode", modes[wanted->mode]) < 0)
        return error_no_memory(reterr);
    return monitor_run(domain->run->monitor, "calc-dirty-rate", TAKE_PTR(args),
                       deadline_in(COMMAND_USEC), NULL, reterr);
}

int driver_start_dirty_rate(Domain *domain, DirtyRateMode mode, int seconds, Error **reterr) {
    const DirtyRate wanted = {mode, seconds};

    assert(mode < DIRTY_RATE_MODE_MAX_);
    if (seconds < 1 || seconds > SECONDS_MAX)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "seconds=%d is invalid, please choose value within [1, %d].", seconds,
                            SECONDS_MAX);
    return with_job(domain, "dirty rate", run_dirty_rate, &wanted, reterr);
}

/* ---- disks ---- */

typedef struct Threshold {
    const char *disk;
    uint64_t bytes;
} Threshold;

static const DiskDef *find_disk(const DomainDef *def, const char *name) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (streq_ptr(def->disks[i].target, name) || streq_ptr(def->disks[i].source.path, name))
            return &def->disks[i];
    return NULL;
}

static int run_threshold(Domain *domain, const void *arg, Error **reterr) {
    const Threshold *wanted = arg;
    const DiskDef *disk = find_disk(domain->run->live, wanted->disk);
    CLEANUP_JSON json_object *args = json_object_new_object();
    char node[96];

    if (!disk)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "failed to find disk '%.200s'",
                            wanted->disk);
    device_disk_storage_node(disk, node);
    if (!args || json_add_string(args, "node-name", node) < 0 ||
        json_add_uint(args, "write-threshold", wanted->bytes) < 0)
        return error_no_memory(reterr);
    domain->run->has_thresholds = true;
    return monitor_run(domain->run->monitor, "block-set-write-threshold", TAKE_PTR(args),
                       deadline_in(COMMAND_USEC), NULL, reterr);
}

int driver_set_threshold(Domain *domain, const char *disk, uint64_t bytes, Error **reterr) {
    const Threshold wanted = {disk, bytes};

    return with_job(domain, "threshold", run_threshold, &wanted, reterr);
}
