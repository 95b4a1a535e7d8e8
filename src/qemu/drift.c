/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signs of drift: inotify on cgroup files, uevents of host CPUs. */
#include "qemu/drift.h"

#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "qemu/driver-tune.h"
#include "qemu/domain-limits-internal.h"
#include "util/log.h"

#define SETTLE_USEC (300 * USEC_PER_MSEC) /* a change often comes as several writes */
#define UEVENT_MAX 8192

static void reconcile(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;

    if (domain_is_active(domain) && driver_reconcile(domain, NULL, &error) < 0)
        log_warning("domain '%s': its threads cannot be compared with its definition: %s", domain_name(domain),
                    error_message(error));
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata) {
    Domain *domain = userdata;

    if (!domain->limits || !domain->driver || domain->driver->stopping)
        return 0;
    domain->limits->settle = sd_event_source_disable_unref(domain->limits->settle);
    if (fiber_start("reconcile", reconcile, domain_ref(domain)) < 0)
        domain_unref(domain);
    return 0;
}

static void sign_of(Domain *domain) {
    Limits *limits = domain->limits;

    if (limits && !limits->settle)
        sd_event_add_time_relative(fiber_event(), &limits->settle, CLOCK_MONOTONIC, SETTLE_USEC, 0, on_settled, domain);
}

static int on_write(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Domain *domain = userdata;

    if (!domain->limits)
        return 0;
    limits_drain(domain->limits);
    sign_of(domain);
    return 0;
}

void drift_watch_domain(Domain *domain) {
    Limits *limits = domain->limits;

    if (!limits || limits->inotify_fd < 0 || limits->inotify)
        return;
    limits_drain(limits);
    if (sd_event_add_io(fiber_event(), &limits->inotify, limits->inotify_fd, EPOLLIN, on_write, domain) < 0)
        log_warning("domain '%s': changes of its cgroups by others will not be noticed", domain_name(domain));
}

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

void drift_watch_host(Driver *driver) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT), r = 0;

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
