/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/cpu-models.h"

#include <ctype.h>
#include <stdio.h>

#include "util/json.h"

/* ---- names ---- */

/* The kernel's word, QEMU's, libvirt's; NULL: as the kernel's. QEMU's in the form of sets. */
static const struct {
    const char *kernel, *qemu, *libvirt;
} names[] = {
    {"tsc_deadline_timer", "tsc_deadline", "tsc-deadline"},
    {"nonstop_tsc", "invtsc", "invtsc"},
    {"pclmulqdq", "pclmuldq", "pclmuldq"},
    {"dts", "ds", "ds"},
    {"pni", "sse3", "pni"},
    {"nx", "xd", "nx"},
    {"lm", "i64", "lm"},
    {"sse4_1", NULL, "sse4.1"},
    {"sse4_2", NULL, "sse4.2"},
    {"sha_ni", NULL, "sha-ni"},
    {"arch_capabilities", NULL, "arch-capabilities"},
    {"spec_ctrl", NULL, "spec-ctrl"},
    {"amd_ssbd", NULL, "amd-ssbd"},
    {"amd_stibp", NULL, "amd-stibp"},
    {"virt_ssbd", NULL, "virt-ssbd"},
    {"nrip_save", NULL, "nrip-save"},
    {"avx512_vnni", "avx512vnni", "avx512vnni"},
    {"avx512_bf16", NULL, "avx512-bf16"},
    {"avx512_bitalg", NULL, "avx512bitalg"},
    {"avx512_vpopcntdq", NULL, "avx512-vpopcntdq"},
    {"avx512_4vnniw", NULL, "avx512-4vnniw"},
    {"avx512_4fmaps", NULL, "avx512-4fmaps"},
    {"avx512_vp2intersect", NULL, "avx512-vp2intersect"},
    {"avx512_fp16", NULL, "avx512-fp16"},
    {"avx_vnni", NULL, "avx-vnni"},
};

#define NAME_MAX_ 64u

/* *ret in the form of sets. */
static void set_name(const char *name, char ret[NAME_MAX_]) {
    size_t n = 0;

    for (; *name && n < NAME_MAX_ - 1; name++)
        ret[n++] = *name == '-' || *name == '.' ? '_' : *name;
    ret[n] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq_ptr(names[i].qemu, ret)) {
            snprintf(ret, NAME_MAX_, "%s", names[i].kernel);
            return;
        }
}

const char *cpu_feature_name(const char *feature) {
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(names[i].kernel, feature))
            return names[i].libvirt;
    return feature;
}

/* ---- vendors ---- */

const char *cpu_model_vendor(const char *model) {
    static const struct {
        const char *prefix, *vendor;
    } vendors[] = {{"EPYC", "AMD"},
                   {"Opteron", "AMD"},
                   {"athlon", "AMD"},
                   {"phenom", "AMD"},
                   {"Dhyana", "Hygon"},
                   {"Broadwell", "Intel"},
                   {"Cascadelake", "Intel"},
                   {"Conroe", "Intel"},
                   {"Cooperlake", "Intel"},
                   {"Denverton", "Intel"},
                   {"GraniteRapids", "Intel"},
                   {"Haswell", "Intel"},
                   {"Icelake", "Intel"},
                   {"IvyBridge", "Intel"},
                   {"KnightsMill", "Intel"},
                   {"Nehalem", "Intel"},
                   {"Penryn", "Intel"},
                   {"SandyBridge", "Intel"},
                   {"SapphireRapids", "Intel"},
                   {"SierraForest", "Intel"},
                   {"Skylake", "Intel"},
                   {"Snowridge", "Intel"},
                   {"Westmere", "Intel"},
                   {"core2duo", "Intel"},
                   {"coreduo", "Intel"},
                   {"n270", "Intel"}};

    for (size_t i = 0; i < ARRAY_SIZE(vendors); i++)
        if (strncmp(model, vendors[i].prefix, strlen(vendors[i].prefix)) == 0)
            return vendors[i].vendor;
    return "unknown";
}

const char *cpu_vendor_name(const char *cpuid) {
    static const struct {
        const char *cpuid, *name;
    } rows[] = {{"GenuineIntel", "Intel"}, {"AuthenticAMD", "AMD"}, {"HygonGenuine", "Hygon"}};

    for (size_t i = 0; cpuid && i < ARRAY_SIZE(rows); i++)
        if (streq(rows[i].cpuid, cpuid))
            return rows[i].name;
    return NULL;
}

bool cpu_is_vendor(const char *name) {
    return streq(name, "Intel") || streq(name, "AMD") || streq(name, "Hygon");
}

/* ---- sets ---- */

int cpu_features_add(json_object *set, const char *name) {
    char text[NAME_MAX_];

    set_name(name, text);
    return json_add_bool(set, text, true);
}

void cpu_features_remove(json_object *set, const char *name) {
    char text[NAME_MAX_];

    set_name(name, text);
    json_object_object_del(set, text);
}

size_t cpu_features_count(json_object *set) {
    return (size_t)json_object_object_length(set);
}

/* Those of `set` that `other` has, or has not. */
static json_object *pick(json_object *set, json_object *other, bool has) {
    CLEANUP_JSON json_object *picked = json_object_new_object();

    json_object_object_foreach(set, name, value) {
        (void)value;
        if (picked && json_object_object_get_ex(other, name, NULL) == has &&
            json_add_bool(picked, name, true) < 0)
            return NULL;
    }
    return TAKE_PTR(picked);
}

json_object *cpu_features_missing(json_object *set, json_object *other) {
    return pick(set, other, false);
}

json_object *cpu_features_both(json_object *set, json_object *other) {
    return pick(set, other, true);
}

/* ---- QEMU's words ---- */

/* What is of the hypervisor and not of a CPU. */
static bool is_feature(const char *name) {
    return strncmp(name, "kvm", 3) != 0 && strncmp(name, "hv-", 3) != 0 &&
           strncmp(name, "vmx-", 4) != 0;
}

/* `all`: also those that it names and has not. */
static int add(json_object *set, json_object *properties, bool all) {
    json_object_object_foreach(properties, name, value) {
        if (json_object_is_type(value, json_type_boolean) &&
            (all || json_object_get_boolean(value)) && is_feature(name) &&
            cpu_features_add(set, name) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* "static" names only what CPUID has; "full" has also what QEMU does about it. `known` and
 * *ret_vendor: NULL, or get all that it names, and whose CPU it is. */
static int expand(Monitor *monitor, uint64_t deadline, const char *model, json_object *set,
                  json_object *known, const char **ret_vendor, Error **reterr) {
    json_object *arguments = json_object_new_object(), *named = json_object_new_object();
    CLEANUP_JSON json_object *answer = NULL;
    json_object *properties;
    int r = arguments && named ? json_add_string(named, "name", model) : -ENOMEM;

    if (r >= 0)
        r = json_add_string(arguments, "type", "static");
    if (r >= 0)
        r = json_add(arguments, "model", TAKE_PTR(named));
    if (r < 0) {
        json_object_put(named);
        json_object_put(arguments);
        return error_no_memory(reterr);
    }
    r = monitor_run(monitor, "query-cpu-model-expansion", arguments, deadline, &answer, reterr);
    if (r < 0)
        return r;
    properties = json_member(json_member(answer, "model"), "props");
    if (!json_object_is_type(properties, json_type_object))
        return 0;
    if (ret_vendor)
        *ret_vendor = cpu_vendor_name(json_member_string(properties, "vendor"));
    r = add(set, properties, false);
    if (r >= 0 && known)
        r = add(known, properties, true);
    return r < 0 ? error_no_memory(reterr) : 0;
}

static bool has_version(const char *name) {
    const char *at = strrchr(name, '-');

    return at && at[1] == 'v' && isdigit((unsigned char)at[2]);
}

static int ask_model(Monitor *monitor, uint64_t deadline, json_object *row, json_object *all,
                     Error **reterr) {
    const char *name = json_member_string(row, "name");
    json_object *missing = json_member(row, "unavailable-features"), *set;
    int r = 0;

    if (!name || has_version(name) || streq(name, "host") || streq(name, "max") ||
        streq(name, "base"))
        return 0;
    set = json_object_new_object();
    if (!set || json_add(all, name, set) < 0)
        return error_no_memory(reterr);
    r = expand(monitor, deadline, name, set, NULL, NULL, reterr);
    for (size_t i = 0; r >= 0 && i < json_length(missing); i++) {
        json_object *feature = json_object_array_get_idx(missing, i);

        if (json_object_is_type(feature, json_type_string) &&
            cpu_features_add(set, json_object_get_string(feature)) < 0)
            r = error_no_memory(reterr);
    }
    return r;
}

typedef struct Asking {
    json_object *all, *known;
    const char **vendor;
} Asking;

static int ask(Monitor *monitor, uint64_t deadline, void *userdata, Error **reterr) {
    const Asking *asking = userdata;
    json_object *all = asking->all, *most = json_object_new_object();
    CLEANUP_JSON json_object *list = NULL;
    int r;

    if (!most || json_add(all, "", most) < 0)
        return error_no_memory(reterr);
    r = expand(monitor, deadline, "max", most, asking->known, asking->vendor, reterr);
    if (r >= 0)
        r = monitor_run(monitor, "query-cpu-definitions", NULL, deadline, &list, reterr);
    for (size_t i = 0; r >= 0 && i < json_length(list); i++)
        r = ask_model(monitor, deadline, json_object_array_get_idx(list, i), all, reterr);
    return r;
}

int cpu_models_ask(QemuCapsCache *cache, const char *binary, const char *accel, json_object **ret,
                   json_object **ret_known, const char **ret_vendor, Error **reterr) {
    CLEANUP_JSON json_object *all = json_object_new_object(), *known = json_object_new_object();
    int r = all && known ? qemu_caps_talk(cache, binary, accel, ask,
                                          &(Asking){all, known, ret_vendor}, reterr)
                         : error_no_memory(reterr);

    if (r < 0)
        return r;
    *ret = TAKE_PTR(all);
    *ret_known = TAKE_PTR(known);
    return 0;
}
