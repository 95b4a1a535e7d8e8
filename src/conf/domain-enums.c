/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the XML. */
#include "conf/domain-enums.h"

const char *const virt_names[DOMAIN_VIRT_MAX_] = {"qemu", "kvm"};
const char *const lifecycle_names[LIFECYCLE_ACTION_MAX_] = {
    "destroy", "restart", "preserve", "rename-restart", "coredump-destroy", "coredump-restart"};
const char *const cpu_mode_names[CPU_MODE_MAX_] = {"", "custom", "host-model", "host-passthrough",
                                                   "maximum"};
const char *const cpu_policy_names[CPU_FEATURE_POLICY_MAX_] = {"force", "require", "optional",
                                                               "disable", "forbid"};
const char *const boot_names[BOOT_DEV_MAX_] = {"hd", "cdrom", "network", "fd"};
const char *const clock_names[CLOCK_OFFSET_MAX_] = {"utc", "localtime"};
const char *const chardev_names[CHARDEV_TYPE_MAX_] = {"pty", "file", "unix", "null"};
const char *const disk_type_names[DISK_TYPE_MAX_] = {"file", "block"};
const char *const disk_device_names[DISK_DEVICE_MAX_] = {"disk", "cdrom"};
const char *const disk_bus_names[DISK_BUS_MAX_] = {"virtio", "ide", "sata", "scsi"};
const char *const disk_format_names[DISK_FORMAT_MAX_] = {"raw", "qcow2"};
const char *const memballoon_names[MEMBALLOON_MODEL_MAX_] = {"virtio", "none"};
const char *const resctrl_type_names[RESCTRL_TYPE_MAX] = {"both", "code", "data"};
const char *const numa_mode_names[NUMA_MODE_MAX_] = {"strict", "preferred", "interleave",
                                                     "restrictive"};

int enum_from_string(const char *const *names, size_t n, const char *text) {
    for (size_t i = 0; i < n; i++)
        if (text && streq(names[i], text))
            return (int)i;
    return -EINVAL;
}
