/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/memory-device.h"

static const Words models = WORDS("", "dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc");
static const Words accesses = WORDS("shared", "private");

static const Field source_fields[] = {
    FIELD_TEXT("path", MemoryDef, path),          FIELD_SIZE("alignsize", MemoryDef, align),
    FIELD_PRESENT("pmem", MemoryDef, pmem),       FIELD_BITMAP("nodemask", MemoryDef, nodes),
    FIELD_SIZE("pagesize", MemoryDef, page_size), FIELD_END};
static const Field label_fields[] = {FIELD_SIZE("size", MemoryDef, label_size), FIELD_END};
static const Field target_fields[] = {
    FIELD_SIZE("size", MemoryDef, size, .flags = FIELD_REQUIRED),
    FIELD_UINT("node", MemoryDef, node, 0, 1023, FIELD_GIVEN(MemoryDef, has_node)),
    FIELD_GROUP("label", label_fields),
    FIELD_PRESENT("readonly", MemoryDef, readonly),
    FIELD_SIZE("block", MemoryDef, block),
    FIELD_SIZE("requested", MemoryDef, requested, FIELD_GIVEN(MemoryDef, has_requested)),
    FIELD_SIZE("current", MemoryDef, current, .flags = FIELD_LIVE),
    FIELD_UINT("address@base", MemoryDef, base, 0, UINT64_MAX, .hex = 1, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(MemoryDef, has_base)),
    FIELD_END};

static const Field memory_fields[] = {
    FIELD_WORD("@model", MemoryDef, model, models, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@access", MemoryDef, access, accesses),
    FIELD_YESNO("@discard", MemoryDef, discard),
    FIELD_TEXT("uuid", MemoryDef, uuid),
    FIELD_GROUP("source", source_fields),
    FIELD_GROUP("target", target_fields, .flags = FIELD_REQUIRED),
    FIELD_INFO(MemoryDef),
    FIELD_END};

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    const MemoryDef *memory = object;

    if (!memory->path && (memory->model == MEMORY_NVDIMM || memory->model == MEMORY_VIRTIO_PMEM))
        return element_missing(reader, node, "path of the source");
    if (memory->model == MEMORY_VIRTIO_MEM && !memory->block)
        return element_missing(reader, node, "block size of the target");
    return 0;
}

const Element memory_device_element = {"memory", sizeof(MemoryDef), memory_fields, NULL, check};
