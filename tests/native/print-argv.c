/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* print-argv FILE: the command line that a domain XML gets, its words ended by NUL bytes, as if the
 * host had made whatever it needs. Nothing is started. Machine types of other QEMUs are taken as
 * they are. */
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-parse.h"
#include "qemu/command-line.h"
#include "qemu/firmware.h"
#include "util/file.h"

static QemuMachine machine = {.cpu_max = 288, .hotpluggable_cpus = true};
static QemuCaps caps = {.n_refs = 1,
                        .binary = (char *)"/usr/bin/qemu-system-x86_64",
                        .arch = (char *)"x86_64",
                        .major = 7,
                        .minor = 2,
                        .machines = &machine,
                        .n_machines = 1,
                        .kvm = true};

static char *canonical(const char *name) {
    if (!name || streq(name, "pc"))
        return strdup("pc-i440fx-7.2");
    return strdup(streq(name, "q35") ? "pc-q35-7.2" : name);
}

/* Descriptors and sockets of nobody. */
typedef struct Parts {
    QemuTap *taps;
    const char **tpms, **filesystems;
} Parts;

static void parts_done(Parts *parts) {
    free(parts->taps);
    free(parts->tpms);
    free(parts->filesystems);
}

static int make_parts(const DomainDef *def, Parts *parts) {
    parts->taps = calloc(def->n_interfaces + 1, sizeof(QemuTap));
    parts->tpms = calloc(def->n_tpms + 1, sizeof(char *));
    parts->filesystems = calloc(def->n_filesystems + 1, sizeof(char *));
    if (!parts->taps || !parts->tpms || !parts->filesystems)
        return -ENOMEM;
    for (size_t i = 0; i < def->n_interfaces; i++)
        parts->taps[i].n_fds = MIN_OF(MAX_OF(def->interfaces[i].queues, 1u), QEMU_QUEUES_MAX);
    for (size_t i = 0; i < def->n_tpms; i++)
        parts->tpms[i] = "/socket";
    for (size_t i = 0; i < def->n_filesystems; i++)
        parts->filesystems[i] = "/socket";
    return 0;
}

/* What the host's firmware for UEFI is, and where its variables would be. */
static int choose_firmware(DomainDef *def, Error **reterr) {
    CLEANUP(firmware_done) Firmware firmware = {0};
    OsDef *os = &def->os;
    int r = 0;

    if (streq_ptr(os->firmware, "efi") && !os->loader) {
        r = firmware_choose(firmware_directories, def, os->machine, &firmware, reterr);
        if (r >= 0 && firmware_apply(&firmware, def) < 0)
            r = error_no_memory(reterr);
    }
    if (r >= 0 && !os->nvram.path && (os->has_nvram || os->loader_readonly == TRISTATE_YES) &&
        os->loader_stateless != TRISTATE_YES &&
        !(os->nvram.path = strf("/var/lib/libvirt/qemu/nvram/%s_VARS.fd", def->name)))
        r = error_no_memory(reterr);
    return r;
}

static int print(DomainDef *def, Error **reterr) {
    static const SysinfoDef host = {0};
    CLEANUP(parts_done) Parts made = {0};
    QemuHostParts parts = {.sysinfo = &host};
    QemuCommandParams params = {
        .def = def, .caps = &caps, .channel_dir = "/lib/channel", .parts = &parts};
    DomainFillParams fill = {
        .machine = machine.name, .nvram_dir = "/var/lib/libvirt/qemu/nvram", .cpu_model = "qemu64"};
    char **argv = NULL;
    int r = domain_fill(def, &fill, reterr);

    if (r >= 0)
        r = choose_firmware(def, reterr);
    if (r >= 0 && (make_parts(def, &made) < 0 || qemu_assign_aliases(def, params.channel_dir) < 0))
        r = error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < def->n_graphics; i++)
        if (graphics_uses_port(&def->graphics[i]) && def->graphics[i].port <= 0)
            def->graphics[i].port = 5900;
    if (def->vsock && !def->vsock->cid)
        def->vsock->cid = 3;
    parts.taps = made.taps;
    parts.tpm_sockets = made.tpms;
    parts.filesystems = made.filesystems;
    if (r >= 0)
        r = qemu_command_line(&params, &argv, reterr);
    for (size_t i = 0; r >= 0 && argv[i]; i++)
        fwrite(argv[i], 1, strlen(argv[i]) + 1, stdout);
    qemu_argv_free(argv);
    return r;
}

int main(int argc, char **argv) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    int r = argc == 2 ? file_read(argv[1], DOMAIN_XML_MAX, &xml, NULL) : -EINVAL;

    if (r < 0) {
        fprintf(stderr, "print-argv FILE: %s\n", strerror(-r));
        return 2;
    }
    r = domain_parse(xml, strlen(xml), &params, &def, &error);
    if (r >= 0) {
        machine.name = canonical(def->os.machine);
        r = machine.name ? print(def, &error) : -ENOMEM;
        free(machine.name);
    }
    if (r < 0)
        fprintf(stderr, "%s\n", error_message(error));
    return r < 0;
}
