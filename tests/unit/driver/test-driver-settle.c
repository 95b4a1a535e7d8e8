/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest on its way of which a daemon's end left the rest to the next one, and what the
 * destination makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/files.h"
#include "driver/migrate.h"
#include "driver/postcopy.h"
#include "driver/save-settle.h"
#include "driver/saved.h"
#include "driver/transfer.h"
#include "scripted-qemu.h"
#include "util/file.h"

/* ---- what a later daemon finds ---- */

static void settle(RunWorld *world, SaveKind kind, bool seen, const char *found_phase,
                   const char *found_status) {
    scripted_qemu(world, found_phase, found_status);
    world->domain->run->save = (SaveIntent){.kind = kind, .running = true, .seen = seen};
    domain_set_state(world->domain, streq(found_status, "running") ? DOMAIN_RUNNING : DOMAIN_PAUSED,
                     PAUSED_UNKNOWN);
    save_settle_soon(world->domain);
}

static void settled(RunWorld *world, SaveKind kind, bool seen, const char *found_phase,
                    const char *found_status) {
    settle(world, kind, seen, found_phase, found_status);
    fiber_sleep(1);
    run_world_wait_idle(world);
}

static void out_failed(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, false, "failed", "paused");
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_int_equal(world->domain->run->save.kind, SAVE_GIVEN);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

static void out_failed_after_it(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, true, "failed", "running"); /* QEMU's own doing */
    assert_string_equal(scripted_status, "paused");
    assert_int_equal(world->domain->run->save.kind, SAVE_GIVEN);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

/* It runs: so it was never stopped, and QEMU never asked. */
static void out_not_asked(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, false, "failed", "running");
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
}

static void out_completed_after_it(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, true, "completed", "postmigrate");
    assert_null(world->domain->run);
    scripted_assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
}

static void out_completed(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, false, "completed", "postmigrate");
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_int_equal(world->domain->run->save.kind, SAVE_GIVEN);
}

/* What it has sent in post-copy tells how it came to its end. */
static void out_completed_by_it(RunWorld *world) {
    settle(world, SAVE_POSTCOPY_OUT, false, "completed", "postmigrate");
    scripted_postcopy_bytes = 8;
    run_world_wait_told(world, "STOPPED:3");
    scripted_assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
}

/* On its way when it was found, and over without post-copy: nobody was told to run it. */
static void out_completed_now(RunWorld *world) {
    settle(world, SAVE_POSTCOPY_OUT, false, "active", "paused");
    qmp_peer_wait_count(world->peer, "migrate-start-postcopy", 1);
    scripted_phase = "completed";
    run_world_wait_told(world, "RESUMED:0");
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
}

static void out_goes_on(RunWorld *world) {
    settle(world, SAVE_POSTCOPY_OUT, false, "active", "paused");
    scripted_after_start = "completed";
    run_world_wait_told(world, "STOPPED:3");
    scripted_assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
}

/* However long it takes. */
static void in_under_way(RunWorld *world) {
    settle(world, SAVE_POSTCOPY_IN, false, "active", "inmigrate");
    qmp_peer_wait_count(world->peer, "query-migrate", 3);
    assert_non_null(world->domain->run);
    qmp_peer_event_now(world->peer, "MIGRATION", "{'status':'postcopy-active'}");
    scripted_phase = "postcopy-active";
    qmp_peer_wait_count(world->peer, "query-status", 2);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0); /* its devices are not there */
    scripted_status = "paused";
    qmp_peer_wait_count(world->peer, "cont", 1);
    scripted_phase = "completed";
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATED);
    assert_int_equal(world->domain->run->save.kind, SAVE_NONE);
}

/* Its old host was told that it is here: what was written last is not what it has come to since. */
static void in_given_paused(RunWorld *world) {
    scripted_qemu(world, "completed", "paused");
    world->domain->run->save = (SaveIntent){.kind = SAVE_FROM, .yours = true};
    domain_set_state(world->domain, DOMAIN_PAUSED, PAUSED_USER);
    save_settle_soon(world->domain);
    fiber_sleep(1);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_USER);
    assert_int_equal(world->domain->run->save.kind, SAVE_NONE);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

static void in_given_not_run(RunWorld *world) {
    scripted_qemu(world, "completed", "paused");
    world->domain->run->save = (SaveIntent){.kind = SAVE_FROM, .yours = true, .running = true};
    domain_set_state(world->domain, DOMAIN_PAUSED, PAUSED_STARTING_UP);
    save_settle_soon(world->domain);
    fiber_sleep(1);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

static void in_not_given(RunWorld *world) {
    settled(world, SAVE_FROM, false, "completed", "paused");
    assert_null(world->domain->run);
}

static void in_completed_after_it(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_IN, true, "completed", "paused");
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATED);
}

static void in_completed(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_IN, false, "completed", "paused");
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

/* On its way here it may be another's yet; a suspend is what the next daemon finds. */
static void in_resumed(RunWorld *world) {
    scripted_qemu(world, "active", "inmigrate");
    world->domain->run->save.kind = SAVE_POSTCOPY_IN;
    domain_set_state(world->domain, DOMAIN_PAUSED, PAUSED_UNKNOWN);
    assert_true(driver_resume(world->domain, NULL) < 0);
    world->domain->run->save.kind = SAVE_FROM;
    assert_true(driver_resume(world->domain, NULL) < 0);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
    world->domain->run->save.tried = true; /* nobody but a person can tell */
    assert_int_equal(driver_resume(world->domain, NULL), 0);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 1);
    world->domain->run->save.kind = SAVE_POSTCOPY_IN;
    world->domain->run->postcopy = world->domain->run->save.running = true;
    domain_set_state(world->domain, DOMAIN_RUNNING, RUNNING_POSTCOPY_FAILED);
    assert_int_equal(driver_suspend(world->domain, NULL), 0);
    assert_false(world->domain->run->save.running);
    assert_int_equal(driver_resume(world->domain, NULL), 0);
    assert_true(world->domain->run->save.running);
}

/* It did not get here, and cannot any more. */
static void in_lost(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_IN, true, "failed", "inmigrate");
    assert_null(world->domain->run);
    scripted_assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_FAILED);
}

static void assert_described(const RunWorld *world, const char *words) {
    const char *advice = NULL;
    CLEANUP_FREE char *text = save_settle_describe(world->domain, &advice);

    if (!words) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_non_null(advice);
    if (!strstr(text, words))
        fail_msg("'%s' but: %s", words, text);
}

/* What is in the way may go: it is tried again, and said until it is settled. */
static void out_again(RunWorld *world) {
    qmp_peer_expect_error(world->peer, "cont", "GenericError", "the image is locked");
    settled(world, SAVE_OUT, false, "cancelled", "paused");
    assert_true(world->domain->run->save.tried);
    assert_described(world, "'cont': the image is locked");
    run_world_wait_told(world, "RESUMED:0");
    run_world_wait_idle(world);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 2);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    assert_int_equal(world->domain->run->save.kind, SAVE_NONE);
    assert_described(world, NULL);
}

/* At once when its other side comes back. */
static void out_asked_for(RunWorld *world) {
    const uint64_t before = now_usec();

    qmp_peer_expect_error(world->peer, "cont", "GenericError", "the image is locked");
    settled(world, SAVE_OUT, false, "cancelled", "paused");
    driver_migrate_confirm(world->domain, &(MigrateParams){0}, true, NULL);
    run_world_wait_told(world, "RESUMED:0");
    assert_true(now_usec() - before < USEC_PER_SEC);
}

static void out_given(RunWorld *world) {
    settled(world, SAVE_GIVEN, false, "completed", "postmigrate");
    assert_described(world, "was handed over to another host");
    assert_int_equal(driver_resume(world->domain, NULL), 0);
    assert_described(world, NULL);
}

/* ---- the destination ---- */

/* Seen by its event alone; and a question without an answer is no verdict. */
static void come(RunWorld *world) {
    TransferStats stats = {0};
    int fds[2];
    DomainJob job;

    scripted_qemu(world, "active", "inmigrate");
    qmp_peer_always(world->peer, "migrate-incoming", "{}");
    world->domain->run->save.kind = SAVE_POSTCOPY_IN;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    qmp_peer_expect_error(world->peer, "query-migrate", "GenericError", "busy");
    qmp_peer_event(world->peer, "MIGRATION", "{'status':'postcopy-active'}");
    scripted_phase = "completed";
    assert_int_equal(
        transfer_migrate(world->domain, TRANSFER_MIGRATE_IN,
                         &(TransferMigration){.fd_consume = fds[0], .ret_stats = &stats}, NULL),
        1);
    close(fds[1]);
    assert_true(world->domain->run->save.seen);
    assert_int_equal(
        transfer_postcopy(world->domain, TRANSFER_MIGRATE_IN, &stats, NULL, NULL, NULL), 0);
    domain_job_end(world->domain, &job);
}

static int open_pipe(Domain *domain, void *userdata, int *ret_fd, Error **reterr) {
    *ret_fd = *(int *)userdata;
    return 0;
}

/* Its monitor ends, its QEMU does not: it may be here, and is not ended. */
static void come_and_unknown(RunWorld *world) {
    const SaveImage image = {0};
    bool kept = false;
    int fds[2];
    const SaveSource source = {.fd = -1,
                               .image = &image,
                               .open = open_pipe,
                               .userdata = fds,
                               .postcopy = true,
                               .kept = &kept};
    DomainJob job;

    scripted_qemu(world, "active", "inmigrate");
    qmp_peer_always(world->peer, "migrate-incoming", "{}");
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    world->domain->run->restore = &source;
    assert_false(save_may_be_here(world->domain));
    qmp_peer_expect(world->peer, "query-migrate", "{'status':'active'}");
    qmp_peer_hang_up(world->peer);
    assert_true(save_load(world->domain, NULL) < 0);
    assert_true(save_may_be_here(world->domain));
    world->domain->run->restore = NULL;
    world->domain->run->stopping = true; /* nobody is to connect again */
    close(fds[1]);
    domain_job_end(world->domain, &job);
}

/* It ends with its monitor, as one that is killed does, a moment later. */
static void end_soon(void *userdata) {
    const RunWorld *world = userdata;
    const pid_t pid = world->domain->run->pid.pid;

    fiber_sleep(50 * USEC_PER_MSEC);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void come_and_ended(RunWorld *world) {
    bool kept = false;
    const SaveSource source = {.open = open_pipe, .postcopy = true, .kept = &kept};
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    world->domain->run->restore = &source;
    world->domain->run->save.kind = SAVE_POSTCOPY_IN;
    qmp_peer_hang_up_now(world->peer);
    while (monitor_is_open(world->domain->run->monitor))
        fiber_sleep(USEC_PER_MSEC);
    assert_int_equal(fiber_start("end", end_soon, world), 0);
    assert_false(save_may_be_here(world->domain));
    world->domain->run->restore = NULL;
    domain_job_end(world->domain, &job);
}

/* QEMU was told to let it run, and said nothing: its monitor is open. */
static void come_and_released(RunWorld *world) {
    bool kept = false, released = true;
    const SaveSource source = {.open = open_pipe, .kept = &kept, .released = &released};
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    world->domain->run->restore = &source;
    world->domain->run->save.kind = SAVE_FROM;
    assert_true(save_may_be_here(world->domain));
    released = false;
    assert_false(save_may_be_here(world->domain));
    world->domain->run->restore = NULL;
    domain_job_end(world->domain, &job);
}

static void load_when_written(void *userdata) {
    const RunWorld *world = userdata;
    const uint64_t deadline = deadline_in(30 * USEC_PER_SEC);

    for (;;) {
        CLEANUP_FREE char *text = run_world_status(world);

        if (text && strstr(text, "kind='postcopy-in'") && strstr(text, "seen='1'"))
            break;
        assert_true(now_usec() < deadline);
        fiber_sleep(USEC_PER_MSEC);
    }
    scripted_status = "paused";
}

/* That it has left its source is written down before its devices are here. */
static void come_and_written(RunWorld *world) {
    const SaveImage image = {0};
    int fds[2];
    const SaveSource source = {
        .fd = -1, .image = &image, .open = open_pipe, .userdata = fds, .postcopy = true};
    DomainJob job;

    scripted_qemu(world, "postcopy-active", "inmigrate");
    qmp_peer_always(world->peer, "migrate-incoming", "{}");
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    world->domain->run->restore = &source;
    assert_int_equal(fiber_start("load", load_when_written, world), 0);
    assert_int_equal(save_load(world->domain, NULL), 0);
    world->domain->run->restore = NULL;
    close(fds[1]);
    domain_job_end(world->domain, &job);
}

static void complete_behind(void *userdata) {
    const RunWorld *world = userdata;

    qmp_peer_wait_count(world->peer, "cont", 3);
    scripted_phase = "completed";
}

static void arrive_held(RunWorld *world, bool whole) {
    scripted_qemu(world, whole ? "completed" : "postcopy-active", "paused");
    world->domain->run->save = (SaveIntent){
        .kind = SAVE_POSTCOPY_IN, .running = true, .seen = true};
    domain_set_state(world->domain, DOMAIN_PAUSED, PAUSED_STARTING_UP);
    for (int i = 0; i < 2; i++)
        qmp_peer_expect_error(world->peer, "cont", "GenericError", "the image is locked");
}

/* A "no" of QEMU to a guest that is here and nowhere else is no last word. */
static void arrive_and_wait(RunWorld *world) {
    Error *refusal = NULL;
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    arrive_held(world, false);
    assert_int_equal(fiber_start("complete", complete_behind, world), 0);
    assert_int_equal(postcopy_arrive(world->domain, true, &refusal, NULL), 0);
    assert_null(refusal);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATED);
    if (!strstr(world->told, "SUSPENDED:7 RESUMED:0 RESUMED:3 RESUMED:1"))
        fail_msg("%s", world->told);
    domain_job_end(world->domain, &job);
}

static void arrive_and_stand(RunWorld *world) {
    Error *refusal = NULL;
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    arrive_held(world, true);
    assert_int_equal(postcopy_arrive(world->domain, true, &refusal, NULL), 0);
    assert_non_null(strstr(error_message(refusal), "is locked"));
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_UNKNOWN);
    error_free(refusal);
    domain_job_end(world->domain, &job);
}

#define TEST(NAME)                                                                                 \
    static void test_##NAME(void **state) {                                                        \
        run_world("", NAME);                                                                       \
    }
TEST(out_failed)
TEST(out_failed_after_it)
TEST(out_not_asked)
TEST(out_completed_after_it)
TEST(out_completed)
TEST(out_completed_now)
TEST(out_goes_on)
TEST(in_under_way)
TEST(in_completed_after_it)
TEST(in_given_paused)
TEST(in_given_not_run)
TEST(in_not_given)
TEST(in_completed)
TEST(in_resumed)
TEST(come)
TEST(come_and_unknown)
TEST(arrive_and_stand)
TEST(arrive_and_wait)
TEST(come_and_written)
TEST(come_and_released)
TEST(come_and_ended)
TEST(out_given)
TEST(out_asked_for)
TEST(out_again)
TEST(in_lost)
TEST(out_completed_by_it)

/* What a Finish that fails says of the guest: its own two codes, and nobody else's. */
static void test_what_is_lost(void **state) {
    static const struct {
        ErrorFrom from;
        ErrorCode code;
        bool lost;
    } rows[] = {
        {FROM_QEMU, ERROR_MIGRATE_FINISH_OK, true},
        {FROM_QEMU, ERROR_OPERATION_ABORTED, true},
        {FROM_QEMU, ERROR_NO_MEMORY, false}, /* of a reply that could not be made */
        {FROM_QEMU, ERROR_OPERATION_FAILED, false},
        {FROM_QEMU, ERROR_OPERATION_TIMEOUT, false},
        {FROM_QEMU, ERROR_MIGRATE_PERSIST_FAILED, false},
        {FROM_QEMU, ERROR_NO_DOMAIN, false},
        {FROM_RPC, ERROR_OPERATION_ABORTED, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_ERROR Error *error = NULL;

        error_report(&error, rows[i].from, rows[i].code, "%s", "why");
        if (migrate_is_lost(error) != rows[i].lost)
            fail_msg("row %zu", i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_lost),
        cmocka_unit_test(test_out_failed),
        cmocka_unit_test(test_out_failed_after_it),
        cmocka_unit_test(test_out_not_asked),
        cmocka_unit_test(test_out_completed_after_it),
        cmocka_unit_test(test_out_completed),
        cmocka_unit_test(test_out_completed_now),
        cmocka_unit_test(test_out_goes_on),
        cmocka_unit_test(test_in_under_way),
        cmocka_unit_test(test_in_completed_after_it),
        cmocka_unit_test(test_in_given_paused),
        cmocka_unit_test(test_in_given_not_run),
        cmocka_unit_test(test_in_not_given),
        cmocka_unit_test(test_in_completed),
        cmocka_unit_test(test_in_resumed),
        cmocka_unit_test(test_come),
        cmocka_unit_test(test_come_and_unknown),
        cmocka_unit_test(test_arrive_and_stand),
        cmocka_unit_test(test_arrive_and_wait),
        cmocka_unit_test(test_come_and_written),
        cmocka_unit_test(test_come_and_released),
        cmocka_unit_test(test_come_and_ended),
        cmocka_unit_test(test_out_given),
        cmocka_unit_test(test_out_asked_for),
        cmocka_unit_test(test_out_again),
        cmocka_unit_test(test_in_lost),
        cmocka_unit_test(test_out_completed_by_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
