/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The XML of a client or a file, and the domain it is about. */
#pragma once

#include "conf/domain-parse.h"
#include "domain/store.h"

/* Parses it; unknown parts are logged. Suspends with a large one. */
int definition_parse(const char *xml, DomainDef **ret, Error **reterr);
/* The definition as a later vireod will read it, from its text; what that would refuse is an error.
 * `live`: of something that runs. Suspends. */
int definition_read_back(const DomainDef *def, bool live, DomainDef **ret, Error **reterr);
/* The listed domain that a definition is about, NULL if it is a new one; refuses clashes of name
 * and uuid. */
int definition_find_same(const DomainStore *store, const DomainDef *def, Domain **ret,
                         Error **reterr);
