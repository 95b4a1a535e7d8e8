/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of kinds of devices, and what is done with all of them: the command line, and the
 * commands that add one to a running QEMU and take it away again. Pure. */
#pragma once

#include "qemu/argv.h"
#include "qemu/devices/device.h"

extern const DeviceKind *const device_kinds[];
extern const size_t n_device_kinds;

/* Generated aliases begin with this: "net", "disk" is by the bus. */
typedef int (*DeviceVisitor)(const DeviceKind *kind, void *device, size_t index, void *userdata);
/* Every device of the definition, in the order of the list; ends at the first negative result. */
int devices_each(DomainDef *def, DeviceVisitor visit, void *userdata);

/* The steps of one device, with what its place takes; as kind->build. */
int device_kind_build(const DeviceContext *context, const DeviceKind *kind, const void *device,
                      DeviceSteps *steps, Error **reterr);

/* The options of all devices, with controllers that are needed and not in the definition. Errors:
 * ERROR_CONFIG_UNSUPPORTED; a failed allocation is remembered in the builder. */
int qemu_add_devices(ArgvBuilder *builder, const DeviceContext *context, Error **reterr);

/* ---- a running QEMU ---- */

/* The command of a step, with a reference on its arguments; NULL when the step is for the start
 * only (STEP_OPTION, STEP_AUDIODEV). */
const char *device_step_command(const DeviceStep *step, json_object **ret_arguments);
/* The command that takes back what the step made; NULL: nothing does, or out of memory. Of a device
 * it asks the guest, whose answer is an event. */
const char *device_step_undo(const DeviceStep *step, json_object **ret_arguments);
/* Whether all steps can be made on a running QEMU: ERROR_OPERATION_UNSUPPORTED names what cannot.
 */
int device_steps_check_live(const DeviceSteps *steps, const char *name, Error **reterr);
