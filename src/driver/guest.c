/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of the guest's agent. */
#include "driver/guest.h"

#include "driver/driver.h"
#include "util/json.h"

static int nonsense(const char *execute, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "the guest agent's answer to '%s' is not what the command returns",
                        execute);
}

/* How many file systems a command says that it changed. */
static int read_count(const char *execute, json_object *value, unsigned *ret, Error **reterr) {
    int64_t n = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;

    if (n < 0 || n > INT32_MAX)
        return nonsense(execute, reterr);
    *ret = (unsigned)n;
    return 0;
}

static json_object *freeze_args(char *const *mountpoints, size_t n) {
    CLEANUP_JSON json_object *args = json_object_new_object(), *list = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        if (!list || json_append_string(list, mountpoints[i]) < 0)
            return NULL;
    if (!args || !list || json_add(args, "mountpoints", TAKE_PTR(list)) < 0)
        return NULL;
    return TAKE_PTR(args);
}

/* Without a limit of time: frozen behind the caller's back would be worse than a long wait. */
int driver_fs_freeze(Domain *domain, char *const *mountpoints, size_t n, unsigned *ret,
                     Error **reterr) {
    const char *execute = n ? "guest-fsfreeze-freeze-list" : "guest-fsfreeze-freeze";
    CLEANUP_JSON json_object *value = NULL;
    json_object *args = n ? freeze_args(mountpoints, n) : NULL;
    int r;

    if (n && !args)
        return error_no_memory(reterr);
    r = driver_agent_run(domain, execute, args, AGENT_BLOCK, &value, reterr);
    return r < 0 ? r : read_count(execute, value, ret, reterr);
}

int driver_fs_thaw(Domain *domain, unsigned *ret, Error **reterr) {
    CLEANUP_JSON json_object *value = NULL;
    int r = driver_agent_run(domain, "guest-fsfreeze-thaw", NULL, AGENT_BLOCK, &value, reterr);

    return r < 0 ? r : read_count("guest-fsfreeze-thaw", value, ret, reterr);
}

int driver_fs_trim(Domain *domain, uint64_t minimum, Error **reterr) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    if (!args || json_add_uint(args, "minimum", minimum) < 0)
        return error_no_memory(reterr);
    return driver_agent_run(domain, "guest-fstrim", TAKE_PTR(args), AGENT_BLOCK, NULL, reterr);
}

int driver_guest_time(Domain *domain, int64_t *ret_seconds, unsigned *ret_nanoseconds,
                      Error **reterr) {
    const int64_t second = INT64_C(1000000000);
    CLEANUP_JSON json_object *value = NULL;
    int64_t ns;
    int r = driver_agent_run(domain, "guest-get-time", NULL, AGENT_DEFAULT, &value, reterr);

    if (r < 0)
        return r;
    if (!json_object_is_type(value, json_type_int) || (ns = json_object_get_int64(value)) < 0)
        return nonsense("guest-get-time", reterr);
    *ret_seconds = ns / second;
    *ret_nanoseconds = (unsigned)(ns % second);
    return 0;
}

int driver_guest_hostname(Domain *domain, char **ret, Error **reterr) {
    CLEANUP_JSON json_object *value = NULL;
    const char *name;
    int r = driver_agent_run(domain, "guest-get-host-name", NULL, AGENT_DEFAULT, &value, reterr);

    if (r < 0)
        return r;
    name = json_member_string(value, "host-name");
    if (!name)
        return nonsense("guest-get-host-name", reterr);
    *ret = strdup(name);
    return *ret ? 0 : error_no_memory(reterr);
}
