/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/nic-speed.h"

#include <strings.h>

#include "driver/edit.h"
#include "driver/tune.h"

#define ROW(way, part)                                                                             \
    { #way "." #part, offsetof(InterfaceDef, way.part) }
const NicSpeed nic_speeds[NIC_SPEEDS] = {
    ROW(inbound, average),  ROW(inbound, peak),  ROW(inbound, burst),  ROW(inbound, floor),
    ROW(outbound, average), ROW(outbound, peak), ROW(outbound, burst),
};

uint64_t nic_speed(const InterfaceDef *nic, size_t i) {
    return *(const uint64_t *)((const char *)nic + nic_speeds[i].offset);
}

static int find(const DomainDef *def, const char *device, InterfaceDef **ret, Error **reterr) {
    for (size_t i = 0; i < def->n_interfaces; i++) {
        InterfaceDef *nic = &def->interfaces[i];

        if ((nic->mac && strcasecmp(nic->mac, device) == 0) || streq_ptr(nic->target, device)) {
            *ret = nic;
            return 0;
        }
    }
    return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "'%.200s' is not a known interface",
                        device);
}

int driver_find_nic(Domain *domain, const char *device, unsigned flags, const InterfaceDef **ret,
                    Error **reterr) {
    const DomainDef *def = NULL;
    InterfaceDef *found = NULL;
    int r = driver_affected_def(domain, flags, &def, reterr);

    if (r >= 0)
        r = find(def, device, &found, reterr);
    if (r >= 0)
        *ret = found;
    return r;
}

static int change_speed(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const NicSpeedChange *change = arg;
    InterfaceDef *nic = NULL;
    int r = find(def, change->device, &nic, reterr);

    if (r < 0)
        return r;
    if (nic->type == INTERFACE_USER)
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "setting bandwidth on interfaces of type 'user' is not implemented yet");
    if (live)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "nothing limits the speed of interface '%s' of the running domain '%s'",
                            nic->mac, def->name);
    for (size_t i = 0; i < NIC_SPEEDS; i++)
        if (change->given[i])
            *(uint64_t *)((char *)nic + nic_speeds[i].offset) = change->value[i];
    return 0;
}

int driver_set_nic_speed(Domain *domain, const NicSpeedChange *change, unsigned flags,
                         Error **reterr) {
    const DefinitionEdit edit = {
        .what = "domiftune", .flags = flags, .arg = change, .change = change_speed};

    return definition_edit(domain, &edit, reterr);
}
