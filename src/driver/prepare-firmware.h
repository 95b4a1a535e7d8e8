/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The firmware of a domain that is to be started, and its private copy of the firmware's variables.
 */
#pragma once

#include "domain/domain.h"
#include "domain/services.h"

/* Directory of the copies whose place the definition does not say. Caller frees; NULL: out of
 * memory.
 */
char *prepare_nvram_directory(const ServicePaths *paths);
/* Chooses what firmware='efi' asks for, and writes it into the live definition; makes the copy from
 * its template when it is not there, or the run is to have it anew. Errors name the file that is
 * missing. On a fiber. */
int prepare_firmware(Domain *domain, Error **reterr);
