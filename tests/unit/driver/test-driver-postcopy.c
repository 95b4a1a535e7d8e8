/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has the guest when it is switched to post-copy: the source with a scripted QEMU and the
 * destination's door in the test's hands, and what a later daemon makes of what it finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/migrate-cookie.h"
#include "domain/files.h"
#include "driver/migrate-wire.h"
#include "driver/migrate.h"
#include "driver/postcopy.h"
#include "driver/save-settle.h"
#include "driver/saved.h"
#include "driver/transfer.h"
#include "run-world.h"
#include "util/file.h"
#include "util/json.h"
#include "util/libvirt-numbers.h"

#define WAIT_USEC (30 * USEC_PER_SEC)
#define SHORT_USEC (200 * USEC_PER_MSEC)

static bool hurried; /* no deadline is further away than SHORT_USEC */

uint64_t __real_deadline_in(uint64_t usec);
uint64_t __wrap_deadline_in(uint64_t usec);

uint64_t __wrap_deadline_in(uint64_t usec) {
    return __real_deadline_in(hurried ? MIN_OF(usec, SHORT_USEC) : usec);
}

/* ---- the scripted QEMU ---- */

static const char *phase;       /* of its query-migrate */
static const char *status;      /* of its query-status */
static const char *after_start; /* the phase that post-copy is in when it was asked for; or NULL */

static char *say_phase(QmpPeer *peer, json_object *arguments, void *userdata) {
    return strf("{'status':'%s'}", phase);
}

static char *say_status(QmpPeer *peer, json_object *arguments, void *userdata) {
    return strf("{'status':'%s','running':%s}", status,
                streq(status, "running") ? "true" : "false");
}

static char *on_cont(QmpPeer *peer, json_object *arguments, void *userdata) {
    status = "running";
    return strdup("{}");
}

static char *on_stop(QmpPeer *peer, json_object *arguments, void *userdata) {
    if (streq(status, "running"))
        status = "paused";
    qmp_peer_event_now(peer, "STOP", NULL);
    return strdup("{}");
}

/* So short that nobody sees it by asking. */
static char *on_start(QmpPeer *peer, json_object *arguments, void *userdata) {
    if (after_start) {
        qmp_peer_event_now(peer, "MIGRATION", "{'status':'postcopy-active'}");
        phase = after_start;
    }
    return strdup("{}");
}

static void set_qemu(RunWorld *world, const char *first_phase, const char *first_status) {
    static const char *const fine[] = {"migrate-set-capabilities",
                                       "migrate-set-parameters",
                                       "getfd",
                                       "migrate",
                                       "migrate_cancel",
                                       "closefd"};

    phase = first_phase;
    status = first_status;
    after_start = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
        qmp_peer_always(world->peer, fine[i], "{}");
    qmp_peer_compute(world->peer, "query-migrate", say_phase, NULL);
    qmp_peer_compute(world->peer, "query-status", say_status, NULL);
    qmp_peer_compute(world->peer, "cont", on_cont, NULL);
    qmp_peer_compute(world->peer, "stop", on_stop, NULL);
    qmp_peer_compute(world->peer, "migrate-start-postcopy", on_start, NULL);
}

/* ---- the other side ---- */

static MigrateDoor door;
static MigrateLink far; /* its half of the words */
static FiberCond news;
static bool performed;
static int result;
static unsigned more_flags; /* of the migration */
static Error *failure;

static uint32_t check_of_domain(const RunWorld *world) {
    CLEANUP_FREE char *xml = NULL, *text = NULL;
    CLEANUP_MIGRATE_COOKIE MigrateCookie cookie = {0};
    const MigrateParams params = {0};

    if (driver_migrate_begin(world->domain, &params, &xml, &text, &failure) < 0)
        fail_msg("%s", error_message(failure));
    assert_int_equal(migrate_cookie_parse(text, strlen(text) + 1, &cookie, NULL), 0);
    return cookie.check;
}

static void perform(void *userdata) {
    RunWorld *world = userdata;
    CLEANUP_MIGRATE_COOKIE MigrateCookie cookie = {.name = strdup("d"),
                                                   .host = strdup("far"),
                                                   .boot = strdup(""),
                                                   .namespace = strdup(""),
                                                   .check = check_of_domain(world),
                                                   .has_token = true};
    CLEANUP_FREE char *text = NULL;

    memcpy(cookie.token, door.token, sizeof(cookie.token));
    text = migrate_cookie_format(&cookie);
    assert_non_null(text);
    result = driver_migrate_perform(
        world->domain,
        &(MigrateParams){.uri = door.uri,
                         .flags = MIGRATE_LIVE | MIGRATE_UNSAFE | more_flags,
                         .cookie = text,
                         .cookie_len = strlen(text) + 1},
        &failure);
    performed = true;
    fiber_cond_broadcast(&news);
}

/* Until the guest is on its way, with the words open to the test. */
static void begin_with(RunWorld *world, unsigned flags) {
    CLEANUP_FREE char *path = strf("%s/door", world->dir);
    const uint64_t deadline = deadline_in(WAIT_USEC);

    world->driver->services.settings.postcopy = true;
    set_qemu(world, "active", "running");
    performed = false;
    more_flags = flags;
    error_free(TAKE_PTR(failure));
    assert_int_equal(
        migrate_door_open(&door, &(MigrateDoorParams){.path = path, .news = &news}, NULL), 0);
    assert_int_equal(fiber_start("perform", perform, world), 0);
    while (!migrate_door_is_complete(&door) && !performed)
        assert_int_equal(fiber_cond_wait(&news, deadline), 0);
    if (performed)
        fail_msg("%s", error_message(failure));
    assert_int_equal(migrate_link_open(&far, TAKE_FD(door.words), &news), 0);
    qmp_peer_wait_count(world->peer, "query-migrate", 1);
}

static void begin(RunWorld *world) {
    begin_with(world, MIGRATE_POSTCOPY);
}

static void end(RunWorld *world) {
    migrate_link_close(&far);
    migrate_door_close(&door);
    error_free(TAKE_PTR(failure));
}

static void wait_performed(void) {
    const uint64_t deadline = deadline_in(WAIT_USEC);

    while (!performed)
        assert_int_equal(fiber_cond_wait(&news, deadline), 0);
}

static void wait_heard(unsigned word) {
    const uint64_t deadline = deadline_in(WAIT_USEC);

    while (!(far.heard & word) && !far.ended)
        assert_int_equal(fiber_cond_wait(&news, deadline), 0);
    assert_true(far.heard & word);
}

static void assert_state(const RunWorld *world, DomainState state, int reason) {
    assert_int_equal(world->domain->state, state);
    assert_int_equal(world->domain->reason, reason);
}

/* ---- the source ---- */

/* Over before anybody asks: it has left all the same, and the other side is told. */
static void short_one(RunWorld *world) {
    begin(world);
    after_start = "completed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    assert_int_equal(result, 0);
    wait_heard(MIGRATE_YOURS);
    run_world_wait_idle(world);
    assert_null(world->domain->run);
    assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
    assert_true(qmp_peer_count(world->peer, "stop") > 0);
    end(world);
}

/* A client's "it has failed" is no proof that it has not run there. */
static void failed_without_a_word(RunWorld *world) {
    CLEANUP_FREE char *text = NULL;

    begin(world);
    after_start = "failed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    driver_migrate_owner_gone(&world->driver->services, NULL);
    migrate_link_close(&far);
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_PAUSED, PAUSED_POSTCOPY_FAILED);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
    text = run_world_status(world);
    assert_non_null(strstr(text, "kind='given'")); /* a person may resume it */
    end(world);
}

/* The other side's is. */
static void failed_and_lost(RunWorld *world) {
    begin(world);
    after_start = "failed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    run_world_wait_told(world, "SUSPENDED:8");
    assert_state(world, DOMAIN_PAUSED, PAUSED_POSTCOPY_FAILED);
    assert_int_equal(migrate_link_say(&far, MIGRATE_LOST), 0);
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 1);
    assert_false(world->domain->run->postcopy);
    end(world);
}

/* It runs there, or did: never here again. */
static void failed_and_landed(RunWorld *world) {
    begin(world);
    after_start = "failed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    assert_int_equal(migrate_link_say(&far, MIGRATE_LANDED), 0);
    assert_int_equal(migrate_link_say(&far, MIGRATE_LOST), 0);
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_PAUSED, PAUSED_POSTCOPY_FAILED);
    assert_true(driver_resume(world->domain, NULL) < 0);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
    end(world);
}

/* Asked for, and not come to: the guest goes on here, though it was stopped for it. */
static void asked_in_vain(RunWorld *world) {
    begin(world);
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    assert_state(world, DOMAIN_PAUSED, PAUSED_POSTCOPY);
    phase = "failed";
    wait_performed();
    assert_true(result < 0);
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    assert_false(far.heard & MIGRATE_YOURS);
    end(world);
}

/* QEMU says that it is over a moment before it lets a guest run. */
static void refused_for_a_moment(RunWorld *world) {
    begin(world);
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    status = "finish-migrate";
    qmp_peer_expect_error(world->peer, "cont", "GenericError", "Migration is not finalized yet");
    phase = "failed";
    wait_performed();
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 2);
    end(world);
}

static char *on_cancel(QmpPeer *peer, json_object *arguments, void *userdata) {
    phase = "cancelled";
    return strdup("{}");
}

/* The other vireod ends before its QEMU reads: nobody would take the guest, and QEMU would wait. */
static void deserted(RunWorld *world) {
    begin_with(world, 0);
    qmp_peer_compute(world->peer, "migrate_cancel", on_cancel, NULL);
    migrate_link_close(&far);
    wait_performed();
    assert_true(result < 0);
    assert_non_null(strstr(error_message(failure), "has gone"));
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    end(world);
}

/* While it goes on, and only then, its end is waited for without haste. */
static void long_one(RunWorld *world) {
    begin(world);
    after_start = "postcopy-active";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    assert_true(driver_migrate_in_postcopy(world->domain));
    phase = "completed";
    run_world_wait_idle(world);
    assert_false(driver_migrate_in_postcopy(world->domain));
    end(world);
}

/* A resume that was given up does not go on behind everybody's back. */
static void resumed_in_vain(RunWorld *world) {
    CLEANUP_CLOSE int qemus = -1;
    DomainJob job;
    int fds[2];
    char byte;

    set_qemu(world, "postcopy-paused", "finish-migrate");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    qemus = dup(fds[0]);
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    hurried = true;
    assert_true(postcopy_leave_again(world->domain, fds[0], NULL) < 0);
    hurried = false;
    domain_job_end(world->domain, &job);
    assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
    close(fds[1]);
}

#define SLOT                                                                                       \
    "{'type':'cpu','vcpus-count':1,'props':{'socket-id':0,'core-id':0,'thread-id':0},"             \
    "'qom-path':'/machine/unattached/device[0]'}"
#define CPU                                                                                        \
    "{'cpu-index':0,'thread-id':4000000,'qom-path':'/machine/unattached/device[0]',"               \
    "'props':{'socket-id':0,'core-id':0,'thread-id':0},'target':'x86_64'}"

/* Without post-copy after all: the destination has to be ready first. */
static void asked_and_whole(RunWorld *world) {
    DomainJob job;

    qmp_peer_always(world->peer, "query-hotpluggable-cpus", "[" SLOT "]");
    qmp_peer_always(world->peer, "query-cpus-fast", "[" CPU "]");
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    assert_int_equal(domain_refresh_vcpus(world->domain, NULL), 0);
    domain_job_end(world->domain, &job);
    begin(world);
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    phase = "completed";
    wait_performed();
    assert_int_equal(result, 0);
    assert_false(driver_migrate_in_postcopy(world->domain));
    assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_false(far.heard & MIGRATE_YOURS);
    migrate_link_close(&far);
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    end(world);
}

/* ---- what a later daemon finds ---- */

static void settle(RunWorld *world, SaveKind kind, bool seen, const char *found_phase,
                   const char *found_status) {
    set_qemu(world, found_phase, found_status);
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
    assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_int_equal(world->domain->run->save.kind, SAVE_GIVEN);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

static void out_failed_after_it(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, true, "failed", "running"); /* QEMU's own doing */
    assert_string_equal(status, "paused");
    assert_int_equal(world->domain->run->save.kind, SAVE_GIVEN);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

/* It runs: so it was never stopped, and QEMU never asked. */
static void out_not_asked(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, false, "failed", "running");
    assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
}

static void out_completed_after_it(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, true, "completed", "postmigrate");
    assert_null(world->domain->run);
    assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
}

static void out_completed(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_OUT, false, "completed", "postmigrate");
    assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_int_equal(world->domain->run->save.kind, SAVE_GIVEN);
}

/* On its way when it was found, and over without post-copy: nobody was told to run it. */
static void out_completed_now(RunWorld *world) {
    settle(world, SAVE_POSTCOPY_OUT, false, "active", "paused");
    qmp_peer_wait_count(world->peer, "migrate-start-postcopy", 1);
    phase = "completed";
    run_world_wait_told(world, "RESUMED:0");
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
}

static void out_goes_on(RunWorld *world) {
    settle(world, SAVE_POSTCOPY_OUT, false, "active", "paused");
    after_start = "completed";
    run_world_wait_told(world, "STOPPED:3");
    assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
}

/* However long it takes. */
static void in_under_way(RunWorld *world) {
    settle(world, SAVE_POSTCOPY_IN, false, "active", "inmigrate");
    qmp_peer_wait_count(world->peer, "query-migrate", 3);
    assert_non_null(world->domain->run);
    qmp_peer_event_now(world->peer, "MIGRATION", "{'status':'postcopy-active'}");
    phase = "postcopy-active";
    qmp_peer_wait_count(world->peer, "query-status", 2);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0); /* its devices are not there */
    status = "paused";
    qmp_peer_wait_count(world->peer, "cont", 1);
    phase = "completed";
    run_world_wait_idle(world);
    assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATED);
    assert_int_equal(world->domain->run->save.kind, SAVE_NONE);
}

static void in_completed_after_it(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_IN, true, "completed", "paused");
    assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATED);
}

static void in_completed(RunWorld *world) {
    settled(world, SAVE_POSTCOPY_IN, false, "completed", "paused");
    assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
}

/* On its way here it may be another's yet; a suspend is what the next daemon finds. */
static void in_resumed(RunWorld *world) {
    set_qemu(world, "active", "inmigrate");
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

/* ---- the destination ---- */

/* Seen by its event alone; and a question without an answer is no verdict. */
static void come(RunWorld *world) {
    TransferStats stats = {0};
    int fds[2];
    DomainJob job;

    set_qemu(world, "active", "inmigrate");
    qmp_peer_always(world->peer, "migrate-incoming", "{}");
    world->domain->run->save.kind = SAVE_POSTCOPY_IN;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    qmp_peer_expect_error(world->peer, "query-migrate", "GenericError", "busy");
    qmp_peer_event(world->peer, "MIGRATION", "{'status':'postcopy-active'}");
    phase = "completed";
    assert_int_equal(
        transfer_migrate(world->domain, TRANSFER_MIGRATE_IN,
                         &(TransferMigration){.fd_consume = fds[0], .ret_stats = &stats}, NULL),
        1);
    close(fds[1]);
    assert_true(world->domain->run->save.seen);
    assert_int_equal(transfer_postcopy(world->domain, TRANSFER_MIGRATE_IN, &stats, NULL), 0);
    domain_job_end(world->domain, &job);
}

static int open_pipe(Domain *domain, void *userdata, int *ret_fd, Error **reterr) {
    *ret_fd = *(int *)userdata;
    return 0;
}

/* Its monitor ends, its QEMU does not: it may be here, and is not ended. */
static void come_and_unknown(RunWorld *world) {
    const SaveImage image = {0};
    int fds[2];
    const SaveSource source = {
        .fd = -1, .image = &image, .open = open_pipe, .userdata = fds, .postcopy = true};
    DomainJob job;

    set_qemu(world, "active", "inmigrate");
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

#define TEST(NAME)                                                                                 \
    static void test_##NAME(void **state) {                                                        \
        run_world("", NAME);                                                                       \
    }
TEST(short_one)
TEST(failed_without_a_word)
TEST(failed_and_lost)
TEST(failed_and_landed)
TEST(asked_in_vain)
TEST(refused_for_a_moment)
TEST(asked_and_whole)
TEST(deserted)
TEST(long_one)
TEST(resumed_in_vain)
TEST(out_failed)
TEST(out_failed_after_it)
TEST(out_not_asked)
TEST(out_completed_after_it)
TEST(out_completed)
TEST(out_completed_now)
TEST(out_goes_on)
TEST(in_under_way)
TEST(in_completed_after_it)
TEST(in_completed)
TEST(in_resumed)
TEST(come)
TEST(come_and_unknown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_one),
        cmocka_unit_test(test_failed_without_a_word),
        cmocka_unit_test(test_failed_and_lost),
        cmocka_unit_test(test_failed_and_landed),
        cmocka_unit_test(test_asked_in_vain),
        cmocka_unit_test(test_refused_for_a_moment),
        cmocka_unit_test(test_asked_and_whole),
        cmocka_unit_test(test_deserted),
        cmocka_unit_test(test_long_one),
        cmocka_unit_test(test_resumed_in_vain),
        cmocka_unit_test(test_out_failed),
        cmocka_unit_test(test_out_failed_after_it),
        cmocka_unit_test(test_out_not_asked),
        cmocka_unit_test(test_out_completed_after_it),
        cmocka_unit_test(test_out_completed),
        cmocka_unit_test(test_out_completed_now),
        cmocka_unit_test(test_out_goes_on),
        cmocka_unit_test(test_in_under_way),
        cmocka_unit_test(test_in_completed_after_it),
        cmocka_unit_test(test_in_completed),
        cmocka_unit_test(test_in_resumed),
        cmocka_unit_test(test_come),
        cmocka_unit_test(test_come_and_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
