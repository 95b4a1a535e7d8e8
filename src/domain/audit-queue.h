/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's one auditor: record lists are sent by a worker, all that have come in one go. */
#pragma once

#include "host/audit.h"

typedef struct AuditQueue AuditQueue;

/* Records that are sent together; one of a bulk change each. Zeroed before use. */
typedef struct AuditRecords {
    struct AuditRecord *list;
    size_t n;
    bool failed; /* one could not be built */
} AuditRecords;

/* Takes `text`; NULL, or no memory for it, makes `failed`. */
void audit_records_add(AuditRecords *records, AuditType type, char *text, bool success);
void audit_records_done(AuditRecords *records);

/* With `level` required, a host without audit is an error. */
int audit_queue_new(AuditLevel level, AuditQueue **ret, Error **reterr);
/* Nothing is being sent. NULL is fine. */
void audit_queue_free(AuditQueue *queue);
/* Whether a record would be written. */
bool audit_queue_is_active(const AuditQueue *queue);
/* An auditor that cannot be had is an error, and nothing has changed. On a fiber. */
int audit_queue_set_level(AuditQueue *queue, AuditLevel level, Error **reterr);
/* Sends them all, also after one that failed; the first failure is the error. An auditor is not for
 * two threads: while a worker has it, others' lists wait for the next one, which sends all of
 * them that it comes to in 50 ms. On a fiber. */
int audit_queue_send(AuditQueue *queue, const AuditRecords *records, Error **reterr);
