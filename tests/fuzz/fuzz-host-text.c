/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as what the kernel tells in /proc/PID/mountinfo and /proc/PID/cgroup, in *.stat of a cgroup
 * and in the schemata of resctrl. */
#include "fuzz.h"
#include "host/cgroup-library.h"
#include "host/resctrl-internal.h"
#include "stand-in.h"

int __wrap_cgroup_library_mounts(CgroupMount ret[CGROUP_MOUNTS_MAX], size_t *ret_n);

/* A hybrid host. */
int __wrap_cgroup_library_mounts(CgroupMount ret[CGROUP_MOUNTS_MAX], size_t *ret_n) {
    ret[0] = (CgroupMount){
        .mount_point = strdup("/c"), .version = 2, .controllers = CGROUP_BIT(CGROUP_CPUACCT)};
    ret[1] = (CgroupMount){.mount_point = strdup("/c/cpu set"),
                           .version = 1,
                           .controllers = CGROUP_BIT(CGROUP_CPUSET)};
    *ret_n = 2;
    return 0;
}

static void read_groups(void) {
    CLEANUP(cgroup_host_freep) CgroupHost *host = NULL;

    if (cgroup_host_new(&host, NULL) < 0)
        return; /* more than any /proc has */
    for (CgroupController at = 0; at < CGROUP_CONTROLLER_MAX; at++) {
        CLEANUP_ERROR Error *error = NULL;
        CLEANUP_FREE char *group = NULL;
        int r = cgroup_host_group_of(host, at, 0, &group, &error);

        if (r < 0 ? !error || group : error || !group || !*group)
            abort();
    }
}

static int on_part(const char *name, unsigned id, const char *value, void *userdata) {
    unsigned level;
    ResctrlType type;

    if (!name || !value)
        abort();
    resctrl_cache_name(name, &level, &type);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEANUP_FREE char *text = size > 0 ? strndup((const char *)data, size) : strdup("");

    if (!text)
        abort();
    stand_in_set(data, size);
    read_groups();
    stand_in_clear();
    cgroup_stat_value(text, "usage_usec");
    cgroup_has_word(text, "cpuset");
    if (resctrl_each(text, on_part, NULL) < 0)
        abort();
    return 0;
}
