/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon's own files share: the settings, the clients, the tables of calls. */
#pragma once

#include "dispatch.h"
#include "host/audit.h"
#include "host/polkit.h"
#include "tables.h"

#define NO_SOCKET_GROUP ((gid_t)-1)

typedef struct Config {
    char *root; /* --root, or NULL */
    char *etc, *lib, *run, *log;
    char *socket, *socket_ro, *socket_admin;
    unsigned socket_mode, socket_ro_mode;
    bool listen_tcp;   /* serve TCP, too: */
    char *listen_addr; /* numeric */
    unsigned tcp_port;
    bool tcp_anybody;           /* whoever comes by TCP may do all; else root of this host alone */
    gid_t socket_gid;           /* who is in that group may do all; or NO_SOCKET_GROUP */
    unsigned unplug_timeout_ms; /* 0: default */
    unsigned answer_timeout_ms; /* 0: default */
    bool postcopy;              /* migrations may be switched to it */
    char *partition;            /* cgroup of domains that name none */
    char *resctrl;              /* root of the resctrl tree; NULL: the kernel's */
    char *default_pool;         /* directory of the storage pool 'default'; NULL: none is made */
    char *pid_dir;              /* of the pids of QEMUs; NULL: below run */
    bool cgroups;               /* put machines into cgroups */
    bool scopes;                /* and these into systemd's scopes where there is systemd */
    char *metrics;              /* where Prometheus is served; NULL: nowhere */
    char *user, *group;         /* QEMU's; NULL: the default user, the user's group */
    bool spice_tls;
    char *spice_tls_dir;   /* of its certificates */
    char *security_driver; /* QEMU's labels: "auto", "none", or whose */
    bool private_dev, dynamic_ownership, sandbox;
    unsigned max_core_mib; /* of a core file of QEMU */
    bool polkit;           /* who is not let in by the socket is asked about, call by call */
    AuditLevel audit_level;
    int log_level;
} Config;

/* Defaults, below root if given: that is made when it is missing, becomes an absolute path without
 * links, and is refused when it, or a directory on its way, is somebody else's. */
int config_init(Config *config, const char *root, Error **reterr);
/* Reads "key = value" lines; ERROR_XML-free, names file and line. A missing file is no error unless
 * `must_exist`. */
int config_load(Config *config, const char *path, bool must_exist, Error **reterr);
/* Takes over what can change while the daemon runs (settings.c has it). Warns of each of the others
 * that is not the same. */
void config_take_changed(Config *config, const Config *fresh);
void config_done(Config *config);

typedef struct Daemon {
    Config config;
    bool verbose; /* logs everything, whatever the settings say */
    Driver *driver;
    RpcServer *server;
    RpcServer *admin;        /* admin.h */
    struct Idle *idle;       /* or NULL */
    struct Metrics *metrics; /* or NULL */
    Polkit *polkit;
    struct NodeWatch *node_watch; /* or NULL */
    TaskGroup tasks;              /* its own fibers: start, new settings */
    struct Client *clients;
} Daemon;

/* A session's state; its userdata. */
typedef struct Client {
    DispatchContext context;
    Daemon *daemon;
    RpcSession *session;
    PolkitSubject subject;   /* when its session has a gate */
    struct AccessView *view; /* then, too (access-view.h); else NULL */
    AuditCaller caller;
    struct Client *next;
    char *uri;
    struct Registration *registrations;
    int next_callback_id;
    unsigned vireo_kinds; /* Vireo's own events: VIREO_EVENT_* */
    bool vireo_filtered;  /* of the domain vireo_uuid only */
    uint8_t vireo_uuid[16];
} Client;

extern const RpcServerOps client_ops;
extern const DomainEvents daemon_events;
extern RpcProgram daemon_programs[];
/* Fills daemon_programs; once, before the server is made. */
void daemon_programs_init(void);
extern const size_t daemon_n_programs;

/* Kinds of Vireo's own events. */
enum { VIREO_EVENT_OPERATION = 1, VIREO_EVENT_TRACE = 2, VIREO_EVENT_DRIFT = 4 };

static inline Client *client_of(RpcSession *session) {
    return rpc_session_userdata(session);
}

/* DomainEvents.monitor_event: to those who registered with the QEMU program. */
void qemu_send_monitor_event(Domain *domain, const char *name, json_object *data, int64_t seconds,
                             int64_t microseconds, void *userdata);
/* DomainEvents.operation, and MonitorTraceFunc's lines: to those who asked on Vireo's program. */
void vireo_send_operation(Operation *operation, void *userdata);
void vireo_send_drift(Domain *domain, unsigned n, const char *text, void *userdata);
/* After a client came to want the trace, or went. */
void vireo_update_trace(Daemon *daemon);
void vireo_send_trace(Domain *domain, char direction, const char *text, size_t len, void *userdata);
