/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent-peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

Peer peer;
Agent *agent;
char trace[256];

void note(const char *text) {
    strncat(trace, text, sizeof(trace) - strlen(trace) - 1);
}

uint64_t soon(void) {
    return deadline_in(5 * USEC_PER_SEC);
}

void peer_accept(void) {
    peer.used = 0;
    assert_int_equal(fiber_wait_fd(peer.listener, EPOLLIN, soon()), 0);
    if (peer.fd >= 0)
        close(peer.fd);
    peer.fd = accept4(peer.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(peer.fd >= 0);
}

void peer_read(void) {
    char *end;

    while (!(end = memchr(peer.input, '\n', peer.used))) {
        ssize_t n;

        assert_int_equal(fiber_wait_fd(peer.fd, EPOLLIN, soon()), 0);
        n = recv(peer.fd, peer.input + peer.used, sizeof(peer.input) - peer.used, MSG_DONTWAIT);
        assert_true(n > 0);
        peer.used += n;
    }
    memcpy(peer.line, peer.input, end - peer.input);
    peer.line[end - peer.input] = '\0';
    peer.used -= end + 1 - peer.input;
    memmove(peer.input, end + 1, peer.used);
}

void peer_write(const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = send(peer.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            assert_int_equal(fiber_wait_fd(peer.fd, EPOLLOUT, soon()), 0);
            continue;
        }
        data += n;
        len -= n;
    }
}

void peer_say(const char *text) {
    peer_write(text, strlen(text));
}

/* Reads a sync; each has the sentinel in front and an id of its own. */
void peer_read_sync(void) {
    long long id;
    int end = 0;

    peer_read();
    assert_int_equal((unsigned char)peer.line[0], 0xff);
    assert_int_equal(sscanf(peer.line + 1,
                            "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%lld}}%n",
                            &id, &end),
                     1);
    assert_int_equal(peer.line[1 + end], '\0');
    assert_true(id != peer.sync_id);
    peer.sync_id = id;
}

void peer_answer_sync(long long id) {
    char text[64];

    snprintf(text, sizeof(text), "\xff{\"return\": %lld}\n", id);
    peer_say(text);
}

void peer_sync(void) {
    peer_read_sync();
    peer_answer_sync(peer.sync_id);
}

void peer_expect(const char *line) {
    peer_read();
    assert_string_equal(peer.line, line);
}

int set_up(void **data) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    sd_event *event = NULL;

    trace[0] = '\0';
    peer = (Peer){.fd = -1, .directory = "/tmp/vireo-agent.XXXXXX"};
    assert_non_null(mkdtemp(peer.directory));
    snprintf(peer.path, sizeof(peer.path), "%s/socket", peer.directory);
    strcpy(address.sun_path, peer.path);
    peer.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(peer.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(peer.listener, 4), 0);
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(fiber_init(event), 0);
    sd_event_unref(event);
    assert_int_equal(agent_new(peer.path, "test", &agent), 0);
    return 0;
}

int tear_down(void **data) {
    agent_free(TAKE_PTR(agent));
    close(peer.listener);
    if (peer.fd >= 0)
        close(peer.fd);
    unlink(peer.path);
    rmdir(peer.directory);
    fiber_shutdown();
    return 0;
}

void run(FiberFunc first, FiberFunc second, FiberFunc third) {
    assert_int_equal(fiber_start("first", first, NULL), 0);
    if (second)
        assert_int_equal(fiber_start("second", second, NULL), 0);
    if (third)
        assert_int_equal(fiber_start("third", third, NULL), 0);
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
}

void expect_reply(const char *command, const char *reply) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(agent_command(agent, command, AGENT_DEFAULT, &text, &error), 0);
    assert_string_equal(text, reply);
}

void expect_error(const char *command, int timeout, ErrorCode code, const char *message) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    assert_true(agent_command(agent, command, timeout, &text, &error) < 0);
    assert_null(text);
    assert_string_equal(error_message(error), message);
    assert_int_equal(error->code, code);
    assert_int_equal(error->from, FROM_QEMU);
}
