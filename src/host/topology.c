/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt counts sockets in each node and cores in each socket, and takes the largest of each. */
#include "host/topology.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/bitmap.h"
#include "util/file.h"

#define LIST_MAX 65536u /* bytes of a list of CPUs */

/* The numbers of one CPU; what its directory does not say is 0. */
typedef struct Place {
    int package, core;
} Place;

/* -ENOENT and others: as file_read and bitmap_parse. */
static int read_list(const char *sysfs, const char *what, Bitmap **ret) {
    CLEANUP_FREE char *path = strf("%s/devices/system/%s", sysfs, what), *text = NULL;
    int r = path ? file_read(path, LIST_MAX, &text, NULL) : -ENOMEM;

    return r < 0 ? r : bitmap_parse(text, BITMAP_MAX_BITS, ret);
}

static int read_number(const char *sysfs, unsigned cpu, const char *what) {
    CLEANUP_FREE char *path = strf("%s/devices/system/cpu/cpu%u/topology/%s", sysfs, cpu, what);
    char text[32];
    long number = 0;

    if (path && file_read_once(path, text, sizeof(text)) > 0)
        number = strtol(text, NULL, 10);
    return number < 0 ? 0 : (int)number;
}

static int compare(const void *a, const void *b) {
    const Place *left = a, *right = b;

    if (left->package != right->package)
        return left->package < right->package ? -1 : 1;
    return (left->core > right->core) - (left->core < right->core);
}

/* Of sorted places: how many packages, and cores of the one that has most. */
static void count(const Place *places, size_t n, HostTopology *ret) {
    unsigned sockets = 0, cores = 0;

    for (size_t i = 0; i < n; i++) {
        const bool package_begins = i == 0 || places[i].package != places[i - 1].package;

        sockets += package_begins;
        if (package_begins)
            cores = 0;
        cores += package_begins || places[i].core != places[i - 1].core;
        ret->cores = MAX_OF(ret->cores, cores);
    }
    ret->sockets = MAX_OF(ret->sockets, sockets);
}

/* The CPUs of a node that are online. */
static int count_node(const char *sysfs, const Bitmap *cpus, const Bitmap *online,
                      HostTopology *ret) {
    const unsigned n_most = bitmap_count(cpus);
    CLEANUP_FREE Place *places = calloc(n_most ? n_most : 1, sizeof(Place));
    size_t n = 0;

    if (!places)
        return -ENOMEM;
    for (int i = bitmap_next(cpus, 0); i >= 0; i = bitmap_next(cpus, (unsigned)i + 1)) {
        const unsigned cpu = (unsigned)i;
        CLEANUP_BITMAP Bitmap *siblings = NULL;
        char what[64];

        if (!bitmap_test(online, cpu))
            continue;
        places[n].package = read_number(sysfs, cpu, "physical_package_id");
        places[n++].core = read_number(sysfs, cpu, "core_id");
        snprintf(what, sizeof(what), "cpu/cpu%u/topology/thread_siblings_list", cpu);
        if (read_list(sysfs, what, &siblings) >= 0)
            ret->threads = MAX_OF(ret->threads, bitmap_count(siblings));
    }
    qsort(places, n, sizeof(Place), compare);
    count(places, n, ret);
    return 0;
}

/* A node whose list is not to be read has none. Without nodes all CPUs are one's. */
static int count_nodes(const char *sysfs, const Bitmap *online, HostTopology *ret) {
    CLEANUP_BITMAP Bitmap *nodes = NULL;
    int r = read_list(sysfs, "node/online", &nodes);

    if (r < 0 || bitmap_is_empty(nodes)) {
        ret->nodes = 1;
        return r == -ENOMEM ? r : count_node(sysfs, online, online, ret);
    }
    r = 0;
    for (int node = bitmap_next(nodes, 0); r >= 0 && node >= 0;
         node = bitmap_next(nodes, (unsigned)node + 1)) {
        CLEANUP_BITMAP Bitmap *cpus = NULL;
        char what[64];

        ret->nodes++;
        snprintf(what, sizeof(what), "node/node%d/cpulist", node);
        if (read_list(sysfs, what, &cpus) >= 0)
            r = count_node(sysfs, cpus, online, ret);
    }
    return r;
}

int host_topology_read(const char *sysfs, HostTopology *ret) {
    CLEANUP_BITMAP Bitmap *online = NULL, *present = NULL;
    HostTopology found = {.threads = 1};
    unsigned n;
    int r;

    sysfs = sysfs ? sysfs : "/sys";
    if (read_list(sysfs, "cpu/online", &online) < 0)
        online = bitmap_new();
    if (!online)
        return -ENOMEM;
    n = found.online = bitmap_count(online);
    if (read_list(sysfs, "cpu/present", &present) >= 0)
        n = MAX_OF(n, bitmap_count(present));
    r = count_nodes(sysfs, online, &found);
    if (r < 0)
        return r;
    if (n == 0 || (uint64_t)found.nodes * found.sockets * found.cores * found.threads != n)
        found = (HostTopology){found.online, 1, 1, MAX_OF(n, 1u), 1};
    *ret = found;
    return 0;
}
