/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage pools. */
#include <inttypes.h>

#include "device.h"
#include "named.h"
#include "report.h"
#include "size.h"
#include "tables.h"
#include "xml-desc.h"

/* virStoragePoolCreateFlags, virStoragePoolBuildFlags */
enum { CREATE_BUILD = 1, CREATE_BUILD_OVERWRITE = 2, CREATE_BUILD_NO_OVERWRITE = 4 };
enum { BUILD_NO_OVERWRITE = 4, BUILD_OVERWRITE = 8 };
/* virStoragePoolState */
static const char *const pool_states[] = {"inactive", "building", "running", "degraded",
                                          "inaccessible"};

static unsigned create_flags(const Args *args) {
    return (args_has(args, "build") ? CREATE_BUILD : 0u) |
           (args_has(args, "overwrite") ? CREATE_BUILD_OVERWRITE : 0u) |
           (args_has(args, "no-overwrite") ? CREATE_BUILD_NO_OVERWRITE : 0u);
}

static int cmd_pool_define(Tool *tool, const Args *args) {
    return named_from_file(tool, &named_pool, args, false,
                           args_has(args, "validate") ? DEFINE_VALIDATE : 0);
}

static int cmd_pool_create(Tool *tool, const Args *args) {
    if (tool_exclusive(args, "overwrite", "no-overwrite") < 0)
        return -EINVAL;
    return named_from_file(tool, &named_pool, args, true, create_flags(args));
}

static int cmd_pool_start(Tool *tool, const Args *args) {
    if (tool_exclusive(args, "overwrite", "no-overwrite") < 0)
        return -EINVAL;
    return named_act(tool, &named_pool, args, named_pool.start, true, create_flags(args), "start",
                     "started");
}

static int cmd_pool_build(Tool *tool, const Args *args) {
    unsigned flags = (args_has(args, "no-overwrite") ? BUILD_NO_OVERWRITE : 0u) |
                     (args_has(args, "overwrite") ? BUILD_OVERWRITE : 0u);

    if (tool_exclusive(args, "overwrite", "no-overwrite") < 0)
        return -EINVAL;
    return named_act(tool, &named_pool, args, REMOTE_PROC_STORAGE_POOL_BUILD, true, flags, "build",
                     "built");
}

static int cmd_pool_destroy(Tool *tool, const Args *args) {
    return named_act(tool, &named_pool, args, named_pool.destroy, false, 0, "destroy", "destroyed");
}

static int cmd_pool_delete(Tool *tool, const Args *args) {
    return named_act(tool, &named_pool, args, REMOTE_PROC_STORAGE_POOL_DELETE, true, 0, "delete",
                     "deleted");
}

static int cmd_pool_undefine(Tool *tool, const Args *args) {
    return named_act(tool, &named_pool, args, named_pool.undefine, false, 0, "undefine",
                     "has been undefined");
}

static int cmd_pool_refresh(Tool *tool, const Args *args) {
    return named_act(tool, &named_pool, args, REMOTE_PROC_STORAGE_POOL_REFRESH, true, 0, "refresh",
                     "refreshed");
}

static int cmd_pool_autostart(Tool *tool, const Args *args) {
    return named_autostart(tool, &named_pool, args);
}

static int cmd_pool_dumpxml(Tool *tool, const Args *args) {
    return named_dumpxml(tool, &named_pool, args, args_has(args, "inactive") ? 1 : 0);
}

static int cmd_pool_uuid(Tool *tool, const Args *args) {
    return named_print_uuid(tool, &named_pool, args);
}

static int cmd_pool_name(Tool *tool, const Args *args) {
    return named_print_name(tool, &named_pool, args);
}

/* ---- pool-define-as, pool-create-as ---- */

static void doc_freep(xmlDoc **doc) {
    xmlFreeDoc(*doc);
}

static void add_part(xmlNode *source, const Args *args, const char *option, const char *element,
                     const char *attribute) {
    if (args_has(args, option))
        device_attribute(device_element(source, element, NULL), attribute,
                         args_string(args, option));
}

/* As virsh does it: whole, or not at all. */
static void add_auth(xmlNode *source, const Args *args) {
    const char *type = args_string(args, "auth-type"), *user = args_string(args, "auth-username"),
               *usage = args_string(args, "secret-usage"),
               *uuid = usage ? NULL : args_string(args, "secret-uuid");
    xmlNode *auth, *secret;

    if (!type || !user || (!usage && !uuid))
        return;
    auth = device_element(source, "auth", NULL);
    device_attribute(auth, "type", type);
    device_attribute(auth, "username", user);
    secret = device_element(auth, "secret", NULL);
    device_attribute(secret, "usage", usage);
    device_attribute(secret, "uuid", uuid);
}

/* The same. */
static void add_adapter(xmlNode *source, const Args *args) {
    static const char *const parents[][2] = {{"adapter-parent", "parent"},
                                             {"adapter-parent-wwnn", "parent_wwnn"},
                                             {"adapter-parent-wwpn", "parent_wwpn"},
                                             {"adapter-parent-fabric-wwn", "parent_fabric_wwn"}};
    const char *wwnn = args_string(args, "adapter-wwnn"), *wwpn = args_string(args, "adapter-wwpn"),
               *name = args_string(args, "adapter-name");
    const bool fc = wwnn && wwpn;
    xmlNode *adapter;

    if (!fc && !name)
        return;
    adapter = device_element(source, "adapter", NULL);
    device_attribute(adapter, "type", fc ? "fc_host" : "scsi_host");
    if (!fc) {
        device_attribute(adapter, "name", name);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(parents); i++)
        device_attribute(adapter, parents[i][1], args_string(args, parents[i][0]));
    device_attribute(adapter, "wwnn", wwnn);
    device_attribute(adapter, "wwpn", wwpn);
}

static void add_source(xmlNode *pool, const Args *args) {
    xmlNode *source = device_element(pool, "source", NULL);

    add_part(source, args, "source-host", "host", "name");
    add_part(source, args, "source-path", "dir", "path");
    add_part(source, args, "source-dev", "device", "path");
    if (args_has(args, "source-initiator"))
        add_part(device_element(source, "initiator", NULL), args, "source-initiator", "iqn",
                 "name");
    add_auth(source, args);
    add_adapter(source, args);
    add_part(source, args, "source-format", "format", "type");
    if (args_has(args, "source-name"))
        device_element(source, "name", args_string(args, "source-name"));
    add_part(source, args, "source-protocol-ver", "protocol", "ver");
    if (!source->children) {
        xmlUnlinkNode(source);
        xmlFreeNode(source);
    }
}

static char *build_pool(const Args *args, xmlDoc *doc) {
    XmlView view = {.doc = doc};
    xmlNode *pool = xmlNewDocNode(doc, NULL, BAD_CAST "pool", NULL);

    if (!pool)
        out_of_memory();
    xmlDocSetRootElement(doc, pool);
    device_attribute(pool, "type", args_string(args, "type"));
    device_element(pool, "name", args_string(args, "name"));
    add_source(pool, args);
    if (args_has(args, "target"))
        device_element(device_element(pool, "target", NULL), "path", args_string(args, "target"));
    return xml_view_dump(&view, pool);
}

static int pool_as(Tool *tool, const Args *args, bool create) {
    CLEANUP(doc_freep) xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
    CLEANUP_FREE char *xml = build_pool(args, doc);

    if (args_has(args, "print-xml")) {
        printf("%s", xml);
        return 0;
    }
    return named_from_xml(tool, &named_pool, create, xml, create ? create_flags(args) : 0,
                          args_string(args, "name"), NULL);
}

static int cmd_pool_define_as(Tool *tool, const Args *args) {
    return pool_as(tool, args, false);
}

static int cmd_pool_create_as(Tool *tool, const Args *args) {
    return pool_as(tool, args, true);
}

/* ---- pool-list, pool-info ---- */

static int get_info(Tool *tool, const Named *pool, remote_storage_pool_get_info_ret *ret,
                    Error **reterr) {
    remote_storage_pool_args call = {.pool = *pool};

    return CALL(tool, STORAGE_POOL_GET_INFO, remote_storage_pool_args, &call,
                remote_storage_pool_get_info_ret, ret, reterr);
}

static const char *yes_no(int value) {
    return value < 0 ? "unknown" : value ? "yes" : "no";
}

static void add_pool(Rows *rows, Tool *tool, const Named *pool, bool details) {
    CLEANUP_FREE char *capacity = NULL, *allocation = NULL, *available = NULL;
    remote_storage_pool_get_info_ret info = {0};
    bool active = named_ask(tool, named_pool.is_active, pool) > 0, known;
    const char *state = active ? "active" : "inactive";
    int autostart = named_ask(tool, named_pool.get_autostart, pool);

    known = details && get_info(tool, pool, &info, NULL) >= 0 && info.state >= 2;
    if (details)
        state = info.state < ARRAY_SIZE(pool_states) ? pool_states[info.state] : "unknown";
    capacity = known ? size_format_short(info.capacity) : text_format("-");
    allocation = known ? size_format_short(info.allocation) : text_format("-");
    available = known ? size_format_short(info.available) : text_format("-");
    rows_add(rows, (const char *const[]){pool->name, state,
                                         autostart < 0 ? "no autostart" : yes_no(autostart),
                                         yes_no(named_ask(tool, named_pool.is_persistent, pool)),
                                         capacity, allocation, available});
}

/* virConnectListAllStoragePoolsFlags, from bit 6 on */
static const char *const pool_types[] = {"dir",     "fs",   "netfs",    "logical",     "disk",
                                         "iscsi",   "scsi", "mpath",    "rbd",         "sheepdog",
                                         "gluster", "zfs",  "vstorage", "iscsi-direct"};

static int type_flags(const char *text, unsigned *flags) {
    while (text && *text) {
        size_t len = strcspn(text, ","), i = 0;

        while (i < ARRAY_SIZE(pool_types) &&
               (strlen(pool_types[i]) != len || strncmp(pool_types[i], text, len) != 0))
            i++;
        if (i == ARRAY_SIZE(pool_types))
            return tool_fail(NULL, "Invalid pool type '%.*s'", (int)len, text);
        *flags |= 1u << (6 + i);
        text += len + (text[len] == ',');
    }
    return 0;
}

static void list_words(const remote_connect_list_all_storage_pools_ret *ret, bool uuids,
                       bool names) {
    for (u_int i = 0; i < ret->pools.pools_len; i++) {
        char uuid[37];

        format_uuid(ret->pools.pools_val[i].uuid, uuid);
        if (uuids)
            printf("%-36s%c", uuid, names ? ' ' : '\n');
        if (names)
            printf("%-20s\n", ret->pools.pools_val[i].name);
    }
}

static int cmd_pool_list(Tool *tool, const Args *args) {
    static const char *const titles[] = {"Name",     "State",      "Autostart", "Persistent",
                                         "Capacity", "Allocation", "Available"},
                             *const keys[] = {"name",     "state",      "autostart", "persistent",
                                              "capacity", "allocation", "available"};
    bool uuids = args_has(args, "uuid"), names = args_has(args, "name"),
         details = args_has(args, "details");
    remote_connect_list_all_storage_pools_ret ret = {0};
    unsigned flags = named_list_flags(args);
    Rows rows;

    if (type_flags(args_string(args, "type"), &flags) < 0 ||
        named_list(tool, &named_pool, flags, &ret) < 0)
        return -EIO;
    if ((uuids || names) && !tool->json) {
        list_words(&ret, uuids, names);
    } else {
        rows_start(&rows, tool, details ? 7 : 3, titles, keys);
        for (u_int i = 0; i < ret.pools.pools_len; i++)
            add_pool(&rows, tool, &ret.pools.pools_val[i], details);
        rows_print(&rows);
    }
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_storage_pools_ret, (char *)&ret);
    return 0;
}

static void print_size(Facts *facts, const char *title, const char *key, uint64_t bytes,
                       bool plain) {
    CLEANUP_FREE char *text = size_format_short(bytes);

    if (plain || facts->json)
        facts_number(facts, title, key, bytes, NULL);
    else
        facts_text(facts, title, key, text);
}

static int cmd_pool_info(Tool *tool, const Args *args) {
    remote_storage_pool_get_info_ret info = {0};
    bool bytes = args_has(args, "bytes");
    CLEANUP_NAMED Named pool = {0};
    CLEANUP_ERROR Error *error = NULL;
    char uuid[37];
    Facts facts;

    if (named_lookup(tool, &named_pool, args, &pool) < 0)
        return -EIO;
    if (get_info(tool, &pool, &info, &error) < 0)
        return tool_failed(error);
    format_uuid(pool.uuid, uuid);
    facts_start(&facts, tool, 15);
    facts_text(&facts, "Name:", "name", pool.name);
    facts_text(&facts, "UUID:", "uuid", uuid);
    facts_text(&facts, "State:", "state",
               info.state < ARRAY_SIZE(pool_states) ? pool_states[info.state] : "unknown");
    facts_bool(&facts, "Persistent:", "persistent",
               named_ask(tool, named_pool.is_persistent, &pool) > 0, "yes", "no");
    facts_bool(&facts, "Autostart:", "autostart",
               named_ask(tool, named_pool.get_autostart, &pool) > 0, "yes", "no");
    if (info.state == 2 || info.state == 3) { /* running, degraded */
        print_size(&facts, "Capacity:", "capacity", info.capacity, bytes);
        print_size(&facts, "Allocation:", "allocation", info.allocation, bytes);
        print_size(&facts, "Available:", "available", info.available, bytes);
    }
    facts_print(&facts);
    return 0;
}

static int cmd_pool_capabilities(Tool *tool, const Args *args) {
    remote_connect_get_storage_pool_capabilities_args call = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_xml_ret ret = {0};
    int r;

    if (CALL(tool, CONNECT_GET_STORAGE_POOL_CAPABILITIES,
             remote_connect_get_storage_pool_capabilities_args, &call, remote_xml_ret, &ret,
             &error) < 0)
        return tool_fail(error, "failed to get storage pool capabilities");
    r = xml_print(tool, args, ret.xml);
    xdr_free((xdrproc_t)xdr_remote_xml_ret, (char *)&ret);
    return r;
}

/* ---- tables ---- */

static const Option pool_capabilities_options[] = {
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option pool_autostart_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"disable", OPTION_FLAG, false, "no longer"},
    OPTION_END};
static const Option pool_build_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"no-overwrite", OPTION_FLAG, false, "keep what is there"},
    {"overwrite", OPTION_FLAG, false, "overwrite what is there"},
    OPTION_END};
static const Option pool_create_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"build", OPTION_FLAG, false, "build it"},
    {"no-overwrite", OPTION_FLAG, false, "keep what is there"},
    {"overwrite", OPTION_FLAG, false, "overwrite what is there"},
    OPTION_END};
/* What a pool is made of, as virsh names it. */
#define POOL_AS_OPTIONS                                                                            \
    {"name", OPTION_STRING, true, "name"}, {"type", OPTION_STRING, true, "type"},                  \
        OPTION_PRINT_XML, {"source-host", OPTION_STRING, false, "host of the source"},             \
        {"source-path", OPTION_STRING, false, "path of the source"},                               \
        {"source-dev", OPTION_STRING, false, "device of the source"},                              \
        {"source-name", OPTION_STRING, false, "name of the source"},                               \
        {"target", OPTION_STRING, false, "mem, disk or hybrid"},                                   \
        {"source-format", OPTION_STRING, false, "format of the source"},                           \
        {"auth-type", OPTION_STRING, false, "type of authentication"},                             \
        {"auth-username", OPTION_STRING, false, "user for it"},                                    \
        {"secret-usage", OPTION_STRING, false, "usage of the secret"},                             \
        {"secret-uuid", OPTION_STRING, false, "uuid of the secret"},                               \
        {"adapter-name", OPTION_STRING, false, "name of the adapter"},                             \
        {"adapter-wwnn", OPTION_STRING, false, "its wwnn"},                                        \
        {"adapter-wwpn", OPTION_STRING, false, "its wwpn"},                                        \
        {"adapter-parent", OPTION_STRING, false, "its parent"},                                    \
        {"adapter-parent-wwnn", OPTION_STRING, false, "wwnn of that"},                             \
        {"adapter-parent-wwpn", OPTION_STRING, false, "wwpn of that"},                             \
        {"adapter-parent-fabric-wwn", OPTION_STRING, false, "fabric wwn of that"},                 \
        {"source-protocol-ver", OPTION_STRING, false, "version of the protocol"}, {                \
        "source-initiator", OPTION_STRING, false, "initiator IQN"                                  \
    }
static const Option pool_create_as_options[] = {
    POOL_AS_OPTIONS,
    {"build", OPTION_FLAG, false, "build it"},
    {"no-overwrite", OPTION_FLAG, false, "keep what is there"},
    {"overwrite", OPTION_FLAG, false, "overwrite what is there"},
    OPTION_END};
static const Option pool_define_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"validate", OPTION_FLAG, false, "check against the schema"},
    OPTION_END};
static const Option pool_define_as_options[] = {POOL_AS_OPTIONS, OPTION_END};
static const Option pool_delete_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL}, OPTION_END};
static const Option pool_destroy_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL}, OPTION_END};
static const Option pool_dumpxml_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"inactive", OPTION_FLAG, false, "of the stored definition"},
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option pool_info_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"bytes", OPTION_FLAG, false, "sizes in bytes"},
    OPTION_END};
static const Option pool_list_options[] = {
    {"inactive", OPTION_FLAG, false, "of the stored definition"},
    {"all", OPTION_FLAG, false, "all of them"},
    {"transient", OPTION_FLAG, false, "only transient ones"},
    OPTION_PERSISTENT,
    {"autostart", OPTION_FLAG, false, "only those that start by themselves"},
    {"no-autostart", OPTION_FLAG, false, "only those that do not"},
    {"type", OPTION_STRING, false, "type"},
    {"details", OPTION_FLAG, false, "with more columns"},
    {"uuid", OPTION_FLAG, false, "only uuids"},
    {"name", OPTION_FLAG, false, "only names"},
    OPTION_END};
static const Option pool_name_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL}, OPTION_END};
static const Option pool_refresh_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL}, OPTION_END};
static const Option pool_start_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"build", OPTION_FLAG, false, "build it"},
    {"no-overwrite", OPTION_FLAG, false, "keep what is there"},
    {"overwrite", OPTION_FLAG, false, "overwrite what is there"},
    OPTION_END};
static const Option pool_undefine_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL}, OPTION_END};
static const Option pool_uuid_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL}, OPTION_END};

const Command commands_pool[] = {{.name = "pool-autostart",
                                  .help = "start a pool when the daemon starts",
                                  .options = pool_autostart_options,
                                  .run = cmd_pool_autostart},
                                 {.name = "pool-build",
                                  .help = "make what is below a pool",
                                  .options = pool_build_options,
                                  .run = cmd_pool_build},
                                 {.name = "pool-create",
                                  .help = "start a pool of an XML file without storing it",
                                  .options = pool_create_options,
                                  .run = cmd_pool_create},
                                 {.name = "pool-create-as",
                                  .help = "start a pool of options without storing it",
                                  .options = pool_create_as_options,
                                  .run = cmd_pool_create_as},
                                 {.name = "pool-define",
                                  .help = "store a pool of an XML file",
                                  .options = pool_define_options,
                                  .run = cmd_pool_define},
                                 {.name = "pool-define-as",
                                  .help = "store a pool of options",
                                  .options = pool_define_as_options,
                                  .run = cmd_pool_define_as},
                                 {.name = "pool-capabilities",
                                  .help = "which types of pools there are",
                                  .options = pool_capabilities_options,
                                  .json = true,
                                  .run = cmd_pool_capabilities},
                                 {.name = "pool-delete",
                                  .help = "remove what is below a pool",
                                  .options = pool_delete_options,
                                  .run = cmd_pool_delete},
                                 {.name = "pool-destroy",
                                  .help = "stop a pool",
                                  .options = pool_destroy_options,
                                  .run = cmd_pool_destroy},
                                 {.name = "pool-dumpxml",
                                  .help = "XML of a pool",
                                  .options = pool_dumpxml_options,
                                  .json = true,
                                  .run = cmd_pool_dumpxml},
                                 {.name = "pool-info",
                                  .help = "facts about a pool",
                                  .options = pool_info_options,
                                  .json = true,
                                  .run = cmd_pool_info},
                                 {.name = "pool-list",
                                  .help = "list pools",
                                  .options = pool_list_options,
                                  .json = true,
                                  .run = cmd_pool_list},
                                 {.name = "pool-name",
                                  .help = "name of a pool",
                                  .options = pool_name_options,
                                  .json = true,
                                  .run = cmd_pool_name},
                                 {.name = "pool-refresh",
                                  .help = "look for a pool's volumes again",
                                  .options = pool_refresh_options,
                                  .run = cmd_pool_refresh},
                                 {.name = "pool-start",
                                  .help = "start a pool",
                                  .options = pool_start_options,
                                  .run = cmd_pool_start},
                                 {.name = "pool-undefine",
                                  .help = "remove a stored pool",
                                  .options = pool_undefine_options,
                                  .run = cmd_pool_undefine},
                                 {.name = "pool-uuid",
                                  .help = "uuid of a pool",
                                  .options = pool_uuid_options,
                                  .json = true,
                                  .run = cmd_pool_uuid},
                                 {0}};
