/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets: values that a disk or a storage pool needs, kept for clients. In etc/secrets, a
 * directory of root's alone, UUID.xml is the definition and UUID.value the bytes of the value; an
 * ephemeral secret has neither. A value is in no log and in no argument. */
#pragma once

#include "conf/secret.h"
#include "util/error.h"

#define SECRETS_MAX 16384u      /* as many as a list of the protocol has */
#define SECRET_VALUE_MAX 65536u /* bytes */

typedef struct Secret {
    struct Secret *next; /* by uuid */
    SecretDef *def;
    uint8_t *value; /* NULL: none was set */
    size_t value_len;
} Secret;

typedef enum SecretEvent { /* virSecretEventLifecycleType, and what is an event of its own */
                           SECRET_DEFINED = 0,
                           SECRET_UNDEFINED = 1,
                           SECRET_VALUE_CHANGED = 2
} SecretEvent;

typedef void (*SecretEventFunc)(const Secret *secret, SecretEvent event, void *userdata);

typedef struct SecretStore SecretStore;

/* `etc` is copied. NULL: out of memory. */
SecretStore *secrets_new(const char *etc, SecretEventFunc event, void *userdata);
SecretStore *secrets_free(SecretStore *store);
/* Reads what an earlier daemon kept; what cannot be used is logged and left. */
void secrets_load(SecretStore *store);

/* Borrowed until the next wait; ERROR_NO_SECRET. */
Secret *secrets_first(const SecretStore *store);
Secret *secret_by_uuid(const SecretStore *store, const uint8_t uuid[16], Error **reterr);
Secret *secret_by_usage(const SecretStore *store, int usage, const char *id, Error **reterr);

/* These suspend, and are done one after the other. */
int secrets_define(SecretStore *store, const char *xml, Secret **ret, Error **reterr);
int secrets_undefine(SecretStore *store, const uint8_t uuid[16], Error **reterr);
/* Copies the value, of 1 to SECRET_VALUE_MAX bytes. */
int secrets_set_value(SecretStore *store, const uint8_t uuid[16], const void *value, size_t len,
                      Error **reterr);
