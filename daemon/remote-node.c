/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host: its CPUs and memory. */
#include <libxml/tree.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "daemon.h"
#include "host/topology.h"
#include "util/file.h"
#include "util/text.h"
#include "util/worker.h"

/* Those that this boot of the host can have: sysconf reads a file each time. */
unsigned dispatch_host_cpus(void) {
    static long n;

    if (n <= 0)
        n = sysconf(_SC_NPROCESSORS_CONF);
    return n > 0 ? (unsigned)n : 1;
}

static uint64_t meminfo_kib(const char *key) {
    CLEANUP_FREE char *text = NULL;
    const char *at;

    if (file_read("/proc/meminfo", 65536, &text, NULL) < 0 || !(at = strstr(text, key)))
        return 0;
    return strtoull(at + strlen(key), NULL, 10);
}

typedef struct NodeInfo {
    HostTopology topology;
    int mhz;
} NodeInfo;

/* Some hundred files, and one for which the kernel asks each CPU. */
static int look_at_cpus(void *userdata) {
    NodeInfo *info = userdata;
    CLEANUP_FREE char *text = NULL;
    const char *mhz = NULL;

    if (file_read("/proc/cpuinfo", 8u << 20, &text, NULL) >= 0 && (mhz = strstr(text, "cpu MHz")))
        mhz = strchr(mhz, ':');
    info->mhz = mhz ? (int)strtoul(mhz + 1, NULL, 10) : 0;
    return host_topology_read(NULL, &info->topology);
}

HANDLER(node_get_info) {
    remote_node_get_info_ret *ret = ret_;
    NodeInfo info = {0};
    struct utsname host;

    if (worker_run(look_at_cpus, &info) < 0)
        return error_no_memory(reterr);
    uname(&host);
    snprintf(ret->model, sizeof(ret->model), "%.31s", host.machine);
    ret->memory = dispatch_host_memory();
    ret->cpus = (int)info.topology.online;
    ret->mhz = info.mhz;
    ret->nodes = (int)info.topology.nodes;
    ret->sockets = (int)info.topology.sockets;
    ret->cores = (int)info.topology.cores;
    ret->threads = (int)info.topology.threads;
    return 0;
}

HANDLER(node_get_cpu_map) {
    remote_node_get_cpu_map_args *args = args_;
    remote_node_get_cpu_map_ret *ret = ret_;
    CLEANUP_FREE char *text = NULL;
    CLEANUP_BITMAP Bitmap *online = NULL;
    unsigned n = dispatch_host_cpus(), len = (n + 7) / 8;
    int r;

    r = file_read("/sys/devices/system/cpu/online", 4096, &text, NULL);
    if (r >= 0)
        r = bitmap_parse(text, BITMAP_MAX_BITS, &online);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot read the host's online CPUs");
    ret->ret = n;
    ret->online = bitmap_count(online);
    if (!args->need_map)
        return 0;
    ret->cpumap.cpumap_val = calloc(1, len);
    if (!ret->cpumap.cpumap_val)
        return error_no_memory(reterr);
    ret->cpumap.cpumap_len = len;
    bitmap_to_bytes(online, (uint8_t *)ret->cpumap.cpumap_val, len);
    return 0;
}

HANDLER(node_get_free_memory) {
    remote_node_get_free_memory_ret *ret = ret_;

    ret->freeMem = meminfo_kib("MemFree:") * 1024;
    return 0;
}

/* What the firmware says of the host, as Linux shows it; some of it to root only. */
static void write_block(FILE *out, const char *block, const char *const (*rows)[2], size_t n) {
    fprintf(out, "  <%s>\n", block);
    for (size_t i = 0; i < n; i++) {
        CLEANUP_FREE char *path = strf("/sys/class/dmi/id/%s", rows[i][1]), *text = NULL;
        xmlChar *escaped = NULL;

        if (!path || file_read(path, 4096, &text, NULL) < 0)
            continue;
        text[strcspn(text, "\n")] = '\0';
        escaped = xmlEncodeSpecialChars(NULL, BAD_CAST text);
        if (escaped && *escaped)
            fprintf(out, "    <entry name='%s'>%s</entry>\n", rows[i][0], (char *)escaped);
        xmlFree(escaped);
    }
    fprintf(out, "  </%s>\n", block);
}

HANDLER(get_sysinfo) {
    static const char *const bios[][2] = {{"vendor", "bios_vendor"},
                                          {"version", "bios_version"},
                                          {"date", "bios_date"},
                                          {"release", "bios_release"}};
    static const char *const system[][2] = {
        {"manufacturer", "sys_vendor"}, {"product", "product_name"}, {"version", "product_version"},
        {"serial", "product_serial"},   {"uuid", "product_uuid"},    {"sku", "product_sku"},
        {"family", "product_family"}};
    static const char *const board[][2] = {{"manufacturer", "board_vendor"},
                                           {"product", "board_name"},
                                           {"version", "board_version"},
                                           {"serial", "board_serial"},
                                           {"asset", "board_asset_tag"}};
    const remote_connect_get_sysinfo_args *args = args_;
    remote_connect_get_sysinfo_ret *ret = ret_;
    FILE *out;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    out = text_open(&ret->sysinfo);
    if (!out)
        return error_no_memory(reterr);
    fputs("<sysinfo type='smbios'>\n", out);
    write_block(out, "bios", bios, ARRAY_SIZE(bios));
    write_block(out, "system", system, ARRAY_SIZE(system));
    write_block(out, "baseBoard", board, ARRAY_SIZE(board));
    fputs("</sysinfo>\n", out);
    return fclose(out) == 0 ? 0 : error_no_memory(reterr);
}

const RpcProc node_procs[] = {
    {REMOTE_PROC_CONNECT_GET_SYSINFO, "virConnectGetSysinfo", 0, get_sysinfo,
     XDR_OF(remote_connect_get_sysinfo_args), XDR_OF(remote_connect_get_sysinfo_ret)},
    {REMOTE_PROC_NODE_GET_INFO, "virNodeGetInfo", 0, node_get_info, NO_XDR,
     XDR_OF(remote_node_get_info_ret)},
    {REMOTE_PROC_NODE_GET_CPU_MAP, "virNodeGetCPUMap", 0, node_get_cpu_map,
     XDR_OF(remote_node_get_cpu_map_args), XDR_OF(remote_node_get_cpu_map_ret)},
    {REMOTE_PROC_NODE_GET_FREE_MEMORY, "virNodeGetFreeMemory", 0, node_get_free_memory, NO_XDR,
     XDR_OF(remote_node_get_free_memory_ret)},
};
const size_t node_n_procs = ARRAY_SIZE(node_procs);
