/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* print-argv FILE: the command line that a domain XML gets, its words ended by NUL bytes, as if the
 * host had made whatever it needs. Nothing is started. Machine types of other QEMUs are taken as
 * they are. */
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-parse.h"
#include "qemu/argv.h"
#include "qemu/native.h"
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

static int print(DomainDef *def, Error **reterr) {
    static const char nvram[] = "/var/lib/libvirt/qemu/nvram";
    static const NativePaths paths = {
        .channels = "/lib/channel", .nvram = nvram, .helpers = "/run"};
    DomainFillParams fill = {.machine = machine.name, .nvram_dir = nvram, .cpu_model = "qemu64"};
    char **argv = NULL;
    int r = domain_fill(def, &fill, reterr);

    if (r >= 0)
        r = qemu_native_argv(def, &caps, &paths, &argv, reterr);
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
