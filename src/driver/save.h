/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest saved to a file, and brought back from it (domain/save-image.h); the managed save of a
 * domain lies in lib/save/NAME.save and is what its next start begins with.
 *
 * At each moment there is one guest. While it is saved the file has another name (PATH.ID.part),
 * and the status file names both. A daemon that dies and comes back finds the complete file: then
 * the guest is in it, and its QEMU is ended; or it finds none: then the guest is in QEMU, and goes
 * on. Of a start from a managed save, the file gets the name NAME.save.taken when the guest is
 * loaded and before it runs, and goes when QEMU has let it: a daemon that comes back and finds the
 * old name ends that QEMU, which has run nothing; one that finds the other lets the guest run. A
 * guest that QEMU refuses to let run has its file under its old name again. */
#pragma once

#include "driver/driver.h"
#include "driver/saved.h"

/* Ends the guest with its state in the file, which is replaced. `xml` (may be NULL) is the
 * definition to keep with it. SAVE_RUNNING, SAVE_PAUSED. */
int driver_save(Domain *domain, const char *path, const char *xml, unsigned flags, Error **reterr);
int driver_managed_save(Domain *domain, unsigned flags, Error **reterr);
/* None is fine. */
int driver_managed_save_remove(Domain *domain, Error **reterr);
/* Starts the domain of a file, as a transient one when it is not defined. */
int driver_restore(Driver *driver, const char *path, const char *xml, unsigned flags,
                   Error **reterr);

/* The definition in a file; XML_SECURE: with passwords. */
int driver_save_image_xml(const char *path, unsigned flags, char **ret, Error **reterr);
int driver_save_image_define(const Services *services, const char *path, const char *xml,
                             unsigned flags, Error **reterr);

/* The guest's memory as a core file. CRASH, LIVE, RESET as in libvirt's virDomainCoreDumpFlags. */
int driver_core_dump(Domain *domain, const char *path, unsigned format, unsigned flags,
                     Error **reterr);
