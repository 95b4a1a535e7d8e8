/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Readings in batches: ask the QEMUs, read the files on a worker, take the answers. */
#include "driver/stats.h"

#include <stdio.h>

#include "driver/disk-chain.h"
#include "qemu/block-graph.h"
#include "qemu/devices/device.h"
#include "util/file.h"
#include "util/image-size.h"
#include "util/json.h"
#include "util/proc.h"
#include "util/worker.h"

#define BATCH 64u /* domains of one errand of a worker */
#define NET_DEV_MAX (4u << 20)
#define ANSWER_USEC (1 * USEC_PER_SEC)
#define SILENT_USEC (10 * USEC_PER_SEC) /* a QEMU that did not answer is left alone for so long */

enum {
    ASK_BALLOON,
    ASK_GUEST,
    ASK_BLOCKSTATS,
    ASK_BLOCK,
    ASK_NODES,
    ASK_HALT_POLL,
    ASK_DIRTY,
    ASK_KVM,
    ASK_SCHEMAS,
    ASK_MAX_
};
static_assert(ASK_MAX_ == STATS_QUESTIONS, "a reply for each question");

/* ---- files, on a worker ---- */

/* "wait_sum : 12.345678" (ms) of /proc/PID/task/TID/sched, which is there while
 * kernel.sched_schedstats is 1. */
static uint64_t read_wait(pid_t pid, pid_t tid) {
    CLEANUP_FREE char *path = strf("/proc/%d/task/%d/sched", pid, tid), *text = NULL;
    unsigned long long whole = 0, fraction = 0;
    const char *at;

    if (!path || file_read(path, 65536, &text, NULL) < 0)
        return 0;
    at = strstr(text, "wait_sum");
    at = at ? strchr(at, ':') : NULL;
    if (!at || sscanf(at + 1, " %llu.%6llu", &whole, &fraction) < 1)
        return 0;
    return whole * UINT64_C(1000000) + fraction;
}

static bool has_schedstats(void) {
    CLEANUP_FREE char *text = NULL;

    return file_read("/proc/sys/kernel/sched_schedstats", 64, &text, NULL) >= 0 && *text == '1';
}

static void read_vcpu(const DomainReading *reading, size_t i, bool schedstats) {
    VcpuReading *to = &reading->vcpus[i];
    ProcStat stat;
    char child[32];

    if (!reading->tids[i] || proc_stat(reading->pid, reading->tids[i], &stat) < 0)
        return;
    to->known = true;
    to->host_cpu = stat.cpu;
    /* The same to the nanosecond, where the kernel has it; older ones say zeros without
     * "delayacct". */
    if (proc_sched_time(reading->pid, reading->tids[i], &to->run_ns, &to->delay_ns) < 0 ||
        (to->run_ns == 0 && to->delay_ns == 0))
        to->run_ns = stat.utime_ns + stat.stime_ns;
    to->wait_ns = schedstats ? read_wait(reading->pid, reading->tids[i]) : 0;
    if (!reading->vcpu_quota)
        return;
    snprintf(child, sizeof(child), "vcpu%u", to->id);
    to->has_throttled = limits_read_throttled(&reading->held, child, &to->throttled_ns) >= 0;
}

/* "VmRSS:  1234 kB" of /proc/PID/status. */
static void read_resident(DomainReading *reading) {
    CLEANUP_FREE char *path = strf("/proc/%d/status", reading->pid), *text = NULL;
    const char *at;

    if (!path || file_read(path, 65536, &text, NULL) < 0 || !(at = strstr(text, "VmRSS:")))
        return;
    reading->memory.known[MEMORY_STAT_RSS] = true;
    reading->memory.value[MEMORY_STAT_RSS] = strtoull(at + strlen("VmRSS:"), NULL, 10);
}

static void read_disk(DiskReading *disk) {
    ImageSize size;

    if (!disk->source || !disk->local || image_size(disk->source, disk->qcow2, &size) < 0)
        return;
    disk->has_file = true;
    disk->capacity = size.capacity;
    disk->allocation = size.allocation;
    disk->physical = size.physical;
}

/* A line of /proc/net/dev: "name: rx_bytes packets errs drop fifo frame compressed multicast
 * tx_bytes packets errs drop ...". What the host sends into a tap the guest receives; the end of a
 * macvtap counts as the guest does. */
static void read_nic(NicReading *nic, const char *text) {
    uint64_t *host_rx = nic->swapped ? nic->tx : nic->rx,
             *host_tx = nic->swapped ? nic->rx : nic->tx;
    const char *at = text;
    size_t len = nic->target ? strlen(nic->target) : 0;
    uint64_t values[12];

    while (len && (at = strstr(at, nic->target)) &&
           (at[len] != ':' || (at > text && at[-1] != ' ' && at[-1] != '\n')))
        at += len;
    if (!len || !at)
        return;
    at += len + 1;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        values[i] = strtoull(at, (char **)&at, 10);
    memcpy(host_rx, values, sizeof(nic->rx));
    memcpy(host_tx, values + 8, sizeof(nic->tx));
    nic->known = true;
}

static void read_files(DomainReading *reading, unsigned what, bool schedstats, const char *nets) {
    ProcStat stat;

    if (what & READ_CPU)
        reading->has_usage = limits_read_held(&reading->held, &reading->usage) >= 0;
    if (reading->active && (what & READ_CPU) && proc_stat(reading->pid, 0, &stat) >= 0) {
        reading->has_cpu = true;
        reading->user_ns = stat.utime_ns;
        reading->system_ns = stat.stime_ns;
    }
    if (what & READ_QUICK)
        reading->has_throttled = limits_read_throttled(&reading->held, NULL,
                                                       &reading->throttled_ns) >= 0;
    if (reading->active && (what & READ_QUICK))
        reading->has_time = proc_cpu_time(reading->pid, &reading->time_ns) >= 0;
    for (size_t i = 0; reading->active && i < reading->n_vcpus; i++)
        read_vcpu(reading, i, schedstats);
    if (reading->active && (what & READ_MEMORY))
        read_resident(reading);
    for (size_t i = 0; i < reading->n_disks; i++)
        read_disk(&reading->disks[i]);
    for (size_t i = 0; nets && reading->active && i < reading->n_nics; i++)
        read_nic(&reading->nics[i], nets);
}

typedef struct Files {
    DomainReading *readings;
    size_t n;
    unsigned what;
} Files;

static int read_batch(void *arg) {
    const Files *work = arg;
    bool schedstats = (work->what & READ_VCPUS) && has_schedstats();
    CLEANUP_FREE char *nets = NULL;

    if (work->what & READ_NET)
        file_read("/proc/net/dev", NET_DEV_MAX, &nets, NULL);
    for (size_t i = 0; i < work->n; i++)
        read_files(&work->readings[i], work->what, schedstats, nets);
    return 0;
}

/* In batches. Several workers take those that are the kernel's own files only: an image may be
 * where a read does not come back. */
static int read_all_files(DomainReading *readings, size_t n, unsigned what) {
    const size_t n_batches = (n + BATCH - 1) / BATCH;
    CLEANUP_FREE Files *batches = calloc(n_batches + 1, sizeof(Files));

    if (!batches)
        return -ENOMEM;
    for (size_t i = 0; i < n_batches; i++)
        batches[i] = (Files){readings + i * BATCH, MIN_OF(n - i * BATCH, (size_t)BATCH), what};
    if (!(what & READ_BLOCK))
        worker_run_each(read_batch, batches, sizeof(Files), n_batches);
    for (size_t i = 0; what & READ_BLOCK && i < n_batches; i++)
        worker_run(read_batch, &batches[i]);
    return 0;
}

/* ---- what the loop knows ---- */

static int copy_vcpus(DomainReading *reading, const DomainRun *run) {
    const DomainDef *def = run->live;
    size_t n = domain_def_online_vcpus(def);

    reading->vcpus = calloc(n + 1, sizeof(VcpuReading));
    reading->tids = calloc(n + 1, sizeof(pid_t));
    if (!reading->vcpus || !reading->tids)
        return -ENOMEM;
    for (unsigned id = 0; id < def->n_vcpus_max && reading->n_vcpus < n; id++) {
        if (!def->vcpus[id].online)
            continue;
        reading->tids[reading->n_vcpus] = vcpu_map_tid(&run->vcpus, id);
        reading->vcpus[reading->n_vcpus++].id = id;
    }
    return 0;
}

/* An empty drive counts as one. */
static size_t count_images(const DiskDef *disk, bool backing) {
    return backing ? MAX_OF(chain_length(disk), (size_t)1) : 1;
}

/* Place 0 is the disk's own. */
static int copy_image(DiskReading *to, const DiskDef *disk, size_t place, bool active) {
    const StorageSource *source = place == 0 ? &disk->source : chain_at(disk, place);
    const char *alias = active && place == 0 ? disk->info.alias : NULL;

    to->local = storage_is_local(source);
    to->qcow2 = source->format == DISK_FORMAT_QCOW2;
    to->index = active ? chain_index(disk, place) : 0;
    to->target = strdup(disk->target ? disk->target : "");
    to->source = source->path ? strdup(source->path) : NULL;
    to->alias = alias ? strdup(alias) : NULL;
    if (active && place == 0)
        device_disk_storage_node(disk, to->node);
    else if (active && source->node)
        device_storage_node(disk, source->node, to->node);
    return !to->target || (source->path && !to->source) || (alias && !to->alias) ? -ENOMEM : 0;
}

static int copy_disks(DomainReading *reading, const DomainDef *def, bool backing) {
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; i < def->n_disks; i++)
        n += count_images(&def->disks[i], backing);
    reading->disks = calloc(n + 1, sizeof(DiskReading));
    if (!reading->disks)
        return -ENOMEM;
    for (size_t i = 0; i < def->n_disks; i++) {
        const DiskDef *disk = &def->disks[i];

        for (size_t place = 0; r >= 0 && place < count_images(disk, backing); place++)
            r = copy_image(&reading->disks[reading->n_disks++], disk, place, reading->active);
    }
    return r;
}

static int copy_nics(DomainReading *reading, const DomainDef *def) {
    reading->nics = calloc(def->n_interfaces + 1, sizeof(NicReading));
    if (!reading->nics)
        return -ENOMEM;
    for (size_t i = 0; i < def->n_interfaces; i++) {
        const InterfaceDef *def_nic = &def->interfaces[i];
        NicReading *to = &reading->nics[reading->n_nics++];

        to->swapped = def_nic->type != INTERFACE_DIRECT;
        to->target = def_nic->target ? strdup(def_nic->target) : NULL;
        to->mac = strdup(def_nic->mac ? def_nic->mac : "");
        if (!to->mac || (def_nic->target && !to->target))
            return -ENOMEM;
    }
    return 0;
}

static int prepare(DomainReading *reading, unsigned what) {
    const DomainRun *run = reading->domain->run;
    int r = 0;

    reading->active = run && run->pid.pid > 0;
    if (reading->active) {
        reading->pid = run->pid.pid;
        reading->has_halt_poll = run->live->virt != DOMAIN_VIRT_KVM; /* which waits for nothing */
        reading->held = limits_hold(run->limits);
        if (what & READ_VCPUS)
            r = copy_vcpus(reading, run);
        reading->vcpu_quota = (what & READ_QUICK) && run->live->cputune.vcpu.quota > 0;
    }
    if (r >= 0 && (what & READ_BLOCK))
        r = copy_disks(reading, domain_def(reading->domain), what & READ_BACKING);
    if (r >= 0 && (what & READ_NET))
        r = copy_nics(reading, domain_def(reading->domain));
    return r;
}

/* ---- QEMU ---- */

static json_object *guest_stats_args(void) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    if (!args || json_add_string(args, "path", BALLOON_PATH) < 0 ||
        json_add_string(args, "property", "guest-stats") < 0)
        return NULL;
    return TAKE_PTR(args);
}

static void ask(DomainReading *reading, size_t which, const char *command, json_object *args) {
    if (monitor_send(reading->domain->run->monitor, command, args, &reading->replies[which]) < 0)
        reading->replies[which] = NULL;
}

/* Whether QEMU can say what KVM counts, and how long it polls. */
static bool has_kvm_stats(const DomainRun *run) {
    return run->live->virt == DOMAIN_VIRT_KVM && run->caps &&
           qemu_caps_has_command(run->caps, "query-stats");
}

static void ask_qemu(DomainReading *reading, unsigned what, bool nowait) {
    const DomainRun *run = reading->domain->run;

    if (!reading->active || !run->monitor || !monitor_is_open(run->monitor) ||
        now_usec() < run->silent_until || (nowait && reading->domain->jobs))
        return;
    if (what & READ_MEMORY) {
        ask(reading, ASK_BALLOON, "query-balloon", NULL);
        ask(reading, ASK_GUEST, "qom-get", guest_stats_args());
    }
    if ((what & READ_BLOCK) && reading->n_disks > 0) {
        ask(reading, ASK_BLOCKSTATS, "query-blockstats", NULL);
        ask(reading, ASK_BLOCK, "query-block", NULL);
        if (run->has_thresholds)
            ask(reading, ASK_NODES, "query-named-block-nodes",
                block_query_args("query-named-block-nodes"));
    }
    if ((what & READ_CPU) && has_kvm_stats(run))
        ask(reading, ASK_HALT_POLL, "query-stats", query_stats_halt_poll_args());
    if ((what & READ_KVM) && has_kvm_stats(run)) {
        ask(reading, ASK_KVM, "query-stats", query_stats_vm_args());
        if (!run->stats_schemas)
            ask(reading, ASK_SCHEMAS, "query-stats-schemas", query_stats_schemas_args());
    }
    if ((what & READ_DIRTY) && run->caps && qemu_caps_has_command(run->caps, "query-dirty-rate"))
        ask(reading, ASK_DIRTY, "query-dirty-rate", NULL);
    monitor_flush(run->monitor);
}

/* Of which kinds they are does not change while it runs. */
static int take_kvm(DomainReading *reading, json_object *stats, json_object *schemas) {
    DomainRun *run = reading->domain->run;

    if (!run || run->pid.pid != reading->pid)
        return 0;
    if (schemas && !run->stats_schemas)
        run->stats_schemas = json_object_get(schemas);
    return query_stats_vm(stats, run->stats_schemas, &reading->kvm);
}

static int take_answers(DomainReading *reading, uint64_t deadline) {
    json_object *values[ASK_MAX_] = {NULL};
    DomainRun *run;

    for (size_t i = 0; i < ASK_MAX_; i++) {
        int r = reading->replies[i] ? monitor_wait(reading->replies[i], deadline) : -ENOENT;

        if (r >= 0)
            values[i] = reading->replies[i]->value;
        run = reading->domain->run;
        if (r == -ETIMEDOUT && run && run->pid.pid == reading->pid)
            run->silent_until = deadline_in(SILENT_USEC);
    }
    balloon_parse(values[ASK_BALLOON], values[ASK_GUEST], &reading->memory);
    if (query_stats_halt_poll(values[ASK_HALT_POLL], &reading->halt_poll))
        reading->has_halt_poll = true;
    reading->has_dirty = query_stats_dirty_rate(values[ASK_DIRTY], &reading->dirty);
    if (take_kvm(reading, values[ASK_KVM], values[ASK_SCHEMAS]) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < reading->n_disks; i++)
        reading->disks[i].threshold = block_stats_threshold(values[ASK_NODES],
                                                            reading->disks[i].node);
    return block_stats_parse(values[ASK_BLOCKSTATS], values[ASK_BLOCK], &reading->blocks);
}

/* ---- all of it ---- */

/* All QEMUs are asked before any is waited for. */
static int ask_all(DomainReading *readings, size_t n, unsigned what, bool nowait) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < n; i++) {
        r = prepare(&readings[i], what);
        if (r >= 0)
            ask_qemu(&readings[i], what, nowait);
        if (i % BATCH == BATCH - 1)
            fiber_yield();
    }
    return r;
}

static int read_all(DomainReading *readings, size_t n, unsigned what, bool nowait) {
    uint64_t deadline = deadline_in(ANSWER_USEC);
    int r = ask_all(readings, n, what, nowait);

    if (r >= 0)
        r = read_all_files(readings, n, what);
    for (size_t i = 0; i < n; i++)
        limits_let_go(&readings[i].held);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = take_answers(&readings[i], deadline);
    return r;
}

int driver_read_stats(Domain *const *domains, size_t n, unsigned what, bool nowait,
                      DomainReading **ret, Error **reterr) {
    DomainReading *readings = calloc(n + 1, sizeof(DomainReading));
    int r = readings ? 0 : -ENOMEM;

    for (size_t i = 0; r >= 0 && i < n; i++)
        readings[i].domain = domain_ref(domains[i]);
    if (r >= 0)
        r = read_all(readings, n, what, nowait);
    if (r < 0) {
        if (readings)
            driver_readings_free(readings, n);
        return error_no_memory(reterr);
    }
    *ret = readings;
    return 0;
}

static void reading_done(DomainReading *reading) {
    for (size_t i = 0; i < ASK_MAX_; i++)
        monitor_reply_free(reading->replies[i]);
    for (size_t i = 0; i < reading->n_disks; i++) {
        free(reading->disks[i].target);
        free(reading->disks[i].source);
        free(reading->disks[i].alias);
    }
    for (size_t i = 0; i < reading->n_nics; i++) {
        free(reading->nics[i].target);
        free(reading->nics[i].mac);
    }
    free(reading->nics);
    free(reading->disks);
    free(reading->vcpus);
    free(reading->tids);
    block_stats_done(&reading->blocks);
    kvm_stats_done(&reading->kvm);
    limits_let_go(&reading->held);
    domain_unref(reading->domain);
}

void driver_readings_free(DomainReading *readings, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (readings[i].domain)
            reading_done(&readings[i]);
    free(readings);
}

const DiskReading *reading_find_disk(const DomainReading *reading, const char *path) {
    for (size_t i = 0; i < reading->n_disks; i++)
        if (streq(reading->disks[i].target, path) || streq_ptr(reading->disks[i].source, path))
            return &reading->disks[i];
    return NULL;
}

const NicReading *reading_find_nic(const DomainReading *reading, const char *device) {
    for (size_t i = 0; i < reading->n_nics; i++)
        if (streq_ptr(reading->nics[i].target, device) ||
            strcasecmp(reading->nics[i].mac, device) == 0)
            return &reading->nics[i];
    return NULL;
}
