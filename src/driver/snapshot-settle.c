/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot-settle.h"

#include "domain/files.h"
#include "driver/block-job-settle.h"
#include "driver/device-use.h"
#include "driver/disk-chain.h"
#include "driver/news.h"
#include "driver/prepare-owner.h"
#include "driver/snapshot-file.h"
#include "driver/snapshot-work.h"
#include "qemu/block-graph.h"
#include "util/file.h"
#include "util/log.h"

int snapshot_copy_source(const StorageSource *from, StorageSource *to) {
    *to = (StorageSource){.type = from->type,
                          .format = from->format,
                          .path = strdup(from->path),
                          .node = strdup(from->node)};
    if (to->path && to->node)
        return 0;
    free(to->path);
    free(to->node);
    return -ENOMEM;
}

int snapshot_push(DiskDef *disk, const Overlay *overlay, bool live) {
    StorageSource source;

    if (snapshot_copy_source(&overlay->source, &source) < 0)
        return -ENOMEM;
    if (!live)
        free(TAKE_PTR(source.node));
    return chain_push(disk, &source, live ? overlay->index : 0);
}

/* A disk of the persistent definition follows if its image is the one that the live disk had: it
 * may have got another target for the next start. */
static int push_config(DomainDef *config, const DomainDef *live, const Overlay *overlay,
                       bool *ret_changed) {
    const DiskDef *disk = chain_disk(live, overlay->disk);
    const StorageSource *below = disk ? chain_at(disk, 1) : NULL;
    int r = 0;

    for (size_t i = 0; r >= 0 && below && i < config->n_disks; i++) {
        DiskDef *of = &config->disks[i];

        if (of->readonly || !of->source.path || !streq_ptr(of->source.path, below->path))
            continue;
        *ret_changed = true;
        r = snapshot_push(of, overlay, false);
    }
    return r;
}

/* What an overlay makes of the definition; `live` is for push_config. */
typedef int (*ConfigChange)(DomainDef *config, const DomainDef *live, const Overlay *overlay,
                            bool *ret_changed);

/* The definition with all of them; NULL: it stays as it is, or there is none. */
static int change_config(const Domain *domain, ConfigChange change, const DomainDef *live,
                         const Overlay *overlays, size_t n, DomainDef **ret) {
    CLEANUP_DOMAIN_DEF DomainDef *config = NULL;
    bool changed = false;
    int r = 0;

    *ret = NULL;
    if (!domain->config)
        return 0;
    config = domain_def_copy(domain->config);
    if (!config)
        return -ENOMEM;
    for (size_t i = 0; i < n && r >= 0; i++)
        r = change(config, live, &overlays[i], &changed);
    if (r >= 0 && changed)
        *ret = TAKE_PTR(config);
    return r;
}

int snapshot_next_config(const Domain *domain, const DomainDef *live, const Overlay *overlays,
                         size_t n, DomainDef **ret) {
    return change_config(domain, push_config, live, overlays, n, ret);
}

int snapshot_write_config(Domain *domain, DomainDef *config_consume, bool happened,
                          Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *config = config_consume;
    int r = config ? domain_save_config(domain, config, reterr) : 0;

    if (!config || (r < 0 && !happened))
        return r;
    domain_def_free(domain->config);
    domain->config = TAKE_PTR(config);
    return r;
}

static int pull_config(DomainDef *config, const DomainDef *live, const Overlay *overlay,
                       bool *ret_changed) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < config->n_disks; i++) {
        CLEANUP_CHAIN BackingStore *dropped = NULL;
        DiskDef *disk = &config->disks[i];

        if (!streq_ptr(disk->source.path, overlay->source.path) || chain_length(disk) < 2)
            continue;
        *ret_changed = true;
        r = chain_drop(disk, 0, 1, &dropped);
    }
    return r;
}

int snapshot_restore_config(Domain *domain, const Overlay *overlays, size_t n, Error **reterr) {
    DomainDef *config;

    if (change_config(domain, pull_config, NULL, overlays, n, &config) < 0)
        return error_no_memory(reterr);
    return snapshot_write_config(domain, config, false, reterr);
}

int snapshot_adopt(Domain *domain, DomainDef *next_consume, Error **reterr) {
    news_carry(domain->run->live, next_consume);
    domain_def_free(domain->run->live);
    domain->run->live = next_consume;
    run_forget_overlays(&domain->run->disks);
    return domain_save_status(domain, reterr);
}

void snapshot_release(Domain *domain, const DomainDef *def, const Overlay *overlay) {
    const DiskDef disk = {.source = overlay->source, .target = overlay->disk};

    if (domain->run)
        prepare_owner_detach(domain, def, &disk_kind, &disk);
}

/* ---- what was left ---- */

static void finish(Domain *domain, json_object *nodes) {
    const RunDisks *disks = &domain->run->disks;
    CLEANUP_DOMAIN_DEF DomainDef *next = domain_def_copy(domain->run->live), *config = NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r = next ? 0 : -ENOMEM;

    for (size_t i = 0; r >= 0 && i < disks->n_overlays; i++) {
        DiskDef *disk = chain_disk(next, disks->overlays[i].disk);

        r = disk ? chain_complete(domain, next, disk, nodes) : -ENOENT;
        if (r >= 0)
            r = snapshot_push(disk, &disks->overlays[i], true);
    }
    if (r >= 0)
        r = snapshot_next_config(domain, next, disks->overlays, disks->n_overlays, &config);
    if (r >= 0) {
        int written = snapshot_write_config(domain, TAKE_PTR(config), true, &error);

        r = snapshot_adopt(domain, TAKE_PTR(next), written < 0 ? NULL : &error);
        r = MIN_OF(r, written);
        if (domain->run)
            device_host_settle(domain);
    }
    if (r < 0)
        log_error("domain '%s': a snapshot of its disks was made and is not written down: %s",
                  domain_name(domain), error ? error_message(error) : strerror(-r));
    else
        log_info("domain '%s': a snapshot of its disks that was under way is made",
                 domain_name(domain));
}

static void delete_node(Domain *domain, const char *node) {
    Props props = props_new();
    json_object *arguments;

    props_text(&props, "node-name", node);
    arguments = props_take(&props);
    if (arguments)
        device_command(domain, "blockdev-del", arguments, NULL);
}

static void drop_overlay(Domain *domain, const Overlay *overlay, bool named) {
    const DiskDef *disk = chain_disk(domain->run->live, overlay->disk);
    char storage[96];

    delete_node(domain, overlay->node);
    if (disk) {
        device_storage_node(disk, overlay->node, storage);
        delete_node(domain, storage);
    }
    if (domain->run)
        snapshot_release(domain, domain->run->live, overlay);
    if (overlay->is_made && !named)
        snapshot_file_undo(overlay->source.path, true);
}

void snapshot_settle(Domain *domain) {
    CLEANUP_JSON json_object *nodes = NULL;
    CLEANUP_ERROR Error *error = NULL;
    BlockNode node;
    bool named;

    assert(domain_job_is_mine(domain));
    if (!domain->run || domain->run->disks.n_overlays == 0 ||
        block_job_ask(domain, "query-named-block-nodes", &nodes, NULL) < 0)
        return;
    /* All of them have come, or none. */
    if (block_node_find(nodes, domain->run->disks.overlays[0].node, &node) && node.backing) {
        finish(domain, nodes);
        return;
    }
    log_info("domain '%s': a snapshot of its disks that was under way is taken back",
             domain_name(domain));
    named = snapshot_restore_config(domain, domain->run->disks.overlays,
                                    domain->run->disks.n_overlays, &error) < 0;
    if (named)
        log_warning("domain '%s': the new images of a snapshot that was taken back stay in its "
                    "definition, empty above the old ones: %s",
                    domain_name(domain), error_message(error));
    for (size_t i = 0; domain->run && i < domain->run->disks.n_overlays; i++)
        drop_overlay(domain, &domain->run->disks.overlays[i], named);
    if (!domain->run)
        return;
    run_forget_overlays(&domain->run->disks);
    device_host_settle(domain);
    domain_save_status(domain, NULL);
}

#define RETRY_FIRST_USEC USEC_PER_SEC
#define RETRY_LAST_USEC (16 * USEC_PER_SEC)

static bool is_due(const Domain *domain) {
    return (domain->run && domain->run->disks.n_overlays > 0) || snapshot_work_is_due(domain);
}

/* Whether there is nothing more to be settled. */
static bool try_to_settle(Domain *domain) {
    DomainJob job;

    if (domain_job_begin(domain, &job, "settling a snapshot", NULL) < 0)
        return !is_due(domain);
    snapshot_settle(domain);
    snapshot_work_settle(domain);
    domain_job_end(domain, &job);
    return !is_due(domain);
}

static void settle_task(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    uint64_t pause = RETRY_FIRST_USEC;

    while (domain->services && !task_sleep(&domain->services->tasks, pause) &&
           !try_to_settle(domain))
        pause = MIN_OF(2 * pause, RETRY_LAST_USEC);
}

void snapshot_settle_soon(Domain *domain) {
    int r;

    if (!domain->services || !is_due(domain))
        return;
    r = task_start(&domain->services->tasks, "settle-snapshot", settle_task, domain_ref(domain));
    if (r == -ENOMEM)
        log_warning("domain '%s': out of memory for a snapshot that is to be settled",
                    domain_name(domain));
    if (r < 0)
        domain_unref(domain);
}
