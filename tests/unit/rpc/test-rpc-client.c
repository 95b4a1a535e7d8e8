/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client against a server thread on a real unix socket that answers as each test tells it to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "rpc/client.h"
#include "rpc/frame.h"
#include "rpc/remote_protocol.h"

typedef struct Fake {
    char dir[64], path[96];
    int listener;
    pthread_t thread;
    /* Answers what is not the handshake; false closes the connection. */
    bool (*answer)(struct Fake *fake, int fd, const FrameHeader *call);
    int open_flags;    /* seen in CONNECT_OPEN */
    bool pong, closed; /* seen */
} Fake;

/* ---- the server ---- */

static bool read_all(int fd, uint8_t *to, size_t n) {
    while (n) {
        ssize_t got = read(fd, to, n);

        if (got <= 0)
            return false;
        to += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const uint8_t *bytes, size_t n) {
    return send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool send_frame(int fd, FrameHeader header, xdrproc_t xdr, void *payload) {
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t len = 0;

    return frame_encode(&header, xdr, payload, &bytes, &len) == 0 && write_all(fd, bytes, len);
}

static bool reply(int fd, const FrameHeader *call, xdrproc_t xdr, void *payload) {
    FrameHeader header = *call;

    header.type = FRAME_REPLY;
    return send_frame(fd, header, xdr, payload);
}

static bool reply_hostname(int fd, const FrameHeader *call) {
    remote_connect_get_hostname_ret ret = {.hostname = (char *)"fake"};

    return reply(fd, call, (xdrproc_t)xdr_remote_connect_get_hostname_ret, &ret);
}

static bool send_event(int fd, int procedure) {
    FrameHeader header = {
        .program = REMOTE_PROGRAM, .version = 1, .procedure = procedure, .type = FRAME_MESSAGE};
    remote_domain_event_callback_domain_msg msg = {.callbackID = procedure,
                                                   .dom.name = (char *)"vm"};

    return send_frame(fd, header, (xdrproc_t)xdr_remote_domain_event_callback_domain_msg, &msg);
}

static bool handshake(Fake *fake, int fd, const FrameHeader *call, const uint8_t *payload,
                      size_t len) {
    int none = 0;
    remote_auth_list_ret list = {.types.types_len = 1, .types.types_val = &none};
    remote_connect_open_args args = {0};

    if (call->procedure == REMOTE_PROC_AUTH_LIST)
        return reply(fd, call, (xdrproc_t)xdr_remote_auth_list_ret, &list);
    if (call->procedure == REMOTE_PROC_CONNECT_OPEN) {
        assert_int_equal(frame_decode(payload, len, (xdrproc_t)xdr_remote_connect_open_args, &args),
                         0);
        fake->open_flags = (int)args.flags;
        xdr_free((xdrproc_t)xdr_remote_connect_open_args, &args);
    }
    return reply(fd, call, NULL, NULL);
}

static bool serve_one(Fake *fake, int fd) {
    uint8_t packet[4096];
    FrameHeader call;
    size_t len;

    if (!read_all(fd, packet, 4))
        return false;
    len = frame_length(packet);
    if (len < FRAME_HEADER_SIZE || len > sizeof(packet) || !read_all(fd, packet + 4, len - 4))
        return false;
    frame_parse_header(packet, &call);
    if (call.program == KEEPALIVE_PROGRAM) {
        fake->pong = call.procedure == 2 && call.type == FRAME_MESSAGE;
        return true;
    }
    if (call.procedure == REMOTE_PROC_CONNECT_CLOSE) {
        fake->closed = true;
        reply(fd, &call, NULL, NULL);
        return false;
    }
    if (call.procedure == REMOTE_PROC_AUTH_LIST || call.procedure == REMOTE_PROC_CONNECT_OPEN)
        return handshake(fake, fd, &call, packet + FRAME_HEADER_SIZE, len - FRAME_HEADER_SIZE);
    return fake->answer(fake, fd, &call);
}

static void *serve(void *userdata) {
    Fake *fake = userdata;
    CLEANUP_CLOSE int fd = accept(fake->listener, NULL, NULL);

    while (fd >= 0 && serve_one(fake, fd))
        ;
    return NULL;
}

static void fake_start(Fake *fake, bool (*answer)(Fake *, int, const FrameHeader *)) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *fake = (Fake){.answer = answer, .open_flags = -1};
    strcpy(fake->dir, "/tmp/test-rpc-client-XXXXXX");
    assert_non_null(mkdtemp(fake->dir));
    snprintf(fake->path, sizeof(fake->path), "%s/sock et", fake->dir);
    strcpy(address.sun_path, fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fake->listener, 1), 0);
    assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

static void fake_stop(Fake *fake) {
    shutdown(fake->listener, SHUT_RDWR); /* wakes an accept that nobody came to */
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    unlink(fake->path);
    rmdir(fake->dir);
}

static int get_hostname(RpcClient *client, int timeout_ms, char ret[64], Error **reterr) {
    remote_connect_get_hostname_ret host = {0};
    int r = rpc_client_call(client, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL,
                            (xdrproc_t)xdr_remote_connect_get_hostname_ret, &host, timeout_ms,
                            reterr);

    if (r >= 0) {
        snprintf(ret, 64, "%s", host.hostname);
        xdr_free((xdrproc_t)xdr_remote_connect_get_hostname_ret, &host);
    }
    return r;
}

/* ---- tests ---- */

static bool answer_hostname(Fake *fake, int fd, const FrameHeader *call) {
    return reply_hostname(fd, call);
}

static void test_call_and_reply(void **state) {
    RpcClient *client = NULL;
    char host[64] = "", uri[256];
    Fake fake;

    fake_start(&fake, answer_hostname);
    snprintf(uri, sizeof(uri), "qemu+unix:///system?mode=legacy&socket=%s/sock%%20et", fake.dir);
    assert_int_equal(rpc_client_open(uri, true, &client, NULL), 0);
    assert_string_equal(rpc_client_uri(client), uri);
    assert_int_equal(get_hostname(client, 5000, host, NULL), 0);
    assert_string_equal(host, "fake");
    rpc_client_free(client);
    fake_stop(&fake);
    assert_int_equal(fake.open_flags, 1);
    assert_true(fake.closed);
}

static bool answer_error(Fake *fake, int fd, const FrameHeader *call) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t len = 0;

    error_report(&error, FROM_QEMU, ERROR_NO_DOMAIN, "no domain with matching name 'x'");
    return frame_encode_error(call, error, &bytes, &len) == 0 && write_all(fd, bytes, len);
}

static void test_error_reply(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    RpcClient *client = NULL;
    char host[64];
    Fake fake;

    fake_start(&fake, answer_error);
    assert_int_equal(rpc_client_open(fake.path, false, &client, NULL), 0);
    assert_int_equal(get_hostname(client, 5000, host, &error), -ENOENT);
    assert_int_equal(error->code, ERROR_NO_DOMAIN);
    assert_int_equal(error->from, FROM_QEMU);
    assert_non_null(strstr(error->message, "no domain with matching name 'x'"));
    rpc_client_free(client);
    fake_stop(&fake);
    assert_int_equal(fake.open_flags, 0);
}

static bool answer_with_events(Fake *fake, int fd, const FrameHeader *call) {
    FrameHeader ping = {
        .program = KEEPALIVE_PROGRAM, .version = 1, .procedure = 1, .type = FRAME_MESSAGE};

    return send_event(fd, 318) && send_frame(fd, ping, NULL, NULL) && send_event(fd, 319) &&
           reply_hostname(fd, call) && send_event(fd, 333);
}

static void test_events_queue_while_a_call_waits(void **state) {
    static const int expected[] = {318, 319, 333};
    RpcClient *client = NULL;
    char host[64];
    Fake fake;

    fake_start(&fake, answer_with_events);
    assert_int_equal(rpc_client_open(fake.path, false, &client, NULL), 0);
    assert_int_equal(get_hostname(client, 5000, host, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        remote_domain_event_callback_domain_msg msg = {0};
        RpcEvent event;

        assert_int_equal(rpc_client_next_event(client, 5000, &event, NULL), 1);
        assert_int_equal(event.program, REMOTE_PROGRAM);
        assert_int_equal(event.procedure, expected[i]);
        assert_int_equal(frame_decode(event.payload, event.len,
                                      (xdrproc_t)xdr_remote_domain_event_callback_domain_msg, &msg),
                         0);
        assert_int_equal(msg.callbackID, expected[i]);
        assert_string_equal(msg.dom.name, "vm");
        xdr_free((xdrproc_t)xdr_remote_domain_event_callback_domain_msg, &msg);
        free(event.payload);
    }
    rpc_client_free(client);
    fake_stop(&fake);
    assert_true(fake.pong);
}

static bool answer_many_events(Fake *fake, int fd, const FrameHeader *call) {
    for (int i = 0; i < 100; i++)
        if (!send_event(fd, 1000 + i))
            return false;
    return reply_hostname(fd, call);
}

static void test_many_events_keep_their_order(void **state) {
    RpcClient *client = NULL;
    char host[64];
    Fake fake;

    fake_start(&fake, answer_many_events);
    assert_int_equal(rpc_client_open(fake.path, false, &client, NULL), 0);
    /* Taking some between the calls makes the queue move inside its memory. */
    for (int round = 0; round < 3; round++) {
        assert_int_equal(get_hostname(client, 5000, host, NULL), 0);
        for (int i = 0; i < 50; i++) {
            RpcEvent event;

            assert_int_equal(rpc_client_next_event(client, 0, &event, NULL), 1);
            assert_int_equal(event.procedure, 1000 + (round * 50 + i) % 100);
            free(event.payload);
        }
    }
    rpc_client_free(client);
    fake_stop(&fake);
}

static bool answer_nothing_and_leave(Fake *fake, int fd, const FrameHeader *call) {
    return false;
}

static void test_connection_dropped_in_a_call(void **state) {
    CLEANUP_ERROR Error *error = NULL, *again = NULL;
    RpcClient *client = NULL;
    char host[64];
    RpcEvent event;
    Fake fake;

    fake_start(&fake, answer_nothing_and_leave);
    assert_int_equal(rpc_client_open(fake.path, false, &client, NULL), 0);
    assert_true(get_hostname(client, 5000, host, &error) < 0);
    assert_int_equal(error->code, ERROR_RPC);
    assert_non_null(strstr(error->message, "connection to vireod lost"));
    assert_true(get_hostname(client, 5000, host, &again) < 0);
    assert_non_null(strstr(again->message, "closed"));
    assert_true(rpc_client_next_event(client, 1000, &event, NULL) < 0);
    rpc_client_free(client);
    fake_stop(&fake);
}

static bool answer_half(Fake *fake, int fd, const FrameHeader *call) {
    const uint8_t half[] = {0, 0, 0, 60, 0x20, 0, 0x80};

    write_all(fd, half, sizeof(half));
    return false;
}

static void test_connection_dropped_in_a_packet(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    RpcClient *client = NULL;
    char host[64];
    Fake fake;

    fake_start(&fake, answer_half);
    assert_int_equal(rpc_client_open(fake.path, false, &client, NULL), 0);
    assert_true(get_hostname(client, 5000, host, &error) < 0);
    assert_non_null(strstr(error->message, "connection to vireod lost"));
    rpc_client_free(client);
    fake_stop(&fake);
}

static bool answer_oversized(Fake *fake, int fd, const FrameHeader *call) {
    const uint8_t length[] = {0x7f, 0xff, 0xff, 0xff};

    return write_all(fd, length, sizeof(length));
}

static bool answer_undersized(Fake *fake, int fd, const FrameHeader *call) {
    const uint8_t length[] = {0, 0, 0, 27};

    return write_all(fd, length, sizeof(length));
}

static void check_length_refused(bool (*answer)(Fake *, int, const FrameHeader *)) {
    CLEANUP_ERROR Error *error = NULL;
    RpcClient *client = NULL;
    char host[64];
    Fake fake;

    fake_start(&fake, answer);
    assert_int_equal(rpc_client_open(fake.path, false, &client, NULL), 0);
    assert_true(get_hostname(client, 5000, host, &error) < 0);
    assert_non_null(strstr(error->message, "sent a packet of"));
    rpc_client_free(client);
    fake_stop(&fake);
}

static void test_bad_lengths_are_refused(void **state) {
    check_length_refused(answer_oversized);
    check_length_refused(answer_undersized);
}

static bool answer_short_payload(Fake *fake, int fd, const FrameHeader *call) {
    return reply(fd, call, NULL, NULL);
}

static void test_short_payload_is_an_error(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    RpcClient *client = NULL;
    char host[64];
    Fake fake;

    fake_start(&fake, answer_short_payload);
    assert_int_equal(rpc_client_open(fake.path, false, &client, NULL), 0);
    assert_true(get_hostname(client, 5000, host, &error) < 0);
    assert_non_null(strstr(error->message, "cannot be decoded"));
    rpc_client_free(client);
    fake_stop(&fake);
}

/* The first call gets its reply only after the second one was sent. */
static bool answer_late(Fake *fake, int fd, const FrameHeader *call) {
    static FrameHeader first;
    remote_connect_get_hostname_ret stale = {.hostname = (char *)"stale"};

    if (call->serial == 3) {
        first = *call;
        return true;
    }
    return reply(fd, &first, (xdrproc_t)xdr_remote_connect_get_hostname_ret, &stale) &&
           reply_hostname(fd, call);
}

static void test_late_reply_is_dropped(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    RpcClient *client = NULL;
    char host[64] = "";
    Fake fake;

    fake_start(&fake, answer_late);
    assert_int_equal(rpc_client_open(fake.path, false, &client, NULL), 0);
    assert_true(get_hostname(client, 50, host, &error) < 0);
    assert_int_equal(error->code, ERROR_OPERATION_TIMEOUT);
    assert_int_equal(get_hostname(client, 5000, host, NULL), 0);
    assert_string_equal(host, "fake");
    rpc_client_free(client);
    fake_stop(&fake);
}

static void test_no_server(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    RpcClient *client = NULL;

    assert_int_equal(rpc_client_open("/nonexistent/sock", false, &client, &error), -ENOENT);
    assert_null(client);
    assert_string_equal(error->message, "cannot connect to vireod at /nonexistent/sock: "
                                        "No such file or directory; is vireod running?");
}

static void test_unknown_uris_are_refused(void **state) {
    static const char *const uris[] = {"qemu+ssh://host/system",
                                       "xen:///",
                                       "qemu:///session",
                                       "nonsense",
                                       "vireo:///other",
                                       "qemu+tcp://localhost/system?socket=/x",
                                       "qemu+tcp:///system",
                                       "qemu+tcp://localhost:0/system",
                                       "qemu+tcp://[::1/system",
                                       "qemu+tcp://localhost/session",
                                       "qemu+tls://localhost/system",
                                       "qemu+tcp://localhost:65536/system"};

    for (size_t i = 0; i < ARRAY_SIZE(uris); i++) {
        CLEANUP_ERROR Error *error = NULL;
        RpcClient *client = NULL;

        assert_int_equal(rpc_client_open(uris[i], false, &client, &error), -EINVAL);
        assert_non_null(strstr(error->message, "unsupported connection URI"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_and_reply),
        cmocka_unit_test(test_error_reply),
        cmocka_unit_test(test_events_queue_while_a_call_waits),
        cmocka_unit_test(test_many_events_keep_their_order),
        cmocka_unit_test(test_connection_dropped_in_a_call),
        cmocka_unit_test(test_connection_dropped_in_a_packet),
        cmocka_unit_test(test_bad_lengths_are_refused),
        cmocka_unit_test(test_short_payload_is_an_error),
        cmocka_unit_test(test_late_reply_is_dropped),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_unknown_uris_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
