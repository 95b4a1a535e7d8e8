/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <iommu>. */
#pragma once

#include "conf/device-info.h"

typedef enum IommuModel { IOMMU_INTEL, IOMMU_SMMUV3, IOMMU_VIRTIO, IOMMU_MODEL_MAX_ } IommuModel;

/* Of intel's, interrupt remapping with extended interrupt mode is what more than 255 vCPUs need.
 * smmuv3 is a part of ARM's machine; virtio is a PCI device on the machine's own bus. */
typedef struct IommuDef {
    bool given;
    IommuModel model;
    Tristate intremap, caching_mode, eim, iotlb;
    unsigned aw_bits; /* 0: not given */
    DeviceInfo info;
} IommuDef;

extern const Field iommu_fields[];
