/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage volumes, which several commands look up. */
#pragma once

#include "vireo.h"

typedef remote_storage_vol Volume;

static inline void volume_done(Volume *vol) {
    xdr_free((xdrproc_t)xdr_remote_storage_vol, (char *)vol);
}
#define CLEANUP_VOLUME CLEANUP(volume_done)

/* By name in the pool that pool_option names, else by key, else by path, as virsh; says when there
 * is none. */
int volume_find(Tool *tool, const Args *args, const char *text, const char *pool_option,
                Volume *ret);
/* That of the options --vol and --pool. */
int volume_lookup(Tool *tool, const Args *args, Volume *ret);
/* Its XML in fresh memory; says what is wrong. */
int volume_get_xml(Tool *tool, const Volume *vol, char **ret);
