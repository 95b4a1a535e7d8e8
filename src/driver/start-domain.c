/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A persistent domain's start: from its managed save, or its boot. */
#include "driver/start-domain.h"

#include "driver/save-settle.h"
#include "driver/saved.h"
#include "driver/snapshot-work.h"
#include "driver/start.h"
#include "util/libvirt-numbers.h"

/* A vireod and a QEMU that have both ended between the two names leave nobody who knows. */
static int check_not_taken(const Domain *domain, const char *path, Error **reterr) {
    CLEANUP_FREE char *plain = driver_managed_save_path(&domain->services->paths,
                                                        domain->config->name);

    if (!plain)
        return error_no_memory(reterr);
    return streq(plain, path)
               ? 0
               : error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                              "its guest was let run from '%s' when vireod and QEMU ended, and may "
                              "have written to its disks since: if it has not, rename the file to "
                              "'%s'",
                              path, plain);
}

/* Job held. */
static int start_saved(Domain *domain, unsigned flags, Error **reterr) {
    CLEANUP_FREE char *path = NULL;
    CLEANUP_SAVE_IMAGE SaveImage image = {0};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_CLOSE int fd = -1;
    SaveSource source = {0};
    bool released = false, kept = false;
    int r = driver_managed_save_find(domain, &path, reterr);

    if (r >= 0)
        r = check_not_taken(domain, path, reterr);
    if (r >= 0)
        r = save_open(path, false, &image, &fd, reterr);
    if (r >= 0)
        r = save_definition(NULL, &image, NULL, &def, reterr);
    if (r >= 0 && memcmp(def->uuid, domain->config->uuid, sizeof(def->uuid)) != 0)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                         "'%s' is the saved guest of another domain, '%s'", path, def->name);
    if (r >= 0) {
        free(def->name);
        def->name = strdup(domain->config->name); /* it may have been renamed meanwhile */
        if (!def->name)
            r = error_no_memory(reterr);
    }
    if (r >= 0) {
        source = (SaveSource){
            .fd = fd, .image = &image, .remove = path, .released = &released, .kept = &kept};
        r = start_restored(domain, def, &source, flags | (image.running ? 0u : START_PAUSED),
                           reterr);
    }
    if (kept) {
        save_settle_soon(domain);
        return r;
    }
    if (r < 0 && reterr && *reterr)
        error_prefix(reterr,
                     "domain '%s' cannot be started from its managed save (managedsave-remove or "
                     "start --force-boot give it up)",
                     domain_name(domain));
    return r;
}

/* What is to be started, and from what. Job held. */
static int start_chosen(Domain *domain, unsigned flags, Error **reterr) {
    int r = 0;

    if (!domain->config || domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain is already running");
    snapshot_work_settle(domain);
    if (flags & START_FORCE_BOOT)
        r = save_remove(domain, reterr);
    if (r < 0)
        return r;
    return driver_has_managed_save(domain) ? start_saved(domain, flags, reterr)
                                           : start_locked(domain, domain->config, flags, reterr);
}

int start_domain(Domain *domain, unsigned flags, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "start", reterr);

    if (r < 0)
        return r;
    r = start_chosen(domain, flags, reterr);
    domain_job_end(domain, &job);
    return r;
}
