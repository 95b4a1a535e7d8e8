/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees of groups: made, taken over and removed, in every hierarchy that the host has. What is set
 * in them is cgroup-set.c's, what differs between the versions cgroup-v1.c's and cgroup-v2.c's. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/cgroup-library.h"
#include "util/fiber.h"
#include "util/file.h"

#define REMOVE_USEC (2 * USEC_PER_SEC)
#define REMOVE_PAUSE_USEC (32 * USEC_PER_MSEC)
#define REMOVE_DEPTH 16u

static int group_error(const CgroupHierarchy *hierarchy, const char *path, const char *name,
                       int errnum, const char *what, Error **reterr) {
    const char *hint = "";

    if (errnum == -EROFS || (hierarchy->read_only && errnum != -ENOMEM))
        hint = "; the file system is mounted read-only, mount it read-write for the daemon";
    else if (errnum == -EACCES || errnum == -EPERM)
        hint = "; it is not delegated to the daemon's user";
    else if (errnum == -ENOENT)
        hint = "; make the partition first";
    return error_system(reterr, FROM_CGROUP, errnum, "cannot %s cgroup '%s/%s' of '%s'%s", what,
                        path, name, hierarchy->mount_point, hint);
}

/* How far a walk may change what it meets. */
typedef enum Walk {
    WALK_LOOK, /* nothing */
    WALK_USE,  /* hands controllers down, makes no directory */
    WALK_MAKE, /* makes directories, too */
} Walk;

/* Goes from a group to the one below it. *ret_made says whether this made it. */
static int step(CgroupPlace *place, const char *name, Walk walk, char **missing, bool *ret_made,
                Error **reterr) {
    CgroupPlace below = {.hierarchy = place->hierarchy, .fd = -1};
    int r = place->hierarchy->ops->hand_down(place, walk != WALK_LOOK, missing);

    *ret_made = false;
    if (r < 0)
        return group_error(place->hierarchy, place->path, name, r, "reach", reterr);
    if (walk == WALK_MAKE) {
        *ret_made = mkdirat(place->fd, name, 0755) == 0;
        if (!*ret_made && errno != EEXIST)
            return group_error(place->hierarchy, place->path, name, -errno, "make", reterr);
    }
    below.fd = openat(place->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below.fd < 0)
        return group_error(place->hierarchy, place->path, name, -errno, "open", reterr);
    below.path = strf("%s/%s", place->path, name);
    below.controllers = below.below = place->below;
    r = below.path ? 0 : error_no_memory(reterr);
    if (r >= 0 && walk != WALK_LOOK)
        r = place->hierarchy->ops->prepare(place, name, false, reterr);
    if (r < 0 && *ret_made)
        unlinkat(place->fd, name, AT_REMOVEDIR);
    if (r < 0) {
        close(below.fd);
        free(below.path);
        return r;
    }
    cgroup_place_done(place);
    *place = below;
    return 0;
}

static int walk_to(const CgroupHierarchy *hierarchy, const char *path, Walk walk, char **missing,
                   CgroupPlace *ret, Error **reterr) {
    CLEANUP_CGROUP_PLACE CgroupPlace place = {.fd = -1};
    int r = cgroup_place_open(hierarchy, path, 0, &place);

    if (r < 0)
        return group_error(hierarchy, "", "", r, "open", reterr);
    /* What it cannot make is tried once more step by step, for the sentence. */
    if (walk == WALK_MAKE && hierarchy->library)
        cgroup_library_make(hierarchy, path);
    for (size_t at = 0, next; (next = cgroup_path_next(path, at)) > 0; at = next) {
        CLEANUP_FREE char *name = strndup(path + at + 1, next - at - 1);
        bool made;

        r = name ? step(&place, name, walk, missing, &made, reterr) : error_no_memory(reterr);
        if (r < 0)
            return r;
    }
    *ret = place;
    place.path = NULL;
    return 0;
}

static bool is_name(const char *name, size_t length) {
    return length > 0 && length <= NAME_MAX && !memchr(name, '/', length) &&
           !memchr(name, '\n', length) &&
           !(name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

int cgroup_partition_normal(const char *partition, char **ret, Error **reterr) {
    CLEANUP_FREE char *path = strf("%s", "");
    const char *at = partition;

    if (!path)
        return error_no_memory(reterr);
    while (*at == '/') {
        size_t length = strcspn(at + 1, "/");
        char *longer;

        if (length > 0 && !is_name(at + 1, length))
            break;
        longer = length > 0 ? strf("%s/%.*s", path, (int)length, at + 1) : strdup(path);
        if (!longer)
            return error_no_memory(reterr);
        free(path);
        path = longer;
        at += 1 + length;
    }
    if (*at || !*partition)
        return error_report(
            reterr, FROM_CGROUP, ERROR_INVALID_ARG,
            "'%s' is not a partition: it starts with '/' and has no '.' or '..' in it", partition);
    *ret = TAKE_PTR(path);
    return 0;
}

static void forget(char **missing) {
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_MAX; c++)
        free(TAKE_PTR(missing[c]));
}

int cgroup_partition_make(const CgroupHost *host, const char *partition, Error **reterr) {
    CLEANUP_FREE char *path = NULL;
    CLEANUP_ERROR Error *first = NULL;
    int r = cgroup_partition_normal(partition, &path, reterr);
    size_t n_made = 0;

    for (size_t i = 0; i < host->n_hierarchies && r >= 0; i++) {
        CLEANUP_CGROUP_PLACE CgroupPlace place = {.fd = -1};
        char *missing[CGROUP_CONTROLLER_MAX] = {NULL};

        if (walk_to(&host->hierarchies[i], path, WALK_MAKE, missing, &place,
                    first ? NULL : &first) >= 0)
            n_made++;
        forget(missing);
    }
    if (r < 0 || n_made > 0)
        return r;
    if (first)
        return error_propagate(reterr, TAKE_PTR(first));
    return error_report(reterr, FROM_CGROUP, ERROR_OPERATION_INVALID,
                        "this host has none of the cgroup controllers cpu, cpuacct and cpuset");
}

/* The tree's own group in one hierarchy, into tree->places. */
static int enter(CgroupTree *tree, const CgroupHierarchy *hierarchy, Walk walk, Error **reterr) {
    CLEANUP_CGROUP_PLACE CgroupPlace place = {.fd = -1};
    bool made;
    int r = walk_to(hierarchy, tree->partition, walk == WALK_LOOK ? WALK_LOOK : WALK_USE,
                    tree->missing, &place, reterr);

    if (r >= 0 && walk == WALK_MAKE && hierarchy->library) {
        CLEANUP_FREE char *path = strf("%s/%s", tree->partition, tree->name);

        if (path)
            cgroup_library_make(hierarchy, path);
    }
    if (r >= 0)
        r = step(&place, tree->name, walk, tree->missing, &made, reterr);
    if (r < 0)
        return r;
    r = hierarchy->ops->hand_down(&place, walk != WALK_LOOK, tree->missing);
    if (r < 0)
        return group_error(hierarchy, tree->partition, tree->name, r, "prepare", reterr);
    place.clones = hierarchy->ops->clone && hierarchy->ops->clone(&place, walk != WALK_LOOK);
    tree->places[tree->n_places++] = place;
    place.path = NULL;
    return 0;
}

/* A hierarchy that could not be entered is the reason for all of its controllers. */
static int note_missing(CgroupTree *tree, unsigned controllers, const char *why) {
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_MAX; c++) {
        if (!(controllers & CGROUP_BIT(c)))
            continue;
        free(tree->missing[c]);
        tree->missing[c] = strdup(why);
        if (!tree->missing[c])
            return -ENOMEM;
    }
    return 0;
}

/* What makes a child of a lazy place has to find its threads in another hierarchy. */
static void note_lazy(CgroupTree *tree) {
    for (size_t i = 0; i < tree->n_places && tree->n_places > 1; i++) {
        CgroupPlace *place = &tree->places[i];

        place->lazy = place->hierarchy->ops->is_lazy && place->hierarchy->ops->is_lazy(place);
    }
}

static int tree_new(const CgroupHost *host, const char *partition, const char *name, Walk walk,
                    CgroupTree **ret, Error **reterr) {
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = calloc(1, sizeof(CgroupTree));
    CLEANUP_ERROR Error *first = NULL;
    unsigned seen = 0;
    int r, first_r = -ENOENT;

    if (!tree || !(tree->name = strdup(name)))
        return error_no_memory(reterr);
    if (!is_name(name, strlen(name)))
        return error_report(reterr, FROM_CGROUP, ERROR_INVALID_ARG,
                            "'%s' cannot be the name of a cgroup", name);
    r = cgroup_partition_normal(partition, &tree->partition, reterr);
    for (size_t i = 0; i < host->n_hierarchies && r >= 0; i++) {
        const CgroupHierarchy *hierarchy = &host->hierarchies[i];
        CLEANUP_ERROR Error *error = NULL;
        int entered = enter(tree, hierarchy, walk, &error);

        seen |= hierarchy->controllers;
        if (entered < 0 && note_missing(tree, hierarchy->controllers, error_message(error)) < 0)
            return error_no_memory(reterr);
        if (entered < 0 && !first) {
            first = TAKE_PTR(error);
            first_r = entered;
        }
    }
    if (r < 0)
        return r;
    if (tree->n_places == 0 && first) {
        error_propagate(reterr, TAKE_PTR(first));
        return first_r;
    }
    if (tree->n_places == 0)
        return error_report(reterr, FROM_CGROUP, ERROR_OPERATION_INVALID,
                            "this host has none of the cgroup controllers cpu, cpuacct and cpuset");
    note_lazy(tree);
    if (note_missing(tree, ~seen, "no hierarchy of this host has it") < 0)
        return error_no_memory(reterr);
    *ret = TAKE_PTR(tree);
    return 0;
}

int cgroup_tree_create(const CgroupHost *host, const char *partition, const char *name,
                       CgroupTree **ret, Error **reterr) {
    return tree_new(host, partition, name, WALK_MAKE, ret, reterr);
}

int cgroup_tree_open(const CgroupHost *host, const char *partition, const char *name,
                     CgroupTree **ret, Error **reterr) {
    return tree_new(host, partition, name, WALK_LOOK, ret, reterr);
}

void cgroup_tree_free(CgroupTree *tree) {
    if (!tree)
        return;
    for (size_t i = 0; i < tree->n_places; i++)
        cgroup_place_done(&tree->places[i]);
    forget(tree->missing);
    free(tree->partition);
    free(tree->name);
    free(tree);
}

bool cgroup_tree_is_gone(const CgroupTree *tree) {
    struct stat info;

    for (size_t i = 0; i < tree->n_places; i++)
        if (fstatat(tree->places[i].fd, "cgroup.procs", &info, 0) < 0)
            return true;
    return false;
}

const char *cgroup_place_child(const CgroupPlace *place, const char *child) {
    bool absent = child && place->lazy && faccessat(place->fd, child, F_OK, 0) < 0 &&
                  errno == ENOENT;

    return absent ? NULL : child;
}

int cgroup_place_add(const CgroupPlace *place, const char *child, bool *ret_made, Error **reterr) {
    int r;

    *ret_made = mkdirat(place->fd, child, 0755) == 0;
    if (!*ret_made && errno != EEXIST)
        return group_error(place->hierarchy, place->path, child, -errno, "make", reterr);
    if (*ret_made && place->clones)
        return 0;
    r = place->hierarchy->ops->prepare(place, child, true, reterr);
    if (r < 0 && *ret_made)
        unlinkat(place->fd, child, AT_REMOVEDIR);
    return r;
}

int cgroup_tree_add(CgroupTree *tree, const char *child, bool *ret_made, Error **reterr) {
    bool all_made = true;

    assert(child && is_name(child, strlen(child)));
    for (size_t i = 0; i < tree->n_places; i++) {
        const CgroupPlace *place = &tree->places[i];
        bool made = false;
        int r;

        if (!cgroup_place_child(place, child))
            continue;
        r = cgroup_place_add(place, child, &made, reterr);
        if (r < 0)
            return r;
        all_made = all_made && made;
    }
    if (ret_made)
        *ret_made = all_made;
    return 0;
}

/* Removing ----------------------------------------------------------------------------------------
 */

/* Who is still in the group, for the sentence: " (thread 123 is in it)". */
static void find_thread(int parent, const char *name, char *ret, size_t size) {
    CgroupPlace place = {.fd = parent};
    CLEANUP_FREE char *text = NULL;

    *ret = '\0';
    if (cgroup_read_quiet(&place, name, "tasks", &text) < 0 &&
        cgroup_read_quiet(&place, name, "cgroup.threads", &text) < 0)
        return;
    if (*text)
        snprintf(ret, size, " (thread %d is still in it)", (int)strtol(text, NULL, 10));
}

static int remove_group(const CgroupPlace *place, int parent, const char *name, uint64_t deadline,
                        unsigned depth, Error **reterr);

/* The groups below an open one. The names are read first: rmdir changes what readdir gives. */
static int remove_below(const CgroupPlace *place, int parent, const char *name, uint64_t deadline,
                        unsigned depth, Error **reterr) {
    CLEANUP_CLOSE int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct dirent **entries = NULL;
    int n, r = 0;

    if (fd < 0)
        return errno == ENOENT
                   ? 0
                   : group_error(place->hierarchy, place->path, name, -errno, "open", reterr);
    n = scandirat(fd, ".", &entries, NULL, NULL);
    if (n < 0) /* systemd removes what is in a scope, too */
        return errno == ENOENT
                   ? 0
                   : group_error(place->hierarchy, place->path, name, -errno, "list", reterr);
    for (int i = 0; i < n; i++) {
        if (r >= 0 && entries[i]->d_type == DT_DIR && entries[i]->d_name[0] != '.')
            r = remove_group(place, fd, entries[i]->d_name, deadline, depth + 1, reterr);
        free(entries[i]);
    }
    free(entries);
    return r;
}

static void pause_worker(uint64_t usec) {
    nanosleep(&(struct timespec){.tv_nsec = (long)(usec * 1000)}, NULL);
}

/* One that libcgroup did not remove is asked of the kernel, which says why. The groups of threads,
 * at depth 1 and more, are too many for the long way. */
static int delete_group(const CgroupPlace *place, int parent, const char *name, unsigned depth) {
    CLEANUP_FREE char *path = NULL;
    struct stat info;

    if (place->hierarchy->library && depth == 0)
        path = strf("%s/%s", place->path, name);
    if (path) {
        cgroup_library_delete(place->hierarchy, path);
        if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
            return -1;
    }
    return unlinkat(parent, name, AT_REMOVEDIR);
}

static int remove_group(const CgroupPlace *place, int parent, const char *name, uint64_t deadline,
                        unsigned depth, Error **reterr) {
    char who[64];
    int r = depth < REMOVE_DEPTH ? 0 : -ELOOP;

    for (uint64_t pause = USEC_PER_MSEC; r >= 0; pause = MIN_OF(pause * 2, REMOVE_PAUSE_USEC)) {
        if (delete_group(place, parent, name, depth) == 0 || errno == ENOENT)
            return 0;
        /* Both "has threads" and "has groups" are EBUSY. */
        if (errno != EBUSY && errno != ENOTEMPTY)
            return group_error(place->hierarchy, place->path, name, -errno, "remove", reterr);
        if (now_usec() >= deadline)
            break;
        r = remove_below(place, parent, name, deadline, depth, reterr);
        if (r < 0)
            return r;
        if (delete_group(place, parent, name, depth) == 0 || errno == ENOENT)
            return 0;
        pause_worker(pause);
    }
    find_thread(parent, name, who, sizeof(who));
    error_report(reterr, FROM_CGROUP, ERROR_RESOURCE_BUSY,
                 "cgroup '%s' below '%s' of '%s' cannot be removed%s", name,
                 cgroup_place_name(place), place->hierarchy->mount_point, who);
    return -EBUSY;
}

int cgroup_tree_remove_child(CgroupTree *tree, const char *child, Error **reterr) {
    uint64_t deadline = deadline_in(REMOVE_USEC);
    int result = 0;

    assert(child && is_name(child, strlen(child)));
    for (size_t i = 0; i < tree->n_places; i++) {
        const CgroupPlace *place = &tree->places[i];
        int r = remove_group(place, place->fd, child, deadline, 1, result < 0 ? NULL : reterr);

        result = result < 0 ? result : r;
    }
    return result;
}

/* The parent is opened anew: a tree keeps its own directory only. */
static int remove_place(const CgroupPlace *place, const char *name, uint64_t deadline,
                        Error **reterr) {
    CLEANUP_CGROUP_PLACE CgroupPlace parent = {.fd = -1};
    int r = cgroup_place_open(place->hierarchy, place->path, strlen(place->path) - strlen(name) - 1,
                              &parent);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return group_error(place->hierarchy, place->path, "..", r, "open", reterr);
    return remove_group(&parent, parent.fd, name, deadline, 0, reterr);
}

int cgroup_tree_remove(CgroupTree *tree, Error **reterr) {
    uint64_t deadline = deadline_in(REMOVE_USEC);
    int result = 0;

    for (size_t i = 0; i < tree->n_places; i++) {
        int r = remove_place(&tree->places[i], tree->name, deadline, result < 0 ? NULL : reterr);

        result = result < 0 ? result : r;
    }
    return result;
}

void cgroup_partition_remove(const CgroupHost *host, const char *partition) {
    CLEANUP_FREE char *path = NULL;

    if (cgroup_partition_normal(partition, &path, NULL) < 0 || !*path)
        return;
    if (host->devices)
        cgroup_partition_remove(host->devices, partition);
    for (size_t i = 0; i < host->n_hierarchies; i++) {
        CLEANUP_CGROUP_PLACE CgroupPlace parent = {.fd = -1};
        const char *name = strrchr(path, '/');

        if (host->hierarchies[i].library)
            cgroup_library_delete(&host->hierarchies[i], path);
        if (cgroup_place_open(&host->hierarchies[i], path, (size_t)(name - path), &parent) >= 0)
            unlinkat(parent.fd, name + 1, AT_REMOVEDIR);
    }
}

int cgroup_move_down(const CgroupHost *host, const char *partition, const char *name, pid_t pid,
                     Error **reterr) {
    CLEANUP_FREE char *path = NULL;
    int r = cgroup_partition_normal(partition, &path, reterr);

    for (size_t i = 0; i < host->n_hierarchies && r >= 0; i++) {
        const CgroupHierarchy *hierarchy = &host->hierarchies[i];
        CLEANUP_CGROUP_PLACE CgroupPlace place = {.fd = -1};
        char text[16];

        if (hierarchy->ops->version == 1)
            continue;
        r = cgroup_place_open(hierarchy, path, strlen(path), &place);
        if (r >= 0 && mkdirat(place.fd, name, 0755) < 0 && errno != EEXIST)
            r = -errno;
        if (r < 0)
            return group_error(hierarchy, path, name, r, "make", reterr);
        r = hierarchy->ops->prepare(&place, name, false, reterr);
        snprintf(text, sizeof(text), "%d", pid);
        if (r >= 0)
            r = cgroup_write(&place, name, "cgroup.procs", text, reterr);
    }
    return r;
}
