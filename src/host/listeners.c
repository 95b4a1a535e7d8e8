/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/net/unix, and the descriptors of all processes. */
#include "host/listeners.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "util/file.h"
#include "util/proc.h"

#define TABLE_MAX (64u << 20) /* bytes of /proc/net/unix */
#define ACCEPTS 0x10000u      /* of the column Flags: listen(2) was called */

/* The inode of a listening socket's line, and where its path begins; false: another line. */
static bool parse_line(const char *line, unsigned long *ret_inode, const char **ret_path) {
    unsigned flags;
    int path = 0;

    /* Num: RefCount Protocol Flags Type St Inode Path */
    if (sscanf(line, "%*[^:]: %*x %*x %x %*x %*x %lu %n", &flags, ret_inode, &path) != 2 ||
        path == 0 || !(flags & ACCEPTS))
        return false;
    *ret_path = line + path;
    return true;
}

static int add(UnixListeners *listeners, const char *path, unsigned long inode) {
    UnixListener *bigger = reallocarray(listeners->list, listeners->n + 1, sizeof(UnixListener));
    char *copy = strdup(path);

    if (bigger)
        listeners->list = bigger;
    if (!bigger || !copy) {
        free(copy);
        return -ENOMEM;
    }
    listeners->list[listeners->n++] = (UnixListener){.path = copy, .inode = inode};
    return 0;
}

int unix_listeners_find(const char *directory, UnixListeners *ret) {
    CLEANUP_FREE char *text = NULL, *prefix = strf("%s/", directory);
    char *rest, *line;
    int r = prefix ? file_read("/proc/net/unix", TABLE_MAX, &text, NULL) : -ENOMEM;

    *ret = (UnixListeners){0};
    if (r < 0)
        return r;
    for (rest = text; r >= 0 && (line = strsep(&rest, "\n"));) {
        unsigned long inode;
        const char *path;

        if (parse_line(line, &inode, &path) && strncmp(path, prefix, strlen(prefix)) == 0)
            r = add(ret, path, inode);
    }
    if (r < 0)
        unix_listeners_done(ret);
    return r;
}

UnixListener *unix_listeners_at(const UnixListeners *listeners, const char *path) {
    for (size_t i = 0; i < listeners->n; i++)
        if (streq(listeners->list[i].path, path))
            return &listeners->list[i];
    return NULL;
}

/* ---- whose they are ---- */

/* Those whose owner is wanted, by inode. */
typedef struct Wanted {
    UnixListener **list;
    size_t n;
} Wanted;

static int compare(const void *a, const void *b) {
    unsigned long x = (*(UnixListener *const *)a)->inode, y = (*(UnixListener *const *)b)->inode;

    return (x > y) - (x < y);
}

static void look_through(const Wanted *wanted, const char *pid, const char *path) {
    DIR *d = opendir(path);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        UnixListener key = {0}, *key_at = &key, **found;
        char target[64];
        ssize_t n = readlinkat(dirfd(d), entry->d_name, target, sizeof(target) - 1);

        if (n <= 0)
            continue;
        target[n] = '\0';
        if (sscanf(target, "socket:[%lu]", &key.inode) != 1)
            continue;
        found = bsearch(&key_at, wanted->list, wanted->n, sizeof(wanted->list[0]), compare);
        if (found && (*found)->pid == 0)
            (*found)->pid = (pid_t)strtol(pid, NULL, 10);
    }
    if (d)
        closedir(d);
}

static void look_at(const Wanted *wanted, const char *pid) {
    CLEANUP_FREE char *path = strf("/proc/%s/fd", pid);

    if (!path || proc_look_as_owner(pid) < 0)
        return;
    look_through(wanted, pid, path);
    proc_look_as_self();
}

int unix_listeners_find_owners(UnixListeners *listeners) {
    CLEANUP_FREE UnixListener **list = calloc(listeners->n + 1, sizeof(UnixListener *));
    Wanted wanted = {.list = list};
    struct dirent *entry;
    DIR *d;

    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < listeners->n; i++)
        if (listeners->list[i].wanted)
            list[wanted.n++] = &listeners->list[i];
    if (wanted.n == 0)
        return 0;
    qsort(list, wanted.n, sizeof(list[0]), compare);
    d = opendir("/proc");
    while (d && (entry = readdir(d))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && pid != getpid())
            look_at(&wanted, entry->d_name);
    }
    if (d)
        closedir(d);
    return 0;
}

void unix_listeners_done(UnixListeners *listeners) {
    for (size_t i = 0; i < listeners->n; i++)
        free(listeners->list[i].path);
    free(listeners->list);
    *listeners = (UnixListeners){0};
}
