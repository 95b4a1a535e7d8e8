/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines behind the <domstatus> of a status file: pins that have changed since the whole file
 * was written, oldest first. So that pinning n threads one by one writes n lines and not n files.
 *
 *     </domstatus>
 *     <?vcpupin 3 0-1?>
 *     <?iothreadpin 1 2?>
 *     <?emulatorpin 0 0-3?>
 *
 * They are processing instructions, so that the file is XML with them. A line counts when its end
 * is there: what a write that was cut short has left behind the last whole line says nothing. */
#pragma once

#include <libxml/tree.h>

#include "conf/domain-def.h"

typedef enum StatusPin {
    STATUS_PIN_NONE,
    STATUS_PIN_VCPU,
    STATUS_PIN_IOTHREAD,
    STATUS_PIN_EMULATOR, /* its id is 0 */
    STATUS_PIN_MAX,
} StatusPin;

/* The line of a pin that the definition has. NULL: there is no such pin, or no memory. Caller
 * frees. */
char *status_delta_format(const DomainDef *live, StatusPin pin, unsigned id);
/* The length of the text up to its last whole line; `len` when it has no end of a <domstatus>. */
size_t status_delta_whole(const char *text, size_t len);
/* Carries out the lines behind `root`. A line that cannot be understood is an error. */
int status_delta_apply(xmlNodePtr root, DomainDef *live, Error **reterr);
