/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-change.h"

#include "domain/files.h"
#include "domain/removal-watch.h"
#include "domain/removal.h"
#include "domain/vcpu-operation.h"
#include "qemu/unplug.h"
#include "util/log.h"

void vcpu_change_event(Domain *domain, const char *name, json_object *data) {
    if (domain->run && data)
        unplug_note_plug(&domain->run->vcpus, name, data);
    /* Who waits looks himself, and leaves what is left to removal_watch_pending. */
    if (removal_event(domain, name, data) && domain->run->removals.n_waiting == 0 &&
        removal_has_news(domain))
        removal_watch_late(domain);
}

void vcpu_change_settle(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;
    Removals *removals = &domain->run->removals;
    bool always = removals->recheck_due;
    int r;

    assert(domain_job_is_mine(domain));
    if (domain_check_active(domain, NULL) < 0 || (!always && !removal_has_news(domain)))
        return;
    removals->recheck_due = false;
    removals_drop_late(domain);
    r = removals_settle(domain, always, NULL, &error);
    if (r >= 0)
        r = removals_take_refusals(domain, NULL, 0, &error);
    if (r < 0)
        log_info("domain '%s': %s", domain_name(domain), error_message(error));
    if (domain_check_active(domain, NULL) < 0)
        return;
    if (domain_save_status(domain, NULL) < 0)
        log_warning("domain '%s': cannot save its status, ignoring", domain_name(domain));
    operations_settle(domain, error ? error_message(error) : NULL);
}

/* Evidence came for a removal nobody waits for: finish it under a job of its own. */
void vcpu_change_late(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    DomainJob job;

    if (domain_job_begin_for_run(domain, &job, "late vcpu removal", domain_id(domain)) < 0)
        return;
    domain->run->removals.late_queued = false;
    if (domain_check_active(domain, NULL) >= 0) {
        vcpu_change_settle(domain);
        removal_watch_pending(domain);
    }
    domain_job_end(domain, &job);
}

void vcpu_change_leaving(Domain *domain, const char *where) {
    CLEANUP_ERROR Error *error = NULL;

    assert(domain->run);
    if (removals_take_refusals(domain, NULL, 0, &error) < 0) {
        log_info("domain '%s': %s", domain_name(domain), error_message(error));
        operations_refuse(domain, error_message(error));
    }
    operations_leave(domain, where);
}

void vcpu_change_resumed(Domain *domain) {
    if (!domain->run || !operations_are_to_ask(domain))
        return;
    domain->run->removals.recheck_due = true;
    removal_watch_late(domain);
}
