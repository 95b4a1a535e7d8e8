/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that come and go are operations: whatever QEMU, the guest and the disk say in whatever
 * order, a device is there in QEMU, in the XML and in the status file, or in none of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "conf/domain-fill.h"
#include "domain/operation-log.h"
#include "driver/device.h"
#include "run-world.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"

#define RNG "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
#define PORT "<controller type='pci' model='pcie-root-port'/>"
#define PORTS "<controller type='pci' model='pcie-root'/>" PORT PORT PORT PORT PORT PORT

static QemuMachine machines[] = {{.name = (char *)"pc-q35-7.2", .alias = (char *)"q35"}};
static QemuCaps caps = {.n_refs = 1000,
                        .arch = (char *)"x86_64",
                        .major = 7,
                        .minor = 2,
                        .machines = machines,
                        .n_machines = 1};

typedef struct Change {
    RunWorld *world;
    DeviceRequest request;
    int result;
    Error *error;
    bool over;
    FiberCond cond;
} Change;

static void run_change(void *userdata) {
    Change *change = userdata;

    change->result = driver_change_device(change->world->domain, &change->request, &change->error);
    change->over = true;
    fiber_cond_broadcast(&change->cond);
}

static void begin(Change *change, RunWorld *world, DeviceVerb verb, unsigned flags) {
    *change = (Change){.world = world, .request = {.verb = verb, .xml = RNG, .flags = flags}};
    if (!world->domain->run->caps) {
        world->domain->run->caps = qemu_caps_ref(&caps);
        assert_int_equal(domain_fill(world->domain->run->live, &(DomainFillParams){0}, NULL), 0);
        assert_int_equal(domain_fill(world->domain->config, &(DomainFillParams){0}, NULL), 0);
    }
    assert_int_equal(fiber_start("change", run_change, change), 0);
}

static int end(Change *change) {
    while (!change->over)
        assert_int_equal(fiber_cond_wait(&change->cond, deadline_in(30 * USEC_PER_SEC)), 0);
    error_free(change->error);
    fiber_cond_done(&change->cond);
    return change->result;
}

static int change_device(RunWorld *world, DeviceVerb verb, unsigned flags) {
    Change change;

    begin(&change, world, verb, flags);
    return end(&change);
}

static const Operation *newest(const RunWorld *world) {
    const Operation *operation = operation_log_first(world->driver->services.operations);

    assert_non_null(operation);
    return operation;
}

static void assert_came_to(const RunWorld *world, OperationState state) {
    assert_string_equal(operation_state_name(newest(world)->state), operation_state_name(state));
}

/* In the XML of what runs, in the status file. */
static void assert_there(const RunWorld *world, bool there) {
    CLEANUP_FREE char *status = run_world_status(world);

    assert_int_equal(world->domain->run->live->n_rngs, there);
    assert_true((status && strstr(status, "<rng")) == there);
}

static void expect_plug(RunWorld *world) {
    qmp_peer_expect(world->peer, "object-add", "{}");
    qmp_peer_expect(world->peer, "device_add", "{}");
}

static void attach(RunWorld *world, unsigned flags) {
    expect_plug(world);
    assert_int_equal(change_device(world, DEVICE_VERB_ATTACH, flags), 0);
    assert_came_to(world, OPERATION_DONE);
    assert_there(world, true);
}

/* ---- attach ---- */

static void attached(RunWorld *world) {
    attach(world, AFFECT_LIVE | AFFECT_CONFIG);
    assert_int_equal(world->domain->config->n_rngs, 1);
    assert_non_null(strstr(world->told, "added:rng0 "));
    assert_non_null(strstr(qmp_peer_arguments(world->peer, "device_add"), "\"rng0\""));
}

static void attach_refused(RunWorld *world) {
    qmp_peer_expect_error(world->peer, "object-add", "GenericError", "no such source");
    assert_true(change_device(world, DEVICE_VERB_ATTACH, AFFECT_LIVE | AFFECT_CONFIG) < 0);
    assert_came_to(world, OPERATION_UNDONE);
    assert_int_equal(world->domain->run->live->n_rngs, 0);
    assert_int_equal(world->domain->config->n_rngs, 0);
}

/* The second of two steps fails: the first is taken back. */
static void attach_half_done(RunWorld *world) {
    qmp_peer_expect(world->peer, "object-add", "{}");
    qmp_peer_expect_error(world->peer, "device_add", "GenericError", "no room");
    qmp_peer_expect(world->peer, "object-del", "{}");
    assert_true(change_device(world, DEVICE_VERB_ATTACH, AFFECT_LIVE) < 0);
    assert_came_to(world, OPERATION_UNDONE);
    assert_int_equal(world->domain->run->live->n_rngs, 0);
}

static void attach_not_undone(RunWorld *world) {
    qmp_peer_expect(world->peer, "object-add", "{}");
    qmp_peer_expect_error(world->peer, "device_add", "GenericError", "no room");
    qmp_peer_expect_error(world->peer, "object-del", "GenericError", "it stays");
    assert_true(change_device(world, DEVICE_VERB_ATTACH, AFFECT_LIVE) < 0);
    assert_came_to(world, OPERATION_FAILED);
}

/* QEMU lets go of it a moment later. */
static void attach_undone_later(RunWorld *world) {
    qmp_peer_expect(world->peer, "object-add", "{}");
    qmp_peer_expect_error(world->peer, "device_add", "GenericError", "no room");
    qmp_peer_expect_error(world->peer, "object-del", "GenericError", "Node x is in use");
    qmp_peer_expect_error(world->peer, "object-del", "GenericError", "Node x is busy: used");
    qmp_peer_expect(world->peer, "object-del", "{}");
    assert_true(change_device(world, DEVICE_VERB_ATTACH, AFFECT_LIVE) < 0);
    assert_came_to(world, OPERATION_UNDONE);
}

/* The monitor ends between two steps: nobody can tell what QEMU did, until it has ended. */
static void attach_cut_off(RunWorld *world) {
    const pid_t pid = world->domain->run->pid.pid;

    qmp_peer_expect(world->peer, "object-add", "{}");
    qmp_peer_expect_silent(world->peer, "device_add");
    qmp_peer_hang_up(world->peer);
    assert_true(change_device(world, DEVICE_VERB_ATTACH, AFFECT_LIVE) < 0);
    assert_came_to(world, OPERATION_ACTING);
    kill(pid, SIGKILL);
    while (world->domain->run)
        fiber_cond_wait(&world->told_more, deadline_in(USEC_PER_SEC / 10));
    waitpid(pid, NULL, 0);
    assert_came_to(world, OPERATION_FAILED);
}

/* ---- QEMU answers nobody any more ---- */

#define IMPATIENT_USEC (200 * USEC_PER_MSEC)

static void change_unanswered(RunWorld *world, DeviceVerb verb) {
    world->driver->services.settings.answer_timeout_usec = IMPATIENT_USEC;
    assert_true(change_device(world, verb, AFFECT_LIVE | AFFECT_CONFIG) < 0);
    world->driver->services.settings.answer_timeout_usec = 0;
    assert_came_to(world, OPERATION_ACTING);
    assert_false(monitor_is_open(world->domain->run->monitor));
}

/* Until it connects again; `expect` says what it is asked then. */
static void connect_again(RunWorld *world, void (*expect)(RunWorld *world)) {
    run_world_connect(world);
    expect(world);
    device_operations_finish(world->domain);
}

static void come_back(RunWorld *world, void (*expect)(RunWorld *world)) {
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    connect_again(world, expect);
    domain_job_end(world->domain, &job);
}

static void expect_it_there(RunWorld *world) {
    qmp_peer_expect(world->peer, "qom-list", "[{'name':'type'},{'name':'rng0'}]");
}

static void expect_it_missing(RunWorld *world) {
    qmp_peer_expect(world->peer, "qom-list", "[{'name':'type'}]");
    qmp_peer_expect_error(world->peer, "closefd", "GenericError", "not found");
}

static void expect_it_taken_back(RunWorld *world) {
    expect_it_missing(world);
    qmp_peer_expect(world->peer, "object-del", "{}");
}

static void expect_silence(RunWorld *world) {
    expect_it_missing(world);
    qmp_peer_expect_silent(world->peer, "object-del");
    world->driver->services.settings.answer_timeout_usec = IMPATIENT_USEC;
}

static void attach_unanswered(RunWorld *world) {
    qmp_peer_expect(world->peer, "object-add", "{}");
    qmp_peer_expect_silent(world->peer, "device_add");
    change_unanswered(world, DEVICE_VERB_ATTACH);
    assert_there(world, false);
}

static void attach_late(RunWorld *world) {
    attach_unanswered(world);
    come_back(world, expect_it_there);
    assert_came_to(world, OPERATION_DONE);
    assert_there(world, true);
    assert_int_equal(world->domain->config->n_rngs, 1);
    assert_non_null(strstr(world->told, "added:rng0 "));
}

static void attach_never(RunWorld *world) {
    attach_unanswered(world);
    come_back(world, expect_it_taken_back);
    assert_came_to(world, OPERATION_UNDONE);
    assert_there(world, false);
    assert_int_equal(world->domain->config->n_rngs, 0);
    assert_null(strstr(world->told, "added:"));
}

static void attach_silent_twice(RunWorld *world) {
    DomainJob job;

    attach_unanswered(world);
    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    connect_again(world, expect_silence);
    assert_came_to(world, OPERATION_ACTING);
    assert_false(monitor_is_open(world->domain->run->monitor));
    world->driver->services.settings.answer_timeout_usec = 0;
    connect_again(world, expect_it_taken_back);
    domain_job_end(world->domain, &job);
    assert_came_to(world, OPERATION_UNDONE);
}

/* The guest may have been asked: the definition's half waits, and both are done later. */
static void detach_unanswered(RunWorld *world) {
    attach(world, AFFECT_LIVE | AFFECT_CONFIG);
    qmp_peer_expect_silent(world->peer, "device_del");
    change_unanswered(world, DEVICE_VERB_DETACH);
    assert_there(world, true);
    assert_int_equal(world->domain->config->n_rngs, 1);
    run_world_wait_idle(world);
    run_world_connect(world);
    qmp_peer_expect_error(world->peer, "device_del", "DeviceNotFound", "Device rng0 not found");
    qmp_peer_expect(world->peer, "qom-list", "[]");
    qmp_peer_expect(world->peer, "object-del", "{}");
    device_operations_resume(world->domain);
    run_world_wait_told(world, "removed:rng0");
    run_world_wait_idle(world);
    assert_came_to(world, OPERATION_DONE);
    assert_there(world, false);
    assert_int_equal(world->domain->config->n_rngs, 0);
}

/* It has gone, and QEMU does not say whether what it hung on has: that is asked once more. */
static void backend_unanswered(RunWorld *world) {
    attach(world, AFFECT_LIVE);
    world->driver->services.settings.answer_timeout_usec = IMPATIENT_USEC;
    qmp_peer_expect(world->peer, "device_del", "{}");
    qmp_peer_event(world->peer, "DEVICE_DELETED", "{'device':'rng0','path':'/x'}");
    qmp_peer_expect_silent(world->peer, "object-del");
    assert_int_equal(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE), 0);
    assert_came_to(world, OPERATION_PENDING);
    assert_there(world, true);
}

static void test_attach_unanswered(void **state) {
    run_world(PORTS, attach_late);
    run_world(PORTS, attach_never);
    run_world(PORTS, attach_silent_twice);
}

static void test_detach_unanswered(void **state) {
    run_world(PORTS, detach_unanswered);
    run_world(PORTS, backend_unanswered);
}

/* The directory of the status files is a file: QEMU gives the device back. */
static void attach_without_status(RunWorld *world) {
    CLEANUP_FREE char *status = path_join(world->dir, "domains"), *kept = NULL;

    kept = strf("%s.kept", status);
    rename(status, kept);
    assert_int_equal(file_write_atomic(status, "", 0, 0600), 0);
    expect_plug(world);
    qmp_peer_expect(world->peer, "device_del", "{}");
    qmp_peer_event(world->peer, "DEVICE_DELETED", "{'device':'rng0','path':'/x'}");
    qmp_peer_expect(world->peer, "object-del", "{}");
    assert_true(change_device(world, DEVICE_VERB_ATTACH, AFFECT_LIVE | AFFECT_CONFIG) < 0);
    assert_came_to(world, OPERATION_UNDONE);
    assert_int_equal(world->domain->run->live->n_rngs, 0);
    assert_int_equal(world->domain->config->n_rngs, 0);
}

/* ---- detach ---- */

static void detached(RunWorld *world) {
    attach(world, AFFECT_LIVE | AFFECT_CONFIG);
    qmp_peer_expect(world->peer, "device_del", "{}");
    qmp_peer_event(world->peer, "DEVICE_DELETED", "{'device':'rng0','path':'/x'}");
    qmp_peer_expect(world->peer, "object-del", "{}");
    assert_int_equal(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE | AFFECT_CONFIG), 0);
    assert_came_to(world, OPERATION_DONE);
    assert_there(world, false);
    assert_int_equal(world->domain->config->n_rngs, 0);
    assert_non_null(strstr(world->told, "removed:rng0 "));
}

/* QEMU tells of it before it answers. */
static void detach_event_first(RunWorld *world) {
    attach(world, AFFECT_LIVE);
    qmp_peer_expect_silent(world->peer, "device_del");
    qmp_peer_event(world->peer, "DEVICE_DELETED", "{'device':'rng0','path':'/x'}");
    qmp_peer_answer(world->peer, "{}");
    qmp_peer_expect(world->peer, "object-del", "{}");
    assert_int_equal(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE), 0);
    assert_came_to(world, OPERATION_DONE);
    assert_there(world, false);
}

static void detach_silent(RunWorld *world) {
    attach(world, AFFECT_LIVE | AFFECT_CONFIG);
    world->driver->services.settings.unplug_timeout_usec = 1000;
    qmp_peer_expect(world->peer, "device_del", "{}");
    assert_int_equal(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE | AFFECT_CONFIG), 0);
    assert_came_to(world, OPERATION_PENDING);
    assert_there(world, true);
    assert_int_equal(world->domain->config->n_rngs, 0);
}

/* Nobody waits for it any more. */
static void goes_late(RunWorld *world) {
    qmp_peer_expect(world->peer, "object-del", "{}");
    qmp_peer_event_now(world->peer, "DEVICE_DELETED", "{'device':'rng0','path':'/x'}");
    qmp_peer_wait(world->peer);
    run_world_wait_told(world, "removed:rng0");
    run_world_wait_idle(world);
    assert_came_to(world, OPERATION_DONE);
    assert_there(world, false);
}

static void detach_late(RunWorld *world) {
    detach_silent(world);
    goes_late(world);
}

static void detach_refused(RunWorld *world) {
    attach(world, AFFECT_LIVE | AFFECT_CONFIG);
    qmp_peer_expect(world->peer, "device_del", "{}");
    qmp_peer_event(world->peer, "DEVICE_UNPLUG_GUEST_ERROR", "{'device':'rng0','path':'/x'}");
    assert_true(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE | AFFECT_CONFIG) < 0);
    assert_came_to(world, OPERATION_REFUSED);
    assert_there(world, true);
    assert_int_equal(world->domain->config->n_rngs, 1);
    assert_non_null(strstr(world->told, "kept:rng0 "));
}

/* A guest that keeps a memory module says so by ACPI; other words of it are none. */
static void detach_refused_by_acpi(RunWorld *world) {
    attach(world, AFFECT_LIVE | AFFECT_CONFIG);
    qmp_peer_expect(world->peer, "device_del", "{}");
    qmp_peer_event(
        world->peer, "ACPI_DEVICE_OST",
        "{'info':{'device':'rng0','slot':'0','slot-type':'DIMM','source':1,'status':1}}");
    qmp_peer_event(
        world->peer, "ACPI_DEVICE_OST",
        "{'info':{'device':'rng0','slot':'0','slot-type':'DIMM','source':3,'status':132}}");
    qmp_peer_event(
        world->peer, "ACPI_DEVICE_OST",
        "{'info':{'device':'rng0','slot':'0','slot-type':'DIMM','source':3,'status':128}}");
    assert_true(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE | AFFECT_CONFIG) < 0);
    assert_came_to(world, OPERATION_REFUSED);
    assert_there(world, true);
    assert_non_null(strstr(world->told, "kept:rng0 "));
    assert_null(strstr(strstr(world->told, "kept:rng0 ") + 1, "kept:rng0 "));
}

static void detach_refused_late(RunWorld *world) {
    detach_silent(world);
    qmp_peer_event_now(world->peer, "DEVICE_UNPLUG_GUEST_ERROR", "{'device':'rng0','path':'/x'}");
    run_world_wait_told(world, "kept:rng0");
    assert_came_to(world, OPERATION_REFUSED);
    assert_there(world, true);
}

static void detach_refused_by_qemu(RunWorld *world) {
    attach(world, AFFECT_LIVE);
    qmp_peer_expect_error(world->peer, "device_del", "GenericError", "cannot be unplugged");
    qmp_peer_expect(world->peer, "qom-list", "[{'name':'rng0','type':'child<x>'}]");
    assert_true(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE) < 0);
    assert_came_to(world, OPERATION_REFUSED);
    assert_there(world, true);
}

static bool before_its_answer;

/* The monitor closes, QEMU lives: the definition has its half, and what the guest does is evidence
 * once QEMU can be heard again. */
static void detach_cut_off(RunWorld *world) {
    attach(world, AFFECT_LIVE | AFFECT_CONFIG);
    if (before_its_answer)
        qmp_peer_expect_silent(world->peer, "device_del");
    else
        qmp_peer_expect(world->peer, "device_del", "{}");
    qmp_peer_hang_up(world->peer);
    assert_int_equal(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE | AFFECT_CONFIG), 0);
    assert_came_to(world, OPERATION_PENDING);
    assert_there(world, true);
    assert_int_equal(world->domain->config->n_rngs, 0);
    run_world_wait_idle(world);
    run_world_connect(world);
    goes_late(world);
}

static void test_detach_cut_off(void **state) {
    for (int i = 0; i < 2; i++) {
        before_its_answer = i > 0;
        run_world(PORTS, detach_cut_off);
    }
}

/* It left while nobody looked, and its event with it. */
static void detach_left_before(RunWorld *world) {
    attach(world, AFFECT_LIVE);
    qmp_peer_expect_error(world->peer, "device_del", "DeviceNotFound", "Device rng0 not found");
    qmp_peer_expect(world->peer, "qom-list", "[]");
    qmp_peer_expect(world->peer, "object-del", "{}");
    assert_int_equal(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE), 0);
    assert_came_to(world, OPERATION_DONE);
    assert_there(world, false);
}

/* One that is asked for again takes the pending one over. */
static void detach_twice(RunWorld *world) {
    const Operation *first;

    detach_silent(world);
    first = newest(world);
    qmp_peer_expect_error(world->peer, "device_del", "GenericError",
                          "Device rng0 is already in the process of unplug");
    qmp_peer_event(world->peer, "DEVICE_DELETED", "{'device':'rng0','path':'/x'}");
    qmp_peer_expect(world->peer, "object-del", "{}");
    world->driver->services.settings.unplug_timeout_usec = 30 * USEC_PER_SEC;
    assert_int_equal(change_device(world, DEVICE_VERB_DETACH, AFFECT_LIVE), 0);
    assert_came_to(world, OPERATION_DONE);
    assert_string_equal(operation_state_name(first->state), "cancelled");
    assert_there(world, false);
}

#define WORLD_TEST(body)                                                                           \
    static void test_##body(void **state) {                                                        \
        run_world(PORTS, body);                                                                    \
    }

WORLD_TEST(attached)
WORLD_TEST(attach_refused)
WORLD_TEST(attach_half_done)
WORLD_TEST(attach_not_undone)
WORLD_TEST(attach_undone_later)
WORLD_TEST(attach_cut_off)
WORLD_TEST(attach_without_status)
WORLD_TEST(detached)
WORLD_TEST(detach_event_first)
WORLD_TEST(detach_silent)
WORLD_TEST(detach_late)
WORLD_TEST(detach_refused)
WORLD_TEST(detach_refused_by_acpi)
WORLD_TEST(detach_refused_late)
WORLD_TEST(detach_refused_by_qemu)
WORLD_TEST(detach_left_before)
WORLD_TEST(detach_twice)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attached),
        cmocka_unit_test(test_attach_refused),
        cmocka_unit_test(test_attach_half_done),
        cmocka_unit_test(test_attach_not_undone),
        cmocka_unit_test(test_attach_undone_later),
        cmocka_unit_test(test_attach_cut_off),
        cmocka_unit_test(test_attach_unanswered),
        cmocka_unit_test(test_detach_unanswered),
        cmocka_unit_test(test_attach_without_status),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_detach_event_first),
        cmocka_unit_test(test_detach_silent),
        cmocka_unit_test(test_detach_late),
        cmocka_unit_test(test_detach_refused),
        cmocka_unit_test(test_detach_refused_by_acpi),
        cmocka_unit_test(test_detach_refused_late),
        cmocka_unit_test(test_detach_refused_by_qemu),
        cmocka_unit_test(test_detach_cut_off),
        cmocka_unit_test(test_detach_left_before),
        cmocka_unit_test(test_detach_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
