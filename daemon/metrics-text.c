/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon itself counts; the domains' part is metrics-domains.c's. */
#include "metrics-text.h"

#include <inttypes.h>

#include "metrics-domains.h"
#include "metrics-page.h"
#include "rpc/refusal.h"

#define RECENT 64u /* operations of which is remembered that they were counted */

/* ---- operations that have ended ---- */

static const double bounds[] = {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

#define EMPTY                                                                                      \
    { .bounds = bounds, .n_bounds = ARRAY_SIZE(bounds) }

/* By whether vCPUs came or went. */
static Histogram operations[2] = {EMPTY, EMPTY};
static uint64_t outcomes[OPERATION_STATE_MAX_];
static uint64_t recent[RECENT];
static unsigned next_recent;

void metrics_count_operation(const Operation *operation) {
    if (!operation_has_ended(operation) || operation->ended < operation->started)
        return;
    for (size_t i = 0; i < RECENT; i++)
        if (recent[i] == operation->id)
            return;
    recent[next_recent++ % RECENT] = operation->id;
    outcomes[operation->state]++;
    histogram_add(&operations[operation->plug],
                  (double)(operation->ended - operation->started) / USEC_PER_SEC);
}

static void add_operations(Page *page, const OperationLog *log) {
    unsigned under_way[2] = {0};

    for (const Operation *at = operation_log_first(log); at; at = at->next)
        if (!operation_has_ended(at))
            under_way[at->state == OPERATION_PENDING]++;
    page_add_head(page, "vireo_operations_under_way", "gauge",
                  "Changes of vCPUs that have not ended");
    page_add_format(page,
                    "vireo_operations_under_way{state=\"acting\"} %u\n"
                    "vireo_operations_under_way{state=\"pending\"} %u\n",
                    under_way[0], under_way[1]);
    page_add_head(page, "vireo_operations_total", "counter", "Changes of vCPUs that have ended");
    for (int state = OPERATION_PENDING + 1; state < OPERATION_STATE_MAX_; state++)
        page_add_format(page, "vireo_operations_total{outcome=\"%s\"} %" PRIu64 "\n",
                        operation_state_name(state), outcomes[state]);
    page_add_head(page, "vireo_operation_seconds", "histogram", "How long changes of vCPUs took");
    page_add_histogram(page, "vireo_operation_seconds", "kind=\"unplug\"", &operations[false]);
    page_add_histogram(page, "vireo_operation_seconds", "kind=\"plug\"", &operations[true]);
}

/* ---- QEMUs, clients ---- */

static void add_qmp(Page *page) {
    const MonitorCounts *counts = monitor_counts();

    page_add_head(page, "vireo_qmp_seconds", "histogram",
                  "How long QEMUs took to answer commands of the monitor");
    page_add_histogram(page, "vireo_qmp_seconds", "", &counts->answered);
    page_add_head(page, "vireo_qmp_unanswered_total", "counter",
                  "Commands of the monitor that were not answered in time");
    page_add_format(page, "vireo_qmp_unanswered_total %" PRIu64 "\n", counts->n_unanswered);
}

static void add_clients(Page *page, const RpcServer *server) {
    page_add_head(page, "vireo_clients", "gauge", "Connections of clients");
    page_add_format(page, "vireo_clients %u\n", rpc_server_n_sessions(server));
    page_add_head(page, "vireo_refusals_total", "counter",
                  "What clients were refused, by what refused it");
    for (Refusal by = 0; by < REFUSAL_MAX_; by++)
        page_add_format(page, "vireo_refusals_total{by=\"%s\"} %" PRIu64 "\n", refusal_name(by),
                        refusal_counted(by));
}

/* ---- all of it ---- */

static void add_daemon(Page *page, const Daemon *daemon, const Sample *sample) {
    add_clients(page, daemon->server);
    add_operations(page, daemon->driver->services.operations);
    add_qmp(page);
    page_add_head(page, "vireo_domains", "gauge", "Domains that are listed");
    page_add_format(page, "vireo_domains %zu\n", sample->n);
    page_add_head(page, "vireo_sample_age_seconds", "gauge",
                  "How long ago the times of domains and vCPUs were read");
    page_add_format(page, "vireo_sample_age_seconds %g\n",
                    (double)(now_usec() - sample->taken) / USEC_PER_SEC);
}

int metrics_text(Daemon *daemon, Sampler *sampler, char **ret, size_t *ret_len) {
    CLEANUP(sample_freep) Sample *sample = NULL;
    CLEANUP(page_done) Page page = {0};
    int r = sampler_take(sampler, &sample);

    if (r < 0)
        return r;
    add_daemon(&page, daemon, sample);
    r = metrics_add_domains(&page, sample);
    if (r < 0)
        return r;
    *ret_len = page.used;
    *ret = TAKE_PTR(page.text);
    return 0;
}
