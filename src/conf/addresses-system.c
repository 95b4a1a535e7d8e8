/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses on the buses that only certain machines have: CCW, spapr-vio. */
#include "conf/addresses-internal.h"

/* ---- ccw ---- */

static bool devno_is_taken(const DeviceRef *refs, size_t n, unsigned devno) {
    for (size_t i = 0; i < n; i++) {
        const DeviceAddress *at = &refs[i].info->address;

        if (at->type == ADDRESS_CCW && at->has_ccw && at->cssid == 0xfe && at->ssid == 0 &&
            at->devno == devno)
            return true;
    }
    return false;
}

static int check_ccw(const DeviceRef *refs, size_t n, Error **reterr) {
    for (size_t i = 0; i < n; i++) {
        const DeviceAddress *a = &refs[i].info->address;

        for (size_t k = 0; a->type == ADDRESS_CCW && a->has_ccw && k < i; k++) {
            const DeviceAddress *b = &refs[k].info->address;

            if (b->type == ADDRESS_CCW && b->has_ccw && a->cssid == b->cssid &&
                a->ssid == b->ssid && a->devno == b->devno)
                return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                    "The CCW devno '%x.%x.%04x' is in use already: <%s> number %zu "
                                    "and <%s> number %zu both have it",
                                    a->cssid, a->ssid, a->devno, refs[k].kind, refs[k].index + 1,
                                    refs[i].kind, refs[i].index + 1);
        }
    }
    return 0;
}

/* The order in which libvirt numbers devices on that bus, by kind. */
static int ccw_rank(const char *kind) {
    static const char *const kinds[] = {"disk",  "interface",  "hostdev",    "video", "controller",
                                        "input", "filesystem", "memballoon", "rng"};
    size_t rank = 0;

    while (rank < ARRAY_SIZE(kinds) && !streq(kinds[rank], kind))
        rank++;
    return (int)rank;
}

static int compare_ccw(const void *a, const void *b) {
    const DeviceRef *x = a, *y = b;
    int ranks = ccw_rank(x->kind) - ccw_rank(y->kind);

    return ranks ? ranks : x->index < y->index ? -1 : x->index > y->index;
}

static int assign_ccw(DomainDef *def, Error **reterr) {
    CLEANUP_FREE DeviceRef *refs = NULL;
    size_t n = 0;
    unsigned devno = 0;

    if (!domain_def_is_s390(def))
        return 0;
    if (domain_def_pci_devices(def, &refs, &n) < 0)
        return error_no_memory(reterr);
    if (check_ccw(refs, n, reterr) < 0)
        return -EINVAL;
    qsort(refs, n, sizeof(*refs), compare_ccw);
    for (size_t i = 0; i < n; i++) {
        DeviceAddress *address = &refs[i].info->address;

        if (address->type != ADDRESS_NONE || !(refs[i].connect))
            continue;
        while (devno_is_taken(refs, n, devno))
            devno++;
        *address = (DeviceAddress){
            .type = ADDRESS_CCW, .has_ccw = true, .cssid = 0xfe, .devno = devno};
    }
    return 0;
}

/* ---- spapr-vio ---- */

typedef struct VioMap {
    DeviceRef *refs;
    size_t n;
    bool failed;
} VioMap;

static void add_vio(VioMap *map, DeviceInfo *info, const char *kind, size_t index) {
    DeviceRef *ref;

    if (info->address.type != ADDRESS_SPAPR_VIO || !info->address.has_reg || map->failed)
        return;
    ref = array_append(&map->refs, &map->n, sizeof(DeviceRef));
    if (ref)
        *ref = (DeviceRef){.info = info, .kind = kind, .index = index};
    else
        map->failed = true;
}

static int compare_vio(const VioMap *map, Error **reterr) {
    for (size_t i = 0; i < map->n; i++)
        for (size_t k = 0; k < i; k++)
            if (map->refs[i].info->address.reg == map->refs[k].info->address.reg)
                return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                    "spapr-vio address 0x%llx already in use: <%s> number %zu and "
                                    "<%s> number %zu both have it",
                                    (unsigned long long)map->refs[i].info->address.reg,
                                    map->refs[k].kind, map->refs[k].index + 1, map->refs[i].kind,
                                    map->refs[i].index + 1);
    return 0;
}

static int check_vio(DomainDef *def, Error **reterr) {
    VioMap map = {0};
    int r;

    for (size_t i = 0; i < def->n_interfaces; i++)
        add_vio(&map, &def->interfaces[i].info, "interface", i);
    for (size_t i = 0; i < def->n_controllers; i++)
        add_vio(&map, &def->controllers[i].info, "controller", i);
    for (size_t i = 0; i < def->n_chardevs; i++)
        add_vio(&map, &def->chardevs[i].info, "serial", i);
    if (def->nvram)
        add_vio(&map, &def->nvram->info, "nvram", 0);
    r = map.failed ? error_no_memory(reterr) : compare_vio(&map, reterr);
    free(map.refs);
    return r;
}

int addresses_assign_system(DomainDef *def, Error **reterr) {
    int r = assign_ccw(def, reterr);

    return r < 0 ? r : check_vio(def, reterr);
}
