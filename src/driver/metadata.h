/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a definition says of a domain to people and programs: title, description, elements of
 * <metadata> by their namespace. On a fiber; large texts are read on a worker. */
#pragma once

#include "domain/domain.h"

/* type: libvirt's virDomainMetadataType. Caller frees *ret. ERROR_NO_DOMAIN_METADATA: it has none.
 */
int driver_get_metadata(Domain *domain, int type, const char *uri, unsigned flags, char **ret,
                        Error **reterr);

typedef struct MetadataChange {
    int type;
    const char *text;      /* NULL: removed */
    const char *key, *uri; /* of an element: the prefix it gets, and its namespace */
} MetadataChange;

/* Takes the domain's job. */
int driver_set_metadata(Domain *domain, const MetadataChange *change, unsigned flags,
                        Error **reterr);
