/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot-revert.h"

#include "domain/events.h"
#include "domain/files.h"
#include "domain/snapshot-store.h"
#include "domain/store.h"
#include "driver/block-job-check.h"
#include "driver/run-end.h"
#include "driver/saved.h"
#include "driver/snapshot-inside.h"
#include "driver/snapshot-settle.h"
#include "driver/snapshot-work.h"
#include "driver/snapshot.h"
#include "driver/start.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

/* ---- can it be? ---- */

static int check(const Domain *domain, const Snapshot *snapshot, unsigned flags, Error **reterr) {
    const SnapshotDef *def = snapshot->def;

    if (!domain->config && !snapshot_has_memory(def) &&
        !(flags & (SNAPSHOT_REVERT_RUNNING | SNAPSHOT_REVERT_PAUSED)))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "transient domain needs to request run or pause to revert to inactive "
                            "snapshot");
    if (snapshot_is_external(def))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "revert to external snapshot not supported yet");
    if (!def->domain)
        return error_report(reterr, FROM_QEMU, ERROR_SNAPSHOT_REVERT_RISKY,
                            "snapshot '%s' lacks domain '%s' rollback info", def->name,
                            domain_name(domain));
    if (!snapshot_has_memory(def) && def->state != SNAPSHOT_SHUTOFF)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "snapshot '%s' is of a guest that was neither running nor paused nor "
                            "shut off: it cannot be gone back to",
                            def->name);
    if (driver_has_managed_save(domain)) /* its next start would put that guest onto these disks */
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has a managed save, whose guest does not fit the disks of "
                            "snapshot '%s': managedsave-remove gives it up",
                            domain_name(domain), def->name);
    return block_job_check_none(domain, reterr);
}

/* The images are there, and the snapshot is in each of them: what runs is not ended for nothing. */
static int check_images(Domain *domain, const SnapshotDef *def, Error **reterr) {
    int r = snapshot_inside_look(domain, def, reterr);

    if (r > 0)
        return 0;
    return r < 0 ? r
                 : error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "snapshot '%s' is not in all of the images of domain '%s'",
                                def->name, domain_name(domain));
}

/* ---- parts ---- */

/* A domain that is not defined stays listed while it does not run. */
static int hold(Domain *domain, const DomainDef *def, bool *ret_held, Error **reterr) {
    *ret_held = !domain->config;
    if (domain->config)
        return 0;
    domain->config = domain_def_copy(def);
    return domain->config ? 0 : error_no_memory(reterr);
}

static void let_go(Domain *domain, bool held) {
    if (!held)
        return;
    if (domain->run) {
        domain_def_free(TAKE_PTR(domain->config));
        return;
    }
    snapshots_forget(domain);
    store_remove(domain->services->store, domain);
}

/* Ends what runs, and has the file say so. A run that the next daemon finds beside such a file is
 * the snapshot's. */
static int begin(Domain *domain, Snapshot *snapshot, Error **reterr) {
    const bool ran = domain->run;
    int r = snapshot_save(domain, snapshot, reterr); /* it can be written: nothing ends in vain */

    if (r < 0)
        return r;
    if (ran)
        run_end(domain, SHUTOFF_FROM_SNAPSHOT, STOPPED_FROM_SNAPSHOT);
    saved_crash_point("revert-ended");
    snapshot->work = SNAPSHOT_REVERTING;
    r = snapshot_save(domain, snapshot, reterr);
    if (r < 0) {
        snapshot->work = SNAPSHOT_WORK_NONE;
        if (ran)
            error_prefix(reterr, "domain '%s' is shut off, and its disks are as they were",
                         domain_name(domain));
        return r;
    }
    saved_crash_point("revert-begun");
    return 0;
}

static unsigned start_flags(bool paused, unsigned flags) {
    return (paused ? START_PAUSED : 0u) |
           (flags & SNAPSHOT_REVERT_RESET_NVRAM ? START_RESET_NVRAM : 0u);
}

/* ---- of one with the guest's memory ---- */

static int load(Domain *domain, void *userdata, Error **reterr) {
    const Snapshot *snapshot = userdata;
    int r = snapshot_inside_load(domain, snapshot->def, reterr);

    saved_crash_point("revert-loaded");
    return r;
}

/* The disks of a guest that could not be loaded: QEMU may have changed some. */
static int fall_back(Domain *domain, Snapshot *snapshot, Error **reterr) {
    CLEANUP_FREE char *why = reterr && *reterr ? strdup(error_message(*reterr)) : NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r = snapshot_inside_apply(domain, snapshot->def, &error);

    if (r >= 0)
        r = snapshot_work_end_revert(domain, snapshot, &error);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "the guest of snapshot '%s' cannot be brought back; domain '%s' is shut "
                        "off, and its disks are %s: %s",
                        snapshot->def->name, domain_name(domain),
                        r >= 0 ? "those of the snapshot"
                               : "partly those of the snapshot, revert to it again",
                        why ? why : "out of memory");
}

static int revert_guest(Domain *domain, Snapshot *snapshot, unsigned flags, Error **reterr) {
    const SaveSource source = {.fd = -1, .load = load, .userdata = snapshot};
    const bool paused = flags & SNAPSHOT_REVERT_PAUSED    ? true
                        : flags & SNAPSHOT_REVERT_RUNNING ? false
                                                          : snapshot->def->state == SNAPSHOT_PAUSED;
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy_as(snapshot->def->domain,
                                                           domain_name(domain));
    int r = def ? begin(domain, snapshot, reterr) : error_no_memory(reterr);

    if (r < 0)
        return r;
    r = start_restored(domain, def, &source, start_flags(paused, flags), reterr);
    if (r < 0)
        return fall_back(domain, snapshot, reterr);
    if (paused && domain->run && domain->state == DOMAIN_PAUSED) {
        domain_set_state(domain, DOMAIN_PAUSED, PAUSED_FROM_SNAPSHOT);
        domain_save_status(domain, NULL);
    }
    r = snapshot_work_end_revert(domain, snapshot, reterr);
    if (r < 0)
        snapshot_settle_soon(domain);
    return r;
}

/* ---- of one without ---- */

static int revert_disks(Domain *domain, Snapshot *snapshot, unsigned flags, Error **reterr) {
    int r = begin(domain, snapshot, reterr);

    if (r < 0)
        return r;
    r = snapshot_inside_apply(domain, snapshot->def, reterr);
    if (r >= 0)
        r = snapshot_work_end_revert(domain, snapshot, reterr);
    if (r < 0) {
        error_prefix(reterr,
                     "domain '%s' is shut off, and not all of its disks are those of "
                     "snapshot '%s', revert to it again",
                     domain_name(domain), snapshot->def->name);
        return r;
    }
    if (!(flags & (SNAPSHOT_REVERT_RUNNING | SNAPSHOT_REVERT_PAUSED)))
        return 0;
    return start_locked(domain, domain->config, start_flags(flags & SNAPSHOT_REVERT_PAUSED, flags),
                        reterr);
}

/* ---- all of it ---- */

static int revert(Domain *domain, const char *name, unsigned flags, Error **reterr) {
    Snapshot *snapshot;
    bool held = false;
    int r;

    if (domain->run)
        snapshot_settle(domain);
    snapshot_work_settle(domain);
    snapshot = (Snapshot *)driver_snapshot_find(domain, name, reterr);
    r = snapshot ? snapshot_work_check(domain, snapshot, reterr) : -ENOENT;
    if (r >= 0)
        r = check(domain, snapshot, flags, reterr);
    if (r >= 0)
        r = check_images(domain, snapshot->def, reterr);
    if (r >= 0)
        r = hold(domain, snapshot->def->domain, &held, reterr);
    if (r < 0)
        return r;
    r = snapshot_has_memory(snapshot->def) ? revert_guest(domain, snapshot, flags, reterr)
                                           : revert_disks(domain, snapshot, flags, reterr);
    let_go(domain, held);
    return r;
}

int driver_snapshot_revert(Domain *domain, const char *name, unsigned flags, Error **reterr) {
    DomainJob job;
    int r = 0;

    if ((flags & SNAPSHOT_REVERT_RUNNING) && (flags & SNAPSHOT_REVERT_PAUSED))
        r = error_argument(reterr, "virDomainRevertToSnapshot", "flags",
                           "running and paused flags are mutually exclusive");
    if (r >= 0)
        r = domain_job_begin(domain, &job, "snapshot-revert", reterr);
    if (r < 0)
        return r;
    r = revert(domain, name, flags, reterr);
    domain_job_end(domain, &job);
    return r;
}
