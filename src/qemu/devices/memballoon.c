/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <memballoon>. */
#include "qemu/devices/device.h"

static const Property rows[] = {
    PROP_BOOL("deflate-on-oom", MemballoonDef, autodeflate),
    PROP_BOOL("free-page-reporting", MemballoonDef, free_page_reporting), PROP_END};

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    static const char *const models[] = {[MEMBALLOON_TRANSITIONAL] = "virtio-transitional",
                                         [MEMBALLOON_NON_TRANSITIONAL] = "virtio-non-transitional"};
    const MemballoonDef *balloon = device;
    Props props;

    if (balloon->model == MEMBALLOON_NONE)
        return 0;
    if (balloon->model == MEMBALLOON_XEN)
        return device_refuse(context, reterr, "a <memballoon> of model 'xen' cannot be had");
    props = device_virtio(context, "balloon",
                          balloon->model < ARRAY_SIZE(models) ? models[balloon->model] : NULL,
                          &balloon->virtio, &balloon->info);
    props_rows(&props, rows, balloon);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind memballoon_kind = {DEVICE_KIND_ONE("memballoon", memballoon, MemballoonDef),
                                    .build = build};
