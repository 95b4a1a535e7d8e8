/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File descriptors for QEMU. They travel with a blank in front of the command that is about them:
 * QEMU keeps the last ones it got until a command asks for them, and between two messages a blank
 * means nothing. Its monitor takes the next command only when one has been carried out, so that
 * nobody else's descriptors come between. */
#include "qemu/monitor-internal.h"

#include <sys/socket.h>

#define RETRY_USEC USEC_PER_MSEC

/* What was queued before goes first. */
static int drain(Monitor *monitor, uint64_t deadline) {
    for (;;) {
        monitor_flush(monitor);
        if (!monitor_is_open(monitor))
            return -ENOTCONN;
        if (output_waiting(&monitor->output) == 0)
            return 0;
        if (now_usec() >= deadline)
            return -ETIMEDOUT;
        fiber_sleep(RETRY_USEC);
    }
}

static int send_blank(Monitor *monitor, const int *fds, unsigned n) {
    char control[CMSG_SPACE(sizeof(int) * MONITOR_FDS_MAX)] = {0}, blank = ' ';
    struct iovec io = {.iov_base = &blank, .iov_len = 1};
    struct msghdr message = {.msg_iov = &io,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * n);
    return sendmsg(monitor->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int monitor_give_fds(Monitor *borrowed, const int *fds, unsigned n, uint64_t deadline) {
    CLEANUP(monitor_unrefp) Monitor *monitor = monitor_ref(borrowed);
    int r;

    assert(n <= MONITOR_FDS_MAX);
    if (n == 0)
        return 0;
    for (;;) {
        r = drain(monitor, deadline);
        if (r < 0)
            return r;
        r = send_blank(monitor, fds, n);
        if (r != -EAGAIN && r != -EINTR)
            return r;
        if (now_usec() >= deadline)
            return -ETIMEDOUT;
        fiber_sleep(RETRY_USEC);
    }
}
