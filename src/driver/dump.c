/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's memory as a core file, which gdb and crash(8) read. */
#include <fcntl.h>
#include <sys/stat.h>

#include "domain/events.h"
#include "domain/files.h"
#include "driver/run-end.h"
#include "driver/run-state.h"
#include "driver/save.h"
#include "driver/transfer.h"
#include "host/file-owner.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"
#include "util/worker.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)

static int run_open(void *arg) {
    return file_owner_open(arg);
}

static int run_sync(void *arg) {
    return fsync(*(int *)arg) < 0 && errno != EINVAL && errno != EROFS ? -errno : 0;
}

/* What is left of a core that could not be written; a device stays. */
static int run_remove_core(void *path) {
    struct stat info;

    return lstat(path, &info) == 0 && S_ISREG(info.st_mode) && unlink(path) < 0 ? -errno : 0;
}

static int set_running(Domain *domain, bool run, Error **reterr) {
    int r;

    domain->run->pause_reason = PAUSED_DUMP;
    r = monitor_run(domain->run->monitor, run ? "cont" : "stop", NULL, deadline_in(COMMAND_USEC),
                    NULL, reterr);
    domain->run->pause_reason = PAUSED_UNKNOWN;
    if (r >= 0 && run)
        run_state_set_running(domain, RUNNING_UNPAUSED);
    else if (r >= 0)
        run_state_set_paused(domain, PAUSED_DUMP);
    return r;
}

static int write_core(Domain *domain, const char *path, DumpFormat format, Error **reterr) {
    CLEANUP_CLOSE int fd = worker_run(run_open, (void *)path);
    int r;

    if (fd < 0)
        return error_system(reterr, FROM_QEMU, fd, "cannot write '%s'", path);
    r = transfer_dump(domain, fd, format, reterr);
    if (r >= 0) {
        r = worker_run(run_sync, &fd);
        if (r < 0)
            error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path);
    }
    if (r < 0)
        worker_run(run_remove_core, (void *)path);
    return r;
}

/* What is to become of the guest afterwards. */
static int finish(Domain *domain, bool was_running, unsigned flags, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (flags & DUMP_CRASH) {
        run_end(domain, SHUTOFF_CRASHED, STOPPED_CRASHED);
        return 0;
    }
    if (flags & DUMP_RESET) {
        r = domain_check_survives(domain, "reset the guest", reterr);
        if (r >= 0)
            r = monitor_run(domain->run->monitor, "system_reset", NULL, deadline_in(COMMAND_USEC),
                            NULL, reterr);
        if (r < 0)
            return r;
    }
    return was_running && domain->state != DOMAIN_RUNNING ? set_running(domain, true, reterr) : 0;
}

/* Job held. */
static int dump(Domain *domain, const char *path, DumpFormat format, unsigned flags,
                Error **reterr) {
    CLEANUP_ERROR Error *later = NULL;
    const bool was_running = domain->state == DOMAIN_RUNNING;
    int r = domain_check_active(domain, reterr);

    if (r >= 0 && was_running && !(flags & DUMP_LIVE))
        r = set_running(domain, false, reterr);
    if (r < 0)
        return r;
    r = write_core(domain, path, format, reterr);
    if (r < 0) {
        if (finish(domain, was_running, 0, &later) < 0)
            log_warning("domain '%s' after a core dump that failed: %s", domain_name(domain),
                        error_message(later));
        return r;
    }
    return finish(domain, was_running, flags, reterr);
}

int driver_core_dump(Domain *domain, const char *path, unsigned format, unsigned flags,
                     Error **reterr) {
    DomainJob job;
    int r;

    if (format >= DUMP_FORMAT_MAX_)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "unknown dump format %u", format);
    if (*path != '/')
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the file '%.200s' must be named by an absolute path", path);
    r = domain_job_begin(domain, &job, "core dump", reterr);
    if (r < 0)
        return r;
    r = dump(domain, path, (DumpFormat)format, flags, reterr);
    domain_save_status(domain, NULL);
    domain_job_end(domain, &job);
    return r;
}
