/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects on QEMU's command line: the guest's memory with its NUMA cells, IO threads. */
#include <stdio.h>

#include "qemu/command-line-internal.h"
#include "qemu/fill.h"
#include "util/text.h"

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
static void bind_backend(Props *props, NumaMode mode, const Bitmap *nodes) {
    static const char *const policies[] = {
        [NUMA_STRICT] = "bind", [NUMA_PREFERRED] = "preferred", [NUMA_INTERLEAVE] = "interleave"};
    json_object *list;

    if (!nodes || mode == NUMA_RESTRICTIVE)
        return;
    list = json_object_new_array();
    for (int node = bitmap_next(nodes, 0); node >= 0; node = bitmap_next(nodes, node + 1))
        props->failed |= !list || json_append(list, json_object_new_int(node)) < 0;
    props_add(props, "host-nodes", list);
    props_text(props, "policy", policies[mode]);
}

/* The size of the huge pages of a cell (SIZE_MAX: of a machine without cells) in KiB: 0, when it
 * has none; 1, of the default size. */
static uint64_t page_size(const MemoryBackingDef *backing, size_t cell) {
    if (!backing->has_hugepages)
        return 0;
    for (size_t i = 0; i < backing->n_pages; i++)
        if (!backing->pages[i].nodes ||
            (cell != SIZE_MAX && bitmap_test(backing->pages[i].nodes, (unsigned)cell)))
            return MAX_OF(backing->pages[i].size, UINT64_C(1));
    return backing->n_pages == 0 ? 1 : 0;
}

/* Huge pages and memory that others may map come from memfd_create(2): no mount is needed. */
static Props new_backend(const DomainDef *def, const char *id, uint64_t kib, size_t cell,
                         const char *access) {
    const MemoryBackingDef *backing = &def->memory_backing;
    uint64_t page = page_size(backing, cell);
    const char *share = access ? access : backing->access;
    bool memfd = page || streq_ptr(backing->source, "memfd") ||
                 streq_ptr(backing->source, "file") || streq_ptr(share, "shared");
    Props props = props_new();

    props_text(&props, "qom-type", memfd ? "memory-backend-memfd" : "memory-backend-ram");
    props_text(&props, "id", id);
    if (page)
        props_bool(&props, "hugetlb", true);
    if (page > 1)
        props_uint(&props, "hugetlbsize", page * 1024);
    if (share || memfd)
        props_bool(&props, "share", streq_ptr(share, "shared"));
    if (page || streq_ptr(backing->allocation, "immediate"))
        props_bool(&props, "prealloc", true);
    if (backing->allocation_threads)
        props_uint(&props, "prealloc-threads", backing->allocation_threads);
    props_uint(&props, "size", kib * 1024);
    return props;
}

static bool is_bound(const DomainDef *def) {
    return def->numatune.nodes && def->numatune.mode != NUMA_RESTRICTIVE;
}

bool qemu_has_main_backend(const DomainDef *def) {
    const MemoryBackingDef *backing = &def->memory_backing;

    return def->cpu.n_cells == 0 && (is_bound(def) || backing->has_hugepages || backing->source ||
                                     backing->access || backing->allocation);
}

static void add_main_backend(ArgvBuilder *builder, const DomainDef *def) {
    Props props = new_backend(def, MAIN_BACKEND, qemu_initial_memory(def), SIZE_MAX, NULL);

    bind_backend(&props, def->numatune.mode, def->numatune.nodes);
    argv_add_json(builder, "-object", props_take(&props));
}

static void add_cell_backend(ArgvBuilder *builder, const DomainDef *def, size_t cell) {
    const NumaTuneDef *tune = &def->numatune;
    NumaMode mode = tune->mode;
    const Bitmap *nodes = tune->nodes;
    Props props;
    char id[32];

    for (size_t i = 0; i < tune->n_memnodes; i++)
        if (tune->memnodes[i].cell == cell) {
            mode = tune->memnodes[i].mode;
            nodes = tune->memnodes[i].nodes;
        }
    snprintf(id, sizeof(id), "ram-node%zu", cell);
    props = new_backend(def, id, def->cpu.cells[cell].memory_kib, cell,
                        def->cpu.cells[cell].mem_access);
    bind_backend(&props, mode, nodes);
    argv_add_json(builder, "-object", props_take(&props));
}

/* ---- the heterogeneous memory attribute table ---- */

#define CACHE_LEVELS 3u

bool qemu_has_hmat(const CpuDef *cpu) {
    bool any = cpu->n_latencies > 0 || cpu->n_bandwidths > 0;

    for (size_t i = 0; i < cpu->n_cells; i++)
        any |= cpu->cells[i].n_caches > 0;
    return any;
}

static bool has_cache(const NumaCell *cell, unsigned level) {
    for (size_t i = 0; i < cell->n_caches; i++)
        if (cell->caches[i].level == level)
            return true;
    return false;
}

static bool has_vcpus(const DomainDef *def, unsigned cell) {
    return cell == 0 || (def->cpu.cells[cell].cpus && !bitmap_is_empty(def->cpu.cells[cell].cpus));
}

static int check_interconnects(const DomainDef *def, const NumaInterconnect *rows, size_t n,
                               Error **reterr) {
    const CpuDef *cpu = &def->cpu;

    for (size_t i = 0; i < n; i++) {
        const NumaInterconnect *row = &rows[i];

        if (row->initiator >= cpu->n_cells || row->target >= cpu->n_cells ||
            !has_vcpus(def, row->initiator))
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "domain '%s': <interconnects> from cell %u to cell %u: both are "
                                "<cell>s of <numa>, and the first has vCPUs",
                                def->name, row->initiator, row->target);
        if (row->cache && !has_cache(&cpu->cells[row->target], row->cache))
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "domain '%s': <interconnects> name the cache %u of cell %u, which "
                                "has no <cache> of that level",
                                def->name, row->cache, row->target);
    }
    return 0;
}

int argv_check_memory(const DomainDef *def, Error **reterr) {
    const CpuDef *cpu = &def->cpu;
    int r;

    for (size_t i = 0; i < cpu->n_cells; i++)
        for (size_t k = 0; k < cpu->cells[i].n_caches; k++)
            if (cpu->cells[i].caches[k].level > CACHE_LEVELS || !cpu->cells[i].caches[k].level)
                return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                    "domain '%s': a <cache> of cell %zu has level '%u': it is 1 "
                                    "to %u",
                                    def->name, i, cpu->cells[i].caches[k].level, CACHE_LEVELS);
    r = check_interconnects(def, cpu->latencies, cpu->n_latencies, reterr);
    return r < 0 ? r : check_interconnects(def, cpu->bandwidths, cpu->n_bandwidths, reterr);
}

/* Who reaches the memory of a cell best: itself, the one with the lowest latency or else the
 * highest bandwidth, or the first. */
static unsigned initiator_of(const DomainDef *def, unsigned cell) {
    const CpuDef *cpu = &def->cpu;
    const NumaInterconnect *best = NULL;

    if (has_vcpus(def, cell))
        return cell;
    for (size_t i = 0; i < cpu->n_latencies; i++)
        if (cpu->latencies[i].target == cell && !cpu->latencies[i].cache &&
            (!best || cpu->latencies[i].value < best->value))
            best = &cpu->latencies[i];
    for (size_t i = 0; cpu->n_latencies == 0 && i < cpu->n_bandwidths; i++)
        if (cpu->bandwidths[i].target == cell && !cpu->bandwidths[i].cache &&
            (!best || cpu->bandwidths[i].value > best->value))
            best = &cpu->bandwidths[i];
    return best ? best->initiator : 0;
}

static void add_interconnects(ArgvBuilder *builder, const NumaInterconnect *rows, size_t n,
                              const char *what, const char *unit) {
    static const char *const hierarchies[] = {"memory", "first-level", "second-level",
                                              "third-level"};

    for (size_t i = 0; i < n; i++)
        argv_add_option(builder, "-numa",
                        "hmat-lb,initiator=%u,target=%u,hierarchy=%s,data-type=%s-%s,%s=%llu%s",
                        rows[i].initiator, rows[i].target,
                        hierarchies[MIN_OF(rows[i].cache, CACHE_LEVELS)],
                        rows[i].type ? rows[i].type : "access", what, what,
                        (unsigned long long)rows[i].value, unit);
}

static void add_caches(ArgvBuilder *builder, const NumaCell *cell) {
    for (size_t i = 0; i < cell->n_caches; i++) {
        const NumaCache *cache = &cell->caches[i];
        const char *kind = cache->associativity, *policy = cache->policy;

        argv_add_option(builder, "-numa",
                        "hmat-cache,node-id=%u,size=%lluK,level=%u,associativity=%s,policy=%s,"
                        "line=%llu",
                        cell->id, (unsigned long long)cache->size, cache->level,
                        streq_ptr(kind, "full")     ? "complex"
                        : streq_ptr(kind, "direct") ? "direct"
                                                    : "none",
                        streq_ptr(policy, "writeback")      ? "write-back"
                        : streq_ptr(policy, "writethrough") ? "write-through"
                                                            : "none",
                        (unsigned long long)cache->line);
    }
}

static void add_hmat(ArgvBuilder *builder, const CpuDef *cpu) {
    add_interconnects(builder, cpu->latencies, cpu->n_latencies, "latency", "");
    add_interconnects(builder, cpu->bandwidths, cpu->n_bandwidths, "bandwidth", "K");
    for (size_t i = 0; i < cpu->n_cells; i++)
        add_caches(builder, &cpu->cells[i]);
}

static void add_cell(ArgvBuilder *builder, const DomainDef *def, size_t cell) {
    CLEANUP_BITMAP Bitmap *vcpus = cell_vcpus(def, cell);
    CLEANUP_FREE char *text = NULL;
    FILE *out = vcpus ? text_open(&text) : NULL;

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
    if (qemu_has_hmat(&def->cpu))
        fprintf(out, ",initiator=%u", initiator_of(def, (unsigned)cell));
    fprintf(out, ",memdev=ram-node%zu", cell);
    if (fclose(out) == 0)
        argv_add_option(builder, "-numa", "%s", text);
    else
        builder->failed = true;
}

static void add_distances(ArgvBuilder *builder, const CpuDef *cpu) {
    for (size_t i = 0; i < cpu->n_cells; i++)
        for (size_t k = 0; k < cpu->cells[i].n_distances; k++)
            argv_add_option(builder, "-numa", "dist,src=%zu,dst=%u,val=%u", i,
                            cpu->cells[i].distances[k].id, cpu->cells[i].distances[k].value);
}

void argv_add_memory(ArgvBuilder *builder, const DomainDef *def) {
    if (def->max_memory_kib)
        argv_add_option(builder, "-m", "size=%lluk,slots=%u,maxmem=%lluk",
                        (unsigned long long)qemu_initial_memory(def), def->memory_slots,
                        (unsigned long long)def->max_memory_kib);
    else
        argv_add_option(builder, "-m", "size=%lluk", (unsigned long long)qemu_initial_memory(def));
    if (def->memory_backing.locked)
        argv_add_option(builder, "-overcommit", "mem-lock=on");
}

void argv_add_cells(ArgvBuilder *builder, const DomainDef *def) {
    if (qemu_has_main_backend(def))
        add_main_backend(builder, def);
    for (size_t i = 0; i < def->cpu.n_cells; i++) {
        add_cell_backend(builder, def, i);
        add_cell(builder, def, i);
    }
    add_distances(builder, &def->cpu);
    add_hmat(builder, &def->cpu);
}

json_object *qemu_iothread_object(const IothreadDef *iothread) {
    Props props = props_new();

    props_text(&props, "qom-type", "iothread");
    props_textf(&props, "id", "iothread%u", iothread->id);
    if (iothread->has_poll_max)
        props_uint(&props, "poll-max-ns", iothread->poll_max_ns);
    if (iothread->has_poll_grow)
        props_uint(&props, "poll-grow", iothread->poll_grow);
    if (iothread->has_poll_shrink)
        props_uint(&props, "poll-shrink", iothread->poll_shrink);
    if (iothread->pool_min >= 0)
        props_int(&props, "thread-pool-min", iothread->pool_min);
    if (iothread->pool_max >= 0)
        props_int(&props, "thread-pool-max", iothread->pool_max);
    return props_take(&props);
}

/* The pool of the thread that is there without IO threads. */
static void add_main_loop(ArgvBuilder *builder, const DomainDef *def) {
    Props props = props_new();

    props_text(&props, "qom-type", "main-loop");
    props_text(&props, "id", "main-loop");
    if (def->default_pool_min >= 0)
        props_int(&props, "thread-pool-min", def->default_pool_min);
    if (def->default_pool_max >= 0)
        props_int(&props, "thread-pool-max", def->default_pool_max);
    argv_add_json(builder, "-object", props_take(&props));
}

void argv_add_iothreads(ArgvBuilder *builder, const DomainDef *def) {
    for (size_t i = 0; i < def->n_iothreads; i++)
        argv_add_json(builder, "-object", qemu_iothread_object(&def->iothreads[i]));
    if (def->default_pool_min >= 0 || def->default_pool_max >= 0)
        add_main_loop(builder, def);
}
