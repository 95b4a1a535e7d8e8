/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/domain-memory.h"

static const Words sources = WORDS("file", "anonymous", "memfd");
static const Words accesses = WORDS("shared", "private");
static const Words allocations = WORDS("immediate", "ondemand");

static const Field page_fields[] = {FIELD_SIZE("@size", HugepageDef, size, .flags = FIELD_REQUIRED),
                                    FIELD_BITMAP("@nodeset", HugepageDef, nodes), FIELD_END};
static const Element page_element = {"page", sizeof(HugepageDef), page_fields, NULL, NULL};
static const Field hugepages_fields[] = {
    FIELD_LIST("page", MemoryBackingDef, pages, n_pages, page_element, .limit = 1024), FIELD_END};
static const Field allocation_fields[] = {
    FIELD_CHOICE("@mode", MemoryBackingDef, allocation, allocations),
    FIELD_UINT("@threads", MemoryBackingDef, allocation_threads, 1, UINT32_MAX), FIELD_END};
const Field memory_backing_fields[] = {
    FIELD_GROUP("hugepages", hugepages_fields, FIELD_GIVEN(MemoryBackingDef, has_hugepages)),
    FIELD_PRESENT("nosharepages", MemoryBackingDef, nosharepages),
    FIELD_PRESENT("locked", MemoryBackingDef, locked),
    FIELD_CHOICE("source@type", MemoryBackingDef, source, sources),
    FIELD_CHOICE("access@mode", MemoryBackingDef, access, accesses),
    FIELD_GROUP("allocation", allocation_fields),
    FIELD_PRESENT("discard", MemoryBackingDef, discard, .flags = FIELD_NOT_ACTED),
    FIELD_END};

/* As much as libvirt's word for no limit is none. */
static int drop_unlimited(ElementReader *reader, xmlNodePtr node, void *object) {
    MemtuneDef *tune = object;

    tune->has_hard &= tune->hard < MEMTUNE_UNLIMITED;
    tune->has_soft &= tune->soft < MEMTUNE_UNLIMITED;
    tune->has_swap &= tune->swap < MEMTUNE_UNLIMITED;
    return 0;
}

const Field memtune_fields[] = {
    FIELD_SIZE("hard_limit", MemtuneDef, hard, FIELD_GIVEN(MemtuneDef, has_hard)),
    FIELD_SIZE("soft_limit", MemtuneDef, soft, FIELD_GIVEN(MemtuneDef, has_soft)),
    FIELD_SIZE("min_guarantee", MemtuneDef, min_guarantee, .flags = FIELD_NOT_DEFINED),
    FIELD_SIZE("swap_hard_limit", MemtuneDef, swap, FIELD_GIVEN(MemtuneDef, has_swap)),
    FIELD_CODE(NULL, drop_unlimited, NULL),
    FIELD_END};

static const Field device_fields[] = {
    FIELD_TEXT("path", BlkioDevice, path, .flags = FIELD_REQUIRED),
    FIELD_UINT("weight", BlkioDevice, weight, 0, UINT32_MAX),
    FIELD_UINT("read_iops_sec", BlkioDevice, read_iops_sec, 0, UINT32_MAX),
    FIELD_UINT("write_iops_sec", BlkioDevice, write_iops_sec, 0, UINT32_MAX),
    FIELD_UINT("read_bytes_sec", BlkioDevice, read_bytes_sec, 0, INT64_MAX),
    FIELD_UINT("write_bytes_sec", BlkioDevice, write_bytes_sec, 0, INT64_MAX),
    FIELD_END};
static const Element device_element = {"device", sizeof(BlkioDevice), device_fields, NULL, NULL};
const Field blkiotune_fields[] = {
    FIELD_UINT("weight", BlkiotuneDef, weight, 0, UINT32_MAX),
    FIELD_LIST("device", BlkiotuneDef, devices, n_devices, device_element), FIELD_END};
