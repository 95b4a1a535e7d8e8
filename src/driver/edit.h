/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of single values of the definitions that no thread's limits depend on (those go through
 * driver/change.h). The written definition comes first, for it can be taken back: a full disk
 * leaves QEMU as it was. */
#pragma once

#include "domain/domain.h"

typedef struct DefinitionEdit {
    const char *what; /* the job's name */
    unsigned flags;   /* AFFECT_* */
    const void *arg;
    /* Refuses what cannot be, else changes it; what is refused has not been changed. */
    int (*change)(DomainDef *def, bool live, const void *arg, Error **reterr);
    /* Has QEMU do it, while the live definition still is as it was. NULL: nothing has to be done.
     */
    int (*act)(Domain *domain, const void *arg, Error **reterr);
} DefinitionEdit;

/* Takes the domain's job, on a fiber. */
int definition_edit(Domain *domain, const DefinitionEdit *edit, Error **reterr);
