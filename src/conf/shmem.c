/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/shmem.h"

static const Words roles = WORDS("master", "peer");
static const Words models = WORDS("ivshmem", "ivshmem-plain", "ivshmem-doorbell");
static const Field server_fields[] = {FIELD_TEXT("@path", ShmemDef, server), FIELD_END};
static const Field msi_fields[] = {FIELD_UINT("@vectors", ShmemDef, vectors, 0, UINT32_MAX),
                                   FIELD_ON_OFF("@ioeventfd", ShmemDef, ioeventfd), FIELD_END};
static const Field shmem_fields[] = {
    FIELD_TEXT("@name", ShmemDef, name, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@role", ShmemDef, role, roles),
    FIELD_CHOICE("model@type", ShmemDef, model, models),
    FIELD_SIZE("size", ShmemDef, size, .flags = FIELD_BYTES, .unit = "M"),
    FIELD_GROUP("server", server_fields, FIELD_GIVEN(ShmemDef, has_server)),
    FIELD_GROUP("msi", msi_fields, FIELD_GIVEN(ShmemDef, has_msi)),
    FIELD_INFO(ShmemDef),
    FIELD_END};

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    ShmemDef *shmem = object;

    if (strchr(shmem->name, '/'))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "shmem name '%.80s' must not contain '/' (line %ld)", shmem->name,
                            xmlGetLineNo(node));
    if (!shmem->model)
        shmem->model = strdup("ivshmem");
    return shmem->model ? 0 : error_no_memory(reader->reterr);
}

const Element shmem_element = {"shmem", sizeof(ShmemDef), shmem_fields, NULL, check};
