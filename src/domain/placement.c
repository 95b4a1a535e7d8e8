/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes that the host advises, put into a live definition. */
#include "domain/placement.h"

#include "host/numad.h"

int placement_apply(DomainDef *live, const Bitmap *nodes, Error **reterr) {
    NumaTuneDef *tune = &live->numatune;

    if (live->placement_auto) {
        int r;

        bitmap_free(TAKE_PTR(live->cpuset));
        r = numad_cpus_of(nodes, &live->cpuset, reterr);
        if (r < 0)
            return r;
        if (!tune->given && tune->n_memnodes == 0)
            tune->automatic = true;
    }
    if (!tune->automatic)
        return 0;
    bitmap_free(tune->nodes);
    tune->nodes = bitmap_copy(nodes);
    return tune->nodes ? 0 : error_no_memory(reterr);
}

int placement_advise(DomainDef *live, Error **reterr) {
    CLEANUP_BITMAP Bitmap *nodes = NULL;
    int r;

    if (!live->placement_auto && !live->numatune.automatic)
        return 0;
    r = numad_advise(domain_def_online_vcpus(live), live->memory_kib / 1024, &nodes, reterr);
    if (r >= 0)
        r = placement_apply(live, nodes, reterr);
    if (r < 0 && reterr && *reterr)
        error_prefix(reterr, "domain '%s'", live->name);
    return r;
}
