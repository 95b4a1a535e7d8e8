/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One run of a domain: everything that lives from the start of its QEMU, or from finding it again,
 * to its end. "Does it run" is domain->run != NULL.
 *
 * Ownership: the Domain owns its run. It is set and freed only under the domain's job, so that
 * whoever holds the job may keep the pointer over a wait. Who does not hold the job looks
 * domain->run up again after each wait. Nothing in it is reset by hand: the next run is a new one.
 */
#pragma once

#include "conf/domain-def.h"
#include "domain/io-errors.h"
#include "domain/run-disks.h"
#include "domain/run-helpers.h"
#include "qemu/capabilities.h"
#include "qemu/iothread.h"
#include "qemu/monitor.h"
#include "qemu/process.h"
#include "qemu/vcpu-map.h"
#include "util/fiber.h"

typedef struct Limits Limits;

/* What the status file says of the cgroup of a domain that is being found again. */
typedef struct DomainFound {
    char *partition, *group, *machine;
} DomainFound;

/* The evidence of unplugs (domain/removal.h). */
typedef struct Removals {
    uint64_t news;      /* events, answers and ends so far that a waiter may want to look at */
    FiberCond cond;     /* broadcast when `news` moves */
    unsigned n_waiting; /* 1 while the holder of the job waits for evidence */
    sd_event_source *recheck; /* of removals nobody waits for: their event may have been lost */
    uint64_t recheck_usec;    /* until the next look; doubles */
    bool recheck_due;         /* the next look is one without a sign */
    Bitmap *to_drop;  /* vCPUs that have gone while their threads were still ending; may be NULL */
    bool late_queued; /* a fiber is about to look at late evidence */
} Removals;

/* Of devices that the guest was asked to release: their aliases, until somebody who holds the job
 * has looked (driver/device.h). */
typedef struct DeviceNews {
    char **gone, **refused;
    size_t n_gone, n_refused;
    uint64_t count; /* of all so far; a waiter takes it before it asks */
    FiberCond cond;
    unsigned n_waiting;
} DeviceNews;

/* Its status file as this daemon wrote it last: bytes of the whole one, and of it with the lines
 * behind it. Zeros: it has to be written whole next. */
typedef struct StatusSize {
    size_t whole, now;
    bool behind; /* it could not be written */
} StatusSize;

/* What a guest's state is being written to, or was read from: in the status file, so that a daemon
 * that finds it settles which of the two is the guest (driver/save.h). */
typedef enum SaveKind {
    SAVE_NONE,
    SAVE_TO,
    SAVE_FROM,
    SAVE_OUT,          /* to another host, which has not got it yet (driver/migrate.h) */
    SAVE_GIVEN,        /* the other host may run it */
    SAVE_POSTCOPY_OUT, /* from here on it may be in post-copy: it does not run here any more */
    SAVE_POSTCOPY_IN,  /* it comes, and may be in post-copy: then it is here and nowhere else */
} SaveKind;

typedef struct SaveIntent {
    SaveKind kind;
    char *path;   /* the image's name once it is complete; of SAVE_FROM: NULL when it stays */
    char *id;     /* of the image, as hexadecimal text */
    bool running; /* the guest ran, or is to run */
    bool yours;   /* of one that has come: its old host was told, and does not run it any more */
    bool seen;    /* QEMU has said that it is in post-copy; of SAVE_OUT and what follows it here */
    bool tried;   /* this daemon has found it and could not settle it yet: a person may */
} SaveIntent;

struct Transfer;

/* Whether a client has sent its QEMU a command of its own. UNSAVED: not in the status file yet. */
typedef enum Commanded { COMMANDED_NEVER, COMMANDED_UNSAVED, COMMANDED_SAVED } Commanded;

typedef struct DomainRun {
    int64_t clock_base; /* seconds from UTC that its guest's clock was started with (status file) */
    int id;             /* libvirt's, above 0; never used twice by one daemon */
    DomainDef *live;
    QemuPid pid; /* 0: not spawned yet */
    QemuCaps *caps;
    Monitor *monitor;    /* NULL: not connected */
    struct Agent *agent; /* NULL: no channel for one */
    sd_event_source *pid_watch;
    char *monitor_path, *log_path;
    StatusSize status;
    sd_event_source *save_again; /* of a status that could not be saved; or NULL */
    uint64_t save_again_usec;    /* how long until then; 0: it could be saved */
    VcpuMap vcpus;
    IothreadList iothreads;
    Limits *limits;             /* what its threads are held to; NULL before they are placed */
    sd_event_source *drift;     /* until somebody looks at a sign of drift; or NULL */
    uint64_t n_drifts;          /* times that somebody else's change was mended */
    json_object *stats_schemas; /* of query-stats, once it was asked for; or NULL */
    bool has_thresholds;        /* of disks, or somebody before this daemon may have set some */
    uint64_t silent_until;      /* its QEMU did not answer a reader: none asks before that */
    DomainFound found;          /* empty unless it was found again */
    Bitmap *pending_removals;   /* what the status file said of them, until the map is read */
    Bitmap *found_verdicts[GUEST_VERDICT_MAX_]; /* the same of vCPUs that had been plugged */
    Removals removals;
    DeviceNews devices;
    RunDisks disks;
    RunHelper *helpers;
    IoErrors io_errors;
    SaveIntent save;
    bool settling;   /* a fiber tries to settle it again and again (driver/save-settle.h) */
    char *unsettled; /* why the last try could not; or NULL */
    bool postcopy;   /* it is in post-copy, coming or going (driver/postcopy.h) */
    struct Transfer *transfer;        /* of its state, under way; or NULL; its fiber's own */
    const struct SaveSource *restore; /* what it starts from; NULL: its boot */
    bool fresh_nvram;    /* at its start: its firmware's variables are those of the template */
    bool guest_shutdown; /* QEMU said SHUTDOWN: its end will be no crash */
    bool resumed;        /* QEMU has said so since the guest was let run at its start */
    bool rebooting;      /* asked to: the guest's power-off means "reset and go on" (status file) */
    bool resetting;      /* that has come, and is being done */
    sd_event_source *intent_end; /* of a reboot that the guest does not follow */
    bool dropping, syncing;      /* the end of the intent, a look at its state, wait for the job */
    int pause_reason; /* what the next STOP means: PAUSED_USER while a suspend is under way */
    bool ending;      /* its guest has ended, QEMU is to follow, as these two say: */
    int end_reason, end_detail;
    bool stopping;              /* somebody is already ending it */
    uint64_t ends_with;         /* its QEMU ends with this client (driver/auto-destroy.h); or 0 */
    bool client_gone;           /* and that one is no more */
    bool news_due, news_saving; /* the status lacks what QEMU told; a fiber sees to it */
    /* Kept in the status file, these four. */
    Commanded commanded;
    bool vcpu_was_removed; /* by now, or for all that is known */
    bool past_is_unknown;  /* the status file was lost: the other two are the worst there can be */
    unsigned n_vcpu_threads; /* that this QEMU ever made */
} DomainRun;

/* Takes the definition, also on failure. NULL: out of memory. */
DomainRun *domain_run_new(int id, DomainDef *live_consume);
/* Ends no process and no cgroup: that is driver_end_run's business. NULL is fine. */
DomainRun *domain_run_free(DomainRun *run);
DEFINE_CLEANUP(DomainRun *, domain_run_free)
/* Why vcpu_was_removed is set, for sentences: "a vCPU was removed from it". */
const char *domain_run_removed_text(const DomainRun *run);
/* Nothing is known of what this QEMU did before it was found: it has done all that it could. */
void domain_run_forget_past(DomainRun *run);
#define CLEANUP_RUN CLEANUP(domain_run_freep)
