/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signs of drift: inotify on cgroup files, uevents of host CPUs. */
#include "driver/drift.h"

#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "driver/tune.h"
#include "limits/watch.h"
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

    domain->run->drift = sd_event_source_disable_unref(domain->run->drift);
    if (!domain->services || domain->services->tasks.stopping)
        return 0;
    log_debug("domain '%s': a sign of drift", domain_name(domain));
    if (fiber_start("reconcile", reconcile, domain_ref(domain)) < 0)
        domain_unref(domain);
    return 0;
}

static void sign_of(void *owner) {
    Domain *domain = owner;

    if (domain->run && domain->run->limits && !domain->run->drift)
        sd_event_add_time_relative(fiber_event(), &domain->run->drift, CLOCK_MONOTONIC, SETTLE_USEC,
                                   0, on_settled, domain);
}

static int on_write(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    limits_host_read(userdata);
    return 0;
}

/* ---- host CPUs ---- */

#define CPU_PATH "@/devices/system/cpu/cpu"

/* "online@/devices/system/cpu/cpu3" and its fields. Is it about a CPU? */
static bool on_uevent_text(Driver *driver, const char *text) {
    bool came = strncmp(text, "online" CPU_PATH, strlen("online" CPU_PATH)) == 0;

    if (came)
        limits_host_cpu_came(driver->services.limits,
                             (unsigned)strtoul(text + strlen("online" CPU_PATH), NULL, 10));
    return came || strncmp(text, "offline" CPU_PATH, strlen("offline" CPU_PATH)) == 0;
}

static int on_uevent(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Driver *driver = userdata;
    char text[UEVENT_MAX + 1];
    bool is_cpu = false;
    ssize_t n;

    while ((n = recv(fd, text, UEVENT_MAX, MSG_DONTWAIT)) > 0) {
        text[n] = '\0';
        is_cpu |= on_uevent_text(driver, text);
    }
    for (Domain *domain = driver_domains(driver); is_cpu && domain; domain = domain->next)
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
    int fd = limits_host_fd(driver->services.limits);

    watch_cpus(driver);
    limits_host_listen(driver->services.limits, sign_of);
    if (fd < 0 || sd_event_add_io(fiber_event(), &driver->writes, fd, EPOLLIN, on_write,
                                  driver->services.limits) < 0)
        log_warning(
            "what others change in the cgroups of domains will not be noticed: no inotify instance "
            "(fs.inotify.max_user_instances)");
}
