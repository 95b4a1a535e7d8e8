/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot-work.h"

#include "domain/events.h"
#include "domain/files.h"
#include "domain/snapshot-store.h"
#include "driver/disk-chain.h"
#include "driver/snapshot-inside.h"
#include "util/log.h"

#define DEFINED_FROM_SNAPSHOT 3 /* virDomainEventDefinedDetailType */

bool snapshot_work_is_due(const Domain *domain) {
    return snapshot_find_work(&domain->snapshots) != NULL;
}

int snapshot_work_check(const Domain *domain, const Snapshot *but, Error **reterr) {
    for (const Snapshot *at = domain->snapshots.first; at; at = at->next)
        if (at != but && at->work)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                "it is not known yet what became of snapshot '%s' of domain '%s'; "
                                "it is looked for until it is",
                                at->def->name, domain_name(domain));
    return 0;
}

int snapshot_work_check_start(const Domain *domain, Error **reterr) {
    for (const Snapshot *at = domain->snapshots.first; at; at = at->next)
        if (at->work == SNAPSHOT_REVERTING)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                "the disks of domain '%s' were being brought back to snapshot "
                                "'%s', and not all of them are: revert to it again",
                                domain_name(domain), at->def->name);
    return 0;
}

/* Whether the domain has all the new images; *ret_any: it has one. */
static bool has_images(const Domain *domain, const SnapshotDef *def, bool *ret_any) {
    const DomainDef *now = domain_def(domain);
    bool all = true;

    *ret_any = false;
    for (size_t i = 0; i < def->n_disks; i++) {
        bool found = false;

        if (def->disks[i].place != SNAPSHOT_EXTERNAL)
            continue;
        for (size_t k = 0; !found && k < now->n_disks; k++)
            found = chain_find(&now->disks[k], def->disks[i].source.path) >= 0;
        all = all && found;
        *ret_any = *ret_any || found;
    }
    return all;
}

static bool is_internal(const SnapshotDef *def) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].place == SNAPSHOT_INTERNAL)
            return true;
    return false;
}

/* The persistent definition as it was then; of one that ran, what it would have started with next.
 * NULL: that is not known. It keeps its name, which may have changed since. -ENOMEM. */
static int config_of(const Domain *domain, const SnapshotDef *def, DomainDef **ret) {
    const DomainDef *from = snapshot_has_memory(def) ? def->inactive : def->domain;

    *ret = NULL;
    if (!from || !domain->config)
        return 0;
    *ret = domain_def_copy_as(from, domain->config->name);
    return *ret ? 0 : -ENOMEM;
}

int snapshot_work_end_revert(Domain *domain, Snapshot *snapshot, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *config = NULL;
    int r;

    assert(domain_job_is_mine(domain));
    if (config_of(domain, snapshot->def, &config) < 0)
        return error_no_memory(reterr);
    if (config) {
        r = domain_save_config(domain, config, reterr);
        if (r < 0)
            return r;
        domain_def_free(domain->config);
        domain->config = TAKE_PTR(config);
        domain_touch(domain);
        events_lifecycle(domain, EVENT_DEFINED, DEFINED_FROM_SNAPSHOT);
    }
    snapshot->work = SNAPSHOT_WORK_NONE;
    r = snapshot_make_current(domain, snapshot, reterr);
    if (r < 0)
        snapshot->work = SNAPSHOT_REVERTING;
    return r;
}

/* 1: it is made, 0: it is not, and nothing of it is left; else nobody knows. */
static int settle_making(Domain *domain, Snapshot *snapshot, Error **reterr) {
    bool any = false;
    int r = 0;

    if (is_internal(snapshot->def)) {
        r = snapshot_inside_look(domain, snapshot->def, reterr);
        if (r == 0)
            r = snapshot_inside_delete(domain, snapshot->def, reterr);
        return r;
    }
    if (domain->run && domain->run->disks.n_overlays > 0)
        return -EAGAIN; /* QEMU has not said yet */
    return has_images(domain, snapshot->def, &any) || any;
}

static int settle_one(Domain *domain, Snapshot *snapshot, Error **reterr) {
    int r = 0;

    switch (snapshot->work) {
    case SNAPSHOT_MAKING:
        r = settle_making(domain, snapshot, reterr);
        if (r == 0) {
            log_info("domain '%s': snapshot '%s', which was under way, is taken back",
                     domain_name(domain), snapshot->def->name);
            return snapshot_remove(domain, snapshot, reterr);
        }
        if (r < 0)
            return r;
        log_info("domain '%s': snapshot '%s', which was under way, is made", domain_name(domain),
                 snapshot->def->name);
        snapshot->work = SNAPSHOT_WORK_NONE;
        r = snapshot_make_current(domain, snapshot, reterr);
        if (r < 0)
            snapshot->work = SNAPSHOT_MAKING;
        return r;
    case SNAPSHOT_DELETING:
        r = snapshot_inside_delete(domain, snapshot->def, reterr);
        return r < 0 ? r : snapshot_remove(domain, snapshot, reterr);
    case SNAPSHOT_REVERTING:
        if (domain->run) /* it was loaded, and that is all there was to be done */
            return snapshot_work_end_revert(domain, snapshot, reterr);
        r = snapshot_inside_apply(domain, snapshot->def, reterr);
        if (r >= 0)
            r = snapshot_work_end_revert(domain, snapshot, reterr);
        if (r >= 0)
            log_info("domain '%s': its disks are back at snapshot '%s'; the domain is shut off",
                     domain_name(domain), snapshot->def->name);
        return r;
    case SNAPSHOT_WORK_NONE:
    case SNAPSHOT_WORK_MAX_:
        break;
    }
    return 0;
}

void snapshot_work_settle(Domain *domain) {
    Snapshot *snapshot;

    assert(domain_job_is_mine(domain));
    while ((snapshot = snapshot_find_work(&domain->snapshots))) {
        CLEANUP_ERROR Error *error = NULL;
        int r = settle_one(domain, snapshot, &error);

        if (r >= 0)
            continue;
        if (r != -EAGAIN)
            log_warning("domain '%s': snapshot '%s' was left half done and cannot be settled yet: "
                        "%s",
                        domain_name(domain), snapshot->def->name,
                        error ? error_message(error) : strerror(-r));
        return;
    }
}
