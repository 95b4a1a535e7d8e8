/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the XML and their enums, both ways; shared by parser and formatter. */
#pragma once

#include "conf/domain-def.h"

/* Tables indexed by the enum; enum_from_string returns the index or -EINVAL. */
extern const char *const virt_names[DOMAIN_VIRT_MAX_];
extern const char *const lifecycle_names[LIFECYCLE_ACTION_MAX_];
extern const char *const cpu_mode_names[CPU_MODE_MAX_];
extern const char *const cpu_policy_names[CPU_FEATURE_POLICY_MAX_];
extern const char *const boot_names[BOOT_DEV_MAX_];
extern const char *const clock_names[CLOCK_OFFSET_MAX_];
extern const char *const chardev_names[CHARDEV_TYPE_MAX_];
extern const char *const disk_type_names[DISK_TYPE_MAX_];
extern const char *const disk_device_names[DISK_DEVICE_MAX_];
extern const char *const disk_bus_names[DISK_BUS_MAX_];
extern const char *const disk_format_names[DISK_FORMAT_MAX_];
extern const char *const memballoon_names[MEMBALLOON_MODEL_MAX_];
extern const char *const resctrl_type_names[RESCTRL_TYPE_MAX];
extern const char *const numa_mode_names[NUMA_MODE_MAX_];

int enum_from_string(const char *const *names, size_t n, const char *text);
#define ENUM_FROM_STRING(names, text) enum_from_string(names, ARRAY_SIZE(names), text)
