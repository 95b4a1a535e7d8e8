/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A scripted QEMU whose guest moves: its answers are these words. */
#pragma once

#include "run-world.h"

extern const char *scripted_phase;       /* of its query-migrate */
extern const char *scripted_status;      /* of its query-status */
extern const char *scripted_after_start; /* the phase that post-copy is in when it was asked for;
                                            NULL: it does not come to it */

extern unsigned scripted_postcopy_bytes; /* what it has sent in post-copy */

void scripted_qemu(RunWorld *world, const char *phase, const char *status);
void scripted_assert_state(const RunWorld *world, DomainState state, int reason);
