/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of what may not be in a definition, as rows: whether it is broken, libvirt's code, and the
 * sentence. The checks of domain_validate_define are made of them. */
#pragma once

#include "conf/domain-def.h"

typedef struct ValidateRule {
    bool broken;
    ErrorCode code;
    const char *fault; /* what is wrong, and what would be right */
} ValidateRule;

/* Reports the first broken rule as "FAULT: KIND 'NAME'"; `name` may be NULL, for what there is one
 * of. */
int validate_rules(const ValidateRule *rules, size_t n, const char *kind, const char *name,
                   Error **reterr);
#define VALIDATE_RULES(rules, kind, name, reterr)                                                  \
    validate_rules(rules, ARRAY_SIZE(rules), kind, name, reterr)

/* Whether nothing else than an address of that type was given. */
bool validate_address_is(const DeviceInfo *info, AddressType type);
bool validate_has_virtio(const VirtioOptions *options);

/* Each in the file of its name: domain-validate-disk.c, ... */
int validate_disks(const DomainDef *def, Error **reterr);
int validate_controllers(const DomainDef *def, Error **reterr);
int validate_interfaces(const DomainDef *def, Error **reterr);
int validate_chardevs(const DomainDef *def, Error **reterr);
int validate_displays(const DomainDef *def, Error **reterr);
int validate_devices(const DomainDef *def, Error **reterr);
int validate_hostdevs(const DomainDef *def, Error **reterr);
int validate_memory_devices(const DomainDef *def, Error **reterr);
int validate_machine(const DomainDef *def, Error **reterr);
int validate_system(const DomainDef *def, Error **reterr);
