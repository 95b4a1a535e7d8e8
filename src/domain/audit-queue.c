/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/audit-queue.h"

#include "util/fiber.h"
#include "util/worker.h"

/* How long a worker goes on with other lists: an auditor that takes its time shall not keep the
 * daemon's end waiting for all of them. */
#define BATCH_USEC (50 * USEC_PER_MSEC)

typedef struct AuditRecord {
    AuditType type;
    char *text;
    bool success;
} AuditRecord;

/* What one caller sends; lives on its fiber's stack. */
typedef struct Sending {
    struct Sending *next;
    const AuditRecords *records;
    bool sent;
    int result;
    Error *error;
    FiberCond cond; /* it was sent, or it is its turn to send */
} Sending;

struct AuditQueue {
    Auditor *auditor;
    bool sending; /* a worker has the auditor */
    Sending *first, **tail;
    FiberCond idle; /* a worker has given it back */
};

int audit_queue_new(AuditLevel level, AuditQueue **ret, Error **reterr) {
    AuditQueue *queue = calloc(1, sizeof(AuditQueue));
    int r = queue ? auditor_new(level, &queue->auditor, reterr) : error_no_memory(reterr);

    if (r < 0) {
        free(queue);
        return r;
    }
    queue->tail = &queue->first;
    *ret = queue;
    return 0;
}

void audit_queue_free(AuditQueue *queue) {
    if (!queue)
        return;
    assert(!queue->sending);
    auditor_free(queue->auditor);
    fiber_cond_done(&queue->idle);
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
        fiber_cond_wait(&queue->idle, USEC_FOREVER);
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

/* What one worker sends. */
typedef struct Batch {
    Auditor *auditor;
    Sending *first, *rest; /* the rest it did not come to */
} Batch;

static void send_one(Auditor *auditor, Sending *sending) {
    for (size_t i = 0; i < sending->records->n; i++) {
        const AuditRecord *record = &sending->records->list[i];
        int r = auditor_send(auditor, record->type, record->text, record->success,
                             sending->error ? NULL : &sending->error);

        sending->result = sending->result < 0 ? sending->result : r;
    }
}

static int run_send(void *arg) {
    const uint64_t end = now_usec() + BATCH_USEC;
    Batch *batch = arg;

    batch->rest = batch->first;
    do {
        send_one(batch->auditor, batch->rest);
        batch->rest = batch->rest->next;
    } while (batch->rest && now_usec() < end);
    return 0;
}

/* Sends those that wait, the first at least. The rest, and what comes meanwhile, is the next one's
 * to send. */
static void send_batch(AuditQueue *queue) {
    Batch batch = {queue->auditor, queue->first, NULL};
    Sending **tail = queue->tail;

    queue->first = NULL;
    queue->tail = &queue->first;
    queue->sending = true;
    worker_run(run_send, &batch);
    queue->sending = false;
    fiber_cond_broadcast(&queue->idle);
    for (Sending *sending = batch.first; sending != batch.rest; sending = sending->next) {
        sending->sent = true;
        fiber_cond_signal(&sending->cond);
    }
    if (batch.rest) {
        *tail = queue->first;
        queue->tail = queue->first ? queue->tail : tail;
        queue->first = batch.rest;
    }
    if (queue->first)
        fiber_cond_signal(&queue->first->cond);
}

int audit_queue_send(AuditQueue *queue, const AuditRecords *records, Error **reterr) {
    Sending own = {.records = records};

    *queue->tail = &own;
    queue->tail = &own.next;
    while (!own.sent) {
        if (queue->sending)
            fiber_cond_wait(&own.cond, USEC_FOREVER);
        else
            send_batch(queue);
    }
    fiber_cond_done(&own.cond);
    if (own.result < 0)
        error_propagate(reterr, own.error);
    return own.result;
}
