/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a guest can move at all, and which host this is. */
#include <stdio.h>
#include <unistd.h>

#include "conf/domain-copy.h"
#include "conf/domain-format.h"
#include "driver/auto-destroy.h"
#include "driver/block-job-check.h"
#include "driver/migrate-internal.h"
#include "host/shared-storage.h"
#include "qemu/quirks.h"
#include "qemu/unplug.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/worker.h"

#define PROC_MAX 4096u

/* ---- this host ---- */

static char *read_line(const char *path) {
    char *text = NULL;

    if (file_read(path, PROC_MAX, &text, NULL) < 0)
        return strdup("");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

int migrate_fill_host(MigrateCookie *cookie) {
    char name[256] = "", namespace[64] = "";

    gethostname(name, sizeof(name) - 1);
    if (readlink("/proc/self/ns/mnt", namespace, sizeof(namespace) - 1) < 0)
        *namespace = '\0';
    cookie->host = strdup(name);
    cookie->namespace = strdup(namespace);
    cookie->boot = read_line("/proc/sys/kernel/random/boot_id");
    return cookie->host && cookie->namespace && cookie->boot ? 0 : -ENOMEM;
}

bool migrate_is_same_host(const MigrateCookie *a, const MigrateCookie *b) {
    return a->boot && *a->boot && a->namespace && *a->namespace && streq_ptr(a->boot, b->boot) &&
           streq_ptr(a->namespace, b->namespace);
}

/* ---- its definition ---- */

/* FNV-1a: whether two rows of texts of one daemon differ. */
static uint32_t check_of(const char *text, uint32_t check) {
    for (; *text; text++)
        check = (check ^ (uint8_t)*text) * UINT32_C(16777619);
    return check;
}

/* What the guest was asked and has not answered goes along, as it was at Begin. */
static int check_questions(const Domain *domain, uint32_t *check, Error **reterr) {
    CLEANUP_BITMAP Bitmap *pending = unplug_pending(&domain->run->vcpus);
    CLEANUP_FREE char *text = pending ? bitmap_format(pending) : NULL;

    if (!text)
        return error_no_memory(reterr);
    *check = check_of(text, *check);
    *check = check_of(domain->run->rebooting ? "reboot" : "", *check);
    return 0;
}

int migrate_format_domain(const Domain *domain, char **ret, uint32_t *ret_check, Error **reterr) {
    const DomainFormatParams params = {.id = domain->run ? domain->run->id : 0, .secrets = true};

    if (domain_format(domain->run ? domain->run->live : domain->config, &params, ret) < 0)
        return error_no_memory(reterr);
    *ret_check = check_of(*ret, UINT32_C(2166136261));
    return domain->run ? check_questions(domain, ret_check, reterr) : 0;
}

/* ---- what is asked for ---- */

int migrate_check_flags(const Services *services, const MigrateParams *params, Error **reterr) {
    static const struct {
        unsigned flags;
        const char *sentence;
    } rows[] = {
        {MIGRATE_TUNNELLED, "a migration is not tunnelled through the daemons here; leave "
                            "--tunnelled out"},
        {MIGRATE_NON_SHARED_DISK | MIGRATE_NON_SHARED_INC | MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES,
         "disks are not copied by a migration here: both hosts need the images, shared or copied "
         "before; leave --copy-storage-all and --copy-storage-inc out"},
        {MIGRATE_RDMA_PIN_ALL, "a migration goes over TCP or a unix socket here, not over RDMA"},
        {MIGRATE_TLS, "a migration is not encrypted here; use a network of your own for it"},
        {MIGRATE_PARALLEL, "a migration goes over one connection here; leave --parallel out"},
        {MIGRATE_ZEROCOPY, "a migration is not sent without copying here; leave --zerocopy out"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (params->flags & rows[i].flags)
            return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED, "%s",
                                rows[i].sentence);
    if ((params->flags & MIGRATE_POSTCOPY) && (!services || !services->settings.postcopy))
        return error_report(
            reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
            "post-copy is switched off here ('postcopy = no' in vireod.conf); leave "
            "--postcopy out");
    if ((params->flags & MIGRATE_POSTCOPY_RESUME) && !(params->flags & MIGRATE_POSTCOPY))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "--postcopy-resume goes with --postcopy");
    return 0;
}

/* ---- the guest ---- */

static int check_devices(const DomainDef *def, Error **reterr) {
    if (def->n_hostdevs > 0)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has devices of this host; detach them before it moves",
                            def->name);
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].source.type == DISK_NVME)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                "the disk '%s' of domain '%s' is a device of this host; detach it "
                                "before it moves",
                                def->disks[i].target, def->name);
    if (def->n_filesystems > 0)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has directories of this host; detach them before it moves",
                            def->name);
    return 0;
}

static int check_state(const Domain *domain, Error **reterr) {
    if (domain->state != DOMAIN_RUNNING && domain->state != DOMAIN_PAUSED)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot migrate domain '%s': its guest %s", domain_name(domain),
                            domain->state == DOMAIN_PMSUSPENDED ? "is suspended; wake it up first"
                            : domain->state == DOMAIN_CRASHED   ? "has crashed"
                                                                : "is shutting down");
    return 0;
}

static int run_is_shared(void *path) {
    return shared_storage_look(path);
}

static bool bypasses_cache(const DiskDef *disk) {
    return disk->cache && (streq(disk->cache, "none") || streq(disk->cache, "directsync"));
}

/* libvirt's rule: what is written has to be on storage that both hosts have, and nothing of it in
 * the cache of one. */
static int check_disk(const char *name, const DiskDef *disk, Error **reterr) {
    CLEANUP_FREE char *path = disk->source.path ? strdup(disk->source.path) : NULL;
    int shared;

    if (!disk->source.path || disk->readonly || disk->device == DISK_DEVICE_CDROM ||
        disk->source.type == DISK_NETWORK)
        return 0;
    if (!path)
        return error_no_memory(reterr);
    shared = disk->source.type == DISK_BLOCK ? 1 : worker_run(run_is_shared, path);
    if (shared <= 0)
        return error_report(reterr, FROM_QEMU, ERROR_MIGRATE_UNSAFE,
                            "the disk '%s' of domain '%s' is not on storage that hosts share; "
                            "--unsafe if the other side sees that file",
                            path, name);
    if (!bypasses_cache(disk) && !disk->shareable)
        return error_report(reterr, FROM_QEMU, ERROR_MIGRATE_UNSAFE,
                            "the disk '%s' of domain '%s' is not opened with cache='none' or "
                            "'directsync', and may be damaged; --unsafe if it may not",
                            path, name);
    return 0;
}

/* The definition may change meanwhile. */
static int check_disks(const DomainDef *borrowed, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(borrowed);

    if (!def)
        return error_no_memory(reterr);
    for (size_t i = 0; i < def->n_disks; i++) {
        int r = check_disk(def->name, &def->disks[i], reterr);

        if (r < 0)
            return r;
    }
    return 0;
}

/* One that the guest answers on its way is a removal, too. */
static int check_removals(const Domain *domain, Error **reterr) {
    const DomainRun *run = domain->run;
    const Quirk *quirk = quirk_of(run->caps, run->live->virt, QUIRK_RESET_AFTER_REMOVAL);
    CLEANUP_BITMAP Bitmap *pending = quirk ? unplug_pending(&run->vcpus) : NULL;
    int r = domain_check_survives(domain, "move the guest", reterr);

    if (r < 0 || !quirk)
        return r;
    if (!pending)
        return error_no_memory(reterr);
    return bitmap_is_empty(pending)
               ? 0
               : quirk_refuse(quirk, run->caps, "move the guest", domain_name(domain),
                              "it may still release a vCPU that it was asked for", reterr);
}

int migrate_check_domain(const Domain *domain, unsigned flags, Error **reterr) {
    int r;

    /* They are this host's, and so are the images that they are inside of. */
    if (domain->snapshots.n > 0)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot migrate domain with %u snapshots: delete those of '%s' first",
                            domain->snapshots.n, domain_name(domain));
    if (flags & MIGRATE_OFFLINE)
        return 0;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = check_state(domain, reterr);
    if (r >= 0)
        r = auto_destroy_check_migrate(domain, reterr);
    if (r >= 0)
        r = block_job_check_none(domain, reterr);
    if (r >= 0)
        r = block_check_moves(domain, reterr);
    if (r >= 0)
        r = check_devices(domain->run->live, reterr);
    if (r >= 0)
        r = check_removals(domain, reterr);
    return r < 0 || (flags & MIGRATE_UNSAFE) ? r : check_disks(domain->run->live, reterr);
}
