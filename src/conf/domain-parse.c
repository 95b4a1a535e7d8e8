/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The top of the domain XML: identity, memory, os, features, clock, life-cycle actions. */
#include <libxml/parser.h>
#include <stdio.h>
#include <sys/random.h>

#include "conf/domain-metadata.h"
#include "conf/domain-parse-internal.h"
#include "conf/domain-validate.h"
#include "conf/xml-text.h"

#define NAME_MAX_BYTES 200u /* leaves room in a file name for a suffix */

static int read_text(Parser *parser, xmlNodePtr node, char **to) {
    char *text = node_text(node);

    if (!text)
        return error_no_memory(parser->reterr);
    free(*to);
    *to = text;
    return 0;
}

/* The name becomes part of file names. */
static int parse_name(Parser *parser, xmlNodePtr node) {
    int r = read_text(parser, node, &parser->def->name);
    const char *name = parser->def->name;

    if (r < 0)
        return r;
    if (strchr(name, '\n'))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                            "invalid char in name (line %ld): a newline", xmlGetLineNo(node));
    if (strchr(name, '/') || streq(name, ".") || streq(name, ".."))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "name %.200s cannot contain '/'%s", name,
                            strchr(name, '/') ? "" : " or be a directory's");
    if (strlen(name) > NAME_MAX_BYTES)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "the name is longer than %u bytes (line %ld)", NAME_MAX_BYTES,
                            xmlGetLineNo(node));
    return 0;
}

static int parse_title(Parser *parser, xmlNodePtr node) {
    int r = read_text(parser, node, &parser->def->title);

    if (r >= 0 && strchr(parser->def->title, '\n'))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Domain title can't contain newlines");
    return r;
}

static int parse_description(Parser *parser, xmlNodePtr node) {
    return read_text(parser, node, &parser->def->description);
}

static int parse_uuid(Parser *parser, xmlNodePtr node) {
    CLEANUP_FREE char *text = node_text(node);

    if (!text || uuid_parse(text, parser->def->uuid) < 0)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_INTERNAL, "malformed uuid element");
    return 0;
}

static int parse_metadata(Parser *parser, xmlNodePtr node) {
    free(parser->def->metadata);
    parser->def->metadata = xml_text(node);
    if (!parser->def->metadata)
        return error_no_memory(parser->reterr);
    return domain_metadata_parse(parser->def, node, parser->reterr);
}

static int parse_memory_element(Parser *parser, xmlNodePtr node, uint64_t *to) {
    CLEANUP_FREE char *text = node_text(node), *unit = node_attribute(node, "unit");

    return parse_size_kib(parser, node, text, unit, to);
}

static int parse_memory(Parser *parser, xmlNodePtr node) {
    return parse_memory_element(parser, node, &parser->def->memory_kib);
}

static int parse_current_memory(Parser *parser, xmlNodePtr node) {
    return parse_memory_element(parser, node, &parser->def->current_memory_kib);
}

/* ---- <os> ---- */

static int parse_os_type(Parser *parser, xmlNodePtr node) {
    CLEANUP_FREE char *text = node_text(node);

    if (text && !streq(text, "hvm") && !streq(text, "linux"))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "os type '%.40s' is not supported; use hvm", text);
    attribute_string(node, "arch", &parser->def->os.arch);
    attribute_string(node, "machine", &parser->def->os.machine);
    return 0;
}

/* Empty is as good as absent. */
static int read_text_or_none(Parser *parser, xmlNodePtr node, char **to) {
    int r = read_text(parser, node, to);

    if (r >= 0 && !**to)
        free(TAKE_PTR(*to));
    return r;
}

static int parse_kernel(Parser *parser, xmlNodePtr node) {
    return read_text_or_none(parser, node, &parser->def->os.kernel);
}

static int parse_initrd(Parser *parser, xmlNodePtr node) {
    return read_text_or_none(parser, node, &parser->def->os.initrd);
}

static int parse_cmdline(Parser *parser, xmlNodePtr node) {
    return read_text_or_none(parser, node, &parser->def->os.cmdline);
}

static int parse_boot(Parser *parser, xmlNodePtr node) {
    OsDef *os = &parser->def->os;
    int device = -1, r;

    r = attribute_enum(parser, node, "dev", boot_names, BOOT_DEV_MAX_, &device);
    if (r < 0)
        return r;
    if (device < 0)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "missing boot device (line %ld)", xmlGetLineNo(node));
    if (os->n_boot < BOOT_DEV_MAX_)
        os->boot[os->n_boot++] = device;
    return 0;
}

static int parse_os(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"type", parse_os_type, false},
                                            {"kernel", parse_kernel, false},
                                            {"initrd", parse_initrd, false},
                                            {"cmdline", parse_cmdline, false},
                                            {"boot", parse_boot, false},
                                            {"bootmenu", NULL, false},
                                            {"smbios", NULL, false},
                                            {"loader", NULL, true},
                                            {"nvram", NULL, true},
                                            {"firmware", NULL, true},
                                            {"acpi", NULL, true},
                                            {"bios", NULL, false}};
    CLEANUP_FREE char *firmware = node_attribute(node, "firmware");

    if (firmware)
        return parse_refuse(parser, node, "the firmware attribute");
    return parse_children(parser, node, readers, ARRAY_SIZE(readers));
}

/* ---- <features> ---- */

static int parse_acpi(Parser *parser, xmlNodePtr node) {
    parser->def->features.acpi = true;
    return 0;
}

static int parse_apic(Parser *parser, xmlNodePtr node) {
    parser->def->features.apic = true;
    return 0;
}

static int parse_pae(Parser *parser, xmlNodePtr node) {
    parser->def->features.pae = true;
    return 0;
}

/* <x state='on|off'/>; without state it means on. */
static int parse_state(Parser *parser, xmlNodePtr node, Tristate *to) {
    *to = TRISTATE_YES;
    return attribute_tristate(parser, node, "state", to);
}

static int parse_hap(Parser *parser, xmlNodePtr node) {
    return parse_state(parser, node, &parser->def->features.hap);
}

static int parse_vmport(Parser *parser, xmlNodePtr node) {
    return parse_state(parser, node, &parser->def->features.vmport);
}

static int parse_smm(Parser *parser, xmlNodePtr node) {
    return parse_state(parser, node, &parser->def->features.smm);
}

static int parse_pmu(Parser *parser, xmlNodePtr node) {
    return parse_state(parser, node, &parser->def->features.pmu);
}

static int parse_hidden(Parser *parser, xmlNodePtr node) {
    return parse_state(parser, node, &parser->def->features.kvm_hidden);
}

static int parse_kvm(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"hidden", parse_hidden, false}};

    return parse_children(parser, node, readers, ARRAY_SIZE(readers));
}

static int parse_ioapic(Parser *parser, xmlNodePtr node) {
    CLEANUP_FREE char *driver = node_attribute(node, "driver");

    parser->def->features.ioapic_split = streq_ptr(driver, "qemu");
    return 0;
}

static int parse_features(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"acpi", parse_acpi, false},
                                            {"apic", parse_apic, false},
                                            {"pae", parse_pae, false},
                                            {"hap", parse_hap, false},
                                            {"vmport", parse_vmport, false},
                                            {"smm", parse_smm, false},
                                            {"pmu", parse_pmu, false},
                                            {"kvm", parse_kvm, false},
                                            {"ioapic", parse_ioapic, false},
                                            {"hyperv", NULL, true},
                                            {"xen", NULL, true},
                                            {"gic", NULL, true},
                                            {"privnet", NULL, false},
                                            {"viridian", NULL, true},
                                            {"capabilities", NULL, true}};

    return parse_children(parser, node, readers, ARRAY_SIZE(readers));
}

/* ---- clock and life cycle ---- */

static int parse_timer(Parser *parser, xmlNodePtr node) {
    DomainDef *def = parser->def;
    TimerDef *timer = array_append(&def->timers, &def->n_timers, sizeof(TimerDef));

    if (!timer)
        return error_no_memory(parser->reterr);
    attribute_string(node, "name", &timer->name);
    attribute_string(node, "tickpolicy", &timer->tickpolicy);
    if (!timer->name)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML, "missing timer name (line %ld)",
                            xmlGetLineNo(node));
    return attribute_tristate(parser, node, "present", &timer->present);
}

static int parse_clock(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"timer", parse_timer, false}};
    int offset = CLOCK_UTC;
    int r = attribute_enum(parser, node, "offset", clock_names, CLOCK_OFFSET_MAX_, &offset);

    parser->def->clock = offset;
    return r < 0 ? r : parse_children(parser, node, readers, ARRAY_SIZE(readers));
}

static int parse_action(Parser *parser, xmlNodePtr node, LifecycleAction *to) {
    CLEANUP_FREE char *text = node_text(node);
    int value = ENUM_FROM_STRING(lifecycle_names, text);

    if (value < 0)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_INTERNAL,
                            "unknown lifecycle action '%.40s' in <%s>", text ? text : "",
                            (const char *)node->name);
    *to = value;
    return 0;
}

static int parse_on_poweroff(Parser *parser, xmlNodePtr node) {
    return parse_action(parser, node, &parser->def->on_poweroff);
}

static int parse_on_reboot(Parser *parser, xmlNodePtr node) {
    return parse_action(parser, node, &parser->def->on_reboot);
}

static int parse_on_crash(Parser *parser, xmlNodePtr node) {
    return parse_action(parser, node, &parser->def->on_crash);
}

static int parse_seclabel(Parser *parser, xmlNodePtr node) {
    CLEANUP_FREE char *type = node_attribute(node, "type");

    return streq_ptr(type, "none") ? 0 : parse_refuse(parser, node, "a type other than 'none'");
}

/* ---- the whole ---- */

static const ElementReader top_readers[] = {
    {"name", parse_name, false},
    {"uuid", parse_uuid, false},
    {"title", parse_title, false},
    {"description", parse_description, false},
    {"metadata", parse_metadata, false},
    {"memory", parse_memory, false},
    {"currentMemory", parse_current_memory, false},
    {"vcpu", parse_vcpu, false},
    {"vcpus", NULL, false},     /* after all others: it needs the maximum */
    {"iothreads", NULL, false}, /* these four: parse_tune */
    {"iothreadids", NULL, false},
    {"cputune", NULL, false},
    {"numatune", NULL, false},
    {"resource", parse_resource, false},
    {"os", parse_os, false},
    {"features", parse_features, false},
    {"cpu", parse_cpu, false},
    {"clock", parse_clock, false},
    {"on_poweroff", parse_on_poweroff, false},
    {"on_reboot", parse_on_reboot, false},
    {"on_crash", parse_on_crash, false},
    {"devices", parse_devices, false},
    {"seclabel", parse_seclabel, false},
    {"pm", NULL, false},
    {"memtune", NULL, true},
    {"memoryBacking", NULL, true},
    {"maxMemory", NULL, true},
    {"blkiotune", NULL, true},
    {"defaultiothread", NULL, true},
    {"sysinfo", NULL, true},
    {"idmap", NULL, true},
    {"launchSecurity", NULL, true},
    {"bootloader", NULL, true},
    {"perf", NULL, true},
    {"keywrap", NULL, true},
};

static int parse_identity(Parser *parser, xmlNodePtr node, bool *ret_has_uuid) {
    int virt = -1, r;

    if (!node_is(node, "domain"))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "unexpected root element <%s>, expecting <domain>",
                            (const char *)node->name);
    r = attribute_enum(parser, node, "type", virt_names, DOMAIN_VIRT_MAX_, &virt);
    if (r < 0)
        return r;
    if (virt < 0)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "missing domain type attribute");
    parser->def->virt = virt;
    *ret_has_uuid = node_child(node, "uuid") != NULL;
    return 0;
}

static int fill_uuid(Parser *parser) {
    uint8_t *uuid = parser->def->uuid;

    if (getrandom(uuid, 16, 0) != 16)
        return error_system(parser->reterr, FROM_DOMAIN, EIO, "no random numbers for a uuid");
    uuid[6] = (uuid[6] & 0x0f) | 0x40; /* RFC 4122, version 4 */
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    return 0;
}

/* What may be left out. */
static int fill(Parser *parser, bool has_uuid) {
    DomainDef *def = parser->def;

    if (!def->name || !*def->name)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_NO_NAME, "%s", "");
    if (!def->memory_kib && def->cpu.n_cells == 0)
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_XML,
            "Memory size must be specified via <memory> or in the <numa> configuration");
    if (def->cpu.n_cells) {
        uint64_t sum = 0;

        for (size_t i = 0; i < def->cpu.n_cells; i++)
            sum += def->cpu.cells[i].memory_kib; /* 2^10 cells of 2^53 at most */
        if (sum > INT64_MAX / 1024)
            return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                                "the memory of the NUMA cells is beyond any machine's");
        def->memory_kib = sum;
    }
    if (!def->current_memory_kib || def->current_memory_kib > def->memory_kib)
        def->current_memory_kib = def->memory_kib;
    if (!def->os.arch)
        def->os.arch = strdup(parser->params->default_arch);
    if (!def->os.arch)
        return error_no_memory(parser->reterr);
    return has_uuid ? 0 : fill_uuid(parser);
}

int domain_parse_node(void *root, const DomainParseParams *params, DomainDef **ret,
                      Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = calloc(1, sizeof(DomainDef));
    Parser parser = {.params = params, .def = def, .reterr = reterr};
    xmlNodePtr node = root, vcpus;
    bool has_uuid = false;
    int r;

    if (!def)
        return error_no_memory(reterr);
    def->on_reboot = def->on_crash = LIFECYCLE_RESTART;
    def->on_crash = LIFECYCLE_DESTROY;
    r = parse_identity(&parser, node, &has_uuid);
    if (r >= 0)
        r = parse_children(&parser, node, top_readers, ARRAY_SIZE(top_readers));
    if (r >= 0 && def->n_vcpus_max == 0) {
        r = domain_def_set_max_vcpus(def, 1);
        if (r < 0)
            error_no_memory(reterr);
        else
            def->vcpus[0].online = true;
    }
    vcpus = node_child(node, "vcpus");
    if (r >= 0 && vcpus)
        r = parse_vcpus(&parser, vcpus);
    if (r >= 0)
        r = parse_tune(&parser, node);
    if (r >= 0)
        r = fill(&parser, has_uuid);
    if (r >= 0 && !params->live)
        r = domain_validate(def, reterr);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(def);
    return 0;
}

static int malformed(xmlParserCtxtPtr context, Error **reterr) {
    const xmlError *error = context ? xmlCtxtGetLastError(context) : NULL;

    return error_report(reterr, FROM_XML, ERROR_XML_DETAIL, "(domain_definition):%d: %s",
                        error ? error->line : 1,
                        error && error->message ? error->message : "not well-formed XML");
}

/* What has no parser context yet (a broken encoding) libxml2 would print. */
static void quiet(void *context, const char *format, ...) {
}

int domain_parse(const char *xml, size_t len, const DomainParseParams *params, DomainDef **ret,
                 Error **reterr) {
    xmlParserCtxtPtr context;
    xmlDocPtr doc;
    int r;

    if (len > DOMAIN_XML_MAX)
        return error_report(reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "the domain XML is %zu bytes long, %u are allowed", len,
                            DOMAIN_XML_MAX);
    context = xmlNewParserCtxt();
    if (!context)
        return error_no_memory(reterr);
    xmlSetGenericErrorFunc(NULL, quiet);
    /* No XML_PARSE_HUGE: libxml2 keeps its limits on depth and entities. */
    doc = xmlCtxtReadMemory(context, xml, (int)len, "domain.xml", NULL,
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!doc || !context->wellFormed || !xmlDocGetRootElement(doc))
        r = malformed(context, reterr);
    else if (doc->intSubset || doc->extSubset) /* entities could grow without bound */
        r = error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                         "(domain_definition): a document type declaration is not allowed");
    else
        r = domain_parse_node(xmlDocGetRootElement(doc), params, ret, reterr);
    xmlFreeDoc(doc);
    xmlFreeParserCtxt(context);
    return r;
}
