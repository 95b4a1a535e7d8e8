/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "metrics-page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define FIRST_SIZE 16384u
#define FORMAT_MAX 256u /* bytes of one page_add_format */
#define DIGITS_MAX 20u
#define NS_DIGITS 9u

void page_done(Page *page) {
    free(page->text);
    *page = (Page){0};
}

/* Room for `len` bytes and the NUL. */
static bool make_room(Page *page, size_t len) {
    size_t size = MAX_OF(page->size, (size_t)FIRST_SIZE);
    char *bigger;

    if (page->failed || page->size - page->used > len)
        return !page->failed;
    while (size - page->used <= len)
        size *= 2;
    bigger = realloc(page->text, size);
    if (!bigger) {
        page->failed = true;
        return false;
    }
    page->text = bigger;
    page->size = size;
    return true;
}

void page_add(Page *page, const char *text, size_t len) {
    if (!make_room(page, len))
        return;
    memcpy(page->text + page->used, text, len);
    page->used += len;
    page->text[page->used] = '\0';
}

void page_add_text(Page *page, const char *text) {
    page_add(page, text, strlen(text));
}

void page_add_escaped(Page *page, const char *text) {
    for (; *text; text++) {
        if (*text == '\n') {
            page_add(page, "\\n", 2);
            continue;
        }
        if (*text == '\\' || *text == '"')
            page_add(page, "\\", 1);
        page_add(page, text, 1);
    }
}

/* The digits, at least `min` of them. */
static void add_digits(Page *page, uint64_t number, unsigned min) {
    char digits[DIGITS_MAX];
    unsigned at = DIGITS_MAX;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || DIGITS_MAX - at < min);
    page_add(page, digits + at, DIGITS_MAX - at);
}

void page_add_number(Page *page, uint64_t number) {
    add_digits(page, number, 1);
}

void page_add_seconds(Page *page, uint64_t ns) {
    add_digits(page, ns / UINT64_C(1000000000), 1);
    page_add(page, ".", 1);
    add_digits(page, ns % UINT64_C(1000000000), NS_DIGITS);
}

void page_add_format(Page *page, const char *format, ...) {
    char text[FORMAT_MAX];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert(n >= 0 && n < (int)sizeof(text));
    page_add(page, text, (size_t)n);
}

void page_add_head(Page *page, const char *name, const char *type, const char *help) {
    page_add_format(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void page_add_histogram(Page *page, const char *name, const char *label,
                        const Histogram *histogram) {
    const char *comma = *label ? "," : "", *open = *label ? "{" : "", *close = *label ? "}" : "";

    for (size_t i = 0; i < histogram->n_bounds; i++)
        page_add_format(page, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, label, comma,
                        histogram->bounds[i], histogram->counts[i]);
    page_add_format(page, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma,
                    histogram->n);
    page_add_format(page, "%s_sum%s%s%s %.15g\n", name, open, label, close, histogram->sum);
    page_add_format(page, "%s_count%s%s%s %" PRIu64 "\n", name, open, label, close, histogram->n);
}
