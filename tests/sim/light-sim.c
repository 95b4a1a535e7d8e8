/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU to vireod as tests/sim/vireo-sim is one, without faults and in a few hundred kilobytes, so
 * that a thousand of them run beside each other (tests/bench/fleet). x86_64, one thread per vCPU;
 * what a probe asks it does not know. */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define VCPUS_MAX 256
#define INPUT_MAX (1 << 20)

typedef struct Vcpu {
    pthread_t thread;
    int tid; /* 0: not there */
    char alias[24];
} Vcpu;

static Vcpu vcpus[VCPUS_MAX];
static int n_max = 1, client = -1;
static const char *uuid = "", *monitor = "";
static int running;
/* A migration to or from a file moves a few bytes and is complete at once. */
static const char *status = "paused";
static int moved, given = -1; /* the descriptor that came last */
static char device[24];       /* the alias of the one that is no CPU */

/* ---- vCPUs ---- */

static void *sleep_on(void *arg) {
    for (;;)
        pause();
    return arg;
}

static void plug(int id, const char *alias) {
    pthread_attr_t attributes;
    clockid_t clock;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&vcpus[id].thread, &attributes, sleep_on, NULL) != 0 ||
        pthread_getcpuclockid(vcpus[id].thread, &clock) != 0)
        exit(1);
    vcpus[id].tid = ~(clock >> 3); /* so the kernel makes a thread's clock of its id */
    snprintf(vcpus[id].alias, sizeof(vcpus[id].alias), "%s", alias);
    pthread_attr_destroy(&attributes);
}

/* The device that is no CPU has the number behind theirs. */
static int find(const char *alias) {
    if (*alias && strcmp(alias, device) == 0)
        return n_max;
    for (int id = 0; id < n_max; id++)
        if (vcpus[id].tid && *alias && strcmp(vcpus[id].alias, alias) == 0)
            return id;
    return -1;
}

/* ---- the monitor ---- */

static void say(const char *text) {
    for (size_t done = 0, len = strlen(text); client >= 0 && done < len;) {
        ssize_t n = send(client, text + done, len - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return;
        done += n > 0 ? n : 0;
    }
}

static void event(const char *name, const char *data) {
    struct timespec now;
    char text[512];

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(text, sizeof(text),
             "{\"timestamp\": {\"seconds\": %lld, \"microseconds\": %ld}, \"event\": \"%s\", "
             "\"data\": %s}\r\n",
             (long long)now.tv_sec, now.tv_nsec / 1000, name, data);
    say(text);
}

static void path_of(int id, char *ret, size_t size) {
    if (*vcpus[id].alias)
        snprintf(ret, size, "/machine/peripheral/%s", vcpus[id].alias);
    else
        snprintf(ret, size, "/machine/unattached/device[%d]", id);
}

static void hotpluggable(FILE *out) {
    char path[64];

    fputs("[", out);
    for (int id = n_max - 1; id >= 0; id--) {
        fprintf(out,
                "{\"props\": {\"core-id\": 0, \"thread-id\": 0, \"socket-id\": %d}, "
                "\"vcpus-count\": 1, \"type\": \"max-x86_64-cpu\"",
                id);
        path_of(id, path, sizeof(path));
        if (vcpus[id].tid)
            fprintf(out, ", \"qom-path\": \"%s\"", path);
        fputs(id ? "}, " : "}", out);
    }
    fputs("]", out);
}

static void fast(FILE *out) {
    const char *comma = "";
    char path[64];

    fputs("[", out);
    for (int id = 0; id < n_max; id++) {
        if (!vcpus[id].tid)
            continue;
        path_of(id, path, sizeof(path));
        fprintf(out,
                "%s{\"thread-id\": %d, \"props\": {\"core-id\": 0, \"thread-id\": 0, "
                "\"socket-id\": %d}, \"qom-path\": \"%s\", \"cpu-index\": %d, \"target\": "
                "\"x86_64\"}",
                comma, vcpus[id].tid, id, path, id);
        comma = ", ";
    }
    fputs("]", out);
}

static const char *text_of(json_object *arguments, const char *name) {
    json_object *value = NULL;

    return json_object_object_get_ex(arguments, name, &value) ? json_object_get_string(value) : "";
}

/* NULL, or what is wrong. */
static const char *add(json_object *arguments) {
    const char *alias = text_of(arguments, "id");
    int id = atoi(text_of(arguments, "socket-id"));

    if (!json_object_object_get_ex(arguments, "socket-id", NULL)) {
        snprintf(device, sizeof(device), "%s", alias);
        return NULL;
    }
    if (id < 0 || id >= n_max || vcpus[id].tid)
        return "no such CPU, or it exists";
    plug(id, alias);
    return NULL;
}

static void has_gone(int id) {
    char data[160], path[64];

    if (id == n_max) {
        snprintf(data, sizeof(data), "{\"device\": \"%s\", \"path\": \"/machine/peripheral/%s\"}",
                 device, device);
        *device = '\0';
        event("DEVICE_DELETED", data);
        return;
    }
    path_of(id, path, sizeof(path));
    snprintf(data, sizeof(data), "{\"path\": \"%s/lapic\"}", path);
    event("DEVICE_DELETED", data);
    snprintf(data, sizeof(data), "{\"device\": \"%s\", \"path\": \"%s\"}", vcpus[id].alias, path);
    pthread_cancel(vcpus[id].thread);
    vcpus[id] = (Vcpu){0};
    event("DEVICE_DELETED", data);
}

/* The value of "return", or "error" and why. */
static void answer(FILE *out, const char *name, json_object *arguments, int *ret_gone) {
    const char *wrong = NULL;

    if (strcmp(name, "query-hotpluggable-cpus") == 0 || strcmp(name, "query-cpus-fast") == 0) {
        fputs("{\"return\": ", out);
        (name[6] == 'h' ? hotpluggable : fast)(out);
    } else if (strcmp(name, "query-status") == 0) {
        fprintf(out, "{\"return\": {\"status\": \"%s\", \"singlestep\": false, \"running\": %s}",
                running ? "running" : status, running ? "true" : "false");
    } else if (strcmp(name, "query-uuid") == 0) {
        fprintf(out, "{\"return\": {\"UUID\": \"%s\"}", uuid);
    } else if (strcmp(name, "query-chardev") == 0) {
        fprintf(out,
                "{\"return\": [{\"frontend-open\": true, \"filename\": \"unix:%s,server=on\", "
                "\"label\": \"charmonitor\"}]",
                monitor);
    } else if (strncmp(name, "query-iothreads", 15) == 0) {
        fputs("{\"return\": []", out);
    } else if (strcmp(name, "query-migrate") == 0) {
        fprintf(out, "{\"return\": {\"status\": \"%s\"}", moved ? "completed" : "none");
    } else if (strcmp(name, "add-fd") == 0) {
        fputs("{\"return\": {\"fdset-id\": 0, \"fd\": 0}", out);
    } else {
        if (strcmp(name, "device_add") == 0)
            wrong = add(arguments);
        else if (strcmp(name, "device_del") == 0)
            wrong = (*ret_gone = find(text_of(arguments, "id"))) < 0 ? "no such device" : NULL;
        else if (strncmp(name, "query-", 6) == 0 || strncmp(name, "qom-", 4) == 0)
            wrong = "it has none";
        if (wrong)
            fprintf(out, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"%s\"}", wrong);
        else
            fputs("{\"return\": {}", out);
    }
}

/* Its bytes, and a descriptor that comes with them. */
static ssize_t hear(char *input, size_t size) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {input, size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(client, &message, 0);

    for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL; c;
         c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_type == SCM_RIGHTS) {
            close(given);
            memcpy(&given, CMSG_DATA(c), sizeof(given));
        }
    return n;
}

static void move(int outgoing, const char *uri) {
    const char *offset = strstr(uri, "offset=");
    char bytes[] = "the memory of a light guest";

    if (outgoing && (offset ? pwrite(given, bytes, sizeof(bytes), atoll(offset + 7))
                            : write(given, bytes, sizeof(bytes))) != sizeof(bytes))
        exit(1);
    close(given);
    given = -1;
    moved = 1;
    status = outgoing ? "postmigrate" : "paused";
    running = 0;
    event("MIGRATION", "{\"status\": \"completed\"}");
}

static void command(const char *line) {
    json_object *message = json_tokener_parse(line), *id = NULL, *arguments = NULL;
    const char *name = message ? text_of(message, "execute") : "";
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int gone = -1;

    json_object_object_get_ex(message, "arguments", &arguments);
    answer(out, name, arguments, &gone);
    if (json_object_object_get_ex(message, "id", &id))
        fprintf(out, ", \"id\": %s", json_object_to_json_string(id));
    fputs("}\r\n", out);
    fclose(out);
    say(text);
    free(text);
    if (strcmp(name, "cont") == 0 || strcmp(name, "stop") == 0) {
        running = *name == 'c';
        event(running ? "RESUME" : "STOP", "{}");
    }
    if (strcmp(name, "migrate") == 0 || strcmp(name, "migrate-incoming") == 0)
        move(name[7] == '\0', text_of(arguments, "uri"));
    if (gone >= 0)
        has_gone(gone);
    if (strcmp(name, "quit") == 0)
        exit(0);
    json_object_put(message);
}

static void serve(void) {
    static char input[INPUT_MAX + 1];
    size_t n = 0;
    ssize_t got;

    say("{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, \"major\": 9}, "
        "\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n");
    while ((got = hear(input + n, INPUT_MAX - n)) > 0) {
        char *line = input, *end;

        input[n += got] = '\0';
        while ((end = strchr(line, '\n'))) {
            *end = '\0';
            command(line);
            line = end + 1;
        }
        n -= line - input;
        memmove(input, line, n);
    }
}

/* ---- the command line ---- */

static int number(const char *text, const char *key, int otherwise) {
    const char *at = strstr(text, key);

    return at ? atoi(at + strlen(key)) : otherwise;
}

/* A vCPU or a random number generator of the command line, as where a save is restored. */
static void plug_given(const char *option, const char *value) {
    const char *alias = strstr(value, "\"id\":\"");
    int id = number(value, "\"socket-id\":", -1);
    char name[24] = "";

    if (strcmp(option, "-device") != 0 || !alias)
        return;
    sscanf(alias + 6, "%23[^\"]", name);
    if (strstr(value, "virtio-rng"))
        memcpy(device, name, sizeof(device));
    else if (id >= 0 && id < n_max)
        plug(id, name);
}

int main(int argc, char **argv) {
    int listener = -1, n_boot = 1;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "-smp") == 0) {
            n_boot = atoi(value);
            n_max = number(value, "maxcpus=", n_boot);
        } else if (strcmp(argv[i], "-incoming") == 0) {
            status = "inmigrate";
        } else if (strcmp(argv[i], "-uuid") == 0) {
            uuid = value;
        } else if (strcmp(argv[i], "-chardev") == 0 && strstr(value, "id=charmonitor")) {
            listener = number(value, "fd=", -1);
        }
    }
    if (listener < 0 || n_max > VCPUS_MAX || getenv("VIREO_MONITOR") == NULL)
        return 1;
    monitor = getenv("VIREO_MONITOR");
    for (int id = 0; id < n_boot; id++)
        plug(id, "");
    for (int i = 1; i + 1 < argc; i++)
        plug_given(argv[i], argv[i + 1]);
    for (;;) {
        struct pollfd ready = {.fd = listener,
                               .events = POLLIN}; /* it does not block: QEMU's must not */

        poll(&ready, 1, -1);
        client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        serve();
        close(client);
        client = -1;
    }
}
