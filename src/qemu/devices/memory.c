/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <memory> among the devices: modules of memory, each with a backend of its own. */
#include "qemu/devices/device.h"

static bool is_file(const MemoryDef *memory) {
    return memory->model == MEMORY_NVDIMM || memory->model == MEMORY_VIRTIO_PMEM;
}

static void build_backend(const MemoryDef *memory, DeviceSteps *steps) {
    bool shared = streq_ptr(memory->access, "shared");
    Props props = props_new();

    props_text(&props, "qom-type",
               is_file(memory)     ? "memory-backend-file"
               : memory->page_size ? "memory-backend-memfd"
                                   : "memory-backend-ram");
    props_textf(&props, "id", "mem%s", memory->info.alias);
    if (is_file(memory)) {
        props_text(&props, "mem-path", memory->path);
        if (memory->align)
            props_uint(&props, "align", memory->align * 1024);
        if (memory->pmem)
            props_bool(&props, "pmem", true);
    } else if (memory->page_size) {
        props_bool(&props, "hugetlb", true);
        props_uint(&props, "hugetlbsize", memory->page_size * 1024);
    }
    if (memory->access || is_file(memory))
        props_bool(&props, "share", shared);
    if (memory->model == MEMORY_VIRTIO_MEM)
        props_bool(&props, "reserve", false);
    props_uint(&props, "size", memory->size * 1024);
    if (memory->nodes) {
        json_object *list = json_object_new_array();

        for (int node = bitmap_next(memory->nodes, 0); node >= 0;
             node = bitmap_next(memory->nodes, (unsigned)node + 1))
            props.failed |= !list || json_append(list, json_object_new_int(node)) < 0;
        props_add(&props, "host-nodes", list);
        props_text(&props, "policy", "bind");
    }
    steps_props(steps, STEP_OBJECT, &props);
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const MemoryDef *memory = device;
    Props props;

    if (memory->model == MEMORY_SGX_EPC || memory->model == MEMORY_NONE_)
        return device_refuse(context, reterr, "a <memory> of this model cannot be had");
    if (is_file(memory) && !memory->path)
        return device_refuse(context, reterr, "a <memory> of this model needs a path");
    build_backend(memory, steps);
    props = memory->model == MEMORY_VIRTIO_MEM
                ? device_virtio(context, "mem", NULL, NULL, &memory->info)
            : memory->model == MEMORY_VIRTIO_PMEM
                ? device_virtio(context, "pmem", NULL, NULL, &memory->info)
                : device_props(context, memory->model == MEMORY_NVDIMM ? "nvdimm" : "pc-dimm",
                               &memory->info);
    if (memory->has_node && memory->model != MEMORY_VIRTIO_PMEM)
        props_uint(&props, "node", memory->node);
    if (memory->label_size)
        props_uint(&props, "label-size", memory->label_size * 1024);
    if (memory->readonly)
        props_bool(&props, "unarmed", true);
    if (memory->model == MEMORY_VIRTIO_MEM) {
        if (memory->block)
            props_uint(&props, "block-size", memory->block * 1024);
        props_uint(&props, "requested-size", memory->requested * 1024);
        if (memory->has_base)
            props_uint(&props, "memaddr", memory->base);
    }
    props_textf(&props, "memdev", "mem%s", memory->info.alias);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind memory_kind = {DEVICE_KIND_LIST("memory", memories, n_memories, MemoryDef),
                                .build = build};
