/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "node-watch.h"

#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "host/node-device.h"
#include "registration.h"
#include "util/log.h"
#include "util/worker.h"

#define SETTLE_USEC (100 * USEC_PER_MSEC) /* a device's news come as several */
#define UEVENT_MAX 8192

enum { KERNEL_GROUP = 1, UDEV_GROUP = 2 }; /* of the socket's news; udev's come when it is done */
enum { DEVICE_CREATED, DEVICE_DELETED };   /* virNodeDeviceEventLifecycleType */

struct NodeWatch {
    Daemon *daemon;
    sd_event_source *news;
    NodeDevices known;
    bool ready;          /* known is filled */
    bool again, looking; /* news came; a fiber looks */
};

static int run_read(void *arg) {
    return node_devices_read("", arg);
}

/* ---- what differs ---- */

static void send_one(const Client *client, int callback_id, const char *name, int event) {
    remote_node_device_event_lifecycle_msg message = {callback_id, {(char *)name}, event, 0};

    rpc_session_send_event(client->session, REMOTE_PROGRAM, REMOTE_VERSION,
                           REMOTE_PROC_NODE_DEVICE_EVENT_LIFECYCLE,
                           (xdrproc_t)xdr_remote_node_device_event_lifecycle_msg, &message);
}

static void send_all(const Daemon *daemon, const char *name, int event) {
    for (const Client *client = daemon->clients; client; client = client->next)
        for (const Registration *at = client->registrations; at; at = at->next)
            if (at->event_id == EVENT_OF_NODE_DEVICES && (!at->device || streq(at->device, name)))
                send_one(client, at->callback_id, name, event);
}

/* Those of `list` that `other` does not have. */
static void tell(const Daemon *daemon, const NodeDevices *list, const NodeDevices *other,
                 int event) {
    for (size_t i = 0; i < list->n; i++)
        if (!node_devices_find(other, list->list[i].name))
            send_all(daemon, list->list[i].name, event);
}

static void look(NodeWatch *watch) {
    CLEANUP_NODE_DEVICES NodeDevices fresh = {0};
    NodeDevices old = watch->known;
    int r = worker_run(run_read, &fresh);

    if (r < 0) {
        log_warning("the host's devices cannot be looked at: %s", strerror(-r));
        return;
    }
    tell(watch->daemon, &old, &fresh, DEVICE_DELETED);
    tell(watch->daemon, &fresh, &old, DEVICE_CREATED);
    watch->known = fresh;
    fresh = old;
}

static void look_until_quiet(void *userdata) {
    NodeWatch *watch = userdata;

    while (watch->again && !task_sleep(&watch->daemon->tasks, SETTLE_USEC)) {
        watch->again = false;
        look(watch);
    }
    watch->looking = false;
}

/* ---- the kernel's news ---- */

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    NodeWatch *watch = userdata;
    char text[UEVENT_MAX];

    while (recv(fd, text, sizeof(text), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
        watch->again = true; /* ENOBUFS: some were lost */
    if (watch->again && watch->ready && !watch->looking)
        watch->looking = task_start(&watch->daemon->tasks, "node-devices", look_until_quiet,
                                    watch) >= 0;
    return 0;
}

static int listen_to_kernel(NodeWatch *watch) {
    const bool udev = access("/run/udev/control", F_OK) == 0;
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups = udev ? UDEV_GROUP : KERNEL_GROUP};
    CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                  NETLINK_KOBJECT_UEVENT);
    int r;

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    r = sd_event_add_io(fiber_event(), &watch->news, fd, EPOLLIN, on_news, watch);
    if (r >= 0)
        r = sd_event_source_set_io_fd_own(watch->news, true);
    if (r >= 0)
        TAKE_FD(fd);
    return r;
}

/* ---- life ---- */

/* Those who come while the first look is taken are answered before it ends; what changes until then
 * is in it. */
int node_watch_start(Daemon *daemon, Error **reterr) {
    NodeWatch *watch;
    int r;

    if (daemon->node_watch)
        return 0;
    watch = calloc(1, sizeof(NodeWatch));
    if (!watch)
        return error_no_memory(reterr);
    watch->daemon = daemon;
    r = listen_to_kernel(watch);
    if (r < 0) {
        node_watch_free(watch);
        return error_system(reterr, FROM_NODEDEV, r,
                            "cannot listen to the kernel's news of devices");
    }
    daemon->node_watch = watch;
    r = worker_run(run_read, &watch->known);
    watch->ready = r >= 0;
    if (r < 0) {
        daemon->node_watch = NULL;
        node_watch_free(watch);
        return error_system(reterr, FROM_NODEDEV, r, "cannot read the host's devices");
    }
    return on_news(watch->news, sd_event_source_get_io_fd(watch->news), 0, watch);
}

void node_watch_free(NodeWatch *watch) {
    if (!watch)
        return;
    sd_event_source_disable_unref(watch->news);
    node_devices_done(&watch->known);
    free(watch);
}
