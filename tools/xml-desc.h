/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's XML, as the daemon gives it. */
#pragma once

#include "vireo.h"

/* The XML in fresh memory; flags: VIR_DOMAIN_XML_*. */
int xml_desc_get(Tool *tool, const remote_domain *dom, unsigned flags, char **ret, Error **reterr);
