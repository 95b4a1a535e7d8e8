/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small devices: chardevs, displays, sound, inputs, and those of which there is
 * little to say. */
#include <arpa/inet.h>
#include <ctype.h>

#include "conf/addresses.h"
#include "conf/validate-rules.h"

#define VNC_PASSWORD_MAX 8u
#define VRAM_MIN 1024u /* KiB */

static bool has_graphics(const DomainDef *def, GraphicsType type) {
    for (size_t i = 0; i < def->n_graphics; i++)
        if (def->graphics[i].type == type)
            return true;
    return false;
}

/* ---- chardevs ---- */

/* The kind of bus that a serial line's type is of, and the words of its model. */
typedef struct SerialKind {
    const char *type;
    AddressType address;
    const char *models[3];
} SerialKind;

static const SerialKind serial_kinds[] = {
    {"isa-serial", ADDRESS_ISA, {"isa-serial"}},
    {"usb-serial", ADDRESS_USB, {"usb-serial"}},
    {"pci-serial", ADDRESS_PCI, {"pci-serial"}},
    {"spapr-vio-serial", ADDRESS_SPAPR_VIO, {"spapr-vty"}},
    {"system-serial", ADDRESS_NONE, {"pl011", "16550a"}},
    {"sclp-serial", ADDRESS_NONE, {"sclpconsole", "sclplmconsole"}},
    {"isa-debug", ADDRESS_ISA, {"isa-debugcon"}},
};

static const SerialKind *find_serial_kind(const char *type) {
    for (size_t i = 0; type && i < ARRAY_SIZE(serial_kinds); i++)
        if (streq(serial_kinds[i].type, type))
            return &serial_kinds[i];
    return NULL;
}

static bool is_model_of(const SerialKind *kind, const char *model) {
    for (size_t i = 0; i < ARRAY_SIZE(kind->models); i++)
        if (streq_ptr(kind->models[i], model))
            return true;
    return false;
}

static int check_serial(const ChardevDef *serial, Error **reterr) {
    const SerialKind *kind = find_serial_kind(serial->target_type);
    const ValidateRule rules[] = {
        {serial->target_type && !kind, ERROR_CONFIG_UNSUPPORTED,
         "unknown target type specified for character device"},
        {kind && serial->target_model && !is_model_of(kind, serial->target_model),
         ERROR_CONFIG_UNSUPPORTED, "the target model is not of the target type"},
        {kind && kind->address != ADDRESS_NONE &&
             serial->info.address.type != ADDRESS_VIRTIO_SERIAL &&
             !validate_address_is(&serial->info, kind->address),
         ERROR_CONFIG_UNSUPPORTED, "the address type is not that of the target type"},
    };

    return VALIDATE_RULES(rules, "serial", serial->target_type, reterr);
}

static const Words console_types = WORDS("serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp",
                                         "sclplm");

static int check_console(const DomainDef *def, const ChardevDef *console, bool first,
                         Error **reterr) {
    const char *type = console->target_type;
    const ValidateRule rules[] = {
        {type && words_find(&console_types, type) < 0, ERROR_CONFIG_UNSUPPORTED,
         "unknown target type specified for character device"},
        {streq_ptr(type, "uml") || streq_ptr(type, "xen") || streq_ptr(type, "lxc") ||
             streq_ptr(type, "openvz"),
         ERROR_CONFIG_UNSUPPORTED, "unsupported console target type: 'serial' or 'virtio' can be"},
        {type && strncmp(type, "sclp", 4) == 0 && !domain_def_is_s390(def),
         ERROR_CONFIG_UNSUPPORTED, "sclpconsole is not supported in this QEMU binary"},
        {!first && (!type || streq(type, "serial")), ERROR_CONFIG_UNSUPPORTED,
         "Only the first console can be a serial port: give this one <target type='virtio'/>"},
    };

    return VALIDATE_RULES(rules, "console", type, reterr);
}

/* Whatever it says: only who connects can. */
static bool reconnects(const ChardevSource *source) {
    return source->reconnect || (source->n_ends && source->ends[0].reconnect);
}

/* Who does not say so connects, to begin with. */
static bool listens(const ChardevSource *source) {
    return streq_ptr(source->mode, "bind") ||
           (source->n_ends && streq_ptr(source->ends[0].mode, "bind"));
}

/* Both become part of a longer word of QEMU's. */
static bool is_number(const char *text, unsigned long max) {
    return text && *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 10 &&
           strtoul(text, NULL, 10) <= max;
}

static bool is_ipv4(const char *text) {
    struct in_addr address;

    return text && inet_pton(AF_INET, text, &address) == 1;
}

static int check_chardev(const ChardevDef *chardev, Error **reterr) {
    const ChardevSource *source = &chardev->source;
    const bool forwards = streq_ptr(chardev->target_type, "guestfwd");
    const ValidateRule rules[] = {
        {source->type == CHARDEV_TCP && source->n_ends && !source->ends[0].host, ERROR_INTERNAL,
         "Missing source host attribute for char device"},
        {reconnects(source) && listens(source), ERROR_INTERNAL,
         "chardev reconnect is possible only for connect mode"},
        {forwards && !chardev->target_address, ERROR_XML,
         "guestfwd channel does not define a target address"},
        {forwards && !is_ipv4(chardev->target_address), ERROR_CONFIG_UNSUPPORTED,
         "guestfwd channel only supports IPv4 addresses"},
        {forwards && !chardev->target_port, ERROR_XML,
         "Missing required attribute 'port' in element 'target'"},
        {forwards && !is_number(chardev->target_port, UINT16_MAX), ERROR_XML,
         "Invalid value for attribute 'port' in element 'target': it is a port of TCP"},
    };

    return VALIDATE_RULES(rules, "character device", words_name(&chardev_types, source->type),
                          reterr);
}

int validate_chardevs(const DomainDef *def, Error **reterr) {
    bool first = true;
    int r = 0;

    for (size_t i = 0; i < def->n_chardevs && r >= 0; i++) {
        const ChardevDef *chardev = &def->chardevs[i];

        r = check_chardev(chardev, reterr);
        if (r >= 0 && chardev->kind == CHARDEV_SERIAL)
            r = check_serial(chardev, reterr);
        if (r >= 0 && chardev->kind == CHARDEV_CONSOLE) {
            r = check_console(def, chardev, first, reterr);
            first = false;
        }
    }
    return r;
}

/* ---- displays ---- */

/* "2026-11-26T12:00:00" */
static bool is_time(const char *text) {
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    size_t i = 0;

    for (; form[i] && text[i]; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    return !form[i] && !text[i];
}

static int check_graphics(const GraphicsDef *graphics, Error **reterr) {
    const ValidateRule rules[] = {
        {graphics->type == GRAPHICS_RDP || graphics->type == GRAPHICS_DESKTOP,
         ERROR_CONFIG_UNSUPPORTED, "graphics of this type are not supported with QEMU"},
        {graphics->type == GRAPHICS_VNC && graphics->passwd &&
             strlen(graphics->passwd) > VNC_PASSWORD_MAX,
         ERROR_CONFIG_UNSUPPORTED, "the VNC password is too long, only 8 characters are permitted"},
        {graphics->passwd_valid_to && !is_time(graphics->passwd_valid_to), ERROR_INTERNAL,
         "cannot parse password validity time, expect YYYY-MM-DDTHH:MM:SS"},
    };

    return VALIDATE_RULES(rules, "graphics", words_name(&graphics_types, graphics->type), reterr);
}

static int check_video(const VideoDef *video, Error **reterr) {
    const VideoModel model = video->model;
    const bool qxl = model == VIDEO_QXL, virtio = model == VIDEO_VIRTIO;
    const ValidateRule rules[] = {
        {model == VIDEO_XEN || model == VIDEO_VBOX || model == VIDEO_PARALLELS ||
             model == VIDEO_GOP,
         ERROR_CONFIG_UNSUPPORTED, "domain configuration does not support this video model"},
        {video->accel2d == TRISTATE_YES, ERROR_CONFIG_UNSUPPORTED,
         "qemu does not support the accel2d setting"},
        {video->accel3d == TRISTATE_YES && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "3d acceleration is supported only with 'virtio' video device"},
        {video->heads > 1 && !qxl && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "this video type doesn't support multiple 'heads'"},
        {video->vgamem & (video->vgamem - 1) && video->vgamem, ERROR_CONFIG_UNSUPPORTED,
         "value for 'vgamem' must be power of two"},
        {video->vram && video->vram < VRAM_MIN && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "value for 'vram' must be at least 1 MiB (1024 KiB)"},
    };

    return VALIDATE_RULES(rules, "video", words_name(&video_models, model), reterr);
}

int validate_displays(const DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < def->n_graphics && r >= 0; i++)
        r = check_graphics(&def->graphics[i], reterr);
    for (size_t i = 0; i < def->n_videos && r >= 0; i++)
        r = check_video(&def->videos[i], reterr);
    return r;
}

/* ---- sound ---- */

static size_t count_audios(const DomainDef *def, unsigned id) {
    size_t n = 0;

    for (size_t i = 0; i < def->n_audios; i++)
        n += def->audios[i].id == id;
    return n;
}

static bool is_fixed_unmixed(const AudioDirection *direction) {
    return direction->fixed_settings == TRISTATE_YES && direction->mixing_engine == TRISTATE_NO;
}

static int check_audio(const DomainDef *def, const AudioDef *audio, Error **reterr) {
    const ValidateRule rules[] = {
        {count_audios(def, audio->id) > 1, ERROR_XML, "an audio ID is used multiple times"},
        {is_fixed_unmixed(&audio->input) || is_fixed_unmixed(&audio->output),
         ERROR_CONFIG_UNSUPPORTED, "fixed audio settings requires mixing engine"},
        {audio->type == AUDIO_SPICE && !has_graphics(def, GRAPHICS_SPICE), ERROR_CONFIG_UNSUPPORTED,
         "Spice audio is not supported without spice graphics"},
    };

    return VALIDATE_RULES(rules, "audio", words_name(&audio_types, audio->type), reterr);
}

static int check_sounds(const DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < def->n_audios && r >= 0; i++)
        r = check_audio(def, &def->audios[i], reterr);
    for (size_t i = 0; i < def->n_sounds && r >= 0; i++) {
        const SoundDef *sound = &def->sounds[i];
        const ValidateRule rules[] = {
            {sound->audio && !count_audios(def, sound->audio), ERROR_XML,
             "no audio device with the ID of its <audio>"},
            {sound->model == SOUND_ICH7, ERROR_INTERNAL,
             "QEMU has no sound card of this model: 'ich6' or 'ich9' can be"},
        };

        r = VALIDATE_RULES(rules, "sound", words_name(&sound_models, sound->model), reterr);
    }
    return r;
}

/* ---- inputs ---- */

static bool is_transitional(const char *model) {
    return model && strlen(model) > strlen("virtio") && strncmp(model, "virtio-", 7) == 0;
}

static int check_input(const InputDef *input, Error **reterr) {
    const bool virtio = input->bus == INPUT_BUS_VIRTIO;
    const ValidateRule rules[] = {
        {input->bus == INPUT_BUS_PS2 && input->type == INPUT_TABLET, ERROR_INTERNAL,
         "ps2 bus does not support this input device"},
        {input->bus == INPUT_BUS_XEN || input->bus == INPUT_BUS_PARALLELS, ERROR_INTERNAL,
         "unsupported input bus: 'ps2', 'usb' or 'virtio' can be"},
        {input->type == INPUT_PASSTHROUGH && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "only bus 'virtio' is supported for 'passthrough' input devices"},
        {input->model && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "only bus 'virtio' is supported for an input model"},
        {is_transitional(input->model) && input->type != INPUT_PASSTHROUGH,
         ERROR_CONFIG_UNSUPPORTED,
         "virtio (non-)transitional models are not supported for this input"},
        {input->bus == INPUT_BUS_USB && input->info.address.type != ADDRESS_NONE &&
             input->info.address.type != ADDRESS_USB,
         ERROR_XML, "Invalid address for a USB device"},
    };

    return VALIDATE_RULES(rules, "input", words_name(&input_types, input->type), reterr);
}

/* ---- TPM, watchdog, panic ---- */

static int check_tpm(const DomainDef *def, const TpmDef *tpm, Error **reterr) {
    const bool old = streq_ptr(tpm->version, "1.2");
    uint8_t uuid[16];
    const ValidateRule rules[] = {
        {def->n_tpms > 1 && domain_def_is_x86(def), ERROR_CONFIG_UNSUPPORTED,
         "only a single TPM non-proxy device is supported"},
        {tpm->model && strncmp(tpm->model, "tpm-spapr", 9) == 0 && domain_def_is_x86(def),
         ERROR_CONFIG_UNSUPPORTED, "the QEMU executable does not support this TPM model"},
        {old && streq_ptr(tpm->model, "tpm-crb"), ERROR_CONFIG_UNSUPPORTED,
         "Unsupported interface 'tpm-crb' for TPM 1.2: 'tpm-tis' can be"},
        {tpm->has_encryption && tpm->secret && uuid_parse(tpm->secret, uuid) < 0, ERROR_INTERNAL,
         "Unable to parse secret uuid of <encryption>"},
        {old && tpm->has_banks, ERROR_XML, "<active_pcr_banks/> requires TPM version '2.0'"},
    };

    return VALIDATE_RULES(rules, "tpm", tpm->model, reterr);
}

static int check_watchdog(const DomainDef *def, const WatchdogDef *watchdog, Error **reterr) {
    const AddressType address = watchdog->info.address.type;
    const bool given = address != ADDRESS_NONE && address != ADDRESS_VIRTIO_SERIAL;
    const ValidateRule rules[] = {
        {streq_ptr(watchdog->model, "diag288") && !domain_def_is_s390(def),
         ERROR_CONFIG_UNSUPPORTED, "diag288 model of watchdog is allowed for s390 and s390x only"},
        {streq_ptr(watchdog->model, "i6300esb") && given && address != ADDRESS_PCI,
         ERROR_CONFIG_UNSUPPORTED, "i6300esb model of watchdog can go only on PCI bus"},
        {streq_ptr(watchdog->model, "ib700") && given && address != ADDRESS_ISA,
         ERROR_CONFIG_UNSUPPORTED, "ib700 model of watchdog can go only on ISA bus"},
    };

    return VALIDATE_RULES(rules, "watchdog", watchdog->model, reterr);
}

static bool has_same_panic(const DomainDef *def, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (streq_ptr(def->panics[i].model, def->panics[at].model))
            return true;
    return false;
}

static int check_panic(const DomainDef *def, size_t at, Error **reterr) {
    const PanicDef *panic = &def->panics[at];
    const AddressType address = panic->info.address.type;
    const ValidateRule rules[] = {
        {has_same_panic(def, at), ERROR_XML, "Multiple panic devices with the same model"},
        {streq_ptr(panic->model, "s390") && !domain_def_is_s390(def), ERROR_CONFIG_UNSUPPORTED,
         "only S390 guests support panic device of this model"},
        {streq_ptr(panic->model, "pseries") && domain_def_is_x86(def), ERROR_CONFIG_UNSUPPORTED,
         "only pSeries guests support panic device of this model"},
        {streq_ptr(panic->model, "hyperv") && address != ADDRESS_NONE, ERROR_CONFIG_UNSUPPORTED,
         "setting the panic device address is not supported for this model"},
        {streq_ptr(panic->model, "isa") && address != ADDRESS_NONE && address != ADDRESS_ISA &&
             address != ADDRESS_VIRTIO_SERIAL,
         ERROR_CONFIG_UNSUPPORTED, "panic is supported only with ISA address type"},
    };

    return VALIDATE_RULES(rules, "panic", panic->model, reterr);
}

static int check_guards(const DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < def->n_tpms && r >= 0; i++)
        r = check_tpm(def, &def->tpms[i], reterr);
    for (size_t i = 0; i < def->n_watchdogs && r >= 0; i++)
        r = check_watchdog(def, &def->watchdogs[i], reterr);
    for (size_t i = 0; i < def->n_panics && r >= 0; i++)
        r = check_panic(def, i, reterr);
    return r;
}

/* ---- filesystems, shared memory, IOMMU ---- */

static int check_filesystem(const FilesystemDef *filesystem, Error **reterr) {
    const ValidateRule rules[] = {
        {filesystem->type != FILESYSTEM_MOUNT, ERROR_CONFIG_UNSUPPORTED,
         "only supports mount filesystem type"},
        {streq_ptr(filesystem->driver, "handle") &&
             !streq_ptr(filesystem->accessmode, "passthrough"),
         ERROR_CONFIG_UNSUPPORTED, "only supports passthrough accessmode"},
        {streq_ptr(filesystem->driver, "virtiofs") && filesystem->wrpolicy &&
             !streq(filesystem->wrpolicy, "default"),
         ERROR_CONFIG_UNSUPPORTED, "virtiofs does not support wrpolicy"},
        {(filesystem->fmode || filesystem->dmode) && !streq_ptr(filesystem->accessmode, "mapped"),
         ERROR_CONFIG_UNSUPPORTED, "fmode and dmode must be used with accessmode=mapped"},
    };

    return VALIDATE_RULES(rules, "filesystem", filesystem->target, reterr);
}

static int check_shmem(const ShmemDef *shmem, Error **reterr) {
    const ValidateRule rules[] = {
        {streq_ptr(shmem->model, "ivshmem"), ERROR_CONFIG_UNSUPPORTED,
         "ivshmem device is not supported with this QEMU binary: give it <model "
         "type='ivshmem-plain'/>"},
        {streq_ptr(shmem->model, "ivshmem-doorbell") && !shmem->has_server,
         ERROR_CONFIG_UNSUPPORTED,
         "shmem model 'ivshmem-doorbell' is supported only with server option enabled"},
    };

    return VALIDATE_RULES(rules, "shmem", shmem->name, reterr);
}

static int check_iommu(const DomainDef *def, Error **reterr) {
    static const char *const models[] = {"intel", "smmuv3", "virtio"};
    const IommuDef *iommu = &def->iommu;
    const bool virtio = iommu->model == IOMMU_VIRTIO, x86 = domain_def_is_x86(def);
    const bool options = iommu->intremap || iommu->caching_mode || iommu->eim || iommu->iotlb ||
                         iommu->aw_bits;
    const ValidateRule rules[] = {
        {iommu->model == IOMMU_SMMUV3 && (x86 || !domain_def_is_virt(def)),
         ERROR_CONFIG_UNSUPPORTED,
         "IOMMU device: 'smmuv3' is only supported with ARM Virt machines"},
        {iommu->model != IOMMU_INTEL && options, ERROR_XML,
         "an IOMMU device of this model has no additional attributes: <driver> is for 'intel'"},
        {virtio && x86 && !domain_def_is_q35(def), ERROR_CONFIG_UNSUPPORTED,
         "IOMMU device: 'virtio' is only supported with Q35 and ARM Virt machines"},
        {virtio && !def->features.acpi, ERROR_CONFIG_UNSUPPORTED,
         "IOMMU device: 'virtio' requires ACPI: <acpi/> in <features>"},
    };

    return iommu->given ? VALIDATE_RULES(rules, "iommu", models[iommu->model], reterr) : 0;
}

static int check_others(const DomainDef *def, Error **reterr) {
    const ValidateRule balloon[] = {
        {def->memballoon && def->memballoon->model == MEMBALLOON_XEN, ERROR_INTERNAL,
         "QEMU has no memory balloon of model 'xen': 'virtio' can be"},
    };
    int r = VALIDATE_RULES(balloon, "memballoon", NULL, reterr);

    for (size_t i = 0; i < def->n_inputs && r >= 0; i++)
        r = check_input(&def->inputs[i], reterr);
    for (size_t i = 0; i < def->n_filesystems && r >= 0; i++)
        r = check_filesystem(&def->filesystems[i], reterr);
    for (size_t i = 0; i < def->n_shmems && r >= 0; i++)
        r = check_shmem(&def->shmems[i], reterr);
    for (size_t i = 0; i < def->n_redirdevs && r >= 0; i++) {
        const ValidateRule rules[] = {
            {!validate_address_is(&def->redirdevs[i].info, ADDRESS_USB), ERROR_XML,
             "Invalid address for a USB device"},
        };

        r = VALIDATE_RULES(rules, "redirdev", NULL, reterr);
    }
    for (size_t i = 0; i < def->n_smartcards && r >= 0; i++) {
        const AddressType address = def->smartcards[i].info.address.type;
        const ValidateRule rules[] = {
            {address != ADDRESS_NONE && address != ADDRESS_CCID && address != ADDRESS_VIRTIO_SERIAL,
             ERROR_CONFIG_UNSUPPORTED, "a smartcard must use the 'ccid' address type"},
            {i > 0, ERROR_CONFIG_UNSUPPORTED,
             "this QEMU binary lacks multiple smartcard support: give the machine one"},
        };

        r = VALIDATE_RULES(rules, "smartcard", NULL, reterr);
    }
    return r < 0 ? r : check_iommu(def, reterr);
}

int validate_devices(const DomainDef *def, Error **reterr) {
    static int (*const checks[])(const DomainDef *def,
                                 Error **reterr) = {check_sounds, check_guards, check_others};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(checks) && r >= 0; i++)
        r = checks[i](def, reterr);
    return r;
}
