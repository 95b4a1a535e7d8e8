/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defaults of the machine, and the controllers that it implies. */
#include "conf/domain-fill.h"

#include <stdio.h>

#include "conf/addresses.h"
#include "conf/domain-fill-internal.h"
#include "conf/machine.h"
#include "util/file.h"

/* ---- machine, firmware, CPU ---- */

static int fill_machine(DomainDef *def, const DomainFillParams *params) {
    if (params->machine && !streq_ptr(def->os.machine, params->machine)) {
        char *copy = strdup(params->machine);

        if (!copy)
            return -ENOMEM;
        free(def->os.machine);
        def->os.machine = copy;
    }
    if (params->emulator && fill_text(&def->emulator, params->emulator) < 0)
        return -ENOMEM;
    return 0;
}

static bool has_feature(const OsDef *os, const char *name, Tristate enabled) {
    for (size_t i = 0; i < os->n_firmware_features; i++)
        if (streq_ptr(os->firmware_features[i].name, name) &&
            os->firmware_features[i].enabled == enabled)
            return true;
    return false;
}

/* Enrolled keys are for secure boot. */
static int fill_firmware_features(OsDef *os) {
    FirmwareFeature *feature;

    if (!has_feature(os, "enrolled-keys", TRISTATE_YES) ||
        has_feature(os, "secure-boot", TRISTATE_YES) || has_feature(os, "secure-boot", TRISTATE_NO))
        return 0;
    feature = array_append(&os->firmware_features, &os->n_firmware_features,
                           sizeof(FirmwareFeature));
    if (!feature)
        return -ENOMEM;
    *feature = (FirmwareFeature){.enabled = TRISTATE_YES, .name = strdup("secure-boot")};
    return feature->name ? 0 : -ENOMEM;
}

static int fill_firmware(DomainDef *def, const DomainFillParams *params) {
    OsDef *os = &def->os;

    if (fill_firmware_features(os) < 0)
        return -ENOMEM;
    if (os->loader && fill_text(&os->loader_type, "rom") < 0)
        return -ENOMEM;
    if (!os->nvram.path && params->nvram_dir && os->loader &&
        streq_ptr(os->loader_type, "pflash") && os->loader_readonly == TRISTATE_YES &&
        os->nvram.type == DISK_TYPE_NONE_ && os->loader_stateless != TRISTATE_YES) {
        os->nvram.path = strf("%s/%s_VARS.fd", params->nvram_dir, def->name);
        os->has_nvram = true;
        return os->nvram.path ? 0 : -ENOMEM;
    }
    return 0;
}

/* A length of SVE's vectors is one of SVE. */
static int fill_sve(CpuDef *cpu) {
    CpuFeature *feature;
    bool lengths = false;

    for (size_t i = 0; i < cpu->n_features; i++) {
        if (streq(cpu->features[i].name, "sve"))
            return 0;
        lengths |= strncmp(cpu->features[i].name, "sve", 3) == 0;
    }
    if (!lengths)
        return 0;
    feature = array_append(&cpu->features, &cpu->n_features, sizeof(CpuFeature));
    if (!feature)
        return -ENOMEM;
    *feature = (CpuFeature){.name = strdup("sve"), .policy = CPU_FEATURE_REQUIRE};
    return feature->name ? 0 : -ENOMEM;
}

static int fill_cpu(DomainDef *def, const DomainFillParams *params) {
    CpuDef *cpu = &def->cpu;

    if (streq(def->os.arch, "aarch64") && fill_sve(cpu) < 0)
        return -ENOMEM;
    if (cpu->mode == CPU_MODE_NONE) {
        if (!params->cpu_model)
            return 0;
        cpu->mode = CPU_MODE_CUSTOM;
        if (fill_text(&cpu->match, "exact") < 0 || fill_text(&cpu->check, "none") < 0 ||
            fill_text(&cpu->model, params->cpu_model) < 0 ||
            fill_text(&cpu->fallback, "forbid") < 0)
            return -ENOMEM;
        return 0;
    }
    if (cpu->mode == CPU_MODE_HOST_PASSTHROUGH || cpu->mode == CPU_MODE_MAXIMUM) {
        if (fill_text(&cpu->check, "none") < 0 ||
            (cpu->mode == CPU_MODE_HOST_PASSTHROUGH && domain_def_is_x86(def) &&
             fill_text(&cpu->migratable, "on") < 0))
            return -ENOMEM;
        free(TAKE_PTR(cpu->match));
        free(TAKE_PTR(cpu->model));
        free(TAKE_PTR(cpu->fallback));
        return 0;
    }
    if (cpu->mode == CPU_MODE_HOST_MODEL && strncmp(def->os.arch, "ppc64", 5) == 0) {
        /* a mode of older processors, which that model is */
        free(TAKE_PTR(cpu->match));
        if (cpu->model && fill_text(&cpu->fallback, "allow") < 0)
            return -ENOMEM;
    } else if (cpu->mode == CPU_MODE_HOST_MODEL) {
        free(TAKE_PTR(cpu->match));
        free(TAKE_PTR(cpu->model));
        free(TAKE_PTR(cpu->fallback));
    }
    if (cpu->mode == CPU_MODE_CUSTOM &&
        (fill_text(&cpu->match, "exact") < 0 || fill_text(&cpu->fallback, "allow") < 0))
        return -ENOMEM;
    return fill_text(&cpu->check, def->virt == DOMAIN_VIRT_KVM || cpu->mode == CPU_MODE_HOST_MODEL
                                      ? "partial"
                                      : "none");
}

static void fill_boot(DomainDef *def) {
    if (!def->os.n_boot && !domain_def_has_boot_order(def))
        def->os.boot[def->os.n_boot++] = BOOT_HD;
}

/* vCPUs of no cell are the first one's. */
static int fill_cells(DomainDef *def) {
    CLEANUP_BITMAP Bitmap *rest = bitmap_new_range(def->n_vcpus_max);
    bool any = false;

    if (!rest)
        return -ENOMEM;
    for (size_t i = 0; i < def->cpu.n_cells; i++) {
        const Bitmap *cpus = def->cpu.cells[i].cpus;

        any |= cpus != NULL;
        for (int id = cpus ? bitmap_next(cpus, 0) : -1; id >= 0; id = bitmap_next(cpus, id + 1))
            bitmap_clear(rest, (unsigned)id);
    }
    if (!any || !def->cpu.cells[0].cpus || bitmap_is_empty(rest))
        return 0;
    return bitmap_union(def->cpu.cells[0].cpus, rest);
}

/* Pages of certain cells, where there are no cells, are of the whole machine. */
static void fill_pages(DomainDef *def) {
    MemoryBackingDef *backing = &def->memory_backing;

    for (size_t i = 0; i < backing->n_pages && !def->cpu.n_cells; i++) {
        if (backing->pages[i].nodes && bitmap_last(backing->pages[i].nodes) > 0)
            continue; /* there is only one, and it is number 0 */
        bitmap_free(backing->pages[i].nodes);
        backing->pages[i].nodes = NULL;
    }
}

static int fill_features(DomainDef *def) {
    FeaturesDef *features = &def->features;

    /* The one with MSIs that is emulated; with KVM it is the host's. */
    if (machine_traits(def)->gic && def->virt == DOMAIN_VIRT_QEMU && !features->gic_version) {
        features->has_gic = true;
        if (fill_text(&features->gic_version, "2") < 0)
            return -ENOMEM;
    }
    if (def->features.has_hyperv)
        return fill_text(&def->features.hyperv.mode, "custom");
    return 0;
}

/* ---- buses and what they imply ---- */

static int need_controller(DomainDef *def, ControllerType type, const char *model) {
    if (domain_def_controller(def, type, 0))
        return 0;
    return domain_def_add_controller(def, type, 0, model) ? 0 : -ENOMEM;
}

static bool is_usb2(const ControllerDef *controller) {
    return controller->type == CONTROLLER_USB && controller->model &&
           strncmp(controller->model, "ich9-", 5) == 0;
}

/* The USB 2 controller just before this one, if this one is meant as its companion: there is none
 * of its model yet with that index. */
static const ControllerDef *find_master(const DomainDef *def, size_t at) {
    const ControllerDef *one = &def->controllers[at], *before = NULL;

    for (size_t i = at; is_usb2(one) && i-- > 0 && !before;)
        if (def->controllers[i].type == CONTROLLER_USB)
            before = &def->controllers[i];
    if (!before || !is_usb2(before))
        return NULL;
    for (size_t i = 0; i < def->n_controllers; i++)
        if (i != at && def->controllers[i].type == CONTROLLER_USB &&
            def->controllers[i].index == before->index &&
            streq_ptr(def->controllers[i].model, one->model))
            return NULL;
    return before;
}

/* A controller without an index has the lowest free one of its type. */
static void number_controllers(DomainDef *def) {
    for (size_t i = 0; i < def->n_controllers; i++) {
        ControllerDef *controller = &def->controllers[i];
        const ControllerDef *master;
        int index = 0;

        if (controller->index >= 0)
            continue;
        master = find_master(def, i);
        if (master) {
            controller->index = master->index;
            continue;
        }
        while (domain_def_controller(def, controller->type, index))
            index++;
        controller->index = index;
    }
}

static int fill_root(DomainDef *def, Error **reterr) {
    const MachineTraits *traits = machine_traits(def);
    const char *model = traits->pci_root;
    ControllerDef *root;

    if ((traits->usb && need_controller(def, CONTROLLER_USB, traits->usb) < 0) ||
        (traits->sata && need_controller(def, CONTROLLER_SATA, NULL) < 0) ||
        need_controller(def, CONTROLLER_PCI, model) < 0)
        return error_no_memory(reterr);
    root = domain_def_controller(def, CONTROLLER_PCI, 0);
    if (!root->model && !(root->model = strdup(model)))
        return error_no_memory(reterr);
    if (!streq(root->model, model))
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "The PCI controller with index='0' must be model='%s' for this machine "
                            "type, but model='%s' was found instead",
                            model, root->model);
    return 0;
}

static int fill_controllers(DomainDef *def, Error **reterr) {
    const MachineTraits *traits = machine_traits(def);
    int r = 0;

    domain_def_sort_controllers(def);
    number_controllers(def);
    if (traits->pci_root)
        r = fill_root(def, reterr);
    for (size_t i = 0; i < def->n_controllers && r >= 0; i++) {
        if (streq_ptr(def->controllers[i].model, "none"))
            def->controllers[i].info.address = (DeviceAddress){0};
        if (def->controllers[i].type == CONTROLLER_USB && traits->usb_default &&
            (!streq(traits->usb_default, "none") ||
             def->controllers[i].info.address.type == ADDRESS_NONE) &&
            fill_text(&def->controllers[i].model, traits->usb_default) < 0)
            r = error_no_memory(reterr);
    }
    return r;
}

static int fill_scsi(DomainDef *def) {
    const char *model = machine_traits(def)->scsi;
    int r = 0;

    for (size_t i = 0; i < def->n_controllers && r >= 0; i++)
        if (def->controllers[i].type == CONTROLLER_SCSI)
            r = fill_text(&def->controllers[i].model, model);
    return r;
}

/* <genid/>: a new one. */
static int fill_genid(DomainDef *def) {
    char text[UUID_TEXT_SIZE];
    uint8_t random[16];
    int r;

    if (!def->has_genid || (def->genid && *def->genid))
        return 0;
    r = uuid_make(random);
    if (r < 0)
        return r;
    uuid_format(random, text);
    free(TAKE_PTR(def->genid));
    return fill_text(&def->genid, text);
}

/* ---- order ---- */

/* libvirt's: a disk goes behind those of its bus with a lower target, or the same. */
static void sort_disks(DomainDef *def) {
    for (size_t i = 1; i < def->n_disks; i++) {
        DiskDef disk = def->disks[i];
        size_t to = i;
        int mine = disk_target_index(disk.target);

        for (size_t k = i; k-- > 0;) {
            if (def->disks[k].bus != disk.bus)
                continue;
            if (disk_target_index(def->disks[k].target) <= mine) {
                if (to == i)
                    to = k + 1;
                break;
            }
            to = k;
        }
        memmove(def->disks + to + 1, def->disks + to, (i - to) * sizeof(DiskDef));
        def->disks[to] = disk;
    }
}

static bool has_pins(const DomainDef *def) {
    bool any = def->cputune.emulator_pin != NULL;

    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        any |= def->vcpus[i].pin != NULL;
    for (size_t i = 0; i < def->n_iothreads; i++)
        any |= def->iothreads[i].pin != NULL;
    return any;
}

/* Who lets the CPUs be placed lets the memory be, and the other way round. */
static void fill_placement(DomainDef *def) {
    if (def->placement_auto && !def->numatune.given) {
        def->numatune.given = true;
        def->numatune.mode = NUMA_STRICT;
        def->numatune.automatic = true;
    }
    if (def->numatune.given && def->numatune.automatic && !def->cpuset && !has_pins(def))
        def->placement_auto = true;
}

static int fill_all(DomainDef *def, const DomainFillParams *params) {
    int r = fill_machine(def, params);

    if (r >= 0)
        r = fill_firmware(def, params);
    if (r >= 0)
        r = fill_cpu(def, params);
    if (r >= 0)
        r = fill_features(def);
    if (r >= 0)
        r = fill_cells(def);
    if (r >= 0)
        r = fill_genid(def);
    fill_boot(def);
    fill_pages(def);
    sort_disks(def);
    fill_placement(def);
    return r < 0 ? r : domain_fill_devices(def);
}

int domain_fill(DomainDef *def, const DomainFillParams *params, Error **reterr) {
    int r;

    if (fill_all(def, params) < 0)
        return error_no_memory(reterr);
    r = addresses_assign_hostdevs(def, reterr);
    if (r >= 0)
        r = fill_controllers(def, reterr);
    if (r >= 0)
        r = addresses_assign_others(def, reterr);
    if (r >= 0 && fill_scsi(def) < 0)
        r = error_no_memory(reterr);
    if (r >= 0)
        r = addresses_assign_system(def, reterr);
    if (r >= 0)
        r = addresses_assign_pci(def, reterr);
    domain_def_sort_controllers(def);
    return r;
}
