/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-smi.h"

#include "qemu/quirks.h"
#include "qemu/smi.h"

#define QUERY_USEC (30 * USEC_PER_SEC)

/* Without a loader QEMU brings SeaBIOS, which knows no SMM for vCPUs. */
static const Quirk *quirk_of_firmware(const DomainRun *run) {
    const DomainDef *def = run->live;

    return def->os.loader && def->features.smm != TRISTATE_NO
               ? quirk_of(run->caps, def->virt, QUIRK_SMM_PLUG)
               : NULL;
}

int vcpu_smi_check_plug(Domain *domain, Error **reterr) {
    SmiPlug plug = SMI_PLUG_NONE;
    const Quirk *quirk;
    bool begun = false;
    int r;

    assert(domain->run);
    if (!quirk_of_firmware(domain->run))
        return 0;
    r = smi_plug_query(domain->run->monitor, deadline_in(QUERY_USEC), &plug, &begun, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    /* Of one that has agreed to nothing yet only a secure loader tells that it will. */
    if (r < 0 || plug == SMI_PLUG_NONE ||
        (plug == SMI_PLUG_OPEN && (!begun || domain->run->live->os.loader_secure != TRISTATE_YES)))
        return r;
    quirk = quirk_of_firmware(domain->run);
    return quirk ? quirk_refuse(quirk, domain->run->caps, "plug a vCPU", domain_name(domain),
                                "its firmware uses SMM", reterr)
                 : 0;
}

bool vcpu_smi_serialises_removals(const DomainDef *def) {
    return def->os.loader && def->features.smm == TRISTATE_YES;
}
