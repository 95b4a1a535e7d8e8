/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/disk-rates.h"

#include <stdio.h>

#include "driver/device-use.h"
#include "util/json.h"
#include "util/log.h"

#define ROW(name, throttle, backend, kind)                                                         \
    { #name, throttle, backend, offsetof(DiskIotune, name), kind }
const IotuneParam iotune_params[IOTUNE_PARAMS] = {
    ROW(total_bytes_sec, "bps-total", "bps", IOTUNE_BYTES),
    ROW(read_bytes_sec, "bps-read", "bps_rd", IOTUNE_BYTES),
    ROW(write_bytes_sec, "bps-write", "bps_wr", IOTUNE_BYTES),
    ROW(total_iops_sec, "iops-total", "iops", IOTUNE_IOPS),
    ROW(read_iops_sec, "iops-read", "iops_rd", IOTUNE_IOPS),
    ROW(write_iops_sec, "iops-write", "iops_wr", IOTUNE_IOPS),
    ROW(total_bytes_sec_max, "bps-total-max", "bps_max", IOTUNE_BYTES_MAX),
    ROW(read_bytes_sec_max, "bps-read-max", "bps_rd_max", IOTUNE_BYTES_MAX),
    ROW(write_bytes_sec_max, "bps-write-max", "bps_wr_max", IOTUNE_BYTES_MAX),
    ROW(total_iops_sec_max, "iops-total-max", "iops_max", IOTUNE_IOPS_MAX),
    ROW(read_iops_sec_max, "iops-read-max", "iops_rd_max", IOTUNE_IOPS_MAX),
    ROW(write_iops_sec_max, "iops-write-max", "iops_wr_max", IOTUNE_IOPS_MAX),
    ROW(size_iops_sec, "iops-size", "iops_size", IOTUNE_SIZE),
    ROW(total_bytes_sec_max_length, "bps-total-max-length", "bps_max_length", IOTUNE_LENGTH),
    ROW(read_bytes_sec_max_length, "bps-read-max-length", "bps_rd_max_length", IOTUNE_LENGTH),
    ROW(write_bytes_sec_max_length, "bps-write-max-length", "bps_wr_max_length", IOTUNE_LENGTH),
    ROW(total_iops_sec_max_length, "iops-total-max-length", "iops_max_length", IOTUNE_LENGTH),
    ROW(read_iops_sec_max_length, "iops-read-max-length", "iops_rd_max_length", IOTUNE_LENGTH),
    ROW(write_iops_sec_max_length, "iops-write-max-length", "iops_wr_max_length", IOTUNE_LENGTH),
};

uint64_t iotune_value(const DiskIotune *tune, size_t param) {
    return *(const uint64_t *)((const char *)tune + iotune_params[param].offset);
}

void iotune_set_value(DiskIotune *tune, size_t param, uint64_t value) {
    *(uint64_t *)((char *)tune + iotune_params[param].offset) = value;
}

json_object *disk_rates_filter(const DiskDef *disk) {
    CLEANUP_JSON json_object *args = json_object_new_object();
    char path[128];

    snprintf(path, sizeof(path), "/objects/group-%.90s", disk->info.alias);
    if (!args || json_add_string(args, "path", path) < 0 ||
        json_add_string(args, "property", "limits") < 0)
        return NULL;
    return TAKE_PTR(args);
}

static bool has_limits(const DomainDef *def) {
    for (size_t i = 0; def && i < def->n_disks; i++)
        for (size_t k = 0; k < IOTUNE_PARAMS; k++)
            if (iotune_value(&def->disks[i].iotune, k))
                return true;
    return false;
}

/* The entry of a reply of query-block, or NULL. */
static json_object *medium_of(json_object *blocks, const DiskDef *disk) {
    char qom[160];

    snprintf(qom, sizeof(qom), "/machine/peripheral/%.100s/", disk->info.alias);
    for (size_t i = 0; i < json_length(blocks); i++) {
        json_object *block = json_object_array_get_idx(blocks, i);
        const char *qdev = json_member_string(block, "qdev");

        if (qdev && (streq(qdev, disk->info.alias) || strncmp(qdev, qom, strlen(qom)) == 0))
            return json_member(block, "inserted");
    }
    return NULL;
}

/* A burst's length that nobody has set is 1 there. */
static bool take_values(DiskIotune *tune, json_object *said, bool throttle) {
    bool changed = false;

    for (size_t k = 0; k < IOTUNE_PARAMS; k++) {
        const IotuneParam *param = &iotune_params[k];
        const uint64_t now = iotune_value(tune, k);
        const bool is_length = param->kind == IOTUNE_LENGTH;
        uint64_t value = json_member_uint(said, throttle ? param->throttle : param->backend,
                                          is_length ? 1 : 0);

        if (is_length && value <= 1 && now <= 1)
            value = now;
        changed = changed || value != now;
        iotune_set_value(tune, k, value);
    }
    return changed;
}

/* One that QEMU has made up is called like the device. */
static bool take_group(DiskDef *disk, json_object *said) {
    const char *group = json_member_string(said, "group");
    char *copy;

    if (!group || streq(group, disk->info.alias) || *group == '/' ||
        streq_ptr(disk->iotune.group_name, group))
        return false;
    copy = strdup(group);
    if (copy) {
        free(disk->iotune.group_name);
        disk->iotune.group_name = copy;
    }
    return copy != NULL;
}

static int take_disk(Domain *domain, size_t index, json_object *blocks) {
    DiskDef *disk = &domain->run->live->disks[index];
    CLEANUP_JSON json_object *limits = NULL;
    CLEANUP_ERROR Error *error = NULL;
    json_object *args = disk_rates_filter(disk), *said;
    int r = args ? monitor_run(domain->run->monitor, "qom-get", args,
                               device_command_deadline(domain), &limits, &error)
                 : -ENOMEM;

    if (r < 0 && (!args || domain_check_active(domain, NULL) < 0))
        return -EIO;
    if (!domain->run || index >= domain->run->live->n_disks)
        return -EIO;
    disk = &domain->run->live->disks[index];
    said = limits ? limits : medium_of(blocks, disk);
    if (said &&
        (take_values(&disk->iotune, said, limits != NULL) | (!limits && take_group(disk, said))))
        log_info("domain '%s': the limits of disk '%s' are those that QEMU has",
                 domain_name(domain), disk->target);
    return 0;
}

void disk_rates_reconcile(Domain *domain) {
    CLEANUP_JSON json_object *blocks = NULL;
    int r = 0;

    assert(domain_job_is_mine(domain) && domain->run);
    if (!domain->run->disks.limits_unknown && !has_limits(domain->run->live) &&
        !has_limits(domain->config))
        return;
    r = monitor_run(domain->run->monitor, "query-block", NULL, device_command_deadline(domain),
                    &blocks, NULL);
    for (size_t i = 0; r >= 0 && domain->run && i < domain->run->live->n_disks; i++)
        if (storage_is_there(&domain->run->live->disks[i].source))
            r = take_disk(domain, i, blocks);
    if (r >= 0 && domain->run)
        domain->run->disks.limits_unknown = false;
}
