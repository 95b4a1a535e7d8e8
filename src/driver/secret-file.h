/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The value of a secret for a program that opens a file: QEMU, qemu-img. It is in no argument and
 * in no file system. */
#pragma once

#include "conf/storage.h"
#include "driver/secret.h"

/* The descriptor of a file without a name, which nobody can change: the passphrase of an image.
 * `whose` begins the sentences: "disk 'vda'". ERROR_NO_SECRET when there is none or it has no
 * value, ERROR_CONFIG_UNSUPPORTED for another encryption than LUKS by QEMU with one passphrase. */
int secret_open(const SecretStore *store, const StorageEncryption *encryption, const char *whose,
                Error **reterr);
