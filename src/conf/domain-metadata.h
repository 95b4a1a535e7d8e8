/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements inside a definition's verbatim <metadata>, by XML namespace. */
#pragma once

#include <libxml/tree.h>

#include "conf/domain-def.h"

#define VIREO_METADATA_URI "urn:vireo:domain"

/* Reads Vireo's own element of <metadata>, of which the verbatim text stays the master:
 *     <vireo:domain xmlns:vireo="urn:vireo:domain"><unplug timeout-ms="20000"/></vireo:domain>
 * the time a live removal of a vCPU of this domain waits for the guest, 10 to 3600000. ERROR_XML.
 */
int domain_metadata_parse(DomainDef *def, xmlNodePtr metadata, Error **reterr);

/* The text of the child whose namespace is `uri` (without the prefix, as libvirt's
 * virDomainGetMetadata gives it) of the text of <metadata>, or of NULL. ERROR_NO_DOMAIN_METADATA
 * when there is none. Caller frees. A worker may call it. */
int domain_metadata_element(const char *metadata, const char *uri, char **ret, Error **reterr);

#define METADATA_MAX (1u << 20) /* bytes of <metadata> that an edit may leave */

/* The text of <metadata> with the child of that namespace replaced by `element`, which gets it as
 * "key:"; an `element` of NULL removes the child. metadata may be NULL. *ret NULL: nothing is left.
 * Caller frees. ERROR_XML, ERROR_INVALID_ARG. */
int domain_metadata_replace(const char *metadata, const char *uri, const char *key,
                            const char *element, char **ret, Error **reterr);
