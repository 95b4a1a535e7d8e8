/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/definition-fill.h"

#include "conf/domain-fill.h"
#include "driver/prepare-firmware.h"
#include "util/file.h"

static bool emulates(const QemuCaps *caps, const char *arch) {
    return streq(caps->arch, arch) || (streq(caps->arch, "x86_64") && streq(arch, "i686")) ||
           (streq(caps->arch, "ppc64") && streq(arch, "ppc64le"));
}

/* What the emulator cannot be is refused here and not at the start, as in libvirt. */
static int check_emulator(const DomainDef *def, const QemuCaps *caps, Error **reterr) {
    if (!emulates(caps, def->os.arch))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "Emulator '%s' does not support arch '%s': it is one for '%s'",
                            def->emulator, def->os.arch, caps->arch);
    if (def->os.machine && !qemu_caps_machine(caps, def->os.machine))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "Emulator '%s' does not support machine type '%s'", def->emulator,
                            def->os.machine);
    return 0;
}

/* What QEMU's machines have when nothing is said; written down, so that another QEMU gives the
 * guest the same. NULL: that is not known of the architecture, or with KVM the host's own. */
static const char *default_cpu(const DomainDef *def, const char *arch) {
    if (streq(arch, "s390x"))
        return def->virt == DOMAIN_VIRT_QEMU ? "qemu" : NULL;
    return streq(arch, "x86_64") ? "qemu64" : streq(arch, "i386") ? "qemu32" : NULL;
}

/* Default emulator and machine, as the definition will keep them. */
int definition_fill(const Services *services, DomainDef *def, Error **reterr) {
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    CLEANUP_FREE char *nvram = prepare_nvram_directory(&services->paths);
    DomainFillParams fill = {.nvram_dir = nvram};
    const QemuMachine *machine;
    int r;

    if (!nvram)
        return error_no_memory(reterr);
    if (!def->emulator) {
        def->emulator = qemu_default_emulator(def->os.arch);
        if (!def->emulator)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "no emulator is known for arch '%s'; name one with <emulator>",
                                def->os.arch);
    }
    /* A binary that is not there yet is no reason to refuse a definition: start says so. */
    if (qemu_caps_get(services->caps, def->emulator, &caps, NULL) >= 0) {
        r = check_emulator(def, caps, reterr);
        if (r < 0)
            return r;
        machine = qemu_caps_machine(caps, def->os.machine);
        fill.machine = machine ? machine->name : NULL;
        fill.cpu_model = default_cpu(def, caps->arch);
    }
    return domain_fill(def, &fill, reterr);
}
