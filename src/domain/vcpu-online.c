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

static char *try_online(GuestOnline *online) {
    uint64_t deadline = deadline_in(APPEAR_USEC + online->n * APPEAR_EACH_USEC);
    CLEANUP_ERROR Error *error = NULL;
    unsigned n_online = 0;

    if (!online->known)
        return strf(
            "unknown: the guest agent did not answer before the plug; whether the guest uses the "
            "vCPUs is not known");
    for (;;) {
        if (bring_online(online, &n_online, &error) < 0)
            return strf("unknown: not known whether the guest uses the vCPUs: %s",
                        error_message(error));
        if (n_online >= online->n || now_usec() >= deadline || !online->domain->services ||
            online->domain->services->tasks.stopping)
            break;
        fiber_sleep(POLL_USEC);
    }
    return n_online >= online->n
               ? strf("online: all %u new CPUs are online in the guest", online->n)
               : strf("present, offline: %u of %u new CPUs are online in the guest, the others did "
                      "not "
                      "come up",
                      n_online, online->n);
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
    if (online->n > 0) {
        CLEANUP_FREE char *result = try_online(online);

        operation_set_guest(online->operation, result ? result : "");
    }
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
        if (n > 0)
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
