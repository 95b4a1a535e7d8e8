/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is told to clients of a domain. A domain that is no longer listed has nobody to tell. The
 * listener's functions run at once, on whatever fiber the news came; they do not suspend. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct BlockJob BlockJob;
typedef struct Domain Domain;
typedef struct Operation Operation;
typedef struct TransferStats TransferStats;

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
enum {
    STARTED_BOOTED = 0,
    STARTED_MIGRATED = 1,
    STARTED_RESTORED = 2,
    STARTED_FROM_SNAPSHOT = 3,
    STARTED_WAKEUP = 4
};
enum {
    RESUMED_UNPAUSED = 0,
    RESUMED_MIGRATED = 1,
    RESUMED_POSTCOPY = 3,
    RESUMED_POSTCOPY_FAILED = 4
};
enum {
    SUSPENDED_PAUSED = 0,
    SUSPENDED_MIGRATED = 1,
    SUSPENDED_IOERROR = 2,
    SUSPENDED_WATCHDOG = 3,
    SUSPENDED_RESTORED = 4,
    SUSPENDED_FROM_SNAPSHOT = 5,
    SUSPENDED_POSTCOPY = 7,
    SUSPENDED_POSTCOPY_FAILED = 8
};
enum { SHUTDOWN_GUEST = 1, SHUTDOWN_HOST = 2 };
enum { PMSUSPENDED_MEMORY = 0, PMSUSPENDED_DISK = 1 };
enum { CRASHED_DETAIL_PANICKED = 0 };
enum {
    STOPPED_SHUTDOWN = 0,
    STOPPED_DESTROYED = 1,
    STOPPED_CRASHED = 2,
    STOPPED_MIGRATED = 3,
    STOPPED_SAVED = 4,
    STOPPED_FAILED = 5,
    STOPPED_FROM_SNAPSHOT = 6
};

typedef enum TunableType { TUNABLE_ULLONG, TUNABLE_LLONG, TUNABLE_TEXT } TunableType;

/* One changed parameter, by libvirt's name ("cputune.vcpupin3"). */
typedef struct TunableValue {
    char name[48];
    TunableType type;
    int64_t number;
    const char *text;
} TunableValue;

/* Something that QEMU, or a client, has told of a domain; which members mean something depends on
 * the id. Numbers are libvirt's. */
typedef struct NewsAddress {
    int family; /* 0: IPv4, 1: IPv6, 2: a socket in the file system */
    const char *node, *service;
} NewsAddress;
typedef struct NewsIdentity {
    const char *type, *name;
} NewsIdentity;
typedef struct DomainNews {
    int id;         /* EVENT_ID_* */
    int64_t amount; /* RTC_CHANGE: seconds, BALLOON_CHANGE: KiB, MEMORY_DEVICE_SIZE_CHANGE: bytes */
    int code;       /* the action; GRAPHICS: the phase, TRAY_CHANGE, DISK_CHANGE: the reason,
                       METADATA_CHANGE: the       type,   MEMORY_FAILURE: the recipient */
    int action;     /* MEMORY_FAILURE */
    unsigned flags;
    const char *alias, *path;
    const char *reason; /* IO_ERROR_REASON: or ""; GRAPHICS: how it was let in; METADATA_CHANGE: the
                           namespace, or NULL */
    NewsAddress local, remote; /* GRAPHICS */
    NewsIdentity identities[2];
    size_t n_identities;
} DomainNews;

/* The listener; each function may be NULL. The domain and strings are borrowed. */
typedef struct DomainEvents {
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
    /* A pass over the memory of a guest that moves has begun. */
    void (*migration_iteration)(Domain *domain, int pass, void *userdata);
    /* Of the kinds in driver/news.h, METADATA_CHANGE and DISK_CHANGE. */
    void (*news)(Domain *domain, const DomainNews *news, void *userdata);
    /* A disk was written at that byte and so many beyond; `path` may be NULL. */
    void (*block_threshold)(Domain *domain, const char *disk, const char *path, uint64_t threshold,
                            uint64_t excess, void *userdata);
    /* Its state has been written, or has moved (driver/transfer.h). */
    void (*job_completed)(Domain *domain, const TransferStats *stats, void *userdata);
    /* A block job of a disk became ready (which ends nothing) or ended; kind and outcome are of
     * domain/run-disks.h. */
    void (*block_job)(Domain *domain, const BlockJob *job, unsigned outcome, void *userdata);
    /* Somebody else had changed it, and it was mended: a line for each difference. */
    void (*drift)(Domain *domain, unsigned n, const char *text, void *userdata);
    void (*monitor_event)(Domain *domain, const char *name, json_object *data, int64_t seconds,
                          int64_t microseconds, void *userdata);
    /* An operation changed its state. */
    void (*operation)(Operation *operation, void *userdata);
    /* A line of a domain's QMP conversation: direction '>', '<' or '!'. Asked for by
     * driver_set_trace. */
    void (*trace)(Domain *domain, char direction, const char *text, size_t len, void *userdata);
} DomainEvents;

void events_lifecycle(Domain *domain, LifecycleEvent event, int detail);
void events_reboot(Domain *domain);
void events_device_added(Domain *domain, const char *alias);
void events_device_removed(Domain *domain, const char *alias);
void events_device_removal_failed(Domain *domain, const char *alias);
void events_vcpu_removed(Domain *domain, unsigned vcpu);
void events_agent_lifecycle(Domain *domain, bool connected, int reason);
void events_tunable(Domain *domain, const TunableValue *values, size_t n);
void events_migration_iteration(Domain *domain, int pass);
void events_news(Domain *domain, const DomainNews *news);
void events_block_threshold(Domain *domain, const char *disk, const char *path, uint64_t threshold,
                            uint64_t excess);
void events_job_completed(Domain *domain, const TransferStats *stats);
void events_block_job(Domain *domain, const BlockJob *job, unsigned outcome);
void events_drift(Domain *domain, unsigned n, const char *text);
void events_monitor_event(Domain *domain, const char *name, json_object *data, int64_t seconds,
                          int64_t microseconds);
void events_trace(Domain *domain, char direction, const char *text, size_t len);
