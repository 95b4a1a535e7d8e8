/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU models compared and merged, by what QEMU says that each has: with the host's CPU, which
 * /proc/cpuinfo tells of, and with what the hypervisor gives a guest. */
#include <libxml/tree.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "conf/xml-document.h"
#include "daemon.h"
#include "qemu/cpu-models.h"
#include "util/file.h"
#include "util/json.h"
#include "util/text.h"
#include "util/worker.h"

enum { COMPARE_INCOMPATIBLE, COMPARE_IDENTICAL, COMPARE_SUPERSET }; /* virCPUCompareResult */
enum { COMPARE_FAIL = 1, COMPARE_VALIDATE = 2 };
enum { BASELINE_EXPAND = 1, BASELINE_MIGRATABLE = 2 };
#define CPU_XML_MAX (64u << 10)
#define FEATURE_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define CPUINFO_MAX (8u << 20)

/* What a call is about; `models` of cpu_models_ask. */
typedef struct Asked {
    char *binary;
    const char *accel;
    json_object *models;
} Asked;

static void asked_done(Asked *asked) {
    free(asked->binary);
    json_object_put(asked->models);
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
    r = qemu_caps_get(cache, ret->binary, &caps, reterr);
    if (r >= 0)
        r = choose_accel(caps, type, &ret->accel, reterr);
    return r < 0 ? r : cpu_models_ask(cache, ret->binary, ret->accel, &ret->models, reterr);
}

/* ---- <cpu> ---- */

static xmlNodePtr child(xmlNodePtr parent, const char *name) {
    for (xmlNodePtr at = parent->children; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && streq((const char *)at->name, name))
            return at;
    return NULL;
}

/* It is written again, as it is. */
static bool is_feature_name(const char *name) {
    return *name && name[strspn(name, FEATURE_CHARS)] == '\0';
}

static int apply_feature(xmlNodePtr node, json_object *set, Error **reterr) {
    xmlChar *name = xmlGetProp(node, (const xmlChar *)"name");
    xmlChar *policy = xmlGetProp(node, (const xmlChar *)"policy");
    const char *how = policy ? (const char *)policy : "require";
    int r = 0;

    if (!name)
        r = error_report(reterr, FROM_CPU, ERROR_XML, "a CPU feature without a name");
    else if (!is_feature_name((const char *)name))
        r = error_report(reterr, FROM_CPU, ERROR_INTERNAL, "Unknown CPU feature %.63s",
                         (const char *)name);
    else if (streq(how, "require") || streq(how, "force"))
        r = cpu_features_add(set, (const char *)name) < 0 ? error_no_memory(reterr) : 0;
    else if (!streq(how, "optional"))
        cpu_features_remove(set, (const char *)name);
    xmlFree(name);
    xmlFree(policy);
    return r;
}

/* What the model has, with the features that the element adds and takes away. */
static int read_set(xmlNodePtr cpu, const Asked *asked, char **ret_model, json_object **ret,
                    Error **reterr) {
    xmlNodePtr node = child(cpu, "model");
    xmlChar *model = node ? xmlNodeGetContent(node) : NULL;
    json_object *base = model ? json_member(asked->models, (const char *)model) : NULL;
    CLEANUP_JSON json_object *set = base ? cpu_features_both(base, base) : NULL;
    int r = 0;

    if (!model)
        r = error_report(reterr, FROM_CPU, ERROR_XML, "Missing CPU model name");
    else if (!base || !*model)
        r = error_report(reterr, FROM_CPU, ERROR_INTERNAL, "Unknown CPU model %.200s", model);
    else if (!set)
        r = error_no_memory(reterr);
    for (node = cpu->children; r >= 0 && node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && streq((const char *)node->name, "feature"))
            r = apply_feature(node, set, reterr);
    if (r >= 0 && ret_model && !(*ret_model = strdup((const char *)model)))
        r = error_no_memory(reterr);
    xmlFree(model);
    if (r >= 0)
        *ret = TAKE_PTR(set);
    return r;
}

static int read_cpu(const char *xml, const Asked *asked, char **ret_model, json_object **ret,
                    Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    int r = xml_document_parse(xml, strlen(xml), CPU_XML_MAX, "CPU_definition", &doc, reterr);
    xmlNodePtr root = r < 0 ? NULL : xmlDocGetRootElement(doc);

    if (r >= 0 && !streq((const char *)root->name, "cpu"))
        r = error_report(reterr, FROM_CPU, ERROR_XML,
                         "XML does not contain expected 'cpu' element");
    return r < 0 ? r : read_set(root, asked, ret_model, ret, reterr);
}

/* ---- the host's CPU ---- */

static int run_read_cpuinfo(void *arg) {
    return file_read("/proc/cpuinfo", CPUINFO_MAX, arg, NULL);
}

static int host_set(json_object **ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_JSON json_object *set = json_object_new_object();
    char *flags, *end, *save = NULL;
    int r = worker_run(run_read_cpuinfo, &text);

    if (r < 0)
        return error_system(reterr, FROM_CPU, r, "cannot read what the host's CPU has");
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

HANDLER(compare_host) {
    const remote_xml_flags_args *args = args_;
    CLEANUP_ASKED Asked asked = {0};
    CLEANUP_JSON json_object *wanted = NULL, *given = NULL;
    int r = dispatch_flags(args->flags, COMPARE_FAIL | COMPARE_VALIDATE, call->proc->api, reterr);

    if (r >= 0)
        r = ask(session, NULL, NULL, "qemu", &asked, reterr);
    if (r >= 0)
        r = read_cpu(args->xml, &asked, NULL, &wanted, reterr);
    if (r >= 0)
        r = host_set(&given, reterr);
    return r < 0 ? r
                 : compare(wanted, given, args->flags, &((remote_int_ret *)ret_)->value, reterr);
}

HANDLER(compare_hypervisor) {
    const remote_connect_compare_hypervisor_cpu_args *args = args_;
    CLEANUP_ASKED Asked asked = {0};
    CLEANUP_JSON json_object *wanted = NULL;
    int r = dispatch_flags(args->flags, COMPARE_FAIL | COMPARE_VALIDATE, call->proc->api, reterr);

    if (r >= 0)
        r = ask(session, dispatch_opt(args->emulator), dispatch_opt(args->arch),
                dispatch_opt(args->virttype), &asked, reterr);
    if (r >= 0)
        r = read_cpu(args->xmlCPU, &asked, NULL, &wanted, reterr);
    return r < 0 ? r
                 : compare(wanted, json_member(asked.models, ""), args->flags,
                           &((remote_int_ret *)ret_)->value, reterr);
}

/* ---- baseline ---- */

/* The model that has most of `common` and nothing else; of equals `preferred`. */
static const char *best_model(const Asked *asked, json_object *common, const char *preferred) {
    const char *best = NULL;
    size_t best_n = 0;

    json_object_object_foreach(asked->models, name, set) {
        CLEANUP_JSON json_object *more = cpu_features_missing(set, common);
        const size_t n = cpu_features_count(set);

        if (*name && more && cpu_features_count(more) == 0 &&
            (!best || n > best_n || (n == best_n && streq(name, preferred)))) {
            best = name;
            best_n = n;
        }
    }
    return best;
}

static int write_cpu(const char *model, const char *fallback, json_object *features, char **ret,
                     Error **reterr) {
    FILE *f = text_open(ret);

    if (!f)
        return error_no_memory(reterr);
    fprintf(f, "<cpu mode='custom' match='exact'>\n  <model fallback='%s'>%s</model>\n", fallback,
            model);
    json_object_object_foreach(features, name, value) {
        (void)value;
        fprintf(f, "  <feature policy='require' name='%s'/>\n", cpu_feature_name(name));
    }
    fputs("</cpu>\n", f);
    return fclose(f) == 0 ? 0 : error_no_memory(reterr);
}

/* What all of the CPUs have; *ret_model is the first one's. */
static int common_of(const Asked *asked, char *const *xml, size_t n, char **ret_model,
                     json_object **ret, Error **reterr) {
    CLEANUP_JSON json_object *common = NULL;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < n; i++) {
        CLEANUP_JSON json_object *set = NULL, *both = NULL;

        r = read_cpu(xml[i], asked, i == 0 ? ret_model : NULL, &set, reterr);
        if (r < 0)
            break;
        both = cpu_features_both(set, common ? common : set);
        if (!both)
            return error_no_memory(reterr);
        json_object_put(common);
        common = TAKE_PTR(both);
        fiber_yield();
    }
    if (r >= 0)
        *ret = TAKE_PTR(common);
    return r;
}

static int merge(const Asked *asked, char *const *xml, size_t n, unsigned flags,
                 const char *fallback, char **ret, Error **reterr) {
    CLEANUP_JSON json_object *common = NULL, *extra = NULL;
    CLEANUP_FREE char *first = NULL;
    const char *model;
    int r = n > 0 ? common_of(asked, xml, n, &first, &common, reterr)
                  : error_report(reterr, FROM_CPU, ERROR_INVALID_ARG, "no CPUs given");

    if (r < 0)
        return r;
    if (flags & BASELINE_MIGRATABLE)
        cpu_features_remove(common, "invtsc");
    model = best_model(asked, common, first);
    if (!model)
        return error_report(reterr, FROM_CPU, ERROR_OPERATION_FAILED, "CPUs are incompatible");
    extra = flags & BASELINE_EXPAND
                ? cpu_features_both(common, common)
                : cpu_features_missing(common, json_member(asked->models, model));
    return extra ? write_cpu(model, fallback, extra, ret, reterr) : error_no_memory(reterr);
}

HANDLER(baseline_host) {
    const remote_connect_baseline_cpu_args *args = args_;
    CLEANUP_ASKED Asked asked = {0};
    int r = dispatch_flags(args->flags, BASELINE_EXPAND | BASELINE_MIGRATABLE, call->proc->api,
                           reterr);

    if (r >= 0)
        r = ask(session, NULL, NULL, "qemu", &asked, reterr);
    return r < 0 ? r
                 : merge(&asked, args->xmlCPUs.xmlCPUs_val, args->xmlCPUs.xmlCPUs_len, args->flags,
                         args->xmlCPUs.xmlCPUs_len > 1 ? "allow" : "forbid",
                         &((remote_connect_baseline_cpu_ret *)ret_)->cpu, reterr);
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
                 : merge(&asked, args->xmlCPUs.xmlCPUs_val, args->xmlCPUs.xmlCPUs_len, args->flags,
                         "forbid", &((remote_connect_baseline_hypervisor_cpu_ret *)ret_)->cpu,
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
