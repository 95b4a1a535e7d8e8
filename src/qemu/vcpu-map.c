/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joins query-hotpluggable-cpus with query-cpus-fast. */
#include "qemu/vcpu-map.h"

#include <stdio.h>

#include "util/file.h"
#include "util/json.h"

#define PERIPHERAL "/machine/peripheral/"

/* From the outside to the inside: as QEMU counts its possible CPUs through. */
static const char *const topology_keys[] = {"drawer-id",  "book-id",   "socket-id", "die-id",
                                            "cluster-id", "module-id", "core-id",   "thread-id"};
static_assert(ARRAY_SIZE(topology_keys) == VCPU_TOPOLOGY_LEVELS, "a level without a name");

static void entity_done(VcpuEntity *entity) {
    free(entity->type);
    free(entity->qom_path);
    free(entity->alias);
    free(entity->props);
    *entity = (VcpuEntity){0};
}

void vcpu_map_done(VcpuMap *map) {
    for (size_t i = 0; i < map->n_entities; i++)
        entity_done(&map->entities[i]);
    free(map->entities);
    free(map->tids);
    *map = (VcpuMap){0};
}

static int compare_topology(const void *a, const void *b) {
    const VcpuEntity *x = a, *y = b;

    for (size_t i = 0; i < ARRAY_SIZE(topology_keys); i++)
        if (x->topology[i] != y->topology[i])
            return x->topology[i] < y->topology[i] ? -1 : 1;
    return 0;
}

/* One row of query-hotpluggable-cpus. */
static int parse_entity(json_object *row, VcpuEntity *entity, Error **reterr) {
    json_object *props = NULL;
    const char *type = json_member_string(row, "type");
    const char *path = json_member_string(row, "qom-path");
    int64_t count = json_member_int(row, "vcpus-count", 1);

    if (!type || !json_object_object_get_ex(row, "props", &props) ||
        !json_object_is_type(props, json_type_object))
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "query-hotpluggable-cpus: an entry has no type or props");
    if (count < 1 || count > DOMAIN_MAX_VCPUS)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "query-hotpluggable-cpus: vcpus-count %lld is out of range",
                            (long long)count);
    entity->type = strdup(type);
    entity->props = json_text(props);
    entity->n_vcpus = count;
    for (size_t i = 0; i < ARRAY_SIZE(topology_keys); i++)
        entity->topology[i] = json_member_int(props, topology_keys[i], -1);
    if (path) {
        entity->qom_path = strdup(path);
        if (!entity->qom_path)
            return error_no_memory(reterr);
        if (strncmp(path, PERIPHERAL, strlen(PERIPHERAL)) == 0) {
            entity->alias = strdup(path + strlen(PERIPHERAL));
            if (!entity->alias)
                return error_no_memory(reterr);
        }
    }
    return entity->type && entity->props ? 0 : error_no_memory(reterr);
}

/* qom-path of a thread object -> the entity's: POWER cores list ".../thread[0]" children. */
static size_t entity_path_length(const char *path) {
    const char *thread = strstr(path, "/thread[");

    return thread ? (size_t)(thread - path) : strlen(path);
}

/* Which of the core's threads: the N of ".../thread[N]"; a path without one is the next. */
static unsigned thread_of_path(const char *path, unsigned next) {
    const char *thread = path + entity_path_length(path);
    unsigned n;

    return sscanf(thread, "/thread[%u]", &n) == 1 ? n : next;
}

typedef struct PathRow {
    const char *path;
    size_t len;
    VcpuEntity *entity;
    unsigned n_seen;
} PathRow;

static int compare_rows(const void *a, const void *b) {
    const PathRow *x = a, *y = b;
    size_t n = MIN_OF(x->len, y->len);
    int c = memcmp(x->path, y->path, n);

    return c ? c : (x->len > y->len) - (x->len < y->len);
}

static int compare_pids(const void *a, const void *b) {
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

    return (x > y) - (x < y);
}

/* Distinct thread ids, none of them the emulator's own: else QEMU runs several vCPUs on one thread
 * (TCG thread=single) and nothing can be done to a vCPU's thread. */
static int look_at_tids(VcpuMap *map, pid_t pid, Error **reterr) {
    CLEANUP_FREE pid_t *sorted = malloc(sizeof(pid_t) * (map->n_vcpus + 1));
    unsigned n = 0;

    if (!sorted)
        return error_no_memory(reterr);
    for (unsigned i = 0; i < map->n_vcpus; i++)
        if (map->tids[i])
            sorted[n++] = map->tids[i];
    qsort(sorted, n, sizeof(pid_t), compare_pids);
    map->has_tids = n > 0;
    for (unsigned i = 0; i < n; i++)
        if (sorted[i] == pid || (i > 0 && sorted[i] == sorted[i - 1]))
            map->has_tids = false;
    return 0;
}

static bool valid_tid(int64_t tid) {
    return tid > 0 && tid <= INT32_MAX;
}

/* Fills tids[] from query-cpus-fast; also drops plugged entities no thread of which runs any more:
 * under TCG a removed CPU's object can linger while query-cpus-fast already left it out. */
static int join_threads(VcpuMap *map, json_object *fast, pid_t pid, Error **reterr) {
    CLEANUP_FREE PathRow *rows = calloc(map->n_entities + 1, sizeof(PathRow));
    unsigned order = 0;
    size_t n_rows = 0;

    if (!rows)
        return error_no_memory(reterr);
    for (size_t i = 0; i < map->n_entities; i++)
        if (map->entities[i].qom_path)
            rows[n_rows++] = (PathRow){.path = map->entities[i].qom_path,
                                       .len = strlen(map->entities[i].qom_path),
                                       .entity = &map->entities[i]};
    qsort(rows, n_rows, sizeof(PathRow), compare_rows);

    for (size_t i = 0; i < json_object_array_length(fast); i++) {
        json_object *cpu = json_object_array_get_idx(fast, i);
        const char *path = json_member_string(cpu, "qom-path");
        int64_t tid = json_member_int(cpu, "thread-id", 0);
        PathRow key, *row;
        unsigned thread;

        if (!path)
            continue;
        key = (PathRow){.path = path, .len = entity_path_length(path)};
        row = bsearch(&key, rows, n_rows, sizeof(PathRow), compare_rows);
        if (!row)
            continue;
        thread = thread_of_path(path, row->n_seen);
        if (thread >= row->entity->n_vcpus)
            continue;
        if (row->n_seen++ == 0)
            row->entity->order = ++order;
        map->tids[row->entity->first_id + thread] = valid_tid(tid) ? tid : 0;
    }
    for (size_t i = 0; i < n_rows; i++)
        if (rows[i].n_seen == 0) {
            VcpuEntity *entity = rows[i].entity;

            free(TAKE_PTR(entity->qom_path));
            free(TAKE_PTR(entity->alias));
        }
    return look_at_tids(map, pid, reterr);
}

static int parse_entities(json_object *hotpluggable, VcpuMap *map, Error **reterr) {
    size_t n = json_object_array_length(hotpluggable);
    uint64_t total = 0;
    int r;

    map->entities = calloc(n + 1, sizeof(VcpuEntity));
    if (!map->entities)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++) {
        map->n_entities++;
        r = parse_entity(json_object_array_get_idx(hotpluggable, i), &map->entities[i], reterr);
        if (r < 0)
            return r;
        total += map->entities[i].n_vcpus;
    }
    if (total == 0 || total > DOMAIN_MAX_VCPUS)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "query-hotpluggable-cpus: %llu vCPUs are out of range",
                            (unsigned long long)total);
    qsort(map->entities, n, sizeof(VcpuEntity), compare_topology);
    for (size_t i = 0; i < n; i++) {
        map->entities[i].first_id = map->n_vcpus;
        map->n_vcpus += map->entities[i].n_vcpus;
    }
    map->tids = calloc(map->n_vcpus, sizeof(pid_t));
    return map->tids ? 0 : error_no_memory(reterr);
}

int vcpu_map_build(json_object *hotpluggable, json_object *fast, pid_t pid, VcpuMap *ret,
                   Error **reterr) {
    CLEANUP(vcpu_map_done) VcpuMap map = {0};
    int r;

    if (!json_object_is_type(hotpluggable, json_type_array) ||
        !json_object_is_type(fast, json_type_array))
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL, "QEMU's CPU lists are not arrays");
    r = parse_entities(hotpluggable, &map, reterr);
    if (r < 0)
        return r;
    r = join_threads(&map, fast, pid, reterr);
    if (r < 0)
        return r;
    *ret = map;
    map = (VcpuMap){0};
    return 0;
}

/* Entities of one vCPU each, by index: those of `fast`, and up to `n` that are not there. */
static int build_by_index(json_object *fast, unsigned n, VcpuMap *map, Error **reterr) {
    map->entities = calloc(n, sizeof(VcpuEntity));
    map->tids = calloc(n, sizeof(pid_t));
    if (!map->entities || !map->tids)
        return error_no_memory(reterr);
    map->n_entities = map->n_vcpus = n;
    for (unsigned i = 0; i < n; i++)
        map->entities[i] = (VcpuEntity){.first_id = i, .n_vcpus = 1};
    for (size_t i = 0; i < json_object_array_length(fast); i++) {
        json_object *cpu = json_object_array_get_idx(fast, i);
        const char *path = json_member_string(cpu, "qom-path");
        int64_t tid = json_member_int(cpu, "thread-id", json_member_int(cpu, "thread_id", 0));

        if (!path)
            path = json_member_string(cpu, "qom_path"); /* query-cpus wrote so */
        map->entities[i].order = i + 1;
        map->entities[i].qom_path = strdup(path ? path : "");
        if (!map->entities[i].qom_path)
            return error_no_memory(reterr);
        map->tids[i] = valid_tid(tid) ? tid : 0;
    }
    return 0;
}

static int build_untyped(json_object *fast, pid_t pid, unsigned max, bool cpu_add, VcpuMap *ret,
                         Error **reterr) {
    CLEANUP(vcpu_map_done) VcpuMap map = {0};
    size_t n;
    int r;

    if (!json_object_is_type(fast, json_type_array) || json_object_array_length(fast) == 0 ||
        json_object_array_length(fast) > DOMAIN_MAX_VCPUS)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "query-cpus-fast: not a usable list of CPUs");
    n = json_object_array_length(fast);
    r = build_by_index(fast, MAX_OF(n, (size_t)max), &map, reterr);
    if (r < 0)
        return r;
    for (size_t i = 0; i < map.n_entities; i++)
        map.entities[i].cpu_add = cpu_add;
    r = look_at_tids(&map, pid, reterr);
    if (r < 0)
        return r;
    *ret = map;
    map = (VcpuMap){0};
    return 0;
}

int vcpu_map_build_static(json_object *fast, pid_t pid, VcpuMap *ret, Error **reterr) {
    return build_untyped(fast, pid, 0, false, ret, reterr);
}

int vcpu_map_build_cpu_add(json_object *fast, pid_t pid, unsigned max, VcpuMap *ret,
                           Error **reterr) {
    assert(max <= DOMAIN_MAX_VCPUS);
    return build_untyped(fast, pid, max, true, ret, reterr);
}

pid_t vcpu_map_tid(const VcpuMap *map, unsigned id) {
    return map->has_tids && id < map->n_vcpus ? map->tids[id] : 0;
}

bool vcpu_map_has_hotplug(const VcpuMap *map) {
    return map->n_entities > 0 && vcpu_entity_can_plug(&map->entities[0]);
}

unsigned vcpu_map_online(const VcpuMap *map) {
    unsigned n = 0;

    for (size_t i = 0; i < map->n_entities; i++)
        if (map->entities[i].qom_path)
            n += map->entities[i].n_vcpus;
    return n;
}

/* Our own aliases name their entity: "vcpu17", and paths in "/machine/peripheral/vcpu17/...". */
static VcpuEntity *by_number(VcpuMap *map, const char *alias) {
    unsigned id;

    return sscanf(alias, "vcpu%u", &id) == 1 ? vcpu_map_by_id(map, id) : NULL;
}

static bool is_at_path(const VcpuEntity *entity, const char *path) {
    size_t len = entity->qom_path ? strlen(entity->qom_path) : 0;

    return len && strncmp(path, entity->qom_path, len) == 0 &&
           (path[len] == '\0' || path[len] == '/');
}

VcpuEntity *vcpu_map_by_alias(VcpuMap *map, const char *alias) {
    VcpuEntity *guess = alias ? by_number(map, alias) : NULL;

    if (guess && streq_ptr(guess->alias, alias))
        return guess;
    for (size_t i = 0; alias && i < map->n_entities; i++)
        if (map->entities[i].alias && streq(map->entities[i].alias, alias))
            return &map->entities[i];
    return NULL;
}

VcpuEntity *vcpu_map_by_path(VcpuMap *map, const char *path) {
    VcpuEntity *guess = NULL;

    if (path && strncmp(path, PERIPHERAL, strlen(PERIPHERAL)) == 0)
        guess = by_number(map, path + strlen(PERIPHERAL));
    if (guess && is_at_path(guess, path))
        return guess;
    for (size_t i = 0; path && i < map->n_entities; i++)
        if (is_at_path(&map->entities[i], path))
            return &map->entities[i];
    return NULL;
}

VcpuEntity *vcpu_map_by_id(VcpuMap *map, unsigned id) {
    size_t low = 0, high = map->n_entities;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        VcpuEntity *entity = &map->entities[middle];

        if (id < entity->first_id)
            high = middle;
        else if (id >= entity->first_id + entity->n_vcpus)
            low = middle + 1;
        else
            return entity;
    }
    return NULL;
}

/* One entity against the definition of its first vCPU. */
static int check_boot_entity(const VcpuEntity *entity, const VcpuDef *wanted, Error **reterr) {
    unsigned id = entity->first_id;

    if (wanted->online == (entity->qom_path != NULL))
        return 0;
    if (!wanted->online)
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "vcpu '%u' is not enabled, but QEMU starts with it: those that are not hotpluggable "
            "have to be the first ones, and some machines without CPU hotplug have all of theirs",
            id);
    if (wanted->hotpluggable != TRISTATE_YES)
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "vcpu '%u' is enabled and not hotpluggable, but QEMU does not start with it: such "
            "ones have to be the first ones",
            id);
    if (!vcpu_entity_can_plug(entity))
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "vcpu '%u' is to be hotplugged at start, but QEMU names no hotpluggable entity for "
            "it; hotpluggable='no' makes it one that is there from the start",
            id);
    return 0;
}

int vcpu_map_check_boot(const VcpuMap *map, const VcpuDef *wanted, unsigned n, Error **reterr) {
    assert(wanted || n == 0);
    for (unsigned id = 0; id < n;) {
        const VcpuEntity absent = {.first_id = id, .n_vcpus = 1};
        const VcpuEntity *entity = vcpu_map_by_id((VcpuMap *)map, id);
        int r;

        if (!entity)
            entity = &absent;
        r = check_boot_entity(entity, &wanted[entity->first_id], reterr);
        if (r < 0)
            return r;
        id = entity->first_id + entity->n_vcpus;
    }
    return 0;
}

int vcpu_map_check_affinity(const VcpuMap *map, Error **reterr) {
    return map->has_tids
               ? 0
               : error_report(
                     reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                     "cpu affinity is not supported: QEMU runs several vCPUs on one thread");
}

bool vcpu_entity_can_plug(const VcpuEntity *entity) {
    return entity->type || entity->cpu_add;
}

int vcpu_map_check_plug(const VcpuMap *map, const VcpuEntity *entity, Error **reterr) {
    const VcpuEntity *lower = map->entities;

    assert(entity >= map->entities && entity < map->entities + map->n_entities);
    if (!entity->cpu_add)
        return 0;
    while (lower < entity && lower->qom_path)
        lower++;
    if (lower >= entity)
        return 0;
    return error_report(
        reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
        "vcpu %u cannot be plugged before vcpu %u: this QEMU adds vCPUs by cpu-add, from low "
        "to high ids",
        entity->first_id, lower->first_id);
}

static int fill_device_add(const VcpuEntity *entity, json_object *arguments) {
    CLEANUP_FREE char *alias = strf("vcpu%u", entity->first_id);
    CLEANUP_JSON json_object *props = NULL;
    int r = alias ? json_parse(entity->props, strlen(entity->props), &props) : -ENOMEM;

    if (r >= 0)
        r = json_add_string(arguments, "driver", entity->type);
    if (r >= 0)
        r = json_add_string(arguments, "id", alias);
    if (r < 0)
        return r;
    json_object_object_foreach(props, key, value) {
        if (r >= 0)
            r = json_add(arguments, key, json_object_get(value));
    }
    return r;
}

/* {"driver":type,"id":"vcpuN",props...}. NULL: out of memory. */
static json_object *device_add(const VcpuEntity *entity) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();

    if (!arguments || fill_device_add(entity, arguments) < 0)
        return NULL;
    return TAKE_PTR(arguments);
}

static json_object *cpu_add(const VcpuEntity *entity) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();

    if (!arguments || json_add_int(arguments, "id", entity->first_id) < 0)
        return NULL;
    return TAKE_PTR(arguments);
}

json_object *vcpu_entity_device_del(const VcpuEntity *entity) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();

    assert(entity->alias);
    if (!arguments || json_add_string(arguments, "id", entity->alias) < 0)
        return NULL;
    return TAKE_PTR(arguments);
}

json_object *vcpu_entity_plug_command(const VcpuEntity *entity, const char **ret_command) {
    assert(vcpu_entity_can_plug(entity));
    *ret_command = entity->cpu_add ? "cpu-add" : "device_add";
    return entity->cpu_add ? cpu_add(entity) : device_add(entity);
}
