/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/removal-watch.h"

#include "domain/removal.h"
#include "domain/services.h"
#include "util/log.h"

#define RECHECK_MAX_USEC (60 * USEC_PER_SEC)

void removal_watch_late(Domain *domain) {
    Removals *removals = &domain->run->removals;

    assert(domain->run);
    if (removals->late_queued || !domain->services)
        return;
    removals->late_queued = fiber_start("late-removal", domain->services->hooks->late_removal,
                                        domain_ref(domain)) >= 0;
    if (!removals->late_queued)
        domain_unref(domain);
}

static int on_recheck(sd_event_source *source, uint64_t usec, void *userdata) {
    Domain *domain = userdata;
    Removals *removals = &domain->run->removals;

    removals->recheck = sd_event_source_disable_unref(removals->recheck);
    removals->recheck_usec = MIN_OF(removals->recheck_usec * 2, RECHECK_MAX_USEC);
    removals->recheck_due = true;
    removal_watch_late(domain);
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

void removal_watch_pending(Domain *domain) {
    Removals *removals = domain->run ? &domain->run->removals : NULL;

    if (!removals)
        return;
    if (removal_has_news(domain))
        removal_watch_late(domain);
    if (!removal_is_pending(domain)) {
        removals->recheck = sd_event_source_disable_unref(removals->recheck);
        removals->recheck_usec = 0;
    } else if (!removals->recheck) {
        arm_recheck(domain);
    }
}
