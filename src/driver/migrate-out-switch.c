/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The switch of a guest that leaves to post-copy. */
#include "driver/migrate-out-internal.h"

#include "driver/saved.h"
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

void migrate_out_look(void *userdata) {
    MigrateOut *out = userdata;
    const bool cancelled = out->domain->run && out->domain->run->transfer->cancel;

    /* Nobody would let it run there; and a QEMU that was not told to read would keep this one. */
    if (out->link.ended && !out->one_way && !cancelled)
        out->deserted = transfer_cancel(out->domain, NULL) >= 0;
    if (!out->wants_postcopy || out->asked_postcopy || cancelled)
        return;
    out->postcopy_result = switch_over(out, &out->postcopy_error);
    out->asked_postcopy = true;
    fiber_cond_broadcast(&out->cond);
}

int driver_migrate_start_postcopy(Domain *domain, Error **reterr) {
    MigrateOut *found = migrate_out_find(domain);
    CLEANUP_OUT MigrateOut *out = found ? migrate_out_ref(found) : NULL;

    if (out && !(out->flags & MIGRATE_POSTCOPY))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "the migration of domain '%s' was begun without --postcopy",
                            domain_name(domain));
    if (!out || out->performed)
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
            "post-copy can only be started while outgoing migration is in progress");
    out->wants_postcopy = true;
    transfer_look_soon(domain);
    while (!out->asked_postcopy && !out->performed)
        fiber_cond_wait(&out->cond, USEC_FOREVER);
    if (!out->asked_postcopy)
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
