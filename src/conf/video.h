/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <video>. */
#pragma once

#include "conf/device-info.h"

typedef enum VideoModel {
    VIDEO_DEFAULT,
    VIDEO_VGA,
    VIDEO_CIRRUS,
    VIDEO_VMVGA,
    VIDEO_XEN,
    VIDEO_VBOX,
    VIDEO_QXL,
    VIDEO_PARALLELS,
    VIDEO_VIRTIO,
    VIDEO_GOP,
    VIDEO_NONE,
    VIDEO_BOCHS,
    VIDEO_RAMFB,
    VIDEO_MODEL_MAX_
} VideoModel;

typedef struct VideoDef {
    VideoModel model;
    uint64_t ram, vram, vram64, vgamem; /* KiB */
    unsigned heads;
    Tristate blob;
    bool primary;
    char *vgaconf, *driver_name;
    VirtioOptions virtio;
    Tristate accel2d, accel3d;
    char *rendernode;
    unsigned x, y;
    DeviceInfo info;
} VideoDef;

extern const Words video_models;
extern const Element video_element;
