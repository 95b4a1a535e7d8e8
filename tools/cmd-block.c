/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's disks: which there are, their sizes, statistics and errors. */
#include <inttypes.h>

#include "param.h"
#include "report.h"
#include "size.h"
#include "tables.h"
#include "xml-desc.h"

/* ---- domblklist ---- */

/* "nvme://0000:01:00.0/1" of a disk that is a namespace of an NVMe device. */
static char *nvme_source(const XmlView *view, xmlNode *disk) {
    static const char *const parts[] = {"domain", "bus", "slot", "function"};
    unsigned long numbers[ARRAY_SIZE(parts)] = {0};
    CLEANUP_FREE char *space = xml_view_string(view, disk, "./source/@namespace");

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        CLEANUP_FREE char *path = text_format("./source/address/@%s", parts[i]);
        CLEANUP_FREE char *text = xml_view_string(view, disk, path);

        numbers[i] = text ? strtoul(text, NULL, 0) : 0;
    }
    return text_format("nvme://%04lx:%02lx:%02lx.%lu/%s", numbers[0], numbers[1], numbers[2],
                       numbers[3], space ? space : "1");
}

static char *disk_source(const XmlView *view, xmlNode *disk, const char *type) {
    if (type && streq(type, "nvme"))
        return nvme_source(view, disk);
    return xml_view_string(view, disk,
                           "./source/@file|./source/@dev|./source/@dir|./source/@name|"
                           "./source/@volume|./source/@path");
}

static void add_disk(Rows *rows, const XmlView *view, xmlNode *disk, bool details) {
    CLEANUP_FREE char *type = xml_view_string(view, disk, "./@type");
    CLEANUP_FREE char *device = xml_view_string(view, disk, "./@device");
    CLEANUP_FREE char *target = xml_view_string(view, disk, "./target/@dev");
    CLEANUP_FREE char *source = disk_source(view, disk, type);
    const char *const cells[] = {type ? type : "-", device ? device : "disk", target ? target : "-",
                                 source ? source : "-"};

    rows_add(rows, details ? cells : cells + 2);
}

static int cmd_domblklist(Tool *tool, const Args *args) {
    static const char *const titles[] = {"Type", "Device", "Target", "Source"}, *const keys[] = {
                                                                                    "type",
                                                                                    "device",
                                                                                    "target",
                                                                                    "source"};
    CLEANUP(xml_nodes_freep) xmlXPathObject *disks = NULL;
    size_t skip = args_has(args, "details") ? 0 : 2;
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    Rows rows;

    if (tool_domain(tool, args, &dom) < 0 ||
        xml_view_domain(tool, &dom, args_has(args, "inactive") ? XML_INACTIVE : 0, &view) < 0)
        return -EIO;
    disks = xml_view_nodes(&view, "./devices/disk");
    rows_start(&rows, tool, ARRAY_SIZE(titles) - skip, titles + skip, keys + skip);
    for (int i = 0; disks && i < disks->nodesetval->nodeNr; i++)
        add_disk(&rows, &view, disks->nodesetval->nodeTab[i], !skip);
    rows_print(&rows);
    return 0;
}

/* ---- domblkstat ---- */

static const struct BlockStat {
    const char *field, *shorter, *title;
} block_stats[] = {{"rd_operations", "rd_req", "number of read operations:"},
                   {"rd_bytes", "rd_bytes", "number of bytes read:"},
                   {"wr_operations", "wr_req", "number of write operations:"},
                   {"wr_bytes", "wr_bytes", "number of bytes written:"},
                   {"errs", "errs", "error count:"},
                   {"flush_operations", "flush_operations", "number of flush operations:"},
                   {"rd_total_times", "rd_total_times", "total duration of reads (ns):"},
                   {"wr_total_times", "wr_total_times", "total duration of writes (ns):"},
                   {"flush_total_times", "flush_total_times", "total duration of flushes (ns):"}};

static bool is_known_stat(const char *field) {
    for (size_t i = 0; i < ARRAY_SIZE(block_stats); i++)
        if (streq(field, block_stats[i].field))
            return true;
    return false;
}

static void print_block_stats(const char *device, const ParamList *list, bool human) {
    const remote_typed_param *params = list->params.params_val;
    size_t n = list->params.params_len;

    if (human) {
        printf("Device: %s\n", device);
        device = "";
    }
    for (size_t i = 0; i < ARRAY_SIZE(block_stats); i++) {
        const remote_typed_param *param = params_find(params, n, block_stats[i].field);
        CLEANUP_FREE char *text = param ? param_format(param) : NULL;

        if (text)
            printf("%s %-*s %s\n", device, human ? 31 : 0,
                   human ? block_stats[i].title : block_stats[i].shorter, text);
    }
    for (size_t i = 0; i < n; i++) {
        CLEANUP_FREE char *text = param_format(&params[i]);

        if (!is_known_stat(params[i].field))
            printf("%s %s %s\n", device, params[i].field, text);
    }
}

static int cmd_domblkstat(Tool *tool, const Args *args) {
    const char *device = args_string(args, "device");
    remote_domain_block_stats_flags_args call = {.path = (char *)(device ? device : "")};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP(params_done) ParamList list = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (params_get(tool, REMOTE_PROC_DOMAIN_BLOCK_STATS_FLAGS,
                   (xdrproc_t)xdr_remote_domain_block_stats_flags_args, &call, &call.nparams, &list,
                   &error) < 0)
        return call.nparams
                   ? tool_fail(error, "Failed to get block stats for domain '%s' device '%s'",
                               dom.name, call.path)
                   : tool_failed(error);
    if (tool->json)
        params_print(tool, list.params.params_val, list.params.params_len, 0, NULL);
    else
        print_block_stats(call.path, &list, args_has(args, "human"));
    return 0;
}

/* ---- domblkinfo ---- */

typedef remote_domain_get_block_info_ret BlockInfo;

static int get_block_info(Tool *tool, const remote_domain *dom, const char *path, BlockInfo *ret,
                          Error **reterr) {
    remote_domain_get_block_info_args call = {.dom = *dom, .path = (char *)path};

    return CALL(tool, DOMAIN_GET_BLOCK_INFO, remote_domain_get_block_info_args, &call,
                remote_domain_get_block_info_ret, ret, reterr);
}

static char *format_size(const BlockInfo *info, uint64_t bytes, bool human) {
    if (info->capacity == 0 && info->allocation == 0 && info->physical == 0)
        return text_format("-");
    return human ? size_format(bytes) : text_format("%" PRIu64, bytes);
}

static int print_one_info(Tool *tool, const remote_domain *dom, const char *path, bool human) {
    CLEANUP_ERROR Error *error = NULL;
    BlockInfo info = {0};
    Facts facts;

    if (get_block_info(tool, dom, path, &info, &error) < 0)
        return tool_failed(error);
    facts_start(&facts, tool, 15);
    if (tool->json) {
        facts_number(&facts, "", "capacity", info.capacity, NULL);
        facts_number(&facts, "", "allocation", info.allocation, NULL);
        facts_number(&facts, "", "physical", info.physical, NULL);
    } else {
        CLEANUP_FREE char *capacity = format_size(&info, info.capacity, human);
        CLEANUP_FREE char *allocation = format_size(&info, info.allocation, human);
        CLEANUP_FREE char *physical = format_size(&info, info.physical, human);

        facts_text(&facts, "Capacity:", "capacity", capacity);
        facts_text(&facts, "Allocation:", "allocation", allocation);
        facts_text(&facts, "Physical:", "physical", physical);
    }
    facts_print(&facts);
    return 0;
}

/* A disk without a source, as an empty drive, has no sizes. */
static int add_info(Rows *rows, Tool *tool, const remote_domain *dom, const XmlView *view,
                    xmlNode *disk, bool human) {
    CLEANUP_FREE char *target = xml_view_string(view, disk, "./target/@dev");
    CLEANUP_FREE char *source = xml_view_string(view, disk, "./source");
    CLEANUP_FREE char *capacity = NULL, *allocation = NULL, *physical = NULL;
    CLEANUP_ERROR Error *error = NULL;
    BlockInfo info = {0};

    if (source && target && get_block_info(tool, dom, target, &info, &error) < 0)
        return tool_failed(error);
    capacity = format_size(&info, info.capacity, human);
    allocation = format_size(&info, info.allocation, human);
    physical = format_size(&info, info.physical, human);
    rows_add(rows, (const char *const[]){target ? target : "-", capacity, allocation, physical});
    return 0;
}

static int print_all_info(Tool *tool, const remote_domain *dom, bool human) {
    static const char *const titles[] = {"Target", "Capacity", "Allocation", "Physical"},
                             *const keys[] = {"target", "capacity", "allocation", "physical"};
    CLEANUP(xml_nodes_freep) xmlXPathObject *disks = NULL;
    CLEANUP(xml_view_done) XmlView view = {0};
    Rows rows;

    if (xml_view_domain(tool, dom, 0, &view) < 0)
        return -EIO;
    disks = xml_view_nodes(&view, "./devices/disk");
    rows_start(&rows, tool, ARRAY_SIZE(titles), titles, keys);
    for (int i = 0; disks && i < disks->nodesetval->nodeNr; i++)
        if (add_info(&rows, tool, dom, &view, disks->nodesetval->nodeTab[i], human) < 0) {
            table_done(&rows.table);
            return -EIO;
        }
    rows_print(&rows);
    return 0;
}

static int cmd_domblkinfo(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    bool human = args_has(args, "human");

    if (tool_exclusive(args, "all", "device") < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (args_has(args, "all"))
        return print_all_info(tool, &dom, human);
    if (!args_has(args, "device"))
        return tool_fail(NULL, "command 'domblkinfo' requires <device> option");
    return print_one_info(tool, &dom, args_string(args, "device"), human);
}

/* ---- domblkerror ---- */

static const char *disk_error(int error) {
    static const char *const names[] = {"no error", "unspecified error", "no space"};

    return error >= 0 && (size_t)error < ARRAY_SIZE(names) ? names[error] : "unknown error";
}

static int cmd_domblkerror(Tool *tool, const Args *args) {
    remote_domain_get_disk_errors_args call = {.maxerrors = 256};
    remote_domain_get_disk_errors_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    Facts facts;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_DISK_ERRORS, remote_domain_get_disk_errors_args, &call,
             remote_domain_get_disk_errors_ret, &ret, &error) < 0)
        return tool_failed(error);
    facts_start(&facts, tool, 0);
    if (ret.errors.errors_len == 0 && !tool->json)
        printf("No errors found\n");
    for (u_int i = 0; i < ret.errors.errors_len; i++) {
        const remote_domain_disk_error *disk = &ret.errors.errors_val[i];
        CLEANUP_FREE char *title = text_format("%s:", disk->disk);

        facts_text(&facts, title, disk->disk, disk_error(disk->error));
    }
    facts_print(&facts);
    xdr_free((xdrproc_t)xdr_remote_domain_get_disk_errors_ret, (char *)&ret);
    return 0;
}

/* ---- blockresize ---- */

#define RESIZE_BYTES 1u /* VIR_DOMAIN_BLOCK_RESIZE_BYTES; else KiB */

static int cmd_blockresize(Tool *tool, const Args *args) {
    const char *path = args_string(args, "path");
    remote_domain_block_resize_args call = {.disk = (char *)path};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    uint64_t bytes = 0;

    if (args_size(args, "size", 1024, UINT64_MAX, &bytes) < 0)
        return tool_fail(NULL,
                         "Scaled numeric value '%s' for <size> option is malformed or out "
                         "of range",
                         args_string(args, "size"));
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.size = bytes % 1024 ? bytes : bytes / 1024;
    call.flags = bytes % 1024 ? RESIZE_BYTES : 0;
    if (CALL_VOID(tool, DOMAIN_BLOCK_RESIZE, remote_domain_block_resize_args, &call, &error) < 0)
        return tool_fail(error, "Failed to resize block device '%s'", path);
    tool_say(tool, "Block device '%s' is resized", path);
    return 0;
}

/* ---- domblkthreshold ---- */

static int cmd_domblkthreshold(Tool *tool, const Args *args) {
    remote_domain_set_block_threshold_args call = {.dev = (char *)args_string(args, "dev")};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    uint64_t threshold = 0;

    if (args_size(args, "threshold", 1, UINT64_MAX, &threshold) < 0)
        return tool_bad_number(args, "threshold");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.threshold = threshold;
    if (CALL_VOID(tool, DOMAIN_SET_BLOCK_THRESHOLD, remote_domain_set_block_threshold_args, &call,
                  &error) < 0)
        return tool_failed(error);
    return 0;
}

/* ---- tables ---- */

static const Option blockresize_options[] = {
    OPTION_DOMAIN,
    {"path", OPTION_STRING, true, "target or source of the disk"},
    {"size", OPTION_STRING, true, "size, with a unit as in 512M; KiB without"},
    OPTION_END};
static const Option domblkerror_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option domblkinfo_options[] = {
    OPTION_DOMAIN,
    {"device", OPTION_STRING, false, "target of the disk, as vda"},
    {"human", OPTION_FLAG, false, "for people"},
    {"all", OPTION_FLAG, false, "all of them"},
    OPTION_END};
static const Option domblklist_options[] = {
    OPTION_DOMAIN,
    {"inactive", OPTION_FLAG, false, "of the stored definition"},
    {"details", OPTION_FLAG, false, "with more columns"},
    OPTION_END};
static const Option domblkstat_options[] = {
    OPTION_DOMAIN,
    {"device", OPTION_STRING, false, "target of the disk, as vda"},
    {"human", OPTION_FLAG, false, "for people"},
    OPTION_END};
static const Option domblkthreshold_options[] = {
    OPTION_DOMAIN,
    {"dev", OPTION_STRING, true, "target of the disk, as vda; vda[2] is an image below its own"},
    {"threshold", OPTION_STRING, true, "bytes, or with a unit as in 5G; 0: no event"},
    OPTION_END};

const Command commands_block[] = {{.name = "blockresize",
                                   .help = "change the size of a disk",
                                   .options = blockresize_options,
                                   .run = cmd_blockresize},
                                  {.name = "domblkerror",
                                   .help = "errors of disks",
                                   .options = domblkerror_options,
                                   .json = true,
                                   .run = cmd_domblkerror},
                                  {.name = "domblkinfo",
                                   .help = "sizes of a disk",
                                   .options = domblkinfo_options,
                                   .json = true,
                                   .run = cmd_domblkinfo},
                                  {.name = "domblklist",
                                   .help = "list disks",
                                   .options = domblklist_options,
                                   .json = true,
                                   .run = cmd_domblklist},
                                  {.name = "domblkstat",
                                   .help = "statistics of a disk",
                                   .options = domblkstat_options,
                                   .json = true,
                                   .run = cmd_domblkstat},
                                  {.name = "domblkthreshold",
                                   .help = "have an event when more of an image is written",
                                   .options = domblkthreshold_options,
                                   .run = cmd_domblkthreshold},
                                  {0}};
