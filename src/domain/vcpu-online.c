/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-online.h"

#include "qemu/agent-vcpu.h"
#include "qemu/agent.h"
#include "domain/agent-link.h"
#include "domain/operation-log.h"
#include "domain/services.h"
#include "domain/vcpu-verdict.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/log.h"

#define LOOK_USEC (300 * USEC_PER_MSEC)
#define POLL_USEC (50 * USEC_PER_MSEC)
#define APPEAR_USEC (5 * USEC_PER_SEC) /* for the first; a slow guest takes its time for each */
#define APPEAR_EACH_USEC (500 * USEC_PER_MSEC)

struct GuestOnline {
    unsigned n_refs; /* the caller's until it finishes, and the fiber's */
    Domain *domain;
    Operation *operation; /* set by guest_online_finish */
    AgentVcpus before;
    bool looked, known; /* the look is over; it succeeded */
    bool decided;
    unsigned n;
    FiberCond cond;
};

static void unref(GuestOnline *online) {
    if (--online->n_refs > 0)
        return;
    agent_vcpus_done(&online->before);
    operation_unref(online->operation);
    domain_unref(online->domain);
    fiber_cond_done(&online->cond);
    free(online);
}

static bool has_id(const AgentVcpus *vcpus, unsigned id) {
    for (size_t i = 0; i < vcpus->n; i++)
        if (vcpus->items[i].id == id)
            return true;
    return false;
}

/* How many are new and how many of those are online; marks the others to be brought online. */
static unsigned mark_new(const GuestOnline *online, AgentVcpus *now, unsigned *ret_online) {
    unsigned n = 0;

    *ret_online = 0;
    for (size_t i = 0; i < now->n; i++) {
        AgentVcpu *vcpu = &now->items[i];

        if (has_id(&online->before, vcpu->id))
            continue;
        n++;
        *ret_online += vcpu->online;
        if (!vcpu->online)
            vcpu->online = vcpu->modified = true;
    }
    return n;
}

/* One round: 0, and *ret_online; or negative with the agent's error. */
static int bring_online(GuestOnline *online, unsigned *ret_online, Error **reterr) {
    CLEANUP_AGENT_VCPUS AgentVcpus now = {0};
    int r = agent_link_vcpus(online->domain, &now, reterr);

    if (r < 0)
        return r;
    if (mark_new(online, &now, ret_online) ==
        *ret_online) /* none is offline, perhaps none is there yet */
        return 0;
    return agent_link_change_vcpus(online->domain, &now, reterr);
}

/* How many of the new ones are online in the end; negative: the agent does not say. */
static int try_online(GuestOnline *online) {
    uint64_t deadline = deadline_in(APPEAR_USEC + online->n * APPEAR_EACH_USEC);
    CLEANUP_ERROR Error *error = NULL;
    unsigned n_online = 0;

    while (online->known) {
        if (bring_online(online, &n_online, &error) < 0) {
            log_info("domain '%s': its agent does not say whether new vCPUs are used: %s",
                     domain_name(online->domain), error_message(error));
            return -EIO;
        }
        if (n_online >= online->n || now_usec() >= deadline || !online->domain->services ||
            online->domain->services->tasks.stopping)
            return (int)n_online;
        fiber_sleep(POLL_USEC);
    }
    return -ENODATA;
}

static void set_verdicts(const GuestOnline *online, GuestVerdict verdict) {
    const Operation *operation = online->operation;

    for (size_t i = 0; i < operation->n_vcpus; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&online->domain->run->vcpus, operation->vcpus[i]);

        if (entity && entity->qom_path)
            entity->verdict = verdict;
    }
}

/* The agent's word, where it gives one; else what is seen from outside, also of those that did not
 * come up: they may do so later. */
static void conclude(GuestOnline *online, int n_online) {
    Operation *operation = online->operation;
    CLEANUP_FREE char *text = NULL;

    if (!operation_is_of(operation, online->domain)) {
        operation_set_guest(operation, GUEST_UNKNOWN, "unknown: they are not there any more");
        return;
    }
    if (n_online < (int)online->n) {
        vcpu_verdict_start(online->domain, operation);
        return;
    }
    set_verdicts(online, GUEST_ONLINE);
    text = strf("online: all %u new CPUs are online in the guest", online->n);
    operation_set_guest(operation, GUEST_ONLINE, text ? text : "online");
    vcpu_verdict_save(online->domain);
}

static void run(void *userdata) {
    GuestOnline *online = userdata;
    bool known = agent_link_vcpus(online->domain, &online->before, NULL) >= 0;

    online->known = known &&
                    !online->decided; /* a look that ended too late may have seen the new ones */
    online->looked = true;
    fiber_cond_broadcast(&online->cond);
    while (!online->decided)
        fiber_cond_wait(&online->cond, USEC_FOREVER);
    if (online->n > 0)
        conclude(online, try_online(online));
    unref(online);
}

GuestOnline *guest_online_begin(Domain *domain) {
    GuestOnline *online;

    if (!domain->run || !domain->run->agent || !agent_is_connected(domain->run->agent) ||
        domain->state != DOMAIN_RUNNING)
        return NULL;
    online = calloc(1, sizeof(GuestOnline));
    if (!online)
        return NULL;
    online->n_refs = 2;
    online->domain = domain_ref(domain);
    if (task_start(&domain->services->tasks, "guest-online", run, online) < 0) {
        online->n_refs = 1;
        unref(online);
        return NULL;
    }
    return online;
}

void guest_online_wait(GuestOnline *online) {
    uint64_t deadline = deadline_in(LOOK_USEC);

    while (online && !online->looked && fiber_cond_wait(&online->cond, deadline) >= 0)
        ;
}

void guest_online_finish(Domain *domain, GuestOnline *online, Operation *operation, unsigned n) {
    if (!online) {
        if (n > 0 && operation_is_of(operation, domain))
            vcpu_verdict_start(domain, operation);
        return;
    }
    if (n > 0) {
        operation->guest_pending = true;
        online->operation = operation_ref(operation);
    }
    online->n = n;
    online->decided = true;
    fiber_cond_broadcast(&online->cond);
    unref(online);
}
