/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU models compared and merged, by what QEMU says that each has: with the host's CPU, which
 * /proc/cpuinfo tells of, and with what the hypervisor gives a guest. */
#include <libxml/tree.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "conf/element.h"
#include "conf/xml-document.h"
#include "cpu-names.h"
#include "daemon.h"
#include "qemu/cpu-models.h"
#include "util/file.h"
#include "util/json.h"
#include "util/text.h"
#include "util/words.h"
#include "util/worker.h"

enum { COMPARE_INCOMPATIBLE, COMPARE_IDENTICAL, COMPARE_SUPERSET }; /* virCPUCompareResult */
enum { COMPARE_FAIL = 1, COMPARE_VALIDATE = 2 };
enum { BASELINE_EXPAND = 1, BASELINE_MIGRATABLE = 2 };
#define CPU_XML_MAX (64u << 10)
#define FEATURE_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define CPUINFO_MAX (8u << 20)

/* What a call is about; `models` and `known` of cpu_models_ask. */
typedef struct Asked {
    char *binary;
    const char *accel;
    json_object *models, *known;
    const char *vendor; /* of what the hypervisor gives; NULL: not told */
    char arch[80];
} Asked;

static void asked_done(Asked *asked) {
    free(asked->binary);
    json_object_put(asked->models);
    json_object_put(asked->known);
}
#define CLEANUP_ASKED CLEANUP(asked_done)

/* ---- which hypervisor ---- */

static int choose_accel(const QemuCaps *caps, const char *type, const char **ret, Error **reterr) {
    if (type && !streq(type, "qemu") && !streq(type, "kvm"))
        return error_report(reterr, FROM_NONE, ERROR_INVALID_ARG, "unknown virttype: %.100s", type);
    if (type && streq(type, "kvm") && !caps->kvm)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "KVM is not supported by '%s' on this host", caps->binary);
    *ret = caps->kvm && !(type && streq(type, "qemu")) ? "kvm" : "tcg";
    return 0;
}

static int ask(RpcSession *session, const char *emulator, const char *arch, const char *type,
               Asked *ret, Error **reterr) {
    QemuCapsCache *cache = driver_of(session)->services.caps;
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    struct utsname host;
    int r;

    uname(&host);
    ret->binary = emulator ? strdup(emulator) : qemu_default_emulator(arch ? arch : host.machine);
    if (!ret->binary)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "no emulator is known for architecture '%.100s'",
                            arch ? arch : host.machine);
    snprintf(ret->arch, sizeof(ret->arch), "%s", arch ? arch : host.machine);
    r = qemu_caps_get(cache, ret->binary, &caps, reterr);
    if (r >= 0)
        r = choose_accel(caps, type, &ret->accel, reterr);
    return r < 0 ? r
                 : cpu_models_ask(cache, ret->binary, ret->accel, &ret->models, &ret->known,
                                  &ret->vendor, reterr);
}

/* ---- <cpu> ---- */

/* A CPU as its XML says it; texts are NULL when it says none. */
typedef struct Cpu {
    xmlDocPtr doc;
    xmlNodePtr root;
    xmlChar *arch, *model, *vendor;
} Cpu;

static void cpu_done(Cpu *cpu) {
    xmlFree(cpu->arch);
    xmlFree(cpu->model);
    xmlFree(cpu->vendor);
    xmlFreeDoc(cpu->doc);
}
#define CLEANUP_CPU CLEANUP(cpu_done)

static xmlChar *text_of(xmlNodePtr parent, const char *name) {
    xmlNodePtr node = element_child(parent, name);

    return node ? xmlNodeGetContent(node) : NULL;
}

static const Words matches = WORDS("exact", "minimum", "strict");

/* Of a host's CPU it says which architecture, of a guest's how it is to be chosen. */
static int check_kind(const Cpu *cpu, bool of_host, Error **reterr) {
    const bool is_host = of_host || cpu->arch;
    xmlChar *match = is_host ? NULL : xmlGetProp(cpu->root, (const xmlChar *)"match");
    int r = 0;

    if (is_host && xmlHasProp(cpu->root, (const xmlChar *)"mode"))
        r = error_report(reterr, FROM_CPU, ERROR_CONFIG_UNSUPPORTED,
                         "only the CPU of a guest has a 'mode', not that of a host");
    else if (cpu->arch && !of_host && xmlHasProp(cpu->root, (const xmlChar *)"match"))
        r = error_report(
            reterr, FROM_CPU, ERROR_XML,
            "'arch' element cannot be used inside 'cpu' element with 'match' attribute");
    else if (match && words_find(&matches, (const char *)match) < 0)
        r = error_report(reterr, FROM_CPU, ERROR_XML,
                         "Invalid value for attribute 'match' in element 'cpu': '%.40s'.", match);
    else if (is_host && !cpu->arch)
        r = error_report(reterr, FROM_CPU, ERROR_XML, "Missing CPU architecture");
    else if (cpu->arch && !cpu_is_arch((const char *)cpu->arch))
        r = error_report(reterr, FROM_CPU, ERROR_CONFIG_UNSUPPORTED, "Unknown architecture %.40s",
                         cpu->arch);
    else if (!cpu->model && (cpu->arch || element_child(cpu->root, "feature")))
        r = error_report(reterr, FROM_CPU, ERROR_XML, "Missing CPU model name");
    xmlFree(match);
    return r;
}

/* With an architecture it is a host's, or one that is compared with a host's. */
static int read_cpu(const char *xml, bool is_host, Cpu *ret, Error **reterr) {
    int r = xml_document_parse(xml, strlen(xml), CPU_XML_MAX, "CPU_definition", &ret->doc, reterr);

    if (r < 0)
        return r;
    ret->root = xmlDocGetRootElement(ret->doc);
    if (!streq((const char *)ret->root->name, "cpu"))
        return error_report(reterr, FROM_CPU, ERROR_XML,
                            "XML does not contain expected 'cpu' element");
    ret->arch = text_of(ret->root, "arch");
    ret->model = text_of(ret->root, "model");
    ret->vendor = text_of(ret->root, "vendor");
    return check_kind(ret, is_host, reterr);
}

/* Of these libvirt has names, and QEMU has none. */
static const Words host_features = WORDS("cmt", "mbm_total", "mbm_local", "osxsave", "ospke",
                                         "monitor", "invtsc");

/* It is written again, as it is. */
static bool is_feature(const Asked *asked, const char *name) {
    CLEANUP_JSON json_object *one = json_object_new_object(), *unknown = NULL;

    if (!*name || name[strspn(name, FEATURE_CHARS)] || !one || cpu_features_add(one, name) < 0)
        return false;
    unknown = cpu_features_missing(one, asked->known);
    return words_find(&host_features, name) >= 0 || (unknown && cpu_features_count(unknown) == 0);
}

static bool is_named_before(xmlNodePtr node, const xmlChar *name) {
    while ((node = node->prev)) {
        xmlChar *other = node->type == XML_ELEMENT_NODE &&
                                 streq((const char *)node->name, "feature")
                             ? xmlGetProp(node, (const xmlChar *)"name")
                             : NULL;
        const bool same = other && xmlStrEqual(other, name);

        xmlFree(other);
        if (same)
            return true;
    }
    return false;
}

static int apply_feature(xmlNodePtr node, const Asked *asked, json_object *set, Error **reterr) {
    xmlChar *name = xmlGetProp(node, (const xmlChar *)"name");
    xmlChar *policy = xmlGetProp(node, (const xmlChar *)"policy");
    const char *how = policy ? (const char *)policy : "require";
    int r = 0;

    if (!name || !*name)
        r = error_report(reterr, FROM_CPU, ERROR_XML, "a CPU feature without a name");
    else if (is_named_before(node, name))
        r = error_report(reterr, FROM_CPU, ERROR_XML, "CPU feature '%.63s' is there twice", name);
    else if (!is_feature(asked, (const char *)name))
        r = error_report(reterr, FROM_CPU, ERROR_INTERNAL, "Unknown CPU feature %.63s",
                         (const char *)name);
    else if (streq(how, "disable") || streq(how, "forbid"))
        cpu_features_remove(set, (const char *)name);
    else if (!streq(how, "optional"))
        r = cpu_features_add(set, (const char *)name) < 0 ? error_no_memory(reterr) : 0;
    xmlFree(name);
    xmlFree(policy);
    return r;
}

/* What the model has, with the features that the element adds and takes away; nothing without a
 * model. */
static int read_set(const Cpu *cpu, const Asked *asked, json_object **ret, Error **reterr) {
    json_object *base = cpu->model ? json_member(asked->models, (const char *)cpu->model) : NULL;
    CLEANUP_JSON json_object *set = base ? cpu_features_both(base, base) : json_object_new_object();
    int r = 0;

    if (cpu->model && (!base || !*cpu->model))
        return error_report(reterr, FROM_CPU, ERROR_INTERNAL, "Unknown CPU model %.200s",
                            cpu->model);
    if (!set)
        return error_no_memory(reterr);
    for (xmlNodePtr node = cpu->root->children; r >= 0 && node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && streq((const char *)node->name, "feature"))
            r = apply_feature(node, asked, set, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(set);
    return r;
}

/* ---- the host's CPU ---- */

static int run_read_cpuinfo(void *arg) {
    return file_read("/proc/cpuinfo", CPUINFO_MAX, arg, NULL);
}

/* libvirt's word for whose CPU it is; NULL: it has none, or the kernel does not tell. */
static const char *host_vendor(const char *cpuinfo) {
    const char *at = strstr(cpuinfo, "\nvendor_id"), *value = at ? strchr(at + 1, ':') : NULL;
    char name[16] = "";

    return value && sscanf(value, ": %15s", name) == 1 ? cpu_vendor_name(name) : NULL;
}

static int host_set(json_object **ret, const char **ret_vendor, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_JSON json_object *set = json_object_new_object();
    char *flags, *end, *save = NULL;
    int r = worker_run(run_read_cpuinfo, &text);

    if (r < 0)
        return error_system(reterr, FROM_CPU, r, "cannot read what the host's CPU has");
    *ret_vendor = host_vendor(text);
    flags = strstr(text, "\nflags");
    flags = flags ? strchr(flags, ':') : NULL;
    if (!flags || !set)
        return flags ? error_no_memory(reterr)
                     : error_report(reterr, FROM_CPU, ERROR_OPERATION_UNSUPPORTED,
                                    "the kernel does not tell the features of this host's CPU");
    end = strchr(flags, '\n');
    if (end)
        *end = '\0';
    for (char *at = strtok_r(flags + 1, " ", &save); at; at = strtok_r(NULL, " ", &save))
        if (cpu_features_add(set, at) < 0)
            return error_no_memory(reterr);
    *ret = TAKE_PTR(set);
    return 0;
}

/* ---- compare ---- */

/* "svm,pcid"; NULL: no memory. */
static char *list_names(json_object *set) {
    char *text = NULL;
    FILE *f = text_open(&text);
    const char *separator = "";

    if (!f)
        return NULL;
    json_object_object_foreach(set, name, value) {
        (void)value;
        fprintf(f, "%s%s", separator, cpu_feature_name(name));
        separator = ",";
    }
    return fclose(f) == 0 ? text : NULL;
}

/* i686 is what a CPU of x86_64 can be, too. */
static bool is_arch(const Asked *asked, const Cpu *cpu) {
    const char *arch = (const char *)cpu->arch;

    return !arch || streq(arch, asked->arch) ||
           (streq(arch, "i686") && streq(asked->arch, "x86_64"));
}

/* *ret_other: it is of another architecture, which is the answer. */
static int compare_arch(const Asked *asked, const Cpu *cpu, unsigned flags, bool *ret_other,
                        int *ret, Error **reterr) {
    *ret_other = !is_arch(asked, cpu);
    if (!*ret_other)
        return 0;
    *ret = COMPARE_INCOMPATIBLE;
    return flags & COMPARE_FAIL
               ? error_report(reterr, FROM_CPU, ERROR_CPU_INCOMPATIBLE,
                              "the CPU is one of %s, the host's one of %s", cpu->arch, asked->arch)
               : 0;
}

static int compare(json_object *wanted, json_object *given, unsigned flags, int *ret,
                   Error **reterr) {
    CLEANUP_JSON json_object *missing = cpu_features_missing(wanted, given);
    CLEANUP_FREE char *text = missing ? list_names(missing) : NULL;

    if (!text)
        return error_no_memory(reterr);
    if (*text && flags & COMPARE_FAIL)
        return error_report(reterr, FROM_CPU, ERROR_CPU_INCOMPATIBLE,
                            "Host CPU does not provide required features: %s", text);
    *ret = *text                                                     ? COMPARE_INCOMPATIBLE
           : cpu_features_count(wanted) == cpu_features_count(given) ? COMPARE_IDENTICAL
                                                                     : COMPARE_SUPERSET;
    return 0;
}

/* Who made it is compared where the definition says so. */
static int compare_vendor(const Cpu *cpu, const char *given, unsigned flags, bool *ret_other,
                          int *ret, Error **reterr) {
    *ret_other = cpu->vendor && !streq_ptr(given, (const char *)cpu->vendor);
    if (!*ret_other)
        return 0;
    *ret = COMPARE_INCOMPATIBLE;
    return flags & COMPARE_FAIL
               ? error_report(reterr, FROM_CPU, ERROR_CPU_INCOMPATIBLE,
                              "host CPU vendor does not match required CPU vendor %.40s: it is %s",
                              cpu->vendor, given ? given : "not known")
               : 0;
}

/* With the host's CPU, or with what the hypervisor gives. */
static int compare_with(const Asked *asked, const char *xml, bool with_host, unsigned flags,
                        int *ret, Error **reterr) {
    CLEANUP_JSON json_object *wanted = NULL, *host = NULL;
    CLEANUP_CPU Cpu cpu = {0};
    const char *vendor = asked->vendor;
    bool other = false;
    int r = read_cpu(xml, false, &cpu, reterr);

    if (r >= 0)
        r = compare_arch(asked, &cpu, flags, &other, ret, reterr);
    if (r >= 0 && !other && with_host)
        r = host_set(&host, &vendor, reterr);
    if (r >= 0 && !other)
        r = compare_vendor(&cpu, vendor, flags, &other, ret, reterr);
    if (r < 0 || other)
        return r;
    r = read_set(&cpu, asked, &wanted, reterr);
    return r < 0 ? r
                 : compare(wanted, with_host ? host : json_member(asked->models, ""), flags, ret,
                           reterr);
}

HANDLER(compare_host) {
    const remote_xml_flags_args *args = args_;
    CLEANUP_ASKED Asked asked = {0};
    int r = dispatch_flags(args->flags, COMPARE_FAIL | COMPARE_VALIDATE, call->proc->api, reterr);

    if (r >= 0)
        r = ask(session, NULL, NULL, "qemu", &asked, reterr);
    return r < 0 ? r
                 : compare_with(&asked, args->xml, true, args->flags,
                                &((remote_int_ret *)ret_)->value, reterr);
}

HANDLER(compare_hypervisor) {
    const remote_connect_compare_hypervisor_cpu_args *args = args_;
    CLEANUP_ASKED Asked asked = {0};
    int r = dispatch_flags(args->flags, COMPARE_FAIL | COMPARE_VALIDATE, call->proc->api, reterr);

    if (r >= 0)
        r = ask(session, dispatch_opt(args->emulator), dispatch_opt(args->arch),
                dispatch_opt(args->virttype), &asked, reterr);
    return r < 0 ? r
                 : compare_with(&asked, args->xmlCPU, false, args->flags,
                                &((remote_int_ret *)ret_)->value, reterr);
}

/* ---- baseline ---- */

/* A model of nobody's CPUs fits all. */
static bool is_of_vendor(const char *model, const char *vendor) {
    const char *of = cpu_model_vendor(model);

    return !vendor || streq(of, "unknown") || streq(of, vendor);
}

/* The model that has most of `common` and nothing else; of equals `preferred`. */
static const char *best_model(const Asked *asked, json_object *common, const char *vendor,
                              const char *preferred) {
    const char *best = NULL;
    size_t best_n = 0;

    json_object_object_foreach(asked->models, name, set) {
        CLEANUP_JSON json_object *more = cpu_features_missing(set, common);
        const size_t n = cpu_features_count(set);

        if (*name && is_of_vendor(name, vendor) && more && cpu_features_count(more) == 0 &&
            (!best || n > best_n || (n == best_n && streq(name, preferred)))) {
            best = name;
            best_n = n;
        }
    }
    return best;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* That there is a hypervisor is none of a CPU's features. */
static int write_features(FILE *f, json_object *features) {
    const char **names = calloc(cpu_features_count(features) + 1, sizeof(char *));
    size_t n = 0;

    if (!names)
        return -ENOMEM;
    json_object_object_foreach(features, name, value) {
        (void)value;
        if (!streq(name, "hypervisor"))
            names[n++] = cpu_feature_name(name);
    }
    qsort(names, n, sizeof(char *), by_name);
    for (size_t i = 0; i < n; i++)
        fprintf(f, "  <feature policy='require' name='%s'/>\n", names[i]);
    free(names);
    return 0;
}

static int write_cpu(const char *model, const char *fallback, const char *vendor,
                     json_object *features, char **ret, Error **reterr) {
    FILE *f = text_open(ret);
    int r;

    if (!f)
        return error_no_memory(reterr);
    fprintf(f, "<cpu mode='custom' match='exact'>\n  <model fallback='%s'>%s</model>\n", fallback,
            model);
    if (vendor)
        fprintf(f, "  <vendor>%s</vendor>\n", vendor);
    r = write_features(f, features);
    fputs("</cpu>\n", f);
    return fclose(f) == 0 && r >= 0 ? 0 : error_no_memory(reterr);
}

/* What CPUs have in common. */
typedef struct Common {
    json_object *features;
    char *first, vendor[16]; /* "" of nobody in particular */
    bool one_model;          /* all are of the first's */
    bool all_say_vendor;
} Common;

static void common_done(Common *common) {
    json_object_put(common->features);
    free(common->first);
}

/* As libvirt takes it: the first's own word is not held against its model. */
static int common_vendor(const Cpu *cpu, bool is_first, Common *common, Error **reterr) {
    const char *own = (const char *)cpu->vendor, *of = cpu_model_vendor((const char *)cpu->model);
    const char *vendor = own ? own : is_first || streq(of, "unknown") ? NULL : of;

    if (own && !is_first && !is_of_vendor((const char *)cpu->model, own))
        return error_report(reterr, FROM_CPU, ERROR_OPERATION_FAILED,
                            "CPU vendor %s of model %s differs from vendor %.40s", of, cpu->model,
                            own);
    if (own && !cpu_is_vendor(own))
        return error_report(reterr, FROM_CPU, ERROR_OPERATION_FAILED, "Unknown CPU vendor %.40s",
                            own);
    if (vendor && *common->vendor && !streq(common->vendor, vendor))
        return error_report(reterr, FROM_CPU, ERROR_OPERATION_FAILED,
                            "CPU vendors do not match: one is of %s, another of %s", common->vendor,
                            vendor);
    if (vendor)
        snprintf(common->vendor, sizeof(common->vendor), "%s", vendor);
    common->all_say_vendor = own && (is_first || common->all_say_vendor);
    return 0;
}

static int read_one(const Asked *asked, const char *xml, bool of_host, bool is_first,
                    Common *common, json_object **ret, Error **reterr) {
    CLEANUP_CPU Cpu cpu = {0};
    int r = read_cpu(xml, of_host, &cpu, reterr);

    if (r < 0)
        return r;
    if (of_host && !is_arch(asked, &cpu))
        return error_report(reterr, FROM_CPU, ERROR_NO_SUPPORT,
                            "what CPUs of %s have in common is not known on this host", cpu.arch);
    if (!cpu.model)
        return error_report(reterr, FROM_CPU, ERROR_INVALID_ARG, "one of the CPUs has no model");
    r = read_set(&cpu, asked, ret, reterr);
    if (r >= 0)
        r = common_vendor(&cpu, is_first, common, reterr);
    if (r >= 0 && is_first && !(common->first = strdup((const char *)cpu.model)))
        r = error_no_memory(reterr);
    if (r >= 0)
        common->one_model = is_first ||
                            (common->one_model && streq(common->first, (const char *)cpu.model));
    return r;
}

static int common_of(const Asked *asked, char *const *xml, size_t n, bool of_hosts, Common *ret,
                     Error **reterr) {
    for (size_t i = 0; i < n; i++) {
        CLEANUP_JSON json_object *set = NULL, *both = NULL;
        int r = read_one(asked, xml[i], of_hosts, i == 0, ret, &set, reterr);

        if (r < 0)
            return r;
        both = cpu_features_both(set, ret->features ? ret->features : set);
        if (!both)
            return error_no_memory(reterr);
        json_object_put(ret->features);
        ret->features = TAKE_PTR(both);
        fiber_yield();
    }
    return 0;
}

/* Of hosts' CPUs the model is the last word only where all of them have it. */
static int merge(const Asked *asked, char *const *xml, size_t n, bool of_hosts, unsigned flags,
                 char **ret, Error **reterr) {
    CLEANUP(common_done) Common common = {0};
    CLEANUP_JSON json_object *extra = NULL;
    const char *model;
    int r = n > 0 ? common_of(asked, xml, n, of_hosts, &common, reterr)
                  : error_report(reterr, FROM_CPU, ERROR_INVALID_ARG, "no CPUs given");

    if (r < 0)
        return r;
    if (flags & BASELINE_MIGRATABLE)
        cpu_features_remove(common.features, "invtsc");
    model = best_model(asked, common.features, *common.vendor ? common.vendor : NULL, common.first);
    if (!model)
        return error_report(reterr, FROM_CPU, ERROR_OPERATION_FAILED, "CPUs are incompatible");
    extra = flags & BASELINE_EXPAND
                ? cpu_features_both(common.features, common.features)
                : cpu_features_missing(common.features, json_member(asked->models, model));
    return extra
               ? write_cpu(model,
                           !of_hosts || (common.one_model && streq(model, common.first)) ? "forbid"
                                                                                         : "allow",
                           common.all_say_vendor ? common.vendor : NULL, extra, ret, reterr)
               : error_no_memory(reterr);
}

HANDLER(baseline_host) {
    const remote_connect_baseline_cpu_args *args = args_;
    CLEANUP_ASKED Asked asked = {0};
    int r = dispatch_flags(args->flags, BASELINE_EXPAND | BASELINE_MIGRATABLE, call->proc->api,
                           reterr);

    if (r >= 0)
        r = ask(session, NULL, NULL, "qemu", &asked, reterr);
    return r < 0 ? r
                 : merge(&asked, args->xmlCPUs.xmlCPUs_val, args->xmlCPUs.xmlCPUs_len, true,
                         args->flags, &((remote_connect_baseline_cpu_ret *)ret_)->cpu, reterr);
}

HANDLER(baseline_hypervisor) {
    const remote_connect_baseline_hypervisor_cpu_args *args = args_;
    CLEANUP_ASKED Asked asked = {0};
    int r = dispatch_flags(args->flags, BASELINE_EXPAND | BASELINE_MIGRATABLE, call->proc->api,
                           reterr);

    if (r >= 0)
        r = ask(session, dispatch_opt(args->emulator), dispatch_opt(args->arch),
                dispatch_opt(args->virttype), &asked, reterr);
    return r < 0 ? r
                 : merge(&asked, args->xmlCPUs.xmlCPUs_val, args->xmlCPUs.xmlCPUs_len, false,
                         args->flags, &((remote_connect_baseline_hypervisor_cpu_ret *)ret_)->cpu,
                         reterr);
}

const RpcProc cpu_procs[] = {
    {REMOTE_PROC_CONNECT_COMPARE_CPU, "virConnectCompareCPU", RPC_PROC_WRITE | RPC_PROC_HEAVY,
     compare_host, XDR_OF(remote_xml_flags_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_BASELINE_CPU, "virConnectBaselineCPU", RPC_PROC_WRITE | RPC_PROC_HEAVY,
     baseline_host, XDR_OF(remote_connect_baseline_cpu_args),
     XDR_OF(remote_connect_baseline_cpu_ret)},
    {REMOTE_PROC_CONNECT_COMPARE_HYPERVISOR_CPU, "virConnectCompareHypervisorCPU",
     RPC_PROC_WRITE | RPC_PROC_HEAVY, compare_hypervisor,
     XDR_OF(remote_connect_compare_hypervisor_cpu_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_BASELINE_HYPERVISOR_CPU, "virConnectBaselineHypervisorCPU",
     RPC_PROC_WRITE | RPC_PROC_HEAVY, baseline_hypervisor,
     XDR_OF(remote_connect_baseline_hypervisor_cpu_args),
     XDR_OF(remote_connect_baseline_hypervisor_cpu_ret)},
};
const size_t cpu_n_procs = ARRAY_SIZE(cpu_procs);
