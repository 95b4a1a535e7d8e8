/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of a status file, written and read. */
#include "domain/status-file.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "conf/xml-document.h"
#include "domain/placement.h"
#include "domain/status-delta.h"
#include "limits/limits.h"
#include "qemu/unplug.h"
#include "util/text.h"

/* 1 had nothing behind </domstatus>, 2 no <disks>. */
#define STATUS_VERSION 3
#define STATUS_VERSION_PLAIN 2 /* without <disks>, which an older one must not pass over */
#define REMOVED_UNKNOWN 2      /* of removed=, besides 0 and 1 */

/* Nothing without a value. False: out of memory. */
static bool write_attribute(FILE *out, const char *name, const char *value) {
    xmlChar *escaped = value ? xmlEncodeSpecialChars(NULL, BAD_CAST value) : NULL;

    if (escaped)
        fprintf(out, " %s=\"%s\"", name, (char *)escaped);
    xmlFree(escaped);
    return !value || escaped;
}

static const char *const save_kinds[] = {[SAVE_NONE] = "",
                                         [SAVE_TO] = "to",
                                         [SAVE_FROM] = "from",
                                         [SAVE_OUT] = "out",
                                         [SAVE_GIVEN] = "given",
                                         [SAVE_POSTCOPY_OUT] = "postcopy-out",
                                         [SAVE_POSTCOPY_IN] = "postcopy-in"};

static const char *const verdict_names[GUEST_VERDICT_MAX_] = {[GUEST_UNKNOWN] = "unknown",
                                                              [GUEST_ONLINE] = "online",
                                                              [GUEST_PRESENT] = "present",
                                                              [GUEST_SILENT] = "silent"};

/* The first ids of the plugged entities of a verdict; NULL: none, or out of memory. */
static char *ids_of(const VcpuMap *map, GuestVerdict verdict) {
    CLEANUP_BITMAP Bitmap *ids = bitmap_new();

    for (size_t i = 0; ids && i < map->n_entities; i++)
        if (map->entities[i].qom_path && map->entities[i].verdict == verdict &&
            bitmap_set(ids, map->entities[i].first_id) < 0)
            return NULL;
    return ids && !bitmap_is_empty(ids) ? bitmap_format(ids) : NULL;
}

/* They are asked for again by the next daemon: what cannot be written is no loss. */
static void write_verdicts(FILE *out, const VcpuMap *map) {
    bool any = false;

    for (size_t i = 0; i < map->n_entities && !any; i++)
        any = map->entities[i].qom_path && map->entities[i].verdict != GUEST_UNTOLD;
    if (!any)
        return;
    fputs("  <guest", out);
    for (GuestVerdict at = GUEST_UNTOLD + 1; at < GUEST_VERDICT_MAX_; at++) {
        CLEANUP_FREE char *ids = ids_of(map, at);

        write_attribute(out, verdict_names[at], ids);
    }
    fputs("/>\n", out);
}

static char *status_text(const Domain *domain, const char *xml, const char *disks) {
    char *text = NULL;
    FILE *out = text_open(&text);
    bool whole = true;

    if (!out)
        return NULL;
    fprintf(out,
            "<domstatus version='%d' state='%d' reason='%d' pid='%d' start='%llu' id='%d' "
            "removed='%d' threads='%u' clock='%lld'%s%s>\n",
            disks ? STATUS_VERSION : STATUS_VERSION_PLAIN, domain->state, domain->reason,
            (int)domain->run->pid.pid, (unsigned long long)domain->run->pid.start_time,
            domain->run->id,
            domain->run->past_is_unknown ? REMOVED_UNKNOWN : domain->run->vcpu_was_removed,
            domain->run->n_vcpu_threads, (long long)domain->run->clock_base,
            domain->run->rebooting ? " intent='reboot'" : "",
            domain->run->commanded ? " commanded='1'" : "");
    fputs("  <monitor", out);
    whole &= write_attribute(out, "path", domain->run->monitor_path);
    fputs("/>\n  <log", out);
    whole &= write_attribute(out, "path", domain->run->log_path);
    fputs("/>\n", out);
    if (domain->run->limits && limits_partition(domain->run->limits)) {
        fputs("  <limits", out);
        whole &= write_attribute(out, "partition", limits_partition(domain->run->limits));
        whole &= write_attribute(out, "group", limits_group(domain->run->limits));
        whole &= write_attribute(out, "machine", limits_machine(domain->run->limits));
        fputs("/>\n", out);
    }
    if (domain->run->live->numatune.automatic && domain->run->live->numatune.nodes) {
        CLEANUP_FREE char *nodes = bitmap_format(domain->run->live->numatune.nodes);

        fputs("  <placement", out);
        whole &= nodes && write_attribute(out, "nodes", nodes);
        fputs("/>\n", out);
    }
    if (domain->run->save.kind != SAVE_NONE) {
        fprintf(out, "  <save kind='%s' running='%d'", save_kinds[domain->run->save.kind],
                domain->run->save.running);
        if (domain->run->save.seen)
            fputs(" seen='1'", out);
        if (domain->run->save.yours)
            fputs(" yours='1'", out);
        whole &= write_attribute(out, "path", domain->run->save.path);
        whole &= write_attribute(out, "id", domain->run->save.id);
        fputs("/>\n", out);
    }
    write_verdicts(out, &domain->run->vcpus);
    if (disks)
        fputs(disks, out);
    fprintf(out, "%s</domstatus>\n", xml);
    if (fclose(out) == 0 && whole)
        return text;
    free(text);
    return NULL;
}

int status_file_format(const Domain *domain, char **ret) {
    CLEANUP_BITMAP Bitmap *pending = unplug_pending(&domain->run->vcpus);
    CLEANUP_FREE char *xml = NULL, *disks = NULL;
    DomainFormatParams params = {
        .id = domain_id(domain), .indent = 2, .secrets = true, .pending = pending};

    if (!pending || domain_format(domain->run->live, &params, &xml) < 0)
        return -ENOMEM;
    if (run_disks_format(&domain->run->disks, domain->run->live, &disks) < 0)
        return -ENOMEM;
    *ret = status_text(domain, xml, disks);
    return *ret ? 0 : -ENOMEM;
}

/* A number, which is one piece of text; 0: there is none. */
static long long attribute(xmlNodePtr node, const char *name) {
    xmlAttrPtr attribute = xmlHasProp(node, BAD_CAST name);
    const xmlNode *text = attribute ? attribute->children : NULL;

    return text && text->content ? strtoll((const char *)text->content, NULL, 10) : 0;
}

static xmlNodePtr child(xmlNodePtr node, const char *name) {
    for (xmlNodePtr at = node->children; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && xmlStrEqual(at->name, BAD_CAST name))
            return at;
    return NULL;
}

/* The root, and whether something of it could not be read for want of memory. */
typedef struct Source {
    xmlNodePtr root;
    bool failed;
} Source;

/* NULL: there is none, or the source has failed. */
static char *child_attribute(Source *source, const char *name, const char *attribute_name) {
    xmlNodePtr node = child(source->root, name);
    bool there = node && xmlHasProp(node, BAD_CAST attribute_name);
    xmlChar *text = there ? xmlGetProp(node, BAD_CAST attribute_name) : NULL;
    char *copy = text ? strdup((const char *)text) : NULL;

    xmlFree(text);
    source->failed |= there && !copy;
    return copy;
}

/* The ids of <vcpus><vcpu pending=>. */
static int read_pending(xmlNodePtr domain, Bitmap **ret) {
    CLEANUP_BITMAP Bitmap *pending = bitmap_new();
    xmlNodePtr vcpus = child(domain, "vcpus");

    for (xmlNodePtr at = vcpus && pending ? vcpus->children : NULL; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && xmlHasProp(at, BAD_CAST "pending") &&
            /* an id out of range names no vCPU */
            bitmap_set(pending, (unsigned)attribute(at, "id")) == -ENOMEM)
            return -ENOMEM;
    *ret = TAKE_PTR(pending);
    return *ret ? 0 : -ENOMEM;
}

int status_file_pending(const char *text, size_t len, Bitmap **ret) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    int r = xml_document_parse(text, len, 2 * DOMAIN_XML_MAX, "domain_definition", &doc, NULL);

    if (r < 0)
        return r == -ENOMEM ? r : -EINVAL;
    return read_pending(xmlDocGetRootElement(doc), ret);
}

static int read_placement(Source *source, DomainDef *live, Error **reterr) {
    CLEANUP_FREE char *text = child_attribute(source, "placement", "nodes");
    CLEANUP_BITMAP Bitmap *nodes = NULL;
    int r;

    if (!text)
        return 0;
    r = bitmap_parse(text, BITMAP_MAX_BITS, &nodes);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no nodes in <placement> of the status file");
    return placement_apply(live, nodes, reterr);
}

/* Of a save or a restore that was under way. */
static void read_save(Source *source, SaveIntent *ret) {
    CLEANUP_FREE char *kind = child_attribute(source, "save", "kind");
    xmlNodePtr node = child(source->root, "save");

    if (!kind || !node)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(save_kinds); i++)
        if (streq(kind, save_kinds[i]))
            ret->kind = (SaveKind)i;
    ret->path = child_attribute(source, "save", "path");
    ret->id = child_attribute(source, "save", "id");
    ret->running = attribute(node, "running");
    ret->seen = attribute(node, "seen");
    ret->yours = attribute(node, "yours");
}

static int read_verdicts(Source *source, DomainRun *run, Error **reterr) {
    for (GuestVerdict at = GUEST_UNTOLD + 1; at < GUEST_VERDICT_MAX_; at++) {
        CLEANUP_FREE char *text = child_attribute(source, "guest", verdict_names[at]);
        int r = text ? bitmap_parse(text, BITMAP_MAX_BITS, &run->found_verdicts[at]) : 0;

        if (r == -ENOMEM)
            return error_no_memory(reterr);
        if (r < 0)
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "no vCPUs in <guest %s='%s'> of the status file", verdict_names[at],
                                text);
    }
    return 0;
}

/* The groups that its threads were in. */
static void read_found(Source *source, DomainFound *ret) {
    ret->partition = child_attribute(source, "limits", "partition");
    ret->group = child_attribute(source, "limits", "group");
    ret->machine = child_attribute(source, "limits", "machine");
}

static int read_parts(Source *source, DomainRun *run, Error **reterr) {
    int r = read_placement(source, run->live, reterr);

    if (r >= 0)
        r = status_delta_apply(source->root, run->live, reterr);
    if (r >= 0)
        r = read_verdicts(source, run, reterr);
    return r < 0 ? r : run_disks_read(child(source->root, "disks"), &run->disks, run->live, reterr);
}

static int read_root(Source *source, StatusRecord *ret, Error **reterr) {
    xmlNodePtr root = source->root, node = child(root, "domain");
    DomainDef *live = NULL;
    DomainRun *run;
    struct utsname host;
    DomainParseParams params = {.live = true};
    int r;

    uname(&host);
    params.default_arch = host.machine;
    if (attribute(root, "version") > STATUS_VERSION)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "its version %lld is from a newer vireod: this one knows %d",
                            attribute(root, "version"), STATUS_VERSION);
    if (!node)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML, "no <domain> in the status file");
    r = domain_parse_node(node, &params, &live, reterr);
    if (r < 0)
        return r;
    ret->run = run = domain_run_new(0, live);
    if (!run)
        return error_no_memory(reterr);
    run->has_thresholds = true; /* for all that is known */
    if (read_pending(node, &run->pending_removals) < 0)
        return error_no_memory(reterr);
    run->monitor_path = child_attribute(source, "monitor", "path");
    run->log_path = child_attribute(source, "log", "path");
    if (source->failed)
        return error_no_memory(reterr);
    if (!run->monitor_path || !run->log_path)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no monitor or log path in the status file");
    r = read_parts(source, run, reterr);
    if (r < 0)
        return r;
    read_found(source, &run->found);
    ret->state = attribute(root, "state");
    ret->reason = attribute(root, "reason");
    run->id = attribute(root, "id");
    run->vcpu_was_removed = attribute(root, "removed") != 0;
    run->past_is_unknown = attribute(root, "removed") == REMOVED_UNKNOWN;
    run->commanded = xmlHasProp(root, BAD_CAST "commanded") ? COMMANDED_SAVED : COMMANDED_NEVER;
    run->n_vcpu_threads = attribute(root, "threads");
    if (xmlHasProp(root,
                   BAD_CAST "clock")) /* else it is that of the definition, which may differ */
        run->clock_base = attribute(root, "clock");
    read_save(source, &run->save);
    run->rebooting = xmlHasProp(root, BAD_CAST "intent") != NULL;
    run->pid = (QemuPid){.pid = attribute(root, "pid"), .start_time = attribute(root, "start")};
    if (source->failed)
        return error_no_memory(reterr);
    if (run->pid.pid <= 1 || run->id <= 0)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no usable pid or id in the status file");
    return 0;
}

int status_file_parse(const char *text, size_t len, StatusRecord *ret, Error **reterr) {
    xmlParserCtxtPtr context = xmlNewParserCtxt();
    xmlDocPtr doc = context ? xml_read(context, text, status_delta_whole(text, len)) : NULL;
    Source source = {.root = doc ? xmlDocGetRootElement(doc) : NULL};
    int r;

    *ret = (StatusRecord){0};
    if (source.root)
        r = read_root(&source, ret, reterr);
    else if (!context || !xml_read_error(context))
        r = error_no_memory(reterr);
    else
        r = error_report(reterr, FROM_DOMAIN, ERROR_XML, "it is no XML, or is cut");
    xmlFreeDoc(doc);
    xmlFreeParserCtxt(context);
    if (r < 0)
        ret->run = domain_run_free(ret->run);
    return r;
}
