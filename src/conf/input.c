/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/input.h"

const Words input_types = WORDS("mouse", "tablet", "keyboard", "passthrough", "evdev");
const Words input_buses = WORDS("", "ps2", "usb", "xen", "parallels", "virtio");
static const Words models = WORDS("virtio", "virtio-transitional", "virtio-non-transitional");
static const Words grabs = WORDS("all");
static const Words toggles = WORDS("ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock",
                                   "ctrl-scrolllock");

static const Field driver_fields[] = {FIELD_VIRTIO(InputDef), FIELD_END};
static const Field passthrough_fields[] = {
    FIELD_TEXT("source@evdev", InputDef, source_evdev, .flags = FIELD_REQUIRED), FIELD_END};
static const Field evdev_attributes[] = {
    FIELD_TEXT("@dev", InputDef, source_dev, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@grab", InputDef, grab, grabs),
    FIELD_CHOICE("@grabToggle", InputDef, grab_toggle, toggles),
    FIELD_ON_OFF("@repeat", InputDef, repeat), FIELD_END};
static const Field evdev_fields[] = {
    FIELD_GROUP("source", evdev_attributes, .flags = FIELD_REQUIRED), FIELD_END};
static const Field *const sources[INPUT_TYPE_MAX_] = {
    [INPUT_PASSTHROUGH] = passthrough_fields, [INPUT_EVDEV] = evdev_fields};

static const Field input_fields[] = {
    FIELD_WORD("@type", InputDef, type, input_types, .flags = FIELD_REQUIRED),
    FIELD_WORD("@bus", InputDef, bus, input_buses),
    FIELD_CHOICE("@model", InputDef, model, models),
    FIELD_GROUP("driver", driver_fields),
    FIELD_SWITCH(NULL, InputDef, type, sources),
    FIELD_INFO(InputDef),
    FIELD_END};

const Element input_element = {"input", sizeof(InputDef), input_fields, NULL, NULL};
