/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest did with new vCPUs, judged by each combination of what can be seen of it from
 * outside: the first word after a second, and the one that later evidence makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "domain/operation-log.h"
#include "domain/vcpu-verdict.h"
#include "driver/run-limits.h"
#include "limits/readings.h"
#include "run-world.h"

#define WAIT_USEC (60 * USEC_PER_SEC)
#define FIRMWARE "'CPL=0\\nIDT= 000f61be 00000000\\nCR0=00000011'"
#define KERNEL "'CPL=0\\nIDT= ffffffff8d404000 000001ff\\nCR0=80050033'"
#define IN_RESET 0u
#define HAS_RUN (UINT64_C(1) << 30)

/* What is seen of one vCPU: its CPU time and registers, and whether the guest's ACPI answered. */
typedef struct Evidence {
    uint64_t usage_ns;
    const char *registers;
    bool answered;
} Evidence;

typedef struct Row {
    Evidence first;
    GuestVerdict verdict;
    const char *says; /* the operation's sentence begins so */
    Evidence later;
    const char *later_says;
} Row;

static const Row rows[] = {
    {{IN_RESET, FIRMWARE, false},
     GUEST_SILENT,
     "silent: 0 of 1",
     {IN_RESET, FIRMWARE, true},
     "present, offline: 0 of 1"},
    {{IN_RESET, FIRMWARE, true},
     GUEST_PRESENT,
     "present, offline: 0 of 1",
     {HAS_RUN, KERNEL, true},
     "online: all 1"},
    /* what a vCPU has used in its firmware is not the guest's */
    {{HAS_RUN, FIRMWARE, false},
     GUEST_SILENT,
     "silent: 0 of 1",
     {HAS_RUN, KERNEL, false},
     "online: all 1"},
    {{HAS_RUN, FIRMWARE, true},
     GUEST_PRESENT,
     "present, offline: 0 of 1",
     {HAS_RUN, FIRMWARE, true},
     "present, offline: 0 of 1"},
    /* one that has run was online: idle afterwards, it stays so */
    {{HAS_RUN, KERNEL, false},
     GUEST_ONLINE,
     "online: all 1",
     {IN_RESET, FIRMWARE, false},
     "online: all 1"},
    /* where there are no registers to be seen the CPU time says it */
    {{HAS_RUN, "''", true}, GUEST_ONLINE, "online: all 1", {HAS_RUN, "''", true}, "online: all 1"},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static Evidence seen[N_ROWS];
static unsigned n_asked[N_ROWS];

int __wrap_limits_usage(Limits *limits, const char *name, const char *child, CgroupUsage *ret,
                        Error **reterr);

int __wrap_limits_usage(Limits *limits, const char *name, const char *child, CgroupUsage *ret,
                        Error **reterr) {
    unsigned id;

    assert_int_equal(sscanf(child, "vcpu%u", &id), 1);
    assert_true(id < N_ROWS);
    n_asked[id]++;
    *ret = (CgroupUsage){.usage_ns = seen[id].usage_ns};
    return 0;
}

static char *registers(QmpPeer *peer, json_object *arguments, void *userdata) {
    int id = json_object_get_int(json_object_object_get(arguments, "cpu-index"));

    assert_true(id >= 0 && (size_t)id < N_ROWS);
    return strdup(seen[id].registers);
}

/* As many vCPUs as there are rows, each of an operation of its own. */
static void plug(RunWorld *world, Operation *operations[N_ROWS]) {
    DomainRun *run = world->domain->run;
    const VcpuRequest request = {.count = N_ROWS};
    DomainJob job;

    qmp_peer_compute(world->peer, "human-monitor-command", registers, NULL);
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    run_limits_resume(world->domain, NULL);
    assert_non_null(run->limits);
    run->vcpus = (VcpuMap){.entities = calloc(N_ROWS, sizeof(VcpuEntity)),
                           .n_entities = N_ROWS,
                           .tids = calloc(N_ROWS, sizeof(pid_t)),
                           .n_vcpus = N_ROWS,
                           .has_tids = true};
    assert_non_null(run->vcpus.entities);
    for (unsigned id = 0; id < N_ROWS; id++) {
        Operation *operation;

        run->vcpus.entities[id] = (VcpuEntity){
            .first_id = id, .n_vcpus = 1, .qom_path = strdup("/machine/x")};
        assert_int_equal(operation_begin(world->driver->services.operations, world->domain,
                                         &request, &operation, NULL),
                         0);
        operation->plug = true;
        operation->vcpus = calloc(1, sizeof(unsigned));
        operation->vcpus[0] = id;
        operation->n_vcpus = 1;
        operations[id] = operation;
    }
    domain_job_end(world->domain, &job);
}

static void see(RunWorld *world, bool later) {
    for (unsigned id = 0; id < N_ROWS; id++) {
        seen[id] = later ? rows[id].later : rows[id].first;
        world->domain->run->vcpus.entities[id].guest_present = seen[id].answered;
    }
}

static void wait_said(Operation *const operations[N_ROWS], bool later) {
    const uint64_t deadline = deadline_in(WAIT_USEC);

    for (unsigned id = 0; id < N_ROWS; id++) {
        const char *says = later ? rows[id].later_says : rows[id].says;
        const Operation *operation = operations[id];

        while (operation->guest_pending && now_usec() < deadline)
            fiber_sleep(USEC_PER_MSEC);
        while (later && strncmp(operation->guest, says, strlen(says)) && now_usec() < deadline)
            fiber_sleep(USEC_PER_MSEC);
        if (!operation->guest || strncmp(operation->guest, says, strlen(says)) != 0)
            fail_msg("row %u%s: wanted %s, got %s", id, later ? ", later" : "", says,
                     operation->guest);
    }
}

static void what_is_seen(RunWorld *world) {
    Operation *operations[N_ROWS];

    plug(world, operations);
    see(world, false);
    for (unsigned id = 0; id < N_ROWS; id++)
        vcpu_verdict_start(world->domain, operations[id]);
    wait_said(operations, false); /* the first word that there is */
    for (unsigned id = 0; id < N_ROWS; id++)
        assert_int_equal(world->domain->run->vcpus.entities[id].verdict, rows[id].verdict);
    see(world, true);
    wait_said(operations, true);
    for (unsigned id = 0; id < N_ROWS; id++)
        operation_unref(operations[id]);
}

/* Of a guest that does not run nothing is known, whatever it has answered. */
static void paused(RunWorld *world) {
    Operation *operations[N_ROWS];

    plug(world, operations);
    see(world, false);
    for (unsigned id = 0; id < N_ROWS; id++)
        seen[id].usage_ns = IN_RESET;
    domain_set_state(world->domain, DOMAIN_PAUSED, PAUSED_USER);
    for (unsigned id = 0; id < N_ROWS; id++)
        vcpu_verdict_start(world->domain, operations[id]);
    for (unsigned id = 0; id < N_ROWS; id++) {
        while (operations[id]->guest_pending)
            fiber_sleep(USEC_PER_MSEC);
        assert_int_equal(operations[id]->verdict, GUEST_UNKNOWN);
        assert_non_null(strstr(operations[id]->guest, "it does not run"));
        operation_unref(operations[id]);
    }
}

/* Until a word is due nothing is said unless all are online: the first that is not ends the look.
 */
static void one_tells_enough(RunWorld *world) {
    Operation *operations[N_ROWS], *both;

    plug(world, operations);
    see(world, false);
    seen[0].usage_ns = seen[1].usage_ns = IN_RESET;
    both = operations[0];
    free(both->vcpus);
    both->vcpus = calloc(2, sizeof(unsigned));
    assert_non_null(both->vcpus);
    both->vcpus[1] = 1;
    both->n_vcpus = 2;
    memset(n_asked, 0, sizeof(n_asked));
    vcpu_verdict_start(world->domain, both);
    while (both->guest_pending)
        fiber_sleep(USEC_PER_MSEC);
    assert_non_null(strstr(both->guest, "silent: 0 of 2"));
    assert_int_equal(n_asked[1], 1);
    for (unsigned id = 0; id < N_ROWS; id++)
        operation_unref(operations[id]);
}

#define WORLD_TEST(body)                                                                           \
    static void test_##body(void **state) {                                                        \
        run_world("", body);                                                                       \
    }

WORLD_TEST(what_is_seen)
WORLD_TEST(paused)
WORLD_TEST(one_tells_enough)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_seen),
        cmocka_unit_test(test_paused),
        cmocka_unit_test(test_one_tells_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
