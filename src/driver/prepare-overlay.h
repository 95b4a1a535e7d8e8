/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image that a disk with <transient/> is written to: a qcow2 file beside the disk's own, which
 * stands above that one from before there is a QEMU and is removed after its end. Its name is
 * libvirt's: "IMAGE.TRANSIENT-DOMAIN". What has that name already is never touched, but what an
 * earlier boot of the host has left of this domain's.
 *
 * Job held, on a fiber. */
#pragma once

#include "domain/domain.h"
#include "domain/made.h"

/* Makes those of the domain's live definition. Before there is a QEMU. */
int prepare_overlays(Domain *domain, Error **reterr);
/* Puts those into the live definition of a domain that was found to run, and of which no more is
 * known than its definition. */
int prepare_overlays_found(Domain *domain, Error **reterr);
/* Makes that of one disk of `def`, if it is transient: from then on it is the disk's source, and
 * the image is below it. It is noted before it is there. Errors: ERROR_OPERATION_UNSUPPORTED when
 * something has its name; of the system and of qemu-img. */
int prepare_overlay(Domain *domain, DomainDef *def, DiskDef *disk, Error **reterr);
/* What prepare_overlay has made, or would have, for a disk of `def`. NULL: nothing of its own (the
 * disk is not transient, or another one there has the same image), or no memory. Caller frees. */
char *prepare_overlay_path(const Domain *domain, const DomainDef *def, const DiskDef *disk);
/* Removes what was made. -ESTALE: another file has its name by now, and stays; -errno. */
int prepare_overlay_undo(const Made *made);
