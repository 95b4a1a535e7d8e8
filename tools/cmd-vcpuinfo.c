/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vcpuinfo: each vCPU, where it runs and where it shall run. */
#include <inttypes.h>
#include <libxml/parser.h>

#include "operation.h"
#include "tables.h"
#include "vcpu.h"
#include "xml-desc.h"

/* vCPUs with their CPU maps of map_len bytes each. */
typedef struct VcpuInfo {
    unsigned number;
    int state, cpu; /* cpu negative: not known; state -1: the domain is off */
    uint64_t time_ns;
    const uint8_t *map, *asked; /* where it may run, and where it shall; asked NULL: not known */
    bool differs;      /* these two do, and not because of CPUs that the host has offline */
    const char *guest; /* what the guest does with it, of one that was plugged; or NULL */
    uint64_t removal;  /* the operation the guest was asked to release it by, or 0 */
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
    if (vcpu->guest)
        printf("%-15s %s\n", "Guest:", vcpu->guest);
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
        if (vcpu->guest)
            json_object_object_add(object, "guest", json_object_new_string(vcpu->guest));
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

    max = vcpu_get_count(tool, dom, VCPU_MAXIMUM | AFFECT_CONFIG, &error);
    current = max < 0 ? max : vcpu_get_count(tool, dom, AFFECT_CONFIG, &error);
    if (current < 0 || max > VCPUS_MAX || xml_desc_get(tool, dom, XML_INACTIVE, &xml, &error) < 0 ||
        vcpu_get_pins(tool, dom, max, n_cpus, AFFECT_CONFIG, &pins, &error) < 0)
        return tool_failed(error);
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

    if (operation_list(tool, dom, false, &ret, NULL) < 0)
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

/* Adds what the guest does with them; the texts are of `ret`. A server that is not vireod has none.
 */
static void mark_verdicts(Tool *tool, const remote_domain *dom, VcpuInfo *vcpus, size_t n,
                          vireo_guest_vcpus_ret *ret) {
    remote_domain_args call = {.dom = *dom};

    if (VIREO_CALL(tool, GUEST_VCPUS, remote_domain_args, &call, vireo_guest_vcpus_ret, ret, NULL) <
        0)
        return;
    for (u_int i = 0; i < ret->vcpus.vcpus_len; i++)
        for (size_t at = 0; at < n; at++)
            if (vcpus[at].number == ret->vcpus.vcpus_val[i].vcpu)
                vcpus[at].guest = ret->vcpus.vcpus_val[i].verdict;
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
    vireo_guest_vcpus_ret verdicts = {0};
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
        vcpu_get_pins(tool, dom, (int)last + 1, n_cpus, AFFECT_LIVE, &pins, NULL) >= 0)
        mark_requests(tool, &pins, vcpus, n, n_cpus);
    mark_removals(tool, dom, vcpus, n);
    mark_verdicts(tool, dom, vcpus, n, &verdicts);
    print_vcpus(tool, vcpus, n, map_len, (size_t)n_cpus, pretty);
    xdr_free((xdrproc_t)xdr_vireo_guest_vcpus_ret, (char *)&verdicts);
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
        return tool_failed(error);
    call = (remote_domain_get_vcpus_args){
        .dom = dom, .maxinfo = info.nrVirtCpu, .maplen = (n_cpus + 7) / 8};
    r = CALL(tool, DOMAIN_GET_VCPUS, remote_domain_get_vcpus_args, &call,
             remote_domain_get_vcpus_ret, &ret, &error);
    if (r < 0 && info.state == 5)
        return print_inactive(tool, &dom, n_cpus, pretty);
    if (r < 0)
        return tool_failed(error);
    r = print_active(tool, &dom, &ret, n_cpus, pretty);
    xdr_free((xdrproc_t)xdr_remote_domain_get_vcpus_ret, &ret);
    return r;
}

/* ---- tables ---- */

static const Option vcpuinfo_options[] = {
    OPTION_DOMAIN, {"pretty", OPTION_FLAG, false, "return human readable output"}, OPTION_END};

const Command commands_vcpuinfo[] = {
    {.name = "vcpuinfo",
     .help = "detailed domain vcpu information",
     .description = "Returns basic information about the domain virtual CPUs.",
     .options = vcpuinfo_options,
     .json = true,
     .run = cmd_vcpuinfo},
    {0}};
