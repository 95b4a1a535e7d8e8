/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's whole state as a stream of bytes: QEMU writes it to a file, or reads it from one; and
 * its memory as a core file. QEMU's commands are those of its qapi/migration.json and dump.json.
 * All of it on a fiber. */
#pragma once

#include "qemu/capabilities.h"
#include "qemu/monitor.h"

typedef enum MigratePhase {
    MIGRATE_IDLE, /* nothing was begun */
    MIGRATE_ACTIVE,
    MIGRATE_IN_POSTCOPY, /* the guest is at the other side, and parts of its memory still come */
    MIGRATE_STUCK,       /* they do not come any more; the guest's memory is in two places */
    MIGRATE_DONE,
    MIGRATE_FAILED,
    MIGRATE_CANCELLED,
} MigratePhase;

typedef struct MigrateProgress {
    MigratePhase phase;
    uint64_t total, done, remaining;          /* bytes of memory */
    uint64_t duplicate, normal, normal_bytes; /* pages that were one byte only, and others */
    uint64_t page_size, dirty_rate, iteration, postcopy_requests;
    uint64_t postcopy_bytes; /* sent in post-copy; of the source, from QEMU 7.1 on */
    uint64_t bits_per_second;
    uint64_t downtime, setup; /* ms; downtime: what is expected until it is known */
    unsigned throttle;        /* percent that the guest is slowed down by */
    bool has_cache;           /* pages are sent as differences: */
    uint64_t cache_size, cache_bytes, cache_pages, cache_misses, cache_overflows;
    char error[200]; /* of MIGRATE_FAILED, in QEMU's words; may be empty */
} MigrateProgress;

/* What QEMU's dump-guest-memory makes. */
typedef enum DumpFormat {
    DUMP_ELF, /* "raw" in libvirt's list of formats */
    DUMP_KDUMP_ZLIB,
    DUMP_KDUMP_LZO,
    DUMP_KDUMP_SNAPPY,
    DUMP_WIN_DMP,
    DUMP_FORMAT_MAX_
} DumpFormat;

/* How a running guest goes to another host. */
typedef struct MigrateSettings {
    uint64_t bandwidth;          /* bytes a second; 0: as fast as it goes */
    uint64_t postcopy_bandwidth; /* the same in post-copy, of what comes unasked */
    bool auto_converge;          /* a guest that writes too fast is slowed down */
    bool compress;               /* pages are sent as their differences (QEMU's xbzrle) */
    bool postcopy;               /* it may be switched to post-copy on its way */
    uint64_t cache;              /* bytes for these; 0: as it is */
    unsigned throttle_first, throttle_more; /* percent, of auto_converge; 0: as it is */
} MigrateSettings;

/* Begins to write the state to the file, at its offset, as fast as it goes. The guest should be
 * paused. The descriptor stays the caller's, QEMU has its own. `caps` (may be NULL) say in which of
 * two ways QEMU is told of it. */
int migrate_to_file(Monitor *monitor, const QemuCaps *caps, int fd, Error **reterr);
/* Begins to read it, in a QEMU that was started with "-incoming defer". */
int migrate_from_file(Monitor *monitor, const QemuCaps *caps, int fd, Error **reterr);
/* Begins to read the state that another QEMU sends, in such a QEMU. */
int migrate_from_fd(Monitor *monitor, int fd, Error **reterr);
/* Begins to send the state of a guest that runs on meanwhile, until little is left. */
int migrate_live_to_fd(Monitor *monitor, int fd, const MigrateSettings *settings, Error **reterr);
int migrate_query(Monitor *monitor, MigrateProgress *ret, Error **reterr);
/* Whether it is in post-copy, or was: then the guest has left, whatever the phase says. False is no
 * proof of the contrary: one that sent nothing in it, or a destination's that is over. */
bool migrate_was_in_postcopy(const MigrateProgress *progress);
/* What QEMU's event MIGRATION says; NULL is fine. */
MigratePhase migrate_event_phase(json_object *data);
int migrate_cancel(Monitor *monitor, Error **reterr);

/* In a QEMU that waits for a guest, before it comes: it may be switched to post-copy.
 * ERROR_CONFIG_UNSUPPORTED: the kernel does not let this QEMU have it. */
int migrate_accept_postcopy(Monitor *monitor, Error **reterr);
/* The guest stops here and goes on there as soon as QEMU comes to it. */
int migrate_start_postcopy(Monitor *monitor, Error **reterr);
/* Of MIGRATE_STUCK: goes on over another connection, at the source and at the destination. Says
 * nothing of whether it does. */
int migrate_resume_to_fd(Monitor *monitor, int fd, Error **reterr);
int migrate_recover_from_fd(Monitor *monitor, int fd, Error **reterr);
/* Interrupts it, in post-copy: MIGRATE_STUCK. */
int migrate_pause_postcopy(Monitor *monitor, Error **reterr);

/* QEMU's parameters of migrations, at any time. */
int migrate_set_bandwidth(Monitor *monitor, uint64_t bytes, Error **reterr);
/* In post-copy, of what comes unasked. 0: as fast as it goes. */
int migrate_set_postcopy_bandwidth(Monitor *monitor, uint64_t bytes, Error **reterr);
int migrate_get_postcopy_bandwidth(Monitor *monitor, uint64_t *ret_bytes, Error **reterr);
int migrate_set_downtime(Monitor *monitor, uint64_t ms, Error **reterr);
int migrate_get_downtime(Monitor *monitor, uint64_t *ret_ms, Error **reterr);
int migrate_set_cache(Monitor *monitor, uint64_t bytes, Error **reterr);
int migrate_get_cache(Monitor *monitor, uint64_t *ret_bytes, Error **reterr);
/* Begins to write the memory as a core file; dump_query says how far it is. QEMU cannot cancel it.
 */
int dump_to_fd(Monitor *monitor, int fd, DumpFormat format, Error **reterr);
int dump_query(Monitor *monitor, MigrateProgress *ret, Error **reterr);
