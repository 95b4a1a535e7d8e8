/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of libvirt's API that go over the wire: flags, states and types. The tool and the daemon
 * both read them here. Names are libvirt's without VIR_DOMAIN or VIR; each enum says which of
 * libvirt's it is. */
#pragma once

/* virTypedParameterType, virTypedParameterFlags */
enum {
    PARAM_INT = 1,
    PARAM_UINT = 2,
    PARAM_LLONG = 3,
    PARAM_ULLONG = 4,
    PARAM_DOUBLE = 5,
    PARAM_BOOLEAN = 6,
    PARAM_STRING = 7
};
#define TYPED_PARAM_STRING_OKAY 4u

/* virDomainModificationImpact */
enum { AFFECT_CURRENT = 0, AFFECT_LIVE = 1, AFFECT_CONFIG = 2 };

/* virDomainVcpuFlags, virDomainSetVcpuFlags. The asynchronous unplug is libvirt 12.4's. */
enum {
    VCPU_MAXIMUM = 4,
    VCPU_GUEST = 8,
    VCPU_HOTPLUGGABLE = 16,
    VCPU_ASYNC_UNPLUG = 32,
    SETVCPU_ASYNC_UNPLUG = 4
};

/* virDomainMemoryModFlags, beside virDomainModificationImpact */
enum { MEMORY_MAXIMUM = 4 };

/* virDomainXMLFlags */
enum { XML_SECURE = 1, XML_INACTIVE = 2, XML_UPDATE_CPU = 4, XML_MIGRATABLE = 8 };

/* virDomainCreateFlags */
enum {
    START_PAUSED = 1,
    START_AUTODESTROY = 2,
    START_BYPASS_CACHE = 4,
    START_FORCE_BOOT = 8,
    START_VALIDATE = 16,
    START_RESET_NVRAM = 32
};

/* virDomainDefineFlags */
enum { DEFINE_VALIDATE = 1 };

/* virDomainSnapshotCreateFlags */
enum {
    SNAPSHOT_REDEFINE = 1,
    SNAPSHOT_CURRENT = 2,
    SNAPSHOT_NO_METADATA = 4,
    SNAPSHOT_HALT = 8,
    SNAPSHOT_DISK_ONLY = 16,
    SNAPSHOT_REUSE_EXT = 32,
    SNAPSHOT_QUIESCE = 64,
    SNAPSHOT_ATOMIC = 128,
    SNAPSHOT_LIVE = 256,
    SNAPSHOT_VALIDATE = 512
};

/* virDomainSnapshotListFlags; 1 of children: with theirs */
enum {
    SNAPSHOT_LIST_ROOTS = 1,
    SNAPSHOT_LIST_DESCENDANTS = 1,
    SNAPSHOT_LIST_METADATA = 2,
    SNAPSHOT_LIST_LEAVES = 4,
    SNAPSHOT_LIST_NO_LEAVES = 8,
    SNAPSHOT_LIST_NO_METADATA = 16,
    SNAPSHOT_LIST_INACTIVE = 32,
    SNAPSHOT_LIST_ACTIVE = 64,
    SNAPSHOT_LIST_DISK_ONLY = 128,
    SNAPSHOT_LIST_INTERNAL = 256,
    SNAPSHOT_LIST_EXTERNAL = 512,
    SNAPSHOT_LIST_TOPOLOGICAL = 1024
};

/* virDomainSnapshotDeleteFlags, virDomainSnapshotRevertFlags */
enum {
    SNAPSHOT_DELETE_CHILDREN = 1,
    SNAPSHOT_DELETE_METADATA_ONLY = 2,
    SNAPSHOT_DELETE_CHILDREN_ONLY = 4,
    SNAPSHOT_REVERT_RUNNING = 1,
    SNAPSHOT_REVERT_PAUSED = 2,
    SNAPSHOT_REVERT_FORCE = 4,
    SNAPSHOT_REVERT_RESET_NVRAM = 8
};

/* virDomainBlockCommitFlags, virDomainBlockPullFlags, virDomainBlockRebaseFlags,
 * virDomainBlockJobAbortFlags */
enum {
    BLOCK_COMMIT_SHALLOW = 1,
    BLOCK_COMMIT_DELETE = 2,
    BLOCK_COMMIT_ACTIVE = 4,
    BLOCK_COMMIT_RELATIVE = 8,
    BLOCK_COMMIT_BYTES = 16,
    BLOCK_REBASE_COPY = 8,
    BLOCK_REBASE_RELATIVE = 16,
    BLOCK_REBASE_BYTES = 64,
    BLOCK_ABORT_ASYNC = 1,
    BLOCK_ABORT_PIVOT = 2
};

/* virDomainDestroyFlagsValues */
enum { DESTROY_GRACEFUL = 1, DESTROY_REMOVE_LOGS = 2 };

/* virDomainMigrateFlags */
enum {
    MIGRATE_LIVE = 1u << 0,
    MIGRATE_PEER2PEER = 1u << 1,
    MIGRATE_TUNNELLED = 1u << 2,
    MIGRATE_PERSIST_DEST = 1u << 3,
    MIGRATE_UNDEFINE_SOURCE = 1u << 4,
    MIGRATE_PAUSED = 1u << 5,
    MIGRATE_NON_SHARED_DISK = 1u << 6,
    MIGRATE_NON_SHARED_INC = 1u << 7,
    MIGRATE_CHANGE_PROTECTION = 1u << 8,
    MIGRATE_UNSAFE = 1u << 9,
    MIGRATE_OFFLINE = 1u << 10,
    MIGRATE_COMPRESSED = 1u << 11,
    MIGRATE_ABORT_ON_ERROR = 1u << 12,
    MIGRATE_AUTO_CONVERGE = 1u << 13,
    MIGRATE_RDMA_PIN_ALL = 1u << 14,
    MIGRATE_POSTCOPY = 1u << 15,
    MIGRATE_TLS = 1u << 16,
    MIGRATE_PARALLEL = 1u << 17,
    MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES = 1u << 18,
    MIGRATE_POSTCOPY_RESUME = 1u << 19,
    MIGRATE_ZEROCOPY = 1u << 20
};

/* virDomainUndefineFlagsValues */
enum {
    UNDEFINE_MANAGED_SAVE = 1,
    UNDEFINE_SNAPSHOTS_METADATA = 2,
    UNDEFINE_NVRAM = 4,
    UNDEFINE_KEEP_NVRAM = 8,
    UNDEFINE_TPM = 32,
    UNDEFINE_KEEP_TPM = 64,
    UNDEFINE_CHECKPOINTS_METADATA = 16
};

/* virConnectListAllDomainsFlags */
enum {
    LIST_ACTIVE = 1 << 0,
    LIST_INACTIVE = 1 << 1,
    LIST_PERSISTENT = 1 << 2,
    LIST_TRANSIENT = 1 << 3,
    LIST_RUNNING = 1 << 4,
    LIST_PAUSED = 1 << 5,
    LIST_SHUTOFF = 1 << 6,
    LIST_OTHER = 1 << 7,
    LIST_MANAGED_SAVE = 1 << 8,
    LIST_NO_MANAGED_SAVE = 1 << 9,
    LIST_AUTOSTART = 1 << 10,
    LIST_NO_AUTOSTART = 1 << 11,
    LIST_HAS_SNAPSHOT = 1 << 12,
    LIST_NO_SNAPSHOT = 1 << 13,
    LIST_HAS_CHECKPOINT = 1 << 14,
    LIST_NO_CHECKPOINT = 1 << 15
};

/* virDomainMetadataType */
enum { METADATA_DESCRIPTION = 0, METADATA_TITLE = 1, METADATA_ELEMENT = 2 };

/* virDomainSaveRestoreFlags */
enum { SAVE_BYPASS_CACHE = 1, SAVE_RUNNING = 2, SAVE_PAUSED = 4, SAVE_RESET_NVRAM = 8 };

/* virDomainCoreDumpFlags */
enum {
    DUMP_CRASH = 1,
    DUMP_LIVE = 2,
    DUMP_BYPASS_CACHE = 4,
    DUMP_RESET = 8,
    DUMP_MEMORY_ONLY = 16
};

/* virDomainStatsTypes, virConnectGetAllDomainStatsFlags */
enum {
    STATS_STATE = 1 << 0,
    STATS_CPU_TOTAL = 1 << 1,
    STATS_BALLOON = 1 << 2,
    STATS_VCPU = 1 << 3,
    STATS_INTERFACE = 1 << 4,
    STATS_BLOCK = 1 << 5,
    STATS_PERF = 1 << 6,
    STATS_IOTHREAD = 1 << 7,
    STATS_MEMORY = 1 << 8,
    STATS_DIRTYRATE = 1 << 9,
    STATS_VM = 1 << 10,
    STATS_NOWAIT = 1 << 29,
    STATS_BACKING = 1 << 30
};
#define STATS_ENFORCE (1u << 31)

/* virDomainEventID; vcpu-removed is libvirt 12.4's */
enum {
    EVENT_ID_LIFECYCLE = 0,
    EVENT_ID_REBOOT = 1,
    EVENT_ID_RTC_CHANGE = 2,
    EVENT_ID_WATCHDOG = 3,
    EVENT_ID_IO_ERROR = 4,
    EVENT_ID_GRAPHICS = 5,
    EVENT_ID_IO_ERROR_REASON = 6,
    EVENT_ID_CONTROL_ERROR = 7,
    EVENT_ID_BLOCK_JOB = 8,
    EVENT_ID_DISK_CHANGE = 9,
    EVENT_ID_TRAY_CHANGE = 10,
    EVENT_ID_PMWAKEUP = 11,
    EVENT_ID_PMSUSPEND = 12,
    EVENT_ID_BALLOON_CHANGE = 13,
    EVENT_ID_PMSUSPEND_DISK = 14,
    EVENT_ID_DEVICE_REMOVED = 15,
    EVENT_ID_BLOCK_JOB_2 = 16,
    EVENT_ID_TUNABLE = 17,
    EVENT_ID_AGENT_LIFECYCLE = 18,
    EVENT_ID_DEVICE_ADDED = 19,
    EVENT_ID_MIGRATION_ITERATION = 20,
    EVENT_ID_JOB_COMPLETED = 21,
    EVENT_ID_DEVICE_REMOVAL_FAILED = 22,
    EVENT_ID_METADATA_CHANGE = 23,
    EVENT_ID_BLOCK_THRESHOLD = 24,
    EVENT_ID_MEMORY_FAILURE = 25,
    EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE = 26,
    EVENT_ID_VCPU_REMOVED = 28
};

/* virDomainQemuAgentCommandTimeoutValues */
enum { AGENT_COMMAND_BLOCK = -2, AGENT_COMMAND_DEFAULT = -1, AGENT_COMMAND_NOWAIT = 0 };
