/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One check for each kind of device or part of the machine; the table at the end has them all. */
#include "conf/domain-validate-define.h"

#include "conf/addresses.h"
#include "conf/validate-rules.h"

#define UNSUPPORTED FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED
#define HYPERV_VENDOR_MAX 12 /* bytes: three registers */

/* ---- all devices ---- */

typedef struct InfoList {
    const char *items;
    size_t n, size, at; /* where the DeviceInfo is in an item */
} InfoList;
#define INFOS(member, Type)                                                                        \
    { (const char *)def->member, def->n_##member, sizeof(Type), offsetof(Type, info) }

/* Those that may have a place in the boot order, or a name of a person's. */
static int collect_infos(const DomainDef *def, const DeviceInfo ***ret, size_t *ret_n) {
    const InfoList lists[] = {
        INFOS(disks, DiskDef),
        INFOS(controllers, ControllerDef),
        INFOS(filesystems, FilesystemDef),
        INFOS(interfaces, InterfaceDef),
        INFOS(smartcards, SmartcardDef),
        INFOS(chardevs, ChardevDef),
        INFOS(inputs, InputDef),
        INFOS(tpms, TpmDef),
        INFOS(sounds, SoundDef),
        INFOS(videos, VideoDef),
        INFOS(hostdevs, HostdevDef),
        INFOS(redirdevs, RedirdevDef),
        INFOS(hubs, HubDef),
        INFOS(watchdogs, WatchdogDef),
        INFOS(rngs, RngDef),
        INFOS(panics, PanicDef),
        INFOS(shmems, ShmemDef),
        INFOS(memories, MemoryDef),
        INFOS(cryptos, CryptoDef),
        {(const char *)def->memballoon, def->memballoon != NULL, sizeof(MemballoonDef),
         offsetof(MemballoonDef, info)},
        {(const char *)def->vsock, def->vsock != NULL, sizeof(VsockDef), offsetof(VsockDef, info)},
    };
    const DeviceInfo **infos;
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        n += lists[i].n;
    infos = n ? calloc(n, sizeof(*infos)) : NULL;
    if (n && !infos)
        return -ENOMEM;
    *ret = infos;
    *ret_n = n;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (size_t k = 0; k < lists[i].n; k++)
            *infos++ = (const DeviceInfo *)(lists[i].items + k * lists[i].size + lists[i].at);
    return 0;
}

static int compare_boot(const void *a, const void *b) {
    const DeviceInfo *const *x = a, *const *y = b;

    return ((*x)->boot_order > (*y)->boot_order) - ((*x)->boot_order < (*y)->boot_order);
}

static int compare_alias(const void *a, const void *b) {
    const DeviceInfo *const *x = a, *const *y = b;

    return strcmp((*x)->alias ? (*x)->alias : "", (*y)->alias ? (*y)->alias : "");
}

static int check_infos(const DomainDef *def, Error **reterr) {
    CLEANUP_FREE const DeviceInfo **infos = NULL;
    size_t n;

    if (collect_infos(def, &infos, &n) < 0)
        return error_no_memory(reterr);
    if (n == 0)
        return 0;
    qsort(infos, n, sizeof(*infos), compare_boot);
    for (size_t i = 1; i < n; i++)
        if (infos[i]->boot_order && infos[i]->boot_order == infos[i - 1]->boot_order)
            return error_report(reterr, UNSUPPORTED,
                                "boot order '%u' used for more than one device",
                                infos[i]->boot_order);
    qsort(infos, n, sizeof(*infos), compare_alias);
    for (size_t i = 1; i < n; i++)
        if (infos[i]->alias && device_alias_is_users(infos[i]->alias) &&
            streq_ptr(infos[i]->alias, infos[i - 1]->alias))
            return error_report(reterr, UNSUPPORTED, "non unique alias detected: %s",
                                infos[i]->alias);
    return 0;
}

static bool is_of_hostdev(const DomainDef *def, const DeviceInfo *info) {
    for (size_t i = 0; i < def->n_hostdevs; i++)
        if (&def->hostdevs[i].info == info)
            return true;
    return false;
}

static bool has_serial_bus(const DomainDef *def, unsigned index) {
    return domain_def_controller(def, CONTROLLER_VIRTIO_SERIAL, index) != NULL;
}

/* Addresses of a kind that the machine has not, whatever the device. */
static int check_address_types(const DomainDef *def, Error **reterr) {
    CLEANUP_FREE const DeviceInfo **infos = NULL;
    size_t n;
    int r = 0;

    if (collect_infos(def, &infos, &n) < 0)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n && r >= 0; i++) {
        const DeviceAddress *address = &infos[i]->address;
        const ValidateRule rules[] = {
            {address->type == ADDRESS_CCW && !domain_def_is_s390(def), ERROR_CONFIG_UNSUPPORTED,
             "cannot use CCW address type on this machine type"},
            {address->type == ADDRESS_UNASSIGNED && !is_of_hostdev(def, infos[i]),
             ERROR_CONFIG_UNSUPPORTED,
             "address of type 'unassigned' is supported only for hostdevs"},
            {address->type == ADDRESS_PCI && address->pci.has_zpci && !domain_def_is_s390(def),
             ERROR_CONFIG_UNSUPPORTED, "This QEMU binary doesn't support zPCI"},
            {address->type == ADDRESS_VIRTIO_SERIAL && !has_serial_bus(def, address->controller),
             ERROR_XML, "virtio serial controller of an address is missing"},
            {infos[i]->rom_enabled == TRISTATE_NO && (infos[i]->rom_bar || infos[i]->rom_file),
             ERROR_CONFIG_UNSUPPORTED, "ROM tuning is not supported when ROM is disabled"},
        };

        r = VALIDATE_RULES(rules, "device", infos[i]->alias, reterr);
    }
    return r;
}

/* ---- displays ---- */

static bool has_graphics(const DomainDef *def, GraphicsType type) {
    for (size_t i = 0; i < def->n_graphics; i++)
        if (def->graphics[i].type == type)
            return true;
    return false;
}

/* It is alone, or draws for one of those. */
static int check_graphics(const DomainDef *def, Error **reterr) {
    const bool headless = has_graphics(def, GRAPHICS_EGL_HEADLESS);

    for (size_t i = 0; headless && i < def->n_graphics; i++)
        if (def->graphics[i].type != GRAPHICS_EGL_HEADLESS &&
            def->graphics[i].type != GRAPHICS_VNC && def->graphics[i].type != GRAPHICS_SPICE)
            return error_report(reterr, UNSUPPORTED,
                                "graphics type 'egl-headless' is only supported with one of: "
                                "'vnc', 'spice' graphics types");
    return 0;
}

static int check_videos(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_videos; i++) {
        VideoModel model = def->videos[i].model;

        if (model == VIDEO_NONE && def->n_videos > 1)
            return error_report(reterr, UNSUPPORTED,
                                "a 'none' video type must be the only video device defined for the "
                                "domain");
        if (!def->videos[i].primary && model != VIDEO_NONE && model != VIDEO_QXL &&
            model != VIDEO_VIRTIO)
            return error_report(reterr, UNSUPPORTED,
                                "video type '%s' is only valid as primary video device",
                                words_name(&video_models, model));
    }
    return 0;
}

static bool needs_spice(const ChardevSource *source) {
    return source->type == CHARDEV_SPICEVMC || source->type == CHARDEV_SPICEPORT;
}

static int check_spice(const DomainDef *def, Error **reterr) {
    const ChardevSource *found = NULL;

    if (has_graphics(def, GRAPHICS_SPICE))
        return 0;
    for (size_t i = 0; i < def->n_chardevs && !found; i++)
        if (needs_spice(&def->chardevs[i].source))
            found = &def->chardevs[i].source;
    for (size_t i = 0; i < def->n_redirdevs && !found; i++)
        if (needs_spice(&def->redirdevs[i].source))
            found = &def->redirdevs[i].source;
    for (size_t i = 0; i < def->n_smartcards && !found; i++)
        if (def->smartcards[i].mode == SMARTCARD_PASSTHROUGH &&
            needs_spice(&def->smartcards[i].source))
            found = &def->smartcards[i].source;
    if (!found)
        return 0;
    return error_report(reterr, UNSUPPORTED, "chardev '%s' not supported without spice graphics",
                        words_name(&chardev_types, found->type));
}

static bool is_loose(const AudioDirection *direction) {
    return direction->has_settings && direction->fixed_settings != TRISTATE_YES;
}

static int check_audios(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_audios; i++)
        if (is_loose(&def->audios[i].input) || is_loose(&def->audios[i].output))
            return error_report(reterr, UNSUPPORTED,
                                "audio settings specified without fixed settings flag: <audio "
                                "id='%u'> needs fixedSettings='yes'",
                                def->audios[i].id);
    return 0;
}

/* ---- disks and controllers ---- */

static int check_rates(const DiskDef *disk, Error **reterr) {
    const DiskIotune *t = &disk->iotune;
    const struct {
        const char *what;
        uint64_t total, read, write;
    } rates[] = {
        {"bytes_sec", t->total_bytes_sec, t->read_bytes_sec, t->write_bytes_sec},
        {"iops_sec", t->total_iops_sec, t->read_iops_sec, t->write_iops_sec},
        {"bytes_sec_max", t->total_bytes_sec_max, t->read_bytes_sec_max, t->write_bytes_sec_max},
        {"iops_sec_max", t->total_iops_sec_max, t->read_iops_sec_max, t->write_iops_sec_max},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
        if (rates[i].total && (rates[i].read || rates[i].write))
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "total and read/write %s cannot be set at the same time, for disk "
                                "'%s'",
                                rates[i].what, disk->target);
    return 0;
}

static int check_disks(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_disks; i++) {
        const DiskDef *disk = &def->disks[i];
        int r = check_rates(disk, reterr);

        if (r < 0)
            return r;
        if (streq_ptr(disk->sgio, "unfiltered"))
            return error_report(reterr, UNSUPPORTED,
                                "unfiltered sgio is no longer supported, for disk '%s'",
                                disk->target);
        if (disk->bus == DISK_BUS_IDE && domain_def_is_q35(def))
            return error_report(reterr, UNSUPPORTED,
                                "IDE controllers are unsupported for this QEMU binary or machine "
                                "type: disk '%s' can be on bus 'sata'",
                                disk->target);
    }
    return 0;
}

static int check_controllers(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_controllers; i++) {
        unsigned iothread = def->controllers[i].iothread;

        if (iothread && !domain_def_iothread(def, iothread))
            return error_report(reterr, UNSUPPORTED,
                                "controller iothread '%u' not defined in iothreadid", iothread);
    }
    return 0;
}

/* ---- the others ---- */

static int check_interfaces(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_interfaces; i++) {
        const InterfaceDef *interface = &def->interfaces[i];

        if (interface->type != INTERFACE_USER && (interface->n_guest_ips || interface->n_routes))
            return error_report(reterr, UNSUPPORTED,
                                "Invalid attempt to set network interface guest-side IP route "
                                "and/or address info, not supported by QEMU: interface '%s'",
                                interface->mac);
        if (interface->inbound.floor && interface->type != INTERFACE_NETWORK)
            return error_report(reterr, UNSUPPORTED,
                                "floor attribute is not supported for this config: interface '%s' "
                                "is of no network",
                                interface->mac);
    }
    return 0;
}

static int check_filesystems(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_filesystems; i++)
        if (streq_ptr(def->filesystems[i].driver, "virtiofs") && !domain_def_shares_memory(def) &&
            !domain_def_is_s390(def))
            return error_report(reterr, UNSUPPORTED,
                                "'virtiofs' requires shared memory: <memoryBacking> with <access "
                                "mode='shared'/> for '%s'",
                                def->filesystems[i].target);
    return 0;
}

static int check_iommu(const DomainDef *def, Error **reterr) {
    const IommuDef *iommu = &def->iommu;

    if (!iommu->given || iommu->model != IOMMU_INTEL)
        return 0;
    if (!domain_def_is_q35(def))
        return error_report(reterr, UNSUPPORTED,
                            "IOMMU device: 'intel' is only supported with Q35 machines");
    return 0;
}

static int check_singles(const DomainDef *def, Error **reterr) {
    if (def->n_watchdogs > 1)
        return error_report(reterr, FROM_DOMAIN, ERROR_INTERNAL,
                            "only a single watchdog device is supported");
    if (def->nvram && !streq(def->os.arch, "ppc64") && !streq(def->os.arch, "ppc64le"))
        return error_report(reterr, UNSUPPORTED, "nvram device is only supported for PPC64");
    return 0;
}

/* ---- the machine ---- */

static int check_features(const DomainDef *def, Error **reterr) {
    const FeaturesDef *features = &def->features;
    const char *foreign = features->has_gic ? "gic" : NULL;

    if (features->hpt_resizing || features->hpt_maxpagesize)
        foreign = "hpt";
    if (foreign && domain_def_is_x86(def))
        return error_report(reterr, UNSUPPORTED,
                            "The '%s' feature is not supported for architecture '%s' or machine "
                            "type '%s'",
                            foreign, def->os.arch, def->os.machine ? def->os.machine : "");
    if (features->hyperv.vendor_id_value &&
        strlen(features->hyperv.vendor_id_value) > HYPERV_VENDOR_MAX)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "HyperV vendor_id value must not be more than %d characters.",
                            HYPERV_VENDOR_MAX);
    return 0;
}

static int compare_names(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static int check_cpu_features(const DomainDef *def, Error **reterr) {
    size_t n = def->cpu.n_features;
    CLEANUP_FREE const char **names = n ? calloc(n, sizeof(*names)) : NULL;

    if (n && !names)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++)
        names[i] = def->cpu.features[i].name;
    if (n)
        qsort(names, n, sizeof(*names), compare_names);
    for (size_t i = 1; i < n; i++)
        if (streq(names[i], names[i - 1]))
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "CPU feature '%s' specified more than once", names[i]);
    return 0;
}

static int check_memory(const DomainDef *def, Error **reterr) {
    if (def->default_pool_min >= 0 && def->default_pool_max >= 0 &&
        def->default_pool_min > def->default_pool_max)
        return error_report(reterr, UNSUPPORTED,
                            "thread_pool_min must be smaller or equal to thread_pool_max in "
                            "<defaultiothread> (%d > %d)",
                            def->default_pool_min, def->default_pool_max);
    if (!def->max_memory_kib != !def->memory_slots)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "both maximum memory size and memory slot count must be specified");
    if (def->max_memory_kib && def->cpu.n_cells == 0 && domain_def_is_x86(def))
        return error_report(reterr, UNSUPPORTED,
                            "At least one numa node has to be configured when enabling memory "
                            "hotplug: <maxMemory> needs a <cell> in <numa>");
    if (def->memtune.min_guarantee)
        return error_report(reterr, UNSUPPORTED,
                            "Parameter 'min_guarantee' not supported by QEMU.");
    return 0;
}

static int check_actions(const DomainDef *def, Error **reterr) {
    const LifecycleAction actions[] = {def->on_poweroff, def->on_reboot};
    static const char *const events[] = {"poweroff", "reboot"};

    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (actions[i] == LIFECYCLE_PRESERVE)
            return error_report(reterr, UNSUPPORTED,
                                "qemu driver doesn't support the 'preserve' action for "
                                "'on_reboot'/'on_poweroff'");
        if (actions[i] == LIFECYCLE_COREDUMP_DESTROY || actions[i] == LIFECYCLE_COREDUMP_RESTART)
            return error_report(
                reterr, UNSUPPORTED, "Lifecycle event '%s' doesn't support '%s' action", events[i],
                actions[i] == LIFECYCLE_COREDUMP_DESTROY ? "coredump-destroy" : "coredump-restart");
    }
    return 0;
}

int domain_validate_define(const DomainDef *def, Error **reterr) {
    static int (*const checks[])(const DomainDef *def, Error **reterr) = {
        check_infos,          check_disks,         check_controllers,       check_filesystems,
        check_interfaces,     check_spice,         check_graphics,          check_videos,
        check_audios,         check_iommu,         check_singles,           check_features,
        check_cpu_features,   check_memory,        check_actions,           validate_disks,
        validate_controllers, validate_interfaces, validate_chardevs,       validate_displays,
        validate_devices,     validate_hostdevs,   validate_memory_devices, validate_machine,
        validate_system,      check_address_types,
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(checks) && r >= 0; i++)
        r = checks[i](def, reterr);
    return r;
}
