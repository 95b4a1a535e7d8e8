/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Families of readings, one after the other: the format wants each in one piece. What is the loop's
 * is copied, since a worker writes the text. */
#include "metrics-domains.h"

#include "util/worker.h"

/* A domain as the loop knows it. */
typedef struct Row {
    size_t label_at, label_len; /* `{domain="NAME"`, in the labels */
    int state;
    bool has_def;
    unsigned n_current, n_max;
    bool has_monitor;
    uint64_t waiting_usec; /* its oldest command */
    const DomainReading *reading;
} Row;

typedef struct Domains {
    Page *page;
    Page labels;
    Row *rows;
    size_t n;
} Domains;

/* ---- lines ---- */

static void begin_line(const Domains *domains, const char *name, size_t name_len, const Row *row) {
    page_add(domains->page, name, name_len);
    page_add(domains->page, domains->labels.text + row->label_at, row->label_len);
}

static void add_number(const Domains *domains, const char *name, const Row *row, const char *label,
                       uint64_t number) {
    begin_line(domains, name, strlen(name), row);
    page_add_text(domains->page, label);
    page_add_number(domains->page, number);
    page_add(domains->page, "\n", 1);
}

static void add_seconds(const Domains *domains, const char *name, const Row *row, uint64_t ns) {
    begin_line(domains, name, strlen(name), row);
    page_add(domains->page, "} ", 2);
    page_add_seconds(domains->page, ns);
    page_add(domains->page, "\n", 1);
}

/* ---- families ---- */

static void add_states(const Domains *domains) {
    page_add_head(domains->page, "vireo_domain_state", "gauge",
                  "State as libvirt numbers it: 1 running, 5 shut off");
    for (size_t i = 0; i < domains->n; i++)
        add_number(domains, "vireo_domain_state", &domains->rows[i], "} ",
                   (uint64_t)domains->rows[i].state);
}

static void add_counts(const Domains *domains) {
    page_add_head(domains->page, "vireo_domain_vcpus", "gauge",
                  "vCPUs that are online, and the most there can be");
    for (size_t i = 0; i < domains->n; i++) {
        const Row *row = &domains->rows[i];

        if (!row->has_def)
            continue;
        add_number(domains, "vireo_domain_vcpus", row, ",which=\"current\"} ", row->n_current);
        add_number(domains, "vireo_domain_vcpus", row, ",which=\"maximum\"} ", row->n_max);
    }
}

static void add_waiting(const Domains *domains) {
    page_add_head(domains->page, "vireo_domain_qmp_waiting_seconds", "gauge",
                  "How long the oldest command that QEMU has not answered waits; 0: there is none");
    for (size_t i = 0; i < domains->n; i++)
        if (domains->rows[i].has_monitor)
            add_seconds(domains, "vireo_domain_qmp_waiting_seconds", &domains->rows[i],
                        domains->rows[i].waiting_usec * 1000);
}

static void add_times(const Domains *domains) {
    page_add_head(domains->page, "vireo_domain_cpu_seconds_total", "counter",
                  "CPU time of the whole machine");
    for (size_t i = 0; i < domains->n; i++)
        if (domains->rows[i].reading->has_time)
            add_seconds(domains, "vireo_domain_cpu_seconds_total", &domains->rows[i],
                        domains->rows[i].reading->time_ns);
    page_add_head(domains->page, "vireo_domain_throttled_seconds_total", "counter",
                  "Time that the quota of the whole machine held it back");
    for (size_t i = 0; i < domains->n; i++)
        if (domains->rows[i].reading->has_throttled)
            add_seconds(domains, "vireo_domain_throttled_seconds_total", &domains->rows[i],
                        domains->rows[i].reading->throttled_ns);
}

/* One of the numbers of every vCPU. */
typedef struct VcpuFamily {
    const char *name, *help;
    size_t at; /* of a uint64_t, nanoseconds, in VcpuReading */
    size_t known_at;
} VcpuFamily;

static const VcpuFamily vcpu_families[] = {
    {"vireo_vcpu_run_seconds_total", "Time the vCPU's thread ran", offsetof(VcpuReading, run_ns),
     offsetof(VcpuReading, known)},
    {"vireo_vcpu_wait_seconds_total",
     "Time the vCPU's thread waited by the scheduler's own account; 0 while the kernel has none",
     offsetof(VcpuReading, wait_ns), offsetof(VcpuReading, known)},
    {"vireo_vcpu_delay_seconds_total",
     "Time the vCPU's thread waited for a host CPU: what the guest sees as steal",
     offsetof(VcpuReading, delay_ns), offsetof(VcpuReading, known)},
    {"vireo_vcpu_throttled_seconds_total", "Time that the quota of each vCPU held it back",
     offsetof(VcpuReading, throttled_ns), offsetof(VcpuReading, has_throttled)},
};

static void begin_vcpu_line(const Domains *domains, const char *name, size_t name_len,
                            const Row *row, const VcpuReading *vcpu) {
    begin_line(domains, name, name_len, row);
    page_add(domains->page, ",vcpu=\"", 7);
    page_add_number(domains->page, vcpu->id);
    page_add(domains->page, "\"} ", 3);
}

static void add_vcpu_family(const Domains *domains, const VcpuFamily *family) {
    const size_t name_len = strlen(family->name);

    page_add_head(domains->page, family->name, "counter", family->help);
    for (size_t i = 0; i < domains->n; i++)
        for (size_t k = 0; k < domains->rows[i].reading->n_vcpus; k++) {
            const VcpuReading *vcpu = &domains->rows[i].reading->vcpus[k];

            if (!*(const bool *)((const char *)vcpu + family->known_at))
                continue;
            begin_vcpu_line(domains, family->name, name_len, &domains->rows[i], vcpu);
            page_add_seconds(domains->page, *(const uint64_t *)((const char *)vcpu + family->at));
            page_add(domains->page, "\n", 1);
        }
}

static void add_host_cpus(const Domains *domains) {
    static const char name[] = "vireo_vcpu_host_cpu";

    page_add_head(domains->page, name, "gauge", "The host CPU on which the vCPU's thread last ran");
    for (size_t i = 0; i < domains->n; i++)
        for (size_t k = 0; k < domains->rows[i].reading->n_vcpus; k++) {
            const VcpuReading *vcpu = &domains->rows[i].reading->vcpus[k];

            if (!vcpu->known)
                continue;
            begin_vcpu_line(domains, name, sizeof(name) - 1, &domains->rows[i], vcpu);
            page_add_number(domains->page, (uint64_t)vcpu->host_cpu);
            page_add(domains->page, "\n", 1);
        }
}

static int write_page(void *arg) {
    const Domains *domains = arg;

    add_states(domains);
    add_counts(domains);
    add_waiting(domains);
    add_times(domains);
    for (size_t i = 0; i < ARRAY_SIZE(vcpu_families); i++)
        add_vcpu_family(domains, &vcpu_families[i]);
    add_host_cpus(domains);
    return 0;
}

/* ---- what the loop knows ---- */

static void fill_row(Domains *domains, Row *row, const DomainReading *reading) {
    const Domain *domain = reading->domain;
    const DomainDef *def = domain->run ? domain->run->live : domain->config;
    const Monitor *monitor = domain->run ? domain->run->monitor : NULL;

    *row = (Row){.label_at = domains->labels.used,
                 .state = (int)domain->state,
                 .has_def = def != NULL,
                 .n_current = def ? domain_def_online_vcpus(def) : 0,
                 .n_max = def ? def->n_vcpus_max : 0,
                 .has_monitor = monitor != NULL,
                 .waiting_usec = monitor ? monitor_waiting_usec(monitor) : 0,
                 .reading = reading};
    page_add_text(&domains->labels, "{domain=\"");
    page_add_escaped(&domains->labels, domain_name(domain));
    page_add_text(&domains->labels, "\"");
    row->label_len = domains->labels.used - row->label_at;
}

int metrics_add_domains(Page *page, const Sample *sample) {
    CLEANUP_FREE Row *rows = calloc(sample->n + 1, sizeof(Row));
    Domains domains = {.page = page, .rows = rows, .n = sample->n};

    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < sample->n; i++)
        fill_row(&domains, &rows[i], &sample->readings[i]);
    page->failed |= domains.labels.failed;
    if (!page->failed)
        worker_run(write_page, &domains);
    page_done(&domains.labels);
    return page->failed ? -ENOMEM : 0;
}
