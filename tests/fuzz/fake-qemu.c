/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other end of the monitor. It shares the loop with what it is connected to. */
#include "fake-qemu.h"

#include "driver/run-link.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "qemu/command-line.h"
#include "util/file.h"

#define N_ENTITIES 4u
#define ENDS_AFTER 8u

static struct {
    int fd;
    sd_event_source *io;
    unsigned behaviour, n_commands;
    bool plugged[N_ENTITIES];
    char late[1000];
    char input[1 << 20];
    size_t used;
} qemu = {.fd = -1};

static void say(const char *text) {
    /* A full socket loses words: to the reader that is one more odd QEMU. */
    if (send(qemu.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

static void event(const char *name, const char *data) {
    CLEANUP_FREE char *text = strf(
        "{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"%s\","
        "\"data\":%s}\r\n",
        name, data);

    if (!text)
        abort();
    if (qemu.behaviour & QEMU_LATE)
        snprintf(qemu.late, sizeof(qemu.late), "%s", text);
    else
        say(text);
}

static void ost(unsigned slot, unsigned status) {
    CLEANUP_FREE char *data = strf("{\"info\":{\"device\":\"vcpu%u\",\"source\":3,\"status\":%u,"
                                   "\"slot\":\"%u\",\"slot-type\":\"CPU\"}}",
                                   slot, status, slot);

    event("ACPI_DEVICE_OST", data);
}

static char *list_entities(void) {
    char *text = strdup("["), *longer;

    for (unsigned i = N_ENTITIES; text && i-- > 0; text = longer) {
        char path[60] = "";

        if (qemu.plugged[i])
            snprintf(path, sizeof(path),
                     i ? "\"qom-path\":\"/machine/peripheral/vcpu%u\","
                       : "\"qom-path\":\"/machine/unattached/device[%u]\",",
                     i);
        longer = strf(
            "%s{\"props\":{\"core-id\":0,\"thread-id\":0,\"socket-id\":%u},%s\"vcpus-count\":1,"
            "\"type\":\"qemu64-x86_64-cpu\"}%s",
            text, i, path, i ? "," : "]");
        free(text);
    }
    return text;
}

static char *list_cpus(void) {
    char *text = strdup("["), *longer;

    for (unsigned i = 0; text && i < N_ENTITIES; i++) {
        if (!qemu.plugged[i])
            continue;
        longer = strf(i ? "%s,{\"cpu-index\":%u,\"qom-path\":\"/machine/peripheral/vcpu%u\","
                          "\"thread-id\":%u}"
                        : "%s{\"cpu-index\":%u,\"qom-path\":\"/machine/unattached/device[%u]\","
                          "\"thread-id\":%u}",
                      text, i, i, 1u << 30 | i); /* beyond any real thread id */
        free(text);
        text = longer;
    }
    longer = text ? strf("%s]", text) : NULL;
    free(text);
    return longer;
}

static bool device_add(json_object *arguments) {
    json_object *socket = NULL;
    int i;

    if (!json_object_object_get_ex(arguments, "socket-id", &socket))
        return false;
    i = json_object_get_int(socket);
    if (i < 0 || i >= (int)N_ENTITIES || qemu.plugged[i] ||
        ((qemu.behaviour & QEMU_ADD_FAILS) && i % 2 == 0))
        return false;
    qemu.plugged[i] = true;
    return true;
}

/* The class of the refusal, or NULL. */
static const char *device_del(json_object *arguments) {
    json_object *id = NULL;
    unsigned i = N_ENTITIES;
    CLEANUP_FREE char *data = NULL;

    if (json_object_object_get_ex(arguments, "id", &id))
        sscanf(json_object_get_string(id), "vcpu%u", &i);
    if (i == 0 || i >= N_ENTITIES || !qemu.plugged[i])
        return "DeviceNotFound";
    switch (qemu.behaviour & 7) {
    case QEMU_DELETES:
        qemu.plugged[i] = false;
        data = strf("{\"device\":\"vcpu%u\",\"path\":\"/machine/peripheral/vcpu%u\"}", i, i);
        event("DEVICE_DELETED", data);
        return NULL;
    case QEMU_HINTS:
        qemu.plugged[i] = false;
        data = strf("{\"path\":\"/machine/peripheral/vcpu%u/lapic\"}", i);
        event("DEVICE_DELETED", data);
        return NULL;
    case QEMU_REJECTS:
        ost(i, 1);
        return NULL;
    case QEMU_IN_PROGRESS:
        ost(i, 0x84);
        return NULL;
    case QEMU_NOT_FOUND:
        qemu.plugged[i] = false;
        return "DeviceNotFound";
    case QEMU_GUEST_ERROR:
        data = strf("{\"device\":\"vcpu%u\",\"path\":\"/machine/peripheral/vcpu%u\"}", i, i);
        event("DEVICE_UNPLUG_GUEST_ERROR", data);
        return NULL;
    case QEMU_CLOSES:
        shutdown(qemu.fd, SHUT_RDWR);
        return NULL;
    default:
        return NULL;
    }
}

static void answer(json_object *id, const char *value, const char *error) {
    const char *id_text = json_object_to_json_string(id);
    CLEANUP_FREE char *text =
        error ? strf("{\"error\":{\"class\":\"%s\",\"desc\":\"no\"},\"id\":%s}\r\n", error, id_text)
              : strf("{\"return\":%s,\"id\":%s}\r\n", value, id_text);

    if (!text)
        abort();
    say(text);
}

static void on_command(json_object *message) {
    json_object *id = NULL, *execute = NULL, *arguments = NULL;
    CLEANUP_FREE char *value = NULL;
    const char *name, *error = NULL;

    json_object_object_get_ex(message, "id", &id);
    json_object_object_get_ex(message, "execute", &execute);
    json_object_object_get_ex(message, "arguments", &arguments);
    name = execute ? json_object_get_string(execute) : "";
    if (streq(name, "query-hotpluggable-cpus") && (qemu.behaviour & QEMU_NO_ENTITIES))
        error = "GenericError";
    else if (streq(name, "query-hotpluggable-cpus"))
        value = list_entities();
    else if (streq(name, "query-cpus-fast"))
        value = list_cpus();
    else if (streq(name, "query-migrate"))
        value = strdup("{\"status\":\"failed\",\"error-desc\":\"no\"}");
    else if (streq(name, "device_add"))
        error = device_add(arguments) ? NULL : "GenericError";
    else if (streq(name, "device_del"))
        error = device_del(arguments);
    else if (!*name)
        error = "GenericError";
    if ((qemu.behaviour & QEMU_SHUTS_DOWN) &&
        (streq(name, "cont") || streq(name, "stop") || streq(name, "system_powerdown")))
        event("SHUTDOWN", "{\"guest\":true,\"reason\":\"guest-shutdown\"}");
    answer(id, value ? value : "{}", error);
    if (qemu.late[0] && !streq(name, "device_del")) {
        say(qemu.late);
        qemu.late[0] = '\0';
    }
    if (++qemu.n_commands == ENDS_AFTER && (qemu.behaviour & QEMU_ENDS))
        shutdown(qemu.fd, SHUT_RDWR);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    ssize_t n = recv(fd, qemu.input + qemu.used, sizeof(qemu.input) - 1 - qemu.used, MSG_DONTWAIT);
    char *line = qemu.input, *end;

    if (n <= 0) {
        fake_qemu_end();
        return 0;
    }
    qemu.used += n;
    qemu.input[qemu.used] = '\0';
    for (; (end = strstr(line, "\r\n")); line = end + 2) {
        json_object *message;

        *end = '\0';
        message = json_tokener_parse(line);
        if (!message)
            abort(); /* we must not send what is no JSON */
        on_command(message);
        json_object_put(message);
    }
    qemu.used -= line - qemu.input;
    memmove(qemu.input, line, qemu.used);
    return 0;
}

void fake_qemu_start(Domain *domain, unsigned behaviour) {
    DomainJob job;
    int fds[2];

    fuzz_socketpair(fds);
    qemu.fd = fds[1];
    qemu.behaviour = behaviour;
    qemu.n_commands = qemu.used = 0;
    qemu.late[0] = '\0';
    for (unsigned i = 0; i < N_ENTITIES; i++)
        qemu.plugged[i] = i < 2;
    domain->run = domain_run_new(store_take_id(domain->services->store),
                                 domain_def_copy(domain->config));
    if (!domain->run || !domain->run->live ||
        qemu_assign_aliases(domain->run->live, domain->services->paths.lib) < 0 ||
        sd_event_add_io(fiber_event(), &qemu.io, qemu.fd, EPOLLIN, on_io, NULL) < 0 ||
        monitor_new(fds[0], "fake", &run_link_ops, domain, &domain->run->monitor) < 0)
        abort();
    store_note_run(domain->services->store, domain);
    domain_set_state(domain, DOMAIN_RUNNING, RUNNING_BOOTED);
    if (domain_job_begin(domain, &job, "start", NULL) < 0 || domain_refresh_vcpus(domain, NULL) < 0)
        abort();
    domain_job_end(domain, &job);
}

void fake_qemu_end(void) {
    if (qemu.fd < 0)
        return;
    qemu.io = sd_event_source_disable_unref(qemu.io);
    close(TAKE_FD(qemu.fd));
}
