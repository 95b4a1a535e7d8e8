/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest in post-copy: it has stopped at the source and goes on at the destination, and the parts
 * of its memory that it has not got yet come when it touches them, or in their turn. Nobody has the
 * whole guest meanwhile, and there is no way back.
 *
 * The status files say so before it can be: the source's SAVE_POSTCOPY_OUT, the destination's
 * SAVE_POSTCOPY_IN. From QEMU's word that it is in post-copy on, the source never lets its guest
 * run, and the destination does whatever else fails, and never ends it.
 *
 * When the memory does not come any more, both are left as they are, as libvirt leaves them: paused
 * at the source, at the destination running until it needs what is missing, both with the reason
 * "post-copy failed". Both functions: job held, on a fiber, return when it is over. */
#pragma once

#include "driver/transfer.h"

/* The source's half. 0: all of its memory has gone, and QEMU can be ended. */
int postcopy_leave(Domain *domain, TransferStats *stats, Error **reterr);
/* The destination's half. 0: all of its memory has come. */
int postcopy_arrive(Domain *domain, Error **reterr);
/* Whether one that has failed can be taken up again here: ERROR_OPERATION_INVALID. */
int postcopy_check_failed(const Domain *domain, SaveKind kind, Error **reterr);
/* Takes it up over another connection, of which the descriptor is closed in every case. 0: it goes
 * on, and one of the two above has to follow. */
int postcopy_leave_again(Domain *domain, int fd_consume, Error **reterr);
int postcopy_arrive_again(Domain *domain, int fd_consume, Error **reterr);
/* Nobody knows how far it is: the state of the source when it has failed. */
void postcopy_leave_failed(Domain *domain);
