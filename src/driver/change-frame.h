/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frame of a change of what runs and of what is written (driver/change.h, driver/edit.h). The
 * written definition comes first, for it can be taken back: a full disk leaves QEMU as it was. A
 * live half that fails takes itself back, and then the written one is taken back, too. */
#pragma once

#include "domain/domain.h"

typedef struct ChangeSteps {
    const char *what; /* the job's name */
    unsigned flags;   /* AFFECT_* and others */
    void *work;
    /* Changes a copy of the persistent definition, which is validated then. */
    int (*config)(DomainDef *copy, void *work, Error **reterr);
    /* Refuses what cannot be done to what runs, before anything is done. */
    int (*prepare)(Domain *domain, void *work, Error **reterr);
    /* Does it to what runs and writes the status file; what failed has changed nothing. */
    int (*live)(Domain *domain, void *work, Error **reterr);
} ChangeSteps;

/* Takes the domain's job, on a fiber. Calls `config` and the two of what runs as the flags say. */
int change_in_frame(Domain *domain, const ChangeSteps *steps, Error **reterr);
