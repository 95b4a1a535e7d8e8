/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU binary asked over QMP what it can do. */
#include "qemu/capabilities-internal.h"

#include "qemu/process.h"
#include "util/file.h"
#include "util/json.h"

#define PROBE_USEC (20 * USEC_PER_SEC)

static char *dup_member(json_object *object, const char *key) {
    const char *value = json_member_string(object, key);

    return value ? strdup(value) : NULL;
}

/* [{KEY: ...}, ...] as a sorted array of what the key says. */
static int read_words(json_object *list, const char *key, char ***ret, size_t *ret_n) {
    size_t n = json_length(list);
    char **names = calloc(n + 1, sizeof(char *));
    size_t used = 0;

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        names[used] = dup_member(json_object_array_get_idx(list, i), key);
        used += names[used] != NULL;
    }
    qemu_caps_sort(names, used);
    *ret = names;
    *ret_n = used;
    return 0;
}

static int read_names(json_object *list, char ***ret, size_t *ret_n) {
    return read_words(list, "name", ret, ret_n);
}

static int read_version(QemuCaps *caps, json_object *value) {
    json_object *qemu = json_member(value, "qemu");

    caps->major = (unsigned)json_member_uint(qemu, "major", 0);
    caps->minor = (unsigned)json_member_uint(qemu, "minor", 0);
    caps->micro = (unsigned)json_member_uint(qemu, "micro", 0);
    return qemu ? 0 : -EBADMSG;
}

static int read_machines(QemuCaps *caps, json_object *list) {
    size_t n = json_length(list);

    caps->machines = calloc(n + 1, sizeof(QemuMachine));
    if (!caps->machines)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        json_object *row = json_object_array_get_idx(list, i);
        QemuMachine *machine = &caps->machines[caps->n_machines];
        int64_t cpu_max = json_member_int(row, "cpu-max", 0);

        machine->name = dup_member(row, "name");
        if (!machine->name)
            continue;
        machine->alias = dup_member(row, "alias");
        machine->cpu_type = dup_member(row, "default-cpu-type");
        machine->cpu_max = cpu_max > 0 && cpu_max <= (int64_t)DOMAIN_MAX_VCPUS ? cpu_max : 1;
        machine->hotpluggable_cpus = json_member_bool(row, "hotpluggable-cpus", false);
        machine->is_default = json_member_bool(row, "is-default", false);
        machine->deprecated = json_member_bool(row, "deprecated", false);
        caps->n_machines++;
    }
    return 0;
}

static int read_arch(QemuCaps *caps, json_object *value) {
    caps->arch = dup_member(value, "arch");
    return caps->arch ? 0 : -EBADMSG;
}

static int read_kvm(QemuCaps *caps, json_object *value) {
    caps->has_kvm = json_member_bool(value, "present", false);
    return 0;
}

static int read_commands(QemuCaps *caps, json_object *value) {
    return read_names(value, &caps->commands, &caps->n_commands);
}

static int read_cpu_models(QemuCaps *caps, json_object *value) {
    return read_names(value, &caps->cpu_models, &caps->n_cpu_models);
}

/* What the binary's "-sandbox" can be told; each was there from the beginning of the option's
 * present form (QEMU's softmmu/qemu-seccomp.c), and nothing is when it was built without it. */
static int read_options(QemuCaps *caps, json_object *value) {
    for (size_t i = 0; i < json_length(value); i++) {
        json_object *row = json_object_array_get_idx(value, i);
        json_object *parameters = json_member(row, "parameters");

        if (!streq_ptr(json_member_string(row, "option"), "sandbox"))
            continue;
        for (size_t k = 0; k < json_length(parameters); k++)
            if (streq_ptr(json_member_string(json_object_array_get_idx(parameters, k), "name"),
                          "elevateprivileges"))
                caps->has_sandbox = true;
    }
    return 0;
}

static json_object *entity(json_object *schema, const char *name) {
    for (size_t i = 0; name && i < json_length(schema); i++) {
        json_object *row = json_object_array_get_idx(schema, i);

        if (streq_ptr(json_member_string(row, "name"), name))
            return row;
    }
    return NULL;
}

/* The displays are the cases of what query-display-options answers: QEMU's schema has a word of
 * -display only when it was built with it. */
static int read_schema(QemuCaps *caps, json_object *value) {
    json_object *command = entity(value, "query-display-options"),
                *options = entity(value, json_member_string(command, "ret-type"));

    return read_words(json_member(options, "variants"), "case", &caps->displays, &caps->n_displays);
}

static bool has_suffix(const char *text, const char *suffix) {
    size_t len = strlen(text), n = strlen(suffix);

    return len >= n && streq(text + len - n, suffix);
}

/* Machines and CPU models are lists of their own. */
static int read_types(QemuCaps *caps, json_object *value) {
    size_t used = 0;
    int r = read_names(value, &caps->types, &caps->n_types);

    for (size_t i = 0; r >= 0 && i < caps->n_types; i++)
        if (has_suffix(caps->types[i], "-machine") || has_suffix(caps->types[i], "-cpu"))
            free(caps->types[i]);
        else
            caps->types[used++] = caps->types[i];
    caps->n_types = used;
    return r;
}

static const struct {
    const char *command;
    int (*read)(QemuCaps *caps, json_object *value);
    bool optional;
} queries[] = {
    {"query-version", read_version, false},
    {"query-machines", read_machines, false},
    {"query-target", read_arch, false},
    {"query-kvm", read_kvm, true},
    {"query-commands", read_commands, false},
    {"qom-list-types", read_types, true},
    {"query-cpu-definitions", read_cpu_models, true},
    {"query-command-line-options", read_options, true},
    {"query-qmp-schema", read_schema, true},
};

static int ask_all(Monitor *monitor, uint64_t deadline, void *userdata, Error **reterr) {
    QemuCaps *caps = userdata;

    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        json_object *value = NULL;
        int r = monitor_run(monitor, queries[i].command, NULL, deadline, &value,
                            queries[i].optional ? NULL : reterr);

        if (r >= 0) {
            r = queries[i].read(caps, value);
            if (r < 0)
                error_report(reterr, FROM_QEMU, ERROR_INTERNAL, "%s: unexpected answer",
                             queries[i].command);
        } else if (queries[i].optional && monitor_is_open(monitor)) {
            r = 0;
        }
        json_object_put(value);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_alive(void *userdata) {
    return qemu_process_alive(userdata);
}

/* A conversation with a QEMU of machine "none" on its way. */
typedef struct Talk {
    QemuTalk func;
    void *userdata;
} Talk;

static int talk(const Talk *talk, const char *socket, QemuPid *pid, Error **reterr) {
    CLEANUP(monitor_freep) Monitor *monitor = NULL;
    uint64_t deadline = deadline_in(PROBE_USEC);
    int r;

    r = monitor_connect(socket, "probe", NULL, pid, is_alive, deadline, &monitor, reterr);
    if (r >= 0)
        r = monitor_handshake(monitor, deadline, reterr);
    return r < 0 ? r : talk->func(monitor, deadline, talk->userdata, reterr);
}

int qemu_probe_talk(const QemuProbe *probe, QemuTalk func, void *userdata, Error **reterr) {
    CLEANUP_FREE char *socket = strf("%s/%u.sock", probe->run_dir, probe->number);
    CLEANUP_FREE char *log = strf("%s/%u.log", probe->run_dir, probe->number);
    CLEANUP_FREE char *machine = strf("none,accel=%s", probe->accel);
    /* "-qmp" is what every QEMU takes: "-mon" is deprecated in those that have another way. */
    char *argv[] = {(char *)probe->binary,
                    "-S",
                    "-no-user-config",
                    "-nodefaults",
                    "-display",
                    "none",
                    "-machine",
                    machine,
                    "-chardev",
                    QEMU_MONITOR_CHARDEV,
                    "-qmp",
                    "chardev:charmonitor",
                    NULL};
    const Talk conversation = {func, userdata};
    QemuPid pid = {0};
    CLEANUP_CLOSE int listener = -1;
    int r;

    if (!socket || !log || !machine)
        return error_no_memory(reterr);
    r = monitor_listen(socket, &listener, reterr);
    if (r >= 0)
        r = qemu_process_spawn(&(QemuSpawn){.argv = argv,
                                            .log_path = log,
                                            .monitor_fd = listener,
                                            .monitor_path = socket,
                                            .is_probe = true,
                                            .confine = probe->confine},
                               &pid, reterr);
    if (r >= 0) {
        close(TAKE_FD(listener)); /* so that QEMU's end is seen */
        r = talk(&conversation, socket, &pid, reterr);
        if (r < 0) {
            CLEANUP_FREE char *tail = qemu_log_tail(log, 0, 1024);

            error_prefix(reterr, "cannot probe the emulator '%s'%s%s", probe->binary,
                         tail && *tail ? ": " : "", tail ? tail : "");
        }
        qemu_process_kill(&pid, 0);
    }
    unlink(socket);
    unlink(log);
    return r;
}

int qemu_caps_probe(const char *run_dir, unsigned number, const QemuConfine *confine,
                    QemuCaps *caps, Error **reterr) {
    const QemuProbe probe = {.run_dir = run_dir,
                             .number = number,
                             .confine = confine,
                             .binary = caps->binary,
                             .accel = "kvm:tcg"};

    return qemu_probe_talk(&probe, ask_all, caps, reterr);
}
