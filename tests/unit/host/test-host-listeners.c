/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who listens: the owners of those that are wanted, and of no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "host/listeners.h"
#include "util/file.h"

/* Binds there in a process of its own, and listens unless the name says so. */
static pid_t bind_in_child(const char *directory, const char *name, bool listens) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int ready[2], fd;
    pid_t pid;
    char c;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            (listens && listen(fd, 1) < 0) || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void test_owners(void **state) {
    char directory[] = "/tmp/vireo-listeners.XXXXXX";
    CLEANUP(unix_listeners_done) UnixListeners found = {0};
    CLEANUP_FREE char *a = NULL, *b = NULL, *command = NULL;
    pid_t pids[3];

    assert_non_null(mkdtemp(directory));
    a = path_join(directory, "a");
    b = path_join(directory, "b");
    command = strf("rm -r '%s'", directory);
    pids[0] = bind_in_child(directory, "a", true);
    pids[1] = bind_in_child(directory, "b", true);
    pids[2] = bind_in_child(directory, "c", false);
    assert_int_equal(unix_listeners_find(directory, &found), 0);
    assert_int_equal(found.n, 2);
    assert_non_null(unix_listeners_at(&found, a));
    unix_listeners_at(&found, b)->wanted = true;
    assert_int_equal(unix_listeners_find_owners(&found), 0);
    assert_int_equal(unix_listeners_at(&found, b)->pid, pids[1]);
    assert_int_equal(unix_listeners_at(&found, a)->pid, 0);
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
