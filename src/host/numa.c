/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory nodes of the host. */
#include "host/numa.h"

#include "util/file.h"

#define LIST_MAX 65536u

static int online_nodes(const char *sysfs, Bitmap **ret, Error **reterr) {
    CLEANUP_FREE char *path = strf("%s/devices/system/node/online", sysfs), *text = NULL;
    int r = path ? file_read(path, LIST_MAX, &text, NULL) : -ENOMEM;

    if (r == -ENOENT)
        r = bitmap_parse("0", BITMAP_MAX_BITS, ret);
    else if (r >= 0)
        r = bitmap_parse(text, BITMAP_MAX_BITS, ret);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    return r < 0 ? error_system(reterr, FROM_NONE, r, "cannot read the memory nodes in '%s'", path)
                 : 0;
}

int numa_check_nodes(const char *sysfs, const Bitmap *nodes, Error **reterr) {
    CLEANUP_BITMAP Bitmap *online = NULL;
    int r = online_nodes(sysfs ? sysfs : "/sys", &online, reterr);

    for (int node = bitmap_next(nodes, 0); r >= 0 && node >= 0;
         node = bitmap_next(nodes, (unsigned)node + 1))
        if (!bitmap_test(online, (unsigned)node))
            r = error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                             "NUMA node %d is unavailable", node);
    return r;
}
