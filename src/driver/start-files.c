/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/start-files.h"

#include <unistd.h>

#include "domain/events.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"
#include "util/worker.h"

/* virConnectDomainEventDiskChangeReason */
enum { MISSING_MEDIUM = 0, MISSING_DISK = 1 };

typedef struct Look {
    const char *path; /* of the live definition, which nobody changes before there is a QEMU */
    int error;
} Look;

static int look(void *arg) {
    Look *at = arg;

    at->error = access(at->path, R_OK) < 0 ? errno : 0;
    return 0;
}

static int look_at(const char *path) {
    Look at = {.path = path};

    if (path)
        worker_run(look, &at);
    return at.error;
}

/* "requisite": a guest that had it when it was saved, or left its host, goes on without. */
static bool may_be_missing(const Domain *domain, const StorageSource *source) {
    return streq_ptr(source->startup_policy, "optional") ||
           (streq_ptr(source->startup_policy, "requisite") && domain->run->restore);
}

/* Tells of it, and takes it out. */
static void leave_out(Domain *domain, DiskDef *disk) {
    DomainDef *live = domain->run->live;
    const bool has_tray = disk_is_removable(disk);

    log_warning("domain '%s': '%s' of disk '%s' is not there: started without%s", live->name,
                disk->source.path, disk->target, has_tray ? " a medium" : "");
    events_news(domain, &(DomainNews){.id = EVENT_ID_DISK_CHANGE,
                                      .code = has_tray ? MISSING_MEDIUM : MISSING_DISK,
                                      .path = disk->source.path,
                                      .alias = disk->info.alias ? disk->info.alias : ""});
    if (has_tray)
        disk_empty(disk);
    else
        domain_def_remove_disk(live, disk);
}

static int check_disks(Domain *domain, Error **reterr) {
    DomainDef *live = domain->run->live;

    for (size_t i = live->n_disks; i-- > 0;) {
        DiskDef *disk = &live->disks[i];
        /* the name of a network source is none of this host's */
        const int error = disk->source.type == DISK_NETWORK ? 0 : look_at(disk->source.path);
        const bool missing = (error == ENOENT || error == ENOTDIR) &&
                             may_be_missing(domain, &disk->source);

        if (missing && domain->run->restore && !disk_is_removable(disk))
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "the disk '%s' of domain '%s' is not there: a guest that was saved "
                                "with it, or comes from a host where it has it, cannot go on "
                                "without; bring '%s' back",
                                disk->target, live->name, disk->source.path);
        if (missing)
            leave_out(domain, disk);
        else if (error)
            return error_system(reterr, FROM_QEMU, error,
                                "cannot read the disk '%s' of domain '%s'", disk->source.path,
                                live->name);
    }
    return 0;
}

int start_check_files(Domain *domain, Error **reterr) {
    const DomainDef *live = domain->run->live;
    const struct {
        const char *what, *path;
    } files[] = {{"kernel", live->os.kernel}, {"initrd", live->os.initrd}};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const int error = look_at(files[i].path);

        if (error)
            return error_system(reterr, FROM_QEMU, error, "cannot read the %s '%s' of domain '%s'",
                                files[i].what, files[i].path, live->name);
    }
    return check_disks(domain, reterr);
}
