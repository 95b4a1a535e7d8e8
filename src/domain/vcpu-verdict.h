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
 * still boots brings its CPUs up when it comes to that. */
#pragma once

#include "domain/domain.h"
#include "domain/operation.h"

/* Judges the vCPUs that the operation has plugged, on a fiber of its own and without a job; tells
 * the operation (operation_set_guest). Job held. */
void vcpu_verdict_start(Domain *domain, Operation *operation);
