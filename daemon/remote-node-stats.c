/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host has used of its CPUs and what is free of its memory, from /proc and /sys. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon.h"
#include "util/file.h"
#include "util/worker.h"

#define TEXT_MAX (8u << 20) /* /proc/stat of a host with thousands of CPUs and interrupts */
#define NODES "/sys/devices/system/node"

typedef struct Reading {
    const char *path;
    char *text;
} Reading;

static int run_read(void *arg) {
    Reading *reading = arg;

    return file_read(reading->path, TEXT_MAX, &reading->text, NULL);
}

/* On a worker: the kernel takes long to write some of these files. The caller frees *ret. */
static int read_text(const char *path, char **ret) {
    Reading reading = {.path = path};
    int r = worker_run(run_read, &reading);

    *ret = reading.text;
    return r;
}

/* What is behind `key` where that stands at the beginning of a line; NULL when there is none. */
static const char *line_of(const char *text, const char *key) {
    size_t len = strlen(key);

    for (const char *at = text; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
        if (strncmp(at, key, len) == 0)
            return at + len;
    return NULL;
}

/* ---- CPU times ---- */

typedef struct CpuTimes {
    uint64_t user, nice, system, idle, iowait, irq, softirq; /* clock ticks */
} CpuTimes;

/* A line of /proc/stat behind its "cpuN". */
static bool parse_times(const char *line, CpuTimes *ret) {
    *ret = (CpuTimes){0};
    return sscanf(line,
                  "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                  " %" SCNu64,
                  &ret->user, &ret->nice, &ret->system, &ret->idle, &ret->iowait, &ret->irq,
                  &ret->softirq) >= 4;
}

static int read_times(int cpu, CpuTimes *ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    char key[32] = "cpu ";
    const char *line;
    int r = read_text("/proc/stat", &text);

    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "cannot read the host's CPU times");
    if (cpu >= 0)
        snprintf(key, sizeof(key), "cpu%d ", cpu);
    line = line_of(text, key);
    if (!line)
        return error_argument(reterr, "virHostCPUGetStatsLinux", "cpuNum",
                              "Invalid cpuNum in virHostCPUGetStatsLinux");
    return parse_times(line, ret)
               ? 0
               : error_report(reterr, FROM_NONE, ERROR_INTERNAL,
                              "cannot understand the line '%s' of /proc/stat", key);
}

typedef struct Stat {
    const char *name;
    uint64_t value;
} Stat;

/* libvirt's way of asking twice: with 0 for how many there are, then for that many. */
static int check_count(int asked, size_t n, const char *api, Error **reterr) {
    if (asked == 0 || (size_t)asked == n)
        return 0;
    return error_argument(reterr, api, "nparams", "nparams in %s must be equal to %zu", api, n);
}

HANDLER(node_get_cpu_stats) {
    const remote_node_get_cpu_stats_args *args = args_;
    remote_node_get_cpu_stats_ret *ret = ret_;
    const uint64_t tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    CpuTimes times;
    int r = dispatch_flags(args->flags, 0, "virNodeGetCPUStats", reterr);

    if (r >= 0 && args->cpuNum < -1)
        r = error_argument(reterr, "virNodeGetCPUStats", "cpuNum",
                           "cpuNum in virNodeGetCPUStats must be a CPU's number, or -1 for all");
    if (r >= 0)
        r = check_count(args->nparams, 4, "virNodeGetCPUStats", reterr);
    ret->nparams = 4;
    if (r < 0 || args->nparams == 0) /* how many there are is the same for every CPU */
        return r;
    r = read_times(args->cpuNum, &times, reterr);
    if (r < 0)
        return r;
    const Stat stats[] = {{"kernel", (times.system + times.irq + times.softirq) * tick},
                          {"user", (times.user + times.nice) * tick},
                          {"idle", times.idle * tick},
                          {"iowait", times.iowait * tick}};

    ret->params.params_val = calloc(ARRAY_SIZE(stats), sizeof(remote_node_get_cpu_stats));
    if (!ret->params.params_val)
        return error_no_memory(reterr);
    ret->params.params_len = ARRAY_SIZE(stats);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(stats); i++) {
        ret->params.params_val[i].value = stats[i].value;
        r = dispatch_string(&ret->params.params_val[i].field, stats[i].name, reterr);
    }
    return r;
}

/* ---- memory ---- */

/* KiB; 0 when the kernel does not say it. */
static uint64_t kib_of(const char *text, const char *prefix, const char *key) {
    char name[64];
    const char *at;

    snprintf(name, sizeof(name), "%s%s:", prefix, key);
    at = line_of(text, name);
    return at ? strtoull(at, NULL, 10) : 0;
}

/* Of a memory node, or -1 for the whole host; *prefix (32 bytes) is what its lines begin with. A
 * kernel without NUMA has node 0 alone. */
static int read_memory(int cell, char *prefix, char **ret) {
    char path[64] = "/proc/meminfo";
    int r;

    *prefix = '\0';
    if (cell < 0)
        return read_text(path, ret);
    snprintf(path, sizeof(path), NODES "/node%d/meminfo", cell);
    r = read_text(path, ret);
    if (r == -ENOENT && cell == 0)
        return read_text("/proc/meminfo", ret);
    snprintf(prefix, 32, "Node %d ", cell);
    return r;
}

/* The number of the host's last memory node. */
static int last_cell(void) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_BITMAP Bitmap *online = NULL;
    int last = 0;

    if (read_text(NODES "/online", &text) < 0 || bitmap_parse(text, BITMAP_MAX_BITS, &online) < 0)
        return 0;
    for (int cell = bitmap_next(online, 0); cell >= 0;
         cell = bitmap_next(online, (unsigned)cell + 1))
        last = cell;
    return last;
}

uint64_t dispatch_host_memory(void) {
    uint64_t sum = 0;
    int r = 0;

    for (int cell = 0, last = last_cell(); r >= 0 && cell <= last; cell++) {
        CLEANUP_FREE char *text = NULL;
        char prefix[32];

        r = read_memory(cell, prefix, &text);
        if (r == -ENOENT) /* nodes need not be numbered without gaps */
            r = 0;
        else if (r >= 0)
            sum += kib_of(text, prefix, "MemTotal");
    }
    return sum ? sum : (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* A memory node says the first two only. */
HANDLER(node_get_memory_stats) {
    const remote_node_get_memory_stats_args *args = args_;
    remote_node_get_memory_stats_ret *ret = ret_;
    static const char *const keys[] = {"MemTotal", "MemFree", "Buffers", "Cached"},
                             *const names[] = {"total", "free", "buffers", "cached"};
    CLEANUP_FREE char *text = NULL;
    char prefix[32];
    size_t n = args->cellNum == -1 ? 4 : 2;
    int r = dispatch_flags(args->flags, 0, "virNodeGetMemoryStats", reterr);

    if (r >= 0 && args->cellNum < -1)
        r = error_argument(
            reterr, "virNodeGetMemoryStats", "cellNum",
            "cellNum in virNodeGetMemoryStats must be a memory node's number, or -1 for all");
    if (r >= 0)
        r = check_count(args->nparams, n, "virNodeGetMemoryStats", reterr);
    if (r < 0)
        return r;
    r = read_memory(args->cellNum, prefix, &text);
    if (r == -ENOENT)
        return error_argument(reterr, "virHostMemGetStats", "cellNum",
                              "cellNum in virHostMemGetStats must be less than or equal to %d",
                              last_cell());
    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "cannot read the host's memory");
    ret->nparams = (int)n;
    if (args->nparams == 0)
        return 0;
    ret->params.params_val = calloc(n, sizeof(remote_node_get_memory_stats));
    if (!ret->params.params_val)
        return error_no_memory(reterr);
    ret->params.params_len = (u_int)n;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        ret->params.params_val[i].value = kib_of(text, prefix, keys[i]);
        r = dispatch_string(&ret->params.params_val[i].field, names[i], reterr);
    }
    return r;
}

HANDLER(node_get_cells_free_memory) {
    const remote_node_get_cells_free_memory_args *args = args_;
    remote_node_get_cells_free_memory_ret *ret = ret_;
    int last = last_cell(), n;

    if (args->startCell < 0 || args->startCell > last)
        return error_report(reterr, FROM_NONE, ERROR_INTERNAL, "start cell %d out of range (0-%d)",
                            args->startCell, last);
    if (args->maxcells < 1 || args->maxcells > 1024)
        return error_argument(reterr, "virNodeGetCellsFreeMemory", "maxCells",
                              "maxCells in virNodeGetCellsFreeMemory must be 1 to 1024");
    n = MIN_OF(args->maxcells, last - args->startCell + 1);
    ret->cells.cells_val = calloc((size_t)n, sizeof(*ret->cells.cells_val));
    if (!ret->cells.cells_val)
        return error_no_memory(reterr);
    ret->cells.cells_len = (u_int)n;
    for (int i = 0; i < n; i++) {
        CLEANUP_FREE char *text = NULL;
        char prefix[32];
        int r = read_memory(args->startCell + i, prefix, &text);

        /* A hole in the numbers has nothing free. */
        if (r < 0 && r != -ENOENT)
            return error_system(reterr, FROM_NONE, r, "cannot read the memory of node %d",
                                args->startCell + i);
        ret->cells.cells_val[i] = text ? kib_of(text, prefix, "MemFree") * 1024 : 0;
    }
    return 0;
}

/* Free pages of that size, in KiB, of a node. */
static int count_pages(int cell, unsigned size, uint64_t *ret, Error **reterr) {
    CLEANUP_FREE char *path = NULL, *text = NULL;
    const unsigned own = (unsigned)(sysconf(_SC_PAGESIZE) / 1024);
    char prefix[32] = "";
    int r;

    if (size == own) {
        r = read_memory(cell, prefix, &text);
        *ret = r >= 0 ? kib_of(text, prefix, "MemFree") / own : 0;
    } else {
        path = strf(NODES "/node%d/hugepages/hugepages-%ukB/free_hugepages", cell, size);
        r = path ? read_text(path, &text) : -ENOMEM;
        *ret = r >= 0 ? strtoull(text, NULL, 10) : 0;
    }
    if (r == -ENOENT)
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_FAILED,
                            "page size %u is not available on node %d", size, cell);
    return r < 0 ? error_system(reterr, FROM_NONE, r, "cannot read the pages of node %d", cell) : 0;
}

/* Cell by cell, of each all the sizes that were asked for. */
HANDLER(node_get_free_pages) {
    enum { COUNTS_MAX = 1024 };
    const remote_node_get_free_pages_args *args = args_;
    remote_node_get_free_pages_ret *ret = ret_;
    const size_t n = args->pages.pages_len;
    int last = last_cell(), r = dispatch_flags(args->flags, 0, "virNodeGetFreePages", reterr);
    unsigned cells;

    if (r < 0)
        return r;
    if (args->startCell < 0 || args->startCell > last)
        return error_report(reterr, FROM_NONE, ERROR_INTERNAL, "start cell %d out of range (0-%d)",
                            args->startCell, last);
    cells = MIN_OF(args->cellCount, (unsigned)(last - args->startCell + 1));
    if (n == 0 || cells == 0 || (uint64_t)n * args->cellCount > COUNTS_MAX)
        return error_argument(reterr, "virNodeGetFreePages", "npages",
                              "npages in virNodeGetFreePages must be 1 to %d in all", COUNTS_MAX);
    ret->counts.counts_val = calloc(n * cells, sizeof(*ret->counts.counts_val));
    if (!ret->counts.counts_val)
        return error_no_memory(reterr);
    ret->counts.counts_len = (u_int)(n * cells);
    for (size_t i = 0; r >= 0 && i < n * cells; i++) {
        uint64_t count = 0;

        r = count_pages(args->startCell + (int)(i / n), args->pages.pages_val[i % n], &count,
                        reterr);
        ret->counts.counts_val[i] = count;
    }
    return r;
}

const RpcProc node_stats_procs[] = {
    {REMOTE_PROC_NODE_GET_FREE_PAGES, "virNodeGetFreePages", 0, node_get_free_pages,
     XDR_OF(remote_node_get_free_pages_args), XDR_OF(remote_node_get_free_pages_ret)},
    {REMOTE_PROC_NODE_GET_CPU_STATS, "virNodeGetCPUStats", 0, node_get_cpu_stats,
     XDR_OF(remote_node_get_cpu_stats_args), XDR_OF(remote_node_get_cpu_stats_ret)},
    {REMOTE_PROC_NODE_GET_MEMORY_STATS, "virNodeGetMemoryStats", 0, node_get_memory_stats,
     XDR_OF(remote_node_get_memory_stats_args), XDR_OF(remote_node_get_memory_stats_ret)},
    {REMOTE_PROC_NODE_GET_CELLS_FREE_MEMORY, "virNodeGetCellsFreeMemory", 0,
     node_get_cells_free_memory, XDR_OF(remote_node_get_cells_free_memory_args),
     XDR_OF(remote_node_get_cells_free_memory_ret)},
};
const size_t node_stats_n_procs = ARRAY_SIZE(node_stats_procs);
