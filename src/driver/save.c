/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saving a guest to a file, and restoring one. */
#include "driver/save.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "conf/domain-format.h"
#include "domain/events.h"
#include "domain/files.h"
#include "driver/block-job-check.h"
#include "driver/definition.h"
#include "driver/label.h"
#include "driver/run-end.h"
#include "driver/run-state.h"
#include "driver/save-settle.h"
#include "driver/start.h"
#include "driver/transfer.h"
#include "host/file-owner.h"
#include "qemu/unplug.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"
#include "util/worker.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)

/* ---- on the worker pool ---- */

/* A save's file from its first byte to its name. */
typedef struct Writing {
    const char *path;
    char *part; /* NULL: what is there is no regular file, and is written to in place */
    int fd;
    bool begun; /* the status file names it, and the guest may be paused for it */
    SaveImage image;
} Writing;

static void writing_done(Writing *writing) {
    if (writing->fd >= 0)
        close(writing->fd);
    free(writing->part);
    save_image_done(&writing->image);
}

static int run_begin(void *arg) {
    Writing *writing = arg;
    int r;

    writing->fd = writing->part ? open(writing->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
                                : open(writing->path, O_RDWR | O_CLOEXEC);
    if (writing->fd < 0)
        return -errno;
    r = save_image_begin(writing->fd, &writing->image);
    if (r < 0 && writing->part)
        unlink(writing->part);
    return r;
}

static int run_complete(void *arg) {
    Writing *writing = arg;
    CLEANUP_CLOSE int directory = -1;
    int r = save_image_complete(writing->fd, &writing->image);

    if (r < 0 || !writing->part)
        return r;
    directory = saved_open_directory(writing->path);
    if (directory < 0)
        return directory;
    if (rename(writing->part, writing->path) < 0)
        return -errno;
    if (fsync(directory) >= 0)
        return 0;
    r = -errno;
    return unlink(writing->path) < 0 ? 0 : r; /* what has the name is the guest */
}

/* ---- saving ---- */

static int check_savable(Domain *domain, unsigned flags, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (domain->state == DOMAIN_PMSUSPENDED || domain->state == DOMAIN_CRASHED ||
        domain->state == DOMAIN_SHUTTING_DOWN)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot save domain '%s': its guest %s", domain_name(domain),
                            domain->state == DOMAIN_PMSUSPENDED ? "is suspended; wake it up first"
                            : domain->state == DOMAIN_CRASHED   ? "has crashed"
                                                                : "is shutting down");
    r = block_job_check_none(domain, reterr);
    if (r >= 0)
        r = block_check_moves(domain, reterr);
    return r < 0 ? r : domain_check_survives(domain, "save the guest", reterr);
}

/* The definition that goes with the state: a client's, if it is the same machine. */
static int make_image(Domain *domain, const char *xml, unsigned flags, SaveImage *ret,
                      Error **reterr) {
    CLEANUP_BITMAP Bitmap *pending = unplug_pending(&domain->run->vcpus);
    const DomainFormatParams params = {.id = domain->run->id, .secrets = true, .pending = pending};

    if (!pending)
        return error_no_memory(reterr);
    if (getrandom(ret->id, sizeof(ret->id), 0) != (ssize_t)sizeof(ret->id))
        return error_system(reterr, FROM_QEMU, errno, "no random numbers");
    ret->running = flags & SAVE_RUNNING  ? true
                   : flags & SAVE_PAUSED ? false
                                         : domain->state == DOMAIN_RUNNING;
    ret->rebooting = domain->run->rebooting;
    if (domain_format(domain->run->live, &params, &ret->xml) < 0)
        return error_no_memory(reterr);
    if (xml) {
        CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
        int r = save_definition(domain->services, ret, xml, &def, reterr);

        if (r < 0)
            return r;
        free(TAKE_PTR(ret->xml));
        if (domain_format(def, &params, &ret->xml) < 0)
            return error_no_memory(reterr);
    }
    return 0;
}

static int set_intent(Domain *domain, const Writing *writing, bool running, Error **reterr) {
    SaveIntent *intent = &domain->run->save;

    save_forget(domain->run);
    intent->path = strdup(writing->path);
    intent->id = save_id_text(&writing->image);
    if (!intent->path || !intent->id)
        return error_no_memory(reterr);
    intent->kind = SAVE_TO;
    intent->running = running;
    return domain_save_status(domain, reterr);
}

static int pause_guest(Domain *domain, int reason, Error **reterr) {
    int r;

    if (domain->state != DOMAIN_RUNNING)
        return 0;
    domain->run->pause_reason = reason;
    r = monitor_run(domain->run->monitor, "stop", NULL, deadline_in(COMMAND_USEC), NULL, reterr);
    domain->run->pause_reason = PAUSED_UNKNOWN;
    if (r >= 0)
        run_state_set_paused(domain, reason);
    return r;
}

/* The guest goes on as it was before. A QEMU that does not answer (`failed`: of what it was asked)
 * may have stopped it, or be about to: then the intent stays, and it is done later. */
static void go_back(Domain *domain, const Writing *writing, int failed) {
    CLEANUP_ERROR Error *error = NULL;

    if (writing->part)
        file_remove_worker(writing->part);
    if (!domain->run)
        return;
    if (writing->begun &&
        (failed == -ETIMEDOUT || save_settle_back(domain, RUNNING_SAVE_CANCELED, &error) < 0)) {
        if (domain->run)
            log_warning("domain '%s': its guest is to go on after a save that failed, and cannot "
                        "yet, trying on: %s",
                        domain_name(domain), error ? error_message(error) : "QEMU is silent");
        save_settle_soon(domain);
        return;
    }
    if (!domain->run)
        return;
    save_forget(domain->run);
    domain_save_status(domain, NULL);
    label_settle(domain);
}

static int write_state(Domain *domain, Writing *writing, bool was_running, Error **reterr) {
    int r = worker_run(run_begin, writing);

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot write '%s'", writing->path);
    r = set_intent(domain, writing, was_running, reterr);
    writing->begun = r >= 0;
    if (r >= 0)
        r = label_admit(domain, NULL, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = pause_guest(domain, PAUSED_SAVE, reterr);
    if (r >= 0)
        saved_crash_point("save-begun");
    if (r >= 0)
        r = transfer_run(domain, TRANSFER_SAVE, writing->fd, reterr);
    if (r < 0)
        return r;
    r = worker_run(run_complete, writing);
    saved_crash_point("save-complete");
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot write '%s'", writing->path) : 0;
}

/* 1: it is there and no regular file. */
static int run_is_special(void *path) {
    struct stat info;

    if (stat(path, &info) < 0 || S_ISREG(info.st_mode))
        return 0;
    return S_ISDIR(info.st_mode) ? -EISDIR : 1;
}

static int run_check_way(void *path) {
    return file_owner_check_way(path);
}

/* Under its final name only when all of it is there; what is no regular file has one name only. */
static int choose_part(Writing *writing, Error **reterr) {
    CLEANUP_FREE char *id = save_id_text(&writing->image);
    int r = worker_run(run_check_way, (void *)writing->path);

    if (r >= 0)
        r = worker_run(run_is_special, (void *)writing->path);

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot write '%s'", writing->path);
    if (r > 0)
        return 0;
    writing->part = id ? domain_save_part_path(writing->path, id) : NULL;
    return writing->part ? 0 : error_no_memory(reterr);
}

/* Job held. */
static int save(Domain *domain, const char *path, const char *xml, unsigned flags, Error **reterr) {
    CLEANUP(writing_done) Writing writing = {.path = path, .fd = -1};
    const bool was_running = domain->state == DOMAIN_RUNNING;
    int r = check_savable(domain, flags, reterr);

    if (r >= 0)
        r = make_image(domain, xml, flags, &writing.image, reterr);
    if (r >= 0)
        r = choose_part(&writing, reterr);
    if (r < 0)
        return r;
    r = write_state(domain, &writing, was_running, reterr);
    if (r < 0) {
        go_back(domain, &writing, r);
        return r;
    }
    log_info("domain '%s' was saved to '%s'", domain_name(domain), path);
    if (domain->run)
        run_end(domain, SHUTOFF_SAVED, STOPPED_SAVED);
    return 0;
}

static int check_path(const char *path, Error **reterr) {
    return *path == '/' ? 0
                        : error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                       "the file '%.200s' must be named by an absolute path", path);
}

static int check_flags(unsigned flags, const char *api, Error **reterr) {
    if ((flags & SAVE_RUNNING) && (flags & SAVE_PAUSED))
        return error_argument(reterr, api, "flags",
                              "running and paused flags are mutually exclusive");
    return 0;
}

int driver_save(Domain *domain, const char *path, const char *xml, unsigned flags, Error **reterr) {
    DomainJob job;
    int r = check_flags(flags, "virDomainSaveFlags", reterr);

    if (r >= 0)
        r = check_path(path, reterr);
    if (r >= 0)
        r = domain_job_begin(domain, &job, "save", reterr);
    if (r < 0)
        return r;
    r = save(domain, path, xml, flags, reterr);
    domain_job_end(domain, &job);
    return r;
}

static int managed_save(Domain *domain, unsigned flags, Error **reterr) {
    CLEANUP_FREE char *path = NULL;
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (!domain->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot do managed save for transient domain");
    path = driver_managed_save_path(&domain->services->paths, domain->config->name);
    r = path ? save(domain, path, NULL, flags, reterr) : error_no_memory(reterr);
    if (r >= 0)
        save_drop_taken(path); /* of an older guest */
    return r;
}

int driver_managed_save(Domain *domain, unsigned flags, Error **reterr) {
    DomainJob job;
    int r = check_flags(flags, "virDomainManagedSave", reterr);

    if (r >= 0)
        r = domain_job_begin(domain, &job, "managed save", reterr);
    if (r < 0)
        return r;
    r = managed_save(domain, flags, reterr);
    domain_job_end(domain, &job);
    return r;
}

int driver_managed_save_remove(Domain *domain, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "removal of its managed save", reterr);

    if (r < 0)
        return r;
    r = save_remove(domain, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* The domain of a restored guest: the one that is listed, or a new one. */
static int find_or_list(Driver *driver, DomainDef *def, Domain **ret, bool *ret_new,
                        Error **reterr) {
    Domain *same = NULL;
    int r = definition_find_same(driver->services.store, def, &same, reterr);

    if (r < 0)
        return r;
    *ret_new = !same;
    if (same) {
        *ret = domain_ref(same);
        return 0;
    }
    *ret = domain_new();
    if (!*ret)
        return error_no_memory(reterr);
    (*ret)->config = domain_def_copy(def); /* until it runs, as with a transient one */
    if (!(*ret)->config)
        return error_no_memory(reterr);
    store_add(driver->services.store, *ret, &driver->services);
    return 0;
}

/* A QEMU that has not said whether it lets the guest run is kept, as its disks may have changed
 * since: what it says later decides. */
static int restore(Driver *driver, DomainDef *def, SaveSource *source, unsigned flags,
                   Error **reterr) {
    CLEANUP_DOMAIN Domain *domain = NULL;
    bool is_new = false, released = false, kept = false;
    DomainJob job;
    int r = find_or_list(driver, def, &domain, &is_new, reterr);

    if (r >= 0)
        r = domain_job_begin(domain, &job, "restore", reterr);
    if (r < 0)
        return r;
    source->released = &released;
    source->kept = &kept;
    r = start_restored(domain, def, source, flags, reterr);
    if (is_new && (r >= 0 || kept) && domain->run)
        domain_def_free(TAKE_PTR(domain->config));
    if (kept)
        save_settle_soon(domain);
    domain_job_end(domain, &job);
    if (is_new && r < 0 && !kept)
        store_remove(driver->services.store, domain);
    return r;
}

int driver_restore(Driver *driver, const char *path, const char *xml, unsigned flags,
                   Error **reterr) {
    CLEANUP_SAVE_IMAGE SaveImage image = {0};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_CLOSE int fd = -1;
    SaveSource source;
    bool paused;
    int r = check_flags(flags, "virDomainRestoreFlags", reterr);

    if (r >= 0)
        r = check_path(path, reterr);
    if (r >= 0)
        r = save_open(path, false, &image, &fd, reterr);
    if (r >= 0)
        r = save_definition(&driver->services, &image, xml, &def, reterr);
    if (r < 0)
        return r;
    source = (SaveSource){.fd = fd, .image = &image};
    paused = flags & SAVE_PAUSED ? true : flags & SAVE_RUNNING ? false : !image.running;
    return restore(
        driver, def, &source,
        (paused ? START_PAUSED : 0u) | (flags & SAVE_RESET_NVRAM ? START_RESET_NVRAM : 0u), reterr);
}
