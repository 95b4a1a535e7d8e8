/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/worker.h"

typedef struct Listing {
    const char *path, *suffix;
    DirectoryNames names;
} Listing;

void directory_names_done(DirectoryNames *names) {
    for (size_t i = 0; i < names->n; i++)
        free(names->list[i]);
    free(names->list);
    *names = (DirectoryNames){0};
}

static bool is_wanted(const char *name, const char *suffix) {
    size_t n = strlen(name), k = strlen(suffix);

    return n > k && streq(name + n - k, suffix) && !streq(name, ".") && !streq(name, "..");
}

static int add(DirectoryNames *names, const char *name) {
    char **bigger = reallocarray(names->list, names->n + 1, sizeof(char *));

    if (!bigger)
        return -ENOMEM;
    names->list = bigger;
    bigger[names->n] = strdup(name);
    return bigger[names->n] ? (names->n++, 0) : -ENOMEM;
}

static int run_list(void *arg) {
    Listing *listing = arg;
    DIR *d = opendir(listing->path);
    struct dirent *entry;
    int r = 0;

    if (!d)
        return errno == ENOENT ? 0 : -errno;
    while (r >= 0 && (errno = 0, entry = readdir(d)))
        if (is_wanted(entry->d_name, listing->suffix))
            r = add(&listing->names, entry->d_name);
    if (r >= 0 && errno)
        r = -errno;
    closedir(d);
    return r;
}

int directory_names(const char *path, const char *suffix, DirectoryNames *ret) {
    Listing listing = {.path = path, .suffix = suffix};
    int r = worker_run(run_list, &listing);

    if (r < 0)
        directory_names_done(&listing.names);
    *ret = listing.names;
    return r;
}

static int run_remove(void *arg) {
    return unlink(arg) < 0 && errno != ENOENT ? -errno : 0;
}

int file_remove_worker(const char *path) {
    return worker_run(run_remove, (void *)path);
}

typedef struct Link {
    const char *target, *path;
} Link;

static int run_link(void *arg) {
    const Link *link = arg;

    return symlink(link->target, link->path) < 0 && errno != EEXIST ? -errno : 0;
}

int file_symlink_worker(const char *target, const char *path) {
    Link link = {target, path};

    return worker_run(run_link, &link);
}
