/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding, asking, adopting, and what has ended. */
#include "driver/strays.h"

#include <dirent.h>
#include <sys/socket.h>

#include "domain/birth.h"
#include "host/listeners.h"
#include "util/file.h"
#include "util/json.h"
#include "util/log.h"
#include "util/unix-socket.h"
#include "util/worker.h"

#define ASK_USEC (3 * USEC_PER_SEC)
#define RETRY_USEC (2 * USEC_PER_SEC)
#define COMMAND_LINE_MAX (4u << 20) /* bytes: execve(2) */
#define MONITOR_SUFFIX ".sock"

static char *monitor_directory(const Driver *driver) {
    return path_join(driver->paths.lib, "monitors");
}

char *strays_birth_directory(const Driver *driver) {
    return path_join(driver->paths.run, "births");
}

char *strays_monitor_path(const Driver *driver, int id) {
    return strf("%s/monitors/%d" MONITOR_SUFFIX, driver->paths.lib, id);
}

static void stray_free(Stray *stray) {
    free(stray->monitor_path);
    free(stray->partition);
    free(stray->group);
    free(stray->why);
    free(stray);
}

void strays_free(Driver *driver) {
    Stray *stray;

    while ((stray = driver->strays)) {
        driver->strays = stray->next;
        stray_free(stray);
    }
}

static void forget(Driver *driver, Stray *stray) {
    Stray **at = &driver->strays;

    while (*at != stray)
        at = &(*at)->next;
    *at = stray->next;
    stray_free(stray);
}

/* ---- asking ---- */

typedef struct Look {
    const char *path;
    pid_t pid; /* who listens there; 0: nobody */
    bool listens;
} Look;

static int run_look(void *arg) {
    Look *look = arg;
    CLEANUP_FREE char *directory = strdup(look->path);
    CLEANUP(unix_listeners_done) UnixListeners listeners = {0};
    const UnixListener *found;
    char *slash = directory ? strrchr(directory, '/') : NULL;

    if (!slash)
        return -ENOMEM;
    *slash = '\0';
    if (unix_listeners_find(directory, &listeners) < 0)
        return 0;
    found = unix_listeners_at(&listeners, look->path);
    look->listens = found != NULL;
    look->pid = found ? found->pid : 0;
    return 0;
}

static int read_answer(Monitor *monitor, uint64_t deadline, StrayAnswer *ret, Error **reterr) {
    CLEANUP_JSON json_object *uuid = NULL, *status = NULL;
    const char *text;
    int r = monitor_run(monitor, "query-uuid", NULL, deadline, &uuid, reterr);

    if (r >= 0)
        r = monitor_run(monitor, "query-status", NULL, deadline, &status, reterr);
    if (r < 0)
        return r;
    text = json_member_string(uuid, "UUID");
    if (!text || uuid_parse(text, ret->uuid) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL, "QEMU does not say its uuid");
    text = json_member_string(status, "status");
    ret->status = strdup(text ? text : "");
    return ret->status ? 0 : error_no_memory(reterr);
}

/* Connected, but QEMU has only one place in its queue: what is not refused at once may be busy. */
static bool is_refused(const char *path) {
    CLEANUP_CLOSE int fd = -1;
    int r = unix_socket_connect(path, SOCK_NONBLOCK, &fd);

    return r == -ENOENT || r == -ECONNREFUSED;
}

static bool still_listens(void *userdata) {
    return !is_refused(userdata);
}

StrayFate stray_ask(const char *monitor_path, StrayAnswer *ret, Error **reterr) {
    CLEANUP(monitor_freep) Monitor *monitor = NULL;
    const uint64_t deadline = deadline_in(ASK_USEC);
    Look look = {.path = monitor_path};
    int r;

    worker_run(run_look, &look);
    if (!look.listens && is_refused(monitor_path))
        return STRAY_GONE;
    r = monitor_connect(monitor_path, "stray", NULL, (void *)monitor_path, still_listens, deadline,
                        &monitor, reterr);
    if (r >= 0)
        r = monitor_handshake(monitor, deadline, reterr);
    if (r >= 0)
        r = read_answer(monitor, deadline, ret, reterr);
    if (look.pid > 0 && qemu_process_identify(look.pid, &ret->pid) < 0)
        ret->pid = (QemuPid){0};
    return r < 0 ? STRAY_SILENT : STRAY_ANSWERS;
}

void stray_answer_done(StrayAnswer *answer) {
    free(TAKE_PTR(answer->status));
}

/* ---- one stray ---- */

static void set_why(Stray *stray, const char *why) {
    char uuid[UUID_TEXT_SIZE] = "unknown";

    if (streq_ptr(stray->why, why))
        return;
    free(stray->why);
    stray->why = strdup(why);
    if (stray->has_uuid)
        uuid_format(stray->uuid, uuid);
    log_warning("a QEMU (process %d, monitor '%s', uuid %s) is left alone: %s", (int)stray->pid.pid,
                stray->monitor_path, uuid, why);
}

static void remove_files(Driver *driver, const Stray *stray) {
    CLEANUP_FREE char *births = strays_birth_directory(driver);

    unlink(stray->monitor_path);
    if (births)
        birth_remove(births, stray->id);
}

static bool has_ended(const Stray *stray) {
    return stray->pid.pid > 0 && !qemu_process_alive(&stray->pid);
}

/* A start that was cut short: it has run nothing. */
static void end_unborn(Driver *driver, Stray *stray) {
    log_warning("QEMU process %d (monitor '%s') was started by a vireod that ended before it could "
                "be resumed, ending it",
                (int)stray->pid.pid, stray->monitor_path);
    limits_end_stray(driver->limits, &stray->pid);
}

/* True: it is the domain's from now on. */
static bool adopt(Driver *driver, Stray *stray) {
    Domain *listed = driver_find_uuid(driver, stray->uuid, NULL, NULL);
    CLEANUP_DOMAIN Domain *domain = listed ? domain_ref(listed) : NULL;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    bool adopted = false;

    if (!domain) {
        set_why(stray, "no domain with its uuid is defined; define it, or end the process");
        return false;
    }
    if (domain_job_begin(domain, &job, "taking up a QEMU that was found", NULL) < 0)
        return false;
    if (domain->run || !domain->config)
        set_why(stray, "its domain runs in another QEMU; end the one that is wrong");
    else if (driver_adopt(domain, stray, &error) < 0)
        set_why(stray, error_message(error));
    else
        adopted = true;
    if (adopted) {
        log_warning("domain '%s': its status file was lost or wrong, its QEMU (process %d) was "
                    "found by its monitor",
                    domain_name(domain), (int)stray->pid.pid);
        driver_resume_operations(domain);
    }
    domain_job_end(domain, &job);
    return adopted;
}

/* True: it is no stray any more. */
static bool settle(Driver *driver, Stray *stray) {
    CLEANUP(stray_answer_done) StrayAnswer answer = {0};
    CLEANUP_ERROR Error *error = NULL;
    StrayFate fate = has_ended(stray) ? STRAY_GONE
                                      : stray_ask(stray->monitor_path, &answer, &error);

    if (fate == STRAY_GONE && (stray->pid.pid <= 0 || has_ended(stray))) {
        if (stray->group)
            limits_remove_group(driver->limits, stray->partition, stray->group);
        remove_files(driver, stray);
        return true;
    }
    if (fate != STRAY_ANSWERS) {
        set_why(stray, error ? error_message(error) : "nobody listens at its monitor");
        return false;
    }
    if (answer.pid.pid > 0)
        stray->pid = answer.pid;
    memcpy(stray->uuid, answer.uuid, sizeof(stray->uuid));
    stray->has_uuid = true;
    if (!stray->is_unborn || !streq(answer.status, "prelaunch"))
        return adopt(driver, stray);
    end_unborn(driver, stray);
    remove_files(driver, stray);
    return true;
}

typedef struct Asking {
    Driver *driver;
    Stray *stray;
} Asking;

static void ask_on(void *userdata) {
    const Asking asking = *(Asking *)userdata;
    Driver *driver = asking.driver;
    bool over;

    free(userdata);
    over = settle(driver, asking.stray);
    driver->n_first_tries--;
    fiber_cond_broadcast(&driver->tasks.changed);
    while (!over && !task_sleep(&driver->tasks, RETRY_USEC))
        over = settle(driver, asking.stray);
    if (over)
        forget(driver, asking.stray);
}

/* ---- finding ---- */

/* The number of "DIRECTORY/ID.sock" or "ID.json"; 0 for another name. */
static int id_of(const char *path, const char *suffix) {
    const char *name = strrchr(path, '/');
    char *end = NULL;
    long id;

    name = name ? name + 1 : path;
    id = strtol(name, &end, 10);
    return id > 0 && id < INT32_MAX && streq(end, suffix) ? (int)id : 0;
}

static bool is_known(const Driver *driver, int id, const char *path) {
    for (const Domain *domain = driver->domains; domain; domain = domain->next)
        if (domain->run && (domain->run->id == id || streq(domain->run->monitor_path, path)))
            return true;
    return false;
}

static Stray *stray_of(Driver *driver, int id) {
    CLEANUP_FREE char *path = NULL;
    Stray *stray;

    for (stray = driver->strays; stray; stray = stray->next)
        if (stray->id == id)
            return stray;
    path = strays_monitor_path(driver, id);
    stray = path ? calloc(1, sizeof(Stray)) : NULL;
    if (!stray)
        return NULL;
    stray->id = id;
    stray->monitor_path = TAKE_PTR(path);
    stray->next = driver->strays;
    driver->strays = stray;
    driver->next_id = MAX_OF(driver->next_id, id + 1); /* its files' names stay its own */
    return stray;
}

/* "-uuid" of a command line of ours: enough to refuse a start by. */
static void read_uuid(Stray *stray) {
    CLEANUP_FREE char *path = strf("/proc/%d/cmdline", (int)stray->pid.pid), *text = NULL;
    size_t len = 0;
    const char *at;

    if (!path || file_read(path, COMMAND_LINE_MAX, &text, &len) < 0)
        return;
    for (at = text; at < text + len && !streq(at, "-uuid"); at += strlen(at) + 1)
        ;
    at = at < text + len ? at + strlen(at) + 1 : NULL;
    if (at && at < text + len)
        stray->has_uuid = uuid_parse(at, stray->uuid) >= 0;
}

typedef struct Search {
    const char *monitors;
    UnixListeners listeners;
} Search;

static int run_search(void *arg) {
    Search *search = arg;

    return unix_listeners_find(search->monitors, &search->listeners);
}

static void find_listeners(Driver *driver, const char *monitors) {
    Search search = {.monitors = monitors};

    if (worker_run(run_search, &search) < 0)
        log_warning("who listens at a monitor cannot be found out, ignoring");
    for (size_t i = 0; i < search.listeners.n; i++) {
        const UnixListener *listener = &search.listeners.list[i];
        int id = id_of(listener->path, MONITOR_SUFFIX);
        Stray *stray = id > 0 && !is_known(driver, id, listener->path) ? stray_of(driver, id)
                                                                       : NULL;

        if (!stray || listener->pid <= 0 || qemu_process_identify(listener->pid, &stray->pid) < 0)
            continue;
        read_uuid(stray);
    }
    unix_listeners_done(&search.listeners);
}

static void each_entry(Driver *driver, const char *directory,
                       void (*func)(Driver *driver, const char *path)) {
    struct dirent *entry;
    DIR *d = directory ? opendir(directory) : NULL;

    while (d && (entry = readdir(d))) {
        CLEANUP_FREE char *path = path_join(directory, entry->d_name);

        if (path)
            func(driver, path);
    }
    if (d)
        closedir(d);
}

static void find_monitor(Driver *driver, const char *path) {
    int id = id_of(path, MONITOR_SUFFIX);

    if (id > 0 && !is_known(driver, id, path))
        stray_of(driver, id);
}

static bool has_status_file(Driver *driver, const char *name) {
    CLEANUP_FREE char *path = driver_status_path(driver, name);

    return !path || access(path, F_OK) == 0;
}

/* A record beside a status file is from before that file. */
static void find_birth(Driver *driver, const char *path) {
    CLEANUP(birth_done) Birth birth = {0};
    Stray *stray;

    if (id_of(path, ".json") <= 0)
        return;
    if (birth_read(path, &birth) < 0) {
        log_warning("birth record '%s' cannot be read, ignoring", path);
        return;
    }
    if (is_known(driver, birth.id, birth.monitor_path)) {
        unlink(path);
        return;
    }
    stray = stray_of(driver, birth.id);
    if (!stray)
        return;
    stray->pid = birth.pid;
    memcpy(stray->uuid, birth.uuid, sizeof(stray->uuid));
    stray->has_uuid = true;
    stray->is_unborn = !has_status_file(driver, birth.name);
}

void strays_find(Driver *driver) {
    CLEANUP_FREE char *monitors = monitor_directory(driver),
                      *births = strays_birth_directory(driver);

    if (!monitors || !births)
        return;
    each_entry(driver, monitors, find_monitor);
    find_listeners(driver, monitors);
    each_entry(driver, births, find_birth);
    for (Stray *stray = driver->strays, *next; stray; stray = next) {
        Asking *asking = malloc(sizeof(Asking));

        next = stray->next;
        if (stray->pid.pid > 0)
            limits_find_group(driver->limits, stray->pid.pid, &stray->partition, &stray->group);
        driver->n_first_tries++;
        if (asking)
            *asking = (Asking){driver, stray};
        if (!asking || task_start(&driver->tasks, "stray", ask_on, asking) < 0) {
            driver->n_first_tries--;
            free(asking);
        }
    }
}

int strays_check(Driver *driver, const uint8_t uuid[16], Error **reterr) {
    for (const Stray *stray = driver->strays; stray; stray = stray->next) {
        if (!stray->has_uuid || memcmp(stray->uuid, uuid, sizeof(stray->uuid)) != 0 ||
            has_ended(stray))
            continue;
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
            "the domain may already be running: QEMU process %d (monitor '%s') has its uuid; %s",
            (int)stray->pid.pid, stray->monitor_path,
            stray->why ? stray->why : "it is being asked who it is");
    }
    return 0;
}
