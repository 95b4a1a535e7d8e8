/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-change.h"

#include "domain/removal.h"
#include "driver/driver.h"
#include "qemu/unplug.h"
#include "util/log.h"

#define RECHECK_MAX_USEC (60 * USEC_PER_SEC)

static void late_removal(void *userdata);

static void start_late_removal(Domain *domain) {
    Removals *removals = &domain->run->removals;

    if (removals->late_queued)
        return;
    removals->late_queued = fiber_start("late-removal", late_removal, domain_ref(domain)) >= 0;
    if (!removals->late_queued)
        domain_unref(domain);
}

void vcpu_change_event(Domain *domain, const char *name, json_object *data) {
    if (domain->run && data)
        unplug_note_plug(&domain->run->vcpus, name, data);
    /* Who waits looks himself, and leaves what is left to vcpu_change_watch_pending. */
    if (removal_event(domain, name, data) && domain->run->removals.n_waiting == 0 &&
        removal_has_news(domain))
        start_late_removal(domain);
}

static int on_recheck(sd_event_source *source, uint64_t usec, void *userdata) {
    Domain *domain = userdata;
    Removals *removals = &domain->run->removals;

    removals->recheck = sd_event_source_disable_unref(removals->recheck);
    removals->recheck_usec = MIN_OF(removals->recheck_usec * 2, RECHECK_MAX_USEC);
    removals->recheck_due = true;
    start_late_removal(domain);
    return 0;
}

static void arm_recheck(Domain *domain) {
    Removals *removals = &domain->run->removals;

    if (removals->recheck_usec == 0)
        removals->recheck_usec = removal_timeout(domain, 0);
    if (sd_event_add_time_relative(fiber_event(), &removals->recheck, CLOCK_MONOTONIC,
                                   removals->recheck_usec, 0, on_recheck, domain) < 0)
        log_warning("domain '%s': cannot set a timer, a removal whose event is lost stays pending",
                    domain_name(domain));
}

void vcpu_change_watch_pending(Domain *domain) {
    Removals *removals = domain->run ? &domain->run->removals : NULL;

    if (!removals)
        return;
    if (removal_has_news(domain))
        start_late_removal(domain);
    if (!removal_is_pending(domain)) {
        removals->recheck = sd_event_source_disable_unref(removals->recheck);
        removals->recheck_usec = 0;
    } else if (!removals->recheck) {
        arm_recheck(domain);
    }
}

/* Job held. */
static void look_late(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;
    Removals *removals = &domain->run->removals;
    bool always = removals->recheck_due;
    int r;

    removals->recheck_due = false;
    removals_drop_late(domain);
    if (domain_check_active(domain, NULL) < 0 || (!always && !removal_has_news(domain)))
        return;
    r = removals_settle(domain, always, NULL, &error);
    if (r >= 0)
        r = removals_take_refusals(domain, &error);
    if (r < 0)
        log_info("domain '%s': %s", domain_name(domain), error_message(error));
    if (domain_check_active(domain, NULL) < 0)
        return;
    if (driver_save_status(domain, NULL) < 0)
        log_warning("domain '%s': cannot save its status, ignoring", domain_name(domain));
    driver_settle_operations(domain, error ? error_message(error) : NULL);
}

/* Evidence came for a removal nobody waits for: finish it under a job of its own. */
static void late_removal(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    DomainJob job;
    int r = domain_job_begin(domain, &job, "late vcpu removal", NULL);

    if (domain->run)
        domain->run->removals.late_queued = false;
    if (r < 0) { /* a job that takes very long */
        vcpu_change_watch_pending(domain);
        return;
    }
    if (domain_check_active(domain, NULL) >= 0) {
        look_late(domain);
        vcpu_change_watch_pending(domain);
    }
    domain_job_end(domain, &job);
}
