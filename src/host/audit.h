/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records for the host's audit log: that a machine started or stopped (VIRT_CONTROL) and which
 * resources it was given (VIRT_RESOURCE), field by field as libvirt writes them (its
 * docs/auditlog.rst), since ausearch, auvirt and people's rules look for those; and who made a call
 * (TRUSTED_APP), for what the kernel adds is about the daemon. libaudit adds exe, hostname, addr,
 * terminal and res.
 *
 * A text is built by one pure function and sent by another. Names and paths come from users: they
 * are encoded the way libaudit's readers expect, so that no name can forge a field. */
#pragma once

#include <sys/types.h>

#include "util/error.h"
#include "util/macro.h"

typedef struct Auditor Auditor;

typedef enum AuditLevel {
    AUDIT_LEVEL_OFF,          /* no records */
    AUDIT_LEVEL_IF_AVAILABLE, /* when the host has audit; failures are passed over */
    AUDIT_LEVEL_REQUIRED,     /* no audit, no start; a record that cannot be written is an error */
    AUDIT_LEVEL_MAX,
    AUDIT_LEVEL_INVALID = -EINVAL,
} AuditLevel;

typedef enum AuditType {
    AUDIT_TYPE_CONTROL,
    AUDIT_TYPE_RESOURCE,
    AUDIT_TYPE_CALL, /* TRUSTED_APP */
    AUDIT_TYPE_MAX,
} AuditType;

/* Whom a record is about. */
typedef struct AuditVm {
    const char *virt; /* "kvm", "qemu" */
    const char *name;
    const char *uuid; /* as text */
} AuditVm;

/* Texts: NULL when out of memory; the caller frees. `resource`, `op`, `reason`, `acl` are words of
 * our own
 * ("vcpu", "start", "booted"), written as they are; the rest is encoded, NULL as "?". A value of
 * more than 1024 bytes is cut: a record has 8970. */
char *audit_control_text(const AuditVm *vm, const char *op, const char *reason, pid_t pid);
/* resrc=vcpu old-vcpu=5 new-vcpu=6; mem is in KiB. */
char *audit_count_text(const AuditVm *vm, const char *resource, const char *reason,
                       uint64_t old_count, uint64_t new_count);
/* resrc=disk old-disk="?" new-disk="/x"; likewise net (MAC addresses), fs, rng, chardev. */
char *audit_device_text(const AuditVm *vm, const char *resource, const char *reason,
                        const char *old_source, const char *new_source);
/* resrc=cgroup: what a group may use. `path` NULL: class=all. rdev is "MM:mm" in hex for a device.
 */
char *audit_cgroup_text(const AuditVm *vm, const char *reason, const char *cgroup, const char *path,
                        const char *acl);

/* Who made a call. auid and ses are those of his login, as /proc/PID/loginuid and sessionid say
 * them: UINT32_MAX without one. */
typedef struct AuditCaller {
    pid_t pid;
    uid_t uid;
    uint32_t auid, ses;
    const char *addr; /* numeric, of the host he came from by TCP; "" or NULL: by a local socket */
} AuditCaller;

/* Fills auid and ses from /proc. */
void audit_caller_look(AuditCaller *caller);
/* A call that changes something: op=virDomainDestroy reason=call vm="?" uuid=? caller-pid=4711
 * caller-uid=1000 caller-auid=1000 caller-ses=3, and caller-addr=192.0.2.1 of a caller by TCP. `vm`
 * NULL: it is about no domain. */
char *audit_call_text(const AuditVm *vm, const char *api, const AuditCaller *caller);

/* Opens the kernel's audit socket. With REQUIRED, a host without audit or with audit switched off
 * is an error; otherwise the auditor is made and stays quiet. */
int auditor_new(AuditLevel level, Auditor **ret, Error **reterr);
void auditor_free(Auditor *auditor);
DEFINE_CLEANUP(Auditor *, auditor_free)
/* Is there a socket to write to? */
bool auditor_is_active(const Auditor *auditor);

/* Writes one record; waits for the kernel's answer: on a fiber, call it on a worker. Any thread,
 * one at a time of all auditors: libaudit numbers its requests in a static variable. Takes NULL for
 * a text that could not be built. Fails only when audit is required.
 */
int auditor_send(Auditor *auditor, AuditType type, const char *text, bool success, Error **reterr);
