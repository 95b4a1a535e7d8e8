/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of what the limits of threads depend on: done to QEMU and to the kernel, kept in the
 * definitions, written down. Each step that fails takes the ones before it back, so that a call is
 * done or not done, also on a full disk. */
#pragma once

#include "domain/domain.h"
#include "domain/events.h"
#include "domain/status-delta.h"
#include "limits/param-list.h"

#define CHANGE_VALUES_MAX LIMIT_PARAMS_MAX

/* The new value of what changes, and after a swap the old one. */
typedef struct ChangePiece {
    Bitmap *map;
    int64_t numbers[LIMIT_PARAMS_MAX];
    NumaTuneDef numa; /* without its memnodes */
    IothreadDef iothread;
    IothreadDef *iothreads; /* shallow, but for that of `id` if it is there */
    size_t n_iothreads;
    unsigned id;
} ChangePiece;

typedef struct Change {
    const char *what; /* the job's name */
    unsigned flags;   /* AFFECT_* */
    const void *arg;
    /* Whether a live change can be at all, before what it is looked at; or NULL. */
    int (*check)(Domain *domain, Error **reterr);
    /* Makes the piece of a definition; `live` says which one it is. Refuses what cannot be. */
    int (*prepare)(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                   Error **reterr);
    /* Exchanges the piece with what the definition has; done twice it has changed nothing. */
    void (*swap)(DomainDef *def, ChangePiece *piece);
    /* Before a live change is tuned, and its undoing; or NULL. */
    int (*act)(Domain *domain, const void *arg, Error **reterr);
    void (*undo)(Domain *domain, const void *arg);
    bool is_final; /* `act` cannot be undone: what fails after it is logged */
    StatusPin pin; /* the piece is a pin alone, of its id; or 0 */
    LimitsScope scope;
    TunableValue values[CHANGE_VALUES_MAX]; /* for the event; of live changes */
    size_t n_values;
} Change;

/* Takes the domain's job. */
int change_run(Domain *domain, const Change *change, Error **reterr);
