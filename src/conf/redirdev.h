/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <redirdev>, <redirfilter>, <smartcard>: devices of the person at the screen. */
#pragma once

#include "conf/chardev.h"

typedef struct RedirdevDef {
    char *bus; /* usb */
    ChardevSource source;
    DeviceInfo info;
} RedirdevDef;

typedef struct RedirRule {
    char *class_, *vendor, *product, *version;
    Tristate allow;
} RedirRule;

typedef struct RedirfilterDef {
    RedirRule *rules;
    size_t n_rules;
} RedirfilterDef;

typedef enum SmartcardMode {
    SMARTCARD_HOST,
    SMARTCARD_HOST_CERTIFICATES,
    SMARTCARD_PASSTHROUGH,
    SMARTCARD_MODE_MAX_
} SmartcardMode;

typedef struct SmartcardCertificate {
    char *name;
} SmartcardCertificate;

typedef struct SmartcardDef {
    SmartcardMode mode;
    SmartcardCertificate *certificates; /* three */
    size_t n_certificates;
    char *database;
    ChardevSource source; /* passthrough */
    DeviceInfo info;
} SmartcardDef;

extern const Element redirdev_element, redirfilter_element, smartcard_element;
