/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a definition gets before its QEMU is started, on the live copy. */
#pragma once

#include "conf/domain-def.h"

/* Fills in run-time aliases as libvirt has them (serial0, virtio-disk0, ide0-0-1, net0, ...; those
 * that are there stay), default unix channel paths and the IOMMU that more than 255 vCPUs
 * need. Without that IOMMU libvirt up to 10.9 refuses the definition, and from 10.10 on adds it
 * there. Here the definition stays as it is written, and the XML of what runs has it. What the
 * definition switches off stays off, and is an error. -ENOMEM. */
int qemu_assign_aliases(DomainDef *def, const char *channel_dir);
/* Rounds the sizes of memory up to what machines of QEMU take: cells and the whole to 1 MiB,
 * modules to 2 MiB, both to 256 MiB on PowerPC. For a start; who comes from elsewhere has its
 * sizes. */
void qemu_align_memory(DomainDef *def);
/* KiB that are there without the modules: QEMU's -m. */
uint64_t qemu_initial_memory(const DomainDef *def);
/* Gives each source of a disk that has none the number it is known by while the domain runs
 * ("vda[2]"): from the last disk to the first, as libvirt does, at a start with a number also for
 * an empty drive, later above all that are there; and the files below them. An empty drive has no
 * format. Part of qemu_assign_aliases; also for a new medium. */
void qemu_number_sources(DomainDef *def);
/* Whether no interrupt reaches some of the vCPUs without interrupt remapping. */
bool qemu_needs_remapping(const DomainDef *def);
