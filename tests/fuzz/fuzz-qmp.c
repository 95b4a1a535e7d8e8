/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as what QEMU says on its monitor, while a handshake, a passed-through command and a few
 * typed commands are pending. Two of the answers go on to the vCPU map, as a refresh would do.
 *
 * The first byte says how the stream is cut. Commands get the ids vireo-1 .. vireo-5: 1 and 2 are
 * query-hotpluggable-cpus and query-cpus-fast, 3 is dropped by its owner, 4 a client's own, 5
 * qmp_capabilities (after the greeting). */
#include <stdio.h>

#include "fuzz.h"
#include "qemu/monitor.h"
#include "qemu/unplug.h"
#include "qemu/vcpu-map.h"

static unsigned n_closed;

static void on_event(Monitor *monitor, const char *name, json_object *data, int64_t seconds,
                     int64_t microseconds, void *userdata) {
    if (!name)
        abort();
    if (data)
        json_object_to_json_string(data);
}

static void on_closed(Monitor *monitor, int error, void *userdata) {
    n_closed++;
}

static const MonitorOps ops = {.event = on_event, .closed = on_closed};

static void handshake(void *userdata) {
    CLEANUP_ERROR Error *error = NULL;
    int r = monitor_handshake(userdata, USEC_FOREVER, &error);

    if ((r < 0) != (error != NULL))
        abort();
}

static void passthrough(void *userdata) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *answer = NULL;
    int r = monitor_passthrough(userdata, "{\"execute\":\"query-status\",\"id\":[1,{\"a\":null}]}",
                                USEC_FOREVER, &answer, &error);

    if (r < 0 ? !error : !answer)
        abort();
}

static void use_entity(const VcpuEntity *entity) {
    const char *command;

    if (vcpu_entity_can_plug(entity))
        json_object_put(vcpu_entity_plug_command(entity, &command));
}

static void use_map(json_object *hotpluggable, json_object *fast) {
    VcpuMap map = {0}, again = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (vcpu_map_build(hotpluggable, fast, 4711, &map, &error) < 0) {
        if (!error)
            abort();
        return;
    }
    vcpu_map_online(&map);
    vcpu_map_by_alias(&map, "vcpu1");
    vcpu_map_by_path(&map, "/machine/peripheral/vcpu1/lapic");
    vcpu_map_by_id(&map, map.n_vcpus);
    for (size_t i = 0; i < map.n_entities; i++)
        use_entity(&map.entities[i]);
    if (vcpu_map_build(hotpluggable, fast, 4711, &again, NULL) < 0)
        abort();
    unplug_carry_over(&again, &map, 1);
    vcpu_map_done(&again);
    vcpu_map_done(&map);
}

static void use_replies(MonitorReply *replies[2]) {
    VcpuMap map = {0};

    for (int i = 0; i < 2; i++) {
        CLEANUP_ERROR Error *error = NULL;

        if (!replies[i]->done)
            abort();
        if (monitor_reply_error(replies[i], "query", &error) < 0 && !error)
            abort();
    }
    if (replies[1]->value && vcpu_map_build_static(replies[1]->value, 4711, &map, NULL) >= 0)
        vcpu_map_done(&map);
    if (replies[1]->value && vcpu_map_build_cpu_add(replies[1]->value, 4711, 9, &map, NULL) >= 0)
        vcpu_map_done(&map);
    if (replies[0]->value && replies[1]->value)
        use_map(replies[0]->value, replies[1]->value);
}

static bool all_quiet(void *userdata) {
    return fiber_count() == 0 && !monitor_is_open(userdata);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool ready;
    MonitorReply *replies[2] = {0}, *dropped = NULL;
    Monitor *monitor = NULL;
    int fds[2];

    if (!ready)
        fuzz_loop_init();
    ready = true;
    if (size < 1)
        return 0;
    n_closed = 0;
    fuzz_socketpair(fds);
    if (monitor_new(fds[0], "fuzz", &ops, NULL, &monitor) < 0 ||
        monitor_send(monitor, "query-hotpluggable-cpus", NULL, &replies[0]) < 0 ||
        monitor_send(monitor, "query-cpus-fast", NULL, &replies[1]) < 0 ||
        monitor_send(monitor, "query-version", NULL, &dropped) < 0 ||
        fiber_start("passthrough", passthrough, monitor) < 0 ||
        fiber_start("handshake", handshake, monitor) < 0)
        abort();
    monitor_reply_free(dropped);
    fuzz_loop_idle();
    fuzz_send(fds[1], data + 1, size - 1, data[0] & 0x80 ? 1 + (data[0] & 0x7f) : 65536);
    close(fds[1]);
    fuzz_loop_until(all_quiet, monitor, "qmp");
    if (n_closed != 1)
        abort();
    use_replies(replies);
    monitor_reply_free(replies[0]);
    monitor_reply_free(replies[1]);
    monitor_free(monitor);
    return 0;
}
