/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <domainCapabilities>: what a domain may have with one emulator and machine, as libvirt's XML. A
 * device is there when QEMU has one of the types behind it. */
#include <stdio.h>
#include <sys/utsname.h>

#include "qemu/capabilities.h"
#include "qemu/cpu-models.h"
#include "qemu/firmware.h"
#include "util/text.h"
#include "util/worker.h"

#define VALUES_MAX 14

/* A word of an enum, and the type or the display that QEMU must have for it; both NULL: none. */
typedef struct Value {
    const char *word, *type, *display;
} Value;

static void file_closep(FILE **file) {
    if (*file)
        fclose(*file);
}

static bool has(const QemuCaps *caps, const Value *value) {
    return (!value->type || qemu_caps_has_type(caps, value->type)) &&
           (!value->display || qemu_caps_has_display(caps, value->display));
}

static void write_enum(FILE *out, unsigned indent, const QemuCaps *caps, const char *name,
                       const Value *values) {
    fprintf(out, "%*s<enum name='%s'>\n", indent, "", name);
    for (const Value *value = values; value->word; value++)
        if (has(caps, value))
            fprintf(out, "%*s<value>%s</value>\n", indent + 2, "", value->word);
    fprintf(out, "%*s</enum>\n", indent, "");
}

/* ---- os ---- */

typedef struct Listing {
    const QemuCaps *caps;
    const QemuMachine *machine;
    FirmwareList list;
} Listing;

static void listing_done(Listing *listing) {
    firmware_list_done(&listing->list);
}

static int run_list(void *arg) {
    Listing *listing = arg;

    return firmware_list(firmware_directories, listing->caps->arch, listing->machine->name,
                         &listing->list);
}

static void write_word(FILE *out, bool has, const char *word) {
    if (has)
        fprintf(out, "      <value>%s</value>\n", word);
}

static void write_os(FILE *out, const QemuCaps *caps, const FirmwareList *firmware) {
    fputs("  <os supported='yes'>\n    <enum name='firmware'>\n", out);
    write_word(out, firmware->bios, "bios");
    write_word(out, firmware->uefi, "efi");
    fputs("    </enum>\n    <loader supported='yes'>\n", out);
    for (size_t i = 0; i < firmware->n_flash; i++)
        write_word(out, !strpbrk(firmware->flash[i], "<&"), firmware->flash[i]);
    write_enum(out, 6, caps, "type", (const Value[]){{"rom"}, {"pflash"}, {0}});
    write_enum(out, 6, caps, "readonly", (const Value[]){{"yes"}, {"no"}, {0}});
    write_enum(out, 6, caps, "secure",
               firmware->secure_boot ? (const Value[]){{"yes"}, {"no"}, {0}}
                                     : (const Value[]){{"no"}, {0}});
    fputs("    </loader>\n  </os>\n", out);
}

/* ---- cpu ---- */

static void write_cpu(FILE *out, const QemuCaps *caps, bool kvm) {
    const Value migratable[] = {{"on"}, {"off"}, {0}};

    fputs("  <cpu>\n", out);
    if (kvm) {
        fputs("    <mode name='host-passthrough' supported='yes'>\n", out);
        write_enum(out, 6, caps, "hostPassthroughMigratable", migratable);
        fputs("    </mode>\n", out);
    } else {
        fputs("    <mode name='host-passthrough' supported='no'/>\n", out);
    }
    fputs("    <mode name='maximum' supported='yes'>\n", out);
    write_enum(out, 6, caps, "maximumMigratable", migratable);
    fputs("    </mode>\n    <mode name='host-model' supported='yes'/>\n"
          "    <mode name='custom' supported='yes'>\n",
          out);
    for (size_t i = 0; i < caps->n_cpu_models; i++)
        fprintf(out, "      <model usable='unknown' vendor='%s'>%s</model>\n",
                cpu_model_vendor(caps->cpu_models[i]), caps->cpu_models[i]);
    fputs("    </mode>\n  </cpu>\n", out);
}

/* ---- devices ---- */

typedef struct DeviceEnum {
    const char *name;
    Value values[VALUES_MAX];
} DeviceEnum;

typedef struct DeviceCaps {
    const char *element;
    DeviceEnum enums[5];
} DeviceCaps;

static const DeviceCaps devices[] = {
    {"disk",
     {{"diskDevice", {{"disk"}, {"cdrom"}, {"floppy", "floppy"}, {"lun", "scsi-block"}}},
      {"bus",
       {{"fdc", "floppy"},
        {"ide", "ide-hd"},
        {"scsi", "scsi-hd"},
        {"virtio", "virtio-blk-device"},
        {"usb", "usb-storage"},
        {"sata", "ich9-ahci"}}},
      {"model",
       {{"virtio"},
        {"virtio-transitional", "virtio-blk-pci-transitional"},
        {"virtio-non-transitional", "virtio-blk-pci-non-transitional"}}}}},
    {"graphics",
     {{"type",
       {{"sdl", .display = "sdl"},
        {"vnc"},
        {"spice", "qxl-vga"},
        {"egl-headless", .display = "egl-headless"},
        {"dbus", "dbus-display"}}}}},
    {"video",
     {{"modelType",
       {{"vga", "VGA"},
        {"cirrus", "cirrus-vga"},
        {"vmvga", "vmware-svga"},
        {"qxl", "qxl"},
        {"virtio", "virtio-gpu-device"},
        {"none"},
        {"bochs", "bochs-display"},
        {"ramfb", "ramfb"}}}}},
    {"hostdev",
     {{"mode", {{"subsystem"}}},
      {"startupPolicy", {{"default"}, {"mandatory"}, {"requisite"}, {"optional"}}},
      {"subsysType", {{"usb", "usb-host"}, {"pci", "vfio-pci"}, {"scsi", "scsi-generic"}}},
      {"capsType", {{NULL}}},
      {"pciBackend", {{"default"}, {"vfio", "vfio-pci"}}}}},
    {"rng",
     {{"model",
       {{"virtio"},
        {"virtio-transitional", "virtio-rng-pci-transitional"},
        {"virtio-non-transitional", "virtio-rng-pci-non-transitional"}}},
      {"backendModel",
       {{"random", "rng-random"}, {"egd", "rng-egd"}, {"builtin", "rng-builtin"}}}}},
    {"filesystem",
     {{"driverType",
       {{"path", "virtio-9p-device"},
        {"handle", "virtio-9p-device"},
        {"virtiofs", "vhost-user-fs-device"}}}}},
    {"tpm",
     {{"model", {{"tpm-tis", "tpm-tis"}, {"tpm-crb", "tpm-crb"}, {"tpm-spapr", "tpm-spapr"}}},
      {"backendModel", {{"passthrough", "tpm-passthrough"}, {"emulator", "tpm-emulator"}}},
      {"backendVersion", {{"1.2"}, {"2.0"}}}}},
    {"redirdev", {{"bus", {{"usb", "usb-redir"}}}}},
    {"channel", {{"type", {{"pty"}, {"unix"}, {"spicevmc", "chardev-spicevmc"}}}}},
};

/* A kind is there when its first enum has a word. */
static bool is_there(const QemuCaps *caps, const DeviceCaps *device) {
    for (const Value *value = device->enums[0].values; value->word; value++)
        if (has(caps, value))
            return true;
    return false;
}

static void write_devices(FILE *out, const QemuCaps *caps) {
    fputs("  <devices>\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        const DeviceCaps *device = &devices[i];

        if (!is_there(caps, device)) {
            fprintf(out, "    <%s supported='no'/>\n", device->element);
            continue;
        }
        fprintf(out, "    <%s supported='yes'>\n", device->element);
        for (size_t k = 0; k < ARRAY_SIZE(device->enums) && device->enums[k].name; k++)
            write_enum(out, 6, caps, device->enums[k].name, device->enums[k].values);
        fprintf(out, "    </%s>\n", device->element);
    }
    fputs("  </devices>\n", out);
}

/* ---- features ---- */

static void write_features(FILE *out, const QemuCaps *caps, bool kvm) {
    const bool is_x86 = streq(caps->arch, "x86_64") || streq(caps->arch, "i386");
    static const Value hyperv[] = {
        {"relaxed"},         {"vapic"},    {"spinlocks"}, {"vpindex"},   {"runtime"},
        {"synic"},           {"stimer"},   {"reset"},     {"vendor_id"}, {"frequencies"},
        {"reenlightenment"}, {"tlbflush"}, {"ipi"},       {"evmcs"},     {0}};

    fprintf(out,
            "  <features>\n    <gic supported='no'/>\n    <vmcoreinfo supported='%s'/>\n"
            "    <genid supported='%s'/>\n    <backingStoreInput supported='yes'/>\n"
            "    <backup supported='no'/>\n    <sev supported='no'/>\n    <sgx supported='no'/>\n",
            qemu_caps_has_type(caps, "vmcoreinfo") ? "yes" : "no",
            qemu_caps_has_type(caps, "vmgenid") ? "yes" : "no");
    if (is_x86 && kvm) {
        fputs("    <hyperv supported='yes'>\n", out);
        write_enum(out, 6, caps, "features", hyperv);
        fputs("    </hyperv>\n", out);
    } else {
        fputs("    <hyperv supported='no'/>\n", out);
    }
    fputs("  </features>\n", out);
}

/* ---- all of it ---- */

static void write_domain_caps(FILE *out, const QemuCaps *caps, const QemuMachine *machine,
                              const FirmwareList *firmware, const char *virt) {
    const char *arch = streq(caps->arch, "i386") ? "i686" : caps->arch; /* as definitions call it */
    const bool kvm = streq(virt, "kvm");

    fprintf(out,
            "<domainCapabilities>\n  <path>%s</path>\n  <domain>%s</domain>\n"
            "  <machine>%s</machine>\n  <arch>%s</arch>\n  <vcpu max='%u'/>\n"
            "  <iothreads supported='%s'/>\n",
            caps->binary, virt, machine->name, arch, machine->cpu_max,
            qemu_caps_has_type(caps, "iothread") ? "yes" : "no");
    write_os(out, caps, firmware);
    write_cpu(out, caps, kvm);
    fputs("  <memoryBacking supported='yes'>\n", out);
    write_enum(out, 4, caps, "sourceType",
               (const Value[]){{"file"}, {"anonymous"}, {"memfd", "memory-backend-memfd"}, {0}});
    fputs("  </memoryBacking>\n", out);
    write_devices(out, caps);
    write_features(out, caps, kvm);
    fputs("</domainCapabilities>\n", out);
}

int qemu_caps_domain_xml(QemuCapsCache *cache, const char *emulator, const char *arch,
                         const char *machine, const char *virt, char **ret, Error **reterr) {
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    CLEANUP_FREE char *binary = NULL, *text = NULL;
    CLEANUP(file_closep) FILE *out = NULL;
    CLEANUP(listing_done) Listing listing = {0};
    const QemuMachine *found;
    struct utsname host;
    int r;

    uname(&host);
    binary = emulator ? strdup(emulator) : qemu_default_emulator(arch ? arch : host.machine);
    if (!binary)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "unknown architecture: %s",
                            arch ? arch : host.machine);
    r = qemu_caps_get(cache, binary, &caps, reterr);
    if (r < 0)
        return r;
    found = qemu_caps_machine(caps, machine);
    if (!found)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the machine '%s' is not supported by emulator '%s'",
                            machine ? machine : "default", binary);
    if (virt && !streq(virt, "qemu") && !streq(virt, "kvm"))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "unknown virttype: %s", virt);
    if (virt && streq(virt, "kvm") && !caps->kvm)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "KVM is not supported by '%s' on this host", binary);
    if (!virt)
        virt = caps->kvm ? "kvm" : "qemu";
    listing.caps = caps;
    listing.machine = found;
    out = text_open(&text);
    if (!out || worker_run(run_list, &listing) < 0)
        return error_no_memory(reterr);
    write_domain_caps(out, caps, found, &listing.list, virt);
    if (fclose(TAKE_PTR(out)) != 0)
        return error_no_memory(reterr);
    *ret = TAKE_PTR(text);
    return 0;
}
