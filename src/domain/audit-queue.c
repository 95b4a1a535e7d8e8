/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/audit-queue.h"

#include "util/fiber.h"
#include "util/worker.h"

typedef struct AuditRecord {
    AuditType type;
    char *text;
    bool success;
} AuditRecord;

struct AuditQueue {
    Auditor *auditor;
    bool sending; /* a worker has it */
    FiberCond cond;
};

int audit_queue_new(AuditLevel level, AuditQueue **ret, Error **reterr) {
    AuditQueue *queue = calloc(1, sizeof(AuditQueue));
    int r = queue ? auditor_new(level, &queue->auditor, reterr) : error_no_memory(reterr);

    if (r < 0)
        free(queue);
    else
        *ret = queue;
    return r;
}

void audit_queue_free(AuditQueue *queue) {
    if (!queue)
        return;
    assert(!queue->sending);
    auditor_free(queue->auditor);
    fiber_cond_done(&queue->cond);
    free(queue);
}

bool audit_queue_is_active(const AuditQueue *queue) {
    return queue->auditor && auditor_is_active(queue->auditor);
}

int audit_queue_set_level(AuditQueue *queue, AuditLevel level, Error **reterr) {
    Auditor *auditor = NULL;
    int r = auditor_new(level, &auditor, reterr);

    if (r < 0)
        return r;
    while (queue->sending)
        fiber_cond_wait(&queue->cond, USEC_FOREVER);
    auditor_free(queue->auditor);
    queue->auditor = auditor;
    return 0;
}

void audit_records_add(AuditRecords *records, AuditType type, char *text, bool success) {
    AuditRecord *bigger = text ? reallocarray(records->list, records->n + 1, sizeof(AuditRecord))
                               : NULL;

    if (!bigger) {
        free(text);
        records->failed = true;
        return;
    }
    records->list = bigger;
    records->list[records->n++] = (AuditRecord){.type = type, .text = text, .success = success};
}

void audit_records_done(AuditRecords *records) {
    for (size_t i = 0; i < records->n; i++)
        free(records->list[i].text);
    free(records->list);
    *records = (AuditRecords){0};
}

typedef struct Sending {
    Auditor *auditor;
    const AuditRecords *records;
    Error *error;
} Sending;

static int run_send(void *arg) {
    Sending *sending = arg;
    int r = 0;

    for (size_t i = 0; i < sending->records->n; i++) {
        const AuditRecord *record = &sending->records->list[i];
        int one = auditor_send(sending->auditor, record->type, record->text, record->success,
                               sending->error ? NULL : &sending->error);

        r = r < 0 ? r : one;
    }
    return r;
}

/* One at a time: an auditor is not for two threads. */
int audit_queue_send(AuditQueue *queue, const AuditRecords *records, Error **reterr) {
    Sending sending = {.records = records};
    int r;

    while (queue->sending)
        fiber_cond_wait(&queue->cond, USEC_FOREVER);
    queue->sending = true;
    sending.auditor = queue->auditor; /* it may have become another meanwhile */
    r = worker_run(run_send, &sending);
    queue->sending = false;
    fiber_cond_broadcast(&queue->cond);
    if (r < 0)
        error_propagate(reterr, sending.error);
    return r;
}
