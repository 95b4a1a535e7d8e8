/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPUs: counts, hot-plug, where they run. */
#include <libxml/parser.h>

#include "cmd-info.h"
#include "cmd-vcpu.h"

/* ---- shared with other groups ---- */

int vcpu_get_count(Tool *tool, const remote_domain *dom, unsigned flags, Error **reterr) {
    remote_domain_flags_args call = {.dom = *dom, .flags = flags};
    remote_int_ret ret = {0};
    int r = CALL(tool, DOMAIN_GET_VCPUS_FLAGS, remote_domain_flags_args, &call, remote_int_ret,
                 &ret, reterr);

    return r < 0 ? r : ret.value;
}

int vcpu_ask(Tool *tool, int procedure, const remote_domain *dom) {
    remote_domain_args call = {.dom = *dom};
    remote_int_ret ret = {0};
    int r = tool_call(tool, procedure, (xdrproc_t)xdr_remote_domain_args, &call,
                      (xdrproc_t)xdr_remote_int_ret, &ret, NULL);

    return r < 0 ? r : ret.value;
}

int vcpu_host_cpus(Tool *tool) {
    remote_node_get_cpu_map_args call = {0};
    remote_node_get_cpu_map_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    int n;

    if (CALL(tool, NODE_GET_CPU_MAP, remote_node_get_cpu_map_args, &call,
             remote_node_get_cpu_map_ret, &ret, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    n = ret.ret;
    xdr_free((xdrproc_t)xdr_remote_node_get_cpu_map_ret, &ret);
    return n > 0 && n <= VCPUS_MAX ? n : tool_fail(NULL, "the server reports %d CPUs", n);
}

int vcpu_get_pins(Tool *tool, const remote_domain *dom, int n, int n_cpus, unsigned flags,
                  remote_domain_get_vcpu_pin_info_ret *ret, Error **reterr) {
    remote_domain_get_vcpu_pin_info_args call = {
        .dom = *dom, .ncpumaps = n, .maplen = (int)vcpu_map_len(n_cpus), .flags = flags};

    return CALL(tool, DOMAIN_GET_VCPU_PIN_INFO, remote_domain_get_vcpu_pin_info_args, &call,
                remote_domain_get_vcpu_pin_info_ret, ret, reterr);
}

const uint8_t *vcpu_pin_of(const remote_domain_get_vcpu_pin_info_ret *pins, size_t id,
                           size_t map_len) {
    if (id >= (size_t)MAX_OF(pins->num, 0) || (id + 1) * map_len > pins->cpumaps.cpumaps_len)
        return NULL;
    return (uint8_t *)pins->cpumaps.cpumaps_val + id * map_len;
}

/* ---- setvcpus, setvcpu ---- */

static int setvcpus_flags(const Args *args, unsigned *ret) {
    unsigned flags = 0;

    if (tool_affect_flags(args, &flags) < 0 || tool_exclusive(args, "guest", "config") < 0)
        return -EINVAL;
    if (args_has(args, "maximum")) {
        if (!args_has(args, "config"))
            return tool_fail(NULL, "Option --config is required by option --maximum");
        flags |= VCPU_MAXIMUM;
    }
    *ret = flags | (args_has(args, "guest") ? VCPU_GUEST : 0) |
           (args_has(args, "hotpluggable") ? VCPU_HOTPLUGGABLE : 0);
    return 0;
}

/* --plan, --async, --wait and --timeout are Vireo's own: its program has a call for them. */
static bool is_own(const Args *args) {
    return args_has(args, "plan") || args_has(args, "async") || args_has(args, "timeout") ||
           args_has(args, "wait");
}

/* A terminal gets a line of progress, which takes that program too, if the server has it. */
static bool wants_progress(const Tool *tool, const Args *args) {
    return isatty(STDERR_FILENO) && !tool->quiet && !tool->json && !args_has(args, "guest") &&
           !args_has(args, "maximum");
}

static int print_plan(Tool *tool, vireo_change_vcpus_args *call) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_plan_vcpus_ret ret = {0};

    if (rpc_client_call(tool->client, VIREO_PROGRAM, VIREO_PROC_PLAN_VCPUS,
                        (xdrproc_t)xdr_vireo_change_vcpus_args, call,
                        (xdrproc_t)xdr_vireo_plan_vcpus_ret, &ret, -1, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    fputs(ret.plan, stdout);
    xdr_free((xdrproc_t)xdr_vireo_plan_vcpus_ret, (char *)&ret);
    return 0;
}

/* -EOPNOTSUPP, with nothing said: the server is not vireod, and a plain call will do. */
static int change_own(Tool *tool, const Args *args, vireo_change_vcpus_args *call) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_change_vcpus_ret ret = {0};
    long long seconds = 0;

    if (tool_exclusive(args, "async", "wait") < 0)
        return -EINVAL;
    if (args_number(args, "timeout", 1, 3600, &seconds) < 0)
        return tool_fail(NULL, "Numeric value '%s' for <%s> option is malformed or out of range",
                         args_string(args, "timeout"), "timeout");
    call->timeout_ms = (uint64_t)seconds * 1000;
    call->async = args_has(args, "async")                                ? 1
                  : args_has(args, "wait") || wants_progress(tool, args) ? 2
                                                                         : 0;
    if (call->flags == 0 && !args_has(args, "current"))
        call->flags = VCPU_LIVE;
    if (args_has(args, "plan"))
        return print_plan(tool, call);
    if (rpc_client_call(tool->client, VIREO_PROGRAM, VIREO_PROC_CHANGE_VCPUS,
                        (xdrproc_t)xdr_vireo_change_vcpus_args, call,
                        (xdrproc_t)xdr_vireo_change_vcpus_ret, &ret, -1, &error) < 0)
        return !is_own(args) && error->code == ERROR_RPC
                   ? -EOPNOTSUPP
                   : tool_fail(NULL, "%s", error_message(error));
    if (call->async == 2)
        return ret.operation ? ops_follow(tool, ret.operation, args_has(args, "wait")) : 0;
    if (call->async && ret.operation)
        tool_say(tool, "Operation %llu; 'vireo ops await %llu' waits for it\n",
                 (unsigned long long)ret.operation, (unsigned long long)ret.operation);
    return 0;
}

static int cmd_setvcpus(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_set_vcpus_flags_args call = {0};
    remote_domain_set_vcpus_args plain = {0};
    long long count = 0;
    unsigned flags = 0;
    int r;

    if (setvcpus_flags(args, &flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (args_number(args, "count", 0, UINT32_MAX, &count) < 0)
        return tool_fail(NULL, "Numeric value '%s' for <%s> option is malformed or out of range",
                         args_string(args, "count"), "count");
    if (count == 0)
        return tool_fail(NULL, "Can't set 0 processors for a VM");
    if (is_own(args) || wants_progress(tool, args)) {
        vireo_change_vcpus_args own = {.dom = dom, .count = (unsigned)count, .flags = flags};

        r = change_own(tool, args, &own);
        if (r != -EOPNOTSUPP)
            return r;
    }
    plain = (remote_domain_set_vcpus_args){.dom = dom, .nvcpus = (unsigned)count};
    call = (remote_domain_set_vcpus_flags_args){
        .dom = dom, .nvcpus = (unsigned)count, .flags = flags};
    /* Without any option the old call: the running domain. */
    if (flags == 0 && !args_has(args, "current"))
        r = CALL_VOID(tool, DOMAIN_SET_VCPUS, remote_domain_set_vcpus_args, &plain, &error);
    else
        r = CALL_VOID(tool, DOMAIN_SET_VCPUS_FLAGS, remote_domain_set_vcpus_flags_args, &call,
                      &error);
    /* virsh prints nothing but the server's sentence here. */
    return r < 0 ? tool_fail(NULL, "%s", error_message(error)) : 0;
}

static int cmd_setvcpu(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_set_vcpu_args call = {0};
    unsigned flags = 0;

    if (tool_exclusive(args, "enable", "disable") < 0 || tool_affect_flags(args, &flags) < 0)
        return -EINVAL;
    if (!args_has(args, "enable") && !args_has(args, "disable"))
        return tool_fail(NULL, "one of --enable, --disable is required");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (is_own(args) || wants_progress(tool, args)) {
        char *ids = (char *)args_string(args, "vcpulist");
        vireo_change_vcpus_args own = {
            .dom = dom, .ids = &ids, .enable = args_has(args, "enable"), .flags = flags};
        int r = change_own(tool, args, &own);

        if (r != -EOPNOTSUPP)
            return r;
    }
    call = (remote_domain_set_vcpu_args){.dom = dom,
                                         .cpumap = (char *)args_string(args, "vcpulist"),
                                         .state = args_has(args, "enable"),
                                         .flags = flags};
    if (CALL_VOID(tool, DOMAIN_SET_VCPU, remote_domain_set_vcpu_args, &call, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    return 0;
}

/* ---- vcpucount ---- */

typedef struct CountRow {
    const char *what, *where;
    unsigned flags;
} CountRow;

static const CountRow count_rows[] = {{"maximum", "config", VCPU_MAXIMUM | VCPU_CONFIG},
                                      {"maximum", "live", VCPU_MAXIMUM | VCPU_LIVE},
                                      {"current", "config", VCPU_CONFIG},
                                      {"current", "live", VCPU_LIVE}};

/* All four, without those that the domain does not have. */
static int all_counts(Tool *tool, const remote_domain *dom) {
    json_object *object = tool->json ? json_object_new_object() : NULL;
    int persistent = vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_PERSISTENT, dom);
    int active = vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_ACTIVE, dom);

    for (size_t i = 0; i < ARRAY_SIZE(count_rows); i++) {
        const CountRow *row = &count_rows[i];
        CLEANUP_ERROR Error *error = NULL;
        int count;

        if ((row->flags & VCPU_CONFIG ? persistent : active) <= 0)
            continue;
        count = vcpu_get_count(tool, dom, row->flags, &error);
        if (count < 0) {
            json_object_put(object);
            return tool_fail(error, row->flags & VCPU_MAXIMUM
                                        ? "Failed to retrieve maximum vcpu count"
                                        : "Failed to retrieve current vcpu count");
        }
        if (object) {
            CLEANUP_FREE char *key = text_format("%s_%s", row->what, row->where);

            json_object_object_add(object, key, json_object_new_int(count));
        } else {
            printf("%-12s %-12s %3d\n", row->what, row->where, count);
        }
    }
    if (object)
        tool_print_json(object);
    return 0;
}

static int cmd_vcpucount(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    bool maximum = args_has(args, "maximum"), guest = args_has(args, "guest");
    unsigned flags = 0;
    int count;

    if (tool_affect_flags(args, &flags) < 0 || tool_exclusive(args, "live", "config") < 0 ||
        tool_exclusive(args, "maximum", "active") < 0 ||
        tool_exclusive(args, "guest", "config") < 0)
        return -EINVAL;
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (!maximum && !args_has(args, "active") && !flags && !args_has(args, "current") && !guest)
        return all_counts(tool, &dom);
    count = vcpu_get_count(tool, &dom,
                           flags | (maximum ? VCPU_MAXIMUM : 0) | (guest ? VCPU_GUEST : 0), &error);
    if (count < 0)
        return tool_fail(NULL, "%s", error_message(error));
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "count", json_object_new_int(count));
        tool_print_json(object);
    } else {
        printf("%d\n", count);
    }
    return 0;
}

/* ---- vcpuinfo ---- */

/* vCPUs with their CPU maps of map_len bytes each. */
typedef struct VcpuInfo {
    unsigned number;
    int state, cpu; /* cpu negative: not known; state -1: the domain is off */
    uint64_t time_ns;
    const uint8_t *map, *asked; /* where it may run, and where it shall; asked NULL: not known */
    bool differs;     /* these two do, and not because of CPUs that the host has offline */
    uint64_t removal; /* the operation the guest was asked to release it by, or 0 */
} VcpuInfo;

static const char *vcpu_state(int state) {
    static const char *const names[] = {"offline", "running", "blocked"};

    if (state == -1)
        return "N/A";
    return state >= 0 && (size_t)state < ARRAY_SIZE(names) ? names[state] : "no state";
}

static void print_map(const char *title, const uint8_t *map, size_t map_len, size_t n_cpus,
                      bool pretty) {
    CLEANUP_FREE char *text = pretty ? format_cpulist(map, map_len, n_cpus)
                                     : format_cpumap(map, map_len, n_cpus);

    if (pretty)
        printf("%-15s %s (out of %zu)\n", title, text, n_cpus);
    else
        printf("%-15s %s\n", title, text);
}

static void print_vcpu(const VcpuInfo *vcpu, size_t map_len, size_t n_cpus, bool pretty) {
    printf("%-15s %u\n", "VCPU:", vcpu->number);
    if (vcpu->cpu >= 0)
        printf("%-15s %d\n", "CPU:", vcpu->cpu);
    else
        printf("%-15s %s\n", "CPU:", "N/A");
    printf("%-15s %s\n", "State:", vcpu_state(vcpu->state));
    if (vcpu->state == -1)
        printf("%-15s %s\n", "CPU time", "N/A");
    else if (vcpu->time_ns)
        printf("%-15s %.1lfs\n", "CPU time:", (double)vcpu->time_ns / 1e9);
    print_map("CPU Affinity:", vcpu->map, map_len, n_cpus, pretty);
    if (vcpu->differs)
        print_map("Requested:", vcpu->asked, map_len, n_cpus, pretty);
    if (vcpu->removal)
        printf("%-15s removal (operation %" PRIu64 ")\n", "Pending:", vcpu->removal);
}

static void print_vcpus(Tool *tool, const VcpuInfo *vcpus, size_t n, size_t map_len, size_t n_cpus,
                        bool pretty) {
    json_object *list = tool->json ? json_object_new_array() : NULL;

    for (size_t i = 0; i < n; i++) {
        const VcpuInfo *vcpu = &vcpus[i];
        json_object *object;

        if (!list) {
            print_vcpu(vcpu, map_len, n_cpus, pretty);
            if (i + 1 < n)
                putchar('\n');
            continue;
        }
        object = json_object_new_object();
        json_object_object_add(object, "vcpu", json_object_new_int64(vcpu->number));
        json_object_object_add(object, "cpu",
                               vcpu->cpu < 0 ? NULL : json_object_new_int(vcpu->cpu));
        json_object_object_add(object, "state",
                               vcpu->state < 0 ? NULL
                                               : json_object_new_string(vcpu_state(vcpu->state)));
        json_object_object_add(object, "cpu_time_ns",
                               vcpu->state < 0 ? NULL : json_object_new_uint64(vcpu->time_ns));
        json_object_object_add(object, "affinity", json_cpulist(vcpu->map, map_len, n_cpus));
        json_object_object_add(object, "requested",
                               vcpu->asked ? json_cpulist(vcpu->asked, map_len, n_cpus) : NULL);
        if (vcpu->removal)
            json_object_object_add(object, "pending_removal",
                                   json_object_new_uint64(vcpu->removal));
        json_object_array_add(list, object);
    }
    if (list)
        tool_print_json(list);
}

/* Which vCPUs the stored definition enables: <vcpus><vcpu id enabled>, else the first `current`. */
static size_t enabled_vcpus(const char *xml, bool *enabled, size_t max) {
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOBLANKS);
    size_t found = 0;

    for (xmlNode *node = doc ? xmlDocGetRootElement(doc)->children : NULL; node;
         node = node->next) {
        if (node->type != XML_ELEMENT_NODE || !streq((const char *)node->name, "vcpus"))
            continue;
        for (xmlNode *vcpu = node->children; vcpu; vcpu = vcpu->next) {
            xmlChar *id = xmlGetProp(vcpu, BAD_CAST "id"),
                    *on = xmlGetProp(vcpu, BAD_CAST "enabled");
            unsigned long number = id ? strtoul((const char *)id, NULL, 10) : max;

            if (number < max && ++found)
                enabled[number] = on && streq((const char *)on, "yes");
            xmlFree(id);
            xmlFree(on);
        }
    }
    xmlFreeDoc(doc);
    return found;
}

static int print_inactive(Tool *tool, const remote_domain *dom, int n_cpus, bool pretty) {
    CLEANUP(vcpu_pins_done) remote_domain_get_vcpu_pin_info_ret pins = {0};
    size_t map_len = vcpu_map_len(n_cpus), n = 0;
    CLEANUP_FREE VcpuInfo *vcpus = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE bool *enabled = NULL;
    CLEANUP_FREE char *xml = NULL;
    int max, current;

    max = vcpu_get_count(tool, dom, VCPU_MAXIMUM | VCPU_CONFIG, &error);
    current = max < 0 ? max : vcpu_get_count(tool, dom, VCPU_CONFIG, &error);
    if (current < 0 || max > VCPUS_MAX || info_get_xml(tool, dom, 2, &xml, &error) < 0 ||
        vcpu_get_pins(tool, dom, max, n_cpus, VCPU_CONFIG, &pins, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    vcpus = calloc((size_t)max + 1, sizeof(*vcpus));
    enabled = calloc((size_t)max + 1, sizeof(*enabled));
    if (!vcpus || !enabled)
        return tool_fail(NULL, "out of memory");
    if (enabled_vcpus(xml, enabled, (size_t)max) == 0)
        memset(enabled, 1, (size_t)MIN_OF(current, max));
    for (size_t i = 0; i < (size_t)max; i++) {
        const uint8_t *map = vcpu_pin_of(&pins, i, map_len);

        if (map && enabled[i])
            vcpus[n++] = (VcpuInfo){
                .number = (unsigned)i, .state = -1, .cpu = -1, .map = map, .asked = map};
    }
    print_vcpus(tool, vcpus, n, map_len, (size_t)n_cpus, pretty);
    return 0;
}

/* Marks those of pending removals. A server that is not vireod has none. */
static void mark_removals(Tool *tool, remote_domain *dom, VcpuInfo *vcpus, size_t n) {
    vireo_operation_list_ret ret = {0};

    if (ops_under_way(tool, dom, &ret, NULL) < 0)
        return;
    for (u_int i = 0; i < ret.operations.operations_len; i++) {
        const vireo_operation *operation = &ret.operations.operations_val[i];

        for (u_int k = 0; streq(operation->state, "pending") && k < operation->vcpus.vcpus_len; k++)
            for (size_t at = 0; at < n; at++)
                if (vcpus[at].number == operation->vcpus.vcpus_val[k])
                    vcpus[at].removal = operation->id;
    }
    xdr_free((xdrproc_t)xdr_vireo_operation_list_ret, (char *)&ret);
}

/* Whether the map has just the host's online CPUs. */
static bool is_online_map(Tool *tool, const uint8_t *map, size_t map_len) {
    remote_node_get_cpu_map_args call = {.need_map = 1};
    remote_node_get_cpu_map_ret ret = {0};
    bool same;

    if (CALL(tool, NODE_GET_CPU_MAP, remote_node_get_cpu_map_args, &call,
             remote_node_get_cpu_map_ret, &ret, NULL) < 0)
        return false;
    same = ret.cpumap.cpumap_len >= map_len && memcmp(ret.cpumap.cpumap_val, map, map_len) == 0;
    xdr_free((xdrproc_t)xdr_remote_node_get_cpu_map_ret, (char *)&ret);
    return same;
}

static bool has_all(const uint8_t *map, size_t n_cpus) {
    size_t n = 0;

    for (size_t i = 0; i < n_cpus; i++)
        n += map[i / 8] >> (i % 8) & 1;
    return n == n_cpus;
}

/* Adds what was asked for. One that has no pin was asked to run on all CPUs: that it cannot on
 * those that are offline is nothing to tell. */
static void mark_requests(Tool *tool, const remote_domain_get_vcpu_pin_info_ret *pins,
                          VcpuInfo *vcpus, size_t n, int n_cpus) {
    size_t map_len = vcpu_map_len(n_cpus);

    for (size_t i = 0; i < n; i++) {
        VcpuInfo *vcpu = &vcpus[i];

        vcpu->asked = vcpu_pin_of(pins, vcpu->number, map_len);
        vcpu->differs = vcpu->asked && memcmp(vcpu->asked, vcpu->map, map_len) != 0 &&
                        !(has_all(vcpu->asked, (size_t)n_cpus) &&
                          is_online_map(tool, vcpu->map, map_len));
    }
}

static int print_active(Tool *tool, remote_domain *dom, const remote_domain_get_vcpus_ret *ret,
                        int n_cpus, bool pretty) {
    CLEANUP(vcpu_pins_done) remote_domain_get_vcpu_pin_info_ret pins = {0};
    size_t map_len = vcpu_map_len(n_cpus), n = ret->info.info_len;
    CLEANUP_FREE VcpuInfo *vcpus = calloc(n + 1, sizeof(*vcpus));
    unsigned last = 0;

    if (!vcpus || n * map_len > ret->cpumaps.cpumaps_len)
        return tool_fail(NULL, "the server's answer is too short");
    for (size_t i = 0; i < n; i++) {
        const remote_vcpu_info *info = &ret->info.info_val[i];

        vcpus[i] = (VcpuInfo){.number = info->number,
                              .state = MAX_OF(info->state, 0),
                              .cpu = info->cpu,
                              .time_ns = info->cpu_time,
                              .map = (uint8_t *)ret->cpumaps.cpumaps_val + i * map_len};
        last = MAX_OF(last, info->number);
    }
    if (last < VCPUS_MAX &&
        vcpu_get_pins(tool, dom, (int)last + 1, n_cpus, VCPU_LIVE, &pins, NULL) >= 0)
        mark_requests(tool, &pins, vcpus, n, n_cpus);
    mark_removals(tool, dom, vcpus, n);
    print_vcpus(tool, vcpus, n, map_len, (size_t)n_cpus, pretty);
    return 0;
}

static int cmd_vcpuinfo(Tool *tool, const Args *args) {
    bool pretty = args_has(args, "pretty");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_args plain;
    remote_domain_get_info_ret info = {0};
    remote_domain_get_vcpus_args call;
    remote_domain_get_vcpus_ret ret = {0};
    int n_cpus, r;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0)
        return n_cpus;
    plain.dom = dom;
    if (CALL(tool, DOMAIN_GET_INFO, remote_domain_args, &plain, remote_domain_get_info_ret, &info,
             &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    call = (remote_domain_get_vcpus_args){
        .dom = dom, .maxinfo = info.nrVirtCpu, .maplen = (n_cpus + 7) / 8};
    r = CALL(tool, DOMAIN_GET_VCPUS, remote_domain_get_vcpus_args, &call,
             remote_domain_get_vcpus_ret, &ret, &error);
    if (r < 0 && info.state == 5)
        return print_inactive(tool, &dom, n_cpus, pretty);
    if (r < 0)
        return tool_fail(NULL, "%s", error_message(error));
    r = print_active(tool, &dom, &ret, n_cpus, pretty);
    xdr_free((xdrproc_t)xdr_remote_domain_get_vcpus_ret, &ret);
    return r;
}

/* ---- tables ---- */

static const Option setvcpus_options[] = {
    OPTION_DOMAIN,
    {"count", OPTION_NUMBER, true, "number of virtual CPUs"},
    {"maximum", OPTION_FLAG, false, "set maximum limit on next boot"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    {"guest", OPTION_FLAG, false, "modify cpu state in the guest"},
    {"hotpluggable", OPTION_FLAG, false, "make added vcpus hot(un)pluggable"},
    {"plan", OPTION_FLAG, false, "show what would be done, change nothing"},
    {"async", OPTION_FLAG, false, "return once the guest has been asked to release vCPUs"},
    {"wait", OPTION_FLAG, false,
     "wait until the guest has released or taken up the vCPUs, however long that is"},
    {"timeout", OPTION_NUMBER, false, "seconds to wait for the guest's release"},
    OPTION_END};
static const Option setvcpu_options[] = {
    OPTION_DOMAIN,
    {"vcpulist", OPTION_STRING, true, "ids of vcpus to manipulate"},
    {"enable", OPTION_FLAG, false, "enable cpus specified by cpumap"},
    {"disable", OPTION_FLAG, false, "disable cpus specified by cpumap"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    {"plan", OPTION_FLAG, false, "show what would be done, change nothing"},
    {"async", OPTION_FLAG, false, "return once the guest has been asked to release vCPUs"},
    {"wait", OPTION_FLAG, false,
     "wait until the guest has released or taken up the vCPUs, however long that is"},
    {"timeout", OPTION_NUMBER, false, "seconds to wait for the guest's release"},
    OPTION_END};
static const Option vcpucount_options[] = {
    OPTION_DOMAIN,
    {"maximum", OPTION_FLAG, false, "get maximum count of vcpus"},
    {"active", OPTION_FLAG, false, "get number of currently active vcpus"},
    {"live", OPTION_FLAG, false, "get value from running domain"},
    {"config", OPTION_FLAG, false, "get value to be used on next boot"},
    {"current", OPTION_FLAG, false, "get value according to current domain state"},
    {"guest", OPTION_FLAG, false, "retrieve vcpu count from the guest instead of the hypervisor"},
    OPTION_END};
static const Option vcpuinfo_options[] = {
    OPTION_DOMAIN, {"pretty", OPTION_FLAG, false, "return human readable output"}, OPTION_END};
static const Command commands[] = {
    {.name = "setvcpu",
     .help = "attach/detach vcpu or groups of threads",
     .description = "Add or remove vcpus",
     .options = setvcpu_options,
     .run = cmd_setvcpu},
    {.name = "setvcpus",
     .help = "change number of virtual CPUs",
     .description = "Change the number of virtual CPUs in the guest domain.",
     .options = setvcpus_options,
     .run = cmd_setvcpus},
    {.name = "vcpucount",
     .help = "domain vcpu counts",
     .description = "Returns the number of virtual CPUs used by the domain.",
     .options = vcpucount_options,
     .json = true,
     .run = cmd_vcpucount},
    {.name = "vcpuinfo",
     .help = "detailed domain vcpu information",
     .description = "Returns basic information about the domain virtual CPUs.",
     .options = vcpuinfo_options,
     .json = true,
     .run = cmd_vcpuinfo},
    {0}};

const CommandGroup group_vcpu = {"Virtual CPUs", "vcpu", commands};
