/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

#include "conf/domain-format.h"
#include "conf/xml-document.h"
#include "domain/events.h"
#include "domain/snapshot-store.h"
#include "driver/block-job-check.h"
#include "driver/run-end.h"
#include "driver/run-state.h"
#include "driver/saved.h"
#include "driver/snapshot-align.h"
#include "driver/snapshot-inside.h"
#include "driver/snapshot-internal.h"
#include "driver/snapshot-redefine.h"
#include "driver/snapshot-settle.h"
#include "driver/snapshot-work.h"
#include "driver/start-shown.h"
#include "util/file.h"
#include "util/worker.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)

/* ---- what is asked for ---- */

static int refuse(Error **reterr, const char *what) {
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED, "%s", what);
}

/* What makes no sense, whatever the domain is. */
static int check_flags(unsigned flags, Error **reterr) {
    const char *api = "virDomainSnapshotCreateXML";

    if ((flags & SNAPSHOT_CURRENT) && !(flags & SNAPSHOT_REDEFINE))
        return error_argument(reterr, api, "flags",
                              "Flag 'VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE' is required by flag "
                              "'VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT'");
    if ((flags & SNAPSHOT_REDEFINE) && (flags & SNAPSHOT_NO_METADATA))
        return error_argument(reterr, api, "flags",
                              "Flags 'VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE' and "
                              "'VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA' are mutually exclusive");
    if ((flags & SNAPSHOT_REDEFINE) && (flags & SNAPSHOT_HALT))
        return error_argument(reterr, api, "flags",
                              "Flags 'VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE' and "
                              "'VIR_DOMAIN_SNAPSHOT_CREATE_HALT' are mutually exclusive");
    if ((flags & SNAPSHOT_QUIESCE) && !(flags & SNAPSHOT_DISK_ONLY))
        return error_argument(reterr, api, "flags",
                              "Flag 'VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY' is required by flag "
                              "'VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE'");
    return 0;
}

static int check_memory(const Domain *domain, const SnapshotDef *def, unsigned flags,
                        Error **reterr) {
    if (def->memory == SNAPSHOT_EXTERNAL && domain->run)
        return refuse(reterr, "a snapshot whose memory is in a file of its own is not made here: "
                              "use one inside of the images, or save the domain");
    if ((!domain->run || flags & SNAPSHOT_DISK_ONLY) &&
        (def->memory == SNAPSHOT_INTERNAL || def->memory == SNAPSHOT_EXTERNAL))
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "memory state cannot be saved with offline or disk-only snapshot");
    return flags & SNAPSHOT_LIVE
               ? refuse(reterr, "live snapshot creation is supported only during full system "
                                "snapshots")
               : 0;
}

static int check_asked(const Domain *domain, const SnapshotDef *def, unsigned flags,
                       Error **reterr) {
    if ((flags & SNAPSHOT_HALT) && !domain->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot halt after transient domain snapshot");
    if ((flags & SNAPSHOT_REUSE_EXT) && def->n_disks == 0)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "images that are used again have to be named");
    if (snapshot_find(&domain->snapshots, def->name))
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_OPERATION_FAILED,
                            "domain moment %s already exists", def->name);
    if (domain->snapshots.n >= SNAPSHOTS_MAX && !(flags & SNAPSHOT_NO_METADATA))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "domain '%s' has %u snapshots, as many as there may be",
                            domain_name(domain), domain->snapshots.n);
    return check_memory(domain, def, flags, reterr);
}

/* ---- what it is of ---- */

/* The definition as it is written when the domain does not run. */
static int make_inactive(const DomainDef *live, DomainDef **ret, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *copy = domain_def_copy(live);
    CLEANUP_FREE char *text = NULL;
    struct utsname host;
    DomainParseParams params = {.live = true};

    if (!copy || start_hide(copy) < 0)
        return error_no_memory(reterr);
    uname(&host);
    params.default_arch = host.machine;
    if (domain_format(copy, &(DomainFormatParams){.secrets = true}, &text) < 0)
        return error_no_memory(reterr);
    return domain_parse(text, strlen(text), &params, ret, reterr);
}

static SnapshotState state_of(const Domain *domain, unsigned flags) {
    if (!domain->run)
        return SNAPSHOT_SHUTOFF;
    if (flags & SNAPSHOT_DISK_ONLY)
        return SNAPSHOT_DISKS;
    return domain->state == DOMAIN_PMSUSPENDED ? SNAPSHOT_PMSUSPENDED
           : domain->state == DOMAIN_PAUSED    ? SNAPSHOT_PAUSED
                                               : SNAPSHOT_RUNNING;
}

static int describe(const Domain *domain, SnapshotDef *def, unsigned flags, Error **reterr) {
    const Snapshot *current = domain->snapshots.current;
    int r = 0;

    free(TAKE_PTR(def->parent));
    def->parent = current ? strdup(current->def->name) : NULL;
    if (current && !def->parent)
        return error_no_memory(reterr);
    def->created = time(NULL);
    def->has_created = true;
    def->state = state_of(domain, flags);
    def->memory = snapshot_has_memory(def) ? SNAPSHOT_INTERNAL : SNAPSHOT_NO;
    if (domain->run) {
        r = make_inactive(domain->run->live, &def->domain, reterr);
        def->inactive = r >= 0 && domain->config ? domain_def_copy(domain->config) : NULL;
    } else {
        def->domain = domain_def_copy(domain->config);
    }
    if (r >= 0 && (!def->domain || (domain->run && domain->config && !def->inactive)))
        return error_no_memory(reterr);
    return r;
}

static int name_it(SnapshotDef *def, Error **reterr) {
    if (def->name)
        return 0;
    def->name = strf("%lld", (long long)time(NULL));
    return def->name ? 0 : error_no_memory(reterr);
}

/* ---- the making ---- */

/* A guest that is to be halted does nothing between its snapshot and its end. */
static int halt_guest(Domain *domain, Error **reterr) {
    int r;

    if (domain->state != DOMAIN_RUNNING)
        return 0;
    domain->run->pause_reason = PAUSED_SNAPSHOT;
    r = monitor_run(domain->run->monitor, "stop", NULL, deadline_in(COMMAND_USEC), NULL, reterr);
    if (domain->run)
        domain->run->pause_reason = PAUSED_UNKNOWN;
    if (r >= 0)
        run_state_set_paused(domain, PAUSED_SNAPSHOT);
    return r;
}

static void go_on(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (domain_check_active(domain, NULL) < 0)
        return;
    if (monitor_run(domain->run->monitor, "cont", NULL, deadline_in(COMMAND_USEC), NULL, &error) >=
        0)
        run_state_set_running(domain, RUNNING_UNPAUSED);
    else
        log_warning("domain '%s' was to be halted after a snapshot that failed, and does not go "
                    "on: %s",
                    domain_name(domain), error_message(error));
}

/* Of a domain that does not run --disk-only is no more than what goes without saying. */
static bool is_above(const Domain *domain, const SnapshotDef *def, unsigned flags) {
    return flags & SNAPSHOT_DISK_ONLY && (domain->run || snapshot_is_external(def));
}

static int act(Domain *domain, const SnapshotDef *def, unsigned flags, bool *ret_unknown,
               Error **reterr) {
    if (is_above(domain, def, flags))
        return domain->run ? snapshot_take_disks(domain, def, flags, ret_unknown, reterr)
                           : snapshot_take_disks_off(domain, def, flags, reterr);
    return snapshot_inside_make(domain, def, ret_unknown, reterr);
}

static int act_halted(Domain *domain, const SnapshotDef *def, unsigned flags, bool *ret_unknown,
                      Error **reterr) {
    const bool halt = flags & SNAPSHOT_HALT && domain->run;
    const bool ran = domain->state == DOMAIN_RUNNING;
    int r = halt ? halt_guest(domain, reterr) : 0;

    if (r >= 0)
        r = act(domain, def, flags, ret_unknown, reterr);
    if (!halt)
        return r;
    if (r < 0 && ran && !*ret_unknown)
        go_on(domain);
    else if (r >= 0 && domain->run)
        run_end(domain, SHUTOFF_FROM_SNAPSHOT, STOPPED_FROM_SNAPSHOT);
    return r;
}

/* The file of one that is not made goes; else the next daemon settles it. */
static void forget(Domain *domain, const char *name) {
    Snapshot *snapshot = snapshot_find(&domain->snapshots, name);
    CLEANUP_ERROR Error *error = NULL;

    if (snapshot && snapshot_remove(domain, snapshot, &error) < 0)
        log_warning("domain '%s': what is kept of snapshot '%s', which is not made, stays: %s",
                    domain_name(domain), name, error_message(error));
}

static int keep(Domain *domain, const char *name, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    Snapshot *snapshot = snapshot_find(&domain->snapshots, name);
    int r;

    assert(snapshot);
    snapshot->work = SNAPSHOT_WORK_NONE;
    r = snapshot_make_current(domain, snapshot, &error);
    if (r >= 0)
        return 0;
    snapshot->work = SNAPSHOT_MAKING;
    snapshot_settle_soon(domain);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "snapshot '%s' is made, and cannot be written down yet: %s", name,
                        error_message(error));
}

/* With its file. */
static int make_kept(Domain *domain, SnapshotDef *def_consume, unsigned flags, Error **reterr) {
    CLEANUP_FREE char *name = strdup(def_consume->name);
    Snapshot *snapshot = snapshot_add(&domain->snapshots, def_consume);
    bool unknown = false;
    int r;

    if (!snapshot)
        return error_no_memory(reterr);
    snapshot->work = SNAPSHOT_MAKING;
    r = name ? snapshot_save(domain, snapshot, reterr) : error_no_memory(reterr);
    if (r < 0) {
        snapshot_drop(&domain->snapshots, snapshot);
        return r;
    }
    saved_crash_point("snapshot-begun");
    r = act_halted(domain, snapshot->def, flags, &unknown, reterr);
    saved_crash_point("snapshot-made");
    if (r >= 0)
        return keep(domain, name, reterr);
    if (unknown)
        snapshot_settle_soon(domain);
    else
        forget(domain, name);
    return r;
}

static int make_unkept(Domain *domain, const SnapshotDef *def, unsigned flags, Error **reterr) {
    bool unknown = false;
    int r = act_halted(domain, def, flags, &unknown, reterr);

    if (r < 0 && unknown)
        snapshot_settle_soon(domain);
    return r;
}

static int check(const Domain *domain, SnapshotDef *def, unsigned flags, Error **reterr) {
    const bool disks = flags & SNAPSHOT_DISK_ONLY;
    int r = check_asked(domain, def, flags, reterr);

    if (r >= 0)
        r = snapshot_align(def, domain_def(domain), disks ? SNAPSHOT_EXTERNAL : SNAPSHOT_INTERNAL,
                           !disks, reterr);
    if (r < 0 || is_above(domain, def, flags))
        return r;
    if (domain->run)
        r = block_job_check_none(domain, reterr);
    if (r >= 0 && domain->run)
        r = block_check_moves(domain, reterr);
    if (r >= 0 && domain->run)
        r = domain_check_survives(domain, "take a snapshot", reterr);
    return r < 0 ? r : snapshot_inside_check(domain, def, reterr);
}

static int make(Domain *domain, SnapshotDef **def, unsigned flags, char **ret_name,
                Error **reterr) {
    CLEANUP_FREE char *name = NULL;
    int r = name_it(*def, reterr);

    if (r >= 0 && domain->run)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = check(domain, *def, flags, reterr);
    if (r >= 0)
        r = describe(domain, *def, flags, reterr);
    if (r < 0)
        return r;
    name = strdup((*def)->name);
    if (!name)
        return error_no_memory(reterr);
    r = flags & SNAPSHOT_NO_METADATA ? make_unkept(domain, *def, flags, reterr)
                                     : make_kept(domain, TAKE_PTR(*def), flags, reterr);
    if (r >= 0)
        *ret_name = TAKE_PTR(name);
    return r;
}

static int create(Domain *domain, SnapshotDef **def, unsigned flags, char **ret_name,
                  Error **reterr) {
    int r;

    if (domain->run)
        snapshot_settle(domain);
    snapshot_work_settle(domain);
    r = snapshot_work_check(domain, NULL, reterr);
    if (r < 0)
        return r;
    return flags & SNAPSHOT_REDEFINE ? snapshot_redefine(domain, def, flags, ret_name, reterr)
                                     : make(domain, def, flags, ret_name, reterr);
}

typedef struct Parse {
    const char *xml;
    bool whole;
    SnapshotDef *def;
    Error *error;
} Parse;

static int run_parse(void *arg) {
    Parse *work = arg;
    struct utsname host;
    DomainParseParams params = {.live = true};

    if (!work->whole)
        return snapshot_parse(work->xml, strlen(work->xml), &work->def, &work->error);
    uname(&host);
    params.default_arch = host.machine;
    return snapshot_parse_whole(work->xml, strlen(work->xml), &params, &work->def, &work->error);
}

static int parse(const char *xml, unsigned flags, SnapshotDef **ret, Error **reterr) {
    Parse work = {.xml = xml, .whole = flags & SNAPSHOT_REDEFINE};
    int r = strlen(xml) > XML_LARGE ? worker_run(run_parse, &work) : run_parse(&work);

    *ret = work.def;
    return r < 0 ? error_propagate(reterr, work.error) : r;
}

int driver_snapshot_create(Domain *domain, const char *xml, unsigned flags, char **ret_name,
                           Error **reterr) {
    CLEANUP_SNAPSHOT_DEF SnapshotDef *def = NULL;
    DomainJob job;
    int r = check_flags(flags, reterr);

    if (r >= 0)
        r = parse(xml, flags, &def, reterr);
    if (r >= 0)
        r = domain_job_begin(domain, &job, "snapshot", reterr);
    if (r < 0)
        return r;
    r = create(domain, &def, flags, ret_name, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* ---- looking ---- */

const Snapshot *driver_snapshot_find(const Domain *domain, const char *name, Error **reterr) {
    const Snapshot *found = snapshot_find(&domain->snapshots, name);

    if (found && found->work != SNAPSHOT_MAKING)
        return found;
    error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_NO_DOMAIN_SNAPSHOT,
                 "no domain snapshot with matching name '%.200s'", name);
    return NULL;
}

static unsigned state_bit(const SnapshotDef *def) {
    return def->state == SNAPSHOT_DISKS     ? SNAPSHOT_LIST_DISK_ONLY
           : def->state == SNAPSHOT_SHUTOFF ? SNAPSHOT_LIST_INACTIVE
                                            : SNAPSHOT_LIST_ACTIVE;
}

bool snapshot_is_listed(const Snapshot *snapshot, const Snapshot *from, unsigned flags) {
    static const unsigned groups[] = {SNAPSHOT_LIST_METADATA | SNAPSHOT_LIST_NO_METADATA,
                                      SNAPSHOT_LIST_LEAVES | SNAPSHOT_LIST_NO_LEAVES,
                                      SNAPSHOT_LIST_INACTIVE | SNAPSHOT_LIST_ACTIVE |
                                          SNAPSHOT_LIST_DISK_ONLY,
                                      SNAPSHOT_LIST_INTERNAL | SNAPSHOT_LIST_EXTERNAL};
    const unsigned bits = SNAPSHOT_LIST_METADATA | state_bit(snapshot->def) |
                          (snapshot->n_children ? SNAPSHOT_LIST_NO_LEAVES : SNAPSHOT_LIST_LEAVES) |
                          (snapshot_is_external(snapshot->def) ? SNAPSHOT_LIST_EXTERNAL
                                                               : SNAPSHOT_LIST_INTERNAL);

    if (snapshot->work == SNAPSHOT_MAKING)
        return false;
    if (from ? snapshot->parent != from &&
                   !(flags & SNAPSHOT_LIST_DESCENDANTS && snapshot_descends(snapshot, from))
             : flags & SNAPSHOT_LIST_ROOTS && snapshot->parent)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        if ((flags & groups[i]) && !(flags & groups[i] & bits))
            return false;
    return true;
}

int driver_snapshot_xml(const Snapshot *snapshot, bool secrets, char **ret, Error **reterr) {
    return snapshot_format(snapshot->def, 0, secrets, ret) < 0 ? error_no_memory(reterr) : 0;
}
