/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/quirks.h"

#include "util/file.h"

#define RESTART "shut the domain down and start it again"

static const Quirk quirks[QUIRK_MAX_] = {
    /* The TLB of a removed vCPU is freed, its memory listener stays: the next change of the memory
     * map writes to freed memory. */
    [QUIRK_PLUG_AFTER_REMOVAL] = {.virt = DOMAIN_VIRT_QEMU,
                                  .major = 10,
                                  .what = "crashes when a vCPU is plugged after a removal",
                                  .remedy = RESTART},
    [QUIRK_RESET_AFTER_REMOVAL] = {.virt = DOMAIN_VIRT_QEMU,
                                   .major = 10,
                                   .what = "crashes when the guest is reset, reboots, is saved or "
                                           "moves after a removal",
                                   .remedy = RESTART},
    /* tcg_register_thread asserts n < tcg_max_ctxs, which is maxcpus; nobody gives a context back.
     */
    [QUIRK_VCPU_THREADS] = {.virt = DOMAIN_VIRT_QEMU,
                            .what = "crashes when it makes more vCPU threads in one run than the "
                                    "domain's maximum, those of removed vCPUs counted",
                            .remedy = RESTART},
    [QUIRK_SHARED_REMOVAL] = {.virt = DOMAIN_VIRT_QEMU,
                              .what = "crashes when a vCPU is removed while all vCPUs share one "
                                      "thread (its thread=single)",
                              .remedy = "--config takes effect at the next start"},
    /* Its APIC gives up looking for the receivers of an interrupt at the first CPU that is not
     * there. */
    [QUIRK_LOST_INTERRUPTS] = {.virt = DOMAIN_VIRT_QEMU,
                               .major = 10,
                               .what = "loses interrupts of vCPUs whose id is above a missing one",
                               .remedy = "give the first vCPUs, or boot the guest with "
                                         "possible_cpus=9 or more on its command line, so that "
                                         "Linux addresses interrupts physically"},
    /* TCG's local APIC has no x2APIC mode before 9.0. */
    [QUIRK_NO_X2APIC] = {.virt = DOMAIN_VIRT_QEMU,
                         .major = 9,
                         .what = "has no x2APIC",
                         .remedy = "use type='kvm'"},
    /* The firmware sends a vCPU that comes an SMI, then INIT and SIPI, and waits until it has been
     * in its SMI handler. The INIT wipes out the SMI or ends the handler, where a CPU would keep it
     * until the handler is through. */
    [QUIRK_SMM_PLUG] = {.virt = DOMAIN_VIRT_QEMU,
                        .what = "hangs the guest when such a firmware is told of a vCPU that comes",
                        .remedy = "--config gives it its vCPUs at the next start, a firmware "
                                  "without SMM (<feature enabled='no' name='secure-boot'/>) or "
                                  "type='kvm' while it runs"},
};

const Quirk *quirk_of(const QemuCaps *caps, DomainVirt virt, QuirkName name) {
    const Quirk *quirk = &quirks[name];

    assert(name < QUIRK_MAX_);
    if (virt != quirk->virt)
        return NULL;
    if (!caps || (quirk->major == 0 && quirk->minor == 0))
        return quirk;
    return caps->major < quirk->major || (caps->major == quirk->major && caps->minor < quirk->minor)
               ? quirk
               : NULL;
}

char *quirk_text(const Quirk *quirk, const QemuCaps *caps) {
    const char *how = quirk->virt == DOMAIN_VIRT_QEMU ? " without KVM" : "";

    return caps ? strf("QEMU %u.%u%s %s", caps->major, caps->minor, how, quirk->what)
                : strf("QEMU%s may be one that %s", how, quirk->what);
}

int quirk_refuse(const Quirk *quirk, const QemuCaps *caps, const char *what, const char *name,
                 const char *why, Error **reterr) {
    CLEANUP_FREE char *text = quirk_text(quirk, caps);

    assert(quirk && what && name);
    if (!text)
        return error_no_memory(reterr);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                        "cannot %s in domain '%s': %s%s%s; %s", what, name, why ? why : "",
                        why ? ", and " : "", text, quirk->remedy);
}
