/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as the journal of an operation that a daemon left behind. */
#include "domain/operation-log.h"
#include "fuzz.h"
#include "stand-in.h"
#include "util/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    OperationLog *log = operation_log_new("/proc/self/no-such-directory", NULL, NULL);

    log_init(LOG_CRIT);
    if (!log)
        abort();
    stand_in_set(data, size);
    operation_log_load(log);
    for (Operation *at = operation_log_first(log); at; at = at->next) {
        CLEANUP_FREE char *what = operation_describe(at);

        if (at->id != 7 || !at->name || !what)
            abort();
    }
    stand_in_clear();
    operation_log_free(log);
    return 0;
}
