/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU command line: pure functions from a definition to an argv, JSON -device where QEMU takes
 * it. No files are opened, nothing is started. */
#pragma once

#include "qemu/argv.h"
#include "qemu/devices/device.h"
#include "qemu/fill.h"

typedef struct QemuCommandParams {
    const DomainDef *def;
    const QemuCaps *caps;
    const char *channel_dir;    /* unix channels without a path are put here */
    const QemuHostParts *parts; /* what the daemon has made for devices; NULL: nothing */
    const char *sandbox;        /* -sandbox's value; NULL: none */
    bool incoming;              /* it waits for migrate-incoming instead of booting */
    int64_t now;                /* seconds since the epoch, for clocks; 0: the present */
} QemuCommandParams;

/* argv, NULL-terminated; each element and the array are the caller's (qemu_argv_free). QEMU always
 * starts with -S: the caller plugs boot-time hotpluggable vCPUs and then sends cont. -smp has the
 * number of online vCPUs that are not hotpluggable as cpus=, the maximum as maxcpus=. -name has
 * guest=NAME,debug-threads=on. Refuses (ERROR_CONFIG_UNSUPPORTED) a maximum beyond the machine's
 * limit, > 255 vCPUs without q35 and extended interrupt mode, counts that are not whole cores where
 * cores are what is plugged, KVM without /dev/kvm. */
int qemu_command_line(const QemuCommandParams *params, char ***ret_argv, Error **reterr);
/* object-add's arguments for an IO thread, as they are also on the command line:
 * {"qom-type":"iothread", "id":"iothreadN",...} (QEMU's qapi/qom.json, IothreadProperties). NULL:
 * out of memory. */
json_object *qemu_iothread_object(const IothreadDef *iothread);
