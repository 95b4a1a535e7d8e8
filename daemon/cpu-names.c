/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients compare these with what they were configured with, and offer them: QEMU's names of
 * versions ("Nehalem-v2") and its own models (max, base) are not among them, although a definition
 * may have them. */
#include "cpu-names.h"

#include "util/macro.h"

static const char *const x86[] = {"486",
                                  "pentium",
                                  "pentium2",
                                  "pentium3",
                                  "pentiumpro",
                                  "coreduo",
                                  "n270",
                                  "core2duo",
                                  "qemu32",
                                  "kvm32",
                                  "cpu64-rhel5",
                                  "cpu64-rhel6",
                                  "qemu64",
                                  "kvm64",
                                  "Conroe",
                                  "Penryn",
                                  "Nehalem",
                                  "Nehalem-IBRS",
                                  "Westmere",
                                  "Westmere-IBRS",
                                  "SandyBridge",
                                  "SandyBridge-IBRS",
                                  "IvyBridge",
                                  "IvyBridge-IBRS",
                                  "Haswell-noTSX",
                                  "Haswell-noTSX-IBRS",
                                  "Haswell",
                                  "Haswell-IBRS",
                                  "Broadwell-noTSX",
                                  "Broadwell-noTSX-IBRS",
                                  "Broadwell",
                                  "Broadwell-IBRS",
                                  "Skylake-Client",
                                  "Skylake-Client-IBRS",
                                  "Skylake-Client-noTSX-IBRS",
                                  "Skylake-Server",
                                  "Skylake-Server-IBRS",
                                  "Skylake-Server-noTSX-IBRS",
                                  "Cascadelake-Server",
                                  "Cascadelake-Server-noTSX",
                                  "Icelake-Client",
                                  "Icelake-Client-noTSX",
                                  "Icelake-Server",
                                  "Icelake-Server-noTSX",
                                  "Cooperlake",
                                  "Snowridge",
                                  "athlon",
                                  "phenom",
                                  "Opteron_G1",
                                  "Opteron_G2",
                                  "Opteron_G3",
                                  "Opteron_G4",
                                  "Opteron_G5",
                                  "EPYC",
                                  "EPYC-IBPB",
                                  "EPYC-Rome",
                                  "EPYC-Milan",
                                  "Dhyana"};
static const char *const ppc[] = {"POWER6",  "POWER7",        "POWER8",       "POWER9",
                                  "POWER10", "POWERPC_e5500", "POWERPC_e6500"};

const char *const *cpu_names(const char *arch, size_t *ret_n) {
    if (streq(arch, "x86_64") || streq(arch, "i686")) {
        *ret_n = ARRAY_SIZE(x86);
        return x86;
    }
    if (strncmp(arch, "ppc", 3) == 0) {
        *ret_n = ARRAY_SIZE(ppc);
        return ppc;
    }
    *ret_n = 0;
    return NULL;
}

bool cpu_has_names(const char *arch) {
    static const char *const families[] = {"x86_64", "i686", "ppc64", "s390", "arm", "aarch64"};

    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (strncmp(arch, families[i], strlen(families[i])) == 0)
            return true;
    return false;
}

bool cpu_is_arch(const char *name) {
    static const char *const archs[] = {
        "x86_64",     "i686",         "aarch64", "armv7l", "armv7b", "armv6l",   "ppc64",
        "ppc64le",    "ppc",          "ppcle",   "ppcemb", "s390x",  "s390",     "riscv64",
        "riscv32",    "loongarch64",  "alpha",   "cris",   "ia64",   "lm32",     "m68k",
        "microblaze", "microblazeel", "mips",    "mipsel", "mips64", "mips64el", "openrisc",
        "parisc",     "parisc64",     "sh4",     "sh4eb",  "sparc",  "sparc64",  "unicore32",
        "xtensa",     "xtensaeb"};

    for (size_t i = 0; i < ARRAY_SIZE(archs); i++)
        if (streq(name, archs[i]))
            return true;
    return false;
}
