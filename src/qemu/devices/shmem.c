/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <shmem>, <vsock>, <crypto> and <hub>: small devices. */
#include "qemu/devices/device.h"

#include <stdio.h>

/* ---- shmem ---- */

static int build_doorbell(const DeviceContext *context, const ShmemDef *shmem, DeviceSteps *steps,
                          Error **reterr) {
    ChardevSource source = {.type = CHARDEV_UNIX, .path = shmem->server};
    Props props;
    char id[96];
    int r;

    if (!shmem->server)
        return device_refuse(context, reterr, "<shmem name='%s'>: its server needs a path",
                             shmem->name);
    r = device_chardev(context, &source, shmem->info.alias, id, steps, reterr);
    if (r < 0)
        return r;
    props = device_props(context, "ivshmem-doorbell", &shmem->info);
    props_text(&props, "chardev", id);
    if (shmem->vectors)
        props_uint(&props, "vectors", shmem->vectors);
    if (shmem->ioeventfd != TRISTATE_ABSENT)
        props_text(&props, "ioeventfd", shmem->ioeventfd == TRISTATE_YES ? "on" : "off");
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static int build_shmem(const DeviceContext *context, const void *device, DeviceSteps *steps,
                       Error **reterr) {
    const ShmemDef *shmem = device;
    Props props;

    if (streq_ptr(shmem->model, "ivshmem-doorbell"))
        return build_doorbell(context, shmem, steps, reterr);
    if (shmem->model && !streq(shmem->model, "ivshmem-plain"))
        return device_refuse(context, reterr, "a <shmem> of model '%s' cannot be had",
                             shmem->model);
    props = props_new();
    props_text(&props, "qom-type", "memory-backend-file");
    props_textf(&props, "id", "shmmem-%s", shmem->info.alias);
    props_textf(&props, "mem-path", "/dev/shm/%s", shmem->name);
    props_uint(&props, "size", shmem->size ? shmem->size : 4u << 20);
    props_bool(&props, "share", true);
    steps_props(steps, STEP_OBJECT, &props);
    props = device_props(context, "ivshmem-plain", &shmem->info);
    props_textf(&props, "memdev", "shmmem-%s", shmem->info.alias);
    if (shmem->role)
        props_bool(&props, "master", streq(shmem->role, "master"));
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind shmem_kind = {DEVICE_KIND_LIST("shmem", shmems, n_shmems, ShmemDef),
                               .build = build_shmem};

/* ---- vsock ---- */

static int build_vsock(const DeviceContext *context, const void *device, DeviceSteps *steps,
                       Error **reterr) {
    const VsockDef *vsock = device;
    Props props;

    if (vsock->cid < 3)
        return device_refuse(
            context, reterr,
            "<vsock> has no address yet; give it one: <cid address='3'/> or above");
    props = device_virtio(context, "vsock", vsock->model, &vsock->virtio, &vsock->info);
    props_text(&props, "driver",
               device_is_ccw(context->def, &vsock->info)        ? "vhost-vsock-ccw"
               : streq_ptr(vsock->model, "virtio-transitional") ? "vhost-vsock-pci-transitional"
               : streq_ptr(vsock->model, "virtio-non-transitional")
                   ? "vhost-vsock-pci-non-transitional"
                   : "vhost-vsock-pci");
    props_uint(&props, "guest-cid", vsock->cid);
    if (context->parts->vsock_fd > 0)
        props_textf(&props, "vhostfd", "%d", context->parts->vsock_fd);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind vsock_kind = {DEVICE_KIND_ONE("vsock", vsock, VsockDef), .build = build_vsock};

/* ---- crypto ---- */

static int build_crypto(const DeviceContext *context, const void *device, DeviceSteps *steps,
                        Error **reterr) {
    const CryptoDef *crypto = device;
    Props props;

    if (crypto->type && !streq(crypto->type, "qemu"))
        return device_refuse(context, reterr, "<crypto type='%s'> cannot be had", crypto->type);
    props = props_new();
    props_textf(&props, "qom-type", "cryptodev-backend-%s",
                streq_ptr(crypto->backend, "lkcf") ? "lkcf" : "builtin");
    props_textf(&props, "id", "obj%s", crypto->info.alias);
    if (crypto->queues)
        props_uint(&props, "queues", crypto->queues);
    steps_props(steps, STEP_OBJECT, &props);
    props = device_virtio(context, "crypto", crypto->model, &crypto->virtio, &crypto->info);
    props_textf(&props, "cryptodev", "obj%s", crypto->info.alias);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind crypto_kind = {DEVICE_KIND_LIST("crypto", cryptos, n_cryptos, CryptoDef),
                                .build = build_crypto};

/* ---- hub ---- */

static int build_hub(const DeviceContext *context, const void *device, DeviceSteps *steps,
                     Error **reterr) {
    const HubDef *hub = device;
    Props props = device_props(context, "usb-hub", &hub->info);

    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind hub_kind = {DEVICE_KIND_LIST("hub", hubs, n_hubs, HubDef), .build = build_hub};
