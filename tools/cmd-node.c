/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host's CPUs and memory do. */
#include <inttypes.h>
#include <unistd.h>

#include "param.h"
#include "report.h"
#include "tables.h"
#include "xml-desc.h"

#define ALL (-1) /* CPUs or cells */

/* ---- nodecpustats ---- */

/* In the order in which they are shown; "utilization" is a percentage by itself. */
static const char *const cpu_fields[] = {"user", "kernel", "idle", "iowait", "intr"},
                         *const cpu_titles[] = {"user:", "system:", "idle:", "iowait:", "intr:"};

typedef struct CpuTimes {
    uint64_t ns[ARRAY_SIZE(cpu_fields)];
    bool present[ARRAY_SIZE(cpu_fields)];
} CpuTimes;

static int get_cpu_times(Tool *tool, int cpu, CpuTimes *ret) {
    remote_node_get_cpu_stats_args call = {.cpuNum = cpu};
    remote_node_get_cpu_stats_ret answer = {0};
    CLEANUP_ERROR Error *error = NULL;

    /* Asked how many there are first, then for them. */
    if (CALL(tool, NODE_GET_CPU_STATS, remote_node_get_cpu_stats_args, &call,
             remote_node_get_cpu_stats_ret, &answer, &error) < 0)
        return tool_fail(error, "Unable to get number of cpu stats");
    call.nparams = answer.nparams;
    if (CALL(tool, NODE_GET_CPU_STATS, remote_node_get_cpu_stats_args, &call,
             remote_node_get_cpu_stats_ret, &answer, &error) < 0)
        return tool_fail(error, "Unable to get node cpu stats");
    *ret = (CpuTimes){0};
    for (u_int i = 0; i < answer.params.params_len; i++)
        for (size_t k = 0; k < ARRAY_SIZE(cpu_fields); k++)
            if (streq(answer.params.params_val[i].field, cpu_fields[k])) {
                ret->ns[k] = answer.params.params_val[i].value;
                ret->present[k] = true;
            }
    xdr_free((xdrproc_t)xdr_remote_node_get_cpu_stats_ret, (char *)&answer);
    return 0;
}

static void print_percent(const Tool *tool, const CpuTimes *before, const CpuTimes *after) {
    json_object *object = tool->json ? json_object_new_object() : NULL;
    double total = 0, usage;

    for (size_t i = 0; i < ARRAY_SIZE(cpu_fields); i++)
        total += (double)(after->ns[i] - before->ns[i]);
    total = MAX_OF(total, 1.0);
    usage = (double)(after->ns[0] - before->ns[0] + after->ns[1] - before->ns[1]) / total * 100;
    if (object)
        json_object_object_add(object, "usage", json_object_new_double(usage));
    else
        printf("%-15s %5.1lf%%\n", "usage:", usage);
    for (size_t i = 0; i < ARRAY_SIZE(cpu_fields); i++) {
        double part = (double)(after->ns[i] - before->ns[i]) / total * 100;

        if (!after->present[i])
            continue;
        if (object)
            json_object_object_add(object, cpu_fields[i], json_object_new_double(part));
        else
            printf("%-15s %5.1lf%%\n", cpu_titles[i], part);
    }
    if (object)
        tool_print_json(object);
}

static int cmd_nodecpustats(Tool *tool, const Args *args) {
    CpuTimes before, after;
    long long cpu = ALL;
    Facts facts;

    if (args_number(args, "cpu", ALL, INT32_MAX, &cpu) < 0)
        return tool_bad_number(args, "cpu");
    if (get_cpu_times(tool, (int)cpu, &before) < 0)
        return -EIO;
    if (args_has(args, "percent")) {
        sleep(1);
        if (get_cpu_times(tool, (int)cpu, &after) < 0)
            return -EIO;
        print_percent(tool, &before, &after);
        return 0;
    }
    facts_start(&facts, tool, 15);
    for (size_t i = 0; i < ARRAY_SIZE(cpu_fields); i++) {
        CLEANUP_FREE char *text = text_format("%20" PRIu64, before.ns[i]);

        if (before.present[i] && facts.json)
            facts_number(&facts, cpu_titles[i], cpu_fields[i], before.ns[i], NULL);
        else if (before.present[i])
            facts_text(&facts, cpu_titles[i], cpu_fields[i], text);
    }
    facts_print(&facts);
    return 0;
}

/* ---- nodememstats ---- */

static int cmd_nodememstats(Tool *tool, const Args *args) {
    remote_node_get_memory_stats_args call = {0};
    remote_node_get_memory_stats_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    long long cell = ALL;
    Facts facts;

    if (args_number(args, "cell", ALL, INT32_MAX, &cell) < 0)
        return tool_bad_number(args, "cell");
    call.cellNum = (int)cell;
    /* Asked how many there are first, then for them. */
    if (CALL(tool, NODE_GET_MEMORY_STATS, remote_node_get_memory_stats_args, &call,
             remote_node_get_memory_stats_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to get number of memory stats");
    call.nparams = ret.nparams;
    if (CALL(tool, NODE_GET_MEMORY_STATS, remote_node_get_memory_stats_args, &call,
             remote_node_get_memory_stats_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to get memory stats");
    facts_start(&facts, tool, 0);
    for (u_int i = 0; i < ret.params.params_len; i++) {
        const remote_node_get_memory_stats *stat = &ret.params.params_val[i];

        if (facts.json)
            facts_number(&facts, "", stat->field, stat->value, NULL);
        else
            printf("%-7s: %20" PRIu64 " KiB\n", stat->field, (uint64_t)stat->value);
    }
    facts_print(&facts);
    xdr_free((xdrproc_t)xdr_remote_node_get_memory_stats_ret, (char *)&ret);
    return 0;
}

/* ---- cells ---- */

/* The host's capabilities, to look into; says what is wrong. */
static int get_capabilities(Tool *tool, XmlView *ret) {
    remote_connect_get_capabilities_ret answer = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r;

    if (CALL_NONE(tool, CONNECT_GET_CAPABILITIES, remote_connect_get_capabilities_ret, &answer,
                  &error) < 0)
        return tool_fail(error, "unable to get node capabilities");
    r = xml_view_text(answer.capabilities, ret);
    xdr_free((xdrproc_t)xdr_remote_connect_get_capabilities_ret, (char *)&answer);
    return r < 0 ? tool_fail(NULL, "unable to parse node capabilities") : 0;
}

/* The ids of the host's NUMA cells; *ret in fresh memory. */
static int get_cells(Tool *tool, XmlView *view, int **ret) {
    CLEANUP(xml_nodes_freep) xmlXPathObject *cells = NULL;
    int n;

    if (get_capabilities(tool, view) < 0)
        return -EIO;
    cells = xml_view_nodes(view, "/capabilities/host/topology/cells/cell");
    n = cells ? cells->nodesetval->nodeNr : 0;
    *ret = calloc((size_t)n + 1, sizeof(**ret));
    if (!*ret)
        return tool_fail(NULL, "out of memory");
    for (int i = 0; i < n; i++) {
        CLEANUP_FREE char *id = xml_view_string(view, cells->nodesetval->nodeTab[i], "./@id");

        (*ret)[i] = id ? (int)strtol(id, NULL, 10) : i;
    }
    return n;
}

static int get_cell_free(Tool *tool, int cell, uint64_t *ret, Error **reterr) {
    remote_node_get_cells_free_memory_args call = {.startCell = cell, .maxcells = 1};
    remote_node_get_cells_free_memory_ret answer = {0};
    int r = CALL(tool, NODE_GET_CELLS_FREE_MEMORY, remote_node_get_cells_free_memory_args, &call,
                 remote_node_get_cells_free_memory_ret, &answer, reterr);

    if (r < 0)
        return r;
    *ret = answer.cells.cells_len == 1 ? answer.cells.cells_val[0] : 0;
    xdr_free((xdrproc_t)xdr_remote_node_get_cells_free_memory_ret, (char *)&answer);
    return 0;
}

/* ---- freecell ---- */

static int freecell_all(Tool *tool) {
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_FREE int *cells = NULL;
    uint64_t total = 0;
    Facts facts;
    int n = get_cells(tool, &view, &cells);

    facts_start(&facts, tool, 0);
    for (int i = 0; i < n; i++) {
        CLEANUP_FREE char *key = text_format("%d", cells[i]);
        CLEANUP_ERROR Error *error = NULL;
        uint64_t bytes = 0;

        if (get_cell_free(tool, cells[i], &bytes, &error) < 0) {
            json_object_put(facts.json);
            return tool_fail(error, "failed to get free memory for NUMA node number: %d", cells[i]);
        }
        total += bytes;
        if (facts.json)
            facts_number(&facts, "", key, bytes / 1024, NULL);
        else
            printf("%5d: %10" PRIu64 " KiB\n", cells[i], bytes / 1024);
    }
    if (facts.json && n >= 0)
        facts_number(&facts, "", "total", total / 1024, NULL);
    if (n >= 0)
        tool_say(tool, "--------------------\n%5s: %10" PRIu64 " KiB\n", "Total", total / 1024);
    facts_print(&facts);
    return n < 0 ? n : 0;
}

static int cmd_freecell(Tool *tool, const Args *args) {
    remote_node_get_free_memory_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *title = NULL;
    uint64_t bytes = 0;
    long long cell = 0;
    Facts facts;
    int r;

    if (tool_exclusive(args, "all", "cellno") < 0)
        return -EINVAL;
    if (args_has(args, "all"))
        return freecell_all(tool);
    r = args_number(args, "cellno", INT32_MIN, INT32_MAX, &cell);
    if (r < 0)
        return tool_bad_number(args, "cellno");
    title = r > 0 ? text_format("%lld:", cell) : text_format("Total:");
    if (r > 0) {
        r = get_cell_free(tool, (int)cell, &bytes, &error);
    } else {
        r = CALL_NONE(tool, NODE_GET_FREE_MEMORY, remote_node_get_free_memory_ret, &ret, &error);
        bytes = ret.freeMem;
    }
    if (r < 0)
        return tool_failed(error);
    facts_start(&facts, tool, 0);
    facts_number(&facts, title, "total_kib", bytes / 1024, "KiB");
    facts_print(&facts);
    return 0;
}

/* ---- freepages ---- */

#define PAGE_SIZES_MAX 16

static int compare_numbers(const void *a, const void *b) {
    u_int x = *(const u_int *)a, y = *(const u_int *)b;

    return x < y ? -1 : x > y;
}

/* The page sizes in KiB that the host's capabilities name, each once. */
static size_t page_sizes(const XmlView *view, u_int ret[PAGE_SIZES_MAX]) {
    CLEANUP(xml_nodes_freep)
    xmlXPathObject *pages = xml_view_nodes(
        view, "/capabilities/host/cpu/pages|/capabilities/host/topology/cells/cell/pages");
    size_t n = 0;

    for (int i = 0; pages && i < pages->nodesetval->nodeNr; i++) {
        CLEANUP_FREE char *text = xml_view_string(view, pages->nodesetval->nodeTab[i], "./@size");
        u_int size = text ? (u_int)strtoul(text, NULL, 10) : 0;
        size_t at = 0;

        while (at < n && ret[at] != size)
            at++;
        if (size && at == n && n < PAGE_SIZES_MAX)
            ret[n++] = size;
    }
    qsort(ret, n, sizeof(*ret), compare_numbers);
    return n;
}

static int print_pages(Tool *tool, int cell, u_int *sizes, size_t n, json_object *list) {
    remote_node_get_free_pages_args call = {
        .pages = {.pages_val = sizes, .pages_len = (u_int)n}, .startCell = cell, .cellCount = 1};
    remote_node_get_free_pages_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL(tool, NODE_GET_FREE_PAGES, remote_node_get_free_pages_args, &call,
             remote_node_get_free_pages_ret, &ret, &error) < 0)
        return tool_failed(error);
    for (u_int i = 0; i < ret.counts.counts_len && i < n; i++) {
        json_object *object;

        if (!list) {
            printf("%uKiB: %" PRIu64 "\n", sizes[i], (uint64_t)ret.counts.counts_val[i]);
            continue;
        }
        object = json_object_new_object();
        json_object_object_add(object, "cell", json_object_new_int(cell));
        json_object_object_add(object, "size_kib", json_object_new_int64(sizes[i]));
        json_object_object_add(object, "free", json_object_new_uint64(ret.counts.counts_val[i]));
        json_object_array_add(list, object);
    }
    xdr_free((xdrproc_t)xdr_remote_node_get_free_pages_ret, (char *)&ret);
    return 0;
}

static int freepages_all(Tool *tool, u_int size, json_object *list) {
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_FREE int *cells = NULL;
    u_int sizes[PAGE_SIZES_MAX] = {size};
    size_t n_sizes = 1;
    int n = get_cells(tool, &view, &cells), r = 0;

    if (n < 0)
        return n;
    if (size == 0)
        n_sizes = page_sizes(&view, sizes);
    for (int i = 0; i < n && r == 0; i++) {
        if (!list)
            printf("Node %d:\n", cells[i]);
        r = print_pages(tool, cells[i], sizes, n_sizes, list);
        if (!list && r == 0)
            putchar('\n');
    }
    return r;
}

static int cmd_freepages(Tool *tool, const Args *args) {
    json_object *list = NULL;
    uint64_t bytes = 0;
    long long cell = 0;
    u_int size;
    int r;

    if (tool_exclusive(args, "all", "cellno") < 0)
        return -EINVAL;
    if (args_size(args, "pagesize", 1024, UINT32_MAX, &bytes) < 0)
        return tool_bad_number(args, "pagesize");
    size = (u_int)((bytes + 1023) / 1024);
    r = args_number(args, "cellno", INT32_MIN, INT32_MAX, &cell);
    if (r < 0)
        return tool_bad_number(args, "cellno");
    if (!args_has(args, "all") && r == 0)
        return tool_fail(NULL, "missing cellno argument");
    if (cell < -1)
        return tool_fail(NULL, "cell number must be non-negative integer or -1");
    if (!args_has(args, "all") && !args_has(args, "pagesize"))
        return tool_fail(NULL, "missing pagesize argument");
    list = tool->json ? json_object_new_array() : NULL;
    r = args_has(args, "all") ? freepages_all(tool, size, list)
                              : print_pages(tool, (int)cell, &size, 1, list);
    if (list && r == 0)
        tool_print_json(list);
    else
        json_object_put(list);
    return r;
}

/* ---- sysinfo ---- */

static int cmd_sysinfo(Tool *tool, const Args *args) {
    remote_connect_get_sysinfo_args call = {0};
    remote_connect_get_sysinfo_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL(tool, CONNECT_GET_SYSINFO, remote_connect_get_sysinfo_args, &call,
             remote_connect_get_sysinfo_ret, &ret, &error) < 0)
        return tool_fail(error, "failed to get sysinfo");
    xml_print(tool, args, ret.sysinfo);
    xdr_free((xdrproc_t)xdr_remote_connect_get_sysinfo_ret, (char *)&ret);
    return 0;
}

/* ---- node-memory-tune ---- */

/* An option's name with '_' instead of '-' is the parameter's. */
static const char *const ksm_options[] = {"shm-pages-to-scan", "shm-sleep-millisecs",
                                          "shm-merge-across-nodes"};
static const char *const ksm_fields[] = {"shm_pages_to_scan", "shm_sleep_millisecs",
                                         "shm_merge_across_nodes"};

static int read_ksm(const Args *args, remote_typed_param *params, u_int *n) {
    for (size_t i = 0; i < ARRAY_SIZE(ksm_options); i++) {
        long long value = 0;
        int r = args_number(args, ksm_options[i], 0, UINT32_MAX, &value);

        if (r < 0)
            return tool_bad_number(args, ksm_options[i]);
        if (r == 0)
            continue;
        params[*n] = (remote_typed_param){.field = (char *)ksm_fields[i],
                                          .value = {.type = PARAM_UINT}};
        params[(*n)++].value.remote_param_value_u.ui = (unsigned)value;
    }
    return 0;
}

static int show_ksm(Tool *tool) {
    remote_node_get_memory_parameters_args call = {0};
    CLEANUP(params_done) ParamList list = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (params_get(tool, REMOTE_PROC_NODE_GET_MEMORY_PARAMETERS,
                   (xdrproc_t)xdr_remote_node_get_memory_parameters_args, &call, &call.nparams,
                   &list, &error) < 0)
        return tool_fail(error, call.nparams ? "Unable to get memory parameters"
                                             : "Unable to get number of memory parameters");
    if (tool->json) {
        params_print(tool, list.params.params_val, list.params.params_len, 15, NULL);
        return 0;
    }
    if (list.params.params_len > 0)
        puts("Shared memory:");
    for (u_int i = 0; i < list.params.params_len; i++) {
        CLEANUP_FREE char *value = param_format(&list.params.params_val[i]);

        printf("\t%-15s %s\n", list.params.params_val[i].field, value);
    }
    return 0;
}

static int cmd_node_memory_tune(Tool *tool, const Args *args) {
    remote_typed_param params[ARRAY_SIZE(ksm_options)];
    remote_node_set_memory_parameters_args call = {.params = {.params_val = params}};
    CLEANUP_ERROR Error *error = NULL;

    if (read_ksm(args, params, &call.params.params_len) < 0)
        return -EIO;
    if (call.params.params_len == 0)
        return show_ksm(tool);
    if (CALL_VOID(tool, NODE_SET_MEMORY_PARAMETERS, remote_node_set_memory_parameters_args, &call,
                  &error) < 0)
        return tool_fail(error, "Unable to change memory parameters");
    return 0;
}

/* ---- tables ---- */

static const Option freecell_options[] = {
    {"cellno", OPTION_NUMBER, false, "number of the NUMA cell"},
    {"all", OPTION_FLAG, false, "all of them"},
    OPTION_END};
static const Option freepages_options[] = {
    {"cellno", OPTION_NUMBER, false, "number of the NUMA cell"},
    {"pagesize", OPTION_NUMBER, false, "size of the pages, KiB"},
    {"all", OPTION_FLAG, false, "all of them"},
    OPTION_END};
static const Option node_memory_tune_options[] = {
    {"shm-pages-to-scan", OPTION_NUMBER, false, "pages that KSM looks at before it sleeps"},
    {"shm-sleep-millisecs", OPTION_NUMBER, false, "how long KSM sleeps"},
    {"shm-merge-across-nodes", OPTION_NUMBER, false, "1: pages of all NUMA nodes are merged"},
    OPTION_END};
static const Option nodecpustats_options[] = {
    {"cpu", OPTION_NUMBER, false, "number of the host CPU"},
    {"percent", OPTION_FLAG, false, "in percent of one second"},
    OPTION_END};
static const Option nodememstats_options[] = {
    {"cell", OPTION_NUMBER, false, "number of the NUMA cell"}, OPTION_END};

const Command commands_node[] = {
    {.name = "freecell",
     .help = "the host's free memory",
     .options = freecell_options,
     .json = true,
     .run = cmd_freecell},
    {.name = "freepages",
     .help = "the host's free pages",
     .options = freepages_options,
     .json = true,
     .run = cmd_freepages},
    {.name = "node-memory-tune",
     .help = "get or set how the host merges equal pages (KSM)",
     .options = node_memory_tune_options,
     .json = true,
     .run = cmd_node_memory_tune},
    {.name = "nodecpustats",
     .help = "what the host's CPUs do",
     .options = nodecpustats_options,
     .json = true,
     .run = cmd_nodecpustats},
    {.name = "nodememstats",
     .help = "the host's memory",
     .options = nodememstats_options,
     .json = true,
     .run = cmd_nodememstats},
    {.name = "sysinfo", .help = "the host's system information", .json = true, .run = cmd_sysinfo},
    {0}};
