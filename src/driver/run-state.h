/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's state follows QEMU: what its events and query-status say becomes state, reason and
 * lifecycle event, whatever job is held.
 *
 * A reboot by the power button is an intent: QEMU is told to pause at the guest's power-off, which
 * then means "reset and go on". The intent is in the status file. It ends with the guest's
 * power-off or reset, with a shutdown that is asked for, and after a while: a guest that ignored it
 * powers off for good later. */
#pragma once

#include "domain/domain.h"

/* True: the event was one of those. On the loop; starts fibers for what must wait. */
bool run_state_on_event(Domain *domain, const char *name, json_object *data);
#define RUN_STATE_SIZE 32u
/* QEMU's word for its run state now ("running", "finish-migrate": RunState of its QAPI), cut to the
 * room; "" when it says none. Changes nothing. On a fiber; errors as of monitor_run. */
int run_state_query(Domain *domain, char ret[RUN_STATE_SIZE], Error **reterr);
/* Asks QEMU. Job held. */
int run_state_sync(Domain *domain, Error **reterr);
/* Asks QEMU on a fiber of its own, with a job: after what may have changed it unseen. */
void run_state_sync_soon(Domain *domain);
/* Sets it and emits the lifecycle event, unless the domain is in that state already. */
void run_state_set_paused(Domain *domain, int reason);
void run_state_set_running(Domain *domain, int reason);

/* What QEMU must be told before the guest runs, so that <on_crash> can be followed. Job held. */
int run_state_prepare(Domain *domain, Error **reterr);
/* The same when <on_crash> becomes something else than destroy. Job held. */
int run_state_pause_at_panic(Domain *domain, Error **reterr);
/* Whether a reboot of the guest ends QEMU. Job held. */
int run_state_set_reboot(Domain *domain, bool ends, Error **reterr);
/* QEMU pauses at the guest's power-off from now on / ends as usual. What failed has left the intent
 * that was there before. Job held. */
int run_state_intend_reboot(Domain *domain, Error **reterr);
int run_state_intend_nothing(Domain *domain, Error **reterr);
/* Of a reboot that nobody has pressed the button for. Job held. */
void run_state_take_back_reboot(Domain *domain);
