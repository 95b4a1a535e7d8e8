/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domstats: what the server counts, for one, several or all domains. */
#include "param.h"
#include "tables.h"

/* virDomainStatsTypes and virConnectGetAllDomainStatsFlags */
static const struct Choice {
    const char *option;
    unsigned bit;
} groups[] = {{"state", STATS_STATE},
              {"cpu-total", STATS_CPU_TOTAL},
              {"balloon", STATS_BALLOON},
              {"vcpu", STATS_VCPU},
              {"interface", STATS_INTERFACE},
              {"block", STATS_BLOCK},
              {"perf", STATS_PERF},
              {"iothread", STATS_IOTHREAD},
              {"memory", STATS_MEMORY},
              {"dirtyrate", STATS_DIRTYRATE},
              {"vm", STATS_VM}},
  filters[] = {{"list-active", LIST_ACTIVE},
               {"list-inactive", LIST_INACTIVE},
               {"list-persistent", LIST_PERSISTENT},
               {"list-transient", LIST_TRANSIENT},
               {"list-running", LIST_RUNNING},
               {"list-paused", LIST_PAUSED},
               {"list-shutoff", LIST_SHUTOFF},
               {"list-other", LIST_OTHER},
               {"nowait", STATS_NOWAIT},
               {"backing", STATS_BACKING},
               {"enforce", STATS_ENFORCE}};

static unsigned choose(const Args *args, const struct Choice *choices, size_t n) {
    unsigned bits = 0;

    for (size_t i = 0; i < n; i++)
        bits |= args_has(args, choices[i].option) ? choices[i].bit : 0;
    return bits;
}

/* The domains that are named; none means all. */
static int find_domains(Tool *tool, const Args *args,
                        remote_connect_get_all_domain_stats_args *call) {
    if (args->n_rest == 0)
        return 0;
    call->doms.doms_val = calloc(args->n_rest, sizeof(*call->doms.doms_val));
    if (!call->doms.doms_val)
        return tool_fail(NULL, "out of memory");
    for (size_t i = 0; i < args->n_rest; i++) {
        if (tool_lookup_text(tool, args->rest[i], LOOKUP_ID | LOOKUP_UUID | LOOKUP_NAME,
                             &call->doms.doms_val[i]) < 0)
            return -EIO;
        call->doms.doms_len++;
    }
    return 0;
}

static void print_text(const remote_connect_get_all_domain_stats_ret *ret) {
    for (u_int i = 0; i < ret->retStats.retStats_len; i++) {
        const remote_domain_stats_record *record = &ret->retStats.retStats_val[i];

        printf("%sDomain: '%s'\n", i ? "\n" : "", record->dom.name);
        for (u_int k = 0; k < record->params.params_len; k++) {
            CLEANUP_FREE char *text = param_format(&record->params.params_val[k]);

            printf("  %s=%s\n", record->params.params_val[k].field, text);
        }
    }
}

static void print_stats_json(const remote_connect_get_all_domain_stats_ret *ret) {
    json_object *list = json_object_new_array();

    for (u_int i = 0; i < ret->retStats.retStats_len; i++) {
        const remote_domain_stats_record *record = &ret->retStats.retStats_val[i];
        json_object *object = json_object_new_object(), *stats = json_object_new_object();

        params_add_json(stats, record->params.params_val, record->params.params_len);
        json_object_object_add(object, "name", json_object_new_string(record->dom.name));
        json_object_object_add(object, "stats", stats);
        json_object_array_add(list, object);
    }
    tool_print_json(list);
}

static void call_done(remote_connect_get_all_domain_stats_args *call) {
    xdr_free((xdrproc_t)xdr_remote_connect_get_all_domain_stats_args, (char *)call);
}

static int cmd_domstats(Tool *tool, const Args *args) {
    CLEANUP(call_done) remote_connect_get_all_domain_stats_args call = {0};
    remote_connect_get_all_domain_stats_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    call.stats = choose(args, groups, ARRAY_SIZE(groups));
    call.flags = choose(args, filters, ARRAY_SIZE(filters));
    if (find_domains(tool, args, &call) < 0)
        return -EIO;
    if (CALL(tool, CONNECT_GET_ALL_DOMAIN_STATS, remote_connect_get_all_domain_stats_args, &call,
             remote_connect_get_all_domain_stats_ret, &ret, &error) < 0)
        return tool_failed(error);
    if (tool->json)
        print_stats_json(&ret);
    else
        print_text(&ret);
    xdr_free((xdrproc_t)xdr_remote_connect_get_all_domain_stats_ret, (char *)&ret);
    return 0;
}

/* ---- tables ---- */

/* --raw is virsh's; here all values are always as the server sent them. */
static const Option domstats_options[] = {
    {"state", OPTION_FLAG, false, "report domain state"},
    {"cpu-total", OPTION_FLAG, false, "report domain physical cpu usage"},
    {"balloon", OPTION_FLAG, false, "report domain balloon statistics"},
    {"vcpu", OPTION_FLAG, false, "report domain virtual cpu information"},
    {"interface", OPTION_FLAG, false, "report domain network interface information"},
    {"block", OPTION_FLAG, false, "report domain block device statistics"},
    {"perf", OPTION_FLAG, false, "report domain perf event statistics"},
    {"iothread", OPTION_FLAG, false, "report domain IOThread information"},
    {"memory", OPTION_FLAG, false, "report domain memory usage"},
    {"dirtyrate", OPTION_FLAG, false, "report domain dirty rate information"},
    {"vm", OPTION_FLAG, false, "report hypervisor-specific statistics"},
    {"list-active", OPTION_FLAG, false, "list only active domains"},
    {"list-inactive", OPTION_FLAG, false, "list only inactive domains"},
    {"list-persistent", OPTION_FLAG, false, "list only persistent domains"},
    {"list-transient", OPTION_FLAG, false, "list only transient domains"},
    {"list-running", OPTION_FLAG, false, "list only running domains"},
    {"list-paused", OPTION_FLAG, false, "list only paused domains"},
    {"list-shutoff", OPTION_FLAG, false, "list only shutoff domains"},
    {"list-other", OPTION_FLAG, false, "list only domains in other states"},
    {"raw", OPTION_FLAG, false, "do not pretty-print the fields"},
    {"enforce", OPTION_FLAG, false, "enforce requested stats parameters"},
    {"backing", OPTION_FLAG, false, "add backing chain information to block stats"},
    {"nowait", OPTION_FLAG, false, "report only stats that are accessible instantly"},
    {"domain", OPTION_REST, false, "list of domains to get stats for", .value = VALUE_DOMAIN},
    OPTION_END};

const Command commands_domstats[] = {
    {.name = "domstats",
     .help = "get statistics about one or multiple domains",
     .description = "Gets statistics about one or more (or all) domains",
     .options = domstats_options,
     .json = true,
     .run = cmd_domstats},
    {0}};
