/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <input>. The PS/2 mouse and keyboard are the machine's own. */
#include "qemu/devices/device.h"

static int build_virtio(const DeviceContext *context, const InputDef *input, DeviceSteps *steps) {
    static const char *const names[] = {[INPUT_MOUSE] = "mouse",
                                        [INPUT_TABLET] = "tablet",
                                        [INPUT_KEYBOARD] = "keyboard",
                                        [INPUT_PASSTHROUGH] = "input-host",
                                        [INPUT_EVDEV] = "input-host"};
    Props props = device_virtio(context, names[input->type],
                                input->type == INPUT_PASSTHROUGH ? input->model : NULL,
                                &input->virtio, &input->info);

    if (input->type == INPUT_PASSTHROUGH)
        props_text(&props, "evdev", input->source_evdev);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static int build_evdev(const InputDef *input, DeviceSteps *steps) {
    Props props = props_new();

    props_text(&props, "qom-type", "input-linux");
    props_text(&props, "id", input->info.alias);
    props_text(&props, "evdev", input->source_dev);
    props_tristate(&props, "repeat", input->repeat);
    if (streq_ptr(input->grab, "all"))
        props_bool(&props, "grab_all", true);
    props_text(&props, "grab-toggle", input->grab_toggle);
    steps_props(steps, STEP_OBJECT, &props);
    return 0;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    static const char *const usb[] = {
        [INPUT_MOUSE] = "usb-mouse", [INPUT_TABLET] = "usb-tablet", [INPUT_KEYBOARD] = "usb-kbd"};
    const InputDef *input = device;
    Props props;

    if (input->type == INPUT_EVDEV)
        return build_evdev(input, steps);
    switch (input->bus) {
    case INPUT_BUS_VIRTIO:
        return build_virtio(context, input, steps);
    case INPUT_BUS_USB:
        if (input->type >= ARRAY_SIZE(usb))
            break;
        props = device_props(context, usb[input->type], &input->info);
        steps_props(steps, STEP_DEVICE, &props);
        return 0;
    case INPUT_BUS_PS2:
    case INPUT_BUS_NONE_:
        return 0;
    case INPUT_BUS_XEN:
    case INPUT_BUS_PARALLELS:
    case INPUT_BUS_MAX_:
        break;
    }
    return device_refuse(context, reterr, "an <input type='%s' bus='%s'> cannot be had",
                         words_name(&input_types, input->type),
                         words_name(&input_buses, input->bus));
}

const DeviceKind input_kind = {DEVICE_KIND_LIST("input", inputs, n_inputs, InputDef),
                               .build = build};
