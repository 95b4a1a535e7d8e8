/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets to bytes and back: exact bytes, limits, short and hostile payloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "rpc/frame.h"
#include "rpc/remote_protocol.h"

static const FrameHeader call = {.program = REMOTE_PROGRAM,
                                 .version = 1,
                                 .procedure = 66,
                                 .type = FRAME_CALL,
                                 .serial = 7,
                                 .status = FRAME_OK};

static void test_bytes_of_a_call(void **state) {
    static const uint8_t expected[] = {0, 0, 0, 36, 0x20, 0, 0x80, 0x86, 0,   0,   0, 1,
                                       0, 0, 0, 66, 0,    0, 0,    0,    0,   0,   0, 7,
                                       0, 0, 0, 0,  0,    0, 0,    2,    'a', 'b', 0, 0};
    CLEANUP_FREE uint8_t *bytes = NULL;
    remote_string text = (char *)"ab";
    size_t len = 0;

    assert_int_equal(frame_encode(&call, (xdrproc_t)xdr_remote_string, &text, &bytes, &len), 0);
    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(bytes, expected, len);
}

static void test_header_round_trip(void **state) {
    FrameHeader header = {.program = 0xfffffffe,
                          .version = 2,
                          .procedure = -3,
                          .type = 1,
                          .serial = 0x80000001,
                          .status = -1},
                back;
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t len = 0;

    assert_int_equal(frame_encode(&header, NULL, NULL, &bytes, &len), 0);
    assert_int_equal(len, FRAME_HEADER_SIZE);
    assert_int_equal(frame_length(bytes), FRAME_HEADER_SIZE);
    frame_parse_header(bytes, &back);
    assert_memory_equal(&header, &back, sizeof(back));
}

static void test_error_round_trip(void **state) {
    CLEANUP_ERROR Error *error = NULL, *back = NULL;
    CLEANUP_FREE uint8_t *bytes = NULL;
    FrameHeader header;
    size_t len = 0;

    error_argument(&error, "virDomainSetVcpusFlags", "nvcpus", "nvcpus in %s must be positive",
                   "x");
    assert_int_equal(frame_encode_error(&call, error, &bytes, &len), 0);
    frame_parse_header(bytes, &header);
    assert_int_equal(header.type, FRAME_REPLY);
    assert_int_equal(header.status, FRAME_ERROR);
    assert_int_equal(header.serial, call.serial);
    assert_int_equal(header.procedure, call.procedure);
    assert_int_equal(frame_decode_error(bytes + FRAME_HEADER_SIZE, len - FRAME_HEADER_SIZE, &back),
                     -EINVAL);
    assert_int_equal(back->code, ERROR_INVALID_ARG);
    assert_int_equal(back->from, error->from);
    assert_string_equal(back->message, "nvcpus in x must be positive");
}

/* Every prefix of a payload is too short, none is read beyond its end (ASan watches). */
static void test_short_payloads(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t len = 0;

    error_report(&error, FROM_QEMU, ERROR_INTERNAL, "a sentence");
    assert_int_equal(frame_encode_error(&call, error, &bytes, &len), 0);
    for (size_t n = 0; n < len - FRAME_HEADER_SIZE; n++) {
        CLEANUP_FREE uint8_t *prefix = malloc(n + 1);
        CLEANUP_ERROR Error *back = NULL;

        memcpy(prefix, bytes + FRAME_HEADER_SIZE, n);
        assert_true(frame_decode_error(prefix, n, &back) < 0);
        assert_int_equal(back->code, ERROR_RPC);
    }
}

static void test_hostile_lengths(void **state) {
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a', 'b', 'c', 'd'};
    static const uint8_t beyond[] = {0, 0x40, 0, 1, 'a', 'b', 'c', 'd'}; /* 4 MiB + 1 */
    static const uint8_t list[] = {0, 0, 0x40, 1, 0, 0, 0, 0};           /* 16385 entries */
    remote_string text = NULL;
    remote_connect_list_defined_domains_ret names = {0};

    assert_int_equal(frame_decode(huge, sizeof(huge), (xdrproc_t)xdr_remote_string, &text),
                     -EBADMSG);
    xdr_free((xdrproc_t)xdr_remote_string, &text);
    text = NULL;
    assert_int_equal(frame_decode(beyond, sizeof(beyond), (xdrproc_t)xdr_remote_string, &text),
                     -EBADMSG);
    xdr_free((xdrproc_t)xdr_remote_string, &text);
    assert_int_equal(frame_decode(list, sizeof(list),
                                  (xdrproc_t)xdr_remote_connect_list_defined_domains_ret, &names),
                     -EBADMSG);
    xdr_free((xdrproc_t)xdr_remote_connect_list_defined_domains_ret, &names);
}

static void test_trailing_bytes_are_ignored(void **state) {
    static const uint8_t payload[] = {0, 0, 0, 1, 'x', 0, 0, 0, 9, 9, 9, 9};
    remote_string text = NULL;

    assert_int_equal(frame_decode(payload, sizeof(payload), (xdrproc_t)xdr_remote_string, &text),
                     0);
    assert_string_equal(text, "x");
    xdr_free((xdrproc_t)xdr_remote_string, &text);
}

/* The buffer grows to what is needed, a string beyond the protocol's limit is refused. */
static void test_large_payloads(void **state) {
    CLEANUP_FREE char *memory = malloc(REMOTE_STRING_MAX + 2);
    CLEANUP_FREE uint8_t *bytes = NULL, *none = NULL;
    remote_string text = memory, back = NULL;
    size_t len = 0;

    memset(memory, 'x', REMOTE_STRING_MAX + 1);
    memory[REMOTE_STRING_MAX] = '\0';
    assert_int_equal(frame_encode(&call, (xdrproc_t)xdr_remote_string, &text, &bytes, &len), 0);
    assert_int_equal(len, FRAME_HEADER_SIZE + 4 + REMOTE_STRING_MAX);
    assert_int_equal(frame_decode(bytes + FRAME_HEADER_SIZE, len - FRAME_HEADER_SIZE,
                                  (xdrproc_t)xdr_remote_string, &back),
                     0);
    assert_true(streq(back, memory));
    xdr_free((xdrproc_t)xdr_remote_string, &back);
    memory[REMOTE_STRING_MAX] = 'x';
    memory[REMOTE_STRING_MAX + 1] = '\0';
    assert_true(frame_encode(&call, (xdrproc_t)xdr_remote_string, &text, &none, &len) < 0);
    assert_null(none);
}

/* Calls of one text, as one of two connections makes them. */
static void *encode_many(void *text) {
    intptr_t bad = 0;

    for (int i = 0; i < 20000; i++) {
        CLEANUP_FREE uint8_t *bytes = NULL;
        size_t len = 0;

        if (frame_encode(&call, (xdrproc_t)xdr_remote_string, &text, &bytes, &len) < 0 ||
            memcmp(bytes + FRAME_HEADER_SIZE + 4, text, strlen(text)) != 0)
            bad++;
    }
    return (void *)bad;
}

/* The tool asks for the progress of what another thread waits for. */
static void test_two_threads(void **state) {
    static char texts[2][60001];
    pthread_t threads[2];
    void *bad;

    memset(texts[0], 'a', sizeof(texts[0]) - 1);
    memset(texts[1], 'b', sizeof(texts[1]) - 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_many, texts[i]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_of_a_call),  cmocka_unit_test(test_header_round_trip),
        cmocka_unit_test(test_error_round_trip), cmocka_unit_test(test_short_payloads),
        cmocka_unit_test(test_hostile_lengths),  cmocka_unit_test(test_trailing_bytes_are_ignored),
        cmocka_unit_test(test_large_payloads),   cmocka_unit_test(test_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
