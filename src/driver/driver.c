/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain store: listing, definitions on disk, look-up. */
#include "driver/driver.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "conf/domain-fill.h"
#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "driver/drift.h"
#include "driver/strays.h"
#include "qemu/agent.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/path-owner.h"
#include "util/log.h"
#include "util/worker.h"

static void paths_done(DriverPaths *paths) {
    free(paths->etc);
    free(paths->lib);
    free(paths->run);
    free(paths->log);
}

static int make_dirs(Driver *driver, Error **reterr) {
    const struct {
        const char *base, *sub;
    } dirs[] = {{driver->paths.etc, "domains"}, {driver->paths.etc, "autostart"},
                {driver->paths.run, "domains"}, {driver->paths.run, "autostart"},
                {driver->paths.run, "probe"},   {driver->paths.run, "operations"},
                {driver->paths.lib, "channel"}, {driver->paths.lib, "monitors"},
                {driver->paths.run, "births"},  {driver->paths.log, "qemu"}};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        CLEANUP_FREE char *path = path_join(dirs[i].base, dirs[i].sub);
        int r = path ? dir_make(path, 0700) : -ENOMEM;

        if (r < 0)
            return error_system(reterr, FROM_QEMU, r, "cannot create directory '%s'",
                                path ? path : dirs[i].sub);
        r = path_check_owner(path, "the directory", reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

static void on_pool_event(const Pool *pool, PoolEvent event, void *userdata) {
    const Driver *driver = userdata;

    if (driver->events && driver->events->pool)
        driver->events->pool(pool, event, driver->userdata);
}

static int make_storage(Driver *driver, const DriverParams *params, Error **reterr) {
    driver->storage = storage_new(&(StorageParams){.etc = driver->paths.etc,
                                                   .run = driver->paths.run,
                                                   .default_path = params->default_pool,
                                                   .event = on_pool_event,
                                                   .userdata = driver});
    return driver->storage ? 0 : error_no_memory(reterr);
}

int driver_new(const DriverParams *params, const DriverEvents *events, void *userdata, Driver **ret,
               Error **reterr) {
    const DriverPaths *paths = &params->paths;
    Driver *driver = calloc(1, sizeof(Driver));
    CLEANUP_FREE char *probe = path_join(paths->run, "probe");
    CLEANUP_FREE char *capabilities = path_join(paths->lib, "capabilities");
    int r;

    if (!driver || !probe || !capabilities) {
        free(driver);
        return error_no_memory(reterr);
    }
    driver->events = events;
    driver->userdata = userdata;
    driver->next_id = 1;
    driver->paths = (DriverPaths){.etc = strdup(paths->etc),
                                  .lib = strdup(paths->lib),
                                  .run = strdup(paths->run),
                                  .log = strdup(paths->log)};
    if (!driver->paths.etc || !driver->paths.lib || !driver->paths.run || !driver->paths.log)
        r = error_no_memory(reterr);
    else
        r = make_dirs(driver, reterr);
    if (r >= 0) {
        r = qemu_caps_cache_new(probe, capabilities, &driver->caps);
        if (r < 0)
            error_no_memory(reterr);
    }
    if (r >= 0)
        r = make_storage(driver, params, reterr);
    if (r >= 0)
        r = limits_host_new(&params->limits, &driver->limits, reterr);
    if (r >= 0)
        r = auditor_new(params->audit, &driver->auditor, reterr);
    if (r < 0) {
        driver_free(driver);
        return r;
    }
    *ret = driver;
    return 0;
}

int driver_set_audit(Driver *driver, AuditLevel level, Error **reterr) {
    Auditor *auditor = NULL;
    int r = auditor_new(level, &auditor, reterr);

    if (r < 0)
        return r;
    while (driver->auditing) /* a worker has the old one */
        fiber_cond_wait(&driver->audit_cond, USEC_FOREVER);
    auditor_free(driver->auditor);
    driver->auditor = auditor;
    return 0;
}

void driver_stop(Driver *driver) {
    task_group_stop(&driver->tasks);
    for (Domain *domain = driver->domains; domain; domain = domain->next)
        if (domain->run)
            agent_free(TAKE_PTR(domain->run->agent)); /* whoever waits for one gets an error */
}

void driver_wait_stopped(Driver *driver, uint64_t deadline) {
    task_group_wait(&driver->tasks, deadline);
}

void driver_free(Driver *driver) {
    if (!driver)
        return;
    while (driver->domains)
        driver_list_remove(driver->domains);
    operation_list_free(driver);
    storage_free(driver->storage);
    task_group_done(&driver->tasks);
    strays_free(driver);
    if (driver->caps)
        qemu_caps_cache_free(driver->caps);
    sd_event_source_disable_unref(driver->uevents);
    sd_event_source_disable_unref(driver->writes);
    limits_host_free(driver->limits);
    auditor_free(driver->auditor);
    fiber_cond_done(&driver->audit_cond);
    paths_done(&driver->paths);
    free(driver);
}

int driver_list_add(Driver *driver, Domain *domain) {
    Domain **tail = &driver->domains;

    while (*tail)
        tail = &(*tail)->next;
    *tail = domain_ref(domain);
    driver->n_domains++;
    return 0;
}

void driver_list_remove(Domain *domain) {
    Driver *driver = domain->driver;
    Domain **at;

    if (!driver)
        return;
    for (at = &driver->domains; *at && *at != domain; at = &(*at)->next)
        ;
    assert(*at == domain);
    *at = domain->next;
    driver->n_domains--;
    domain->next = NULL;
    domain->driver = NULL;
    domain_unref(domain);
}

Domain *driver_find_uuid(Driver *driver, const uint8_t uuid[16], const char *name, Error **reterr) {
    char text[UUID_TEXT_SIZE];

    for (Domain *domain = driver->domains; domain; domain = domain->next)
        if (memcmp(domain_def(domain)->uuid, uuid, 16) == 0)
            return domain;
    uuid_format(uuid, text);
    if (name && *name)
        error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN, "no domain with matching uuid '%s' (%s)",
                     text, name);
    else
        error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN, "no domain with matching uuid '%s'", text);
    return NULL;
}

Domain *driver_find_name(Driver *driver, const char *name, Error **reterr) {
    for (Domain *domain = driver->domains; domain; domain = domain->next)
        if (streq(domain_name(domain), name))
            return domain;
    error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN, "no domain with matching name '%s'", name);
    return NULL;
}

Domain *driver_find_id(Driver *driver, int id, Error **reterr) {
    for (Domain *domain = driver->domains; domain; domain = domain->next)
        if (domain->run && domain->run->id == id)
            return domain;
    error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN, "no domain with matching id %d", id);
    return NULL;
}

static char *xml_path(const char *base, const char *sub, const char *name) {
    return strf("%s/%s/%s.xml", base, sub, name);
}

char *driver_config_path(Driver *driver, const char *name) {
    return xml_path(driver->paths.etc, "domains", name);
}

char *driver_autostart_path(Driver *driver, const char *name) {
    return xml_path(driver->paths.etc, "autostart", name);
}

char *driver_status_path(Driver *driver, const char *name) {
    return xml_path(driver->paths.run, "domains", name);
}

int driver_save_config(Domain *domain, const DomainDef *def, Error **reterr) {
    CLEANUP_FREE char *path = driver_config_path(domain->driver, def->name), *xml = NULL;
    int r;

    if (!path || domain_format(def, &(DomainFormatParams){.secrets = true}, &xml) < 0)
        return error_no_memory(reterr);
    r = file_write_atomic_worker(path, xml, strlen(xml), 0600);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path) : 0;
}

void driver_emit_lifecycle(Domain *domain, LifecycleEvent event, int detail) {
    Driver *driver = domain->driver;

    if (driver && driver->events && driver->events->lifecycle)
        driver->events->lifecycle(domain, event, detail, driver->userdata);
}

void driver_tell_drift(Domain *domain, unsigned n, const char *text) {
    Driver *driver = domain->driver;

    domain->run->n_drifts += n;
    log_warning(
        "domain '%s': %u settings of its threads were changed by somebody else and are mended: %s",
        domain_name(domain), n, text);
    if (driver && driver->events && driver->events->drift)
        driver->events->drift(domain, n, text, driver->userdata);
}

/* ---- define ---- */

#define LARGE_XML 16384u /* bytes; more is parsed on a worker */
#define WARNINGS_MAX 50u /* lines of the log for one definition */

static void parse_warning(const char *path, int line, void *userdata) {
    unsigned *n = userdata;

    if (++*n <= WARNINGS_MAX)
        log_warning("domain XML: unknown '%s' in line %d, ignoring", path, line);
    else if (*n == WARNINGS_MAX + 1)
        log_warning("domain XML: more that is unknown, ignoring");
}

typedef struct Parse {
    const char *xml;
    const DomainParseParams *params;
    DomainDef *def;
    Error *error;
} Parse;

static int parse_it(void *arg) {
    Parse *work = arg;

    return domain_parse(work->xml, strlen(work->xml), work->params, &work->def, &work->error);
}

static void parse_kept(const char *path, int line, void *userdata) {
    log_warning("domain XML: '%s' in line %d is kept and not acted on yet", path, line);
}

int driver_parse(Driver *driver, const char *xml, DomainDef **ret, Error **reterr) {
    struct utsname host;
    unsigned n_warnings = 0;
    DomainParseParams params = {
        .warning = parse_warning, .kept = parse_kept, .userdata = &n_warnings};
    Parse work = {.xml = xml, .params = &params};
    int r;

    uname(&host);
    params.default_arch = host.machine;
    r = strlen(xml) > LARGE_XML ? worker_run(parse_it, &work) : parse_it(&work);
    if (r < 0) {
        error_propagate(reterr, work.error);
        return r;
    }
    *ret = work.def;
    return 0;
}

int driver_check_xml(Driver *driver, const char *xml, DomainParseWarning unknown,
                     DomainParseWarning kept, void *userdata, Error **reterr) {
    struct utsname host;
    DomainParseParams params = {.warning = unknown, .kept = kept, .userdata = userdata};
    CLEANUP(domain_def_freep) DomainDef *def = NULL;

    uname(&host);
    params.default_arch = host.machine;
    return domain_parse(xml, strlen(xml), &params, &def, reterr);
}

/* Names become file names; '/' cannot be, and 200 bytes leave room for suffixes. */
static int check_name(const DomainDef *def, Error **reterr) {
    if (strchr(def->name, '/') || streq(def->name, ".") || streq(def->name, ".."))
        return error_report(reterr, FROM_DOMAIN, ERROR_XML, "name %s cannot contain '/'",
                            def->name);
    if (strlen(def->name) > 200)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "the domain name is %zu bytes long, 200 are allowed",
                            strlen(def->name));
    return 0;
}

static bool emulates(const QemuCaps *caps, const char *arch) {
    return streq(caps->arch, arch) || (streq(caps->arch, "x86_64") && streq(arch, "i686")) ||
           (streq(caps->arch, "ppc64") && streq(arch, "ppc64le"));
}

/* What the emulator cannot be is refused here and not at the start, as in libvirt. */
static int check_emulator(const DomainDef *def, const QemuCaps *caps, Error **reterr) {
    if (!emulates(caps, def->os.arch))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "Emulator '%s' does not support arch '%s': it is one for '%s'",
                            def->emulator, def->os.arch, caps->arch);
    if (def->os.machine && !qemu_caps_machine(caps, def->os.machine))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "Emulator '%s' does not support machine type '%s'", def->emulator,
                            def->os.machine);
    return 0;
}

/* Default emulator and machine, as the definition will keep them. */
static int fill_defaults(Driver *driver, DomainDef *def, Error **reterr) {
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    DomainFillParams fill = {0};
    const QemuMachine *machine;
    int r;

    if (!def->emulator) {
        def->emulator = qemu_default_emulator(def->os.arch);
        if (!def->emulator)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "no emulator is known for arch '%s'; name one with <emulator>",
                                def->os.arch);
    }
    /* A binary that is not there yet is no reason to refuse a definition: start says so. */
    if (qemu_caps_get(driver->caps, def->emulator, &caps, NULL) >= 0) {
        r = check_emulator(def, caps, reterr);
        if (r < 0)
            return r;
        machine = qemu_caps_machine(caps, def->os.machine);
        fill.machine = machine ? machine->name : NULL;
    }
    return domain_fill(def, &fill, reterr);
}

/* The domain this definition is about, NULL if it is a new one; refuses clashes. */
int driver_find_same(Driver *driver, const DomainDef *def, Domain **ret, Error **reterr) {
    Domain *by_uuid = driver_find_uuid(driver, def->uuid, NULL, NULL);
    Domain *by_name = driver_find_name(driver, def->name, NULL);
    char text[UUID_TEXT_SIZE];

    if (by_name && by_name != by_uuid) {
        uuid_format(domain_def(by_name)->uuid, text);
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "domain '%s' already exists with uuid %s", def->name, text);
    }
    if (by_uuid && !by_name) {
        uuid_format(def->uuid, text);
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "domain '%s' is already defined with uuid %s", domain_name(by_uuid),
                            text);
    }
    *ret = by_uuid;
    return 0;
}

static int redefine(Domain *domain, DomainDef *def, bool *ret_new, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "define", reterr);

    if (r < 0)
        return r;
    r = driver_save_config(domain, def, reterr);
    if (r >= 0) {
        *ret_new = !domain->config;
        domain_def_free(domain->config);
        domain->config = def;
    }
    domain_job_end(domain, &job);
    return r;
}

/* Writes a new domain's file; nobody else changes the domain meanwhile. */
static int save_new(Domain *domain, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "define", reterr); /* the first: it does not wait */

    if (r < 0)
        return r;
    r = driver_save_config(domain, domain->config, reterr);
    if (r < 0)
        driver_list_remove(domain);
    domain_job_end(domain, &job);
    return r;
}

/* What a client defines or creates, and the domain it is about. */
static int prepare_def(Driver *driver, const char *xml, DomainDef **ret, Domain **ret_same,
                       Error **reterr) {
    int r = driver_parse(driver, xml, ret, reterr);

    if (r >= 0)
        r = check_name(*ret, reterr);
    if (r >= 0)
        r = fill_defaults(driver, *ret, reterr);
    return r < 0 ? r : driver_find_same(driver, *ret, ret_same, reterr);
}

int driver_define(Driver *driver, const char *xml, Domain **ret, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_DOMAIN Domain *domain = NULL;
    Domain *same = NULL;
    bool is_new = true;
    int r;

    r = prepare_def(driver, xml, &def, &same, reterr);
    if (r < 0)
        return r;
    if (same) {
        domain = domain_ref(same);
        r = redefine(domain, def, &is_new, reterr);
        if (r < 0)
            return r;
        def = NULL;
    } else {
        /* Listed before the file is written, so that a second define of the name waits for it. */
        domain = domain_new(driver);
        if (!domain)
            return error_no_memory(reterr);
        domain->config = TAKE_PTR(def);
        driver_list_add(driver, domain);
        r = save_new(domain, reterr);
        if (r < 0)
            return r;
    }
    driver_emit_lifecycle(domain, EVENT_DEFINED, is_new ? 0 : 1);
    *ret = TAKE_PTR(domain);
    return 0;
}

int driver_undefine(Domain *domain, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "undefine", reterr);

    if (r < 0)
        return r;
    if (!domain->config) {
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "cannot undefine transient domain");
    } else {
        CLEANUP_FREE char *path = driver_config_path(domain->driver, domain->config->name);
        CLEANUP_FREE char *autostart = driver_autostart_path(domain->driver, domain->config->name);

        if (!path || !autostart) {
            r = error_no_memory(reterr);
        } else if (unlink(path) < 0 && errno != ENOENT) {
            r = error_system(reterr, FROM_QEMU, errno, "cannot remove '%s'", path);
        } else {
            unlink(autostart);
            domain->autostart = false;
            driver_emit_lifecycle(domain, EVENT_UNDEFINED, 0);
            if (domain->run) {
                domain_def_free(TAKE_PTR(domain->config));
            } else {
                /* config stays with the object until its last user has gone */
                driver_list_remove(domain);
            }
        }
    }
    domain_job_end(domain, &job);
    return r;
}

/* Starts a domain that is listed already with another definition than its own, which it keeps. */
static int start_with(Domain *domain, const DomainDef *def, bool paused, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "create", reterr);

    if (r < 0)
        return r;
    r = driver_start_locked(domain, def, paused, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* Lists and starts a transient domain. Until it runs the definition sits in config; it has no file
 * and goes when the start fails. */
static int start_transient(Driver *driver, DomainDef *def_consume, bool paused, Domain **ret,
                           Error **reterr) {
    CLEANUP_DOMAIN Domain *domain = domain_new(driver);
    DomainJob job;
    int r;

    if (!domain) {
        domain_def_free(def_consume);
        return error_no_memory(reterr);
    }
    domain->config = def_consume;
    driver_list_add(driver, domain);
    r = domain_job_begin(domain, &job, "create", reterr); /* the first: it does not wait */
    if (r >= 0) {
        r = driver_start_locked(domain, domain->config, paused, reterr);
        if (r >= 0 && domain->run)
            domain_def_free(TAKE_PTR(domain->config));
        domain_job_end(domain, &job);
    }
    if (r < 0)
        driver_list_remove(domain);
    else
        *ret = TAKE_PTR(domain);
    return r;
}

int driver_create_xml(Driver *driver, const char *xml, bool paused, Domain **ret, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_DOMAIN Domain *domain = NULL;
    Domain *same = NULL;
    int r = prepare_def(driver, xml, &def, &same, reterr);

    if (r < 0)
        return r;
    if (!same)
        return start_transient(driver, TAKE_PTR(def), paused, ret, reterr);
    if (same->run || !same->config) {
        char text[UUID_TEXT_SIZE];

        uuid_format(def->uuid, text);
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "domain '%s' already exists with uuid %s", def->name, text);
    }
    domain = domain_ref(same);
    r = start_with(domain, def, paused, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(domain);
    return r;
}

static int set_autostart_locked(Domain *domain, bool yes, Error **reterr) {
    CLEANUP_FREE char *path = NULL, *target = NULL;

    if (!domain->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot set autostart for transient domain");
    path = driver_autostart_path(domain->driver, domain->config->name);
    target = strf("../domains/%s.xml", domain->config->name);
    if (!path || !target)
        return error_no_memory(reterr);
    if (yes ? (symlink(target, path) < 0 && errno != EEXIST)
            : (unlink(path) < 0 && errno != ENOENT))
        return error_system(reterr, FROM_QEMU, errno, "cannot change '%s'", path);
    domain->autostart = yes;
    return 0;
}

int driver_set_autostart(Domain *domain, bool yes, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "autostart", reterr);

    if (r < 0)
        return r;
    r = set_autostart_locked(domain, yes, reterr);
    domain_job_end(domain, &job);
    return r;
}

int driver_dump_xml(Domain *domain, unsigned flags, char **ret, Error **reterr) {
    bool inactive = (flags & XML_INACTIVE) && domain->config;
    const DomainDef *def = inactive ? domain->config : domain_def(domain);
    DomainFormatParams params = {.id = domain->run && !(flags & XML_INACTIVE) ? domain->run->id : 0,
                                 .secrets = flags & XML_SECURE};

    return domain_format(def, &params, ret) < 0 ? error_no_memory(reterr) : 0;
}
