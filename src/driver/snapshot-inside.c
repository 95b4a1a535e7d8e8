/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot-inside.h"

#include "domain/services.h"
#include "driver/disk-chain.h"
#include "driver/image-names.h"
#include "qemu/block-graph.h"
#include "qemu/devices/device.h"
#include "qemu/image.h"
#include "util/json.h"
#include "util/log.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define LOOK_FIRST_USEC (20 * USEC_PER_MSEC)
#define LOOK_LAST_USEC USEC_PER_SEC
#define JOB "vireo-snapshot" /* the domain's job is held: there is one at a time */

/* ---- which images ---- */

static const DiskDef *disk_then(const SnapshotDef *def, size_t i) {
    return def->disks[i].place == SNAPSHOT_INTERNAL && def->domain
               ? chain_disk(def->domain, def->disks[i].name)
               : NULL;
}

/* The disk of the running domain whose topmost image that is; *ret_below: a disk has it below. */
static const DiskDef *disk_now(const DomainDef *live, const char *path, bool *ret_below) {
    *ret_below = false;
    for (size_t i = 0; i < live->n_disks; i++)
        for (size_t place = 0; chain_at(&live->disks[i], place); place++) {
            if (!streq_ptr(chain_at(&live->disks[i], place)->path, path))
                continue;
            *ret_below = place > 0;
            return &live->disks[i];
        }
    return NULL;
}

static int check_disk(const DiskDef *disk, const SnapshotDef *def, Error **reterr) {
    const StorageSource *source = &disk->source;

    if (source->format != DISK_FORMAT_QCOW2 || !source->path || *source->path != '/' ||
        (source->type != DISK_FILE && source->type != DISK_BLOCK))
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "internal snapshot for disk %s unsupported for storage type %s", disk->target,
            words_name(&disk_formats, source->format ? source->format : DISK_FORMAT_RAW));
    if (disk_encryption(disk))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "an encrypted disk gets no snapshot here");
    return 0;
}

static int check_name(const SnapshotDef *def, Error **reterr) {
    return image_snapshot_is_number(def->name)
               ? error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                              "a snapshot inside of images cannot be called '%s': QEMU may take "
                              "that for the number of another one; give it another name",
                              def->name)
               : 0;
}

int snapshot_inside_check(const Domain *domain, const SnapshotDef *def, Error **reterr) {
    const DomainDef *now = domain_def(domain);
    bool any = false, all = true;
    int r = check_name(def, reterr);

    if (r >= 0 && streq_ptr(now->os.loader_type, "pflash"))
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "internal snapshots of a VM with pflash based firmware are not supported");
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++) {
        const DiskDef *disk = chain_disk(now, def->disks[i].name);

        if (def->disks[i].place == SNAPSHOT_EXTERNAL)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "mixing internal and external targets for a snapshot is not yet "
                                "supported");
        if (def->disks[i].place == SNAPSHOT_INTERNAL) {
            any = true;
            r = check_disk(disk, def, reterr);
        } else if (storage_is_there(&disk->source) && !disk->readonly) {
            all = false;
        }
    }
    if (r >= 0 && any && !all)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "internal and full system snapshots require all disks to be selected "
                            "for snapshot");
    if (r >= 0 && !any)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "nothing selected for snapshot");
    return r;
}

/* ---- by qemu-img ---- */

static const char *format_of(const DiskDef *disk) {
    return words_name(&disk_formats, (int)disk->source.format);
}

/* What is below is opened, too: a backing file in a network only if the definition says it. */
static int change_image(const Domain *domain, const DiskDef *disk, const char *name,
                        ImageSnapshotAct act, Error **reterr) {
    const bool is_said = disk->backing && disk->backing->source.type == DISK_NETWORK;
    int r = image_names_check(domain->services->storage, disk->source.path, format_of(disk),
                              is_said ? IMAGE_BELOW_SAID : IMAGE_BELOW_OPENED, reterr);

    return r < 0 ? r : image_snapshot(disk->source.path, format_of(disk), name, act, reterr);
}

/* Of one that is in an image and of one that is not. */
static int delete_from_image(const Domain *domain, const DiskDef *disk, const char *name,
                             Error **reterr) {
    int r = image_has_snapshot(disk->source.path, format_of(disk), name, reterr);

    return r <= 0 ? r : change_image(domain, disk, name, IMAGE_SNAPSHOT_DELETE, reterr);
}

static void take_back(const Domain *domain, const SnapshotDef *def, size_t n) {
    for (size_t i = 0; i < n; i++) {
        CLEANUP_ERROR Error *error = NULL;
        const DiskDef *disk = disk_then(def, i);

        if (disk && delete_from_image(domain, disk, def->name, &error) < 0)
            log_warning("snapshot '%s' is not made, and stays in image '%s': %s", def->name,
                        disk->source.path, error_message(error));
    }
}

/* One that is there and is not ours would be deleted by taking ours back. */
static int check_images(const SnapshotDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < def->n_disks; i++) {
        const DiskDef *disk = disk_then(def, i);

        r = disk ? image_has_snapshot(disk->source.path, format_of(disk), def->name, reterr) : 0;
        if (r > 0)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "image '%s' of disk '%s' has a snapshot '%s' already",
                                disk->source.path, disk->target, def->name);
    }
    return r;
}

static int make_in_images(const Domain *domain, const SnapshotDef *def, Error **reterr) {
    int r = 0;
    size_t i;

    for (i = 0; r >= 0 && i < def->n_disks; i++) {
        const DiskDef *disk = disk_then(def, i);

        if (disk)
            r = change_image(domain, disk, def->name, IMAGE_SNAPSHOT_MAKE, reterr);
    }
    if (r < 0)
        take_back(domain, def, i);
    return r;
}

int snapshot_inside_apply(const Domain *domain, const SnapshotDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_disks; i++) {
        const DiskDef *disk = disk_then(def, i);

        if (disk)
            r = change_image(domain, disk, def->name, IMAGE_SNAPSHOT_APPLY, reterr);
    }
    return r;
}

/* ---- by QEMU ---- */

static int add_nodes(const Domain *domain, const SnapshotDef *def, json_object *to, char first[96],
                     Error **reterr) {
    const DomainDef *live = domain->run->live;

    *first = '\0';
    for (size_t i = 0; i < def->n_disks; i++) {
        const DiskDef *then = disk_then(def, i), *disk;
        char node[96];
        bool below;

        disk = then && then->source.path ? disk_now(live, then->source.path, &below) : NULL;
        if (!disk)
            continue;
        if (below)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                "image '%s', which has snapshot '%s', is below the one that disk "
                                "'%s' is written to: shut the domain off first",
                                then->source.path, def->name, disk->target);
        device_disk_node(disk, node);
        if (!*first)
            memcpy(first, node, sizeof(node));
        if (json_append(to, json_object_new_string(node)) < 0)
            return error_no_memory(reterr);
    }
    return 0;
}

/* *ret NULL: QEMU has none of the images. */
static int arguments_of(const Domain *domain, const SnapshotDef *def, bool with_memory,
                        json_object **ret, Error **reterr) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();
    json_object *devices = json_object_new_array();
    char first[96];
    int r;

    *ret = NULL;
    if (!arguments || json_add(arguments, "devices", devices) < 0)
        return error_no_memory(reterr);
    r = add_nodes(domain, def, devices, first, reterr);
    if (r < 0 || !*first)
        return r;
    if (json_add_string(arguments, "job-id", JOB) < 0 ||
        json_add_string(arguments, "tag", def->name) < 0 ||
        (with_memory && json_add_string(arguments, "vmstate", first) < 0))
        return error_no_memory(reterr);
    *ret = TAKE_PTR(arguments);
    return 0;
}

static int ask(const Domain *domain, const char *command, json_object *arguments, json_object **ret,
               Error **reterr) {
    int r = domain_check_active(domain, NULL);

    if (r < 0) {
        json_object_put(arguments);
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "QEMU ended, or its monitor was closed, meanwhile");
    }
    return monitor_run(domain->run->monitor, command, arguments, deadline_in(COMMAND_USEC), ret,
                       reterr);
}

static void dismiss(const Domain *domain) {
    json_object *arguments = json_object_new_object();

    if (arguments && json_add_string(arguments, "id", JOB) >= 0)
        ask(domain, "job-dismiss", arguments, NULL, NULL);
    else
        json_object_put(arguments);
}

/* How the job is by now: 0 it is done, -EAGAIN it is not, else what QEMU says, or that it does not
 * say anything (*ret_unknown). */
static int look_at_job(const Domain *domain, bool *ret_unknown, Error **reterr) {
    CLEANUP_JSON json_object *jobs = NULL;
    BlockJobReading reading;
    int r = ask(domain, "query-jobs", NULL, &jobs, reterr);

    *ret_unknown = r < 0;
    if (r < 0)
        return r == -ETIMEDOUT ? -EAGAIN : r;
    reading = block_job_reading(jobs, JOB);
    if (reading.status == BLOCK_JOB_STATUS_GONE)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "QEMU does not know the job any more");
    if (reading.status != BLOCK_JOB_STATUS_CONCLUDED)
        return -EAGAIN;
    dismiss(domain);
    return reading.error
               ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED, "%s", reading.error)
               : 0;
}

/* Until it has an end. */
static int await_job(Domain *domain, bool *ret_unknown, Error **reterr) {
    uint64_t pause = LOOK_FIRST_USEC;
    int r;

    for (;;) {
        CLEANUP_ERROR Error *error = NULL;

        r = look_at_job(domain, ret_unknown, &error);
        if (r != -EAGAIN)
            return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
        fiber_cond_wait(&domain->block_job_cond, deadline_in(pause)); /* an event may be lost */
        pause = MIN_OF(2 * pause, LOOK_LAST_USEC);
    }
}

static int run_job(Domain *domain, const char *command, json_object *arguments_consume,
                   bool *ret_unknown, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r;

    *ret_unknown = false;
    r = ask(domain, command, arguments_consume, NULL, &error);
    if (r == -ETIMEDOUT || (r < 0 && domain_check_active(domain, NULL) < 0))
        *ret_unknown = true;
    if (r < 0 && r != -ETIMEDOUT)
        return error_propagate(reterr, TAKE_PTR(error));
    return await_job(domain, ret_unknown, reterr);
}

static int check_job(const Domain *domain, const char *command, Error **reterr) {
    return domain->run->caps && qemu_caps_has_command(domain->run->caps, command)
               ? 0
               : error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                              "this QEMU has no %s: 6.0 is the first that makes snapshots of what "
                              "runs",
                              command);
}

static int make_in_qemu(Domain *domain, const SnapshotDef *def, bool *ret_unknown, Error **reterr) {
    json_object *arguments = NULL;
    int r = check_job(domain, "snapshot-save", reterr);

    if (r >= 0)
        r = arguments_of(domain, def, true, &arguments, reterr);
    if (r < 0)
        return r;
    if (!arguments)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "nothing selected for snapshot");
    domain->run->pause_reason = PAUSED_SNAPSHOT; /* what QEMU's STOP means */
    r = run_job(domain, "snapshot-save", arguments, ret_unknown, reterr);
    if (domain->run)
        domain->run->pause_reason = PAUSED_UNKNOWN;
    return r;
}

int snapshot_inside_make(Domain *domain, const SnapshotDef *def, bool *ret_unknown,
                         Error **reterr) {
    int r;

    assert(domain_job_is_mine(domain));
    *ret_unknown = false;
    r = check_images(def, reterr);
    if (r < 0)
        return r;
    return domain->run ? make_in_qemu(domain, def, ret_unknown, reterr)
                       : make_in_images(domain, def, reterr);
}

int snapshot_inside_load(Domain *domain, const SnapshotDef *def, Error **reterr) {
    json_object *arguments = NULL;
    bool unknown;
    int r = check_job(domain, "snapshot-load", reterr);

    assert(domain_job_is_mine(domain) && domain->run);
    if (r >= 0)
        r = arguments_of(domain, def, true, &arguments, reterr);
    if (r < 0)
        return r;
    if (!arguments)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "no disk of the domain has the image that snapshot '%s' is in",
                            def->name);
    return run_job(domain, "snapshot-load", arguments, &unknown, reterr);
}

/* Those that QEMU has open, and then those that it has not. */
int snapshot_inside_delete(Domain *domain, const SnapshotDef *def, Error **reterr) {
    json_object *arguments = NULL;
    bool unknown, below;
    int r = 0;

    assert(domain_job_is_mine(domain));
    if (domain->run)
        r = arguments_of(domain, def, false, &arguments, reterr);
    if (r >= 0 && arguments)
        r = check_job(domain, "snapshot-delete", reterr);
    if (r < 0) {
        json_object_put(arguments);
        return r;
    }
    if (arguments)
        r = run_job(domain, "snapshot-delete", arguments, &unknown, reterr);
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++) {
        const DiskDef *disk = disk_then(def, i);

        if (!disk || (domain->run && disk_now(domain->run->live, disk->source.path, &below)))
            continue;
        r = delete_from_image(domain, disk, def->name, reterr);
    }
    return r;
}

int snapshot_inside_look(Domain *domain, const SnapshotDef *def, Error **reterr) {
    bool all = true, any = false;
    int r = 0;

    assert(domain_job_is_mine(domain));
    if (domain->run) {
        CLEANUP_JSON json_object *jobs = NULL;
        BlockJobReading reading;

        r = ask(domain, "query-jobs", NULL, &jobs, reterr);
        if (r < 0)
            return r;
        reading = block_job_reading(jobs, JOB);
        if (reading.status == BLOCK_JOB_STATUS_CONCLUDED)
            dismiss(domain);
        else if (reading.status != BLOCK_JOB_STATUS_GONE) {
            error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "QEMU is still at a snapshot of domain '%s': ask again when it has ended",
                         domain_name(domain));
            return -EAGAIN;
        }
    }
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++) {
        const DiskDef *disk = disk_then(def, i);

        if (!disk)
            continue;
        any = true;
        r = image_has_snapshot(disk->source.path, format_of(disk), def->name, reterr);
        all = all && r > 0;
    }
    return r < 0 ? r : any && all;
}
