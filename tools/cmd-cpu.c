/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU models: which there are, compared, and what several have in common. */
#include "report.h"
#include "tables.h"
#include "xml-desc.h"

/* ---- cpu-models ---- */

static int cmd_cpu_models(Tool *tool, const Args *args) {
    remote_connect_get_cpu_model_names_args call = {.arch = (char *)args_string(args, "arch"),
                                                    .need_results = 1};
    remote_connect_get_cpu_model_names_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    json_object *list;

    if (CALL(tool, CONNECT_GET_CPU_MODEL_NAMES, remote_connect_get_cpu_model_names_args, &call,
             remote_connect_get_cpu_model_names_ret, &ret, &error) < 0)
        return tool_fail(error, "failed to get CPU model names");
    list = tool->json ? json_object_new_array() : NULL;
    if (ret.models.models_len == 0)
        tool_say(tool, "all CPU models are accepted\n");
    for (u_int i = 0; i < ret.models.models_len; i++) {
        if (list)
            json_object_array_add(list, json_object_new_string(ret.models.models_val[i]));
        else
            puts(ret.models.models_val[i]);
    }
    if (list)
        tool_print_json(list);
    xdr_free((xdrproc_t)xdr_remote_connect_get_cpu_model_names_ret, (char *)&ret);
    return 0;
}

/* ---- CPUs from a file ---- */

#define CPUS_MAX 256 /* the protocol's limit */

typedef struct CpuList {
    char *xmls[CPUS_MAX];
    u_int n;
} CpuList;

static void cpu_list_done(CpuList *list) {
    for (u_int i = 0; i < list->n; i++)
        free(list->xmls[i]);
}

/* Domain capabilities call a CPU <mode name='host-model'>. */
static void make_cpu(xmlNode *node) {
    if (!streq((const char *)node->name, "mode"))
        return;
    xmlNodeSetName(node, BAD_CAST "cpu");
    while (node->properties)
        xmlRemoveProp(node->properties);
}

/* The <cpu> elements in a file with CPUs, domains, capabilities or domain capabilities. */
static int read_cpus(const char *path, CpuList *ret) {
    CLEANUP(xml_nodes_freep) xmlXPathObject *nodes = NULL;
    CLEANUP_FREE char *text = NULL, *wrapped = NULL;
    CLEANUP(xml_view_done) XmlView view = {0};
    const char *body;

    if (tool_read_file(path, &text) < 0)
        return -EIO;
    body = strncmp(text, "<?xml", 5) == 0 && strstr(text, "?>") ? strstr(text, "?>") + 2 : text;
    wrapped = text_format("<container>%s</container>", body);
    if (xml_view_text(wrapped, &view) < 0)
        return tool_fail(NULL, "File '%s' is not XML", path);
    nodes = xml_view_nodes(&view, "/container/cpu|/container/domain/cpu|"
                                  "/container/capabilities/host/cpu|"
                                  "/container/domainCapabilities/cpu/"
                                  "mode[@name='host-model' and @supported='yes']");
    if (!nodes)
        return tool_fail(NULL,
                         "File '%s' does not contain any <cpu> element or valid domain XML, host "
                         "capabilities XML, or domain capabilities XML",
                         path);
    for (int i = 0; i < nodes->nodesetval->nodeNr && ret->n < CPUS_MAX; i++) {
        make_cpu(nodes->nodesetval->nodeTab[i]);
        ret->xmls[ret->n++] = xml_view_dump(&view, nodes->nodesetval->nodeTab[i]);
    }
    return 0;
}

/* ---- comparing ---- */

/* virConnectCompareCPUFlags */
#define COMPARE_FAIL_INCOMPATIBLE 1u
#define COMPARE_VALIDATE_XML 2u

static unsigned compare_flags(const Args *args) {
    return (args_has(args, "error") ? COMPARE_FAIL_INCOMPATIBLE : 0) |
           (args_has(args, "validate") ? COMPARE_VALIDATE_XML : 0);
}

/* virCPUCompareResult; incompatible is a failure of the command. */
static int print_comparison(const Tool *tool, int result, const char *path, const char *host,
                            const char *superset) {
    static const char *const words[] = {"incompatible", "identical", "superset"};

    if (result < 0 || (size_t)result >= ARRAY_SIZE(words))
        return tool_fail(NULL, "Failed to compare %s with %s", host, path);
    if (tool->json)
        report_text(tool, "result", words[result]);
    else if (result == 2)
        printf("%s is a superset of CPU described in %s\n", superset, path);
    else
        printf("CPU described in %s is %s %s %s\n", path, words[result],
               result == 0 ? "with" : "to", host);
    return result == 0 ? -EIO : 0;
}

static int cmd_cpu_compare(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    CLEANUP(cpu_list_done) CpuList cpus = {0};
    remote_xml_flags_args call = {.flags = compare_flags(args)};
    CLEANUP_ERROR Error *error = NULL;
    remote_int_ret ret = {0};

    if (read_cpus(path, &cpus) < 0)
        return -EIO;
    call.xml = cpus.xmls[0];
    if (CALL(tool, CONNECT_COMPARE_CPU, remote_xml_flags_args, &call, remote_int_ret, &ret,
             &error) < 0)
        return tool_fail(error, "Failed to compare host CPU with %s", path);
    return print_comparison(tool, ret.value, path, "host CPU", "Host CPU");
}

/* The four options that name a hypervisor, as the calls take them. */
typedef struct Hypervisor {
    remote_string texts[4];
} Hypervisor;

static remote_opt_string opt(const Args *args, const char *option, remote_string *slot) {
    *slot = (char *)args_string(args, option);
    return *slot ? slot : NULL;
}

static int cmd_hypervisor_cpu_compare(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    CLEANUP(cpu_list_done) CpuList cpus = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_int_ret ret = {0};
    Hypervisor hypervisor;
    remote_connect_compare_hypervisor_cpu_args call = {
        .emulator = opt(args, "emulator", &hypervisor.texts[0]),
        .arch = opt(args, "arch", &hypervisor.texts[1]),
        .machine = opt(args, "machine", &hypervisor.texts[2]),
        .virttype = opt(args, "virttype", &hypervisor.texts[3]),
        .flags = compare_flags(args)};

    if (read_cpus(path, &cpus) < 0)
        return -EIO;
    call.xmlCPU = cpus.xmls[0];
    if (CALL(tool, CONNECT_COMPARE_HYPERVISOR_CPU, remote_connect_compare_hypervisor_cpu_args,
             &call, remote_int_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to compare hypervisor CPU with %s", path);
    return print_comparison(tool, ret.value, path, "the CPU provided by hypervisor on the host",
                            "The CPU provided by hypervisor on the host");
}

/* ---- baselines ---- */

/* virConnectBaselineCPUFlags */
#define BASELINE_EXPAND_FEATURES 1u
#define BASELINE_MIGRATABLE 2u

static unsigned baseline_flags(const Args *args) {
    return (args_has(args, "features") ? BASELINE_EXPAND_FEATURES : 0) |
           (args_has(args, "migratable") ? BASELINE_MIGRATABLE : 0);
}

static int cmd_cpu_baseline(Tool *tool, const Args *args) {
    CLEANUP(cpu_list_done) CpuList cpus = {0};
    remote_connect_baseline_cpu_args call = {.flags = baseline_flags(args)};
    remote_connect_baseline_cpu_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (read_cpus(args_string(args, "file"), &cpus) < 0)
        return -EIO;
    call.xmlCPUs.xmlCPUs_val = cpus.xmls;
    call.xmlCPUs.xmlCPUs_len = cpus.n;
    if (CALL(tool, CONNECT_BASELINE_CPU, remote_connect_baseline_cpu_args, &call,
             remote_connect_baseline_cpu_ret, &ret, &error) < 0)
        return tool_failed(error);
    xml_print(tool, args, ret.cpu);
    xdr_free((xdrproc_t)xdr_remote_connect_baseline_cpu_ret, (char *)&ret);
    return 0;
}

static int cmd_hypervisor_cpu_baseline(Tool *tool, const Args *args) {
    CLEANUP(cpu_list_done) CpuList cpus = {0};
    remote_connect_baseline_hypervisor_cpu_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    Hypervisor hypervisor;
    remote_connect_baseline_hypervisor_cpu_args call = {
        .emulator = opt(args, "emulator", &hypervisor.texts[0]),
        .arch = opt(args, "arch", &hypervisor.texts[1]),
        .machine = opt(args, "machine", &hypervisor.texts[2]),
        .virttype = opt(args, "virttype", &hypervisor.texts[3]),
        .flags = baseline_flags(args)};

    if (tool_exclusive(args, "file", "model") < 0)
        return -EINVAL;
    if (args_has(args, "file") && read_cpus(args_string(args, "file"), &cpus) < 0)
        return -EIO;
    if (args_has(args, "model"))
        cpus.xmls[cpus.n++] = text_format("<cpu><model>%s</model></cpu>",
                                          args_string(args, "model"));
    call.xmlCPUs.xmlCPUs_val = cpus.xmls;
    call.xmlCPUs.xmlCPUs_len = cpus.n;
    if (CALL(tool, CONNECT_BASELINE_HYPERVISOR_CPU, remote_connect_baseline_hypervisor_cpu_args,
             &call, remote_connect_baseline_hypervisor_cpu_ret, &ret, &error) < 0)
        return tool_failed(error);
    xml_print(tool, args, ret.cpu);
    xdr_free((xdrproc_t)xdr_remote_connect_baseline_hypervisor_cpu_ret, (char *)&ret);
    return 0;
}

/* ---- tables ---- */

static const Option cpu_baseline_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"features", OPTION_FLAG, false, "with all features"},
    {"migratable", OPTION_FLAG, false, "without what cannot migrate"},
    OPTION_END};
static const Option cpu_compare_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"error", OPTION_FLAG, false, "fail when they are not compatible"},
    {"validate", OPTION_FLAG, false, "check against the schema"},
    OPTION_END};
static const Option cpu_models_options[] = {{"arch", OPTION_STRING, true, "architecture"},
                                            OPTION_END};
static const Option hypervisor_cpu_baseline_options[] = {
    {"file", OPTION_STRING, false, "XML file", .value = VALUE_FILE},
    {"virttype", OPTION_STRING, false, "type of virtualization"},
    {"emulator", OPTION_STRING, false, "path of the emulator"},
    {"arch", OPTION_STRING, false, "architecture"},
    {"machine", OPTION_STRING, false, "machine type"},
    {"features", OPTION_FLAG, false, "with all features"},
    {"migratable", OPTION_FLAG, false, "without what cannot migrate"},
    {"model", OPTION_STRING, false, "model"},
    OPTION_END};
static const Option hypervisor_cpu_compare_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"virttype", OPTION_STRING, false, "type of virtualization"},
    {"emulator", OPTION_STRING, false, "path of the emulator"},
    {"arch", OPTION_STRING, false, "architecture"},
    {"machine", OPTION_STRING, false, "machine type"},
    {"error", OPTION_FLAG, false, "fail when they are not compatible"},
    {"validate", OPTION_FLAG, false, "check against the schema"},
    OPTION_END};

const Command commands_cpu[] = {{.name = "cpu-baseline",
                                 .help = "what several CPUs have in common",
                                 .options = cpu_baseline_options,
                                 .json = true,
                                 .run = cmd_cpu_baseline},
                                {.name = "cpu-compare",
                                 .help = "compare a CPU with the host's",
                                 .options = cpu_compare_options,
                                 .json = true,
                                 .run = cmd_cpu_compare},
                                {.name = "cpu-models",
                                 .help = "CPU models of an architecture",
                                 .options = cpu_models_options,
                                 .json = true,
                                 .run = cmd_cpu_models},
                                {.name = "hypervisor-cpu-baseline",
                                 .help = "what the hypervisor can give of several CPUs",
                                 .options = hypervisor_cpu_baseline_options,
                                 .json = true,
                                 .run = cmd_hypervisor_cpu_baseline},
                                {.name = "hypervisor-cpu-compare",
                                 .help = "compare a CPU with what the hypervisor gives",
                                 .options = hypervisor_cpu_compare_options,
                                 .json = true,
                                 .run = cmd_hypervisor_cpu_compare},
                                {0}};
