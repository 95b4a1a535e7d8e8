/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/events.h"

#include "domain/domain.h"
#include "domain/services.h"

/* Calls the listener's function `func` with the domain and what follows. */
#define TELL(domain, func, ...)                                                                    \
    do {                                                                                           \
        const Services *services = (domain)->services;                                             \
                                                                                                   \
        if (services && services->events && services->events->func)                                \
            services->events->func(domain, ##__VA_ARGS__, services->events_userdata);              \
    } while (0)

void events_lifecycle(Domain *domain, LifecycleEvent event, int detail) {
    TELL(domain, lifecycle, event, detail);
}

void events_reboot(Domain *domain) {
    TELL(domain, reboot);
}

void events_device_added(Domain *domain, const char *alias) {
    TELL(domain, device_added, alias);
}

void events_device_removed(Domain *domain, const char *alias) {
    TELL(domain, device_removed, alias);
}

void events_device_removal_failed(Domain *domain, const char *alias) {
    TELL(domain, device_removal_failed, alias);
}

void events_vcpu_removed(Domain *domain, unsigned vcpu) {
    TELL(domain, vcpu_removed, vcpu);
}

void events_agent_lifecycle(Domain *domain, bool connected, int reason) {
    TELL(domain, agent_lifecycle, connected, reason);
}

void events_tunable(Domain *domain, const TunableValue *values, size_t n) {
    TELL(domain, tunable, values, n);
}

void events_migration_iteration(Domain *domain, int pass) {
    TELL(domain, migration_iteration, pass);
}

void events_news(Domain *domain, const DomainNews *news) {
    TELL(domain, news, news);
}

void events_block_threshold(Domain *domain, const char *disk, const char *path, uint64_t threshold,
                            uint64_t excess) {
    TELL(domain, block_threshold, disk, path, threshold, excess);
}

void events_job_completed(Domain *domain, const TransferStats *stats) {
    TELL(domain, job_completed, stats);
}

void events_block_job(Domain *domain, const BlockJob *job, unsigned outcome) {
    TELL(domain, block_job, job, outcome);
}

void events_drift(Domain *domain, unsigned n, const char *text) {
    TELL(domain, drift, n, text);
}

void events_monitor_event(Domain *domain, const char *name, json_object *data, int64_t seconds,
                          int64_t microseconds) {
    TELL(domain, monitor_event, name, data, seconds, microseconds);
}

void events_trace(Domain *domain, char direction, const char *text, size_t len) {
    TELL(domain, trace, direction, text, len);
}
