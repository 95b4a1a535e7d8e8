/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <memballoon>. */
#pragma once

#include "conf/device-info.h"

typedef enum MemballoonModel {
    MEMBALLOON_VIRTIO,
    MEMBALLOON_NONE,
    MEMBALLOON_XEN,
    MEMBALLOON_TRANSITIONAL,
    MEMBALLOON_NON_TRANSITIONAL,
    MEMBALLOON_MODEL_MAX_
} MemballoonModel;

typedef struct MemballoonDef {
    MemballoonModel model;
    Tristate autodeflate, free_page_reporting;
    unsigned stats_period;
    VirtioOptions virtio;
    DeviceInfo info;
} MemballoonDef;

extern const Element memballoon_element;

/* NULL: no. */
static inline bool memballoon_is_there(const MemballoonDef *balloon) {
    return balloon && balloon->model != MEMBALLOON_NONE;
}
