/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/operation.h"
#include "driver/device-use.h"
#include "driver/device.h"
#include "driver/start-parts.h"
#include "qemu/devices.h"

/* The struct of the device that is there (a DiskDef, ...); borrowed. */
void *device_at(const DomainDef *def, const DevicePlace *place);
/* NULL for kinds without one. */
DeviceInfo *device_info_at(const DomainDef *def, const DevicePlace *place);
/* The only device of a definition that device_parse made; ERROR_XML when there is none. */
int device_only(DomainDef *def, DevicePlace *ret, Error **reterr);
/* Moves it to the end of its list in the other definition; `from` has none of its kind then. */
int device_move(DomainDef *to, DomainDef *from, const DevicePlace *place, Error **reterr);
int device_remove(DomainDef *def, const DevicePlace *place, Error **reterr);
/* The device that is meant: by target, MAC address, host device, address, or as the only one of its
 * kind. ERROR_DEVICE_MISSING when there is none. */
int device_find(const DomainDef *def, const DomainDef *one, const DevicePlace *wanted,
                bool mac_given, DevicePlace *ret, Error **reterr);
/* kind NULL: there is none. */
DevicePlace device_by_alias(const DomainDef *def, const char *alias);

/* ---- what can come and go (device-check.c); ERROR_OPERATION_UNSUPPORTED and others ---- */

/* Whether there are changes of that kind at all. */
int device_check_kind(const DeviceKind *kind, DeviceVerb verb, bool live, Error **reterr);
/* Whether QEMU can do that with the device while the machine runs, by the bus that it is on. */
int device_check_live(const DomainDef *def, const DevicePlace *place, DeviceVerb verb,
                      Error **reterr);
/* Whether the host's file or node of a disk is there, before anything is done for it; other sources
 * and none are not looked for. ERROR_SYSTEM names it. On a fiber. */
int device_check_source(const DiskDef *disk, Error **reterr);

/* ---- what QEMU is told (device-tell.c); on a fiber, job held ---- */

/* Whether QEMU runs and cannot be asked: its monitor is closed until the reconnection. */
bool device_is_cut_off(const Domain *domain);
/* After an error of a command that QEMU may carry out all the same the monitor is closed: what came
 * of it the reconnection finds. */
void device_give_up(Domain *domain, const Error *error);

/* ---- what the host makes for a device of a run (device-host.c); on a fiber, job held ---- */

/* Taps, helpers, PCI devices in vfio's hands, nodes in QEMU's /dev, files in its hands. What is
 * there after an error device_host_release takes back. */
int device_host_make(Domain *domain, DomainDef *def, const DevicePlace *place, StartParts *parts,
                     Error **reterr);
/* Parts of which only the names in QEMU are right: to take steps back. */
int device_host_pretend(const DomainDef *def, StartParts *parts, Error **reterr);
/* QEMU gets the descriptors, by name; and forgets those that nothing has used. */
int device_host_give_fds(Domain *domain, const StartParts *parts, Error **reterr);
void device_host_take_fds(Domain *domain, const StartParts *parts);
/* The same, of those that an earlier daemon gave it. */
void device_host_forget_fds(Domain *domain);
/* Takes back what was made for the device, which `def` still has; its files only if they were given
 * for it. */
void device_host_release(Domain *domain, DomainDef *def, const DevicePlace *place, bool files);

/* ---- its steps in QEMU (device-steps.c); on a fiber, job held ---- */

/* What a kind builds its steps from; all of it borrowed. */
DeviceContext device_context(const DomainRun *run, const DomainDef *def, const StartParts *parts);
/* Runs them; after an error those that had been run are taken back, all of them if *ret_undone, but
 * none when QEMU has not answered (device_is_cut_off). */
int device_steps_run(Domain *domain, const DeviceSteps *steps, bool *ret_undone, Error **reterr);
/* Removes from QEMU what a device that has gone, or was never there, hung on; something of it may
 * be left when QEMU does not answer (device_is_cut_off). */
void device_undo_backends(Domain *domain, const DomainDef *def, const DevicePlace *place);

/* ---- its operation (device-operation.c) ---- */

/* Lists and journals it; pending ones on the same device are cancelled. Takes `whole` (may be NULL)
 * in every case. *ret is a reference of the caller's. Job held. */
int device_operation_begin(Domain *domain, const DeviceRequest *request, bool config,
                           const char *alias, char *whole_consume, Operation **ret, Error **reterr);
/* Another text of the whole; NULL is a failed allocation. */
int device_operation_note_whole(Operation *operation, char *whole_consume, Error **reterr);
/* The outcome: what the operation fails as, pending (a detach whose device is still there), or
 * done. One that failed while QEMU could not be asked is not over: the reconnection goes on with
 * it, and until then what the host has made for it stays. */
void device_operation_end(Domain *domain, Operation *operation, int result, const Error *error);
DeviceVerb device_operation_verb(const Operation *operation);
/* Late evidence. */
void device_operations_gone(Domain *domain, const char *alias);
void device_operations_refused(Domain *domain, const char *alias);
/* A domain with that device of `def` and no other, as text; `shell` has none of its kind. Caller
 * frees; NULL: out of memory. */
char *device_whole(DomainDef *shell, DomainDef *def, const DevicePlace *place);

/* ---- the live halves; job held. `one` loses its device ---- */

/* *ret_operation may be there also after an error. */
int device_attach_live(Domain *domain, DomainDef *one, const DevicePlace *place,
                       const DeviceRequest *request, bool config, Operation **ret_operation,
                       Error **reterr);
/* An attach that an earlier daemon began, or that QEMU has not answered: QEMU has the device
 * (`there`), or nothing shall be left of it, which is ERROR_OPERATION_FAILED. */
int device_attach_go_on(Domain *domain, DomainDef *one, const DevicePlace *place, bool there,
                        const char *alias, Error **reterr);
int device_detach_live(Domain *domain, const DevicePlace *place, const DeviceRequest *request,
                       bool config, Operation **ret_operation, Error **reterr);
/* Asks the guest (once more) and waits; timeout 0: the domain's own. */
int device_detach_asked(Domain *domain, const char *alias, uint64_t timeout_usec,
                        Operation *operation, Error **reterr);
/* 1, 0, -errno. */
int device_is_in_qemu(Domain *domain, const char *alias, Error **reterr);
int device_update_live(Domain *domain, DomainDef *one, const DevicePlace *place,
                       const DevicePlace *old, const DeviceRequest *request, bool config,
                       Operation **ret_operation, Error **reterr);
/* One that an earlier daemon began, or that QEMU has not answered. */
int device_update_again(Domain *domain, DomainDef *one, const DevicePlace *place,
                        const DevicePlace *old, Operation *operation, Error **reterr);

/* The persistent half alone; a change that is made already is fine. */
int device_change_config(Domain *domain, const DeviceRequest *request, Error **reterr);
