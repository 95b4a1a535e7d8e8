/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cannot be together, or on that machine, as libvirt 9.0 refuses it at define. */
#pragma once

#include "conf/domain-def.h"

/* For what a client defines or creates, its defaults filled in. A definition that is stored already
 * is not held to it. ERROR_CONFIG_UNSUPPORTED, ERROR_XML or ERROR_INTERNAL, as libvirt has it;
 * -ENOMEM. */
int domain_validate_define(const DomainDef *def, Error **reterr);
