/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/auto-destroy.h"

#include "util/log.h"

void driver_end_with(Domain *domain, uint64_t client) {
    assert(client);
    if (domain->run)
        domain->run->ends_with = client;
}

/* Between the client's end and this the run may have ended, and another have begun. */
static void destroy_task(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;

    if (!domain->run || !domain->run->client_gone)
        return;
    log_info("domain '%s': the client that it was started for has gone, ending it",
             domain_name(domain));
    if (driver_destroy(domain, false, &error) < 0)
        log_warning("domain '%s': cannot end it with its client: %s", domain_name(domain),
                    error_message(error));
}

void driver_client_gone(Driver *driver, uint64_t client) {
    for (Domain *domain = driver_domains(driver); domain; domain = domain->next) {
        int r;

        if (!domain->run || domain->run->ends_with != client)
            continue;
        domain->run->client_gone = true;
        r = task_start(&driver->services.tasks, "auto-destroy", destroy_task, domain_ref(domain));
        if (r < 0) {
            if (r != -ESHUTDOWN)
                log_warning("domain '%s': cannot end it with its client: %s", domain_name(domain),
                            strerror(-r));
            domain_unref(domain);
        }
    }
}

int auto_destroy_check_migrate(const Domain *domain, Error **reterr) {
    if (!domain->run || !domain->run->ends_with)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "domain '%s' ends with the client that started it (autodestroy) and cannot "
                        "be migrated",
                        domain_name(domain));
}
