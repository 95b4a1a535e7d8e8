/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU changes against a QEMU that is only its monitor: the evidence of a removal comes before,
 * between and after the commands that wait for it, twice, or never; and so do answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "domain/removal.h"
#include "driver/driver.h"
#include "driver/run-link.h"
#include "live-def.h"
#include "qmp-peer.h"
#include "util/file.h"
#include "util/json.h"
#include "util/libvirt-numbers.h"

#define MAX_VCPUS 6u
#define LONG_USEC                                                                                  \
    (60 * USEC_PER_SEC) /* no test waits for it: who comes to it has missed evidence */
#define SHORT_USEC (50 * USEC_PER_MSEC)

/* When the machine gives up the next vCPU of those it was asked for. */
typedef enum Moment {
    AT_REQUEST,   /* its event comes before the answer of device_del */
    AT_SLOTS,     /* before the answer of query-hotpluggable-cpus, which still has it */
    AT_THREADS,   /* between that answer and the one of query-cpus-fast */
    AT_ONCE_MORE, /* at the request, and its event comes again with each query */
    IN_A_WHILE,   /* when nothing is under way any more */
    UNASKED,      /* without an event, as another goes IN_A_WHILE */
    UNSEEN,       /* at once, without an event */
    NEVER,
    UNANSWERED, /* never, and device_del has no answer */
    /* Its QEMU ends the connection in the place of device_del's answer, or in a while; later it
     * goes at t.moment_after_hang_up. */
    HANGS_UP,
    HANGS_UP_SOON,
} Moment;

static struct {
    char dir[32];
    Driver *driver;
    Domain *domain;
    QmpPeer *peer;
    bool online[MAX_VCPUS], asked[MAX_VCPUS];
    Moment moments[MAX_VCPUS], moment_after_hang_up;
    const char *refusal[MAX_VCPUS]; /* data of ACPI_DEVICE_OST in the place of the removal */
    unsigned n_removed;             /* events that listeners were told */
    sd_event_source *later;
    bool hurried; /* no deadline is further away than SHORT_USEC */
    void (*body)(void);
} t;

uint64_t __real_deadline_in(uint64_t usec);
uint64_t __wrap_deadline_in(uint64_t usec);

uint64_t __wrap_deadline_in(uint64_t usec) {
    return __real_deadline_in(t.hurried ? MIN_OF(usec, SHORT_USEC) : usec);
}

/* ---- the machine ---- */

static void tell_of(unsigned id) {
    CLEANUP_FREE char *data = strf("{'device':'vcpu%u','path':'/machine/peripheral/vcpu%u'}", id,
                                   id);

    if (t.refusal[id])
        qmp_peer_event_now(t.peer, "ACPI_DEVICE_OST", t.refusal[id]);
    else
        qmp_peer_event_now(t.peer, "DEVICE_DELETED", data);
}

static void give_up(unsigned id) {
    t.asked[id] = false;
    t.online[id] = t.refusal[id] != NULL;
    tell_of(id);
}

static void give_up_at(Moment moment) {
    for (unsigned id = 0; id < MAX_VCPUS; id++)
        if (t.asked[id] && t.moments[id] == moment)
            give_up(id);
}

static char *slots(QmpPeer *peer, json_object *arguments, void *userdata) {
    CLEANUP_FREE char *text = strdup("[");

    for (unsigned id = 0; id < MAX_VCPUS; id++) {
        CLEANUP_FREE char *path = t.online[id]
                                      ? strf(",'qom-path':'/machine/%s%u'",
                                             id ? "peripheral/vcpu" : "unattached/device", id)
                                      : strdup("");
        char *grown = strf("%s%s{'type':'cpu','vcpus-count':1,'props':{'socket-id':%u,'core-id':0,"
                           "'thread-id':0}%s}",
                           text, id ? "," : "", id, path);

        free(text);
        text = grown;
    }
    give_up_at(AT_SLOTS);
    for (unsigned id = 0; id < MAX_VCPUS; id++)
        if (t.moments[id] == AT_ONCE_MORE && !t.online[id])
            tell_of(id);
    return strf("%s]", text);
}

static char *cpus(QmpPeer *peer, json_object *arguments, void *userdata) {
    CLEANUP_FREE char *text = strdup("[");
    unsigned n = 0;

    for (unsigned id = 0; id < MAX_VCPUS; id++) {
        char *grown;

        if (!t.online[id])
            continue;
        grown = strf("%s%s{'cpu-index':%u,'thread-id':%u,'qom-path':'/machine/%s%u','props':"
                     "{'socket-id':%u,'core-id':0,'thread-id':0},'target':'x86_64'}",
                     text, n++ ? "," : "", id, 4000000 + id,
                     id ? "peripheral/vcpu" : "unattached/device", id, id);
        free(text);
        text = grown;
    }
    give_up_at(AT_THREADS);
    return strf("%s]", text);
}

static unsigned id_of(json_object *arguments) {
    unsigned id = 0;

    assert_int_equal(sscanf(json_member_string(arguments, "id"), "vcpu%u", &id), 1);
    assert_in_range(id, 1, MAX_VCPUS - 1);
    return id;
}

static char *device_add(QmpPeer *peer, json_object *arguments, void *userdata) {
    t.online[id_of(arguments)] = true;
    return strdup("{}");
}

static int on_later(sd_event_source *source, uint64_t usec, void *userdata) {
    for (unsigned id = 0; id < MAX_VCPUS; id++)
        t.online[id] = t.online[id] && t.moments[id] != UNASKED;
    give_up_at(IN_A_WHILE);
    return 0;
}

static void in_a_while(sd_event_time_handler_t func) {
    t.later = sd_event_source_disable_unref(t.later);
    assert_true(sd_event_add_time_relative(fiber_event(), &t.later, CLOCK_MONOTONIC,
                                           20 * USEC_PER_MSEC, 0, func, NULL) >= 0);
}

static void hang_up(void) {
    for (unsigned id = 0; id < MAX_VCPUS; id++) {
        if (t.moments[id] != HANGS_UP && t.moments[id] != HANGS_UP_SOON)
            continue;
        t.moments[id] = t.moment_after_hang_up;
        t.online[id] = t.online[id] && t.moments[id] != UNSEEN;
    }
    t.hurried = true; /* whether QEMU ends, too, is waited for */
    qmp_peer_hang_up_now(t.peer);
}

static int on_hang_up(sd_event_source *source, uint64_t usec, void *userdata) {
    hang_up();
    return 0;
}

static char *device_del(QmpPeer *peer, json_object *arguments, void *userdata) {
    const unsigned id = id_of(arguments);

    t.asked[id] = true;
    give_up_at(AT_REQUEST);
    give_up_at(AT_ONCE_MORE);
    if (t.moments[id] == UNSEEN)
        t.online[id] = t.asked[id] = false;
    if (t.moments[id] == IN_A_WHILE)
        in_a_while(on_later);
    if (t.moments[id] == HANGS_UP_SOON)
        in_a_while(on_hang_up);
    if (t.moments[id] == HANGS_UP)
        hang_up();
    else if (t.moments[id] != UNANSWERED)
        return strdup("{}");
    return NULL;
}

/* ---- the daemon ---- */

static void on_removed(Domain *domain, unsigned vcpu, void *userdata) {
    t.n_removed++;
}

static const DomainEvents events = {.vcpu_removed = on_removed};

static DomainDef *make_def(void) {
    static const char xml[] = "<domain type='kvm'><name>d</name><memory>65536</memory>"
                              "<vcpu current='1'>6</vcpu><os><type arch='x86_64' machine='q35'>hvm"
                              "</type></os><features><acpi/></features><devices>"
                              "<emulator>/nowhere/qemu</emulator></devices></domain>";

    return live_def(xml);
}

static void make_domain(void) {
    Services *services = &t.driver->services;
    CLEANUP_ERROR Error *error = NULL;
    DomainRun *live;

    t.domain = domain_new();
    t.domain->config = make_def();
    live = t.domain->run = domain_run_new(store_take_id(services->store), make_def());
    assert_int_equal(qemu_process_identify(getpid(), &live->pid), 0);
    live->monitor_path = path_join(t.dir, "monitor");
    live->log_path = path_join(t.dir, "log");
    store_add(services->store, t.domain, services);
    domain_set_state(t.domain, DOMAIN_RUNNING, RUNNING_BOOTED);
    t.peer = qmp_peer_listen(live->monitor_path);
    qmp_peer_compute(t.peer, "query-hotpluggable-cpus", slots, NULL);
    qmp_peer_compute(t.peer, "query-cpus-fast", cpus, NULL);
    qmp_peer_compute(t.peer, "device_add", device_add, NULL);
    qmp_peer_compute(t.peer, "device_del", device_del, NULL);
    /* What a reconnection asks besides. */
    qmp_peer_always(t.peer, "query-iothreads", "[]");
    qmp_peer_always(t.peer, "qom-list", "[]");
    qmp_peer_always(t.peer, "query-status", "{'status':'running'}");
    if (monitor_connect(live->monitor_path, "d", &run_link_ops, t.domain, NULL,
                        deadline_in(LONG_USEC), &live->monitor, &error) < 0 ||
        run_link_handshake(t.domain, deadline_in(LONG_USEC), &error) < 0)
        fail_msg("%s", error_message(error));
}

static Operation *newest(void) {
    return operation_log_first(t.driver->services.operations);
}

static void run_body(void *userdata) {
    DomainJob job;

    make_domain();
    assert_int_equal(domain_job_begin(t.domain, &job, "the test", NULL), 0);
    assert_int_equal(domain_refresh_vcpus(t.domain, NULL), 0);
    domain_job_end(t.domain, &job);
    t.body();
    driver_stop(t.driver);
    driver_wait_stopped(t.driver, deadline_in(LONG_USEC));
    while (t.domain->n_refs > 2) /* the store's and the test's: others are fibers at work */
        fiber_sleep(USEC_PER_MSEC);
    sd_event_exit(fiber_event(), 0);
}

/* Runs the body on a fiber; the domain has `online` vCPUs. */
static void run(unsigned online, void (*body)(void)) {
    CLEANUP_FREE char *remove = NULL, *domains = NULL, *operations = NULL;
    CLEANUP_ERROR Error *error = NULL;
    sd_event *event = NULL;

    memset(&t, 0, sizeof(t));
    strcpy(t.dir, "/tmp/vireo-removal.XXXXXX");
    t.body = body;
    for (unsigned id = 0; id < online; id++)
        t.online[id] = true;
    assert_non_null(mkdtemp(t.dir));
    assert_int_equal(sd_event_new(&event), 0);
    assert_int_equal(fiber_init(event), 0);
    if (driver_new(&(DriverParams){.paths = {t.dir, t.dir, t.dir, t.dir},
                                   .limits = {.partition = "/none"},
                                   .events = &events},
                   &t.driver, &error) < 0)
        fail_msg("%s", error_message(error));
    domains = path_join(t.dir, "domains");
    operations = path_join(t.dir, "operations");
    mkdir(domains, 0700);
    mkdir(operations, 0700);
    assert_int_equal(fiber_start("body", run_body, NULL), 0);
    assert_int_equal(sd_event_loop(event), 0);
    t.later = sd_event_source_disable_unref(t.later);
    domain_unref(t.domain);
    driver_free(t.driver);
    qmp_peer_free(t.peer);
    fiber_shutdown();
    sd_event_unref(event);
    remove = strf("rm -r '%s'", t.dir);
    assert_int_equal(system(remove), 0);
}

/* ---- what is asked for ---- */

static int set_count(unsigned count, uint64_t timeout, Error **reterr) {
    const VcpuRequest request = {
        .count = count, .flags = AFFECT_LIVE | AFFECT_CONFIG, .timeout_usec = timeout};

    return driver_change_vcpus(t.domain, &request, NULL, reterr);
}

static void assert_counts(unsigned live, unsigned config) {
    assert_int_equal(domain_def_online_vcpus(t.domain->run->live), live);
    assert_int_equal(domain_def_online_vcpus(t.domain->config), config);
}

static void change(unsigned count, uint64_t timeout) {
    CLEANUP_ERROR Error *error = NULL;

    if (set_count(count, timeout, &error) < 0)
        fail_msg("%s", error_message(error));
    assert_counts(count, count);
    assert_int_equal(newest()->state, OPERATION_DONE);
}

/* Its evidence is waited for longer than a test may take. */
static void shrink(unsigned count, unsigned n_removed) {
    change(count, LONG_USEC);
    assert_int_equal(t.n_removed, n_removed);
}

static void plug(void) {
    change(4, 0);
    assert_int_equal(qmp_peer_count(t.peer, "device_add"), 3);
}

/* Each pair of moments for the two that are asked for. */
static const Moment seen[] = {AT_REQUEST, AT_SLOTS, AT_THREADS, AT_ONCE_MORE, IN_A_WHILE};
static Moment first, second;

static void remove_two(void) {
    t.moments[3] = first;
    t.moments[2] = second;
    shrink(2, 2);
}

static void test_evidence_at_any_moment(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
        for (size_t k = 0; k < ARRAY_SIZE(seen); k++) {
            first = seen[i];
            second = seen[k];
            if ((first == AT_SLOTS || first == AT_THREADS) &&
                (second == AT_SLOTS || second == AT_THREADS))
                continue; /* nobody has a reason to ask */
            run(4, remove_two);
        }
}

static void lost_event(void) {
    t.moments[3] = UNSEEN;
    change(3, SHORT_USEC);
}

/* The guest is silent until after the deadline: the operation is pending, and ends by itself. */
static void late(void) {
    CLEANUP_ERROR Error *error = NULL;
    Operation *operation;

    t.moments[3] = NEVER;
    t.domain->run->live->unplug_timeout_usec = 2 * LONG_USEC; /* of looks without a sign, too */
    assert_true(set_count(3, SHORT_USEC, &error) < 0);
    assert_int_equal(error->code, ERROR_OPERATION_TIMEOUT);
    operation = newest();
    assert_int_equal(operation->state, OPERATION_PENDING);
    assert_counts(4, 1);
    give_up(3);
    assert_int_equal(operation_wait(operation, deadline_in(LONG_USEC)), 0);
    assert_int_equal(operation->state, OPERATION_DONE);
    assert_counts(3, 3);
    assert_int_equal(t.n_removed, 1);
}

/* An older request's late end while a newer change is under way: neither is lost. */
static void late_during_another(void) {
    t.moments[3] = NEVER;
    assert_true(set_count(3, SHORT_USEC, NULL) < 0);
    t.moments[3] = t.moments[2] = AT_THREADS;
    t.moments[1] = AT_REQUEST;
    shrink(1, 3);
}

#define REFUSED(id) "{'info':{'slot':'" #id "','slot-type':'CPU','source':3,'status':1}}"

/* A pending removal of vCPU 2, of the running machine only. */
static Operation *let_pend(void) {
    const VcpuRequest request = {
        .single = true, .ids = (char *)"2", .flags = AFFECT_LIVE, .timeout_usec = SHORT_USEC};

    t.domain->run->live->unplug_timeout_usec = 2 * LONG_USEC; /* of looks without a sign, too */
    t.moments[2] = NEVER;
    assert_true(driver_change_vcpus(t.domain, &request, NULL, NULL) < 0);
    assert_int_equal(newest()->state, OPERATION_PENDING);
    return newest();
}

/* Who waits for vCPU 3 sees that vCPU 2 has gone, too: the operation of either is completed. */
static void late_while_another_waits(void) {
    Operation *earlier = let_pend();

    t.moments[3] = IN_A_WHILE;
    t.moments[2] = UNASKED;
    assert_int_equal(set_count(3, LONG_USEC, NULL), 0);
    assert_int_equal(newest()->state, OPERATION_DONE);
    assert_int_equal(earlier->state, OPERATION_DONE);
    assert_counts(2, 3);
    assert_int_equal(t.n_removed, 2);
}

/* A refusal is told to whom it is about: vCPU 3 is not refused with vCPU 2. */
static void refused_while_another_waits(void) {
    Operation *earlier = let_pend();

    t.refusal[2] = REFUSED(2);
    t.moments[2] = AT_REQUEST; /* of vCPU 3 */
    t.moments[3] = IN_A_WHILE;
    assert_int_equal(set_count(3, LONG_USEC, NULL), 0);
    assert_int_equal(newest()->state, OPERATION_DONE);
    assert_int_equal(operation_wait(earlier, deadline_in(LONG_USEC)), 0);
    assert_int_equal(earlier->state, OPERATION_REFUSED);
    assert_non_null(strstr(earlier->detail, "rejected by the guest"));
    assert_counts(3, 3);
}

static Moment refused_at;

static void refused(void) {
    CLEANUP_ERROR Error *error = NULL;

    t.moments[3] = refused_at;
    t.refusal[3] = REFUSED(3);
    assert_true(set_count(3, LONG_USEC, &error) < 0);
    assert_int_equal(error->code, ERROR_OPERATION_FAILED);
    assert_non_null(strstr(error_message(error), "rejected by the guest"));
    assert_counts(4, 1);
    assert_int_equal(newest()->state, OPERATION_REFUSED);
}

static void test_refused_at_any_moment(void **state) {
    static const Moment moments[] = {AT_REQUEST, IN_A_WHILE};

    for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
        refused_at = moments[i];
        run(4, refused);
    }
}

/* One after the other, as an old QEMU wants it, and the next goes before it is asked for. */
static void next_goes_unasked(void) {
    t.domain->run->live->virt = DOMAIN_VIRT_QEMU;
    t.moments[3] = IN_A_WHILE;
    t.moments[2] = UNASKED;
    shrink(2, 2);
    assert_int_equal(qmp_peer_count(t.peer, "device_del"), 1);
}

/* One refuses and one goes: what went is gone, and said. */
static void half_refused(void) {
    CLEANUP_ERROR Error *error = NULL;

    t.moments[3] = AT_REQUEST;
    t.moments[2] = IN_A_WHILE;
    t.refusal[2] = REFUSED(2);
    assert_true(set_count(2, LONG_USEC, &error) < 0);
    assert_non_null(strstr(error_message(error), "1 of 2 vCPU devices were removed"));
    assert_counts(3, 1);
    assert_int_equal(newest()->state, OPERATION_REFUSED);
}

/* QEMU's own refusals of device_del. */
static void no_such_device(void) {
    t.moments[3] = NEVER;
    t.online[3] = false; /* it went unseen, before it was asked */
    qmp_peer_expect_error(t.peer, "device_del", "DeviceNotFound", "Device vcpu3 not found");
    shrink(3, 1);
}

static void asked_before(void) {
    t.moments[3] = NEVER;
    assert_true(set_count(3, SHORT_USEC, NULL) < 0);
    t.moments[3] = IN_A_WHILE;
    in_a_while(on_later);
    qmp_peer_expect_error(t.peer, "device_del", "GenericError",
                          "Device vcpu3 is already in the process of unplug");
    shrink(3, 1);
}

static void cannot_be_asked(void) {
    qmp_peer_expect_error(t.peer, "device_del", "GenericError", "no");
    assert_true(set_count(3, LONG_USEC, NULL) < 0);
    assert_counts(4, 1);
    assert_int_equal(newest()->state, OPERATION_REFUSED);
}

/* A change from 4 to 3 that was pending. */
static void wait_done(Operation *operation) {
    assert_int_equal(operation_wait(operation, deadline_in(LONG_USEC)), 0);
    assert_int_equal(operation->state, OPERATION_DONE);
    assert_counts(3, 3);
    assert_int_equal(t.n_removed, 1);
}

/* QEMU takes device_del and says nothing: the call ends at the deadline of an answer, not of the
 * guest, and what happens afterwards completes the change. */
static void never_answered(void) {
    CLEANUP_ERROR Error *error = NULL;

    t.moments[3] = UNANSWERED;
    t.hurried = true;
    assert_true(set_count(3, LONG_USEC, &error) < 0);
    t.hurried = false;
    assert_non_null(strstr(error_message(error), "no answer to device_del"));
    assert_counts(4, 1);
    assert_int_equal(newest()->state, OPERATION_PENDING);
    give_up(3);
    wait_done(newest());
    t.moments[2] = AT_REQUEST;
    shrink(2, 2);
}

/* The first of three device_adds fails: the others are taken away again. */
static void half_plugged(void) {
    CLEANUP_ERROR Error *error = NULL;

    t.moments[2] = AT_SLOTS;
    qmp_peer_expect_error(t.peer, "device_add", "GenericError", "no room");
    assert_true(set_count(4, 0, &error) < 0);
    assert_non_null(strstr(error_message(error), "that were added are removed again"));
    assert_counts(1, 1);
    assert_int_equal(newest()->state, OPERATION_UNDONE);
    qmp_peer_wait(t.peer);
}

/* ---- the monitor breaks ---- */

/* Nobody sleeps on, and the change is completed when QEMU can be asked again. */
static void cut_off(void) {
    CLEANUP_ERROR Error *error = NULL;

    t.moments[3] = first;
    t.moment_after_hang_up = second;
    assert_true(set_count(3, LONG_USEC, &error) < 0);
    assert_non_null(strstr(error_message(error), "was asked to release 1 vCPU devices"));
    assert_int_equal(newest()->state, OPERATION_PENDING);
    assert_counts(4, 1);
    while (qmp_peer_count(t.peer, "qmp_capabilities") < 2) /* the second connection */
        fiber_sleep(USEC_PER_MSEC);
    t.hurried = false;
    wait_done(newest());
}

static void test_cut_off_at_any_moment(void **state) {
    static const Moment cuts[] = {HANGS_UP, HANGS_UP_SOON};
    static const Moment moments[] = {UNSEEN, AT_REQUEST, AT_SLOTS, AT_THREADS, IN_A_WHILE};

    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
        for (size_t k = 0; k < ARRAY_SIZE(moments); k++) {
            first = cuts[i];
            second = moments[k];
            run(4, cut_off);
        }
}

#define RUN_TEST(body, online)                                                                     \
    static void test_##body(void **state) {                                                        \
        run(online, body);                                                                         \
    }

RUN_TEST(plug, 1)
RUN_TEST(lost_event, 4)
RUN_TEST(late, 4)
RUN_TEST(late_during_another, 4)
RUN_TEST(late_while_another_waits, 4)
RUN_TEST(refused_while_another_waits, 4)
RUN_TEST(next_goes_unasked, 4)
RUN_TEST(half_refused, 4)
RUN_TEST(no_such_device, 4)
RUN_TEST(asked_before, 4)
RUN_TEST(cannot_be_asked, 4)
RUN_TEST(never_answered, 4)
RUN_TEST(half_plugged, 1)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plug),
        cmocka_unit_test(test_evidence_at_any_moment),
        cmocka_unit_test(test_lost_event),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_late_during_another),
        cmocka_unit_test(test_late_while_another_waits),
        cmocka_unit_test(test_refused_while_another_waits),
        cmocka_unit_test(test_refused_at_any_moment),
        cmocka_unit_test(test_next_goes_unasked),
        cmocka_unit_test(test_half_refused),
        cmocka_unit_test(test_no_such_device),
        cmocka_unit_test(test_asked_before),
        cmocka_unit_test(test_cannot_be_asked),
        cmocka_unit_test(test_never_answered),
        cmocka_unit_test(test_half_plugged),
        cmocka_unit_test(test_cut_off_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
