/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defaults of devices, and the devices that nobody wrote. */
#include "conf/domain-fill-internal.h"

#include "conf/machine.h"
#include "util/file.h"

int fill_text(char **to, const char *text) {
    if (*to)
        return 0;
    *to = strdup(text);
    return *to ? 0 : -ENOMEM;
}

static int fill_memballoon(DomainDef *def) {
    if (!machine_traits(def)->memballoon)
        return 0;
    if (!def->memballoon)
        def->memballoon = calloc(1, sizeof(MemballoonDef));
    return def->memballoon ? 0 : -ENOMEM;
}

static int need_input(DomainDef *def, InputType type, InputBus bus) {
    InputDef *input;

    for (size_t i = 0; i < def->n_inputs; i++)
        if (def->inputs[i].type == type && def->inputs[i].bus == bus)
            return 0;
    input = array_append(&def->inputs, &def->n_inputs, sizeof(InputDef));
    if (!input)
        return -ENOMEM;
    *input = (InputDef){.type = type, .bus = bus};
    return 0;
}

/* An x86 machine has a keyboard and a mouse whether one wants them or not. */
static int fill_inputs(DomainDef *def) {
    const MachineTraits *traits = machine_traits(def);
    int r = 0;

    for (size_t i = 0; i < def->n_inputs; i++) {
        InputDef *input = &def->inputs[i];

        if (input->bus == INPUT_BUS_NONE_ && input->type != INPUT_EVDEV)
            input->bus = input->type == INPUT_PASSTHROUGH ? INPUT_BUS_VIRTIO
                         : input->type == INPUT_TABLET && traits->input == INPUT_BUS_PS2
                             ? INPUT_BUS_USB
                             : traits->input;
    }
    if (traits->ps2_inputs) {
        r = need_input(def, INPUT_MOUSE, INPUT_BUS_PS2);
        return r < 0 ? r : need_input(def, INPUT_KEYBOARD, INPUT_BUS_PS2);
    }
    if (traits->usb_inputs && def->n_graphics) {
        bool tablet = false; /* which is a mouse, too */

        for (size_t i = 0; i < def->n_inputs; i++)
            tablet |= def->inputs[i].type == INPUT_TABLET && def->inputs[i].bus == INPUT_BUS_USB;
        r = need_input(def, INPUT_KEYBOARD, INPUT_BUS_USB);
        return r < 0 || tablet ? r : need_input(def, INPUT_MOUSE, INPUT_BUS_USB);
    }
    return 0;
}

/* The last of the displays decides; SDL and D-Bus bring their own. */
static int fill_audio(DomainDef *def) {
    AudioType type = AUDIO_NONE;
    bool wanted = def->n_graphics == 0;
    AudioDef *audio;

    if (def->n_audios)
        return 0;
    for (size_t i = 0; i < def->n_graphics; i++) {
        GraphicsType graphics = def->graphics[i].type;

        if (graphics != GRAPHICS_SPICE && graphics != GRAPHICS_VNC)
            continue;
        type = graphics == GRAPHICS_SPICE ? AUDIO_SPICE : AUDIO_NONE;
        wanted = true;
    }
    if (!wanted)
        return 0;
    audio = array_append(&def->audios, &def->n_audios, sizeof(AudioDef));
    if (!audio)
        return -ENOMEM;
    *audio = (AudioDef){.id = 1, .type = type, .automatic = true};
    return 0;
}

/* A spice display without any port is for those who get its socket from us. */
static void fill_graphics(DomainDef *def) {
    for (size_t i = 0; i < def->n_graphics; i++) {
        GraphicsDef *graphics = &def->graphics[i];
        GraphicsListen *first = graphics->n_listens ? graphics->listens : NULL;

        if (graphics->type == GRAPHICS_SPICE && graphics->autoport != TRISTATE_YES &&
            !graphics->port && !graphics->tls_port && first && first->type == LISTEN_ADDRESS) {
            free(TAKE_PTR(first->address));
            first->type = LISTEN_NONE;
        }
    }
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
    size_t primary = 0;

    if (!def->n_videos && def->n_graphics) {
        VideoDef *video = array_append(&def->videos, &def->n_videos, sizeof(VideoDef));

        if (!video)
            return -ENOMEM;
        video->model = VIDEO_DEFAULT;
    }
    for (size_t i = 0; i < def->n_videos; i++) {
        if (def->videos[i].model == VIDEO_DEFAULT)
            def->videos[i].model = machine_traits(def)->video;
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

/* Where a server of the protocol listens, if the definition does not say. */
static int fill_ports(StorageSource *source) {
    static const char *const rows[][2] = {{"ssh", "22"},        {"http", "80"},   {"https", "443"},
                                          {"ftp", "21"},        {"ftps", "990"},  {"tftp", "69"},
                                          {"sheepdog", "7000"}, {"nbd", "10809"}, {"iscsi", "3260"},
                                          {"gluster", "24007"}, {"vxhs", "9999"}};

    for (size_t i = 0; source->protocol && i < ARRAY_SIZE(rows); i++)
        for (size_t k = 0; streq(source->protocol, rows[i][0]) && k < source->n_hosts; k++) {
            StorageHost *host = &source->hosts[k];

            if ((!host->transport || streq(host->transport, "tcp")) &&
                fill_text(&host->port, rows[i][1]))
                return -ENOMEM;
        }
    return 0;
}

/* An iSCSI target without a unit is its first one. */
static int fill_unit(char **target) {
    char *with_unit;

    if (!*target || strchr(*target, '/'))
        return 0;
    with_unit = strf("%s/0", *target);
    if (!with_unit)
        return -ENOMEM;
    free(*target);
    *target = with_unit;
    return 0;
}

static bool is_empty(const StorageSource *source) {
    switch (source->type) {
    case DISK_BLOCK:
        return !source->path;
    case DISK_NETWORK:
        return !source->protocol;
    case DISK_VOLUME:
        return !source->pool;
    default:
        return false;
    }
}

static int fill_disks(DomainDef *def) {
    for (size_t i = 0; i < def->n_disks; i++) {
        DiskDef *disk = &def->disks[i];

        if (is_empty(&disk->source)) /* an empty drive */
            disk->source.type = DISK_FILE;
        if (disk->source.format == DISK_FORMAT_NONE_ && disk->source.type != DISK_VOLUME)
            disk->source.format = DISK_FORMAT_RAW;
        if (fill_ports(&disk->source) < 0 ||
            (streq_ptr(disk->source.protocol, "iscsi") && fill_unit(&disk->source.path) < 0))
            return -ENOMEM;
    }
    return 0;
}

static int fill_interfaces(DomainDef *def) {
    for (size_t i = 0; i < def->n_interfaces; i++) {
        InterfaceDef *interface = &def->interfaces[i];
        const char *model = interface->type == INTERFACE_VDPA ? "virtio"
                                                              : machine_traits(def)->card;

        if (interface->queues == 1) /* as many as without the word */
            interface->queues = 0;
        if (interface->type != INTERFACE_HOSTDEV && fill_text(&interface->model, model) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int fill_hostdevs(DomainDef *def) {
    for (size_t i = 0; i < def->n_hostdevs; i++) {
        HostdevDef *hostdev = &def->hostdevs[i];

        if (hostdev->type == HOSTDEV_SCSI && streq_ptr(hostdev->protocol, "iscsi") &&
            fill_unit(&hostdev->name) < 0)
            return -ENOMEM;
    }
    return 0;
}

#define POWER_ALIGN (UINT64_C(256) << 10) /* KiB: memory comes in such pieces there */

/* A module's size as the guest sees it; that of a file is rounded down, for it ends there. */
static int fill_memories(DomainDef *def) {
    for (size_t i = 0; i < def->n_memories && strncmp(def->os.arch, "ppc64", 5) == 0; i++) {
        MemoryDef *memory = &def->memories[i];
        uint64_t label = memory->model == MEMORY_NVDIMM ? memory->label_size : 0;

        uint64_t given = memory->size;

        if (given < label)
            continue;
        memory->size -= label;
        if (memory->model != MEMORY_NVDIMM)
            memory->size += POWER_ALIGN - 1;
        memory->size = memory->size / POWER_ALIGN * POWER_ALIGN + label;
        if (def->cpu.n_cells) /* the whole is their sum */
            def->memory_kib += memory->size - given;
    }
    return 0;
}

#define SHMEM_SIZE (UINT64_C(4) << 20) /* bytes: QEMU's own default */

static int fill_shmems(DomainDef *def) {
    for (size_t i = 0; i < def->n_shmems; i++) {
        ShmemDef *shmem = &def->shmems[i];

        if (!streq(shmem->model, "ivshmem-doorbell") && !shmem->size)
            shmem->size = SHMEM_SIZE;
        if (shmem->has_server && !streq(shmem->model, "ivshmem")) {
            shmem->has_msi = true;
            if (shmem->ioeventfd == TRISTATE_ABSENT)
                shmem->ioeventfd = TRISTATE_YES;
        }
    }
    return 0;
}

/* The kind of serial port a machine has. */
static int fill_serials(DomainDef *def) {
    static const char *const rows[][2] = {
        {"isa-serial", "isa-serial"},   {"pci-serial", "pci-serial"},
        {"usb-serial", "usb-serial"},   {"spapr-vio-serial", "spapr-vty"},
        {"sclp-serial", "sclpconsole"}, {"isa-debug", "isa-debugcon"}};
    const MachineTraits *traits = machine_traits(def);

    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef *chardev = &def->chardevs[i];

        if (chardev->kind != CHARDEV_SERIAL)
            continue;
        if (traits->serial && streq_ptr(chardev->target_type, "isa-serial") &&
            !streq(traits->serial, "isa-serial")) { /* an old definition's word for the default */
            free(TAKE_PTR(chardev->target_type));
            free(TAKE_PTR(chardev->target_model));
        }
        if (traits->serial && fill_text(&chardev->target_type, traits->serial) < 0)
            return -ENOMEM;
        if (streq_ptr(chardev->target_type, "system-serial") && traits->uart &&
            fill_text(&chardev->target_model, traits->uart) < 0)
            return -ENOMEM;
        for (size_t k = 0; k < ARRAY_SIZE(rows) && !chardev->target_model; k++)
            if (streq_ptr(chardev->target_type, rows[k][0]) &&
                fill_text(&chardev->target_model, rows[k][1]) < 0)
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

/* Puts it before what is there, so that it is the first of its kind. */
static int add_first_chardev(DomainDef *def, ChardevDef chardev) {
    if (!array_append(&def->chardevs, &def->n_chardevs, sizeof(ChardevDef)))
        return -ENOMEM;
    memmove(def->chardevs + 1, def->chardevs, (def->n_chardevs - 1) * sizeof(ChardevDef));
    def->chardevs[0] = chardev;
    return 0;
}

/* Of the ports on ISA, or of the machine itself, the first is the console. */
static bool is_console_port(const ChardevDef *serial) {
    static const char *const others[] = {"pci-serial", "usb-serial", "isa-debug"};

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (streq_ptr(serial->target_type, others[i]))
            return false;
    return true;
}

/* A serial has a console that is the same device; a console of target serial without a serial makes
 * one. */
static int fill_console(DomainDef *def) {
    const ChardevDef *serial = find_chardev(def, CHARDEV_SERIAL);
    ChardevDef *console = find_chardev(def, CHARDEV_CONSOLE);
    bool mirrors = console && (!console->target_type || streq(console->target_type, "serial"));

    if (!serial && mirrors) {
        ChardevDef added = {.kind = CHARDEV_SERIAL, .has_port = true, .source = console->source};

        console->source = (ChardevSource){.type = added.source.type};
        console->is_serial_alias = true;
        return add_first_chardev(def, added);
    }
    if (!serial || mirrors || !is_console_port(serial))
        return 0;
    return add_first_chardev(def, (ChardevDef){.kind = CHARDEV_CONSOLE,
                                               .has_port = true,
                                               .port = serial->port,
                                               .is_serial_alias = true,
                                               .source = {.type = serial->source.type}});
}

/* DIRECTORY/domain-NAME/TARGET, or in libvirt's own directory: what libvirt makes is of one run. */
static bool is_made_path(const ChardevDef *channel) {
    static const char made[] = "/var/lib/libvirt/qemu/channel/target/", directory[] = "/domain-";
    const char *path = channel->source.path, *file = path ? strrchr(path, '/') : NULL;
    const char *parent = file;

    if (file && strncmp(path, made, strlen(made)) == 0)
        return true;
    if (!file || streq_ptr(channel->source.mode, "connect"))
        return false;
    while (parent > path && *--parent != '/')
        ;
    return strncmp(parent, directory, strlen(directory)) == 0 &&
           streq_ptr(channel->target_name, file + 1);
}

static void drop_channel_paths(DomainDef *def) {
    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevSource *source = &def->chardevs[i].source;

        if (def->chardevs[i].kind == CHARDEV_CHANNEL && is_made_path(&def->chardevs[i])) {
            free(TAKE_PTR(source->path));
            free(TAKE_PTR(source->mode));
        }
    }
}

static bool is_panic_of(const PanicDef *panic, const MachineTraits *traits) {
    return !panic->model || streq(panic->model, traits->panic);
}

static int fill_panics(DomainDef *def) {
    const MachineTraits *traits = machine_traits(def);
    bool any = !traits->has_panic; /* the machine has it anyhow */

    for (size_t i = 0; i < def->n_panics; i++) {
        any |= is_panic_of(&def->panics[i], traits);
        if (fill_text(&def->panics[i].model, traits->panic) < 0)
            return -ENOMEM;
    }
    if (any)
        return 0;
    if (!array_append(&def->panics, &def->n_panics, sizeof(PanicDef)))
        return -ENOMEM;
    def->panics[def->n_panics - 1] = (PanicDef){.model = strdup(traits->panic)};
    return def->panics[def->n_panics - 1].model ? 0 : -ENOMEM;
}

static int fill_tpms(DomainDef *def) {
    const MachineTraits *traits = machine_traits(def);

    for (size_t i = 0; i < def->n_tpms; i++) {
        TpmDef *tpm = &def->tpms[i];

        if (fill_text(&tpm->model, traits->tpm) < 0 ||
            (tpm->type == TPM_EMULATOR &&
             fill_text(&tpm->version,
                       streq(tpm->model, "tpm-tis") && traits->ps2_inputs ? "1.2" : "2.0") < 0) ||
            (tpm->type == TPM_PASSTHROUGH && fill_text(&tpm->device, "/dev/tpm0") < 0))
            return -ENOMEM;
    }
    return 0;
}

int domain_fill_devices(DomainDef *def) {
    static int (*const fills[])(DomainDef *) = {
        fill_disks,   fill_interfaces, fill_hostdevs,  fill_shmems, fill_memories,
        fill_console, fill_serials,    fill_inputs,    fill_audio,  fill_videos,
        fill_tpms,    fill_panics,     fill_memballoon};
    int r = 0;

    drop_channel_paths(def);
    fill_graphics(def);
    for (size_t i = 0; i < ARRAY_SIZE(fills) && r >= 0; i++)
        r = fills[i](def);
    return r;
}
