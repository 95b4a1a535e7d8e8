/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Families of readings, one after the other: the format wants each in one piece. */
#include "metrics-text.h"

#include <inttypes.h>
#include <stdio.h>

#include "domain/store.h"
#include "driver/stats.h"
#include "util/text.h"

#define RECENT 64u /* operations of which is remembered that they were counted */

/* ---- operations that have ended ---- */

static const double bounds[] = {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

typedef struct Histogram {
    uint64_t buckets[ARRAY_SIZE(bounds)], count;
    double sum;
} Histogram;

/* By whether vCPUs came or went. */
static Histogram operations[2];
static uint64_t outcomes[OPERATION_STATE_MAX_];
static uint64_t recent[RECENT];
static unsigned next_recent;

void metrics_count_operation(const Operation *operation) {
    Histogram *histogram = &operations[operation->plug];
    double seconds = (double)(operation->ended - operation->started) / USEC_PER_SEC;

    if (!operation_has_ended(operation) || operation->ended < operation->started)
        return;
    for (size_t i = 0; i < RECENT; i++)
        if (recent[i] == operation->id)
            return;
    recent[next_recent++ % RECENT] = operation->id;
    outcomes[operation->state]++;
    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
        histogram->buckets[i] += seconds <= bounds[i];
    histogram->count++;
    histogram->sum += seconds;
}

/* ---- the format ---- */

static void add_head(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value. */
static void add_escaped(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            fputc('\\', out);
        if (*text == '\n')
            fputs("\\n", out);
        else
            fputc(*text, out);
    }
}

static void add_domain(FILE *out, const char *name, const DomainReading *reading) {
    fprintf(out, "%s{domain=\"", name);
    add_escaped(out, domain_name(reading->domain));
    fputc('"', out);
}

static void add_seconds(FILE *out, uint64_t ns) {
    fprintf(out, "} %" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
}

/* ---- domains ---- */

typedef struct Readings {
    DomainReading *list;
    size_t n;
} Readings;

static void add_states(FILE *out, const Readings *readings) {
    add_head(out, "vireo_domain_state", "gauge",
             "State as libvirt numbers it: 1 running, 5 shut off");
    for (size_t i = 0; i < readings->n; i++) {
        add_domain(out, "vireo_domain_state", &readings->list[i]);
        fprintf(out, "} %d\n", (int)readings->list[i].domain->state);
    }
}

static const DomainDef *def_of(const Domain *domain) {
    return domain->run ? domain->run->live : domain->config;
}

static void add_counts(FILE *out, const Readings *readings) {
    add_head(out, "vireo_domain_vcpus", "gauge",
             "vCPUs that are online, and the most there can be");
    for (size_t i = 0; i < readings->n; i++) {
        const DomainDef *def = def_of(readings->list[i].domain);

        if (!def)
            continue;
        add_domain(out, "vireo_domain_vcpus", &readings->list[i]);
        fprintf(out, ",which=\"current\"} %u\n", domain_def_online_vcpus(def));
        add_domain(out, "vireo_domain_vcpus", &readings->list[i]);
        fprintf(out, ",which=\"maximum\"} %u\n", def->n_vcpus_max);
    }
}

static void add_cpu_time(FILE *out, const Readings *readings) {
    add_head(out, "vireo_domain_cpu_seconds_total", "counter", "CPU time of the whole machine");
    for (size_t i = 0; i < readings->n; i++)
        if (readings->list[i].has_cpu) {
            add_domain(out, "vireo_domain_cpu_seconds_total", &readings->list[i]);
            add_seconds(out, readings->list[i].user_ns + readings->list[i].system_ns);
        }
    add_head(out, "vireo_domain_throttled_seconds_total", "counter",
             "Time that quotas held it back");
    for (size_t i = 0; i < readings->n; i++)
        if (readings->list[i].has_usage) {
            add_domain(out, "vireo_domain_throttled_seconds_total", &readings->list[i]);
            add_seconds(out, readings->list[i].usage.throttled_ns);
        }
}

/* One counter of every vCPU; `at` is its offset in VcpuReading. */
static void add_vcpu_counter(FILE *out, const Readings *readings, const char *name,
                             const char *help, size_t at) {
    add_head(out, name, "counter", help);
    for (size_t i = 0; i < readings->n; i++)
        for (size_t k = 0; k < readings->list[i].n_vcpus; k++) {
            const VcpuReading *vcpu = &readings->list[i].vcpus[k];

            if (!vcpu->known)
                continue;
            add_domain(out, name, &readings->list[i]);
            fprintf(out, ",vcpu=\"%u\"", vcpu->id);
            add_seconds(out, *(const uint64_t *)((const char *)vcpu + at));
        }
}

static void add_vcpus(FILE *out, const Readings *readings) {
    add_vcpu_counter(out, readings, "vireo_vcpu_run_seconds_total", "Time the vCPU's thread ran",
                     offsetof(VcpuReading, run_ns));
    add_vcpu_counter(out, readings, "vireo_vcpu_wait_seconds_total",
                     "Time the vCPU's thread was held back by the scheduler",
                     offsetof(VcpuReading, wait_ns));
    add_vcpu_counter(out, readings, "vireo_vcpu_delay_seconds_total",
                     "Time the vCPU's thread waited for a host CPU: what the guest sees as steal",
                     offsetof(VcpuReading, delay_ns));
}

/* ---- the daemon ---- */

static void add_histogram(FILE *out, const char *kind, const Histogram *histogram) {
    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
        fprintf(out, "vireo_operation_seconds_bucket{kind=\"%s\",le=\"%g\"} %" PRIu64 "\n", kind,
                bounds[i], histogram->buckets[i]);
    fprintf(out,
            "vireo_operation_seconds_bucket{kind=\"%s\",le=\"+Inf\"} %" PRIu64
            "\nvireo_operation_seconds_sum{kind=\"%s\"} %g\n"
            "vireo_operation_seconds_count{kind=\"%s\"} %" PRIu64 "\n",
            kind, histogram->count, kind, histogram->sum, kind, histogram->count);
}

static void add_operations(FILE *out, const OperationLog *log) {
    unsigned under_way[2] = {0};

    for (const Operation *at = operation_log_first(log); at; at = at->next)
        if (!operation_has_ended(at))
            under_way[at->state == OPERATION_PENDING]++;
    add_head(out, "vireo_operations_under_way", "gauge", "Changes of vCPUs that have not ended");
    fprintf(out,
            "vireo_operations_under_way{state=\"acting\"} %u\n"
            "vireo_operations_under_way{state=\"pending\"} %u\n",
            under_way[0], under_way[1]);
    add_head(out, "vireo_operations_total", "counter", "Changes of vCPUs that have ended");
    for (int state = OPERATION_PENDING + 1; state < OPERATION_STATE_MAX_; state++)
        fprintf(out, "vireo_operations_total{outcome=\"%s\"} %" PRIu64 "\n",
                operation_state_name(state), outcomes[state]);
    add_head(out, "vireo_operation_seconds", "histogram", "How long changes of vCPUs took");
    add_histogram(out, "unplug", &operations[false]);
    add_histogram(out, "plug", &operations[true]);
}

static void add_daemon(FILE *out, Daemon *daemon) {
    add_head(out, "vireo_clients", "gauge", "Connections of clients");
    fprintf(out, "vireo_clients %u\n", rpc_server_n_sessions(daemon->server));
    add_head(out, "vireo_domains", "gauge", "Domains that are listed");
    fprintf(out, "vireo_domains %u\n", daemon->driver->services.store->n);
}

/* ---- all of it ---- */

static int read_all(Daemon *daemon, Readings *ret) {
    const DomainStore *store = daemon->driver->services.store;
    Domain **domains = calloc(store->n + 1, sizeof(Domain *));
    size_t n = 0;
    int r;

    if (!domains)
        return -ENOMEM;
    for (Domain *at = store->domains; at; at = at->next)
        domains[n++] = at;
    r = driver_read_stats(domains, n, READ_CPU | READ_VCPUS, true, &ret->list, NULL);
    if (r >= 0)
        ret->n = n;
    free(domains);
    return r < 0 ? -ENOMEM : 0;
}

int metrics_text(Daemon *daemon, char **ret, size_t *ret_len) {
    Readings readings = {0};
    char *text = NULL;
    FILE *out;
    int r = read_all(daemon, &readings);

    if (r < 0)
        return r;
    out = text_open(&text);
    if (out) {
        add_daemon(out, daemon);
        add_operations(out, daemon->driver->services.operations);
        add_states(out, &readings);
        add_counts(out, &readings);
        add_cpu_time(out, &readings);
        add_vcpus(out, &readings);
    }
    driver_readings_free(readings.list, readings.n);
    if (out && fclose(out) == 0) {
        *ret = text;
        *ret_len = strlen(text);
        return 0;
    }
    free(text);
    return -ENOMEM;
}
