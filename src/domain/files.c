/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/files.h"

#include <unistd.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "conf/xml-text.h"
#include "domain/status-file.h"
#include "util/file.h"
#include "util/log.h"

#define SAVE_AGAIN_USEC USEC_PER_SEC /* doubles */
#define SAVE_AGAIN_MAX_USEC (16 * USEC_PER_SEC)

char *domain_config_path(const ServicePaths *paths, const char *name) {
    return strf("%s/domains/%s.xml", paths->etc, name);
}

char *domain_autostart_path(const ServicePaths *paths, const char *name) {
    return strf("%s/autostart/%s.xml", paths->etc, name);
}

char *domain_status_path(const ServicePaths *paths, const char *name) {
    return strf("%s/domains/%s.xml", paths->run, name);
}

char *domain_log_path(const ServicePaths *paths, const char *name) {
    return strf("%s/qemu/%s.log", paths->log, name);
}

char *domain_monitor_path(const ServicePaths *paths, int id) {
    return strf("%s/monitors/%d.sock", paths->lib, id);
}

char *domain_helper_socket(const Domain *domain, const char *alias) {
    return strf("%s/made/%d-%s.sock", domain->services->paths.run, domain->run->id, alias);
}

char *domain_channel_directory(const ServicePaths *paths) {
    return path_join(paths->lib, "channel");
}

char *domain_birth_directory(const ServicePaths *paths) {
    return path_join(paths->run, "births");
}

char *domain_pid_directory(const ServicePaths *paths) {
    return paths->pids ? strdup(paths->pids) : path_join(paths->run, "qemu");
}

static int write_config(const Domain *domain, const DomainDef *def, bool only_try, Error **reterr) {
    CLEANUP_FREE char *path = NULL, *xml = NULL;
    int r;

    assert(domain->services && def);
    path = domain_config_path(&domain->services->paths, def->name);
    if (!path || domain_format(def, &(DomainFormatParams){.secrets = true}, &xml) < 0)
        return error_no_memory(reterr);
    if (strlen(xml) > DOMAIN_XML_MAX || !xml_is_text(xml))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the definition of domain '%s' could not be read again: %s", def->name,
                            strlen(xml) > DOMAIN_XML_MAX ? "it is longer than 4 MiB"
                                                         : "it has a character that XML has not");
    r = only_try ? file_try_write_worker(path, xml, strlen(xml))
                 : file_write_atomic_worker(path, xml, strlen(xml), 0600);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path) : 0;
}

int domain_save_config(Domain *domain, const DomainDef *def, Error **reterr) {
    return write_config(domain, def, false, reterr);
}

int domain_try_config(const Domain *domain, const DomainDef *def, Error **reterr) {
    return write_config(domain, def, true, reterr);
}

/* ---- the status file ---- */

static void try_again_later(Domain *domain);

static void save_again(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    DomainJob job;

    if (domain_job_begin(domain, &job, "save of the status", NULL) < 0) {
        if (domain->run)
            try_again_later(domain);
        return;
    }
    if (domain->run && domain->run->status.behind && domain_save_status(domain, NULL) >= 0)
        log_info("domain '%s': its status is saved again", domain_name(domain));
    domain_job_end(domain, &job);
}

static int on_save_again(sd_event_source *source, uint64_t usec, void *userdata) {
    Domain *domain = userdata;

    domain->run->save_again = sd_event_source_disable_unref(domain->run->save_again);
    if (domain->services && !domain->services->tasks.stopping &&
        fiber_start("save-status", save_again, domain_ref(domain)) < 0) {
        domain_unref(domain);
        try_again_later(domain);
    }
    return 0;
}

/* Nothing else may ever have a reason to write it. Of what is in the file nothing is known. */
static void try_again_later(Domain *domain) {
    DomainRun *run = domain->run;

    run->status = (StatusSize){.behind = true};
    if (run->save_again)
        return;
    run->save_again_usec = MIN_OF(MAX_OF(2 * run->save_again_usec, SAVE_AGAIN_USEC),
                                  SAVE_AGAIN_MAX_USEC);
    if (sd_event_add_time_relative(fiber_event(), &run->save_again, CLOCK_MONOTONIC,
                                   run->save_again_usec, 0, on_save_again, domain) < 0)
        log_warning(
            "domain '%s': cannot set a timer, its status file stays behind until it changes",
            domain_name(domain));
}

int domain_save_status(Domain *domain, Error **reterr) {
    CLEANUP_FREE char *path = NULL, *text = NULL;
    int r;

    assert(domain_job_is_mine(domain));
    if (!domain->run || !domain->services)
        return 0;
    path = domain_status_path(&domain->services->paths, domain->run->live->name);
    if (!path || status_file_format(domain, &text) < 0) {
        try_again_later(domain);
        return error_no_memory(reterr);
    }
    r = file_write_atomic_worker(path, text, strlen(text), 0600);
    if (!domain->run)
        return 0;
    if (r < 0) {
        try_again_later(domain);
        return error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path);
    }
    domain->run->status = (StatusSize){strlen(text), strlen(text), false};
    domain->run->save_again_usec = 0;
    return 0;
}

/* Behind more lines than that a whole file is due, and behind as many bytes as it has. */
#define STATUS_LINES_LEAST 16384u

int domain_save_pin(Domain *domain, StatusPin pin, unsigned id, Error **reterr) {
    CLEANUP_FREE char *path = NULL, *line = NULL;
    StatusSize size = domain->run ? domain->run->status : (StatusSize){0};
    int r;

    assert(domain_job_is_mine(domain) && domain->run);
    if (!domain->services || size.whole == 0 ||
        size.now - size.whole > MAX_OF(size.whole, STATUS_LINES_LEAST))
        return domain_save_status(domain, reterr);
    path = domain_status_path(&domain->services->paths, domain->run->live->name);
    line = status_delta_format(domain->run->live, pin, id);
    if (!path || !line)
        return error_no_memory(reterr);
    r = file_append_worker(path, size.now, line, strlen(line));
    if (r == -ESTALE)
        return domain_save_status(domain, reterr);
    if (!domain->run)
        return 0;
    if (r < 0) {
        try_again_later(domain);
        return error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path);
    }
    domain->run->status.now = size.now + strlen(line);
    return 0;
}

/* ---- the pid for others ---- */

static char *pid_path(const Domain *domain) {
    CLEANUP_FREE char *directory = domain_pid_directory(&domain->services->paths);

    return directory ? strf("%s/%s.pid", directory, domain->run->live->name) : NULL;
}

void domain_save_pid(const Domain *domain) {
    CLEANUP_FREE char *path = NULL;
    char text[16];
    int r;

    assert(domain->run && domain->services);
    path = pid_path(domain);
    snprintf(text, sizeof(text), "%d", (int)domain->run->pid.pid);
    r = path ? file_write_atomic_worker(path, text, strlen(text), 0644) : -ENOMEM;
    if (r < 0)
        log_warning("domain '%s': cannot write the pid of its QEMU to '%s': %s",
                    domain_name(domain), path ? path : "a file", strerror(-r));
}

char *domain_save_part_path(const char *path, const char *id) {
    return strf("%s.%.8s.part", path, id);
}

void domain_forget_run(const Domain *domain) {
    const ServicePaths *paths = &domain->services->paths;
    const char *name = domain->run->live->name;

    file_forget("%s/domains/%s.xml", paths->run, name);
    file_forget("%s/births/%d.json", paths->run, domain->run->id);
    if (paths->pids)
        file_forget("%s/%s.pid", paths->pids, name);
    else
        file_forget("%s/qemu/%s.pid", paths->run, name);
    if (domain->run->monitor_path)
        unlink(domain->run->monitor_path);
}
