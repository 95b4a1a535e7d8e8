/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-again.h"

#include "domain/services.h"
#include "driver/disk-chain.h"
#include "driver/prepare-helper.h"
#include "driver/prepare-owner.h"
#include "driver/prepare-undo.h"
#include "util/log.h"

#define PAUSE_USEC (10 * USEC_PER_SEC) /* between two starts of one that ends at once */

/* What a fiber looks up again when it has the job. */
typedef struct Again {
    Domain *domain;
    int id; /* of the run */
    char *alias;
    bool soon; /* it has not just been started */
} Again;

static void again_free(Again *again) {
    domain_unref(again->domain);
    free(again->alias);
    free(again);
}

static bool is_managed(const DiskDef *disk) {
    return disk->source.reservations && disk->source.reservations->managed == TRISTATE_YES;
}

static DiskDef *managed_disk(const Domain *domain, const char *alias) {
    DomainDef *live = domain->run->live;

    for (size_t i = 0; i < live->n_disks; i++)
        if (streq_ptr(live->disks[i].info.alias, alias) && is_managed(&live->disks[i]))
            return &live->disks[i];
    return NULL;
}

/* Its process by the run's note; false: it has none. */
static bool noted_pid(const Domain *domain, const DiskDef *disk, QemuPid *ret) {
    CLEANUP_FREE char *socket = prepare_reservations_socket(domain, disk);
    CLEANUP_FREE char *path = start_parts_note_path(&domain->services->paths,
                                                    domain->run->live->uuid);
    CLEANUP(made_done) MadeList list = {0};
    bool found = false;

    if (!socket || !path || made_read(path, &list) < 0)
        return false;
    for (size_t i = 0; i < list.n; i++)
        if (list.items[i].kind == MADE_PROCESS && streq(list.items[i].name, socket)) {
            *ret = list.items[i].pid;
            found = true;
        }
    return found;
}

/* A new one at the old one's socket. */
static int start_again(Domain *domain, DiskDef *disk, Error **reterr) {
    CLEANUP(start_parts_done) StartParts parts = {0};
    CLEANUP_FREE char *alias = strdup(disk->info.alias);
    CLEANUP_FREE char *socket = prepare_reservations_socket(domain, disk);
    int r = alias && socket ? prepare_owner_running(domain, &parts.confine, reterr)
                            : error_no_memory(reterr);

    if (r < 0)
        return r;
    prepare_undo_one(&domain->services->paths, domain->run->live->uuid, MADE_PROCESS, socket);
    disk = domain->run ? managed_disk(domain, alias) : NULL;
    if (!disk)
        return 0;
    r = prepare_reservations(domain, disk, &parts, reterr);
    return r < 0 || !domain->run ? r : prepare_owner_helpers(domain, &parts, reterr);
}

static void again_locked(const Again *again) {
    Domain *domain = again->domain;
    CLEANUP_ERROR Error *error = NULL;
    RunHelper *helper = run_helper_find(domain->run->helpers, again->alias);
    DiskDef *disk = managed_disk(domain, again->alias);
    QemuPid pid;

    if (helper)
        run_helper_remove(&domain->run->helpers, helper);
    if (!disk || domain->run->stopping || !qemu_process_alive(&domain->run->pid))
        return;
    if (noted_pid(domain, disk, &pid) && qemu_process_alive(&pid)) { /* the disk came anew */
        prepare_again_watch(domain);
        return;
    }
    if (start_again(domain, disk, &error) >= 0)
        log_warning("domain '%s': the qemu-pr-helper of disk '%s' has ended, and was started again",
                    domain_name(domain), again->alias);
    else
        log_warning(
            "domain '%s': the qemu-pr-helper of disk '%s' has ended, and the guest can make "
            "no reservations there: it cannot be started again: %s",
            domain_name(domain), again->alias, error_message(error));
    if (!error && domain->run)
        prepare_again_watch(domain);
}

static void again_task(void *userdata) {
    Again *again = userdata;
    DomainJob job;

    if ((again->soon || !task_sleep(&again->domain->services->tasks, PAUSE_USEC)) &&
        domain_job_begin_for_run(again->domain, &job, "another qemu-pr-helper", again->id) >= 0) {
        again_locked(again);
        domain_job_end(again->domain, &job);
    }
    again_free(again);
}

static void begin_again(Domain *domain, const char *alias, bool soon) {
    Again *again = calloc(1, sizeof(Again));
    char *copy = strdup(alias);

    if (again && copy) {
        *again = (Again){domain_ref(domain), domain_id(domain), copy, soon};
        if (task_start(&domain->services->tasks, "helper", again_task, again) < 0)
            again_free(again);
        return;
    }
    free(again);
    free(copy);
}

static void on_end(void *userdata) {
    const RunHelper *helper = userdata;

    if (helper->domain->services && helper->domain->run)
        begin_again(helper->domain, helper->alias, now_usec() - helper->since_usec >= PAUSE_USEC);
}

static void watch_disk(Domain *domain, const DiskDef *disk) {
    QemuPid pid = {0};
    RunHelper *helper = noted_pid(domain, disk, &pid)
                            ? run_helper_add(&domain->run->helpers, domain, disk->info.alias)
                            : NULL;

    if (!helper)
        return;
    helper->pid = pid;
    helper->since_usec = now_usec();
    if (!qemu_process_alive(&pid) || qemu_process_watch(&pid, on_end, helper, &helper->end) < 0)
        begin_again(domain, disk->info.alias, true);
}

void prepare_again_watch(Domain *domain) {
    assert(domain_job_is_mine(domain));
    for (size_t i = 0; domain->run && i < domain->run->live->n_disks; i++) {
        const DiskDef *disk = &domain->run->live->disks[i];

        if (is_managed(disk) && disk->info.alias &&
            !run_helper_find(domain->run->helpers, disk->info.alias))
            watch_disk(domain, disk);
    }
}
