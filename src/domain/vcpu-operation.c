/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-operation.h"

#include "domain/operation-resume.h"
#include "domain/removal-watch.h"
#include "domain/services.h"
#include "domain/vcpu-config.h"
#include "domain/vcpu-plug.h"
#include "domain/vcpu-request.h"
#include "domain/vcpu-smi.h"
#include "domain/vcpu-verdict.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

/* Ends the pending operations on the same entities: what they wanted is journaled again, or not
 * wanted any more. */
static void take_over(Domain *domain, const Operation *operation) {
    CLEANUP_FREE char *why = strf("taken over by operation %llu",
                                  (unsigned long long)operation->id);

    for (size_t i = 0; i < operation->n_vcpus; i++) {
        Operation *earlier = operation_of_vcpu(operation->log, domain, operation->vcpus[i],
                                               operation);

        if (earlier && earlier->state == OPERATION_PENDING)
            operation_set_state(earlier, OPERATION_CANCELLED, why);
    }
}

int vcpu_operation_begin(Domain *domain, const VcpuRequest *request, bool config,
                         const HotplugPlan *plan, Operation **ret, Error **reterr) {
    Operation *operation = NULL;
    int r = operation_begin(domain->services->operations, domain, request, &operation, reterr);

    assert(domain_job_is_mine(domain) && plan->n_entities > 0);
    if (r < 0)
        return r;
    operation->live = true;
    operation->config = config;
    operation->plug = plan->plug;
    operation->vcpus = calloc(plan->n_entities + 1, sizeof(unsigned));
    for (size_t i = 0; operation->vcpus && i < plan->n_entities; i++)
        operation->vcpus[operation->n_vcpus++] =
            domain->run->vcpus.entities[plan->entities[i]].first_id;
    r = operation->vcpus ? operation_journal(operation, reterr) : error_no_memory(reterr);
    if (r < 0) {
        operation_set_state(operation, OPERATION_UNDONE,
                            reterr && *reterr ? error_message(*reterr) : NULL);
        operation_unref(operation);
        return r;
    }
    take_over(domain, operation);
    *ret = operation;
    return 0;
}

/* The next of those under way on the domain's QEMU, from `at` on; or NULL. */
static Operation *under_way(Operation *at, const Domain *domain) {
    while (at && (operation_has_ended(at) || !operation_is_of(at, domain)))
        at = at->next;
    return at;
}

static Operation *first_under_way(const Domain *domain) {
    return domain->services ? under_way(operation_log_first(domain->services->operations), domain)
                            : NULL;
}

/* ---- the definition's half of earlier ones ---- */

/* Whether `later` says what `earlier` wanted to say of the definition. */
static bool says_otherwise(const VcpuRequest *later, const VcpuRequest *earlier) {
    CLEANUP_BITMAP Bitmap *of_later = NULL, *of_earlier = NULL;

    if (!later || !later->single || !earlier->single)
        return !later || !(later->flags & VCPU_MAXIMUM);
    return vcpu_request_ids(later->ids, &of_later, NULL) >= 0 &&
           vcpu_request_ids(earlier->ids, &of_earlier, NULL) >= 0 &&
           bitmap_overlaps(of_later, of_earlier);
}

static void leave_config(Operation *operation) {
    CLEANUP_ERROR Error *error = NULL;

    operation->config = false;
    if (operation->state == OPERATION_PENDING)
        operation_set_state(operation, OPERATION_PENDING,
                            "waiting for the guest; the definition was changed since, and stays");
    if (operation_journal(operation, &error) < 0)
        log_warning("domain '%s': ignoring: %s", operation->name, error_message(error));
}

/* Of those under way from `at` on. */
static void leave_configs(Domain *domain, Operation *at, const VcpuRequest *later) {
    Operation *next;

    for (at = under_way(at, domain); at; at = next) {
        operation_ref(at);
        if (at->config && !operation_is_of_device(at) && says_otherwise(later, &at->request))
            leave_config(at);
        next = domain->run ? under_way(at->next, domain) : NULL; /* the list may have changed */
        operation_unref(at);
    }
}

void operations_leave_config(Domain *domain, const VcpuRequest *later) {
    assert(domain_job_is_mine(domain));
    leave_configs(domain, first_under_way(domain), later);
}

/* The live half is there: the config half, and the outcome. */
static int finish_operation(Domain *domain, Operation *operation, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *warning = NULL;
    int r = operation->config ? vcpu_config_commit(domain, &operation->request, &error) : 0;

    if (r < 0) {
        error_prefix(&error, "the running domain was changed, its definition was not");
        operation_set_state(operation, OPERATION_FAILED, error_message(error));
        return error_propagate(reterr, TAKE_PTR(error));
    }
    if (operation->config) {
        operation_step(operation, STEP_CONFIG);
        leave_configs(domain, operation->next, &operation->request); /* those before it */
    }
    warning = hotplug_warning(domain, operation->plug);
    if (warning)
        log_warning("%s", warning);
    operation_set_state(operation, OPERATION_DONE, warning);
    return 0;
}

/* The outcome of the live half, with its error. */
static int end_run(Domain *domain, Operation *operation, OperationState state, Error *error_consume,
                   Error **reterr) {
    CLEANUP_ERROR Error *error = error_consume;

    if (operation_has_ended(operation)) /* the domain stopped meanwhile */
        return error ? error_propagate(reterr, TAKE_PTR(error)) : 0;
    if (state == OPERATION_DONE)
        return finish_operation(domain, operation, reterr);
    operation_set_state(operation, state,
                        state == OPERATION_PENDING ? "waiting for the guest"
                                                   : error_message(error));
    if (state == OPERATION_PENDING)
        operation_step(operation, STEP_PENDING);
    return error ? error_propagate(reterr, TAKE_PTR(error)) : 0;
}

int vcpu_operation_run(Domain *domain, Operation *operation, const HotplugPlan *plan,
                       Error **reterr) {
    Error *error = NULL;
    OperationState state;
    int r;

    assert(domain_job_is_mine(domain) && operation->state == OPERATION_ACTING);
    state = hotplug_run(domain, plan, operation, &error);
    assert(state != OPERATION_ACTING);
    r = end_run(domain, operation, state, error, reterr);
    if (domain_check_active(domain, NULL) >= 0) {
        /* Who looks for one removal sees the end of others, too, and may ask for their next. */
        operations_settle(domain, NULL);
        removal_watch_pending(domain);
    }
    return r;
}

/* Carries on with what is left of an operation. Job held. */
static int go_on(Domain *domain, Operation *operation, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = operation->plug ? vcpu_smi_check_plug(domain, &error) : 0;

    if (r >= 0)
        r = hotplug_plan_ids(&domain->run->vcpus, operation->plug, operation->vcpus,
                             operation->n_vcpus, &plan, &error);
    if (r >= 0 && plan.n_entities > 0)
        r = hotplug_preflight(domain, &plan, &error);
    if (r < 0) {
        /* The guest may have been asked before, and nobody have heard what it said: it is asked for
         * all again as soon as it can be. */
        operation->n_asked = 0;
        operation_set_state(operation, operation->plug ? OPERATION_FAILED : OPERATION_PENDING,
                            error_message(error));
        return error_propagate(reterr, TAKE_PTR(error));
    }
    if (plan.n_entities > 0)
        return vcpu_operation_run(domain, operation, &plan, reterr);
    hotplug_save(domain, operation);
    return finish_operation(domain, operation, reterr);
}

static void resume(Domain *domain, Operation *operation, int r, Error *error) {
    CLEANUP_ERROR Error *own = NULL;

    if (operation_has_ended(operation)) /* the domain stopped meanwhile */
        return;
    if (r >= 0)
        r = domain_check_active(domain, &own);
    if (r < 0 && !operation->plug && domain_outlives_monitor(domain))
        operation_set_state(operation, OPERATION_PENDING, "waiting for the guest");
    else if (r < 0)
        operation_set_state(operation, OPERATION_FAILED, error_message(own ? own : error));
    if (r < 0)
        return;
    operation_set_state(operation, OPERATION_ACTING, NULL);
    if (go_on(domain, operation, &own) < 0)
        log_info("domain '%s': operation %llu: %s", domain_name(domain),
                 (unsigned long long)operation->id, error_message(own));
    else if (operation->plug && domain->run)
        vcpu_verdict_start(domain, operation);
}

void operations_resume(Domain *domain) {
    for (Operation *at = operation_log_first(domain->services->operations); at; at = at->next)
        if (!operation_is_of(at, domain) || operation_is_of_device(at))
            continue;
        else if (!operation_has_ended(at))
            operation_resume_start(domain, at, resume);
        else if (at->kept)
            vcpu_verdict_start(domain, at);
}

void operations_drop(const OperationLog *log, const DomainStore *store) {
    for (Operation *at = operation_log_first(log); at; at = at->next) {
        const Domain *domain = store_uuid(store, at->uuid);

        if (domain && operation_is_of(at, domain))
            continue;
        if (!operation_has_ended(at))
            operation_set_state(at, OPERATION_FAILED,
                                "its QEMU ended while vireod was away; nothing of it is left");
        operation_end_journal(at);
        if (at->guest_pending)
            operation_set_guest(at, GUEST_UNKNOWN, "unknown: its QEMU ended while vireod was away");
    }
}

typedef enum RemovalStage { STAGE_LEFT, STAGE_REFUSED, STAGE_NEXT, STAGE_GONE } RemovalStage;

/* Where a pending removal is, by what is there and what the guest was asked for. */
static RemovalStage removal_stage(const Domain *domain, const Operation *operation) {
    bool left = false, next = false;

    for (size_t i = 0; i < operation->n_vcpus; i++) {
        const VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, operation->vcpus[i]);

        if (!entity || !entity->qom_path)
            continue;
        if (i >= operation->n_asked)
            next = true;
        else if (entity->unplug == UNPLUG_NONE)
            return STAGE_REFUSED;
        else
            left = true;
    }
    return left ? STAGE_LEFT : next ? STAGE_NEXT : STAGE_GONE;
}

static void settle_operation(Domain *domain, Operation *operation, const char *rejection) {
    CLEANUP_ERROR Error *error = NULL;
    RemovalStage stage;
    bool asked = false;

    while ((stage = removal_stage(domain, operation)) == STAGE_NEXT) {
        OperationState state;

        if (domain_check_active(domain, NULL) < 0) /* after the reconnection */
            return;
        state = hotplug_ask_next(domain, operation, &error);

        if (state != OPERATION_ACTING) {
            operation_set_state(operation, state, error_message(error));
            return;
        }
        asked = true;
    }
    if (asked && stage == STAGE_LEFT)
        operation_set_state(operation, OPERATION_PENDING, "waiting for the guest");
    if (stage == STAGE_REFUSED)
        operation_set_state(operation, OPERATION_REFUSED,
                            rejection ? rejection : "the guest refused");
    else if (stage == STAGE_GONE && finish_operation(domain, operation, &error) < 0)
        log_warning("domain '%s': operation %llu: %s", domain_name(domain),
                    (unsigned long long)operation->id, error_message(error));
}

static bool is_pending_removal(const Operation *operation) {
    return operation->state == OPERATION_PENDING && !operation_is_of_device(operation);
}

void operations_settle(Domain *domain, const char *rejection) {
    Operation *next;

    assert(domain_job_is_mine(domain));
    for (Operation *at = first_under_way(domain); at; at = next) {
        operation_ref(at);
        if (is_pending_removal(at))
            settle_operation(domain, at, rejection);
        next = domain->run ? under_way(at->next, domain) : NULL; /* the list may have changed */
        operation_unref(at);
    }
}

void operations_refuse(Domain *domain, const char *rejection) {
    Operation *next;

    assert(domain_job_is_mine(domain));
    for (Operation *at = first_under_way(domain); at; at = next) {
        next = under_way(at->next, domain);
        if (is_pending_removal(at) && removal_stage(domain, at) == STAGE_REFUSED)
            operation_set_state(at, OPERATION_REFUSED, rejection);
    }
}

void operations_leave(Domain *domain, const char *where) {
    CLEANUP_FREE char *why = strf("it goes on at '%s'", where);
    Operation *next;

    assert(domain_job_is_mine(domain));
    for (Operation *at = first_under_way(domain); at; at = next) {
        next = under_way(at->next, domain);
        if (is_pending_removal(at))
            operation_set_state(at, OPERATION_CANCELLED, why);
    }
}

int operations_carry(const Domain *domain, char **list, size_t max, size_t *ret_n) {
    char *text;

    *ret_n = 0;
    for (Operation *at = first_under_way(domain); at && *ret_n < max;
         at = under_way(at->next, domain)) {
        if (at->plug || operation_is_of_device(at) || at->n_vcpus == 0)
            continue;
        text = operation_carry(at);
        if (!text)
            return -ENOMEM;
        memmove(list + 1, list, *ret_n * sizeof(*list)); /* the log has the newest first */
        list[0] = text;
        ++*ret_n;
    }
    return 0;
}

bool operations_are_to_ask(const Domain *domain) {
    for (Operation *at = first_under_way(domain); at; at = under_way(at->next, domain))
        if (is_pending_removal(at) && removal_stage(domain, at) == STAGE_NEXT)
            return true;
    return false;
}

void operations_fail(Domain *domain, const char *why) {
    Operation *next;

    for (Operation *at = first_under_way(domain); at; at = next) {
        next = under_way(at->next, domain);
        operation_set_state(at, OPERATION_FAILED, why);
    }
}

static int check_pending(const Operation *operation, const char *what, Error **reterr) {
    if (operation->state == OPERATION_PENDING)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "operation %llu of domain '%s' is %s; only a pending one can be %s",
                        (unsigned long long)operation->id, operation->name,
                        operation_state_name(operation->state), what);
}

int operation_cancel(Operation *operation, Error **reterr) {
    int r = check_pending(operation, "cancelled", reterr);

    if (r >= 0)
        operation_set_state(operation, OPERATION_CANCELLED,
                            operation_is_of_device(operation)
                                ? "the guest may still release the device"
                                : "the guest may still remove the vCPU");
    return r;
}

int operation_retry(Domain *domain, Operation *operation, uint64_t timeout_usec, Error **reterr) {
    DomainJob job;
    int r = check_pending(operation, "retried", reterr);

    if (r < 0)
        return r;
    if (!operation_is_of(operation, domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    r = domain_job_begin(domain, &job, "retry of a vcpu removal", reterr);
    if (r < 0)
        return r;
    r = check_pending(operation, "retried", reterr);
    if (r >= 0) {
        operation->request.timeout_usec = timeout_usec;
        operation->request.async = false;
        operation_set_state(operation, OPERATION_ACTING, NULL);
        r = go_on(domain, operation, reterr);
    }
    domain_job_end(domain, &job);
    return r;
}
