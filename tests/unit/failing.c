/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "failing.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

#define N_FRAMES 24
#define COMPLAINTS_MAX 5u

extern void *REAL(malloc)(size_t size);
extern void *REAL(calloc)(size_t n, size_t size);
extern void *REAL(realloc)(void *ptr, size_t size);

/* Of the thread that tries something: until the one that fails; 0: none does. */
static _Thread_local unsigned left;
static _Thread_local bool failed;
static void *frames[N_FRAMES];
static int n_frames;

/* Not with AddressSanitizer: it would take what the dynamic linker keeps of the library that
 * backtrace loads for a leak of the malloc below. */
static void note_stack(void) {
#ifndef __SANITIZE_ADDRESS__
    n_frames = backtrace(frames, N_FRAMES);
#endif
}

static bool fails(void) {
    if (left == 0 || --left > 0)
        return false;
    failed = true;
    note_stack();
    errno = ENOMEM;
    return true;
}

static bool is_of_json_c(void *caller) {
    Dl_info info;

    return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "/libjson-c");
}

void *malloc(size_t size) {
    return fails() ? NULL : REAL(malloc)(size);
}

/* The tables of json-c 0.16 do not fail here: one that cannot grow while a text is read loses a
 * member, which leaks, and nobody is told. */
void *calloc(size_t n, size_t size) {
    return left > 0 && !is_of_json_c(__builtin_return_address(0)) && fails()
               ? NULL
               : REAL(calloc)(n, size);
}

void *realloc(void *ptr, size_t size) {
    return fails() ? NULL : REAL(realloc)(ptr, size);
}

/* AddressSanitizer's own would not come to the malloc above. The copy that json-c makes of a key it
 * reads does not fail here: json-c 0.16 does not look whether it has one. */
char *strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = is_of_json_c(__builtin_return_address(0)) ? REAL(malloc)(size) : malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

void failing_arm(unsigned n) {
    failed = false;
    left = n;
}

bool failing_disarm(void) {
    left = 0;
    return failed;
}

static unsigned wanted; /* of the try under way */

void failing_begin(void) {
    failing_arm(wanted);
}

void failing_end(void) {
    failing_disarm();
}

static void complain(const char *what, unsigned n, int r, const char *text) {
    fprintf(stderr, "%s: allocation %u failed: it returned %d%s%s\n", what, n, r,
            text ? " and made: " : "", text ? text : "");
    backtrace_symbols_fd(frames, n_frames, STDERR_FILENO);
}

static bool is_whole(int r, const char *text, const char *whole) {
    return r >= 0 && text && strcmp(text, whole) == 0;
}

void failing_sweep(const char *what, FailingFunc func, void *userdata) {
    char *whole = NULL;
    unsigned n_complaints = 0, n = 0;

    note_stack(); /* it loads a library at the first call */
    wanted = 0;
    assert_int_equal(func(userdata, &whole), 0);
    do {
        char *text = NULL;
        int r;

        wanted = ++n;
        failed = false;
        r = func(userdata, &text);
        if (failed && r != -ENOMEM && !is_whole(r, text, whole) && ++n_complaints <= COMPLAINTS_MAX)
            complain(what, n, r, text);
        if (!failed && !is_whole(r, text, whole))
            fail_msg("%s: it is another without a failure", what);
        free(text);
    } while (failed);
    free(whole);
    assert_true(n > 1);
    if (n_complaints)
        fail_msg("%s: %u of %u failed allocations were not noticed", what, n_complaints, n - 1);
}
