/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/disk-tune.h"

#include <stdio.h>

#include "conf/xml-text.h"
#include "driver/block-job-check.h"
#include "driver/device-use.h"
#include "driver/edit.h"
#include "driver/tune.h"
#include "qemu/devices/device.h"
#include "util/json.h"
#include "util/libvirt-numbers.h"

#define SECTOR 512u
#define IOTUNE_MAX 1000000000000000ULL /* of QEMU's throttle groups */

/* ---- which disk ---- */

/* `live` chooses between libvirt's two sentences. */
static int find(const DomainDef *def, bool live, const char *name, DiskDef **ret, Error **reterr) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (streq_ptr(def->disks[i].target, name) || streq_ptr(def->disks[i].source.path, name)) {
            *ret = &def->disks[i];
            return 0;
        }
    return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                        live ? "disk '%.200s' not found in domain"
                             : "disk '%.200s' was not found in the domain config",
                        name);
}

int driver_find_disk(Domain *domain, const char *disk, unsigned flags, const DiskDef **ret,
                     Error **reterr) {
    const DomainDef *def = NULL;
    DiskDef *found = NULL;
    int r = driver_affected_def(domain, flags, &def, reterr);

    if (r >= 0)
        r = find(def, domain->run && def == domain->run->live, disk, &found, reterr);
    if (r >= 0)
        *ret = found;
    return r;
}

/* ---- speed ---- */

static bool kind_given(const IotuneChange *change, IotuneKind kind) {
    for (size_t i = 0; i < IOTUNE_PARAMS; i++)
        if (change->given[i] && iotune_params[i].kind == kind)
            return true;
    return false;
}

/* The values as they will be; group_name stays the disk's. */
static DiskIotune next_values(const DiskIotune *now, const IotuneChange *change) {
    DiskIotune next = *now;

    for (size_t i = 0; i < IOTUNE_PARAMS; i++) {
        const IotuneKind kind = iotune_params[i].kind;

        if (change->given[i])
            iotune_set_value(&next, i, change->value[i]);
        else if (kind != IOTUNE_LENGTH && kind_given(change, kind))
            iotune_set_value(&next, i, 0);
    }
    return next;
}

/* Rows come in threes: in all, read, write. */
static int check_values(const DiskIotune *next, Error **reterr) {
    for (size_t i = 0; i < IOTUNE_PARAMS; i++)
        if (iotune_value(next, i) > IOTUNE_MAX)
            return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                                "block I/O throttle limit value must be no more than %llu: %s",
                                IOTUNE_MAX, iotune_params[i].name);
    for (size_t i = 0; i < 12; i += 3)
        if (iotune_value(next, i) && (iotune_value(next, i + 1) || iotune_value(next, i + 2)))
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "total and read/write of %s cannot be set at the same time",
                                iotune_params[i].name + strlen("total_"));
    for (size_t i = 0; i < 6; i++)
        if (iotune_value(next, i + 6) && iotune_value(next, i + 6) < iotune_value(next, i))
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "%s must not be below %s",
                                iotune_params[i + 6].name, iotune_params[i].name);
    return 0;
}

static int change_iotune(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const IotuneChange *change = arg;
    DiskDef *disk = NULL;
    DiskIotune next;
    char *group = NULL;
    int r = find(def, live, change->disk, &disk, reterr);

    if (r < 0)
        return r;
    next = next_values(&disk->iotune, change);
    r = check_values(&next, reterr);
    if (r >= 0 && change->group && !xml_is_text(change->group))
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                         "the group name of disk '%s' has a character that XML cannot have",
                         change->disk);
    if (r >= 0 && change->group && *change->group && !(group = strdup(change->group)))
        r = error_no_memory(reterr);
    if (r < 0)
        return r;
    if (change->group) {
        free(next.group_name);
        next.group_name = group;
    }
    disk->iotune = next;
    return 0;
}

/* A burst's length is at least a second. */
static int add_values(json_object *to, const DiskIotune *tune, bool throttle) {
    for (size_t i = 0; i < IOTUNE_PARAMS; i++) {
        const IotuneParam *param = &iotune_params[i];
        uint64_t value = iotune_value(tune, i);

        if (param->kind == IOTUNE_LENGTH && value == 0)
            value = 1;
        if (json_add_uint(to, throttle ? param->throttle : param->backend, value) < 0)
            return -ENOMEM;
    }
    return 0;
}

static json_object *filter_args(const DiskDef *disk, const DiskIotune *tune) {
    CLEANUP_JSON json_object *args = disk_rates_filter(disk), *limits = json_object_new_object();

    if (!args || !limits || add_values(limits, tune, true) < 0 ||
        json_add(args, "value", TAKE_PTR(limits)) < 0)
        return NULL;
    return TAKE_PTR(args);
}

/* Of a virtio disk the medium belongs to the device behind the transport. */
static json_object *device_args(const DiskDef *disk, const DiskIotune *tune) {
    CLEANUP_JSON json_object *args = json_object_new_object();
    char id[160];

    if (disk->bus == DISK_BUS_VIRTIO)
        snprintf(id, sizeof(id), "/machine/peripheral/%.100s/virtio-backend", disk->info.alias);
    else
        snprintf(id, sizeof(id), "%.150s", disk->info.alias);
    if (!args || json_add_string(args, "id", id) < 0 || add_values(args, tune, false) < 0 ||
        (tune->group_name && json_add_string(args, "group", tune->group_name) < 0))
        return NULL;
    return TAKE_PTR(args);
}

/* *ret_unanswered: QEMU may do it all the same. */
static int run(Domain *domain, const char *command, json_object *args, bool *ret_unanswered,
               Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r = args ? device_tell(domain, command, args, &error) : error_no_memory(&error);

    *ret_unanswered = r < 0 && args && device_is_unanswered(domain, error);
    if (r >= 0)
        return r;
    if (!*ret_unanswered)
        return error_propagate(reterr, TAKE_PTR(error));
    if (domain->run)
        domain->run->disks.limits_unknown = true;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                        "%s; what QEMU makes of it is seen when it answers: the domain's live "
                        "definition, or the disk's size, has it then",
                        error_message(error));
}

static int act_iotune(Domain *domain, const void *arg, Error **reterr) {
    const IotuneChange *change = arg;
    DiskDef *disk = NULL;
    DiskIotune next;
    CLEANUP_ERROR Error *error = NULL;
    bool unanswered;
    int r = find(domain->run->live, true, change->disk, &disk, reterr);

    if (r < 0 || !storage_is_there(&disk->source)) /* an empty drive's next medium has them */
        return r;
    next = next_values(&disk->iotune, change);
    if (change->group)
        next.group_name = *change->group ? (char *)change->group : NULL;
    r = run(domain, "qom-set", filter_args(disk, &next), &unanswered, &error);
    if (r >= 0)
        return r;
    if (unanswered)
        return error_propagate(reterr, TAKE_PTR(error));
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = find(domain->run->live, true, change->disk, &disk, reterr);
    return r < 0 ? r
                 : run(domain, "block_set_io_throttle", device_args(disk, &next), &unanswered,
                       reterr);
}

int driver_set_iotune(Domain *domain, const IotuneChange *change, unsigned flags, Error **reterr) {
    const DefinitionEdit edit = {.what = "blkdeviotune",
                                 .flags = flags,
                                 .arg = change,
                                 .change = change_iotune,
                                 .act = act_iotune};

    return definition_edit(domain, &edit, reterr);
}

/* ---- size ---- */

static json_object *resize_args(const DiskDef *disk, uint64_t bytes) {
    CLEANUP_JSON json_object *args = json_object_new_object();
    char node[96];

    device_disk_node(disk, node);
    if (!args || json_add_string(args, "node-name", node) < 0 ||
        json_add_uint(args, "size", bytes) < 0)
        return NULL;
    return TAKE_PTR(args);
}

static int resize_locked(Domain *domain, const char *name, uint64_t bytes, Error **reterr) {
    DiskDef *disk = NULL;
    bool unanswered;
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = find(domain->run->live, false, name, &disk, reterr);
    if (r >= 0 && !disk->source.path)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "disk '%s' has no medium that could be resized", disk->target);
    if (r >= 0)
        r = block_job_check_disk(domain, disk->target, reterr);
    return r < 0 ? r : run(domain, "block_resize", resize_args(disk, bytes), &unanswered, reterr);
}

int driver_resize_disk(Domain *domain, const char *disk, uint64_t bytes, Error **reterr) {
    DomainJob job;
    int r;

    if (bytes > INT64_MAX - SECTOR)
        return error_report(reterr, FROM_QEMU, ERROR_OVERFLOW, "a disk cannot have %llu bytes",
                            (unsigned long long)bytes);
    r = domain_job_begin(domain, &job, "blockresize", reterr);
    if (r < 0)
        return r;
    r = resize_locked(domain, disk, (bytes + SECTOR - 1) / SECTOR * SECTOR, reterr);
    domain_job_end(domain, &job);
    return r;
}
