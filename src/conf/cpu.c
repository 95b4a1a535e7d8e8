/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/cpu.h"

#define NUMA_CELLS_MAX 1024u
#define CPUS_MAX 16384u

static const Words cpu_modes = WORDS("", "custom", "host-model", "host-passthrough", "maximum");
static const Words policies = WORDS("force", "require", "optional", "disable", "forbid");
static const Words fallbacks = WORDS("allow", "forbid");
static const Words matches = WORDS("minimum", "exact", "strict");
static const Words checks = WORDS("none", "partial", "full");
static const Words on_off = WORDS("on", "off");
static const Words cache_modes = WORDS("emulate", "passthrough", "disable");
static const Words address_modes = WORDS("emulate", "passthrough");
static const Words accesses = WORDS("shared", "private");
static const Words associativities = WORDS("none", "direct", "full");
static const Words cache_policies = WORDS("none", "writeback", "writethrough");
static const Words interconnect_types = WORDS("access", "read", "write");

static const Field model_fields[] = {FIELD_CHOICE("@fallback", CpuDef, fallback, fallbacks),
                                     FIELD_TEXT("@vendor_id", CpuDef, vendor_id),
                                     FIELD_TEXT(".", CpuDef, model), FIELD_END};

/* ---- <topology> ---- */

static int read_topology(ElementReader *reader, xmlNodePtr node, void *object) {
    CpuTopology *t = &((CpuDef *)object)->topology;
    struct {
        const char *name;
        unsigned *value;
    } rows[] = {{"sockets", &t->sockets},
                {"dies", &t->dies},
                {"clusters", &t->clusters},
                {"cores", &t->cores},
                {"threads", &t->threads}};

    *t = (CpuTopology){.dies = 1, .clusters = 1};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *text = NULL;
        char *end = NULL;
        int r = element_attribute(reader, node, rows[i].name, &text);
        unsigned long value = text ? strtoul(text, &end, 10) : *rows[i].value;

        if (r < 0)
            return r;
        if (text && (end == text || *end || *text < '0' || *text > '9' || value > CPUS_MAX))
            return error_report(
                reader->reterr, FROM_DOMAIN, ERROR_XML,
                "Invalid value for attribute '%s' in element 'topology': '%.80s' (line %ld)",
                rows[i].name, text, xmlGetLineNo(node));
        if (value == 0)
            return error_report(reader->reterr, FROM_CPU, ERROR_XML,
                                "Missing or zero '%s' attribute in CPU topology (line %ld)",
                                rows[i].name, xmlGetLineNo(node));
        *rows[i].value = (unsigned)value;
    }
    return 0;
}

static void write_topology(ElementWriter *w, const void *object) {
    const CpuTopology *t = &((const CpuDef *)object)->topology;

    if (!t->sockets)
        return;
    writer_open(w, "topology");
    writer_attributef(w, "sockets", "%u", t->sockets);
    writer_attributef(w, "dies", "%u", t->dies);
    if (t->clusters != 1) /* one is as good as none */
        writer_attributef(w, "clusters", "%u", t->clusters);
    writer_attributef(w, "cores", "%u", t->cores);
    writer_attributef(w, "threads", "%u", t->threads);
    writer_close(w, true);
}

static bool equal_topology(const void *a, const void *b) {
    const CpuTopology *x = &((const CpuDef *)a)->topology, *y = &((const CpuDef *)b)->topology;

    return x->sockets == y->sockets && x->dies == y->dies && x->clusters == y->clusters &&
           x->cores == y->cores && x->threads == y->threads;
}

/* ---- <feature> ---- */

static const Field feature_fields[] = {FIELD_WORD("@policy", CpuFeature, policy, policies),
                                       FIELD_TEXT("@name", CpuFeature, name), FIELD_END};

static void init_feature(void *object) {
    ((CpuFeature *)object)->policy = CPU_FEATURE_REQUIRE;
}

static int check_feature(ElementReader *reader, xmlNodePtr node, void *object) {
    const char *name = ((CpuFeature *)object)->name;

    if (!name || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "-_.") != strlen(name))
        return error_report(reader->reterr, FROM_CPU, ERROR_XML,
                            "invalid CPU feature name (line %ld)", xmlGetLineNo(node));
    return 0;
}

static const Element feature_element = {"feature", sizeof(CpuFeature), feature_fields, init_feature,
                                        check_feature};

/* ---- <numa> ---- */

static const Field sibling_fields[] = {
    FIELD_UINT("@id", NumaDistance, id, 0, NUMA_CELLS_MAX - 1, .flags = FIELD_ALWAYS),
    FIELD_UINT("@value", NumaDistance, value, 10, 255, .flags = FIELD_REQUIRED), FIELD_END};
static const Element sibling_element = {"sibling", sizeof(NumaDistance), sibling_fields, NULL,
                                        NULL};
static const Field distances_fields[] = {
    FIELD_LIST("sibling", NumaCell, distances, n_distances, sibling_element), FIELD_END};
static const Field cache_size_fields[] = {FIELD_SIZE("@value", NumaCache, size), FIELD_END};
static const Field cache_line_fields[] = {
    FIELD_SIZE("@value", NumaCache, line, .flags = FIELD_BYTES, .unit = "B"), FIELD_END};
static const Field cache_fields[] = {
    FIELD_UINT("@level", NumaCache, level, 1, 255),
    FIELD_CHOICE("@associativity", NumaCache, associativity, associativities),
    FIELD_CHOICE("@policy", NumaCache, policy, cache_policies),
    FIELD_GROUP("size", cache_size_fields),
    FIELD_GROUP("line", cache_line_fields),
    FIELD_END};
static const Element cache_element = {"cache", sizeof(NumaCache), cache_fields, NULL, NULL};
static const Field cell_fields[] = {
    FIELD_UINT("@id", NumaCell, id, 0, NUMA_CELLS_MAX - 1, FIELD_GIVEN(NumaCell, has_id)),
    FIELD_BITMAP("@cpus", NumaCell, cpus, .flags = FIELD_EMPTY),
    FIELD_SIZE("@memory", NumaCell, memory_kib, .flags = FIELD_REQUIRED | FIELD_ALWAYS),
    FIELD_CHOICE("@memAccess", NumaCell, mem_access, accesses),
    FIELD_YESNO("@discard", NumaCell, discard, .flags = FIELD_NOT_ACTED),
    FIELD_GROUP("distances", distances_fields),
    FIELD_LIST("cache", NumaCell, caches, n_caches, cache_element),
    FIELD_END};
static const Element cell_element = {"cell", sizeof(NumaCell), cell_fields, NULL, NULL};

#define ENDS                                                                                       \
    FIELD_UINT("@initiator", NumaInterconnect, initiator, 0, 1023, .flags = FIELD_ALWAYS),         \
        FIELD_UINT("@target", NumaInterconnect, target, 0, 1023, .flags = FIELD_ALWAYS),           \
        FIELD_UINT("@cache", NumaInterconnect, cache, 0, 255,                                      \
                   FIELD_GIVEN(NumaInterconnect, has_cache)),                                      \
        FIELD_CHOICE("@type", NumaInterconnect, type, interconnect_types)
static const Field latency_fields[] = {
    ENDS, FIELD_UINT("@value", NumaInterconnect, value, 1, UINT64_MAX), FIELD_END};
static const Element latency_element = {"latency", sizeof(NumaInterconnect), latency_fields, NULL,
                                        NULL};
static const Field bandwidth_fields[] = {ENDS, FIELD_SIZE("@value", NumaInterconnect, value),
                                         FIELD_END};
static const Element bandwidth_element = {"bandwidth", sizeof(NumaInterconnect), bandwidth_fields,
                                          NULL, NULL};
static const Field interconnects_fields[] = {
    FIELD_LIST("latency", CpuDef, latencies, n_latencies, latency_element),
    FIELD_LIST("bandwidth", CpuDef, bandwidths, n_bandwidths, bandwidth_element), FIELD_END};

static int compare_cells(const void *a, const void *b) {
    unsigned x = ((const NumaCell *)a)->id, y = ((const NumaCell *)b)->id;

    return (x > y) - (x < y);
}

/* ---- distances: both ways where the other way is not said ---- */

#define LOCAL_DISTANCE 10u

/* What is said, into a table of n x n. */
static int collect_distances(ElementReader *reader, xmlNodePtr node, const CpuDef *cpu,
                             uint8_t *table) {
    size_t n = cpu->n_cells;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < cpu->cells[i].n_distances; k++) {
            const NumaDistance *distance = &cpu->cells[i].distances[k];

            if (distance->id >= n)
                return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                                    "'sibling_id %u' does not refer to a valid cell within NUMA "
                                    "'cell id %zu' (line %ld)",
                                    distance->id, i, xmlGetLineNo(node));
            if ((distance->id == i) != (distance->value == LOCAL_DISTANCE))
                return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                                    "'value %u' is invalid for 'sibling id %u' under NUMA 'cell id "
                                    "%zu': a cell is %u from itself and from nobody else "
                                    "(line %ld)",
                                    distance->value, distance->id, i, LOCAL_DISTANCE,
                                    xmlGetLineNo(node));
            table[i * n + distance->id] = (uint8_t)distance->value;
        }
    return 0;
}

static void mirror_distances(uint8_t *table, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            if (!table[i * n + k])
                continue;
            table[i * n + i] = table[k * n + k] = LOCAL_DISTANCE;
            if (!table[k * n + i])
                table[k * n + i] = table[i * n + k];
        }
}

static int put_distances(CpuDef *cpu, const uint8_t *table) {
    size_t n = cpu->n_cells;

    for (size_t i = 0; i < n; i++) {
        NumaCell *cell = &cpu->cells[i];

        free(TAKE_PTR(cell->distances));
        cell->n_distances = 0;
        for (size_t k = 0; k < n; k++) {
            NumaDistance *distance = table[i * n + k]
                                         ? array_append(&cell->distances, &cell->n_distances,
                                                        sizeof(NumaDistance))
                                         : NULL;

            if (table[i * n + k] && !distance)
                return -ENOMEM;
            if (distance)
                *distance = (NumaDistance){(unsigned)k, table[i * n + k]};
        }
    }
    return 0;
}

static int fill_distances(ElementReader *reader, xmlNodePtr node, CpuDef *cpu) {
    CLEANUP_FREE uint8_t *table = NULL;
    bool any = false;
    int r;

    for (size_t i = 0; i < cpu->n_cells; i++)
        any |= cpu->cells[i].n_distances > 0;
    if (!any)
        return 0;
    table = calloc(cpu->n_cells, cpu->n_cells);
    if (!table)
        return error_no_memory(reader->reterr);
    r = collect_distances(reader, node, cpu, table);
    if (r < 0)
        return r;
    mirror_distances(table, cpu->n_cells);
    return put_distances(cpu, table) < 0 ? error_no_memory(reader->reterr) : 0;
}

/* Cells may be written in any order, or without ids: then they have their places. */
static int read_cells(ElementReader *reader, xmlNodePtr node, void *object) {
    CpuDef *cpu = object;

    for (size_t i = 0; i < cpu->n_cells; i++)
        if (!cpu->cells[i].has_id) {
            cpu->cells[i].id = (unsigned)i;
            cpu->cells[i].has_id = true;
        }
    if (cpu->n_cells)
        qsort(cpu->cells, cpu->n_cells, sizeof(NumaCell), compare_cells);
    for (size_t i = 0; i < cpu->n_cells; i++)
        if (cpu->cells[i].id != i)
            return error_report(
                reader->reterr, FROM_DOMAIN, ERROR_XML,
                "Exactly one 'cell' element per guest NUMA cell allowed, ids from 0 without a gap: "
                "there is none with id %zu, or two with another (line %ld)",
                i, xmlGetLineNo(node));
    return fill_distances(reader, node, cpu);
}

static const Field numa_fields[] = {
    FIELD_LIST("cell", CpuDef, cells, n_cells, cell_element, .limit = NUMA_CELLS_MAX),
    FIELD_CODE(NULL, read_cells, NULL), FIELD_GROUP("interconnects", interconnects_fields),
    FIELD_END};

/* ---- the whole ---- */

static const Field host_cache_fields[] = {
    FIELD_UINT("@level", CpuDef, cache_level, 0, 255, FIELD_GIVEN(CpuDef, has_cache_level)),
    FIELD_CHOICE("@mode", CpuDef, cache_mode, cache_modes, .flags = FIELD_REQUIRED), FIELD_END};
static const Field address_fields[] = {
    FIELD_CHOICE("@mode", CpuDef, maxphysaddr_mode, address_modes, .flags = FIELD_REQUIRED),
    FIELD_UINT("@bits", CpuDef, maxphysaddr_bits, 1, 64),
    FIELD_UINT("@limit", CpuDef, maxphysaddr_limit, 1, 64), FIELD_END};

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    CpuDef *cpu = object;

    cpu->given = true;
    if (cpu->mode == CPU_MODE_NONE && cpu->model)
        cpu->mode = CPU_MODE_CUSTOM;
    if (cpu->mode == CPU_MODE_CUSTOM && (!cpu->model || strchr(cpu->model, ',')))
        return error_report(reader->reterr, FROM_CPU, ERROR_XML,
                            "<cpu mode='custom'> needs a <model> (line %ld)", xmlGetLineNo(node));
    cpu->has_bare_features = cpu->mode == CPU_MODE_NONE && cpu->n_features > 0;
    return 0;
}

const Field cpu_fields[] = {
    FIELD_WORD("@mode", CpuDef, mode, cpu_modes),
    FIELD_CHOICE("@match", CpuDef, match, matches, .flags = FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_CHOICE("@check", CpuDef, check, checks, .flags = FIELD_UNCOMPARED),
    FIELD_CHOICE("@migratable", CpuDef, migratable, on_off),
    FIELD_GROUP("model", model_fields),
    FIELD_TEXT("vendor", CpuDef, vendor),
    FIELD_CODE("topology", read_topology, write_topology, .equal = equal_topology),
    FIELD_GROUP("cache", host_cache_fields),
    FIELD_GROUP("maxphysaddr", address_fields),
    FIELD_LIST("feature", CpuDef, features, n_features, feature_element),
    FIELD_GROUP("numa", numa_fields),
    FIELD_CODE(NULL, check, NULL),
    FIELD_END};
