/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that serve devices of a guest and live as long as its QEMU: swtpm is a TPM, virtiofsd a
 * folder of the host. Each inherits its listening socket as descriptor 3, writes its log beside
 * QEMU's, ends when QEMU leaves it, and is noted before it runs. */
#pragma once

#include "driver/start-parts.h"

/* The directory of what an emulated TPM remembers, of a domain. Caller frees; NULL: out of memory.
 */
char *prepare_tpm_directory(const ServicePaths *paths, const uint8_t uuid[16]);
/* The errors name the domain, and the package of a program that is missing. On a fiber. */
int prepare_tpms(Domain *domain, StartParts *parts, Error **reterr);
int prepare_filesystems(Domain *domain, StartParts *parts, Error **reterr);
/* One filesystem's, of a device that is attached. *ret_socket is its path, NULL when it needs none;
 * the caller frees it. */
int prepare_filesystem(Domain *domain, const FilesystemDef *fs, char **ret_socket, Error **reterr);
