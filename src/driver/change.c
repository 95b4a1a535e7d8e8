/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/change.h"

#include "domain/files.h"
#include "driver/change-frame.h"
#include "util/log.h"

static void piece_done(ChangePiece *piece) {
    bitmap_free(piece->map);
    bitmap_free(piece->numa.nodes);
    for (size_t i = 0; i < piece->n_iothreads; i++)
        if (piece->iothreads[i].id == piece->id)
            bitmap_free(piece->iothreads[i].pin);
    free(piece->iothreads);
}

/* ---- what runs ---- */

typedef struct LiveChange {
    const Change *change;
    ChangePiece piece; /* of the live definition, once it was prepared */
    LimitsChange *limits;
    bool acted, tuned, swapped, done;
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

static int tune(Domain *domain, LiveChange *live, Error **reterr) {
    const Change *change = live->change;
    int r = change->act ? change->act(domain, change->arg, reterr) : 0;

    live->acted = r >= 0;
    if (r >= 0)
        r = plan(domain, live, reterr);
    if (r >= 0)
        r = limits_change_run(live->limits, reterr);
    live->tuned = r >= 0;
    return r;
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

/* ---- the steps of the frame ---- */

static int change_config(DomainDef *copy, void *work, Error **reterr) {
    const Change *change = ((const LiveChange *)work)->change;
    CLEANUP(piece_done) ChangePiece piece = {0};
    int r = change->prepare(copy, false, change->arg, &piece, reterr);

    if (r >= 0)
        change->swap(copy, &piece);
    return r;
}

static int prepare_live(Domain *domain, void *work, Error **reterr) {
    LiveChange *live = work;
    const Change *change = live->change;

    int r = change->check ? change->check(domain, reterr) : 0;

    return r < 0 ? r : change->prepare(domain->run->live, true, change->arg, &live->piece, reterr);
}

static int change_live(Domain *domain, void *work, Error **reterr) {
    LiveChange *live = work;
    int r = tune(domain, live, reterr);

    if (r >= 0) {
        live->change->swap(domain->run->live, &live->piece);
        live->swapped = true;
        r = save_status(domain, live, reterr);
    }
    if (r < 0)
        take_back(domain, live);
    live->done = r >= 0;
    return r;
}

int change_run(Domain *domain, const Change *change, Error **reterr) {
    CLEANUP(live_done) LiveChange live = {.change = change};
    const ChangeSteps steps = {.what = change->what,
                               .flags = change->flags,
                               .work = &live,
                               .config = change_config,
                               .prepare = prepare_live,
                               .live = change_live};
    int r = change_in_frame(domain, &steps, reterr);

    if (r >= 0 && live.done && change->n_values)
        events_tunable(domain, change->values, change->n_values);
    return r;
}
