/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of operations and their journal. */
#include "domain/operation.h"

#include <dirent.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "driver/driver.h"
#include "util/file.h"
#include "util/log.h"

#define JOURNAL_MAX (4u << 20)

static const char *const state_names[OPERATION_STATE_MAX_] = {"acting", "pending", "done", "failed",
                                                              "cancelled"};
static const char *const step_names[OPERATION_STEP_MAX_] = {
    "journaled", "sent", "answered", "confirmed", "tuned", "pending", "saved", "config", "ended"};

const char *operation_state_name(OperationState state) {
    return state_names[state];
}

const char *operation_step_name(OperationStep step) {
    return step_names[step];
}

static uint64_t realtime_usec(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

void vcpu_request_done(VcpuRequest *request) {
    free(request->ids);
    *request = (VcpuRequest){0};
}

Operation *operation_ref(Operation *operation) {
    operation->n_refs++;
    return operation;
}

void operation_unref(Operation *operation) {
    if (!operation || --operation->n_refs > 0)
        return;
    fiber_cond_done(&operation->cond);
    vcpu_request_done(&operation->request);
    free(operation->name);
    free(operation->vcpus);
    free(operation->detail);
    free(operation->guest);
    free(operation);
}

/* Forgets the oldest that have ended beyond OPERATION_HISTORY. The list is newest first. */
static void trim_history(Driver *driver) {
    Operation **at = &driver->operations;
    unsigned n = 0;

    while (*at) {
        Operation *operation = *at;

        if (operation_has_ended(operation) && ++n > OPERATION_HISTORY) {
            *at = operation->next;
            operation->next = NULL;
            operation_unref(operation);
        } else {
            at = &operation->next;
        }
    }
}

static void list_add(Driver *driver, Operation *operation) {
    operation->driver = driver;
    operation->next = driver->operations;
    driver->operations = operation_ref(operation);
    trim_history(driver);
}

int operation_new(Driver *driver, const Domain *domain, const VcpuRequest *request, Operation **ret,
                  Error **reterr) {
    Operation *operation = calloc(1, sizeof(Operation));

    if (!operation)
        return error_no_memory(reterr);
    operation->n_refs = 1;
    operation->name = strdup(domain_name(domain));
    operation->request = *request;
    operation->request.begun = NULL;
    operation->request.ids = request->ids ? strdup(request->ids) : NULL;
    if (!operation->name || (request->ids && !operation->request.ids)) {
        operation_unref(operation);
        return error_no_memory(reterr);
    }
    memcpy(operation->uuid, domain_def(domain)->uuid, sizeof(operation->uuid));
    operation->pid = domain->run->pid;
    operation->started = realtime_usec();
    operation->id = ++driver->last_operation;
    list_add(driver, operation);
    *ret = operation;
    return 0;
}

/* ---- the journal ---- */

static char *journal_path(const Operation *operation) {
    return strf("%s/operations/%llu.json", operation->driver->paths.run,
                (unsigned long long)operation->id);
}

static json_object *to_json(const Operation *operation) {
    json_object *object = json_object_new_object(), *vcpus = json_object_new_array();
    const VcpuRequest *request = &operation->request;
    char uuid[UUID_TEXT_SIZE];

    uuid_format(operation->uuid, uuid);
    json_object_object_add(object, "uuid", json_object_new_string(uuid));
    json_object_object_add(object, "name", json_object_new_string(operation->name));
    json_object_object_add(object, "pid", json_object_new_int64(operation->pid.pid));
    json_object_object_add(object, "pid-start", json_object_new_uint64(operation->pid.start_time));
    json_object_object_add(object, "started", json_object_new_uint64(operation->started));
    json_object_object_add(object, "flags", json_object_new_int64(request->flags));
    json_object_object_add(object, "timeout-usec", json_object_new_uint64(request->timeout_usec));
    if (request->single) {
        json_object_object_add(object, "ids", json_object_new_string(request->ids));
        json_object_object_add(object, "enable", json_object_new_boolean(request->enable));
    } else {
        json_object_object_add(object, "count", json_object_new_int64(request->count));
    }
    json_object_object_add(object, "live", json_object_new_boolean(operation->live));
    json_object_object_add(object, "config", json_object_new_boolean(operation->config));
    json_object_object_add(object, "plug", json_object_new_boolean(operation->plug));
    for (size_t i = 0; i < operation->n_vcpus; i++)
        json_object_array_add(vcpus, json_object_new_int64(operation->vcpus[i]));
    json_object_object_add(object, "vcpus", vcpus);
    return object;
}

int operation_journal(const Operation *operation, Error **reterr) {
    CLEANUP_FREE char *path = journal_path(operation);
    json_object *object = to_json(operation);
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
    int r = path && text ? file_write_atomic_worker(path, text, strlen(text), 0600) : -ENOMEM;

    json_object_put(object);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot write the operation's journal '%s'",
                            path ? path : "");
    operation_step(operation, STEP_JOURNALED);
    return 0;
}

static json_object *member(json_object *object, const char *key) {
    json_object *value = NULL;

    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

static int read_vcpus(json_object *list, Operation *operation) {
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    if (n == 0 || n > DOMAIN_MAX_VCPUS)
        return -EBADMSG;
    operation->vcpus = calloc(n, sizeof(unsigned));
    if (!operation->vcpus)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        operation->vcpus[i] = (unsigned)json_object_get_int64(json_object_array_get_idx(list, i));
    operation->n_vcpus = n;
    return 0;
}

static int from_json(json_object *object, Operation *operation) {
    const char *uuid = json_object_get_string(member(object, "uuid"));
    const char *name = json_object_get_string(member(object, "name"));
    const char *ids = json_object_get_string(member(object, "ids"));
    VcpuRequest *request = &operation->request;

    if (!uuid || !name || uuid_parse(uuid, operation->uuid) < 0)
        return -EBADMSG;
    operation->name = strdup(name);
    operation->pid.pid = (pid_t)json_object_get_int64(member(object, "pid"));
    operation->pid.start_time = json_object_get_uint64(member(object, "pid-start"));
    operation->started = json_object_get_uint64(member(object, "started"));
    operation->live = json_object_get_boolean(member(object, "live"));
    operation->config = json_object_get_boolean(member(object, "config"));
    operation->plug = json_object_get_boolean(member(object, "plug"));
    request->flags = (unsigned)json_object_get_int64(member(object, "flags"));
    request->timeout_usec = json_object_get_uint64(member(object, "timeout-usec"));
    request->single = ids != NULL;
    request->ids = ids ? strdup(ids) : NULL;
    request->enable = json_object_get_boolean(member(object, "enable"));
    request->count = (unsigned)json_object_get_int64(member(object, "count"));
    if (!operation->name || (ids && !request->ids))
        return -ENOMEM;
    return read_vcpus(member(object, "vcpus"), operation);
}

static int load_one(Driver *driver, const char *path, uint64_t id) {
    Operation *operation = calloc(1, sizeof(Operation));
    CLEANUP_FREE char *text = NULL;
    json_object *object = NULL;
    int r;

    if (!operation)
        return -ENOMEM;
    operation->n_refs = 1;
    operation->id = id;
    r = file_read(path, JOURNAL_MAX, &text, NULL);
    if (r >= 0) {
        object = json_tokener_parse(text);
        r = object ? from_json(object, operation) : -EBADMSG;
    }
    if (r >= 0)
        list_add(driver, operation);
    json_object_put(object);
    operation_unref(operation);
    return r;
}

void operation_load_all(Driver *driver) {
    CLEANUP_FREE char *dir = path_join(driver->paths.run, "operations");
    struct dirent *entry;
    DIR *d = dir ? opendir(dir) : NULL;

    if (!d)
        return;
    while ((entry = readdir(d))) {
        CLEANUP_FREE char *path = path_join(dir, entry->d_name);
        char *end = NULL;
        uint64_t id = strtoull(entry->d_name, &end, 10);

        if (!path || end == entry->d_name || !streq(end, ".json"))
            continue;
        if (id > driver->last_operation)
            driver->last_operation = id;
        if (load_one(driver, path, id) < 0) {
            log_warning("operation journal '%s' cannot be read, removing it", path);
            unlink(path);
        }
    }
    closedir(d);
}

/* ---- state ---- */

char *operation_describe(const Operation *operation) {
    const VcpuRequest *request = &operation->request;
    const char *live = operation->live ? " --live" : "",
               *config = operation->config ? " --config" : "";

    if (request->single)
        return strf("setvcpu %s %s%s%s", request->ids, request->enable ? "--enable" : "--disable",
                    live, config);
    return strf("setvcpus %u%s%s", request->count, live, config);
}

static void tell(Operation *operation) {
    fiber_cond_broadcast(&operation->cond);
    if (operation->driver && operation->driver->events && operation->driver->events->operation)
        operation->driver->events->operation(operation, operation->driver->userdata);
}

void operation_set_state(Operation *operation, OperationState state, const char *detail) {
    CLEANUP_FREE char *what = operation_describe(operation);
    char *copy = detail ? strdup(detail) : NULL;

    free(operation->detail);
    operation->detail = copy;
    operation->state = state;
    if (operation_has_ended(operation)) {
        CLEANUP_FREE char *path = operation->driver ? journal_path(operation) : NULL;

        operation_step(operation, STEP_ENDED);
        operation->ended = realtime_usec();
        if (path)
            unlink(path);
    }
    log_debug("domain '%s': operation %llu (%s) is %s%s%s", operation->name,
              (unsigned long long)operation->id, what ? what : "", operation_state_name(state),
              detail ? ": " : "", detail ? detail : "");
    tell(operation);
}

void operation_set_guest(Operation *operation, const char *text) {
    free(operation->guest);
    operation->guest = strdup(text);
    operation->guest_pending = false;
    log_debug("domain '%s': operation %llu: %s", operation->name, (unsigned long long)operation->id,
              text);
    tell(operation);
}

int operation_wait(Operation *operation, uint64_t deadline) {
    while (!operation_has_ended(operation) || operation->guest_pending) {
        int r = fiber_cond_wait(&operation->cond, deadline);

        if (r < 0)
            return r;
    }
    return 0;
}

Operation *operation_find(const Driver *driver, uint64_t id, Error **reterr) {
    for (Operation *operation = driver->operations; operation; operation = operation->next)
        if (operation->id == id)
            return operation;
    error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                 "no operation %llu is known; 'vireo ops list' shows all", (unsigned long long)id);
    return NULL;
}

Operation *operation_of_vcpu(const Domain *domain, unsigned vcpu, const Operation *but) {
    const Driver *driver = domain->driver;

    for (Operation *at = driver ? driver->operations : NULL; at; at = at->next) {
        if (at == but || operation_has_ended(at) ||
            memcmp(at->uuid, domain_def(domain)->uuid, 16) != 0)
            continue;
        for (size_t i = 0; i < at->n_vcpus; i++)
            if (at->vcpus[i] == vcpu)
                return at;
    }
    return NULL;
}

void operation_list_free(Driver *driver) {
    while (driver->operations) {
        Operation *operation = driver->operations;

        driver->operations = operation->next;
        operation->next = NULL;
        operation->driver = NULL;
        operation_unref(operation);
    }
}

void operation_step(const Operation *operation, OperationStep step) {
    static const char *crash_at;
    static bool looked;

    if (!looked)
        crash_at = getenv("VIREOD_CRASH_AT");
    looked = true;
    if (operation && crash_at && streq(crash_at, step_names[step]))
        kill(getpid(), SIGKILL);
}
