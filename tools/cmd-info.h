/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What other command groups take from cmd-info.c, and the command that it takes from domstats.c. */
#pragma once

#include "vireo.h"

/* The domain's XML (VIR_DOMAIN_XML_* flags), in fresh memory. */
int info_get_xml(Tool *tool, const remote_domain *dom, unsigned flags, char **ret, Error **reterr);

extern const Option domstats_options[];
int cmd_domstats(Tool *tool, const Args *args);
