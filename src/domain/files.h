/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a domain's files are, and the writing of its definition and its status. */
#pragma once

#include "domain/domain.h"
#include "domain/services.h"
#include "domain/status-delta.h"

/* Caller frees; NULL: out of memory. */
char *domain_config_path(const ServicePaths *paths, const char *name);
char *domain_autostart_path(const ServicePaths *paths, const char *name);
char *domain_status_path(const ServicePaths *paths, const char *name);
char *domain_log_path(const ServicePaths *paths, const char *name);
char *domain_monitor_path(const ServicePaths *paths, int id);
/* Of the program that serves a device of a domain that runs. It lies with the notes of what was
 * made: its path has to be short. */
char *domain_helper_socket(const Domain *domain, const char *alias);
/* What a save that has the image's id writes to before it is complete and has `path` as its name.
 */
char *domain_save_part_path(const char *path, const char *id);
/* Directories of all domains. */
char *domain_channel_directory(const ServicePaths *paths);
char *domain_birth_directory(const ServicePaths *paths);
char *domain_pid_directory(const ServicePaths *paths);

/* Writes `def` as the persistent definition / the status file of a domain that runs; atomic, on the
 * worker pool. ERROR_SYSTEM, and all is as before. On a fiber. */
int domain_save_config(Domain *domain, const DomainDef *def, Error **reterr);
/* Whether the first could be written now; it is not. For what cannot be undone once it is done
 * live. */
int domain_try_config(const Domain *domain, const DomainDef *def, Error **reterr);
/* A status that could not be written is written later: after a second, then after twice as long, up
 * to 16 seconds. */
int domain_save_status(Domain *domain, Error **reterr);
/* The same after a pin alone has changed: a line behind the file. Job held. */
int domain_save_pin(Domain *domain, StatusPin pin, unsigned id, Error **reterr);

/* Writes the pid of its QEMU to NAME.pid, where others look for it as they do with libvirt; nobody
 * here reads it, and what cannot be written is logged. On a fiber. */
void domain_save_pid(const Domain *domain);
/* Removes what is kept of a run: status, birth record, pid and monitor's socket. Takes no memory.
 */
void domain_forget_run(const Domain *domain);
