/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/iommu.h"

static const Words models = WORDS("intel", "smmuv3", "virtio");
static const Field driver_fields[] = {FIELD_ON_OFF("@intremap", IommuDef, intremap),
                                      FIELD_ON_OFF("@caching_mode", IommuDef, caching_mode),
                                      FIELD_ON_OFF("@eim", IommuDef, eim),
                                      FIELD_ON_OFF("@iotlb", IommuDef, iotlb),
                                      FIELD_UINT("@aw_bits", IommuDef, aw_bits, 1, 64),
                                      FIELD_END};
const Field iommu_fields[] = {
    FIELD_WORD("@model", IommuDef, model, models, .flags = FIELD_REQUIRED),
    FIELD_GROUP("driver", driver_fields), FIELD_INFO(IommuDef), FIELD_END};
