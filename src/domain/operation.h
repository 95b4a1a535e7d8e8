/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A live change of vCPUs or of a device as an operation: an id, a journal entry that is on disk
 * before the first command leaves, one outcome. What it does is vcpu-operation's and
 * driver/device-operation's; here is what is known of it, and operation-log lists and journals it.
 */
#pragma once

#include "qemu/process.h"
#include "qemu/vcpu-map.h"
#include "util/bitmap.h"
#include "util/error.h"
#include "util/fiber.h"

typedef struct OperationLog OperationLog;

/* What a client asked for. */
typedef struct VcpuRequest {
    bool single; /* setvcpu: `ids` and `enable`; else setvcpus: `count` */
    unsigned count;
    char *ids; /* as written, "3" or "2-3" */
    bool enable;
    unsigned flags;        /* AFFECT_*, VCPU_* */
    uint64_t timeout_usec; /* of a removal; 0: the domain's default */
    bool async;            /* a removal: return once the guest has been asked */
    FiberCond *begun;      /* broadcast when the operation has its id; borrowed, may be NULL */
} VcpuRequest;

/* Where an operation is, and what came of it. Those up to PENDING are under way; the detail of
 * those that were not done says why. */
typedef enum OperationState {
    OPERATION_ACTING,    /* commands are out, or about to be */
    OPERATION_PENDING,   /* the guest has been asked; nobody waits any more */
    OPERATION_DONE,      /* all of it, the definition's half too */
    OPERATION_UNDONE,    /* it failed, and nothing of it is left */
    OPERATION_REFUSED,   /* by the guest, or by QEMU for it; what had gone before stays gone */
    OPERATION_FAILED,    /* the detail says what is left of it */
    OPERATION_CANCELLED, /* a pending removal nobody wants to hear of any more */
    OPERATION_STATE_MAX_
} OperationState;

/* A device that comes, goes or changes, in the place of vCPUs. */
typedef struct OperationDevice {
    char *verb;  /* "attach-device"; NULL: it is about vCPUs */
    char *alias; /* of the device in QEMU */
    char *xml;   /* as the client wrote it; NULL: it named the alias */
    char *whole; /* of an attach: a domain with this device, as it will be, and no other */
    OperationState fails_as; /* what an error would mean, as far as it has come */
} OperationDevice;

/* The points at which a crash leaves something different behind; tests stop the daemon at each. */
typedef enum OperationStep {
    STEP_JOURNALED, /* the journal is on disk, nothing sent */
    STEP_SENT,      /* device_add / device_del are queued for QEMU */
    STEP_ANSWERED,  /* QEMU has answered them all */
    STEP_CONFIRMED, /* the state was read back */
    STEP_TUNED,     /* new threads have their cgroups and pins; gone ones' are removed */
    STEP_PENDING,   /* the deadline passed, the guest may still answer */
    STEP_SAVED,     /* the status file is written */
    STEP_CONFIG,    /* the persistent definition is written */
    STEP_ENDED,     /* the outcome is known, the journal still there */
    OPERATION_STEP_MAX_
} OperationStep;

typedef struct Operation {
    struct Operation *next;
    unsigned n_refs;
    uint64_t id;
    OperationLog *log; /* NULL once it is no longer listed */
    char *name;        /* the domain's */
    uint8_t uuid[16];
    QemuPid pid;         /* the QEMU it was started on */
    VcpuRequest request; /* of a device: its `flags` only */
    OperationDevice device;
    bool live, config; /* what `flags` came to mean */
    bool plug;
    unsigned *vcpus; /* first id of each entity it changes */
    size_t n_vcpus;
    size_t n_asked; /* of a removal: the guest was asked for the first so many, by this daemon */
    size_t n_done;  /* of them, while it acts: for progress, not for decisions */
    OperationState state;
    char *detail;            /* why it failed, what is left; or NULL */
    GuestVerdict verdict;    /* of a plug: whether the guest uses the vCPUs, of the worst of them */
    char *guest;             /* the same as a sentence; NULL: not of a plug, or not known yet */
    bool guest_pending;      /* `guest` will come */
    bool watched;            /* by a fiber of this daemon, for that */
    bool kept;               /* it has ended, and is in the journal for its verdict */
    uint64_t started, ended; /* CLOCK_REALTIME, microseconds; ended 0: under way */
    FiberCond cond;          /* broadcast at every change of state */
} Operation;

/* "pending", "journaled": the words of the protocol and of VIREOD_CRASH_AT. */
const char *operation_state_name(OperationState state);
const char *operation_step_name(OperationStep step);
static inline bool operation_has_ended(const Operation *operation) {
    return operation->state > OPERATION_PENDING;
}

/* What a log makes. Copies the request; NULL: out of memory. */
Operation *operation_alloc(uint64_t id, const char *name, const VcpuRequest *request);
Operation *operation_ref(Operation *operation);
void operation_unref(Operation *operation);
DEFINE_CLEANUP(Operation *, operation_unref)

/* Waits until it has ended and nothing more is to be learnt of it: 0, or -ETIMEDOUT. */
int operation_wait(Operation *operation, uint64_t deadline);
/* "setvcpus 4 --live --config": for lists and logs. Caller frees; NULL: out of memory. */
char *operation_describe(const Operation *operation);

/* Marks a step. With VIREOD_CRASH_AT=<step name> in the environment the daemon kills itself there:
 * for tests of recovery. `operation` may be NULL (vCPUs plugged at boot have none). */
void operation_step(const Operation *operation, OperationStep step);

void vcpu_request_done(VcpuRequest *request);
static inline bool operation_is_of_device(const Operation *operation) {
    return operation->device.verb != NULL;
}
