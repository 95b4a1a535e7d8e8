/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of block jobs, which comes by itself. */
#pragma once

#include <json-c/json.h>

#include "domain/domain.h"

/* An event of QEMU's; true: it was about a job. On the loop. */
bool block_job_event(Domain *domain, const char *name, json_object *data);
/* What became, while nobody looked, of those that the run has; job held, on a fiber. */
void block_jobs_resume(Domain *domain);
/* The disk has gone, and so is its job to; the same. */
void block_job_forget_disk(Domain *domain, const char *target);

/* ---- of jobs that begin, too ---- */

/* The <mirror> of the live definition's disk, by its job; none without one. What there is no memory
 * for is not shown. */
void block_job_show(Domain *domain, const char *target);
/* Looks, on a fiber and with the job, at what became of one: when QEMU has not answered, or knows
 * of no such job. A job that goes on stays as it is. */
void block_job_settle_soon(Domain *domain, const char *id);
int block_job_ask(Domain *domain, const char *command, json_object **ret, Error **reterr);
