/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small language helpers: owning locals, moves, container-of. Every owning local in this tree
 * carries a CLEANUP attribute and an initialiser; ownership moves with TAKE_PTR / TAKE_FD. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Defines <function>p(type *p), the cleanup hook for a "free that takes NULL". */
#define DEFINE_CLEANUP(type, function)                                                             \
    static inline void function##p(type *p) {                                                      \
        if (*p)                                                                                    \
            function(*p);                                                                          \
    }

static inline void macro_freep(void *p) {
    free(*(void **)p);
}

static inline void macro_closep(int *fd) {
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}

#define CLEANUP_FREE CLEANUP(macro_freep)
#define CLEANUP_CLOSE CLEANUP(macro_closep)

/* Hands the pointer over: yields its value and leaves NULL behind. */
#define TAKE_PTR(ptr)                                                                              \
    ({                                                                                             \
        __typeof__(ptr) *take_p_ = &(ptr);                                                         \
        __typeof__(ptr) take_v_ = *take_p_;                                                        \
        *take_p_ = NULL;                                                                           \
        take_v_;                                                                                   \
    })

#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int *take_p_ = &(fd);                                                                      \
        int take_v_ = *take_p_;                                                                    \
        *take_p_ = -1;                                                                             \
        take_v_;                                                                                   \
    })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_FOREVER UINT64_MAX

static inline bool streq(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

/* Like streq, but either side may be NULL; two NULLs are equal. */
static inline bool streq_ptr(const char *a, const char *b) {
    return a && b ? streq(a, b) : a == b;
}
