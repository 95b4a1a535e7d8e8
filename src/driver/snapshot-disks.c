/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A snapshot of the disks of what runs: a new image above each. */
#include "domain/files.h"
#include "driver/block-job-check.h"
#include "driver/block-job-settle.h"
#include "driver/device-use.h"
#include "driver/disk-chain.h"
#include "driver/driver.h"
#include "driver/snapshot-file.h"
#include "driver/snapshot-internal.h"
#include "driver/snapshot-settle.h"
#include "qemu/block-graph.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

/* How long the guest's agent is waited for. */
#define FREEZE_SECONDS 60
#define THAW_SECONDS 10
#define THAW_TRIES 3

/* ---- what QEMU has ---- */

static unsigned last_index(const DomainDef *def) {
    unsigned last = 0;

    for (size_t i = 0; i < def->n_disks; i++)
        for (size_t place = 0; chain_at(&def->disks[i], place); place++)
            last = MAX_OF(last, chain_index(&def->disks[i], place));
    return last;
}

/* Completes the disk's chain and looks whether one more image may be above it. */
static int make_ready(const Taking *taking, const char *target, json_object *nodes,
                      Error **reterr) {
    DiskDef *disk = chain_disk(taking->next, target);

    if (chain_complete(taking->domain, taking->next, disk, nodes) < 0)
        return error_no_memory(reterr);
    return chain_length(disk) < CHAIN_MAX
               ? 0
               : error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                              "disk '%s' has %zu images, as many as there may be: make them fewer "
                              "by blockcommit or blockpull",
                              target, chain_length(disk));
}

/* The definition that will be, and the names of the new nodes: of numbers that nothing has, also
 * not in QEMU. */
static int plan(Taking *taking, Error **reterr) {
    CLEANUP_JSON json_object *nodes = NULL;
    unsigned last;
    int r = block_job_ask(taking->domain, "query-named-block-nodes", &nodes, reterr);

    if (r < 0)
        return r;
    taking->next = domain_def_copy(taking->domain->run->live);
    if (!taking->next)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < taking->n; i++)
        r = make_ready(taking, taking->overlays[i].disk, nodes, reterr);
    if (r < 0)
        return r;
    last = MAX_OF(last_index(taking->next), block_node_last_overlay(nodes));
    for (size_t i = 0; r >= 0 && i < taking->n; i++) {
        Overlay *overlay = &taking->overlays[i];

        overlay->index = ++last;
        overlay->node = strf("overlay-%u", overlay->index);
        overlay->source.node = overlay->node ? strdup(overlay->node) : NULL;
        r = overlay->source.node
                ? snapshot_push(chain_disk(taking->next, overlay->disk), overlay, true)
                : -ENOMEM;
    }
    return r < 0 ? error_no_memory(reterr) : 0;
}

/* ---- files ---- */

static SnapshotFile new_file(const Taking *taking, const Overlay *overlay) {
    const DiskDef *disk = chain_disk(taking->next, overlay->disk);
    const StorageSource *below = chain_at(disk, 1);

    return (SnapshotFile){.disk = overlay->disk,
                          .path = overlay->source.path,
                          .backing = below->path,
                          .backing_format = words_name(
                              &disk_formats, below->format ? below->format : DISK_FORMAT_RAW),
                          .reuse = taking->flags & SNAPSHOT_REUSE_EXT,
                          .is_node = overlay->source.type == DISK_BLOCK};
}

/* Looks at all of them before anything is written to one. */
static int look_at_files(Taking *taking, Error **reterr) {
    int r = 0;

    for (; r >= 0 && taking->n_made < taking->n; taking->n_made += r >= 0) {
        Overlay *overlay = &taking->overlays[taking->n_made];
        SnapshotFile file = new_file(taking, overlay);

        r = snapshot_file_look(&file, reterr);
        overlay->is_made = r >= 0 && file.is_made;
    }
    return r;
}

static int make_file(const Taking *taking, const Overlay *overlay, json_object *blocks,
                     Error **reterr) {
    const DiskDef *disk = chain_disk(taking->next, overlay->disk);
    SnapshotFile file = new_file(taking, overlay);
    BlockRoot root;

    if (!block_root_find(blocks, disk->info.alias, &root) || root.size == 0)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "QEMU does not say how large disk '%s' is", disk->target);
    file.size = root.size;
    return snapshot_file_make(&file, reterr);
}

static int make_files(Taking *taking, Error **reterr) {
    CLEANUP_JSON json_object *blocks = NULL;
    int r = block_job_ask(taking->domain, "query-block", &blocks, reterr);

    if (r >= 0)
        r = look_at_files(taking, reterr);
    for (size_t i = 0; r >= 0 && i < taking->n; i++)
        r = make_file(taking, &taking->overlays[i], blocks, reterr);
    return r < 0 ? r : domain_check_active(taking->domain, reterr);
}

/* QEMU's user, its /dev and its cgroup get them. */
static int admit(Taking *taking, Error **reterr) {
    int r = 0;

    for (; r >= 0 && taking->n_placed < taking->n; taking->n_placed += r >= 0) {
        CLEANUP(start_parts_done) StartParts parts = {0};
        const DiskDef *disk = chain_disk(taking->next, taking->overlays[taking->n_placed].disk);
        DevicePlace place = {&disk_kind, (size_t)(disk - taking->next->disks)};

        r = device_host_admit(taking->domain, taking->next, &place, &parts, reterr);
    }
    return r;
}

/* ---- the way back ---- */

static void remove_nodes(Taking *taking) {
    device_steps_undo(taking->domain, &taking->steps, taking->n_added);
    taking->n_added = 0;
}

/* False: the persistent definition has the new images still. They are empty above the old ones, so
 * that a start from it finds what there is. */
static bool restore_config(Taking *taking) {
    CLEANUP_ERROR Error *error = NULL;

    if (!taking->is_written ||
        snapshot_restore_config(taking->domain, taking->overlays, taking->n, &error) >= 0)
        return true;
    log_warning("domain '%s': the new images of a snapshot that was taken back stay in its "
                "definition, empty above the old ones: %s",
                domain_name(taking->domain), error_message(error));
    return false;
}

static void take_back(Taking *taking) {
    Domain *domain = taking->domain;
    const bool undo = restore_config(taking) && !(taking->flags & SNAPSHOT_REUSE_EXT);

    remove_nodes(taking);
    for (size_t i = 0; i < MIN_OF(taking->n_placed + 1, taking->n) && domain->run; i++)
        snapshot_release(domain, domain->run->live, &taking->overlays[i]);
    if (domain->run && taking->n_made == taking->n)
        device_host_settle(domain);
    for (size_t i = 0; undo && i < taking->n_made; i++)
        snapshot_file_undo(taking->overlays[i].source.path, taking->overlays[i].is_made);
    if (!domain->run || domain->run->disks.n_overlays == 0)
        return;
    run_forget_overlays(&domain->run->disks);
    domain_save_status(domain, NULL);
}

/* ---- in QEMU ---- */

static int note_intent(Taking *taking, Error **reterr) {
    DomainRun *run = taking->domain->run;

    for (size_t i = 0; i < taking->n; i++) {
        const Overlay *from = &taking->overlays[i];
        Overlay overlay = {.disk = strdup(from->disk),
                           .node = strdup(from->node),
                           .index = from->index,
                           .is_made = from->is_made};

        if (snapshot_copy_source(&from->source, &overlay.source) < 0 ||
            run_add_overlay(&run->disks, &overlay) < 0)
            return error_no_memory(reterr);
    }
    return domain_save_status(taking->domain, reterr);
}

static int build_steps(Taking *taking, Error **reterr) {
    static const QemuHostParts no_parts;
    const DomainRun *run = taking->domain->run;
    const DeviceContext context = {.def = taking->next,
                                   .caps = run->caps,
                                   .machine = qemu_caps_machine(run->caps, run->live->os.machine),
                                   .parts = &no_parts};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < taking->n; i++)
        r = device_overlay_nodes(&context, chain_disk(taking->next, taking->overlays[i].disk),
                                 &taking->steps, reterr);
    return r >= 0 && taking->steps.failed ? error_no_memory(reterr) : r;
}

/* *ret_unknown: QEMU may do it yet. */
static int tell(const Taking *taking, const char *command, json_object *arguments_consume,
                bool *ret_unknown, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;

    if (device_command(taking->domain, command, arguments_consume, &error) >= 0)
        return 0;
    *ret_unknown = device_is_unanswered(taking->domain, error);
    return error_propagate(reterr, TAKE_PTR(error));
}

static int add_nodes(Taking *taking, bool *ret_unknown, Error **reterr) {
    int r = build_steps(taking, reterr);

    for (; r >= 0 && taking->n_added < taking->steps.n; taking->n_added += r >= 0) {
        json_object *arguments = NULL;
        const char *command = device_step_command(&taking->steps.steps[taking->n_added],
                                                  &arguments);

        r = tell(taking, command, arguments, ret_unknown, reterr);
    }
    return r;
}

static json_object *one_action(const char *node, const char *overlay) {
    CLEANUP_JSON json_object *data = json_object_new_object(), *action = json_object_new_object();

    if (!data || !action || json_add_string(data, "node", node) < 0 ||
        json_add_string(data, "overlay", overlay) < 0 ||
        json_add_string(action, "type", "blockdev-snapshot") < 0 ||
        json_add(action, "data", TAKE_PTR(data)) < 0)
        return NULL;
    return TAKE_PTR(action);
}

static json_object *transaction(const Taking *taking) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();
    json_object *actions = json_object_new_array();

    if (!arguments || json_add(arguments, "actions", actions) < 0)
        return NULL;
    for (size_t i = 0; i < taking->n; i++) {
        const DiskDef *disk = chain_disk(taking->next, taking->overlays[i].disk);

        if (json_append(actions, one_action(chain_at(disk, 1)->node, disk->source.node)) < 0)
            return NULL;
    }
    return TAKE_PTR(arguments);
}

static int act(Taking *taking, bool *ret_unknown, Error **reterr) {
    json_object *arguments = transaction(taking);

    return arguments ? tell(taking, "transaction", arguments, ret_unknown, reterr)
                     : error_no_memory(reterr);
}

/* True: it has not been asked, or has refused. An agent that did not answer may still freeze. */
static bool is_not_frozen(const Error *error) {
    return error->code != ERROR_AGENT_UNRESPONSIVE;
}

/* An agent that was slow to freeze may not hear the first time. */
static void thaw(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;
    int r = -EAGAIN;

    for (unsigned i = 0; i < THAW_TRIES && r < 0 && domain->run; i++) {
        error_free(TAKE_PTR(error));
        r = driver_agent_run(domain, "guest-fsfreeze-thaw", NULL, THAW_SECONDS, NULL, &error);
        if (r < 0 && error->code != ERROR_AGENT_UNRESPONSIVE)
            break;
    }
    if (r < 0 && error)
        log_warning("domain '%s': after a snapshot its guest may still be frozen, 'virsh "
                    "domfsthaw' thaws it: %s",
                    domain_name(domain), error_message(error));
}

/* The guest's file systems are frozen for that moment. The job is held: no wait is without end. */
static int act_frozen(Taking *taking, bool *ret_unknown, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    Domain *domain = taking->domain;
    int r;

    if (!(taking->flags & SNAPSHOT_QUIESCE))
        return act(taking, ret_unknown, reterr);
    r = driver_agent_run(domain, "guest-fsfreeze-freeze", NULL, FREEZE_SECONDS, NULL, &error);
    if (r < 0 && is_not_frozen(error))
        return error_propagate(reterr, TAKE_PTR(error));
    if (r < 0)
        error_propagate(reterr, TAKE_PTR(error));
    else
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = act(taking, ret_unknown, reterr);
    thaw(domain);
    return r;
}

static int tell_remains(Domain *domain, int r, Error **reterr) {
    CLEANUP_FREE char *why = reterr && *reterr ? strdup(error_message(*reterr)) : NULL;

    if (r >= 0)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "the snapshot of domain '%s' is made, but could not be written down: %s",
                        domain_name(domain), why ? why : "out of memory");
}

/* ---- all of it ---- */

static int prepare(Taking *taking, Error **reterr) {
    int r = domain_check_active(taking->domain, reterr);

    if (r >= 0)
        r = domain_check_survives(taking->domain, "take a snapshot", reterr);
    if (r >= 0)
        r = snapshot_choose(taking, reterr);
    return r < 0 ? r : plan(taking, reterr);
}

/* The new images and all that QEMU needs to take them. */
static int make_all(Taking *taking, bool *ret_unknown, Error **reterr) {
    Domain *domain = taking->domain;
    int r = make_files(taking, reterr);

    if (r >= 0)
        r = admit(taking, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = note_intent(taking, reterr);
    if (r >= 0)
        r = add_nodes(taking, ret_unknown, reterr);
    return r;
}

/* A new image is empty: the persistent definition has it before QEMU does, and is right whether
 * QEMU takes it or not, and whatever ends meanwhile. One that is used again may have anything in
 * it, and comes in when QEMU has taken it. */
static int write_early(Taking *taking, DomainDef **config, Error **reterr) {
    int r;

    if (!*config)
        return 0;
    if (taking->flags & SNAPSHOT_REUSE_EXT)
        return domain_try_config(taking->domain, *config, reterr);
    r = snapshot_write_config(taking->domain, TAKE_PTR(*config), false, reterr);
    taking->is_written = r >= 0;
    return r < 0 ? r : domain_check_active(taking->domain, reterr);
}

/* It has happened. */
static int write_down(Taking *taking, DomainDef *config_consume, Error **reterr) {
    Domain *domain = taking->domain;
    int written = snapshot_write_config(domain, config_consume, true, reterr);
    int saved = snapshot_adopt(domain, TAKE_PTR(taking->next), written < 0 ? NULL : reterr);

    if (domain->run)
        device_host_settle(domain); /* what was the disk's image is only read now */
    return tell_remains(domain, MIN_OF(written, saved), reterr);
}

static int take(Taking *taking, bool *ret_unknown, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *config = NULL;
    Domain *domain = taking->domain;
    int r = prepare(taking, reterr);

    if (r < 0)
        return r;
    r = snapshot_next_config(domain, taking->next, taking->overlays, taking->n, &config) < 0
            ? error_no_memory(reterr)
            : 0;
    if (r >= 0)
        r = make_all(taking, ret_unknown, reterr);
    if (r >= 0)
        r = write_early(taking, &config, reterr);
    if (r >= 0)
        r = act_frozen(taking, ret_unknown, reterr);
    if (r >= 0)
        return write_down(taking, TAKE_PTR(config), reterr);
    if (!*ret_unknown)
        take_back(taking);
    return r;
}

int snapshot_take_disks(Domain *domain, const SnapshotDef *def, unsigned flags, bool *ret_unknown,
                        Error **reterr) {
    CLEANUP(taking_done) Taking taking = {.domain = domain, .def = def, .flags = flags};
    int r = block_check_snapshot(domain, reterr);

    return r < 0 ? r : take(&taking, ret_unknown, reterr);
}
