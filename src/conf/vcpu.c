/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <vcpu> and <vcpus>. */
#include "conf/cputune.h"
#include "conf/domain-copy.h"
#include "conf/domain-def.h"

static const Words placements = WORDS("static", "auto");

typedef struct VcpuRow {
    char *text, *placement, *cpuset;
    unsigned current;
    bool has_current;
} VcpuRow;

static const Field row_fields[] = {FIELD_TEXT(".", VcpuRow, text),
                                   FIELD_TEXT("@placement", VcpuRow, placement),
                                   FIELD_TEXT("@cpuset", VcpuRow, cpuset, .flags = FIELD_EMPTY),
                                   FIELD_UINT("@current", VcpuRow, current, 0, DOMAIN_MAX_VCPUS,
                                              FIELD_GIVEN(VcpuRow, has_current)),
                                   FIELD_END};
static const Element row_element = {"vcpu", sizeof(VcpuRow), row_fields, NULL, NULL};

static void row_done(VcpuRow *row) {
    element_done(&row_element, row);
}

static int read_cpuset(ElementReader *reader, xmlNodePtr node, DomainDef *def, const char *text) {
    int r = bitmap_parse(text, BITMAP_MAX_BITS, &def->cpuset);

    if (r == -ENOMEM)
        return error_no_memory(reader->reterr);
    if (r < 0)
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
            "Failed to parse bitmap '%.200s': the 'cpuset' of element 'vcpu' (line %ld)", text,
            xmlGetLineNo(node));
    if (bitmap_is_empty(def->cpuset))
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
            "Invalid value of 'cpuset': %.200s (element 'vcpu' in line %ld): the list is empty",
            text, xmlGetLineNo(node));
    return 0;
}

static int set_counts(ElementReader *reader, xmlNodePtr node, DomainDef *def, const VcpuRow *row) {
    const char *text = row->text ? row->text : "";
    char *end = NULL;
    unsigned long max;
    unsigned current;

    errno = 0;
    max = strtoul(text, &end, 10);
    end += strspn(end, " \n\t\r");
    if (errno || end == text || *end || strchr(text, '-') || max < 1 || max > DOMAIN_MAX_VCPUS)
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_XML,
            "maximum vcpus count must be an integer from 1 to %u, not '%.40s' (line %ld)",
            DOMAIN_MAX_VCPUS, text, xmlGetLineNo(node));
    current = row->has_current ? row->current : (unsigned)max;
    if (current < 1)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "current vcpus count must be greater than 0 (line %ld)",
                            xmlGetLineNo(node));
    if (current > max)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "maximum vCPU count must not be less than current vCPU count "
                            "(%lu < %u) in <vcpu> (line %ld)",
                            max, current, xmlGetLineNo(node));
    if (domain_def_set_max_vcpus(def, (unsigned)max) < 0)
        return error_no_memory(reader->reterr);
    for (unsigned i = 0; i < max; i++)
        def->vcpus[i].online = i < current;
    return 0;
}

static int read_vcpu(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    CLEANUP(row_done) VcpuRow row = {0};
    int r = element_read_fields(reader, row_fields, node, &row);

    if (r >= 0)
        r = set_counts(reader, node, def, &row);
    if (r < 0)
        return r;
    if (row.placement && words_find(&placements, row.placement) < 0)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "unsupported placement '%.40s' of <vcpu>", row.placement);
    def->placement_auto = streq_ptr(row.placement, "auto");
    if (!row.cpuset || def->placement_auto) /* numad says it then */
        return 0;
    return read_cpuset(reader, node, def, row.cpuset);
}

/* Without <vcpu> there is one. */
static int fill_vcpu(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;

    if (def->n_vcpus_max)
        return 0;
    if (domain_def_set_max_vcpus(def, 1) < 0)
        return error_no_memory(reader->reterr);
    def->vcpus[0].online = true;
    return 0;
}

static void write_vcpu(ElementWriter *w, const void *object) {
    const DomainDef *def = object;
    unsigned online = domain_def_online_vcpus(def);
    char text[16];

    writer_open(w, "vcpu");
    writer_attribute(w, "placement", def->placement_auto ? "auto" : "static");
    if (!def->placement_auto)
        writer_list(w, "cpuset", def->cpuset);
    if (online != def->n_vcpus_max)
        writer_attributef(w, "current", "%u", online);
    snprintf(text, sizeof(text), "%u", def->n_vcpus_max);
    writer_text(w, text);
    writer_close(w, true);
}

/* ---- <vcpus> ---- */

typedef struct OneRow {
    unsigned id, order;
    Tristate enabled, hotpluggable;
    bool has_id;
} OneRow;

static const Field one_fields[] = {
    FIELD_UINT("@id", OneRow, id, 0, UINT32_MAX - 1, FIELD_GIVEN(OneRow, has_id)),
    FIELD_YESNO("@enabled", OneRow, enabled),
    FIELD_YESNO("@hotpluggable", OneRow, hotpluggable),
    FIELD_UINT("@order", OneRow, order, 0, DOMAIN_MAX_VCPUS),
    FIELD_ALSO("@pending"),
    FIELD_END};

static int read_one(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    OneRow row = {0};
    VcpuDef *vcpu;
    int r = element_read_fields(reader, one_fields, node, &row);

    if (r < 0)
        return r;
    if (!row.has_id)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML, "missing vcpu id (line %ld)",
                            xmlGetLineNo(node));
    if (row.enabled == TRISTATE_ABSENT)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "missing 'enabled' of vcpu '%u' (line %ld)", row.id,
                            xmlGetLineNo(node));
    if (row.id >= def->n_vcpus_max)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "vcpu id '%u' is out of range of maximum vcpu count %u (line %ld)",
                            row.id, def->n_vcpus_max, xmlGetLineNo(node));
    vcpu = &def->vcpus[row.id];
    vcpu->online = row.enabled == TRISTATE_YES;
    vcpu->hotpluggable = row.hotpluggable;
    vcpu->order = row.order;
    return 0;
}

static const Field one_rows[] = {FIELD_CODE("vcpu", read_one, NULL, .flags = FIELD_EACH),
                                 FIELD_END};

/* An online one without hotpluggable= is so as libvirt takes it: after a hotpluggable one it is
 * hotpluggable, too, for a vCPU that is there from the start cannot follow one that is plugged. */
static void infer_hotpluggable(DomainDef *def) {
    bool seen = false;

    for (unsigned i = 0; i < def->n_vcpus_max; i++) {
        VcpuDef *vcpu = &def->vcpus[i];

        if (vcpu->hotpluggable == TRISTATE_ABSENT)
            vcpu->hotpluggable = vcpu->online && !seen ? TRISTATE_NO : TRISTATE_YES;
        seen |= vcpu->online && vcpu->hotpluggable == TRISTATE_YES;
    }
}

static int read_vcpus(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    int r;

    if (!element_child(node, "vcpu"))
        return 0;
    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        def->vcpus[i] = (VcpuDef){.hotpluggable = TRISTATE_ABSENT};
    def->vcpus_individual = true;
    r = element_read_fields(reader, one_rows, node, def);
    infer_hotpluggable(def);
    return r;
}

static void write_vcpus(ElementWriter *w, const void *object) {
    const DomainDef *def = object;
    const Bitmap *pending = w->context;

    if (!def->vcpus_individual)
        return;
    writer_open(w, "vcpus");
    for (unsigned id = 0; id < def->n_vcpus_max; id++) {
        const VcpuDef *vcpu = &def->vcpus[id];

        writer_open(w, "vcpu");
        writer_attributef(w, "id", "%u", id);
        writer_attribute(w, "enabled", vcpu->online ? "yes" : "no");
        writer_attribute(w, "hotpluggable", vcpu_def_is_hotpluggable(vcpu) ? "yes" : "no");
        if (vcpu->order)
            writer_attributef(w, "order", "%u", vcpu->order);
        if (pending && bitmap_test(pending, id))
            writer_attribute(w, "pending", "removal");
        writer_close(w, true);
    }
    writer_close(w, true);
}

/* ---- memory ---- */

static void done_vcpus(void *object) {
    DomainDef *def = object;

    for (unsigned i = 0; def->vcpus && i < def->n_vcpus_max; i++)
        bitmap_free(def->vcpus[i].pin);
    free(TAKE_PTR(def->vcpus));
    def->n_vcpus_max = 0;
    bitmap_free(TAKE_PTR(def->cpuset));
}

static void own_vcpus(void *object, bool *ok) {
    DomainDef *def = object;
    VcpuDef *vcpus = NULL;

    own_map(&def->cpuset, ok);
    vcpus = *ok ? malloc(def->n_vcpus_max * sizeof(VcpuDef)) : NULL;

    if (!vcpus) {
        *ok = false;
        def->n_vcpus_max = 0;
    } else {
        memcpy(vcpus, def->vcpus, def->n_vcpus_max * sizeof(VcpuDef));
    }
    def->vcpus = vcpus;
    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        if (vcpus[i].pin) {
            vcpus[i].pin = *ok ? bitmap_copy(vcpus[i].pin) : NULL;
            *ok &= vcpus[i].pin != NULL;
        }
}

/* What the guest sees of them: how many there can be. */
static bool equal_vcpus(const void *a, const void *b) {
    return ((const DomainDef *)a)->n_vcpus_max == ((const DomainDef *)b)->n_vcpus_max;
}

const Field vcpu_fields[] = {FIELD_CODE("vcpu", read_vcpu, write_vcpu, .done = done_vcpus,
                                        .own = own_vcpus, .equal = equal_vcpus),
                             FIELD_CODE(NULL, fill_vcpu, NULL),
                             FIELD_CODE("vcpus", read_vcpus, write_vcpus), FIELD_END};
