/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines that end with the client that started them (virDomainCreateFlags, AUTODESTROY).
 *
 * Kept in the run alone: a daemon that finds the machine again knows no client of it, and lets it
 * go on. The daemon's own end ends no such machine either. */
#pragma once

#include "driver/driver.h"

/* The run that has just been started ends with that client; not 0. Without a run nothing is done:
 * it has ended already. */
void driver_end_with(Domain *domain, uint64_t client);
/* The client has gone: its machines are destroyed in the background. */
void driver_client_gone(Driver *driver, uint64_t client);
/* ERROR_OPERATION_INVALID when it ends with a client: another host does not know that one. */
int auto_destroy_check_migrate(const Domain *domain, Error **reterr);
