/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports that are taken, free, and free again; by address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include "host/tcp-port.h"
#include "util/file.h"

/* A server at a port of the kernel's choice. */
static int serve(const char *address, unsigned *ret_port) {
    struct sockaddr_in name = {.sin_family = AF_INET};
    socklen_t len = sizeof(name);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, address, &name.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    *ret_port = ntohs(name.sin_port);
    return fd;
}

static void test_taken(void **state) {
    unsigned port;
    CLEANUP_CLOSE int fd = serve("127.0.0.1", &port);

    assert_int_equal(tcp_port_is_free("127.0.0.1", port), 0);
    assert_int_equal(tcp_port_is_free("0.0.0.0", port), 0);
    assert_int_equal(tcp_port_is_free("127.0.0.2", port), 1);
}

static void test_given_back(void **state) {
    unsigned port;

    close(serve("127.0.0.1", &port));
    assert_int_equal(tcp_port_is_free("127.0.0.1", port), 1);
    assert_int_equal(tcp_port_is_free("127.0.0.1", port), 1); /* it was not kept */
}

/* A name stands for all addresses. */
static void test_name(void **state) {
    unsigned port;
    CLEANUP_CLOSE int fd = serve("127.0.0.1", &port);

    assert_int_equal(tcp_port_is_free("display.example", port), 0);
}

static void test_foreign_address(void **state) {
    assert_int_equal(tcp_port_is_free("192.0.2.1", 5900), -EADDRNOTAVAIL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_foreign_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
