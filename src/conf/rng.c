/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/rng.h"

static const Words models = WORDS("virtio", "virtio-transitional", "virtio-non-transitional");
static const Words backends = WORDS("random", "egd", "builtin");

static const Field rate_fields[] = {FIELD_UINT("@bytes", RngDef, rate_bytes, 0, INT32_MAX),
                                    FIELD_UINT("@period", RngDef, rate_period_ms, 0, INT32_MAX),
                                    FIELD_END};
static const Field random_fields[] = {FIELD_TEXT(".", RngDef, backend), FIELD_END};
static const Field egd_fields[] = {FIELD_PART(NULL, RngDef, egd, chardev_source_fields), FIELD_END};
static const Field *const kinds[RNG_BACKEND_MAX_] = {
    [RNG_RANDOM] = random_fields, [RNG_EGD] = egd_fields};
static const Field backend_fields[] = {FIELD_WORD("@model", RngDef, backend_model, backends),
                                       FIELD_SWITCH(NULL, RngDef, backend_model, kinds), FIELD_END};
static const Field driver_fields[] = {FIELD_VIRTIO(RngDef), FIELD_END};

static const Field rng_fields[] = {
    FIELD_CHOICE("@model", RngDef, model, models),
    FIELD_GROUP("rate", rate_fields),
    FIELD_GROUP("backend", backend_fields, .flags = FIELD_ALWAYS | FIELD_REQUIRED),
    FIELD_GROUP("driver", driver_fields),
    FIELD_INFO(RngDef),
    FIELD_END};

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    RngDef *rng = object;

    if (!rng->model)
        rng->model = strdup("virtio");
    if (rng->backend_model == RNG_RANDOM && (!rng->backend || !*rng->backend)) {
        free(rng->backend);
        rng->backend = strdup("/dev/random");
        if (!rng->backend)
            return error_no_memory(reader->reterr);
    }
    if (rng->backend_model == RNG_EGD) {
        int r = chardev_check_source(reader, node, &rng->egd);

        if (r < 0)
            return r;
    }
    return rng->model ? 0 : error_no_memory(reader->reterr);
}

const Element rng_element = {"rng", sizeof(RngDef), rng_fields, NULL, check};
