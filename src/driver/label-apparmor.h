/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AppArmor: a profile for each run, "vireo-UUID" (of a daemon with a root of its own
 * "vireo-UUID-HASH"), made of the files that the definition names, and
 * made anew when a device comes or goes. */
#pragma once

#include "driver/label-model.h"

extern const LabelModel label_apparmor;
