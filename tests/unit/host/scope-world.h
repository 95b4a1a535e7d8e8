/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd and machined as scopes need them: a child of the test plays them on a private
 * dbus-daemon. What it was asked is in a file, one line per call. Include after cmocka.h. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define UNIT "machine-vireo\\x2d3\\x2dol8.scope"

typedef enum Mood {
    MOOD_DONE,   /* the job ends at once */
    MOOD_FAILED, /* the job ends with "failed" */
    MOOD_SILENT, /* no job ever ends */
    MOOD_EXISTS, /* there is such a unit */
    MOOD_MUTE,   /* no call is ever answered */
} Mood;

typedef struct World {
    char dir[64];
    char *address;
    pid_t daemon, fake;
} World;

/* cmocka's set-up and tear-down of a World in *state. */
int scope_world_set_up(void **state);
int scope_world_tear_down(void **state);
/* A bus that starts no services but those of the test's directory. Skips where there is no
 * dbus-daemon. */
void scope_world_start_daemon(World *world);
/* systemd, and with `machined` machined, on that bus; answers as the mood says. */
void scope_world_start_fake(World *world, Mood mood, bool machined);
/* Writes a file of the test's directory. */
void scope_world_put(const World *world, const char *name, const char *text);
/* What the child was asked; the caller frees it. */
char *scope_world_journal(const World *world);
