/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Implied devices and defaults. */
#include "conf/domain-fill.h"

#include <stdio.h>

#include "conf/addresses.h"
#include "util/file.h"

static int set(char **to, const char *text) {
    if (*to)
        return 0;
    *to = strdup(text);
    return *to ? 0 : -ENOMEM;
}

/* ---- machine, firmware, CPU ---- */

static int fill_machine(DomainDef *def, const DomainFillParams *params) {
    if (params->machine && !streq_ptr(def->os.machine, params->machine)) {
        char *copy = strdup(params->machine);

        if (!copy)
            return -ENOMEM;
        free(def->os.machine);
        def->os.machine = copy;
    }
    if (params->emulator && set(&def->emulator, params->emulator) < 0)
        return -ENOMEM;
    return 0;
}

static int fill_firmware(DomainDef *def, const DomainFillParams *params) {
    OsDef *os = &def->os;

    if (os->loader && set(&os->loader_type, "rom") < 0)
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

static int fill_cpu(DomainDef *def, const DomainFillParams *params) {
    CpuDef *cpu = &def->cpu;

    if (cpu->mode == CPU_MODE_NONE) {
        if (!params->cpu_model || !domain_def_is_x86(def))
            return 0;
        cpu->mode = CPU_MODE_CUSTOM;
        if (set(&cpu->match, "exact") < 0 || set(&cpu->check, "none") < 0 ||
            set(&cpu->model, params->cpu_model) < 0 || set(&cpu->fallback, "forbid") < 0)
            return -ENOMEM;
        return 0;
    }
    if (cpu->mode == CPU_MODE_HOST_PASSTHROUGH || cpu->mode == CPU_MODE_MAXIMUM) {
        if (set(&cpu->check, "none") < 0 || set(&cpu->migratable, "on") < 0)
            return -ENOMEM;
        free(TAKE_PTR(cpu->match));
        free(TAKE_PTR(cpu->model));
        free(TAKE_PTR(cpu->fallback));
        return 0;
    }
    if (cpu->mode == CPU_MODE_HOST_MODEL) {
        free(TAKE_PTR(cpu->match));
        free(TAKE_PTR(cpu->model));
        free(TAKE_PTR(cpu->fallback));
    }
    if (cpu->mode == CPU_MODE_CUSTOM &&
        (set(&cpu->match, "exact") < 0 || set(&cpu->fallback, "allow") < 0))
        return -ENOMEM;
    return set(&cpu->check, def->virt == DOMAIN_VIRT_KVM || cpu->mode == CPU_MODE_HOST_MODEL
                                ? "partial"
                                : "none");
}

static bool has_boot_order(const DomainDef *def) {
    bool found = false;

    for (size_t i = 0; i < def->n_disks; i++)
        found |= def->disks[i].info.boot_order != 0;
    for (size_t i = 0; i < def->n_interfaces; i++)
        found |= def->interfaces[i].info.boot_order != 0;
    for (size_t i = 0; i < def->n_hostdevs; i++)
        found |= def->hostdevs[i].info.boot_order != 0;
    for (size_t i = 0; i < def->n_redirdevs; i++)
        found |= def->redirdevs[i].info.boot_order != 0;
    return found;
}

static void fill_boot(DomainDef *def) {
    if (!def->os.n_boot && !has_boot_order(def))
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

static int fill_features(DomainDef *def) {
    if (def->features.has_hyperv)
        return set(&def->features.hyperv.mode, "custom");
    return 0;
}

/* ---- buses and what they imply ---- */

static int need_controller(DomainDef *def, ControllerType type, const char *model) {
    if (domain_def_controller(def, type, 0))
        return 0;
    return domain_def_add_controller(def, type, 0, model) ? 0 : -ENOMEM;
}

static bool has_controller(const DomainDef *def, ControllerType type) {
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == type)
            return true;
    return false;
}

/* A controller without an index has the lowest free one of its type. */
static void number_controllers(DomainDef *def) {
    int last_usb = -1;

    for (size_t i = 0; i < def->n_controllers; i++) {
        ControllerDef *controller = &def->controllers[i];
        int index = 0;

        if (controller->type == CONTROLLER_USB && controller->index >= 0)
            last_usb = controller->index;
        if (controller->index >= 0)
            continue;
        if (last_usb >= 0 && controller->type == CONTROLLER_USB && controller->model &&
            strncmp(controller->model, "ich9-uhci", 9) == 0)
            index = last_usb; /* a companion */
        else
            while (domain_def_controller(def, controller->type, index))
                index++;
        controller->index = index;
        if (controller->type == CONTROLLER_USB)
            last_usb = index;
    }
}

static int fill_controllers(DomainDef *def) {
    int r = 0;

    number_controllers(def);
    if (domain_def_is_x86(def) && (domain_def_is_q35(def) || domain_def_is_i440fx(def))) {
        if (!has_controller(def, CONTROLLER_USB))
            r = need_controller(def, CONTROLLER_USB,
                                domain_def_is_q35(def) ? "qemu-xhci" : "piix3-uhci");
        if (r >= 0 && domain_def_is_q35(def))
            r = need_controller(def, CONTROLLER_SATA, NULL);
        if (r >= 0)
            r = need_controller(def, CONTROLLER_PCI,
                                domain_def_is_q35(def) ? "pcie-root" : "pci-root");
    }
    for (size_t i = 0; i < def->n_controllers; i++)
        if (streq_ptr(def->controllers[i].model, "none"))
            def->controllers[i].info.address = (DeviceAddress){0};
    for (size_t i = 0; i < def->n_controllers && r >= 0; i++)
        if (def->controllers[i].type == CONTROLLER_USB && domain_def_is_x86(def))
            r = set(&def->controllers[i].model, "piix3-uhci");
    return r;
}

static int fill_scsi(DomainDef *def) {
    int r = 0;

    for (size_t i = 0; i < def->n_controllers && r >= 0; i++)
        if (def->controllers[i].type == CONTROLLER_SCSI && domain_def_is_x86(def))
            r = set(&def->controllers[i].model, "lsilogic");
    return r;
}

/* ---- devices ---- */

static int fill_memballoon(DomainDef *def) {
    if (!def->memballoon)
        def->memballoon = calloc(1, sizeof(MemballoonDef));
    return def->memballoon ? 0 : -ENOMEM;
}

static bool has_input(const DomainDef *def, InputType type) {
    for (size_t i = 0; i < def->n_inputs; i++)
        if (def->inputs[i].type == type && def->inputs[i].bus == INPUT_BUS_PS2)
            return true;
    return false;
}

static int add_input(DomainDef *def, InputType type) {
    InputDef *input = has_input(def, type)
                          ? def->inputs
                          : array_append(&def->inputs, &def->n_inputs, sizeof(InputDef));

    if (!input)
        return -ENOMEM;
    if (!has_input(def, type))
        *input = (InputDef){.type = type, .bus = INPUT_BUS_PS2};
    return 0;
}

/* An x86 machine has a keyboard and a mouse whether one wants them or not. */
static int fill_inputs(DomainDef *def) {
    for (size_t i = 0; i < def->n_inputs; i++) {
        InputDef *input = &def->inputs[i];

        if (input->bus == INPUT_BUS_NONE_ && input->type != INPUT_EVDEV)
            input->bus = input->type == INPUT_PASSTHROUGH                         ? INPUT_BUS_VIRTIO
                         : input->type == INPUT_TABLET || !domain_def_is_x86(def) ? INPUT_BUS_USB
                                                                                  : INPUT_BUS_PS2;
    }
    if (!domain_def_is_x86(def))
        return 0;
    return add_input(def, INPUT_MOUSE) < 0 ? -ENOMEM : add_input(def, INPUT_KEYBOARD);
}

static int fill_audio(DomainDef *def) {
    AudioType type = AUDIO_NONE;
    AudioDef *audio;

    if (def->n_audios || !domain_def_is_x86(def))
        return 0;
    for (size_t i = 0; i < def->n_graphics && type == AUDIO_NONE; i++) {
        GraphicsType graphics = def->graphics[i].type;

        type = graphics == GRAPHICS_SPICE  ? AUDIO_SPICE
               : graphics == GRAPHICS_SDL  ? AUDIO_SDL
               : graphics == GRAPHICS_DBUS ? AUDIO_DBUS
                                           : AUDIO_NONE;
    }
    audio = array_append(&def->audios, &def->n_audios, sizeof(AudioDef));
    if (!audio)
        return -ENOMEM;
    *audio = (AudioDef){.id = 1, .type = type, .automatic = true};
    return 0;
}

static uint64_t power_of_two(uint64_t value) {
    uint64_t up = 1;

    while (up < value)
        up *= 2;
    return value ? up : 0;
}

static void fill_video(VideoDef *video) {
    if (video->model == VIDEO_NONE) {
        *video = (VideoDef){.model = VIDEO_NONE, .info = video->info};
        return;
    }
    if (!video->heads)
        video->heads = 1;
    video->ram = power_of_two(video->ram);
    video->vram = power_of_two(video->vram);
    video->vgamem = power_of_two(video->vgamem);
    switch (video->model) {
    case VIDEO_QXL:
        if (!video->ram)
            video->ram = 65536;
        if (!video->vram)
            video->vram = 65536;
        if (!video->vgamem)
            video->vgamem = 16384;
        break;
    case VIDEO_VGA:
    case VIDEO_CIRRUS:
    case VIDEO_VMVGA:
    case VIDEO_BOCHS:
        if (!video->vram)
            video->vram = 16384;
        break;
    default:
        break;
    }
}

/* Of several the one that says so is the first; else the first is. */
static int fill_videos(DomainDef *def) {
    bool screen = false;
    size_t primary = 0;

    for (size_t i = 0; i < def->n_graphics; i++)
        screen |= def->graphics[i].type != GRAPHICS_EGL_HEADLESS;
    if (!def->n_videos && screen && domain_def_is_x86(def)) {
        VideoDef *video = array_append(&def->videos, &def->n_videos, sizeof(VideoDef));

        if (!video)
            return -ENOMEM;
        video->model = VIDEO_CIRRUS;
    }
    for (size_t i = 0; i < def->n_videos; i++) {
        if (def->videos[i].model == VIDEO_DEFAULT && domain_def_is_x86(def))
            def->videos[i].model = VIDEO_CIRRUS;
        fill_video(&def->videos[i]);
        if (def->videos[i].primary)
            primary = i;
    }
    for (size_t i = 0; i < def->n_videos; i++)
        def->videos[i].primary = i == primary && def->videos[i].model != VIDEO_NONE;
    if (primary) {
        VideoDef first = def->videos[primary];

        memmove(def->videos + 1, def->videos, primary * sizeof(VideoDef));
        def->videos[0] = first;
    }
    return 0;
}

static int fill_disks(DomainDef *def) {
    for (size_t i = 0; i < def->n_disks; i++) {
        DiskDef *disk = &def->disks[i];

        if (!disk->source.path && disk->source.type == DISK_BLOCK) /* an empty drive */
            disk->source.type = DISK_FILE;
        if (disk->source.format == DISK_FORMAT_NONE_ && disk->source.type != DISK_VHOSTUSER)
            disk->source.format = DISK_FORMAT_RAW;
    }
    return 0;
}

static int fill_interfaces(DomainDef *def) {
    const char *model = domain_def_is_x86(def) ? "rtl8139" : "virtio";

    for (size_t i = 0; i < def->n_interfaces; i++)
        if (def->interfaces[i].type != INTERFACE_HOSTDEV &&
            set(&def->interfaces[i].model, model) < 0)
            return -ENOMEM;
    return 0;
}

/* The kind of serial port a machine has. */
static int fill_serials(DomainDef *def) {
    static const char *const rows[][2] = {
        {"isa-serial", "isa-serial"}, {"pci-serial", "pci-serial"},
        {"usb-serial", "usb-serial"}, {"spapr-vio-serial", "spapr-vty"},
        {"system-serial", "pl011"},   {"sclp-serial", "sclpconsole"}};
    const char *type = domain_def_is_x86(def)                 ? "isa-serial"
                       : domain_def_is_s390(def)              ? "sclp-serial"
                       : strncmp(def->os.arch, "ppc", 3) == 0 ? "spapr-vio-serial"
                                                              : "system-serial";

    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef *chardev = &def->chardevs[i];

        if (chardev->kind != CHARDEV_SERIAL)
            continue;
        if (set(&chardev->target_type, type) < 0)
            return -ENOMEM;
        for (size_t k = 0; k < ARRAY_SIZE(rows) && !chardev->target_model; k++)
            if (streq(chardev->target_type, rows[k][0]) &&
                set(&chardev->target_model, rows[k][1]) < 0)
                return -ENOMEM;
    }
    return 0;
}

static ChardevDef *find_chardev(DomainDef *def, ChardevKind kind) {
    for (size_t i = 0; i < def->n_chardevs; i++)
        if (def->chardevs[i].kind == kind)
            return &def->chardevs[i];
    return NULL;
}

/* A serial has a console that is the same device; a console of target serial without a serial makes
 * one. */
static int fill_console(DomainDef *def) {
    ChardevDef *serial = find_chardev(def, CHARDEV_SERIAL);
    ChardevDef *console = find_chardev(def, CHARDEV_CONSOLE), *added;

    if (!domain_def_is_x86(def) || (!serial && !console))
        return 0;
    if (!serial) {
        if (console->target_type && !streq(console->target_type, "serial"))
            return 0;
        added = array_append(&def->chardevs, &def->n_chardevs, sizeof(ChardevDef));
        console = find_chardev(def, CHARDEV_CONSOLE);
        if (!added)
            return -ENOMEM;
        *added = (ChardevDef){.kind = CHARDEV_SERIAL, .has_port = true, .source = console->source};
        console->source = (ChardevSource){.type = added->source.type};
        console->is_serial_alias = true;
        return 0;
    }
    if (console)
        return 0;
    added = array_append(&def->chardevs, &def->n_chardevs, sizeof(ChardevDef));
    if (!added)
        return -ENOMEM;
    *added = (ChardevDef){.kind = CHARDEV_CONSOLE,
                          .has_port = true,
                          .is_serial_alias = true,
                          .source = {.type = find_chardev(def, CHARDEV_SERIAL)->source.type}};
    return 0;
}

/* The path that libvirt makes for a channel is of one run. */
static void drop_channel_paths(DomainDef *def) {
    static const char made[] = "/var/lib/libvirt/qemu/channel/target/";

    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevSource *source = &def->chardevs[i].source;

        if (def->chardevs[i].kind == CHARDEV_CHANNEL && source->path &&
            strncmp(source->path, made, strlen(made)) == 0) {
            free(TAKE_PTR(source->path));
            free(TAKE_PTR(source->mode));
        }
    }
}

static int fill_small(DomainDef *def) {
    for (size_t i = 0; i < def->n_tpms; i++) {
        TpmDef *tpm = &def->tpms[i];

        if (set(&tpm->model, domain_def_is_x86(def) ? "tpm-tis" : "tpm-spapr") < 0 ||
            (tpm->type == TPM_EMULATOR && set(&tpm->version, "2.0") < 0))
            return -ENOMEM;
    }
    for (size_t i = 0; i < def->n_panics; i++)
        if (set(&def->panics[i].model, domain_def_is_s390(def)  ? "s390"
                                       : domain_def_is_x86(def) ? "isa"
                                                                : "pseries") < 0)
            return -ENOMEM;
    return 0;
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
    return set(&def->genid, text);
}

/* ---- order ---- */

/* libvirt's: a disk goes behind those of its bus with a lower target. */
static void sort_disks(DomainDef *def) {
    for (size_t i = 1; i < def->n_disks; i++) {
        DiskDef disk = def->disks[i];
        size_t to = i;
        int mine = disk_target_index(disk.target);

        for (size_t k = i; k-- > 0;) {
            if (def->disks[k].bus != disk.bus)
                continue;
            if (disk_target_index(def->disks[k].target) < mine) {
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
    sort_disks(def);
    drop_channel_paths(def);
    if (r >= 0)
        r = fill_controllers(def);
    if (r >= 0)
        r = fill_disks(def);
    if (r >= 0)
        r = fill_interfaces(def);
    if (r >= 0)
        r = fill_console(def);
    if (r >= 0)
        r = fill_serials(def);
    if (r >= 0)
        r = fill_inputs(def);
    if (r >= 0)
        r = fill_audio(def);
    if (r >= 0)
        r = fill_videos(def);
    if (r >= 0)
        r = fill_small(def);
    return r < 0 ? r : fill_memballoon(def);
}

int domain_fill(DomainDef *def, const DomainFillParams *params, Error **reterr) {
    int r;

    if (fill_all(def, params) < 0)
        return error_no_memory(reterr);
    r = addresses_assign_others(def, reterr);
    if (r >= 0 && fill_scsi(def) < 0)
        r = error_no_memory(reterr);
    return r < 0 || domain_def_is_s390(def) ? r : addresses_assign_pci(def, reterr);
}
