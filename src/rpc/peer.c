/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The peer of a socket; sock_diag(7) for the owner of a TCP connection's other end. */
#include "rpc/peer.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#define REPLY_MAX 4096u

/* An address of either family in the kernel's words for sock_diag. */
typedef struct End {
    int family;
    uint32_t address[4]; /* network order, IPv4 in the first */
    uint16_t port;       /* network order */
} End;

static bool read_end(const struct sockaddr_storage *from, End *ret) {
    *ret = (End){.family = from->ss_family};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;

        ret->address[0] = v4->sin_addr.s_addr;
        ret->port = v4->sin_port;
        return true;
    }
    if (from->ss_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

    ret->port = v6->sin6_port;
    memcpy(ret->address, &v6->sin6_addr, sizeof(ret->address));
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) { /* at a listener for both */
        ret->family = AF_INET;
        ret->address[0] = ret->address[3];
        memset(&ret->address[1], 0, sizeof(ret->address) - sizeof(ret->address[0]));
    }
    return true;
}

static bool is_loopback(const End *end) {
    struct in6_addr v6;

    if (end->family == AF_INET)
        return ntohl(end->address[0]) >> 24 == IN_LOOPBACKNET;
    memcpy(&v6, end->address, sizeof(v6));
    return IN6_IS_ADDR_LOOPBACK(&v6);
}

/* ---- the owner ---- */

typedef struct Question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
} Question;

static Question ask_about(const End *near, const End *far) {
    Question question = {
        .header = {.nlmsg_len = sizeof(Question),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = (uint8_t)far->family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = UINT32_MAX,
                 .id = {.idiag_sport = far->port,
                        .idiag_dport = near->port,
                        .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}}};

    memcpy(question.body.id.idiag_src, far->address, sizeof(far->address));
    memcpy(question.body.id.idiag_dst, near->address, sizeof(near->address));
    return question;
}

/* Of that very socket, and while somebody has it open: one that was closed is nobody's, and the
 * kernel shows it as root's. */
static bool read_answer(const void *bytes, size_t len, const Question *question, uid_t *ret) {
    const struct nlmsghdr *header = bytes;
    const struct inet_diag_msg *answer;

    if (len < NLMSG_LENGTH(sizeof(*answer)) || header->nlmsg_len > len ||
        header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        header->nlmsg_len < NLMSG_LENGTH(sizeof(*answer)))
        return false;
    answer = NLMSG_DATA(header);
    if (answer->idiag_family != question->body.sdiag_family ||
        answer->idiag_state != TCP_ESTABLISHED || answer->idiag_inode == 0 ||
        answer->id.idiag_sport != question->body.id.idiag_sport ||
        answer->id.idiag_dport != question->body.id.idiag_dport ||
        memcmp(answer->id.idiag_src, question->body.id.idiag_src, sizeof(answer->id.idiag_src)) ||
        memcmp(answer->id.idiag_dst, question->body.id.idiag_dst, sizeof(answer->id.idiag_dst)))
        return false;
    *ret = answer->idiag_uid;
    return true;
}

/* Whose socket the far end is. The kernel has answered when send() returns. */
static uid_t owner_of(const End *near, const End *far) {
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    const Question question = ask_about(near, far);
    CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                  NETLINK_SOCK_DIAG);
    _Alignas(struct nlmsghdr) char answer[REPLY_MAX];
    uid_t uid = RPC_PEER_NOBODY;
    ssize_t n;

    if (fd < 0 || sendto(fd, &question, sizeof(question), 0, (const struct sockaddr *)&kernel,
                         sizeof(kernel)) < 0)
        return RPC_PEER_NOBODY;
    n = recv(fd, answer, sizeof(answer), 0);
    return n > 0 && read_answer(answer, (size_t)n, &question, &uid) ? uid : RPC_PEER_NOBODY;
}

/* ---- the peer ---- */

static void look_at_tcp(int fd, const End *far, RpcPeer *peer) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    End near;

    inet_ntop(far->family, far->address, peer->host, sizeof(peer->host));
    peer->port = ntohs(far->port);
    snprintf(peer->text, sizeof(peer->text), "%s port %u", peer->host, peer->port);
    if (is_loopback(far) && getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
        read_end(&address, &near))
        peer->uid = owner_of(&near, far);
}

static void look_at_unix(int fd, RpcPeer *peer) {
    struct ucred credentials;
    socklen_t len = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) == 0) {
        peer->uid = credentials.uid;
        peer->gid = credentials.gid;
        peer->pid = credentials.pid;
    }
    snprintf(peer->text, sizeof(peer->text), "user %u (process %d)", (unsigned)peer->uid,
             (int)peer->pid);
}

int rpc_peer_look(int fd, RpcPeer *ret) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    End end;

    *ret = (RpcPeer){.uid = RPC_PEER_NOBODY, .gid = (gid_t)-1, .pid = -1};
    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 || !read_end(&address, &end)) {
        look_at_unix(fd, ret);
        return 0;
    }
    len = sizeof(address);
    if (getpeername(fd, (struct sockaddr *)&address, &len) < 0 || !read_end(&address, &end))
        return -ENOTCONN;
    look_at_tcp(fd, &end, ret);
    return 0;
}
