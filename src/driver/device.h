/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that come and go: what a client asks for, in the definition and in a running QEMU. */
#pragma once

#include "domain/domain.h"

typedef enum DeviceVerb { DEVICE_VERB_ATTACH, DEVICE_VERB_DETACH, DEVICE_VERB_UPDATE } DeviceVerb;

typedef struct DeviceRequest {
    DeviceVerb verb;
    const char *xml;   /* or, to detach: */
    const char *alias; /* of the device; the other is NULL */
    unsigned flags;    /* AFFECT_* */
} DeviceRequest;

/* Done or not done. A detach that the guest does not answer in time is a success whose device is
 * still in the XML; the guest's late answer takes it out, and an event tells of it. Takes the job.
 */
int driver_change_device(Domain *domain, const DeviceRequest *request, Error **reterr);

/* An event of QEMU's; true: it was about such a device. On the loop. */
bool device_event(Domain *domain, const char *name, json_object *data);
/* What has gone from QEMU while nobody looked: after a reconnect. Job held; does nothing when QEMU
 * does not say. */
void device_reconcile(Domain *domain);
