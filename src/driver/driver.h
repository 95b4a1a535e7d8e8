/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver: all domains of one daemon, and what a client can ask of them. Functions that change
 * something run on a fiber, take the domain's job and may suspend; the others never do. Flags are
 * libvirt's; unknown ones are refused by the caller (daemon/). */
#pragma once

#include "conf/domain-parse.h"
#include "domain/domain.h"
#include "domain/operation.h"
#include "domain/status-delta.h"
#include "driver/storage.h"
#include "host/audit.h"
#include "limits/limits.h"
#include "qemu/agent-vcpu.h"
#include "util/libvirt-numbers.h"
#include "util/task.h"

typedef struct DriverPaths {
    char *etc; /* domains/NAME.xml, autostart/NAME.xml */
    char *lib; /* per-domain directories (channels), monitors */
    char *run; /* status */
    char *log; /* NAME.log */
} DriverPaths;

/* LIFECYCLE events and details, libvirt's numbers (WIRE.md 3.4). */
typedef enum LifecycleEvent {
    EVENT_DEFINED = 0,
    EVENT_UNDEFINED = 1,
    EVENT_STARTED = 2,
    EVENT_SUSPENDED = 3,
    EVENT_RESUMED = 4,
    EVENT_STOPPED = 5,
    EVENT_SHUTDOWN = 6,
    EVENT_PMSUSPENDED = 7,
    EVENT_CRASHED = 8,
} LifecycleEvent;

enum { AGENT_REASON_UNKNOWN = 0, AGENT_REASON_DOMAIN_STARTED = 1, AGENT_REASON_CHANNEL = 2 };
enum { STARTED_WAKEUP = 4 };
enum { SUSPENDED_PAUSED = 0, SUSPENDED_IOERROR = 2, SUSPENDED_WATCHDOG = 3 };
enum { SHUTDOWN_GUEST = 1, SHUTDOWN_HOST = 2 };
enum { PMSUSPENDED_MEMORY = 0, PMSUSPENDED_DISK = 1 };
enum { CRASHED_DETAIL_PANICKED = 0 };
enum { STOPPED_SHUTDOWN = 0, STOPPED_DESTROYED = 1, STOPPED_CRASHED = 2, STOPPED_FAILED = 5 };

typedef enum TunableType { TUNABLE_ULLONG, TUNABLE_LLONG, TUNABLE_TEXT } TunableType;

/* One changed parameter, by libvirt's name ("cputune.vcpupin3"). */
typedef struct TunableValue {
    char name[48];
    TunableType type;
    int64_t number;
    const char *text;
} TunableValue;

/* What the daemon forwards to clients. The domain and strings are borrowed. */
typedef struct DriverEvents {
    void (*lifecycle)(Domain *domain, LifecycleEvent event, int detail, void *userdata);
    void (*reboot)(Domain *domain, void *userdata);
    void (*device_removed)(Domain *domain, const char *alias, void *userdata);
    void (*device_added)(Domain *domain, const char *alias, void *userdata);
    void (*device_removal_failed)(Domain *domain, const char *alias, void *userdata);
    /* One for each vCPU of a removed device; libvirt 12.4. */
    void (*vcpu_removed)(Domain *domain, unsigned vcpu, void *userdata);
    void (*agent_lifecycle)(Domain *domain, bool connected, int reason, void *userdata);
    /* A live change of what the threads may use. */
    void (*tunable)(Domain *domain, const TunableValue *values, size_t n, void *userdata);
    /* Somebody else had changed it, and it was mended: a line for each difference. */
    void (*drift)(Domain *domain, unsigned n, const char *text, void *userdata);
    void (*monitor_event)(Domain *domain, const char *name, json_object *data, int64_t seconds,
                          int64_t microseconds, void *userdata);
    void (*pool)(const Pool *pool, PoolEvent event, void *userdata);
    /* An operation changed its state. */
    void (*operation)(Operation *operation, void *userdata);
    /* A line of a domain's QMP conversation: direction '>', '<' or '!'. Asked for by
     * driver_set_trace. */
    void (*trace)(Domain *domain, char direction, const char *text, size_t len, void *userdata);
} DriverEvents;

struct Driver {
    DriverPaths paths;
    Storage *storage; /* pools and volumes */
    QemuCapsCache *caps;
    LimitsHost *limits;
    sd_event_source *uevents; /* of host CPUs */
    sd_event_source *writes;  /* to the domains' cgroups */
    Auditor *auditor;
    bool auditing; /* a worker has it */
    FiberCond audit_cond;
    const DriverEvents *events;
    void *userdata;
    Domain *domains; /* in order of definition */
    unsigned n_domains;
    int next_id;
    Operation *operations; /* newest first */
    uint64_t last_operation;
    uint64_t unplug_timeout_usec; /* 0: the default, 5 s, 10 s on pSeries */
    uint64_t reboot_usec;         /* how long a reboot is waited for; 0: the default, 5 min */
    bool tracing;                 /* monitors report their lines to events->trace */
    struct Stray *strays;         /* QEMUs that run and are nobody's (driver/strays.h) */
    unsigned n_first_tries;       /* domains that were found but not tried yet */
    TaskGroup tasks;              /* what goes on by itself; stopping with the daemon */
};

typedef struct DriverParams {
    DriverPaths paths;
    LimitsParams limits;
    AuditLevel audit;
    const char *default_pool; /* directory of the storage pool 'default'; NULL: none is made */
} DriverParams;

/* The strings are copied. events stays the caller's. With audit required, a host without it is an
 * error. */
int driver_new(const DriverParams *params, const DriverEvents *events, void *userdata, Driver **ret,
               Error **reterr);
/* Reads the definitions and finds running QEMUs again: returns once each was tried, or a few
 * seconds have passed. On a fiber. Problems with single domains are logged, not returned. */
int driver_load(Driver *driver, Error **reterr);
/* Starts what is to be started with the host, in the background, a few at a time; once per boot of
 * the host, what a daemon that ended had not come to included. */
void driver_autostart(Driver *driver);
/* Changes what is audited; an auditor that cannot be had is an error, and nothing has changed. On a
 * fiber. */
int driver_set_audit(Driver *driver, AuditLevel level, Error **reterr);
/* Asks everything that goes on by itself to end. */
void driver_stop(Driver *driver);
/* Waits until it has ended, or the deadline. On a fiber. */
void driver_wait_stopped(Driver *driver, uint64_t deadline);
/* Lets go of all domains; guests go on running. */
void driver_free(Driver *driver);

/* Borrowed; take a reference before suspending. NULL and ERROR_NO_DOMAIN when there is none; `name`
 * (may be NULL) is only for the sentence. */
Domain *driver_find_uuid(Driver *driver, const uint8_t uuid[16], const char *name, Error **reterr);
Domain *driver_find_name(Driver *driver, const char *name, Error **reterr);
Domain *driver_find_id(Driver *driver, int id, Error **reterr);

/* Definitions. define returns a new reference. */
int driver_define(Driver *driver, const char *xml, Domain **ret, Error **reterr);
int driver_undefine(Domain *domain, Error **reterr);
int driver_create_xml(Driver *driver, const char *xml, bool paused, Domain **ret, Error **reterr);
int driver_set_autostart(Domain *domain, bool yes, Error **reterr);

/* Life. */
int driver_start(Domain *domain, bool paused, Error **reterr);
int driver_destroy(Domain *domain, bool graceful, Error **reterr);
int driver_shutdown(Domain *domain, Error **reterr);
int driver_reboot(Domain *domain, Error **reterr);
int driver_reset(Domain *domain, Error **reterr);
int driver_suspend(Domain *domain, Error **reterr);
int driver_resume(Domain *domain, Error **reterr);
int driver_monitor_command(Domain *domain, const char *command, bool hmp, char **ret,
                           Error **reterr);

/* The guest through its agent; these suspend, for seconds when it is silent, and hold no job. */
int driver_agent_command(Domain *domain, const char *command, int timeout, char **ret,
                         Error **reterr);
/* As agent_run: `arguments` is consumed in every case. */
int driver_agent_run(Domain *domain, const char *execute, json_object *arguments, int timeout,
                     json_object **ret, Error **reterr);
int driver_agent_vcpus(Domain *domain, AgentVcpus *ret, Error **reterr);
/* Has the agent do what agent_vcpus_plan or agent_vcpus_select marked. */
int driver_agent_change(Domain *domain, AgentVcpus *vcpus, Error **reterr);
int driver_agent_set_count(Domain *domain, unsigned count, Error **reterr);
int driver_agent_set_vcpus(Domain *domain, const char *list, bool online, Error **reterr);

/* Changes the vCPUs. The live half runs as an operation: a removal that the guest does not answer
 * by the deadline gives ERROR_OPERATION_TIMEOUT and stays pending; the config half follows the live
 * half, also then. *ret_operation (may be NULL) gets its id, 0 when only the definition changed. */
int driver_change_vcpus(Domain *domain, const VcpuRequest *request, uint64_t *ret_operation,
                        Error **reterr);
/* The same, but returns as soon as the operation has begun; what becomes of it the operation tells.
 * *ret_operation stays 0 when nothing had to be done live. Errors: those of before the first
 * command. */
int driver_begin_change(Domain *domain, const VcpuRequest *request, uint64_t *ret_operation,
                        Error **reterr);
/* What the request would do, as text for a person, changing nothing. Caller frees. */
int driver_plan_vcpus(Domain *domain, const VcpuRequest *request, char **ret, Error **reterr);
/* Gives up waiting for a pending removal; the guest may still carry it out. */
int driver_cancel_operation(Operation *operation, Error **reterr);
/* Asks the guest of a pending removal once more and waits again; timeout 0: the domain's default.
 */
int driver_retry_operation(Operation *operation, uint64_t timeout_usec, Error **reterr);
/* The count, or negative. Suspends only with VCPU_GUEST. */
int driver_get_vcpus(Domain *domain, unsigned flags, Error **reterr);

/* Switches the reporting of all QMP conversations on or off. */
void driver_set_trace(Driver *driver, bool on);

/* XML_INACTIVE; XML_SECURE: with passwords, the caller may ask for them. Others are ignored. Caller
 * frees. */
int driver_dump_xml(Domain *domain, unsigned flags, char **ret, Error **reterr);

/* CPU time in ns of a thread (tid 0: of the whole process), and the host CPU it last ran on. */
int driver_thread_stat(pid_t pid, pid_t tid, uint64_t *ret_ns, int *ret_cpu, char *ret_state);

/* ---- between the driver's own files ---- */

/* CURRENT becomes LIVE or CONFIG, by whether the domain runs; what is asked for must exist. */
int driver_resolve_affect(const Domain *domain, unsigned flags, bool *ret_live, bool *ret_config,
                          Error **reterr);
/* Counts, logs and reports that `n` differences were mended. */
/* Finds the cgroups of a QEMU that an earlier daemon placed. */
int driver_resume_limits(Domain *domain, Error **reterr);
void driver_tell_drift(Domain *domain, unsigned n, const char *text);

/* The XML of a client or a file; unknown parts are logged. */
int driver_parse(Driver *driver, const char *xml, DomainDef **ret, Error **reterr);
/* Parses XML only to tell what of it nobody knows, and what is kept but not acted on. */
int driver_check_xml(Driver *driver, const char *xml, DomainParseWarning unknown,
                     DomainParseWarning kept, void *userdata, Error **reterr);
/* The domain this definition is about, NULL if it is a new one; refuses clashes of name and uuid.
 */
int driver_find_same(Driver *driver, const DomainDef *def, Domain **ret, Error **reterr);
int driver_list_add(Driver *driver, Domain *domain);
void driver_list_remove(Domain *domain);
void driver_emit_lifecycle(Domain *domain, LifecycleEvent event, int detail);
char *driver_config_path(Driver *driver, const char *name);
char *driver_autostart_path(Driver *driver, const char *name);
char *driver_status_path(Driver *driver, const char *name);
/* Writes the persistent definition / the status file; atomic, on the worker pool. */
int driver_save_config(Domain *domain, const DomainDef *def, Error **reterr);
int driver_save_status(Domain *domain, Error **reterr);
/* The same after a pin alone has changed: a line behind the file. Job held. */
int driver_save_pin(Domain *domain, StatusPin pin, unsigned id, Error **reterr);
/* Tries to connect to the QEMU of a domain that has a run, and tries on in the background. `find`
 * counts as a first try (n_first_tries) of one that an earlier daemon left. */
void driver_find_again(Domain *domain);
void driver_reconnect(Domain *domain);
/* Makes a QEMU whose status file is lost the domain's: what runs is taken from the persistent
 * definition and from QEMU. Job held; after an error all is as before. */
int driver_adopt(Domain *domain, const struct Stray *stray, Error **reterr);
/* Starts it as `def` says. Job held. */
int driver_start_locked(Domain *domain, const DomainDef *def, bool paused, Error **reterr);
/* Ends what runs (kill, files, state, events). Job held. */
void driver_end_run(Domain *domain, int reason, int stopped_detail);
/* monitor_handshake on a domain's new monitor, traced when somebody wants that. */
int driver_handshake(Domain *domain, uint64_t deadline, Error **reterr);
/* Watches process and monitor of a domain that runs. */
int driver_watch(Domain *domain, Error **reterr);
extern const MonitorOps driver_monitor_ops;
/* Goes on with the operations that an earlier daemon left of a domain that was found again. */
void driver_resume_operations(Domain *domain);
/* Fails those whose QEMU is no more. */
void driver_drop_operations(Driver *driver);
/* Ends the pending removals that are complete, and, with the guest's `rejection` (or NULL), those
 * that were refused. Job held. */
void driver_settle_operations(Domain *domain, const char *rejection);
/* Fails everything under way on a domain that stopped. */
void driver_fail_operations(Domain *domain, const char *why);
/* The guest agent (driver-agent.c). open: on a fiber, when the monitor is there; event:
 * VSERPORT_CHANGE. */
int driver_agent_open(Domain *domain, Error **reterr);
void driver_agent_event(Domain *domain, json_object *data);
