/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest agent against a scripted peer on a unix socket: what it may do wrong, and who waits for
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "qemu/agent-internal.h"
#include "qemu/agent-vcpu-internal.h"

#define SHORT (80 * USEC_PER_MSEC)

/* ---- the peer ---- */

typedef struct Peer {
    char directory[32], path[64];
    int listener, fd;
    char input[65536];
    size_t used;
    char line[65536];
    long long sync_id;
} Peer;

static Peer peer;
static Agent *agent;
static char trace[256];

static void note(const char *text) {
    strncat(trace, text, sizeof(trace) - strlen(trace) - 1);
}

static uint64_t soon(void) {
    return deadline_in(5 * USEC_PER_SEC);
}

static void peer_accept(void) {
    peer.used = 0;
    assert_int_equal(fiber_wait_fd(peer.listener, EPOLLIN, soon()), 0);
    if (peer.fd >= 0)
        close(peer.fd);
    peer.fd = accept4(peer.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(peer.fd >= 0);
}

static void peer_read(void) {
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

static void peer_write(const char *data, size_t len) {
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

static void peer_say(const char *text) {
    peer_write(text, strlen(text));
}

/* Reads a sync; each has the sentinel in front and an id of its own. */
static void peer_read_sync(void) {
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

static void peer_answer_sync(long long id) {
    char text[64];

    snprintf(text, sizeof(text), "\xff{\"return\": %lld}\n", id);
    peer_say(text);
}

static void peer_sync(void) {
    peer_read_sync();
    peer_answer_sync(peer.sync_id);
}

static void peer_expect(const char *line) {
    peer_read();
    assert_string_equal(peer.line, line);
}

/* ---- frame ---- */

static int set_up(void **data) {
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

static int tear_down(void **data) {
    agent_free(TAKE_PTR(agent));
    close(peer.listener);
    if (peer.fd >= 0)
        close(peer.fd);
    unlink(peer.path);
    rmdir(peer.directory);
    fiber_shutdown();
    return 0;
}

static void run(FiberFunc first, FiberFunc second, FiberFunc third) {
    assert_int_equal(fiber_start("first", first, NULL), 0);
    if (second)
        assert_int_equal(fiber_start("second", second, NULL), 0);
    if (third)
        assert_int_equal(fiber_start("third", third, NULL), 0);
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
}

static void expect_reply(const char *command, const char *reply) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(agent_command(agent, command, AGENT_DEFAULT, &text, &error), 0);
    assert_string_equal(text, reply);
}

static void expect_error(const char *command, int timeout, ErrorCode code, const char *message) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    assert_true(agent_command(agent, command, timeout, &text, &error) < 0);
    assert_null(text);
    assert_string_equal(error_message(error), message);
    assert_int_equal(error->code, code);
    assert_int_equal(error->from, FROM_QEMU);
}

#define PING "{\"execute\":\"guest-ping\"}"
#define NOT_CONNECTED "Guest agent is not responding: QEMU guest agent is not connected"

/* ---- answers ---- */

static void call_twice(void *userdata) {
    assert_int_equal(agent->state, AGENT_UNKNOWN);
    expect_reply(PING, "{\"return\":{}}");
    assert_true(agent_is_connected(agent));
    expect_reply(" {\"execute\" : \"guest-info\"}\n", "{\"return\":{\"a\":[1,\"/x\"]},\"id\":7}");
}

static void answer_twice(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\": {}}\n");
    peer_sync();
    peer_expect("{\"execute\":\"guest-info\"}");
    /* In pieces, with an empty line and a sentinel before it. */
    peer_say("\r\n");
    fiber_yield();
    peer_say("\xff{\"return\": {\"a\": [1,");
    fiber_sleep(5000);
    peer_say("\"\\/x\"]}, \"id\": 7}\r\n");
}

static void test_answers(void **data) {
    run(call_twice, answer_twice, NULL);
}

static void call_stale(void *userdata) {
    expect_reply(PING, "{\"return\":2}");
}

static void answer_stale(void *userdata) {
    CLEANUP_FREE char *garbage = malloc(300000);

    peer_accept();
    peer_read_sync();
    memset(garbage, '{', 300000);
    peer_write(garbage, 300000);
    peer_say("\n{\"return\": 1}\n{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse "
             "error\"}}\n");
    peer_say("\xff{\"retu");
    peer_say("\xff\xff{\"return\": \"1\"}\n\xff{\"error\": {}}\n\xff[1]\n\xff\n");
    peer_answer_sync(peer.sync_id - 1);
    peer_answer_sync(peer.sync_id + 1);
    peer_write("\xff", 1);
    peer_write(garbage, 1000); /* longer than an answer to a sync */
    peer_say("\n{\"return\": 3}\n");
    peer_answer_sync(peer.sync_id);
    peer_expect(PING);
    peer_say("{\"return\": 2}\n{\"return\": 9}\n");
}

static void test_sync_skips_stale_answers_and_garbage(void **data) {
    run(call_stale, answer_stale, NULL);
}

static void call_refused(void *userdata) {
    expect_error("{\"execute\":\"nope\"}", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: unable to execute QEMU agent command 'nope': The command nope "
                 "has not been found");
    expect_error("{\"execute\":\"nope\"}", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: unable to execute QEMU agent command 'nope': CommandNotFound");
    expect_error("{\"exec\":1}", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: unable to execute QEMU agent command '<unknown>': unknown error");
    expect_error("[1]", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: cannot parse the agent command: it is not one JSON object");
    expect_error("{} {}", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: cannot parse the agent command: it is not one JSON object");
    expect_error(PING, -3, ERROR_INVALID_ARG,
                 "invalid argument: guest agent timeout '-3' is less than the minimum '-2'");
}

static void answer_refused(void *userdata) {
    peer_accept();
    peer_sync();
    peer_read();
    peer_say("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command nope has not "
             "been found\"}}\n");
    peer_sync();
    peer_read();
    peer_say("{\"error\": {\"class\": \"CommandNotFound\"}}\n");
    peer_sync();
    peer_read();
    peer_say("{\"error\": 5}\n");
}

static void test_error_replies(void **data) {
    run(call_refused, answer_refused, NULL);
}

static void call_nonsense(void *userdata) {
    for (int i = 0; i < 5; i++)
        expect_error(PING, AGENT_DEFAULT, ERROR_INTERNAL,
                     "internal error: the guest agent's answer to 'guest-ping' is malformed");
    expect_error(
        PING, AGENT_BLOCK, ERROR_INTERNAL,
        "internal error: the guest agent's answer to 'guest-ping' is longer than 10485760 bytes");
    expect_reply(PING, "{\"return\":1}");
}

static void answer_nonsense(void *userdata) {
    CLEANUP_FREE char *deep = malloc(5001), *huge = malloc(1 << 20);
    const char *const answers[] = {"hello\n", "[{\"return\":1}]\n", "{\"return\":1} x\n",
                                   "{\"return\":\"\xc3\x28\"}\n", deep};

    memcpy(deep, "{\"return\":", 10);
    memset(deep + 10, '[', 4989);
    strcpy(deep + 4999, "\n");
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        peer_accept(); /* nonsense ends the connection */
        peer_sync();
        peer_expect(PING);
        peer_say(answers[i]);
    }
    peer_accept();
    peer_sync();
    peer_expect(PING);
    memset(huge, ' ', 1 << 20);
    /* The connection ends somewhere in this. */
    for (int i = 0; i < 11; i++)
        for (size_t sent = 0; sent < 1 << 20;) {
            ssize_t n = send(peer.fd, huge, (1 << 20) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

            if (n < 0 && errno == EPIPE)
                break;
            if (n < 0)
                fiber_wait_fd(peer.fd, EPOLLOUT, soon());
            else
                sent += n;
        }
    peer_accept();
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\":1}\n");
}

static void test_nonsense_is_bounded(void **data) {
    run(call_nonsense, answer_nonsense, NULL);
}

/* ---- silence ---- */

static void call_silent(void *userdata) {
    uint64_t start = now_usec();

    agent_set_response_timeout(agent, SHORT);
    expect_error(
        PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE,
        "Guest agent is not responding: no answer to the synchronisation within 0.08 seconds");
    assert_in_range(now_usec() - start, SHORT, 10 * SHORT);
    assert_int_equal(agent->state, AGENT_UNKNOWN);
    expect_error(
        PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE,
        "Guest agent is not responding: no answer to the command 'guest-ping' within 0.08 seconds");
    /* The late answer is not taken for this one's. */
    expect_reply(PING, "{\"return\":\"new\"}");
    start = now_usec();
    expect_error(
        PING, 1, ERROR_AGENT_UNRESPONSIVE,
        "Guest agent is not responding: no answer to the command 'guest-ping' within 1 seconds");
    assert_in_range(now_usec() - start, USEC_PER_SEC, 3 * USEC_PER_SEC);
}

static void answer_late(void *userdata) {
    peer_accept();
    peer_read_sync();
    peer_accept(); /* a failed sync drops the connection */
    peer_sync();
    peer_expect(PING);
    fiber_sleep(SHORT * 3 / 2);
    peer_say("{\"return\": \"old\"}\n");
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\": \"new\"}\n");
    peer_sync();
    peer_expect(PING);
}

static void test_timeouts(void **data) {
    run(call_silent, answer_late, NULL);
}

static void call_no_wait(void *userdata) {
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(
        agent_command(agent, "{\"execute\":\"guest-shutdown\"}", AGENT_NO_WAIT, &text, NULL), 0);
    assert_string_equal(text, "{}");
    expect_reply(PING, "{\"return\":1}");
}

static void answer_no_wait(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect("{\"execute\":\"guest-shutdown\"}");
    peer_read_sync();
    peer_say("{\"return\":{}}\n");
    peer_answer_sync(peer.sync_id);
    peer_expect(PING);
    peer_say("{\"return\":1}\n");
}

static void test_no_wait(void **data) {
    run(call_no_wait, answer_no_wait, NULL);
}

static void call_long_no_wait(void *userdata) {
    CLEANUP_FREE char *command = malloc(1 << 20), *text = NULL;

    memset(command, 'x', 1 << 20);
    memcpy(command, "{\"execute\":\"", 12);
    strcpy(command + (1 << 20) - 3, "\"}");
    assert_int_equal(agent_command(agent, command, AGENT_NO_WAIT, &text, NULL), 0);
    expect_reply(PING, "{\"return\":1}");
}

static void answer_long_no_wait(void *userdata) {
    CLEANUP_FREE char *command = calloc(1, (1 << 20) + 1);
    ssize_t got;

    peer_accept();
    peer_sync();
    for (size_t n = 0; n<1 << 20; n += got> 0 ? (size_t)got : 0) {
        got = recv(peer.fd, command + n, (1 << 20) - n, MSG_DONTWAIT);
        if (got < 0)
            assert_int_equal(fiber_wait_fd(peer.fd, EPOLLIN, soon()), 0);
    }
    assert_ptr_equal(strchr(command, '\n'), command + (1 << 20) - 1);
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\":1}\n");
}

static void test_half_sent_command_stays_whole(void **data) {
    run(call_long_no_wait, answer_long_no_wait, NULL);
}

static void stuck(void *userdata) {
    agent_set_response_timeout(agent, SHORT);
    note("a");
    expect_error(PING, AGENT_BLOCK, ERROR_AGENT_UNRESPONSIVE,
                 "Guest agent is not responding: the agent was disconnected while the command "
                 "'guest-ping' was "
                 "under way");
    note("A");
}

static void behind_stuck(void *userdata) {
    note("b");
    expect_error("{\"execute\":\"other\"}", AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE, NOT_CONNECTED);
    note("B");
}

static void answer_stuck(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect(PING);
    fiber_sleep(3 * SHORT);
    note("x");
    agent_set_connected(agent, false);
    assert_false(agent_is_connected(agent));
}

static void test_stuck_agent_ends_by_the_event(void **data) {
    run(stuck, behind_stuck, answer_stuck);
    assert_string_equal(trace, "abxAB");
}

static void answer_free(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect(PING);
    note("x");
    agent_free(TAKE_PTR(agent));
}

static void test_free_ends_conversations(void **data) {
    run(stuck, behind_stuck, answer_free);
    assert_string_equal(trace, "abxAB");
}

static void first(void *userdata) {
    expect_reply("{\"execute\":\"one\"}", "{\"return\":1}");
    note("1");
}

static void second(void *userdata) {
    expect_reply("{\"execute\":\"two\"}", "{\"return\":2}");
    note("2");
}

static void answer_in_order(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect("{\"execute\":\"one\"}");
    fiber_sleep(5000);
    assert_int_equal(peer.used, 0);
    peer_say("{\"return\":1}\n");
    peer_sync();
    peer_expect("{\"execute\":\"two\"}");
    peer_say("{\"return\":2}\n");
}

static void test_first_come_first_served(void **data) {
    run(first, second, answer_in_order);
    assert_string_equal(trace, "12");
}

/* ---- connections ---- */

static void call_across_losses(void *userdata) {
    expect_reply(PING, "{\"return\":1}");
    expect_error(PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE,
                 "Guest agent is not responding: the agent was disconnected while the command "
                 "'guest-ping' was "
                 "under way");
    expect_reply(PING, "{\"return\":2}");
    agent_set_connected(agent, false);
    expect_error(PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE, NOT_CONNECTED);
    agent_set_connected(agent, true);
    assert_true(agent_is_connected(agent));
    expect_reply(PING, "{\"return\":3}");
    unlink(peer.path);
    agent_set_connected(agent, false);
    agent_set_connected(agent, true);
    expect_error(PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE, NOT_CONNECTED);
}

static void answer_across_losses(void *userdata) {
    for (int i = 1; i <= 3; i++) {
        char text[32];

        peer_accept();
        peer_sync();
        peer_expect(PING);
        snprintf(text, sizeof(text), "{\"return\":%d}\n", i);
        peer_say(text);
        if (i == 1) {
            peer_sync();
            peer_expect(PING);
            close(TAKE_FD(peer.fd));
        }
    }
}

static void test_reconnect(void **data) {
    run(call_across_losses, answer_across_losses, NULL);
}

static void call_after_idle_loss(void *userdata) {
    expect_reply(PING, "{\"return\":1}");
    fiber_sleep(20000); /* the loss is noticed meanwhile */
    expect_reply(PING, "{\"return\":2}");
}

static void answer_idle_loss(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\":1}\n");
    fiber_sleep(5000);
    close(TAKE_FD(peer.fd));
    peer_accept();
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\":2}\n");
}

static void test_loss_while_idle(void **data) {
    run(call_after_idle_loss, answer_idle_loss, NULL);
}

static void test_long_path(void **data) {
    char path[200];
    Agent *other = NULL;

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(agent_new(path, "long", &other), -ENAMETOOLONG);
    assert_null(other);
}

/* ---- CPUs ---- */

static void call_vcpus(void *userdata) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(agent_get_vcpus(agent, &vcpus, NULL), 0);
    assert_int_equal(vcpus.n, 4);
    assert_int_equal(agent_vcpus_online(&vcpus), 2);
    assert_false(vcpus.items[0].offlinable);
    assert_true(vcpus.items[1].offlinable);
    assert_int_equal(agent_set_vcpus(agent, &vcpus, NULL), 0); /* nothing to do, nothing sent */
    assert_int_equal(agent_vcpus_plan(&vcpus, 4, NULL), 0);
    assert_int_equal(agent_set_vcpus(agent, &vcpus, NULL), 0);
    assert_false(vcpus.items[2].modified || vcpus.items[3].modified);
    assert_int_equal(agent_vcpus_plan(&vcpus, 1, NULL), 0);
    assert_true(agent_set_vcpus(agent, &vcpus, &error) < 0);
    assert_string_equal(
        error_message(error),
        "internal error: unable to execute QEMU agent command 'guest-set-vcpus': busy");
    assert_true(!vcpus.items[1].modified && !vcpus.items[2].modified && vcpus.items[3].modified);
    assert_true(agent_set_vcpus(agent, &vcpus, &error) < 0);
    assert_string_equal(
        error_message(error),
        "internal error: the guest agent's answer to 'guest-set-vcpus' is malformed");
    assert_true(agent_get_vcpus(agent, &vcpus, &error) < 0);
    assert_string_equal(
        error_message(error),
        "internal error: the guest agent's answer to 'guest-get-vcpus' is malformed");
}

static void peer_set(const char *list, const char *reply) {
    char text[512];

    snprintf(text, sizeof(text), "{\"execute\":\"guest-set-vcpus\",\"arguments\":{\"vcpus\":[%s]}}",
             list);
    peer_sync();
    peer_expect(text);
    peer_say(reply);
}

static void answer_vcpus(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect("{\"execute\":\"guest-get-vcpus\"}");
    peer_say("{\"return\": [{\"online\": true, \"can-offline\": false, \"logical-id\": 0},"
             "{\"online\": true, \"can-offline\": true, \"logical-id\": 1},"
             "{\"online\": false, \"can-offline\": true, \"logical-id\": 2},"
             "{\"online\": false, \"can-offline\": true, \"logical-id\": 3}]}\n");
    peer_set("{\"logical-id\":2,\"online\":true},{\"logical-id\":3,\"online\":true}",
             "{\"return\": 1}\n");
    peer_set("{\"logical-id\":3,\"online\":true}", "{\"return\": 1}\n");
    peer_set("{\"logical-id\":1,\"online\":false},{\"logical-id\":2,\"online\":false},"
             "{\"logical-id\":3,\"online\":false}",
             "{\"return\": 2}\n");
    peer_set("{\"logical-id\":3,\"online\":false}",
             "{\"error\": {\"class\": \"GenericError\", \"desc\": \"busy\"}}\n");
    peer_set("{\"logical-id\":3,\"online\":false}", "{\"return\": 2}\n");
    peer_sync();
    peer_read();
    peer_say("{\"return\": []}\n");
}

static void test_vcpus_and_partial_success(void **data) {
    run(call_vcpus, answer_vcpus, NULL);
}

static int parse(const char *json, AgentVcpus *ret) {
    json_object *value = json_tokener_parse(json);
    int r = agent_vcpus_parse(value, ret, NULL);

    json_object_put(value);
    return r;
}

static void test_bad_vcpus_are_refused(void **data) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    static const char *const bad[] = {
        "{}",
        "[]",
        "[1]",
        "[{}]",
        "null",
        "[{\"logical-id\":0}]",
        "[{\"online\":true}]",
        "[{\"logical-id\":-1,\"online\":true}]",
        "[{\"logical-id\":16384,\"online\":true}]",
        "[{\"logical-id\":\"0\",\"online\":true}]",
        "[{\"logical-id\":0,\"online\":1}]",
        "[{\"logical-id\":0,\"online\":true,\"can-offline\":\"no\"}]",
        "[{\"logical-id\":0,\"online\":true},{\"logical-id\":0,\"online\":true}]",
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(parse(bad[i], &vcpus) < 0);
    assert_null(vcpus.items);
    assert_int_equal(parse("[{\"logical-id\":16383,\"online\":true}]", &vcpus), 0);
    assert_int_equal(vcpus.items[0].id, 16383);
}

/* CPUs from a text, one letter each: '-' offline, 'x' online for good, 'o' online and offlinable.
 */
static void from_text(AgentVcpus *vcpus, AgentVcpu *items, const char *text) {
    *vcpus = (AgentVcpus){.items = items, .n = strlen(text)};
    for (size_t i = 0; i < vcpus->n; i++)
        items[i] = (AgentVcpu){.id = i, .online = text[i] != '-', .offlinable = text[i] != 'x'};
}

static void check_plan(const char *before, unsigned target, const char *after) {
    AgentVcpu items[16];
    AgentVcpus vcpus;
    char text[17] = "";

    from_text(&vcpus, items, before);
    assert_int_equal(agent_vcpus_plan(&vcpus, target, NULL), 0);
    for (size_t i = 0; i < vcpus.n; i++) {
        text[i] = !items[i].online ? '-' : items[i].offlinable ? 'o' : 'x';
        assert_int_equal(items[i].modified, text[i] != before[i]);
    }
    assert_string_equal(text, after);
}

static void check_no_plan(const char *before, unsigned target, ErrorCode code, const char *words) {
    CLEANUP_ERROR Error *error = NULL;
    AgentVcpu items[16];
    AgentVcpus vcpus;

    from_text(&vcpus, items, before);
    assert_true(agent_vcpus_plan(&vcpus, target, &error) < 0);
    assert_int_equal(error->code, code);
    assert_non_null(strstr(error->message, words));
    for (size_t i = 0; i < vcpus.n; i++)
        assert_false(items[i].modified);
}

static void test_plan(void **data) {
    CLEANUP_ERROR Error *error = NULL;
    AgentVcpu bad[] = {{.id = 0, .online = true}, {.id = 1}};
    AgentVcpus vcpus = {.items = bad, .n = 2};

    check_plan("x---", 4, "xooo");
    check_plan("x--o", 3, "xo-o");
    check_plan("xooo", 4, "xooo");
    check_plan("xooo", 2, "x--o");
    check_plan("xooo", 1, "x---");
    /* All may go: CPU 0 stays. */
    check_plan("oooo", 1, "o---");
    check_plan("o--o", 1, "o---");
    /* Not all may: CPU 0 is like any other. */
    check_plan("ooox", 2, "--ox");
    check_plan("-ooo", 1, "---o");
    check_no_plan("oooo", 0, ERROR_INVALID_ARG,
                  "Cannot offline enough CPUs: 1 of the guest's 4 online ones cannot go");
    check_no_plan("xoxo", 1, ERROR_INVALID_ARG,
                  "Cannot offline enough CPUs: 2 of the guest's 4 online ones cannot go");
    check_no_plan("xo", 3, ERROR_INVALID_ARG, "guest agent reports less cpu than requested: 2 < 3");
    assert_true(agent_vcpus_plan(&vcpus, 2, &error) < 0);
    assert_int_equal(error->code, ERROR_INTERNAL);
    assert_non_null(strstr(error->message, "says that vCPU '1' is offline and cannot go offline"));
}

static void test_plan_takes_any_order(void **data) {
    AgentVcpu items[] = {{.id = 5, .online = true, .offlinable = true},
                         {.id = 0, .online = true},
                         {.id = 3, .online = true, .offlinable = true}};
    AgentVcpus vcpus = {.items = items, .n = 3};

    assert_int_equal(agent_vcpus_plan(&vcpus, 2, NULL), 0);
    assert_int_equal(items[1].id, 3);
    assert_true(items[1].modified && !items[1].online && items[2].online);
}

static int select_text(AgentVcpus *vcpus, const char *list, bool online, Error **reterr) {
    CLEANUP_BITMAP Bitmap *ids = NULL;

    assert_int_equal(bitmap_parse(list, AGENT_VCPUS_MAX, &ids), 0);
    return agent_vcpus_select(vcpus, ids, online, reterr);
}

static void test_select_and_sets(void **data) {
    CLEANUP_BITMAP Bitmap *all = NULL, *online = NULL, *offlinable = NULL;
    CLEANUP_FREE char *all_text = NULL, *online_text = NULL, *offlinable_text = NULL;
    CLEANUP_ERROR Error *error = NULL;
    AgentVcpu items[16];
    AgentVcpus vcpus;

    from_text(&vcpus, items, "xo-o");
    assert_true(select_text(&vcpus, "1,9-10", false, &error) < 0);
    assert_string_equal(error_message(error), "invalid argument: guest is missing vCPUs '9-10'");
    assert_true(select_text(&vcpus, "0-1", false, &error) < 0);
    assert_string_equal(error_message(error), "invalid argument: vCPU '0' is not offlinable");
    assert_false(items[1].modified);
    assert_int_equal(select_text(&vcpus, "1-2", false, NULL), 0);
    assert_true(items[1].modified && !items[1].online && !items[2].modified);
    assert_int_equal(select_text(&vcpus, "0,2", true, NULL), 0);
    assert_true(items[2].modified && items[2].online && !items[0].modified);
    assert_int_equal(agent_vcpus_sets(&vcpus, &all, &online, &offlinable), 0);
    all_text = bitmap_format(all);
    online_text = bitmap_format(online);
    offlinable_text = bitmap_format(offlinable);
    assert_string_equal(all_text, "0-3");
    assert_string_equal(online_text, "0,2-3");
    assert_string_equal(offlinable_text, "1-3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- the owner goes between two conversations ---- */

static void set_two(void *data) {
    CLEANUP_ERROR Error *error = NULL;
    AgentVcpu items[] = {{.id = 1, .online = true, .modified = true},
                         {.id = 2, .online = true, .modified = true}};
    AgentVcpus vcpus = {.items = items, .n = 2};

    assert_true(agent_set_vcpus(agent, &vcpus, &error) < 0);
    assert_int_equal(error->code, ERROR_AGENT_UNRESPONSIVE);
}

static void answer_half_and_free(void *data) {
    peer_accept();
    peer_set("{\"logical-id\":1,\"online\":true},{\"logical-id\":2,\"online\":true}",
             "{\"return\": 1}\n");
    /* Wakes the one that waits for the answer, so that it waits behind this fiber. */
    fiber_cond_broadcast(&agent->changed);
    while (!agent->answered)
        assert_int_equal(fiber_cond_wait(&agent->changed, soon()), 0);
    agent_free(TAKE_PTR(agent));
}

/* When the partial answer is there, and its fiber has not run yet. */
static void test_freed_after_a_partial_answer(void **data) {
    mallopt(M_PERTURB, 0xa5);
    run(set_two, answer_half_and_free, NULL);
    mallopt(M_PERTURB, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_sync_skips_stale_answers_and_garbage),
        TEST(test_error_replies),
        TEST(test_nonsense_is_bounded),
        TEST(test_timeouts),
        TEST(test_no_wait),
        TEST(test_half_sent_command_stays_whole),
        TEST(test_stuck_agent_ends_by_the_event),
        TEST(test_free_ends_conversations),
        TEST(test_first_come_first_served),
        TEST(test_reconnect),
        TEST(test_loss_while_idle),
        TEST(test_long_path),
        TEST(test_vcpus_and_partial_success),
        cmocka_unit_test(test_bad_vcpus_are_refused),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_takes_any_order),
        cmocka_unit_test(test_select_and_sets),
        cmocka_unit_test_setup_teardown(test_freed_after_a_partial_answer, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
