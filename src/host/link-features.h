/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a network link's hardware does for the kernel, asked as ethtool(8) does. */
#pragma once

#include "util/macro.h"

#define LINK_FEATURES 14u

/* Words of the features, libvirt's: "rx", "tx", "sg". */
extern const char *const link_feature_names[LINK_FEATURES];

/* How many received frames the link may hold back before it tells of them. -errno: a link that
 * can't says -EOPNOTSUPP. */
int link_set_rx_frames(const char *name, unsigned frames);
/* Bit n: it has feature n, switched on. None when the kernel does not say. */
unsigned link_features(const char *name);
