/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All groups of commands, in the order in which help shows them. */
#pragma once

#include "vireo.h"

extern const CommandGroup command_groups[]; /* one without a title ends it */
