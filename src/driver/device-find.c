/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices in definitions: which one is meant, in and out of their lists. */
#include "driver/device-internal.h"

/* Of a kind that there is one of at most. */
static void **the_one(const DomainDef *def, const DeviceKind *kind) {
    return (void **)((char *)def + kind->one);
}

static size_t count(const DomainDef *def, const DeviceKind *kind) {
    return kind->array ? *(const size_t *)((const char *)def + kind->count)
                       : *the_one(def, kind) != NULL;
}

void *device_at(const DomainDef *def, const DevicePlace *place) {
    char *items = place->kind->array ? *(char **)((char *)def + place->kind->array)
                                     : *the_one(def, place->kind);

    return items + place->index * place->kind->size;
}

DeviceInfo *device_info_at(const DomainDef *def, const DevicePlace *place) {
    return place->kind->info == DEVICE_WITHOUT_INFO
               ? NULL
               : (DeviceInfo *)((char *)device_at(def, place) + place->kind->info);
}

typedef struct Only {
    const DeviceKind *kind;
    size_t index;
    unsigned n;
} Only;

static int see(const DeviceKind *kind, void *device, size_t index, void *userdata) {
    Only *only = userdata;

    if (kind == &bridge_kind) /* controllers come once more */
        return 0;
    if (!only->kind)
        *only = (Only){.kind = kind, .index = index};
    only->n++;
    return 0;
}

int device_only(DomainDef *def, DevicePlace *ret, Error **reterr) {
    Only only = {0};

    devices_each(def, see, &only);
    if (!only.kind)
        return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "the XML has no device that can be attached or detached");
    *ret = (DevicePlace){only.kind, only.index};
    return 0;
}

/* A module counts as memory of the machine, and is filled unless its balloon is
 * blown up. */
static void count_memory(DomainDef *def, uint64_t size, bool comes) {
    const bool full = def->current_memory_kib >= def->memory_kib;

    def->memory_kib = comes ? def->memory_kib + size
                            : def->memory_kib - MIN_OF(def->memory_kib, size);
    if (full || def->current_memory_kib > def->memory_kib)
        def->current_memory_kib = def->memory_kib;
}

int device_move(DomainDef *to, DomainDef *from, const DevicePlace *place, Error **reterr) {
    const DeviceKind *kind = place->kind;
    void *item = kind->array ? array_append((void *)((char *)to + kind->array),
                                            (size_t *)((char *)to + kind->count), kind->size)
                             : NULL;

    if (!kind->array) {
        assert(!*the_one(to, kind));
        *the_one(to, kind) = TAKE_PTR(*the_one(from, kind));
        return 0;
    }
    if (!item)
        return error_no_memory(reterr);
    memcpy(item, device_at(from, place), kind->size);
    *(size_t *)((char *)from + kind->count) = 0;
    if (kind == &memory_kind)
        count_memory(to, ((const MemoryDef *)item)->size, true);
    return 0;
}

/* What is taken out is freed as the only device of a definition of its own. */
int device_remove(DomainDef *def, const DevicePlace *place, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *rest = calloc(1, sizeof(DomainDef));
    const DeviceKind *kind = place->kind;
    size_t *count = (size_t *)((char *)def + kind->count);
    char *at = device_at(def, place);
    void *item = rest && kind->array
                     ? array_append((void *)((char *)rest + kind->array),
                                    (size_t *)((char *)rest + kind->count), kind->size)
                     : NULL;

    if (rest && !kind->array) {
        *the_one(rest, kind) = TAKE_PTR(*the_one(def, kind));
        return 0;
    }
    if (!item)
        return error_no_memory(reterr);
    memcpy(item, at, kind->size);
    memmove(at, at + kind->size, (*count - place->index - 1) * kind->size);
    --*count;
    if (kind == &memory_kind)
        count_memory(def, ((const MemoryDef *)item)->size, false);
    return 0;
}

typedef struct ByAlias {
    const char *alias;
    DevicePlace place;
} ByAlias;

static int compare_alias(const DeviceKind *kind, void *device, size_t index, void *userdata) {
    ByAlias *by = userdata;
    const DeviceInfo *info = kind->info == DEVICE_WITHOUT_INFO
                                 ? NULL
                                 : (const DeviceInfo *)((char *)device + kind->info);

    if (kind->array && info && streq_ptr(info->alias, by->alias))
        by->place = (DevicePlace){kind, index};
    return 0;
}

DevicePlace device_by_alias(const DomainDef *def, const char *alias) {
    ByAlias by = {.alias = alias};

    devices_each((DomainDef *)def, compare_alias, &by); /* only read */
    return by.place;
}

/* ---- which one is meant ---- */

static bool same_address(const DeviceAddress *a, const DeviceAddress *b) {
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case ADDRESS_PCI:
        return pci_address_equal(&a->pci, &b->pci);
    case ADDRESS_DRIVE:
        return a->controller == b->controller && a->bus == b->bus && a->target == b->target &&
               a->unit == b->unit;
    case ADDRESS_VIRTIO_SERIAL:
        return a->controller == b->controller && a->port == b->port;
    case ADDRESS_USB:
        return a->bus == b->bus && streq_ptr(a->usb_port, b->usb_port);
    case ADDRESS_CCW:
        return a->cssid == b->cssid && a->ssid == b->ssid && a->devno == b->devno;
    case ADDRESS_CCID:
        return a->controller == b->controller && a->slot == b->slot;
    default:
        return true;
    }
}

static bool same_hostdev(const HostdevDef *a, const HostdevDef *b) {
    return a->type == b->type &&
           (!b->has_vendor || (a->vendor == b->vendor && a->product == b->product)) &&
           (!b->has_usb_address || (a->usb_bus == b->usb_bus && a->usb_device == b->usb_device)) &&
           pci_address_equal(&a->pci, &b->pci) && (!b->uuid || streq_ptr(a->uuid, b->uuid)) &&
           (!b->adapter || streq_ptr(a->adapter, b->adapter));
}

/* What the XML does not say may be anything. */
static bool same_if_said(const char *have, const char *want) {
    return !want || streq_ptr(have, want);
}

/* The tty of a pty and the socket of a channel are found by whoever starts it, so that a definition
 * has no path where the machine that runs has one. */
static bool same_source(const ChardevSource *have, const ChardevSource *want) {
    const ChardevEnd *a = have->ends, *b = want->ends;

    return have->type == want->type && (!have->path || same_if_said(have->path, want->path)) &&
           same_if_said(have->channel, want->channel) &&
           (!have->n_ends || !want->n_ends ||
            (same_if_said(a->host, b->host) && same_if_said(a->service, b->service)));
}

/* Port 0 is also what one has that names none. */
static bool same_chardev(const ChardevDef *have, const ChardevDef *want) {
    return have->kind == want->kind && same_source(&have->source, &want->source) &&
           same_if_said(have->target_type, want->target_type) &&
           same_if_said(have->target_name, want->target_name) &&
           same_if_said(have->target_model, want->target_model) &&
           same_if_said(have->target_address, want->target_address) &&
           same_if_said(have->target_port, want->target_port) &&
           (want->port == 0 || have->port == want->port);
}

static bool same_rng(const RngDef *have, const RngDef *want) {
    return same_if_said(have->model, want->model) && have->backend_model == want->backend_model &&
           same_if_said(have->backend, want->backend) &&
           (have->backend_model != RNG_EGD || same_source(&have->egd, &want->egd)) &&
           (!want->rate_bytes || have->rate_bytes == want->rate_bytes);
}

static bool same_memory(const MemoryDef *have, const MemoryDef *want) {
    return have->model == want->model && have->size == want->size &&
           (!want->has_node || have->node == want->node) && same_if_said(have->path, want->path);
}

static bool same_input(const InputDef *have, const InputDef *want) {
    return have->type == want->type && (want->bus == INPUT_BUS_NONE_ || have->bus == want->bus) &&
           same_if_said(have->source_evdev, want->source_evdev) &&
           same_if_said(have->source_dev, want->source_dev);
}

static bool same_vsock(const VsockDef *have, const VsockDef *want) {
    return have->automatic == want->automatic && (!want->cid || have->cid == want->cid) &&
           same_if_said(have->model, want->model);
}

static bool same_controller(const ControllerDef *a, const ControllerDef *b) {
    return a->type == b->type && (b->index < 0 || a->index == b->index);
}

/* Whether one may be meant by the other, addresses apart. */
static bool matches(const DeviceKind *kind, const void *have, const void *want, bool mac_given) {
    if (kind == &disk_kind)
        return streq(((const DiskDef *)have)->target, ((const DiskDef *)want)->target);
    if (kind == &interface_kind)
        return !mac_given || strcasecmp(((const InterfaceDef *)have)->mac,
                                        ((const InterfaceDef *)want)->mac) == 0;
    if (kind == &hostdev_kind)
        return same_hostdev(have, want);
    if (kind == &graphics_kind)
        return ((const GraphicsDef *)have)->type == ((const GraphicsDef *)want)->type;
    if (kind == &filesystem_kind)
        return streq_ptr(((const FilesystemDef *)have)->target,
                         ((const FilesystemDef *)want)->target);
    if (kind == &chardev_kind)
        return same_chardev(have, want);
    if (kind == &rng_kind)
        return same_rng(have, want);
    if (kind == &redirdev_kind)
        return same_source(&((const RedirdevDef *)have)->source,
                           &((const RedirdevDef *)want)->source);
    if (kind == &watchdog_kind)
        return same_if_said(((const WatchdogDef *)have)->model, ((const WatchdogDef *)want)->model);
    if (kind == &shmem_kind)
        return streq_ptr(((const ShmemDef *)have)->name, ((const ShmemDef *)want)->name);
    if (kind == &input_kind)
        return same_input(have, want);
    if (kind == &controller_kind)
        return same_controller(have, want);
    if (kind == &memory_kind)
        return same_memory(have, want);
    if (kind == &vsock_kind)
        return same_vsock(have, want);
    return true;
}

int device_find(const DomainDef *def, const DomainDef *one, const DevicePlace *wanted,
                bool mac_given, DevicePlace *ret, Error **reterr) {
    const DeviceKind *kind = wanted->kind;
    const DeviceInfo *info = device_info_at(one, wanted);
    bool by_address = info && info->address.type != ADDRESS_NONE;
    unsigned n = 0;

    for (size_t i = 0; i < count(def, kind); i++) {
        DevicePlace at = {kind, i};

        if (!matches(kind, device_at(def, &at), device_at(one, wanted), mac_given) ||
            (by_address && !same_address(&device_info_at(def, &at)->address, &info->address)))
            continue;
        *ret = at;
        n++;
    }
    if (n == 1)
        return 0;
    if (n == 0)
        return error_report(reterr, FROM_QEMU, ERROR_DEVICE_MISSING,
                            "no <%s> of the domain is as the XML says", kind->name);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "%u devices <%s> of the domain are as the XML says: name the one that is "
                        "meant by its <address>, or detach it by its alias",
                        n, kind->name);
}
