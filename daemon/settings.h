/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings that vireod.conf can name, one row each: how a value is read, where it is kept, and
 * whether a daemon that runs takes a new one. docs/vireod.8 describes them. */
#pragma once

#include "daemon.h"

/* Sets what `key` names. -ENOENT: there is no such setting; -EINVAL: that is no value for it;
 * -ENOMEM. After an error the setting is as it was. */
int settings_set(Config *config, const char *key, const char *value);
/* Takes from `fresh` what can change while the daemon runs. Calls `differs` with the name of each
 * other setting that is not the same. */
void settings_take(Config *config, const Config *fresh, void (*differs)(const char *name));
/* Frees the texts. */
void settings_done(Config *config);
