/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <qemu:commandline>, <qemu:capabilities>, <qemu:override>: what a person gives QEMU past us. */
#pragma once

#include "conf/element.h"

#define QEMU_NAMESPACE_URI "http://libvirt.org/schemas/domain/qemu/1.0"

typedef struct QemuArg {
    char *value;
} QemuArg;

typedef struct QemuEnv {
    char *name, *value;
} QemuEnv;

typedef struct QemuCapability {
    char *name;
} QemuCapability;

typedef struct QemuProperty {
    char *name, *type, *value; /* type: string, signed, unsigned, bool, remove */
} QemuProperty;

typedef struct QemuOverride {
    char *alias;
    QemuProperty *properties;
    size_t n_properties;
} QemuOverride;

typedef struct QemuNamespaceDef {
    bool has_commandline, has_capabilities, has_override;
    QemuArg *args;
    size_t n_args;
    QemuEnv *envs;
    size_t n_envs;
    QemuCapability *added, *removed;
    size_t n_added, n_removed;
    QemuOverride *overrides;
    size_t n_overrides;
    char *deprecation;
} QemuNamespaceDef;

extern const Field qemu_namespace_fields[];
/* Whether xmlns:qemu is to be declared. */
bool qemu_namespace_is_used(const QemuNamespaceDef *ns);
