/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <rng>. */
#include "qemu/devices/device.h"

#include <stdio.h>

static int build_backend(const DeviceContext *context, const RngDef *rng, DeviceSteps *steps,
                         Error **reterr) {
    Props props;
    char id[96];
    int r = 0;

    if (rng->backend_model == RNG_EGD)
        r = device_chardev(context, &rng->egd, rng->info.alias, id, steps, reterr);
    if (r < 0)
        return r;
    props = props_new();
    props_text(&props, "qom-type",
               rng->backend_model == RNG_EGD       ? "rng-egd"
               : rng->backend_model == RNG_BUILTIN ? "rng-builtin"
                                                   : "rng-random");
    props_textf(&props, "id", "obj%s", rng->info.alias);
    if (rng->backend_model == RNG_EGD)
        props_text(&props, "chardev", id);
    if (rng->backend_model == RNG_RANDOM)
        props_text(&props, "filename",
                   rng->backend && *rng->backend ? rng->backend : "/dev/urandom");
    steps_props(steps, STEP_OBJECT, &props);
    return 0;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const RngDef *rng = device;
    Props props;
    int r = build_backend(context, rng, steps, reterr);

    if (r < 0)
        return r;
    props = device_virtio(context, "rng", rng->model, &rng->virtio, &rng->info);
    props_textf(&props, "rng", "obj%s", rng->info.alias);
    if (rng->rate_bytes) {
        props_uint(&props, "max-bytes", rng->rate_bytes);
        props_uint(&props, "period", rng->rate_period_ms ? rng->rate_period_ms : 1000);
    }
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind rng_kind = {DEVICE_KIND_LIST("rng", rngs, n_rngs, RngDef), .build = build};
