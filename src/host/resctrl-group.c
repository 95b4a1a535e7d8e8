/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups: room found under the lock, made, filled, watched and removed. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "util/fiber.h"
#include "util/file.h"
#include "util/text.h"
#include "host/resctrl-internal.h"

#define LOCK_USEC (10 * USEC_PER_SEC)
#define LOCK_PAUSE_USEC (10 * USEC_PER_MSEC)

static bool is_reserved(const char *name) {
    return streq(name, "info") || streq(name, "mon_groups") || streq(name, "mon_data");
}

static bool is_name(const char *name) {
    return *name && *name != '.' && strlen(name) <= NAME_MAX && !strpbrk(name, "/\n") &&
           !is_reserved(name);
}

/* ROOT, ROOT/GROUP, ROOT/GROUP/mon_groups/MONITOR or ROOT/mon_groups/MONITOR, and a file in it. */
static int make_path(const Resctrl *resctrl, const char *group, const char *monitor,
                     const char *file, char **ret, Error **reterr) {
    if ((group && !is_name(group)) || (monitor && !is_name(monitor)))
        return error_report(reterr, FROM_RESCTRL, ERROR_INVALID_ARG,
                            "'%s' cannot be the name of a resctrl group",
                            group && !is_name(group) ? group : monitor);
    *ret = strf("%s%s%s%s%s%s%s", resctrl->root, group ? "/" : "", group ? group : "",
                monitor ? "/mon_groups/" : "", monitor ? monitor : "", *file ? "/" : "", file);
    return *ret ? 0 : error_no_memory(reterr);
}

static const char *shown(const char *group) {
    return group ? group : "(default)";
}

/* The kernel's own words about the last command (info/last_cmd_status), ": WORDS" or "". */
static char *last_status(const Resctrl *resctrl) {
    CLEANUP_FREE char *path = path_join(resctrl->root, "info/last_cmd_status"), *text = NULL;

    if (!path || file_read(path, 4096, &text, NULL) < 0)
        return strdup("");
    text[strcspn(text, "\n")] = '\0';
    return streq(text, "ok") || !*text ? strdup("") : strf(" (the kernel says: %s)", text);
}

static int write_file(const char *path, const char *text) {
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    do
        n = write(fd, text, strlen(text));
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (size_t)n == strlen(text) ? 0 : -EIO;
}

/* resctrl.rst, "Resource group modifications": programs that change schemata take turns by flock.
 */
static int take_lock(const Resctrl *resctrl, int *ret, Error **reterr) {
    CLEANUP_CLOSE int fd = open(resctrl->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t deadline = deadline_in(LOCK_USEC);

    if (fd < 0)
        return error_system(reterr, FROM_RESCTRL, errno, "cannot open '%s'", resctrl->root);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_system(reterr, FROM_RESCTRL, errno, "cannot lock '%s'", resctrl->root);
        if (now_usec() >= deadline)
            return error_report(reterr, FROM_RESCTRL, ERROR_OPERATION_TIMEOUT,
                                "another program has held the lock on '%s' for too long",
                                resctrl->root);
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_USEC * 1000}, NULL);
    }
    *ret = TAKE_FD(fd);
    return 0;
}

/* Finding room ------------------------------------------------------------------------------------
 */

/* One part of one cache, by cache and place in its ids. */
typedef struct Slot {
    const ResctrlCache *cache;
    unsigned id;
    uint64_t used;   /* by any group, code and data together: they share the same lines */
    uint64_t chosen; /* what the new group is going to have */
} Slot;

typedef struct Plan {
    Slot *slots;
    size_t n_slots;
} Plan;

static void plan_done(Plan *plan) {
    free(plan->slots);
}

static int plan_init(Plan *plan, const Resctrl *resctrl) {
    size_t n = 0;

    for (size_t i = 0; i < resctrl->n_caches; i++)
        n += resctrl->caches[i].n_ids;
    plan->slots = calloc(MAX_OF(n, 1u), sizeof(Slot));
    if (!plan->slots)
        return -ENOMEM;
    for (size_t i = 0; i < resctrl->n_caches; i++)
        for (size_t j = 0; j < resctrl->caches[i].n_ids; j++)
            plan->slots[plan->n_slots++] = (Slot){.cache = &resctrl->caches[i],
                                                  .id = resctrl->caches[i].ids[j]};
    return 0;
}

static int note_used(const char *name, unsigned id, const char *value, void *userdata) {
    uint64_t mask = strtoull(value, NULL, 16);
    Plan *plan = userdata;
    ResctrlType type;
    unsigned level;

    if (!resctrl_cache_name(name, &level, &type))
        return 0;
    for (size_t i = 0; i < plan->n_slots; i++)
        if (plan->slots[i].cache->level == level && plan->slots[i].id == id)
            plan->slots[i].used |= mask;
    return 0;
}

static int note_default(const char *name, unsigned id, const char *value, void *userdata) {
    Plan *plan = userdata;
    ResctrlType type;
    unsigned level;

    if (!resctrl_cache_name(name, &level, &type))
        return 0;
    for (size_t i = 0; i < plan->n_slots; i++)
        if (plan->slots[i].cache->level == level && plan->slots[i].cache->type == type &&
            plan->slots[i].id == id)
            plan->slots[i].chosen = strtoull(value, NULL, 16);
    return note_used(name, id, value, userdata);
}

static int read_one_group(const Resctrl *resctrl, const char *name, Plan *plan) {
    CLEANUP_FREE char *path = name ? strf("%s/%s/schemata", resctrl->root, name)
                                   : path_join(resctrl->root, "schemata");
    CLEANUP_FREE char *text = NULL;
    int r = path ? file_read(path, RESCTRL_FILE_LIMIT, &text, NULL) : -ENOMEM;

    if (r < 0)
        return r;
    return resctrl_each(text, name ? note_used : note_default, plan);
}

static int read_groups(const Resctrl *resctrl, Plan *plan) {
    DIR *dir = opendir(resctrl->root);
    int r;

    if (!dir)
        return -errno;
    r = read_one_group(resctrl, NULL, plan);
    for (struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
        if (entry->d_type != DT_DIR || *entry->d_name == '.' || is_reserved(entry->d_name))
            continue;
        r = read_one_group(resctrl, entry->d_name, plan);
        if (r == -ENOENT || r == -ENODEV) /* it went away, or its cache is offline */
            r = 0;
    }
    closedir(dir);
    return r;
}

static int choose(Plan *plan, const ResctrlCacheRequest *request, const char *root,
                  Error **reterr) {
    for (size_t i = 0; i < plan->n_slots; i++) {
        Slot *slot = &plan->slots[i];
        uint64_t granule, mask = 0;

        if (slot->cache->level != request->level || slot->cache->type != request->type ||
            slot->id != request->id)
            continue;
        granule =
            slot->cache->granule[resctrl_id_index(slot->cache->ids, slot->cache->n_ids, slot->id)];
        if (resctrl_find_run(slot->cache->mask, slot->used, request->size / granule, &mask) < 0) {
            error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                         "no %" PRIu64
                         " bytes of cache 'L%u%s' %u in a row are free: other groups, or the "
                         "default group ('%s/schemata'), have them",
                         request->size, request->level, resctrl_type_suffix(request->type),
                         request->id, root);
            return -ENOSPC;
        }
        slot->chosen = mask;
        /* Code and data of one request do not share lines either. */
        for (size_t j = 0; j < plan->n_slots; j++)
            if (plan->slots[j].cache->level == request->level && plan->slots[j].id == request->id)
                plan->slots[j].used |= mask;
    }
    return 0;
}

/* "L3:0=f;1=ff\nMB:0=50\n": every cache, and the bandwidths that are asked for. */
static char *format_schemata(const Plan *plan, const ResctrlRequest *request) {
    char *text = NULL;
    FILE *out = text_open(&text);

    if (!out)
        return NULL;
    for (size_t i = 0; i < plan->n_slots; i++) {
        const Slot *slot = &plan->slots[i];
        bool first = i == 0 || plan->slots[i - 1].cache != slot->cache;

        if (first)
            fprintf(out, "%sL%u%s:", i > 0 ? "\n" : "", slot->cache->level,
                    resctrl_type_suffix(slot->cache->type));
        fprintf(out, "%s%u=%" PRIx64, first ? "" : ";", slot->id, slot->chosen);
    }
    for (size_t i = 0; i < request->n_bandwidths; i++)
        fprintf(out, "%s%u=%u",
                i > 0               ? ";"
                : plan->n_slots > 0 ? "\nMB:"
                                    : "MB:",
                request->bandwidths[i].id, request->bandwidths[i].value);
    fputs("\n", out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Groups ------------------------------------------------------------------------------------------
 */

static int mkdir_error(const Resctrl *resctrl, const char *what, const char *name, int errnum,
                       Error **reterr) {
    CLEANUP_FREE char *status = last_status(resctrl);
    unsigned n_closids = resctrl->bandwidth.present ? resctrl->bandwidth.n_closids : UINT_MAX;

    if (!status)
        return error_no_memory(reterr);
    for (size_t i = 0; i < resctrl->n_caches; i++)
        n_closids = MIN_OF(n_closids, resctrl->caches[i].n_closids);
    if (errnum == ENOSPC && streq(what, "group")) {
        error_report(
            reterr, FROM_RESCTRL, ERROR_OPERATION_FAILED,
            "cannot make resctrl group '%s': the CPU knows %u groups and %u monitors, and all of "
            "one kind are in use%s; remove a group in '%s'",
            name, n_closids, resctrl->n_rmids, status, resctrl->root);
        return -ENOSPC;
    }
    if (errnum == ENOSPC || errnum == EBUSY) {
        error_report(
            reterr, FROM_RESCTRL, ERROR_OPERATION_FAILED,
            "cannot make resctrl %s '%s': all %u monitors of the CPU are in use, or were a moment "
            "ago%s",
            what, name, resctrl->n_rmids, status);
        return -errnum;
    }
    return error_system(reterr, FROM_RESCTRL, errnum, "cannot make resctrl %s '%s' in '%s'%s", what,
                        name, resctrl->root, status);
}

static int fill_group(const Resctrl *resctrl, const char *group, const char *dir,
                      const char *schemata, Error **reterr) {
    CLEANUP_FREE char *path = path_join(dir, "schemata"), *status = NULL, *line = NULL;
    int r = path ? write_file(path, schemata) : -ENOMEM;

    if (r >= 0)
        return 0;
    status = last_status(resctrl);
    line = strdup(schemata);
    if (!status || !line)
        return error_no_memory(reterr);
    for (char *at = line; (at = strchr(at, '\n'));)
        *at = ' ';
    return error_system(reterr, FROM_RESCTRL, r,
                        "cannot give resctrl group '%s' the schemata '%s'%s", group, line, status);
}

int resctrl_group_create(const Resctrl *resctrl, const char *group, const ResctrlRequest *request,
                         Error **reterr) {
    CLEANUP_FREE char *dir = NULL, *schemata = NULL;
    CLEANUP(plan_done) Plan plan = {0};
    CLEANUP_CLOSE int lock = -1;
    int r = make_path(resctrl, group, NULL, "", &dir, reterr);

    assert(group);
    if (r >= 0)
        r = resctrl_check(resctrl, request, reterr);
    if (r >= 0)
        r = take_lock(resctrl, &lock, reterr);
    if (r < 0)
        return r;
    r = plan_init(&plan, resctrl);
    if (r >= 0 && resctrl->n_caches > 0)
        r = read_groups(resctrl, &plan);
    if (r < 0)
        return error_system(reterr, FROM_RESCTRL, r, "cannot read the groups in '%s'",
                            resctrl->root);
    for (size_t i = 0; i < request->n_caches; i++) {
        r = choose(&plan, &request->caches[i], resctrl->root, reterr);
        if (r < 0)
            return r;
    }
    schemata = format_schemata(&plan, request);
    if (!schemata)
        return error_no_memory(reterr);
    if (mkdir(dir, 0755) < 0)
        return mkdir_error(resctrl, "group", group, errno, reterr);
    if (*schemata == '\n') /* a host that only watches */
        return 0;
    r = fill_group(resctrl, group, dir, schemata, reterr);
    if (r < 0)
        rmdir(dir);
    return r;
}

static int remove_dir(const Resctrl *resctrl, const char *group, const char *monitor,
                      Error **reterr) {
    CLEANUP_FREE char *dir = NULL;
    int r = make_path(resctrl, group, monitor, "", &dir, reterr);

    if (r < 0)
        return r;
    if (rmdir(dir) == 0 || errno == ENOENT)
        return 0;
    return error_system(reterr, FROM_RESCTRL, errno, "cannot remove '%s'", dir);
}

int resctrl_group_remove(const Resctrl *resctrl, const char *group, Error **reterr) {
    assert(group);
    return remove_dir(resctrl, group, NULL, reterr);
}

int resctrl_monitor_remove(const Resctrl *resctrl, const char *group, const char *monitor,
                           Error **reterr) {
    assert(monitor);
    return remove_dir(resctrl, group, monitor, reterr);
}

int resctrl_monitor_create(const Resctrl *resctrl, const char *group, const char *monitor,
                           Error **reterr) {
    CLEANUP_FREE char *dir = NULL;
    int r = make_path(resctrl, group, monitor, "", &dir, reterr);

    assert(monitor);
    if (r < 0)
        return r;
    if (!*resctrl->monitor_features)
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "this host's CPU cannot watch caches or memory bandwidth");
    return mkdir(dir, 0755) < 0 ? mkdir_error(resctrl, "monitor", monitor, errno, reterr) : 0;
}

int resctrl_add_thread(const Resctrl *resctrl, const char *group, const char *monitor, pid_t tid,
                       Error **reterr) {
    CLEANUP_FREE char *path = NULL, *status = NULL;
    char text[16];
    int r = make_path(resctrl, group, monitor, "tasks", &path, reterr);

    assert(tid > 0);
    if (r < 0)
        return r;
    snprintf(text, sizeof(text), "%d\n", tid);
    r = write_file(path, text);
    if (r >= 0)
        return 0;
    if (r == -ESRCH) {
        error_report(reterr, FROM_RESCTRL, ERROR_OPERATION_INVALID, "thread %d no longer exists",
                     tid);
        return r;
    }
    status = last_status(resctrl);
    if (!status)
        return error_no_memory(reterr);
    return error_system(reterr, FROM_RESCTRL, r, "cannot move thread %d to resctrl %s '%s'%s", tid,
                        monitor ? "monitor" : "group", monitor ? monitor : shown(group), status);
}

/* Reading -----------------------------------------------------------------------------------------
 */

static int only_l3(const struct dirent *entry) {
    return strncmp(entry->d_name, "mon_L3_", 7) == 0;
}

/* "Unavailable" and, on AMD, "Unassigned" are no errors. */
static int read_value(const char *dir, const char *name, const char *feature, ResctrlReading *ret) {
    CLEANUP_FREE char *path = strf("%s/%s/%s", dir, name, feature), *text = NULL;
    char *end;
    int r = path ? file_read(path, 4096, &text, NULL) : -ENOMEM;

    if (r < 0)
        return r;
    ret->id = strtoul(name + 7, NULL, 10);
    ret->value = strtoull(text, &end, 10);
    ret->available = end != text;
    return 0;
}

int resctrl_monitor_read(const Resctrl *resctrl, const char *group, const char *monitor,
                         const char *feature, ResctrlReading **ret, size_t *ret_n, Error **reterr) {
    CLEANUP_FREE char *dir = NULL;
    CLEANUP_FREE ResctrlReading *readings = NULL;
    struct dirent **entries = NULL;
    int n, r = make_path(resctrl, group, monitor, "mon_data", &dir, reterr);

    if (r < 0)
        return r;
    n = scandir(dir, &entries, only_l3, alphasort);
    if (n < 0)
        return error_system(reterr, FROM_RESCTRL, errno, "cannot read '%s'", dir);
    readings = calloc(MAX_OF(n, 1), sizeof(ResctrlReading));
    r = readings ? 0 : -ENOMEM;
    for (int i = 0; i < n; i++) {
        if (r >= 0)
            r = read_value(dir, entries[i]->d_name, feature, &readings[i]);
        free(entries[i]);
    }
    free(entries);
    if (r < 0)
        return error_system(reterr, FROM_RESCTRL, r, "cannot read '%s' of '%s'", feature, dir);
    *ret = TAKE_PTR(readings);
    *ret_n = n;
    return 0;
}
