/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-undo.h"

#include "driver/label-selinux.h"
#include "driver/label.h"
#include "driver/prepare-net.h"
#include "driver/prepare-overlay.h"
#include "driver/prepare-owner.h"
#include "driver/start-parts.h"
#include "host/pci.h"
#include "host/shared-storage.h"
#include "host/tap.h"
#include "util/log.h"
#include "util/worker.h"

#define PROCESS_GRACE_USEC (2 * USEC_PER_SEC)

static int run_remove_macvtap(void *arg) {
    return macvtap_remove(arg);
}

static int run_reattach(void *arg) {
    const Made *made = arg;

    return pci_reattach(&pci_this_host, made->name, made->detail ? made->detail : "");
}

static void undo_one(const char *run, const Made *made) {
    int r = 0;

    switch (made->kind) {
    case MADE_MACVTAP:
        r = worker_run(run_remove_macvtap, made->name);
        break;
    case MADE_SWITCH_PORT:
        prepare_remove_port(made->name);
        break;
    case MADE_PROCESS:
        r = qemu_process_kill(&made->pid, PROCESS_GRACE_USEC);
        unlink(made->name);
        break;
    case MADE_OWNER:
    case MADE_JOB_OWNER:
        r = prepare_owner_undo(made);
        break;
    case MADE_LABEL:
        r = label_undo(run, made);
        break;
    case MADE_FILE_LABEL:
        r = label_selinux_undo(made);
        break;
    case MADE_OVERLAY:
        r = prepare_overlay_undo(made);
        break;
    case MADE_PCI:
        r = worker_run(run_reattach, (void *)made);
        break;
    case MADE_KIND_MAX_:
        break;
    }
    if (r < 0)
        log_warning("'%s' that was made for a domain cannot be removed, ignoring: %s", made->name,
                    strerror(-r));
}

static int run_is_shared(void *path) {
    return shared_storage_look(path) == 1;
}

/* Owners are the same for all hosts of a file, and the server asks for them at each access. */
static bool is_used_elsewhere(const Made *made) {
    return (made->kind == MADE_OWNER || made->kind == MADE_JOB_OWNER ||
            made->kind == MADE_FILE_LABEL) &&
           worker_run(run_is_shared, made->name);
}

static void undo_file(const char *run, const char *path, bool elsewhere) {
    CLEANUP(made_done) MadeList list = {0};
    int r = made_read(path, &list);

    if (r == -ENOENT)
        return;
    if (r < 0)
        log_warning("'%s' cannot be read: what was made for the domain stays: %s", path,
                    strerror(-r));
    for (size_t i = list.n; i-- > 0;)
        if (!elsewhere || !is_used_elsewhere(&list.items[i]))
            undo_one(run, &list.items[i]);
    unlink(path);
}

void prepare_undo(const ServicePaths *paths, const uint8_t uuid[16], bool elsewhere) {
    CLEANUP_FREE char *path = start_parts_note_path(paths, uuid);

    if (path && access(path, F_OK) == 0)
        undo_file(paths->run, path, elsewhere);
}

void prepare_undo_one(const ServicePaths *paths, const uint8_t uuid[16], MadeKind kind,
                      const char *name) {
    CLEANUP_FREE char *path = name ? start_parts_note_path(paths, uuid) : NULL;
    CLEANUP(made_done) MadeList list = {0};
    size_t at;
    Made made;
    int r;

    if (!path || made_read(path, &list) < 0)
        return;
    for (at = list.n; at > 0; at--)
        if (list.items[at - 1].kind == kind && streq(list.items[at - 1].name, name))
            break;
    if (at == 0)
        return;
    undo_one(paths->run, &list.items[at - 1]);
    r = made_take(path, kind, name, NULL, &made);
    if (r < 0) {
        log_warning("'%s' stays in '%s', ignoring: %s", name, path, strerror(-r));
        return;
    }
    free(made.name);
    free(made.detail);
}
