/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device takes in QEMU, step by step, and the way back. */
#include "driver/device-internal.h"
#include "util/file.h"
#include "util/log.h"

#define IN_USE_USEC (2 * USEC_PER_SEC)
#define IN_USE_PAUSE_USEC (20 * USEC_PER_MSEC)

DeviceContext device_context(const DomainRun *run, const DomainDef *def, const StartParts *parts) {
    return (DeviceContext){.def = def,
                           .caps = run->caps,
                           .machine = qemu_caps_machine(run->caps, def->os.machine),
                           .parts = &parts->parts,
                           .plugged = true};
}

/* QEMU lets go of what a device had a moment after the device itself: what it wrote last comes
 * first. */
static bool is_in_use(const Error *error) {
    return strstr(error_message(error), "in use") || strstr(error_message(error), "is busy");
}

/* What was never made, or has been taken back already. */
static bool is_missing(const Error *error) {
    return strstr(error_message(error), "not found") ||
           strstr(error_message(error), "Failed to find");
}

/* Takes one back; what is in use is tried again for a while. */
static bool undo(Domain *domain, const DeviceStep *step) {
    const uint64_t deadline = deadline_in(IN_USE_USEC);

    while (domain->run) {
        CLEANUP_ERROR Error *error = NULL;
        json_object *arguments = NULL;
        const char *command = device_step_undo(step, &arguments);

        if (!command || device_tell(domain, command, arguments, &error) >= 0 || is_missing(error))
            return true;
        if (device_is_cut_off(domain)) /* nobody knows: the reconnection asks */
            return false;
        if (!is_in_use(error) || now_usec() >= deadline) {
            log_warning("domain '%s': %s after a device, ignoring: %s", domain_name(domain),
                        command, error_message(error));
            return false;
        }
        fiber_sleep(IN_USE_PAUSE_USEC);
    }
    return true;
}

bool device_steps_undo(Domain *domain, const DeviceSteps *steps, size_t n) {
    bool all = true;

    while (n-- > 0 && domain->run && !device_is_cut_off(domain))
        if (steps->steps[n].kind != STEP_DEVICE)
            all &= undo(domain, &steps->steps[n]);
    return all;
}

int device_steps_run(Domain *domain, const DeviceSteps *steps, bool *ret_undone, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;

    assert(domain_job_is_mine(domain));
    *ret_undone = true;
    for (size_t i = 0; i < steps->n; i++) {
        json_object *arguments = NULL;
        const char *command = device_step_command(&steps->steps[i], &arguments);
        int r = command ? device_tell(domain, command, arguments, &error) : 0;

        if (r >= 0)
            continue;
        /* What QEMU has not answered it may do yet. */
        *ret_undone = !device_is_cut_off(domain) && device_steps_undo(domain, steps, i);
        return error_propagate(reterr, TAKE_PTR(error));
    }
    return 0;
}

void device_undo_backends(Domain *domain, const DomainDef *def, const DevicePlace *place) {
    CLEANUP(start_parts_done) StartParts parts = {0};
    CLEANUP(device_steps_done) DeviceSteps steps = {0};
    CLEANUP_ERROR Error *error = NULL;
    DeviceContext context = device_context(domain->run, def, &parts);
    int r = device_host_pretend(def, &parts, &error);

    if (r >= 0)
        r = device_kind_build(&context, place->kind, device_at(def, place), &steps, &error);
    if (r >= 0)
        device_steps_undo(domain, &steps, steps.n);
    else
        log_warning("domain '%s': what a <%s> had in QEMU stays there, ignoring: %s",
                    domain_name(domain), place->kind->name, error_message(error));
}
