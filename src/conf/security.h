/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <seclabel>, <launchSecurity>, <keywrap>. */
#pragma once

#include "conf/element.h"

typedef struct SeclabelDef {
    char *type;  /* dynamic, static, none */
    char *model; /* selinux, dac, apparmor, ... */
    Tristate relabel;
    char *label, *baselabel, *imagelabel;
} SeclabelDef;

typedef struct LaunchSecurityDef {
    char *type; /* sev, s390-pv */
    Tristate kernel_hashes;
    char *cbitpos, *reduced_phys_bits, *policy, *dh_cert, *session;
} LaunchSecurityDef;

typedef struct KeywrapCipher {
    char *name, *state;
} KeywrapCipher;

extern const Element seclabel_element, launch_security_element, keywrap_cipher_element;
