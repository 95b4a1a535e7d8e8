/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The value of a secret for a program that opens a file: QEMU, qemu-img. It is in no argument and
 * in no file system: the descriptor is of a file without a name, which nobody can change. */
#pragma once

#include "conf/storage.h"
#include "driver/secret.h"

/* The passphrase of an image. `whose` begins the sentences: "disk 'vda'". ERROR_NO_SECRET when
 * there is none or it has no value, ERROR_CONFIG_UNSUPPORTED for another encryption than LUKS by
 * QEMU with one passphrase. */
int secret_open(const SecretStore *store, const StorageEncryption *encryption, const char *whose,
                Error **reterr);
/* What proves who it is at the host of a disk. ERROR_NO_SECRET, and ERROR_INVALID_SECRET for a
 * secret that is not for `usage`. */
int secret_open_auth(const SecretStore *store, const StorageAuth *auth, SecretUsage usage,
                     const char *whose, Error **reterr);
/* The same descriptor, of a text that is no secret of the store's. */
int secret_open_text(const char *text, const char *whose, Error **reterr);
