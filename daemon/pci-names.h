/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host's list of PCI ids (pci.ids) calls a device. */
#pragma once

#include "util/macro.h"

/* NULL of what the list does not have, or when there is none. Reads the list: on a worker. The
 * caller frees both. */
void pci_names(unsigned vendor, unsigned product, char **ret_vendor, char **ret_product);
