/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the disks of a run have under way: block jobs, and new images that are about to stand above
 * the old ones; and how QEMU calls their nodes once a chain has changed. It is in the status file,
 * before QEMU is asked for anything, so that a daemon that comes after this one goes on with it:
 *
 *     <disks>
 *       <node disk='vda' place='0' name='overlay-5'/>
 *       <job disk='vda' id='commit-5' kind='active-commit' top='5' base='4' phase='ready' .../>
 *       <overlay disk='vda' ...><source .../></overlay>
 *     </disks>
 */
#pragma once

#include <libxml/tree.h>

#include "conf/domain-def.h"

/* libvirt's virDomainBlockJobType. */
typedef enum BlockJobKind {
    BLOCK_JOB_NONE = 0,
    BLOCK_JOB_PULL = 1,
    BLOCK_JOB_COPY = 2,
    BLOCK_JOB_COMMIT = 3,
    BLOCK_JOB_ACTIVE_COMMIT = 4,
} BlockJobKind;

typedef enum BlockJobPhase {
    BLOCK_JOB_RUNS,
    BLOCK_JOB_READY,  /* of an active commit: both images have the same */
    BLOCK_JOB_PIVOTS, /* QEMU was asked to go on with the base alone, or is about to be */
    BLOCK_JOB_ABORTS, /* the same for the job's end without that */
    /* It has ended and the definitions say so; QEMU still has the job and nodes of nobody. */
    BLOCK_JOB_SETTLED,
} BlockJobPhase;

/* libvirt's virConnectDomainEventBlockJobStatus. */
typedef enum BlockJobOutcome {
    BLOCK_JOB_COMPLETED = 0,
    BLOCK_JOB_FAILED = 1,
    BLOCK_JOB_CANCELED = 2,
    BLOCK_JOB_BECAME_READY = 3,
} BlockJobOutcome;

typedef struct BlockJob {
    char *disk; /* the disk's target */
    char *id;   /* QEMU's name of it */
    BlockJobKind kind;
    BlockJobPhase phase;
    bool begins;        /* QEMU has not been asked yet; not in the status file */
    unsigned top, base; /* index of the images; base 0: of a pull, nothing stays below */
    char *path;         /* the disk's source when it began; what events call it; may be NULL */
    unsigned outcome;   /* BLOCK_JOB_SETTLED: a BlockJobOutcome */
    char *nodes;        /* then: nodes that nobody needs any more, blanks between them; or NULL */
} BlockJob;

/* An image that is to stand above the disk's source. */
typedef struct Overlay {
    char *disk;           /* the disk's target */
    StorageSource source; /* with its node */
    char *node;           /* the same, for the status file */
    unsigned index;
    bool is_made; /* its file was made for this and goes if nothing comes of it */
} Overlay;

typedef struct NodeName {
    char *disk, *name;
    unsigned place; /* in the chain; 0: the disk's source */
} NodeName;

typedef struct RunDisks {
    BlockJob *jobs;
    size_t n_jobs;
    Overlay *overlays;
    size_t n_overlays;
    bool limits_unknown; /* QEMU was told of others and did not answer; not in the status file */
    NodeName *nodes;     /* in the status file alone: a definition has them in its sources */
    size_t n_nodes;
} RunDisks;

/* The <disks> of a run; *ret NULL: it has nothing of that. -ENOMEM. Caller frees. */
int run_disks_format(const RunDisks *disks, const DomainDef *live, char **ret);
/* Takes over the <disks> of a status file (NULL: none) into a run with its live definition. */
int run_disks_read(xmlNodePtr node, RunDisks *disks, DomainDef *live, Error **reterr);
void run_disks_done(RunDisks *disks);

/* NULL: the disk has none. Borrowed, and gone or elsewhere after any wait without the domain's job.
 */
BlockJob *run_block_job(const RunDisks *disks, const char *disk);
/* The same by QEMU's name of it. */
BlockJob *run_block_job_by_id(const RunDisks *disks, const char *id);
/* Takes what `job` owns, in every case; -ENOMEM. */
int run_add_block_job(RunDisks *disks, BlockJob *job);
void run_remove_block_job(RunDisks *disks, BlockJob *job);
void block_job_done(BlockJob *job);
void overlay_done(Overlay *overlay);
/* Takes what `overlay` owns, in every case; -ENOMEM. */
int run_add_overlay(RunDisks *disks, Overlay *overlay);
void run_forget_overlays(RunDisks *disks);
