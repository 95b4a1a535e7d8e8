/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/run-limits.h"

#include "domain/events.h"
#include "domain/services.h"
#include "util/log.h"

int run_limits_resume(Domain *domain, Error **reterr) {
    DomainRun *run = domain->run;
    LimitsSubject subject = domain_subject(domain);
    LimitsFound found = {run->found.partition, run->found.group, run->found.machine};

    assert(domain_job_is_mine(domain));
    return limits_resume(domain->services->limits, &subject, &found, &run->limits, reterr);
}

void run_limits_tell_drift(Domain *domain, unsigned n, const char *text) {
    domain->run->n_drifts += n;
    log_warning(
        "domain '%s': %u settings of its threads were changed by somebody else and are mended: %s",
        domain_name(domain), n, text);
    events_drift(domain, n, text);
}
