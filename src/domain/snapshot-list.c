/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/snapshot-list.h"

static void snapshot_free(Snapshot *snapshot) {
    snapshot_def_free(snapshot->def);
    free(snapshot);
}

void snapshot_list_done(SnapshotList *list) {
    while (list->first) {
        Snapshot *next = list->first->next;

        snapshot_free(list->first);
        list->first = next;
    }
    *list = (SnapshotList){0};
}

Snapshot *snapshot_find(const SnapshotList *list, const char *name) {
    for (Snapshot *at = list->first; at; at = at->next)
        if (streq(at->def->name, name))
            return at;
    return NULL;
}

Snapshot *snapshot_add(SnapshotList *list, SnapshotDef *def_consume) {
    Snapshot *snapshot = calloc(1, sizeof(Snapshot)), **at = &list->first;

    assert(def_consume->name);
    if (!snapshot) {
        snapshot_def_free(def_consume);
        return NULL;
    }
    snapshot->def = def_consume;
    snapshot->parent = def_consume->parent ? snapshot_find(list, def_consume->parent) : NULL;
    if (snapshot->parent)
        snapshot->parent->n_children++;
    while (*at)
        at = &(*at)->next;
    *at = snapshot;
    list->n++;
    return snapshot;
}

void snapshot_link(SnapshotList *list) {
    list->current = NULL;
    for (Snapshot *at = list->first; at; at = at->next) {
        at->n_children = 0;
        at->parent = at->def->parent ? snapshot_find(list, at->def->parent) : NULL;
        list->last = MAX_OF(list->last, at->current);
        if (at->current > (list->current ? list->current->current : 0))
            list->current = at;
    }
    for (Snapshot *at = list->first; at; at = at->next)
        if (at->parent)
            at->parent->n_children++;
}

/* Gives the children the name of another parent. */
static int pass_on(SnapshotList *list, const Snapshot *from) {
    for (Snapshot *at = list->first; at; at = at->next) {
        char *name = from->parent ? strdup(from->parent->def->name) : NULL;

        if (at->parent != from) {
            free(name);
            continue;
        }
        if (from->parent && !name)
            return -ENOMEM;
        free(at->def->parent);
        at->def->parent = name;
    }
    return 0;
}

int snapshot_drop(SnapshotList *list, Snapshot *snapshot) {
    Snapshot **at = &list->first;
    int r = pass_on(list, snapshot);

    if (r < 0)
        return r;
    while (*at != snapshot)
        at = &(*at)->next;
    *at = snapshot->next;
    list->n--;
    snapshot_free(snapshot);
    snapshot_link(list);
    return 0;
}

bool snapshot_descends(const Snapshot *snapshot, const Snapshot *from) {
    /* What a client redefined, or a file says, is no circle; many steps are. */
    for (unsigned i = 0; snapshot->parent && i < SNAPSHOTS_MAX; i++) {
        snapshot = snapshot->parent;
        if (snapshot == from)
            return true;
    }
    return false;
}

Snapshot *snapshot_find_work(const SnapshotList *list) {
    for (Snapshot *at = list->first; at; at = at->next)
        if (at->work != SNAPSHOT_WORK_NONE)
            return at;
    return NULL;
}

unsigned snapshot_count(const SnapshotList *list) {
    unsigned n = 0;

    for (const Snapshot *at = list->first; at; at = at->next)
        n += at->work != SNAPSHOT_MAKING;
    return n;
}
