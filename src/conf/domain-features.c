/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/domain-features.h"

static const Words hyperv_modes = WORDS("custom", "passthrough");
static const Words ioapics = WORDS("kvm", "qemu");
static const Words gics = WORDS("host", "2", "3");
static const Words resizings = WORDS("enabled", "disabled", "required");
static const Words unknowns = WORDS("ignore", "fault");
static const Words cfpcs = WORDS("broken", "workaround", "fixed");
static const Words ibss = WORDS("broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na");
static const Words passthrough_modes = WORDS("sync_pt", "share_pt");

#define HYPERV(name, member) FIELD_STATE(name, HypervDef, member)

static int read_part(ElementReader *reader, xmlNodePtr node, Tristate *state) {
    CLEANUP_FREE char *text = NULL;
    int r = element_attribute(reader, node, "state", &text);

    if (r < 0)
        return r;
    *state = !text || streq(text, "on") ? TRISTATE_YES : TRISTATE_NO;
    if (text && !streq(text, "on") && !streq(text, "off"))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid value for attribute 'state' in element '%s': '%.80s' "
                            "(line %ld)",
                            (const char *)node->name, text, xmlGetLineNo(node));
    return 0;
}

#define STATE(Type, member) FIELD_ON_OFF("@state", Type, member)

static const Field spinlocks_fields[] = {
    STATE(HypervDef, spinlocks),
    FIELD_UINT("@retries", HypervDef, spinlock_retries, 4095, UINT32_MAX), FIELD_END};
static const Field stimer_fields[] = {STATE(HypervDef, stimer),
                                      FIELD_STATE("direct", HypervDef, stimer_direct), FIELD_END};
static const Field vendor_fields[] = {STATE(HypervDef, vendor_id),
                                      FIELD_TEXT("@value", HypervDef, vendor_id_value), FIELD_END};

/* An element without state is on, also where it has more than a state. */
static int read_spinlocks(ElementReader *reader, xmlNodePtr node, void *object) {
    return read_part(reader, node, &((HypervDef *)object)->spinlocks);
}

static int read_stimer(ElementReader *reader, xmlNodePtr node, void *object) {
    return read_part(reader, node, &((HypervDef *)object)->stimer);
}

static int read_vendor(ElementReader *reader, xmlNodePtr node, void *object) {
    return read_part(reader, node, &((HypervDef *)object)->vendor_id);
}

/* An element of another name is refused, not passed over. */
static int refuse_unknown(ElementReader *reader, xmlNodePtr node, const char *what,
                          const Words *known) {
    for (xmlNodePtr at = node->children; at && !reader->live; at = at->next)
        if (at->type == XML_ELEMENT_NODE && words_find(known, (const char *)at->name) < 0)
            return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "%s: '%.80s' (line %ld)", what, (const char *)at->name,
                                xmlGetLineNo(at));
    return 0;
}

static const Words hyperv_names = WORDS("relaxed", "vapic", "spinlocks", "vpindex", "runtime",
                                        "synic", "stimer", "reset", "vendor_id", "frequencies",
                                        "reenlightenment", "tlbflush", "ipi", "evmcs", "avic");
static const Words kvm_names = WORDS("hidden", "hint-dedicated", "poll-control", "pv-ipi",
                                     "dirty-ring");
static const Words feature_names = WORDS(
    "acpi", "apic", "pae", "hap", "viridian", "privnet", "hyperv", "kvm", "pvspinlock",
    "capabilities", "pmu", "vmport", "gic", "smm", "ioapic", "hpt", "vmcoreinfo", "htm",
    "nested-hv", "msrs", "ccf-assist", "xen", "cfpc", "sbbc", "ibs", "tcg");

static int check_hyperv_names(ElementReader *reader, xmlNodePtr node, void *object) {
    return refuse_unknown(reader, node, "unsupported HyperV Enlightenment feature", &hyperv_names);
}

static int check_kvm_names(ElementReader *reader, xmlNodePtr node, void *object) {
    return refuse_unknown(reader, node, "unsupported KVM feature", &kvm_names);
}

static int check_names(ElementReader *reader, xmlNodePtr node, void *object) {
    return refuse_unknown(reader, node, "unexpected feature", &feature_names);
}

/* What is off has no details. */
static int check_hyperv(ElementReader *reader, xmlNodePtr node, void *object) {
    HypervDef *hyperv = object;

    if (hyperv->vendor_id == TRISTATE_NO)
        free(TAKE_PTR(hyperv->vendor_id_value));
    if (hyperv->spinlocks == TRISTATE_NO)
        hyperv->spinlock_retries = 0;
    return 0;
}

static const Field hyperv_fields[] = {FIELD_CHOICE("@mode", HypervDef, mode, hyperv_modes),
                                      HYPERV("relaxed", relaxed),
                                      HYPERV("vapic", vapic),
                                      FIELD_CODE("spinlocks", read_spinlocks, NULL),
                                      FIELD_GROUP("spinlocks", spinlocks_fields),
                                      HYPERV("vpindex", vpindex),
                                      HYPERV("runtime", runtime),
                                      HYPERV("synic", synic),
                                      FIELD_CODE("stimer", read_stimer, NULL),
                                      FIELD_GROUP("stimer", stimer_fields),
                                      HYPERV("reset", reset),
                                      FIELD_CODE("vendor_id", read_vendor, NULL),
                                      FIELD_GROUP("vendor_id", vendor_fields),
                                      HYPERV("frequencies", frequencies),
                                      HYPERV("reenlightenment", reenlightenment),
                                      HYPERV("tlbflush", tlbflush),
                                      HYPERV("ipi", ipi),
                                      HYPERV("evmcs", evmcs),
                                      HYPERV("avic", avic),
                                      FIELD_CODE(NULL, check_hyperv_names, NULL),
                                      FIELD_CODE(NULL, check_hyperv, NULL),
                                      FIELD_END};

static const Field dirty_ring_fields[] = {
    STATE(FeaturesDef, kvm_dirty_ring),
    FIELD_UINT("@size", FeaturesDef, dirty_ring_size, 1024, 65536), FIELD_END};
static const Field kvm_fields[] = {FIELD_STATE("hidden", FeaturesDef, kvm_hidden),
                                   FIELD_STATE("hint-dedicated", FeaturesDef, kvm_hint_dedicated),
                                   FIELD_STATE("poll-control", FeaturesDef, kvm_poll_control),
                                   FIELD_STATE("pv-ipi", FeaturesDef, kvm_pv_ipi),
                                   FIELD_GROUP("dirty-ring", dirty_ring_fields),
                                   FIELD_CODE(NULL, check_kvm_names, NULL),
                                   FIELD_END};

static const Field xen_passthrough_fields[] = {
    STATE(FeaturesDef, xen_passthrough),
    FIELD_CHOICE("@mode", FeaturesDef, xen_passthrough_mode, passthrough_modes), FIELD_END};
static const Field xen_fields[] = {FIELD_STATE("e820_host", FeaturesDef, xen_e820_host),
                                   FIELD_GROUP("passthrough", xen_passthrough_fields), FIELD_END};
static const Field gic_fields[] = {FIELD_CHOICE("@version", FeaturesDef, gic_version, gics),
                                   FIELD_END};
static const Field smm_fields[] = {STATE(FeaturesDef, smm),
                                   FIELD_SIZE("tseg", FeaturesDef, tseg,
                                              FIELD_GIVEN(FeaturesDef, has_tseg),
                                              .bare_unit = "MiB", .flags = FIELD_LARGEST),
                                   FIELD_END};
static const Field hpt_fields[] = {FIELD_CHOICE("@resizing", FeaturesDef, hpt_resizing, resizings),
                                   FIELD_SIZE("maxpagesize", FeaturesDef, hpt_maxpagesize),
                                   FIELD_END};
static const Field tcg_fields[] = {FIELD_SIZE("tb-cache", FeaturesDef, tb_cache), FIELD_END};

/* What is off has no details. */
static int check_smm(ElementReader *reader, xmlNodePtr node, void *object) {
    FeaturesDef *features = object;

    if (features->smm == TRISTATE_NO)
        features->has_tseg = false;
    return 0;
}

static int read_smm(ElementReader *reader, xmlNodePtr node, void *object) {
    return read_part(reader, node, &((FeaturesDef *)object)->smm);
}

static int read_ioapic(ElementReader *reader, xmlNodePtr node, void *object) {
    FeaturesDef *features = object;

    features->ioapic_split = streq_ptr(features->ioapic, "qemu");
    return 0;
}

static const Field apic_fields[] = {FIELD_ON_OFF("@eoi", FeaturesDef, apic_eoi), FIELD_END};

const Field features_fields[] = {
    FIELD_CODE(NULL, check_names, NULL),
    FIELD_PRESENT("acpi", FeaturesDef, acpi),
    FIELD_GROUP("apic", apic_fields, FIELD_GIVEN(FeaturesDef, apic)),
    FIELD_PRESENT("pae", FeaturesDef, pae, .flags = FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_STATE("hap", FeaturesDef, hap, .flags = FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_PRESENT("viridian", FeaturesDef, viridian, .flags = FIELD_NOT_ACTED),
    FIELD_PRESENT("privnet", FeaturesDef, privnet, .flags = FIELD_NOT_ACTED),
    FIELD_PART("hyperv", FeaturesDef, hyperv, hyperv_fields, FIELD_GIVEN(FeaturesDef, has_hyperv),
               .flags = FIELD_OPEN),
    FIELD_GROUP("kvm", kvm_fields, FIELD_GIVEN(FeaturesDef, has_kvm), .flags = FIELD_OPEN),
    FIELD_STATE("pvspinlock", FeaturesDef, pvspinlock),
    FIELD_VERBATIM("capabilities", FeaturesDef, capabilities, .flags = FIELD_NOT_ACTED),
    FIELD_STATE("pmu", FeaturesDef, pmu),
    FIELD_STATE("vmport", FeaturesDef, vmport),
    FIELD_GROUP("gic", gic_fields, FIELD_GIVEN(FeaturesDef, has_gic)),
    FIELD_CODE("smm", read_smm, NULL),
    FIELD_GROUP("smm", smm_fields),
    FIELD_CODE(NULL, check_smm, NULL),
    FIELD_CHOICE("ioapic@driver", FeaturesDef, ioapic, ioapics),
    FIELD_CODE(NULL, read_ioapic, NULL),
    FIELD_GROUP("hpt", hpt_fields, .flags = FIELD_NOT_STARTED),
    FIELD_STATE("vmcoreinfo", FeaturesDef, vmcoreinfo),
    FIELD_STATE("htm", FeaturesDef, htm),
    FIELD_STATE("nested-hv", FeaturesDef, nested_hv),
    FIELD_CHOICE("msrs@unknown", FeaturesDef, msrs_unknown, unknowns, .flags = FIELD_NOT_ACTED),
    FIELD_STATE("ccf-assist", FeaturesDef, ccf_assist),
    FIELD_GROUP("xen", xen_fields, FIELD_GIVEN(FeaturesDef, has_xen), .flags = FIELD_NOT_STARTED),
    FIELD_CHOICE("cfpc@value", FeaturesDef, cfpc, cfpcs),
    FIELD_CHOICE("sbbc@value", FeaturesDef, sbbc, cfpcs),
    FIELD_CHOICE("ibs@value", FeaturesDef, ibs, ibss),
    FIELD_GROUP("tcg", tcg_fields),
    FIELD_END};
