/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <watchdog> and <panic>: what notices that the guest has died. */
#include "qemu/devices/device.h"

static int build_watchdog(const DeviceContext *context, const void *device, DeviceSteps *steps,
                          Error **reterr) {
    const WatchdogDef *watchdog = device;
    const char *action = watchdog->action ? watchdog->action : "reset";
    Props props = props_new();

    /* A dump is the daemon's: the guest stands still until it is made. */
    props_text(&props, "action", streq(action, "dump") ? "pause" : action);
    steps_props(steps, STEP_WATCHDOG, &props);
    /* The ICH9's own is switched on, not plugged. */
    if (streq(watchdog->model, "itco")) {
        steps_option(steps, "-global", "ICH9-LPC.noreboot=off");
    } else {
        props = device_props(context, watchdog->model, &watchdog->info);
        steps_props(steps, STEP_DEVICE, &props);
    }
    return 0;
}

const DeviceKind watchdog_kind = {DEVICE_KIND_LIST("watchdog", watchdogs, n_watchdogs, WatchdogDef),
                                  .build = build_watchdog};

static int build_panic(const DeviceContext *context, const void *device, DeviceSteps *steps,
                       Error **reterr) {
    const PanicDef *panic = device;
    const char *model = panic->model ? panic->model : device_is_x86(context->def) ? "isa" : "";
    Props props = props_new();

    if (streq(model, "isa")) {
        props_text(&props, "driver", "pvpanic");
        if (panic->info.address.type == ADDRESS_ISA)
            props_uint(&props, "ioport", panic->info.address.iobase);
        steps_props(steps, STEP_DEVICE, &props);
        return 0;
    }
    json_object_put(props_take(&props));
    if (streq(model, "pvpanic")) {
        props = device_props(context, "pvpanic-pci", &panic->info);
        steps_props(steps, STEP_DEVICE, &props);
        return 0;
    }
    if (streq(model, "hyperv") || streq(model, "pseries") || streq(model, "s390"))
        return 0; /* the CPU's or the machine's own */
    return device_refuse(context, reterr, "a <panic> of model '%s' cannot be had", model);
}

const DeviceKind panic_kind = {DEVICE_KIND_LIST("panic", panics, n_panics, PanicDef),
                               .build = build_panic};
