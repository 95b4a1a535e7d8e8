/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/perf.h"

#include "driver/edit.h"

const char *const perf_events[PERF_EVENTS] = {"cmt",
                                              "mbmt",
                                              "mbml",
                                              "cpu_cycles",
                                              "instructions",
                                              "cache_references",
                                              "cache_misses",
                                              "branch_instructions",
                                              "branch_misses",
                                              "bus_cycles",
                                              "stalled_cycles_frontend",
                                              "stalled_cycles_backend",
                                              "ref_cpu_cycles",
                                              "cpu_clock",
                                              "task_clock",
                                              "page_faults",
                                              "context_switches",
                                              "cpu_migrations",
                                              "page_faults_min",
                                              "page_faults_maj",
                                              "alignment_faults",
                                              "emulation_faults"};

static PerfEvent *find(const DomainDef *def, const char *name) {
    for (size_t i = 0; i < def->n_perf_events; i++)
        if (streq_ptr(def->perf_events[i].name, name))
            return &def->perf_events[i];
    return NULL;
}

bool perf_event_enabled(const DomainDef *def, const char *name) {
    const PerfEvent *event = find(def, name);

    return event && streq_ptr(event->enabled, "yes");
}

static PerfEvent *add(DomainDef *def, const char *name) {
    PerfEvent *grown = reallocarray(def->perf_events, def->n_perf_events + 1,
                                    sizeof(*def->perf_events));

    if (!grown)
        return NULL;
    def->perf_events = grown;
    grown[def->n_perf_events] = (PerfEvent){.name = strdup(name)};
    return grown[def->n_perf_events].name ? &grown[def->n_perf_events++] : NULL;
}

static int set(DomainDef *def, const char *name, bool enabled) {
    PerfEvent *event = find(def, name);
    char *word = strdup(enabled ? "yes" : "no");

    if (!event)
        event = add(def, name);
    if (!event || !word) {
        free(word);
        return -ENOMEM;
    }
    free(event->enabled);
    event->enabled = word;
    return 0;
}

static int change_perf(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const PerfChange *change = arg;

    if (live)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "nothing counts perf events of the running domain '%s'; use --config",
                            def->name);
    for (size_t i = 0; i < PERF_EVENTS; i++)
        if (change->given[i] && set(def, perf_events[i], change->enabled[i]) < 0)
            return error_no_memory(reterr);
    return 0;
}

int driver_set_perf(Domain *domain, const PerfChange *change, unsigned flags, Error **reterr) {
    const DefinitionEdit edit = {
        .what = "perf", .flags = flags, .arg = change, .change = change_perf};

    return definition_edit(domain, &edit, reterr);
}
