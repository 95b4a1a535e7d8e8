/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-verdict.h"

#include <stdio.h>

#include "domain/files.h"
#include "domain/operation-log.h"
#include "domain/services.h"
#include "limits/readings.h"
#include "qemu/registers.h"
#include "util/file.h"
#include "util/log.h"
#include "util/task.h"

#define USED_NSEC 2000000u
#define ANSWER_USEC (5 * USEC_PER_SEC)
#define LOOK_USEC (250 * USEC_PER_MSEC)
#define KNOWN_USEC USEC_PER_SEC
#define PAUSE_MAX_USEC (5 * USEC_PER_SEC)
#define WATCH_USEC (600 * USEC_PER_SEC)
#define UDEV_RULE "SUBSYSTEM==\"cpu\", ACTION==\"add\", ATTR{online}=\"1\""

typedef struct Verdict {
    Domain *domain;
    Operation *operation; /* NULL: none is told, it was an earlier daemon's */
    unsigned *ids;        /* first ones of the entities */
    size_t n;
    QemuPid pid; /* of the run that it is about */
    TaskGroup *tasks;
    bool changed; /* and not saved yet */
} Verdict;

static void verdict_free(Verdict *verdict) {
    operation_unref(verdict->operation);
    domain_unref(verdict->domain);
    free(verdict->ids);
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
static bool runs_kernel(const Verdict *verdict, unsigned vcpu) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;
    int r = domain_check_active(verdict->domain, NULL);

    if (r < 0) /* it is being ended, or QEMU has closed its monitor */
        return false;
    r = monitor_run_human(verdict->domain->run->monitor, "info registers", (int)vcpu,
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

static GuestVerdict verdict_of(const Domain *domain, const VcpuEntity *entity, int has_run) {
    if (has_run > 0)
        return GUEST_ONLINE;
    if (has_run < 0 || domain->state != DOMAIN_RUNNING)
        return GUEST_UNKNOWN;
    return entity->guest_present ? GUEST_PRESENT : GUEST_SILENT;
}

static void judge(Verdict *verdict, unsigned id, unsigned tally[GUEST_VERDICT_MAX_]) {
    VcpuEntity *entity = entity_of(verdict, id);
    unsigned n = entity ? entity->n_vcpus : 0;
    int r = !entity ? 0 : entity->verdict == GUEST_ONLINE ? 1 : has_run(verdict, id, n);
    GuestVerdict found;

    entity = entity_of(verdict, id);
    if (!entity) /* removed, or the domain has stopped */
        return;
    found = verdict_of(verdict->domain, entity, r);
    verdict->changed |= entity->verdict != found;
    entity->verdict = found;
    tally[found] += n;
}

/* The one that is told of all of them; UNTOLD: none is there. */
static GuestVerdict worst(const unsigned tally[GUEST_VERDICT_MAX_]) {
    static const GuestVerdict order[] = {GUEST_UNKNOWN, GUEST_SILENT, GUEST_PRESENT, GUEST_ONLINE};

    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        if (tally[order[i]])
            return order[i];
    return GUEST_UNTOLD;
}

static char *say(GuestVerdict verdict, unsigned online, unsigned n, bool runs) {
    switch (verdict) {
    case GUEST_UNKNOWN:
        return strf("unknown: whether the guest uses the vCPUs is not known: %s",
                    runs ? "their CPU time cannot be read apart" : "it does not run");
    case GUEST_SILENT:
        return strf("silent: %u of %u new CPUs are online in the guest; it has not said a word of "
                    "the others, and they have not run: it may still be booting, or have no ACPI "
                    "CPU hotplug",
                    online, n);
    case GUEST_PRESENT:
        return strf("present, offline: %u of %u new CPUs are online in the guest; bring the others "
                    "online in it, or have it do so by the udev rule " UDEV_RULE,
                    online, n);
    case GUEST_ONLINE:
        return strf("online: all %u new CPUs are online in the guest", n);
    case GUEST_UNTOLD:
    case GUEST_VERDICT_MAX_:
        break;
    }
    return strdup("unknown: they are not there any more");
}

static void tell(const Verdict *verdict, const unsigned tally[GUEST_VERDICT_MAX_], unsigned n) {
    Operation *operation = verdict->operation;
    GuestVerdict found = worst(tally);
    CLEANUP_FREE char *text = say(found, tally[GUEST_ONLINE], n,
                                  verdict->domain->state == DOMAIN_RUNNING);

    if (!operation || !text || (found == GUEST_UNTOLD && !operation->guest_pending))
        return;
    if (operation->guest_pending || !streq_ptr(operation->guest, text)) {
        operation_set_guest(operation, found, text);
        operation_journal_guest(operation);
    }
}

static unsigned sum(const unsigned tally[GUEST_VERDICT_MAX_]) {
    unsigned n = 0;

    for (GuestVerdict at = 0; at < GUEST_VERDICT_MAX_; at++)
        n += tally[at];
    return n;
}

/* One look: whether there is more to learn. Until it is known all of them must be online for a word
 * to be said, and the first that is not ends the look: a fleet that is resized at once looks at
 * each of its domains some times. */
static bool look(Verdict *verdict, bool known) {
    unsigned tally[GUEST_VERDICT_MAX_] = {0}, n = 0;

    for (size_t i = 0; i < verdict->n && (known || n == tally[GUEST_ONLINE]); i++) {
        judge(verdict, verdict->ids[i], tally);
        n = sum(tally);
    }
    if (known || n == tally[GUEST_ONLINE])
        tell(verdict, tally, n);
    return n > tally[GUEST_ONLINE];
}

int vcpu_verdict_save(Domain *domain) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "what the guest did with its vCPUs", NULL);

    if (r < 0)
        return r;
    r = domain_check_active(domain, NULL);
    if (r >= 0)
        r = domain_save_status(domain, NULL);
    domain_job_end(domain, &job);
    return r;
}

/* The longer nothing was learnt, the rarer the looks. */
static uint64_t pause_after(uint64_t elapsed) {
    return MIN_OF(MAX_OF(elapsed / 2, LOOK_USEC), PAUSE_MAX_USEC);
}

static void watch(Verdict *verdict) {
    uint64_t began = now_usec();
    bool known = false, more = true;

    while (more && verdict->domain->services && now_usec() < began + WATCH_USEC) {
        if (task_sleep(verdict->tasks, pause_after(now_usec() - began)))
            return;
        known = now_usec() >= began + KNOWN_USEC;
        more = look(verdict, known);
        if (verdict->changed && (known || !more))
            verdict->changed = vcpu_verdict_save(verdict->domain) < 0;
    }
}

static void run(void *userdata) {
    Verdict *verdict = userdata;

    watch(verdict);
    if (verdict->operation && verdict->operation->guest_pending) /* vireod stops */
        operation_set_guest(verdict->operation, GUEST_UNKNOWN, "unknown: nobody has looked");
    if (verdict->operation && !verdict->tasks->stopping)
        operation_end_journal(verdict->operation);
    verdict_free(verdict);
}

/* Takes the ids. -ENOMEM, -ESHUTDOWN. */
static int start(Domain *domain, Operation *operation, unsigned *ids, size_t n) {
    Verdict *verdict = ids && domain->services ? calloc(1, sizeof(Verdict)) : NULL;
    int r;

    if (!verdict) {
        free(ids);
        return -ENOMEM;
    }
    *verdict = (Verdict){.domain = domain_ref(domain),
                         .operation = operation ? operation_ref(operation) : NULL,
                         .ids = ids,
                         .n = n,
                         .pid = domain->run->pid,
                         .tasks = &domain->services->tasks};
    r = task_start(verdict->tasks, "vcpu-verdict", run, verdict);
    if (r < 0)
        verdict_free(verdict);
    return r;
}

void vcpu_verdict_start(Domain *domain, Operation *operation) {
    unsigned *ids = calloc(operation->n_vcpus + 1, sizeof(unsigned));

    assert(domain->run && operation->plug);
    if (ids && operation->n_vcpus > 0)
        memcpy(ids, operation->vcpus, operation->n_vcpus * sizeof(unsigned));
    if (operation->watched) { /* since an earlier connection */
        free(ids);
        return;
    }
    operation->guest_pending = operation->watched = true;
    if (start(domain, operation, ids, operation->n_vcpus) < 0)
        operation_set_guest(operation, GUEST_UNKNOWN, "unknown: nobody looks, vireod stops");
}

void vcpu_verdict_recall(Domain *domain) {
    DomainRun *run = domain->run;

    assert(domain->run);
    for (GuestVerdict at = GUEST_UNTOLD + 1; at < GUEST_VERDICT_MAX_; at++) {
        CLEANUP_BITMAP Bitmap *ids = TAKE_PTR(run->found_verdicts[at]);

        for (int id = ids ? bitmap_next(ids, 0) : -1; id >= 0; id = bitmap_next(ids, id + 1)) {
            VcpuEntity *entity = vcpu_map_by_id(&run->vcpus, (unsigned)id);

            if (!entity || !entity->qom_path)
                continue;
            entity->verdict = at;
            entity->guest_present |= at == GUEST_PRESENT;
        }
    }
}

void vcpu_verdict_resume(Domain *domain) {
    const VcpuMap *map = &domain->run->vcpus;
    unsigned *ids = calloc(map->n_entities + 1, sizeof(unsigned));
    size_t n = 0;

    assert(domain_job_is_mine(domain) && domain->run);
    for (size_t i = 0; ids && i < map->n_entities; i++) {
        const VcpuEntity *entity = &map->entities[i];

        if (entity->qom_path && entity->verdict != GUEST_UNTOLD && entity->verdict != GUEST_ONLINE)
            ids[n++] = entity->first_id;
    }
    if (n == 0)
        free(ids);
    else if (start(domain, NULL, ids, n) < 0)
        log_warning("domain '%s': what its guest did with new vCPUs is not looked at",
                    domain_name(domain));
}

const char *guest_verdict_name(GuestVerdict verdict) {
    static const char *const names[GUEST_VERDICT_MAX_] = {"untold", "unknown", "online",
                                                          "present, offline", "silent"};

    assert(verdict < GUEST_VERDICT_MAX_);
    return names[verdict];
}
