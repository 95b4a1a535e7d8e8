/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/secret-file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/uuid.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const Secret *find(const SecretStore *store, const EncryptionSecret *wanted,
                          Error **reterr) {
    uint8_t uuid[16];

    if (wanted->uuid && uuid_parse(wanted->uuid, uuid) >= 0)
        return secret_by_uuid(store, uuid, reterr);
    return secret_by_usage(store, SECRET_USAGE_VOLUME, wanted->usage ? wanted->usage : "", reterr);
}

static int check(const StorageEncryption *encryption, const char *whose, Error **reterr) {
    if (!streq(encryption->format, "luks") ||
        (encryption->engine && !streq(encryption->engine, "qemu")))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "%s: <encryption format='%s'> cannot be had; 'luks' can, by QEMU",
                            whose, encryption->format);
    if (encryption->n_secrets != 1)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "%s: its <encryption> has %zu <secret>s, one is wanted", whose,
                            encryption->n_secrets);
    return 0;
}

static int write_all(int fd, const Secret *secret) {
    ssize_t n = write(fd, secret->value, secret->value_len);

    if (n < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return (size_t)n == secret->value_len ? 0 : -EIO;
}

int secret_open(const SecretStore *store, const StorageEncryption *encryption, const char *whose,
                Error **reterr) {
    CLEANUP_CLOSE int fd = -1;
    const Secret *secret;
    int r = check(encryption, whose, reterr);

    if (r < 0)
        return r;
    secret = find(store, &encryption->secrets[0], reterr);
    if (!secret) {
        error_prefix(reterr, "%s", whose);
        return -ENOENT;
    }
    if (!secret->value)
        return error_report(reterr, FROM_SECRET, ERROR_NO_SECRET,
                            "%s: its secret does not have a value; set one (secret-set-value)",
                            whose);
    fd = memfd_create("vireo-secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    r = fd < 0 ? -errno : write_all(fd, secret);
    if (r < 0)
        return error_system(reterr, FROM_SECRET, r, "%s: cannot hand its secret over", whose);
    return TAKE_FD(fd);
}
