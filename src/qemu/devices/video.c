/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <video>: the first is the console's (a VGA adapter where there is such a form of it). */
#include "qemu/devices/device.h"

static bool is_primary(const DeviceContext *context, const VideoDef *video) {
    return video->primary || video == context->def->videos;
}

static void add_resolution(Props *props, const VideoDef *video) {
    if (!video->x || !video->y)
        return;
    props_uint(props, "xres", video->x);
    props_uint(props, "yres", video->y);
}

static Props build_qxl(const DeviceContext *context, const VideoDef *video) {
    Props props = device_props(context, is_primary(context, video) ? "qxl-vga" : "qxl",
                               &video->info);

    if (video->heads)
        props_uint(&props, "max_outputs", video->heads);
    if (video->ram)
        props_uint(&props, "ram_size", video->ram * 1024);
    if (video->vram)
        props_uint(&props, "vram_size", video->vram * 1024);
    props_uint(&props, "vram64_size_mb", video->vram64 / 1024);
    if (video->vgamem)
        props_uint(&props, "vgamem_mb", video->vgamem / 1024);
    add_resolution(&props, video);
    return props;
}

static Props build_virtio(const DeviceContext *context, const VideoDef *video) {
    bool vga = is_primary(context, video) && device_is_x86(context->def);
    bool gl = video->accel3d == TRISTATE_YES;
    const char *name = vga ? (gl ? "vga-gl" : "vga") : gl ? "gpu-gl" : "gpu";
    DeviceInfo info = video->info;
    Props props = vga ? device_props(context, gl ? "virtio-vga-gl" : "virtio-vga", &info)
                      : device_virtio(context, name, NULL, &video->virtio, &info);

    if (video->heads)
        props_uint(&props, "max_outputs", video->heads);
    props_tristate(&props, "blob", video->blob);
    add_resolution(&props, video);
    return props;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const VideoDef *video = device;
    Props props;

    switch (video->model) {
    case VIDEO_NONE:
        return 0;
    case VIDEO_QXL:
        props = build_qxl(context, video);
        break;
    case VIDEO_VIRTIO:
        props = build_virtio(context, video);
        break;
    case VIDEO_VGA:
        props = device_props(context, "VGA", &video->info);
        break;
    case VIDEO_CIRRUS:
        props = device_props(context, "cirrus-vga", &video->info);
        break;
    case VIDEO_VMVGA:
        props = device_props(context, "vmware-svga", &video->info);
        break;
    case VIDEO_BOCHS:
        props = device_props(context, "bochs-display", &video->info);
        break;
    case VIDEO_RAMFB:
        props = device_props(context, "ramfb", &video->info);
        break;
    default:
        return device_refuse(context, reterr, "a <video> of model '%s' cannot be had",
                             words_name(&video_models, video->model));
    }
    if (video->vram && (video->model == VIDEO_VGA || video->model == VIDEO_VMVGA))
        props_uint(&props, "vgamem_mb", MAX_OF(video->vram / 1024, UINT64_C(1)));
    if (video->vram && video->model == VIDEO_BOCHS)
        props_uint(&props, "vgamem", video->vram * 1024);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind video_kind = {DEVICE_KIND_LIST("video", videos, n_videos, VideoDef),
                               .build = build};
