/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <memory>: a module of memory. */
#pragma once

#include "conf/device-info.h"

typedef enum MemoryModel {
    MEMORY_NONE_,
    MEMORY_DIMM,
    MEMORY_NVDIMM,
    MEMORY_VIRTIO_PMEM,
    MEMORY_VIRTIO_MEM,
    MEMORY_SGX_EPC,
    MEMORY_MODEL_MAX_
} MemoryModel;

typedef struct MemoryDef {
    MemoryModel model;
    char *access; /* shared, private */
    Tristate discard;
    char *uuid;
    uint64_t page_size; /* KiB */
    Bitmap *nodes;
    char *path;
    uint64_t align;
    bool pmem;
    uint64_t size, label_size, block, requested, current; /* KiB */
    bool has_requested;
    unsigned node;
    bool has_node;
    bool readonly;
    uint64_t base;
    bool has_base;
    DeviceInfo info;
} MemoryDef;

extern const Element memory_device_element;
