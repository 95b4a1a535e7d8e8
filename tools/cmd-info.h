/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What other command groups take from cmd-info.c. */
#pragma once

#include "vireo.h"

/* The domain's XML (VIR_DOMAIN_XML_* flags), in fresh memory. */
int info_get_xml(Tool *tool, const remote_domain *dom, unsigned flags, char **ret, Error **reterr);
