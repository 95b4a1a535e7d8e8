/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that serve devices of a guest and live as long as its QEMU: swtpm is a TPM, virtiofsd a
 * folder of the host, qemu-pr-helper has reservations of SCSI disks carried out. Each inherits its
 * listening socket as descriptor 3, writes its log beside QEMU's, ends when QEMU leaves it or the
 * run ends, and is noted before it runs. */
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
/* Starts the helper of a disk with managed <reservations>, and puts its socket into them. Of a
 * machine that runs: on a fiber, job held. */
int prepare_reservations(Domain *domain, DiskDef *disk, StartParts *parts, Error **reterr);
int prepare_all_reservations(Domain *domain, StartParts *parts, Error **reterr);
/* Where it is. Caller frees; NULL: out of memory. */
char *prepare_reservations_socket(const Domain *domain, const DiskDef *disk);
