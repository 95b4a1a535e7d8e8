/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU command line: pure functions from a definition to an argv, JSON -device where QEMU takes
 * it. No files are opened, nothing is started. */
#pragma once

#include <json-c/json.h>

#include "qemu/capabilities.h"

typedef struct QemuCommandParams {
    const DomainDef *def;
    const QemuCaps *caps;
    const char *channel_dir; /* unix channels without a path are put here */
} QemuCommandParams;

/* argv, NULL-terminated; each element and the array are the caller's (qemu_argv_free). QEMU always
 * starts with -S: the caller plugs boot-time hotpluggable vCPUs and then sends cont. -smp has the
 * number of online vCPUs that are not hotpluggable as cpus=, the maximum as maxcpus=. -name has
 * guest=NAME,debug-threads=on. Refuses (ERROR_CONFIG_UNSUPPORTED) a maximum beyond the machine's
 * limit, > 255 vCPUs without q35 and extended interrupt mode, counts that are not whole cores where
 * cores are what is plugged, KVM without /dev/kvm. */
int qemu_command_line(const QemuCommandParams *params, char ***ret_argv, Error **reterr);
/* Fills in run-time aliases (serial0, console0, channel0, virtio-disk0, net0, ...), default unix
 * channel paths and the IOMMU that more than 255 vCPUs need; done on the live copy before
 * qemu_command_line. Without that IOMMU libvirt up to 10.9 refuses the definition, and from 10.10
 * on adds it there. Here the definition stays as it is written, and the XML of what runs has it.
 * What the definition switches off stays off, and is an error. */
int qemu_assign_aliases(DomainDef *def, const char *channel_dir);
/* object-add's arguments for an IO thread, as they are also on the command line:
 * {"qom-type":"iothread", "id":"iothreadN",...} (QEMU's qapi/qom.json, IothreadProperties). NULL:
 * out of memory. */
json_object *qemu_iothread_object(const IothreadDef *iothread);
/* One line for the log and domxml-to-native, shell-quoted. Caller frees. */
char *qemu_argv_format(char *const *argv);
void qemu_argv_free(char **argv);
