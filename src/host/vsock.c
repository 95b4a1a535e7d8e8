/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/vsock.h"

#include <fcntl.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>

#define CID_FIRST 3u /* below are the hypervisor and the host (vsock(7)) */
#define CID_LAST (CID_FIRST + 65535u)

int vsock_open(unsigned wanted, unsigned *ret_cid, int *ret_fd) {
    CLEANUP_CLOSE int fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
    for (uint64_t cid = wanted ? wanted : CID_FIRST; cid <= (wanted ? wanted : CID_LAST); cid++) {
        if (ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &cid) >= 0) {
            *ret_cid = (unsigned)cid;
            *ret_fd = TAKE_FD(fd);
            return 0;
        }
        if (errno != EADDRINUSE)
            return -errno;
    }
    return -EADDRINUSE;
}
