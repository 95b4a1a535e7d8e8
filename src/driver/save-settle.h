/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saves and restores that a daemon's end has interrupted (driver/save.h says how they end). */
#pragma once

#include "domain/domain.h"
#include "domain/services.h"

/* Looks, on a fiber of its own, where the guest of an interrupted save or restore is. */
void save_settle_soon(Domain *domain);
/* Removes the files that an interrupted save has left in lib/save. */
void save_clean_up(const Services *services);
