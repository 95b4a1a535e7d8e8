/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The XML of one device, as clients give it to attach or detach it. */
#pragma once

#include "conf/domain-def.h"

#define DEVICE_XML_MAX (1u << 20)

/* A definition of the same kind of machine as `like` with this device and no other. ERROR_XML,
 * ERROR_XML_DETAIL; -ENOMEM. */
int device_parse(const char *xml, const DomainDef *like, DomainDef **ret, Error **reterr);
