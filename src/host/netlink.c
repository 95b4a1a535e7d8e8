/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has an ioctl (netdevice(7)) is done by it; the rest are messages of rtnetlink. */
#include "host/netlink.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_SECONDS 10

/* ---- messages ---- */

typedef struct Request {
    struct nlmsghdr header;
    struct ifinfomsg link;
    char attributes[512];
} Request;

static Request request_new(uint16_t type, uint16_t flags, unsigned char family, int index) {
    return (Request){.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                                .nlmsg_type = type,
                                .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags),
                                .nlmsg_seq = 1},
                     .link = {.ifi_family = family, .ifi_index = index}};
}

/* The attribute's place; its length is that of the data until something is put inside. */
static struct rtattr *put(Request *request, unsigned short type, const void *data, size_t size) {
    size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
    struct rtattr *attribute = (struct rtattr *)((char *)request + at);

    assert(at + RTA_SPACE(size) <= sizeof(*request));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size > 0)
        memcpy(RTA_DATA(attribute), data, size);
    request->header.nlmsg_len = (uint32_t)(at + RTA_ALIGN(attribute->rta_len));
    return attribute;
}

static void close_nest(Request *request, struct rtattr *nest) {
    nest->rta_len = (unsigned short)((char *)request + request->header.nlmsg_len - (char *)nest);
}

static int read_answer(int fd) {
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } answer;
    const struct nlmsgerr *error = NLMSG_DATA(&answer.header);
    ssize_t n;

    do
        n = recv(fd, &answer, sizeof(answer), 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (!NLMSG_OK(&answer.header, (size_t)n) || answer.header.nlmsg_type != NLMSG_ERROR ||
        answer.header.nlmsg_len < NLMSG_LENGTH(sizeof(int)))
        return -EBADMSG;
    return error->error;
}

static int request_send(Request *request) {
    const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        send(fd, request, request->header.nlmsg_len, 0) < 0)
        return -errno;
    return read_answer(fd);
}

int link_add_macvtap(const char *name, int parent, LinkMacvtapMode mode, const uint8_t mac[6]) {
    static const char kind[] = "macvtap";
    Request request = request_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0);
    const uint32_t number = (uint32_t)mode, link = (uint32_t)parent;
    struct rtattr *info, *data;

    put(&request, IFLA_LINK, &link, sizeof(link));
    put(&request, IFLA_ADDRESS, mac, 6);
    put(&request, IFLA_IFNAME, name, strlen(name) + 1);
    info = put(&request, IFLA_LINKINFO, NULL, 0);
    put(&request, IFLA_INFO_KIND, kind, sizeof(kind) - 1);
    data = put(&request, IFLA_INFO_DATA, NULL, 0);
    put(&request, IFLA_MACVLAN_MODE, &number, sizeof(number));
    close_nest(&request, data);
    close_nest(&request, info);
    return request_send(&request);
}

int link_remove(const char *name) {
    int index = link_index(name), r;
    Request request = request_new(RTM_DELLINK, 0, AF_UNSPEC, index);

    if (index < 0)
        return index == -ENODEV ? 0 : index;
    r = request_send(&request);
    return r == -ENODEV ? 0 : r;
}

int link_isolate_port(int index, bool isolated) {
    Request request = request_new(RTM_SETLINK, 0, AF_BRIDGE, index);
    const uint8_t value = isolated;
    struct rtattr *nest = put(&request, IFLA_PROTINFO | NLA_F_NESTED, NULL, 0);

    put(&request, IFLA_BRPORT_ISOLATED, &value, sizeof(value));
    close_nest(&request, nest);
    return request_send(&request);
}

/* ---- ioctls ---- */

static int change(unsigned long code, const char *name, struct ifreq *request) {
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t len = strlen(name);

    if (fd < 0)
        return -errno;
    if (len >= sizeof(request->ifr_name))
        return -ENODEV;
    memcpy(request->ifr_name, name, len + 1);
    return ioctl(fd, code, request) < 0 ? -errno : 0;
}

int link_index(const char *name) {
    struct ifreq request = {0};
    int r = change(SIOCGIFINDEX, name, &request);

    return r < 0 ? r : request.ifr_ifindex;
}

int link_set_mtu(const char *name, unsigned mtu) {
    struct ifreq request = {.ifr_mtu = (int)mtu};

    return mtu ? change(SIOCSIFMTU, name, &request) : 0;
}

int link_get_mtu(const char *name) {
    struct ifreq request = {0};
    int r = change(SIOCGIFMTU, name, &request);

    return r < 0 ? r : request.ifr_mtu;
}

int link_set_mac(const char *name, const uint8_t mac[6]) {
    struct ifreq request = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

    if (!mac)
        return 0;
    memcpy(request.ifr_hwaddr.sa_data, mac, 6);
    return change(SIOCSIFHWADDR, name, &request);
}

int link_set_up(const char *name, bool up) {
    struct ifreq request = {0};
    int r = change(SIOCGIFFLAGS, name, &request);

    if (r < 0)
        return r;
    if (up)
        request.ifr_flags |= IFF_UP;
    else
        request.ifr_flags &= (short)~IFF_UP;
    return change(SIOCSIFFLAGS, name, &request);
}

int link_add_to_bridge(const char *bridge, const char *name) {
    struct ifreq request = {0};
    int index = link_index(name);

    if (index < 0)
        return index;
    request.ifr_ifindex = index;
    return change(SIOCBRADDIF, bridge, &request);
}

/* A bridge is asked to add no link: it says that this is invalid, others that they are none. */
bool link_is_bridge(const char *name) {
    struct ifreq request = {0};

    return change(SIOCBRADDIF, name, &request) == -EINVAL;
}
