/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probing a QEMU binary over QMP, and the cache of what came out. */
#include "qemu/capabilities.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "qemu/process.h"
#include "util/file.h"
#include "util/json.h"
#include "util/log.h"
#include "util/path-owner.h"

#define PROBE_USEC (20 * USEC_PER_SEC)

typedef struct CacheEntry {
    struct CacheEntry *next;
    char *binary;
    struct timespec mtime;
    off_t size;
    QemuCaps *caps; /* NULL while the probe runs */
    bool probing;
    FiberCond cond;
} CacheEntry;

struct QemuCapsCache {
    char *run_dir;
    unsigned n_probes;
    CacheEntry *entries;
};

QemuCaps *qemu_caps_ref(QemuCaps *caps) {
    caps->n_refs++;
    return caps;
}

static void free_strings(char **strings, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(strings[i]);
    free(strings);
}

void qemu_caps_unref(QemuCaps *caps) {
    if (!caps || --caps->n_refs > 0)
        return;
    for (size_t i = 0; i < caps->n_machines; i++) {
        free(caps->machines[i].name);
        free(caps->machines[i].alias);
    }
    free(caps->machines);
    free_strings(caps->commands, caps->n_commands);
    free_strings(caps->cpu_models, caps->n_cpu_models);
    free(caps->binary);
    free(caps->arch);
    free(caps);
}

int qemu_caps_cache_new(const char *run_dir, QemuCapsCache **ret) {
    QemuCapsCache *cache = calloc(1, sizeof(QemuCapsCache));

    if (cache)
        cache->run_dir = strdup(run_dir);
    if (!cache || !cache->run_dir) {
        free(cache);
        return -ENOMEM;
    }
    *ret = cache;
    return 0;
}

void qemu_caps_cache_free(QemuCapsCache *cache) {
    while (cache->entries) {
        CacheEntry *entry = cache->entries;

        cache->entries = entry->next;
        qemu_caps_unref(entry->caps);
        fiber_cond_done(&entry->cond);
        free(entry->binary);
        free(entry);
    }
    free(cache->run_dir);
    free(cache);
}

static char *dup_member(json_object *object, const char *key) {
    const char *value = json_member_string(object, key);

    return value ? strdup(value) : NULL;
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* [{"name": ...}, ...] into a sorted array of names. */
static int read_names(json_object *list, char ***ret, size_t *ret_n) {
    size_t n = json_length(list);
    char **names = calloc(n + 1, sizeof(char *));
    size_t used = 0;

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        names[used] = dup_member(json_object_array_get_idx(list, i), "name");
        used += names[used] != NULL;
    }
    qsort(names, used, sizeof(char *), compare_strings);
    *ret = names;
    *ret_n = used;
    return 0;
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
    caps->kvm = json_member_bool(value, "present", false) && access("/dev/kvm", R_OK | W_OK) == 0;
    return 0;
}

static int read_commands(QemuCaps *caps, json_object *value) {
    int r = read_names(value, &caps->commands, &caps->n_commands);

    caps->cpu_add = r >= 0 && qemu_caps_has_command(caps, "cpu-add");
    return r;
}

static int read_cpu_models(QemuCaps *caps, json_object *value) {
    return read_names(value, &caps->cpu_models, &caps->n_cpu_models);
}

static const struct {
    const char *command;
    int (*read)(QemuCaps *caps, json_object *value);
    bool optional;
} queries[] = {
    {"query-version", read_version, false},   {"query-machines", read_machines, false},
    {"query-target", read_arch, false},       {"query-kvm", read_kvm, true},
    {"query-commands", read_commands, false}, {"query-cpu-definitions", read_cpu_models, true},
};

static int ask_all(QemuCaps *caps, Monitor *monitor, uint64_t deadline, Error **reterr) {
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

static int talk(QemuCaps *caps, const char *socket, QemuPid *pid, Error **reterr) {
    CLEANUP(monitor_freep) Monitor *monitor = NULL;
    uint64_t deadline = deadline_in(PROBE_USEC);
    int r;

    r = monitor_connect(socket, "probe", NULL, pid, is_alive, deadline, &monitor, reterr);
    if (r >= 0)
        r = monitor_handshake(monitor, deadline, reterr);
    if (r >= 0)
        r = ask_all(caps, monitor, deadline, reterr);
    return r;
}

static int probe(QemuCapsCache *cache, QemuCaps *caps, Error **reterr) {
    CLEANUP_FREE char *socket = strf("%s/%u.sock", cache->run_dir, ++cache->n_probes);
    CLEANUP_FREE char *log = strf("%s/%u.log", cache->run_dir, cache->n_probes);
    char *argv[] = {caps->binary,
                    "-S",
                    "-no-user-config",
                    "-nodefaults",
                    "-display",
                    "none",
                    "-machine",
                    "none,accel=kvm:tcg",
                    "-chardev",
                    QEMU_MONITOR_CHARDEV,
                    "-mon",
                    "chardev=charmonitor,id=monitor,mode=control",
                    NULL};
    QemuPid pid = {0};
    CLEANUP_CLOSE int listener = -1;
    int r;

    if (!socket || !log)
        return error_no_memory(reterr);
    r = monitor_listen(socket, &listener, reterr);
    if (r >= 0)
        r = qemu_process_spawn(&(QemuSpawn){.argv = argv,
                                            .log_path = log,
                                            .monitor_fd = listener,
                                            .monitor_path = socket,
                                            .is_probe = true},
                               &pid, reterr);
    if (r >= 0) {
        close(TAKE_FD(listener)); /* so that QEMU's end is seen */
        r = talk(caps, socket, &pid, reterr);
        if (r < 0) {
            CLEANUP_FREE char *tail = qemu_log_tail(log, 0, 1024);

            error_prefix(reterr, "cannot probe the emulator '%s'%s%s", caps->binary,
                         tail && *tail ? ": " : "", tail ? tail : "");
        }
        qemu_process_kill(&pid, 0);
    }
    unlink(socket);
    unlink(log);
    return r;
}

static CacheEntry *find(QemuCapsCache *cache, const char *binary) {
    CacheEntry *entry;

    for (entry = cache->entries; entry && !streq(entry->binary, binary); entry = entry->next)
        ;
    if (entry)
        return entry;
    entry = calloc(1, sizeof(CacheEntry));
    if (entry)
        entry->binary = strdup(binary);
    if (!entry || !entry->binary) {
        free(entry);
        return NULL;
    }
    entry->next = cache->entries;
    cache->entries = entry;
    return entry;
}

static bool is_fresh(const CacheEntry *entry, const struct stat *info) {
    return entry->caps && entry->size == info->st_size &&
           entry->mtime.tv_sec == info->st_mtim.tv_sec &&
           entry->mtime.tv_nsec == info->st_mtim.tv_nsec;
}

int qemu_caps_get(QemuCapsCache *cache, const char *binary, QemuCaps **ret, Error **reterr) {
    CacheEntry *entry;
    struct stat info;
    QemuCaps *caps;
    int r;

    if (stat(binary, &info) < 0 || access(binary, X_OK) < 0)
        return error_system(reterr, FROM_QEMU, errno, "cannot run the emulator '%s'", binary);
    if (*binary != '/')
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the emulator '%s' is no absolute path", binary);
    r = path_check_owner(binary, "the emulator", reterr);
    if (r < 0)
        return r;
    entry = find(cache, binary);
    if (!entry)
        return error_no_memory(reterr);
    while (entry->probing)
        fiber_cond_wait(&entry->cond, USEC_FOREVER);
    if (is_fresh(entry, &info)) {
        *ret = qemu_caps_ref(entry->caps);
        return 0;
    }
    caps = calloc(1, sizeof(QemuCaps));
    if (!caps)
        return error_no_memory(reterr);
    caps->n_refs = 1;
    caps->binary = strdup(binary);
    entry->probing = true;
    r = caps->binary ? probe(cache, caps, reterr) : error_no_memory(reterr);
    entry->probing = false;
    fiber_cond_broadcast(&entry->cond);
    if (r < 0) {
        qemu_caps_unref(caps);
        return r;
    }
    qemu_caps_unref(entry->caps);
    entry->caps = caps;
    entry->mtime = info.st_mtim;
    entry->size = info.st_size;
    *ret = qemu_caps_ref(caps);
    return 0;
}

char *qemu_default_emulator(const char *arch) {
    static const struct {
        const char *arch, *suffix;
    } known[] = {{"x86_64", "x86_64"},  {"i686", "i386"},     {"i386", "i386"},
                 {"ppc64", "ppc64"},    {"ppc64le", "ppc64"}, {"s390x", "s390x"},
                 {"aarch64", "aarch64"}};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (streq(known[i].arch, arch))
            return strf("/usr/bin/qemu-system-%s", known[i].suffix);
    return NULL;
}

const QemuMachine *qemu_caps_machine(const QemuCaps *caps, const char *name) {
    for (size_t i = 0; i < caps->n_machines; i++) {
        const QemuMachine *machine = &caps->machines[i];

        if (name ? streq(machine->name, name) || streq_ptr(machine->alias, name)
                 : machine->is_default)
            return machine;
    }
    return NULL;
}

bool qemu_caps_has_command(const QemuCaps *caps, const char *command) {
    return bsearch(&command, caps->commands, caps->n_commands, sizeof(char *), compare_strings) !=
           NULL;
}
