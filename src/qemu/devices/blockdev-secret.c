/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a disk has that is told to nobody: objects of type secret, each read from a descriptor. */
#include "qemu/devices/blockdev-internal.h"

#include <stdio.h>

void blockdev_luks_secret(const DiskDef *disk, char ret[DISK_SECRET_ID_SIZE]) {
    snprintf(ret, DISK_SECRET_ID_SIZE, "%.70s-luks-secret0", disk->info.alias);
}

void blockdev_auth_secret(const char *storage, char ret[DISK_SECRET_ID_SIZE]) {
    snprintf(ret, DISK_SECRET_ID_SIZE, "%.95s-auth-secret0", storage);
}

void blockdev_cookie_secret(const char *storage, char ret[DISK_SECRET_ID_SIZE]) {
    snprintf(ret, DISK_SECRET_ID_SIZE, "%.95s-httpcookie-secret0", storage);
}

/* Those of one source of the chain. */
static int visit_source(const DiskDef *disk, const StorageSource *source, size_t place,
                        DiskSecretVisitor visit, void *userdata) {
    const StorageAuth *auth = disk_auth(disk, source);
    DiskSecret secret = {.auth = auth};
    char storage[NODE_SIZE];
    int r = 0;

    if (source->type != DISK_NETWORK)
        return 0;
    blockdev_storage_node(disk, source, place, storage);
    if (auth) {
        secret.usage = streq_ptr(source->protocol, "rbd") ? SECRET_USAGE_CEPH : SECRET_USAGE_ISCSI;
        blockdev_auth_secret(storage, secret.id);
        r = visit(&secret, userdata);
    }
    if (r >= 0 && source->n_cookies > 0) {
        secret = (DiskSecret){.cookies = source};
        blockdev_cookie_secret(storage, secret.id);
        r = visit(&secret, userdata);
    }
    return r;
}

int device_each_secret(const DiskDef *disk, DiskSecretVisitor visit, void *userdata) {
    DiskSecret secret = {.encryption = disk_encryption(disk), .usage = SECRET_USAGE_VOLUME};
    size_t place = 0;
    int r = 0;

    if (secret.encryption) {
        blockdev_luks_secret(disk, secret.id);
        r = visit(&secret, userdata);
    }
    if (r >= 0)
        r = visit_source(disk, &disk->source, place, visit, userdata);
    for (const BackingStore *at = disk->backing;
         r >= 0 && at && storage_is_there(&at->source) && !device_node_is_qemus(at->source.node);
         at = at->next)
        r = visit_source(disk, &at->source, ++place, visit, userdata);
    return r;
}

typedef struct Adding {
    const QemuHostParts *parts;
    DeviceSteps *steps;
} Adding;

static int add_object(const DiskSecret *secret, void *userdata) {
    const Adding *adding = userdata;
    Props object = props_new();

    props_text(&object, "qom-type", "secret");
    props_text(&object, "id", secret->id);
    for (size_t i = 0; i < adding->parts->n_secrets; i++)
        if (streq(adding->parts->secrets[i].id, secret->id))
            props_textf(&object, "file", "/proc/self/fd/%d", adding->parts->secrets[i].fd);
    steps_props(adding->steps, STEP_OBJECT, &object);
    return 0;
}

void blockdev_add_secrets(const DeviceContext *context, const DiskDef *disk, DeviceSteps *steps) {
    Adding adding = {.parts = context->parts, .steps = steps};

    device_each_secret(disk, add_object, &adding);
}
