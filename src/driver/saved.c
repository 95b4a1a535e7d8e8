/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saved guests as files, and as what a start begins with. */
#include "driver/saved.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "conf/domain-abi.h"
#include "conf/domain-fill.h"
#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "domain/files.h"
#include "driver/definition-fill.h"
#include "driver/postcopy.h"
#include "driver/transfer.h"
#include "host/file-owner.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

/* For tests: the daemon ends here, as if it had been killed. */
void saved_crash_point(const char *name) {
    const char *wanted = getenv("VIREOD_CRASH_AT");

    if (wanted && streq(wanted, name))
        kill(getpid(), SIGKILL);
}

/* ---- names ---- */

char *driver_managed_save_path(const ServicePaths *paths, const char *name) {
    return strf("%s/save/%s.save", paths->lib, name);
}

char *save_taken_path(const char *path) {
    return strf("%s.taken", path);
}

char *save_id_text(const SaveImage *image) {
    char text[2 * SAVE_IMAGE_ID_SIZE + 1];

    for (size_t i = 0; i < SAVE_IMAGE_ID_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", image->id[i]);
    return strdup(text);
}

void save_forget(DomainRun *run) {
    free(TAKE_PTR(run->save.path));
    free(TAKE_PTR(run->save.id));
    run->save = (SaveIntent){0};
}

bool driver_has_managed_save(const Domain *domain) {
    CLEANUP_FREE char *path = domain->services && domain->config
                                  ? driver_managed_save_path(&domain->services->paths,
                                                             domain->config->name)
                                  : NULL;
    CLEANUP_FREE char *taken = path ? save_taken_path(path) : NULL;

    return (path && access(path, F_OK) == 0) || (taken && access(taken, F_OK) == 0);
}

int saved_open_directory(const char *path) {
    CLEANUP_FREE char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    return fd >= 0 ? fd : copy ? -errno : -ENOMEM;
}

int saved_sync_directory(const char *path) {
    CLEANUP_CLOSE int fd = saved_open_directory(path);

    return fd < 0 ? fd : fsync(fd) < 0 ? -errno : 0;
}

static int remove_file(const char *path, Error **reterr) {
    int r = file_remove_worker(path);

    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot remove the managed save '%s'", path)
                 : 0;
}

int save_remove(Domain *domain, Error **reterr) {
    CLEANUP_FREE char *path = domain->config ? driver_managed_save_path(&domain->services->paths,
                                                                        domain->config->name)
                                             : NULL;

    CLEANUP_FREE char *taken = path ? save_taken_path(path) : NULL;
    int r;

    assert(domain_job_is_mine(domain));
    if (!domain->config)
        return 0;
    if (!taken)
        return error_no_memory(reterr);
    r = remove_file(path, reterr);
    return r < 0 ? r : remove_file(taken, reterr);
}

/* ---- reading ---- */

typedef struct Opening {
    const char *path;
    bool writable;
    SaveImage *image;
    int fd;
    bool refused; /* it is there, and no complete image */
    Error *error;
} Opening;

static int run_open(void *arg) {
    Opening *work = arg;

    work->fd = work->writable ? file_owner_open_existing(work->path, O_RDWR)
                              : open(work->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (work->fd < 0)
        return error_system(&work->error, FROM_QEMU, work->writable ? work->fd : errno,
                            "Failed to open file '%s'", work->path);
    return save_image_read(work->fd, work->path, work->image, &work->error);
}

/* ENOENT and what is no complete image are a "no"; all else may be so for a while. */
static int run_look(void *arg) {
    Opening *work = arg;
    int r = run_open(work);

    if (r < 0 && work->fd < 0)
        work->refused = r == -ENOENT;
    else if (r < 0)
        work->refused = work->error && work->error->code == ERROR_OPERATION_FAILED;
    return r;
}

int save_open(const char *path, bool writable, SaveImage *image, int *ret_fd, Error **reterr) {
    Opening work = {.path = path, .writable = writable, .image = image, .fd = -1};
    int r = worker_run(run_open, &work);

    if (r < 0) {
        if (work.fd >= 0)
            close(work.fd);
        error_propagate(reterr, work.error);
        return r;
    }
    *ret_fd = work.fd;
    return 0;
}

int save_look(const char *path, const char *id, Error **reterr) {
    CLEANUP_SAVE_IMAGE SaveImage image = {0};
    CLEANUP_CLOSE int fd = -1;
    CLEANUP_FREE char *found = NULL;
    Opening work = {.path = path, .image = &image, .fd = -1};
    int r = worker_run(run_look, &work);

    fd = work.fd;
    if (r < 0 && work.refused) {
        error_free(work.error);
        return 0;
    }
    if (r < 0) {
        error_propagate(reterr, work.error);
        return r;
    }
    found = save_id_text(&image);
    return found ? streq(found, id) : error_no_memory(reterr);
}

/* ---- the machine ---- */

static int other_uuid(const DomainDef *saved, const DomainDef *def, Error **reterr) {
    char source[UUID_TEXT_SIZE], target[UUID_TEXT_SIZE];

    uuid_format(saved->uuid, source);
    uuid_format(def->uuid, target);
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "Target domain uuid %s does not match source %s", target, source);
}

/* What a guest cannot be put into another machine with. */
static int check_same(const DomainDef *saved, const DomainDef *def, Error **reterr) {
    const struct {
        const char *what;
        bool differs;
    } rows[] = {
        {"name", !streq(saved->name, def->name)},
        {"architecture", !streq(saved->os.arch, def->os.arch)},
        {"machine type", def->os.machine && !streq_ptr(saved->os.machine, def->os.machine)},
        {"maximum of vCPUs", saved->n_vcpus_max != def->n_vcpus_max},
        {"memory", saved->memory_kib != def->memory_kib},
        {"number of disks", saved->n_disks != def->n_disks},
        {"number of interfaces", saved->n_interfaces != def->n_interfaces},
        {"number of controllers", saved->n_controllers != def->n_controllers},
    };
    char path[ELEMENT_PATH_SIZE];

    if (memcmp(saved->uuid, def->uuid, sizeof(def->uuid)) != 0)
        return other_uuid(saved, def, reterr);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].differs)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "the guest of domain '%s' does not fit the definition that "
                                "was given: its %s is another",
                                saved->name, rows[i].what);
    if (!domain_abi_equal(saved, def, path))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the guest of domain '%s' does not fit the definition that was given: "
                            "its '%s' is another",
                            saved->name, path);
    return 0;
}

static int parse(const char *xml, DomainDef **ret, Error **reterr) {
    struct utsname host;
    DomainParseParams params = {.live = true};

    uname(&host);
    params.default_arch = host.machine;
    return domain_parse(xml, strlen(xml), &params, ret, reterr);
}

/* What is left out is what a define adds, with the machine and the program of the guest. Its text
 * brings its devices into the order that those of the image have. */
static int fill(const Services *services, DomainDef **given, const DomainDef *saved,
                Error **reterr) {
    const DomainFillParams same = {.machine = (*given)->os.machine ? NULL : saved->os.machine,
                                   .emulator = saved->emulator};
    CLEANUP_DOMAIN_DEF DomainDef *old = *given;
    CLEANUP_FREE char *text = NULL;
    int r = domain_fill(old, &same, reterr);

    *given = NULL;
    if (r >= 0)
        r = definition_fill(services, old, reterr);
    if (r < 0)
        return r;
    if (domain_format(old, &(DomainFormatParams){.id = 1, .secrets = true}, &text) < 0)
        return error_no_memory(reterr);
    return parse(text, given, reterr);
}

int save_definition(const Services *services, const SaveImage *image, const char *xml,
                    DomainDef **ret, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *saved = NULL, *given = NULL;
    int r = parse(image->xml, &saved, reterr);

    if (r < 0 || !xml) {
        *ret = TAKE_PTR(saved);
        return r;
    }
    r = parse(xml, &given, reterr);
    if (r >= 0)
        r = fill(services, &given, saved, reterr);
    if (r >= 0)
        r = check_same(saved, given, reterr);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(given);
    return 0;
}

int driver_managed_save_find(Domain *domain, char **ret, Error **reterr) {
    if (!driver_has_managed_save(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain does not have managed save image");
    *ret = driver_managed_save_path(&domain->services->paths, domain->config->name);
    if (*ret && access(*ret, F_OK) < 0) {
        CLEANUP_FREE char *path = *ret;

        *ret = save_taken_path(path);
    }
    return *ret ? 0 : error_no_memory(reterr);
}

/* ---- bringing back ---- */

int save_set_source(Domain *domain, bool running, Error **reterr) {
    const SaveSource *source = domain->run->restore;
    SaveIntent *intent = &domain->run->save;

    const bool seen = intent->seen;

    assert(domain_job_is_mine(domain) && domain->run->restore);
    save_forget(domain->run);
    intent->seen = seen;
    intent->path = source->remove ? strdup(source->remove) : NULL;
    intent->id = save_id_text(source->image);
    if (!intent->id || (source->remove && !intent->path))
        return error_no_memory(reterr);
    intent->kind = source->postcopy ? SAVE_POSTCOPY_IN : SAVE_FROM;
    intent->running = running;
    return 0;
}

static int load_from_host(Domain *domain, const SaveSource *source, Error **reterr) {
    TransferMigration what = {.fd_consume = -1, .look = source->look, .userdata = source->userdata};
    int r = source->open(domain, source->userdata, &what.fd_consume, reterr);

    if (r < 0)
        return r;
    r = transfer_migrate(domain, TRANSFER_MIGRATE_IN, &what, reterr);
    if (r <= 0)
        return r;
    domain_save_status(domain, NULL); /* a later daemon cannot ask QEMU for it: it may be over */
    saved_crash_point("postcopy-seen");
    r = postcopy_await_loaded(domain, reterr);
    if (r >= 0)
        domain->run->postcopy = true;
    return r;
}

bool save_may_be_here(const Domain *domain) {
    const DomainRun *run = domain->run;
    const SaveSource *source = run ? run->restore : NULL;
    bool unsure;

    if (!source || !source->kept || run->stopping || !run->monitor)
        return false;
    unsure = (source->released && *source->released) ||
             (run->save.kind == SAVE_POSTCOPY_IN && !monitor_is_open(run->monitor));
    return unsure && domain_outlives_monitor(domain);
}

/* The status file says from here on that the guest has not run, and where it is. */
int save_load(Domain *domain, Error **reterr) {
    const SaveSource *source = domain->run->restore;
    int r;

    assert(domain_job_is_mine(domain) && domain->run);
    if (!source)
        return 0;
    if (source->load)
        return source->load(domain, source->userdata, reterr);
    r = save_set_source(domain, source->running, reterr);
    if (r >= 0)
        r = domain_save_status(domain, reterr);
    if (r >= 0)
        r = source->open ? load_from_host(domain, source, reterr)
                         : transfer_run(domain, TRANSFER_RESTORE, source->fd, reterr);
    return r;
}

/* ---- the file of a managed save, and the guest that is let run ---- */

typedef struct Renaming {
    const char *from, *to;
} Renaming;

static int run_rename_for_good(void *arg) {
    const Renaming *names = arg;
    int r = rename(names->from, names->to) < 0 ? -errno : 0;

    if (r < 0)
        return r;
    r = saved_sync_directory(names->to);
    if (r < 0)
        rename(names->to, names->from);
    return r;
}

static int run_remove_for_good(void *path) {
    if (unlink(path) < 0)
        return errno == ENOENT ? 0 : -errno;
    return saved_sync_directory(path);
}

int save_take_over(Domain *domain, Error **reterr) {
    const SaveSource *source = domain->run->restore;
    CLEANUP_FREE char *taken = NULL;
    int r;

    assert(domain_job_is_mine(domain) && domain->run->restore);
    saved_crash_point("restore-loaded");
    if (!source || !source->remove)
        return 0;
    taken = save_taken_path(source->remove);
    if (!taken)
        return error_no_memory(reterr);
    r = worker_run(run_rename_for_good, &(Renaming){source->remove, taken});
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot rename the managed save '%s' to '%s'",
                            source->remove, taken);
    saved_crash_point("restore-taken");
    return 0;
}

void save_drop_taken(const char *path) {
    CLEANUP_FREE char *taken = save_taken_path(path);
    int r = taken ? worker_run(run_remove_for_good, taken) : -ENOMEM;

    if (r < 0)
        log_warning("the managed save '%s.taken' is of a guest that runs, and cannot be removed: "
                    "%s; remove it",
                    path, strerror(-r));
}

void save_give_back(const char *path) {
    CLEANUP_FREE char *taken = save_taken_path(path);
    int r = taken ? worker_run(run_rename_for_good, &(Renaming){taken, path}) : -ENOMEM;

    if (r < 0 && r != -ENOENT)
        log_warning("the managed save '%s.taken' cannot be given its name '%s' again: %s; rename "
                    "it before the next start",
                    path, path, strerror(-r));
}
