/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client on a fiber, against peers that do not mean well: the loop goes on, the call ends at
 * its deadline, and what the peer sends is not kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "rpc/client.h"
#include "rpc/frame.h"
#include "rpc/remote_protocol.h"
#include "util/fiber.h"

#define CALL_MS 300
#define KEPT_MAX (1u << 20) /* bytes that a call may leave behind */
#define EVENTS_MIN 500u     /* far more than what fits in there */
#define EVENT_BYTES 4096u

/* One peer, on a thread of its own, and what is seen of the client. */
typedef struct Peer {
    char dir[64], path[96];
    int listener;
    pthread_t thread;
    void (*answer)(struct Peer *peer, int fd); /* the first call that is answered by no handshake */
    bool authenticates;
    atomic_uint n_events;
    unsigned ticks; /* of another fiber while the client waits */
    bool ended;     /* the client is through: */
    int result;
    Error *error;
    size_t kept; /* bytes of memory that it has now and had not before the call */
} Peer;

/* ---- the peer ---- */

static bool read_call(int fd, FrameHeader *ret) {
    uint8_t packet[4096];
    size_t len;

    if (recv(fd, packet, 4, MSG_WAITALL) != 4)
        return false;
    len = frame_length(packet);
    if (len < FRAME_HEADER_SIZE || len > sizeof(packet) ||
        recv(fd, packet + 4, len - 4, MSG_WAITALL) != (ssize_t)(len - 4))
        return false;
    frame_parse_header(packet, ret);
    return true;
}

static void shake_hands(int fd, const FrameHeader *call) {
    int none = 0;
    remote_auth_list_ret list = {.types.types_len = 1, .types.types_val = &none};
    const bool auth = call->procedure == REMOTE_PROC_AUTH_LIST;
    CLEANUP_FREE uint8_t *bytes = NULL;
    FrameHeader header = *call;
    size_t len = 0;

    header.type = FRAME_REPLY;
    assert_int_equal(frame_encode(&header, auth ? (xdrproc_t)xdr_remote_auth_list_ret : NULL, &list,
                                  &bytes, &len),
                     0);
    send(fd, bytes, len, MSG_NOSIGNAL);
}

static void *serve(void *userdata) {
    Peer *peer = userdata;
    CLEANUP_CLOSE int fd = accept(peer->listener, NULL, NULL);
    FrameHeader call;

    while (fd >= 0 && read_call(fd, &call)) {
        if (peer->authenticates &&
            (call.procedure == REMOTE_PROC_AUTH_LIST || call.procedure == REMOTE_PROC_CONNECT_OPEN))
            shake_hands(fd, &call);
        else
            peer->answer(peer, fd);
    }
    return NULL;
}

static void say_nothing(Peer *peer, int fd) {
    (void)peer;
    (void)fd;
}

/* Events until the client has gone. */
static void flood(Peer *peer, int fd) {
    static const uint8_t event[EVENT_BYTES];
    const FrameHeader header = {
        .program = REMOTE_PROGRAM, .version = 1, .procedure = 1, .type = FRAME_MESSAGE};
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t len = 0;

    assert_int_equal(frame_encode_bytes(&header, event, sizeof(event), &bytes, &len), 0);
    while (send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len)
        peer->n_events++;
}

static void hang_up_late(Peer *peer, int fd) {
    (void)peer;
    usleep(CALL_MS * 1000);
    shutdown(fd, SHUT_RDWR);
}

/* ---- the client ---- */

static int get_hostname(RpcClient *client, Error **reterr) {
    remote_connect_get_hostname_ret host = {0};
    int r = rpc_client_call(client, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL,
                            (xdrproc_t)xdr_remote_connect_get_hostname_ret, &host, CALL_MS, reterr);

    if (r >= 0)
        xdr_free((xdrproc_t)xdr_remote_connect_get_hostname_ret, &host);
    return r;
}

static void call(void *userdata) {
    Peer *peer = userdata;
    RpcClient *client = NULL;

    peer->result = rpc_client_open(peer->path, false, &client, &peer->error);
    if (peer->result >= 0) {
        const size_t before = mallinfo2().uordblks;

        peer->result = get_hostname(client, &peer->error);
        peer->kept = mallinfo2().uordblks - MIN_OF(before, mallinfo2().uordblks);
        rpc_client_free(client);
    }
    peer->ended = true;
}

static void tick(void *userdata) {
    Peer *peer = userdata;

    while (!peer->ended) {
        peer->ticks++;
        fiber_sleep(10 * USEC_PER_MSEC);
    }
}

static void start(Peer *peer) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(peer->dir, "/tmp/test-rpc-client-fiber-XXXXXX");
    assert_non_null(mkdtemp(peer->dir));
    snprintf(peer->path, sizeof(peer->path), "%s/socket", peer->dir);
    strcpy(address.sun_path, peer->path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(peer->listener, 1), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

/* Runs the client on a fiber, and another fiber beside it. */
static void meet(Peer *peer) {
    start(peer);
    assert_int_equal(fiber_start("client", call, peer), 0);
    assert_int_equal(fiber_start("ticks", tick, peer), 0);
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    unlink(peer->path);
    rmdir(peer->dir);
}

/* ---- tests ---- */

static void test_a_peer_that_never_answers(void **state) {
    Peer peer = {.answer = say_nothing, .authenticates = true};

    meet(&peer);
    assert_int_equal(peer.result, -ETIMEDOUT);
    assert_int_equal(peer.error->code, ERROR_OPERATION_TIMEOUT);
    assert_int_equal(peer.error->from,
                     FROM_RPC); /* this side's own: nothing is known of the peer */
    assert_in_range(peer.ticks, 3, UINT32_MAX);
    error_free(peer.error);
}

static void test_a_peer_that_floods_events(void **state) {
    Peer peer = {.answer = flood, .authenticates = true};

    meet(&peer);
    assert_int_equal(peer.result, -ETIMEDOUT);
    assert_in_range(peer.ticks, 3, UINT32_MAX);
    assert_in_range(peer.n_events, EVENTS_MIN, UINT32_MAX);
    assert_in_range(peer.kept, 0, KEPT_MAX);
    error_free(peer.error);
}

static void test_a_peer_that_never_authenticates(void **state) {
    Peer peer = {.answer = hang_up_late};

    meet(&peer);
    assert_in_range(-peer.result, 1, INT32_MAX);
    assert_int_equal(peer.error->code, ERROR_RPC);
    assert_in_range(peer.ticks, 3, UINT32_MAX);
    error_free(peer.error);
}

static int set_up(void **state) {
    sd_event *loop = NULL;

    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(fiber_init(loop), 0);
    sd_event_unref(loop);
    return 0;
}

static int tear_down(void **state) {
    fiber_shutdown();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_peer_that_never_answers),
        cmocka_unit_test(test_a_peer_that_floods_events),
        cmocka_unit_test(test_a_peer_that_never_authenticates),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
