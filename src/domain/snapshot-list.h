/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The snapshots of a domain that are known by name: a tree, and which of them the domain came from
 * last. Memory only; domain/snapshot-store.h keeps it in files.
 *
 * A snapshot is borrowed from the list, and may be gone after any wait without the domain's job. */
#pragma once

#include "conf/snapshot.h"

#define SNAPSHOTS_MAX 4096u /* of one domain */

/* What has been begun and is not known to have ended: a daemon that finds it goes on with it. */
typedef enum SnapshotWork {
    SNAPSHOT_WORK_NONE,
    SNAPSHOT_MAKING, /* nobody sees it yet */
    SNAPSHOT_DELETING,
    SNAPSHOT_REVERTING, /* the disks are partly those of before; the domain does not start */
    SNAPSHOT_WORK_MAX_
} SnapshotWork;

typedef struct Snapshot {
    SnapshotDef *def;
    uint64_t current; /* 0: not the current one; of several the highest is */
    SnapshotWork work;
    struct Snapshot *parent; /* NULL: it has none, or none that is there */
    unsigned n_children;
    struct Snapshot *next;
} Snapshot;

typedef struct SnapshotList {
    Snapshot *first; /* in the order of their making */
    unsigned n;
    Snapshot *current; /* or NULL */
    uint64_t last;     /* the highest number that one was made current with */
} SnapshotList;

void snapshot_list_done(SnapshotList *list);
/* NULL: there is none of that name. */
Snapshot *snapshot_find(const SnapshotList *list, const char *name);
/* Takes the definition in every case. NULL: out of memory. snapshot_link has to follow when it may
 * be another's parent. */
Snapshot *snapshot_add(SnapshotList *list, SnapshotDef *def_consume);
/* Its children are its parent's then, by name too. -ENOMEM, and nothing has changed. */
int snapshot_drop(SnapshotList *list, Snapshot *snapshot);
/* Finds parents, children and the current one by what the snapshots say. */
void snapshot_link(SnapshotList *list);
/* Whether the one is below the other. */
bool snapshot_descends(const Snapshot *snapshot, const Snapshot *from);
/* One that is begun and not ended; NULL: there is none. */
Snapshot *snapshot_find_work(const SnapshotList *list);
/* How many there are for others to see. */
unsigned snapshot_count(const SnapshotList *list);
