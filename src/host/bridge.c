/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bridges of the kernel's. */
#include "host/bridge.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "host/netlink.h"
#include "util/file.h"

#define CENTISECONDS 100u /* of a second */

static int add_link(const char *name) {
    CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    return ioctl(fd, SIOCBRADDBR, name) < 0 ? -errno : 0;
}

static int set_attribute(const char *name, const char *attribute, unsigned value) {
    CLEANUP_FREE char *path = strf("/sys/class/net/%s/bridge/%s", name, attribute);
    CLEANUP_CLOSE int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return path ? -errno : -ENOMEM;
    return dprintf(fd, "%u\n", value) < 0 ? -errno : 0;
}

static int add_ipv4(const char *name, const BridgeAddress *address) {
    CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct ifreq request = {0};

    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (inet_pton(AF_INET, address->address, &in.sin_addr) != 1)
        return -EINVAL;
    memcpy(&request.ifr_addr, &in, sizeof(in));
    if (ioctl(fd, SIOCSIFADDR, &request) < 0)
        return -errno;
    in.sin_addr.s_addr = address->prefix ? htonl(~UINT32_C(0) << (32 - address->prefix)) : 0;
    memcpy(&request.ifr_netmask, &in, sizeof(in));
    return ioctl(fd, SIOCSIFNETMASK, &request) < 0 ? -errno : 0;
}

static int add_ipv6(const char *name, const BridgeAddress *address) {
    CLEANUP_CLOSE int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct in6_ifreq request = {.ifr6_prefixlen = address->prefix,
                                .ifr6_ifindex = link_index(name)};

    if (fd < 0)
        return -errno;
    if (request.ifr6_ifindex < 0)
        return request.ifr6_ifindex;
    if (inet_pton(AF_INET6, address->address, &request.ifr6_addr) != 1)
        return -EINVAL;
    return ioctl(fd, SIOCSIFADDR, &request) < 0 ? -errno : 0;
}

static int add_addresses(const BridgeParams *params, Error **reterr) {
    for (size_t i = 0; i < params->n_addresses; i++) {
        const BridgeAddress *address = &params->addresses[i];
        int r = strchr(address->address, ':') ? add_ipv6(params->name, address)
                                              : add_ipv4(params->name, address);

        if (r < 0)
            return error_system(reterr, FROM_NETWORK, r,
                                "cannot give the bridge '%s' the address %s/%u", params->name,
                                address->address, address->prefix);
    }
    return 0;
}

static int set_up(const BridgeParams *params, Error **reterr) {
    int r = params->mac ? link_set_mac(params->name, params->mac) : 0;

    if (r >= 0 && params->mtu)
        r = link_set_mtu(params->name, params->mtu);
    if (r >= 0)
        r = set_attribute(params->name, "stp_state", params->stp);
    if (r >= 0)
        r = set_attribute(params->name, "forward_delay", params->delay * CENTISECONDS);
    if (r == -ERANGE) /* with the spanning tree the kernel wants 2 s at least */
        r = 0;
    if (r >= 0)
        r = link_set_up(params->name, true);
    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r, "cannot set up the bridge '%s'", params->name);
    return add_addresses(params, reterr);
}

int bridge_make(const BridgeParams *params, Error **reterr) {
    int r = add_link(params->name);

    if (r == -EEXIST)
        return error_report(reterr, FROM_NETWORK, ERROR_OPERATION_FAILED,
                            "there is a link '%s' on this host already, made by somebody else; "
                            "name another bridge, or remove it",
                            params->name);
    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r, "cannot make the bridge '%s'", params->name);
    r = set_up(params, reterr);
    if (r < 0)
        bridge_remove(params->name);
    return r;
}

int bridge_remove(const char *name) {
    return link_remove(name);
}
