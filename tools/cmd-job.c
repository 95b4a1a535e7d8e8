/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The job of a domain that goes on: a save, a dump, a migration. */
#include <inttypes.h>

#include "param.h"
#include "size.h"
#include "tables.h"

/* virDomainGetJobStatsFlags */
#define STATS_COMPLETED 1u
#define STATS_KEEP_COMPLETED 2u

/* virDomainJobType */
enum { JOB_NONE, JOB_BOUNDED, JOB_UNBOUNDED, JOB_COMPLETED, JOB_FAILED, JOB_CANCELLED };
static const char *const job_types[] = {"None",      "Bounded", "Unbounded",
                                        "Completed", "Failed",  "Cancelled"};
/* virDomainJobOperation */
static const char *const operations[] = {
    "Unknown",  "Start",           "Save", "Restore", "Incoming migration", "Outgoing migration",
    "Snapshot", "Snapshot revert", "Dump", "Backup",  "Snapshot delete"};

/* How a parameter is shown. */
typedef enum StatKind { STAT_NUMBER, STAT_WIDE, STAT_SIZE, STAT_RATE, STAT_TEXT } StatKind;

/* In the order in which they are shown; `needs` names a total without which they are left out. */
static const struct JobStat {
    const char *field, *title;
    StatKind kind;
    const char *unit, *needs;
} job_stats[] = {
    {"time_elapsed", "Time elapsed:", STAT_NUMBER, " ms", NULL},
    {"time_elapsed_net", "Time elapsed w/o network:", STAT_NUMBER, " ms", NULL},
    {"time_remaining", "Time remaining:", STAT_NUMBER, " ms", "bounded"},
    {"data_processed", "Data processed:", STAT_SIZE, "", "data_total"},
    {"data_remaining", "Data remaining:", STAT_SIZE, "", "data_total"},
    {"data_total", "Data total:", STAT_SIZE, "", "data_total"},
    {"memory_processed", "Memory processed:", STAT_SIZE, "", "memory_total"},
    {"memory_remaining", "Memory remaining:", STAT_SIZE, "", "memory_total"},
    {"memory_total", "Memory total:", STAT_SIZE, "", "memory_total"},
    {"memory_bps", "Memory bandwidth:", STAT_RATE, "/s", "memory_total"},
    {"memory_dirty_rate", "Dirty rate:", STAT_NUMBER, " pages/s", "memory_total"},
    {"memory_page_size", "Page size:", STAT_NUMBER, " bytes", "memory_total"},
    {"memory_iteration", "Iteration:", STAT_NUMBER, "", "memory_total"},
    {"memory_postcopy_requests", "Postcopy requests:", STAT_NUMBER, "", "memory_total"},
    {"disk_processed", "File processed:", STAT_SIZE, "", "disk_total"},
    {"disk_remaining", "File remaining:", STAT_SIZE, "", "disk_total"},
    {"disk_total", "File total:", STAT_SIZE, "", "disk_total"},
    {"disk_bps", "File bandwidth:", STAT_RATE, "/s", "disk_total"},
    {"memory_constant", "Constant pages:", STAT_NUMBER, "", NULL},
    {"memory_normal", "Normal pages:", STAT_NUMBER, "", NULL},
    {"memory_normal_bytes", "Normal data:", STAT_SIZE, "", NULL},
    {"downtime", "Expected downtime:", STAT_NUMBER, " ms", NULL},
    {"downtime_net", "Downtime w/o network:", STAT_NUMBER, " ms", NULL},
    {"setup_time", "Setup time:", STAT_NUMBER, " ms", NULL},
    {"compression_cache", "Compression cache:", STAT_SIZE, "", NULL},
    {"compression_bytes", "Compressed data:", STAT_SIZE, "", NULL},
    {"compression_pages", "Compressed pages:", STAT_WIDE, "", NULL},
    {"compression_cache_misses", "Compression cache misses:", STAT_WIDE, "", NULL},
    {"compression_overflow", "Compression overflows:", STAT_WIDE, "", NULL},
    {"auto_converge_throttle", "Auto converge throttle:", STAT_WIDE, "", NULL},
    {"disk_temp_used", "Temporary disk space use:", STAT_SIZE, "", NULL},
    {"disk_temp_total", "Temporary disk space total:", STAT_SIZE, "", NULL},
    {"errmsg", "Error message:", STAT_TEXT, "", NULL},
};

static uint64_t number_of(const remote_typed_param *param) {
    return !param                              ? 0
           : param->value.type == PARAM_INT    ? (uint64_t)param->value.remote_param_value_u.i
           : param->value.type == PARAM_ULLONG ? param->value.remote_param_value_u.ul
                                               : 0;
}

static void print_stat(const struct JobStat *stat, const remote_typed_param *param, int type) {
    const char *title = type == JOB_COMPLETED && streq(stat->field, "downtime") ? "Total downtime:"
                                                                                : stat->title;
    uint64_t number = number_of(param);

    if (stat->kind == STAT_TEXT && param->value.type == PARAM_STRING) {
        printf("%-17s %s\n", title, param->value.remote_param_value_u.s);
    } else if (stat->kind == STAT_SIZE || (stat->kind == STAT_RATE && number)) {
        CLEANUP_FREE char *size = size_format(number);

        printf("%-17s %s%s\n", title, size, stat->unit);
    } else if (stat->kind == STAT_NUMBER || stat->kind == STAT_WIDE) {
        printf("%-17s %-*" PRIu64 "%s\n", title, stat->kind == STAT_WIDE ? 13 : 12, number,
               stat->unit);
    }
}

static void print_stats(const remote_domain_get_job_stats_ret *ret) {
    const remote_typed_param *params = ret->params.params_val;
    size_t n = ret->params.params_len;

    for (size_t i = 0; i < ARRAY_SIZE(job_stats); i++) {
        const struct JobStat *stat = &job_stats[i];
        const remote_typed_param *param = params_find(params, n, stat->field);

        if (stat->needs && streq(stat->needs, "bounded") ? ret->type != JOB_BOUNDED
            : stat->needs ? number_of(params_find(params, n, stat->needs)) == 0
                          : !param)
            continue;
        if (param)
            print_stat(stat, param, ret->type);
    }
}

static void print_job(const Args *args, const remote_domain_get_job_stats_ret *ret) {
    const remote_typed_param *operation = params_find(ret->params.params_val,
                                                      ret->params.params_len, "operation");
    uint64_t number = number_of(operation);
    bool known = ret->type >= 0 && (size_t)ret->type < ARRAY_SIZE(job_types);

    printf("%-17s %-12s\n", "Job type:", known ? job_types[ret->type] : "unknown");
    if (ret->type == JOB_NONE)
        return;
    printf("%-17s %-12s\n",
           "Operation:", number < ARRAY_SIZE(operations) ? operations[number] : "unknown");
    if (args_has(args, "anystats") || ret->type == JOB_BOUNDED || ret->type == JOB_UNBOUNDED ||
        (ret->type == JOB_COMPLETED && args_has(args, "completed")))
        print_stats(ret);
}

static void print_raw(const remote_domain_get_job_stats_ret *ret) {
    printf("Job type: %d\n\n", ret->type);
    for (u_int i = 0; i < ret->params.params_len; i++) {
        CLEANUP_FREE char *text = param_format(&ret->params.params_val[i]);

        printf("%s: %s\n", ret->params.params_val[i].field, text);
    }
}

static int cmd_domjobinfo(Tool *tool, const Args *args) {
    remote_domain_flags_args call = {
        .flags = (args_has(args, "completed") ? STATS_COMPLETED : 0) |
                 (args_has(args, "keep-completed") ? STATS_KEEP_COMPLETED : 0)};
    remote_domain_get_job_stats_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (args_has(args, "keep-completed") && !args_has(args, "completed"))
        return tool_fail(NULL, "Option --completed is required by option --keep-completed");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_JOB_STATS, remote_domain_flags_args, &call,
             remote_domain_get_job_stats_ret, &ret, &error) < 0)
        return tool_failed(error);
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "type", json_object_new_int(ret.type));
        params_add_json(object, ret.params.params_val, ret.params.params_len);
        tool_print_json(object);
    } else if (args_has(args, "rawstats")) {
        print_raw(&ret);
    } else {
        print_job(args, &ret);
    }
    xdr_free((xdrproc_t)xdr_remote_domain_get_job_stats_ret, (char *)&ret);
    return 0;
}

#define ABORT_POSTCOPY 1u /* VIR_DOMAIN_ABORT_JOB_POSTCOPY, of the call with flags */

static int cmd_domjobabort(Tool *tool, const Args *args) {
    if (args_has(args, "postcopy"))
        return tool_act_flags(tool, args, REMOTE_PROC_DOMAIN_ABORT_JOB_FLAGS, ABORT_POSTCOPY, NULL,
                              NULL);
    return tool_act(tool, args, REMOTE_PROC_DOMAIN_ABORT_JOB, NULL, NULL);
}

/* ---- tables ---- */

static const Option domjobabort_options[] = {
    OPTION_DOMAIN, {"postcopy", OPTION_FLAG, false, "pause a post-copy migration"}, OPTION_END};
static const Option domjobinfo_options[] = {
    OPTION_DOMAIN,
    {"completed", OPTION_FLAG, false, "of the last job that has ended"},
    {"keep-completed", OPTION_FLAG, false, "do not forget it"},
    {"anystats", OPTION_FLAG, false, "whatever there is"},
    {"rawstats", OPTION_FLAG, false, "as the server sent it"},
    OPTION_END};

const Command commands_job[] = {{.name = "domjobabort",
                                 .help = "abort a domain's job",
                                 .options = domjobabort_options,
                                 .run = cmd_domjobabort},
                                {.name = "domjobinfo",
                                 .help = "progress of a domain's job",
                                 .options = domjobinfo_options,
                                 .json = true,
                                 .run = cmd_domjobinfo},
                                {0}};
