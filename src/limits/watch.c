/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inotify on the directories of all groups. */
#include "limits/watch.h"

#include <sys/inotify.h>

#include "limits/state.h"

/* ---- lists of watch descriptors ---- */

static size_t place_in(const Watches *watches, int watch) {
    size_t low = 0, high = watches->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (watches->list[middle] < watch)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const Watches *watches, int watch) {
    size_t i = place_in(watches, watch);

    return i < watches->n && watches->list[i] == watch;
}

/* One more is nearly always the highest: the kernel counts up. -ENOMEM. */
static int add(Watches *watches, int watch) {
    size_t i = place_in(watches, watch);
    int *bigger;

    if (has(watches, watch))
        return 0;
    bigger = reallocarray(watches->list, watches->n + 1, sizeof(int));
    if (!bigger)
        return -ENOMEM;
    watches->list = bigger;
    memmove(bigger + i + 1, bigger + i, (watches->n++ - i) * sizeof(int));
    bigger[i] = watch;
    return 0;
}

/* ---- the host's table ---- */

static size_t place_of(const LimitsHost *host, int watch) {
    size_t low = 0, high = host->n_watched;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (host->watched[middle].watch < watch)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static WatchEntry *find(const LimitsHost *host, int watch) {
    size_t i = place_of(host, watch);

    return i < host->n_watched && host->watched[i].watch == watch ? &host->watched[i] : NULL;
}

static void enter(LimitsHost *host, int watch, Limits *limits) {
    size_t i = place_of(host, watch);
    WatchEntry *bigger;

    if (i < host->n_watched && host->watched[i].watch == watch)
        return;
    bigger = reallocarray(host->watched, host->n_watched + 1, sizeof(WatchEntry));
    if (!bigger)
        return; /* it goes unwatched */
    host->watched = bigger;
    memmove(bigger + i + 1, bigger + i, (host->n_watched++ - i) * sizeof(WatchEntry));
    bigger[i] = (WatchEntry){.watch = watch, .limits = limits};
}

/* Entries of what has gone stay until they are half of all. */
static void clear(LimitsHost *host, WatchEntry *entry) {
    size_t n = 0;

    entry->limits = NULL;
    if (++host->n_gone * 2 <= host->n_watched)
        return;
    for (size_t i = 0; i < host->n_watched; i++)
        if (host->watched[i].limits)
            host->watched[n++] = host->watched[i];
    host->n_watched = n;
    host->n_gone = 0;
}

/* ---- events ---- */

static void tell(Limits *limits) {
    if (limits->owner && limits->host->written)
        limits->host->written(limits->owner);
}

/* While a change of our own is under way, what was written to is looked at after it. */
static void hear(Limits *limits, int watch) {
    if (!limits->n_quiet)
        tell(limits);
    else if (watch < 0 || add(&limits->heard, watch) < 0)
        limits->missed = true;
}

static void on_event(LimitsHost *host, const struct inotify_event *event) {
    WatchEntry *entry = event->wd >= 0 ? find(host, event->wd) : NULL;
    Limits *limits = entry ? entry->limits : NULL;

    if (event->mask & IN_Q_OVERFLOW) {
        for (Limits *each = host->first; each; each = each->next)
            hear(each, -1);
    } else if (limits && event->mask & IN_IGNORED) { /* we let go of it */
        clear(host, entry);
    } else if (limits) {
        hear(limits, event->wd);
    }
}

int limits_host_fd(const LimitsHost *host) {
    return host->inotify_fd;
}

void limits_host_listen(LimitsHost *host, void (*written)(void *owner)) {
    host->written = written;
}

void limits_host_read(LimitsHost *host) {
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t n;

    while (host->inotify_fd >= 0 && (n = read(host->inotify_fd, buffer, sizeof(buffer))) > 0)
        for (char *at = buffer; at < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)at;

            on_event(host, event);
            at += sizeof(*event) + event->len;
        }
}

void limits_host_cpu_came(LimitsHost *host, unsigned cpu) {
    for (Limits *limits = host->first; limits; limits = limits->next) {
        if (!limits->came)
            limits->came = bitmap_new();
        if (limits->came)
            bitmap_set(limits->came, cpu);
    }
}

/* ---- a domain's groups ---- */

void limits_watch_group(const LimitsHost *host, const CgroupTree *tree, const char *child,
                        Watches *list) {
    int found[CGROUP_CONTROLLER_MAX];
    size_t n = 0;

    if (tree && host->inotify_fd >= 0)
        n = cgroup_tree_watch(tree, child, host->inotify_fd, found);
    for (size_t i = 0; i < n; i++)
        add(list, found[i]);
}

void limits_watch_add(Limits *limits, const Watches *list) {
    for (size_t i = 0; i < list->n && limits->owner; i++)
        enter(limits->host, list->list[i], limits);
}

void limits_watch_end(Limits *limits, Watches *ret) {
    LimitsHost *host = limits->host;
    size_t n = 0;

    for (size_t i = 0; i < host->n_watched; i++) {
        WatchEntry *entry = &host->watched[i];

        if (entry->limits && entry->limits != limits)
            host->watched[n++] = *entry;
        else if (entry->limits && ret)
            add(ret, entry->watch);
    }
    host->n_watched = n;
    host->n_gone = 0;
}

bool limits_watch_heard_others(Limits *limits, const Watches *own, const Watches *more) {
    bool others = limits->missed;

    for (size_t i = 0; i < limits->heard.n && !others; i++)
        others = !has(own, limits->heard.list[i]) && !(more && has(more, limits->heard.list[i]));
    limits->heard.n = 0;
    limits->missed = false;
    return others;
}
