/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects on QEMU's command line: the guest's memory with its NUMA cells, IO threads. */
#include <stdio.h>

#include "qemu/command-line-internal.h"

/* The vCPUs of a cell. Those that no cell names belong to the first, as in libvirt since 6.4: QEMU
 * would warn and put them where it likes. NULL: out of memory. */
static Bitmap *cell_vcpus(const DomainDef *def, size_t at) {
    const NumaCell *cells = def->cpu.cells;
    CLEANUP_BITMAP Bitmap *vcpus = cells[at].cpus ? bitmap_copy(cells[at].cpus) : bitmap_new();

    for (unsigned id = 0; vcpus && at == 0 && id < def->n_vcpus_max; id++) {
        bool named = false;

        for (size_t i = 0; i < def->cpu.n_cells; i++)
            named |= cells[i].cpus && bitmap_test(cells[i].cpus, id);
        if (!named && bitmap_set(vcpus, id) < 0)
            return NULL;
    }
    return TAKE_PTR(vcpus);
}

/* host-nodes and policy (QEMU's qapi/qom.json, MemoryBackendProperties). "restrictive" is left to
 * the cgroup. */
static void bind_backend(json_object *object, NumaMode mode, const Bitmap *nodes) {
    static const char *const policies[] = {
        [NUMA_STRICT] = "bind", [NUMA_PREFERRED] = "preferred", [NUMA_INTERLEAVE] = "interleave"};
    json_object *list;

    if (!nodes || mode == NUMA_RESTRICTIVE)
        return;
    list = json_object_new_array();
    for (int node = bitmap_next(nodes, 0); node >= 0; node = bitmap_next(nodes, node + 1))
        json_object_array_add(list, json_object_new_int(node));
    json_object_object_add(object, "host-nodes", list);
    json_object_object_add(object, "policy", json_object_new_string(policies[mode]));
}

static json_object *new_backend(const char *id, uint64_t kib) {
    json_object *object = json_object_new_object();

    if (!object)
        return NULL;
    json_object_object_add(object, "qom-type", json_object_new_string("memory-backend-ram"));
    json_object_object_add(object, "id", json_object_new_string(id));
    json_object_object_add(object, "size", json_object_new_uint64(kib * 1024));
    return object;
}

bool qemu_has_main_backend(const DomainDef *def) {
    return def->cpu.n_cells == 0 && def->numatune.nodes && def->numatune.mode != NUMA_RESTRICTIVE;
}

static void add_main_backend(ArgvBuilder *builder, const DomainDef *def) {
    json_object *object = new_backend(MAIN_BACKEND, def->memory_kib);

    if (object)
        bind_backend(object, def->numatune.mode, def->numatune.nodes);
    argv_add_json(builder, "-object", object);
}

static void add_cell_backend(ArgvBuilder *builder, const DomainDef *def, size_t cell) {
    const NumaTuneDef *tune = &def->numatune;
    NumaMode mode = tune->mode;
    const Bitmap *nodes = tune->nodes;
    json_object *object;
    char id[32];

    for (size_t i = 0; i < tune->n_memnodes; i++)
        if (tune->memnodes[i].cell == cell) {
            mode = tune->memnodes[i].mode;
            nodes = tune->memnodes[i].nodes;
        }
    snprintf(id, sizeof(id), "ram-node%zu", cell);
    object = new_backend(id, def->cpu.cells[cell].memory_kib);
    if (object)
        bind_backend(object, mode, nodes);
    argv_add_json(builder, "-object", object);
}

static void add_cell(ArgvBuilder *builder, const DomainDef *def, size_t cell) {
    CLEANUP_BITMAP Bitmap *vcpus = cell_vcpus(def, cell);
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    FILE *out = vcpus ? open_memstream(&text, &size) : NULL;

    if (!out) {
        builder->failed = true;
        return;
    }
    fprintf(out, "node,nodeid=%zu", cell);
    for (int first = bitmap_next(vcpus, 0); first >= 0;) {
        int last = first;

        while (bitmap_test(vcpus, last + 1))
            last++;
        fprintf(out, last > first ? ",cpus=%d-%d" : ",cpus=%d", first, last);
        first = bitmap_next(vcpus, last + 1);
    }
    fprintf(out, ",memdev=ram-node%zu", cell);
    if (fclose(out) == 0)
        argv_add_option(builder, "-numa", "%s", text);
    else
        builder->failed = true;
}

void argv_add_memory(ArgvBuilder *builder, const DomainDef *def) {
    if (qemu_has_main_backend(def))
        add_main_backend(builder, def);
    for (size_t i = 0; i < def->cpu.n_cells; i++) {
        add_cell_backend(builder, def, i);
        add_cell(builder, def, i);
    }
}

json_object *qemu_iothread_object(const IothreadDef *iothread) {
    json_object *object = json_object_new_object();
    char id[32];

    if (!object)
        return NULL;
    snprintf(id, sizeof(id), "iothread%u", iothread->id);
    json_object_object_add(object, "qom-type", json_object_new_string("iothread"));
    json_object_object_add(object, "id", json_object_new_string(id));
    if (iothread->has_poll_max)
        json_object_object_add(object, "poll-max-ns",
                               json_object_new_uint64(iothread->poll_max_ns));
    if (iothread->has_poll_grow)
        json_object_object_add(object, "poll-grow", json_object_new_uint64(iothread->poll_grow));
    if (iothread->has_poll_shrink)
        json_object_object_add(object, "poll-shrink",
                               json_object_new_uint64(iothread->poll_shrink));
    if (iothread->pool_min >= 0)
        json_object_object_add(object, "thread-pool-min", json_object_new_int(iothread->pool_min));
    if (iothread->pool_max >= 0)
        json_object_object_add(object, "thread-pool-max", json_object_new_int(iothread->pool_max));
    return object;
}

void argv_add_iothreads(ArgvBuilder *builder, const DomainDef *def) {
    for (size_t i = 0; i < def->n_iothreads; i++)
        argv_add_json(builder, "-object", qemu_iothread_object(&def->iothreads[i]));
}
