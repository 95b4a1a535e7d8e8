/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon's own files share: the driver, the server, the clients' event registrations. */
#pragma once

#include <regex.h>

#include "driver/driver.h"
#include "rpc/remote_protocol.h"
#include "rpc/server.h"

typedef struct Config {
    char *root; /* --root, or NULL */
    char *etc, *lib, *run, *log;
    char *socket, *socket_ro;
    unsigned socket_mode, socket_ro_mode;
    unsigned unplug_timeout_ms; /* 0: default */
    char *partition;            /* cgroup of domains that name none */
    char *resctrl;              /* root of the resctrl tree; NULL: the kernel's */
    bool cgroups;               /* put machines into cgroups */
    bool scopes;                /* and these into systemd's scopes where there is systemd */
    AuditLevel audit_level;
    int log_level;
} Config;

/* Defaults, below root if given: that is made when it is missing, becomes an absolute path without
 * links, and is refused when it, or a directory on its way, is somebody else's. */
int config_init(Config *config, const char *root, Error **reterr);
/* Reads "key = value" lines; ERROR_XML-free, names file and line. A missing file is no error unless
 * `must_exist`. */
int config_load(Config *config, const char *path, bool must_exist, Error **reterr);
/* Takes over what can change while the daemon runs: log level, unplug timeout, audit level. Warns
 * of the others. */
void config_take_changed(Config *config, const Config *fresh);
void config_done(Config *config);

typedef struct Daemon {
    Config config;
    Driver *driver;
    RpcServer *server;
    TaskGroup tasks; /* its own fibers: start, new settings */
    struct Client *clients;
} Daemon;

/* One event registration of one client. */
typedef struct Registration {
    struct Registration *next;
    int callback_id;
    int event_id; /* REMOTE event, or -1: a QEMU monitor event */
    bool filtered;
    uint8_t uuid[16];
    char *monitor_event; /* NULL: all */
    regex_t *pattern;    /* monitor_event is a regular expression */
    bool nocase;
} Registration;

/* A session's state; its userdata. */
typedef struct Client {
    Daemon *daemon;
    RpcSession *session;
    struct Client *next;
    char *uri;
    Registration *registrations;
    int next_callback_id;
    unsigned vireo_kinds; /* Vireo's own events: VIREO_EVENT_* */
    bool vireo_filtered;  /* of the domain vireo_uuid only */
    uint8_t vireo_uuid[16];
} Client;

extern const RpcServerOps client_ops;
extern const DriverEvents daemon_events;
extern RpcProgram daemon_programs[];
/* Fills daemon_programs; once, before the server is made. */
void daemon_programs_init(void);
extern const size_t daemon_n_programs;

/* Kinds of Vireo's own events. */
enum { VIREO_EVENT_OPERATION = 1, VIREO_EVENT_TRACE = 2, VIREO_EVENT_DRIFT = 4 };

/* Handler tables, one per file; put together in programs.c. */
extern const RpcProc connect_procs[], domain_procs[], life_procs[], vcpu_procs[], tune_procs[],
    stats_procs[], event_procs[], qemu_procs[], vireo_procs[];
extern const size_t connect_n_procs, domain_n_procs, life_n_procs, vcpu_n_procs, tune_n_procs,
    stats_n_procs, event_n_procs, qemu_n_procs, vireo_n_procs;

/* How a handler and its row of the table are written. */
#define HANDLER(name)                                                                              \
    static int name(RpcSession *session, RpcCall *call, void *args_, void *ret_, Error **reterr)
#define XDR_OF(type) (xdrproc_t) xdr_##type, sizeof(type)
#define NO_XDR NULL, 0

static inline Client *client_of(RpcSession *session) {
    return rpc_session_userdata(session);
}

static inline Driver *driver_of(RpcSession *session) {
    return client_of(session)->daemon->driver;
}

/* The domain a client means (by uuid only), with a reference. */
int dispatch_domain(RpcSession *session, const remote_domain *wire, Domain **ret, Error **reterr);
/* Fills the wire form; -ENOMEM. */
int dispatch_make_domain(const Domain *domain, remote_domain *ret, Error **reterr);
/* "unsupported flags (0x..) in function NAME" when a bit outside `allowed` is set. */
int dispatch_flags(unsigned flags, unsigned allowed, const char *function, Error **reterr);
/* Two flags that exclude each other, as the API checks say it. */
int dispatch_exclusive(unsigned flags, const char *api, Error **reterr);
/* Whether the LIST_DOMAINS filter bits (WIRE.md 3.3) let the domain through. */
bool dispatch_list_matches(const Domain *domain, unsigned flags);
/* CPUs the host has, online or not: the length of every CPU map of the wire, in bits. */
unsigned dispatch_host_cpus(void);
int dispatch_string(char **to, const char *text, Error **reterr);

/* A client's registrations. filter NULL: every domain. The new one belongs to the client. */
int registration_add(Client *client, int event_id, const remote_domain *filter, Registration **ret,
                     Error **reterr);
int registration_remove(Client *client, int callback_id, bool monitor, Error **reterr);
bool registration_matches(const Registration *registration, int event_id, const Domain *domain);
void registration_free(Registration *registration);
/* DriverEvents.monitor_event: to those who registered with the QEMU program. */
void qemu_send_monitor_event(Domain *domain, const char *name, json_object *data, int64_t seconds,
                             int64_t microseconds, void *userdata);
/* DriverEvents.operation, and MonitorTraceFunc's lines: to those who asked on Vireo's program. */
void vireo_send_operation(Operation *operation, void *userdata);
void vireo_send_drift(Domain *domain, unsigned n, const char *text, void *userdata);
/* After a client came to want the trace, or went. */
void vireo_update_trace(Daemon *daemon);
void vireo_send_trace(Domain *domain, char direction, const char *text, size_t len, void *userdata);
