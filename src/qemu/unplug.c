/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/unplug.h"

#include "util/json.h"

/* Linux names the event that it answers: bus and device check at a plug, an eject request, or its
 * own eject. */
enum { OST_BUS_CHECK = 0, OST_DEVICE_CHECK = 1, OST_EJECT_REQUEST = 3, OST_OSPM_EJECT = 0x103 };
enum { OST_SUCCESS = 0, OST_IN_PROGRESS = 0x84 };

static const char *ost_refusal(int64_t status) {
    switch (status) {
    case 1:
        return "the guest reported a non-specific failure";
    case 0x80:
        return "the guest does not support the ejection";
    case 0x81:
        return "the CPU is in use by the guest";
    case 0x82:
        return "the CPU is busy in the guest";
    case 0x83:
        return "another device of the guest depends on the CPU";
    default:
        return NULL;
    }
}

static bool refuse(VcpuEntity *entity, const char *reason) {
    if (!entity || entity->unplug != UNPLUG_REQUESTED)
        return false;
    entity->refusal = reason;
    entity->unplug = UNPLUG_REFUSED;
    return true;
}

static VcpuEntity *entity_of_slot(VcpuMap *map, const char *slot) {
    char *end = NULL;
    unsigned long n = slot ? strtoul(slot, &end, 10) : 0;

    if (!slot || *slot < '0' || *slot > '9' || *end != '\0' || n >= map->n_entities)
        return NULL;
    return &map->entities[n];
}

static bool on_ost(VcpuMap *map, json_object *data, uint64_t news) {
    json_object *info = json_member(data, "info");
    const char *type = json_member_string(info, "slot-type"),
               *device = json_member_string(info, "device");
    int64_t source = json_member_int(info, "source", -1),
            status = json_member_int(info, "status", -1);
    VcpuEntity *entity;

    if (!streq_ptr(type, "CPU") || (source != OST_EJECT_REQUEST && source != OST_OSPM_EJECT))
        return false;
    entity = device ? vcpu_map_by_alias(map, device)
                    : entity_of_slot(map, json_member_string(info, "slot"));
    if (!entity || entity->unplug == UNPLUG_NONE || entity->unplug == UNPLUG_GONE)
        return false;
    if (status == OST_SUCCESS)
        entity->hint = news;
    else if (status == OST_IN_PROGRESS)
        entity->progress = news;
    else
        return ost_refusal(status) && refuse(entity, ost_refusal(status));
    return true;
}

bool unplug_memory_refused(const char *name, json_object *data, const char **ret_alias) {
    json_object *info = json_member(data, "info");
    const int64_t source = json_member_int(info, "source", -1);
    const char *alias = json_member_string(info, "device");

    if (!streq(name, "ACPI_DEVICE_OST") || !alias ||
        !streq_ptr(json_member_string(info, "slot-type"), "DIMM") ||
        (source != OST_EJECT_REQUEST && source != OST_OSPM_EJECT) ||
        !ost_refusal(json_member_int(info, "status", -1)))
        return false;
    *ret_alias = alias;
    return true;
}

/* "device" is optional in these. */
static VcpuEntity *entity_of_device(VcpuMap *map, json_object *data) {
    VcpuEntity *entity = vcpu_map_by_alias(map, json_member_string(data, "device"));

    return entity ? entity : vcpu_map_by_path(map, json_member_string(data, "path"));
}

void unplug_note_plug(VcpuMap *map, const char *name, json_object *data) {
    json_object *info = json_member(data, "info");
    int64_t source = json_member_int(info, "source", -1);
    VcpuEntity *entity = entity_of_slot(map, json_member_string(info, "slot"));

    assert(map && name);
    if (!streq(name, "ACPI_DEVICE_OST") || !entity || !entity->qom_path ||
        !streq_ptr(json_member_string(info, "slot-type"), "CPU") ||
        (source != OST_BUS_CHECK && source != OST_DEVICE_CHECK))
        return;
    if (json_member_int(info, "status", -1) == OST_SUCCESS)
        entity->guest_present = true;
}

bool unplug_event(VcpuMap *map, const char *name, json_object *data, uint64_t news) {
    assert(map && name && news > 0);
    if (streq(name, "ACPI_DEVICE_OST"))
        return on_ost(map, data, news);
    if (streq(name, "DEVICE_UNPLUG_GUEST_ERROR"))
        return refuse(entity_of_device(map, data), "the guest reported an unplug error");
    if (streq(name, "DEVICE_DELETED")) {
        VcpuEntity *entity = entity_of_device(map, data);

        if (!entity || !entity->alias)
            return false;
        entity->hint = news;
        return true;
    }
    return false;
}

void unplug_request(VcpuEntity *entity) {
    assert(entity && entity->qom_path);
    unplug_forget(entity);
    entity->unplug = UNPLUG_REQUESTED;
}

void unplug_hint(VcpuEntity *entity, uint64_t news) {
    assert(entity && news > 0);
    entity->hint = news;
}

void unplug_forget(VcpuEntity *entity) {
    assert(entity);
    entity->unplug = UNPLUG_NONE;
    entity->hint = entity->progress = 0;
    entity->refusal = NULL;
    entity->left_tid = 0;
}

bool unplug_needs_look(const VcpuMap *map) {
    for (size_t i = 0; i < map->n_entities; i++)
        if (map->entities[i].hint)
            return true;
    return false;
}

bool unplug_has_gone(const VcpuMap *map) {
    for (size_t i = 0; i < map->n_entities; i++)
        if (map->entities[i].unplug == UNPLUG_GONE)
            return true;
    return false;
}

static void carry_over(VcpuEntity *to, const VcpuEntity *from, pid_t tid, uint64_t seen) {
    if (!to->qom_path) {
        if (from->qom_path || from->unplug == UNPLUG_GONE) {
            to->unplug = UNPLUG_GONE;
            to->left_tid = from->qom_path ? tid : from->left_tid;
        }
        return;
    }
    if (!streq_ptr(to->qom_path, from->qom_path))
        return;
    to->guest_present = from->guest_present;
    to->verdict = from->verdict;
    to->unplug = from->unplug;
    to->hint = from->hint > seen ? from->hint : 0;
    to->progress = from->progress;
    to->refusal = from->refusal;
}

void unplug_carry_over(VcpuMap *map, const VcpuMap *old, uint64_t seen) {
    assert(map && old);
    if (old->n_entities != map->n_entities)
        return;
    for (size_t i = 0; i < map->n_entities; i++)
        carry_over(&map->entities[i], &old->entities[i],
                   vcpu_map_tid(old, old->entities[i].first_id), seen);
}

/* vCPUs that were asked for and are there: all of them, or those that were refused. */
static Bitmap *list_asked(const VcpuMap *map, bool all) {
    CLEANUP_BITMAP Bitmap *asked = bitmap_new();

    for (size_t i = 0; asked && i < map->n_entities; i++) {
        const VcpuEntity *entity = &map->entities[i];

        if (entity->unplug == UNPLUG_NONE || !entity->qom_path ||
            (!all && entity->unplug != UNPLUG_REFUSED))
            continue;
        for (unsigned id = entity->first_id; id < entity->first_id + entity->n_vcpus; id++)
            if (bitmap_set(asked, id) < 0)
                return NULL;
    }
    return TAKE_PTR(asked);
}

Bitmap *unplug_pending(const VcpuMap *map) {
    return list_asked(map, true);
}

Bitmap *unplug_refused(const VcpuMap *map) {
    return list_asked(map, false);
}

void unplug_resume(VcpuMap *map, const Bitmap *there, const Bitmap *pending) {
    for (size_t i = 0; i < map->n_entities; i++) {
        VcpuEntity *entity = &map->entities[i];

        if (entity->unplug != UNPLUG_NONE)
            continue;
        if (!entity->qom_path && there && bitmap_test(there, entity->first_id))
            entity->unplug = UNPLUG_GONE;
        else if (entity->alias && pending && bitmap_test(pending, entity->first_id))
            entity->unplug = UNPLUG_REQUESTED;
    }
}
