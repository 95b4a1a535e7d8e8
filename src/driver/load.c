/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The start of a driver: definitions from disk, QEMUs that run, domains that start with the host.
 *
 * What is to be autostarted is decided once per boot of the host, when the first daemon comes: each
 * such domain gets a marker in run/autostart, then "run/autostarted" says that all have theirs. A
 * marker goes when its domain was tried, so that the next daemon goes on where one ended. */
#include <dirent.h>

#include "conf/domain-parse.h"
#include "driver/drift.h"
#include "driver/driver.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

#define AUTOSTARTS_AT_ONCE 4

static void load_one(Driver *driver, const char *path) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL, *autostart = NULL;
    Domain *domain, *same = NULL;
    int r = file_read(path, DOMAIN_XML_MAX, &xml, NULL);

    if (r < 0) {
        log_warning("cannot read '%s', ignoring: %s", path, strerror(-r));
        return;
    }
    if (driver_parse(driver, xml, &def, &error) < 0 ||
        driver_find_same(driver, def, &same, &error) < 0) {
        log_warning("'%s' cannot be used, ignoring: %s", path, error_message(error));
        return;
    }
    if (same)
        return;
    domain = domain_new(driver);
    if (!domain)
        return;
    domain->config = TAKE_PTR(def);
    autostart = driver_autostart_path(driver, domain->config->name);
    domain->autostart = autostart && access(autostart, F_OK) == 0;
    driver_list_add(driver, domain);
    domain_unref(domain);
}

static bool has_suffix(const char *name, const char *suffix) {
    size_t n = strlen(name), k = strlen(suffix);

    return n > k && streq(name + n - k, suffix);
}

/* ---- autostart ---- */

static char *marker_of(const Domain *domain) {
    char uuid[UUID_TEXT_SIZE];

    uuid_format(domain_def(domain)->uuid, uuid);
    return strf("%s/autostart/%s", domain->driver->paths.run, uuid);
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
    Markers markers = {.paths = calloc(driver->n_domains + 1, sizeof(char *))};

    if (!markers.paths)
        return -ENOMEM;
    for (Domain *domain = driver->domains; domain; domain = domain->next) {
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
    for (Domain *domain = driver->domains; domain; domain = domain->next) {
        CLEANUP_FREE char *marker = marker_of(domain);

        domain->autostart_pending = marker && access(marker, F_OK) == 0;
    }
}

static void autostart_one(Domain *domain) {
    CLEANUP_FREE char *marker = marker_of(domain);
    CLEANUP_ERROR Error *error = NULL;

    if (!domain->run && driver_start(domain, false, &error) < 0)
        log_warning("domain '%s' cannot be autostarted: %s", domain_name(domain),
                    error_message(error));
    if (marker)
        unlink(marker);
}

/* One of a few fibers that take the next domain each. */
static void autostart_some(void *userdata) {
    Driver *driver = userdata;

    for (Domain *next = driver->domains; next && !driver->tasks.stopping;) {
        CLEANUP_DOMAIN Domain *domain = domain_ref(next);

        next = next->next;
        if (!domain->autostart_pending)
            continue;
        domain->autostart_pending = false;
        autostart_one(domain);
        next = driver->domains; /* the list has changed meanwhile */
    }
}

void driver_autostart(Driver *driver) {
    CLEANUP_FREE char *decided = path_join(driver->paths.run, "autostarted");
    int r = decided ? 0 : -ENOMEM;

    if (decided && access(decided, F_OK) == 0)
        take_up(driver);
    else if (decided)
        r = decide(driver, decided);
    if (r < 0) /* a full disk is no reason not to start them */
        log_warning("what is autostarted cannot be written to '%s', ignoring: the next vireod may "
                    "start domains once more: %s",
                    driver->paths.run, strerror(-r));
    for (unsigned i = 0; i < AUTOSTARTS_AT_ONCE; i++)
        task_start(&driver->tasks, "autostart", autostart_some, driver);
}

/* ---- load ---- */

int driver_load(Driver *driver, Error **reterr) {
    CLEANUP_FREE char *dir = path_join(driver->paths.etc, "domains");
    CLEANUP_ERROR Error *error = NULL;
    struct dirent *entry;
    DIR *d = dir ? opendir(dir) : NULL;

    if (!d)
        return error_system(reterr, FROM_QEMU, dir ? errno : ENOMEM, "cannot read '%s'",
                            dir ? dir : driver->paths.etc);
    while (!driver->tasks.stopping && (entry = readdir(d))) {
        CLEANUP_FREE char *path = NULL;

        if (entry->d_name[0] == '.' || !has_suffix(entry->d_name, ".xml"))
            continue;
        path = path_join(dir, entry->d_name);
        if (path)
            load_one(driver, path);
    }
    closedir(d);
    drift_watch_host(driver);
    operation_load_all(driver);
    driver_reconnect_all(driver);
    driver_drop_operations(driver);
    if (storage_load(driver->storage, &error) < 0)
        log_warning("storage pools: %s", error_message(error));
    return 0;
}
