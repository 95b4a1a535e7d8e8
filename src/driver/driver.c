/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and ending the driver and its services; what is found by name. */
#include "driver/driver.h"

#include "domain/audit-queue.h"
#include "domain/files.h"
#include "driver/migrate.h"
#include "driver/run-watch.h"
#include "driver/strays.h"
#include "driver/xml-cache.h"
#include "qemu/agent.h"
#include "util/file.h"
#include "util/path-owner.h"

static void paths_done(ServicePaths *paths) {
    free(paths->etc);
    free(paths->lib);
    free(paths->run);
    free(paths->log);
    free(paths->pids);
}

static int make_dirs(const ServicePaths *paths, Error **reterr) {
    const struct {
        const char *base, *sub;
    } dirs[] = {{paths->etc, "domains"},   {paths->etc, "autostart"}, {paths->run, "domains"},
                {paths->run, "autostart"}, {paths->run, "probe"},     {paths->run, "operations"},
                {paths->lib, "save"},      {paths->lib, "channel"},   {paths->lib, "monitors"},
                {paths->run, "births"},    {paths->log, "qemu"}};

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

/* Everybody may look for a pid; nobody else may write one. */
static int make_pid_directory(const ServicePaths *paths, Error **reterr) {
    CLEANUP_FREE char *path = domain_pid_directory(paths);
    int r = path ? dir_make(path, 0755) : -ENOMEM;

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot create directory '%s'",
                            path ? path : "of pids");
    return path_check_owner(path, "the directory", reterr);
}

static int copy_paths(const ServicePaths *from, ServicePaths *ret, Error **reterr) {
    *ret = (ServicePaths){.etc = strdup(from->etc),
                          .lib = strdup(from->lib),
                          .run = strdup(from->run),
                          .log = strdup(from->log),
                          .pids = from->pids ? strdup(from->pids) : NULL};
    return ret->etc && ret->lib && ret->run && ret->log && !from->pids == !ret->pids
               ? 0
               : error_no_memory(reterr);
}

static int make_storage(Driver *driver, const DriverParams *params, Error **reterr) {
    driver->secrets = secrets_new(driver->services.paths.etc, params->secret_event,
                                  params->userdata);
    driver->storage = storage_new(&(StorageParams){.etc = driver->services.paths.etc,
                                                   .run = driver->services.paths.run,
                                                   .default_path = params->default_pool,
                                                   .secrets = driver->secrets,
                                                   .event = params->pool_event,
                                                   .userdata = params->userdata});
    driver->networks = networks_new(&(NetworkParams){.etc = driver->services.paths.etc,
                                                     .run = driver->services.paths.run,
                                                     .event = params->network_event,
                                                     .userdata = params->userdata});
    driver->services.networks = driver->networks;
    driver->services.storage = driver->storage;
    driver->services.secrets = driver->secrets;
    return driver->storage && driver->networks && driver->secrets ? 0 : error_no_memory(reterr);
}

static int make_caps(Services *services, Error **reterr) {
    CLEANUP_FREE char *probe = path_join(services->paths.run, "probe");
    CLEANUP_FREE char *capabilities = path_join(services->paths.lib, "capabilities");

    return probe && capabilities && qemu_caps_cache_new(probe, capabilities, &services->caps) >= 0
               ? 0
               : error_no_memory(reterr);
}

static int make_lists(Services *services, Error **reterr) {
    CLEANUP_FREE char *journal = path_join(services->paths.run, "operations");
    const DomainEvents *events = services->events;

    services->store = store_new();
    services->strays = strays_new();
    services->xml = xml_cache_new();
    services->migrations = migrations_new();
    if (journal)
        services->operations = operation_log_new(journal, events ? events->operation : NULL,
                                                 services->events_userdata);
    return services->store && services->strays && services->xml && services->operations &&
                   services->migrations
               ? 0
               : error_no_memory(reterr);
}

static int make_services(Services *services, const DriverParams *params, Error **reterr) {
    int r = copy_paths(&params->paths, &services->paths, reterr);

    services->hooks = &run_watch_hooks;
    services->events = params->events;
    services->events_userdata = params->userdata;
    if (r >= 0)
        r = make_dirs(&services->paths, reterr);
    if (r >= 0)
        r = make_pid_directory(&services->paths, reterr);
    if (r >= 0)
        r = make_caps(services, reterr);
    if (r >= 0)
        r = make_lists(services, reterr);
    if (r >= 0 && !(services->confinement = confinement_new(&params->confinement)))
        r = error_no_memory(reterr);
    if (r >= 0)
        r = limits_host_new(&params->limits, &services->limits, reterr);
    return r < 0 ? r : audit_queue_new(params->audit, &services->audit, reterr);
}

int driver_new(const DriverParams *params, Driver **ret, Error **reterr) {
    Driver *driver = calloc(1, sizeof(Driver));
    int r = driver ? make_services(&driver->services, params, reterr) : error_no_memory(reterr);

    if (r >= 0)
        r = make_storage(driver, params, reterr);
    if (r < 0)
        driver_free(driver);
    else
        *ret = driver;
    return r;
}

int driver_set_audit(Driver *driver, AuditLevel level, Error **reterr) {
    return audit_queue_set_level(driver->services.audit, level, reterr);
}

void driver_stop(Driver *driver) {
    task_group_stop(&driver->services.tasks);
    fiber_cond_broadcast(&driver->services.tried);
    fiber_cond_broadcast(&driver->services.compared);
    for (Domain *domain = driver_domains(driver); domain; domain = domain->next)
        if (domain->run)
            agent_free(TAKE_PTR(domain->run->agent)); /* whoever waits for one gets an error */
}

void driver_wait_stopped(Driver *driver, uint64_t deadline) {
    task_group_wait(&driver->services.tasks, deadline);
}

static void services_done(Services *services) {
    store_free(services->store);
    operation_log_free(services->operations);
    task_group_done(&services->tasks);
    fiber_cond_done(&services->tried);
    fiber_cond_done(&services->compared);
    strays_free(services->strays);
    xml_cache_free(services->xml);
    migrations_free(services->migrations);
    if (services->caps)
        qemu_caps_cache_free(services->caps);
}

void driver_free(Driver *driver) {
    if (!driver)
        return;
    services_done(&driver->services);
    storage_free(driver->storage);
    networks_free(driver->networks);
    secrets_free(driver->secrets);
    sd_event_source_disable_unref(driver->uevents);
    sd_event_source_disable_unref(driver->writes);
    limits_host_free(driver->services.limits);
    confinement_free(driver->services.confinement);
    audit_queue_free(driver->services.audit);
    paths_done(&driver->services.paths);
    free(driver);
}

Domain *driver_find_uuid(Driver *driver, const uint8_t uuid[16], const char *name, Error **reterr) {
    Domain *domain = store_uuid(driver->services.store, uuid);
    char text[UUID_TEXT_SIZE];

    if (domain)
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
    Domain *domain = store_name(driver->services.store, name);

    if (domain)
        return domain;
    error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN, "no domain with matching name '%s'", name);
    return NULL;
}

Domain *driver_find_id(Driver *driver, int id, Error **reterr) {
    Domain *domain = store_id(driver->services.store, id);

    if (domain)
        return domain;
    error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN, "no domain with matching id %d", id);
    return NULL;
}
