/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A driver in a directory of its own with one domain that runs: its monitor is a QmpPeer, its
 * process one that sleeps. What listeners are told is written down. */
#pragma once

#include "driver/driver.h"
#include "qmp-peer.h"

typedef struct RunWorld {
    char dir[32];
    Driver *driver;
    Domain *domain; /* borrowed of the store, but a reference of its own is held */
    QmpPeer *peer;
    char told[1000]; /* "SUSPENDED:2 STOPPED:0 reboot added:rng0
                        news:ID:CODE:AMOUNT:ALIAS:PATH:REASON
                        ", in the order of the calls; a device that the guest does not release is
                        kept */
    FiberCond told_more;
} RunWorld;

/* Runs `body` on a fiber, with a domain whose definition has `elements` besides what is needed, and
 * ends the loop and the world behind it. */
void run_world(const char *elements, void (*body)(RunWorld *world));

/* On the fiber: another domain that is shut off, defined and on disk; borrowed of the store. */
Domain *run_world_define(RunWorld *world, const char *name);
/* The peer's monitor in the place of the domain's. */
void run_world_connect(RunWorld *world);
/* On the fiber: waits until `word` is among what was told; ends the test after 30 s. */
void run_world_wait_told(RunWorld *world, const char *word);
/* On the fiber: waits until the domain's job is nobody's. */
void run_world_wait_idle(RunWorld *world);
/* The text of the status file; NULL: there is none. Caller frees. */
char *run_world_status(const RunWorld *world);
