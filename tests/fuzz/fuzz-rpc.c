/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as a client's frames, into a real session over a socketpair, served by the daemon's own
 * tables and a driver in a temporary directory that knows two domains; they stay from one input to
 * the next unless it has changed them. Nothing can be executed: fork always fails here. There are
 * no workers: their work is done on the loop, after a turn in which other calls come in.
 *
 * The first byte: 1 the read-only socket, 2 the connection is opened first, 4 the rest is not raw
 * frames but records (16-bit procedure, 16-bit length, payload) that get good headers, 8 the QEMU
 * program instead of the remote one, 16 domain "one" runs on a fake QEMU whose behaviour is the
 * second byte (fake-qemu.h); the upper three bits cut the stream into pieces. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon.h"
#include "fake-qemu.h"
#include "fuzz.h"
#include "rpc/frame.h"
#include "rpc/server-internal.h"
#include "util/worker.h"

enum { READONLY = 1, OPENED = 2, RECORDS = 4, QEMU_RECORDS = 8, RUNNING = 16 };

#define UNPLUG_USEC (2 * USEC_PER_MSEC)

#define RECORDS_MAX 64

static Daemon daemon_state;
static char root[64];

static const char *const presets[] = {
    "<domain type='kvm'><name>one</name><uuid>00000000-0000-0000-0000-000000000001</uuid>"
    "<metadata><x:a xmlns:x='http://example.org/x'>m</x:a></metadata>"
    "<memory>65536</memory><vcpu current='2'>4</vcpu><os><type arch='x86_64' "
    "machine='q35'>hvm</type></os>"
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>",
    "<domain type='qemu'><name>two</name><uuid>00000000-0000-0000-0000-000000000002</uuid>"
    "<memory>65536</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>"
    "<devices><emulator>/nowhere/qemu</emulator></devices></domain>"};

/* Replaces libc's for this program: an <emulator> is a client's to choose. */
pid_t fork(void) {
    errno = EAGAIN;
    return -1;
}

/* And a disk that is always done. */
int fsync(int fd) {
    return 0;
}

/* In the place of the worker pool's: other calls come in meanwhile. */
int __wrap_worker_run(WorkerFunc func, void *arg);
int __wrap_worker_run(WorkerFunc func, void *arg) {
    if (fiber_self())
        fiber_yield();
    return func(arg);
}

/* ---- what an input leaves ---- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw) {
    return remove(path);
}

static void remove_root(void) {
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A number that any change below the directory changes: a file is written anew and renamed. */
static uint64_t sum_of(int parent, const char *name, unsigned depth) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    uint64_t sum = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        sum += entry->d_ino * 0x9e3779b97f4a7c15u;
        if (entry->d_type == DT_DIR && depth > 0)
            sum += sum_of(dirfd(dir), entry->d_name, depth - 1);
    }
    if (dir)
        closedir(dir);
    return sum;
}

static uint64_t files(void) {
    return sum_of(AT_FDCWD, daemon_state.config.etc, 3) +
           sum_of(AT_FDCWD, daemon_state.config.lib, 3);
}

static void set_up(void) {
    CLEANUP_ERROR Error *error = NULL;
    DriverParams params;

    fuzz_loop_init();
    snprintf(root, sizeof(root), "%s/vireo-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(root) || config_init(&daemon_state.config, root, NULL) < 0)
        abort();
    params = (DriverParams){.paths = {daemon_state.config.etc, daemon_state.config.lib,
                                      daemon_state.config.run, daemon_state.config.log},
                            .limits.partition = "/vireo-fuzz",
                            .events = &daemon_events,
                            .userdata = &daemon_state};
    if (driver_new(&params, &daemon_state.driver, &error) < 0)
        abort();
    daemon_state.driver->services.settings.unplug_timeout_usec = UNPLUG_USEC;
    daemon_programs_init();
    if (rpc_server_new(daemon_programs, daemon_n_programs, &client_ops, &daemon_state, NULL,
                       &daemon_state.server) < 0)
        abort();
    atexit(remove_root);
}

static void define_presets(void *userdata) {
    for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
        CLEANUP_DOMAIN Domain *domain = NULL;
        CLEANUP_ERROR Error *error = NULL;

        if (driver_define(daemon_state.driver, presets[i], &domain, &error) < 0) {
            fprintf(stderr, "fuzz: %s\n", error_message(error));
            abort();
        }
    }
}

static void start_one(void *userdata) {
    const unsigned *behaviour = userdata;

    fake_qemu_start(driver_domains(daemon_state.driver), *behaviour);
}

static void end_runs(void *userdata) {
    Domain *domain = driver_domains(daemon_state.driver);

    while (domain && !domain->run)
        domain = domain->next;
    if (!domain)
        return;
    domain_ref(domain);
    if (driver_destroy(domain, false, NULL) < 0 && domain->run)
        abort();
    domain_unref(domain);
    end_runs(userdata);
}

static void remove_all(void *userdata) {
    while (driver_domains(daemon_state.driver)) {
        CLEANUP_DOMAIN Domain *domain = domain_ref(driver_domains(daemon_state.driver));
        CLEANUP_ERROR Error *error = NULL;

        if (domain->run && driver_destroy(domain, false, NULL) >= 0 && !domain->services)
            continue; /* it was transient */
        if (domain->run || driver_undefine(domain, true, &error) < 0) {
            fprintf(stderr, "fuzz: %s is not to be removed: %s\n", domain_name(domain),
                    error_message(error));
            abort();
        }
    }
}

/* What goes on by itself may do so for minutes: a plugged vCPU is watched. */
static bool is_quiet(void *userdata) {
    return fiber_count() <= daemon_state.driver->services.tasks.n;
}

static bool no_fibers(void *userdata) {
    return fiber_count() == 0;
}

static bool gone(void *userdata) {
    return is_quiet(NULL) && rpc_server_n_sessions(daemon_state.server) == 0;
}

static bool answered(void *userdata) {
    fuzz_drain(*(int *)userdata);
    return is_quiet(NULL);
}

static void on_fiber(FiberFunc func, void *userdata) {
    if (fiber_start("fuzz", func, userdata) < 0)
        abort();
    fuzz_loop_until(is_quiet, NULL, "presets");
}

static void send_open(int fd) {
    FrameHeader header = {.program = REMOTE_PROGRAM,
                          .version = REMOTE_VERSION,
                          .procedure = REMOTE_PROC_CONNECT_OPEN,
                          .serial = 1};
    remote_string name = (char *)"qemu:///system";
    remote_connect_open_args args = {.name = &name};
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t len = 0;

    if (frame_encode(&header, (xdrproc_t)xdr_remote_connect_open_args, &args, &bytes, &len) < 0)
        abort();
    fuzz_send(fd, bytes, len, len);
}

static void put_word(uint8_t *to, uint32_t word) {
    to[0] = word >> 24;
    to[1] = word >> 16;
    to[2] = word >> 8;
    to[3] = word;
}

static void send_records(int fd, bool qemu, const uint8_t *data, size_t size, size_t chunk) {
    for (unsigned i = 0; size >= 4 && i < RECORDS_MAX; i++) {
        size_t len = MIN_OF((size_t)(data[2] << 8 | data[3]), size - 4);
        const uint32_t words[] = {FRAME_HEADER_SIZE + len,
                                  qemu ? QEMU_PROGRAM : REMOTE_PROGRAM,
                                  1,
                                  (uint32_t)(data[0] << 8 | data[1]),
                                  FRAME_CALL,
                                  i + 2,
                                  FRAME_OK};
        CLEANUP_FREE uint8_t *frame = malloc(FRAME_HEADER_SIZE + len);

        if (!frame)
            abort();
        for (size_t k = 0; k < ARRAY_SIZE(words); k++)
            put_word(frame + 4 * k, words[k]);
        memcpy(frame + FRAME_HEADER_SIZE, data + 4, len);
        fuzz_send(fd, frame, FRAME_HEADER_SIZE + len, chunk);
        data += 4 + len;
        size -= 4 + len;
    }
}

/* What was undefined must not come back after a restart. */
static void check_no_files(void) {
    static const char *const dirs[] = {"etc/domains", "etc/autostart", "run/domains"};
    char path[128];

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
        if (rmdir(path) < 0 || mkdir(path, 0700) < 0) {
            fprintf(stderr, "fuzz: '%s' is not empty: %s\n", path, strerror(errno));
            abort();
        }
    }
}

/* As at first, if an input has changed which domains there are, or what is on the disk. Not before
 * it: an error is that input's. */
static void restore(void) {
    static uint64_t first;

    if (first > 0 && driver_n_domains(daemon_state.driver) == ARRAY_SIZE(presets) &&
        files() == first)
        return;
    if (first > 0) {
        on_fiber(remove_all, NULL);
        check_no_files();
    }
    on_fiber(define_presets, NULL);
    first = files();
}

static void converse(unsigned flags, unsigned behaviour, const uint8_t *data, size_t size) {
    const size_t chunk = flags >> 5 ? (flags >> 5) * 5u : 65536u;
    int fds[2];

    fuzz_socketpair(fds);
    if (rpc_server_add_connection(daemon_state.server, fds[0], flags & READONLY) < 0)
        abort();
    if (flags & OPENED)
        send_open(fds[1]);
    if (flags & RECORDS)
        send_records(fds[1], flags & QEMU_RECORDS, data, size, chunk);
    else
        fuzz_send(fds[1], data, size, chunk);
    /* A hang-up drops what was not read yet: most inputs are answered to the end. */
    if (!(flags & RUNNING) || !(behaviour & 128) || size % 2)
        fuzz_loop_until(answered, &fds[1], "calls");
    close(fds[1]);
    fuzz_loop_until(gone, NULL, "rpc");
    if (daemon_state.clients)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned flags, behaviour;
    size_t n_options;

    if (!daemon_state.server) {
        set_up();
        restore();
    }
    if (size < 2)
        return 0;
    flags = data[0];
    behaviour = data[1];
    n_options = flags & RUNNING ? 2 : 1;
    if (flags & RUNNING)
        on_fiber(start_one, &behaviour);
    converse(flags, behaviour, data + n_options, size - n_options);
    on_fiber(end_runs, NULL);
    fuzz_loop_until(no_fibers, NULL, "tasks"); /* whatever watched those domains ends with them */
    fake_qemu_end();
    restore();
    return 0;
}
