/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What domains need of the daemon. A listed domain holds it (domain->services; NULL once it is no
 * longer listed); a function is given the one service that it uses.
 *
 * Ownership: whoever made the services owns all of them, and outlives every fiber of `tasks`. */
#pragma once

#include <json-c/json.h>

#include "limits/limits.h"
#include "qemu/capabilities.h"
#include "util/task.h"

typedef struct Domain Domain;
typedef struct Services Services;

/* The daemon's directories. */
typedef struct ServicePaths {
    char *etc;  /* domains/NAME.xml, autostart/NAME.xml */
    char *lib;  /* per-domain directories (channels), monitors */
    char *run;  /* status */
    char *log;  /* NAME.log */
    char *pids; /* NAME.pid; NULL: in run/qemu */
} ServicePaths;

typedef struct Settings {
    uint64_t unplug_timeout_usec; /* 0: the default, 5 s, 10 s on pSeries */
    uint64_t answer_timeout_usec; /* of QEMU, to a change of devices; 0: the default, 30 s */
    uint64_t reboot_usec;         /* how long a reboot is waited for; 0: the default, 5 min */
    bool postcopy;                /* migrations may be switched to it */
    const char *spice_tls;        /* the directory of spice's certificates; NULL: there are none */
    bool tracing;                 /* monitors report their lines */
} Settings;

/* What a run calls upwards when something of it asks for more than it knows. On the loop, but for
 * late_removal. */
typedef struct RunHooks {
    void (*event)(Domain *domain, const char *name, json_object *data);
    void (*gone)(Domain *domain); /* its monitor was closed, or its process has ended */
    /* On a fiber of its own: evidence of removals that nobody waits for. The reference of the
     * domain in `userdata` is the callee's. */
    void (*late_removal)(void *userdata);
} RunHooks;

struct Services {
    ServicePaths paths;
    Settings settings;
    const RunHooks *hooks;
    const struct DomainEvents *events; /* domain/events.h */
    void *events_userdata;
    struct DomainStore *store;           /* domain/store.h */
    struct OperationLog *operations;     /* domain/operation-log.h */
    struct AuditQueue *audit;            /* domain/audit-queue.h */
    struct Strays *strays;               /* QEMUs that run and are nobody's: the driver's */
    const struct NetworkStore *networks; /* what an interface's network stands for: the driver's */
    const struct Storage *storage;       /* pools of images: the driver's */
    const struct SecretStore *secrets;   /* what disks are encrypted with: the driver's */
    struct Confinement *confinement;     /* what QEMUs are kept to: the driver's */
    struct Migrations *migrations;       /* guests on their way: the driver's */
    struct XmlCache *xml;                /* definitions as they were shown last: the driver's */
    QemuCapsCache *caps;
    LimitsHost *limits;
    unsigned n_first_tries; /* QEMUs that were found but not tried yet */
    FiberCond tried;        /* broadcast when there is one less */
    bool is_loading;        /* the daemon's start waits for them */
    unsigned n_comparing;   /* whose limits are compared after that */
    FiberCond compared;     /* signalled when there is one less, and after the start */
    TaskGroup tasks;        /* what goes on by itself; stopping with the daemon */
};
