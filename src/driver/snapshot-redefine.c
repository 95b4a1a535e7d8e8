/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot-redefine.h"

#include <stdio.h>

#include "conf/uuid.h"
#include "domain/snapshot-store.h"
#include "driver/snapshot-align.h"
#include "util/libvirt-numbers.h"

static int invalid(Error **reterr, const char *format, ...) PRINTF_LIKE(2, 3);
static int invalid(Error **reterr, const char *format, ...) {
    char text[512];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_INVALID_ARG, "%s", text);
}

static int check_whole(const Domain *domain, const SnapshotDef *def, Error **reterr) {
    char uuid[UUID_TEXT_SIZE];

    if (!def->name)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "a redefined snapshot must have a name");
    if (!def->has_created)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_INTERNAL,
                            "missing creationTime from existing snapshot");
    if (def->state == SNAPSHOT_STATE_NONE)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "missing state from existing snapshot");
    if (snapshot_is_of(def, domain_def(domain)->uuid))
        return 0;
    uuid_format(domain_def(domain)->uuid, uuid);
    return invalid(reterr, "definition for snapshot %s must use uuid %s", def->name, uuid);
}

static int check_parent(const Domain *domain, const SnapshotDef *def, const Snapshot *old,
                        Error **reterr) {
    const Snapshot *parent;

    if (!def->parent)
        return 0;
    if (streq(def->parent, def->name))
        return invalid(reterr, "cannot set moment %s as its own parent", def->name);
    parent = snapshot_find(&domain->snapshots, def->parent);
    if (!parent)
        return invalid(reterr, "parent %s for moment %s not found", def->parent, def->name);
    if (old && snapshot_descends(parent, old))
        return invalid(reterr, "parent %s would create cycle to %s", def->parent, def->name);
    return 0;
}

static bool is_off(const SnapshotDef *def) {
    return def->state == SNAPSHOT_SHUTOFF;
}

/* What it was once it stays. */
static int check_kind(const SnapshotDef *def, const SnapshotDef *old, Error **reterr) {
    if ((def->state == SNAPSHOT_DISKS) != (old->state == SNAPSHOT_DISKS))
        return invalid(reterr, "cannot change between disk only and full system in snapshot %s",
                       def->name);
    return is_off(def) != is_off(old)
               ? invalid(reterr,
                         "cannot change between online and offline snapshot state in snapshot %s",
                         def->name)
               : 0;
}

/* What is not said is as it was; without a domain nothing could be gone back to. */
static int complete(SnapshotDef *def, const SnapshotDef *old, Error **reterr) {
    if (!def->domain && old && old->domain) {
        def->domain = domain_def_copy(old->domain);
        def->inactive = old->inactive && !def->inactive ? domain_def_copy(old->inactive)
                                                        : def->inactive;
        if (!def->domain || (old->inactive && !def->inactive))
            return error_no_memory(reterr);
    }
    if (!def->domain)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_INTERNAL,
                            "missing domain in snapshot");
    if (def->memory == SNAPSHOT_UNSAID)
        def->memory = snapshot_has_memory(def) ? SNAPSHOT_INTERNAL : SNAPSHOT_NO;
    if (snapshot_has_memory(def) && def->memory == SNAPSHOT_NO)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "snapshot '%s' is of a guest that ran, and has no memory: its state is "
                            "'disk-snapshot'",
                            def->name);
    return snapshot_align(def, def->domain,
                          def->state == SNAPSHOT_DISKS || def->memory == SNAPSHOT_EXTERNAL
                              ? SNAPSHOT_EXTERNAL
                              : SNAPSHOT_INTERNAL,
                          false, reterr);
}

static int check(const Domain *domain, SnapshotDef *def, const Snapshot *old, Error **reterr) {
    int r = check_whole(domain, def, reterr);

    if (r >= 0)
        r = check_parent(domain, def, old, reterr);
    if (r >= 0 && old)
        r = check_kind(def, old->def, reterr);
    return r < 0 ? r : complete(def, old ? old->def : NULL, reterr);
}

/* Puts it in the place of the old one, and back if it cannot be written. */
static int replace(Domain *domain, Snapshot *old, SnapshotDef **def, bool current, Error **reterr) {
    SnapshotDef *before = old->def;
    int r;

    old->def = *def;
    snapshot_link(&domain->snapshots);
    r = current ? snapshot_make_current(domain, old, reterr) : snapshot_save(domain, old, reterr);
    if (r < 0) {
        old->def = before;
        snapshot_link(&domain->snapshots);
        return r;
    }
    *def = before; /* the caller's to free */
    return 0;
}

static int add(Domain *domain, SnapshotDef **def, bool current, Error **reterr) {
    Snapshot *snapshot;
    int r;

    if (domain->snapshots.n >= SNAPSHOTS_MAX)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "domain '%s' has %u snapshots, as many as there may be",
                            domain_name(domain), domain->snapshots.n);
    snapshot = snapshot_add(&domain->snapshots, TAKE_PTR(*def));
    if (!snapshot)
        return error_no_memory(reterr);
    r = current ? snapshot_make_current(domain, snapshot, reterr)
                : snapshot_save(domain, snapshot, reterr);
    if (r < 0)
        snapshot_drop(&domain->snapshots, snapshot);
    else
        snapshot_link(&domain->snapshots);
    return r;
}

int snapshot_redefine(Domain *domain, SnapshotDef **def, unsigned flags, char **ret_name,
                      Error **reterr) {
    Snapshot *old = (*def)->name ? snapshot_find(&domain->snapshots, (*def)->name) : NULL;
    CLEANUP_FREE char *name = NULL;
    int r = check(domain, *def, old, reterr);

    if (r < 0)
        return r;
    name = strdup((*def)->name);
    if (!name)
        return error_no_memory(reterr);
    r = old ? replace(domain, old, def, flags & SNAPSHOT_CURRENT, reterr)
            : add(domain, def, flags & SNAPSHOT_CURRENT, reterr);
    if (r >= 0)
        *ret_name = TAKE_PTR(name);
    return r;
}
