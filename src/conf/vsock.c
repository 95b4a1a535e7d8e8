/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/vsock.h"

static const Words models = WORDS("virtio", "virtio-transitional", "virtio-non-transitional");
static const Field driver_fields[] = {FIELD_VIRTIO(VsockDef), FIELD_END};
static const Field cid_fields[] = {FIELD_YESNO("@auto", VsockDef, automatic),
                                   FIELD_UINT("@address", VsockDef, cid, 3, UINT32_MAX), FIELD_END};
static const Field vsock_fields[] = {FIELD_CHOICE("@model", VsockDef, model, models),
                                     FIELD_GROUP("cid", cid_fields), FIELD_INFO(VsockDef),
                                     FIELD_GROUP("driver", driver_fields), FIELD_END};

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    VsockDef *vsock = object;

    if (vsock->automatic == TRISTATE_ABSENT)
        vsock->automatic = vsock->cid ? TRISTATE_NO : TRISTATE_YES;
    if (!vsock->model)
        vsock->model = strdup("virtio");
    return vsock->model ? 0 : error_no_memory(reader->reterr);
}

const Element vsock_element = {"vsock", sizeof(VsockDef), vsock_fields, NULL, check};
