/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/stray-find.h"

#include <unistd.h>

#include "domain/birth.h"
#include "domain/files.h"
#include "domain/store.h"
#include "domain/vcpu-operation.h"
#include "driver/device.h"
#include "driver/reconnect.h"
#include "driver/stray-ask.h"
#include "driver/strays.h"
#include "host/listeners.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

#define RETRY_USEC (2 * USEC_PER_SEC)
#define COMMAND_LINE_MAX (4u << 20) /* bytes: execve(2) */
#define MONITOR_SUFFIX ".sock"

static void remove_files(Services *services, const Stray *stray) {
    CLEANUP_FREE char *births = domain_birth_directory(&services->paths);

    unlink(stray->monitor_path);
    if (births)
        birth_remove(births, stray->id);
}

/* A start that was cut short: it has run nothing. */
static void end_unborn(Services *services, Stray *stray) {
    log_warning("QEMU process %d (monitor '%s') was started by a vireod that ended before it could "
                "be resumed, ending it",
                (int)stray->pid.pid, stray->monitor_path);
    limits_end_stray(services->limits, &stray->pid);
}

/* True: it is the domain's from now on. */
static bool adopt(Services *services, Stray *stray) {
    Domain *listed = store_uuid(services->store, stray->uuid);
    CLEANUP_DOMAIN Domain *domain = listed ? domain_ref(listed) : NULL;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    bool adopted = false;

    if (!domain) {
        stray_set_why(stray, "no domain with its uuid is defined; define it, or end the process");
        return false;
    }
    if (domain_job_begin(domain, &job, "taking up a QEMU that was found", NULL) < 0)
        return false;
    if (domain->run || !domain->config)
        stray_set_why(stray, "its domain runs in another QEMU; end the one that is wrong");
    else if (reconnect_adopt(domain, stray, &error) < 0)
        stray_set_why(stray, error_message(error));
    else
        adopted = true;
    if (adopted) {
        log_warning("domain '%s': its status file was lost or wrong, its QEMU (process %d) was "
                    "found by its monitor",
                    domain_name(domain), (int)stray->pid.pid);
        operations_resume(domain);
        device_operations_resume(domain);
    }
    domain_job_end(domain, &job);
    return adopted;
}

/* True: it is no stray any more. */
static bool settle(Services *services, Stray *stray) {
    CLEANUP(stray_answer_done) StrayAnswer answer = {0};
    CLEANUP_ERROR Error *error = NULL;
    StrayFate fate = stray_has_ended(stray) ? STRAY_GONE
                                            : stray_ask(stray->monitor_path, &answer, &error);

    if (fate == STRAY_GONE && (stray->pid.pid <= 0 || stray_has_ended(stray))) {
        if (stray->group)
            limits_remove_group(services->limits, stray->partition, stray->group);
        remove_files(services, stray);
        return true;
    }
    if (fate != STRAY_ANSWERS) {
        stray_set_why(stray, error ? error_message(error) : "nobody listens at its monitor");
        return false;
    }
    if (answer.pid.pid > 0)
        stray->pid = answer.pid;
    memcpy(stray->uuid, answer.uuid, sizeof(stray->uuid));
    stray->has_uuid = true;
    if (!stray->is_unborn ||
        !(streq(answer.status, "prelaunch") || streq(answer.status, "inmigrate")))
        return adopt(services, stray);
    end_unborn(services, stray);
    remove_files(services, stray);
    return true;
}

typedef struct Asking {
    Services *services;
    Stray *stray;
} Asking;

static void ask_on(void *userdata) {
    const Asking asking = *(Asking *)userdata;
    Services *services = asking.services;
    bool over;

    free(userdata);
    over = settle(services, asking.stray);
    services->n_first_tries--;
    fiber_cond_broadcast(&services->tried);
    while (!over && !task_sleep(&services->tasks, RETRY_USEC))
        over = settle(services, asking.stray);
    if (over)
        strays_forget(services->strays, asking.stray);
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

static bool is_known(const Services *services, int id, const char *path) {
    for (const Domain *domain = services->store->domains; domain; domain = domain->next)
        if (domain->run && (domain->run->id == id || streq(domain->run->monitor_path, path)))
            return true;
    return false;
}

static Stray *stray_of(Services *services, int id) {
    CLEANUP_FREE char *path = domain_monitor_path(&services->paths, id);

    store_pass_id(services->store, id); /* its files' names stay its own */
    return path ? strays_add(services->strays, id, path) : NULL;
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

static int run_search_owners(void *arg) {
    Search *search = arg;

    return unix_listeners_find_owners(&search->listeners);
}

static void find_listeners(Services *services, const char *monitors) {
    Search search = {.monitors = monitors};
    int r = worker_run(run_search, &search);

    for (size_t i = 0; i < search.listeners.n; i++) {
        UnixListener *listener = &search.listeners.list[i];
        int id = id_of(listener->path, MONITOR_SUFFIX);

        listener->wanted = id > 0 && !is_known(services, id, listener->path);
    }
    if (r >= 0)
        r = worker_run(run_search_owners, &search);
    if (r < 0)
        log_warning("who listens at a monitor cannot be found out, ignoring");
    for (size_t i = 0; i < search.listeners.n; i++) {
        const UnixListener *listener = &search.listeners.list[i];
        Stray *stray = listener->wanted ? stray_of(services, id_of(listener->path, MONITOR_SUFFIX))
                                        : NULL;

        if (!stray || listener->pid <= 0 || qemu_process_identify(listener->pid, &stray->pid) < 0)
            continue;
        read_uuid(stray);
    }
    unix_listeners_done(&search.listeners);
}

static void each_entry(Services *services, const char *directory,
                       void (*func)(Services *services, const char *path)) {
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = directory_names(directory, "", &names);

    if (r < 0)
        log_error("'%s' cannot be read: QEMUs of lost status files are not looked for there: %s",
                  directory, strerror(-r));
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP_FREE char *path = path_join(directory, names.list[i]);

        if (path)
            func(services, path);
    }
}

static void find_monitor(Services *services, const char *path) {
    int id = id_of(path, MONITOR_SUFFIX);

    if (id > 0 && !is_known(services, id, path))
        stray_of(services, id);
}

static bool has_status_file(Services *services, const char *name) {
    CLEANUP_FREE char *path = domain_status_path(&services->paths, name);

    return !path || access(path, F_OK) == 0;
}

/* A record beside a status file is from before that file. */
static void find_birth(Services *services, const char *path) {
    CLEANUP(birth_done) Birth birth = {0};
    Stray *stray;

    if (id_of(path, ".json") <= 0)
        return;
    if (birth_read(path, &birth) < 0) {
        log_warning("birth record '%s' cannot be read, ignoring", path);
        return;
    }
    if (is_known(services, birth.id, birth.monitor_path)) {
        unlink(path);
        return;
    }
    stray = stray_of(services, birth.id);
    if (!stray)
        return;
    stray->pid = birth.pid;
    memcpy(stray->uuid, birth.uuid, sizeof(stray->uuid));
    stray->has_uuid = true;
    stray->is_unborn = !has_status_file(services, birth.name);
}

void stray_find_all(Services *services) {
    CLEANUP_FREE char *monitors = path_join(services->paths.lib, "monitors"),
                      *births = domain_birth_directory(&services->paths);

    if (!monitors || !births)
        return;
    each_entry(services, monitors, find_monitor);
    find_listeners(services, monitors);
    each_entry(services, births, find_birth);
    for (Stray *stray = strays_first(services->strays), *next; stray; stray = next) {
        Asking *asking = malloc(sizeof(Asking));

        next = stray->next;
        if (stray->pid.pid > 0)
            limits_find_group(services->limits, stray->pid.pid, &stray->partition, &stray->group);
        services->n_first_tries++;
        if (asking)
            *asking = (Asking){services, stray};
        if (!asking || task_start(&services->tasks, "stray", ask_on, asking) < 0) {
            services->n_first_tries--;
            free(asking);
        }
    }
}
