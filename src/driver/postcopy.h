/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest in post-copy: it has stopped at the source and goes on at the destination, and the parts
 * of its memory that it has not got yet come when it touches them, or in their turn. Nobody has the
 * whole guest meanwhile, and there is no way back.
 *
 * Never two run; and never none, but when a QEMU has ended behind the switch, or when both sides
 * have lost in the moment of the switch what they knew: then both stand still, and a person
 * decides. Each step is in the status file before it is made:
 *
 *     source         <save>                     destination   <save>
 *     sends          out                        receives      postcopy-in
 *     stops, asks    postcopy-out                             postcopy-in
 *     QEMU said it   postcopy-out seen          QEMU said it  postcopy-in seen
 *                                               runs
 *     QEMU is done   (QEMU is ended)            has it all    none
 *
 * "Seen" is QEMU's event MIGRATION with a state of post-copy, latched when it comes
 * (driver/transfer.c): a short post-copy is over before anybody asks. QEMU says it at the source
 * before it has sent what the destination needs to run, and at the destination before it has that:
 * the destination writes "seen", waits for it (postcopy_await_loaded), and lets the guest run. The
 * source stops the guest before it asks, so that no QEMU lets it run again by itself, and says 'Y'
 * when it has seen it. The destination says 'D' when the guest runs, 'F' only of one that has not.
 *
 * Who has the guest, and what a failure leaves:
 *
 *     source              the guest is            its daemon or its link ends, or its disk is full
 *     out                 here                    it goes on here; the destination ends its QEMU
 *     postcopy-out        here, until QEMU says   the next daemon asks QEMU again; seen, or sent
 *                         more; it stands still   anything in it: as below; ended without it under
 *                                                 its eyes: it goes on here; ended before: "given",
 *                                                 a person decides. A full disk: it is not asked
 *     postcopy-out seen   there                   QEMU goes on by itself; done: its QEMU is ended
 *     ... QEMU "failed"   there, unless the       'F': it goes on here. 'D': never. No word:
 *                         destination says 'F'    "given", a person decides
 *     ... QEMU "paused"   there                   post-copy failed on both sides; may be resumed
 *
 *     destination         the guest is            its daemon ends, or its disk is full
 *     postcopy-in         there                   QEMU goes on by itself, the next daemon waits for
 *                                                 it without a clock; all of it, without "seen": it
 *                                                 stands still, a person decides
 *     postcopy-in seen    here                    the next daemon lets it run, unless QEMU says
 *                                                 that it has failed before it was loaded
 *
 *     the switch is aborted              before "seen": the connection is cut, and the guest goes
 *                                        on at the source; "seen" meanwhile: as with one that is
 *                                        cut. Behind: refused
 *     the source's QEMU is killed        before "seen": it is gone. Behind: the guest runs on until
 *                                        it needs what is missing
 *     the destination's QEMU is killed   before "seen": it goes on at the source. Behind: gone; the
 *                                        source's memory stays, paused
 *     the state's connection is cut      the same, with both QEMUs there: post-copy failed on both.
 *                                        In the moment of the switch the destination's QEMU ends by
 *                                        it, and one older than 11 at the source cannot go on
 *
 * The functions: job held, on a fiber, return when it is over. */
#pragma once

#include "driver/transfer.h"

/* The source's half. 0: all of its memory has gone, and QEMU can be ended. */
int postcopy_leave(Domain *domain, TransferStats *stats, Error **reterr);
/* The destination's half. 0: all of its memory has come. `held`: the guest is still to be let run,
 * which QEMU is asked for again and again meanwhile. *ret_refusal (the caller's; NULL: it runs, or
 * was not to): why it did not until the end; it is paused. */
int postcopy_arrive(Domain *domain, bool held, Error **ret_refusal, Error **reterr);
/* Before it: waits, without a clock, until QEMU has what it needs to let the guest run; until then
 * "cont" would mean "as soon as it is there". ERROR_OPERATION_FAILED: it will not come, and the
 * guest has not run here. The end of the monitor is as of domain_check_active. */
int postcopy_await_loaded(Domain *domain, Error **reterr);
/* Whether one that has failed can be taken up again here: ERROR_OPERATION_INVALID. */
int postcopy_check_failed(const Domain *domain, SaveKind kind, Error **reterr);
/* Takes it up over another connection, of which the descriptor is closed in every case. 0: it goes
 * on, and one of the two above has to follow. */
int postcopy_leave_again(Domain *domain, int fd_consume, Error **reterr);
int postcopy_arrive_again(Domain *domain, int fd_consume, Error **reterr);
/* Nobody knows how far it is: the state of the source when it has failed. */
void postcopy_leave_failed(Domain *domain);
/* After that: QEMU has given it up and could let its guest run, the destination does not say
 * whether it has run there. It stays paused, and a person decides. */
void postcopy_leave_unknown(Domain *domain);
