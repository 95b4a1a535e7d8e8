/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <vcpu>, <vcpus>, <iothreads>, <iothreadids>, <cputune>, <numatune>: rows over the whole
 * definition, because they scatter over vCPUs and IO threads by id. */
#pragma once

#include "conf/element.h"

/* Of DomainDef. numatune_fields only read, and come after the CPU's rows, for they name its cells;
 * what they read is written earlier, by numatune_write. */
extern const Field resctrl_fields[]; /* <cachetune> and <memorytune>: of <cputune> */
extern const Field vcpu_fields[], iothread_fields[], cputune_fields[], numatune_fields[];
void numatune_write(ElementWriter *writer, const void *def);
