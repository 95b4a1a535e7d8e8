/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that leave a running QEMU: the guest is asked, and its evidence (DEVICE_DELETED, a
 * refusal, silence) is counted before it is asked. What has gone is settled by whoever holds the
 * job: the waiter, or a fiber of its own. */
#include "domain/events.h"
#include "domain/files.h"
#include "domain/removal.h"
#include "driver/block-job-check.h"
#include "driver/block-job-settle.h"
#include "driver/device-internal.h"
#include "qemu/unplug.h"
#include "util/file.h"
#include "util/json.h"
#include "util/log.h"

/* ---- what has gone ---- */

static bool note(char ***list, size_t *n, const char *alias) {
    char **at = array_append(list, n, sizeof(char *));

    if (at)
        *at = strdup(alias);
    return at != NULL;
}

static bool list_has(char *const *list, size_t n, const char *alias) {
    for (size_t i = 0; i < n; i++)
        if (streq_ptr(list[i], alias))
            return true;
    return false;
}

static void settle_one(Domain *domain, const char *alias) {
    CLEANUP_ERROR Error *error = NULL;
    DevicePlace place = device_by_alias(domain->run->live, alias);

    if (!place.kind)
        return;
    if (place.kind == &disk_kind)
        block_job_forget_disk(domain,
                              ((const DiskDef *)device_at(domain->run->live, &place))->target);
    if (!domain->run)
        return;
    place = device_by_alias(domain->run->live, alias);
    device_undo_backends(domain, domain->run->live, &place);
    if (!domain->run || device_is_cut_off(domain)) /* device_reconcile finds it once more */
        return;
    device_host_release(domain, domain->run->live, &place, true);
    if (!domain->run) /* looked up again: that waited */
        return;
    place = device_by_alias(domain->run->live, alias);
    if (!place.kind || device_remove(domain->run->live, &place, &error) < 0 ||
        domain_save_status(domain, &error) < 0)
        log_warning("domain '%s': after '%s' has gone, ignoring: %s", domain_name(domain), alias,
                    error_message(error));
    device_host_settle(domain);
    events_device_removed(domain, alias);
    device_operations_gone(domain, alias);
}

/* Job held. */
static void settle(Domain *domain) {
    while (domain->run && domain->run->devices.n_gone) {
        DeviceNews *news = &domain->run->devices;
        CLEANUP_FREE char *alias = news->gone[--news->n_gone];

        if (alias)
            settle_one(domain, alias);
    }
}

/* Whoever holds the job may hold it for longer than one waits for it. */
static void settle_late(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;

    while (domain->run && domain->run->devices.n_gone) {
        CLEANUP_ERROR Error *error = NULL;
        DomainJob job;

        if (domain_job_begin(domain, &job, "device removal", &error) < 0) {
            log_warning("domain '%s': trying on: %s", domain_name(domain), error_message(error));
            continue;
        }
        settle(domain);
        domain_job_end(domain, &job);
    }
}

bool device_event(Domain *domain, const char *name, json_object *data) {
    const char *alias = json_member_string(data, "device");
    DeviceNews *news = &domain->run->devices;
    const bool deleted = streq(name, "DEVICE_DELETED");

    if (!deleted && !streq(name, "DEVICE_UNPLUG_GUEST_ERROR") && !streq(name, "MEM_UNPLUG_ERROR") &&
        !unplug_memory_refused(name, data, &alias))
        return false;
    if (!alias)
        return false;
    if (!device_by_alias(domain->run->live, alias).kind)
        return false;
    if (!deleted && list_has(news->refused, news->n_refused, alias))
        return true; /* a guest may say so as often as it likes */
    if (!(deleted ? note(&news->gone, &news->n_gone, alias)
                  : note(&news->refused, &news->n_refused, alias)))
        return true;
    if (!deleted) {
        events_device_removal_failed(domain, alias);
        device_operations_refused(domain, alias);
    }
    news->count++;
    fiber_cond_broadcast(&news->cond);
    if (deleted && !news->n_waiting &&
        fiber_start("device-gone", settle_late, domain_ref(domain)) < 0)
        domain_unref(domain);
    return true;
}

/* ---- what is there ---- */

static bool is_listed(json_object *list, const char *alias) {
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (streq_ptr(json_member_string(json_object_array_get_idx(list, i), "name"), alias))
            return true;
    return false;
}

static int list_peripherals(Domain *domain, json_object **ret, Error **reterr) {
    Props props = props_new();

    props_text(&props, "path", "/machine/peripheral");
    return monitor_run(domain->run->monitor, "qom-list", props_take(&props),
                       device_command_deadline(domain), ret, reterr);
}

int device_is_in_qemu(Domain *domain, const char *alias, Error **reterr) {
    CLEANUP_JSON json_object *list = NULL;
    int r = list_peripherals(domain, &list, reterr);

    if (r >= 0 && !json_object_is_type(list, json_type_array))
        r = error_report(reterr, FROM_QEMU, ERROR_INTERNAL, "QEMU's list of devices is no list");
    return r < 0 ? r : is_listed(list, alias);
}

/* ---- detach ---- */

static json_object *device_id(const char *alias) {
    Props props = props_new();

    props_text(&props, "id", alias);
    return props_take(&props);
}

/* Until it has gone, or the guest has refused, or the deadline has come: 0, 0 or -ETIMEDOUT. */
static int wait_for(Domain *domain, const char *alias, uint64_t seen, uint64_t deadline) {
    int r = 0;

    while (domain->run && r >= 0) {
        DeviceNews *news = &domain->run->devices;

        if (list_has(news->gone, news->n_gone, alias) ||
            list_has(news->refused, news->n_refused, alias) ||
            !monitor_is_open(domain->run->monitor))
            return 0;
        if (news->count != seen) {
            seen = news->count;
            continue;
        }
        news->n_waiting++;
        r = fiber_cond_wait(&news->cond, deadline);
        if (domain->run)
            domain->run->devices.n_waiting--;
    }
    return r;
}

static void forget_refusals(DeviceNews *news) {
    while (news->n_refused)
        free(news->refused[--news->n_refused]);
}

/* The monitor has closed: as long as QEMU lives that is silence, and the operation is resumed after
 * the reconnection. */
static int cut_off(Domain *domain, const char *alias, const Error *error, Operation *operation,
                   Error **reterr) {
    if (domain_outlives_monitor(domain)) {
        log_info("domain '%s': '%s' is asked for again after the reconnection: %s",
                 domain_name(domain), alias, error_message(error));
        return 0;
    }
    if (operation)
        operation->device.fails_as = OPERATION_FAILED;
    return error_report(reterr, FROM_QEMU, error->code, "%s", error_message(error));
}

/* What came of it: gone, refused, or silent, which is no error. */
static int outcome(Domain *domain, const char *alias, int waited, Operation *operation,
                   Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    bool refused;

    if (domain_check_active(domain, &error) < 0)
        return cut_off(domain, alias, error, operation, reterr);
    refused = list_has(domain->run->devices.refused, domain->run->devices.n_refused, alias);
    settle(domain);
    if (refused) {
        if (operation)
            operation->device.fails_as = OPERATION_REFUSED;
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "detach of device '%s' was rejected by the guest", alias);
    }
    if (waited < 0)
        log_info("domain '%s': the guest has been asked to release '%s' and has not answered yet",
                 domain_name(domain), alias);
    return 0;
}

/* QEMU's word for a device that it has asked the guest for before. */
static bool is_asked_already(const Error *error) {
    return strstr(error_message(error), "already in the process of unplug") != NULL;
}

/* A device that has left before it was asked for: with an earlier daemon, or of itself. */
static bool has_left(Domain *domain, const char *alias) {
    if (device_is_in_qemu(domain, alias, NULL) != 0 || !domain->run)
        return false;
    return note(&domain->run->devices.gone, &domain->run->devices.n_gone, alias);
}

/* QEMU said no; it is not that it says nothing. */
static int refused(Domain *domain, const char *alias, Operation *operation) {
    if (has_left(domain, alias)) {
        settle(domain);
        return 0;
    }
    if (operation)
        operation->device.fails_as = OPERATION_REFUSED;
    return -EINVAL;
}

int device_detach_asked(Domain *domain, const char *alias, uint64_t timeout_usec,
                        Operation *operation, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    uint64_t seen = domain->run->devices.count;
    int r;

    assert(domain_job_is_mine(domain));
    forget_refusals(&domain->run->devices);
    operation_step(operation, STEP_SENT);
    r = device_tell(domain, "device_del", device_id(alias), &error);
    if (r < 0 && error->code == ERROR_OPERATION_TIMEOUT)
        return error_propagate(reterr, TAKE_PTR(error));
    if (r < 0 && domain_check_active(domain, NULL) < 0)
        return cut_off(domain, alias, error, operation, reterr);
    if (r < 0 && !is_asked_already(error))
        return refused(domain, alias, operation) < 0 ? error_propagate(reterr, TAKE_PTR(error))
                                                     : domain_check_active(domain, reterr);
    operation_step(operation, STEP_ANSWERED);
    r = wait_for(domain, alias, seen, deadline_in(removal_timeout(domain, timeout_usec)));
    return outcome(domain, alias, r, operation, reterr);
}

int device_detach_live(Domain *domain, const DevicePlace *place, const DeviceRequest *request,
                       bool config, Operation **ret_operation, Error **reterr) {
    const DeviceInfo *info = device_info_at(domain->run->live, place);
    CLEANUP_FREE char *alias = info && info->alias ? strdup(info->alias) : NULL;
    int r;

    assert(domain_job_is_mine(domain));
    if (!alias)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "a <%s> cannot be taken from a running domain", place->kind->name);
    r = place->kind == &disk_kind
            ? block_job_check_disk(
                  domain, ((const DiskDef *)device_at(domain->run->live, place))->target, reterr)
            : 0;
    if (r >= 0)
        r = device_operation_begin(domain, request, config, alias, NULL, ret_operation, reterr);
    return r < 0 ? r : device_detach_asked(domain, alias, 0, *ret_operation, reterr);
}

/* ---- after a reconnect ---- */

/* Those that could have been unplugged: their kinds can be attached. */
static bool could_go(const DeviceKind *kind) {
    return kind == &disk_kind || kind == &interface_kind || kind == &input_kind ||
           kind == &rng_kind || kind == &hostdev_kind || kind == &redirdev_kind ||
           kind == &shmem_kind || kind == &watchdog_kind || kind == &memory_kind ||
           kind == &filesystem_kind || kind == &chardev_kind || kind == &controller_kind;
}

typedef struct Reconcile {
    Domain *domain;
    json_object *list;
    StartParts parts; /* pretended */
} Reconcile;

/* Whether QEMU was told of it by that name: a machine has some devices of itself. */
static bool has_name_in_qemu(const Reconcile *reconcile, const DeviceKind *kind, const void *device,
                             const char *alias) {
    const DomainRun *run = reconcile->domain->run;
    CLEANUP(device_steps_done) DeviceSteps steps = {0};
    DeviceContext context = device_context(run, run->live, &reconcile->parts);
    bool found = false;

    if (device_kind_build(&context, kind, device, &steps, NULL) < 0 || steps.failed)
        return false;
    for (size_t i = 0; i < steps.n; i++)
        found |= steps.steps[i].kind == STEP_DEVICE &&
                 streq_ptr(json_member_string(steps.steps[i].json, "id"), alias);
    return found;
}

static int note_gone(const DeviceKind *kind, void *device, size_t index, void *userdata) {
    Reconcile *reconcile = userdata;
    DeviceNews *news = &reconcile->domain->run->devices;
    const DeviceInfo *info = could_go(kind) ? (const DeviceInfo *)((char *)device + kind->info)
                                            : NULL;

    if (info && info->alias && !is_listed(reconcile->list, info->alias) &&
        has_name_in_qemu(reconcile, kind, device, info->alias))
        note(&news->gone, &news->n_gone, info->alias);
    return 0;
}

void device_reconcile(Domain *domain) {
    CLEANUP_JSON json_object *list = NULL;
    Reconcile reconcile = {.domain = domain};

    if (list_peripherals(domain, &list, NULL) < 0)
        return;
    reconcile.list = list;
    if (domain->run && json_object_is_type(list, json_type_array) &&
        json_object_array_length(list) > 1 &&
        device_host_pretend(domain->run->live, &reconcile.parts, NULL) >= 0)
        devices_each(domain->run->live, note_gone, &reconcile);
    start_parts_done(&reconcile.parts);
    settle(domain);
}
