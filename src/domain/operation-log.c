/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/operation-log.h"

#include <time.h>
#include <unistd.h>

#include "util/directory.h"
#include "util/file.h"
#include "util/json.h"
#include "util/log.h"

#define JOURNAL_MAX (4u << 20)

struct OperationLog {
    char *directory;
    Operation *first; /* newest first */
    uint64_t last_id;
    OperationListener listener;
    void *userdata;
};

static uint64_t realtime_usec(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

OperationLog *operation_log_new(const char *directory, OperationListener listener, void *userdata) {
    OperationLog *log = calloc(1, sizeof(OperationLog));

    if (log)
        log->directory = strdup(directory);
    if (!log || !log->directory) {
        free(log);
        return NULL;
    }
    log->listener = listener;
    log->userdata = userdata;
    return log;
}

void operation_log_free(OperationLog *log) {
    if (!log)
        return;
    while (log->first) {
        Operation *operation = log->first;

        log->first = operation->next;
        operation->next = NULL;
        operation->log = NULL;
        operation_unref(operation);
    }
    free(log->directory);
    free(log);
}

Operation *operation_log_first(const OperationLog *log) {
    return log->first;
}

/* Forgets the oldest that have ended beyond OPERATION_HISTORY. The list is newest first. */
static void trim_history(OperationLog *log) {
    Operation **at = &log->first;
    unsigned n = 0;

    while (*at) {
        Operation *operation = *at;

        if (operation_has_ended(operation) && ++n > OPERATION_HISTORY) {
            *at = operation->next;
            operation->next = NULL;
            operation_end_journal(operation);
            operation->log = NULL;
            operation_unref(operation);
        } else {
            at = &operation->next;
        }
    }
}

static void list_add(OperationLog *log, Operation *operation) {
    operation->log = log;
    operation->next = log->first;
    log->first = operation_ref(operation);
    trim_history(log);
}

int operation_begin(OperationLog *log, const Domain *domain, const VcpuRequest *request,
                    Operation **ret, Error **reterr) {
    Operation *operation;

    assert(log && domain->run);
    operation = operation_alloc(log->last_id + 1, domain_name(domain), request);
    if (!operation)
        return error_no_memory(reterr);
    memcpy(operation->uuid, domain_def(domain)->uuid, sizeof(operation->uuid));
    operation->pid = domain->run->pid;
    operation->started = realtime_usec();
    log->last_id++;
    list_add(log, operation);
    *ret = operation;
    return 0;
}

/* ---- the journal ---- */

#define JOURNAL_VERSION 1 /* without one: a journal of before there were any */
#define UNDER_WAY ".json"
#define KEPT ".done"

static char *path_with(const Operation *operation, const char *suffix) {
    return strf("%s/%llu%s", operation->log->directory, (unsigned long long)operation->id, suffix);
}

static char *journal_path(const Operation *operation) {
    return path_with(operation, operation->kept ? KEPT : UNDER_WAY);
}

static void unlink_journal(Operation *operation) {
    CLEANUP_FREE char *path = operation->log ? journal_path(operation) : NULL;

    if (path)
        unlink(path);
    operation->kept = false;
}

void operation_end_journal(Operation *operation) {
    if (operation->kept)
        unlink_journal(operation);
}

/* It has ended. Done plugs of vCPUs stay, for their verdict. */
static void end_or_keep(Operation *operation) {
    CLEANUP_FREE char *path = operation->log ? journal_path(operation) : NULL,
                      *kept = operation->log ? path_with(operation, KEPT) : NULL;

    if (path && kept && operation->state == OPERATION_DONE && operation->plug &&
        !operation_is_of_device(operation) && rename(path, kept) == 0)
        operation->kept = true;
    else
        unlink_journal(operation);
}

static int add_request(json_object *object, const VcpuRequest *request) {
    int r = json_add_uint(object, "flags", request->flags);

    if (r >= 0)
        r = json_add_uint(object, "timeout-usec", request->timeout_usec);
    if (r >= 0 && request->single)
        r = json_add_string(object, "ids", request->ids);
    if (r >= 0 && request->single)
        r = json_add_bool(object, "enable", request->enable);
    if (r >= 0 && !request->single)
        r = json_add_int(object, "count", request->count);
    return r;
}

static int add_vcpus(json_object *object, const Operation *operation) {
    CLEANUP_JSON json_object *vcpus = json_object_new_array();
    int r = vcpus ? 0 : -ENOMEM;

    for (size_t i = 0; i < operation->n_vcpus && r >= 0; i++)
        r = json_append(vcpus, json_object_new_int64(operation->vcpus[i]));
    return r < 0 ? r : json_add(object, "vcpus", TAKE_PTR(vcpus));
}

static int add_device(json_object *object, const OperationDevice *device) {
    CLEANUP_JSON json_object *row = json_object_new_object();
    int r = row ? json_add_string(row, "verb", device->verb) : -ENOMEM;

    if (r >= 0)
        r = json_add_string(row, "alias", device->alias);
    if (r >= 0 && device->xml)
        r = json_add_string(row, "xml", device->xml);
    if (r >= 0 && device->whole)
        r = json_add_string(row, "whole", device->whole);
    return r < 0 ? r : json_add(object, "device", TAKE_PTR(row));
}

static int add_verdict(json_object *object, const Operation *operation) {
    int r = json_add_uint(object, "ended", operation->ended);

    if (r >= 0)
        r = json_add_int(object, "verdict", operation->verdict);
    return r >= 0 && operation->guest ? json_add_string(object, "guest", operation->guest) : r;
}

static int add_all(json_object *object, const Operation *operation) {
    char uuid[UUID_TEXT_SIZE];
    int r;

    uuid_format(operation->uuid, uuid);
    r = json_add_int(object, "version", JOURNAL_VERSION);
    if (r >= 0)
        r = json_add_string(object, "uuid", uuid);
    if (r >= 0)
        r = json_add_string(object, "name", operation->name);
    if (r >= 0)
        r = json_add_int(object, "pid", operation->pid.pid);
    if (r >= 0)
        r = json_add_uint(object, "pid-start", operation->pid.start_time);
    if (r >= 0)
        r = json_add_uint(object, "started", operation->started);
    if (r >= 0)
        r = add_request(object, &operation->request);
    if (r >= 0)
        r = json_add_bool(object, "live", operation->live);
    if (r >= 0)
        r = json_add_bool(object, "config", operation->config);
    if (r >= 0)
        r = json_add_bool(object, "plug", operation->plug);
    if (r >= 0 && operation->kept)
        r = add_verdict(object, operation);
    if (r < 0)
        return r;
    return operation_is_of_device(operation) ? add_device(object, &operation->device)
                                             : add_vcpus(object, operation);
}

/* NULL: out of memory. */
static char *to_text(const Operation *operation) {
    CLEANUP_JSON json_object *object = json_object_new_object();

    return object && add_all(object, operation) >= 0 ? json_text(object) : NULL;
}

/* *ret_path is for a sentence about it. */
static int write_journal(const Operation *operation, char **ret_path) {
    CLEANUP_FREE char *text = to_text(operation);

    assert(operation->log);
    *ret_path = journal_path(operation);
    return *ret_path && text ? file_write_atomic_worker(*ret_path, text, strlen(text), 0600)
                             : -ENOMEM;
}

int operation_journal(const Operation *operation, Error **reterr) {
    CLEANUP_FREE char *path = NULL;
    int r = write_journal(operation, &path);

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot write the operation's journal '%s'",
                            path ? path : "");
    operation_step(operation, STEP_JOURNALED);
    return 0;
}

static int read_vcpus(json_object *list, Operation *operation) {
    size_t n = json_length(list);

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

static int copy_member(json_object *object, const char *name, char **ret) {
    const char *text = json_member_string(object, name);

    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

static int read_device(json_object *row, OperationDevice *device) {
    int r = copy_member(row, "verb", &device->verb);

    if (r >= 0)
        r = copy_member(row, "alias", &device->alias);
    if (r >= 0)
        r = copy_member(row, "xml", &device->xml);
    if (r >= 0)
        r = copy_member(row, "whole", &device->whole);
    return r >= 0 && (!device->verb || !device->alias) ? -EBADMSG : r;
}

/* One that was done, and what its guest made of it so far. */
static int read_verdict(json_object *object, Operation *operation) {
    const char *guest = json_member_string(object, "guest");
    int64_t verdict = json_member_int(object, "verdict", GUEST_UNTOLD);

    if (!operation->plug)
        return -EBADMSG;
    operation->kept = operation->guest_pending = true;
    operation->state = OPERATION_DONE;
    operation->ended = json_member_uint(object, "ended", operation->started);
    operation->verdict = verdict > GUEST_UNTOLD && verdict < GUEST_VERDICT_MAX_
                             ? (GuestVerdict)verdict
                             : GUEST_UNTOLD;
    operation->guest = guest ? strdup(guest) : NULL;
    return guest && !operation->guest ? -ENOMEM : 0;
}

static int from_json(uint64_t id, json_object *object, bool kept, Operation **ret) {
    const char *uuid = json_member_string(object, "uuid"),
               *name = json_member_string(object, "name");
    char *ids = (char *)json_member_string(object, "ids");
    VcpuRequest request = {.single = ids != NULL,
                           .ids = ids,
                           .enable = json_member_bool(object, "enable", false),
                           .count = (unsigned)json_member_int(object, "count", 0),
                           .flags = (unsigned)json_member_uint(object, "flags", 0),
                           .timeout_usec = json_member_uint(object, "timeout-usec", 0)};
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    int r;

    if (json_member_int(object, "version", 0) > JOURNAL_VERSION)
        return -EPROTONOSUPPORT;
    if (!uuid || !name)
        return -EBADMSG;
    operation = operation_alloc(id, name, &request);
    if (!operation)
        return -ENOMEM;
    if (uuid_parse(uuid, operation->uuid) < 0)
        return -EBADMSG;
    operation->pid.pid = (pid_t)json_member_int(object, "pid", 0);
    operation->pid.start_time = json_member_uint(object, "pid-start", 0);
    operation->started = json_member_uint(object, "started", 0);
    operation->live = json_member_bool(object, "live", false);
    operation->config = json_member_bool(object, "config", false);
    operation->plug = json_member_bool(object, "plug", false);
    r = json_member(object, "device")
            ? read_device(json_member(object, "device"), &operation->device)
            : read_vcpus(json_member(object, "vcpus"), operation);
    if (r >= 0 && kept)
        r = read_verdict(object, operation);
    if (r >= 0)
        *ret = TAKE_PTR(operation);
    return r;
}

static int load_one(OperationLog *log, const char *path, uint64_t id, bool kept) {
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    CLEANUP_JSON json_object *object = NULL;
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    int r = file_read(path, JOURNAL_MAX, &text, &len);

    if (r >= 0)
        r = json_parse(text, len, &object);
    if (r >= 0)
        r = from_json(id, object, kept, &operation);
    if (r >= 0)
        list_add(log, operation);
    return r;
}

static void load(OperationLog *log, const char *suffix) {
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = directory_names(log->directory, suffix, &names);

    if (r < 0)
        log_error("operations that were under way cannot be read from '%s': %s", log->directory,
                  strerror(-r));
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP_FREE char *path = path_join(log->directory, names.list[i]);
        char *end = NULL;
        uint64_t id = strtoull(names.list[i], &end, 10);

        if (!path || end == names.list[i] || !streq(end, suffix))
            continue;
        log->last_id = MAX_OF(log->last_id, id);
        r = load_one(log, path, id, streq(suffix, KEPT));
        if (r == -EBADMSG || r == -EFBIG) {
            log_warning("operation journal '%s' cannot be understood, removing it", path);
            unlink(path);
        } else if (r == -EPROTONOSUPPORT) {
            log_error("operation journal '%s' is from a newer vireod, its operation does not go on "
                      "here; the file stays",
                      path);
        } else if (r < 0) {
            log_error("operation journal '%s' cannot be read, its operation does not go on: %s",
                      path, strerror(-r));
        }
    }
}

void operation_log_load(OperationLog *log) {
    load(log, KEPT);
    load(log, UNDER_WAY);
}

/* ---- from daemon to daemon ---- */

char *operation_carry(const Operation *operation) {
    CLEANUP_JSON json_object *object = json_object_new_object();

    assert(!operation->plug && !operation_is_of_device(operation));
    return object && add_all(object, operation) >= 0 &&
                   json_add_uint(object, "asked", operation->n_asked) >= 0
               ? json_text(object)
               : NULL;
}

/* What is this domain's here; what the guest was asked, it was asked already. */
static int make_own(Operation *operation, const Domain *domain, bool defined, json_object *object) {
    char *name = strdup(domain_name(domain));

    if (!name)
        return -ENOMEM;
    free(operation->name);
    operation->name = name;
    memcpy(operation->uuid, domain_def(domain)->uuid, sizeof(operation->uuid));
    operation->pid = domain->run->pid;
    operation->config = operation->config && defined;
    operation->n_asked = MIN_OF(json_member_uint(object, "asked", 0), operation->n_vcpus);
    return 0;
}

int operation_adopt(OperationLog *log, const Domain *domain, bool defined, const char *text,
                    Error **reterr) {
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    CLEANUP_JSON json_object *object = NULL;
    int r = strlen(text) > JOURNAL_MAX ? -EFBIG : json_parse(text, strlen(text), &object);

    assert(domain_job_is_mine(domain) && domain->run);
    if (r >= 0)
        r = from_json(log->last_id + 1, object, false, &operation);
    if (r >= 0 && (operation->plug || operation_is_of_device(operation)))
        r = -EBADMSG;
    if (r >= 0)
        r = make_own(operation, domain, defined, object);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the text of an operation on domain '%s' cannot be understood",
                            domain_name(domain));
    log->last_id++;
    list_add(log, operation);
    operation_set_state(operation, OPERATION_PENDING, "waiting for the guest");
    return operation_journal(operation, reterr);
}

/* ---- state ---- */

static void tell(Operation *operation) {
    fiber_cond_broadcast(&operation->cond);
    if (operation->log && operation->log->listener)
        operation->log->listener(operation, operation->log->userdata);
}

void operation_set_state(Operation *operation, OperationState state, const char *detail) {
    CLEANUP_FREE char *what = NULL;

    if (operation_has_ended(operation))
        return;
    what = operation_describe(operation);
    free(operation->detail);
    operation->detail = detail ? strdup(detail) : NULL;
    operation->state = state;
    if (operation_has_ended(operation)) {
        operation_step(operation, STEP_ENDED);
        operation->ended = realtime_usec();
        end_or_keep(operation);
    }
    log_debug("domain '%s': operation %llu (%s) is %s%s%s", operation->name,
              (unsigned long long)operation->id, what ? what : "", operation_state_name(state),
              detail ? ": " : "", detail ? detail : "");
    tell(operation);
}

void operation_journal_guest(Operation *operation) {
    CLEANUP_FREE char *path = NULL;
    int r = operation->kept && operation->log ? write_journal(operation, &path) : 0;

    if (path && !operation->kept) /* its run has ended while a worker wrote */
        unlink(path);
    if (r < 0)
        log_warning("domain '%s': cannot write '%s', the verdict on operation %llu is lost at a "
                    "restart: %s",
                    operation->name, path ? path : "", (unsigned long long)operation->id,
                    strerror(-r));
}

void operation_set_guest(Operation *operation, GuestVerdict verdict, const char *text) {
    assert(text);
    operation->verdict = verdict;
    free(operation->guest);
    operation->guest = strdup(text);
    operation->guest_pending = false;
    log_debug("domain '%s': operation %llu: %s", operation->name, (unsigned long long)operation->id,
              text);
    if (verdict == GUEST_ONLINE)
        operation_end_journal(operation);
    tell(operation);
}

Operation *operation_find(const OperationLog *log, uint64_t id, Error **reterr) {
    for (Operation *operation = log->first; operation; operation = operation->next)
        if (operation->id == id)
            return operation;
    error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                 "no operation %llu is known; 'vireo ops list' shows all", (unsigned long long)id);
    return NULL;
}

bool operation_is_of(const Operation *operation, const Domain *domain) {
    return domain->run && memcmp(operation->uuid, domain_def(domain)->uuid, 16) == 0 &&
           domain->run->pid.pid == operation->pid.pid &&
           domain->run->pid.start_time == operation->pid.start_time;
}

Operation *operation_of_vcpu(const OperationLog *log, const Domain *domain, unsigned vcpu,
                             const Operation *but) {
    for (Operation *at = log->first; at; at = at->next) {
        if (at == but || operation_has_ended(at) ||
            memcmp(at->uuid, domain_def(domain)->uuid, 16) != 0)
            continue;
        for (size_t i = 0; i < at->n_vcpus; i++)
            if (at->vcpus[i] == vcpu)
                return at;
    }
    return NULL;
}
