/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/change.h"

#include "conf/domain-validate.h"
#include "domain/files.h"
#include "util/log.h"

static void piece_done(ChangePiece *piece) {
    bitmap_free(piece->map);
    bitmap_free(piece->numa.nodes);
    for (size_t i = 0; i < piece->n_iothreads; i++)
        if (piece->iothreads[i].id == piece->id)
            bitmap_free(piece->iothreads[i].pin);
    free(piece->iothreads);
}

/* ---- the definition that is written ---- */

static int edited_copy(const DomainDef *def, const Change *change, DomainDef **ret,
                       Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *copy = domain_def_copy(def);
    CLEANUP(piece_done) ChangePiece piece = {0};
    int r = copy ? change->prepare(copy, false, change->arg, &piece, reterr)
                 : error_no_memory(reterr);

    if (r < 0)
        return r;
    change->swap(copy, &piece);
    r = domain_validate(copy, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(copy);
    return r;
}

/* ---- what runs ---- */

typedef struct LiveChange {
    const Change *change;
    ChangePiece piece;
    LimitsChange *limits;
    bool acted, tuned, swapped;
} LiveChange;

static void live_done(LiveChange *live) {
    piece_done(&live->piece);
    limits_change_free(live->limits);
}

/* The plan is made of the definition as it will be; who reads it sees it when the kernel has taken
 * it. */
static int plan(Domain *domain, LiveChange *live, Error **reterr) {
    LimitsSubject subject = domain_subject(domain);
    int r;

    live->change->swap(domain->run->live, &live->piece);
    r = limits_change_new(domain->run->limits, &subject, &live->change->scope, &live->limits,
                          reterr);
    live->change->swap(domain->run->live, &live->piece);
    return r;
}

static void take_back(Domain *domain, LiveChange *live) {
    if (live->swapped)
        live->change->swap(domain->run->live, &live->piece);
    if (live->tuned)
        limits_change_undo(live->limits);
    if (live->acted && live->change->undo)
        live->change->undo(domain, live->change->arg);
    live->swapped = live->tuned = live->acted = false;
}

static int change_live(Domain *domain, LiveChange *live, Error **reterr) {
    const Change *change = live->change;
    int r = change->prepare(domain->run->live, true, change->arg, &live->piece, reterr);

    if (r >= 0 && change->act)
        r = change->act(domain, change->arg, reterr);
    live->acted = r >= 0;
    if (r >= 0)
        r = plan(domain, live, reterr);
    if (r >= 0)
        r = limits_change_run(live->limits, reterr);
    live->tuned = r >= 0;
    if (r < 0) {
        take_back(domain, live);
        return r;
    }
    change->swap(domain->run->live, &live->piece);
    live->swapped = true;
    return 0;
}

/* ---- both ---- */

static void put_config_back(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (domain_save_config(domain, domain->config, &error) < 0)
        log_error("domain '%s': its definition on disk has a change that was taken back: %s",
                  domain_name(domain), error_message(error));
}

/* The status of a change that cannot be taken back is written once more with the next one. */
static int save_status(Domain *domain, const LiveChange *live, Error **reterr) {
    const Change *change = live->change;
    CLEANUP_ERROR Error *error = NULL;
    int r = change->pin ? domain_save_pin(domain, change->pin, live->piece.id, &error)
                        : domain_save_status(domain, &error);

    if (r < 0 && change->is_final) {
        log_warning("domain '%s': its status cannot be saved, ignoring: %s", domain_name(domain),
                    error_message(error));
        return 0;
    }
    return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
}

static int change_locked(Domain *domain, const Change *change, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *config_def = NULL;
    CLEANUP(live_done) LiveChange work = {.change = change};
    bool live = false, config = false, saved = false;
    int r = domain_resolve_affect(domain, change->flags, &live, &config, reterr);

    if (r >= 0 && live)
        r = domain_check_active(domain, reterr);
    if (r >= 0 && config)
        r = edited_copy(domain->config, change, &config_def, reterr);
    if (r >= 0 && live)
        r = change_live(domain, &work, reterr);
    if (r >= 0 && config) {
        r = domain_save_config(domain, config_def, reterr);
        saved = r >= 0;
    }
    if (r >= 0 && live)
        r = save_status(domain, &work, reterr);
    if (r < 0) {
        if (live)
            take_back(domain, &work);
        if (saved)
            put_config_back(domain);
        return r;
    }
    if (config) {
        domain_def_free(domain->config);
        domain->config = TAKE_PTR(config_def);
    }
    if (live && change->n_values)
        events_tunable(domain, change->values, change->n_values);
    return 0;
}

int change_run(Domain *domain, const Change *change, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, change->what, reterr);

    if (r < 0)
        return r;
    r = change_locked(domain, change, reterr);
    domain_job_end(domain, &job);
    return r;
}
