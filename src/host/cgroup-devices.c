/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The controller "devices" of cgroup v1 (kernel: admin-guide/cgroup-v1/devices.rst): a new group
 * has what the one above it has; a line "c 1:3 rwm" in devices.allow or devices.deny gives or
 * takes, "a" in devices.deny takes everything, and devices.list shows what is left. A group cannot
 * be given what the one above it lacks (EPERM). */
#include <stdio.h>

#include "host/cgroup-internal.h"
#include "util/log.h"

#define ALLOW "devices.allow"
#define DENY "devices.deny"
#define LINE_MAX_BYTES 32

/* ---- lines ---- */

static void format(const CgroupDevice *device, char ret[LINE_MAX_BYTES]) {
    if (device->minor == CGROUP_MINOR_ANY)
        snprintf(ret, LINE_MAX_BYTES, "%c %u:* rwm", device->block ? 'b' : 'c', device->major);
    else
        snprintf(ret, LINE_MAX_BYTES, "%c %u:%d rwm", device->block ? 'b' : 'c', device->major,
                 device->minor);
}

/* Is it a line of the text? */
static bool has_line(const char *text, const char *line) {
    const size_t length = strlen(line);

    for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, line, length) == 0 && strchr("\n", at[length]))
            return true;
    return false;
}

/* What the group above lacks is left out. */
static int allow(const CgroupPlace *place, const CgroupDevice *list, size_t n, const char *has,
                 Error **reterr) {
    for (size_t i = 0; i < n; i++) {
        char line[LINE_MAX_BYTES];
        int r;

        format(&list[i], line);
        r = has_line(has, line) ? 0 : cgroup_write_quiet(place, NULL, ALLOW, line);
        if (r == -EPERM)
            log_debug("cgroup '%s' cannot have device '%s'", cgroup_place_name(place), line);
        else if (r < 0)
            return cgroup_write_error(place, NULL, ALLOW, line, r, "", reterr);
    }
    return 0;
}

static bool is_listed(const CgroupDevice *list, size_t n, const char *line) {
    for (size_t i = 0; i < n; i++) {
        char wanted[LINE_MAX_BYTES];

        format(&list[i], wanted);
        if (streq(wanted, line))
            return true;
    }
    return false;
}

/* Takes what is not listed. */
static int deny(const CgroupPlace *place, const CgroupDevice *list, size_t n, const char *has,
                Error **reterr) {
    CLEANUP_FREE char *copy = strdup(has);
    char *rest = copy;
    int r = copy ? 0 : error_no_memory(reterr);

    for (char *line; r >= 0 && (line = strsep(&rest, "\n"));)
        if (*line && !is_listed(list, n, line))
            r = cgroup_write(place, NULL, DENY, line, reterr);
    return r;
}

/* ---- groups ---- */

int cgroup_devices_enter(const CgroupHost *host, const char *partition, const char *name, pid_t pid,
                         const CgroupDevice *list, size_t n, Error **reterr) {
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    int r;

    assert(host->devices && pid > 0);
    r = cgroup_partition_make(host->devices, partition, reterr);
    if (r >= 0)
        r = cgroup_tree_create(host->devices, partition, name, &tree, reterr);
    if (r < 0)
        return r;
    r = cgroup_write(&tree->places[0], NULL, DENY, "a", reterr);
    if (r >= 0)
        r = allow(&tree->places[0], list, n, "", reterr);
    if (r >= 0)
        r = cgroup_tree_adopt(tree, pid, reterr);
    if (r < 0) {
        /* The process may have been there before; then the group stays, and keeps from nothing. */
        cgroup_write_quiet(&tree->places[0], NULL, ALLOW, "a");
        cgroup_tree_remove(tree, NULL);
    }
    return r;
}

int cgroup_devices_set(const CgroupHost *host, const char *partition, const char *name,
                       const CgroupDevice *list, size_t n, bool more, Error **reterr) {
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    CLEANUP_FREE char *has = NULL;
    int r;

    if (!host->devices || cgroup_tree_open(host->devices, partition, name, &tree, NULL) < 0)
        return 0;
    r = cgroup_read(&tree->places[0], NULL, "devices.list", &has, reterr);
    if (r < 0 || *has == 'a')
        return r;
    r = allow(&tree->places[0], list, n, has, reterr);
    return r < 0 || more ? r : deny(&tree->places[0], list, n, has, reterr);
}

int cgroup_devices_remove(const CgroupHost *host, const char *partition, const char *name,
                          Error **reterr) {
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;

    if (!host->devices || cgroup_tree_open(host->devices, partition, name, &tree, NULL) < 0)
        return 0;
    return cgroup_tree_remove(tree, reterr);
}
