/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes made anew or from others. */
#include <inttypes.h>

#include "device.h"
#include "named.h"
#include "tables.h"
#include "volume.h"

#define CREATE_PREALLOC_METADATA 1u /* virStorageVolCreateFlags */
#define CREATE_REFLINK 2u

static unsigned volume_flags(const Args *args) {
    return (args_has_option(args, "prealloc-metadata") ? CREATE_PREALLOC_METADATA : 0) |
           (args_has_option(args, "reflink") ? CREATE_REFLINK : 0);
}

static int create_volume(Tool *tool, const Named *pool, char *xml, const Volume *from,
                         unsigned flags, Volume *ret, Error **reterr) {
    remote_storage_vol_create_xml_args call = {.pool = *pool, .xml = xml, .flags = flags};
    remote_storage_vol_create_xml_from_args copy = {.pool = *pool, .xml = xml, .flags = flags};
    remote_storage_vol_ret answer = {0};
    int r;

    if (from)
        copy.clonevol = *from;
    r = from ? CALL(tool, STORAGE_VOL_CREATE_XML_FROM, remote_storage_vol_create_xml_from_args,
                    &copy, remote_storage_vol_ret, &answer, reterr)
             : CALL(tool, STORAGE_VOL_CREATE_XML, remote_storage_vol_create_xml_args, &call,
                    remote_storage_vol_ret, &answer, reterr);
    if (r >= 0)
        *ret = answer.vol;
    return r;
}

static int cmd_vol_create(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    CLEANUP_NAMED Named pool = {0};
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (named_lookup(tool, &named_pool, args, &pool) < 0 || tool_read_file(path, &xml) < 0)
        return -EIO;
    if (create_volume(tool, &pool, xml, NULL, volume_flags(args), &vol, &error) < 0)
        return tool_fail(error, "Failed to create vol from %s", path);
    tool_say(tool, "Vol %s created from %s\n", vol.name, path);
    return 0;
}

static int cmd_vol_create_from(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    CLEANUP_VOLUME Volume from = {0}, vol = {0};
    CLEANUP_NAMED Named pool = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (named_lookup(tool, &named_pool, args, &pool) < 0 || tool_read_file(path, &xml) < 0 ||
        volume_find(tool, args, args_string(args, "vol"), "inputpool", &from) < 0)
        return -EIO;
    if (create_volume(tool, &pool, xml, &from, volume_flags(args), &vol, &error) < 0)
        return tool_fail(error, "Failed to create vol from %s", path);
    tool_say(tool, "Vol %s created from input vol %s\n", vol.name, from.name);
    return 0;
}

static void doc_freep(xmlDoc **doc) {
    xmlFreeDoc(*doc);
}

static int build_volume(const Args *args, xmlDoc *doc, char **ret) {
    const char *texts[] = {args_string(args, "capacity"), args_string(args, "allocation")};
    static const char *const elements[] = {"capacity", "allocation"};
    xmlNode *volume = xmlNewDocNode(doc, NULL, BAD_CAST "volume", NULL), *node;
    XmlView view = {.doc = doc};

    if (!volume)
        return tool_fail(NULL, "out of memory");
    xmlDocSetRootElement(doc, volume);
    device_element(volume, "name", args_string(args, "name"));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP_FREE char *number = NULL;
        uint64_t bytes = 0;

        if (!texts[i])
            continue;
        if (args_parse_size(texts[i], 1, UINT64_MAX, &bytes) < 0)
            return tool_fail(NULL, "Malformed size %s", texts[i]);
        number = text_format("%" PRIu64, bytes);
        device_element(volume, elements[i], number);
    }
    if (args_has(args, "format")) {
        node = device_element(device_element(volume, "target", NULL), "format", NULL);
        device_attribute(node, "type", args_string(args, "format"));
    }
    if (args_has(args, "backing-vol")) {
        node = device_element(volume, "backingStore", NULL);
        device_element(node, "path", args_string(args, "backing-vol"));
        if (args_has(args, "backing-vol-format"))
            device_attribute(device_element(node, "format", NULL), "type",
                             args_string(args, "backing-vol-format"));
    }
    *ret = xml_view_dump(&view, volume);
    return 0;
}

static int cmd_vol_create_as(Tool *tool, const Args *args) {
    CLEANUP(doc_freep) xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
    CLEANUP_NAMED Named pool = {0};
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (named_lookup(tool, &named_pool, args, &pool) < 0 || build_volume(args, doc, &xml) < 0)
        return -EIO;
    if (args_has(args, "print-xml")) {
        printf("%s", xml);
        return 0;
    }
    if (create_volume(tool, &pool, xml, NULL, volume_flags(args), &vol, &error) < 0)
        return tool_fail(error, "Failed to create vol %s", args_string(args, "name"));
    tool_say(tool, "Vol %s created\n", vol.name);
    return 0;
}

/* The same XML under another name, without key and paths. */
static char *rename_xml(const char *xml, const char *name) {
    CLEANUP(xml_view_done) XmlView view = {0};
    xmlNode *root, *next;

    if (xml_view_text(xml, &view) < 0)
        return NULL;
    root = xmlDocGetRootElement(view.doc);
    for (xmlNode *child = root->children; child; child = next) {
        next = child->next;
        if (child->type != XML_ELEMENT_NODE)
            continue;
        if (streq((const char *)child->name, "name")) {
            xmlNodeSetContent(child, BAD_CAST "");
            xmlNodeAddContent(child, BAD_CAST name);
        } else if (streq((const char *)child->name, "key")) {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
        }
    }
    return xml_view_dump(&view, root);
}

static int cmd_vol_clone(Tool *tool, const Args *args) {
    const char *name = args_string(args, "newname");
    CLEANUP_FREE char *xml = NULL, *renamed = NULL;
    CLEANUP_VOLUME Volume from = {0}, vol = {0};
    CLEANUP_NAMED Named pool = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (volume_lookup(tool, args, &from) < 0 ||
        named_find(tool, &named_pool, from.pool, &pool) < 0 ||
        volume_get_xml(tool, &from, &xml) < 0)
        return -EIO;
    renamed = rename_xml(xml, name);
    if (!renamed)
        return tool_fail(NULL, "the server's XML of volume '%s' cannot be parsed", from.name);
    if (args_has(args, "print-xml")) {
        printf("%s", renamed);
        return 0;
    }
    if (create_volume(tool, &pool, renamed, &from, volume_flags(args), &vol, &error) < 0)
        return tool_fail(error, "Failed to clone vol from %s", from.name);
    tool_say(tool, "Vol %s cloned from %s\n", vol.name, from.name);
    return 0;
}

/* ---- tables ---- */

static const Option vol_create_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"prealloc-metadata", OPTION_FLAG, false, "allocate the metadata now"},
    {"validate", OPTION_FLAG, false, "check against the schema"},
    OPTION_END};
static const Option vol_create_as_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"name", OPTION_STRING, true, "name"},
    {"capacity", OPTION_STRING, true, "size of the volume"},
    {"allocation", OPTION_STRING, false, "size to be allocated now"},
    {"format", OPTION_STRING, false, "format of the dump"},
    {"backing-vol", OPTION_STRING, false, "volume behind it"},
    {"backing-vol-format", OPTION_STRING, false, "format of that"},
    {"prealloc-metadata", OPTION_FLAG, false, "allocate the metadata now"},
    OPTION_PRINT_XML,
    OPTION_END};
static const Option vol_create_from_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"inputpool", OPTION_STRING, false, "pool of the first volume", .value = VALUE_POOL},
    {"prealloc-metadata", OPTION_FLAG, false, "allocate the metadata now"},
    {"reflink", OPTION_FLAG, false, "share the blocks"},
    {"validate", OPTION_FLAG, false, "check against the schema"},
    OPTION_END};
static const Option vol_clone_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"newname", OPTION_STRING, true, "name of the copy"},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    {"prealloc-metadata", OPTION_FLAG, false, "allocate the metadata now"},
    {"reflink", OPTION_FLAG, false, "share the blocks"},
    OPTION_PRINT_XML,
    OPTION_END};

const Command commands_vol_create[] = {{.name = "vol-create",
                                        .help = "make a volume of an XML file",
                                        .options = vol_create_options,
                                        .run = cmd_vol_create},
                                       {.name = "vol-create-as",
                                        .help = "make a volume of options",
                                        .options = vol_create_as_options,
                                        .run = cmd_vol_create_as},
                                       {.name = "vol-create-from",
                                        .help = "make a volume of an XML file with another's data",
                                        .options = vol_create_from_options,
                                        .run = cmd_vol_create_from},
                                       {.name = "vol-clone",
                                        .help = "copy a volume",
                                        .options = vol_clone_options,
                                        .run = cmd_vol_clone},
                                       {0}};
