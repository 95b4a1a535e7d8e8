/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <input>. */
#pragma once

#include "conf/device-info.h"

typedef enum InputType {
    INPUT_MOUSE,
    INPUT_TABLET,
    INPUT_KEYBOARD,
    INPUT_PASSTHROUGH,
    INPUT_EVDEV,
    INPUT_TYPE_MAX_
} InputType;

typedef enum InputBus {
    INPUT_BUS_NONE_,
    INPUT_BUS_PS2,
    INPUT_BUS_USB,
    INPUT_BUS_XEN,
    INPUT_BUS_PARALLELS,
    INPUT_BUS_VIRTIO,
    INPUT_BUS_MAX_
} InputBus;

typedef struct InputDef {
    InputType type;
    InputBus bus;
    char *model; /* virtio, ... */
    VirtioOptions virtio;
    char *source_dev;   /* evdev */
    char *source_evdev; /* passthrough: the node */
    char *grab, *grab_toggle;
    Tristate repeat;
    DeviceInfo info;
} InputDef;

extern const Words input_types, input_buses;
extern const Element input_element;
