/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions, as a client makes, changes and reads them. */
#include <sys/utsname.h>

#include "conf/domain-copy.h"
#include "conf/domain-format.h"
#include "conf/domain-validate-define.h"
#include "domain/events.h"
#include "domain/files.h"
#include "domain/snapshot-store.h"
#include "domain/vcpu-operation.h"
#include "driver/definition-fill.h"
#include "driver/definition.h"
#include "driver/driver.h"
#include "driver/keep.h"
#include "driver/saved.h"
#include "driver/start-shown.h"
#include "driver/start.h"
#include "driver/xml-cache.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"

int driver_check_xml(const char *xml, DomainParseWarning unknown, DomainParseWarning kept,
                     void *userdata, Error **reterr) {
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

static int redefine(Domain *domain, DomainDef *def, bool *ret_new, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "define", reterr);

    if (r < 0)
        return r;
    r = domain_save_config(domain, def, reterr);
    if (r >= 0) {
        *ret_new = !domain->config;
        domain_def_free(domain->config);
        domain->config = def;
        operations_leave_config(domain, NULL);
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
    r = domain_save_config(domain, domain->config, reterr);
    if (r < 0)
        store_remove(domain->services->store, domain);
    domain_job_end(domain, &job);
    return r;
}

/* What a client defines or creates, and the domain it is about. */
static int prepare_def(Services *services, const char *xml, DomainDef **ret, Domain **ret_same,
                       Error **reterr) {
    int r = definition_parse(xml, ret, reterr);

    if (r >= 0)
        r = check_name(*ret, reterr);
    if (r >= 0)
        r = definition_fill(services, *ret, reterr);
    if (r >= 0)
        r = domain_validate_define(*ret, reterr);
    return r < 0 ? r : definition_find_same(services->store, *ret, ret_same, reterr);
}

int services_define(Services *services, const char *xml, Domain **ret, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_DOMAIN Domain *domain = NULL;
    Domain *same = NULL;
    bool is_new = true;
    int r;

    r = prepare_def(services, xml, &def, &same, reterr);
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
        domain = domain_new();
        if (!domain)
            return error_no_memory(reterr);
        domain->config = TAKE_PTR(def);
        store_add(services->store, domain, services);
        r = save_new(domain, reterr);
        if (r < 0)
            return r;
    }
    events_lifecycle(domain, EVENT_DEFINED, is_new ? 0 : 1);
    *ret = TAKE_PTR(domain);
    return 0;
}

int driver_define(Driver *driver, const char *xml, Domain **ret, Error **reterr) {
    return services_define(&driver->services, xml, ret, reterr);
}

int driver_undefine(Domain *domain, unsigned flags, Error **reterr) {
    const bool and_save = flags & UNDEFINE_MANAGED_SAVE;
    DomainJob job;
    int r = domain_job_begin(domain, &job, "undefine", reterr);

    if (r < 0)
        return r;
    if (!domain->config) {
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "cannot undefine transient domain");
    } else if (!domain->run && domain->snapshots.n > 0 && !(flags & UNDEFINE_SNAPSHOTS_METADATA)) {
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "cannot delete inactive domain with %u snapshots",
                         snapshot_count(&domain->snapshots));
    } else if (!and_save && driver_has_managed_save(domain)) {
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "Refusing to undefine while domain managed save image exists");
    } else if (keep_check(&domain->services->paths, domain->config, flags, reterr) < 0) {
        r = -EINVAL;
    } else if (and_save && save_remove(domain, reterr) < 0) {
        r = -EIO;
    } else {
        CLEANUP_FREE char *path = domain_config_path(&domain->services->paths,
                                                     domain->config->name);
        CLEANUP_FREE char *autostart = domain_autostart_path(&domain->services->paths,
                                                             domain->config->name);

        if (!path || !autostart) {
            r = error_no_memory(reterr);
        } else if ((r = file_remove_worker(path)) < 0) {
            error_system(reterr, FROM_QEMU, r, "cannot remove '%s'", path);
        } else {
            file_remove_worker(autostart);
            domain->autostart = false;
            keep_remove(&domain->services->paths, domain->config, flags);
            events_lifecycle(domain, EVENT_UNDEFINED, 0);
            if (domain->run) {
                domain_def_free(TAKE_PTR(domain->config));
            } else {
                snapshots_forget(domain);
                /* config stays with the object until its last user has gone */
                store_remove(domain->services->store, domain);
            }
        }
    }
    domain_job_end(domain, &job);
    return r;
}

/* Starts a domain that is listed already with another definition than its own, which it keeps. */
static int start_with(Domain *domain, const DomainDef *def, unsigned flags, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "create", reterr);

    if (r < 0)
        return r;
    r = start_locked(domain, def, flags, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* Lists and starts a transient domain. Until it runs the definition sits in config; it has no file
 * and goes when the start fails. */
static int start_transient(Driver *driver, DomainDef *def_consume, unsigned flags, Domain **ret,
                           Error **reterr) {
    CLEANUP_DOMAIN Domain *domain = domain_new();
    DomainJob job;
    int r;

    if (!domain) {
        domain_def_free(def_consume);
        return error_no_memory(reterr);
    }
    domain->config = def_consume;
    store_add(driver->services.store, domain, &driver->services);
    r = domain_job_begin(domain, &job, "create", reterr); /* the first: it does not wait */
    if (r >= 0) {
        r = start_locked(domain, domain->config, flags, reterr);
        if (r >= 0 && domain->run)
            domain_def_free(TAKE_PTR(domain->config));
        domain_job_end(domain, &job);
    }
    if (r < 0)
        store_remove(driver->services.store, domain);
    else
        *ret = TAKE_PTR(domain);
    return r;
}

int driver_create_xml(Driver *driver, const char *xml, unsigned flags, Domain **ret,
                      Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_DOMAIN Domain *domain = NULL;
    Domain *same = NULL;
    int r = prepare_def(&driver->services, xml, &def, &same, reterr);

    if (r < 0)
        return r;
    if (!same)
        return start_transient(driver, TAKE_PTR(def), flags, ret, reterr);
    if (same->run || !same->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' is already active", def->name);
    domain = domain_ref(same);
    r = start_with(domain, def, flags, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(domain);
    return r;
}

static int set_autostart_locked(Domain *domain, bool yes, Error **reterr) {
    CLEANUP_FREE char *path = NULL, *target = NULL;
    int r;

    if (!domain->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot set autostart for transient domain");
    path = domain_autostart_path(&domain->services->paths, domain->config->name);
    target = strf("../domains/%s.xml", domain->config->name);
    if (!path || !target)
        return error_no_memory(reterr);
    r = yes ? file_symlink_worker(target, path) : file_remove_worker(path);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot change '%s'", path);
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

/* A transient domain has no definition but the live one. */
static int dump_transient(const Domain *domain, unsigned flags, char **ret, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->run->live);
    const DomainFormatParams params = {.secrets = flags & XML_SECURE};

    if (!def)
        return error_no_memory(reterr);
    return start_hide(def) < 0 || domain_format(def, &params, ret) < 0 ? error_no_memory(reterr)
                                                                       : 0;
}

int driver_dump_xml(Domain *domain, unsigned flags, char **ret, Error **reterr) {
    bool inactive = (flags & XML_INACTIVE) && domain->config;
    const DomainDef *def = inactive ? domain->config : domain_def(domain);
    DomainFormatParams params = {.id = domain->run && !(flags & XML_INACTIVE) ? domain->run->id : 0,
                                 .secrets = flags & XML_SECURE};
    /* Whoever has the job may be changing it; passwords are not kept. */
    XmlCache *cache = domain->jobs || !domain->services || flags & XML_SECURE
                          ? NULL
                          : domain->services->xml;
    const char *kept = cache ? xml_cache_get(cache, domain->revision, flags & XML_INACTIVE) : NULL;

    if ((flags & XML_INACTIVE) && !domain->config && domain->run)
        return dump_transient(domain, flags, ret, reterr);
    if (kept && !XML_CACHE_CHECKED)
        return (*ret = strdup(kept)) ? 0 : error_no_memory(reterr);
    if (domain_format(def, &params, ret) < 0)
        return error_no_memory(reterr);
    assert(!kept || streq(kept, *ret));
    if (cache)
        xml_cache_put(cache, domain->revision, flags & XML_INACTIVE, *ret);
    return 0;
}
