/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often clients were refused since the daemon began, by what refused them. */
#pragma once

#include "util/macro.h"

typedef enum Refusal {
    REFUSAL_LOGIN,    /* a call of a connection that nobody let in */
    REFUSAL_READONLY, /* a call that changes something, on a connection that may only read */
    REFUSAL_POLKIT,   /* polkit said no */
    REFUSAL_LIMIT,    /* a connection, a registration or bytes beyond what a client may have */
    REFUSAL_MAX_
} Refusal;

/* "login", "readonly", "polkit", "limit". */
const char *refusal_name(Refusal refusal);
void refusal_count(Refusal refusal);
uint64_t refusal_counted(Refusal refusal);
