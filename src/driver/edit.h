/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of single values of the definitions that no thread's limits depend on (those go through
 * driver/change.h). Both definitions are written before QEMU is asked, for a file can be taken back
 * and QEMU need not agree to: a full disk leaves it as it was, and what it refuses is taken back in
 * both files. Until QEMU has done it, readers see the live definition as it was. */
#pragma once

#include "domain/domain.h"

typedef struct DefinitionEdit {
    const char *what; /* the job's name */
    unsigned flags;   /* AFFECT_* */
    const void *arg;
    /* Refuses what cannot be, else changes it. `def` is a copy: nobody keeps what was refused. */
    int (*change)(DomainDef *def, bool live, const void *arg, Error **reterr);
    /* Has QEMU do it, while the live definition still is as it was. NULL: nothing has to be done.
     */
    int (*act)(Domain *domain, const void *arg, Error **reterr);
} DefinitionEdit;

/* Takes the domain's job, on a fiber. */
int definition_edit(Domain *domain, const DefinitionEdit *edit, Error **reterr);
