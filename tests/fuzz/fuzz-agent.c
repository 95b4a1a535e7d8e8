/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as what a guest's agent says to guest-get-vcpus, to guest-set-vcpus and to a client's
 * command.
 *
 * Of the first byte, 1: the sync is answered well before the rest comes; 2: a client's command, 4:
 * vCPUs are set; 0x80: cut into pieces of the bits between. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "qemu/agent-vcpu.h"

enum { SYNCED = 1, COMMAND = 2, SET = 4, CUT = 0x80 };

int __wrap_unix_socket_connect(const char *path, int flags, int *ret);

static int agent_end = -1; /* the next connection; there is one */

int __wrap_unix_socket_connect(const char *path, int flags, int *ret) {
    if (agent_end < 0)
        return -ECONNREFUSED;
    *ret = TAKE_FD(agent_end);
    return 0;
}

static void get_vcpus(void *userdata) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (agent_get_vcpus(userdata, &vcpus, &error) < 0) {
        if (!error)
            abort();
        return;
    }
    for (size_t i = 0; i < vcpus.n; i++)
        if (vcpus.items[i].id >= AGENT_VCPUS_MAX)
            abort();
    if ((agent_vcpus_plan(&vcpus, 1, &error) < 0) != (error != NULL))
        abort();
}

static void set_vcpus(void *userdata) {
    AgentVcpu items[] = {{.id = 1, .modified = true}, {.id = 2, .online = true, .modified = true}};
    AgentVcpus vcpus = {items, ARRAY_SIZE(items)};
    CLEANUP_ERROR Error *error = NULL;

    if ((agent_set_vcpus(userdata, &vcpus, &error) < 0) != (error != NULL))
        abort();
}

static void command(void *userdata) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *answer = NULL;
    int r = agent_command(userdata, "{\"execute\":\"guest-info\"}", AGENT_BLOCK, &answer, &error);

    if (r < 0 ? !error : !answer)
        abort();
}

/* Reads the sync request and answers it. */
static void answer_sync(int fd) {
    char request[512] = "", text[64];
    ssize_t n = recv(fd, request, sizeof(request) - 1, MSG_DONTWAIT);
    const char *id = n > 2 ? strstr(request + 2, "\"id\":") : NULL;

    if (!id)
        abort();
    n = snprintf(text, sizeof(text), "\xff{\"return\":%lld}\n", strtoll(id + 5, NULL, 10));
    fuzz_send(fd, (uint8_t *)text, (size_t)n, (size_t)n);
    fuzz_loop_idle();
}

static FiberFunc conversation(uint8_t options) {
    return options & COMMAND ? command : options & SET ? set_vcpus : get_vcpus;
}

static bool no_fibers(void *userdata) {
    return fiber_count() == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool ready;
    CLEANUP_AGENT Agent *agent = NULL;
    int fds[2];

    if (!ready)
        fuzz_loop_init();
    ready = true;
    if (size < 1)
        return 0;
    fuzz_socketpair(fds);
    agent_end = fds[0];
    if (agent_new("/agent", "fuzz", &agent) < 0 ||
        fiber_start("agent", conversation(data[0]), agent) < 0)
        abort();
    fuzz_loop_idle();
    if (data[0] & SYNCED)
        answer_sync(fds[1]);
    fuzz_send(fds[1], data + 1, size - 1, data[0] & CUT ? 1 + (data[0] >> 3 & 0xf) : 65536);
    close(fds[1]);
    fuzz_loop_until(no_fibers, NULL, "agent");
    return 0;
}
