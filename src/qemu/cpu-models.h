/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the CPU models of a QEMU have, by its own words, and sets of features.
 *
 * A set is a JSON object {"svm": true, ...}. Names in it have '_' for '-' and '.', as the kernel's
 * /proc/cpuinfo has, and the kernel's word where QEMU and libvirt have others. */
#pragma once

#include <json-c/json.h>

#include "qemu/capabilities.h"

/* Who made the CPUs that a model is named after, in libvirt's words, or "unknown": QEMU has no
 * query for it. */
const char *cpu_model_vendor(const char *model);
/* libvirt's word for whom CPUID names ("GenuineIntel"); NULL: it has none. */
const char *cpu_vendor_name(const char *cpuid);
/* Whether that is such a word. */
bool cpu_is_vendor(const char *name);
/* Adds a feature under its name in sets; -ENOMEM. */
int cpu_features_add(json_object *set, const char *name);
void cpu_features_remove(json_object *set, const char *name);
/* Those of `set` that `other` does not have: a new set; NULL: no memory. */
json_object *cpu_features_missing(json_object *set, json_object *other);
/* What both have. */
json_object *cpu_features_both(json_object *set, json_object *other);
size_t cpu_features_count(json_object *set);
/* libvirt's name of a feature of a set. */
const char *cpu_feature_name(const char *feature);

/* Asks for all models without a version of their own, and for what the accelerator gives at most:
 * {"Nehalem": SET, "": SET of that}. What a model has and the accelerator has not is in its set,
 * too. *ret_known: all features that it has a name for;
 * *ret_vendor: whose CPU the most is, NULL when that is not told. On a fiber; runs QEMU. The caller
 * puts both. */
int cpu_models_ask(QemuCapsCache *cache, const char *binary, const char *accel, json_object **ret,
                   json_object **ret_known, const char **ret_vendor, Error **reterr);
