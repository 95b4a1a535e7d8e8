/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage volumes. */
#include <inttypes.h>
#include <strings.h>

#include "named.h"
#include "report.h"
#include "size.h"
#include "tables.h"
#include "volume.h"
#include "xml-desc.h"

/* virStorageVolType */
static const char *const volume_types[] = {"file", "block", "dir", "network", "netdir", "ploop"};

/* ---- acting ---- */

static int cmd_vol_delete(Tool *tool, const Args *args) {
    /* VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS */
    remote_storage_vol_flags_args call = {.flags = args_has(args, "delete-snapshots") ? 2 : 0};
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    call.vol = vol;
    if (CALL_VOID(tool, STORAGE_VOL_DELETE, remote_storage_vol_flags_args, &call, &error) < 0)
        return tool_fail(error, "Failed to delete vol %s", args_string(args, "vol"));
    tool_say(tool, "Vol %s deleted\n", args_string(args, "vol"));
    return 0;
}

static int cmd_vol_wipe(Tool *tool, const Args *args) {
    const char *algorithm = args_string(args, "algorithm");
    remote_storage_vol_flags_args call = {0};
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (algorithm && !streq(algorithm, "zero"))
        return tool_fail(NULL, "Unsupported algorithm '%s'", algorithm);
    if (volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    call.vol = vol;
    if (CALL_VOID(tool, STORAGE_VOL_WIPE, remote_storage_vol_flags_args, &call, &error) < 0)
        return tool_fail(error, "Failed to wipe vol %s", args_string(args, "vol"));
    tool_say(tool, "Vol %s wiped\n", args_string(args, "vol"));
    return 0;
}

/* virStorageVolResizeFlags */
enum { RESIZE_ALLOCATE = 1, RESIZE_DELTA = 2, RESIZE_SHRINK = 4 };

static int cmd_vol_resize(Tool *tool, const Args *args) {
    const char *text = args_string(args, "capacity");
    bool delta = args_has(args, "delta"), shrink = args_has(args, "shrink") || *text == '-';
    remote_storage_vol_resize_args call = {
        .flags = (args_has(args, "allocate") ? RESIZE_ALLOCATE : 0u) | (delta ? RESIZE_DELTA : 0u) |
                 (shrink ? RESIZE_SHRINK : 0u)};
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_ERROR Error *error = NULL;
    uint64_t bytes = 0;

    if (args_parse_size(text + (*text == '-'), 1, UINT64_MAX, &bytes) < 0)
        return tool_fail(NULL, "Malformed size %s", text);
    if (volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    call.vol = vol;
    call.capacity = bytes;
    if (CALL_VOID(tool, STORAGE_VOL_RESIZE, remote_storage_vol_resize_args, &call, &error) < 0)
        return tool_fail(error,
                         delta ? "Failed to change size of volume '%s' by %s"
                               : "Failed to change size of volume '%s' to %s",
                         vol.name, text);
    tool_say(tool,
             delta ? "Size of volume '%s' successfully changed by %s\n"
                   : "Size of volume '%s' successfully changed to %s\n",
             vol.name, text);
    return 0;
}

/* ---- reporting ---- */

typedef remote_storage_vol_get_info_ret VolumeInfo;

#define INFO_PHYSICAL 1u /* VIR_STORAGE_VOL_GET_PHYSICAL */

static int get_info(Tool *tool, const Volume *vol, unsigned flags, VolumeInfo *ret,
                    Error **reterr) {
    remote_storage_vol_flags_args call = {.vol = *vol, .flags = flags};

    /* The call with flags answers the same. */
    return flags ? CALL(tool, STORAGE_VOL_GET_INFO_FLAGS, remote_storage_vol_flags_args, &call,
                        remote_storage_vol_get_info_ret, ret, reterr)
                 : CALL(tool, STORAGE_VOL_GET_INFO, remote_storage_vol_args, &call,
                        remote_storage_vol_get_info_ret, ret, reterr);
}

static const char *type_name(int type) {
    return type >= 0 && (size_t)type < ARRAY_SIZE(volume_types) ? volume_types[type] : "unknown";
}

/* The path, in fresh memory; "unknown" when the server does not tell. */
static char *get_path(Tool *tool, const Volume *vol) {
    remote_storage_vol_args call = {.vol = *vol};
    remote_storage_vol_get_path_ret ret = {0};

    if (CALL(tool, STORAGE_VOL_GET_PATH, remote_storage_vol_args, &call,
             remote_storage_vol_get_path_ret, &ret, NULL) < 0)
        return text_format("unknown");
    return ret.name;
}

static void print_size(Facts *facts, const char *title, const char *key, uint64_t bytes,
                       bool plain) {
    CLEANUP_FREE char *text = size_format_short(bytes);

    if (plain || facts->json)
        facts_number(facts, title, key, bytes, "bytes");
    else
        facts_text(facts, title, key, text);
}

static int cmd_vol_info(Tool *tool, const Args *args) {
    bool physical = args_has(args, "physical"), bytes = args_has(args, "bytes");
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_ERROR Error *error = NULL;
    VolumeInfo info = {0};
    Facts facts;

    if (volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    if (get_info(tool, &vol, physical ? INFO_PHYSICAL : 0, &info, &error) < 0)
        return tool_failed(error);
    facts_start(&facts, tool, 15);
    facts_text(&facts, "Name:", "name", vol.name);
    facts_text(&facts, "Type:", "type", type_name(info.type));
    print_size(&facts, "Capacity:", "capacity", info.capacity, bytes);
    print_size(&facts, physical ? "Physical:" : "Allocation:", physical ? "physical" : "allocation",
               info.allocation, bytes);
    facts_print(&facts);
    return 0;
}

static int cmd_vol_dumpxml(Tool *tool, const Args *args) {
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_FREE char *xml = NULL;

    if (volume_lookup(tool, args, &vol) < 0 || volume_get_xml(tool, &vol, &xml) < 0)
        return -EIO;
    return xml_print(tool, args, xml);
}

static int cmd_vol_path(Tool *tool, const Args *args) {
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_FREE char *path = NULL;

    if (volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    path = get_path(tool, &vol);
    report_text(tool, "path", path);
    return 0;
}

static int cmd_vol_key(Tool *tool, const Args *args) {
    CLEANUP_VOLUME Volume vol = {0};

    if (volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    report_text(tool, "key", vol.key);
    return 0;
}

static int cmd_vol_name(Tool *tool, const Args *args) {
    CLEANUP_VOLUME Volume vol = {0};

    if (volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    report_text(tool, "name", vol.name);
    return 0;
}

static int cmd_vol_pool(Tool *tool, const Args *args) {
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_NAMED Named pool = {0};
    char uuid[37];

    if (volume_lookup(tool, args, &vol) < 0 || named_find(tool, &named_pool, vol.pool, &pool) < 0)
        return -EIO;
    format_uuid(pool.uuid, uuid);
    report_text(tool, "pool", args_has(args, "uuid") ? uuid : pool.name);
    return 0;
}

static int compare_volumes(const void *a, const void *b) {
    return strcasecmp(((const Volume *)a)->name, ((const Volume *)b)->name);
}

static void add_volume(Rows *rows, Tool *tool, const Volume *vol, bool details) {
    CLEANUP_FREE char *path = get_path(tool, vol), *capacity = NULL, *allocation = NULL;
    VolumeInfo info = {0};
    bool known = details && get_info(tool, vol, 0, &info, NULL) >= 0;

    capacity = known ? size_format_short(info.capacity) : text_format("unknown");
    allocation = known ? size_format_short(info.allocation) : text_format("unknown");
    rows_add(rows, (const char *const[]){vol->name, path, known ? type_name(info.type) : "unknown",
                                         capacity, allocation});
}

static int cmd_vol_list(Tool *tool, const Args *args) {
    static const char *const titles[] = {"Name", "Path", "Type", "Capacity", "Allocation"},
                             *const keys[] = {"name", "path", "type", "capacity", "allocation"};
    remote_storage_pool_list_all_volumes_args call = {.need_results = 1};
    remote_storage_pool_list_all_volumes_ret ret = {0};
    bool details = args_has(args, "details");
    CLEANUP_NAMED Named pool = {0};
    CLEANUP_ERROR Error *error = NULL;
    Rows rows;

    if (named_lookup(tool, &named_pool, args, &pool) < 0)
        return -EIO;
    call.pool = pool;
    if (CALL(tool, STORAGE_POOL_LIST_ALL_VOLUMES, remote_storage_pool_list_all_volumes_args, &call,
             remote_storage_pool_list_all_volumes_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to list volumes");
    if (ret.vols.vols_len)
        qsort(ret.vols.vols_val, ret.vols.vols_len, sizeof(Volume), compare_volumes);
    rows_start(&rows, tool, details ? 5 : 2, titles, keys);
    for (u_int i = 0; i < ret.vols.vols_len; i++)
        add_volume(&rows, tool, &ret.vols.vols_val[i], details);
    rows_print(&rows);
    xdr_free((xdrproc_t)xdr_remote_storage_pool_list_all_volumes_ret, (char *)&ret);
    return 0;
}

/* ---- tables ---- */

static const Option vol_delete_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    {"delete-snapshots", OPTION_FLAG, false, "with its snapshots"},
    OPTION_END};
static const Option vol_dumpxml_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option vol_info_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    {"bytes", OPTION_FLAG, false, "sizes in bytes"},
    {"physical", OPTION_FLAG, false, "what it takes on the disk"},
    OPTION_END};
static const Option vol_key_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    OPTION_END};
static const Option vol_list_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL},
    {"details", OPTION_FLAG, false, "with more columns"},
    OPTION_END};
static const Option vol_name_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"}, OPTION_END};
static const Option vol_path_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    OPTION_END};
static const Option vol_pool_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"uuid", OPTION_FLAG, false, "only uuids"},
    OPTION_END};
static const Option vol_resize_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"capacity", OPTION_STRING, true, "size of the volume"},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    {"allocate", OPTION_FLAG, false, "allocate it all now"},
    {"delta", OPTION_FLAG, false, "by that much"},
    {"shrink", OPTION_FLAG, false, "it may become smaller"},
    OPTION_END};
static const Option vol_wipe_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    {"algorithm", OPTION_STRING, false, "how to overwrite"},
    OPTION_END};

const Command commands_volume[] = {{.name = "vol-delete",
                                    .help = "delete a volume",
                                    .options = vol_delete_options,
                                    .run = cmd_vol_delete},
                                   {.name = "vol-dumpxml",
                                    .help = "XML of a volume",
                                    .options = vol_dumpxml_options,
                                    .json = true,
                                    .run = cmd_vol_dumpxml},
                                   {.name = "vol-info",
                                    .help = "facts about a volume",
                                    .options = vol_info_options,
                                    .json = true,
                                    .run = cmd_vol_info},
                                   {.name = "vol-key",
                                    .help = "key of a volume",
                                    .options = vol_key_options,
                                    .json = true,
                                    .run = cmd_vol_key},
                                   {.name = "vol-list",
                                    .help = "list the volumes of a pool",
                                    .options = vol_list_options,
                                    .json = true,
                                    .run = cmd_vol_list},
                                   {.name = "vol-name",
                                    .help = "name of a volume",
                                    .options = vol_name_options,
                                    .json = true,
                                    .run = cmd_vol_name},
                                   {.name = "vol-path",
                                    .help = "path of a volume",
                                    .options = vol_path_options,
                                    .json = true,
                                    .run = cmd_vol_path},
                                   {.name = "vol-pool",
                                    .help = "pool of a volume",
                                    .options = vol_pool_options,
                                    .json = true,
                                    .run = cmd_vol_pool},
                                   {.name = "vol-resize",
                                    .help = "change the size of a volume",
                                    .options = vol_resize_options,
                                    .run = cmd_vol_resize},
                                   {.name = "vol-wipe",
                                    .help = "overwrite a volume",
                                    .options = vol_wipe_options,
                                    .run = cmd_vol_wipe},
                                   {0}};
