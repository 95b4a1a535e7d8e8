/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/definition-fill.h"

#include <ctype.h>

#include "conf/domain-fill.h"
#include "driver/prepare-firmware.h"
#include "util/file.h"

static bool emulates(const QemuCaps *caps, const char *arch) {
    static const char *const rows[][2] = {{"x86_64", "i686"},   {"i386", "i686"},
                                          {"ppc64", "ppc64le"}, {"arm", "armv7l"},
                                          {"arm", "armv6l"},    {"aarch64", "armv7l"}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq(caps->arch, rows[i][0]) && streq(arch, rows[i][1]))
            return true;
    return streq(caps->arch, arch);
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

/* A model without the version that a QOM type has: POWER9 of power9_v2.0-powerpc64-cpu. */
static char *power_model(const char *type) {
    char *model = strndup(type, strcspn(type, "_-"));

    for (char *at = model; at && *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return model;
}

/* What QEMU's machines have when nothing is said; written down, so that another QEMU gives the
 * guest the same. NULL: that is not known of the architecture, or with KVM the host's own. */
static int default_cpu(const DomainDef *def, const char *arch, const QemuMachine *machine,
                       char **ret) {
    const char *type = machine ? machine->cpu_type : NULL,
               *arm = type ? strstr(type, "-arm-") : NULL;

    *ret = NULL;
    if (streq(arch, "x86_64") || streq(arch, "i386"))
        *ret = strdup(streq(arch, "i386") ? "qemu32" : "qemu64");
    else if (def->virt != DOMAIN_VIRT_QEMU)
        return 0;
    else if (streq(arch, "s390x"))
        *ret = strdup("qemu");
    else if (arm)
        *ret = strndup(type, (size_t)(arm - type));
    else if (type && streq(arch, "ppc64"))
        *ret = power_model(type);
    else
        return 0;
    return *ret ? 0 : -ENOMEM;
}

/* Default emulator and machine, as the definition will keep them. */
int definition_fill(const Services *services, DomainDef *def, Error **reterr) {
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    CLEANUP_FREE char *nvram = prepare_nvram_directory(&services->paths), *cpu = NULL;
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
        if (default_cpu(def, caps->arch, machine, &cpu) < 0)
            return error_no_memory(reterr);
        fill.cpu_model = cpu;
    }
    return domain_fill(def, &fill, reterr);
}
