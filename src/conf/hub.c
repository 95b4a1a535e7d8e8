/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/hub.h"

static const Words types = WORDS("usb");
static const Field hub_fields[] = {
    FIELD_CHOICE("@type", HubDef, type, types, .flags = FIELD_REQUIRED), FIELD_INFO(HubDef),
    FIELD_END};
const Element hub_element = {"hub", sizeof(HubDef), hub_fields, NULL, NULL};

static const Field lease_target[] = {FIELD_TEXT("@path", LeaseDef, path, .flags = FIELD_REQUIRED),
                                     FIELD_UINT("@offset", LeaseDef, offset, 0, INT64_MAX),
                                     FIELD_END};
static const Field lease_fields[] = {FIELD_TEXT("lockspace", LeaseDef, lockspace),
                                     FIELD_TEXT("key", LeaseDef, key, .flags = FIELD_REQUIRED),
                                     FIELD_GROUP("target", lease_target, .flags = FIELD_REQUIRED),
                                     FIELD_END};
const Element lease_element = {"lease", sizeof(LeaseDef), lease_fields, NULL, NULL};

static const Field nvram_fields[] = {FIELD_INFO(NvramDef), FIELD_END};
const Element nvram_element = {"nvram", sizeof(NvramDef), nvram_fields, NULL, NULL};
