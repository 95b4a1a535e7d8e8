/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The destination's half of a migration. */
#include "conf/domain-copy.h"
#include "domain/events.h"
#include "domain/files.h"
#include "domain/removal-watch.h"
#include "domain/store.h"
#include "domain/vcpu-operation.h"
#include "domain/vcpu-verdict.h"
#include "driver/definition.h"
#include "driver/migrate-in-internal.h"
#include "driver/postcopy.h"
#include "driver/run-state.h"
#include "driver/save-settle.h"
#include "driver/saved.h"
#include "driver/start.h"
#include "qemu/unplug.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

#define SOURCE_USEC (60 * USEC_PER_SEC)  /* from Prepare to the source's connections */
#define FINISH_USEC (300 * USEC_PER_SEC) /* from the last byte to Finish */
#define YOURS_USEC (30 * USEC_PER_SEC)
#define KEEP_USEC (60 * USEC_PER_SEC) /* what became of it, for a Finish that is still to come */

/* ---- hooks of its start ---- */

/* Why it is not waited for any longer; 0: it is. What the source has given away is nobody else's,
 * whatever the others say. */
static int check_wanted(const MigrateIn *in, uint64_t deadline, Error **reterr) {
    if (in->link.heard & MIGRATE_YOURS)
        return 0;
    if (in->link.heard & MIGRATE_KEPT)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_ABORTED, "'%s' keeps domain '%s'",
                            in->cookie.host ? in->cookie.host : "the source", in->def->name);
    if (in->asked && in->cancelled)
        return error_report(reterr, FROM_QEMU, ERROR_MIGRATE_FINISH_OK, "%s", "");
    if (in->owner_gone && !in->asked)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_ABORTED,
                            "whoever was moving domain '%s' here has gone", in->def->name);
    if (in->link.ended)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_ABORTED,
                            "'%s' keeps domain '%s', or is gone",
                            in->cookie.host ? in->cookie.host : "the source", in->def->name);
    if (now_usec() >= deadline)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                            "the migration of domain '%s' did not go on", in->def->name);
    return 0;
}

/* A while at most: QEMU's end wakes nobody here. */
static int wait_a_while(MigrateIn *in, uint64_t deadline, Error **reterr) {
    int r;

    fiber_cond_wait(&in->cond, MIN_OF(deadline, deadline_in(USEC_PER_SEC)));
    r = domain_check_active(in->domain, reterr);
    return r < 0 ? r : check_wanted(in, deadline, reterr);
}

/* While it is loaded. One that may be in post-copy is waited for whoever has gone: only the
 * source's word says that it is not. */
static int look(void *userdata, Error **reterr) {
    const MigrateIn *in = userdata;

    return !(in->flags & MIGRATE_POSTCOPY) || (in->link.heard & MIGRATE_KEPT)
               ? check_wanted(in, USEC_FOREVER, reterr)
               : 0;
}

static int open_source(Domain *domain, void *userdata, int *ret_fd, Error **reterr) {
    MigrateIn *in = userdata;
    const uint64_t deadline = deadline_in(SOURCE_USEC);
    const bool first = !(in->flags & MIGRATE_POSTCOPY_RESUME);
    int r = first && (in->flags & MIGRATE_POSTCOPY)
                ? migrate_accept_postcopy(domain->run->monitor, reterr)
                : 0;

    if (r < 0)
        return r;
    r = migrate_door_open(
        &in->door,
        &(MigrateDoorParams){
            .uri = in->uri, .path = in->socket, .address = in->address, .news = &in->cond},
        reterr);

    if (r < 0)
        return r;
    in->prepared = true;
    fiber_cond_broadcast(&in->cond);
    while (r >= 0 && !migrate_door_is_complete(&in->door))
        r = wait_a_while(in, deadline, reterr);
    if (r < 0)
        return r;
    r = migrate_link_open(&in->link, TAKE_FD(in->door.words), &in->cond);
    if (r < 0)
        return error_no_memory(reterr);
    *ret_fd = TAKE_FD(in->door.state);
    migrate_door_close(&in->door);
    return 0;
}

/* Defined here from now on; that comes before the word that the guest is here. */
static int persist(MigrateIn *in, Error **reterr) {
    Domain *domain = in->domain;
    int r;

    if (!in->persistent)
        return 0;
    r = domain_save_config(domain, in->persistent, reterr);
    if (r < 0)
        return r;
    domain_def_free(domain->config);
    domain->config = TAKE_PTR(in->persistent);
    return 0;
}

/* Nobody else can run it: no word is waited for. What cannot be written is tried once more when all
 * of it is here. */
static void take_postcopy(MigrateIn *in, bool *paused) {
    CLEANUP_ERROR Error *error = NULL;

    saved_crash_point("postcopy-come");
    if (persist(in, &error) < 0)
        log_warning("domain '%s' came in post-copy, ignoring: %s", domain_name(in->domain),
                    error_message(error));
    *paused = in->flags & MIGRATE_PAUSED;
}

/* The source has said so before this side was ready: only one in post-copy does. */
static bool is_given_early(const MigrateIn *in) {
    return (in->link.heard & MIGRATE_YOURS) && !in->ready;
}

/* What it has refused on its way is not waited for. Words come in order: those that are there when
 * the guest was given. One in post-copy may be here before them, and is looked at once more. */
static void drop_refused(MigrateIn *in) {
    const Bitmap *refused = in->link.refused;

    for (int id = refused ? bitmap_next(refused, 0) : -1; id >= 0;
         id = bitmap_next(refused, id + 1)) {
        VcpuEntity *entity = vcpu_map_by_id(&in->domain->run->vcpus, (unsigned)id);

        if (in->cookie.pending)
            bitmap_clear(in->cookie.pending, (unsigned)id);
        if (entity && entity->unplug == UNPLUG_REQUESTED)
            unplug_forget(entity);
    }
}

/* What the guest was asked before it came: it may answer with its first step. A reboot of which
 * QEMU cannot be told is a power-off, which a guest that still has its source does not come for. */
static int recall_questions(MigrateIn *in, Error **reterr) {
    drop_refused(in);
    unplug_resume(&in->domain->run->vcpus, NULL, in->cookie.pending);
    return in->cookie.rebooting ? run_state_intend_reboot(in->domain, reterr) : 0;
}

static int await_source(MigrateIn *in, bool *paused, Error **reterr) {
    Domain *domain = in->domain;
    uint64_t deadline = deadline_in(FINISH_USEC);
    int r;

    if (domain->run->postcopy) {
        take_postcopy(in, paused);
        return 0;
    }
    r = check_wanted(in, deadline, reterr);

    while (r >= 0 && !in->asked && !is_given_early(in))
        r = wait_a_while(in, deadline, reterr);
    if (r >= 0 && is_given_early(in)) {
        domain->run->postcopy = domain->run->save.seen = true;
        take_postcopy(in, paused);
        return 0;
    }
    if (r >= 0 && in->persistent) /* what is defined here stays so until the guest runs */
        r = domain_try_config(domain, in->persistent, reterr);
    if (r < 0)
        return r;
    saved_crash_point("migrate-ready");
    in->ready = true;
    deadline = deadline_in(YOURS_USEC);
    if (migrate_link_say(&in->link, MIGRATE_READY) < 0)
        in->link.ended = true;
    while (r >= 0 && !(in->link.heard & MIGRATE_YOURS))
        r = wait_a_while(in, deadline, reterr);
    if (r < 0)
        return r;
    saved_crash_point("migrate-yours");
    *paused = in->flags & MIGRATE_PAUSED;
    return 0;
}

static int may_run(Domain *domain, void *userdata, bool *paused, Error **reterr) {
    MigrateIn *in = userdata;
    CLEANUP_ERROR Error *error = NULL;
    int r = await_source(in, paused, reterr);

    if (r < 0)
        return r;
    r = recall_questions(in, &error);
    if (r >= 0 || !domain->run->postcopy)
        return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
    log_warning("domain '%s' came in post-copy, ignoring: %s", domain_name(domain),
                error_message(error));
    return 0;
}

/* ---- the fiber ---- */

/* What it refused on its way ends here, too. */
static void refuse_operations(const MigrateIn *in) {
    if (in->link.refused)
        operations_refuse(in->domain, "the guest refused before it came here");
}

static void adopt_operations(MigrateIn *in) {
    Domain *domain = in->domain;
    const bool defined = domain->config || in->persistent;

    for (size_t i = 0; i < in->cookie.n_operations && domain->run; i++) {
        CLEANUP_ERROR Error *error = NULL;

        if (operation_adopt(domain->services->operations, domain, defined, in->cookie.operations[i],
                            &error) < 0)
            log_warning("domain '%s': ignoring: %s", domain_name(domain), error_message(error));
    }
    if (domain->run)
        refuse_operations(in);
}

/* What the guest has done before it came, and who looks at what it does now. */
static void recall(MigrateIn *in) {
    static const GuestVerdict of[MIGRATE_VERDICTS] = {GUEST_UNKNOWN, GUEST_ONLINE, GUEST_PRESENT,
                                                      GUEST_SILENT};
    DomainRun *run = in->domain->run;

    for (size_t i = 0; i < MIGRATE_VERDICTS; i++) {
        bitmap_free(run->found_verdicts[of[i]]);
        run->found_verdicts[of[i]] = TAKE_PTR(in->cookie.verdicts[i]);
    }
    vcpu_verdict_recall(in->domain);
    adopt_operations(in);
    removal_watch_pending(in->domain);
    domain_save_status(in->domain, NULL);
}

/* The domain that it is about, or a new one. */
static int find_or_list(MigrateIn *in, bool *ret_new, Error **reterr) {
    Domain *same = NULL;
    int r = definition_find_same(in->services->store, in->def, &same, reterr);

    if (r < 0)
        return r;
    *ret_new = !same;
    in->domain = same ? domain_ref(same) : domain_new();
    if (!in->domain)
        return error_no_memory(reterr);
    if (same)
        return 0;
    in->domain->config = domain_def_copy(in->def); /* until it runs, as with a transient one */
    if (!in->domain->config)
        return error_no_memory(reterr);
    store_add(in->services->store, in->domain, in->services);
    return 0;
}

/* Job held. */
static int take_in(MigrateIn *in, bool is_new, Error **reterr) {
    const SaveSource source = {.fd = -1,
                               .image = &in->image,
                               .open = open_source,
                               .may_run = may_run,
                               .look = look,
                               .userdata = in,
                               .running = !(in->flags & MIGRATE_PAUSED),
                               .postcopy = in->flags & MIGRATE_POSTCOPY,
                               .released = &in->released,
                               .kept = &in->kept};
    Domain *domain = in->domain;
    const bool wants_config = in->persistent != NULL;
    int r = start_restored(domain, in->def, &source, in->flags & MIGRATE_PAUSED ? START_PAUSED : 0u,
                           reterr);
    const bool has_config = wants_config && !in->persistent;

    if (r < 0 && in->kept) {
        if (is_new && !has_config)
            domain_def_free(TAKE_PTR(domain->config));
        recall_questions(in, NULL);
        recall(in);
        save_settle_soon(domain);
        return r;
    }
    if (r < 0) {
        if (has_config && is_new) {
            CLEANUP_FREE char *path = domain_config_path(&in->services->paths, in->def->name);

            if (path)
                file_remove_worker(path);
        }
        return r;
    }
    if (is_new && !has_config && domain->run)
        domain_def_free(TAKE_PTR(domain->config));
    if (has_config)
        events_lifecycle(domain, EVENT_DEFINED, is_new ? 0 : 1);
    if (domain->run)
        recall(in);
    return 0;
}

/* What was not written before it ran. The source keeps its definition when it cannot be. */
static int persist_late(MigrateIn *in, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;

    if (!in->persistent || !in->domain->run)
        return 0;
    if (persist(in, &error) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_MIGRATE_PERSIST_FAILED,
                            "domain '%s' has moved here, but is transient: %s",
                            domain_name(in->domain), error_message(error));
    events_lifecycle(in->domain, EVENT_DEFINED, in->is_new ? 0 : 1);
    return 0;
}

/* Job held. */
static int finish_postcopy(MigrateIn *in, Error **reterr) {
    const Domain *domain = in->domain;
    const bool held = domain->state == DOMAIN_PAUSED && domain->reason == PAUSED_STARTING_UP;
    CLEANUP_ERROR Error *refusal = NULL;
    int r;

    migrate_link_say(&in->link, MIGRATE_LANDED);
    r = postcopy_arrive(in->domain, held, &refusal, reterr);
    if (r >= 0 && domain->run) {
        drop_refused(in);
        refuse_operations(in);
        removal_watch_pending(in->domain);
        save_forget(domain->run);
        domain_save_status(in->domain, NULL);
    }
    if (r >= 0)
        r = persist_late(in, reterr);
    if (r >= 0 && refusal)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                         "domain '%s' has moved here, and stands still: its QEMU did not let it "
                         "run: %s; resume it",
                         domain_name(domain), error_message(refusal));
    return r;
}

/* Job held. */
static int take_again(MigrateIn *in, Error **reterr) {
    int fd = -1, r = postcopy_check_failed(in->domain, SAVE_POSTCOPY_IN, reterr);

    if (r >= 0)
        r = open_source(in->domain, in, &fd, reterr);
    if (r >= 0)
        r = postcopy_arrive_again(in->domain, fd, reterr);
    return r < 0 ? r : finish_postcopy(in, reterr);
}

/* The domain is here, and its post-copy has failed. */
static int run_again(MigrateIn *in, Error **reterr) {
    Domain *same = NULL;
    DomainJob job;
    int r = definition_find_same(in->services->store, in->def, &same, reterr);

    if (r >= 0 && !same)
        r = error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN,
                         "domain '%s' is not here: its post-copy cannot be resumed", in->def->name);
    if (r < 0)
        return r;
    in->domain = domain_ref(same);
    in->landed = true;
    r = domain_job_begin(in->domain, &job, "post-copy", reterr);
    if (r < 0)
        return r;
    r = take_again(in, reterr);
    domain_job_end(in->domain, &job);
    return r;
}

static int run_in(MigrateIn *in, Error **reterr) {
    DomainJob job;
    bool is_gone;
    int r = find_or_list(in, &in->is_new, reterr);

    if (r >= 0)
        r = domain_job_begin(in->domain, &job, "incoming migration", reterr);
    if (r < 0)
        return r;
    r = take_in(in, in->is_new, reterr);
    in->landed = r >= 0;
    in->unknown = r < 0 && (in->kept || in->released);
    is_gone = !in->domain->run;
    if (r >= 0 && in->domain->run && in->domain->run->postcopy)
        r = finish_postcopy(in, reterr);
    else if (r >= 0)
        r = persist_late(in, reterr);
    domain_job_end(in->domain, &job);
    if (in->is_new && !in->landed && is_gone)
        store_remove(in->services->store, in->domain);
    return r;
}

static int run_one(MigrateIn *in, Error **reterr) {
    if (in->flags & MIGRATE_OFFLINE)
        return migrate_take_definition(in, reterr);
    return in->flags & MIGRATE_POSTCOPY_RESUME ? run_again(in, reterr) : run_in(in, reterr);
}

static void in_fiber(void *userdata) {
    CLEANUP_IN MigrateIn *in = userdata;
    uint64_t deadline;

    in->result = run_one(in, &in->error);
    if (!in->landed)
        log_info("domain '%s' does not move here: %s", in->def->name, error_message(in->error));
    else if (in->result >= 0)
        log_info("domain '%s' has moved here from '%s'", in->def->name,
                 in->cookie.host ? in->cookie.host : "another host");
    if (!in->unknown)
        migrate_link_say(&in->link, in->landed ? MIGRATE_LANDED : MIGRATE_LOST);
    migrate_link_close(&in->link);
    migrate_door_close(&in->door);
    in->prepared = in->over = true;
    fiber_cond_broadcast(&in->cond);
    deadline = deadline_in(KEEP_USEC);
    while (!in->asked && !in->owner_gone && now_usec() < deadline)
        fiber_cond_wait(&in->cond, deadline);
    migrate_in_unlist(in);
}

/* ---- Prepare ---- */

/* What Perform is to get. */
static int answer(const MigrateIn *in, char **ret_uri, char **ret_cookie, Error **reterr) {
    CLEANUP_MIGRATE_COOKIE MigrateCookie cookie = {.check = in->cookie.check, .has_token = true};
    CLEANUP_FREE char *uri = strdup(in->door.uri ? in->door.uri : "");

    memcpy(cookie.uuid, in->def->uuid, sizeof(cookie.uuid));
    memcpy(cookie.token, in->door.token, sizeof(cookie.token));
    cookie.name = strdup(in->def->name);
    if (!uri || !cookie.name || migrate_fill_host(&cookie) < 0)
        return error_no_memory(reterr);
    *ret_cookie = migrate_cookie_format(&cookie);
    if (!*ret_cookie)
        return error_no_memory(reterr);
    *ret_uri = TAKE_PTR(uri);
    return 0;
}

int driver_migrate_prepare(Services *services, const MigrateParams *params, char **ret_uri,
                           char **ret_cookie, Error **reterr) {
    CLEANUP_IN MigrateIn *in = NULL;
    int r = migrate_check_flags(services, params, reterr);

    if (r >= 0)
        r = migrate_in_make(services, params, &in, reterr);
    if (r < 0)
        return r;
    if (migrate_in_find(services, in->def->name))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' is on its way here already", in->def->name);
    in->next = services->migrations->in;
    services->migrations->in = in;
    if (fiber_start("migrate-in", in_fiber, migrate_in_ref(in)) < 0) {
        migrate_in_unlist(in);
        migrate_in_unref(in);
        return error_no_memory(reterr);
    }
    while (!in->prepared)
        fiber_cond_wait(&in->cond, USEC_FOREVER);
    if (!in->over)
        return answer(in, ret_uri, ret_cookie, reterr);
    in->asked = true; /* nobody will */
    fiber_cond_broadcast(&in->cond);
    return error_propagate(reterr, TAKE_PTR(in->error));
}
