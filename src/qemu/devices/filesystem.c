/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <filesystem>: 9p by QEMU itself, virtiofs by a virtiofsd that the daemon, or somebody else, runs.
 */
#include "qemu/devices/device.h"

#include <stdio.h>

#include "qemu/argv.h"

static int build_virtiofs(const DeviceContext *context, const FilesystemDef *filesystem,
                          DeviceSteps *steps, Error **reterr) {
    const char *socket = filesystem->socket;
    ChardevSource source = {.type = CHARDEV_UNIX};
    Props props;
    char id[96];
    int r;

    if (!socket && context->parts->filesystems)
        socket = context->parts->filesystems[filesystem - context->def->filesystems];
    if (!socket)
        return device_refuse(context, reterr,
                             "a <filesystem> with virtiofs cannot be started: the daemon has made "
                             "no virtiofsd for it");
    source.path = (char *)socket;
    r = device_chardev(context, &source, filesystem->info.alias, id, steps, reterr);
    if (r < 0)
        return r;
    props = device_virtio(context, "fs", NULL, &filesystem->virtio, &filesystem->info);
    props_text(&props, "driver",
               device_is_ccw(context->def, &filesystem->info) ? "vhost-user-fs-ccw"
                                                              : "vhost-user-fs-pci");
    props_text(&props, "chardev", id);
    if (filesystem->queue)
        props_uint(&props, "queue-size", filesystem->queue);
    props_text(&props, "tag", filesystem->target);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static const char *security_model(const FilesystemDef *filesystem) {
    if (streq_ptr(filesystem->accessmode, "mapped"))
        return "mapped";
    return streq_ptr(filesystem->accessmode, "squash") ? "none" : "passthrough";
}

static int build_9p(const DeviceContext *context, const FilesystemDef *filesystem,
                    DeviceSteps *steps, Error **reterr) {
    CLEANUP_FREE char *path = argv_escape(filesystem->source ? filesystem->source : "");
    Props props;

    if (filesystem->type != FILESYSTEM_MOUNT)
        return device_refuse(context, reterr, "only a <filesystem type='mount'> can be started");
    if (!path)
        return error_no_memory(reterr);
    steps_option(steps, "-fsdev", "local,security_model=%s%s%s%s%s%s%s%s,id=fsdev-%s,path=%s%s",
                 security_model(filesystem), filesystem->multidevs ? ",multidevs=" : "",
                 filesystem->multidevs ? filesystem->multidevs : "",
                 filesystem->fmode ? ",fmode=" : "", filesystem->fmode ? filesystem->fmode : "",
                 filesystem->dmode ? ",dmode=" : "", filesystem->dmode ? filesystem->dmode : "",
                 streq_ptr(filesystem->wrpolicy, "immediate") ? ",writeout=immediate" : "",
                 filesystem->info.alias, path, filesystem->readonly ? ",readonly=on" : "");
    props = device_virtio(context, "9p", filesystem->model, &filesystem->virtio, &filesystem->info);
    props_textf(&props, "fsdev", "fsdev-%s", filesystem->info.alias);
    props_text(&props, "mount_tag", filesystem->target);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const FilesystemDef *filesystem = device;

    return streq_ptr(filesystem->driver, "virtiofs")
               ? build_virtiofs(context, filesystem, steps, reterr)
               : build_9p(context, filesystem, steps, reterr);
}

const DeviceKind filesystem_kind = {
    DEVICE_KIND_LIST("filesystem", filesystems, n_filesystems, FilesystemDef), .build = build};
