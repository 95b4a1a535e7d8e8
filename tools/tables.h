/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of commands, one for each noun, each ended by a row without a name. */
#pragma once

#include "vireo.h"

extern const Command commands_cpu_stats[], commands_domain[], commands_dominfo[],
    commands_domstats[], commands_dumpxml[], commands_event[], commands_guest[], commands_host[],
    commands_iothread[], commands_list[], commands_ops[], commands_pin[], commands_qemu[],
    commands_reconcile[], commands_sched[], commands_setvcpus[], commands_trace[],
    commands_vcpucount[], commands_vcpuinfo[], commands_vireo[];
