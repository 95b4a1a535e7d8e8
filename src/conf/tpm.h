/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <tpm>. */
#pragma once

#include "conf/chardev.h"

typedef enum TpmType { TPM_PASSTHROUGH, TPM_EMULATOR, TPM_EXTERNAL, TPM_TYPE_MAX_ } TpmType;

typedef struct TpmDef {
    char *model; /* tpm-tis, tpm-crb, tpm-spapr, spapr-tpm-proxy; NULL until filled in */
    TpmType type;
    char *device;  /* passthrough */
    char *version; /* 1.2, 2.0 */
    Tristate persistent_state;
    char *secret;
    bool has_encryption;
    bool has_banks, sha1, sha256, sha384, sha512;
    ChardevSource source; /* external */
    DeviceInfo info;
} TpmDef;

extern const Element tpm_element;
