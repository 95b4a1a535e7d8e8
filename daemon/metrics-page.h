/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prometheus' text format (version 0.0.4): lines that are put one behind the other, cheaply, for
 * there are twenty thousand of them. Pure memory: any thread may write a page of its own. */
#pragma once

#include "util/histogram.h"
#include "util/macro.h"

/* Zero-initialised is empty. */
typedef struct Page {
    char *text; /* NUL-terminated once anything was added */
    size_t used, size;
    bool failed; /* no memory: what was added since is missing */
} Page;

void page_done(Page *page);
void page_add(Page *page, const char *text, size_t len);
void page_add_text(Page *page, const char *text);
/* A label's value, escaped. */
void page_add_escaped(Page *page, const char *text);
void page_add_number(Page *page, uint64_t number);
/* Seconds, to the nanosecond. */
void page_add_seconds(Page *page, uint64_t ns);
void page_add_format(Page *page, const char *format, ...) PRINTF_LIKE(2, 3);
/* What a family of readings begins with. */
void page_add_head(Page *page, const char *name, const char *type, const char *help);
/* NAME_bucket, _sum and _count; `label` as `kind="plug"`, or "". */
void page_add_histogram(Page *page, const char *name, const char *label,
                        const Histogram *histogram);
