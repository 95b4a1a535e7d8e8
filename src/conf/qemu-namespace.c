/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/qemu-namespace.h"

static const Words types = WORDS("string", "signed", "unsigned", "bool", "remove");

static const Field arg_fields[] = {
    FIELD_TEXT("@value", QemuArg, value, .flags = FIELD_REQUIRED | FIELD_EMPTY), FIELD_END};
static const Element arg_element = {"qemu:arg", sizeof(QemuArg), arg_fields, NULL, NULL};
static const Field env_fields[] = {FIELD_TEXT("@name", QemuEnv, name, .flags = FIELD_REQUIRED),
                                   FIELD_TEXT("@value", QemuEnv, value, .flags = FIELD_EMPTY),
                                   FIELD_END};
static const Element env_element = {"qemu:env", sizeof(QemuEnv), env_fields, NULL, NULL};
static const Field commandline_fields[] = {
    FIELD_LIST("qemu:arg", QemuNamespaceDef, args, n_args, arg_element),
    FIELD_LIST("qemu:env", QemuNamespaceDef, envs, n_envs, env_element), FIELD_END};

static const Field capability_fields[] = {
    FIELD_TEXT("@capability", QemuCapability, name, .flags = FIELD_REQUIRED), FIELD_END};
static const Element capability_element = {"qemu:add", sizeof(QemuCapability), capability_fields,
                                           NULL, NULL};
static const Field capabilities_fields[] = {
    FIELD_LIST("qemu:add", QemuNamespaceDef, added, n_added, capability_element),
    FIELD_LIST("qemu:del", QemuNamespaceDef, removed, n_removed, capability_element), FIELD_END};

static const Field property_fields[] = {
    FIELD_TEXT("@name", QemuProperty, name, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@type", QemuProperty, type, types, .flags = FIELD_REQUIRED),
    FIELD_TEXT("@value", QemuProperty, value), FIELD_END};
static const Element property_element = {"qemu:property", sizeof(QemuProperty), property_fields,
                                         NULL, NULL};
static const Field frontend_fields[] = {
    FIELD_LIST("qemu:property", QemuOverride, properties, n_properties, property_element),
    FIELD_END};
static const Field device_fields[] = {
    FIELD_TEXT("@alias", QemuOverride, alias, .flags = FIELD_REQUIRED),
    FIELD_GROUP("qemu:frontend", frontend_fields), FIELD_END};
static const Element device_element = {"qemu:device", sizeof(QemuOverride), device_fields, NULL,
                                       NULL};
static const Field override_fields[] = {
    FIELD_LIST("qemu:device", QemuNamespaceDef, overrides, n_overrides, device_element), FIELD_END};

const Field qemu_namespace_fields[] = {
    FIELD_GROUP("qemu:commandline", commandline_fields,
                FIELD_GIVEN(QemuNamespaceDef, has_commandline)),
    FIELD_GROUP("qemu:capabilities", capabilities_fields,
                FIELD_GIVEN(QemuNamespaceDef, has_capabilities), .flags = FIELD_NOT_ACTED),
    FIELD_GROUP("qemu:override", override_fields, FIELD_GIVEN(QemuNamespaceDef, has_override)),
    FIELD_TEXT("qemu:deprecation@behavior", QemuNamespaceDef, deprecation,
               .flags = FIELD_NOT_ACTED),
    FIELD_END};

bool qemu_namespace_is_used(const QemuNamespaceDef *ns) {
    return ns->has_commandline || ns->has_capabilities || ns->has_override || ns->deprecation;
}
