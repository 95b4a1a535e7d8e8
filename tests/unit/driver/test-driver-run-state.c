/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's state follows QEMU's events, whatever job is held; what was intended with the guest
 * ends with the event that fulfils or contradicts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "driver/run-end.h"
#include "driver/run-state.h"
#include "run-world.h"
#include "util/file.h"

#define RESTART "<on_crash>restart</on_crash>"
#define PRESERVE "<on_crash>preserve</on_crash>"

static void assert_state(const RunWorld *world, DomainState state, int reason) {
    assert_int_equal(world->domain->state, state);
    assert_int_equal(world->domain->reason, reason);
}

/* Says an event and waits until it has been taken: the answer of a question comes behind it. */
static void say(RunWorld *world, const char *name, const char *data) {
    qmp_peer_event(world->peer, name, data);
    qmp_peer_expect(world->peer, "query-name", "{}");
    assert_int_equal(monitor_run(world->domain->run->monitor, "query-name", NULL,
                                 deadline_in(30 * USEC_PER_SEC), NULL, NULL),
                     0);
}

static void expect_reset(RunWorld *world) {
    qmp_peer_expect(world->peer, "system_reset", "{}");
    qmp_peer_event(world->peer, "RESET", "{'guest':false}");
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "cont", "{}");
    qmp_peer_event(world->peer, "RESUME", NULL);
    qmp_peer_expect(world->peer, "query-status", "{'status':'running'}");
}

static void begin_reboot(RunWorld *world) {
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "system_powerdown", "{}");
    assert_int_equal(driver_reboot(world->domain, NULL), 0);
    assert_non_null(strstr(qmp_peer_arguments(world->peer, "set-action"), "pause"));
    assert_true(world->domain->run->rebooting);
}

static void expect_intent_in_status(const RunWorld *world, bool there) {
    CLEANUP_FREE char *status = run_world_status(world);

    assert_non_null(status);
    assert_true(!!strstr(status, "intent='reboot'") == there);
}

/* ---- reboot ---- */

static void reboot_followed(RunWorld *world) {
    begin_reboot(world);
    expect_intent_in_status(world, true);
    expect_reset(world);
    qmp_peer_event_now(world->peer, "SHUTDOWN", "{'guest':true}");
    qmp_peer_event_now(world->peer, "STOP", NULL);
    qmp_peer_wait(world->peer);
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    assert_false(world->domain->run->rebooting);
    assert_non_null(strstr(qmp_peer_arguments(world->peer, "set-action"), "poweroff"));
    expect_intent_in_status(world, false);
    assert_string_equal(world->told, "reboot ");
}

/* Its job waited for the end of a migration: by now another host may run it. */
static void reboot_of_one_handed_over(RunWorld *world) {
    DomainJob job;

    begin_reboot(world);
    assert_int_equal(domain_job_begin(world->domain, &job, "migration", NULL), 0);
    qmp_peer_event_now(world->peer, "SHUTDOWN", "{'guest':true}");
    say(world, "STOP", NULL);
    world->domain->run->save.kind = SAVE_GIVEN;
    domain_job_end(world->domain, &job);
    run_world_wait_idle(world);
    assert_int_equal(qmp_peer_count(world->peer, "system_reset"), 0);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

/* The guest reset itself: that was the reboot, and a later power-off is one. */
static void reboot_by_reset(RunWorld *world) {
    begin_reboot(world);
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "query-status", "{'status':'running'}");
    qmp_peer_event_now(world->peer, "RESET", "{'guest':true}");
    qmp_peer_wait(world->peer);
    run_world_wait_idle(world);
    assert_false(world->domain->run->rebooting);
    say(world, "SHUTDOWN", "{'guest':true}");
    assert_state(world, DOMAIN_SHUTTING_DOWN, 0);
    assert_string_equal(world->told, "reboot SHUTDOWN:1 ");
    assert_int_equal(qmp_peer_count(world->peer, "system_reset"), 0);
}

/* The guest ignored the button; a shutdown that is asked for later ends it. */
static void reboot_ignored_then_shutdown(RunWorld *world) {
    begin_reboot(world);
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "system_powerdown", "{}");
    assert_int_equal(driver_shutdown(world->domain, NULL), 0);
    assert_non_null(strstr(qmp_peer_arguments(world->peer, "set-action"), "poweroff"));
    expect_intent_in_status(world, false);
    say(world, "SHUTDOWN", "{'guest':true}");
    assert_state(world, DOMAIN_SHUTTING_DOWN, 0);
    assert_int_equal(qmp_peer_count(world->peer, "system_reset"), 0);
}

/* The guest ignored the button for longer than anybody waits: its own power-off is one. */
static void reboot_ignored_for_long(RunWorld *world) {
    world->driver->services.settings.reboot_usec = 1000;
    begin_reboot(world);
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "query-status", "{'status':'running'}");
    qmp_peer_wait(world->peer);
    run_world_wait_idle(world);
    assert_false(world->domain->run->rebooting);
    say(world, "SHUTDOWN", "{'guest':true}");
    assert_state(world, DOMAIN_SHUTTING_DOWN, 0);
    assert_int_equal(qmp_peer_count(world->peer, "system_reset"), 0);
}

/* Under a job. */
static void sync_state(RunWorld *world) {
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    assert_int_equal(run_state_sync(world->domain, NULL), 0);
    domain_job_end(world->domain, &job);
}

/* A daemon that finds the intent and a QEMU that waits after the power-off goes on with it. */
static void reboot_found_again(RunWorld *world) {
    world->domain->run->rebooting = true; /* as the status file says */
    domain_set_state(world->domain, DOMAIN_PAUSED, PAUSED_UNKNOWN);
    qmp_peer_expect(world->peer, "query-status", "{'status':'shutdown'}");
    expect_reset(world);
    sync_state(world);
    qmp_peer_wait(world->peer);
    run_world_wait_idle(world);
    assert_int_equal(world->domain->state, DOMAIN_RUNNING);
    assert_false(world->domain->run->rebooting);
}

/* Without the intent it is ended, not left paused for good. */
static void power_off_found_again(RunWorld *world) {
    qmp_peer_expect(world->peer, "query-status", "{'status':'shutdown'}");
    sync_state(world);
    run_world_wait_told(world, "STOPPED:0");
    run_world_wait_idle(world);
    assert_null(world->domain->run);
    assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_SHUTDOWN);
}

/* ---- a reboot that fails ---- */

/* Nobody pressed the button: the guest's next power-off is one. */
static void assert_no_intent(RunWorld *world) {
    assert_false(world->domain->run->rebooting);
    assert_null(world->domain->run->intent_end);
    assert_int_equal(qmp_peer_count(world->peer, "set-action"), 2);
    assert_non_null(strstr(qmp_peer_arguments(world->peer, "set-action"), "poweroff"));
    say(world, "SHUTDOWN", "{'guest':true}");
    assert_state(world, DOMAIN_SHUTTING_DOWN, 0);
    assert_int_equal(qmp_peer_count(world->peer, "system_reset"), 0);
}

static void reboot_without_status(RunWorld *world) {
    CLEANUP_FREE char *path = strf("%s/domains", world->dir);
    CLEANUP_FREE char *kept = strf("%s/kept", world->dir);
    CLEANUP_ERROR Error *error = NULL;

    rename(path, kept);
    assert_int_equal(file_write_atomic(path, "", 0, 0600), 0);
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "set-action", "{}");
    assert_true(driver_reboot(world->domain, &error) < 0);
    assert_non_null(strstr(error_message(error), path));
    assert_int_equal(qmp_peer_count(world->peer, "system_powerdown"), 0);
    assert_no_intent(world);
    assert_int_equal(unlink(path), 0);
    rename(kept, path);
}

static void reboot_refused(RunWorld *world) {
    CLEANUP_ERROR Error *error = NULL;

    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect_error(world->peer, "system_powerdown", "GenericError", "no button");
    qmp_peer_expect(world->peer, "set-action", "{}");
    assert_true(driver_reboot(world->domain, &error) < 0);
    assert_non_null(strstr(error_message(error), "no button"));
    expect_intent_in_status(world, false);
    assert_no_intent(world);
}

/* What the first one intended stays. */
static void second_reboot_refused(RunWorld *world) {
    begin_reboot(world);
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect_error(world->peer, "system_powerdown", "GenericError", "no button");
    assert_true(driver_reboot(world->domain, NULL) < 0);
    expect_intent_in_status(world, true);
    expect_reset(world);
    qmp_peer_event_now(world->peer, "SHUTDOWN", "{'guest':true}");
    qmp_peer_wait(world->peer);
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
}

/* QEMU goes on pausing at the power-off, which then still is a reboot. */
static void shutdown_refused(RunWorld *world) {
    begin_reboot(world);
    qmp_peer_expect_error(world->peer, "set-action", "GenericError", "not so");
    assert_true(driver_shutdown(world->domain, NULL) < 0);
    assert_true(world->domain->run->rebooting);
    assert_non_null(world->domain->run->intent_end);
    assert_int_equal(qmp_peer_count(world->peer, "system_powerdown"), 1);
}

/* The guest has powered off before QEMU knew that it is none that pauses: it is ended. */
static void shutdown_meets_the_power_off(RunWorld *world) {
    begin_reboot(world);
    qmp_peer_event(world->peer, "SHUTDOWN", "{'guest':true}");
    qmp_peer_event(world->peer, "STOP", NULL);
    qmp_peer_expect(world->peer, "set-action", "{}");
    qmp_peer_expect(world->peer, "query-status", "{'status':'shutdown'}");
    qmp_peer_expect(world->peer, "system_powerdown", "{}");
    driver_shutdown(world->domain, NULL);
    run_world_wait_told(world, "STOPPED:0");
    run_world_wait_idle(world);
    assert_null(world->domain->run);
    assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_SHUTDOWN);
}

/* ---- panic ---- */

static void panic_ends(RunWorld *world) {
    qmp_peer_event_now(world->peer, "GUEST_PANICKED", "{'action':'pause'}");
    run_world_wait_told(world, "STOPPED:2");
    run_world_wait_idle(world);
    assert_null(world->domain->run);
    assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_CRASHED);
    assert_string_equal(world->told, "CRASHED:0 STOPPED:2 ");
}

static void panic_is_preserved(RunWorld *world) {
    say(world, "GUEST_PANICKED", "{'action':'pause'}");
    say(world, "STOP", NULL);
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_CRASHED, CRASHED_PANICKED);
    assert_non_null(world->domain->run);
    assert_string_equal(world->told, "CRASHED:0 ");
}

static void panic_restarts(RunWorld *world) {
    qmp_peer_expect(world->peer, "system_reset", "{}");
    qmp_peer_event(world->peer, "RESET", "{'guest':false}");
    qmp_peer_expect(world->peer, "cont", "{}");
    qmp_peer_event(world->peer, "RESUME", NULL);
    qmp_peer_expect(world->peer, "query-status", "{'status':'running'}");
    qmp_peer_event_now(world->peer, "GUEST_PANICKED", "{'action':'pause'}");
    qmp_peer_wait(world->peer);
    run_world_wait_idle(world);
    assert_int_equal(world->domain->state, DOMAIN_RUNNING);
    assert_non_null(strstr(world->told, "CRASHED:0 "));
}

/* QEMU was told not to care. */
static void panic_is_no_matter(RunWorld *world) {
    say(world, "GUEST_PANICKED", "{'action':'run'}");
    assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    assert_string_equal(world->told, "");
}

/* ---- what stops a guest ---- */

static void io_error(RunWorld *world) {
    say(world, "BLOCK_IO_ERROR", "{'action':'report','device':'d','operation':'read'}");
    assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    say(world, "BLOCK_IO_ERROR", "{'action':'stop','device':'d','operation':'write'}");
    say(world, "STOP", NULL);
    assert_state(world, DOMAIN_PAUSED, PAUSED_IOERROR);
    say(world, "RESUME", NULL);
    assert_state(world, DOMAIN_RUNNING, RUNNING_UNPAUSED);
    assert_string_equal(world->told, "news:4:2:0::: news:6:2:0::: news:4:1:0::: news:6:1:0::: "
                                     "SUSPENDED:2 RESUMED:0 ");
}

static void watchdog(RunWorld *world) {
    say(world, "WATCHDOG", "{'action':'none'}");
    assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    say(world, "WATCHDOG", "{'action':'pause'}");
    say(world, "STOP", NULL);
    assert_state(world, DOMAIN_PAUSED, PAUSED_WATCHDOG);
    assert_string_equal(world->told, "news:3:0:0::: news:3:1:0::: SUSPENDED:3 ");
}

static void sleep_and_wakeup(RunWorld *world) {
    say(world, "WAKEUP", NULL);
    assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    say(world, "SUSPEND", NULL);
    assert_int_equal(world->domain->state, DOMAIN_PMSUSPENDED);
    say(world, "WAKEUP", NULL);
    assert_state(world, DOMAIN_RUNNING, RUNNING_WAKEUP);
    say(world, "SUSPEND_DISK", NULL);
    assert_int_equal(world->domain->state, DOMAIN_PMSUSPENDED);
    assert_string_equal(world->told,
                        "news:11:0:0::: news:12:0:0::: PMSUSPENDED:0 news:11:0:0::: STARTED:4 "
                        "news:14:0:0::: PMSUSPENDED:1 ");
}

/* STOP and RESUME are taken while somebody holds the job, also the call that caused them. */
static void stop_under_a_job(RunWorld *world) {
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "setvcpus", NULL), 0);
    say(world, "STOP", NULL);
    assert_state(world, DOMAIN_PAUSED, PAUSED_UNKNOWN);
    say(world, "RESUME", NULL);
    assert_state(world, DOMAIN_RUNNING, RUNNING_UNPAUSED);
    domain_job_end(world->domain, &job);
    assert_string_equal(world->told, "SUSPENDED:0 RESUMED:0 ");
}

static void suspend_and_resume(RunWorld *world) {
    qmp_peer_event(world->peer, "STOP", NULL);
    qmp_peer_expect(world->peer, "stop", "{}");
    assert_int_equal(driver_suspend(world->domain, NULL), 0);
    assert_state(world, DOMAIN_PAUSED, PAUSED_USER);
    qmp_peer_expect(world->peer, "cont", "{}");
    qmp_peer_event(world->peer, "RESUME", NULL);
    assert_int_equal(driver_resume(world->domain, NULL), 0);
    assert_state(world, DOMAIN_RUNNING, RUNNING_UNPAUSED);
    say(world, "MARK", NULL); /* the RESUME behind the answer */
    assert_string_equal(world->told, "SUSPENDED:0 RESUMED:0 ");
}

/* What a query says wins, also over a STOP that was lost with its connection. */
static void asked(RunWorld *world) {
    static const struct {
        const char *status;
        DomainState state;
        int reason;
    } rows[] = {{"{'status':'paused'}", DOMAIN_PAUSED, PAUSED_UNKNOWN},
                {"{'status':'running'}", DOMAIN_RUNNING, RUNNING_UNPAUSED},
                {"{'status':'io-error'}", DOMAIN_PAUSED, PAUSED_IOERROR},
                {"{'status':'running'}", DOMAIN_RUNNING, RUNNING_UNPAUSED},
                {"{'status':'watchdog'}", DOMAIN_PAUSED, PAUSED_WATCHDOG},
                {"{'status':'suspended'}", DOMAIN_PMSUSPENDED, 0},
                {"{'status':'guest-panicked'}", DOMAIN_CRASHED, CRASHED_PANICKED}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        qmp_peer_expect(world->peer, "query-status", rows[i].status);
        sync_state(world);
        assert_state(world, rows[i].state, rows[i].reason);
    }
}

/* ---- a run's flags ---- */

/* A QEMU that is being ended says nothing of its guest. */
static void ending(RunWorld *world) {
    world->domain->run->stopping = true;
    say(world, "SHUTDOWN", "{'guest':false}");
    say(world, "STOP", NULL);
    assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    assert_string_equal(world->told, "");
}

/* What one run was asked for is gone with it, also when it is a start that failed. */
static void flags_end_with_the_run(RunWorld *world) {
    DomainJob job;

    begin_reboot(world);
    say(world, "POWERDOWN", NULL);
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    run_abandon(world->domain, false);
    domain_job_end(world->domain, &job);
    assert_null(world->domain->run);
    assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_FAILED);
    assert_null(run_world_status(world));
}

#define WORLD_TEST(body, elements)                                                                 \
    static void test_##body(void **state) {                                                        \
        run_world(elements, body);                                                                 \
    }

WORLD_TEST(reboot_followed, "")
WORLD_TEST(reboot_of_one_handed_over, "")
WORLD_TEST(reboot_by_reset, "")
WORLD_TEST(reboot_ignored_then_shutdown, "")
WORLD_TEST(reboot_ignored_for_long, "")
WORLD_TEST(reboot_found_again, "")
WORLD_TEST(power_off_found_again, "")
WORLD_TEST(reboot_without_status, "")
WORLD_TEST(reboot_refused, "")
WORLD_TEST(second_reboot_refused, "")
WORLD_TEST(shutdown_refused, "")
WORLD_TEST(shutdown_meets_the_power_off, "")
WORLD_TEST(panic_ends, "")
WORLD_TEST(panic_is_preserved, PRESERVE)
WORLD_TEST(panic_restarts, RESTART)
WORLD_TEST(panic_is_no_matter, RESTART)
WORLD_TEST(io_error, "")
WORLD_TEST(watchdog, "")
WORLD_TEST(sleep_and_wakeup, "")
WORLD_TEST(stop_under_a_job, "")
WORLD_TEST(suspend_and_resume, "")
WORLD_TEST(asked, PRESERVE)
WORLD_TEST(ending, "")
WORLD_TEST(flags_end_with_the_run, "")

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reboot_followed),
        cmocka_unit_test(test_reboot_of_one_handed_over),
        cmocka_unit_test(test_reboot_by_reset),
        cmocka_unit_test(test_reboot_ignored_then_shutdown),
        cmocka_unit_test(test_reboot_ignored_for_long),
        cmocka_unit_test(test_reboot_found_again),
        cmocka_unit_test(test_power_off_found_again),
        cmocka_unit_test(test_reboot_without_status),
        cmocka_unit_test(test_reboot_refused),
        cmocka_unit_test(test_second_reboot_refused),
        cmocka_unit_test(test_shutdown_refused),
        cmocka_unit_test(test_shutdown_meets_the_power_off),
        cmocka_unit_test(test_panic_ends),
        cmocka_unit_test(test_panic_is_preserved),
        cmocka_unit_test(test_panic_restarts),
        cmocka_unit_test(test_panic_is_no_matter),
        cmocka_unit_test(test_io_error),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_sleep_and_wakeup),
        cmocka_unit_test(test_stop_under_a_job),
        cmocka_unit_test(test_suspend_and_resume),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_ending),
        cmocka_unit_test(test_flags_end_with_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
