/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as the status file of a running domain. */
#include "domain/status-file.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEANUP_ERROR Error *error = NULL;
    StatusRecord record;
    int r = status_file_parse((const char *)data, size, &record, &error);

    if (r < 0 ? !error || record.run : error || !record.run || !record.run->live)
        abort();
    domain_run_free(record.run);
    return 0;
}
