/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/run-link.h"

#include "domain/events.h"
#include "domain/services.h"

static void on_event(Monitor *monitor, const char *name, json_object *data, int64_t seconds,
                     int64_t microseconds, void *userdata) {
    Domain *domain = userdata;

    if (!domain->services || !domain->run)
        return;
    domain_touch(domain); /* for those who look during it, and those who look after it */
    events_monitor_event(domain, name, data, seconds, microseconds);
    domain->services->hooks->event(domain, name, data);
    domain_touch(domain);
}

static void start_gone(Domain *domain) {
    if (domain->services)
        domain->services->hooks->gone(domain);
    domain_touch(domain);
}

static void on_closed(Monitor *monitor, int error, void *userdata) {
    start_gone(userdata);
}

const MonitorOps run_link_ops = {.event = on_event, .closed = on_closed};

static void trace_line(Monitor *monitor, char direction, const char *text, size_t len,
                       void *userdata) {
    Domain *domain = userdata;

    events_trace(domain, direction, text, len);
}

int run_link_handshake(Domain *domain, uint64_t deadline, Error **reterr) {
    if (domain->services->settings.tracing)
        monitor_set_trace(domain->run->monitor, trace_line, domain);
    return monitor_handshake(domain->run->monitor, deadline, reterr);
}

void run_link_set_trace(Domain *domain, bool on) {
    if (domain->run && domain->run->monitor)
        monitor_set_trace(domain->run->monitor, on ? trace_line : NULL, domain);
}

static void on_exit_watch(void *userdata) {
    start_gone(userdata);
}

int run_link_watch(Domain *domain, Error **reterr) {
    int r = qemu_process_watch(&domain->run->pid, on_exit_watch, domain, &domain->run->pid_watch);

    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot watch QEMU's process %d",
                                (int)domain->run->pid.pid)
                 : 0;
}
