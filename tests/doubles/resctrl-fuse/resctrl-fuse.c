/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A resctrl file system for hosts without the hardware: resctrl-fuse MOUNTPOINT [NAME=VALUE...]
 *
 *     closids=4 rmids=8   how many groups, and groups and monitors together, there can be
 *     mask=fffff min=1    the cache's bits and the fewest that a group can have
 *     ids=2 size=20971520 how many L3 caches, and the bytes of each
 *     cdp=0 mba=1 mon=1   L3CODE and L3DATA; memory bandwidth (min 10, step 10); monitoring
 *
 * It enforces the rules of the kernel's filesystems/resctrl.rst: the form of schemata and of masks,
 * all of a write or nothing, the number of groups, where a directory can be made, which monitor a
 * thread can enter, the words of info/last_cmd_status. What it does not have: cpus, pseudo-locking,
 * L2, renaming. Threads that nobody moved are in the default group and not listed. Runs in the
 * foreground until it is unmounted or ended. */
#define FUSE_USE_VERSION 31
#include <fuse.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "resctrl-fuse.h"

Host host = {.n_closids = 4,
             .n_rmids = 8,
             .min_bits = 1,
             .n_ids = 2,
             .mask = 0xfffff,
             .size = 20971520,
             .mba = true,
             .mon = true};

const char *const line_names[LINE_MAX] = {"L3", "L3DATA", "L3CODE", "MB"};

Group groups[GROUPS_MAX];
Task tasks[TASKS_MAX];
size_t n_tasks;
static char status[1024] = "ok\n";
static uint64_t traffic; /* grows with each look */

int fail(int errnum, const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(status, sizeof(status), format, args);
    va_end(args);
    return -errnum;
}

bool line_exists(Line line) {
    switch (line) {
    case LINE_L3:
        return !host.cdp;
    case LINE_DATA:
    case LINE_CODE:
        return host.cdp;
    case LINE_MB:
        return host.mba;
    case LINE_MAX:
        break;
    }
    return false;
}

/* Paths -------------------------------------------------------------------------------------------
 */

typedef struct Place {
    int group; /* that the path is in, -1: info or nothing */
    char rest[NAME_SIZE *
              2]; /* below it: "", "tasks", "mon_groups", "mon_data/mon_L3_00/llc_occupancy" */
} Place;

static int find_group(const char *name, size_t length, int parent) {
    for (size_t i = 1; i < GROUPS_MAX; i++)
        if (groups[i].used && groups[i].parent == parent && strlen(groups[i].name) == length &&
            memcmp(groups[i].name, name, length) == 0)
            return i;
    return -1;
}

/* Splits "/a/mon_groups/m/tasks" into the group and what is below it. */
static Place resolve(const char *path) {
    Place place = {0};
    size_t length = strcspn(++path, "/");
    int found = find_group(path, length, -1);

    if (found > 0) {
        place.group = found;
        path += length + (path[length] == '/');
    }
    if (strncmp(path, "mon_groups/", 11) == 0) {
        const char *name = path + 11;

        length = strcspn(name, "/");
        found = find_group(name, length, place.group);
        if (found > 0) {
            place.group = found;
            path = name + length + (name[length] == '/');
        }
    }
    snprintf(place.rest, sizeof(place.rest), "%s", path);
    return place;
}

bool is_monitor(int group) {
    return groups[group].parent >= 0;
}

static const char *const events[] = {"llc_occupancy", "mbm_total_bytes", "mbm_local_bytes"};

/* What a directory has: calls add for each name, directories with a slash at the end. */
typedef void (*Add)(void *userdata, const char *name);

static void list_info(const char *rest, Add add, void *userdata) {
    if (*rest == '\0') {
        add(userdata, "last_cmd_status");
        for (Line line = 0; line < LINE_MAX; line++)
            if (line_exists(line)) {
                char name[16];

                snprintf(name, sizeof(name), "%s/", line_names[line]);
                add(userdata, name);
            }
        if (host.mon)
            add(userdata, "L3_MON/");
    } else if (streq(rest, "/L3_MON") && host.mon) {
        add(userdata, "num_rmids");
        add(userdata, "mon_features");
        add(userdata, "max_threshold_occupancy");
    } else if (streq(rest, "/MB") && host.mba) {
        add(userdata, "num_closids");
        add(userdata, "min_bandwidth");
        add(userdata, "bandwidth_gran");
        add(userdata, "delay_linear");
    } else if (streq(rest, "/L3")
                   ? !host.cdp
                   : host.cdp && (streq(rest, "/L3CODE") || streq(rest, "/L3DATA"))) {
        add(userdata, "num_closids");
        add(userdata, "cbm_mask");
        add(userdata, "min_cbm_bits");
        add(userdata, "shareable_bits");
    }
}

static void list_group(int group, Add add, void *userdata) {
    add(userdata, "tasks");
    if (!is_monitor(group)) {
        add(userdata, "schemata");
        add(userdata, "size");
        add(userdata, "mode");
        if (host.mon)
            add(userdata, "mon_groups/");
    }
    if (host.mon)
        add(userdata, "mon_data/");
    if (group > 0)
        return;
    add(userdata, "info/");
    for (size_t i = 1; i < GROUPS_MAX; i++)
        if (groups[i].used && groups[i].parent < 0) {
            char name[NAME_SIZE + 2];

            snprintf(name, sizeof(name), "%s/", groups[i].name);
            add(userdata, name);
        }
}

static void list_monitors(int group, Add add, void *userdata) {
    for (size_t i = 1; i < GROUPS_MAX; i++)
        if (groups[i].used && groups[i].parent == group) {
            char name[NAME_SIZE + 2];

            snprintf(name, sizeof(name), "%s/", groups[i].name);
            add(userdata, name);
        }
}

static void list_data(const char *rest, Add add, void *userdata) {
    if (*rest == '\0')
        for (unsigned i = 0; i < host.n_ids; i++) {
            char name[32];

            snprintf(name, sizeof(name), "mon_L3_%02u/", i);
            add(userdata, name);
        }
    else
        for (size_t i = 0; i < ARRAY_SIZE(events); i++)
            add(userdata, events[i]);
}

static void list(const char *path, Add add, void *userdata) {
    Place place = resolve(path);

    if (*place.rest == '\0')
        list_group(place.group, add, userdata);
    else if (place.group == 0 && strncmp(place.rest, "info", 4) == 0)
        list_info(place.rest + 4, add, userdata);
    else if (streq(place.rest, "mon_groups") && !is_monitor(place.group))
        list_monitors(place.group, add, userdata);
    else if (strncmp(place.rest, "mon_data", 8) == 0)
        list_data(place.rest + 8, add, userdata);
}

typedef struct Search {
    const char *name;
    int kind; /* 0 missing, 1 file, 2 directory */
} Search;

static void compare(void *userdata, const char *name) {
    Search *search = userdata;
    size_t length = strlen(search->name);

    if (strncmp(name, search->name, length) == 0 &&
        (name[length] == '\0' || streq(name + length, "/")))
        search->kind = name[length] ? 2 : 1;
}

static int kind_of(const char *path) {
    char parent[1024];
    const char *slash = strrchr(path, '/');
    Search search = {.name = slash + 1};

    if (streq(path, "/"))
        return 2;
    snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if (slash != path && kind_of(parent) != 2)
        return 0;
    list(parent, compare, &search);
    return search.kind;
}

/* Reading -----------------------------------------------------------------------------------------
 */

static size_t print_line(char *out, size_t size, int group, Line line, bool as_size) {
    size_t n = snprintf(out, size, "%6s:", line_names[line]);

    for (unsigned i = 0; i < host.n_ids; i++) {
        uint64_t value = groups[group].values[line][i];

        n += snprintf(out + n, size - n, "%s%u=", i > 0 ? ";" : "", i);
        if (line == LINE_MB)
            n += snprintf(out + n, size - n, "%3lu", value);
        else if (as_size)
            n += snprintf(out + n, size - n, "%lu",
                          host.size / __builtin_popcountll(host.mask) *
                              __builtin_popcountll(value));
        else
            n += snprintf(out + n, size - n, "%lx", value);
    }
    return n + snprintf(out + n, size - n, "\n");
}

static void print_schemata(char *out, size_t size, int group, bool as_size) {
    size_t n = 0;

    for (Line line = 0; line < LINE_MAX; line++)
        if (line_exists(line))
            n += print_line(out + n, size - n, group, line, as_size);
}

bool is_alive(pid_t tid) {
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d", tid);
    return access(path, F_OK) == 0;
}

static bool is_in(size_t task, int group) {
    return is_alive(tasks[task].tid) &&
           (tasks[task].group == group || tasks[task].monitor == group);
}

static void print_tasks(char *out, size_t size, int group) {
    size_t n = 0;

    for (size_t i = 0; i < n_tasks && n < size; i++)
        if (is_in(i, group))
            n += snprintf(out + n, size - n, "%d\n", tasks[i].tid);
}

/* 64 KiB and some traffic for each thread; the second cache has no local counter yet. */
static void print_event(char *out, size_t size, int group, const char *rest) {
    unsigned id = strtoul(rest + strlen("mon_data/mon_L3_"), NULL, 10);
    const char *event = strrchr(rest, '/') + 1;
    uint64_t n = 0;

    for (size_t i = 0; i < n_tasks; i++)
        n += is_in(i, group);
    if (streq(event, "llc_occupancy"))
        snprintf(out, size, "%lu\n", n * 65536);
    else if (streq(event, "mbm_local_bytes") && id == 1)
        snprintf(out, size, "Unavailable\n");
    else
        snprintf(out, size, "%lu\n", n * (traffic += 4096));
}

static void print_info(char *out, size_t size, const char *name) {
    if (streq(name, "num_closids"))
        snprintf(out, size, "%u\n", host.n_closids);
    else if (streq(name, "cbm_mask"))
        snprintf(out, size, "%lx\n", host.mask);
    else if (streq(name, "min_cbm_bits"))
        snprintf(out, size, "%u\n", host.min_bits);
    else if (streq(name, "num_rmids"))
        snprintf(out, size, "%u\n", host.n_rmids);
    else if (streq(name, "mon_features"))
        snprintf(out, size,
                 "llc_occupancy\nmbm_total_bytes\nmbm_total_bytes_config\nmbm_local_bytes\n");
    else if (streq(name, "min_bandwidth") || streq(name, "bandwidth_gran"))
        snprintf(out, size, "10\n");
    else if (streq(name, "delay_linear"))
        snprintf(out, size, "1\n");
    else if (streq(name, "last_cmd_status"))
        snprintf(out, size, "%s", status);
    else
        snprintf(out, size, "0\n");
}

static void print_file(const char *path, char *out, size_t size) {
    Place place = resolve(path);

    *out = '\0';
    if (streq(place.rest, "schemata") || streq(place.rest, "size"))
        print_schemata(out, size, place.group, streq(place.rest, "size"));
    else if (streq(place.rest, "tasks"))
        print_tasks(out, size, place.group);
    else if (streq(place.rest, "mode"))
        snprintf(out, size, "%s\n", groups[place.group].exclusive ? "exclusive" : "shareable");
    else if (strncmp(place.rest, "mon_data/", 9) == 0)
        print_event(out, size, place.group, place.rest);
    else
        print_info(out, size, strrchr(path, '/') + 1);
}

/* Writing -----------------------------------------------------------------------------------------
 */

static int do_write(const char *path, const char *data, size_t size, off_t offset,
                    struct fuse_file_info *info) {
    Place place = resolve(path);
    char text[TEXT_SIZE];
    int r = -EPERM;

    if (size >= sizeof(text))
        return -EINVAL;
    memcpy(text, data, size);
    text[size] = '\0';
    strcpy(status, "ok\n");
    if (streq(place.rest, "tasks"))
        r = write_tasks(place.group, text);
    else if (streq(place.rest, "schemata"))
        r = write_schemata(place.group, text);
    else if (streq(place.rest, "mode"))
        r = write_mode(place.group, text);
    return r < 0 ? r : (int)size;
}

/* Directories -------------------------------------------------------------------------------------
 */

static void group_reset(int group, const char *name, int parent) {
    Group *to = &groups[group];

    memset(to, 0, sizeof(*to));
    to->used = true;
    to->parent = parent;
    snprintf(to->name, sizeof(to->name), "%s", name);
    for (Line line = 0; line < LINE_MAX; line++)
        for (unsigned id = 0; id < host.n_ids; id++)
            to->values[line][id] = line == LINE_MB ? 100 : host.mask;
}

static int do_mkdir(const char *path, mode_t mode) {
    Place place = resolve(path);
    const char *name = strrchr(path, '/') + 1;
    bool monitor = strncmp(place.rest, "mon_groups/", 11) == 0 && host.mon &&
                   !is_monitor(place.group);
    unsigned n_controls = 0, n_all = 0;
    size_t spare = 0;

    strcpy(status, "ok\n");
    if (strchr(name, '\n') || strlen(name) >= NAME_SIZE)
        return -EINVAL;
    if (!monitor && (place.group != 0 || strchr(place.rest, '/')))
        return -EPERM;
    if (kind_of(path) != 0)
        return -EEXIST;
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        n_all += groups[i].used;
        n_controls += groups[i].used && groups[i].parent < 0;
        if (!groups[i].used && spare == 0)
            spare = i;
    }
    if (!monitor && n_controls >= host.n_closids)
        return fail(ENOSPC, "Out of CLOSIDs\n");
    if (host.mon && n_all >= host.n_rmids)
        return fail(ENOSPC, "Out of RMIDs\n");
    if (spare == 0)
        return -ENOSPC;
    group_reset(spare, name, monitor ? place.group : -1);
    return 0;
}

static void leave_group(int group) {
    for (size_t i = 0; i < n_tasks; i++) {
        if (tasks[i].monitor == group)
            tasks[i].monitor = -1;
        if (tasks[i].group == group && !is_monitor(group)) {
            tasks[i].group = 0;
            tasks[i].monitor = -1;
        }
    }
    groups[group].used = false;
}

static int do_rmdir(const char *path) {
    Place place = resolve(path);

    strcpy(status, "ok\n");
    if (kind_of(path) != 2)
        return -ENOENT;
    if (place.group == 0 || *place.rest)
        return -EPERM;
    for (size_t i = 1; i < GROUPS_MAX; i++)
        if (groups[i].used && groups[i].parent == place.group)
            leave_group(i);
    leave_group(place.group);
    return 0;
}

static int do_getattr(const char *path, struct stat *info, struct fuse_file_info *file) {
    int kind = kind_of(path);

    memset(info, 0, sizeof(*info));
    if (kind == 0)
        return -ENOENT;
    info->st_mode = kind == 2 ? S_IFDIR | 0755 : S_IFREG | 0644;
    info->st_nlink = kind;
    return 0;
}

typedef struct Filler {
    void *buffer;
    fuse_fill_dir_t fill;
} Filler;

static void fill_one(void *userdata, const char *name) {
    Filler *filler = userdata;
    size_t length = strcspn(name, "/");
    struct stat info = {.st_mode = name[length] ? S_IFDIR : S_IFREG};
    char plain[NAME_SIZE + 2];

    snprintf(plain, sizeof(plain), "%.*s", (int)length, name);
    filler->fill(filler->buffer, plain, &info, 0, 0);
}

static int do_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *file, enum fuse_readdir_flags flags) {
    Filler filler = {buffer, fill};

    if (kind_of(path) != 2)
        return -ENOENT;
    list(path, fill_one, &filler);
    return 0;
}

/* Sizes are not known before a read: the kernel is not to look at them. */
static int do_open(const char *path, struct fuse_file_info *file) {
    file->direct_io = 1;
    return kind_of(path) == 1 ? 0 : -ENOENT;
}

static int do_read(const char *path, char *buffer, size_t size, off_t offset,
                   struct fuse_file_info *file) {
    static char text[TEXT_SIZE];
    size_t length;

    if (offset == 0)
        print_file(path, text, sizeof(text));
    length = strlen(text);
    if ((size_t)offset >= length)
        return 0;
    size = MIN_OF(size, length - offset);
    memcpy(buffer, text + offset, size);
    return size;
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *file) {
    return 0;
}

/* Nothing is remembered by the kernel: groups come and go by our own doing. */
static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config) {
    config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
    return NULL;
}

static const struct fuse_operations operations = {
    .init = do_init,
    .getattr = do_getattr,
    .readdir = do_readdir,
    .open = do_open,
    .read = do_read,
    .write = do_write,
    .truncate = do_truncate,
    .mkdir = do_mkdir,
    .rmdir = do_rmdir,
};

static bool take_option(const char *text) {
    const char *value = strchr(text, '=');
    uint64_t number = value ? strtoull(value + 1, NULL, strncmp(text, "mask=", 5) == 0 ? 16 : 10)
                            : 0;

    if (!value)
        return false;
    if (strncmp(text, "closids=", 8) == 0)
        host.n_closids = number;
    else if (strncmp(text, "rmids=", 6) == 0)
        host.n_rmids = number;
    else if (strncmp(text, "mask=", 5) == 0)
        host.mask = number;
    else if (strncmp(text, "min=", 4) == 0)
        host.min_bits = number;
    else if (strncmp(text, "ids=", 4) == 0)
        host.n_ids = MIN_OF(number, IDS_MAX);
    else if (strncmp(text, "size=", 5) == 0)
        host.size = number;
    else if (strncmp(text, "cdp=", 4) == 0)
        host.cdp = number;
    else if (strncmp(text, "mba=", 4) == 0)
        host.mba = number;
    else if (strncmp(text, "mon=", 4) == 0)
        host.mon = number;
    else
        return false;
    return true;
}

int main(int argc, char **argv) {
    char *arguments[] = {argv[0], (char *)"-f", (char *)"-s", argc > 1 ? argv[1] : NULL, NULL};

    for (int i = 2; i < argc; i++)
        if (!take_option(argv[i])) {
            fprintf(stderr, "resctrl-fuse: what is '%s'?\n", argv[i]);
            return 2;
        }
    if (argc < 2) {
        fprintf(stderr, "usage: resctrl-fuse MOUNTPOINT [NAME=VALUE...]\n");
        return 2;
    }
    group_reset(0, "", -1);
    return fuse_main(4, arguments, &operations, NULL);
}
