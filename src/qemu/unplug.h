/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The evidence of a removal: what QEMU's events and its answers say of the vCPUs that the guest was
 * asked to release. Pure: a VcpuMap and what came in, no waiting.
 *
 * DEVICE_DELETED for the device or for a child of it, and ACPI_DEVICE_OST with status 0 for its
 * slot, are signs that one look at QEMU decides: QEMU under TCG sends none for the device itself.
 * OST 1 and 0x80-0x83 and DEVICE_UNPLUG_GUEST_ERROR are refusals; 0x84 ("in progress") is progress.
 * Status values: ACPI 6.4, 6.3.5 _OST, table 6.73.
 *
 * News are numbered from 1. A look at QEMU remembers the number of the last news from before its
 * question: a sign with a higher number is not answered by it, and stays. */
#pragma once

#include "qemu/vcpu-map.h"

/* An event of QEMU's, to be number `news`. True when it was evidence. */
bool unplug_event(VcpuMap *map, const char *name, json_object *data, uint64_t news);

/* Whether an event says that the guest keeps a memory module, and which: an alias in `data`. */
bool unplug_memory_refused(const char *name, json_object *data, const char **ret_alias);

/* The other evidence in ACPI_DEVICE_OST: the guest has taken notice of a plugged vCPU. */
void unplug_note_plug(VcpuMap *map, const char *name, json_object *data);

/* device_del is about to leave for it. */
void unplug_request(VcpuEntity *entity);
/* News number `news` says that it may be gone. */
void unplug_hint(VcpuEntity *entity, uint64_t news);
/* Nothing is asked of it any more: it is settled, or it stays. */
void unplug_forget(VcpuEntity *entity);

/* Whether any entity has a sign that no look has answered. */
bool unplug_needs_look(const VcpuMap *map);
/* Whether any entity is gone and not settled yet. */
bool unplug_has_gone(const VcpuMap *map);
/* Takes over from the map before what is known of removals; `seen`: the last news from before the
 * look that made `map`. What was there and is not any more becomes UNPLUG_GONE, asked for or not.
 */
void unplug_carry_over(VcpuMap *map, const VcpuMap *old, uint64_t seen);

/* The vCPUs that the guest was asked to release and still has; NULL: out of memory. Caller frees.
 */
Bitmap *unplug_pending(const VcpuMap *map);
/* Those of them that it has refused, whose refusal is not settled yet; NULL: out of memory. Caller
 * frees. */
Bitmap *unplug_refused(const VcpuMap *map);
/* What an earlier daemon knew, each may be NULL: which vCPUs were there, and what unplug_pending
 * said. Events of those pending are evidence again; what is not there any more has gone. */
void unplug_resume(VcpuMap *map, const Bitmap *there, const Bitmap *pending);
