/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI addresses, in two passes: the first one finds which controllers are missing, the second one
 * gives the places. */
#include "conf/addresses-internal.h"
#include "conf/machine.h"

static bool is_wanted(const DeviceInfo *info) {
    return info->address.type == ADDRESS_NONE ||
           (info->address.type == ADDRESS_PCI && pci_address_is_empty(&info->address.pci));
}

static bool has_place(const DeviceInfo *info) {
    return info->address.type == ADDRESS_PCI && !pci_address_is_empty(&info->address.pci);
}

static const DeviceRef *find_ref(const DeviceRef *refs, size_t n, const DeviceInfo *info) {
    for (size_t i = 0; i < n; i++)
        if (refs[i].info == info)
            return &refs[i];
    return NULL;
}

/* ---- the machine's own places ---- */

/* Where the device is on real hardware, unless somebody is there. */
static int place_if_free(PciMap *map, const DeviceRef *refs, size_t n, DeviceInfo *info,
                         unsigned slot, unsigned function) {
    const DeviceRef *ref = find_ref(refs, n, info);

    if (!ref || !is_wanted(info) || map->buses[0].used[slot] & 1u << function)
        return 0;
    return pci_place(map, ref, slot, function);
}

static void reserve_quietly(PciMap *map, unsigned slot, unsigned function) {
    map->buses[0].used[slot] |= (uint8_t)(1u << function);
}

/* The first display is where firmware looks for it; it comes before all other devices. */
static int place_video(PciMap *map, const DeviceRef *refs, size_t n, unsigned slot) {
    DomainDef *def = map->def;
    const DeviceRef *ref = def->n_videos ? find_ref(refs, n, &def->videos[0].info) : NULL;

    if (!ref || !is_wanted(ref->info))
        return 0;
    return pci_slot_is_free(map, 0, slot) ? pci_place(map, ref, slot, 0)
                                          : pci_reserve_next(map, ref, ref->connect, 0);
}

static int place_i440fx(PciMap *map, const DeviceRef *refs, size_t n) {
    DomainDef *def = map->def;
    ControllerDef *usb = domain_def_controller(def, CONTROLLER_USB, 0);
    ControllerDef *ide = domain_def_controller(def, CONTROLLER_IDE, 0);
    int r = 0;

    if (ide && map->buses[0].used[1] & 1u << 1) {
        const DeviceRef *other = map->buses[0].owner[1][1];

        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "Attempted double use of PCI Address 0000:00:01.1: <%s> number %zu and "
                            "the machine's IDE controller both have it",
                            other ? other->kind : "device", other ? other->index + 1 : 1);
    }
    if (ide) {
        ide->info.address.type = ADDRESS_PCI;
        ide->info.address.pci.bus = 0;
        ide->info.address.pci.slot = 1;
        ide->info.address.pci.function = 1;
    }
    if (usb && streq_ptr(usb->model, "piix3-uhci"))
        r = place_if_free(map, refs, n, &usb->info, 1, 2);
    for (unsigned function = 0; function < 8; function++)
        reserve_quietly(map, 1, function);
    return r < 0 ? r : place_video(map, refs, n, 2);
}

static int place_uhci(PciMap *map, const DeviceRef *refs, size_t n, ControllerDef *controller) {
    unsigned slot = pci_slot_is_free(map, 0, 0x1d) ? 0x1d : 0x1a;
    const DeviceRef *ref = find_ref(refs, n, &controller->info);

    if (!ref || controller->info.address.type != ADDRESS_NONE || !pci_slot_is_free(map, 0, slot))
        return 0;
    controller->info.address.pci.multifunction = TRISTATE_YES;
    return pci_place(map, ref, slot, 0);
}

static int place_q35_controllers(PciMap *map, const DeviceRef *refs, size_t n) {
    DomainDef *def = map->def;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_controllers; i++) {
        ControllerDef *controller = &def->controllers[i];

        if (controller->type == CONTROLLER_SATA && controller->index == 0)
            r = place_if_free(map, refs, n, &controller->info, 0x1f, 2);
        else if (controller->type == CONTROLLER_USB && streq_ptr(controller->model, "ich9-uhci1"))
            r = place_uhci(map, refs, n, controller);
        else if (controller->type == CONTROLLER_PCI &&
                 streq_ptr(controller->model, "dmi-to-pci-bridge") &&
                 pci_slot_is_free(map, 0, 0x1e))
            r = place_if_free(map, refs, n, &controller->info, 0x1e, 0);
    }
    return r;
}

static int place_q35(PciMap *map, const DeviceRef *refs, size_t n) {
    DomainDef *def = map->def;
    int r = place_q35_controllers(map, refs, n);

    reserve_quietly(map, 0x1f, 0);
    reserve_quietly(map, 0x1f, 3);
    if (r >= 0)
        r = place_video(map, refs, n, 1);
    for (size_t i = 0; r >= 0 && pci_slot_is_free(map, 0, 0x1b) && i < def->n_sounds; i++)
        if (def->sounds[i].model == SOUND_ICH9)
            r = place_if_free(map, refs, n, &def->sounds[i].info, 0x1b, 0);
    return r;
}

/* ---- the others ---- */

static bool is_ich9_usb(const ControllerDef *controller) {
    return controller->type == CONTROLLER_USB && controller->model &&
           strncmp(controller->model, "ich9-", 5) == 0;
}

/* Functions of one USB 2 controller share a slot. */
static int place_companion(PciMap *map, const DeviceRef *ref, ControllerDef *controller) {
    const char *model = controller->model;
    unsigned function = streq(model, "ich9-ehci1") ? 7 : (unsigned)(model[strlen(model) - 1] - '1');
    PciAddress *address = &controller->info.address.pci;
    int r;

    for (size_t i = 0; i < map->def->n_controllers; i++) {
        const ControllerDef *other = &map->def->controllers[i];

        if (is_ich9_usb(other) && other->index == controller->index && has_place(&other->info)) {
            PciAddress at = other->info.address.pci;

            at.function = function;
            at.multifunction = function ? TRISTATE_ABSENT : TRISTATE_YES;
            r = pci_reserve(map, ref, &at);
            if (r < 0)
                return r;
            controller->info.address.type = ADDRESS_PCI;
            *address = at;
            return 0;
        }
    }
    r = pci_reserve_next(map, ref, ref->connect, function);
    if (r >= 0 && !map->growing)
        address->multifunction = function ? TRISTATE_ABSENT : TRISTATE_YES;
    return r;
}

static int place_rest(PciMap *map, const DeviceRef *refs, size_t n) {
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++) {
        ControllerDef *controller = streq(refs[i].kind, "controller")
                                        ? &map->def->controllers[refs[i].index]
                                        : NULL;

        if (!is_wanted(refs[i].info))
            continue;
        r = controller && is_ich9_usb(controller)
                ? place_companion(map, &refs[i], controller)
                : pci_reserve_next(map, &refs[i], refs[i].connect, 0);
    }
    return r;
}

/* A bus of its own kind where a number is left out between those that are named. */
static int init_map(PciMap *map) {
    DomainDef *def = map->def;

    map->n = 0;
    for (size_t i = 0; i < def->n_controllers; i++) {
        ControllerDef *controller = &def->controllers[i];

        if (controller->type != CONTROLLER_PCI)
            continue;
        if (controller->index >= (int)PCI_BUSES_MAX)
            return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                                "PCI controller index %d is too high, the maximum is %u",
                                controller->index, PCI_BUSES_MAX - 1);
        pci_bus_init(&map->buses[controller->index], controller->model);
        map->n = MAX_OF(map->n, (unsigned)controller->index + 1);
    }
    map->express = streq_ptr(map->buses[0].model, "pcie-root");
    for (unsigned bus = 1; bus < map->n; bus++)
        if (!map->buses[bus].model)
            pci_bus_init(&map->buses[bus], map->express ? "pcie-root-port" : pci_bridge_model(def));
    return 0;
}

/* A slot is left for a bridge to come, on machines of conventional PCI. */
static int reserve_spare_slot(PciMap *map) {
    bool full = true;

    for (unsigned bus = 0; bus < map->n; bus++)
        full &= pci_bus_is_full(&map->buses[bus]);
    return full || map->express ? 0 : pci_reserve_next(map, NULL, PCI_CONNECT_DEVICE, 0);
}

static int pass(PciMap *map, const DeviceRef *refs, size_t n) {
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++)
        if (has_place(refs[i].info))
            r = pci_reserve(map, &refs[i], &refs[i].info->address.pci);
    if (r >= 0 && domain_def_is_i440fx(map->def))
        r = place_i440fx(map, refs, n);
    if (r >= 0 && domain_def_is_q35(map->def))
        r = place_q35(map, refs, n);
    if (r >= 0 && map->growing)
        r = reserve_spare_slot(map);
    return r < 0 ? r : place_rest(map, refs, n);
}

static int run_pass(DomainDef *def, PciMap *map) {
    CLEANUP_FREE DeviceRef *refs = NULL;
    size_t n = 0;
    unsigned had;
    int r = init_map(map);

    if (r >= 0 && domain_def_pci_devices(def, &refs, &n) < 0)
        r = error_no_memory(map->reterr);
    had = map->n;
    if (r >= 0)
        r = pass(map, refs, n);
    /* A definition that leaves all of that to us has a port more than it takes, for a plug. */
    if (r >= 0 && map->growing && map->express && had <= 1 && map->n > had)
        r = pci_reserve_next(map, NULL, PCI_CONNECT_EXPRESS, 0);
    return r;
}

/* ---- controllers ---- */

static int add_missing(DomainDef *def, const PciMap *map) {
    for (unsigned bus = 1; bus < map->n; bus++)
        if (!domain_def_controller(def, CONTROLLER_PCI, (int)bus) &&
            !domain_def_add_controller(def, CONTROLLER_PCI, (int)bus, map->buses[bus].model))
            return error_no_memory(map->reterr);
    return 0;
}

/* QEMU's name of a bridge; pSeries has host bridges besides the first. */
static int name_model(const DomainDef *def, ControllerDef *controller) {
    static const char *const rows[][2] = {{"pcie-root-port", "pcie-root-port"},
                                          {"pci-bridge", "pci-bridge"},
                                          {"dmi-to-pci-bridge", "i82801b11-bridge"},
                                          {"pcie-to-pci-bridge", "pcie-pci-bridge"},
                                          {"pcie-switch-upstream-port", "x3130-upstream"},
                                          {"pcie-switch-downstream-port", "xio3130-downstream"},
                                          {"pci-expander-bus", "pxb"},
                                          {"pcie-expander-bus", "pxb-pcie"},
                                          {"pci-root", "spapr-pci-host-bridge"}};

    if (streq(controller->model, "pci-root") && !domain_def_is_pseries(def))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows) && !controller->pci_model; i++)
        if (streq(controller->model, rows[i][0])) {
            controller->pci_model = strdup(rows[i][1]);
            return controller->pci_model ? 0 : -ENOMEM;
        }
    return 0;
}

/* libvirt's choice: two below the lowest one. */
static void number_expander(const DomainDef *def, ControllerDef *controller) {
    unsigned lowest = PCI_BUSES_MAX;

    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == CONTROLLER_PCI && def->controllers[i].has_busnr)
            lowest = MIN_OF(lowest, def->controllers[i].busnr);
    controller->has_busnr = lowest > 2;
    controller->busnr = lowest > 2 ? lowest - 2 : 0;
}

/* The lowest that no other host bridge has. */
static void number_host_bridge(const DomainDef *def, ControllerDef *controller) {
    unsigned index = controller->index > 0;
    bool taken = true;

    while (taken) {
        taken = false;
        for (size_t i = 0; i < def->n_controllers; i++)
            taken |= def->controllers[i].type == CONTROLLER_PCI &&
                     def->controllers[i].has_target_index &&
                     def->controllers[i].target_index == index;
        index += taken;
    }
    controller->has_target_index = true;
    controller->target_index = index;
}

static void number_ports(const DomainDef *def, ControllerDef *controller) {
    const PciAddress *address = &controller->info.address.pci;
    bool root = streq(controller->model, "pcie-root-port");

    if (root || streq(controller->model, "pcie-switch-downstream-port")) {
        if (!controller->has_chassis)
            controller->chassis = (unsigned)controller->index;
        if (!controller->has_port)
            controller->port = root ? (address->slot << 3) + address->function : address->slot;
        controller->has_chassis = controller->has_port = true;
    }
    if (streq(controller->model, "pci-bridge") && !controller->has_chassis_nr) {
        controller->chassis_nr = (unsigned)controller->index;
        controller->has_chassis_nr = true;
    }
    if (!controller->has_busnr && (streq(controller->model, "pci-expander-bus") ||
                                   streq(controller->model, "pcie-expander-bus")))
        number_expander(def, controller);
    if (!controller->has_target_index && streq(controller->model, "pci-root") &&
        domain_def_is_pseries(def))
        number_host_bridge(def, controller);
}

static int finish_controllers(DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_controllers; i++) {
        ControllerDef *controller = &def->controllers[i];

        if (controller->type != CONTROLLER_PCI || !controller->model)
            continue;
        if (name_model(def, controller) < 0)
            return error_no_memory(reterr);
        number_ports(def, controller);
        if (streq(controller->model, "pci-bridge") &&
            controller->index <= (int)controller->info.address.pci.bus)
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "PCI controller at index %d has bus='0x%02x', but index must be "
                                "larger than bus",
                                controller->index, controller->info.address.pci.bus);
    }
    return 0;
}

/* A slot's first function says whether there are more. */
static int set_multifunction(DomainDef *def, Error **reterr) {
    CLEANUP_FREE DeviceRef *refs = NULL;
    size_t n = 0;

    if (domain_def_pci_devices(def, &refs, &n) < 0)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++) {
        const PciAddress *at = &refs[i].info->address.pci;

        for (size_t k = 0; at->function && k < n; k++) {
            PciAddress *other = &refs[k].info->address.pci;

            if (other->function == 0 && other->bus == at->bus && other->slot == at->slot &&
                refs[k].info->address.type == ADDRESS_PCI &&
                other->multifunction == TRISTATE_ABSENT)
                other->multifunction = TRISTATE_YES;
        }
    }
    return 0;
}

static bool has_zpci(const DeviceRef *refs, size_t n, const unsigned *uid, const unsigned *fid) {
    for (size_t i = 0; i < n; i++) {
        const PciAddress *at = &refs[i].info->address.pci;

        if (refs[i].info->address.type == ADDRESS_PCI &&
            ((uid && at->has_zpci_uid && at->zpci_uid == *uid) ||
             (fid && at->has_zpci_fid && at->zpci_fid == *fid)))
            return true;
    }
    return false;
}

static int check_zpci(const DeviceRef *refs, size_t n, Error **reterr) {
    for (size_t i = 0; i < n; i++) {
        const PciAddress *at = &refs[i].info->address.pci;

        if (refs[i].info->address.type != ADDRESS_PCI)
            continue;
        if (at->has_zpci_uid && at->zpci_uid == 0)
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "Invalid PCI address uid='0x0000' of <%s> number %zu: it is from "
                                "0x0001 to 0xffff",
                                refs[i].kind, refs[i].index + 1);
        if ((at->has_zpci_uid && has_zpci(refs, i, &at->zpci_uid, NULL)) ||
            (at->has_zpci_fid && has_zpci(refs, i, NULL, &at->zpci_fid)))
            return error_report(reterr, FROM_DOMAIN, ERROR_INTERNAL,
                                "the zPCI uid or fid of <%s> number %zu is already reserved",
                                refs[i].kind, refs[i].index + 1);
    }
    return 0;
}

/* What a PCI device is to an s390 guest: the lowest free numbers. */
static int assign_zpci(DomainDef *def, Error **reterr) {
    CLEANUP_FREE DeviceRef *refs = NULL;
    unsigned uid = 1, fid = 0; /* below them none is free */
    size_t n = 0;

    if (domain_def_pci_devices(def, &refs, &n) < 0)
        return error_no_memory(reterr);
    if (check_zpci(refs, n, reterr) < 0)
        return -EINVAL;
    for (size_t k = 0; k < 2 * n; k++) { /* first those that say a half */
        const size_t i = k % n;
        PciAddress *at = &refs[i].info->address.pci;

        if (refs[i].info->address.type != ADDRESS_PCI || at->has_zpci != (k < n))
            continue;
        while (!at->has_zpci_uid && has_zpci(refs, n, &uid, NULL))
            uid++;
        while (!at->has_zpci_fid && has_zpci(refs, n, NULL, &fid))
            fid++;
        at->zpci_uid = at->has_zpci_uid ? at->zpci_uid : uid;
        at->zpci_fid = at->has_zpci_fid ? at->zpci_fid : fid;
        at->has_zpci = at->has_zpci_uid = at->has_zpci_fid = true;
    }
    return 0;
}

int addresses_assign_pci(DomainDef *def, Error **reterr) {
    CLEANUP_FREE PciBus *buses = calloc(PCI_BUSES_MAX, sizeof(PciBus));
    PciMap map = {.def = def, .buses = buses, .growing = true, .reterr = reterr};
    int r;

    if (!domain_def_controller(def, CONTROLLER_PCI, 0))
        return 0;
    if (!buses)
        return error_no_memory(reterr);
    r = run_pass(def, &map);
    if (r >= 0)
        r = add_missing(def, &map);
    if (r < 0)
        return r;
    memset(buses, 0, PCI_BUSES_MAX * sizeof(PciBus));
    map.growing = false;
    r = run_pass(def, &map);
    if (r >= 0)
        r = set_multifunction(def, reterr);
    if (r >= 0 && domain_def_is_s390(def))
        r = assign_zpci(def, reterr);
    return r < 0 ? r : finish_controllers(def, reterr);
}
