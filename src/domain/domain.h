/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain: its definitions, its QEMU while it runs, and its queue of jobs.
 *
 * Ownership: the store holds one reference for as long as the domain is listed; a call that
 * suspends holds its own (domain_ref). Readers look at the struct between suspensions and never
 * wait; writers hold the job. */
#pragma once

#include "conf/domain-def.h"
#include "domain/run.h"
#include "domain/snapshot-list.h"
#include "limits/limits.h"

typedef struct Services Services;
typedef struct Domain Domain;

/* libvirt's virDomainState. */
typedef enum DomainState {
    DOMAIN_NOSTATE = 0,
    DOMAIN_RUNNING = 1,
    DOMAIN_PAUSED = 3,
    DOMAIN_SHUTTING_DOWN = 4,
    DOMAIN_SHUTOFF = 5,
    DOMAIN_CRASHED = 6,
    DOMAIN_PMSUSPENDED = 7,
} DomainState;

/* Reasons per state, libvirt's numbers (WIRE.md 3.3). */
enum {
    RUNNING_BOOTED = 1,
    RUNNING_MIGRATED = 2,
    RUNNING_RESTORED = 3,
    RUNNING_FROM_SNAPSHOT = 4,
    RUNNING_UNPAUSED = 5,
    RUNNING_MIGRATION_CANCELED = 6,
    RUNNING_SAVE_CANCELED = 7,
    RUNNING_WAKEUP = 8,
    RUNNING_POSTCOPY = 10,
    RUNNING_POSTCOPY_FAILED = 11,
    PAUSED_UNKNOWN = 0,
    PAUSED_USER = 1,
    PAUSED_MIGRATION = 2,
    PAUSED_SAVE = 3,
    PAUSED_DUMP = 4,
    PAUSED_IOERROR = 5,
    PAUSED_WATCHDOG = 6,
    PAUSED_FROM_SNAPSHOT = 7,
    PAUSED_SHUTTING_DOWN = 8,
    PAUSED_SNAPSHOT = 9,
    PAUSED_STARTING_UP = 11,
    PAUSED_POSTCOPY = 12,
    PAUSED_POSTCOPY_FAILED = 13,
    CRASHED_PANICKED = 1,
    SHUTOFF_UNKNOWN = 0,
    SHUTOFF_SHUTDOWN = 1,
    SHUTOFF_DESTROYED = 2,
    SHUTOFF_CRASHED = 3,
    SHUTOFF_MIGRATED = 4,
    SHUTOFF_SAVED = 5,
    SHUTOFF_FAILED = 6,
    SHUTOFF_FROM_SNAPSHOT = 7,
    SHUTOFF_DAEMON = 8,
};

/* A change under way. FIFO per domain; the head runs. Lives on its fiber's stack. */
typedef struct DomainJob {
    const char *what;    /* "setvcpus": shown to whoever waits behind it */
    const Fiber *holder; /* whose stack it is on; compared only */
    struct DomainJob *next;
} DomainJob;

struct Domain {
    unsigned n_refs;
    Services *services; /* NULL when it is not listed */
    Domain *next;       /* of the store, as the three below */
    Domain *next_of_uuid, *next_of_name, *next_of_id;
    int listed_id; /* of the run that it is found by; 0: none */

    DomainDef *config; /* the persistent definition; NULL: transient */
    bool autostart;
    bool autostart_pending; /* it is to be started with the host, and was not tried yet */

    DomainState state;
    int reason;
    DomainRun *run; /* NULL: shut off. Set and freed only by whoever holds the job */
    struct TransferStats *last_transfer; /* of its state, complete (driver/transfer.h); or NULL */
    uint64_t agent_patience; /* usec that its agent may take to answer; 0: the default */
    SnapshotList snapshots;
    uint64_t migrate_speed; /* MiB a second that it may move with; 0: any */

    uint64_t revision; /* domain_touch */

    DomainJob *jobs;
    FiberCond job_cond;
    FiberCond block_job_cond; /* broadcast when a block job or the run has ended */
};

/* Not listed yet; NULL: out of memory. */
Domain *domain_new(void);
Domain *domain_ref(Domain *domain);
void domain_unref(Domain *domain);
DEFINE_CLEANUP(Domain *, domain_unref)
#define CLEANUP_DOMAIN CLEANUP(domain_unrefp)

/* For src/limits: what its run has of it. It runs. */
LimitsSubject domain_subject(Domain *domain);

/* The live definition if it runs, else the persistent one. Never NULL for a listed domain. */
const DomainDef *domain_def(const Domain *domain);
const char *domain_name(const Domain *domain);
bool domain_is_active(const Domain *domain);
/* libvirt's id; -1 when it does not run. */
int domain_id(const Domain *domain);

/* Queues behind the jobs already there and waits for its turn, 30 s at most:
 * ERROR_OPERATION_TIMEOUT naming the holder. Pair with domain_job_end. */
int domain_job_begin(Domain *domain, DomainJob *job, const char *what, Error **reterr);
/* For what has to be done to the run of that id some time, whoever holds the job for however long:
 * waits again until it has its turn. -ESRCH, without the job: that run has ended, or the domain or
 * the daemon goes. */
int domain_job_begin_for_run(Domain *domain, DomainJob *job, const char *what, int id);
void domain_job_end(Domain *domain, DomainJob *job);
/* Whether the fiber that asks holds it: what functions that want the job held assert. */
bool domain_job_is_mine(const Domain *domain);

/* What is shown of it may have changed, or change from now on: it gets a revision that it never had
 * and no other domain has. Called when a job begins and ends, the state changes, QEMU tells
 * something; whoever changes a definition otherwise calls it. */
void domain_touch(Domain *domain);

/* The one place that changes state; logs old and new. */
void domain_set_state(Domain *domain, DomainState state, int reason);

/* CURRENT becomes LIVE or CONFIG, by whether the domain runs; what is asked for must exist. `flags`
 * are AFFECT_* and others. */
int domain_resolve_affect(const Domain *domain, unsigned flags, bool *ret_live, bool *ret_config,
                          Error **reterr);

/* "domain is not running" unless it runs and its monitor is open. */
int domain_check_active(const Domain *domain, Error **reterr);

/* Whether QEMU lives on though its monitor has closed: a moment is given to one that is ending.
 * What it was asked for may still come, and is looked for after the reconnection. On a fiber. */
bool domain_outlives_monitor(const Domain *domain);

/* Refuses what QEMU would not survive (QUIRK_RESET_AFTER_REMOVAL), and what is not for a guest that
 * another host may have by now: a reset, a save, a migration.
 * `what`: "reset the guest". */
int domain_check_survives(const Domain *domain, const char *what, Error **reterr);

/* The two questions whose answers make a VcpuMap. Zeroed before use. */
typedef struct VcpuQuery {
    MonitorReply *hotpluggable, *fast;
    uint64_t seen; /* the news of removals from before it was asked */
} VcpuQuery;

void vcpu_query_done(VcpuQuery *query);
/* Queues both; they go out with whatever is queued before them. */
int domain_query_vcpus(Domain *domain, VcpuQuery *query, Error **reterr);
/* Waits for the answers and brings vcpus and live->vcpus (online, hotpluggable, order) up to date.
 * Job held. */
int domain_take_vcpus(Domain *domain, VcpuQuery *query, Error **reterr);
/* Both at once. */
int domain_refresh_vcpus(Domain *domain, Error **reterr);
/* Asks QEMU for its IO threads; unless `always`, only when there is any to be expected. Job held.
 */
int domain_refresh_iothreads(Domain *domain, bool always, Error **reterr);
