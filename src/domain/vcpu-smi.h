/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPUs and a firmware that runs in system management mode (OVMF built for secure boot): without
 * KVM it hangs when one comes (QUIRK_SMM_PLUG). With KVM many may come at once: the first edk2 that
 * takes vCPUs in SMM, 202008, expects them between its own steps (its bug 2929). */
#pragma once

#include "domain/domain.h"

/* Refuses a plug that would hang the guest: ERROR_OPERATION_UNSUPPORTED. QEMU is asked, so this
 * waits: afterwards the domain runs, but may be another run's unless the job is held. One whose
 * CPUs have never run may be given any vCPU: its firmware counts them when it begins. */
int vcpu_smi_check_plug(Domain *domain, Error **reterr);

/* Whether vCPUs are to be taken away one by one, as such a firmware ejects them: before edk2
 * 202411 a CPU may leave SMM, and the next eject begin, while the last is not through. */
bool vcpu_smi_serialises_removals(const DomainDef *def);
