/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DomainDef in, domain XML out: two-space indentation, libvirt's element order, single quotes. */
#pragma once

#include "conf/domain-def.h"

typedef struct DomainFormatParams {
    int id; /* > 0: written as <domain id=>, with aliases and tty paths; else inactive form */
    unsigned indent; /* spaces before the outermost element */
    bool secrets;    /* passwords, too: for our own files and callers who may ask */
    const Bitmap
        *pending; /* vCPUs that the guest was asked to release: pending='removal'; may be NULL */
} DomainFormatParams;

/* The XML text, newline-terminated. parse(format(def)) equals def, format(parse(text)) is a fixed
 * point. -ENOMEM. Caller frees. */
int domain_format(const DomainDef *def, const DomainFormatParams *params, char **ret);
