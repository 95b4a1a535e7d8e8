/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What CPU time a domain took: in total, and of each host CPU. */
#include <inttypes.h>

#include "param.h"
#include "tables.h"

#define CPUS_PER_CALL 128 /* the protocol's limit */
#define TOTAL (-1)        /* for the number of the first CPU */

typedef struct CpuStats {
    Tool *tool;
    remote_domain dom;
    json_object *json;
} CpuStats;

static int get_stats(const CpuStats *stats, unsigned n_params, int start, unsigned n_cpus,
                     remote_domain_get_cpu_stats_ret *ret) {
    remote_domain_get_cpu_stats_args call = {.dom = stats->dom,
                                             .nparams = n_params,
                                             .start_cpu = start,
                                             .ncpus = n_cpus,
                                             .flags = TYPED_PARAM_STRING_OKAY};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL(stats->tool, DOMAIN_GET_CPU_STATS, remote_domain_get_cpu_stats_args, &call,
             remote_domain_get_cpu_stats_ret, ret, &error) < 0)
        return tool_fail(error, "Failed to retrieve CPU statistics for domain '%s'",
                         stats->dom.name);
    return 0;
}

/* How many there are, of CPUs (n_cpus 0) or of parameters. */
static int get_number(const CpuStats *stats, int start, unsigned n_cpus) {
    remote_domain_get_cpu_stats_ret ret = {0};
    int n;

    if (get_stats(stats, 0, start, n_cpus, &ret) < 0)
        return -EIO;
    n = ret.nparams;
    xdr_free((xdrproc_t)xdr_remote_domain_get_cpu_stats_ret, (char *)&ret);
    return n > 0 ? n
                 : tool_fail(NULL, "the server has no CPU statistics for domain '%s'",
                             stats->dom.name);
}

/* Times are nanoseconds, which the text shows as seconds. */
static void print_stat(const remote_typed_param *param, json_object *object) {
    CLEANUP_FREE char *value = NULL;
    uint64_t time_ns = param->value.remote_param_value_u.ul;

    if (object) {
        CLEANUP_FREE char *key = text_format(param->value.type == PARAM_ULLONG ? "%s_ns" : "%s",
                                             param->field);

        json_object_object_add(object, key, param_json(param));
    } else if (param->value.type == PARAM_ULLONG) {
        printf("\t%-12s %9" PRIu64 ".%09" PRIu64 " seconds\n", param->field, time_ns / 1000000000,
               time_ns % 1000000000);
    } else {
        value = param_format(param);
        printf("\t%-12s %s\n", param->field, value);
    }
}

/* ---- of each CPU ---- */

static void print_cpu(const remote_typed_param *params, int n, int cpu, json_object *list) {
    json_object *object = list ? json_object_new_object() : NULL;

    if (object)
        json_object_object_add(object, "cpu", json_object_new_int(cpu));
    else
        printf("CPU%d:\n", cpu);
    for (int i = 0; i < n; i++)
        print_stat(&params[i], object);
    if (object)
        json_object_array_add(list, object);
}

static int show_cpus(CpuStats *stats, int start, long long count) {
    json_object *list = stats->json ? json_object_new_array() : NULL;
    int n_cpus = get_number(stats, 0, 0), n_params, end;

    if (list)
        json_object_object_add(stats->json, "cpus", list);
    if (n_cpus < 0)
        return n_cpus;
    if (start >= n_cpus)
        return tool_fail(NULL, "Start CPU %d is out of range (min: 0, max: %d)", start, n_cpus - 1);
    if (count > n_cpus)
        tool_say(stats->tool, "Only %d CPUs available to show\n", n_cpus);
    n_params = get_number(stats, 0, 1);
    if (n_params < 0)
        return n_params;
    end = count < 0 || count > n_cpus - start ? n_cpus : start + (int)count;
    for (int cpu = start; cpu < end; cpu += CPUS_PER_CALL) {
        remote_domain_get_cpu_stats_ret ret = {0};
        int n = MIN_OF(end - cpu, CPUS_PER_CALL);

        if (get_stats(stats, (unsigned)n_params, cpu, (unsigned)n, &ret) < 0)
            return -EIO;
        for (int i = 0; i < n && (u_int)((i + 1) * n_params) <= ret.params.params_len; i++)
            print_cpu(ret.params.params_val + i * n_params, n_params, cpu + i, list);
        xdr_free((xdrproc_t)xdr_remote_domain_get_cpu_stats_ret, (char *)&ret);
    }
    return 0;
}

/* ---- in total ---- */

static int show_total(CpuStats *stats) {
    json_object *object = stats->json ? json_object_new_object() : NULL;
    remote_domain_get_cpu_stats_ret ret = {0};
    int n_params = get_number(stats, TOTAL, 1);

    if (object)
        json_object_object_add(stats->json, "total", object);
    if (n_params < 0 || get_stats(stats, (unsigned)n_params, TOTAL, 1, &ret) < 0)
        return -EIO;
    if (!object)
        printf("Total:\n");
    for (u_int i = 0; i < ret.params.params_len; i++)
        print_stat(&ret.params.params_val[i], object);
    xdr_free((xdrproc_t)xdr_remote_domain_get_cpu_stats_ret, (char *)&ret);
    return 0;
}

static int cmd_cpu_stats(Tool *tool, const Args *args) {
    bool total = args_has(args, "total"), cpus = args_has(args, "start") || args_has(args, "count");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CpuStats stats = {.tool = tool};
    long long start = 0, count = -1;
    int r = 0;

    if (args_number(args, "start", INT32_MIN, INT32_MAX, &start) < 0)
        return tool_bad_number(args, "start");
    if (args_number(args, "count", INT32_MIN, INT32_MAX, &count) < 0)
        return tool_bad_number(args, "count");
    if (start < 0)
        return tool_fail(NULL, "Invalid value for start CPU");
    if (args_has(args, "count") && count < 0)
        return tool_fail(NULL, "Invalid value for number of CPUs to show");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    stats.dom = dom;
    stats.json = tool->json ? json_object_new_object() : NULL;
    if (cpus || !total)
        r = show_cpus(&stats, (int)start, count);
    if (r >= 0 && (total || !cpus))
        r = show_total(&stats);
    if (r >= 0 && stats.json)
        tool_print_json(stats.json);
    else
        json_object_put(stats.json);
    return r;
}

/* ---- tables ---- */

static const Option cpu_stats_options[] = {
    OPTION_DOMAIN,
    {"total", OPTION_FLAG, false, "Show total statistics only"},
    {"start", OPTION_NUMBER, false, "Show statistics from this CPU"},
    {"count", OPTION_NUMBER, false, "Number of shown CPUs at most"},
    OPTION_END};

const Command commands_cpu_stats[] = {
    {.name = "cpu-stats",
     .help = "show domain cpu statistics",
     .description = "Display per-CPU and total statistics about the domain's CPUs",
     .options = cpu_stats_options,
     .json = true,
     .run = cmd_cpu_stats},
    {0}};
