/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is at the other end, by TCP and by a unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "rpc/listener.h"
#include "rpc/peer.h"
#include "util/tcp-socket.h"

/* A connection of this process with itself. */
typedef struct Pair {
    int listener, near, far;
    unsigned port; /* of the far end */
} Pair;

static unsigned port_of(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                              : ((struct sockaddr_in6 *)&address)->sin6_port);
}

static Pair connect_pair(const char *listen_at, const char *host) {
    Pair pair = {.far = -1};
    const char *why = NULL;
    char port[8];

    assert_int_equal(tcp_socket_listen(listen_at, 0, 1, &pair.listener), 0);
    snprintf(port, sizeof(port), "%u", port_of(pair.listener));
    assert_int_equal(tcp_socket_connect(host, port, 5, &pair.far, &why), 0);
    pair.near = accept(pair.listener, NULL, NULL);
    assert_true(pair.near >= 0);
    pair.port = port_of(pair.far);
    return pair;
}

static void close_pair(Pair *pair) {
    close(pair->listener);
    close(pair->near);
    if (pair->far >= 0)
        close(pair->far);
}

static void test_the_owner_of_a_connection(void **state) {
    static const char *const at[][3] = {{"127.0.0.1", "127.0.0.1", "127.0.0.1"},
                                        {"::1", "::1", "::1"},
                                        {"::", "127.0.0.1", "127.0.0.1"},
                                        {"::", "::1", "::1"}};

    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        Pair pair = connect_pair(at[i][0], at[i][1]);
        char text[RPC_PEER_TEXT_SIZE];
        RpcPeer peer;

        assert_int_equal(rpc_peer_look(pair.near, &peer), 0);
        assert_int_equal(peer.uid, geteuid());
        assert_string_equal(peer.host, at[i][2]);
        assert_int_equal(peer.port, pair.port);
        snprintf(text, sizeof(text), "%s port %u", at[i][2], pair.port);
        assert_string_equal(peer.text, text);
        close_pair(&pair);
    }
}

/* The kernel says root of these: they are nobody's. */
static void test_a_closed_socket_has_no_owner(void **state) {
    Pair pair = connect_pair("127.0.0.1", "127.0.0.1");
    RpcPeer peer;

    close(TAKE_FD(pair.far));
    assert_int_equal(rpc_peer_look(pair.near, &peer), 0);
    assert_int_equal(peer.uid, RPC_PEER_NOBODY);
    assert_string_equal(peer.host, "127.0.0.1");
    close_pair(&pair);
    pair = connect_pair("127.0.0.1", "127.0.0.1");
    shutdown(pair.far, SHUT_RDWR); /* open, but on its way out */
    assert_int_equal(rpc_peer_look(pair.near, &peer), 0);
    assert_int_equal(peer.uid, RPC_PEER_NOBODY);
    close_pair(&pair);
}

static void test_one_that_has_gone(void **state) {
    const struct linger at_once = {.l_onoff = 1};
    Pair pair = connect_pair("127.0.0.1", "127.0.0.1");
    RpcPeer peer;

    setsockopt(pair.far, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(TAKE_FD(pair.far));
    assert_int_equal(rpc_peer_look(pair.near, &peer), -ENOTCONN);
    assert_int_equal(peer.uid, RPC_PEER_NOBODY);
    close_pair(&pair);
}

static void test_unix(void **state) {
    char text[RPC_PEER_TEXT_SIZE];
    RpcPeer peer;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(rpc_peer_look(fds[0], &peer), 0);
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.gid, getegid());
    assert_int_equal(peer.pid, getpid());
    assert_string_equal(peer.host, "");
    snprintf(text, sizeof(text), "user %u (process %d)", (unsigned)geteuid(), (int)getpid());
    assert_string_equal(peer.text, text);
    close(fds[0]);
    close(fds[1]);
}

static void test_addresses(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    int fd = -1;

    assert_true(tcp_socket_is_loopback("127.0.0.1"));
    assert_true(tcp_socket_is_loopback("127.8.9.10"));
    assert_true(tcp_socket_is_loopback("::1"));
    assert_false(tcp_socket_is_loopback("0.0.0.0"));
    assert_false(tcp_socket_is_loopback("::"));
    assert_false(tcp_socket_is_loopback("192.0.2.1"));
    assert_false(tcp_socket_is_loopback("localhost")); /* a name may become anything */
    assert_true(rpc_listen_tcp("localhost", 0, &fd, &error) < 0);
    assert_non_null(strstr(error_message(error), "no numeric address"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_owner_of_a_connection),
                                       cmocka_unit_test(test_a_closed_socket_has_no_owner),
                                       cmocka_unit_test(test_one_that_has_gone),
                                       cmocka_unit_test(test_unix),
                                       cmocka_unit_test(test_addresses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
