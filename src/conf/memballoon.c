/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/memballoon.h"

static const Words models = WORDS_NOT_STARTED(WORD_MASK(MEMBALLOON_XEN), "virtio", "none", "xen",
                                              "virtio-transitional", "virtio-non-transitional");
static const Field driver_fields[] = {FIELD_VIRTIO(MemballoonDef), FIELD_END};
static const Field memballoon_fields[] = {
    FIELD_WORD("@model", MemballoonDef, model, models, .flags = FIELD_REQUIRED),
    FIELD_ON_OFF("@autodeflate", MemballoonDef, autodeflate),
    FIELD_ON_OFF("@freePageReporting", MemballoonDef, free_page_reporting,
                 .flags = FIELD_NOT_ACTED),
    FIELD_UINT("stats@period", MemballoonDef, stats_period, 0, INT32_MAX, .flags = FIELD_NOT_ACTED),
    FIELD_INFO(MemballoonDef),
    FIELD_GROUP("driver", driver_fields),
    FIELD_END};
const Element memballoon_element = {"memballoon", sizeof(MemballoonDef), memballoon_fields, NULL,
                                    NULL};
