/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-verdict.h"

#include <stdio.h>

#include "domain/operation-log.h"
#include "domain/services.h"
#include "limits/readings.h"
#include "qemu/registers.h"
#include "util/file.h"
#include "util/task.h"

#define USED_NSEC 2000000u
#define ANSWER_USEC (5 * USEC_PER_SEC)
#define LOOK_USEC (250 * USEC_PER_MSEC)
#define KNOWN_USEC USEC_PER_SEC
#define LATER_USEC (2 * USEC_PER_SEC)
#define WATCH_USEC (600 * USEC_PER_SEC)
#define UDEV_RULE "SUBSYSTEM==\"cpu\", ACTION==\"add\", ATTR{online}=\"1\""

typedef struct Verdict {
    Domain *domain;
    Operation *operation;
    QemuPid pid; /* of the run that it is about */
    TaskGroup *tasks;
} Verdict;

/* How many vCPUs are what. */
typedef struct Tally {
    unsigned n, online, present, silent, unknown;
} Tally;

static void verdict_free(Verdict *verdict) {
    operation_unref(verdict->operation);
    domain_unref(verdict->domain);
    free(verdict);
}

/* The entity if it still is the one that was plugged; looked up again after each wait. */
static VcpuEntity *entity_of(const Verdict *verdict, unsigned id) {
    DomainRun *run = verdict->domain->run;
    VcpuEntity *entity = NULL;

    if (run && run->pid.pid == verdict->pid.pid && run->pid.start_time == verdict->pid.start_time)
        entity = vcpu_map_by_id(&run->vcpus, id);
    return entity && entity->qom_path && entity->unplug != UNPLUG_GONE ? entity : NULL;
}

/* Whether the CPU time that a vCPU has used is the guest's, not its firmware's, which wakes what is
 * plugged before it looks for CPUs. Where that cannot be asked, it is. Suspends. */
static int runs_kernel(const Verdict *verdict, unsigned vcpu) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;
    int r = monitor_run_human(verdict->domain->run->monitor, "info registers", (int)vcpu,
                              deadline_in(ANSWER_USEC), &text, &error);

    if (r >= 0)
        return registers_of_kernel(text) != 0;
    return error && (error->code == ERROR_OPERATION_UNSUPPORTED || error->code == ERROR_INTERNAL);
}

/* Whether one of the entity's vCPUs has run in the guest; -errno when that cannot be told.
 * Suspends. */
static int has_run(const Verdict *verdict, unsigned id, unsigned n_vcpus) {
    for (unsigned vcpu = id; vcpu < id + n_vcpus; vcpu++) {
        const DomainRun *run = verdict->domain->run;
        CgroupUsage usage = {0};
        char child[32];
        int r;

        if (!entity_of(verdict, id) || !run->limits || !run->vcpus.has_tids)
            return -ENODEV;
        snprintf(child, sizeof(child), "vcpu%u", vcpu);
        r = limits_usage(run->limits, domain_name(verdict->domain), child, &usage, NULL);
        if (r < 0)
            return r;
        if (usage.usage_ns > USED_NSEC && entity_of(verdict, id) && runs_kernel(verdict, vcpu))
            return 1;
    }
    return 0;
}

static void judge(const Verdict *verdict, unsigned id, Tally *tally) {
    VcpuEntity *entity = entity_of(verdict, id);
    unsigned n = entity ? entity->n_vcpus : 0;
    int r = !entity ? 0 : entity->guest_online ? 1 : has_run(verdict, id, n);

    entity = entity_of(verdict, id);
    if (!entity) /* removed, or the domain has stopped */
        return;
    tally->n += n;
    if (r > 0) {
        entity->guest_online = true;
        tally->online += n;
    } else if (r < 0 || verdict->domain->state != DOMAIN_RUNNING) {
        tally->unknown += n;
    } else if (entity->guest_present) {
        tally->present += n;
    } else {
        tally->silent += n;
    }
}

static char *say(const Tally *tally, bool runs) {
    if (tally->unknown)
        return strf("unknown: whether the guest uses the vCPUs is not known: %s",
                    runs ? "their CPU time cannot be read apart" : "it does not run");
    if (tally->silent)
        return strf("silent: %u of %u new CPUs are online in the guest; it has not said a word of "
                    "the others, and they have not run: it may still be booting, or have no ACPI "
                    "CPU hotplug",
                    tally->online, tally->n);
    if (tally->present)
        return strf("present, offline: %u of %u new CPUs are online in the guest; bring the others "
                    "online in it, or have it do so by the udev rule " UDEV_RULE,
                    tally->online, tally->n);
    return strf("online: all %u new CPUs are online in the guest", tally->n);
}

/* One look at all of them: whether there is more to learn. */
static bool look(const Verdict *verdict, bool known) {
    Operation *operation = verdict->operation;
    CLEANUP_FREE char *text = NULL;
    Tally tally = {0};

    for (size_t i = 0; i < operation->n_vcpus; i++)
        judge(verdict, operation->vcpus[i], &tally);
    known |= tally.n == tally.online;
    if (known && tally.n > 0)
        text = say(&tally, verdict->domain->state == DOMAIN_RUNNING);
    if (known &&
        (operation->guest_pending || !operation->guest || (text && !streq(text, operation->guest))))
        operation_set_guest(operation, text ? text : "unknown: they are not there any more");
    return tally.n > tally.online;
}

static void run(void *userdata) {
    Verdict *verdict = userdata;
    uint64_t began = now_usec(), pause = LOOK_USEC;
    bool known = false;

    while (verdict->domain->services && now_usec() < began + WATCH_USEC) {
        if (task_sleep(verdict->tasks, pause))
            break;
        known = now_usec() >= began + KNOWN_USEC;
        if (!look(verdict, known))
            break;
        pause = known ? LATER_USEC : LOOK_USEC;
    }
    if (verdict->operation->guest_pending) /* vireod stops */
        operation_set_guest(verdict->operation, "unknown: nobody has looked");
    verdict_free(verdict);
}

void vcpu_verdict_start(Domain *domain, Operation *operation) {
    Verdict *verdict = calloc(1, sizeof(Verdict));

    assert(domain && operation);
    if (verdict && domain->run) {
        *verdict = (Verdict){.domain = domain_ref(domain),
                             .operation = operation_ref(operation),
                             .pid = domain->run->pid,
                             .tasks = &domain->services->tasks};
        operation->guest_pending = true;
        if (task_start(verdict->tasks, "vcpu-verdict", run, verdict) >= 0)
            return;
        operation->guest_pending = false;
        verdict_free(verdict);
        return;
    }
    free(verdict);
}
