/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest did with plugged vCPUs, told from outside, without an agent.
 *
 * online: the vCPU's own cgroup used more than 2 ms of CPU since it was placed; one left in reset
 *     uses next to none (its thread's utime is too coarse for that), and its registers are those of
 *     a kernel (qemu/registers.h): firmware that starts wakes it, too. Other architectures than
 *     x86, and a QEMU without its human monitor, have the CPU time alone. It latches: an idle CPU
 *     was online when it ran.
 * present, offline: the guest's ACPI answered the plug (ACPI_DEVICE_OST), and it used none.
 * silent: neither.
 * unknown: the guest does not run, or its vCPUs have no cgroups of their own.
 *
 * It is known after a second. What is learnt later corrects it, for some minutes: a guest that
 * still boots brings its CPUs up when it comes to that. The next daemon goes on. */
#pragma once

#include "domain/domain.h"
#include "domain/operation.h"

/* Judges the vCPUs that the operation has plugged, on a fiber of its own and without a job; tells
 * the operation (operation_set_guest). The domain runs in the QEMU that it has changed. What is
 * found is in the map (VcpuEntity.verdict) and in the status file. */
void vcpu_verdict_start(Domain *domain, Operation *operation);
/* What the status file said of them goes into the map, which was just read for the first time. */
void vcpu_verdict_recall(Domain *domain);
/* Goes on with those that an earlier daemon had not found online. Job held. */
void vcpu_verdict_resume(Domain *domain);
/* Writes what was found to the status file; the next daemon would find it out anew. Takes the job.
 */
int vcpu_verdict_save(Domain *domain);
/* "online", "present, offline", "silent", "unknown", "untold". */
const char *guest_verdict_name(GuestVerdict verdict);
