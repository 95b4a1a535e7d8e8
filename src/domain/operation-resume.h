/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an earlier daemon, or an earlier connection to QEMU, left under way goes on in a fiber of
 * its own, with the domain's job. */
#pragma once

#include "domain/domain.h"
#include "domain/operation.h"

/* Takes it from where it is to an outcome. r and error: whether the job was had; it is held when r
 * is 0. The operation may have ended meanwhile. */
typedef void (*OperationResumeFunc)(Domain *domain, Operation *operation, int r, Error *error);

/* Begins that, with references to both. Without memory the operation waits for the next daemon. */
void operation_resume_start(Domain *domain, Operation *operation, OperationResumeFunc func);
