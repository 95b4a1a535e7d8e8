/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver: all domains of one daemon, and what a client can ask of them. Functions that change
 * something run on a fiber, take the domain's job and may suspend; the others never do. Flags are
 * libvirt's; unknown ones are refused by the caller (daemon/). */
#pragma once

#include "conf/domain-parse.h"
#include "domain/domain.h"
#include "domain/events.h"
#include "domain/operation-log.h"
#include "domain/services.h"
#include "domain/store.h"
#include "driver/confinement.h"
#include "driver/network.h"
#include "driver/secret.h"
#include "driver/storage.h"
#include "host/audit.h"
#include "limits/limits.h"
#include "qemu/agent-vcpu.h"

typedef struct Driver {
    Services services;
    Storage *storage; /* pools and volumes */
    NetworkStore *networks;
    SecretStore *secrets;
    sd_event_source *uevents; /* of host CPUs */
    sd_event_source *writes;  /* to the domains' cgroups */
} Driver;

typedef struct DriverParams {
    ServicePaths paths;
    LimitsParams limits;
    ConfinementParams confinement;
    AuditLevel audit;
    const char *default_pool;   /* directory of the storage pool 'default'; NULL: none is made */
    const DomainEvents *events; /* stays the caller's; NULL: nobody listens */
    void (*pool_event)(const Pool *pool, PoolEvent event, void *userdata); /* may be NULL */
    NetworkEventFunc network_event;                                        /* may be NULL */
    SecretEventFunc secret_event;                                          /* may be NULL */
    void *userdata;                                                        /* of all of them */
} DriverParams;

/* The strings are copied. With audit required, a host without it is an error. */
int driver_new(const DriverParams *params, Driver **ret, Error **reterr);
/* Reads the definitions and finds running QEMUs again: returns once each was tried, or a few
 * seconds have passed. On a fiber. Problems with single domains are logged, not returned; an error
 * of memory or descriptors is. */
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

/* The domains in order of definition, by Domain.next, and how many they are. */
static inline Domain *driver_domains(const Driver *driver) {
    return driver->services.store->domains;
}
static inline unsigned driver_n_domains(const Driver *driver) {
    return driver->services.store->n;
}
/* Borrowed; take a reference before suspending. NULL and ERROR_NO_DOMAIN when there is none; `name`
 * (may be NULL) is only for the sentence. */
Domain *driver_find_uuid(Driver *driver, const uint8_t uuid[16], const char *name, Error **reterr);
Domain *driver_find_name(Driver *driver, const char *name, Error **reterr);
Domain *driver_find_id(Driver *driver, int id, Error **reterr);

/* Definitions. define returns a new reference. */
int driver_define(Driver *driver, const char *xml, Domain **ret, Error **reterr);
/* The same for parts of the driver that have no more. */
int services_define(Services *services, const char *xml, Domain **ret, Error **reterr);
/* flags: UNDEFINE_*. A managed save, or variables of its firmware, are a reason to refuse when
 * nothing is said of them. */
int driver_undefine(Domain *domain, unsigned flags, Error **reterr);
/* flags: START_PAUSED, START_RESET_NVRAM. */
int driver_create_xml(Driver *driver, const char *xml, unsigned flags, Domain **ret,
                      Error **reterr);
int driver_set_autostart(Domain *domain, bool yes, Error **reterr);

/* Life. */
/* From its managed save when there is one, which START_FORCE_BOOT throws away. flags: that,
 * START_PAUSED, START_RESET_NVRAM. */
int driver_start(Domain *domain, unsigned flags, Error **reterr);
int driver_destroy(Domain *domain, bool graceful, Error **reterr);
/* What its QEMU has written, if it does not run (again). On a fiber. */
void driver_remove_log(Domain *domain);
int driver_shutdown(Domain *domain, Error **reterr);
int driver_reboot(Domain *domain, Error **reterr);
int driver_reset(Domain *domain, Error **reterr);
int driver_suspend(Domain *domain, Error **reterr);
int driver_resume(Domain *domain, Error **reterr);
int driver_monitor_command(Domain *domain, const char *command, bool hmp, char **ret,
                           Error **reterr);
/* The same for a QMP command that is about descriptors, which stay the caller's. */
int driver_monitor_command_with_fds(Domain *domain, const char *command, const int *fds,
                                    unsigned n_fds, char **ret, Error **reterr);

/* The guest through its agent; these suspend, for seconds when it is silent, and hold no job. */
int driver_agent_command(Domain *domain, const char *command, int timeout, char **ret,
                         Error **reterr);
/* As agent_run: `arguments` is consumed in every case. */
int driver_agent_run(Domain *domain, const char *execute, json_object *arguments, int timeout,
                     json_object **ret, Error **reterr);
int driver_agent_vcpus(Domain *domain, AgentVcpus *ret, Error **reterr);
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
int driver_retry_operation(Driver *driver, Operation *operation, uint64_t timeout_usec,
                           Error **reterr);
/* The count, or negative. Suspends only with VCPU_GUEST. */
int driver_get_vcpus(Domain *domain, unsigned flags, Error **reterr);

/* Switches the reporting of all QMP conversations on or off. */
void driver_set_trace(Driver *driver, bool on);

/* XML_INACTIVE; XML_SECURE: with passwords, the caller may ask for them. Others are ignored. Caller
 * frees. */
int driver_dump_xml(Domain *domain, unsigned flags, char **ret, Error **reterr);

/* Parses XML only to tell what of it nobody knows, and what is kept but not acted on. */
int driver_check_xml(const char *xml, DomainParseWarning unknown, DomainParseWarning kept,
                     void *userdata, Error **reterr);
