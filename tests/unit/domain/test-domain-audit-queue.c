/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many who send audit records at once: each gets its own answer, a worker takes all that have come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <semaphore.h>
#include <stdio.h>

#include "domain/audit-queue.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/worker.h"

#define N 50u

/* The auditor of this test; one thread at a time has it. */
static struct {
    char sent[4096];
    unsigned n_busy, n_most, n_new, n_freed;
    sem_t *gate; /* the first records of so many lists wait for it */
    _Atomic unsigned n_gated;
} fake;

int __wrap_auditor_new(AuditLevel level, Auditor **ret, Error **reterr);
void __wrap_auditor_free(Auditor *auditor);
int __wrap_auditor_send(Auditor *auditor, AuditType type, const char *text, bool success,
                        Error **reterr);

int __wrap_auditor_new(AuditLevel level, Auditor **ret, Error **reterr) {
    *ret = (Auditor *)(uintptr_t)++fake.n_new;
    return 0;
}

void __wrap_auditor_free(Auditor *auditor) {
    assert_int_equal(fake.n_busy, 0);
    fake.n_freed += auditor != NULL;
}

int __wrap_auditor_send(Auditor *auditor, AuditType type, const char *text, bool success,
                        Error **reterr) {
    fake.n_busy++;
    fake.n_most = MAX_OF(fake.n_most, fake.n_busy);
    if (text[1] == '1' && fake.n_gated > 0) {
        fake.n_gated--;
        sem_wait(fake.gate);
    }
    strncat(fake.sent, text, sizeof(fake.sent) - strlen(fake.sent) - 1);
    fake.n_busy--;
    if (strchr(text, '!'))
        return error_report(reterr, FROM_QEMU, ERROR_SYSTEM, "%s", text);
    return 0;
}

typedef struct Caller {
    AuditQueue *queue;
    char name;
    bool fails;
    int result;
    Error *error;
    unsigned *n_done;
} Caller;

static void send(void *userdata) {
    Caller *caller = userdata;
    AuditRecords records = {0};

    audit_records_add(&records, AUDIT_TYPE_CALL, strf("%c1", caller->name), true);
    audit_records_add(&records, AUDIT_TYPE_CALL,
                      strf("%c2%s", caller->name, caller->fails ? "!" : ""), true);
    audit_records_add(&records, AUDIT_TYPE_CALL, strf("%c3", caller->name), true);
    caller->result = audit_queue_send(caller->queue, &records, &caller->error);
    audit_records_done(&records);
    ++*caller->n_done;
}

static void run_until_idle(void) {
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
}

static void start_callers(Caller *callers, AuditQueue *queue, unsigned *n_done) {
    for (unsigned i = 0; i < N; i++) {
        callers[i] = (Caller){
            .queue = queue, .name = (char)('A' + i), .fails = i % 7 == 3, .n_done = n_done};
        assert_int_equal(fiber_start("caller", send, &callers[i]), 0);
    }
}

static void open_gate(void *gate) {
    for (int i = 0; i < 5; i++)
        fiber_yield(); /* all have come */
    sem_post(gate);
}

static void test_each_gets_its_own_answer(void **state) {
    static Caller callers[N];
    AuditQueue *queue = NULL;
    unsigned n_done = 0;
    char expected[16];
    sem_t gate;

    sem_init(&gate, 0, 0);
    fake.gate = &gate;
    fake.n_gated = 1;
    assert_int_equal(audit_queue_new(AUDIT_LEVEL_REQUIRED, &queue, NULL), 0);
    start_callers(callers, queue, &n_done);
    assert_int_equal(fiber_start("gate", open_gate, &gate), 0);
    run_until_idle();
    assert_int_equal(n_done, N);
    assert_int_equal(fake.n_most, 1);
    for (unsigned i = 0; i < N; i++) {
        const char name = callers[i].name;

        /* all of a list are together, also behind one that failed */
        snprintf(expected, sizeof(expected), "%c1%c2%s%c3", name, name, callers[i].fails ? "!" : "",
                 name);
        assert_non_null(strstr(fake.sent, expected));
        assert_int_equal(callers[i].result < 0, callers[i].fails);
        if (callers[i].fails)
            assert_int_equal(error_message(callers[i].error)[0], name);
        else
            assert_null(callers[i].error);
        error_free(callers[i].error);
    }
    audit_queue_free(queue);
    sem_destroy(&gate);
}

typedef struct Level {
    AuditQueue *queue;
    size_t n_before; /* bytes that were sent */
    sem_t *gate;
} Level;

static void set_level(void *userdata) {
    Level *level = userdata;

    assert_int_equal(audit_queue_set_level(level->queue, AUDIT_LEVEL_OFF, NULL), 0);
    level->n_before = strlen(fake.sent);
}

/* The first list is alone, for the others come while it waits; the second is slow, too. */
static void open_gate_late(void *userdata) {
    Level *level = userdata;

    fiber_sleep(20 * USEC_PER_MSEC);
    sem_post(level->gate);
    while (fake.n_gated > 0)
        fiber_sleep(USEC_PER_MSEC);
    fiber_sleep(100 * USEC_PER_MSEC);
    assert_int_equal(fiber_start("level", set_level, level), 0);
    fiber_yield();
    sem_post(level->gate);
}

/* A new level waits for what is being sent, not for all that have come. */
static void test_a_new_level_has_its_turn(void **state) {
    static Caller callers[N];
    AuditQueue *queue = NULL;
    unsigned n_done = 0;
    sem_t gate;
    Level level = {.gate = &gate};

    sem_init(&gate, 0, 0);
    fake.gate = &gate;
    fake.n_gated = 2;
    assert_int_equal(audit_queue_new(AUDIT_LEVEL_REQUIRED, &queue, NULL), 0);
    level.queue = queue;
    start_callers(callers, queue, &n_done);
    assert_int_equal(fiber_start("gate", open_gate_late, &level), 0);
    run_until_idle();
    assert_int_equal(n_done, N);
    assert_in_range(level.n_before, 1, 2 * strlen("A1A2A3"));
    for (unsigned i = 0; i + 1 < N; i++) { /* each once, in the order in which they came */
        const char here[] = {callers[i].name, '1', '\0'}, next[] = {callers[i + 1].name, '1', '\0'};

        assert_true(strstr(fake.sent, here) < strstr(fake.sent, next));
        assert_null(strstr(strstr(fake.sent, here) + 1, here));
    }
    assert_int_equal(fake.n_new, 2);
    assert_int_equal(fake.n_freed, 1);
    for (unsigned i = 0; i < N; i++)
        error_free(callers[i].error);
    audit_queue_free(queue);
    assert_int_equal(fake.n_freed, 2);
    sem_destroy(&gate);
}

static int set_up(void **state) {
    sd_event *event = NULL;

    memset(&fake, 0, sizeof(fake));
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(fiber_init(event), 0);
    assert_int_equal(worker_init(2), 0);
    sd_event_unref(event);
    return 0;
}

static int tear_down(void **state) {
    worker_shutdown();
    fiber_shutdown();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_gets_its_own_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_level_has_its_turn, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
