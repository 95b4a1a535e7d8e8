/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/crypto.h"

static const Words models = WORDS("virtio");
static const Words types = WORDS("qemu");
static const Words backends = WORDS("builtin", "lkcf");
static const Field backend_fields[] = {
    FIELD_CHOICE("@model", CryptoDef, backend, backends, .flags = FIELD_REQUIRED),
    FIELD_UINT("@queues", CryptoDef, queues, 1, UINT32_MAX), FIELD_END};
static const Field driver_fields[] = {FIELD_VIRTIO(CryptoDef), FIELD_END};
static const Field crypto_fields[] = {
    FIELD_CHOICE("@model", CryptoDef, model, models, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@type", CryptoDef, type, types, .flags = FIELD_REQUIRED),
    FIELD_GROUP("backend", backend_fields, .flags = FIELD_REQUIRED),
    FIELD_GROUP("driver", driver_fields),
    FIELD_INFO(CryptoDef),
    FIELD_END};
const Element crypto_element = {"crypto", sizeof(CryptoDef), crypto_fields, NULL, NULL};
