/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signs of drift: inotify on cgroup files, uevents of host CPUs. */
#include "driver/drift.h"

#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#include "driver/tune.h"
#include "limits/limits-internal.h"
#include "util/log.h"

#define SETTLE_USEC (300 * USEC_PER_MSEC) /* a change often comes as several writes */
#define UEVENT_MAX 8192

static void reconcile(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;

    if (domain_is_active(domain) && driver_reconcile(domain, NULL, &error) < 0)
        log_warning("domain '%s': its threads cannot be compared with its definition: %s",
                    domain_name(domain), error_message(error));
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata) {
    Domain *domain = userdata;

    if (!domain->run || !domain->run->limits || !domain->driver || domain->driver->tasks.stopping)
        return 0;
    domain->run->limits->settle = sd_event_source_disable_unref(domain->run->limits->settle);
    log_debug("domain '%s': a sign of drift", domain_name(domain));
    if (fiber_start("reconcile", reconcile, domain_ref(domain)) < 0)
        domain_unref(domain);
    return 0;
}

static void sign_of(Domain *domain) {
    Limits *limits = domain->run->limits;

    if (limits && !limits->settle)
        sd_event_add_time_relative(fiber_event(), &limits->settle, CLOCK_MONOTONIC, SETTLE_USEC, 0,
                                   on_settled, domain);
}

/* ---- writes to cgroups ---- */

/* Where it is, or would be. */
static size_t position(const Watches *watches, int watch) {
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
    size_t i = position(watches, watch);

    return i < watches->n && watches->list[i] == watch;
}

/* One more is nearly always the highest: the kernel counts up. Without memory it goes unwatched. */
static void add(Watches *watches, int watch) {
    size_t i = position(watches, watch);
    int *bigger;

    if (has(watches, watch))
        return;
    bigger = reallocarray(watches->list, watches->n + 1, sizeof(int));
    if (!bigger)
        return;
    watches->list = bigger;
    memmove(bigger + i + 1, bigger + i, (watches->n++ - i) * sizeof(int));
    bigger[i] = watch;
}

static void forget(Watches *watches, int watch) {
    size_t i = position(watches, watch);

    watches->n--;
    memmove(watches->list + i, watches->list + i + 1, (watches->n - i) * sizeof(int));
}

static void on_event(Driver *driver, const struct inotify_event *event) {
    for (Domain *domain = driver->domains; domain; domain = domain->next) {
        Limits *limits = domain->run ? domain->run->limits : NULL;

        if (!limits || (!(event->mask & IN_Q_OVERFLOW) && !has(&limits->watches, event->wd)))
            continue;
        if (event->mask & IN_IGNORED) /* the directory has gone */
            forget(&limits->watches, event->wd);
        else if (!limits->n_quiet)
            sign_of(domain);
    }
}

static void read_events(Driver *driver) {
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t n;

    while ((n = read(driver->limits->inotify_fd, buffer, sizeof(buffer))) > 0)
        for (char *at = buffer; at < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)at;

            on_event(driver, event);
            at += sizeof(*event) + event->len;
        }
}

static int on_write(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    read_events(userdata);
    return 0;
}

void drift_watch_group(const Limits *limits, const char *child, Watches *list) {
    int found[CGROUP_CONTROLLER_MAX];
    size_t n = 0;

    if (limits->tree && limits->host->inotify_fd >= 0)
        n = cgroup_tree_watch(limits->tree, child, limits->host->inotify_fd, found);
    for (size_t i = 0; i < n; i++)
        add(list, found[i]);
}

void drift_listen(Domain *domain, Limits *limits, const Watches *list) {
    for (size_t i = 0; i < list->n; i++)
        add(&limits->watches, list->list[i]);
    if (domain->driver && domain->driver->writes)
        read_events(domain->driver);
}

/* ---- host CPUs ---- */

/* "online@/devices/system/cpu/cpu3" and its fields. */
static int on_uevent(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Driver *driver = userdata;
    char text[UEVENT_MAX + 1];
    bool is_cpu = false;
    ssize_t n;

    while ((n = recv(fd, text, UEVENT_MAX, MSG_DONTWAIT)) > 0) {
        text[n] = '\0';
        is_cpu |= strncmp(text, "online@/devices/system/cpu/", 27) == 0 ||
                  strncmp(text, "offline@/devices/system/cpu/", 28) == 0;
    }
    for (Domain *domain = driver->domains; is_cpu && domain; domain = domain->next)
        sign_of(domain);
    return 0;
}

static void watch_cpus(Driver *driver) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT),
        r = 0;

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        r = -errno;
    if (r >= 0)
        r = sd_event_add_io(fiber_event(), &driver->uevents, fd, EPOLLIN, on_uevent, driver);
    if (r >= 0) {
        sd_event_source_set_io_fd_own(driver->uevents, true);
        return;
    }
    if (fd >= 0)
        close(fd);
    log_info("host CPUs that go or come will not be noticed: %s", strerror(-r));
}

void drift_watch_host(Driver *driver) {
    watch_cpus(driver);
    if (driver->limits->inotify_fd < 0 ||
        sd_event_add_io(fiber_event(), &driver->writes, driver->limits->inotify_fd, EPOLLIN,
                        on_write, driver) < 0)
        log_warning(
            "what others change in the cgroups of domains will not be noticed: no inotify instance "
            "(fs.inotify.max_user_instances)");
}
