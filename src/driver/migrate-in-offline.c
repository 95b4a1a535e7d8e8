/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A definition that moves without a guest: nothing is started, and nothing is written before
 * Finish. */
#include "conf/domain-format.h"
#include "driver/definition.h"
#include "driver/driver.h"
#include "driver/migrate-in-internal.h"

#define FINISH_USEC (60 * USEC_PER_SEC) /* from Prepare to Finish; nothing lies between them */

static int check_place(const MigrateIn *in, Error **reterr) {
    Domain *same = NULL;
    int r;

    if (!in->persistent)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "offline migration cannot be done without --persistent");
    r = definition_find_same(in->services->store, in->persistent, &same, reterr);
    if (r < 0 || !same || !same->run)
        return r;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "domain '%s' runs here; it gets no definition of another host",
                        domain_name(same));
}

/* Whoever moves it asks for it, gives it up, or is gone. */
static int await_finish(MigrateIn *in, Error **reterr) {
    const uint64_t deadline = deadline_in(FINISH_USEC);

    while (!in->asked && !in->owner_gone && now_usec() < deadline)
        fiber_cond_wait(&in->cond, deadline);
    return in->asked && !in->cancelled
               ? 0
               : error_report(reterr, FROM_QEMU, ERROR_OPERATION_ABORTED,
                              "nobody has asked for the definition of domain '%s'", in->def->name);
}

int migrate_take_definition(MigrateIn *in, Error **reterr) {
    const DomainFormatParams inactive = {.secrets = true};
    CLEANUP_FREE char *xml = NULL;
    int r = check_place(in, reterr);

    if (r < 0)
        return r;
    in->prepared = true;
    fiber_cond_broadcast(&in->cond);
    r = await_finish(in, reterr);
    if (r >= 0) /* it may have been started meanwhile */
        r = check_place(in, reterr);
    if (r >= 0 && domain_format(in->persistent, &inactive, &xml) < 0)
        r = error_no_memory(reterr);
    if (r >= 0)
        r = services_define(in->services, xml, &in->domain, reterr);
    in->landed = r >= 0;
    return r;
}
