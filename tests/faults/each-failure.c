/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One failure at one place of a program that is started with this in LD_PRELOAD and without a
 * random address space, so that a place is the same number in each run: the hash of the calls that
 * lead to an allocation or a system call. What the program starts is not touched.
 *
 *     FAULTS_RECORD=FILE  a line for each place: hash, caller, kind, whose it is (name_owner)
 *     FAULTS_AT=HASH      what fails, the first time that it is come to
 *     FAULTS_CALLER=N     its caller
 *     FAULTS_ERRNO=N      how; 0: a read or write of one byte
 *     FAULTS_DONE=FILE    has the calls that led there; where it is before, nothing fails
 *     FAULTS_LEFT=FILE    how many allocations are left at the end, a line for each program */
#undef _FILE_OFFSET_BITS /* open and open64 are two here */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define N_FRAMES 16
#define N_SEEN (1u << 16)

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *ptr);

static bool recording, armed;
static uint64_t wanted;
static uintptr_t wanted_caller;
static int wanted_errno;
static char record_path[256], done_path[256], left_path[256];
static pid_t self;
static _Atomic long n_left;
static _Atomic uint64_t seen[N_SEEN];
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

/* Those of this file are the first three. */
__attribute__((noinline)) static uint64_t hash_of_stack(void **frames, int *ret_n) {
    uint64_t hash = 14695981039346656037u;

    *ret_n = backtrace(frames, N_FRAMES + 3);
    for (int i = 3; i < *ret_n; i++)
        hash = (hash ^ (uintptr_t)frames[i]) * 1099511628211u;
    return hash;
}

/* With "/libc" behind it where libc is between them. */
static void name_owner(void *const *frames, int n, char *ret, size_t size) {
    snprintf(ret, size, "libc");
    for (int i = 3; i < n; i++) {
        const char *name, *slash;
        Dl_info info;

        name = dladdr(frames[i], &info) && info.dli_fname ? info.dli_fname : "?";
        slash = strrchr(name, '/');
        name = slash ? slash + 1 : name;
        if (strncmp(name, "libc.so", 7) != 0) {
            snprintf(ret, size, "%s%s", name, i > 3 ? "/libc" : "");
            return;
        }
    }
}

static bool is_new(uint64_t hash) {
    for (unsigned i = 0; i < N_SEEN; i++) {
        _Atomic uint64_t *at = &seen[(hash + i) % N_SEEN];
        uint64_t expected = 0;

        if (atomic_load(at) == hash ||
            (atomic_compare_exchange_strong(at, &expected, hash), expected == hash))
            return false;
        if (expected == 0)
            return true;
    }
    return false;
}

static void append(const char *path, const char *text) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                          0600);

    if (fd >= 0) {
        (void)!syscall(SYS_write, fd, text, strlen(text));
        syscall(SYS_close, fd);
    }
}

static void say_where(void *const *frames, int n) {
    for (int i = 3; i < n; i++) {
        const char *name = "?";
        unsigned long at = 0;
        char line[512];
        Dl_info info;

        if (dladdr(frames[i], &info) && info.dli_fname) {
            name = info.dli_fname;
            at = (unsigned long)((uintptr_t)frames[i] - (uintptr_t)info.dli_fbase);
        }
        snprintf(line, sizeof(line), "%s %lx\n", name, at);
        append(done_path, line);
    }
}

/* Whether this call is to fail, and errno then. Not inlined: hash_of_stack leaves out a fixed
 * number of frames. */
__attribute__((noinline)) static bool fails(const char *kind, void *caller) {
    void *frames[N_FRAMES + 3];
    bool result = false;
    uint64_t hash;
    int n;

    if ((!recording && (!armed || (uintptr_t)caller != wanted_caller)) || inside ||
        (pid_t)syscall(SYS_getpid) != self)
        return false;
    inside = true;
    hash = hash_of_stack(frames, &n);
    if (recording && is_new(hash)) {
        char line[256], owner[128];

        name_owner(frames, n, owner, sizeof(owner));
        snprintf(line, sizeof(line), "%016llx %llx %s %s\n", (unsigned long long)hash,
                 (unsigned long long)(uintptr_t)caller, kind, owner);
        append(record_path, line);
    }
    if (armed && hash == wanted) {
        armed = false;
        say_where(frames, n);
        result = true;
    }
    inside = false;
    if (result)
        errno = wanted_errno;
    return result;
}

#define FAILS(kind)                                                                                \
    __builtin_expect((recording || armed) && fails(kind, __builtin_return_address(0)), 0)

__attribute__((constructor)) static void begin(void) {
    void *frame;
    const char *text;

    inside = true;
    backtrace(&frame, 1); /* it loads a library */
    snprintf(record_path, sizeof(record_path), "%s", (text = getenv("FAULTS_RECORD")) ? text : "");
    snprintf(done_path, sizeof(done_path), "%s", (text = getenv("FAULTS_DONE")) ? text : "");
    snprintf(left_path, sizeof(left_path), "%s", (text = getenv("FAULTS_LEFT")) ? text : "");
    wanted = (text = getenv("FAULTS_AT")) ? strtoull(text, NULL, 16) : 0;
    wanted_caller = (text = getenv("FAULTS_CALLER")) ? strtoull(text, NULL, 16) : 0;
    wanted_errno = (text = getenv("FAULTS_ERRNO")) ? atoi(text) : ENOMEM;
    unsetenv("LD_PRELOAD");
    self = getpid();
    inside = false;
    recording = *record_path;
    armed = wanted && access(done_path, F_OK) != 0;
}

__attribute__((destructor)) static void end(void) {
    char line[32];

    if (*left_path && (pid_t)syscall(SYS_getpid) == self) {
        snprintf(line, sizeof(line), "%ld\n", atomic_load(&n_left));
        append(left_path, line);
    }
}

/* ---- memory ---- */

static void *counted(void *ptr) {
    if (ptr)
        atomic_fetch_add_explicit(&n_left, 1, memory_order_relaxed);
    return ptr;
}

void *malloc(size_t size) {
    return FAILS("malloc") ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size) {
    return FAILS("calloc") ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *ptr, size_t size) {
    void *result;

    if (size > 0 && FAILS("realloc"))
        return NULL;
    result = __libc_realloc(ptr, size);
    if (!ptr)
        counted(result);
    else if (!result && size == 0)
        atomic_fetch_sub_explicit(&n_left, 1, memory_order_relaxed);
    return result;
}

void *memalign(size_t alignment, size_t size) {
    return counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
    return counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **ret, size_t alignment, size_t size) {
    *ret = counted(__libc_memalign(alignment, size));
    return *ret ? 0 : ENOMEM;
}

void free(void *ptr) {
    if (ptr)
        atomic_fetch_sub_explicit(&n_left, 1, memory_order_relaxed);
    __libc_free(ptr);
}

/* ---- system calls ---- */

#define FAILING(type, name, params, ...)                                                           \
    type name params {                                                                             \
        static type(*real) params;                                                                 \
                                                                                                   \
        if (!real)                                                                                 \
            real = (type(*) params)dlsym(RTLD_NEXT, #name);                                        \
        return FAILS(#name) ? -1 : real(__VA_ARGS__);                                              \
    }

/* With less than was asked for, where that can be. */
#define SHORTENING(name, params, size, ...)                                                        \
    ssize_t name params {                                                                          \
        static ssize_t(*real) params;                                                              \
                                                                                                   \
        if (!real)                                                                                 \
            real = (ssize_t(*) params)dlsym(RTLD_NEXT, #name);                                     \
        if (FAILS(#name)) {                                                                        \
            if (wanted_errno != 0)                                                                 \
                return -1;                                                                         \
            size = size ? 1 : 0;                                                                   \
        }                                                                                          \
        return real(__VA_ARGS__);                                                                  \
    }

#define OPENING(name)                                                                              \
    int name(const char *path, int flags, ...) {                                                   \
        static int (*real)(const char *path, int flags, ...);                                      \
        mode_t mode = 0;                                                                           \
        va_list list;                                                                              \
                                                                                                   \
        va_start(list, flags);                                                                     \
        if (flags & (O_CREAT | __O_TMPFILE))                                                       \
            mode = va_arg(list, mode_t);                                                           \
        va_end(list);                                                                              \
        if (!real)                                                                                 \
            real = (int (*)(const char *path, int flags, ...))dlsym(RTLD_NEXT, #name);             \
        return FAILS("open") ? -1 : real(path, flags, mode);                                       \
    }

#define OPENING_AT(name)                                                                           \
    int name(int dir, const char *path, int flags, ...) {                                          \
        static int (*real)(int dir, const char *path, int flags, ...);                             \
        mode_t mode = 0;                                                                           \
        va_list list;                                                                              \
                                                                                                   \
        va_start(list, flags);                                                                     \
        if (flags & (O_CREAT | __O_TMPFILE))                                                       \
            mode = va_arg(list, mode_t);                                                           \
        va_end(list);                                                                              \
        if (!real)                                                                                 \
            real = (int (*)(int dir, const char *path, int flags, ...))dlsym(RTLD_NEXT, #name);    \
        return FAILS("open") ? -1 : real(dir, path, flags, mode);                                  \
    }

OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)
SHORTENING(read, (int fd, void *to, size_t size), size, fd, to, size)
SHORTENING(write, (int fd, const void *from, size_t size), size, fd, from, size)
SHORTENING(recv, (int fd, void *to, size_t size, int flags), size, fd, to, size, flags)
SHORTENING(send, (int fd, const void *from, size_t size, int flags), size, fd, from, size, flags)
FAILING(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), fd, message, flags)
FAILING(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message, flags)
FAILING(int, fsync, (int fd), fd)
FAILING(int, fdatasync, (int fd), fd)
FAILING(int, rename, (const char *from, const char *to), from, to)
FAILING(int, renameat, (int from_dir, const char *from, int to_dir, const char *to), from_dir, from,
        to_dir, to)
FAILING(int, mkdir, (const char *path, mode_t mode), path, mode)
FAILING(int, mkdirat, (int dir, const char *path, mode_t mode), dir, path, mode)
FAILING(int, ftruncate, (int fd, off_t size), fd, size)
FAILING(int, socket, (int domain, int type, int protocol), domain, type, protocol)
FAILING(int, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags), fd, address,
        len, flags)
FAILING(int, connect, (int fd, const struct sockaddr *address, socklen_t len), fd, address, len)
FAILING(int, pipe2, (int fds[2], int flags), fds, flags)
FAILING(int, socketpair, (int domain, int type, int protocol, int fds[2]), domain, type, protocol,
        fds)
FAILING(int, eventfd, (unsigned value, int flags), value, flags)
FAILING(pid_t, fork, (void))
