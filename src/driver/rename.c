/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/rename.h"

#include <stdio.h>
#include <unistd.h>

#include "domain/events.h"
#include "domain/files.h"
#include "domain/store.h"
#include "driver/edit.h"
#include "driver/run-state.h"
#include "driver/saved.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

/* virDomainEventDefinedDetailType, virDomainEventUndefinedDetailType */
enum { DEFINED_RENAMED = 2, UNDEFINED_RENAMED = 1 };

/* ---- names ---- */

static int check_name(const Domain *domain, const char *name, Error **reterr) {
    int r = domain_check_name(name, reterr);

    if (r < 0)
        return r;
    if (store_name(domain->services->store, name) ||
        store_is_reserved(domain->services->store, name))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain with name '%s' already exists", name);
    return 0;
}

static int check_domain(const Domain *domain, Error **reterr) {
    if (domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot rename active domain");
    return domain->config ? 0
                          : error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                         "cannot rename a transient domain");
}

typedef struct Move {
    const char *from, *to;
} Move;

static int run_move(void *arg) {
    const Move *move = arg;

    return rename(move->from, move->to) < 0 && errno != ENOENT ? -errno : 0;
}

/* A managed save has the old name inside, which its start does not mind. */
static void move_save(const ServicePaths *paths, const char *from, const char *to) {
    CLEANUP_FREE char *old = driver_managed_save_path(paths, from);
    CLEANUP_FREE char *new = driver_managed_save_path(paths, to);
    CLEANUP_FREE char *old_taken = old ? save_taken_path(old) : NULL;
    CLEANUP_FREE char *new_taken = new ? save_taken_path(new) : NULL;
    const bool named = old_taken && new_taken;
    int r = named ? worker_run(run_move, &(Move){old, new}) : -ENOMEM;

    if (r >= 0)
        r = worker_run(run_move, &(Move){old_taken, new_taken});
    if (r < 0)
        log_warning("the managed save of domain '%s', which is '%s' now, stays where it is: %s",
                    from, to, strerror(-r));
}

/* The new autostart mark before the old file goes: whatever is there is started. */
static int move_autostart(const Domain *domain, const char *from, const char *to, Error **reterr) {
    const ServicePaths *paths = &domain->services->paths;
    CLEANUP_FREE char *old = domain_autostart_path(paths, from);
    CLEANUP_FREE char *new = domain_autostart_path(paths, to);
    CLEANUP_FREE char *target = strf("../domains/%s.xml", to);
    int r;

    if (!old || !new || !target)
        return error_no_memory(reterr);
    r = domain->autostart ? file_symlink_worker(target, new) : 0;
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot make '%s'", new);
    file_remove_worker(old);
    return 0;
}

/* The list is by name, so the domain leaves it for a moment; nobody else runs meanwhile. */
static void change_name(Domain *domain, char **name) {
    Services *services = domain->services;
    char *old = domain->config->name;

    domain_ref(domain);
    store_remove(services->store, domain);
    domain->config->name = *name;
    *name = old;
    store_add(services->store, domain, services);
    domain_unref(domain);
}

/* Of two files of one uuid a daemon that dies now leaves, the next one takes either. */
static int move(Domain *domain, char **name, Error **reterr) {
    const ServicePaths *paths = &domain->services->paths;
    CLEANUP_FREE char *old = domain_config_path(paths, domain->config->name);
    CLEANUP_FREE char *new = domain_config_path(paths, *name);
    char *kept = domain->config->name;
    int r = old && new ? 0 : error_no_memory(reterr);

    if (r < 0)
        return r;
    domain->config->name = *name;
    r = domain_save_config(domain, domain->config, reterr);
    domain->config->name = kept;
    if (r < 0)
        return r;
    r = move_autostart(domain, kept, *name, reterr);
    file_remove_worker(r < 0 ? new : old);
    if (r < 0)
        return r;
    move_save(paths, kept, *name);
    events_lifecycle(domain, EVENT_UNDEFINED, UNDEFINED_RENAMED);
    change_name(domain, name);
    events_lifecycle(domain, EVENT_DEFINED, DEFINED_RENAMED);
    return 0;
}

/* Both names are this domain's while its files move. */
static int rename_locked(Domain *domain, const char *name, Error **reterr) {
    CLEANUP_FREE char *copy = strdup(name);
    DomainStore *store = domain->services->store;
    StoreReservation reservation = {.name = name};
    int r = copy ? check_domain(domain, reterr) : error_no_memory(reterr);

    if (r >= 0)
        r = check_name(domain, name, reterr);
    if (r < 0)
        return r;
    store_reserve(store, &reservation);
    r = move(domain, &copy, reterr);
    store_release(store, &reservation);
    return r;
}

int driver_rename(Domain *domain, const char *name, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "rename", reterr);

    if (r < 0)
        return r;
    r = rename_locked(domain, name, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* ---- what happens at an end ---- */

static LifecycleAction *action_of(DomainDef *def, unsigned end) {
    return end == END_POWEROFF ? &def->on_poweroff
           : end == END_REBOOT ? &def->on_reboot
                               : &def->on_crash;
}

static int check_action(unsigned end, unsigned number, LifecycleAction *ret, Error **reterr) {
    static const LifecycleAction actions[] = {
        LIFECYCLE_DESTROY,  LIFECYCLE_RESTART,          LIFECYCLE_RENAME_RESTART,
        LIFECYCLE_PRESERVE, LIFECYCLE_COREDUMP_DESTROY, LIFECYCLE_COREDUMP_RESTART};

    if (end >= END_MAX_ || number >= ARRAY_SIZE(actions))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "Unsupported lifecycle type %u or action %u", end, number);
    *ret = actions[number];
    if (*ret == LIFECYCLE_RENAME_RESTART) /* no definition may say so */
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "qemu driver doesn't support the 'rename-restart' action for "
                            "'on_reboot'/'on_poweroff'/'on_crash'");
    if (end != END_CRASH &&
        (*ret == LIFECYCLE_COREDUMP_DESTROY || *ret == LIFECYCLE_COREDUMP_RESTART))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "Lifecycle event '%s' doesn't support '%s' action",
                            end == END_POWEROFF ? "poweroff" : "reboot",
                            *ret == LIFECYCLE_COREDUMP_DESTROY ? "coredump-destroy"
                                                               : "coredump-restart");
    return 0;
}

typedef struct EndChange {
    unsigned end;
    LifecycleAction action;
} EndChange;

static int change_action(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const EndChange *change = arg;

    *action_of(def, change->end) = change->action;
    return 0;
}

/* QEMU itself has to know whether a reboot ends it, and whether a panic does. */
static int tell_qemu(Domain *domain, const void *arg, Error **reterr) {
    const EndChange *change = arg;
    const LifecycleAction old = *action_of(domain->run->live, change->end);
    const bool ends = change->action == LIFECYCLE_DESTROY;

    if (change->end == END_POWEROFF || (old == LIFECYCLE_DESTROY) == ends)
        return 0;
    if (change->end == END_CRASH) /* one that pauses can still be ended */
        return ends ? 0 : run_state_pause_at_panic(domain, reterr);
    if (!domain->run->caps || !qemu_caps_has_command(domain->run->caps, "set-action"))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "this QEMU cannot be told what a reboot of domain '%s' does while it "
                            "runs; change its definition (--config)",
                            domain_name(domain));
    return run_state_set_reboot(domain, ends, reterr);
}

int driver_set_lifecycle_action(Domain *domain, unsigned end, unsigned number, unsigned flags,
                                Error **reterr) {
    EndChange change = {.end = end};
    const DefinitionEdit edit = {.what = "lifecycle action",
                                 .flags = flags,
                                 .arg = &change,
                                 .change = change_action,
                                 .act = tell_qemu};
    int r = check_action(end, number, &change.action, reterr);

    return r < 0 ? r : definition_edit(domain, &edit, reterr);
}
