/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which controllers the host has, where they are mounted and in which version:
 * proc_pid_mountinfo(5), cgroups(7). A host may have both: those that no v1 hierarchy took are in
 * v2 (hybrid). */
#include <stdio.h>

#include "host/cgroup-internal.h"
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

typedef struct Mount {
    char *root, *mount_point, *type;
    char *options, *super_options;
} Mount;

/* "36 35 98:0 ROOT MOUNT_POINT OPTIONS [FIELD...] - TYPE SOURCE SUPER_OPTIONS": cuts the line up.
 */
static bool parse_line(char *line, Mount *ret) {
    char *rest = strstr(line, " - "), *fields[6] = {NULL}, *tail[3] = {NULL};

    if (!rest)
        return false;
    *rest = '\0';
    rest += 3;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        fields[i] = strsep(&line, " ");
    for (size_t i = 0; i < ARRAY_SIZE(tail); i++)
        tail[i] = strsep(&rest, " ");
    if (!fields[5] || !tail[2])
        return false;
    *ret = (Mount){.root = fields[3],
                   .mount_point = fields[4],
                   .options = fields[5],
                   .type = tail[0],
                   .super_options = tail[2]};
    unescape(ret->root);
    unescape(ret->mount_point);
    return true;
}

static bool has_option(const char *options, const char *name) {
    size_t length = strlen(name);

    for (; options; options = strchr(options, ',')) {
        options += *options == ',';
        if (strncmp(options, name, length) == 0 && strchr(",", options[length]))
            return true;
    }
    return false;
}

static unsigned v1_controllers(const Mount *mount) {
    unsigned found = 0;

    for (CgroupController c = 0; c < CGROUP_CONTROLLER_MAX; c++)
        if (has_option(mount->super_options, cgroup_controller_name(c)))
            found |= CGROUP_BIT(c);
    return found;
}

/* Every group of v2 counts time; cpu and cpuset are there when the top group lists them. */
static unsigned v2_controllers(const char *mount_point) {
    CLEANUP_FREE char *path = path_join(mount_point, "cgroup.controllers"), *text = NULL;
    unsigned found = CGROUP_BIT(CGROUP_CPUACCT);

    if (!path || file_read(path, PROC_LIMIT, &text, NULL) < 0)
        return 0;
    if (cgroup_has_word(text, "cpu"))
        found |= CGROUP_BIT(CGROUP_CPU);
    if (cgroup_has_word(text, "cpuset"))
        found |= CGROUP_BIT(CGROUP_CPUSET);
    return found;
}

static unsigned all_controllers(const CgroupHost *host) {
    unsigned found = 0;

    for (size_t i = 0; i < host->n_hierarchies; i++)
        found |= host->hierarchies[i].controllers;
    return found;
}

/* A hierarchy that is mounted twice (a read-only copy in a container's tree) counts once: the one
 * that can be written. */
static CgroupHierarchy *same_hierarchy(CgroupHost *host, const CgroupOps *ops,
                                       unsigned controllers) {
    for (size_t i = 0; i < host->n_hierarchies; i++)
        if (host->hierarchies[i].ops == ops && host->hierarchies[i].controllers == controllers)
            return &host->hierarchies[i];
    return NULL;
}

static int add_hierarchy(CgroupHost *host, const CgroupOps *ops, unsigned controllers,
                         const Mount *mount) {
    bool read_only = has_option(mount->options, "ro") || has_option(mount->super_options, "ro");
    CgroupHierarchy *to = same_hierarchy(host, ops, controllers);
    CLEANUP_FREE char *mount_point = NULL, *root = NULL;

    if (to && (read_only || !to->read_only))
        return 0;
    if (!to)
        controllers &= ~all_controllers(host);
    if (!to && (!controllers || host->n_hierarchies == CGROUP_CONTROLLER_MAX))
        return 0;
    mount_point = strdup(mount->mount_point);
    root = strdup(mount->root);
    if (!mount_point || !root)
        return -ENOMEM;
    if (!to)
        to = &host->hierarchies[host->n_hierarchies++];
    free(to->mount_point);
    free(to->root);
    *to = (CgroupHierarchy){.ops = ops,
                            .controllers = controllers,
                            .mount_point = TAKE_PTR(mount_point),
                            .root = TAKE_PTR(root),
                            .read_only = read_only};
    return 0;
}

/* v1 takes its controllers first, whatever the order of the lines. */
static int read_mounts(CgroupHost *host, const char *text, const char *type) {
    CLEANUP_FREE char *copy = strdup(text);
    char *rest = copy;

    if (!copy)
        return -ENOMEM;
    for (char *line; (line = strsep(&rest, "\n"));) {
        Mount mount = {0};
        bool v2;
        int r;

        if (!parse_line(line, &mount) || !streq(mount.type, type))
            continue;
        v2 = streq(type, "cgroup2");
        r = add_hierarchy(host, v2 ? &cgroup_v2_ops : &cgroup_v1_ops,
                          v2 ? v2_controllers(mount.mount_point) : v1_controllers(&mount), &mount);
        if (r < 0)
            return r;
    }
    return 0;
}

int cgroup_host_new(const char *proc, CgroupHost **ret, Error **reterr) {
    CLEANUP(cgroup_host_freep) CgroupHost *host = calloc(1, sizeof(CgroupHost));
    CLEANUP_FREE char *path = NULL, *text = NULL;
    int r;

    proc = proc ? proc : "/proc";
    path = path_join(proc, "self/mountinfo");
    if (!host || !path || !(host->proc = strdup(proc)))
        return error_no_memory(reterr);
    r = file_read(path, PROC_LIMIT, &text, NULL);
    if (r < 0)
        return error_system(reterr, FROM_CGROUP, r,
                            "cannot read '%s', which tells where cgroups are", path);
    if (read_mounts(host, text, "cgroup") < 0 || read_mounts(host, text, "cgroup2") < 0)
        return error_no_memory(reterr);
    *ret = TAKE_PTR(host);
    return 0;
}

void cgroup_host_free(CgroupHost *host) {
    if (!host)
        return;
    for (size_t i = 0; i < host->n_hierarchies; i++) {
        free(host->hierarchies[i].mount_point);
        free(host->hierarchies[i].root);
    }
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

/* The path behind "N:NAMES:" whose NAMES have the controller; "0::" is v2's. Cuts the text up. */
static const char *group_line(char *text, const CgroupHierarchy *hierarchy,
                              CgroupController controller) {
    for (char *line; (line = strsep(&text, "\n"));) {
        char *names = strchr(line, ':'), *path = names ? strchr(++names, ':') : NULL;

        if (!path)
            continue;
        *path++ = '\0';
        if (hierarchy->ops->version == 2 ? *names == '\0'
                                         : has_option(names, cgroup_controller_name(controller)))
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
