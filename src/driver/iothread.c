/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IO threads: added, deleted, and their polling and thread pool set. */
#include <stdio.h>

#include "driver/change.h"
#include "driver/tune.h"
#include "qemu/command-line.h"
#include "util/file.h"
#include "util/json.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define DEFAULT_POOL_MAX 64 /* QEMU's (util/async.c) */

static json_object *object_name(unsigned id) {
    json_object *arguments = json_object_new_object();
    char name[32];

    snprintf(name, sizeof(name), "iothread%u", id);
    if (arguments && json_add_string(arguments, "id", name) >= 0)
        return arguments;
    json_object_put(arguments);
    return NULL;
}

/* Without an answer it may come or go yet: the reconnection finds what is there. */
static int change_object(Domain *domain, const char *command, json_object *arguments,
                         Error **reterr) {
    int r = monitor_run(domain->run->monitor, command, arguments, deadline_in(COMMAND_USEC), NULL,
                        reterr);

    if (r == -ETIMEDOUT)
        monitor_give_up(domain->run->monitor, "QEMU did not answer a change of its IO threads");
    return r;
}

static int delete_object(Domain *domain, unsigned id, Error **reterr) {
    json_object *arguments = object_name(id);

    return arguments ? change_object(domain, "object-del", arguments, reterr)
                     : error_no_memory(reterr);
}

static void drop_group(Domain *domain, unsigned id) {
    LimitsSubject subject = domain_subject(domain);

    limits_drop_iothread(domain->run->limits, &subject, id);
}

static void undo_add(Domain *domain, const void *arg) {
    unsigned id = *(const unsigned *)arg;

    delete_object(domain, id, NULL);
    drop_group(domain, id);
    domain_refresh_iothreads(domain, true, NULL);
}

static int act_add(Domain *domain, const void *arg, Error **reterr) {
    IothreadDef iothread = {.id = *(const unsigned *)arg, .pool_min = -1, .pool_max = -1};
    json_object *arguments = qemu_iothread_object(&iothread), *reply = NULL;
    IothreadList list;
    int r;

    if (!arguments)
        return error_no_memory(reterr);
    r = change_object(domain, "object-add", arguments, reterr);
    if (r < 0)
        return r;
    r = monitor_run(domain->run->monitor, "query-iothreads", NULL, deadline_in(COMMAND_USEC),
                    &reply, reterr);
    if (r >= 0)
        r = iothread_list_parse(reply, &list, reterr);
    json_object_put(reply);
    if (r < 0) {
        delete_object(domain, iothread.id, NULL);
        return r;
    }
    iothread_list_done(&domain->run->iothreads);
    domain->run->iothreads = list;
    return 0;
}

/* The array with one more, not there yet. Its other members are shared with the old one. */
static int prepare_add(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                       Error **reterr) {
    unsigned id = *(const unsigned *)arg;
    size_t at = 0;

    if (domain_def_iothread(def, id))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "an IOThread is already using iothread_id '%u'", id);
    ret->iothreads = calloc(def->n_iothreads + 1, sizeof(IothreadDef));
    if (!ret->iothreads)
        return error_no_memory(reterr);
    while (at < def->n_iothreads && def->iothreads[at].id < id)
        at++;
    for (size_t i = 0; i < def->n_iothreads; i++)
        ret->iothreads[i + (i >= at)] = def->iothreads[i];
    ret->iothreads[at] = (IothreadDef){.id = id, .pool_min = -1, .pool_max = -1};
    ret->n_iothreads = def->n_iothreads + 1;
    ret->id = id;
    return 0;
}

static void swap_iothreads(DomainDef *def, ChangePiece *piece) {
    IothreadDef *list = def->iothreads;
    size_t n = def->n_iothreads;

    def->iothreads = piece->iothreads;
    def->n_iothreads = piece->n_iothreads;
    piece->iothreads = list;
    piece->n_iothreads = n;
}

static int check_iothread_id(const char *api, unsigned id, Error **reterr) {
    if (id == 0)
        return error_argument(reterr, api, "iothread_id", "invalid value of 0 for iothread_id");
    if (id > IOTHREAD_ID_MAX)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "iothread_id '%u' is beyond the limit of %u", id, IOTHREAD_ID_MAX);
    return 0;
}

int driver_add_iothread(Domain *domain, unsigned id, unsigned flags, Error **reterr) {
    Change change = {.what = "iothreadadd",
                     .flags = flags,
                     .arg = &id,
                     .prepare = prepare_add,
                     .swap = swap_iothreads,
                     .act = act_add,
                     .undo = undo_add,
                     .scope = {.iothread = id}};
    int r = check_iothread_id("virDomainAddIOThread", id, reterr);

    return r < 0 ? r : change_run(domain, &change, reterr);
}

/* The array with one less; see prepare_add. */
static int prepare_delete(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                          Error **reterr) {
    unsigned id = *(const unsigned *)arg;

    if (!domain_def_iothread(def, id))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "cannot find IOThread '%u' in iothreadids list", id);
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].iothread == id)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "cannot remove IOThread '%u' since it is being used by disk '%s'",
                                id, def->disks[i].target);
    ret->iothreads = calloc(def->n_iothreads, sizeof(IothreadDef));
    if (!ret->iothreads)
        return error_no_memory(reterr);
    for (size_t i = 0; i < def->n_iothreads; i++)
        if (def->iothreads[i].id != id)
            ret->iothreads[ret->n_iothreads++] = def->iothreads[i];
    ret->id = id;
    return 0;
}

static int act_delete(Domain *domain, const void *arg, Error **reterr) {
    unsigned id = *(const unsigned *)arg;
    CLEANUP_ERROR Error *error = NULL;
    int r = delete_object(domain, id, &error);

    if (domain_refresh_iothreads(domain, true, NULL) < 0 ||
        iothread_list_find(&domain->run->iothreads, id))
        return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
    drop_group(domain, id); /* gone, by us or before */
    return 0;
}

int driver_delete_iothread(Domain *domain, unsigned id, unsigned flags, Error **reterr) {
    Change change = {.what = "iothreaddel",
                     .flags = flags,
                     .arg = &id,
                     .prepare = prepare_delete,
                     .swap = swap_iothreads,
                     .act = act_delete,
                     .is_final = true};
    int r = check_iothread_id("virDomainDelIOThread", id, reterr);

    return r < 0 ? r : change_run(domain, &change, reterr);
}

typedef struct Setting {
    const IothreadDef *values;
    IothreadDef old; /* what QEMU had; of a live change */
} Setting;

/* As libvirt: whoever gives a minimum gives a maximum, too, and a running QEMU keeps what it has.
 */
static int check_pool(const IothreadDef *values, const IothreadDef *next, bool live,
                      Error **reterr) {
    if (live && (values->pool_min == -1 || values->pool_max == -1))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "iothread %u: what QEMU would choose by itself is known at a start; "
                            "give a running one numbers, or use --config",
                            values->id);
    return next->pool_min <= next->pool_max
               ? 0
               : error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                              "iothread %u: thread_pool_min (%d) is greater than thread_pool_max "
                              "(%d); give both",
                              values->id, next->pool_min, next->pool_max);
}

static int prepare_set(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                       Error **reterr) {
    const IothreadDef *values = ((const Setting *)arg)->values;
    const IothreadDef *now = domain_def_iothread(def, values->id);
    IothreadDef *next = &ret->iothread;

    if (!now)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "cannot find IOThread '%u' in iothreadids", values->id);
    *next = *now;
    if (values->has_poll_max) {
        next->has_poll_max = true;
        next->poll_max_ns = values->poll_max_ns;
    }
    if (values->has_poll_grow) {
        next->has_poll_grow = true;
        next->poll_grow = values->poll_grow;
    }
    if (values->has_poll_shrink) {
        next->has_poll_shrink = true;
        next->poll_shrink = values->poll_shrink;
    }
    if (values->pool_min > IOTHREAD_POOL_KEEP)
        next->pool_min = values->pool_min;
    if (values->pool_max > IOTHREAD_POOL_KEEP)
        next->pool_max = values->pool_max;
    return check_pool(values, next, live, reterr);
}

static void swap_numbers(DomainDef *def, ChangePiece *piece) {
    IothreadDef *at = domain_def_iothread(def, piece->iothread.id), old = *at;

    *at = piece->iothread;
    piece->iothread = old;
}

static int set_property(Domain *domain, unsigned id, const char *property, json_object *value,
                        Error **reterr) {
    CLEANUP_JSON json_object *arguments = json_object_new_object(), *owned = value;
    CLEANUP_FREE char *path = strf("/objects/iothread%u", id);

    if (!arguments || !path || json_add_string(arguments, "path", path) < 0 ||
        json_add_string(arguments, "property", property) < 0 ||
        json_add(arguments, "value", TAKE_PTR(owned)) < 0)
        return error_no_memory(reterr);
    return monitor_run(domain->run->monitor, "qom-set", TAKE_PTR(arguments),
                       deadline_in(COMMAND_USEC), NULL, reterr);
}

/* QEMU holds the pool's minimum to its maximum at each step: what widens goes first. */
static int set_properties(Domain *domain, const IothreadDef *values, Error **reterr) {
    int r = 0;

    if (values->has_poll_max)
        r = set_property(domain, values->id, "poll-max-ns",
                         json_object_new_uint64(values->poll_max_ns), reterr);
    if (r >= 0 && values->has_poll_grow)
        r = set_property(domain, values->id, "poll-grow", json_object_new_uint64(values->poll_grow),
                         reterr);
    if (r >= 0 && values->has_poll_shrink)
        r = set_property(domain, values->id, "poll-shrink",
                         json_object_new_uint64(values->poll_shrink), reterr);
    if (r >= 0 && values->pool_min >= 0 && values->pool_max >= 0)
        r = set_property(domain, values->id, "thread-pool-min", json_object_new_int(0), reterr);
    if (r >= 0 && values->pool_max >= 0)
        r = set_property(domain, values->id, "thread-pool-max",
                         json_object_new_int(values->pool_max), reterr);
    if (r >= 0 && values->pool_min >= 0)
        r = set_property(domain, values->id, "thread-pool-min",
                         json_object_new_int(values->pool_min), reterr);
    return r;
}

/* What QEMU has of those properties that are about to change. */
static IothreadDef properties_now(Domain *domain, const IothreadDef *values) {
    const IothreadDef *def = domain_def_iothread(domain->run->live, values->id);
    const Iothread *now = iothread_list_find(&domain->run->iothreads, values->id);
    IothreadDef old = {.id = values->id, .pool_min = -1, .pool_max = -1};

    if (!def || !now)
        return old;
    old.has_poll_max = values->has_poll_max;
    old.poll_max_ns = now->poll_max_ns;
    old.has_poll_grow = values->has_poll_grow;
    old.poll_grow = now->poll_grow;
    old.has_poll_shrink = values->has_poll_shrink;
    old.poll_shrink = now->poll_shrink;
    if (values->pool_min >= 0)
        old.pool_min = MAX_OF(def->pool_min, 0);
    if (values->pool_max >= 0)
        old.pool_max = def->pool_max >= 0 ? def->pool_max : DEFAULT_POOL_MAX;
    return old;
}

/* One that is refused takes the ones before it back. */
static int act_iothread(Domain *domain, const void *arg, Error **reterr) {
    Setting *setting = (Setting *)arg;
    int r;

    setting->old = properties_now(domain, setting->values);
    r = set_properties(domain, setting->values, reterr);
    if (r < 0)
        set_properties(domain, &setting->old, NULL);
    return r < 0 ? r : domain_refresh_iothreads(domain, false, reterr);
}

static void undo_iothread(Domain *domain, const void *arg) {
    const Setting *setting = arg;

    set_properties(domain, &setting->old, NULL);
    domain_refresh_iothreads(domain, false, NULL);
}

int driver_set_iothread(Domain *domain, const IothreadDef *values, unsigned flags, Error **reterr) {
    Setting setting = {.values = values};
    Change change = {.what = "iothreadset",
                     .flags = flags,
                     .arg = &setting,
                     .prepare = prepare_set,
                     .swap = swap_numbers,
                     .act = act_iothread,
                     .undo = undo_iothread};
    int r = check_iothread_id("virDomainSetIOThreadParams", values->id, reterr);

    return r < 0 ? r : change_run(domain, &change, reterr);
}
