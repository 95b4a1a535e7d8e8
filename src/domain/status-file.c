/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of a status file, written and read. */
#include "domain/status-file.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "domain/placement.h"
#include "domain/status-delta.h"
#include "limits/limits.h"
#include "qemu/unplug.h"

/* 1 had nothing behind </domstatus>. */
#define STATUS_VERSION 2
#define REMOVED_UNKNOWN 2 /* of removed=, besides 0 and 1 */

static void write_attribute(FILE *out, const char *name, const char *value) {
    xmlChar *escaped = value ? xmlEncodeSpecialChars(NULL, BAD_CAST value) : NULL;

    if (escaped)
        fprintf(out, " %s=\"%s\"", name, (char *)escaped);
    xmlFree(escaped);
}

static const char *const save_kinds[] = {[SAVE_NONE] = "", [SAVE_TO] = "to", [SAVE_FROM] = "from"};

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

static char *status_text(const Domain *domain, const char *xml) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    fprintf(out,
            "<domstatus version='%d' state='%d' reason='%d' pid='%d' start='%llu' id='%d' "
            "removed='%d' threads='%u'%s>\n",
            STATUS_VERSION, domain->state, domain->reason, (int)domain->run->pid.pid,
            (unsigned long long)domain->run->pid.start_time, domain->run->id,
            domain->run->past_is_unknown ? REMOVED_UNKNOWN : domain->run->vcpu_was_removed,
            domain->run->n_vcpu_threads, domain->run->rebooting ? " intent='reboot'" : "");
    fputs("  <monitor", out);
    write_attribute(out, "path", domain->run->monitor_path);
    fputs("/>\n  <log", out);
    write_attribute(out, "path", domain->run->log_path);
    fputs("/>\n", out);
    if (domain->run->limits && limits_partition(domain->run->limits)) {
        fputs("  <limits", out);
        write_attribute(out, "partition", limits_partition(domain->run->limits));
        write_attribute(out, "group", limits_group(domain->run->limits));
        write_attribute(out, "machine", limits_machine(domain->run->limits));
        fputs("/>\n", out);
    }
    if (domain->run->live->numatune.automatic && domain->run->live->numatune.nodes) {
        CLEANUP_FREE char *nodes = bitmap_format(domain->run->live->numatune.nodes);

        fputs("  <placement", out);
        write_attribute(out, "nodes", nodes);
        fputs("/>\n", out);
    }
    if (domain->run->save.kind != SAVE_NONE) {
        fprintf(out, "  <save kind='%s' running='%d'", save_kinds[domain->run->save.kind],
                domain->run->save.running);
        write_attribute(out, "path", domain->run->save.path);
        write_attribute(out, "id", domain->run->save.id);
        fputs("/>\n", out);
    }
    write_verdicts(out, &domain->run->vcpus);
    fprintf(out, "%s</domstatus>\n", xml);
    return fclose(out) == 0 ? text : NULL;
}

int status_file_format(const Domain *domain, char **ret) {
    CLEANUP_BITMAP Bitmap *pending = unplug_pending(&domain->run->vcpus);
    CLEANUP_FREE char *xml = NULL;
    DomainFormatParams params = {
        .id = domain_id(domain), .indent = 2, .secrets = true, .pending = pending};

    if (!pending || domain_format(domain->run->live, &params, &xml) < 0)
        return -ENOMEM;
    *ret = status_text(domain, xml);
    return *ret ? 0 : -ENOMEM;
}

static long long attribute(xmlNodePtr node, const char *name) {
    xmlChar *text = xmlGetProp(node, BAD_CAST name);
    long long value = text ? strtoll((const char *)text, NULL, 10) : 0;

    xmlFree(text);
    return value;
}

static xmlNodePtr child(xmlNodePtr node, const char *name) {
    for (xmlNodePtr at = node->children; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && xmlStrEqual(at->name, BAD_CAST name))
            return at;
    return NULL;
}

static char *child_attribute(xmlNodePtr root, const char *name, const char *attribute_name) {
    xmlNodePtr node = child(root, name);
    xmlChar *text = node ? xmlGetProp(node, BAD_CAST attribute_name) : NULL;
    char *copy = text ? strdup((const char *)text) : NULL;

    xmlFree(text);
    return copy;
}

/* The ids of <vcpus><vcpu pending=>. */
static int read_pending(xmlNodePtr domain, Bitmap **ret) {
    CLEANUP_BITMAP Bitmap *pending = bitmap_new();
    xmlNodePtr vcpus = child(domain, "vcpus");

    for (xmlNodePtr at = vcpus && pending ? vcpus->children : NULL; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && xmlHasProp(at, BAD_CAST "pending"))
            bitmap_set(pending,
                       (unsigned)attribute(at, "id")); /* an id out of range names no vCPU */
    *ret = TAKE_PTR(pending);
    return *ret ? 0 : -ENOMEM;
}

static int read_placement(xmlNodePtr root, DomainDef *live, Error **reterr) {
    CLEANUP_FREE char *text = child_attribute(root, "placement", "nodes");
    CLEANUP_BITMAP Bitmap *nodes = NULL;

    if (!text)
        return 0;
    if (bitmap_parse(text, BITMAP_MAX_BITS, &nodes) < 0)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no nodes in <placement> of the status file");
    return placement_apply(live, nodes, reterr);
}

/* Of a save or a restore that was under way. */
static void read_save(xmlNodePtr root, SaveIntent *ret) {
    CLEANUP_FREE char *kind = child_attribute(root, "save", "kind");
    xmlNodePtr node = child(root, "save");

    if (!kind || !node)
        return;
    ret->kind = streq(kind, "to") ? SAVE_TO : streq(kind, "from") ? SAVE_FROM : SAVE_NONE;
    ret->path = child_attribute(root, "save", "path");
    ret->id = child_attribute(root, "save", "id");
    ret->running = attribute(node, "running");
}

static int read_verdicts(xmlNodePtr root, DomainRun *run, Error **reterr) {
    for (GuestVerdict at = GUEST_UNTOLD + 1; at < GUEST_VERDICT_MAX_; at++) {
        CLEANUP_FREE char *text = child_attribute(root, "guest", verdict_names[at]);

        if (text && bitmap_parse(text, BITMAP_MAX_BITS, &run->found_verdicts[at]) < 0)
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "no vCPUs in <guest %s='%s'> of the status file", verdict_names[at],
                                text);
    }
    return 0;
}

static int read_root(xmlNodePtr root, StatusRecord *ret, Error **reterr) {
    xmlNodePtr node = child(root, "domain");
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
    if (read_pending(node, &run->pending_removals) < 0)
        return error_no_memory(reterr);
    run->monitor_path = child_attribute(root, "monitor", "path");
    run->log_path = child_attribute(root, "log", "path");
    if (!run->monitor_path || !run->log_path)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no monitor or log path in the status file");
    r = read_placement(root, run->live, reterr);
    if (r >= 0)
        r = status_delta_apply(root, run->live, reterr);
    if (r >= 0)
        r = read_verdicts(root, run, reterr);
    if (r < 0)
        return r;
    run->found.partition = child_attribute(root, "limits", "partition");
    run->found.group = child_attribute(root, "limits", "group");
    run->found.machine = child_attribute(root, "limits", "machine");
    ret->state = attribute(root, "state");
    ret->reason = attribute(root, "reason");
    run->id = attribute(root, "id");
    run->vcpu_was_removed = attribute(root, "removed") != 0;
    run->past_is_unknown = attribute(root, "removed") == REMOVED_UNKNOWN;
    run->n_vcpu_threads = attribute(root, "threads");
    read_save(root, &run->save);
    run->rebooting = xmlHasProp(root, BAD_CAST "intent") != NULL;
    run->pid = (QemuPid){.pid = attribute(root, "pid"), .start_time = attribute(root, "start")};
    if (run->pid.pid <= 1 || run->id <= 0)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no usable pid or id in the status file");
    return 0;
}

int status_file_parse(const char *text, size_t len, StatusRecord *ret, Error **reterr) {
    xmlDocPtr doc = xmlReadMemory(text, (int)status_delta_whole(text, len), "status", NULL,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNodePtr root = doc ? xmlDocGetRootElement(doc) : NULL;
    int r;

    *ret = (StatusRecord){0};
    if (root)
        r = read_root(root, ret, reterr);
    else
        r = error_report(reterr, FROM_DOMAIN, ERROR_XML, "it is no XML, or is cut");
    xmlFreeDoc(doc);
    if (r < 0)
        ret->run = domain_run_free(ret->run);
    return r;
}
