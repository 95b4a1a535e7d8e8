/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is put into the groups of a tree and read back: threads, cpuset, weight and bandwidth,
 * usage. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "host/cgroup-internal.h"
#include "util/file.h"

static unsigned usable(const CgroupPlace *place, const char *child) {
    return child ? place->below : place->controllers;
}

static int not_available(const CgroupTree *tree, CgroupController controller, Error **reterr) {
    const char *why = tree->missing[controller];

    return error_report(reterr, FROM_CGROUP, ERROR_OPERATION_INVALID,
                        "cgroup controller '%s' is not available for '%s/%s': %s",
                        cgroup_controller_name(controller), tree->partition, tree->name,
                        why ? why : "no hierarchy of this host has it");
}

static const CgroupPlace *find_place(const CgroupTree *tree, CgroupController controller,
                                     const char *child) {
    for (size_t i = 0; i < tree->n_places; i++)
        if (usable(&tree->places[i], child) & CGROUP_BIT(controller))
            return &tree->places[i];
    return NULL;
}

int cgroup_tree_require(const CgroupTree *tree, CgroupController controller, Error **reterr) {
    assert(controller >= 0 && controller < CGROUP_CONTROLLER_MAX);
    return find_place(tree, controller, "") ? 0 : not_available(tree, controller, reterr);
}

int cgroup_tree_version(const CgroupTree *tree, CgroupController controller) {
    const CgroupPlace *place = find_place(tree, controller, "");

    return place ? place->hierarchy->ops->version : 0;
}

/* Threads -----------------------------------------------------------------------------------------
 */

static const char *attach_hint(const CgroupPlace *place, int errnum) {
    bool v2 = place->hierarchy->ops->version == 2;

    if (errnum == -ENOSPC)
        return "the group's cpuset has no CPUs or no memory nodes";
    if (errnum == -EINVAL && place->hierarchy->controllers & CGROUP_BIT(CGROUP_CPU))
        return "a real-time thread cannot enter a group without a real-time budget "
               "(CONFIG_RT_GROUP_SCHED): move "
               "it first and set its scheduler then, or write cpu.rt_runtime_us";
    if (v2 && errnum == -EOPNOTSUPP)
        return "its process has to be in the tree first, or a group above has processes of its own";
    if (v2 && errnum == -EBUSY)
        return "a group above it hands controllers down and can have no processes of its own";
    return "";
}

static int write_thread(const CgroupPlace *place, const char *child, const char *file, pid_t tid,
                        Error **reterr) {
    char text[16];
    int r;

    snprintf(text, sizeof(text), "%d", tid);
    r = cgroup_write_quiet(place, child, file, text);
    if (r == -ESRCH) {
        error_report(reterr, FROM_CGROUP, ERROR_OPERATION_INVALID, "thread %d no longer exists",
                     tid);
        return r;
    }
    return r < 0 ? cgroup_write_error(place, child, file, text, r, attach_hint(place, r), reterr)
                 : 0;
}

int cgroup_tree_adopt(CgroupTree *tree, pid_t pid, Error **reterr) {
    int r = 0;

    assert(pid > 0);
    for (size_t i = 0; i < tree->n_places && r >= 0; i++)
        r = write_thread(&tree->places[i], NULL, "cgroup.procs", pid, reterr);
    return r;
}

int cgroup_tree_attach(CgroupTree *tree, const char *child, pid_t tid, Error **reterr) {
    int r = 0;

    assert(tid > 0 && child);
    for (size_t i = 0; i < tree->n_places && r >= 0; i++) {
        const CgroupPlace *place = &tree->places[i];

        r = write_thread(place, cgroup_place_child(place, child), place->hierarchy->ops->threads,
                         tid, reterr);
    }
    return r;
}

bool cgroup_tree_has_own(const CgroupTree *tree, CgroupController controller, const char *child) {
    const CgroupPlace *place = find_place(tree, controller, child);

    return place && cgroup_place_child(place, child);
}

/* Moves the threads that are in the child of one hierarchy to that of another. */
static int follow(const CgroupPlace *from, const CgroupPlace *to, const char *child,
                  Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    int r = cgroup_read(from, child, from->hierarchy->ops->threads, &text, reterr);

    for (char *at = text, *end; r >= 0; at = end) {
        pid_t tid = (pid_t)strtol(at, &end, 10);

        if (end == at)
            break;
        r = write_thread(to, child, to->hierarchy->ops->threads, tid, NULL);
        if (r == -ESRCH)
            r = 0;
        else if (r < 0)
            write_thread(to, child, to->hierarchy->ops->threads, tid, reterr);
    }
    return r;
}

/* Gives a child of a lazy place its own group. Its threads make others meanwhile, which are born
 * where the maker is: a second look finds them. */
static int split_off(const CgroupTree *tree, const CgroupPlace *place, const char *child,
                     Error **reterr) {
    const CgroupPlace *other = &tree->places[place == tree->places ? 1 : 0];
    bool made;
    int r = cgroup_place_add(place, child, &made, reterr);

    for (int look = 0; look < 2 && r >= 0; look++)
        r = follow(other, place, child, reterr);
    return r;
}

/* cpuset ------------------------------------------------------------------------------------------
 */

typedef struct Set {
    const Bitmap *wanted;
    const char *file, *effective, *noun;
} Set;

static int clipped(const CgroupPlace *group, bool is_top, const CgroupPlace *place,
                   const char *child, const Set *set, const Bitmap *has, Error **reterr) {
    CLEANUP_FREE char *wanted = bitmap_format(set->wanted), *text = bitmap_format(has);

    if (!wanted || !text)
        return error_no_memory(reterr);
    return error_report(reterr, FROM_CGROUP, ERROR_CONFIG_UNSUPPORTED,
                        "cgroup '%s%s%s' cannot have %s '%s': %s '%s' has only '%s'",
                        cgroup_place_name(place), child && *child ? "/" : "", child ? child : "",
                        set->noun, wanted, is_top ? "the host at" : "the group",
                        is_top ? group->hierarchy->mount_point : cgroup_place_name(group), text);
}

/* Names the highest group above `child` (or above the place) that lacks some of the set. 0: none
 * does. */
static int find_clip(const CgroupPlace *place, const char *child, const Set *set, Error **reterr) {
    for (size_t at = 0, next = 1; next > 0; at = next) {
        CLEANUP_CGROUP_PLACE CgroupPlace group = {.fd = -1};
        CLEANUP_BITMAP Bitmap *has = NULL;

        next = cgroup_path_next(place->path, at);
        if (!child && next == 0)
            break;
        if (cgroup_place_open(place->hierarchy, place->path, at, &group) < 0 ||
            cgroup_read_list(&group, NULL, set->effective, &has, NULL) < 0)
            continue;
        if (!bitmap_is_subset(set->wanted, has))
            return clipped(&group, at == 0, place, child, set, has, reterr);
    }
    return 0;
}

/* v2 takes a set that its ancestors do not have and silently uses another one, so it is looked at
 * before; the quick look at the direct parent decides, the walk is for the sentence. */
static int check_set(const CgroupPlace *place, const char *child, const Set *set, Error **reterr) {
    CLEANUP_BITMAP Bitmap *has = NULL;

    if (child && cgroup_read_list(place, NULL, set->effective, &has, NULL) >= 0 &&
        bitmap_is_subset(set->wanted, has))
        return 0;
    return find_clip(place, child, set, reterr);
}

/* v1 refuses: EACCES for more than the parent has, EINVAL for what is not online, ERANGE for what
 * the kernel could never have. */
static int write_set(const CgroupPlace *place, const char *child, const Set *set, Error **reterr) {
    CLEANUP_FREE char *text = bitmap_is_empty(set->wanted) ? strdup("\n")
                                                           : bitmap_format(set->wanted);
    int r;

    if (!text)
        return error_no_memory(reterr);
    r = place->hierarchy->ops->version == 2 ? check_set(place, child, set, reterr) : 0;
    if (r < 0)
        return r;
    r = cgroup_write_quiet(place, child, set->file, text);
    if (r == -EACCES || r == -EINVAL || r == -ERANGE) {
        int clip = find_clip(place, child, set, reterr);

        if (clip < 0)
            return clip;
    }
    return r < 0
               ? cgroup_write_error(
                     place, child, set->file, text, r,
                     r == -EBUSY ? "a group below it, or an exclusive one beside it, has more" : "",
                     reterr)
               : 0;
}

/* Does the place itself have what its child shall have? */
static bool has_sets(const CgroupPlace *place, const CgroupValues *values) {
    const CgroupOps *ops = place->hierarchy->ops;
    CLEANUP_BITMAP Bitmap *cpus = NULL, *mems = NULL;

    return (!values->cpus || (cgroup_read_list(place, NULL, ops->cpus, &cpus, NULL) >= 0 &&
                              bitmap_equal(cpus, values->cpus))) &&
           (!values->mems || (cgroup_read_list(place, NULL, ops->mems, &mems, NULL) >= 0 &&
                              bitmap_equal(mems, values->mems)));
}

static int set_cpuset(CgroupTree *tree, const char *child, const CgroupValues *values,
                      Error **reterr) {
    const CgroupPlace *place = find_place(tree, CGROUP_CPUSET, child);
    int r = 0;

    if (!values->cpus && !values->mems)
        return 0;
    if (!place)
        return not_available(tree, CGROUP_CPUSET, reterr);
    if (child && !cgroup_place_child(place, child)) {
        if (has_sets(place, values))
            return 0;
        r = split_off(tree, place, child, reterr);
        if (r < 0)
            return r;
    }
    if (values->cpus)
        r = write_set(place, child,
                      &(Set){values->cpus, place->hierarchy->ops->cpus,
                             place->hierarchy->ops->effective_cpus, "CPUs"},
                      reterr);
    if (r >= 0 && values->mems)
        r = write_set(place, child,
                      &(Set){values->mems, place->hierarchy->ops->mems,
                             place->hierarchy->ops->effective_mems, "memory nodes"},
                      reterr);
    return r;
}

int cgroup_tree_check_cpus(CgroupTree *tree, const Bitmap *cpus, Error **reterr) {
    const CgroupPlace *place = find_place(tree, CGROUP_CPUSET, "");

    if (!place)
        return not_available(tree, CGROUP_CPUSET, reterr);
    return check_set(place, "", &(Set){cpus, NULL, place->hierarchy->ops->effective_cpus, "CPUs"},
                     reterr);
}

/* The top has what the host has, and no file to write. */
int cgroup_tree_give_back(CgroupTree *tree, const Bitmap *cpus, Error **reterr) {
    const CgroupPlace *place = find_place(tree, CGROUP_CPUSET, "");
    CLEANUP_BITMAP Bitmap *given = NULL;
    int r = 0;

    if (!place || place->hierarchy->ops->version != 1)
        return 0;
    for (size_t at = 0, next = 1; next > 0 && r >= 0; at = next) {
        CLEANUP_CGROUP_PLACE CgroupPlace group = {.fd = -1};
        CLEANUP_BITMAP Bitmap *has = NULL;

        next = cgroup_path_next(place->path, at);
        r = cgroup_place_open(place->hierarchy, place->path, at, &group);
        if (r < 0)
            return error_system(reterr, FROM_CGROUP, r, "cannot open cgroup '%.*s'", (int)at,
                                place->path);
        r = cgroup_read_list(&group, NULL, place->hierarchy->ops->cpus, &has, reterr);
        if (r < 0)
            return r;
        if (at == 0) {
            given = bitmap_copy(cpus);
            if (!given)
                return error_no_memory(reterr);
            bitmap_intersect(given, has);
        } else if (!bitmap_is_subset(given, has)) {
            CLEANUP_FREE char *text = bitmap_union(has, given) >= 0 ? bitmap_format(has) : NULL;

            r = text ? cgroup_write(&group, NULL, place->hierarchy->ops->cpus, text, reterr)
                     : error_no_memory(reterr);
        }
    }
    return r;
}

int cgroup_tree_get_partition(const CgroupTree *tree, CgroupState *ret, Error **reterr) {
    const CgroupPlace *place = find_place(tree, CGROUP_CPUSET, "");
    CLEANUP_CGROUP_PLACE CgroupPlace parent = {.fd = -1};
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    const CgroupOps *ops;
    int r;

    if (!place)
        return not_available(tree, CGROUP_CPUSET, reterr);
    ops = place->hierarchy->ops;
    r = cgroup_place_open(place->hierarchy, tree->partition, strlen(tree->partition), &parent);
    if (r < 0)
        return error_system(reterr, FROM_CGROUP, r, "cannot open cgroup '%s'", tree->partition);
    r = cgroup_read_list(&parent, NULL, ops->effective_cpus, &state.effective_cpus, reterr);
    if (r >= 0)
        r = cgroup_read_list(&parent, NULL, ops->effective_mems, &state.effective_mems, reterr);
    if (r < 0)
        return r;
    *ret = state;
    state = (CgroupState){0};
    return 0;
}

/* Everything --------------------------------------------------------------------------------------
 */

int cgroup_tree_set(CgroupTree *tree, const char *child, const CgroupValues *values,
                    Error **reterr) {
    const CgroupPlace *place = find_place(tree, CGROUP_CPU, child);
    int r = cgroup_values_check(values, reterr);

    if (r >= 0)
        r = set_cpuset(tree, child, values, reterr);
    if (r < 0 || (!values->shares && !values->period && !values->quota))
        return r;
    if (!place)
        return not_available(tree, CGROUP_CPU, reterr);
    if (values->shares)
        r = place->hierarchy->ops->set_shares(place, child, values->shares, reterr);
    if (r >= 0 && (values->period || values->quota))
        r = place->hierarchy->ops->set_bandwidth(place, child, values->period, values->quota,
                                                 reterr);
    return r;
}

static int get_cpuset(const CgroupPlace *place, const char *child, CgroupState *state,
                      Error **reterr) {
    const CgroupOps *ops = place->hierarchy->ops;
    int r = cgroup_read_list(place, child, ops->cpus, &state->cpus, reterr);

    if (r >= 0)
        r = cgroup_read_list(place, child, ops->mems, &state->mems, reterr);
    if (r >= 0)
        r = cgroup_read_list(place, child, ops->effective_cpus, &state->effective_cpus, reterr);
    return r >= 0
               ? cgroup_read_list(place, child, ops->effective_mems, &state->effective_mems, reterr)
               : r;
}

int cgroup_tree_get(CgroupTree *tree, const char *child, CgroupState *ret, Error **reterr) {
    const CgroupPlace *cpuset = find_place(tree, CGROUP_CPUSET, child),
                      *cpu = find_place(tree, CGROUP_CPU, child);
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    int r = cpuset ? get_cpuset(cpuset, cgroup_place_child(cpuset, child), &state, reterr) : 0;

    if (r >= 0 && cpu)
        r = cpu->hierarchy->ops->get_cpu(cpu, child, &state, reterr);
    if (r < 0)
        return r;
    *ret = state;
    state = (CgroupState){0};
    return 0;
}

int cgroup_tree_usage(CgroupTree *tree, const char *child, CgroupUsage *ret, Error **reterr) {
    CgroupUsage usage = {0};

    if (!find_place(tree, CGROUP_CPUACCT, child))
        return not_available(tree, CGROUP_CPUACCT, reterr);
    for (size_t i = 0; i < tree->n_places; i++) {
        const CgroupPlace *place = &tree->places[i];
        int r = place->hierarchy->ops->get_usage(place, child, usable(place, child), &usage,
                                                 reterr);

        if (r < 0)
            return r;
    }
    *ret = usage;
    return 0;
}

int cgroup_tree_throttled(CgroupTree *tree, const char *child, uint64_t *ret) {
    const CgroupPlace *place = find_place(tree, CGROUP_CPU, child);
    CLEANUP_FREE char *text = NULL;
    int r = place ? cgroup_read_quiet(place, child, "cpu.stat", &text) : -ENOENT;

    if (r >= 0)
        *ret = place->hierarchy->ops->version == 2
                   ? cgroup_stat_value(text, "throttled_usec") * 1000
                   : cgroup_stat_value(text, "throttled_time");
    return r;
}

static const char *name_of(const CgroupPlace *place, const CgroupFile *file) {
    return place->hierarchy->ops->version == 2 ? file->v2 : file->v1;
}

int cgroup_tree_write(const CgroupTree *tree, const char *child, const CgroupFile *file,
                      const char *text, Error **reterr) {
    const CgroupPlace *place = find_place(tree, file->controller, child);

    return place ? cgroup_write(place, child, name_of(place, file), text, reterr)
                 : not_available(tree, file->controller, reterr);
}

int cgroup_tree_read(const CgroupTree *tree, const char *child, const CgroupFile *file, char **ret,
                     Error **reterr) {
    const CgroupPlace *place = find_place(tree, file->controller, child);

    return place ? cgroup_read(place, cgroup_place_child(place, child), name_of(place, file), ret,
                               reterr)
                 : not_available(tree, file->controller, reterr);
}

/* v1's cpuacct.usage_percpu: numbers with spaces between, one for each possible CPU. */
int cgroup_tree_usage_percpu(CgroupTree *tree, const char *child, uint64_t **ret, size_t *ret_n,
                             Error **reterr) {
    const CgroupPlace *place = find_place(tree, CGROUP_CPUACCT, child);
    CLEANUP_FREE char *text = NULL;
    CLEANUP_FREE uint64_t *list = NULL;
    size_t n = 0;
    int r;

    if (!place)
        return not_available(tree, CGROUP_CPUACCT, reterr);
    if (place->hierarchy->ops->version != 1)
        return error_report(reterr, FROM_CGROUP, ERROR_OPERATION_UNSUPPORTED,
                            "cgroup v2 does not count CPU time by host CPU; ask for the total");
    r = cgroup_read(place, child, "cpuacct.usage_percpu", &text, reterr);
    if (r < 0)
        return r;
    list = calloc(strlen(text) / 2 + 1,
                  sizeof(uint64_t)); /* each number has a space or the end behind it */
    if (!list)
        return error_no_memory(reterr);
    for (char *at = text, *end;; at = end) {
        uint64_t value = strtoull(at, &end, 10);

        if (end == at)
            break;
        list[n++] = value;
    }
    *ret = TAKE_PTR(list);
    *ret_n = n;
    return 0;
}

size_t cgroup_tree_watch(const CgroupTree *tree, const char *child, int inotify_fd, int *ret) {
    size_t n = 0;

    for (size_t i = 0; i < tree->n_places; i++) {
        char path[NAME_MAX + 64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", tree->places[i].fd,
                 child ? child : ".");
        ret[n] = inotify_add_watch(inotify_fd, path,
                                   (child ? IN_MODIFY : IN_MODIFY | IN_DELETE) | IN_ONLYDIR);
        n += ret[n] >= 0;
    }
    return n;
}
