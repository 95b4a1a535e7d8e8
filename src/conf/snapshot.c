/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/snapshot.h"

#include "conf/xml-document.h"

static const Words states = WORDS("", "running", "blocked", "paused", "shutdown", "shutoff",
                                  "crashed", "pmsuspended", "disk-snapshot");
static const Words places = WORDS("", "no", "internal", "external", "manual");
static const Field driver_fields[] = {FIELD_WORD("@type", StorageSource, format, disk_formats),
                                      FIELD_END};
static const Field source_fields[] = {FIELD_WORD("@type", StorageSource, type, disk_types),
                                      FIELD_GROUP("driver", driver_fields),
                                      FIELD_GROUP(NULL, storage_source_fields), FIELD_END};
static const Field taking_disk_fields[] = {
    FIELD_TEXT("@name", SnapshotDisk, name, .flags = FIELD_REQUIRED),
    FIELD_WORD("@snapshot", SnapshotDisk, place, places, .flags = FIELD_OMIT_FIRST),
    FIELD_PART(NULL, SnapshotDisk, source, source_fields), FIELD_END};

static void init_disk(void *object) {
    ((SnapshotDisk *)object)->source.type = DISK_FILE;
}

static int check_disk(ElementReader *reader, xmlNodePtr node, void *object) {
    SnapshotDisk *disk = object;

    if (disk->place == SNAPSHOT_MANUAL)
        disk->place = SNAPSHOT_NO;
    if (disk->place == SNAPSHOT_UNSAID && (disk->source.path || disk->source.format))
        disk->place = SNAPSHOT_EXTERNAL;
    if (disk->place != SNAPSHOT_EXTERNAL && disk->source.path)
        return error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "disk '%.100s' is not for an external snapshot and has a <source> "
                            "(line %ld)",
                            disk->name, xmlGetLineNo(node));
    if (disk->source.path && disk->source.type != DISK_NETWORK && *disk->source.path != '/')
        return error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "disk snapshot image path '%.200s' must be absolute",
                            disk->source.path);
    if (disk->place == SNAPSHOT_NO || disk->place == SNAPSHOT_INTERNAL)
        disk->source.type = DISK_TYPE_NONE_;
    return 0;
}

static const Element taking_disk_element = {"disk", sizeof(SnapshotDisk), taking_disk_fields,
                                            init_disk, check_disk};
static const Field disks_fields[] = {
    FIELD_LIST("disk", SnapshotDef, disks, n_disks, taking_disk_element), FIELD_END};
static const Field memory_fields[] = {
    FIELD_WORD("@snapshot", SnapshotDef, memory, places, .flags = FIELD_OMIT_FIRST),
    FIELD_TEXT("@file", SnapshotDef, memory_file), FIELD_END};
static const Field parent_fields[] = {FIELD_TEXT("name", SnapshotDef, parent), FIELD_END};

static int read_state(ElementReader *reader, xmlNodePtr node, void *object) {
    CLEANUP_FREE char *text = NULL;
    int r = element_text(reader, node, &text);

    if (r >= 0)
        r = words_find(&states, text ? text : "");
    if (r >= 0)
        ((SnapshotDef *)object)->state = r;
    return r == -EINVAL
               ? error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_CONFIG_UNSUPPORTED,
                              "Invalid state '%.40s' in domain snapshot XML", text ? text : "")
               : MIN_OF(r, 0);
}

static void write_state(ElementWriter *writer, const void *object) {
    const SnapshotDef *def = object;

    if (def->state != SNAPSHOT_STATE_NONE)
        writer_element(writer, "state", words_name(&states, (int)def->state));
}

static const Field snapshot_fields[] = {FIELD_TEXT("name", SnapshotDef, name),
                                        FIELD_TEXT("description", SnapshotDef, description),
                                        FIELD_CODE("state", read_state, write_state),
                                        FIELD_GROUP("parent", parent_fields),
                                        FIELD_INT("creationTime", SnapshotDef, created, 0,
                                                  INT64_MAX, FIELD_GIVEN(SnapshotDef, has_created)),
                                        FIELD_GROUP("memory", memory_fields),
                                        FIELD_GROUP("disks", disks_fields),
                                        FIELD_END};

static int check_name(ElementReader *reader, const char *name) {
    const char *why = !*name               ? "it is empty"
                      : *name == '.'       ? "name can't start with '.'"
                      : strchr(name, '/')  ? "name can't contain '/'"
                      : strlen(name) > 200 ? "it is longer than 200 bytes"
                                           : NULL;

    return why ? error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML_DETAIL,
                              "invalid snapshot name '%.100s': %s", name, why)
               : 0;
}

static int check_memory(ElementReader *reader, const SnapshotDef *def) {
    if (def->memory == SNAPSHOT_EXTERNAL && !def->memory_file)
        return error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "external memory snapshots require a filename");
    if (def->memory_file && def->memory != SNAPSHOT_EXTERNAL && def->memory != SNAPSHOT_UNSAID)
        return error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "memory filename '%.200s' requires external snapshot",
                            def->memory_file);
    return 0;
}

static int check_snapshot(ElementReader *reader, xmlNodePtr node, void *object) {
    SnapshotDef *def = object;
    int r = def->name ? check_name(reader, def->name) : 0;

    if (r >= 0)
        r = check_memory(reader, def);
    if (r < 0)
        return r;
    if (def->memory_file)
        def->memory = SNAPSHOT_EXTERNAL;
    for (size_t i = 0; i < def->n_disks; i++)
        for (size_t k = 0; k < i; k++)
            if (streq(def->disks[i].name, def->disks[k].name))
                return error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_CONFIG_UNSUPPORTED,
                                    "disk '%.100s' specified twice", def->disks[i].name);
    return 0;
}

static const Element snapshot_element = {"domainsnapshot", sizeof(SnapshotDef), snapshot_fields,
                                         NULL, check_snapshot};

/* What the domain was, in its own words. */
static int read_domain(xmlNodePtr root, const char *name, const DomainParseParams *params,
                       DomainDef **ret, Error **reterr) {
    xmlNodePtr node = element_child(root, name);

    if (!node)
        return 0;
    xmlNodeSetName(node, BAD_CAST "domain");
    return domain_parse_node(node, params, ret, reterr);
}

int snapshot_parse_node(xmlNodePtr root, const DomainParseParams *params, SnapshotDef **ret,
                        Error **reterr) {
    CLEANUP_SNAPSHOT_DEF SnapshotDef *def = NULL;
    ElementReader reader = {.reterr = reterr};
    int r;

    if (!element_is(root, "domainsnapshot"))
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "expecting root element of 'domainsnapshot', not '%.40s'",
                            (const char *)root->name);
    def = calloc(1, sizeof(SnapshotDef));
    if (!def)
        return error_no_memory(reterr);
    r = element_read(&reader, &snapshot_element, root, def);
    if (r >= 0 && params)
        r = read_domain(root, "domain", params, &def->domain, reterr);
    if (r >= 0 && params)
        r = read_domain(root, "inactiveDomain", params, &def->inactive, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(def);
    return r;
}

static int parse(const char *xml, size_t len, size_t limit, const DomainParseParams *params,
                 SnapshotDef **ret, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    int r = 0;

    if (params && xml_count_namespaces(xml, len) > DOMAIN_NAMESPACES_MAX)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "the snapshot's XML declares more than %u namespaces",
                            DOMAIN_NAMESPACES_MAX);
    r = xml_document_parse(xml, len, limit, "domain_snapshot", &doc, reterr);
    return r < 0 ? r : snapshot_parse_node(xmlDocGetRootElement(doc), params, ret, reterr);
}

int snapshot_parse(const char *xml, size_t len, SnapshotDef **ret, Error **reterr) {
    return parse(xml, len, SNAPSHOT_XML_MAX, NULL, ret, reterr);
}

int snapshot_parse_whole(const char *xml, size_t len, const DomainParseParams *params,
                         SnapshotDef **ret, Error **reterr) {
    return parse(xml, len, SNAPSHOT_KEPT_XML_MAX, params, ret, reterr);
}

/* ---- writing ---- */

int snapshot_format(const SnapshotDef *def, unsigned indent, bool secrets, char **ret) {
    ElementWriter writer = {.indent = indent, .secrets = secrets};
    Element inactive = domain_element;

    inactive.name = "inactiveDomain";
    writer_open(&writer, "domainsnapshot");
    element_write_fields(&writer, snapshot_fields, def);
    if (def->domain)
        element_write(&writer, &domain_element, def->domain);
    if (def->inactive)
        element_write(&writer, &inactive, def->inactive);
    writer_close(&writer, true);
    *ret = element_writer_take(&writer);
    return *ret ? 0 : -ENOMEM;
}

static bool has_uuid(const DomainDef *def, const uint8_t *uuid) {
    return !def || memcmp(def->uuid, uuid, sizeof(def->uuid)) == 0;
}

bool snapshot_is_of(const SnapshotDef *def, const uint8_t *uuid) {
    return has_uuid(def->domain, uuid) && has_uuid(def->inactive, uuid);
}

bool snapshot_is_external(const SnapshotDef *def) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].place == SNAPSHOT_EXTERNAL)
            return true;
    return def->memory == SNAPSHOT_EXTERNAL;
}

void snapshot_disk_done(SnapshotDisk *disk) {
    element_done(&taking_disk_element, disk);
}

SnapshotDef *snapshot_def_free(SnapshotDef *def) {
    if (!def)
        return NULL;
    domain_def_free(def->domain);
    domain_def_free(def->inactive);
    element_done(&snapshot_element, def);
    free(def);
    return NULL;
}
