/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/run.h"

#include "limits/limits.h"
#include "qemu/agent.h"

DomainRun *domain_run_new(int id, DomainDef *live_consume) {
    DomainRun *run = calloc(1, sizeof(DomainRun));

    assert(live_consume);
    if (!run) {
        domain_def_free(live_consume);
        return NULL;
    }
    run->id = id;
    run->live = live_consume;
    run->clock_base = clock_adjustment(&run->live->clock_details);
    return run;
}

static void device_news_done(DeviceNews *news) {
    while (news->n_gone)
        free(news->gone[--news->n_gone]);
    while (news->n_refused)
        free(news->refused[--news->n_refused]);
    free(news->gone);
    free(news->refused);
    fiber_cond_done(&news->cond);
}

DomainRun *domain_run_free(DomainRun *run) {
    if (!run)
        return NULL;
    assert(!run->transfer && !run->removals.n_waiting && !run->devices.n_waiting);
    sd_event_source_disable_unref(run->pid_watch);
    sd_event_source_disable_unref(run->intent_end);
    sd_event_source_disable_unref(run->removals.recheck);
    sd_event_source_disable_unref(run->drift);
    sd_event_source_disable_unref(run->save_again);
    monitor_free(run->monitor);
    agent_free(run->agent);
    qemu_caps_unref(run->caps);
    json_object_put(run->stats_schemas);
    vcpu_map_done(&run->vcpus);
    iothread_list_done(&run->iothreads);
    limits_free(run->limits);
    free(run->found.partition);
    free(run->found.group);
    free(run->found.machine);
    free(run->save.path);
    free(run->save.id);
    free(run->unsettled);
    bitmap_free(run->pending_removals);
    for (size_t i = 0; i < GUEST_VERDICT_MAX_; i++)
        bitmap_free(run->found_verdicts[i]);
    domain_def_free(run->live);
    free(run->monitor_path);
    free(run->log_path);
    bitmap_free(run->removals.to_drop);
    fiber_cond_done(&run->removals.cond);
    device_news_done(&run->devices);
    run_disks_done(&run->disks);
    run_helpers_free(&run->helpers);
    io_errors_done(&run->io_errors);
    free(run);
    return NULL;
}

const char *domain_run_removed_text(const DomainRun *run) {
    return run->past_is_unknown
               ? "its status file was lost, so a vCPU may have been removed from it"
               : "a vCPU was removed from it";
}

void domain_run_forget_past(DomainRun *run) {
    run->past_is_unknown = run->vcpu_was_removed = true;
    run->n_vcpu_threads = MAX_OF(run->live->n_vcpus_max, run->n_vcpu_threads);
}
