/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The switch of a guest that leaves to post-copy. */
#include <sys/socket.h>

#include "driver/migrate-out-internal.h"

#include "driver/saved.h"
#include "qemu/unplug.h"
#include "util/libvirt-numbers.h"

/* The guest stands still before QEMU is asked: from 8.2 on it lets one that ran before run again by
 * itself when its post-copy fails, which may be behind the guest's first steps at the other side.
 */
static int ask_postcopy(MigrateOut *out, Error **reterr) {
    Domain *domain = out->domain;
    int r;

    saved_crash_point("postcopy-begun");
    domain->run->pause_reason = PAUSED_POSTCOPY;
    r = transfer_pause(domain, reterr);
    if (r < 0)
        return r;
    r = migrate_out_check_guest(out, &out->spoilt);
    if (r < 0)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED, "%s",
                            error_message(out->spoilt));
    if (migrate_out_say_refused(out) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "the vireod that domain '%s' is on its way to has gone",
                            domain_name(domain));
    saved_crash_point("postcopy-asked");
    r = migrate_start_postcopy(domain->run->monitor, reterr);
    return r == -ETIMEDOUT ? 0 : r; /* QEMU will say what has come of it */
}

/* From the status file on, a daemon that comes later does not let it run here. A guest that was
 * stopped in vain stays so until its migration is over, which is soon: it may be over by now. */
static int switch_over(MigrateOut *out, Error **reterr) {
    Domain *domain = out->domain;
    int r;

    if (out->link.ended)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "the vireod that domain '%s' is on its way to has gone",
                            domain_name(domain));
    transfer_set_one_way(domain, true);
    out->one_way = true;
    r = migrate_out_set_intent(domain, SAVE_POSTCOPY_OUT, out->was_running, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = ask_postcopy(out, reterr);
    if (r >= 0 || domain_check_active(domain, NULL) < 0)
        return r;
    out->one_way = false;
    transfer_set_one_way(domain, false);
    domain->run->pause_reason = PAUSED_MIGRATION;
    migrate_out_set_intent(domain, SAVE_OUT, out->was_running, NULL);
    return r;
}

void migrate_out_cut(void *userdata) {
    const MigrateOut *out = userdata;

    if (out->state_fd >= 0)
        shutdown(out->state_fd, SHUT_RDWR);
}

int migrate_out_say_refused(MigrateOut *out) {
    CLEANUP_BITMAP Bitmap *refused = unplug_refused(&out->domain->run->vcpus);

    return refused ? migrate_link_say_refused(&out->link, refused) : -ENOMEM;
}

int migrate_out_check_guest(MigrateOut *out, Error **reterr) {
    Domain *domain = out->domain;
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = domain_refresh_vcpus(domain, reterr);
    if (r >= 0 && vcpu_map_online(&domain->run->vcpus) != out->n_vcpus)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                         "the guest of domain '%s' released a vCPU while it moved; try again",
                         domain_name(domain));
    else if (r >= 0 && domain->run->devices.n_gone) /* taken out of it when the job is free */
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                         "the guest of domain '%s' released a device while it moved; try again",
                         domain_name(domain));
    else if (r >= 0 && (domain->state == DOMAIN_CRASHED || domain->run->resetting ||
                        domain->run->guest_shutdown || domain->run->ending))
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                         "domain '%s' stays here: its guest %s while it moved", domain_name(domain),
                         domain->state == DOMAIN_CRASHED ? "crashed" : "shut down");
    return r;
}

int migrate_out_look(void *userdata, Error **reterr) {
    MigrateOut *out = userdata;
    const bool cancelled = out->domain->run && out->domain->run->transfer->cancel;

    /* Nobody would let it run there; and a QEMU that was not told to read would keep this one. */
    if (out->link.ended && !out->one_way && !cancelled)
        out->deserted = transfer_cancel(out->domain, NULL) >= 0;
    if (!out->wants_postcopy || out->one_way || cancelled)
        return 0;
    error_free(TAKE_PTR(out->postcopy_error));
    out->postcopy_result = switch_over(out, &out->postcopy_error);
    out->wants_postcopy = false;
    out->n_switches++;
    if (out->spoilt)
        transfer_cancel(out->domain, NULL);
    fiber_cond_broadcast(&out->cond);
    return 0;
}

int driver_migrate_start_postcopy(Domain *domain, Error **reterr) {
    MigrateOut *found = migrate_out_find(domain);
    CLEANUP_OUT MigrateOut *out = found ? migrate_out_ref(found) : NULL;
    unsigned n;

    if (out && !(out->flags & MIGRATE_POSTCOPY))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "the migration of domain '%s' was begun without --postcopy",
                            domain_name(domain));
    if (!out || out->performed)
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
            "post-copy can only be started while outgoing migration is in progress");
    n = out->n_switches;
    if (n > 0 && out->one_way)
        return 0; /* QEMU was asked */
    out->wants_postcopy = true;
    transfer_look_soon(domain);
    while (out->n_switches == n && !out->performed)
        fiber_cond_wait(&out->cond, USEC_FOREVER);
    if (out->n_switches == n)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "the migration of domain '%s' was over before it was switched to "
                            "post-copy",
                            domain_name(domain));
    if (out->postcopy_result < 0)
        return out->postcopy_error
                   ? error_propagate(reterr, TAKE_PTR(out->postcopy_error))
                   : error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                  "domain '%s' was not switched to post-copy", domain_name(domain));
    return 0;
}
