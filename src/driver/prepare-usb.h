/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USB devices of the host that a guest gets: which one is meant is looked up when it gets it. */
#pragma once

#include "domain/domain.h"

/* Those of a start: each gets the place where it is in the live definition. What a startupPolicy
 * allows to be missing is marked so, and logged: "optional" always, "requisite" when the guest
 * comes from somewhere where it had it. Job held, on a fiber. ERROR_INTERNAL for one that is not
 * there, ERROR_OPERATION_FAILED where several are meant, ERROR_OPERATION_INVALID when it is
 * another's. */
int prepare_usb_devices(Domain *domain, Error **reterr);
/* One of a device that is attached: it has to be there. */
int prepare_usb(Domain *domain, HostdevDef *hostdev, Error **reterr);
