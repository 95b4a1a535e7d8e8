/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The floor of a client library: a server of libvirt's frames that does nothing. It answers each
 * procedure with what a file says (u32 procedure, u32 length, payload, all big-endian, again and
 * again), and those it does not know with nothing. One connection after the other. echo-server
 * SOCKET FILE */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PROCEDURES 512
#define HEADER 28
#define PACKET_MAX (32u << 20)

typedef struct Answer {
    uint32_t len;
    uint8_t *packet; /* a header, which is filled in, and the payload */
} Answer;

static Answer answers[PROCEDURES];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint32_t number(const uint8_t *at) {
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return ntohl(value);
}

static void put(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, sizeof(value));
}

static void load(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t head[8];

    if (!file)
        fail(path);
    for (size_t i = 0; i < PROCEDURES; i++) {
        answers[i] = (Answer){HEADER, calloc(1, HEADER)};
        if (!answers[i].packet)
            fail("memory");
    }
    while (fread(head, sizeof(head), 1, file) == 1) {
        Answer *answer = &answers[number(head) % PROCEDURES];
        uint32_t len = number(head + 4);

        answer->packet = len < PACKET_MAX ? realloc(answer->packet, HEADER + len) : NULL;
        if (!answer->packet || (len && fread(answer->packet + HEADER, len, 1, file) != 1))
            fail(path);
        answer->len = HEADER + len;
    }
    fclose(file);
}

static void send_all(int fd, const uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return;
        data += n > 0 ? n : 0;
        len -= n > 0 ? n : 0;
    }
}

/* Program, version, procedure and serial are the call's; type 1, status 0. */
static void answer_call(int fd, const uint8_t *call) {
    Answer *answer = &answers[number(call + 12) % PROCEDURES];

    memcpy(answer->packet, call, HEADER);
    put(answer->packet, answer->len);
    put(answer->packet + 16, 1);
    put(answer->packet + 24, 0);
    send_all(fd, answer->packet, answer->len);
}

static void serve(int fd, uint8_t *input) {
    size_t n = 0;
    ssize_t got;

    while ((got = recv(fd, input + n, PACKET_MAX - n, 0)) > 0) {
        uint8_t *at = input;
        uint32_t len;

        n += got;
        while (n >= HEADER && n >= (len = number(at)) && len >= HEADER) {
            answer_call(fd, at);
            at += len;
            n -= len;
        }
        memmove(input, at, n);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t *input = malloc(PACKET_MAX);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (argc != 3 || !input || listener < 0 || strlen(argv[1]) >= sizeof(address.sun_path))
        return 1;
    load(argv[2]);
    strcpy(address.sun_path, argv[1]);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 8) < 0)
        fail(argv[1]);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            continue;
        serve(fd, input);
        close(fd);
    }
}
