/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/run-watch.h"

#include "domain/agent-link.h"
#include "domain/events.h"
#include "domain/removal.h"
#include "domain/vcpu-change.h"
#include "driver/block-job-settle.h"
#include "driver/device.h"
#include "driver/measure.h"
#include "driver/reconnect.h"
#include "driver/run-end.h"
#include "driver/news.h"
#include "driver/run-state.h"
#include "driver/start-domain.h"
#include "driver/transfer.h"
#include "util/log.h"

/* QEMU closes its monitor a moment before it ends: whether it does is waited for. */
#define END_USEC (2 * USEC_PER_SEC)

/* The process is no more. Job held. */
static void after_end(Domain *domain) {
    const bool shut_down = domain->run->guest_shutdown;

    log_info("domain '%s': QEMU ended%s", domain_name(domain),
             shut_down                         ? " after the guest's shutdown"
             : domain->state == DOMAIN_CRASHED ? " after the guest's crash"
                                               : " unexpectedly");
    if (shut_down)
        run_end(domain, SHUTOFF_SHUTDOWN, STOPPED_SHUTDOWN);
    else
        run_end(domain, SHUTOFF_CRASHED,
                domain->state == DOMAIN_CRASHED ? STOPPED_CRASHED : STOPPED_FAILED);
}

/* What <on_poweroff> says of a QEMU that ended after its guest's power-off. */
static bool wants_restart(const DomainRun *run) {
    return run->guest_shutdown && (run->live->on_poweroff == LIFECYCLE_RESTART ||
                                   run->live->on_poweroff == LIFECYCLE_RENAME_RESTART);
}

/* Monitor or process went away without being asked to; true: the domain is to be started again. Job
 * held. */
static bool clean_up(Domain *domain) {
    DomainRun *run = domain->run;
    bool restart;

    if (!run || (run->monitor && monitor_is_open(run->monitor) && qemu_process_alive(&run->pid)))
        return false;
    if (!qemu_process_wait_end(&run->pid, deadline_in(END_USEC))) {
        log_warning("domain '%s': the monitor of its QEMU (process %d) was closed%s%s; the guest "
                    "stays, trying to connect again",
                    domain_name(domain), (int)run->pid.pid, run->monitor ? ": " : "",
                    run->monitor ? monitor_reason(run->monitor) : "");
        reconnect_again(domain);
        return false;
    }
    restart = wants_restart(run);
    after_end(domain);
    return restart;
}

static void gone(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    bool restart;

    if (domain->run) {
        removal_wake(domain);
        fiber_cond_broadcast(&domain->run->devices.cond);
    }
    if (domain_job_begin_for_run(domain, &job, "clean-up after QEMU's end", domain_id(domain)) < 0)
        return;
    restart = clean_up(domain);
    domain_job_end(domain, &job);
    if (restart && domain->services && start_domain(domain, 0, &error) < 0)
        log_warning("domain '%s' cannot be restarted: %s", domain_name(domain),
                    error_message(error));
}

void run_watch_gone(Domain *domain) {
    if (!domain->run || domain->run->stopping)
        return;
    domain_ref(domain);
    if (fiber_start("gone", gone, domain) < 0)
        domain_unref(domain);
}

static void on_event(Domain *domain, const char *name, json_object *data) {
    news_on_event(domain, name, data);
    if (run_state_on_event(domain, name, data)) {
        /* it was news of its state */
    } else if (streq(name, "VSERPORT_CHANGE")) {
        agent_link_event(domain, data);
    } else if (!driver_threshold_event(domain, name, data) && !transfer_event(domain, name, data) &&
               !device_event(domain, name, data) && !block_job_event(domain, name, data)) {
        vcpu_change_event(domain, name, data);
    }
}

const RunHooks run_watch_hooks = {
    .event = on_event, .gone = run_watch_gone, .late_removal = vcpu_change_late};
