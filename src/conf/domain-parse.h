/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domain XML in, DomainDef out (libxml2). */
#pragma once

#include "conf/domain-def.h"

#define DOMAIN_XML_MAX (4u << 20) /* bytes; the wire's string limit */
#define DOMAIN_NAMESPACES_MAX 4096u
#define DOMAIN_DEPTH_MAX 255u /* less than libxml2's: a status file has it inside */

/* Called once for each element or attribute that nobody knows; the daemon logs it. path is like
 * "/domain/devices/foo"; line counts from 1. */
typedef void (*DomainParseWarning)(const char *path, int line, void *userdata);

typedef struct DomainParseParams {
    const char *default_arch;   /* host arch for an <os> without arch; not NULL */
    DomainParseWarning warning; /* may be NULL */
    DomainParseWarning kept;    /* known, kept, not acted on yet; may be NULL */
    void *userdata;
    bool live; /* of something that runs: what is so is not held to the rules of domain_validate */
} DomainParseParams;

/* Parses and runs domain_validate. No network, no entity expansion, no DTD loading, depth and size
 * limited. Errors: ERROR_XML_DETAIL (malformed, libxml2's text with the line), ERROR_NO_NAME,
 * ERROR_XML (semantic), ERROR_CONFIG_UNSUPPORTED (known but not supported: names element and line),
 * ERROR_INVALID_ARG. Missing uuid and MAC addresses are generated. */
int domain_parse(const char *xml, size_t len, const DomainParseParams *params, DomainDef **ret,
                 Error **reterr);

/* The same from an already parsed <domain> node (the status file embeds one). `node` is xmlNodePtr.
 */
int domain_parse_node(void *node, const DomainParseParams *params, DomainDef **ret, Error **reterr);
