/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/tap.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/link-features.h"
#include "host/netlink.h"
#include "util/file.h"

#define MACVTAPS_MAX 8192u /* numbers that are tried */

bool mac_parse(const char *text, uint8_t ret[6]) {
    int used = 0;

    return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &ret[0], &ret[1], &ret[2], &ret[3],
                  &ret[4], &ret[5], &used) == 6 &&
           text[used] == '\0';
}

/* Closes the descriptors. */
static void tap_done(Tap *tap) {
    while (tap->n_fds > 0)
        close(tap->fds[--tap->n_fds]);
}

int vhost_net_open(int *fds, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        int r;

        fds[i] = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
        if (fds[i] >= 0)
            continue;
        r = -errno;
        while (i-- > 0)
            close(fds[i]);
        return r == -ENXIO || r == -ENODEV ? -ENOENT : r;
    }
    return 0;
}

/* ---- taps ---- */

static int set_interface(int fd, const TapParams *params, char name[TAP_NAME_SIZE]) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

    if (params->n_queues > 1)
        request.ifr_flags |= IFF_MULTI_QUEUE;
    if (params->vnet_hdr)
        request.ifr_flags |= IFF_VNET_HDR;
    memcpy(request.ifr_name, name, TAP_NAME_SIZE);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        return -errno;
    memcpy(name, request.ifr_name, TAP_NAME_SIZE);
    name[TAP_NAME_SIZE - 1] = '\0';
    return 0;
}

static int open_queues(const TapParams *params, Tap *tap, Error **reterr) {
    while (tap->n_fds < params->n_queues) {
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), r;

        if (fd < 0)
            return error_system(reterr, FROM_NETWORK, errno,
                                "cannot open /dev/net/tun, which makes taps");
        tap->fds[tap->n_fds++] = fd;
        r = set_interface(fd, params, tap->name);
        if (r == -EBUSY)
            return error_report(reterr, FROM_NETWORK, ERROR_OPERATION_INVALID,
                                "its <target dev='%s'/> is in use; name another, or none",
                                params->name);
        if (r < 0)
            return error_system(reterr, FROM_NETWORK, r, "cannot make the tap '%s'", params->name);
    }
    return 0;
}

/* A port with a smaller MTU would lower that of the whole bridge. */
static unsigned choose_mtu(const TapParams *params) {
    int of_bridge = !params->mtu && params->bridge && !params->is_switch
                        ? link_get_mtu(params->bridge)
                        : 0;

    return params->mtu ? params->mtu : of_bridge > 0 ? (unsigned)of_bridge : 0;
}

static int join_bridge(const TapParams *params, const Tap *tap, Error **reterr) {
    int r;

    if (!params->bridge || params->is_switch)
        return 0;
    r = link_add_to_bridge(params->bridge, tap->name);
    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r, "cannot add the tap '%s' to the bridge '%s'",
                            tap->name, params->bridge);
    if (!params->isolated)
        return 0;
    r = link_index(tap->name);
    if (r >= 0)
        r = link_isolate_port(r, true);
    return r < 0 ? error_system(reterr, FROM_NETWORK, r, "cannot isolate the port '%s'", tap->name)
                 : 0;
}

static int set_up(const TapParams *params, const Tap *tap, Error **reterr) {
    int r = link_set_mac(tap->name, params->mac);

    if (r >= 0)
        r = link_set_mtu(tap->name, choose_mtu(params));
    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r, "cannot set the %s of the tap '%s'",
                            params->mac ? "MAC address or the MTU" : "MTU", tap->name);
    r = params->rx_frames ? link_set_rx_frames(tap->name, params->rx_frames) : 0;
    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r, "cannot set <coalesce> of the tap '%s'",
                            tap->name);
    r = join_bridge(params, tap, reterr);
    if (r < 0)
        return r;
    r = link_set_up(tap->name, true);
    return r < 0 ? error_system(reterr, FROM_NETWORK, r, "cannot bring up the tap '%s'", tap->name)
                 : 0;
}

static int check_bridge(const TapParams *params, Error **reterr) {
    if (!params->bridge || params->is_switch || link_is_bridge(params->bridge))
        return 0;
    return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                        link_index(params->bridge) < 0
                            ? "this host has no bridge '%s'; make it, or name another"
                            : "the link '%s' of this host is no bridge; name another",
                        params->bridge);
}

int tap_open(const TapParams *params, Tap *ret, Error **reterr) {
    Tap tap = {0};
    int r = check_bridge(params, reterr);

    assert(params->n_queues >= 1 && params->n_queues <= TAP_QUEUES_MAX);
    if (r < 0)
        return r;
    if (strlen(params->name) >= sizeof(tap.name))
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "its <target dev='%s'/> has more than %zu characters", params->name,
                            sizeof(tap.name) - 1);
    if (params->existing && link_index(params->name) < 0)
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "this host has no tap '%s', and managed='no' says that there is one",
                            params->name);
    memcpy(tap.name, params->name, strlen(params->name));
    r = open_queues(params, &tap, reterr);
    if (r >= 0 && !params->existing)
        r = set_up(params, &tap, reterr);
    if (r < 0)
        tap_done(&tap);
    else
        *ret = tap;
    return r;
}

/* ---- macvtaps ---- */

static int find_mode(const char *mode) {
    static const struct {
        const char *word;
        LinkMacvtapMode mode;
    } rows[] = {{"vepa", LINK_MACVTAP_VEPA},
                {"bridge", LINK_MACVTAP_BRIDGE},
                {"private", LINK_MACVTAP_PRIVATE},
                {"passthrough", LINK_MACVTAP_PASSTHROUGH}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq_ptr(mode, rows[i].word))
            return rows[i].mode;
    return LINK_MACVTAP_VEPA;
}

static int add_link(const MacvtapParams *params, int parent, char name[TAP_NAME_SIZE]) {
    LinkMacvtapMode mode = find_mode(params->mode);
    int r = -EEXIST;

    if (params->name) {
        snprintf(name, TAP_NAME_SIZE, "%s", params->name);
        return link_add_macvtap(name, parent, mode, params->mac);
    }
    for (unsigned i = 0; r == -EEXIST && i < MACVTAPS_MAX; i++) {
        snprintf(name, TAP_NAME_SIZE, "macvtap%u", i);
        r = link_add_macvtap(name, parent, mode, params->mac);
    }
    return r;
}

/* Its device is /dev/tapN, which udev makes a moment later; its number is known at once. */
static int open_device(const char *name) {
    CLEANUP_FREE char *node = NULL, *numbers = NULL, *text = NULL;
    unsigned major_number, minor_number;
    int index = link_index(name), fd, r;

    if (index < 0)
        return index;
    node = strf("/dev/tap%d", index);
    numbers = strf("/sys/class/net/%s/tap%d/dev", name, index);
    if (!node || !numbers)
        return -ENOMEM;
    fd = open(node, O_RDWR | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT)
        return fd >= 0 ? fd : -errno;
    r = file_read(numbers, 64, &text, NULL);
    if (r < 0)
        return r;
    if (sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
        return -EBADMSG;
    if (mknod(node, S_IFCHR | 0600, makedev(major_number, minor_number)) < 0 && errno != EEXIST)
        return -errno;
    fd = open(node, O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

static int open_macvtap_queues(const MacvtapParams *params, Tap *tap) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

    if (params->n_queues > 1)
        request.ifr_flags |= IFF_MULTI_QUEUE;
    if (params->vnet_hdr)
        request.ifr_flags |= IFF_VNET_HDR;
    while (tap->n_fds < params->n_queues) {
        int fd = open_device(tap->name);

        if (fd < 0)
            return fd;
        tap->fds[tap->n_fds++] = fd;
        if (ioctl(fd, TUNSETIFF, &request) < 0)
            return -errno;
    }
    return 0;
}

int macvtap_open(const MacvtapParams *params, Tap *ret, Error **reterr) {
    int parent = link_index(params->parent), r;
    Tap tap = {0};

    assert(params->n_queues >= 1 && params->n_queues <= TAP_QUEUES_MAX);
    if (parent < 0)
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "this host has no link '%s'; name another in <source dev=>",
                            params->parent);
    r = add_link(params, parent, tap.name);
    if (r == -EOPNOTSUPP)
        return error_report(reterr, FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                            "the kernel of this host has no macvtap; use a bridge");
    if (r < 0)
        return error_system(reterr, FROM_NETWORK, r, "cannot make the macvtap '%s' on '%s'",
                            tap.name, params->parent);
    r = link_set_mtu(tap.name, params->mtu);
    if (r >= 0)
        r = open_macvtap_queues(params, &tap);
    if (r >= 0)
        r = link_set_up(tap.name, true);
    if (r < 0) {
        tap_done(&tap);
        macvtap_remove(tap.name);
        return error_system(reterr, FROM_NETWORK, r, "cannot open the macvtap '%s'", tap.name);
    }
    *ret = tap;
    return 0;
}

int macvtap_remove(const char *name) {
    return link_remove(name);
}
