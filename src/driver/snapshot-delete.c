/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots deleted: those inside of images, and what is kept of any. */
#include "domain/snapshot-store.h"
#include "driver/saved.h"
#include "driver/snapshot-inside.h"
#include "driver/snapshot-settle.h"
#include "driver/snapshot-work.h"
#include "driver/snapshot.h"
#include "util/libvirt-numbers.h"

static bool is_meant(const Snapshot *snapshot, const Snapshot *top, unsigned flags) {
    if (snapshot == top)
        return !(flags & SNAPSHOT_DELETE_CHILDREN_ONLY);
    return flags & (SNAPSHOT_DELETE_CHILDREN | SNAPSHOT_DELETE_CHILDREN_ONLY) &&
           snapshot_descends(snapshot, top);
}

/* A new image is the guest's disk by now: it cannot be deleted, only made one with what is below
 * it. */
static int check(const Domain *domain, const Snapshot *top, unsigned flags, Error **reterr) {
    if (flags & SNAPSHOT_DELETE_METADATA_ONLY)
        return 0;
    for (const Snapshot *at = domain->snapshots.first; at; at = at->next)
        if (is_meant(at, top, flags) && snapshot_is_external(at->def))
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "deletion of external disk snapshots not supported yet: snapshot "
                                "'%s' has images of its own; merge them (blockcommit --active "
                                "--pivot), then delete it with --metadata",
                                at->def->name);
    return 0;
}

static int delete_one(Domain *domain, Snapshot *snapshot, unsigned flags, Error **reterr) {
    bool noted = false;
    int r = 0;

    if (!(flags & SNAPSHOT_DELETE_METADATA_ONLY)) {
        snapshot->work = SNAPSHOT_DELETING;
        r = snapshot_save(domain, snapshot, reterr);
        noted = r >= 0;
        if (noted)
            r = snapshot_inside_delete(domain, snapshot->def, reterr);
        saved_crash_point("snapshot-deleted");
    }
    if (r >= 0)
        r = snapshot_remove(domain, snapshot, reterr);
    if (r >= 0)
        return 0;
    /* It may be gone from some of its images. A client can ask again; so does the next daemon. */
    snapshot->work = SNAPSHOT_WORK_NONE;
    if (noted)
        error_prefix(
            reterr,
            "snapshot '%s' is deleted in part or not at all (delete it again; vireod does, "
            "when it starts)",
            snapshot->def->name);
    return r;
}

/* One that has none below it: with a snapshot all that are below it are meant, or none. */
static Snapshot *next_meant(const Domain *domain, const Snapshot *top, unsigned flags) {
    const bool below = flags & (SNAPSHOT_DELETE_CHILDREN | SNAPSHOT_DELETE_CHILDREN_ONLY);

    for (Snapshot *at = domain->snapshots.first; at; at = at->next)
        if (is_meant(at, top, flags) && !(below && at->n_children > 0))
            return at;
    return NULL;
}

static int delete_all(Domain *domain, Snapshot *top, unsigned flags, Error **reterr) {
    Snapshot *at;
    int r = check(domain, top, flags, reterr);

    while (r >= 0 && (at = next_meant(domain, top, flags))) {
        const bool last = at == top;

        r = delete_one(domain, at, flags, reterr);
        if (last)
            break;
    }
    return r;
}

static int delete_chosen(Domain *domain, const char *name, unsigned flags, Error **reterr) {
    Snapshot *top;

    if (domain->run)
        snapshot_settle(domain);
    snapshot_work_settle(domain);
    top = (Snapshot *)driver_snapshot_find(domain, name, reterr);
    if (!top)
        return -ENOENT;
    if (snapshot_work_check(domain, top, reterr) < 0)
        return -EINVAL;
    return delete_all(domain, top, flags, reterr);
}

int driver_snapshot_delete(Domain *domain, const char *name, unsigned flags, Error **reterr) {
    DomainJob job;
    int r = 0;

    if ((flags & SNAPSHOT_DELETE_CHILDREN) && (flags & SNAPSHOT_DELETE_CHILDREN_ONLY))
        r = error_argument(reterr, "virDomainSnapshotDelete", "flags",
                           "Flags 'VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN' and "
                           "'VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY' are mutually exclusive");
    if (r >= 0)
        r = domain_job_begin(domain, &job, "snapshot-delete", reterr);
    if (r < 0)
        return r;
    r = delete_chosen(domain, name, flags, reterr);
    domain_job_end(domain, &job);
    return r;
}
