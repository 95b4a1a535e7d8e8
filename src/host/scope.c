/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scopes over a connection of their own, for the length of one call: org.freedesktop.systemd1(5),
 * org.freedesktop.machine1(5). */
#include "host/scope.h"

#include <ctype.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "util/fiber.h"
#include "util/file.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD ".Manager"
#define MACHINED "org.freedesktop.machine1"
#define MACHINED_PATH "/org/freedesktop/machine1"
#define MACHINED_MANAGER MACHINED ".Manager"
#define MACHINE_NAME_MAX 64u
#define TASKS_MAX UINT64_C(32768)
#define DEVICE_POLICY "strict"

/* Names
 * --------------------------------------------------------------------------------------------- */

char *scope_machine_name(unsigned id, const char *name) {
    char *text = strf("vireo-%u-%s", id, name), *to = text;

    for (const char *from = text; from && *from && to < text + MACHINE_NAME_MAX; from++) {
        bool edge = to == text || to[-1] == '.' || to[-1] == '-';

        if (isascii(*from) && (isalnum(*from) || (!edge && (*from == '-' || *from == '.'))))
            *to++ = *from;
    }
    while (to > text && !isalnum(to[-1]))
        to--;
    if (text)
        *to = '\0';
    return text;
}

static char *escape_byte(char *to, uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    const char text[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};

    return mempcpy(to, text, sizeof(text));
}

/* systemd.unit(5), "String escaping for inclusion in unit names". `to` has room for four times the
 * length. */
static char *escape(char *to, const char *from, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (isascii(from[i]) &&
            (isalnum(from[i]) || from[i] == ':' || from[i] == '_' || (from[i] == '.' && i > 0)))
            *to++ = from[i];
        else
            to = escape_byte(to, (uint8_t)from[i]);
    *to = '\0';
    return to;
}

char *scope_unit_name(const char *machine) {
    char *text = malloc(strlen(machine) * 4 + sizeof("machine-.scope"));

    if (text)
        memcpy(escape(stpcpy(text, "machine-"), machine, strlen(machine)), ".scope",
               sizeof(".scope"));
    return text;
}

/* Components become the parts between dashes; a component that says ".slice" is a unit's name
 * already, with its parents in it. */
char *scope_slice_name(const char *partition) {
    char *text = malloc(strlen(partition) * 4 + sizeof("-.slice")), *to = text;

    if (!text)
        return NULL;
    for (const char *from = partition; *from;) {
        size_t length = strcspn(from, "/");
        bool is_unit = length > 6 && strncmp(from + length - 6, ".slice", 6) == 0;

        if (is_unit) {
            to = text + length - 6;
            memcpy(text, from, length - 6);
        } else if (length > 0) {
            if (to > text)
                *to++ = '-';
            to = escape(to, from, length);
        }
        from += length + (from[length] == '/');
    }
    if (to == text)
        *to++ = '-';
    memcpy(to, ".slice", sizeof(".slice"));
    return text;
}

/* Calls
 * --------------------------------------------------------------------------------------------- */

typedef struct Link {
    sd_bus *bus;
    char *unit;         /* the machine's scope */
    sd_bus_error error; /* of the last call */
    uint64_t deadline;
    char *job;    /* object path of the job that is waited for */
    char *result; /* "done", "failed", ...: NULL until it has ended */
} Link;

static void link_done(Link *link) {
    sd_bus_close_unref(link->bus);
    sd_bus_error_free(&link->error);
    free(link->unit);
    free(link->job);
    free(link->result);
}

/* sd-bus takes 0 for its own default, so one microsecond is the least. */
static uint64_t remaining(const Link *link) {
    uint64_t now = now_usec();

    return link->deadline > now ? link->deadline - now : 1;
}

static int link_open(Link *link, const char *address, const char *machine, uint64_t usec,
                     Error **reterr) {
    int r;

    link->deadline = deadline_in(usec);
    link->unit = scope_unit_name(machine);
    if (!link->unit)
        return error_no_memory(reterr);
    if (address) {
        r = sd_bus_new(&link->bus);
        if (r >= 0)
            r = sd_bus_set_address(link->bus, address);
        if (r >= 0)
            r = sd_bus_set_bus_client(link->bus, true);
        if (r >= 0)
            r = sd_bus_start(link->bus);
    } else {
        r = sd_bus_open_system(&link->bus);
    }
    if (r >= 0)
        return 0;
    error_report(reterr, FROM_NONE, ERROR_NO_CONNECT,
                 "systemd: the system bus cannot be reached (%s)", strerror(-r));
    return -ENOTCONN;
}

/* A host without systemd as its first process may still have its service files, which then fail to
 * spawn. */
static bool is_absent(const sd_bus_error *error) {
    static const char spawn[] = "org.freedesktop.DBus.Error.Spawn.";
    static const char *const names[] = {SD_BUS_ERROR_SERVICE_UNKNOWN,
                                        SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_UNKNOWN_METHOD,
                                        SYSTEMD ".NoSuchUnit", SYSTEMD ".UnitMasked"};

    if (error->name && strncmp(error->name, spawn, strlen(spawn)) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (sd_bus_error_has_name(error, names[i]))
            return true;
    return false;
}

static int call_error(const sd_bus_error *error, int r, const char *what, const char *name,
                      Error **reterr) {
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT) ||
        sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) || r == -ETIMEDOUT)
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_TIMEOUT,
                            "systemd did not %s '%s' in time", what, name);
    error_report(reterr, FROM_NONE, ERROR_OPERATION_FAILED, "systemd cannot %s '%s': %s", what,
                 name, error->message ? error->message : strerror(-r));
    if (is_absent(error) || r == -ECONNRESET)
        return -ENOTCONN;
    return sd_bus_error_has_name(error, SYSTEMD ".UnitExists") ? -EEXIST : r;
}

/* What both ways of making a scope set. The array stays open for more. */
static int append_properties(sd_bus_message *message, const ScopeParams *params) {
    int r = sd_bus_message_open_container(message, 'a', "(sv)");

    if (r >= 0)
        r = sd_bus_message_append(message, "(sv)", "Slice", "s",
                                  params->slice ? params->slice : "machine.slice");
    if (r >= 0)
        r = sd_bus_message_append(message, "(sv)", "Delegate", "b", true);
    if (r >=
        0) /* a machine has a thread for each vCPU and more: the default limit is for services */
        r = sd_bus_message_append(message, "(sv)", "TasksMax", "t", TASKS_MAX);
    if (r >= 0) /* a scope that failed does not stay and hold its name */
        r = sd_bus_message_append(message, "(sv)", "CollectMode", "s", "inactive-or-failed");
    if (r >= 0) /* at the host's end that one has the guests saved or shut down first */
        r = sd_bus_message_append(message, "(sv)", "Before", "as", 1, "vireo-guests.service");
    if (r >= 0 && params->description)
        r = sd_bus_message_append(message, "(sv)", "Description", "s", params->description);
    return r;
}

/* CreateMachine(name, id, service, class, leader, root directory, properties): answers when it is
 * up. */
static int create_machine(Link *link, const ScopeParams *params) {
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    int r = sd_bus_message_new_method_call(link->bus, &message, MACHINED, MACHINED_PATH,
                                           MACHINED_MANAGER, "CreateMachine");

    if (r >= 0)
        r = sd_bus_message_append(message, "s", params->machine);
    if (r >= 0)
        r = sd_bus_message_append_array(message, 'y', params->uuid, params->uuid ? 16 : 0);
    if (r >= 0)
        r = sd_bus_message_append(message, "ssus", "vireo", "vm", (uint32_t)params->pid, "");
    if (r >= 0)
        r = append_properties(message, params);
    if (r >= 0)
        r = sd_bus_message_close_container(message);
    return r >= 0 ? sd_bus_call(link->bus, message, remaining(link), &link->error, NULL) : r;
}

/* JobRemoved(id, job, unit, result). Jobs that end before their path is known to us are told apart
 * later. */
static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    const char *job, *unit, *result;
    Link *link = userdata;

    if (sd_bus_message_read(message, "uoss", NULL, &job, &unit, &result) < 0 || link->result ||
        !link->job || !streq(job, link->job))
        return 0;
    link->result = strdup(result);
    return link->result ? 0 : -ENOMEM;
}

/* The bus delivers in order and a call does not dispatch signals: the job's end is seen after its
 * path. */
static int wait_for_job(Link *link) {
    while (!link->result) {
        int r = sd_bus_process(link->bus, NULL);

        if (r < 0)
            return r;
        if (r > 0)
            continue;
        if (now_usec() >= link->deadline)
            return -ETIMEDOUT;
        r = sd_bus_wait(link->bus, remaining(link));
        if (r < 0 && r != -EINTR)
            return r;
    }
    return 0;
}

/* StartTransientUnit(name, mode, properties, aux): answers with a job, which ends by a signal. */
static int start_unit(Link *link, const ScopeParams *params) {
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
    const char *job;
    int r = sd_bus_message_new_method_call(link->bus, &message, SYSTEMD, SYSTEMD_PATH,
                                           SYSTEMD_MANAGER, "StartTransientUnit");

    if (r >= 0)
        r = sd_bus_message_append(message, "ss", link->unit, "fail");
    if (r >= 0)
        r = append_properties(message, params);
    if (r >= 0)
        r = sd_bus_message_append(message, "(sv)", "PIDs", "au", 1, (uint32_t)params->pid);
    if (r >= 0)
        r = sd_bus_message_close_container(message);
    if (r >= 0)
        r = sd_bus_message_append(message, "a(sa(sv))", 0);
    if (r >= 0)
        r = sd_bus_call(link->bus, message, remaining(link), &link->error, &reply);
    if (r >= 0)
        r = sd_bus_message_read(reply, "o", &job);
    if (r < 0)
        return r;
    link->job = strdup(job);
    return link->job ? wait_for_job(link) : -ENOMEM;
}

/* systemd sends its signals only while somebody has subscribed; the end of the connection takes it
 * back. */
static int subscribe(Link *link) {
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    int r = sd_bus_match_signal(link->bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                "JobRemoved", on_job_removed, link);

    if (r >= 0)
        r = sd_bus_message_new_method_call(link->bus, &message, SYSTEMD, SYSTEMD_PATH,
                                           SYSTEMD_MANAGER, "Subscribe");
    return r >= 0 ? sd_bus_call(link->bus, message, remaining(link), &link->error, NULL) : r;
}

int scope_start(const char *address, const ScopeParams *params, uint64_t usec, Error **reterr) {
    CLEANUP(link_done) Link link = {0};
    int r;

    assert(params->pid > 0);
    r = link_open(&link, address, params->machine, usec, reterr);
    if (r < 0)
        return r;
    r = create_machine(&link, params);
    if (r >= 0)
        return 0;
    if (!is_absent(&link.error))
        return call_error(&link.error, r, "make the machine", params->machine, reterr);
    sd_bus_error_free(&link.error);
    r = subscribe(&link);
    if (r >= 0)
        r = start_unit(&link, params);
    if (r < 0)
        return call_error(&link.error, r, "start the scope", link.unit, reterr);
    if (streq(link.result, "done"))
        return 0;
    return error_report(reterr, FROM_NONE, ERROR_OPERATION_FAILED,
                        "systemd cannot start the scope '%s': %s", link.unit, link.result);
}

static int call_one(Link *link, const char *service, const char *path, const char *interface,
                    const char *method, const char *first, const char *second) {
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    int r = sd_bus_message_new_method_call(link->bus, &message, service, path, interface, method);

    if (r >= 0)
        r = sd_bus_message_append(message, "s", first);
    if (r >= 0 && second)
        r = sd_bus_message_append(message, "s", second);
    return r >= 0 ? sd_bus_call(link->bus, message, remaining(link), &link->error, NULL) : r;
}

int scope_stop(const char *address, const char *machine, uint64_t usec, Error **reterr) {
    CLEANUP(link_done) Link link = {0};
    int r = link_open(&link, address, machine, usec, reterr);

    if (r < 0)
        return r;
    r = call_one(&link, MACHINED, MACHINED_PATH, MACHINED_MANAGER, "TerminateMachine", machine,
                 NULL);
    if (r >= 0)
        return 0;
    if (!is_absent(&link.error) && !sd_bus_error_has_name(&link.error, MACHINED ".NoSuchMachine"))
        return call_error(&link.error, r, "end the machine", machine, reterr);
    sd_bus_error_free(&link.error);
    r = call_one(&link, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "StopUnit", link.unit, "replace");
    if (r >= 0 || sd_bus_error_has_name(&link.error, SYSTEMD ".NoSuchUnit"))
        return 0;
    return call_error(&link.error, r, "stop the scope", link.unit, reterr);
}

/* SetUnitProperties(name, runtime, properties): the array stays open for them. */
static int begin_set(const Link *link, sd_bus_message **ret) {
    int r = sd_bus_message_new_method_call(link->bus, ret, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           "SetUnitProperties");

    if (r >= 0)
        r = sd_bus_message_append(*ret, "sb", link->unit, true);
    return r >= 0 ? sd_bus_message_open_container(*ret, 'a', "(sv)") : r;
}

static int end_set(Link *link, sd_bus_message *message) {
    int r = sd_bus_message_close_container(message);

    return r >= 0 ? sd_bus_call(link->bus, message, remaining(link), &link->error, NULL) : r;
}

int scope_set_share(const char *address, const char *machine, const char *property, uint64_t value,
                    uint64_t usec, Error **reterr) {
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    CLEANUP(link_done) Link link = {0};
    int r = link_open(&link, address, machine, usec, reterr);

    if (r < 0)
        return r;
    r = begin_set(&link, &message);
    if (r >= 0)
        r = sd_bus_message_append(message, "(sv)", property, "t", value);
    if (r >= 0)
        r = end_set(&link, message);
    return r < 0 ? call_error(&link.error, r, "set the share of", link.unit, reterr) : 0;
}

/* Devices
 * --------------------------------------------------------------------------------------------- */

/* The driver of a major number, as /proc/devices names it (proc(5)). NULL: none has it, -ENOMEM. */
static int find_driver(bool block, unsigned major, char **ret) {
    CLEANUP_FREE char *text = NULL;
    char *rest, *line;
    bool in_block = false;
    int r = file_read("/proc/devices", 65536, &text, NULL);

    *ret = NULL;
    if (r < 0)
        return r;
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        char *name;

        if (streq(line, "Block devices:"))
            in_block = true;
        if (in_block != block || strtoul(line, &name, 10) != major || name == line || *name != ' ')
            continue;
        *ret = strdup(name + 1);
        return *ret ? 0 : -ENOMEM;
    }
    return 0;
}

/* "/dev/char/1:3", "char-pts": what systemd has for it. NULL: there is no such driver. */
static int device_pattern(const CgroupDevice *device, char **ret) {
    CLEANUP_FREE char *driver = NULL;
    const char *kind = device->block ? "block" : "char";
    int r = 0;

    *ret = NULL;
    if (device->minor != CGROUP_MINOR_ANY) {
        *ret = strf("/dev/%s/%u:%d", kind, device->major, device->minor);
        return *ret ? 0 : -ENOMEM;
    }
    r = find_driver(device->block, device->major, &driver);
    if (r < 0 || !driver)
        return r;
    *ret = strf("%s-%s", kind, driver);
    return *ret ? 0 : -ENOMEM;
}

/* DeviceAllow, once; systemd adds what is new in it to what it has, and forgets all that for an
 * empty one. */
static int append_devices(sd_bus_message *message, const CgroupDevice *list, size_t n) {
    int r = sd_bus_message_open_container(message, 'r', "sv");

    if (r >= 0)
        r = sd_bus_message_append(message, "s", "DeviceAllow");
    if (r >= 0)
        r = sd_bus_message_open_container(message, 'v', "a(ss)");
    if (r >= 0)
        r = sd_bus_message_open_container(message, 'a', "(ss)");
    for (size_t i = 0; r >= 0 && i < n; i++) {
        CLEANUP_FREE char *pattern = NULL;

        r = device_pattern(&list[i], &pattern);
        if (r >= 0 && pattern)
            r = sd_bus_message_append(message, "(ss)", pattern, "rwm");
    }
    for (unsigned i = 0; r >= 0 && i < 3; i++)
        r = sd_bus_message_close_container(message);
    return r;
}

static int set_devices(Link *link, const CgroupDevice *list, size_t n, bool begin, bool more) {
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    int r = begin_set(link, &message);

    if (r >= 0 && begin)
        r = sd_bus_message_append(message, "(sv)", "DevicePolicy", "s", DEVICE_POLICY);
    if (r >= 0 && !more)
        r = append_devices(message, NULL, 0);
    if (r >= 0 && n > 0)
        r = append_devices(message, list, n);
    return r >= 0 ? end_set(link, message) : r;
}

int scope_limit_devices(const char *address, const char *machine, const CgroupDevice *list,
                        size_t n, uint64_t usec, Error **reterr) {
    CLEANUP(link_done) Link link = {0};
    int r = link_open(&link, address, machine, usec, reterr);

    if (r < 0)
        return r;
    r = set_devices(&link, list, n, true, false);
    return r < 0 ? call_error(&link.error, r, "limit the devices of", link.unit, reterr) : 0;
}

/* Does the scope have a list? */
static int is_limited(Link *link, bool *ret) {
    CLEANUP_FREE char *path = NULL, *policy = NULL;
    int r = sd_bus_path_encode(SYSTEMD_PATH "/unit", link->unit, &path);

    if (r >= 0)
        r = sd_bus_set_method_call_timeout(link->bus, remaining(link));
    if (r >= 0)
        r = sd_bus_get_property_string(link->bus, SYSTEMD, path, SYSTEMD ".Scope", "DevicePolicy",
                                       &link->error, &policy);
    *ret = r >= 0 && streq(policy, DEVICE_POLICY);
    return r;
}

int scope_set_devices(const char *address, const char *machine, const CgroupDevice *list, size_t n,
                      bool more, uint64_t usec, Error **reterr) {
    CLEANUP(link_done) Link link = {0};
    bool limited = false;
    int r = link_open(&link, address, machine, usec, reterr);

    if (r < 0)
        return r;
    r = is_limited(&link, &limited);
    if (r >= 0 && limited)
        r = set_devices(&link, list, n, false, more);
    return r < 0 ? call_error(&link.error, r, "change the devices of", link.unit, reterr) : 0;
}
