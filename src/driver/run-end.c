/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/run-end.h"

#include "domain/audit.h"
#include "domain/events.h"
#include "domain/files.h"
#include "domain/removal.h"
#include "domain/snapshot-store.h"
#include "domain/store.h"
#include "domain/vcpu-operation.h"
#include "driver/disk-chain.h"
#include "driver/prepare-undo.h"
#include "driver/run-limits.h"
#include "qemu/agent.h"
#include "util/log.h"

#define KILL_GRACE_USEC (2 * USEC_PER_SEC)

/* libvirt's words for it (its src/qemu/qemu_process.c names them in the stop record). */
static const char *audit_reason(int reason) {
    switch (reason) {
    case SHUTOFF_SHUTDOWN:
        return "shutdown";
    case SHUTOFF_DESTROYED:
        return "destroyed";
    case SHUTOFF_CRASHED:
    case SHUTOFF_FAILED:
        return "failed";
    default:
        return "unknown";
    }
}

/* QEMU ends before it has said what became of a snapshot: the guest's last writes are in the old
 * image of a disk or in the new one. */
static void tell_unknown(const Domain *domain) {
    const RunDisks *disks = &domain->run->disks;

    for (size_t i = 0; i < disks->n_overlays; i++) {
        const Overlay *overlay = &disks->overlays[i];
        const DiskDef *disk = chain_disk(domain->run->live, overlay->disk);
        const DiskDef *next = domain->config ? chain_disk(domain->config, overlay->disk) : NULL;

        if (next && streq_ptr(next->source.path, overlay->source.path))
            continue; /* it is above the old one, and right in both cases */
        log_error("domain '%s': QEMU ended during a snapshot of disk '%s': the guest's last writes "
                  "may be in '%s' or in '%s'; look at both before the next start, and define the "
                  "one that has them",
                  domain_name(domain), overlay->disk,
                  disk && disk->source.path ? disk->source.path : "its image",
                  overlay->source.path);
    }
}

void run_end(Domain *domain, int reason, int stopped_detail) {
    DomainRun *run = domain->run;
    LimitsSubject subject;
    bool transient;

    assert(domain_job_is_mine(domain) && run);
    run->stopping = true;
    run->pid_watch = sd_event_source_disable_unref(run->pid_watch);
    qemu_process_kill(&run->pid, KILL_GRACE_USEC);
    removal_wake(domain);
    monitor_free(TAKE_PTR(run->monitor));
    agent_free(TAKE_PTR(run->agent));
    if (!run->limits) /* it ended before it was found again */
        run_limits_resume(domain, NULL);
    subject = domain_subject(domain);
    limits_end(TAKE_PTR(run->limits), &subject);
    prepare_undo(&domain->services->paths, run->live->uuid, reason == SHUTOFF_MIGRATED);
    tell_unknown(domain);
    audit_domain_stop(domain, audit_reason(reason));
    operations_fail(domain, "the domain stopped");
    domain_forget_run(domain);
    domain_set_state(domain, DOMAIN_SHUTOFF, reason);
    run->id = -1; /* libvirt's STOPPED carries id -1 */
    events_lifecycle(domain, EVENT_STOPPED, stopped_detail);
    transient = !domain->config;
    if (transient)
        domain->config = TAKE_PTR(run->live); /* a name for those who still hold it */
    domain->run = domain_run_free(run);
    fiber_cond_broadcast(&domain->block_job_cond);
    if (transient) {
        snapshots_forget(domain);
        store_remove(domain->services->store, domain);
    }
}

void run_abandon(Domain *domain, bool elsewhere) {
    DomainRun *run = domain->run;
    LimitsSubject subject;

    assert(domain_job_is_mine(domain) && run);
    run->stopping = true;
    run->pid_watch = sd_event_source_disable_unref(run->pid_watch);
    qemu_process_kill(&run->pid, 0);
    monitor_free(TAKE_PTR(run->monitor));
    agent_free(TAKE_PTR(run->agent));
    domain_forget_run(domain);
    subject = domain_subject(domain);
    limits_end(TAKE_PTR(run->limits), &subject);
    prepare_undo(&domain->services->paths, run->live->uuid, elsewhere);
    domain->run = domain_run_free(run);
    domain_set_state(domain, DOMAIN_SHUTOFF, SHUTOFF_FAILED);
}
