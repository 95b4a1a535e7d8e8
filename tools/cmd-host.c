/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host and the hypervisor. */
#include "report.h"
#include "tables.h"
#include "vireo.h"

static int cmd_uri(Tool *tool, const Args *args) {
    report_text(tool, "uri", rpc_client_uri(tool->client));
    return 0;
}

static int cmd_hostname(Tool *tool, const Args *args) {
    remote_connect_get_hostname_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL_NONE(tool, CONNECT_GET_HOSTNAME, remote_connect_get_hostname_ret, &ret, &error) < 0)
        return tool_fail(error, "failed to get hostname");
    report_text(tool, "hostname", ret.hostname);
    xdr_free((xdrproc_t)xdr_remote_connect_get_hostname_ret, &ret);
    return 0;
}

static int cmd_capabilities(Tool *tool, const Args *args) {
    remote_connect_get_capabilities_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL_NONE(tool, CONNECT_GET_CAPABILITIES, remote_connect_get_capabilities_ret, &ret,
                  &error) < 0)
        return tool_fail(error, "failed to get capabilities");
    report_text(tool, "xml", ret.capabilities);
    xdr_free((xdrproc_t)xdr_remote_connect_get_capabilities_ret, &ret);
    return 0;
}

static int get_domcapabilities(Tool *tool, const char *const texts[4], char **ret, Error **reterr) {
    remote_string strings[4] = {(char *)texts[0], (char *)texts[1], (char *)texts[2],
                                (char *)texts[3]};
    remote_connect_get_domain_capabilities_args call = {.emulatorbin = texts[0] ? &strings[0]
                                                                                : NULL,
                                                        .arch = texts[1] ? &strings[1] : NULL,
                                                        .machine = texts[2] ? &strings[2] : NULL,
                                                        .virttype = texts[3] ? &strings[3] : NULL};
    remote_connect_get_domain_capabilities_ret xml = {0};
    int r;

    r = CALL(tool, CONNECT_GET_DOMAIN_CAPABILITIES, remote_connect_get_domain_capabilities_args,
             &call, remote_connect_get_domain_capabilities_ret, &xml, reterr);
    if (r < 0)
        return r;
    *ret = text_format("%s", xml.capabilities);
    xdr_free((xdrproc_t)xdr_remote_connect_get_domain_capabilities_ret, &xml);
    return 0;
}

static int cmd_domcapabilities(Tool *tool, const Args *args) {
    const char *const texts[4] = {args_string(args, "emulatorbin"), args_string(args, "arch"),
                                  args_string(args, "machine"), args_string(args, "virttype")};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (get_domcapabilities(tool, texts, &xml, &error) < 0)
        return tool_fail(error, "failed to get emulator capabilities");
    report_text(tool, "xml", xml);
    return 0;
}

/* ---- version ---- */

static void format_version(unsigned long long version, char ret[64]) {
    snprintf(ret, 64, "%llu.%llu.%llu", version / 1000000, version / 1000 % 1000, version % 1000);
}

static int get_versions(Tool *tool, char **ret_type, char *hypervisor, char *daemon,
                        Error **reterr) {
    remote_connect_get_type_ret type = {0};
    remote_connect_get_version_ret version = {0};
    remote_connect_get_lib_version_ret lib = {0};

    if (CALL_NONE(tool, CONNECT_GET_VERSION, remote_connect_get_version_ret, &version, reterr) <
            0 ||
        CALL_NONE(tool, CONNECT_GET_LIB_VERSION, remote_connect_get_lib_version_ret, &lib, reterr) <
            0 ||
        CALL_NONE(tool, CONNECT_GET_TYPE, remote_connect_get_type_ret, &type, reterr) < 0)
        return -EIO;
    format_version(version.hv_ver, hypervisor);
    format_version(lib.lib_ver, daemon);
    *ret_type = text_format("%s", type.type);
    xdr_free((xdrproc_t)xdr_remote_connect_get_type_ret, &type);
    return 0;
}

static int cmd_version(Tool *tool, const Args *args) {
    char hypervisor[64], daemon[64];
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *type = NULL;

    if (get_versions(tool, &type, hypervisor, daemon, &error) < 0)
        return tool_fail(error, "failed to get the hypervisor version");
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "tool", json_object_new_string(VIREO_VERSION));
        json_object_object_add(object, "hypervisor", json_object_new_string(type));
        json_object_object_add(object, "hypervisor_version", json_object_new_string(hypervisor));
        json_object_object_add(object, "api_version", json_object_new_string(daemon));
        tool_print_json(object);
        return 0;
    }
    printf("Compiled against library: vireo %s\nUsing library: vireo %s\n", VIREO_VERSION,
           VIREO_VERSION);
    printf("Using API: %s %s\nRunning hypervisor: %s %s\n", type, daemon, type, hypervisor);
    if (args_has(args, "daemon"))
        printf("Running against daemon: %s\n", daemon);
    return 0;
}

/* ---- the node ---- */

static int cmd_nodeinfo(Tool *tool, const Args *args) {
    remote_node_get_info_ret info = {0};
    CLEANUP_ERROR Error *error = NULL;
    char model[sizeof(info.model) + 1] = "";

    if (CALL_NONE(tool, NODE_GET_INFO, remote_node_get_info_ret, &info, &error) < 0)
        return tool_fail(error, "failed to get node information");
    memcpy(model, info.model, sizeof(info.model));
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "cpu_model", json_object_new_string(model));
        json_object_object_add(object, "cpus", json_object_new_int(info.cpus));
        json_object_object_add(object, "mhz", json_object_new_int(info.mhz));
        json_object_object_add(object, "sockets", json_object_new_int(info.sockets));
        json_object_object_add(object, "cores_per_socket", json_object_new_int(info.cores));
        json_object_object_add(object, "threads_per_core", json_object_new_int(info.threads));
        json_object_object_add(object, "numa_cells", json_object_new_int(info.nodes));
        json_object_object_add(object, "memory_kib", json_object_new_uint64(info.memory));
        tool_print_json(object);
        return 0;
    }
    printf("%-20s %s\n%-20s %d\n", "CPU model:", model, "CPU(s):", info.cpus);
    if (info.mhz)
        printf("%-20s %d MHz\n", "CPU frequency:", info.mhz);
    printf("%-20s %d\n%-20s %d\n%-20s %d\n%-20s %d\n", "CPU socket(s):", info.sockets,
           "Core(s) per socket:", info.cores, "Thread(s) per core:", info.threads,
           "NUMA cell(s):", info.nodes);
    printf("%-20s %llu KiB\n", "Memory size:", (unsigned long long)info.memory);
    return 0;
}

static int cmd_nodecpumap(Tool *tool, const Args *args) {
    remote_node_get_cpu_map_args call = {.need_map = 1, .need_online = 1};
    remote_node_get_cpu_map_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *map = NULL;
    const uint8_t *bits;
    size_t n;

    if (CALL(tool, NODE_GET_CPU_MAP, remote_node_get_cpu_map_args, &call,
             remote_node_get_cpu_map_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to get cpu map");
    n = (size_t)MIN_OF(MAX_OF(ret.ret, 0), REMOTE_CPUMAP_MAX * 8);
    bits = (uint8_t *)ret.cpumap.cpumap_val;
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "present", json_object_new_int(ret.ret));
        json_object_object_add(object, "online", json_object_new_int64(ret.online));
        json_object_object_add(object, "cpus", json_cpulist(bits, ret.cpumap.cpumap_len, n));
        tool_print_json(object);
    } else {
        map = args_has(args, "pretty") ? format_cpulist(bits, ret.cpumap.cpumap_len, n)
                                       : format_cpumap(bits, ret.cpumap.cpumap_len, n);
        printf("%-15s %d\n%-15s %u\n%-15s %s\n", "CPUs present:", ret.ret,
               "CPUs online:", ret.online, "CPU map:", map);
    }
    xdr_free((xdrproc_t)xdr_remote_node_get_cpu_map_ret, &ret);
    return 0;
}

/* ---- maxvcpus ---- */

/* <vcpu max='N'/> in domain capabilities; 0 without it. */
static int max_from_capabilities(const char *xml) {
    const char *at = strstr(xml, "<vcpu max='");

    return at ? (int)strtol(at + strlen("<vcpu max='"), NULL, 10) : 0;
}

static int cmd_maxvcpus(Tool *tool, const Args *args) {
    const char *type = args_string(args, "type");
    const char *const texts[4] = {NULL, NULL, NULL, type};
    remote_string wire_type = (char *)type;
    remote_connect_get_max_vcpus_args call = {.type = type ? &wire_type : NULL};
    remote_connect_get_max_vcpus_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (get_domcapabilities(tool, texts, &xml, NULL) == 0)
        ret.max_vcpus = max_from_capabilities(xml);
    if (ret.max_vcpus <= 0 && CALL(tool, CONNECT_GET_MAX_VCPUS, remote_connect_get_max_vcpus_args,
                                   &call, remote_connect_get_max_vcpus_ret, &ret, &error) < 0)
        return tool_failed(error);
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "max_vcpus", json_object_new_int(ret.max_vcpus));
        tool_print_json(object);
    } else {
        printf("%d\n", ret.max_vcpus);
    }
    return 0;
}

/* ---- tables ---- */

static const Option domcapabilities_options[] = {
    {"virttype", OPTION_STRING, false, "virtualization type (/domain/@type)"},
    {"emulatorbin", OPTION_STRING, false, "path to emulator binary (/domain/devices/emulator)"},
    {"arch", OPTION_STRING, false, "domain architecture (/domain/os/type/@arch)"},
    {"machine", OPTION_STRING, false, "machine type (/domain/os/type/@machine)"},
    OPTION_END};
static const Option maxvcpus_options[] = {{"type", OPTION_STRING, false, "domain type"},
                                          OPTION_END};
static const Option nodecpumap_options[] = {
    {"pretty", OPTION_FLAG, false, "return human readable output"}, OPTION_END};
static const Option version_options[] = {
    {"daemon", OPTION_FLAG, false, "report daemon version too"}, OPTION_END};

const Command commands_host[] = {
    {.name = "capabilities",
     .help = "capabilities",
     .description = "Returns capabilities of hypervisor/driver.",
     .json = true,
     .run = cmd_capabilities},
    {.name = "domcapabilities",
     .help = "domain capabilities",
     .description = "Returns capabilities of emulator with respect to host and vireo.",
     .options = domcapabilities_options,
     .json = true,
     .run = cmd_domcapabilities},
    {.name = "hostname",
     .help = "print the hypervisor hostname",
     .json = true,
     .run = cmd_hostname},
    {.name = "maxvcpus",
     .help = "connection vcpu maximum",
     .description = "Show maximum number of virtual CPUs for guests on this connection.",
     .options = maxvcpus_options,
     .json = true,
     .run = cmd_maxvcpus},
    {.name = "nodecpumap",
     .help = "node cpu map",
     .description =
         "Displays the node's total number of CPUs, the number of online CPUs and the list of "
         "online CPUs.",
     .options = nodecpumap_options,
     .json = true,
     .run = cmd_nodecpumap},
    {.name = "nodeinfo",
     .help = "node information",
     .description = "Returns basic information about the node.",
     .json = true,
     .run = cmd_nodeinfo},
    {.name = "uri", .help = "print the hypervisor canonical URI", .json = true, .run = cmd_uri},
    {.name = "version",
     .help = "show version",
     .description = "Display the system version information.",
     .options = version_options,
     .json = true,
     .run = cmd_version},
    {0}};
