/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/secret-file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/uuid.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const Secret *find(const SecretStore *store, const char *text, const char *used_by,
                          SecretUsage usage, Error **reterr) {
    uint8_t uuid[16];

    if (text && uuid_parse(text, uuid) >= 0)
        return secret_by_uuid(store, uuid, reterr);
    return secret_by_usage(store, (int)usage, used_by ? used_by : "", reterr);
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

static int write_all(int fd, const void *value, size_t len) {
    ssize_t n = write(fd, value, len);

    if (n < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return (size_t)n == len ? 0 : -EIO;
}

static int open_value(const void *value, size_t len, const char *whose, Error **reterr) {
    CLEANUP_CLOSE int fd = memfd_create("vireo-secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = fd < 0 ? -errno : write_all(fd, value, len);

    if (r < 0)
        return error_system(reterr, FROM_SECRET, r, "%s: cannot hand its secret over", whose);
    return TAKE_FD(fd);
}

static int open_secret(const Secret *secret, const char *whose, Error **reterr) {
    if (!secret->value)
        return error_report(reterr, FROM_SECRET, ERROR_NO_SECRET,
                            "%s: its secret does not have a value; set one (secret-set-value)",
                            whose);
    return open_value(secret->value, secret->value_len, whose, reterr);
}

int secret_open(const SecretStore *store, const StorageEncryption *encryption, const char *whose,
                Error **reterr) {
    const Secret *secret;
    int r = check(encryption, whose, reterr);

    if (r < 0)
        return r;
    secret = find(store, encryption->secrets[0].uuid, encryption->secrets[0].usage,
                  SECRET_USAGE_VOLUME, reterr);
    if (!secret) {
        error_prefix(reterr, "%s", whose);
        return -ENOENT;
    }
    return open_secret(secret, whose, reterr);
}

int secret_open_auth(const SecretStore *store, const StorageAuth *auth, SecretUsage usage,
                     const char *whose, Error **reterr) {
    const Secret *secret = find(store, auth->secret_uuid, auth->secret_usage, usage, reterr);

    if (!secret) {
        error_prefix(reterr, "%s: define the secret that its <auth> names (secret-define)", whose);
        return -ENOENT;
    }
    if (secret->def->usage != usage)
        return error_report(reterr, FROM_SECRET, ERROR_INVALID_SECRET,
                            "%s: the secret of its <auth> is for usage '%s', one for usage '%s' is "
                            "wanted: name another, or define one",
                            whose, secret_usage_name(secret->def->usage), secret_usage_name(usage));
    return open_secret(secret, whose, reterr);
}

int secret_open_text(const char *text, const char *whose, Error **reterr) {
    return open_value(text, strlen(text), whose, reterr);
}
