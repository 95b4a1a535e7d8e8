/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the XML of a domain that is started says beyond its definition. */
#pragma once

#include "domain/domain.h"
#include "qemu/confine.h"
#include "util/error.h"

/* On the live definition: dynamic labels of the run that a saved or migrated one had before go.
 * Whom QEMU runs as, in a dynamic <seclabel> of the model dac, unless it has a static one or none;
 * where an image has nothing below it, <backingStore/>. That also keeps QEMU from opening what a
 * guest writes into the header of its image later. Looks at images; on a fiber, before the command
 * line is made. ERROR_NO_MEMORY. */
int start_show(Domain *domain, const QemuConfine *confine, Error **reterr);
/* The <seclabel> of that model on a live definition, a dynamic one where it has none, with what its
 * QEMU wears; `image` is what its files have, NULL: the same. -ENOMEM. */
int start_show_label(DomainDef *live, const char *model, const char *text, const char *image);
/* The <seclabel> of a QEMU that was found running, as its process has it. -ENOMEM. */
int start_show_found(Domain *domain);
/* The second half of start_show for one disk, in whatever definition it is. -ENOMEM. On a fiber. */
int start_show_disk(DiskDef *disk);
/* Takes from a copy of a live definition what start_show has put there, as far as it can be told
 * from what its author wrote, and the overlays of transient disks. -ENOMEM. */
int start_hide(DomainDef *def);
