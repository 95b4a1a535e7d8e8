/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/nic-speed.h"

#include <strings.h>

#include "driver/edit.h"
#include "driver/nic-limit.h"
#include "driver/tune.h"

/* Places in the table. */
enum { IN_FLOOR = 3, OUT_AVERAGE = 4 };

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

static uint64_t *number(InterfaceDef *nic, size_t i) {
    return (uint64_t *)((char *)nic + nic_speeds[i].offset);
}

/* What is given of a way replaces all of it, as in libvirt: an average, or a floor, has to be among
 * it, and an average of nothing ends its limit. */
static void change_way(InterfaceDef *nic, const NicSpeedChange *change, size_t first, size_t end) {
    const bool floor = first == 0 && change->given[IN_FLOOR];
    const bool limits = change->value[first] > 0 || (floor && change->value[IN_FLOOR] > 0);

    if (!change->given[first] && !floor)
        return;
    for (size_t i = first; i < end; i++)
        *number(nic, i) = limits && change->given[i] ? change->value[i] : 0;
}

static void take(InterfaceDef *nic, const NicSpeedChange *change) {
    change_way(nic, change, 0, OUT_AVERAGE);
    change_way(nic, change, OUT_AVERAGE, NIC_SPEEDS);
}

static int change_speed(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const NicSpeedChange *change = arg;
    InterfaceDef *nic = NULL;
    int r = find(def, change->device, &nic, reterr);

    if (r < 0)
        return r;
    if (nic->type == INTERFACE_USER || (live && !(nic_has_tap(nic) && nic->target)))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "setting bandwidth on interfaces of type '%s' is not implemented yet",
                            words_name(&interface_types, nic->type));
    take(nic, change);
    return 0;
}

static int limit_speed(Domain *domain, const void *arg, Error **reterr) {
    const NicSpeedChange *change = arg;
    InterfaceDef *nic = NULL, next;
    int r = find(domain->run->live, change->device, &nic, reterr);

    if (r < 0)
        return r;
    next = *nic; /* its texts are borrowed */
    take(&next, change);
    r = nic_limit_change(nic, &next, reterr);
    if (r < 0)
        error_prefix(reterr, "domain '%s'", domain_name(domain));
    return r;
}

int driver_set_nic_speed(Domain *domain, const NicSpeedChange *change, unsigned flags,
                         Error **reterr) {
    const DefinitionEdit edit = {.what = "domiftune",
                                 .flags = flags,
                                 .arg = change,
                                 .change = change_speed,
                                 .act = limit_speed};

    return definition_edit(domain, &edit, reterr);
}
