/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that are attached, detached, changed. */
#include "daemon.h"
#include "driver/device.h"

DOMAIN_FUNC(attach_device, remote_domain_attach_device_args, void) {
    return driver_change_device(
        domain, &(DeviceRequest){DEVICE_VERB_ATTACH, args->xml, NULL, AFFECT_LIVE}, reterr);
}

DOMAIN_FUNC(detach_device, remote_domain_detach_device_args, void) {
    return driver_change_device(
        domain, &(DeviceRequest){DEVICE_VERB_DETACH, args->xml, NULL, AFFECT_LIVE}, reterr);
}

DOMAIN_FUNC(attach_device_flags, remote_domain_attach_device_flags_args, void) {
    return driver_change_device(
        domain, &(DeviceRequest){DEVICE_VERB_ATTACH, args->xml, NULL, args->flags}, reterr);
}

DOMAIN_FUNC(detach_device_flags, remote_domain_detach_device_flags_args, void) {
    return driver_change_device(
        domain, &(DeviceRequest){DEVICE_VERB_DETACH, args->xml, NULL, args->flags}, reterr);
}

/* VIR_DOMAIN_DEVICE_MODIFY_FORCE opens a locked tray, which is always done. */
#define MODIFY_FORCE 4u

DOMAIN_FUNC(update_device_flags, remote_domain_update_device_flags_args, void) {
    return driver_change_device(
        domain, &(DeviceRequest){DEVICE_VERB_UPDATE, args->xml, NULL, args->flags & ~MODIFY_FORCE},
        reterr);
}

DOMAIN_FUNC(detach_device_alias, remote_domain_detach_device_alias_args, void) {
    return driver_change_device(
        domain, &(DeviceRequest){DEVICE_VERB_DETACH, NULL, args->alias, args->flags}, reterr);
}

const RpcProc device_procs[] = {
    PLAIN_ROW(DOMAIN_ATTACH_DEVICE, "DomainAttachDevice", RPC_PROC_WRITE, attach_device,
              remote_domain_attach_device_args, NO_XDR),
    PLAIN_ROW(DOMAIN_DETACH_DEVICE, "DomainDetachDevice", RPC_PROC_WRITE, detach_device,
              remote_domain_detach_device_args, NO_XDR),
    FLAGS_ROW(DOMAIN_ATTACH_DEVICE_FLAGS, "DomainAttachDeviceFlags", RPC_PROC_WRITE,
              attach_device_flags, AFFECT_LIVE | AFFECT_CONFIG,
              remote_domain_attach_device_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_DETACH_DEVICE_FLAGS, "DomainDetachDeviceFlags", RPC_PROC_WRITE,
              detach_device_flags, AFFECT_LIVE | AFFECT_CONFIG,
              remote_domain_detach_device_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_UPDATE_DEVICE_FLAGS, "DomainUpdateDeviceFlags", RPC_PROC_WRITE,
              update_device_flags, AFFECT_LIVE | AFFECT_CONFIG | MODIFY_FORCE,
              remote_domain_update_device_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_DETACH_DEVICE_ALIAS, "DomainDetachDeviceAlias", RPC_PROC_WRITE,
              detach_device_alias, AFFECT_LIVE | AFFECT_CONFIG,
              remote_domain_detach_device_alias_args, NO_XDR),
};
const size_t device_n_procs = ARRAY_SIZE(device_procs);
