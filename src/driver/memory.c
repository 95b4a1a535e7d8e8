/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/memory.h"

#include <stdio.h>

#include "driver/edit.h"
#include "driver/tune.h"
#include "qemu/balloon.h"
#include "util/json.h"
#include "util/libvirt-numbers.h"
#include "util/text.h"

#define COMMAND_USEC (10 * USEC_PER_SEC)

/* Consumes args; NULL of a builder is -ENOMEM. */
static int command(Domain *domain, const char *execute, json_object *args, Error **reterr) {
    return args ? monitor_run(domain->run->monitor, execute, args, deadline_in(COMMAND_USEC), NULL,
                              reterr)
                : error_no_memory(reterr);
}

/* ---- how much ---- */

static int change_maximum(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const uint64_t kib = *(const uint64_t *)arg;

    if (live)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot resize the maximum memory on an active domain");
    if (def->cpu.n_cells > 0)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "the memory of domain '%s' is that of its NUMA cells; change these in "
                            "its definition",
                            def->name);
    if (def->max_memory_kib && kib > def->max_memory_kib)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' cannot start with more than its <maxMemory> of %llu KiB",
                            def->name, (unsigned long long)def->max_memory_kib);
    def->memory_kib = kib;
    def->current_memory_kib = MIN_OF(def->current_memory_kib, kib);
    return 0;
}

/* Of a running domain the guest decides when it has what it is to have. */
static int change_current(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const uint64_t kib = *(const uint64_t *)arg;

    if (kib > def->memory_kib)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "cannot set memory higher than max memory");
    if (!live)
        def->current_memory_kib = kib;
    return 0;
}

static json_object *balloon_args(uint64_t kib) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    return args && json_add_uint(args, "value", kib * 1024) >= 0 ? TAKE_PTR(args) : NULL;
}

static int inflate(Domain *domain, const void *arg, Error **reterr) {
    if (!memballoon_is_there(domain->run->live->memballoon))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "the memory of the running domain '%s' cannot be changed: it has no "
                            "balloon (<memballoon>)",
                            domain_name(domain));
    return command(domain, "balloon", balloon_args(*(const uint64_t *)arg), reterr);
}

int driver_set_memory(Domain *domain, uint64_t kib, unsigned flags, Error **reterr) {
    const DefinitionEdit edit = {.what = "setmem",
                                 .flags = flags,
                                 .arg = &kib,
                                 .change = flags & MEMORY_MAXIMUM ? change_maximum : change_current,
                                 .act = flags & MEMORY_MAXIMUM ? NULL : inflate};

    if (kib == 0 || kib > INT64_MAX / 1024)
        return error_argument(reterr, "virDomainSetMemoryFlags", "memory",
                              "memory in virDomainSetMemoryFlags must be a number of KiB");
    return definition_edit(domain, &edit, reterr);
}

/* ---- how often the balloon counts ---- */

static int change_period(DomainDef *def, bool live, const void *arg, Error **reterr) {
    if (!memballoon_is_there(def->memballoon))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has no balloon (<memballoon>) whose period could be set",
                            def->name);
    def->memballoon->stats_period = *(const unsigned *)arg;
    return 0;
}

static json_object *period_args(unsigned seconds) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    if (!args || json_add_string(args, "path", BALLOON_PATH) < 0 ||
        json_add_string(args, "property", "guest-stats-polling-interval") < 0 ||
        json_add_uint(args, "value", seconds) < 0)
        return NULL;
    return TAKE_PTR(args);
}

static int poll_balloon(Domain *domain, const void *arg, Error **reterr) {
    return command(domain, "qom-set", period_args(*(const unsigned *)arg), reterr);
}

int driver_set_memory_period(Domain *domain, unsigned seconds, unsigned flags, Error **reterr) {
    const DefinitionEdit edit = {.what = "dommemstat",
                                 .flags = flags,
                                 .arg = &seconds,
                                 .change = change_period,
                                 .act = poll_balloon};

    return definition_edit(domain, &edit, reterr);
}

/* ---- limits ---- */

static void limits_of(const MemtuneDef *tune, uint64_t ret[MEMORY_LIMIT_MAX_]) {
    ret[MEMORY_LIMIT_HARD] = tune->has_hard ? tune->hard : MEMORY_UNLIMITED;
    ret[MEMORY_LIMIT_SOFT] = tune->has_soft ? tune->soft : MEMORY_UNLIMITED;
    ret[MEMORY_LIMIT_SWAP] = tune->has_swap ? tune->swap : MEMORY_UNLIMITED;
}

static void set_limit(bool *has, uint64_t *at, uint64_t kib) {
    *has = kib < MEMORY_UNLIMITED;
    *at = *has ? kib : 0;
}

/* To compare. */
static uint64_t limit_or_none(uint64_t kib) {
    return kib > MEMORY_UNLIMITED ? MEMORY_UNLIMITED : kib;
}

static int no_controller(const char *name, const char *which, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        streq(which, "blkio") ? "blkio cgroup isn't mounted"
                                              : "cgroup memory controller is not mounted");
}

static int change_limits(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const MemoryLimits *limits = arg;
    uint64_t next[MEMORY_LIMIT_MAX_];
    MemtuneDef *tune = &def->memtune;

    if (live)
        return no_controller(def->name, "memory", reterr);
    limits_of(tune, next);
    for (int i = 0; i < MEMORY_LIMIT_MAX_; i++)
        next[i] = limits->given[i] ? limits->value[i] : next[i];
    if (limit_or_none(next[MEMORY_LIMIT_HARD]) > limit_or_none(next[MEMORY_LIMIT_SWAP]))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "memory hard_limit tunable value must be lower than or equal to "
                            "swap_hard_limit");
    set_limit(&tune->has_hard, &tune->hard, next[MEMORY_LIMIT_HARD]);
    set_limit(&tune->has_soft, &tune->soft, next[MEMORY_LIMIT_SOFT]);
    set_limit(&tune->has_swap, &tune->swap, next[MEMORY_LIMIT_SWAP]);
    return 0;
}

int driver_set_memory_limits(Domain *domain, const MemoryLimits *limits, unsigned flags,
                             Error **reterr) {
    const DefinitionEdit edit = {
        .what = "memtune", .flags = flags, .arg = limits, .change = change_limits};

    return definition_edit(domain, &edit, reterr);
}

int driver_get_memory_limits(Domain *domain, unsigned flags, MemoryLimits *ret, Error **reterr) {
    const DomainDef *def = NULL;
    int r = driver_affected_def(domain, flags, &def, reterr);

    if (r >= 0 && domain->run && def == domain->run->live)
        r = no_controller(def->name, "memory", reterr);
    if (r < 0)
        return r;
    limits_of(&def->memtune, ret->value);
    for (int i = 0; i < MEMORY_LIMIT_MAX_; i++)
        ret->given[i] = true;
    return 0;
}

/* ---- weights and speeds of disks ---- */

static uint64_t blkio_value(const BlkioDevice *device, BlkioField field) {
    const uint64_t values[] = {device->weight, device->read_iops_sec, device->write_iops_sec,
                               device->read_bytes_sec, device->write_bytes_sec};

    return values[field];
}

static void set_blkio_value(BlkioDevice *device, BlkioField field, uint64_t value) {
    uint64_t *const at[] = {NULL, &device->read_iops_sec, &device->write_iops_sec,
                            &device->read_bytes_sec, &device->write_bytes_sec};

    if (field == BLKIO_DEVICE_WEIGHT)
        device->weight = (unsigned)value;
    else
        *at[field] = value;
}

static int blkio_device(BlkiotuneDef *tune, const char *path, BlkioDevice **ret, Error **reterr) {
    BlkioDevice *grown;
    char *copy;

    for (size_t i = 0; i < tune->n_devices; i++)
        if (streq(tune->devices[i].path, path)) {
            *ret = &tune->devices[i];
            return 0;
        }
    copy = strdup(path);
    grown = copy ? reallocarray(tune->devices, tune->n_devices + 1, sizeof(*grown)) : NULL;
    if (!grown) {
        free(copy);
        return error_no_memory(reterr);
    }
    tune->devices = grown;
    *ret = &grown[tune->n_devices++];
    **ret = (BlkioDevice){.path = copy};
    return 0;
}

/* "PATH,NUMBER" pairs; the text is cut up. */
static int take_list(BlkiotuneDef *tune, BlkioField field, char *text, Error **reterr) {
    char *rest = text, *path, *number, *end;

    while ((path = strsep(&rest, ","))) {
        BlkioDevice *device = NULL;
        unsigned long long value;
        int r;

        number = rest ? strsep(&rest, ",") : NULL;
        value = number ? strtoull(number, &end, 10) : 0;
        if (!number || *path != '/' || end == number || *end || *number == '-' ||
            (field == BLKIO_DEVICE_WEIGHT && value > UINT32_MAX))
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "'%.200s' is no device with a number: PATH,NUMBER[,PATH,NUMBER] is "
                                "wanted",
                                path);
        r = blkio_device(tune, path, &device, reterr);
        if (r < 0)
            return r;
        set_blkio_value(device, field, value);
    }
    return 0;
}

/* What of a refused list was taken is in a copy that nobody keeps. */
static int change_blkio(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const BlkioChange *change = arg;

    if (live)
        return no_controller(def->name, "blkio", reterr);
    for (BlkioField field = 0; field < BLKIO_FIELD_MAX_; field++) {
        CLEANUP_FREE char *text = NULL;
        int r;

        if (!change->lists[field] || !*change->lists[field])
            continue;
        text = strdup(change->lists[field]);
        r = text ? take_list(&def->blkiotune, field, text, reterr) : error_no_memory(reterr);
        if (r < 0)
            return r;
    }
    if (change->has_weight)
        def->blkiotune.weight = change->weight;
    return 0;
}

int driver_set_blkio(Domain *domain, const BlkioChange *change, unsigned flags, Error **reterr) {
    const DefinitionEdit edit = {
        .what = "blkiotune", .flags = flags, .arg = change, .change = change_blkio};

    return definition_edit(domain, &edit, reterr);
}

char *blkio_list(const DomainDef *def, BlkioField field) {
    const BlkiotuneDef *tune = &def->blkiotune;
    const char *comma = "";
    char *text = NULL;
    FILE *out = text_open(&text);

    if (!out)
        return NULL;
    for (size_t i = 0; i < tune->n_devices; i++)
        if (blkio_value(&tune->devices[i], field)) {
            fprintf(out, "%s%s,%llu", comma, tune->devices[i].path,
                    (unsigned long long)blkio_value(&tune->devices[i], field));
            comma = ",";
        }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

int driver_blkio_def(Domain *domain, unsigned flags, const DomainDef **ret, Error **reterr) {
    int r = driver_affected_def(domain, flags, ret, reterr);

    return r >= 0 && domain->run && *ret == domain->run->live
               ? no_controller((*ret)->name, "blkio", reterr)
               : r;
}
