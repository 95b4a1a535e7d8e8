/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots made. */
#include "device.h"
#include "report.h"
#include "tables.h"
#include "xml-desc.h"

static const struct SnapshotFlag {
    const char *option;
    unsigned flag;
} snapshot_flags[] = {{"redefine", SNAPSHOT_REDEFINE},
                      {"current", SNAPSHOT_CURRENT},
                      {"halt", SNAPSHOT_HALT},
                      {"live", SNAPSHOT_LIVE},
                      {"no-metadata", SNAPSHOT_NO_METADATA},
                      {"disk-only", SNAPSHOT_DISK_ONLY},
                      {"reuse-external", SNAPSHOT_REUSE_EXT},
                      {"quiesce", SNAPSHOT_QUIESCE},
                      {"atomic", SNAPSHOT_ATOMIC},
                      {"validate", SNAPSHOT_VALIDATE}};

/* `file`: where the XML is from, NULL when it is the tool's own. */
static int create(Tool *tool, const Args *args, const char *xml, const char *file) {
    remote_domain_snapshot_create_xml_args call = {.xml = (char *)xml};
    remote_domain_snapshot_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    for (size_t i = 0; i < ARRAY_SIZE(snapshot_flags); i++)
        call.flags |= args_has_option(args, snapshot_flags[i].option) ? snapshot_flags[i].flag : 0u;
    if (CALL(tool, DOMAIN_SNAPSHOT_CREATE_XML, remote_domain_snapshot_create_xml_args, &call,
             remote_domain_snapshot_ret, &ret, &error) < 0)
        return tool_failed(error);
    if (tool->json)
        report_text(tool, "name", ret.snapshot.name);
    else if (file)
        tool_say(tool, "Domain snapshot %s created from '%s'", ret.snapshot.name, file);
    else
        tool_say(tool, "Domain snapshot %s created", ret.snapshot.name);
    xdr_free((xdrproc_t)xdr_remote_domain_snapshot_ret, (char *)&ret);
    return 0;
}

/* ---- snapshot-create ---- */

static int cmd_snapshot_create(Tool *tool, const Args *args) {
    const char *file = args_string(args, "xmlfile");
    CLEANUP_FREE char *xml = NULL;

    if (file && tool_read_file(file, &xml) < 0)
        return -EIO;
    return create(tool, args, xml ? xml : "<domainsnapshot/>", file);
}

/* ---- snapshot-create-as ---- */

/* The next part of a text whose parts are between commas; two commas are one that belongs to it.
 * In fresh memory; NULL: there is none. */
static char *next_part(const char **at) {
    char *part, *end;

    if (!*at)
        return NULL;
    part = end = text_format("%s", *at);
    for (; **at && (**at != ',' || (*at)[1] == ','); (*at)++) {
        *at += **at == ',';
        *end++ = **at;
    }
    *end = 0;
    *at = **at ? *at + 1 : NULL;
    return part;
}

typedef struct DiskSpec {
    char *name, *snapshot, *driver, *stype, *file;
} DiskSpec;

static void disk_spec_done(DiskSpec *spec) {
    free(spec->name);
    free(spec->snapshot);
    free(spec->driver);
    free(spec->stype);
    free(spec->file);
}

/* Puts "key=value" where it belongs; false: there is no such key, or it was given before. */
static bool take_part(DiskSpec *spec, const char *part) {
    const struct {
        const char *key;
        char **value;
    } keys[] = {{"snapshot=", &spec->snapshot},
                {"driver=", &spec->driver},
                {"stype=", &spec->stype},
                {"file=", &spec->file}};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        size_t len = strlen(keys[i].key);

        if (strncmp(part, keys[i].key, len) != 0)
            continue;
        if (*keys[i].value)
            return false;
        *keys[i].value = text_format("%s", part + len);
        return true;
    }
    return false;
}

static int parse_disk_spec(const char *text, DiskSpec *ret) {
    const char *at = text;

    ret->name = next_part(&at);
    while (at) {
        CLEANUP_FREE char *part = next_part(&at);

        if (!take_part(ret, part))
            return tool_fail(NULL, "Failed to parse diskspec '%s' at '%s'", text, part);
    }
    if (!*ret->name || (ret->stype && !streq(ret->stype, "file") && !streq(ret->stype, "block")))
        return tool_fail(NULL,
                         "Failed to parse diskspec '%s': it begins with a disk, and stype is file "
                         "or block",
                         text);
    return 0;
}

static int add_disk(xmlNode *disks, const char *text) {
    CLEANUP(disk_spec_done) DiskSpec spec = {0};
    xmlNode *disk, *node;

    if (parse_disk_spec(text, &spec) < 0)
        return -EINVAL;
    disk = device_element(disks, "disk", NULL);
    device_attribute(disk, "name", spec.name);
    device_attribute(disk, "snapshot", spec.snapshot);
    device_attribute(disk, "type", spec.stype);
    if (spec.driver) {
        node = device_element(disk, "driver", NULL);
        device_attribute(node, "type", spec.driver);
    }
    if (spec.file) {
        node = device_element(disk, "source", NULL);
        device_attribute(node, spec.stype && streq(spec.stype, "block") ? "dev" : "file",
                         spec.file);
    }
    return 0;
}

static int cmd_snapshot_create_as(Tool *tool, const Args *args) {
    const char *name = args_string(args, "name"), *description = args_string(args, "description");
    CLEANUP(xml_view_done) XmlView view = {.doc = xmlNewDoc(BAD_CAST "1.0")};
    CLEANUP_FREE char *xml = NULL;
    xmlNode *root = view.doc ? xmlNewDocNode(view.doc, NULL, BAD_CAST "domainsnapshot", NULL)
                             : NULL,
            *disks = NULL;

    if (!root)
        out_of_memory();
    xmlDocSetRootElement(view.doc, root);
    if (name)
        device_element(root, "name", name);
    if (description)
        device_element(root, "description", description);
    for (size_t i = 0; i < args->n_rest; i++) {
        disks = disks ? disks : device_element(root, "disks", NULL);
        if (add_disk(disks, args->rest[i]) < 0)
            return -EINVAL;
    }
    xml = xml_view_dump(&view, root);
    if (!args_has(args, "print-xml"))
        return create(tool, args, xml, NULL);
    return xml_print(tool, args, xml);
}

/* ---- tables ---- */

#define CREATE_FLAGS                                                                               \
    {"no-metadata", OPTION_FLAG, false, "it is not to be known by name"},                          \
        {"halt", OPTION_FLAG, false, "the guest is shut off afterwards"},                          \
        {"live", OPTION_FLAG, false, "the guest goes on meanwhile (refused)"},                     \
        {"disk-only", OPTION_FLAG, false, "only the disks, not the memory"},                       \
        {"reuse-external", OPTION_FLAG, false, "the new images are there already"},                \
        {"quiesce", OPTION_FLAG, false, "the guest agent holds file systems still meanwhile"},     \
        {"atomic", OPTION_FLAG, false, "all disks or none (always so)"}, {                         \
        "validate", OPTION_FLAG, false, "check the XML against the schema"                         \
    }

static const Option snapshot_create_options[] = {
    OPTION_DOMAIN,
    {"xmlfile", OPTION_STRING, false, "file with the snapshot's XML", .value = VALUE_FILE},
    {"redefine", OPTION_FLAG, false, "make nothing, only say that it is there"},
    {"current", OPTION_FLAG, false, "with --redefine: it is the current one"},
    CREATE_FLAGS,
    OPTION_END};
static const Option snapshot_create_as_options[] = {
    OPTION_DOMAIN,
    {"name", OPTION_STRING, false, "name of the snapshot"},
    {"description", OPTION_STRING, false, "what it is for"},
    OPTION_PRINT_XML,
    CREATE_FLAGS,
    {"diskspec", OPTION_REST, false, "disk[,snapshot=..][,driver=..][,stype=..][,file=..]"},
    OPTION_END};

const Command commands_snapshot[] = {{.name = "snapshot-create",
                                      .help = "snapshot of a domain from an XML file",
                                      .options = snapshot_create_options,
                                      .json = true,
                                      .run = cmd_snapshot_create},
                                     {.name = "snapshot-create-as",
                                      .help = "snapshot of a domain",
                                      .options = snapshot_create_as_options,
                                      .json = true,
                                      .run = cmd_snapshot_create_as},
                                     {0}};
