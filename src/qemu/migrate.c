/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's commands for its guest's state. */
#include "qemu/migrate.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "util/json.h"
#include "util/worker.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define FD_NAME "vireo-state"
#define UNLIMITED (UINT64_C(1) << 50) /* bytes per second; QEMU's own limit is 128 MiB */

static int give(Monitor *monitor, int fd, Error **reterr) {
    const uint64_t deadline = deadline_in(COMMAND_USEC);
    json_object *arguments = json_object_new_object();
    int r;

    if (!arguments || json_add_string(arguments, "fdname", FD_NAME) < 0) {
        json_object_put(arguments);
        return error_no_memory(reterr);
    }
    r = monitor_give_fds(monitor, &fd, 1, deadline);
    if (r < 0) {
        json_object_put(arguments);
        return error_system(reterr, FROM_QEMU, r, "cannot hand QEMU a file");
    }
    return monitor_run(monitor, "getfd", arguments, deadline, NULL, reterr);
}

/* What was given and not taken; QEMU's "no such fd" is fine. */
static void take_back(Monitor *monitor) {
    json_object *arguments = json_object_new_object();

    if (arguments && json_add_string(arguments, "fdname", FD_NAME) >= 0)
        monitor_run(monitor, "closefd", arguments, deadline_in(COMMAND_USEC), NULL, NULL);
    else
        json_object_put(arguments);
}

/* A command about the descriptor that was given. */
static int run_with_fd(Monitor *monitor, const char *command, json_object *arguments,
                       Error **reterr) {
    int r = monitor_run(monitor, command, arguments, deadline_in(COMMAND_USEC), NULL, reterr);

    if (r < 0)
        take_back(monitor);
    return r;
}

/* ---- parameters ---- */

static int set_parameter(Monitor *monitor, const char *name, uint64_t value, Error **reterr) {
    json_object *arguments = json_object_new_object();

    if (!arguments || json_add_uint(arguments, name, value) < 0) {
        json_object_put(arguments);
        return error_no_memory(reterr);
    }
    return monitor_run(monitor, "migrate-set-parameters", arguments, deadline_in(COMMAND_USEC),
                       NULL, reterr);
}

static int get_parameter(Monitor *monitor, const char *name, uint64_t *ret, Error **reterr) {
    CLEANUP_JSON json_object *value = NULL;
    int r = monitor_run(monitor, "query-migrate-parameters", NULL, deadline_in(COMMAND_USEC),
                        &value, reterr);

    if (r >= 0)
        *ret = json_member_uint(value, name, 0);
    return r;
}

int migrate_set_bandwidth(Monitor *monitor, uint64_t bytes, Error **reterr) {
    return set_parameter(monitor, "max-bandwidth", bytes && bytes < UNLIMITED ? bytes : UNLIMITED,
                         reterr);
}

int migrate_set_postcopy_bandwidth(Monitor *monitor, uint64_t bytes, Error **reterr) {
    return set_parameter(monitor, "max-postcopy-bandwidth", bytes < UNLIMITED ? bytes : 0, reterr);
}

int migrate_get_postcopy_bandwidth(Monitor *monitor, uint64_t *ret_bytes, Error **reterr) {
    return get_parameter(monitor, "max-postcopy-bandwidth", ret_bytes, reterr);
}

int migrate_set_downtime(Monitor *monitor, uint64_t ms, Error **reterr) {
    return set_parameter(monitor, "downtime-limit", ms, reterr);
}

int migrate_get_downtime(Monitor *monitor, uint64_t *ret_ms, Error **reterr) {
    return get_parameter(monitor, "downtime-limit", ret_ms, reterr);
}

int migrate_set_cache(Monitor *monitor, uint64_t bytes, Error **reterr) {
    return set_parameter(monitor, "xbzrle-cache-size", bytes, reterr);
}

int migrate_get_cache(Monitor *monitor, uint64_t *ret_bytes, Error **reterr) {
    return get_parameter(monitor, "xbzrle-cache-size", ret_bytes, reterr);
}

static int set_settings(Monitor *monitor, const MigrateSettings *settings, Error **reterr) {
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"xbzrle-cache-size", settings->cache},
                {"cpu-throttle-initial", settings->throttle_first},
                {"cpu-throttle-increment", settings->throttle_more}};
    int r = migrate_set_bandwidth(monitor, settings->bandwidth, reterr);

    if (r >= 0 && settings->postcopy)
        r = migrate_set_postcopy_bandwidth(monitor, settings->postcopy_bandwidth, reterr);
    for (size_t i = 0; i < ARRAY_SIZE(rows) && r >= 0; i++)
        if (rows[i].value)
            r = set_parameter(monitor, rows[i].name, rows[i].value, reterr);
    return r;
}

/* ---- beginnings ---- */

static int move(Monitor *monitor, const char *command, int fd, bool resume, Error **reterr) {
    json_object *arguments;
    int r = give(monitor, fd, reterr);

    if (r < 0)
        return r;
    arguments = json_object_new_object();
    if (!arguments || json_add_string(arguments, "uri", "fd:" FD_NAME) < 0 ||
        (resume && json_add_bool(arguments, "resume", true) < 0)) {
        json_object_put(arguments);
        return error_no_memory(reterr);
    }
    return run_with_fd(monitor, command, arguments, reterr);
}

/* The arguments of migrate-set-capabilities; NULL: out of memory. */
static json_object *capabilities(const char *const *names, const bool *states, size_t n) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();
    CLEANUP_JSON json_object *list = json_object_new_array();

    for (size_t i = 0; list && i < n; i++) {
        CLEANUP_JSON json_object *row = json_object_new_object();

        if (!row || json_add_string(row, "capability", names[i]) < 0 ||
            json_add_bool(row, "state", states[i]) < 0 || json_append(list, TAKE_PTR(row)) < 0)
            return NULL;
    }
    if (!list || !arguments || json_add(arguments, "capabilities", TAKE_PTR(list)) < 0)
        return NULL;
    return TAKE_PTR(arguments);
}

static int set_capabilities(Monitor *monitor, const MigrateSettings *settings, Error **reterr) {
    const char *const names[] = {"auto-converge", "xbzrle", "postcopy-ram", "events"};
    const bool states[] = {settings->auto_converge, settings->compress, settings->postcopy, true};
    json_object *arguments = capabilities(names, states, ARRAY_SIZE(names));

    return arguments ? monitor_run(monitor, "migrate-set-capabilities", arguments,
                                   deadline_in(COMMAND_USEC), NULL, reterr)
                     : error_no_memory(reterr);
}

/* ---- files ---- */

/* QEMU 11.1.3 refuses a file as "fd:"; as "file:" 10.0.13 takes it, too. 7.2 has only the first. */
static bool has_file_names(const QemuCaps *caps) {
    return caps && caps->major >= 10;
}

typedef struct Reopening {
    int fd, flags, result;
} Reopening;

static int run_reopen(void *arg) {
    Reopening *work = arg;
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", work->fd);
    work->result = open(path, work->flags | O_CLOEXEC);
    return work->result < 0 ? -errno : 0;
}

/* Gives QEMU the file as a set of descriptors of its own. */
static int add_to_set(Monitor *monitor, int fd, int64_t *ret_set, Error **reterr) {
    const uint64_t deadline = deadline_in(COMMAND_USEC);
    CLEANUP_JSON json_object *value = NULL;
    int r = monitor_give_fds(monitor, &fd, 1, deadline);

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot hand QEMU a file");
    r = monitor_run(monitor, "add-fd", json_object_new_object(), deadline, &value, reterr);
    if (r >= 0)
        *ret_set = json_member_int(value, "fdset-id", -1);
    return r;
}

/* What QEMU has opened of it stays open. */
static void remove_set(Monitor *monitor, int64_t set) {
    json_object *arguments = json_object_new_object();

    if (arguments && json_add_int(arguments, "fdset-id", set) >= 0)
        monitor_run(monitor, "remove-fd", arguments, deadline_in(COMMAND_USEC), NULL, NULL);
    else
        json_object_put(arguments);
}

/* By a name for it, where "fd:" is for sockets and pipes: QEMU opens one of the set that was opened
 * in just this way. */
static int move_by_name(Monitor *monitor, const char *command, int fd, int flags, Error **reterr) {
    const off_t offset = lseek(fd, 0, SEEK_CUR);
    Reopening work = {.fd = fd, .flags = flags, .result = -1};
    json_object *arguments = NULL;
    char uri[80];
    int64_t set = -1;
    int r = offset < 0 ? -errno : worker_run(run_reopen, &work);

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot open the file for QEMU");
    r = add_to_set(monitor, work.result, &set, reterr);
    close(work.result);
    if (r < 0)
        return r;
    snprintf(uri, sizeof(uri), "file:/dev/fdset/%lld,offset=%lld", (long long)set,
             (long long)offset);
    arguments = json_object_new_object();
    if (!arguments || json_add_string(arguments, "uri", uri) < 0) {
        json_object_put(arguments);
        r = error_no_memory(reterr);
    } else {
        r = monitor_run(monitor, command, arguments, deadline_in(COMMAND_USEC), NULL, reterr);
    }
    remove_set(monitor, set);
    return r;
}

/* What an earlier migration has set is not for a file. */
int migrate_to_file(Monitor *monitor, const QemuCaps *caps, int fd, Error **reterr) {
    int r = set_capabilities(monitor, &(MigrateSettings){0}, reterr);

    assert(fd >= 0);
    if (r >= 0)
        r = migrate_set_bandwidth(monitor, 0, reterr);
    if (r < 0)
        return r;
    return has_file_names(caps) ? move_by_name(monitor, "migrate", fd, O_WRONLY, reterr)
                                : move(monitor, "migrate", fd, false, reterr);
}

int migrate_from_file(Monitor *monitor, const QemuCaps *caps, int fd, Error **reterr) {
    assert(fd >= 0);
    return has_file_names(caps) ? move_by_name(monitor, "migrate-incoming", fd, O_RDONLY, reterr)
                                : move(monitor, "migrate-incoming", fd, false, reterr);
}

/* ---- other hosts ---- */

int migrate_live_to_fd(Monitor *monitor, int fd, const MigrateSettings *settings, Error **reterr) {
    int r = set_capabilities(monitor, settings, reterr);

    assert(fd >= 0 && settings);
    if (r >= 0)
        r = set_settings(monitor, settings, reterr);
    return r < 0 ? r : move(monitor, "migrate", fd, false, reterr);
}

/* QEMU takes the locks of its images when the guest goes on, and not when it is loaded: until then
 * the source's QEMU can still go on with them. 7.2 refuses it there otherwise. */
static int activate_images_late(Monitor *monitor, Error **reterr) {
    static const char *const name = "late-block-activate";
    static const bool state = true;
    json_object *arguments = capabilities(&name, &state, 1);

    return arguments ? monitor_run(monitor, "migrate-set-capabilities", arguments,
                                   deadline_in(COMMAND_USEC), NULL, reterr)
                     : error_no_memory(reterr);
}

int migrate_from_fd(Monitor *monitor, int fd, Error **reterr) {
    int r = activate_images_late(monitor, reterr);

    assert(fd >= 0);
    return r < 0 ? r : move(monitor, "migrate-incoming", fd, false, reterr);
}

int migrate_cancel(Monitor *monitor, Error **reterr) {
    return monitor_run(monitor, "migrate_cancel", NULL, deadline_in(COMMAND_USEC), NULL, reterr);
}

/* ---- post-copy ---- */

int migrate_accept_postcopy(Monitor *monitor, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r = set_capabilities(monitor, &(MigrateSettings){.postcopy = true}, &error);

    return r < 0 ? error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "post-copy is not possible here: %s. QEMU has no privileges, and "
                                "needs vm.unprivileged_userfaultfd = 1 of the kernel (sysctl)",
                                error_message(error))
                 : 0;
}

int migrate_start_postcopy(Monitor *monitor, Error **reterr) {
    return monitor_run(monitor, "migrate-start-postcopy", NULL, deadline_in(COMMAND_USEC), NULL,
                       reterr);
}

int migrate_resume_to_fd(Monitor *monitor, int fd, Error **reterr) {
    return move(monitor, "migrate", fd, true, reterr);
}

int migrate_recover_from_fd(Monitor *monitor, int fd, Error **reterr) {
    return move(monitor, "migrate-recover", fd, false, reterr);
}

int migrate_pause_postcopy(Monitor *monitor, Error **reterr) {
    return monitor_run(monitor, "migrate-pause", NULL, deadline_in(COMMAND_USEC), NULL, reterr);
}

static MigratePhase phase_of(const char *status) {
    static const struct {
        const char *status;
        MigratePhase phase;
    } rows[] = {{"completed", MIGRATE_DONE},
                {"postcopy-device", MIGRATE_IN_POSTCOPY},
                {"postcopy-active", MIGRATE_IN_POSTCOPY},
                {"postcopy-recover", MIGRATE_IN_POSTCOPY},
                {"postcopy-recover-setup", MIGRATE_IN_POSTCOPY},
                {"postcopy-paused", MIGRATE_STUCK},
                {"failed", MIGRATE_FAILED},
                {"cancelled", MIGRATE_CANCELLED},
                {"none", MIGRATE_IDLE}};

    for (size_t i = 0; status && i < ARRAY_SIZE(rows); i++)
        if (streq(status, rows[i].status))
            return rows[i].phase;
    return status ? MIGRATE_ACTIVE : MIGRATE_IDLE;
}

bool migrate_was_in_postcopy(const MigrateProgress *progress) {
    return progress->phase == MIGRATE_IN_POSTCOPY || progress->phase == MIGRATE_STUCK ||
           ((progress->phase == MIGRATE_DONE || progress->phase == MIGRATE_FAILED) &&
            progress->postcopy_bytes > 0);
}

MigratePhase migrate_event_phase(json_object *data) {
    return phase_of(data ? json_member_string(data, "status") : NULL);
}

static double member_double(json_object *object, const char *name) {
    json_object *value = json_member(object, name);

    return value ? json_object_get_double(value) : 0;
}

static void read_memory(json_object *ram, MigrateProgress *ret) {
    const double megabits = member_double(ram, "mbps");

    ret->total = json_member_uint(ram, "total", 0);
    ret->done = json_member_uint(ram, "transferred", 0);
    ret->remaining = json_member_uint(ram, "remaining", 0);
    ret->duplicate = json_member_uint(ram, "duplicate", 0);
    ret->normal = json_member_uint(ram, "normal", 0);
    ret->normal_bytes = json_member_uint(ram, "normal-bytes", 0);
    ret->page_size = json_member_uint(ram, "page-size", 0);
    ret->dirty_rate = json_member_uint(ram, "dirty-pages-rate", 0);
    ret->iteration = json_member_uint(ram, "dirty-sync-count", 0);
    ret->postcopy_requests = json_member_uint(ram, "postcopy-requests", 0);
    ret->postcopy_bytes = json_member_uint(ram, "postcopy-bytes", 0);
    if (megabits > 0 && megabits < 1e9)
        ret->bits_per_second = (uint64_t)(megabits * 1e6);
}

static void read_cache(json_object *cache, MigrateProgress *ret) {
    if (!cache)
        return;
    ret->has_cache = true;
    ret->cache_size = json_member_uint(cache, "cache-size", 0);
    ret->cache_bytes = json_member_uint(cache, "bytes", 0);
    ret->cache_pages = json_member_uint(cache, "pages", 0);
    ret->cache_misses = json_member_uint(cache, "cache-miss", 0);
    ret->cache_overflows = json_member_uint(cache, "overflow", 0);
}

int migrate_query(Monitor *monitor, MigrateProgress *ret, Error **reterr) {
    CLEANUP_JSON json_object *value = NULL;
    const char *error;
    int r = monitor_run(monitor, "query-migrate", NULL, deadline_in(COMMAND_USEC), &value, reterr);

    if (r < 0)
        return r;
    error = json_member_string(value, "error-desc");
    *ret = (MigrateProgress){
        .phase = phase_of(json_member_string(value, "status")),
        .downtime = json_member_uint(value, "downtime",
                                     json_member_uint(value, "expected-downtime", 0)),
        .setup = json_member_uint(value, "setup-time", 0),
        .throttle = (unsigned)json_member_uint(value, "cpu-throttle-percentage", 0)};
    read_memory(json_member(value, "ram"), ret);
    read_cache(json_member(value, "xbzrle-cache"), ret);
    snprintf(ret->error, sizeof(ret->error), "%s", error ? error : "");
    return 0;
}

int dump_to_fd(Monitor *monitor, int fd, DumpFormat format, Error **reterr) {
    static const char *const names[DUMP_FORMAT_MAX_] = {"elf", "kdump-zlib", "kdump-lzo",
                                                        "kdump-snappy", "win-dmp"};
    json_object *arguments;
    int r = give(monitor, fd, reterr);

    assert(fd >= 0 && format < DUMP_FORMAT_MAX_);
    if (r < 0)
        return r;
    arguments = json_object_new_object();
    if (!arguments || json_add_bool(arguments, "paging", false) < 0 ||
        json_add_string(arguments, "protocol", "fd:" FD_NAME) < 0 ||
        json_add_bool(arguments, "detach", true) < 0 ||
        json_add_string(arguments, "format", names[format]) < 0) {
        json_object_put(arguments);
        return error_no_memory(reterr);
    }
    return run_with_fd(monitor, "dump-guest-memory", arguments, reterr);
}

int dump_query(Monitor *monitor, MigrateProgress *ret, Error **reterr) {
    CLEANUP_JSON json_object *value = NULL;
    int r = monitor_run(monitor, "query-dump", NULL, deadline_in(COMMAND_USEC), &value, reterr);

    if (r < 0)
        return r;
    *ret = (MigrateProgress){.phase = phase_of(json_member_string(value, "status")),
                             .total = json_member_uint(value, "total", 0),
                             .done = json_member_uint(value, "completed", 0)};
    ret->remaining = ret->total > ret->done ? ret->total - ret->done : 0;
    return 0;
}
