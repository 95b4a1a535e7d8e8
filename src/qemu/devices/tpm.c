/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <tpm>. An emulated one is a swtpm of the daemon's, reached by a control socket. */
#include "qemu/devices/device.h"

#include <stdio.h>

static int build_backend(const DeviceContext *context, const TpmDef *tpm, DeviceSteps *steps,
                         Error **reterr) {
    const char *socket = context->parts->tpm_sockets
                             ? context->parts->tpm_sockets[tpm - context->def->tpms]
                             : NULL;
    ChardevSource source = {.type = CHARDEV_UNIX, .path = (char *)socket};
    char id[96];
    int r;

    if (tpm->type == TPM_PASSTHROUGH) {
        steps_option(steps, "-tpmdev", "passthrough,id=tpm-%s,path=%s,cancel-path=/dev/null",
                     tpm->info.alias, tpm->device ? tpm->device : "/dev/tpm0");
        return 0;
    }
    if (tpm->type == TPM_EMULATOR && !socket)
        return device_refuse(context, reterr,
                             "an emulated <tpm> cannot be started: the daemon has made no swtpm "
                             "for it");
    r = device_chardev(context, tpm->type == TPM_EXTERNAL ? &tpm->source : &source, tpm->info.alias,
                       id, steps, reterr);
    if (r >= 0)
        steps_option(steps, "-tpmdev", "emulator,id=tpm-%s,chardev=%s", tpm->info.alias, id);
    return r;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const TpmDef *tpm = device;
    const char *model = tpm->model ? tpm->model : "tpm-tis";
    Props props;
    int r;

    if (streq(model, "spapr-tpm-proxy")) { /* a device of the host's and nothing else */
        props = device_props(context, model, &tpm->info);
        props_text(&props, "host-path", tpm->device ? tpm->device : "/dev/tpmrm0");
        steps_props(steps, STEP_DEVICE, &props);
        return 0;
    }
    r = build_backend(context, tpm, steps, reterr);
    if (r < 0)
        return r;
    if (streq(model, "tpm-tis") && !device_is_x86(context->def)) /* that one is on ISA */
        model = "tpm-tis-device";
    props = device_props(context, model, &tpm->info);
    props_textf(&props, "tpmdev", "tpm-%s", tpm->info.alias);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind tpm_kind = {DEVICE_KIND_LIST("tpm", tpms, n_tpms, TpmDef), .build = build};
