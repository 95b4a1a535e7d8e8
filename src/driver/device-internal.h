/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "driver/device.h"
#include "qemu/devices.h"

/* One device of a definition. */
typedef struct DevicePlace {
    const DeviceKind *kind; /* NULL: none */
    size_t index;
} DevicePlace;

void *device_at(const DomainDef *def, const DevicePlace *place);
/* NULL for kinds without one. */
DeviceInfo *device_info_at(const DomainDef *def, const DevicePlace *place);
/* The only device of a definition that device_parse made; refuses kinds that cannot be changed.
 * ERROR_XML when there is none. */
int device_only(DomainDef *def, DevicePlace *ret, Error **reterr);
/* Moves it to the end of its list in the other definition; `from` has none of its kind then. */
int device_move(DomainDef *to, DomainDef *from, const DevicePlace *place, Error **reterr);
int device_remove(DomainDef *def, const DevicePlace *place, Error **reterr);
/* The device that is meant: by target, MAC address, host device, address, or as the only one of its
 * kind. ERROR_DEVICE_MISSING when there is none. */
int device_find(const DomainDef *def, const DomainDef *one, const DevicePlace *wanted,
                bool mac_given, DevicePlace *ret, Error **reterr);
/* kind NULL: there is none. */
DevicePlace device_by_alias(const DomainDef *def, const char *alias);

/* The live halves; job held. `one` loses its device. */
int device_attach_live(Domain *domain, DomainDef *one, const DevicePlace *place, Error **reterr);
int device_detach_live(Domain *domain, const DevicePlace *place, Error **reterr);
int device_update_live(Domain *domain, DomainDef *one, const DevicePlace *place,
                       const DevicePlace *old, Error **reterr);
