/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The start of a driver: definitions from disk, QEMUs that run, domains that start with the host.
 *
 * What is to be autostarted is decided once per boot of the host, when the first daemon comes: each
 * such domain gets a marker in run/autostart, then "run/autostarted" says that all have theirs. A
 * marker goes when its domain was tried, so that the next daemon goes on where one ended. */

#include "conf/domain-parse.h"
#include "domain/files.h"
#include "domain/snapshot-store.h"
#include "domain/status-file.h"
#include "domain/vcpu-operation.h"
#include "driver/definition.h"
#include "driver/drift.h"
#include "driver/driver.h"
#include "driver/prepare-sweep.h"
#include "driver/reconnect.h"
#include "driver/save-settle.h"
#include "driver/snapshot-settle.h"
#include "driver/snapshot-work.h"
#include "driver/start-domain.h"
#include "driver/stray-find.h"
#include "driver/volume-source.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

#define AUTOSTARTS_AT_ONCE 4
#define FIRST_TRIES_USEC (3 * USEC_PER_SEC)
#define LAST_FEW_USEC (100 * USEC_PER_MSEC)

/* A copy under another name would bring a domain back that was undefined. */
static bool is_file_of(const char *path, const char *name) {
    const char *file = strrchr(path, '/') + 1;
    size_t n = strlen(name);

    return strncmp(file, name, n) == 0 && streq(file + n, ".xml");
}

/* What the daemon lacks for the moment is no fault of the file: a start that would do without it is
 * none. */
static bool is_want(int r) {
    return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EINTR;
}

static int load_one(Driver *driver, const char *path) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL, *autostart = NULL;
    Domain *domain, *same = NULL;
    int r = file_read(path, DOMAIN_XML_MAX, &xml, NULL);

    if (is_want(r))
        return r;
    if (r < 0) {
        log_warning("cannot read '%s', ignoring: %s", path, strerror(-r));
        return 0;
    }
    r = definition_parse(xml, &def, &error);
    if (r >= 0)
        r = definition_find_same(driver->services.store, def, &same, &error);
    if (is_want(r))
        return r;
    if (r < 0) {
        log_warning("'%s' cannot be used, ignoring: %s", path, error_message(error));
        return 0;
    }
    if (same || !is_file_of(path, def->name)) {
        log_warning("'%s' is not the file of domain '%s', which is '%s.xml', ignoring", path,
                    def->name, def->name);
        return 0;
    }
    domain = domain_new();
    if (!domain)
        return -ENOMEM;
    domain->config = TAKE_PTR(def);
    autostart = domain_autostart_path(&driver->services.paths, domain->config->name);
    if (!autostart) {
        domain_unref(domain);
        return -ENOMEM;
    }
    domain->autostart = access(autostart, F_OK) == 0;
    store_add(driver->services.store, domain, &driver->services);
    domain_unref(domain);
    return 0;
}

/* ---- autostart ---- */

static char *marker_of(const Domain *domain) {
    char uuid[UUID_TEXT_SIZE];

    uuid_format(domain_def(domain)->uuid, uuid);
    return strf("%s/autostart/%s", domain->services->paths.run, uuid);
}

typedef struct Markers {
    char **paths;
    size_t n;
} Markers;

static void markers_done(Markers *markers) {
    for (size_t i = 0; i < markers->n; i++)
        free(markers->paths[i]);
    free(markers->paths);
}

/* In their order: the last one says that there are no more. */
static int run_write_markers(void *arg) {
    const Markers *markers = arg;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < markers->n; i++)
        r = file_write_atomic(markers->paths[i], "", 0, 0600);
    return r;
}

/* The first daemon after the boot of the host. */
static int decide(Driver *driver, const char *decided) {
    CLEANUP(markers_done)
    Markers markers = {.paths = calloc(driver_n_domains(driver) + 1, sizeof(char *))};

    if (!markers.paths)
        return -ENOMEM;
    for (Domain *domain = driver_domains(driver); domain; domain = domain->next) {
        domain->autostart_pending = domain->autostart;
        if (!domain->autostart)
            continue;
        markers.paths[markers.n] = marker_of(domain);
        if (!markers.paths[markers.n++])
            return -ENOMEM;
    }
    markers.paths[markers.n] = strdup(decided);
    if (!markers.paths[markers.n++])
        return -ENOMEM;
    return worker_run(run_write_markers, &markers);
}

/* What an earlier daemon had not come to. */
static void take_up(Driver *driver) {
    for (Domain *domain = driver_domains(driver); domain; domain = domain->next) {
        CLEANUP_FREE char *marker = marker_of(domain);

        domain->autostart_pending = marker && access(marker, F_OK) == 0;
    }
}

static void autostart_one(Domain *domain) {
    CLEANUP_FREE char *marker = marker_of(domain);
    CLEANUP_ERROR Error *error = NULL;

    if (!domain->run && start_domain(domain, 0, &error) < 0)
        log_warning("domain '%s' cannot be autostarted: %s", domain_name(domain),
                    error_message(error));
    if (marker)
        unlink(marker);
}

/* One of a few fibers that take the next domain each. */
static void autostart_some(void *userdata) {
    Driver *driver = userdata;

    for (Domain *next = driver_domains(driver); next && !driver->services.tasks.stopping;) {
        CLEANUP_DOMAIN Domain *domain = domain_ref(next);

        next = next->next;
        if (!domain->autostart_pending)
            continue;
        domain->autostart_pending = false;
        autostart_one(domain);
        next = driver_domains(driver); /* the list has changed meanwhile */
    }
}

void driver_autostart(Driver *driver) {
    CLEANUP_FREE char *decided = path_join(driver->services.paths.run, "autostarted");
    int r = decided ? 0 : -ENOMEM;

    if (decided && access(decided, F_OK) == 0)
        take_up(driver);
    else if (decided)
        r = decide(driver, decided);
    if (r < 0) /* a full disk is no reason not to start them */
        log_warning("what is autostarted cannot be written to '%s', ignoring: the next vireod may "
                    "start domains once more: %s",
                    driver->services.paths.run, strerror(-r));
    for (unsigned i = 0; i < AUTOSTARTS_AT_ONCE; i++)
        task_start(&driver->services.tasks, "autostart", autostart_some, driver);
}

/* ---- QEMUs that run ---- */

/* Moves what the status file said into the listed domain of the same uuid, or lists a new one.
 * NULL: it is another QEMU of a domain that has one. */
static Domain *give_run(Driver *driver, StatusRecord *record) {
    Domain *listed = store_uuid(driver->services.store, record->run->live->uuid);
    CLEANUP_DOMAIN Domain *domain = listed ? domain_ref(listed) : domain_new();

    if (!domain || domain->run)
        return NULL;
    domain->run = TAKE_PTR(record->run);
    domain->state = record->state;
    domain->reason = record->reason;
    if (listed)
        store_note_run(driver->services.store, domain);
    else
        store_add(driver->services.store, domain, &driver->services);
    return TAKE_PTR(domain);
}

static int read_status(const char *path, StatusRecord *ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    int r = file_read(path, DOMAIN_XML_MAX * 2, &text, &len);

    return r < 0 ? error_system(reterr, FROM_QEMU, r, "it cannot be read")
                 : status_file_parse(text, len, ret, reterr);
}

/* One that cannot be used is left to stray_find_all: its QEMU, if it runs, is found by its monitor.
 */
static int take_up_status(Driver *driver, const char *path) {
    CLEANUP_DOMAIN Domain *domain = NULL;
    CLEANUP_ERROR Error *error = NULL;
    StatusRecord record = {0};

    if (read_status(path, &record, &error) < 0) {
        log_warning("status file '%s' cannot be used, looking for its QEMU: %s", path,
                    error_message(error));
        return 0;
    }
    domain = give_run(driver, &record);
    if (!domain) {
        log_warning("status file '%s' is of a domain that runs in another QEMU, ignoring", path);
        domain_run_free(record.run);
        return 0;
    }
    store_pass_id(driver->services.store, domain->run->id);
    return reconnect_first(domain);
}

static int take_up_all(Driver *driver) {
    CLEANUP_FREE char *dir = path_join(driver->services.paths.run, "domains");
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = dir ? directory_names(dir, ".xml", &names) : -ENOMEM;

    if (r < 0)
        log_error("the status files of '%s' cannot be read: QEMUs that run are looked for by their "
                  "monitors: %s",
                  driver->services.paths.run, strerror(-r));
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP_FREE char *path = path_join(dir, names.list[i]);

        r = path ? take_up_status(driver, path) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

/* Readiness waits no longer for a QEMU that does not answer, and for the last few of many only
 * while others answer. */
static void await_first_tries(Driver *driver) {
    const Services *services = &driver->services;
    const uint64_t deadline = deadline_in(FIRST_TRIES_USEC);
    const unsigned few = services->n_first_tries / 10;

    while (services->n_first_tries > 0 && !services->tasks.stopping) {
        const uint64_t last = services->n_first_tries <= few ? deadline_in(LAST_FEW_USEC)
                                                             : deadline;

        if (fiber_cond_wait(&driver->services.tried, MIN_OF(last, deadline)) < 0)
            break;
    }
}

/* ---- load ---- */

/* What was cut short is settled before anything is started. */
static int load_snapshots(Driver *driver) {
    int r = snapshots_load(&driver->services);

    for (Domain *domain = driver_domains(driver); r >= 0 && domain; domain = domain->next)
        if (snapshot_work_is_due(domain))
            snapshot_settle_soon(domain);
    return is_want(r) ? r : 0;
}

/* Where the volumes are that running domains have as disks. */
static void find_volumes(Driver *driver) {
    for (Domain *domain = driver_domains(driver); domain; domain = domain->next) {
        CLEANUP_ERROR Error *error = NULL;

        if (domain->run && volume_source_resolve(driver->storage, domain->run->live, &error) < 0)
            log_warning("domain '%s' runs: %s", domain_name(domain), error_message(error));
    }
}

int driver_load(Driver *driver, Error **reterr) {
    CLEANUP_FREE char *dir = path_join(driver->services.paths.etc, "domains");
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = dir ? directory_names(dir, ".xml", &names) : -ENOMEM;

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot read '%s'",
                            dir ? dir : driver->services.paths.etc);
    prepare_sweep_temporaries(&driver->services.paths);
    if (confinement_prepare(driver->services.confinement, reterr) < 0)
        return -EINVAL;
    qemu_caps_cache_confine(driver->services.caps, &driver->services.confinement->probe);
    for (size_t i = 0; i < names.n && !driver->services.tasks.stopping; i++) {
        CLEANUP_FREE char *path = path_join(dir, names.list[i]);

        r = path ? load_one(driver, path) : -ENOMEM;
        if (r < 0)
            return error_system(reterr, FROM_QEMU, r, "cannot read the definition '%s'",
                                names.list[i]);
    }
    drift_watch_host(driver);
    operation_log_load(driver->services.operations);
    driver->services.is_loading = true;
    r = take_up_all(driver);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot take up the domains that run");
    r = load_snapshots(driver);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot read the snapshots");
    stray_find_all(&driver->services);
    await_first_tries(driver);
    prepare_sweep(&driver->services);
    save_clean_up(&driver->services);
    operations_drop(driver->services.operations, driver->services.store);
    networks_load(driver->networks);
    secrets_load(driver->secrets);
    if (storage_load(driver->storage, &error) < 0)
        log_warning("storage pools: %s", error_message(error));
    find_volumes(driver);
    driver->services.is_loading = false;
    fiber_cond_broadcast(&driver->services.compared);
    return 0;
}
