/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "driver/migrate-internal.h"
#include "driver/transfer.h"

#define SPEED_MAX (UINT64_C(8796093022207)) /* MiB a second: libvirt's word for "any" */

Migrations *migrations_new(void) {
    return calloc(1, sizeof(Migrations));
}

void migrations_free(Migrations *migrations) {
    free(migrations); /* what is on its way ends with the process */
}

/* ---- how fast ---- */

int driver_migrate_set_speed(Domain *domain, uint64_t speed, Error **reterr) {
    const uint64_t before = domain->migrate_speed;
    int r = 0;

    if (speed > SPEED_MAX)
        return error_report(reterr, FROM_QEMU, ERROR_OVERFLOW,
                            "bandwidth must be less than %" PRIu64, SPEED_MAX + 1);
    domain->migrate_speed = speed == SPEED_MAX ? 0 : speed;
    if (transfer_is_out(domain)) {
        r = domain_check_active(domain, reterr);
        if (r >= 0)
            r = migrate_set_bandwidth(domain->run->monitor, domain->migrate_speed << 20, reterr);
    }
    if (r < 0)
        domain->migrate_speed = before;
    return r;
}

uint64_t driver_migrate_speed(const Domain *domain) {
    return domain->migrate_speed ? domain->migrate_speed : SPEED_MAX;
}

int driver_migrate_set_postcopy_speed(Domain *domain, uint64_t speed, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r >= 0 && speed > SPEED_MAX)
        r = error_report(reterr, FROM_QEMU, ERROR_OVERFLOW, "bandwidth must be less than %" PRIu64,
                         SPEED_MAX + 1);
    return r < 0 ? r : migrate_set_postcopy_bandwidth(domain->run->monitor, speed << 20, reterr);
}

int driver_migrate_get_postcopy_speed(Domain *domain, uint64_t *ret, Error **reterr) {
    uint64_t bytes = 0;
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = migrate_get_postcopy_bandwidth(domain->run->monitor, &bytes, reterr);
    if (r >= 0)
        *ret = bytes >> 20;
    return r;
}

int driver_migrate_set_downtime(Domain *domain, uint64_t ms, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r : migrate_set_downtime(domain->run->monitor, ms, reterr);
}

int driver_migrate_get_downtime(Domain *domain, uint64_t *ret, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r : migrate_get_downtime(domain->run->monitor, ret, reterr);
}

int driver_migrate_set_cache(Domain *domain, uint64_t bytes, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r : migrate_set_cache(domain->run->monitor, bytes, reterr);
}

int driver_migrate_get_cache(Domain *domain, uint64_t *ret, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r : migrate_get_cache(domain->run->monitor, ret, reterr);
}
