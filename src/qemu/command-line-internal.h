/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the command line that the command-line-*.c files make. */
#pragma once

#include "qemu/command-line.h"

/* ---- command-line-machine.c ---- */

void argv_add_machine(ArgvBuilder *builder, const QemuCommandParams *params,
                      const QemuMachine *machine);
void argv_add_globals(ArgvBuilder *builder, const DomainDef *def, const QemuMachine *machine);
void argv_add_cpu(ArgvBuilder *builder, const DomainDef *def);
/* vCPUs QEMU has from the start. */
unsigned argv_boot_vcpus(const DomainDef *def);
void argv_add_smp(ArgvBuilder *builder, const DomainDef *def);

/* ---- command-line-boot.c ---- */

bool argv_has_pflash(const DomainDef *def);
void argv_add_firmware(ArgvBuilder *builder, const DomainDef *def);
int argv_check_firmware(const QemuCommandParams *params, Error **reterr);
void argv_add_boot(ArgvBuilder *builder, const DomainDef *def);
void argv_add_clock(ArgvBuilder *builder, const QemuCommandParams *params);
void argv_add_sysinfo(ArgvBuilder *builder, const QemuCommandParams *params);

/* ---- command-line-objects.c ---- */

/* A machine without NUMA cells has one backend, and needs none of its own unless something is said
 * of its memory. */
#define MAIN_BACKEND "ram"
bool qemu_has_main_backend(const DomainDef *def);
/* Latencies, bandwidths or caches of memory are said. */
bool qemu_has_hmat(const CpuDef *cpu);
int argv_check_memory(const DomainDef *def, Error **reterr);
/* -m */
void argv_add_memory(ArgvBuilder *builder, const DomainDef *def);
/* -object and -numa of the guest's memory. */
void argv_add_cells(ArgvBuilder *builder, const DomainDef *def);
void argv_add_iothreads(ArgvBuilder *builder, const DomainDef *def);
