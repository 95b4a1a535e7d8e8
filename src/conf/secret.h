/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets as their XML says them: who uses them and who may see them. The value is no part of it.
 */
#pragma once

#include "conf/element.h"

#define SECRET_XML_MAX ((size_t)1 << 20)

/* virSecretUsageType */
typedef enum SecretUsage {
    SECRET_USAGE_NONE = 0,
    SECRET_USAGE_VOLUME = 1,
    SECRET_USAGE_CEPH = 2,
    SECRET_USAGE_ISCSI = 3,
    SECRET_USAGE_TLS = 4,
    SECRET_USAGE_VTPM = 5
} SecretUsage;

typedef struct SecretDef {
    uint8_t uuid[16];
    bool uuid_given;
    Tristate ephemeral; /* never written to a file */
    Tristate private;   /* the value is told to no client */
    char *description;
    SecretUsage usage;
    char *volume, *name, *target; /* the one that the usage has */
} SecretDef;

/* ERROR_XML and its kin. A uuid is made when none is given. The caller frees. */
int secret_parse(const char *xml, size_t len, SecretDef **ret, Error **reterr);
/* As libvirt writes it; NULL when out of memory. The caller frees. */
char *secret_format(const SecretDef *def);
/* What it is used by: a path, a name, a target; "" without a usage. */
const char *secret_usage_id(const SecretDef *def);
/* "ceph"; static. */
const char *secret_usage_name(SecretUsage usage);

SecretDef *secret_def_free(SecretDef *def);
DEFINE_CLEANUP(SecretDef *, secret_def_free)
#define CLEANUP_SECRET_DEF CLEANUP(secret_def_freep)
