/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements inside a definition's verbatim <metadata>, by XML namespace. */
#pragma once

#include "conf/domain-def.h"

/* The text of the child of <metadata> whose namespace is `uri` (without the prefix, as libvirt's
 * virDomainGetMetadata gives it). ERROR_NO_DOMAIN_METADATA when there is none. Caller frees. */
int domain_def_metadata_element(const DomainDef *def, const char *uri, char **ret, Error **reterr);
