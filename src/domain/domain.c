/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain object: references, state, the job queue, the vCPU refresh. */
#include "domain/domain.h"

#include "domain/services.h"
#include "limits/limits.h"
#include "qemu/agent.h"
#include "qemu/quirks.h"
#include "qemu/unplug.h"
#include "util/fiber.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

#define JOB_WAIT_USEC (30 * USEC_PER_SEC)
#define QUERY_USEC (30 * USEC_PER_SEC)
#define ENDING_USEC (300 * USEC_PER_MSEC) /* between the end of a monitor and its QEMU's */

Domain *domain_new(void) {
    Domain *domain = calloc(1, sizeof(Domain));

    if (!domain)
        return NULL;
    domain->n_refs = 1;
    domain_touch(domain);
    domain->state = DOMAIN_SHUTOFF;
    return domain;
}

Domain *domain_ref(Domain *domain) {
    assert(domain->n_refs > 0);
    domain->n_refs++;
    return domain;
}

void domain_unref(Domain *domain) {
    if (!domain)
        return;
    assert(domain->n_refs > 0);
    if (--domain->n_refs > 0)
        return;
    assert(!domain->jobs);
    domain_run_free(domain->run);
    domain_def_free(domain->config);
    fiber_cond_done(&domain->job_cond);
    fiber_cond_done(&domain->block_job_cond);
    free(domain->last_transfer);
    snapshot_list_done(&domain->snapshots);
    free(domain);
}

const DomainDef *domain_def(const Domain *domain) {
    return domain->run ? domain->run->live : domain->config;
}

LimitsSubject domain_subject(Domain *domain) {
    const DomainRun *run = domain->run;

    assert(run);
    return (LimitsSubject){.name = run->live->name,
                           .id = run->id,
                           .pid = run->pid.pid,
                           .def = run->live,
                           .vcpus = &run->vcpus,
                           .iothreads = &run->iothreads,
                           .owner = domain};
}

const char *domain_name(const Domain *domain) {
    const DomainDef *def = domain_def(domain);

    return def ? def->name : "?";
}

bool domain_is_active(const Domain *domain) {
    return domain->run != NULL;
}

int domain_id(const Domain *domain) {
    return domain->run ? domain->run->id : -1;
}

int domain_job_begin(Domain *domain, DomainJob *job, const char *what, Error **reterr) {
    uint64_t deadline = deadline_in(JOB_WAIT_USEC);
    DomainJob **tail = &domain->jobs;

    assert(what);
    *job = (DomainJob){.what = what, .holder = fiber_self()};
    while (*tail)
        tail = &(*tail)->next;
    *tail = job;
    while (domain->jobs != job) {
        int r = fiber_cond_wait(&domain->job_cond, deadline);

        if (r < 0 && domain->jobs != job) {
            const char *holder = domain->jobs->what;

            domain_job_end(domain, job);
            return error_report(
                reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                "cannot acquire state change lock of domain '%s' for %s (held by %s)",
                domain_name(domain), what, holder);
        }
    }
    if (!domain->services) {
        domain_job_end(domain, job);
        return error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN,
                            "the domain was removed while %s waited for it", what);
    }
    domain_touch(domain);
    return 0;
}

int domain_job_begin_for_run(Domain *domain, DomainJob *job, const char *what, int id) {
    bool told = false;

    while (domain->run && domain_id(domain) == id) {
        CLEANUP_ERROR Error *error = NULL;
        int r = domain_job_begin(domain, job, what, &error);

        if (r >= 0 && domain_id(domain) == id)
            return 0;
        if (r >= 0)
            domain_job_end(domain, job);
        if (r >= 0 || !domain->services || domain->services->tasks.stopping)
            return -ESRCH;
        if (!told)
            log_warning("domain '%s': trying on: %s", domain_name(domain), error_message(error));
        told = true;
        fiber_yield(); /* a wait that cannot begin is over at once */
    }
    return -ESRCH;
}

void domain_job_end(Domain *domain, DomainJob *job) {
    DomainJob **at = &domain->jobs;

    while (*at && *at != job)
        at = &(*at)->next;
    assert(*at == job);
    *at = job->next;
    domain_touch(domain);
    fiber_cond_broadcast(&domain->job_cond);
}

bool domain_job_is_mine(const Domain *domain) {
    return domain->jobs && domain->jobs->holder == fiber_self();
}

void domain_touch(Domain *domain) {
    static uint64_t last;

    domain->revision = ++last;
}

void domain_set_state(Domain *domain, DomainState state, int reason) {
    if (domain->state != state || domain->reason != reason)
        log_debug("domain '%s': state %d/%d -> %d/%d", domain_name(domain), domain->state,
                  domain->reason, state, reason);
    domain->state = state;
    domain->reason = reason;
    domain_touch(domain);
}

int domain_resolve_affect(const Domain *domain, unsigned flags, bool *ret_live, bool *ret_config,
                          Error **reterr) {
    bool live = flags & AFFECT_LIVE, config = flags & AFFECT_CONFIG;

    if (!live && !config) {
        live = domain_is_active(domain);
        config = !live;
    }
    if (live && !domain_is_active(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    if (config && !domain->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "transient domains do not have any persistent config");
    *ret_live = live;
    *ret_config = config;
    return 0;
}

int domain_check_active(const Domain *domain, Error **reterr) {
    const DomainRun *run = domain->run;

    if (run && run->monitor && monitor_is_open(run->monitor) && !run->stopping)
        return 0;
    if (run && !run->stopping && qemu_process_alive(&run->pid))
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
            "QEMU of domain '%s' cannot be asked: its monitor is not connected%s%s; "
            "vireod goes on trying to connect",
            domain_name(domain), run->monitor ? ": " : "",
            run->monitor ? monitor_reason(run->monitor) : "");
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
}

bool domain_outlives_monitor(const Domain *domain) {
    return domain->run && !qemu_process_wait_end(&domain->run->pid, deadline_in(ENDING_USEC)) &&
           domain->run && !domain->run->stopping;
}

int domain_check_survives(const Domain *domain, const char *what, Error **reterr) {
    const DomainRun *run = domain->run;
    const Quirk *quirk = quirk_of(run->caps, run->live->virt, QUIRK_RESET_AFTER_REMOVAL);

    assert(domain->run);
    if (run->postcopy)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot %s of domain '%s': it is in post-copy, its memory is at two "
                            "hosts",
                            what, domain_name(domain));
    if (run->save.kind == SAVE_GIVEN || run->save.kind == SAVE_POSTCOPY_OUT)
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
            "cannot %s of domain '%s': it was handed over to another host, where it "
            "may run; destroy what is here if it does",
            what, domain_name(domain));
    if (!quirk || !run->vcpu_was_removed)
        return 0;
    return quirk_refuse(quirk, run->caps, what, domain_name(domain), domain_run_removed_text(run),
                        reterr);
}

/* Counts the threads of vCPUs that were not there before. */
static void count_threads(DomainRun *run, const VcpuMap *map) {
    const VcpuMap *old = &run->vcpus;
    bool first = old->n_entities != map->n_entities;

    for (size_t i = 0; i < map->n_entities && !first; i++)
        if (map->entities[i].qom_path && !old->entities[i].qom_path)
            run->n_vcpu_threads += map->entities[i].n_vcpus;
    run->n_vcpu_threads = MAX_OF(run->n_vcpu_threads, vcpu_map_online(map));
}

/* Brings the definition's vCPU flags in line with what QEMU has. */
static void apply_map(Domain *domain) {
    DomainDef *live = domain->run->live;

    for (size_t i = 0; i < domain->run->vcpus.n_entities; i++) {
        const VcpuEntity *entity = &domain->run->vcpus.entities[i];
        bool online = entity->qom_path != NULL;

        for (unsigned id = entity->first_id; id < entity->first_id + entity->n_vcpus; id++) {
            if (id >= live->n_vcpus_max)
                return;
            live->vcpus[id].online = online;
            live->vcpus[id].hotpluggable = (entity->alias || !online) ? TRISTATE_YES : TRISTATE_NO;
            live->vcpus[id].order = online ? entity->order : 0;
        }
    }
}

void vcpu_query_done(VcpuQuery *query) {
    monitor_reply_free(TAKE_PTR(query->hotpluggable));
    monitor_reply_free(TAKE_PTR(query->fast));
}

static int query_error(const Domain *domain, int r, Error **reterr) {
    return error_report(
        reterr, FROM_QEMU, r == -ETIMEDOUT ? ERROR_OPERATION_TIMEOUT : ERROR_OPERATION_FAILED,
        "domain '%s': QEMU did not answer the CPU queries: %s", domain_name(domain), strerror(-r));
}

int domain_query_vcpus(Domain *domain, VcpuQuery *query, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    query->seen = domain->run->removals.news;
    r = monitor_send(domain->run->monitor, "query-hotpluggable-cpus", NULL, &query->hotpluggable);
    if (r >= 0)
        r = monitor_send(domain->run->monitor, "query-cpus-fast", NULL, &query->fast);
    return r < 0 ? query_error(domain, r, reterr) : 0;
}

int domain_take_vcpus(Domain *domain, VcpuQuery *query, Error **reterr) {
    uint64_t deadline = deadline_in(QUERY_USEC);
    VcpuMap map;
    int r;

    assert(domain_job_is_mine(domain) && query->hotpluggable && query->fast);
    r = monitor_wait(query->fast, deadline); /* the later of the two */
    if (r >= 0)
        r = monitor_wait(query->hotpluggable, deadline);
    if (r < 0)
        return query_error(domain, r, reterr);
    r = monitor_reply_error(query->fast, "query-cpus-fast", reterr);
    if (r < 0)
        return r;
    if (!domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    if (query->hotpluggable->error_class && domain->run->caps &&
        qemu_caps_has_command(domain->run->caps, "cpu-add"))
        r = vcpu_map_build_cpu_add(query->fast->value, domain->run->pid.pid,
                                   domain->run->live->n_vcpus_max, &map, reterr);
    else if (query->hotpluggable->error_class)
        r = vcpu_map_build_static(query->fast->value, domain->run->pid.pid, &map, reterr);
    else
        r = vcpu_map_build(query->hotpluggable->value, query->fast->value, domain->run->pid.pid,
                           &map, reterr);
    if (r < 0)
        return r;
    unplug_carry_over(&map, &domain->run->vcpus, query->seen);
    count_threads(domain->run, &map);
    vcpu_map_done(&domain->run->vcpus);
    domain->run->vcpus = map;
    apply_map(domain);
    return 0;
}

int domain_refresh_vcpus(Domain *domain, Error **reterr) {
    CLEANUP(vcpu_query_done) VcpuQuery query = {0};
    int r = domain_query_vcpus(domain, &query, reterr);

    return r < 0 ? r : domain_take_vcpus(domain, &query, reterr);
}

int domain_refresh_iothreads(Domain *domain, bool always, Error **reterr) {
    json_object *reply = NULL;
    IothreadList list;
    int r;

    assert(domain_job_is_mine(domain) && domain->run);
    if (!always && domain->run->live->n_iothreads == 0 && domain->run->iothreads.n == 0)
        return 0;
    r = monitor_run(domain->run->monitor, "query-iothreads", NULL, deadline_in(QUERY_USEC), &reply,
                    reterr);
    if (r < 0)
        return r;
    r = iothread_list_parse(reply, &list, reterr);
    json_object_put(reply);
    if (r < 0)
        return r;
    iothread_list_done(&domain->run->iothreads);
    domain->run->iothreads = list;
    return 0;
}
