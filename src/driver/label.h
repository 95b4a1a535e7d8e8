/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The security label of a domain's QEMU, by the host's security module (driver/label-model.h): what
 * the <seclabel> of its definition says, a label of its own where it says nothing.
 *
 * A label that was made is noted with what was made for the run, so that it goes with it. All on a
 * fiber, with the job. */
#pragma once

#include "domain/made.h"
#include "driver/label-model.h"
#include "driver/start-parts.h"

/* Makes the label that a QEMU about to start gets, puts it into parts->confine, and into the live
 * definition. Nothing where labels are not in use, or the definition wants none. A static one that
 * cannot be worn is ERROR_CONFIG_UNSUPPORTED; errors name the domain. */
int label_begin(Domain *domain, StartParts *parts, Error **reterr);
/* Lets a running QEMU open what `def` names, too (NULL: nothing), where its label was made, and
 * what is under way with its disks needs (driver/job-files.h), as all of these do. */
int label_admit(Domain *domain, const DomainDef *def, Error **reterr);
/* Only what the live definition names, when a device has gone or has not come. Logs what cannot be.
 */
void label_settle(Domain *domain);
/* Of a QEMU that was found running: what was made for it is there again, where the host has lost
 * it. A QEMU that does not wear its label any more is told in the log: it cannot put it on again.
 */
void label_resume(Domain *domain);
/* What may be in the way of a QEMU that ended with these words, to be appended to them: the profile
 * of AppArmor that `live` says it wore. "" where nothing of the kind is likely. The caller frees;
 * NULL: out of memory. Without the job, and not on a fiber. */
char *label_hint(const DomainDef *live, const char *said);
/* Takes back one that was made. -errno. */
int label_undo(const char *run, const Made *made);

/* What its QEMU wears, by the kernel's word: *ret_model is NULL where it wears nothing. The caller
 * frees *ret. `enforced` is false where the module only logs. Without the job. ERROR_NO_MEMORY. */
int label_look(const Domain *domain, const LabelModel **ret_model, char **ret, bool *ret_enforced,
               Error **reterr);
