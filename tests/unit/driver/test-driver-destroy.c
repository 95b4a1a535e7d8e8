/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A destroy while others wait for the same QEMU or hold the domain's job: whoever waits gets an
 * error, and no domain is left that runs without a QEMU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "domain/vcpu-verdict.h"
#include "driver/run-limits.h"
#include "driver/run-watch.h"
#include "limits/readings.h"
#include "run-world.h"

#define LONG_USEC (30 * USEC_PER_SEC)
#define SHORT_USEC (30 * USEC_PER_MSEC)

static bool hurried; /* no deadline is further away than SHORT_USEC */

uint64_t __real_deadline_in(uint64_t usec);
uint64_t __wrap_deadline_in(uint64_t usec);
int __wrap_limits_usage(Limits *limits, const char *name, const char *child, CgroupUsage *ret,
                        Error **reterr);

uint64_t __wrap_deadline_in(uint64_t usec) {
    return __real_deadline_in(hurried ? MIN_OF(usec, SHORT_USEC) : usec);
}

/* There is no cgroup; each vCPU has run. */
int __wrap_limits_usage(Limits *limits, const char *name, const char *child, CgroupUsage *ret,
                        Error **reterr) {
    *ret = (CgroupUsage){.usage_ns = UINT64_C(1) << 40};
    return 0;
}

static void assert_destroyed(const RunWorld *world) {
    assert_null(world->domain->run);
    assert_int_equal(world->domain->state, DOMAIN_SHUTOFF);
    assert_null(run_world_status(world));
}

/* ---- an answer that is waited for ---- */

typedef struct Asking {
    Domain *domain;
    const char *command;
    bool hmp, done;
    int r;
    Error *error;
} Asking;

static void ask(void *userdata) {
    Asking *asking = userdata;
    CLEANUP_FREE char *text = NULL;

    asking->r = driver_monitor_command(asking->domain, asking->command, asking->hmp, &text,
                                       &asking->error);
    asking->done = true;
}

static void destroy_while_asking(RunWorld *world, Asking *asking, const char *execute) {
    asking->domain = world->domain;
    qmp_peer_expect_silent(world->peer, execute);
    assert_int_equal(fiber_start("ask", ask, asking), 0);
    qmp_peer_wait_count(world->peer, execute, 1);
    assert_int_equal(driver_destroy(world->domain, false, NULL), 0);
    while (!asking->done)
        fiber_yield();
    assert_true(asking->r < 0);
    assert_non_null(strstr(error_message(asking->error), "the monitor was closed while"));
    error_free(asking->error);
    assert_destroyed(world);
    assert_int_equal(world->domain->reason, SHUTOFF_DESTROYED);
    assert_string_equal(world->told, "STOPPED:1 ");
}

static void human_command(RunWorld *world) {
    destroy_while_asking(world, &(Asking){.command = "info registers", .hmp = true},
                         "human-monitor-command");
}

static void command(RunWorld *world) {
    destroy_while_asking(world, &(Asking){.command = "{\"execute\":\"query-block\"}"},
                         "query-block");
}

#define SLOT(id)                                                                                   \
    "{'type':'cpu','vcpus-count':1,'props':{'socket-id':" #id                                      \
    ",'core-id':0,'thread-id':0},'qom-path':'/machine/peripheral/vcpu" #id "'}"
#define CPU(id)                                                                                    \
    "{'cpu-index':" #id ",'thread-id':400000" #id ",'qom-path':'/machine/peripheral/vcpu" #id      \
    "','props':{'socket-id':" #id ",'core-id':0,'thread-id':0},'target':'x86_64'}"

/* Whether the guest runs its new vCPUs is being asked: "info registers". */
static void verdict(RunWorld *world) {
    DomainRun *run = world->domain->run;
    DomainJob job;

    qmp_peer_always(world->peer, "query-hotpluggable-cpus", "[" SLOT(1) "," SLOT(0) "]");
    qmp_peer_always(world->peer, "query-cpus-fast", "[" CPU(0) "," CPU(1) "]");
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    run_limits_resume(world->domain, NULL);
    assert_non_null(run->limits);
    assert_int_equal(domain_refresh_vcpus(world->domain, NULL), 0);
    assert_int_equal(run->vcpus.n_entities, 2);
    run->vcpus.has_tids = true;
    for (size_t i = 0; i < run->vcpus.n_entities; i++)
        run->vcpus.entities[i].verdict = GUEST_SILENT;
    vcpu_verdict_resume(world->domain);
    domain_job_end(world->domain, &job);
    qmp_peer_expect_silent(world->peer, "human-monitor-command");
    qmp_peer_wait(world->peer);
    assert_non_null(
        strstr(qmp_peer_arguments(world->peer, "human-monitor-command"), "info registers"));
    assert_int_equal(driver_destroy(world->domain, false, NULL), 0);
    assert_destroyed(world);
    assert_int_equal(qmp_peer_count(world->peer, "human-monitor-command"), 1);
}

/* ---- a job that others hold ---- */

/* Whoever holds the job holds it for longer than the destroy waits: QEMU has ended all the same,
 * and so does the domain, when the job is free. */
static void job_is_held(RunWorld *world) {
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "setvcpus", NULL), 0);
    hurried = true;
    assert_int_equal(driver_destroy(world->domain, false, &error), -ETIMEDOUT);
    hurried = false;
    assert_non_null(strstr(error_message(error), "held by setvcpus"));
    assert_non_null(world->domain->run);
    assert_string_equal(world->told, "");
    domain_job_end(world->domain, &job);
    run_world_wait_told(world, "STOPPED:5");
    run_world_wait_idle(world);
    assert_destroyed(world);
}

/* QEMU ends by itself, and whoever holds the job has it for longer than a call waits. */
static void end_under_a_long_job(RunWorld *world) {
    const QemuPid pid = world->domain->run->pid;
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "setvcpus", NULL), 0);
    hurried = true;
    assert_int_equal(qemu_process_kill(&pid, 0), 0);
    run_watch_gone(world->domain);
    fiber_sleep(3 * SHORT_USEC); /* the clean-up has given up waiting at least once */
    hurried = false;
    assert_string_equal(world->told, "");
    domain_job_end(world->domain, &job);
    run_world_wait_told(world, "STOPPED:5");
    run_world_wait_idle(world);
    assert_destroyed(world);
}

/* What QEMU's events ask for is done when the job is free, however long that takes. A guest may say
 * the same as often as it likes: one fiber waits. */
static void after_a_long_job(RunWorld *world, const char *event, const char *data) {
    unsigned n_fibers;
    DomainJob job;

    run_world_wait_idle(world);
    n_fibers = fiber_count();
    assert_int_equal(domain_job_begin(world->domain, &job, "setvcpus", NULL), 0);
    hurried = true;
    for (int i = 0; i < 20; i++)
        qmp_peer_event_now(world->peer, event, data);
    fiber_sleep(6 * SHORT_USEC); /* whoever waits has given up at least once */
    hurried = false;
    assert_int_equal(fiber_count(), n_fibers + 1);
    domain_job_end(world->domain, &job);
}

static void panic_under_a_long_job(RunWorld *world) {
    after_a_long_job(world, "GUEST_PANICKED", "{'action':'pause'}");
    run_world_wait_told(world, "STOPPED:2");
    run_world_wait_idle(world);
    assert_destroyed(world);
}

static void begin_reboot(RunWorld *world) {
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "system_powerdown", "{}");
    assert_int_equal(driver_reboot(world->domain, NULL), 0);
}

static void reboot_under_a_long_job(RunWorld *world) {
    begin_reboot(world);
    qmp_peer_expect(world->peer, "system_reset", "{}");
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "cont", "{}");
    qmp_peer_expect(world->peer, "query-status", "{'status':'running'}");
    after_a_long_job(world, "SHUTDOWN", "{'guest':true}");
    qmp_peer_wait(world->peer);
    run_world_wait_idle(world);
    assert_int_equal(world->domain->state, DOMAIN_RUNNING);
    assert_false(world->domain->run->rebooting || world->domain->run->resetting);
}

static void intent_under_a_long_job(RunWorld *world) {
    begin_reboot(world);
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "query-status", "{'status':'running'}");
    after_a_long_job(world, "RESET", "{'guest':true}");
    qmp_peer_wait(world->peer);
    run_world_wait_idle(world);
    assert_false(world->domain->run->rebooting);
    assert_int_equal(qmp_peer_count(world->peer, "set-action"), 2);
}

#define WORLD_TEST(body)                                                                           \
    static void test_##body(void **state) {                                                        \
        run_world("", body);                                                                       \
    }

WORLD_TEST(human_command)
WORLD_TEST(command)
WORLD_TEST(verdict)
WORLD_TEST(job_is_held)
WORLD_TEST(end_under_a_long_job)
WORLD_TEST(panic_under_a_long_job)
WORLD_TEST(reboot_under_a_long_job)
WORLD_TEST(intent_under_a_long_job)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_human_command),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_job_is_held),
        cmocka_unit_test(test_end_under_a_long_job),
        cmocka_unit_test(test_panic_under_a_long_job),
        cmocka_unit_test(test_reboot_under_a_long_job),
        cmocka_unit_test(test_intent_under_a_long_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
