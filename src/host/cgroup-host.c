/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which controllers the host has, where they are mounted and in which version; a host may have both
 * (hybrid). libcgroup finds them; the group that a bind mount shows as its top is in
 * proc_pid_mountinfo(5), and that of a process in cgroups(7). */
#include <stdio.h>

#include "host/cgroup-internal.h"
#include "host/cgroup-library.h"
#include "util/file.h"

#define PROC_LIMIT (1024u * 1024)

/* mountinfo writes space, tab, newline and backslash as \ooo. In place. */
static void unescape(char *text) {
    char *to = text;

    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
            *to = (from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0');
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* "36 35 98:0 ROOT MOUNT_POINT OPTIONS ...": the last mount at that point covers the others. */
static int find_root(const char *mountinfo, const char *mount_point, char **ret) {
    CLEANUP_FREE char *copy = strdup(mountinfo), *root = strdup("/");
    char *rest = copy;

    if (!copy || !root)
        return -ENOMEM;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *fields[5] = {NULL};

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
            fields[i] = strsep(&line, " ");
        if (!fields[4])
            continue;
        unescape(fields[3]);
        unescape(fields[4]);
        if (!streq(fields[4], mount_point))
            continue;
        free(root);
        root = strdup(fields[3]);
        if (!root)
            return -ENOMEM;
    }
    *ret = TAKE_PTR(root);
    return 0;
}

static int add_hierarchy(CgroupHost *host, const CgroupMount *mount) {
    CgroupHierarchy *to = &host->hierarchies[host->n_hierarchies];

    assert(host->n_hierarchies < CGROUP_CONTROLLER_MAX);
    *to = (CgroupHierarchy){.ops = mount->version == 2 ? &cgroup_v2_ops : &cgroup_v1_ops,
                            .controllers = mount->controllers,
                            .mount_point = strdup(mount->mount_point),
                            .root = strdup(mount->root),
                            .read_only = mount->read_only};
    host->n_hierarchies++;
    return to->mount_point && to->root ? 0 : -ENOMEM;
}

int cgroup_host_from_table(const char *proc, const CgroupMount *mounts, size_t n, CgroupHost **ret,
                           Error **reterr) {
    CLEANUP(cgroup_host_freep) CgroupHost *host = calloc(1, sizeof(CgroupHost));

    if (!host || !(host->proc = strdup(proc ? proc : "/proc")))
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++)
        if (add_hierarchy(host, &mounts[i]) < 0)
            return error_no_memory(reterr);
    *ret = TAKE_PTR(host);
    return 0;
}

/* The options of the file system are the line's last word. */
static bool has_devices(const char *line) {
    const char *options = strrchr(line, ' ');
    CLEANUP_FREE char *text = options ? strf(",%s,", options + 1) : NULL;

    return text && strstr(text, ",devices,");
}

/* "ID PARENT DEV ROOT MOUNT_POINT rw,relatime ... - cgroup cgroup rw,devices": cuts the line up.
 * NULL: another one, or one that cannot be written. */
static const char *mount_point_of(char *line) {
    char *fields[6] = {NULL};

    if (!strstr(line, " - cgroup ") || !has_devices(line))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        fields[i] = strsep(&line, " ");
    if (!fields[5] || strncmp(fields[5], "rw", 2) != 0)
        return NULL;
    unescape(fields[4]);
    return fields[4];
}

/* v1's controller "devices", if it can be written. */
static int find_devices(CgroupHost *host, const char *mountinfo) {
    CLEANUP_FREE char *copy = strdup(mountinfo);
    char *rest = copy;

    if (!copy)
        return -ENOMEM;
    for (char *line; !host->devices && (line = strsep(&rest, "\n"));) {
        const char *at = mount_point_of(line);
        const CgroupMount mount = {.mount_point = at, .root = "/", .version = 1};

        if (at && cgroup_host_from_table(host->proc, &mount, 1, &host->devices, NULL) < 0)
            return -ENOMEM;
    }
    return 0;
}

typedef struct MountList {
    CgroupMount list[CGROUP_MOUNTS_MAX];
    size_t n;
} MountList;

static void mounts_done(MountList *mounts) {
    for (size_t i = 0; i < mounts->n; i++) {
        free((char *)mounts->list[i].mount_point);
        free((char *)mounts->list[i].root);
    }
}

int cgroup_host_new(CgroupHost **ret, Error **reterr) {
    CLEANUP(mounts_done) MountList mounts = {0};
    CLEANUP_FREE char *text = NULL;
    int r = cgroup_library_mounts(mounts.list, &mounts.n);

    if (r >= 0)
        r = file_read("/proc/self/mountinfo", PROC_LIMIT, &text, NULL);
    if (r < 0 && r != -ENOMEM)
        return error_system(reterr, FROM_CGROUP, r,
                            "cannot read '/proc/self/mountinfo', which tells where cgroups are");
    for (size_t i = 0; i < mounts.n && r >= 0; i++)
        r = find_root(text, mounts.list[i].mount_point, (char **)&mounts.list[i].root);
    if (r < 0)
        return error_no_memory(reterr);
    r = cgroup_host_from_table(NULL, mounts.list, mounts.n, ret, reterr);
    for (size_t i = 0; r >= 0 && i < (*ret)->n_hierarchies; i++)
        (*ret)->hierarchies[i].library = true;
    if (r >= 0 && find_devices(*ret, text) < 0) {
        cgroup_host_free(TAKE_PTR(*ret));
        return error_no_memory(reterr);
    }
    return r;
}

void cgroup_host_free(CgroupHost *host) {
    if (!host)
        return;
    for (size_t i = 0; i < host->n_hierarchies; i++) {
        free(host->hierarchies[i].mount_point);
        free(host->hierarchies[i].root);
    }
    cgroup_host_free(host->devices);
    free(host->proc);
    free(host);
}

static const CgroupHierarchy *hierarchy_of(const CgroupHost *host, CgroupController controller) {
    assert(controller >= 0 && controller < CGROUP_CONTROLLER_MAX);
    for (size_t i = 0; i < host->n_hierarchies; i++)
        if (host->hierarchies[i].controllers & CGROUP_BIT(controller))
            return &host->hierarchies[i];
    return NULL;
}

int cgroup_host_version(const CgroupHost *host, CgroupController controller) {
    const CgroupHierarchy *hierarchy = hierarchy_of(host, controller);

    return hierarchy ? hierarchy->ops->version : 0;
}

bool cgroup_host_has_devices(const CgroupHost *host) {
    return host->devices != NULL;
}

static bool has_name(const char *options, const char *name) {
    size_t length = strlen(name);

    for (; options; options = strchr(options, ',')) {
        options += *options == ',';
        if (strncmp(options, name, length) == 0 && strchr(",", options[length]))
            return true;
    }
    return false;
}

/* The path behind "N:NAMES:" whose NAMES have the controller; "0::" is v2's. Cuts the text up. */
static const char *group_line(char *text, const CgroupHierarchy *hierarchy,
                              CgroupController controller) {
    for (char *line; (line = strsep(&text, "\n"));) {
        char *names = strchr(line, ':'), *path = names ? strchr(++names, ':') : NULL;

        if (!path)
            continue;
        *path++ = '\0';
        if (hierarchy->ops->version == 2 ? *names == '\0'
                                         : has_name(names, cgroup_controller_name(controller)))
            return path;
    }
    return NULL;
}

int cgroup_host_group_of(const CgroupHost *host, CgroupController controller, pid_t pid, char **ret,
                         Error **reterr) {
    const CgroupHierarchy *hierarchy = hierarchy_of(host, controller);
    CLEANUP_FREE char *path = pid ? strf("%s/%d/cgroup", host->proc, pid)
                                  : path_join(host->proc, "self/cgroup");
    CLEANUP_FREE char *text = NULL;
    const char *group;
    size_t length;
    int r;

    if (!path)
        return error_no_memory(reterr);
    if (!hierarchy)
        return error_report(reterr, FROM_CGROUP, ERROR_OPERATION_INVALID,
                            "this host has no cgroup controller '%s'",
                            cgroup_controller_name(controller));
    r = file_read(path, PROC_LIMIT, &text, NULL);
    if (r < 0)
        return error_system(reterr, FROM_CGROUP, r, "cannot read '%s'", path);
    group = group_line(text, hierarchy, controller);
    if (!group)
        return error_report(reterr, FROM_CGROUP, ERROR_INTERNAL,
                            "'%s' names no group of controller '%s'", path,
                            cgroup_controller_name(controller));
    /* A bind mount shows the tree from `root` on only. */
    length = streq(hierarchy->root, "/") ? 0 : strlen(hierarchy->root);
    if (strncmp(group, hierarchy->root, length) == 0 && strchr("/", group[length]))
        group += length;
    *ret = strdup(*group ? group : "/");
    return *ret ? 0 : error_no_memory(reterr);
}
