/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks numad. */
#include "host/numad.h"

#include <stdio.h>

#include "util/child.h"
#include "util/fiber.h"
#include "util/file.h"

#define NUMAD_USEC (30 * USEC_PER_SEC)

int numad_advise(unsigned vcpus, uint64_t memory_mib, Bitmap **ret, Error **reterr) {
    CLEANUP_BITMAP Bitmap *nodes = NULL;
    CLEANUP_FREE char *text = NULL;
    char size[64]; /* "4:1024" */
    const char *const argv[] = {"numad", "-w", size, NULL};
    int r;

    snprintf(size, sizeof(size), "%u:%llu", vcpus, (unsigned long long)memory_mib);
    r = child_run_checked(argv, deadline_in(NUMAD_USEC),
                          "numad, or name CPUs with placement='static'",
                          "placement='auto' asks numad", &text, reterr);
    if (r < 0)
        return r;
    if (bitmap_parse(text ? text : "", BITMAP_MAX_BITS, &nodes) < 0 || bitmap_is_empty(nodes))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "numad -w %s said '%.80s', which is no list of nodes", size,
                            text ? text : "");
    *ret = TAKE_PTR(nodes);
    return 0;
}

int numad_cpus_of(const Bitmap *nodes, Bitmap **ret, Error **reterr) {
    CLEANUP_BITMAP Bitmap *all = bitmap_new();

    if (!all)
        return error_no_memory(reterr);
    for (int node = bitmap_next(nodes, 0); node >= 0;
         node = bitmap_next(nodes, (unsigned)node + 1)) {
        CLEANUP_FREE char *path = strf("/sys/devices/system/node/node%d/cpulist", node),
                          *text = NULL;
        CLEANUP_BITMAP Bitmap *cpus = NULL;

        if (!path)
            return error_no_memory(reterr);
        if (file_read(path, 65536, &text, NULL) < 0 ||
            bitmap_parse(text, BITMAP_MAX_BITS, &cpus) < 0)
            continue; /* a node that is none has no CPUs */
        if (bitmap_union(all, cpus) < 0)
            return error_no_memory(reterr);
    }
    if (bitmap_is_empty(all)) {
        CLEANUP_FREE char *text = bitmap_format(nodes);

        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the host's nodes '%s' have no CPUs", text ? text : "?");
    }
    *ret = TAKE_PTR(all);
    return 0;
}
