/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-secret.h"

#include "driver/secret-file.h"
#include "util/file.h"

static int open_one(Domain *domain, const DiskDef *disk, const StorageEncryption *encryption,
                    StartParts *parts, int *ret, Error **reterr) {
    CLEANUP_FREE char *whose = strf("domain '%s': disk '%s'", domain_name(domain), disk->target);
    int fd = whose ? secret_open(domain->services->secrets, encryption, whose, reterr)
                   : error_no_memory(reterr);

    if (fd < 0)
        return fd;
    *ret = start_parts_add_fd(parts, fd);
    return *ret < 0 ? error_system(reterr, FROM_QEMU, *ret, "%s: too many descriptors", whose) : 0;
}

int prepare_secrets(Domain *domain, StartParts *parts, Error **reterr) {
    const DomainDef *live = domain->run->live;
    int r = 0;

    parts->disk_secrets = calloc(live->n_disks + 1, sizeof(int));
    parts->parts.disk_secrets = parts->disk_secrets;
    if (!parts->disk_secrets)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < live->n_disks; i++) {
        const StorageEncryption *encryption = disk_encryption(&live->disks[i]);

        if (encryption)
            r = open_one(domain, &live->disks[i], encryption, parts, &parts->disk_secrets[i],
                         reterr);
    }
    return r;
}
