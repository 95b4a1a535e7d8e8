/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU is told of devices and images, and what it has not answered. */
#include "domain/services.h"
#include "driver/device-internal.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)

uint64_t device_command_deadline(const Domain *domain) {
    const uint64_t set = domain->services->settings.answer_timeout_usec;

    return deadline_in(set ? set : COMMAND_USEC);
}

int device_command(Domain *domain, const char *command, json_object *arguments_consume,
                   Error **reterr) {
    assert(domain_job_is_mine(domain));
    if (domain->run && domain->run->monitor)
        return monitor_run(domain->run->monitor, command, arguments_consume,
                           device_command_deadline(domain), NULL, reterr);
    json_object_put(arguments_consume);
    if (domain->run)
        return domain_check_active(domain, reterr);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain '%s' has ended",
                        domain_name(domain));
}

bool device_is_unanswered(const Domain *domain, const Error *error) {
    return error->code == ERROR_OPERATION_TIMEOUT || !domain->run || !domain->run->monitor ||
           !monitor_is_open(domain->run->monitor);
}

bool device_is_cut_off(const Domain *domain) {
    return domain->run && !(domain->run->monitor && monitor_is_open(domain->run->monitor));
}

void device_give_up(Domain *domain, const Error *error) {
    assert(domain_job_is_mine(domain));
    if (device_is_unanswered(domain, error) && domain->run && !device_is_cut_off(domain) &&
        monitor_waiting_usec(domain->run->monitor) > 0)
        monitor_give_up(domain->run->monitor, "QEMU did not answer a change of its devices");
}

int device_tell(Domain *domain, const char *command, json_object *arguments_consume,
                Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r = device_command(domain, command, arguments_consume, &error);

    if (r >= 0)
        return r;
    device_give_up(domain, error);
    return error_propagate(reterr, TAKE_PTR(error));
}
