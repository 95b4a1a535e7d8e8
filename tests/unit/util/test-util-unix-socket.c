/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets by path: modes, limits, what is in the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "util/unix-socket.h"

static void test_listener_replaces_what_is_there(void **data) {
    char directory[] = "/tmp/vireo-socket-XXXXXX", path[64];
    CLEANUP_CLOSE int first = -1, second = -1, client = -1;
    struct stat info;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/s", directory);
    assert_int_equal(unix_socket_connect(path, 0, &client), -ENOENT);
    assert_int_equal(unix_socket_listen(path, 0600, 1, &first), 0);
    assert_int_equal(unix_socket_listen(path, 0620, 1, &second), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0620);
    assert_true(fcntl(second, F_GETFL) & O_NONBLOCK);
    assert_int_equal(unix_socket_connect(path, SOCK_NONBLOCK, &client), 0);
    assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
    assert_int_equal(accept(first, NULL, NULL), -1);
    close(TAKE_FD(second));
    close(TAKE_FD(client));
    assert_int_equal(unix_socket_connect(path, 0, &client), -ECONNREFUSED);
    unlink(path);
    rmdir(directory);
}

static void test_path_that_is_too_long_is_refused(void **data) {
    char path[UNIX_SOCKET_PATH_MAX + 2];
    int fd = -1;

    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(unix_socket_connect(path, 0, &fd), -ENAMETOOLONG);
    assert_int_equal(unix_socket_listen(path, 0600, 1, &fd), -ENAMETOOLONG);
    assert_int_equal(fd, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listener_replaces_what_is_there),
        cmocka_unit_test(test_path_that_is_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
