/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first phase of a migration, at the source: what the destination has to know. */
#include "conf/domain-format.h"
#include "domain/vcpu-operation.h"
#include "driver/migrate-internal.h"
#include "driver/postcopy.h"
#include "driver/saved.h"
#include "qemu/unplug.h"
#include "util/libvirt-numbers.h"

/* The plugged vCPUs of which the guest did the same. */
static int add_verdicts(const VcpuMap *map, MigrateCookie *cookie) {
    static const GuestVerdict of[MIGRATE_VERDICTS] = {GUEST_UNKNOWN, GUEST_ONLINE, GUEST_PRESENT,
                                                      GUEST_SILENT};

    for (size_t k = 0; k < MIGRATE_VERDICTS; k++) {
        cookie->verdicts[k] = bitmap_new();
        for (size_t i = 0; cookie->verdicts[k] && i < map->n_entities; i++)
            if (map->entities[i].qom_path && map->entities[i].verdict == of[k] &&
                bitmap_set(cookie->verdicts[k], map->entities[i].first_id) < 0)
                return -ENOMEM;
        if (!cookie->verdicts[k])
            return -ENOMEM;
    }
    return 0;
}

static int fill_cookie(const Domain *domain, const MigrateParams *params, MigrateCookie *cookie,
                       Error **reterr) {
    const DomainFormatParams inactive = {.secrets = true};

    memcpy(cookie->uuid, domain_def(domain)->uuid, sizeof(cookie->uuid));
    cookie->name = strdup(domain_name(domain));
    if (!cookie->name || migrate_fill_host(cookie) < 0)
        return error_no_memory(reterr);
    if (domain->run) {
        cookie->rebooting = domain->run->rebooting;
        cookie->pending = unplug_pending(&domain->run->vcpus);
        cookie->operations = calloc(MIGRATE_OPERATIONS_MAX, sizeof(char *));
        if (!cookie->pending || add_verdicts(&domain->run->vcpus, cookie) < 0 ||
            !cookie->operations ||
            operations_carry(domain, cookie->operations, MIGRATE_OPERATIONS_MAX,
                             &cookie->n_operations) < 0)
            return error_no_memory(reterr);
    }
    if ((params->flags & MIGRATE_PERSIST_DEST) &&
        domain_format(domain->config ? domain->config : domain->run->live, &inactive,
                      &cookie->persistent) < 0)
        return error_no_memory(reterr);
    return 0;
}

/* What the client gives instead of it, if it is the same machine. */
static int replace_xml(const Domain *domain, const char *given, char **xml, int id,
                       Error **reterr) {
    const DomainFormatParams params = {.id = id, .secrets = true};
    const SaveImage image = {.xml = *xml};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    int r = save_definition(domain->services, &image, given, &def, reterr);

    if (r < 0)
        return r;
    free(TAKE_PTR(*xml));
    return domain_format(def, &params, xml) < 0 ? error_no_memory(reterr) : 0;
}

static int check_offline(const Domain *domain, const MigrateParams *params, Error **reterr) {
    const bool offline = params->flags & MIGRATE_OFFLINE;

    if (offline && !domain->run && driver_has_managed_save(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has a managed save, which stays on this host: start it, "
                            "or remove the save first",
                            domain_name(domain));
    if (!offline || !domain->run)
        return offline && !(params->flags & MIGRATE_PERSIST_DEST)
                   ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                  "offline migration cannot be done without --persistent")
                   : 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "domain '%s' runs; leave --offline out to move its guest",
                        domain_name(domain));
}

int driver_migrate_begin(Domain *domain, const MigrateParams *params, char **ret_xml,
                         char **ret_cookie, Error **reterr) {
    CLEANUP_MIGRATE_COOKIE MigrateCookie cookie = {0};
    CLEANUP_FREE char *xml = NULL;
    int r = migrate_check_flags(domain->services, params, reterr);

    if (r >= 0 && migrate_is_out(domain))
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "domain '%s' is being migrated already", domain_name(domain));
    if (r >= 0 && (params->flags & MIGRATE_POSTCOPY_RESUME)) {
        r = postcopy_check_failed(domain, SAVE_POSTCOPY_OUT, reterr);
    } else if (r >= 0) {
        r = check_offline(domain, params, reterr);
        if (r >= 0)
            r = migrate_check_domain(domain, params->flags, reterr);
    }
    if (r >= 0)
        r = fill_cookie(domain, params, &cookie, reterr);
    if (r >= 0)
        r = migrate_format_domain(domain, &xml, &cookie.check, reterr);
    if (r >= 0 && params->dest_xml)
        r = replace_xml(domain, params->dest_xml, &xml, domain->run ? domain->run->id : 0, reterr);
    if (r < 0)
        return r;
    *ret_cookie = migrate_cookie_format(&cookie);
    if (!*ret_cookie)
        return error_no_memory(reterr);
    *ret_xml = TAKE_PTR(xml);
    return 0;
}
