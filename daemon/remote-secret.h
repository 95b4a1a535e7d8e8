/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events of secrets. */
#pragma once

#include "daemon.h"
#include "driver/secret.h"

/* SecretEventFunc; the userdata is the Daemon. */
void secret_send_event(const Secret *secret, SecretEvent event, void *userdata);
