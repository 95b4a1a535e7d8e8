/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that come and go: what a client asks for, in the definition and in a running QEMU. */
#pragma once

#include "domain/domain.h"
#include "domain/operation.h"

typedef enum DeviceVerb { DEVICE_VERB_ATTACH, DEVICE_VERB_DETACH, DEVICE_VERB_UPDATE } DeviceVerb;

typedef struct DeviceRequest {
    DeviceVerb verb;
    const char *xml;   /* or, to detach: */
    const char *alias; /* of the device; the other is NULL */
    unsigned flags;    /* AFFECT_* */
} DeviceRequest;

/* Done or not done; what runs is changed as an operation. A detach that the guest does not answer
 * in time is a success whose device is still in the XML; the guest's late answer takes it out, and
 * an event tells of it. Takes the job.
 */
int driver_change_device(Domain *domain, const DeviceRequest *request, Error **reterr);

/* An event of QEMU's; true: it was about such a device. On the loop. */
bool device_event(Domain *domain, const char *name, json_object *data);
/* Finishes, or takes back, what was under way with a domain's devices when its QEMU was heard of
 * last, before anybody else changes them; but for detaches, whose guests are waited for. Job held,
 * after a reconnect. What QEMU does not answer once more stays under way. */
void device_operations_finish(Domain *domain);
/* Goes on, in the background, with the others. */
void device_operations_resume(Domain *domain);
/* Asks the guest of a pending detach once more and waits again; timeout 0: the domain's own. */
int device_operation_retry(Domain *domain, Operation *operation, uint64_t timeout_usec,
                           Error **reterr);

/* What has gone from QEMU while nobody looked: after a reconnect. Job held; does nothing when QEMU
 * does not say. */
void device_reconcile(Domain *domain);
