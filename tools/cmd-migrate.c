/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a migration behaves. */
#include <inttypes.h>

#include "report.h"
#include "size.h"
#include "tables.h"

#define SPEED_POSTCOPY 1u /* VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY */

static int cmd_migrate_setspeed(Tool *tool, const Args *args) {
    remote_domain_migrate_set_max_speed_args call = {
        .flags = args_has(args, "postcopy") ? SPEED_POSTCOPY : 0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    long long speed = 0;

    if (args_number(args, "bandwidth", 0, INT64_MAX, &speed) < 0)
        return tool_bad_number(args, "bandwidth");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.bandwidth = (uint64_t)speed;
    if (CALL_VOID(tool, DOMAIN_MIGRATE_SET_MAX_SPEED, remote_domain_migrate_set_max_speed_args,
                  &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

static int cmd_migrate_getspeed(Tool *tool, const Args *args) {
    remote_domain_flags_args call = {.flags = args_has(args, "postcopy") ? SPEED_POSTCOPY : 0};
    remote_domain_migrate_get_max_speed_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_MIGRATE_GET_MAX_SPEED, remote_domain_flags_args, &call,
             remote_domain_migrate_get_max_speed_ret, &ret, &error) < 0)
        return tool_failed(error);
    text = text_format("%" PRIu64, (uint64_t)ret.bandwidth);
    report_text(tool, "mib_per_second", text);
    return 0;
}

static int cmd_migrate_setmaxdowntime(Tool *tool, const Args *args) {
    remote_domain_migrate_set_max_downtime_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    long long ms = 0;

    if (args_number(args, "downtime", INT64_MIN, INT64_MAX, &ms) < 0)
        return tool_bad_number(args, "downtime");
    if (ms < 1)
        return tool_fail(NULL, "migrate: Invalid downtime");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.downtime = (uint64_t)ms;
    if (CALL_VOID(tool, DOMAIN_MIGRATE_SET_MAX_DOWNTIME,
                  remote_domain_migrate_set_max_downtime_args, &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

static int cmd_migrate_getmaxdowntime(Tool *tool, const Args *args) {
    remote_domain_flags_args call = {0};
    remote_domain_migrate_get_max_downtime_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_MIGRATE_GET_MAX_DOWNTIME, remote_domain_flags_args, &call,
             remote_domain_migrate_get_max_downtime_ret, &ret, &error) < 0)
        return tool_failed(error);
    text = text_format("%" PRIu64, (uint64_t)ret.downtime);
    report_text(tool, "milliseconds", text);
    return 0;
}

static int set_cache(Tool *tool, const Args *args, const remote_domain *dom) {
    remote_domain_migrate_set_compression_cache_args call = {.dom = *dom};
    CLEANUP_ERROR Error *error = NULL;
    long long size = 0;
    int r = args_number(args, "size", 0, INT64_MAX, &size);

    if (r < 0)
        return tool_bad_number(args, "size");
    call.cacheSize = (uint64_t)size;
    if (r > 0 && CALL_VOID(tool, DOMAIN_MIGRATE_SET_COMPRESSION_CACHE,
                           remote_domain_migrate_set_compression_cache_args, &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

static int cmd_migrate_compcache(Tool *tool, const Args *args) {
    remote_domain_flags_args call = {0};
    remote_domain_migrate_get_compression_cache_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *size = NULL;
    Facts facts;

    if (tool_domain(tool, args, &dom) < 0 || set_cache(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_MIGRATE_GET_COMPRESSION_CACHE, remote_domain_flags_args, &call,
             remote_domain_migrate_get_compression_cache_ret, &ret, &error) < 0)
        return tool_failed(error);
    size = size_format(ret.cacheSize);
    facts_start(&facts, tool, 0);
    if (facts.json)
        facts_number(&facts, "", "bytes", ret.cacheSize, NULL);
    else
        printf("Compression cache: %s", size);
    facts_print(&facts);
    return 0;
}

static int cmd_migrate_postcopy(Tool *tool, const Args *args) {
    return tool_act_flags(tool, args, REMOTE_PROC_DOMAIN_MIGRATE_START_POST_COPY, 0, NULL, NULL);
}

/* ---- tables ---- */

static const Option migrate_compcache_options[] = {
    OPTION_DOMAIN, {"size", OPTION_NUMBER, false, "bytes", .named = true}, OPTION_END};
static const Option migrate_getmaxdowntime_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option migrate_getspeed_options[] = {
    OPTION_DOMAIN, {"postcopy", OPTION_FLAG, false, "pause a post-copy migration"}, OPTION_END};
static const Option migrate_postcopy_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option migrate_setmaxdowntime_options[] = {
    OPTION_DOMAIN, {"downtime", OPTION_STRING, true, "milliseconds"}, OPTION_END};
static const Option migrate_setspeed_options[] = {
    OPTION_DOMAIN,
    {"bandwidth", OPTION_STRING, true, "MiB a second"},
    {"postcopy", OPTION_FLAG, false, "pause a post-copy migration"},
    OPTION_END};

const Command commands_migrate[] = {{.name = "migrate-compcache",
                                     .help = "get or set the cache of a compressed migration",
                                     .options = migrate_compcache_options,
                                     .json = true,
                                     .run = cmd_migrate_compcache},
                                    {.name = "migrate-getmaxdowntime",
                                     .help = "how long a migration may pause the guest",
                                     .options = migrate_getmaxdowntime_options,
                                     .json = true,
                                     .run = cmd_migrate_getmaxdowntime},
                                    {.name = "migrate-getspeed",
                                     .help = "how fast a migration may be",
                                     .options = migrate_getspeed_options,
                                     .json = true,
                                     .run = cmd_migrate_getspeed},
                                    {.name = "migrate-postcopy",
                                     .help = "switch a migration to post-copy",
                                     .options = migrate_postcopy_options,
                                     .run = cmd_migrate_postcopy},
                                    {.name = "migrate-setmaxdowntime",
                                     .help = "set how long a migration may pause the guest",
                                     .options = migrate_setmaxdowntime_options,
                                     .run = cmd_migrate_setmaxdowntime},
                                    {.name = "migrate-setspeed",
                                     .help = "set how fast a migration may be",
                                     .options = migrate_setspeed_options,
                                     .run = cmd_migrate_setspeed},
                                    {0}};
