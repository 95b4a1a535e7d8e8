/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a QEMU binary can do, looked up. */
#include "qemu/capabilities.h"

#include "util/file.h"

QemuCaps *qemu_caps_ref(QemuCaps *caps) {
    assert(caps->n_refs > 0);
    caps->n_refs++;
    return caps;
}

static void free_strings(char **strings, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(strings[i]);
    free(strings);
}

void qemu_caps_unref(QemuCaps *caps) {
    if (!caps || --caps->n_refs > 0)
        return;
    for (size_t i = 0; i < caps->n_machines; i++) {
        free(caps->machines[i].name);
        free(caps->machines[i].alias);
        free(caps->machines[i].cpu_type);
    }
    free(caps->machines);
    free_strings(caps->commands, caps->n_commands);
    free_strings(caps->types, caps->n_types);
    free_strings(caps->cpu_models, caps->n_cpu_models);
    free_strings(caps->displays, caps->n_displays);
    free(caps->binary);
    free(caps->arch);
    free(caps);
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void qemu_caps_sort(char **strings, size_t n) {
    qsort(strings, n, sizeof(char *), compare_strings);
}

char *qemu_default_emulator(const char *arch) {
    static const struct {
        const char *arch, *suffix;
    } rows[] = {{"i686", "i386"}, {"armv6l", "arm"}, {"armv7l", "arm"}};
    static const char *const same[] = {"x86_64",  "i386",  "ppc64",       "ppc64le", "s390x",
                                       "aarch64", "ppc",   "riscv32",     "riscv64", "alpha",
                                       "m68k",    "sparc", "loongarch64", "sparc64"};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq(rows[i].arch, arch))
            return strf("/usr/bin/qemu-system-%s", rows[i].suffix);
    for (size_t i = 0; i < ARRAY_SIZE(same); i++)
        if (streq(same[i], arch))
            return strf("/usr/bin/qemu-system-%s", arch);
    return NULL;
}

const QemuMachine *qemu_caps_machine(const QemuCaps *caps, const char *name) {
    for (size_t i = 0; caps && i < caps->n_machines; i++) {
        const QemuMachine *machine = &caps->machines[i];

        if (name ? streq(machine->name, name) || streq_ptr(machine->alias, name)
                 : machine->is_default)
            return machine;
    }
    return NULL;
}

static bool has_string(char *const *strings, size_t n, const char *wanted) {
    return n > 0 && bsearch(&wanted, strings, n, sizeof(char *), compare_strings) != NULL;
}

bool qemu_caps_has_command(const QemuCaps *caps, const char *command) {
    return has_string(caps->commands, caps->n_commands, command);
}

bool qemu_caps_has_type(const QemuCaps *caps, const char *type) {
    return has_string(caps->types, caps->n_types, type);
}

bool qemu_caps_has_display(const QemuCaps *caps, const char *display) {
    return has_string(caps->displays, caps->n_displays, display);
}
