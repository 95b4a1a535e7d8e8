/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <vcpu>, <vcpus>, <cpu>. */
#include <stdio.h>

#include "conf/domain-parse-internal.h"

#define NUMA_CELL_ID_MAX 1023u

int parse_vcpu(Parser *parser, xmlNodePtr node) {
    CLEANUP_FREE char *text = node_text(node), *cpuset = node_attribute(node, "cpuset");
    CLEANUP_FREE char *placement = node_attribute(node, "placement");
    DomainDef *def = parser->def;
    unsigned max = 0, current;
    char *end = NULL;
    unsigned long value;
    int r;

    errno = 0;
    value = text ? strtoul(text, &end, 10) : 0;
    while (end && strchr(" \n\t\r", *end) && *end)
        end++;
    if (!text || errno || end == text || *end || strchr(text, '-') || value < 1 ||
        value > DOMAIN_MAX_VCPUS)
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_XML,
            "maximum vcpus count must be an integer from 1 to %u, not '%.40s' (line %ld)",
            DOMAIN_MAX_VCPUS, text ? text : "", xmlGetLineNo(node));
    max = current = value;
    r = attribute_unsigned(parser, node, "current", DOMAIN_MAX_VCPUS, &current);
    if (r < 0)
        return r;
    if (current < 1)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "current vcpus count must be greater than 0 (line %ld)",
                            xmlGetLineNo(node));
    if (current > max)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "maximum vCPU count must not be less than current vCPU count (%u < %u) "
                            "in <vcpu> (line %ld)",
                            max, current, xmlGetLineNo(node));
    if (domain_def_set_max_vcpus(def, max) < 0)
        return error_no_memory(parser->reterr);
    for (unsigned i = 0; i < max; i++)
        def->vcpus[i].online = i < current;
    if (placement && !streq(placement, "static") && !streq(placement, "auto"))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "unsupported placement '%.40s' of <vcpu>", placement);
    def->placement_auto = placement && streq(placement, "auto");
    if (!cpuset || def->placement_auto) /* numad says it then */
        return 0;
    bitmap_free(TAKE_PTR(def->cpuset)); /* a second <vcpu> */
    if (bitmap_parse(cpuset, BITMAP_MAX_BITS, &def->cpuset) < 0)
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
            "Failed to parse bitmap '%.200s': the 'cpuset' of element 'vcpu' (line %ld)", cpuset,
            xmlGetLineNo(node));
    if (bitmap_is_empty(def->cpuset))
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
            "Invalid value of 'cpuset': %.200s (element 'vcpu' in line %ld): the list is empty",
            cpuset, xmlGetLineNo(node));
    return 0;
}

static int parse_one_vcpu(Parser *parser, xmlNodePtr node) {
    DomainDef *def = parser->def;
    unsigned id = UINT32_MAX;
    Tristate enabled = TRISTATE_ABSENT;
    VcpuDef *vcpu;
    int r;

    r = attribute_unsigned(parser, node, "id", UINT32_MAX - 1, &id);
    if (r >= 0)
        r = attribute_tristate(parser, node, "enabled", &enabled);
    if (r < 0)
        return r;
    if (id == UINT32_MAX)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML, "missing vcpu id (line %ld)",
                            xmlGetLineNo(node));
    if (enabled == TRISTATE_ABSENT)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "missing 'enabled' of vcpu '%u' (line %ld)", id, xmlGetLineNo(node));
    if (id >= def->n_vcpus_max)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "vcpu id '%u' is out of range of maximum vcpu count %u (line %ld)", id,
                            def->n_vcpus_max, xmlGetLineNo(node));
    vcpu = &def->vcpus[id];
    vcpu->online = enabled == TRISTATE_YES;
    vcpu->hotpluggable = vcpu->online ? TRISTATE_NO : TRISTATE_YES;
    r = attribute_tristate(parser, node, "hotpluggable", &vcpu->hotpluggable);
    if (r >= 0)
        r = attribute_unsigned(parser, node, "order", DOMAIN_MAX_VCPUS, &vcpu->order);
    return r;
}

int parse_vcpus(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"vcpu", parse_one_vcpu, false}};
    DomainDef *def = parser->def;

    if (!node_child(node, "vcpu"))
        return 0;
    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        def->vcpus[i] = (VcpuDef){.hotpluggable = TRISTATE_YES};
    def->vcpus_individual = true;
    return parse_children(parser, node, readers, ARRAY_SIZE(readers));
}

/* ---- <cpu> ---- */

static int parse_model(Parser *parser, xmlNodePtr node) {
    CpuDef *cpu = &parser->def->cpu;

    free(cpu->model);
    cpu->model = node_text(node);
    attribute_string(node, "fallback", &cpu->fallback);
    return 0;
}

static int parse_vendor(Parser *parser, xmlNodePtr node) {
    free(parser->def->cpu.vendor);
    parser->def->cpu.vendor = node_text(node);
    return 0;
}

static int parse_feature(Parser *parser, xmlNodePtr node) {
    CpuDef *cpu = &parser->def->cpu;
    CpuFeature *feature = array_append(&cpu->features, &cpu->n_features, sizeof(CpuFeature));
    int policy = CPU_FEATURE_REQUIRE, r;

    if (!feature)
        return error_no_memory(parser->reterr);
    attribute_string(node, "name", &feature->name);
    r = attribute_enum(parser, node, "policy", cpu_policy_names, CPU_FEATURE_POLICY_MAX_, &policy);
    feature->policy = policy;
    if (r >= 0 &&
        (!feature->name || !*feature->name ||
         strspn(feature->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "-_.") != strlen(feature->name)))
        return error_report(parser->reterr, FROM_CPU, ERROR_XML,
                            "invalid CPU feature name (line %ld)", xmlGetLineNo(node));
    return r;
}

static int parse_topology(Parser *parser, xmlNodePtr node) {
    CpuTopology *t = &parser->def->cpu.topology;
    const struct {
        const char *name;
        unsigned *value;
    } rows[] = {{"sockets", &t->sockets},
                {"dies", &t->dies},
                {"clusters", &t->clusters},
                {"cores", &t->cores},
                {"threads", &t->threads}};

    *t = (CpuTopology){.dies = 1, .clusters = 1};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int r = attribute_unsigned(parser, node, rows[i].name, DOMAIN_MAX_VCPUS, rows[i].value);

        if (r < 0)
            return r;
        if (*rows[i].value == 0)
            return error_report(parser->reterr, FROM_CPU, ERROR_XML,
                                "Missing or zero '%s' attribute in CPU topology (line %ld)",
                                rows[i].name, xmlGetLineNo(node));
    }
    return 0;
}

static int parse_cell(Parser *parser, xmlNodePtr node) {
    CpuDef *cpu = &parser->def->cpu;
    CLEANUP_FREE char *cpus = node_attribute(node, "cpus"),
                      *memory = node_attribute(node, "memory");
    CLEANUP_FREE char *unit = node_attribute(node, "unit");
    NumaCell *cell;
    unsigned id;
    int r;

    if (cpu->n_cells > NUMA_CELL_ID_MAX)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "too many NUMA cells (line %ld)", xmlGetLineNo(node));
    cell = array_append(&cpu->cells, &cpu->n_cells, sizeof(NumaCell));
    if (!cell)
        return error_no_memory(parser->reterr);
    id = cpu->n_cells - 1;
    r = attribute_unsigned(parser, node, "id", NUMA_CELL_ID_MAX, &id);
    if (r < 0)
        return r;
    if (id != cpu->n_cells - 1)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "NUMA cells must be written in the order of their ids (line %ld)",
                            xmlGetLineNo(node));
    if (cpus && bitmap_parse(cpus, BITMAP_MAX_BITS, &cell->cpus) < 0)
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
            "Failed to parse bitmap '%.200s': the 'cpus' of NUMA cell %u (line %ld)", cpus, id,
            xmlGetLineNo(node));
    return parse_size_kib(parser, node, memory, unit, &cell->memory_kib);
}

static int parse_numa(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"cell", parse_cell, false},
                                            {"interconnects", NULL, true}};

    return parse_children(parser, node, readers, ARRAY_SIZE(readers));
}

int parse_cpu(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {
        {"model", parse_model, false},     {"vendor", parse_vendor, false},
        {"feature", parse_feature, false}, {"topology", parse_topology, false},
        {"numa", parse_numa, false},       {"cache", NULL, true},
        {"maxphysaddr", NULL, true}};
    CpuDef *cpu = &parser->def->cpu;
    int mode = CPU_MODE_NONE, r;

    r = attribute_enum(parser, node, "mode", cpu_mode_names, CPU_MODE_MAX_, &mode);
    if (r < 0)
        return r;
    attribute_string(node, "match", &cpu->match);
    attribute_string(node, "check", &cpu->check);
    attribute_string(node, "migratable", &cpu->migratable);
    r = parse_children(parser, node, readers, ARRAY_SIZE(readers));
    if (r < 0)
        return r;
    cpu->mode = mode == CPU_MODE_NONE && cpu->model ? CPU_MODE_CUSTOM : (CpuMode)mode;
    if (cpu->mode == CPU_MODE_CUSTOM && (!cpu->model || !*cpu->model || strchr(cpu->model, ',')))
        return error_report(parser->reterr, FROM_CPU, ERROR_XML,
                            "<cpu mode='custom'> needs a <model> (line %ld)", xmlGetLineNo(node));
    return 0;
}
