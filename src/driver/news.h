/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU tells that is for clients to know: passed on in libvirt's words (events_news). Of it
 * the live definition has whether a tray is open, what the balloon leaves to the guest, how much of
 * a virtio-mem is plugged, and how far the guest has set its clock. */
#pragma once

#include <json-c/json.h>

#include "domain/domain.h"

/* Looks at every event of QEMU before those who act on it: libvirt tells of an error before it
 * tells of what followed from it. On the loop. Names and members are those of QEMU's QAPI. */
void news_on_event(Domain *domain, const char *name, json_object *data);
/* A definition takes the place of the one that runs: what QEMU has told since it was copied goes
 * along. */
void news_carry(const DomainDef *from, DomainDef *to);
/* Asks QEMU for what it told while nobody listened, as far as the machine can have it. Job held; on
 * a fiber. What QEMU does not answer stays as it is. */
void news_recall(Domain *domain);
