/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests that leave: who they are, who waits for them. */
#include <unistd.h>

#include "domain/files.h"
#include "driver/migrate-out-internal.h"

MigrateOut *migrate_out_ref(MigrateOut *out) {
    out->n_refs++;
    return out;
}

void migrate_out_unref(MigrateOut *out) {
    if (--out->n_refs > 0)
        return;
    migrate_link_close(&out->link);
    migrate_cookie_done(&out->cookie);
    error_free(out->error);
    error_free(out->postcopy_error);
    error_free(out->late);
    error_free(out->spoilt);
    if (out->state_fd >= 0)
        close(out->state_fd);
    free(out->uri);
    domain_unref(out->domain);
    fiber_cond_done(&out->cond);
    free(out);
}

void migrate_out_unlist(MigrateOut *out) {
    MigrateOut **at = &out->list->out;

    while (*at != out)
        at = &(*at)->next;
    *at = out->next;
}

MigrateOut *migrate_out_find(const Domain *domain) {
    MigrateOut *at = domain->services ? domain->services->migrations->out : NULL;

    while (at && at->domain != domain)
        at = at->next;
    return at;
}

bool migrate_is_out(const Domain *domain) {
    return migrate_out_find(domain) != NULL;
}

void migrate_out_owner_gone(Migrations *migrations, const void *owner) {
    for (MigrateOut *at = migrations->out; at; at = at->next)
        if (at->owner == owner) {
            at->owner_gone = true;
            fiber_cond_broadcast(&at->cond);
        }
}

int migrate_out_set_intent(Domain *domain, SaveKind kind, bool running, Error **reterr) {
    domain->run->save.kind = kind;
    domain->run->save.running = running;
    domain->run->save.seen = false;
    return domain_save_status(domain, reterr);
}
