/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a binary can do, as a JSON file. A file of another format, of another size or time of the
 * binary, or that is not whole, is none. */
#include "qemu/capabilities-internal.h"

#include <sys/stat.h>

#include "util/file.h"
#include "util/json.h"
#include "util/worker.h"

#define FORMAT 4 /* another one is not read: the binary is asked again */
#define FILE_MAX (4u << 20)

/* ---- writing ---- */

static int add_strings(json_object *to, const char *key, char *const *strings, size_t n) {
    CLEANUP_JSON json_object *list = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        if (!list || json_append_string(list, strings[i]) < 0)
            return -ENOMEM;
    return json_add(to, key, TAKE_PTR(list));
}

static json_object *build_machine(const QemuMachine *machine) {
    CLEANUP_JSON json_object *row = json_object_new_object();

    if (!row || json_add_string(row, "name", machine->name) < 0 ||
        (machine->alias && json_add_string(row, "alias", machine->alias) < 0) ||
        (machine->cpu_type && json_add_string(row, "cpu-type", machine->cpu_type) < 0) ||
        json_add_uint(row, "cpu-max", machine->cpu_max) < 0 ||
        json_add_bool(row, "hotpluggable-cpus", machine->hotpluggable_cpus) < 0 ||
        json_add_bool(row, "is-default", machine->is_default) < 0 ||
        json_add_bool(row, "deprecated", machine->deprecated) < 0)
        return NULL;
    return TAKE_PTR(row);
}

static int add_machines(json_object *to, const QemuCaps *caps) {
    CLEANUP_JSON json_object *list = json_object_new_array();

    for (size_t i = 0; i < caps->n_machines; i++)
        if (!list || json_append(list, build_machine(&caps->machines[i])) < 0)
            return -ENOMEM;
    return json_add(to, "machines", TAKE_PTR(list));
}

static json_object *build(const QemuCaps *caps) {
    CLEANUP_JSON json_object *all = json_object_new_object();

    if (!all || json_add_int(all, "format", FORMAT) < 0 ||
        json_add_string(all, "binary", caps->binary) < 0 ||
        json_add_int(all, "size", caps->binary_size) < 0 ||
        json_add_int(all, "mtime-sec", caps->binary_mtime.tv_sec) < 0 ||
        json_add_int(all, "mtime-nsec", caps->binary_mtime.tv_nsec) < 0 ||
        json_add_string(all, "arch", caps->arch) < 0 ||
        json_add_uint(all, "major", caps->major) < 0 ||
        json_add_uint(all, "minor", caps->minor) < 0 ||
        json_add_uint(all, "micro", caps->micro) < 0 ||
        json_add_bool(all, "kvm", caps->has_kvm) < 0 ||
        json_add_bool(all, "sandbox", caps->has_sandbox) < 0 || add_machines(all, caps) < 0 ||
        add_strings(all, "commands", caps->commands, caps->n_commands) < 0 ||
        add_strings(all, "types", caps->types, caps->n_types) < 0 ||
        add_strings(all, "cpu-models", caps->cpu_models, caps->n_cpu_models) < 0 ||
        add_strings(all, "displays", caps->displays, caps->n_displays) < 0)
        return NULL;
    return TAKE_PTR(all);
}

int qemu_caps_save(const char *path, const QemuCaps *caps) {
    CLEANUP_JSON json_object *all = build(caps);
    CLEANUP_FREE char *text = all ? json_text(all) : NULL, *directory = strdup(path);
    int r;

    if (!text || !directory)
        return -ENOMEM;
    *strrchr(directory, '/') = '\0';
    r = dir_make(directory, 0755);
    return r < 0 ? r : file_write_atomic_worker(path, text, strlen(text), 0644);
}

/* ---- reading ---- */

static int read_strings(json_object *all, const char *key, char ***ret, size_t *ret_n) {
    json_object *list = json_member(all, key);
    size_t n = json_length(list);
    char **strings = calloc(n + 1, sizeof(char *));

    if (!strings)
        return -ENOMEM;
    *ret = strings;
    for (size_t i = 0; i < n; i++) {
        json_object *value = json_object_array_get_idx(list, i);

        if (!json_object_is_type(value, json_type_string))
            return -EBADMSG;
        strings[i] = strdup(json_object_get_string(value));
        if (!strings[i])
            return -ENOMEM;
        (*ret_n)++;
    }
    return 0;
}

static int read_machine(json_object *row, QemuMachine *machine) {
    const char *name = json_member_string(row, "name"), *alias = json_member_string(row, "alias"),
               *cpu_type = json_member_string(row, "cpu-type");

    if (!name)
        return -EBADMSG;
    machine->name = strdup(name);
    machine->alias = alias ? strdup(alias) : NULL;
    machine->cpu_type = cpu_type ? strdup(cpu_type) : NULL;
    machine->cpu_max = (unsigned)json_member_uint(row, "cpu-max", 1);
    machine->hotpluggable_cpus = json_member_bool(row, "hotpluggable-cpus", false);
    machine->is_default = json_member_bool(row, "is-default", false);
    machine->deprecated = json_member_bool(row, "deprecated", false);
    return machine->name && (machine->alias || !alias) && (machine->cpu_type || !cpu_type)
               ? 0
               : -ENOMEM;
}

static int read_machines(json_object *all, QemuCaps *caps) {
    json_object *list = json_member(all, "machines");
    size_t n = json_length(list);
    int r = 0;

    caps->machines = calloc(n + 1, sizeof(QemuMachine));
    if (!caps->machines)
        return -ENOMEM;
    for (size_t i = 0; i < n && r >= 0; i++)
        r = read_machine(json_object_array_get_idx(list, i), &caps->machines[caps->n_machines++]);
    return r;
}

static bool is_of_binary(json_object *all, const QemuCaps *caps) {
    const char *binary = json_member_string(all, "binary");

    return json_member_int(all, "format", 0) == FORMAT && streq_ptr(binary, caps->binary) &&
           json_member_int(all, "size", -1) == caps->binary_size &&
           json_member_int(all, "mtime-sec", -1) == caps->binary_mtime.tv_sec &&
           json_member_int(all, "mtime-nsec", -1) == caps->binary_mtime.tv_nsec;
}

static int read_all(json_object *all, QemuCaps *caps) {
    const char *arch = json_member_string(all, "arch");
    int r;

    if (!is_of_binary(all, caps))
        return -ESTALE;
    if (!arch)
        return -EBADMSG;
    caps->arch = strdup(arch);
    caps->major = (unsigned)json_member_uint(all, "major", 0);
    caps->minor = (unsigned)json_member_uint(all, "minor", 0);
    caps->micro = (unsigned)json_member_uint(all, "micro", 0);
    caps->has_kvm = json_member_bool(all, "kvm", false);
    caps->has_sandbox = json_member_bool(all, "sandbox", false);
    r = caps->arch ? read_machines(all, caps) : -ENOMEM;
    if (r >= 0)
        r = read_strings(all, "commands", &caps->commands, &caps->n_commands);
    if (r >= 0)
        r = read_strings(all, "types", &caps->types, &caps->n_types);
    if (r >= 0)
        r = read_strings(all, "cpu-models", &caps->cpu_models, &caps->n_cpu_models);
    if (r >= 0)
        r = read_strings(all, "displays", &caps->displays, &caps->n_displays);
    return r;
}

typedef struct Read {
    const char *path;
    char *text;
    size_t len;
} Read;

static int run_read(void *arg) {
    Read *work = arg;

    return file_read(work->path, FILE_MAX, &work->text, &work->len);
}

int qemu_caps_load(const char *path, QemuCaps *caps) {
    Read work = {.path = path};
    CLEANUP_JSON json_object *all = NULL;
    int r = worker_run(run_read, &work);

    if (r >= 0)
        r = json_parse(work.text, work.len, &all);
    free(work.text);
    return r < 0 ? r : read_all(all, caps);
}
