/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/smi.h"

#include "util/file.h"
#include "util/json.h"

#define UNATTACHED "/machine/unattached"
#define BRIDGE "child<ICH9-LPC>"
#define CPU_HOTPLUG (UINT64_C(1) << 1)

/* Arguments of qom-list and qom-get; NULL: out of memory. */
static json_object *arguments_of(const char *path, const char *property) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    if (!args || json_add_string(args, "path", path) < 0 ||
        (property && json_add_string(args, "property", property) < 0))
        return NULL;
    return TAKE_PTR(args);
}

/* *ret is NULL where the machine has none. */
static int find_bridge(Monitor *monitor, uint64_t deadline, char **ret, Error **reterr) {
    CLEANUP_JSON json_object *rows = NULL;
    json_object *args = arguments_of(UNATTACHED, NULL);
    int r = args ? monitor_run(monitor, "qom-list", args, deadline, &rows, reterr)
                 : error_no_memory(reterr);

    *ret = NULL;
    for (size_t i = 0; r >= 0 && i < json_length(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i);
        const char *type = json_member_string(row, "type"), *name = json_member_string(row, "name");

        if (type && name && streq(type, BRIDGE)) {
            *ret = strf("%s/%s", UNATTACHED, name);
            return *ret ? 0 : error_no_memory(reterr);
        }
    }
    return r;
}

/* *ret stays NULL where this QEMU has no such property. */
static int get(Monitor *monitor, const char *path, const char *property, uint64_t deadline,
               json_object **ret, Error **reterr) {
    json_object *args = arguments_of(path, property);
    CLEANUP_ERROR Error *error = NULL;
    int r = args ? monitor_run(monitor, "qom-get", args, deadline, ret, &error)
                 : error_no_memory(&error);

    if (r < 0 && error->code == ERROR_INTERNAL)
        return 0;
    return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
}

/* Whether its CPUs have run: before that it waits in "prelaunch". */
static int has_begun(Monitor *monitor, uint64_t deadline, bool *ret, Error **reterr) {
    CLEANUP_JSON json_object *value = NULL;
    const char *status;
    int r = monitor_run(monitor, "query-status", NULL, deadline, &value, reterr);

    if (r < 0)
        return r;
    status = json_member_string(value, "status");
    *ret = !status || !streq(status, "prelaunch");
    return 0;
}

int smi_plug_query(Monitor *borrowed, uint64_t deadline, SmiPlug *ret, bool *ret_begun,
                   Error **reterr) {
    CLEANUP(monitor_unrefp) Monitor *monitor = monitor_ref(borrowed);
    CLEANUP_JSON json_object *offered = NULL, *negotiated = NULL;
    CLEANUP_FREE char *path = NULL;
    uint64_t taken;
    int r = has_begun(monitor, deadline, ret_begun, reterr);

    *ret = SMI_PLUG_NONE;
    if (r >= 0)
        r = find_bridge(monitor, deadline, &path, reterr);
    if (r < 0 || !path)
        return r;
    r = get(monitor, path, "x-smi-cpu-hotplug", deadline, &offered, reterr);
    if (r >= 0)
        r = get(monitor, path, "x-smi-negotiated-features", deadline, &negotiated, reterr);
    if (r < 0 || !offered || !json_object_get_boolean(offered))
        return r;
    taken = negotiated ? json_object_get_uint64(negotiated) : 0;
    *ret = (taken & CPU_HOTPLUG) ? SMI_PLUG_AGREED : taken ? SMI_PLUG_NONE : SMI_PLUG_OPEN;
    return 0;
}
