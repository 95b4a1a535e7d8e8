/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's memory: how much it has, may have, and uses. */
#include <inttypes.h>

#include "param.h"
#include "report.h"
#include "tables.h"

/* VIR_DOMAIN_MEMORY_PARAM_UNLIMITED, KiB */
#define UNLIMITED UINT64_C(9007199254740991)

/* ---- setmem, setmaxmem ---- */

static int set_memory(Tool *tool, const Args *args, unsigned flags, Error **reterr) {
    remote_domain_set_memory_flags_args call = {.flags = flags};
    CLEANUP_DOMAIN remote_domain dom = {0};
    uint64_t bytes = 0;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (args_size(args, "size", 1024, UINT64_MAX - 1023, &bytes) < 0)
        return tool_fail(NULL,
                         "Scaled numeric value '%s' for <size> option is malformed or out "
                         "of range",
                         args_string(args, "size"));
    call.dom = dom;
    call.memory = (bytes + 1023) / 1024;
    return CALL_VOID(tool, DOMAIN_SET_MEMORY_FLAGS, remote_domain_set_memory_flags_args, &call,
                     reterr);
}

static int cmd_setmem(Tool *tool, const Args *args) {
    CLEANUP_ERROR Error *error = NULL;
    unsigned flags = 0;

    if (tool_affect_flags(args, &flags) < 0)
        return -EINVAL;
    if (flags == 0 && !args_has(args, "current"))
        flags = AFFECT_LIVE;
    if (set_memory(tool, args, flags, &error) < 0)
        return error ? tool_failed(error) : -EIO;
    return 0;
}

static int cmd_setmaxmem(Tool *tool, const Args *args) {
    CLEANUP_ERROR Error *error = NULL;
    unsigned flags = 0;

    if (tool_affect_flags(args, &flags) < 0)
        return -EINVAL;
    if (set_memory(tool, args, flags | MEMORY_MAXIMUM, &error) < 0)
        return error ? tool_fail(error, "Unable to change MaxMemorySize") : -EIO;
    return 0;
}

/* ---- dommemstat ---- */

/* virDomainMemoryStatTags */
static const char *const memory_tags[] = {
    "swap_in",     "swap_out",        "major_fault",   "minor_fault", "unused",
    "available",   "actual",          "rss",           "usable",      "last_update",
    "disk_caches", "hugetlb_pgalloc", "hugetlb_pgfail"};

static int set_period(Tool *tool, const remote_domain *dom, long long period, unsigned flags) {
    remote_domain_set_memory_stats_period_args call = {
        .dom = *dom, .period = (int)period, .flags = flags};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL_VOID(tool, DOMAIN_SET_MEMORY_STATS_PERIOD, remote_domain_set_memory_stats_period_args,
                  &call, &error) < 0)
        return tool_fail(error, "Unable to change balloon collection period.");
    return 0;
}

static int print_memory_stats(Tool *tool, const remote_domain *dom) {
    remote_domain_memory_stats_args call = {.dom = *dom, .maxStats = ARRAY_SIZE(memory_tags)};
    remote_domain_memory_stats_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    Facts facts;

    if (CALL(tool, DOMAIN_MEMORY_STATS, remote_domain_memory_stats_args, &call,
             remote_domain_memory_stats_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to get memory statistics for domain %s", dom->name);
    facts_start(&facts, tool, 0);
    for (u_int i = 0; i < ret.stats.stats_len; i++) {
        const remote_domain_memory_stat *stat = &ret.stats.stats_val[i];

        if (stat->tag >= 0 && (size_t)stat->tag < ARRAY_SIZE(memory_tags))
            facts_number(&facts, memory_tags[stat->tag], memory_tags[stat->tag], stat->val, NULL);
    }
    facts_print(&facts);
    xdr_free((xdrproc_t)xdr_remote_domain_memory_stats_ret, (char *)&ret);
    return 0;
}

static int cmd_dommemstat(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    long long period = 0;
    unsigned flags = 0;
    int r;

    if (tool_affect_flags(args, &flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    r = args_number(args, "period", INT32_MIN, INT32_MAX, &period);
    if (r < 0)
        return tool_bad_number(args, "period");
    if (period < 0)
        return tool_fail(NULL, "Invalid collection period value '%lld'", period);
    if (flags == 0 && !args_has(args, "current") && dom.id != -1)
        flags = AFFECT_LIVE;
    return r > 0 ? set_period(tool, &dom, period, flags) : print_memory_stats(tool, &dom);
}

/* ---- memtune ---- */

static const struct Limit {
    const char *option, *field;
} limits[] = {{"hard-limit", "hard_limit"},
              {"soft-limit", "soft_limit"},
              {"swap-hard-limit", "swap_hard_limit"},
              {"min-guarantee", "min_guarantee"}};

/* -1 and other negative numbers are no limit. */
static int read_limit(const char *text, uint64_t *ret) {
    uint64_t bytes = 0;

    if (*text == '-' && strtoll(text, NULL, 10) < 0) {
        *ret = UNLIMITED;
        return 0;
    }
    if (args_parse_size(text, 1024, INT64_MAX, &bytes) < 0)
        return -EINVAL;
    *ret = (bytes + 1023) / 1024;
    return 0;
}

static int read_limits(const Args *args, remote_typed_param *params, u_int *n) {
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        const char *text = args_string(args, limits[i].option);
        uint64_t value = 0;

        if (!text)
            continue;
        if (read_limit(text, &value) < 0)
            return tool_fail(NULL, "Unable to parse integer parameter %s", limits[i].option);
        params[*n] = (remote_typed_param){.field = (char *)limits[i].field,
                                          .value = {.type = PARAM_ULLONG}};
        params[*n].value.remote_param_value_u.ul = value;
        ++*n;
    }
    return 0;
}

static char *format_unlimited(const remote_typed_param *param) {
    return param->value.type == PARAM_ULLONG && param->value.remote_param_value_u.ul == UNLIMITED
               ? text_format("unlimited")
               : NULL;
}

static int show_limits(Tool *tool, const remote_domain *dom, unsigned flags) {
    remote_domain_get_memory_parameters_args call = {.dom = *dom, .flags = flags};
    CLEANUP(params_done) ParamList list = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (params_get(tool, REMOTE_PROC_DOMAIN_GET_MEMORY_PARAMETERS,
                   (xdrproc_t)xdr_remote_domain_get_memory_parameters_args, &call, &call.nparams,
                   &list, &error) < 0)
        return tool_fail(error, call.nparams ? "Unable to get memory parameters"
                                             : "Unable to get number of memory parameters");
    params_print(tool, list.params.params_val, list.params.params_len, 15, format_unlimited);
    return 0;
}

static int cmd_memtune(Tool *tool, const Args *args) {
    remote_typed_param params[ARRAY_SIZE(limits)];
    remote_domain_set_memory_parameters_args call = {.params = {.params_val = params}};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0 ||
        read_limits(args, params, &call.params.params_len) < 0)
        return -EIO;
    if (call.params.params_len == 0)
        return show_limits(tool, &dom, call.flags | TYPED_PARAM_STRING_OKAY);
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_MEMORY_PARAMETERS, remote_domain_set_memory_parameters_args,
                  &call, &error) < 0)
        return tool_fail(error, "Unable to change memory parameters");
    return 0;
}

/* ---- domdirtyrate-calc ---- */

/* virDomainDirtyRateCalcFlags: none, then from bit 0 on */
static const char *const dirty_rate_modes[] = {"page-sampling", "dirty-bitmap", "dirty-ring", NULL};

static int read_mode(const char *mode, unsigned *flags) {
    for (unsigned i = 0; mode && dirty_rate_modes[i]; i++)
        if (streq(mode, dirty_rate_modes[i])) {
            *flags |= i > 0 ? 1u << (i - 1) : 0;
            return 0;
        }
    return mode ? tool_fail(NULL, "Unknown calculation mode '%s'", mode) : 0;
}

static int cmd_domdirtyrate_calc(Tool *tool, const Args *args) {
    remote_domain_start_dirty_rate_calc_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    long long seconds = 1;

    if (args_number(args, "seconds", INT32_MIN, INT32_MAX, &seconds) < 0)
        return tool_bad_number(args, "seconds");
    if (read_mode(args_string(args, "mode"), &call.flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.seconds = (int)seconds;
    if (CALL_VOID(tool, DOMAIN_START_DIRTY_RATE_CALC, remote_domain_start_dirty_rate_calc_args,
                  &call, &error) < 0)
        return tool_failed(error);
    tool_say(tool, "Start to calculate domain's memory dirty rate successfully.\n");
    return 0;
}

/* ---- tables ---- */

static const Option domdirtyrate_calc_options[] = {OPTION_DOMAIN,
                                                   {"seconds", OPTION_NUMBER, false,
                                                    "how long it is measured: 1 to 60, 1 if not "
                                                    "given"},
                                                   {"mode", OPTION_STRING, false,
                                                    "page-sampling (usual), dirty-bitmap or "
                                                    "dirty-ring",
                                                    .value = VALUE_WORD, .words = dirty_rate_modes},
                                                   OPTION_END};
static const Option dommemstat_options[] = {OPTION_DOMAIN,
                                            {"period", OPTION_NUMBER, false,
                                             "seconds between two balloon statistics; 0: none",
                                             .named = true},
                                            OPTION_CONFIG,
                                            OPTION_LIVE,
                                            OPTION_CURRENT,
                                            OPTION_END};
static const Option memtune_options[] = {
    OPTION_DOMAIN,
    {"hard-limit", OPTION_NUMBER, false, "most memory of the host it may have, KiB"},
    {"soft-limit", OPTION_NUMBER, false, "memory to be left to it when the host runs short, KiB"},
    {"swap-hard-limit", OPTION_NUMBER, false, "most memory and swap together, KiB"},
    {"min-guarantee", OPTION_NUMBER, false, "memory that it always has, KiB"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option setmaxmem_options[] = {
    OPTION_DOMAIN,  {"size", OPTION_STRING, true, "size, with a unit as in 512M; KiB without"},
    OPTION_CONFIG,  OPTION_LIVE,
    OPTION_CURRENT, OPTION_END};
static const Option setmem_options[] = {
    OPTION_DOMAIN,  {"size", OPTION_STRING, true, "size, with a unit as in 512M; KiB without"},
    OPTION_CONFIG,  OPTION_LIVE,
    OPTION_CURRENT, OPTION_END};

const Command commands_memory[] = {{.name = "domdirtyrate-calc",
                                    .help = "measure how fast the guest writes to its memory",
                                    .description = "The result is in domstats --dirtyrate.",
                                    .options = domdirtyrate_calc_options,
                                    .run = cmd_domdirtyrate_calc},
                                   {.name = "dommemstat",
                                    .help = "statistics of the guest's memory",
                                    .options = dommemstat_options,
                                    .json = true,
                                    .run = cmd_dommemstat},
                                   {.name = "memtune",
                                    .help = "get or set limits of memory",
                                    .options = memtune_options,
                                    .json = true,
                                    .run = cmd_memtune},
                                   {.name = "setmaxmem",
                                    .help = "change how much memory a domain may have",
                                    .options = setmaxmem_options,
                                    .run = cmd_setmaxmem},
                                   {.name = "setmem",
                                    .help = "change the memory of a running domain",
                                    .options = setmem_options,
                                    .run = cmd_setmem},
                                   {0}};
