/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/link-features.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    FEATURE_LRO = 6,
    FEATURE_RXVLAN,
    FEATURE_TXVLAN,
    FEATURE_NTUPLE,
    FEATURE_RXHASH,
    FEATURE_TXUDPTNL = 12
};

const char *const link_feature_names[LINK_FEATURES] = {
    "rx",     "tx",     "sg",     "tso",    "gso",  "gro",      "lro",
    "rxvlan", "txvlan", "ntuple", "rxhash", "rdma", "txudptnl", "switchdev"};

#define UDP_TUNNEL_BIT 25u /* of the kernel's netdev_features_t: tx-udp_tnl-segmentation */

static int ask(int fd, const char *name, void *command) {
    struct ifreq request = {.ifr_data = command};

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

static bool has(int fd, const char *name, unsigned command) {
    struct ethtool_value value = {.cmd = command};

    return ask(fd, name, &value) >= 0 && value.data;
}

static unsigned flags_of(int fd, const char *name) {
    static const struct {
        unsigned flag, feature;
    } map[] = {{ETH_FLAG_LRO, FEATURE_LRO},
               {ETH_FLAG_RXVLAN, FEATURE_RXVLAN},
               {ETH_FLAG_TXVLAN, FEATURE_TXVLAN},
               {ETH_FLAG_NTUPLE, FEATURE_NTUPLE},
               {ETH_FLAG_RXHASH, FEATURE_RXHASH}};
    struct ethtool_value value = {.cmd = ETHTOOL_GFLAGS};
    unsigned bits = 0;

    if (ask(fd, name, &value) < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(map); i++)
        if (value.data & map[i].flag)
            bits |= 1u << map[i].feature;
    return bits;
}

static bool does_udp_tunnels(int fd, const char *name) {
    union {
        struct ethtool_gfeatures head;
        char
            bytes[sizeof(struct ethtool_gfeatures) + 2 * sizeof(struct ethtool_get_features_block)];
    } features = {.head = {.cmd = ETHTOOL_GFEATURES, .size = 2}};

    return ask(fd, name, &features) >= 0 && features.head.size > UDP_TUNNEL_BIT / 32 &&
           features.head.features[UDP_TUNNEL_BIT / 32].active & 1u << UDP_TUNNEL_BIT % 32;
}

unsigned link_features(const char *name) {
    static const unsigned commands[] = {ETHTOOL_GRXCSUM, ETHTOOL_GTXCSUM, ETHTOOL_GSG,
                                        ETHTOOL_GTSO,    ETHTOOL_GGSO,    ETHTOOL_GGRO};
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unsigned bits = 0;

    if (fd < 0)
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
        if (has(fd, name, commands[i]))
            bits |= 1u << i;
    bits |= flags_of(fd, name);
    if (does_udp_tunnels(fd, name))
        bits |= 1u << FEATURE_TXUDPTNL;
    return bits;
}

int link_set_rx_frames(const char *name, unsigned frames) {
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ethtool_coalesce coalesce = {.cmd = ETHTOOL_GCOALESCE};
    int r = fd < 0 ? -errno : ask(fd, name, &coalesce);

    if (r < 0)
        return r;
    coalesce.cmd = ETHTOOL_SCOALESCE;
    coalesce.rx_max_coalesced_frames = frames;
    return ask(fd, name, &coalesce);
}
