/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/measure.h"

#include <stdio.h>

#include "domain/events.h"
#include "qemu/devices/device.h"
#include "util/json.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define SECONDS_MAX 60
#define NAME_SIZE 100u /* of a disk with its source's number */

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

/* QEMU 7.2 without KVM ends at either of these (it looks for the ring in a KVM that is not there).
 */
static int check_dirty_rate(const DomainDef *def, DirtyRateMode mode, Error **reterr) {
    const bool kvm = def->virt == DOMAIN_VIRT_KVM;
    const bool ring = kvm && def->features.kvm_dirty_ring == TRISTATE_YES;

    if (mode == DIRTY_RATE_RING && !ring)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "dirty-ring calculation mode requires dirty-ring feature enabled");
    if (mode == DIRTY_RATE_BITMAP && (ring || !kvm))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            ring ? "dirty-bitmap calculation mode is not available when dirty-ring "
                                   "feature is enabled; use dirty-ring"
                                 : "dirty-bitmap calculation mode needs KVM; use page-sampling");
    return 0;
}

static int run_dirty_rate(Domain *domain, const void *arg, Error **reterr) {
    static const char *const modes[] = {"page-sampling", "dirty-bitmap", "dirty-ring"};
    const DirtyRate *wanted = arg;
    CLEANUP_JSON json_object *args = json_object_new_object();
    int r = check_dirty_rate(domain->run->live, wanted->mode, reterr);

    if (r < 0)
        return r;
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
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "seconds=%d is invalid, please choose value within [1, %d].", seconds,
                            SECONDS_MAX);
    return with_job(domain, "dirty rate", run_dirty_rate, &wanted, reterr);
}

/* ---- disks ---- */

typedef struct Threshold {
    const char *disk;
    uint64_t bytes;
} Threshold;

/* "vda[1]"; vda[0] is the image on top, whatever its number. */
static void write_numbered(const DiskDef *disk, char *ret, size_t size) {
    snprintf(ret, size, "%.80s[%u]", disk->target ? disk->target : "", disk->source.index);
}

static bool is_top(const DiskDef *disk, const char *name) {
    const size_t n = disk->target ? strlen(disk->target) : 0;

    return n > 0 && strncmp(name, disk->target, n) == 0 && streq(name + n, "[0]");
}

static const DiskDef *find_disk(const DomainDef *def, const char *name) {
    for (size_t i = 0; i < def->n_disks; i++) {
        const DiskDef *disk = &def->disks[i];
        char numbered[NAME_SIZE];

        write_numbered(disk, numbered, sizeof(numbered));
        if (streq_ptr(disk->target, name) || streq_ptr(disk->source.path, name) ||
            is_top(disk, name) || (disk->source.index > 0 && streq(numbered, name)))
            return disk;
    }
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

bool driver_threshold_event(Domain *domain, const char *name, json_object *data) {
    const char *node = json_member_string(data, "node-name");
    const uint64_t threshold = (uint64_t)json_member_int(data, "write-threshold", 0);
    const uint64_t excess = (uint64_t)json_member_int(data, "amount-exceeded", 0);
    const DomainDef *live = domain->run->live;

    if (!streq(name, "BLOCK_WRITE_THRESHOLD"))
        return false;
    for (size_t i = 0; node && i < live->n_disks; i++) {
        const DiskDef *disk = &live->disks[i];
        const char *path = storage_is_local(&disk->source) ? disk->source.path : NULL;
        char of_disk[96], numbered[NAME_SIZE];

        device_disk_storage_node(disk, of_disk);
        if (!streq(of_disk, node))
            continue;
        events_block_threshold(domain, disk->target ? disk->target : "", path, threshold, excess);
        write_numbered(disk, numbered, sizeof(numbered));
        if (disk->source.index > 0)
            events_block_threshold(domain, numbered, path, threshold, excess);
        break;
    }
    return true;
}
