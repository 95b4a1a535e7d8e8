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
#include "scripted-qemu.h"
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

/* ---- the other side ---- */

static MigrateDoor door;
static MigrateLink far; /* its half of the words */
static FiberCond news;
static bool performed;
static int result;
static bool asked_meanwhile; /* the guest, for a reboot, between Begin and Perform */
static unsigned more_flags;  /* of the migration */
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
    if (asked_meanwhile)
        world->domain->run->rebooting = true;
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

#define PLACE(ID) "{'socket-id':" ID ",'core-id':0,'thread-id':0}"
#define PATH(ID) "'qom-path':'/machine/unattached/device[" ID "]'"
#define SLOT(ID, MORE) "{'type':'cpu','vcpus-count':1,'props':" PLACE(ID) MORE "}"
#define CPU(ID)                                                                                    \
    "{'cpu-index':" ID ",'thread-id':400000" ID                                                    \
    "," PATH(ID) ",'props':" PLACE(ID) ",'target':'x86_64'}"

static void know_vcpus(RunWorld *world) {
    DomainJob job;

    qmp_peer_always(world->peer, "query-hotpluggable-cpus",
                    "[" SLOT("1", "," PATH("1")) "," SLOT("0", "," PATH("0")) "]");
    qmp_peer_always(world->peer, "query-cpus-fast", "[" CPU("0") "," CPU("1") "]");
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    assert_int_equal(domain_refresh_vcpus(world->domain, NULL), 0);
    domain_job_end(world->domain, &job);
}

/* Until the guest is on its way, with the words open to the test. */
static void begin_with(RunWorld *world, unsigned flags) {
    CLEANUP_FREE char *path = strf("%s/door", world->dir);
    const uint64_t deadline = deadline_in(WAIT_USEC);

    world->driver->services.settings.postcopy = true;
    scripted_qemu(world, "active", "running");
    know_vcpus(world);
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

/* ---- the source ---- */

/* Over before anybody asks: it has left all the same, and the other side is told. */
static void short_one(RunWorld *world) {
    begin(world);
    scripted_after_start = "completed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    assert_int_equal(result, 0);
    wait_heard(MIGRATE_YOURS);
    run_world_wait_idle(world);
    assert_null(world->domain->run);
    scripted_assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
    assert_true(qmp_peer_count(world->peer, "stop") > 0);
    end(world);
}

/* A client's "it has failed" is no proof that it has not run there. */
static void failed_without_a_word(RunWorld *world) {
    CLEANUP_FREE char *text = NULL;

    begin(world);
    scripted_after_start = "failed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    driver_migrate_owner_gone(&world->driver->services, NULL);
    migrate_link_close(&far);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_POSTCOPY_FAILED);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
    text = run_world_status(world);
    assert_non_null(strstr(text, "kind='given'")); /* a person may resume it */
    end(world);
}

/* The other side's is. */
static void failed_and_lost(RunWorld *world) {
    begin(world);
    scripted_after_start = "failed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    run_world_wait_told(world, "SUSPENDED:8");
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_POSTCOPY_FAILED);
    assert_int_equal(migrate_link_say(&far, MIGRATE_LOST), 0);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 1);
    assert_false(world->domain->run->postcopy);
    end(world);
}

/* It runs there, or did: never here again. */
static void failed_and_landed(RunWorld *world) {
    begin(world);
    scripted_after_start = "failed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    assert_int_equal(migrate_link_say(&far, MIGRATE_LANDED), 0);
    assert_int_equal(migrate_link_say(&far, MIGRATE_LOST), 0);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_POSTCOPY_FAILED);
    assert_true(driver_resume(world->domain, NULL) < 0);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
    end(world);
}

/* Asked for, and not come to: the guest goes on here, though it was stopped for it. */
static void asked_in_vain(RunWorld *world) {
    begin(world);
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_POSTCOPY);
    scripted_phase = "failed";
    wait_performed();
    assert_true(result < 0);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    assert_false(far.heard & MIGRATE_YOURS);
    end(world);
}

static char *on_cancel(QmpPeer *peer, json_object *arguments, void *userdata) {
    scripted_phase = "cancelled";
    return strdup("{}");
}

static bool has_ended(int fd) {
    char bytes[64];
    ssize_t n;

    do
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    while (n > 0);
    return n == 0;
}

/* A QEMU that does not come to it, as nobody reads what it sends: its connection is ended, and what
 * it says of that decides. */
static void asked_and_aborted(RunWorld *world) {
    begin(world);
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    assert_false(has_ended(door.state));
    assert_int_equal(transfer_cancel(world->domain, NULL), 0);
    assert_true(has_ended(door.state));
    assert_int_equal(qmp_peer_count(world->peer, "migrate_cancel"), 0);
    scripted_phase = "failed";
    wait_performed();
    assert_non_null(strstr(error_message(failure), "canceled by client"));
    wait_heard(MIGRATE_KEPT);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    end(world);
}

/* Too late: it was in it. */
static void aborted_too_late(RunWorld *world) {
    begin(world);
    scripted_after_start = "postcopy-active";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    assert_true(transfer_cancel(world->domain, NULL) < 0);
    scripted_phase = "completed";
    run_world_wait_idle(world);
    end(world);
}

/* QEMU's "no" to a cancel is no verdict: it may be over by now. */
static void cancel_refused(RunWorld *world) {
    begin_with(world, 0);
    qmp_peer_expect_error(world->peer, "migrate_cancel", "GenericError", "nothing to cancel");
    qmp_peer_compute(world->peer, "migrate_cancel", on_cancel, NULL);
    assert_int_equal(transfer_cancel(world->domain, NULL), 0);
    wait_performed();
    assert_non_null(strstr(error_message(failure), "canceled by client"));
    assert_int_equal(qmp_peer_count(world->peer, "migrate_cancel"), 2);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    end(world);
}

/* What could not be asked once is asked when it is wanted again. */
static void asked_again(RunWorld *world) {
    begin(world);
    qmp_peer_expect_error(world->peer, "migrate-start-postcopy", "GenericError", "not yet");
    assert_true(driver_migrate_start_postcopy(world->domain, NULL) < 0);
    qmp_peer_wait_count(world->peer, "query-migrate",
                        qmp_peer_count(world->peer, "query-migrate") + 2);
    assert_int_equal(qmp_peer_count(world->peer, "migrate-start-postcopy"), 1);
    scripted_after_start = "completed";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    assert_int_equal(result, 0);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
    end(world);
}

/* QEMU says that it is over a moment before it lets a guest run. */
static void refused_for_a_moment(RunWorld *world) {
    begin(world);
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    scripted_status = "finish-migrate";
    qmp_peer_expect_error(world->peer, "cont", "GenericError", "Migration is not finalized yet");
    scripted_phase = "failed";
    wait_performed();
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 2);
    end(world);
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
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_BOOTED);
    end(world);
}

/* While it goes on, and only then, its end is waited for without haste. */
static void long_one(RunWorld *world) {
    begin(world);
    scripted_after_start = "postcopy-active";
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    wait_performed();
    assert_true(driver_migrate_in_postcopy(world->domain));
    scripted_phase = "completed";
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

    scripted_qemu(world, "postcopy-paused", "finish-migrate");
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

/* The guest crashes before it is asked: only this side follows what its definition says of that. */
static void crashed_on_its_way(RunWorld *world) {
    begin(world);
    qmp_peer_compute(world->peer, "migrate_cancel", on_cancel, NULL);
    qmp_peer_event_now(world->peer, "GUEST_PANICKED", "{'action':'pause'}");
    scripted_status = "guest-panicked";
    while (world->domain->state != DOMAIN_CRASHED)
        fiber_sleep(USEC_PER_MSEC);
    assert_true(driver_migrate_start_postcopy(world->domain, NULL) < 0);
    wait_performed();
    assert_non_null(strstr(error_message(failure), "crashed"));
    assert_int_equal(qmp_peer_count(world->peer, "migrate-start-postcopy"), 0);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 0);
    end(world);
}

/* What the guest released while it moved is still there at the other side. */
static void released_on_its_way(RunWorld *world) {
    begin_with(world, MIGRATE_POSTCOPY);
    qmp_peer_compute(world->peer, "migrate_cancel", on_cancel, NULL);
    qmp_peer_always(world->peer, "query-hotpluggable-cpus",
                    "[" SLOT("1", "") "," SLOT("0", "," PATH("0")) "]");
    qmp_peer_always(world->peer, "query-cpus-fast", "[" CPU("0") "]");
    assert_true(driver_migrate_start_postcopy(world->domain, NULL) < 0);
    wait_performed();
    assert_non_null(strstr(error_message(failure), "released a vCPU"));
    assert_int_equal(qmp_peer_count(world->peer, "migrate-start-postcopy"), 0);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    end(world);
}

/* The same of a device that it was asked for before. */
static void released_a_device(RunWorld *world) {
    begin_with(world, 0);
    qmp_peer_always(world->peer, "object-del", "{}");
    qmp_peer_event_now(world->peer, "DEVICE_DELETED", "{'device':'rng0','path':'/x'}");
    while (!world->domain->run->devices.n_gone)
        fiber_sleep(USEC_PER_MSEC);
    scripted_status = "postmigrate";
    scripted_phase = "completed";
    wait_performed();
    assert_true(result < 0);
    assert_non_null(strstr(error_message(failure), "released a device"));
    run_world_wait_told(world, "removed:rng0");
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    assert_int_equal(world->domain->run->live->n_rngs, 0);
    end(world);
}

/* What the guest is asked between Begin and Perform would not go along. */
static void asked_between(RunWorld *world) {
    CLEANUP_FREE char *path = strf("%s/door", world->dir);

    scripted_qemu(world, "active", "running");
    know_vcpus(world);
    performed = false;
    more_flags = 0;
    asked_meanwhile = true;
    assert_int_equal(
        migrate_door_open(&door, &(MigrateDoorParams){.path = path, .news = &news}, NULL), 0);
    assert_int_equal(fiber_start("perform", perform, world), 0);
    wait_performed();
    asked_meanwhile = false;
    assert_true(result < 0);
    assert_non_null(strstr(error_message(failure), "was changed while"));
    world->domain->run->rebooting = false;
    end(world);
}

/* A client's word is none of the destination's: nobody has it there. */
static void confirmed_without_it(RunWorld *world) {
    begin_with(world, 0);
    scripted_status = "postmigrate";
    scripted_phase = "completed";
    wait_performed();
    assert_int_equal(result, 0);
    assert_true(driver_migrate_confirm(world->domain, &(MigrateParams){0}, false, &failure) < 0);
    assert_non_null(strstr(error_message(failure), "goes on here"));
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    end(world);
}

/* The directory of the status files is a file: what cannot be written down is not given away, and
 * is tried once. */
static void given_in_vain(RunWorld *world) {
    CLEANUP_FREE char *status = path_join(world->dir, "domains"), *kept = NULL;
    const uint64_t deadline = deadline_in(WAIT_USEC);

    begin_with(world, 0);
    scripted_status = "postmigrate";
    scripted_phase = "completed";
    wait_performed();
    kept = strf("%s.kept", status);
    assert_int_equal(rename(status, kept), 0);
    assert_int_equal(file_write_atomic(status, "", 0, 0600), 0);
    assert_int_equal(migrate_link_say(&far, MIGRATE_READY), 0);
    while (world->domain->state != DOMAIN_RUNNING && now_usec() < deadline)
        fiber_sleep(USEC_PER_MSEC);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    run_world_wait_idle(world);
    wait_heard(MIGRATE_KEPT);
    assert_false(far.heard & MIGRATE_YOURS);
    assert_int_equal(world->domain->run->save.kind, SAVE_NONE);
    assert_int_equal(qmp_peer_count(world->peer, "cont"), 1);
    end(world);
}

/* Its monitor breaks when it has been given away; somebody looks before the other side's word. */
static void given_without_monitor(RunWorld *world) {
    begin_with(world, 0);
    scripted_status = "postmigrate";
    scripted_phase = "completed";
    wait_performed();
    assert_int_equal(migrate_link_say(&far, MIGRATE_READY), 0);
    wait_heard(MIGRATE_YOURS);
    qmp_peer_hang_up_now(world->peer);
    while (monitor_is_open(world->domain->run->monitor))
        fiber_sleep(USEC_PER_MSEC);
    driver_migrate_owner_gone(&world->driver->services, NULL);
    fiber_sleep(USEC_PER_MSEC);
}

static void landed_without_monitor(RunWorld *world) {
    given_without_monitor(world);
    assert_int_equal(migrate_link_say(&far, MIGRATE_LANDED), 0);
    run_world_wait_idle(world);
    assert_null(world->domain->run);
    scripted_assert_state(world, DOMAIN_SHUTOFF, SHUTOFF_MIGRATED);
    end(world);
}

/* Whoever connects again lets it run. */
static void lost_without_monitor(RunWorld *world) {
    CLEANUP_FREE char *text = NULL;

    given_without_monitor(world);
    assert_int_equal(migrate_link_say(&far, MIGRATE_LOST), 0);
    run_world_wait_idle(world);
    assert_int_equal(world->domain->run->save.kind, SAVE_OUT);
    text = run_world_status(world);
    assert_non_null(strstr(text, "kind='out'"));
    end(world);
}

/* Without post-copy after all: the destination has to be ready first. */
static void asked_and_whole(RunWorld *world) {
    begin_with(world, MIGRATE_POSTCOPY);
    assert_int_equal(driver_migrate_start_postcopy(world->domain, &failure), 0);
    scripted_phase = "completed";
    wait_performed();
    assert_int_equal(result, 0);
    assert_false(driver_migrate_in_postcopy(world->domain));
    scripted_assert_state(world, DOMAIN_PAUSED, PAUSED_MIGRATION);
    assert_false(far.heard & MIGRATE_YOURS);
    migrate_link_close(&far);
    run_world_wait_idle(world);
    scripted_assert_state(world, DOMAIN_RUNNING, RUNNING_MIGRATION_CANCELED);
    end(world);
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
TEST(asked_and_aborted)
TEST(aborted_too_late)
TEST(asked_again)
TEST(cancel_refused)
TEST(crashed_on_its_way)
TEST(released_on_its_way)
TEST(confirmed_without_it)
TEST(given_in_vain)
TEST(landed_without_monitor)
TEST(lost_without_monitor)
TEST(asked_between)
TEST(refused_for_a_moment)
TEST(asked_and_whole)
TEST(deserted)
TEST(long_one)
TEST(resumed_in_vain)

static void test_released_a_device(void **state) {
    run_world("<devices><rng model='virtio'><backend model='random'>/dev/urandom</backend>"
              "<alias name='rng0'/></rng></devices>",
              released_a_device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_one),
        cmocka_unit_test(test_failed_without_a_word),
        cmocka_unit_test(test_failed_and_lost),
        cmocka_unit_test(test_failed_and_landed),
        cmocka_unit_test(test_asked_in_vain),
        cmocka_unit_test(test_asked_and_aborted),
        cmocka_unit_test(test_aborted_too_late),
        cmocka_unit_test(test_asked_again),
        cmocka_unit_test(test_cancel_refused),
        cmocka_unit_test(test_crashed_on_its_way),
        cmocka_unit_test(test_released_on_its_way),
        cmocka_unit_test(test_released_a_device),
        cmocka_unit_test(test_confirmed_without_it),
        cmocka_unit_test(test_given_in_vain),
        cmocka_unit_test(test_landed_without_monitor),
        cmocka_unit_test(test_lost_without_monitor),
        cmocka_unit_test(test_asked_between),
        cmocka_unit_test(test_refused_for_a_moment),
        cmocka_unit_test(test_asked_and_whole),
        cmocka_unit_test(test_deserted),
        cmocka_unit_test(test_long_one),
        cmocka_unit_test(test_resumed_in_vain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
