/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/net/unix, and the descriptors of all processes. */
#include "host/listeners.h"

#include <dirent.h>
#include <stdio.h>

#include "util/file.h"

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

static bool has_open(const char *pid, const char *wanted) {
    CLEANUP_FREE char *path = strf("/proc/%s/fd", pid);
    DIR *d = path ? opendir(path) : NULL;
    struct dirent *entry;
    bool found = false;

    while (d && !found && (entry = readdir(d))) {
        char target[64];
        ssize_t n = readlinkat(dirfd(d), entry->d_name, target, sizeof(target) - 1);

        if (n <= 0)
            continue;
        target[n] = '\0';
        found = streq(target, wanted);
    }
    if (d)
        closedir(d);
    return found;
}

static pid_t owner_of(unsigned long inode) {
    CLEANUP_FREE char *wanted = strf("socket:[%lu]", inode);
    DIR *d = wanted ? opendir("/proc") : NULL;
    struct dirent *entry;
    pid_t found = 0;

    while (d && found == 0 && (entry = readdir(d))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && pid != getpid() && has_open(entry->d_name, wanted))
            found = pid;
    }
    if (d)
        closedir(d);
    return found;
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
    listeners->list[listeners->n++] = (UnixListener){.path = copy, .pid = owner_of(inode)};
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

const UnixListener *unix_listeners_at(const UnixListeners *listeners, const char *path) {
    for (size_t i = 0; i < listeners->n; i++)
        if (streq(listeners->list[i].path, path))
            return &listeners->list[i];
    return NULL;
}

void unix_listeners_done(UnixListeners *listeners) {
    for (size_t i = 0; i < listeners->n; i++)
        free(listeners->list[i].path);
    free(listeners->list);
    *listeners = (UnixListeners){0};
}
