/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/snapshot.h"

#include "conf/xml-document.h"

static const Words places = WORDS("", "no", "internal", "external", "manual");
static const Field driver_fields[] = {FIELD_WORD("@type", StorageSource, format, disk_formats),
                                      FIELD_END};
static const Field source_fields[] = {FIELD_WORD("@type", StorageSource, type, disk_types),
                                      FIELD_GROUP("driver", driver_fields),
                                      FIELD_GROUP(NULL, storage_source_fields), FIELD_END};
static const Field disk_fields[] = {
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
    return 0;
}

static const Element disk_element = {"disk", sizeof(SnapshotDisk), disk_fields, init_disk,
                                     check_disk};
static const Field disks_fields[] = {FIELD_LIST("disk", SnapshotDef, disks, n_disks, disk_element),
                                     FIELD_END};
static const Field memory_fields[] = {
    FIELD_WORD("@snapshot", SnapshotDef, memory, places, .flags = FIELD_OMIT_FIRST),
    FIELD_TEXT("@file", SnapshotDef, memory_file), FIELD_END};
static const Field snapshot_fields[] = {
    FIELD_TEXT("name", SnapshotDef, name), FIELD_TEXT("description", SnapshotDef, description),
    FIELD_GROUP("memory", memory_fields), FIELD_GROUP("disks", disks_fields), FIELD_END};

static int check_snapshot(ElementReader *reader, xmlNodePtr node, void *object) {
    const SnapshotDef *def = object;

    if (def->name && (!*def->name || *def->name == '.' || strchr(def->name, '/')))
        return error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "a snapshot's name is not empty, does not begin with '.' and has no "
                            "'/': '%.100s' (line %ld)",
                            def->name, xmlGetLineNo(node));
    for (size_t i = 0; i < def->n_disks; i++)
        for (size_t k = 0; k < i; k++)
            if (streq(def->disks[i].name, def->disks[k].name))
                return error_report(reader->reterr, FROM_DOMAIN_SNAPSHOT, ERROR_CONFIG_UNSUPPORTED,
                                    "disk '%.100s' specified twice", def->disks[i].name);
    return 0;
}

static const Element snapshot_element = {"domainsnapshot", sizeof(SnapshotDef), snapshot_fields,
                                         NULL, check_snapshot};

int snapshot_parse(const char *xml, size_t len, SnapshotDef **ret, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    CLEANUP_SNAPSHOT_DEF SnapshotDef *def = NULL;
    ElementReader reader = {.reterr = reterr};
    xmlNodePtr root;
    int r = xml_document_parse(xml, len, SNAPSHOT_XML_MAX, "domain_snapshot", &doc, reterr);

    if (r < 0)
        return r;
    root = xmlDocGetRootElement(doc);
    if (!element_is(root, "domainsnapshot"))
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "expecting root element of 'domainsnapshot', not '%.40s'",
                            (const char *)root->name);
    def = calloc(1, sizeof(SnapshotDef));
    if (!def)
        return error_no_memory(reterr);
    r = element_read(&reader, &snapshot_element, root, def);
    if (r >= 0)
        *ret = TAKE_PTR(def);
    return r;
}

SnapshotDef *snapshot_def_free(SnapshotDef *def) {
    if (def)
        element_done(&snapshot_element, def);
    free(def);
    return NULL;
}
