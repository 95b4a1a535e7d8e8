/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks and interfaces: counters, sizes, errors. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "daemon.h"
#include "driver/measure.h"
#include "driver/stats.h"
#include "params.h"
#include "util/worker.h"

/* Reads one domain's disks; the caller frees with driver_readings_free(*ret, 1). */
static int read_disks(Domain *domain, bool must_run, DomainReading **ret, Error **reterr) {
    int r = must_run ? domain_check_active(domain, reterr) : 0;

    return r < 0 ? r : driver_read_stats(&domain, 1, READ_BLOCK, false, ret, reterr);
}

static void add(BlockStats *to, const BlockStats *stats) {
    to->rd_reqs += stats->rd_reqs;
    to->rd_bytes += stats->rd_bytes;
    to->rd_ns += stats->rd_ns;
    to->wr_reqs += stats->wr_reqs;
    to->wr_bytes += stats->wr_bytes;
    to->wr_ns += stats->wr_ns;
    to->fl_reqs += stats->fl_reqs;
    to->fl_ns += stats->fl_ns;
    to->errors += stats->errors;
}

static int no_disk(const char *path, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "invalid path: %.200s", path);
}

/* The counters of the disk a client means; of all together when it names none. */
static int find_counters(const DomainReading *reading, const char *path, BlockStats *ret,
                         Error **reterr) {
    const DiskReading *disk = reading_find_disk(reading, path);
    const BlockStats *stats = disk ? block_stats_find(&reading->blocks, disk->alias) : NULL;

    if (!*path) {
        for (size_t i = 0; i < reading->blocks.n; i++)
            add(ret, &reading->blocks.list[i]);
        return 0;
    }
    if (!disk)
        return no_disk(path, reterr);
    if (!stats)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "QEMU says nothing of the disk '%s'; it may not answer", disk->target);
    *ret = *stats;
    return 0;
}

static int read_counters(Domain *domain, const char *path, BlockStats *ret, Error **reterr) {
    DomainReading *reading = NULL;
    int r = read_disks(domain, true, &reading, reterr);

    if (r < 0)
        return r;
    r = find_counters(reading, path, ret, reterr);
    driver_readings_free(reading, 1);
    return r;
}

DOMAIN_FUNC(block_stats, remote_domain_block_stats_args, remote_domain_block_stats_ret) {
    BlockStats stats = {0};
    int r = read_counters(domain, args->path, &stats, reterr);

    if (r < 0)
        return r;
    ret->rd_req = (int64_t)stats.rd_reqs;
    ret->rd_bytes = (int64_t)stats.rd_bytes;
    ret->wr_req = (int64_t)stats.wr_reqs;
    ret->wr_bytes = (int64_t)stats.wr_bytes;
    ret->errs = -1; /* libvirt's QEMU driver does not say */
    return 0;
}

DOMAIN_FUNC(block_stats_flags, remote_domain_block_stats_flags_args,
            remote_domain_block_stats_flags_ret) {
    CLEANUP_PARAMS Params params = {0};
    BlockStats stats = {0};
    int r = read_counters(domain, args->path, &stats, reterr);
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {{"wr_bytes", stats.wr_bytes},        {"wr_operations", stats.wr_reqs},
                    {"rd_bytes", stats.rd_bytes},        {"rd_operations", stats.rd_reqs},
                    {"flush_operations", stats.fl_reqs}, {"wr_total_times", stats.wr_ns},
                    {"rd_total_times", stats.rd_ns},     {"flush_total_times", stats.fl_ns}};

    if (r < 0)
        return r;
    if (args->nparams < 0 || args->nparams > REMOTE_FEW_PARAMS_MAX)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "nparams too large");
    if (args->nparams == 0) {
        ret->nparams = ARRAY_SIZE(counters);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(counters) && i < (size_t)args->nparams; i++)
        params_add_llong(&params, counters[i].name, (int64_t)counters[i].value);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

DOMAIN_FUNC(get_block_info, remote_domain_get_block_info_args, remote_domain_get_block_info_ret) {
    DomainReading *reading = NULL;
    const DiskReading *disk;
    const BlockStats *stats;
    int r = read_disks(domain, false, &reading, reterr);

    if (r < 0)
        return r;
    disk = reading_find_disk(reading, args->path);
    stats = disk ? block_stats_find(&reading->blocks, disk->alias) : NULL;
    if (!disk || !*args->path)
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                         "invalid path %.200s not assigned to domain", args->path);
    else if (!disk->source)
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                         "disk '%s' does not currently have a source assigned", disk->target);
    else if (!disk->has_file)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED, "cannot read the size of '%s'",
                         disk->source);
    if (r >= 0)
        *ret = (remote_domain_get_block_info_ret){
            .allocation = disk->allocation,
            .capacity = stats && stats->has_sizes ? stats->capacity : disk->capacity,
            .physical = disk->physical};
    driver_readings_free(reading, 1);
    return r;
}

static int fill_errors(const DomainReading *reading, unsigned max,
                       remote_domain_get_disk_errors_ret *ret, Error **reterr) {
    ret->errors.errors_val = calloc(max + 1, sizeof(remote_domain_disk_error));
    if (!ret->errors.errors_val)
        return error_no_memory(reterr);
    for (size_t i = 0; i < reading->n_disks && ret->errors.errors_len < max; i++) {
        const BlockStats *stats = block_stats_find(&reading->blocks, reading->disks[i].alias);
        remote_domain_disk_error *to = &ret->errors.errors_val[ret->errors.errors_len];

        if (!stats || stats->error == BLOCK_ERROR_NONE)
            continue;
        if (dispatch_string(&to->disk, reading->disks[i].target, reterr) < 0)
            return -ENOMEM;
        to->error = (int)stats->error;
        ret->errors.errors_len++;
    }
    ret->nerrors = (int)ret->errors.errors_len;
    return 0;
}

/* maxerrors 0 asks how many disks there are. */
DOMAIN_FUNC(get_disk_errors, remote_domain_get_disk_errors_args,
            remote_domain_get_disk_errors_ret) {
    enum { ERRORS_MAX = 256 };
    DomainReading *reading = NULL;
    int r = 0;

    if (args->maxerrors > ERRORS_MAX)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "maxerrors too large");
    r = read_disks(domain, true, &reading, reterr);
    if (r < 0)
        return r;
    if (args->maxerrors == 0)
        ret->nerrors = (int)reading->n_disks;
    else
        r = fill_errors(reading, args->maxerrors, ret, reterr);
    driver_readings_free(reading, 1);
    return r;
}

DOMAIN_FUNC(interface_stats, remote_domain_interface_stats_args,
            remote_domain_interface_stats_ret) {
    DomainReading *reading = NULL;
    const NicReading *nic;
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = driver_read_stats(&domain, 1, READ_NET, false, &reading, reterr);
    if (r < 0)
        return r;
    nic = reading_find_nic(reading, args->device);
    if (!nic)
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                         "invalid path, '%.200s' is not a known interface", args->device);
    else if (!nic->known)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "the interface '%.200s' has no counters on this host", args->device);
    else
        *ret = (remote_domain_interface_stats_ret){.rx_bytes = (int64_t)nic->rx[0],
                                                   .rx_packets = (int64_t)nic->rx[1],
                                                   .rx_errs = (int64_t)nic->rx[2],
                                                   .rx_drop = (int64_t)nic->rx[3],
                                                   .tx_bytes = (int64_t)nic->tx[0],
                                                   .tx_packets = (int64_t)nic->tx[1],
                                                   .tx_errs = (int64_t)nic->tx[2],
                                                   .tx_drop = (int64_t)nic->tx[3]};
    driver_readings_free(reading, 1);
    return r;
}

/* ---- peek ---- */

#define PEEK_MAX 4194304u /* the protocol's */

typedef struct Peek {
    const char *path;
    uint64_t offset;
    size_t size;
    char *bytes;
} Peek;

/* A link that somebody else than root has put there is not followed. Nothing is waited for. */
static int open_peeked(const char *path) {
    struct stat st;
    int fd;

    if (lstat(path, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode) && st.st_uid != 0)
        return -ELOOP;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (S_ISLNK(st.st_mode) ? 0 : O_NOFOLLOW));
    return fd < 0 ? -errno : fd;
}

/* All of it or nothing. */
static int run_peek(void *arg) {
    Peek *peek = arg;
    CLEANUP_CLOSE int fd = open_peeked(peek->path);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = pread(fd, peek->bytes, peek->size, (off_t)peek->offset);
    if (n < 0)
        return -errno;
    return (size_t)n == peek->size ? 0 : -ENODATA;
}

/* The bytes of such a file are not the disk's. */
static int refuse_peek(const DiskDef *disk, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "peeking is only supported for disk with 'raw' format not '%s'",
                        words_name(&disk_formats, disk->source.format));
}

/* The file of the disk that the client names by its target or path; a copy. */
static int find_file(Domain *domain, const char *name, char **ret, Error **reterr) {
    const DomainDef *def = domain_def(domain);

    for (size_t i = 0; i < def->n_disks; i++) {
        const DiskDef *disk = &def->disks[i];
        const char *path = disk->source.path;

        if (path && (streq(path, name) || streq_ptr(disk->target, name)) &&
            storage_is_local(&disk->source)) {
            if (disk->source.format > DISK_FORMAT_RAW)
                return refuse_peek(disk, reterr);
            *ret = strdup(path);
            return *ret ? 0 : error_no_memory(reterr);
        }
    }
    return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "invalid disk or path '%.200s'",
                        name);
}

DOMAIN_FUNC(block_peek, remote_domain_block_peek_args, remote_domain_block_peek_ret) {
    CLEANUP_FREE char *path = NULL;
    Peek peek = {.offset = args->offset, .size = args->size};
    int r;

    if (args->size > PEEK_MAX || args->offset > INT64_MAX)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "no more than %u bytes are read of a disk at once", PEEK_MAX);
    r = find_file(domain, args->path, &path, reterr);
    if (r < 0)
        return r;
    peek.path = path;
    peek.bytes = ret->buffer.buffer_val = malloc(args->size + 1u);
    if (!peek.bytes)
        return error_no_memory(reterr);
    r = worker_run(run_peek, &peek);
    if (r == -ENODATA)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "'%s' ends before byte %" PRIu64 " + %u", path, args->offset,
                            args->size);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot read '%s'", path);
    ret->buffer.buffer_len = args->size;
    return 0;
}

DOMAIN_FUNC(set_threshold, remote_domain_set_block_threshold_args, void) {
    return driver_set_threshold(domain, args->dev, args->threshold, reterr);
}

const RpcProc block_procs[] = {
    PLAIN_ROW(DOMAIN_BLOCK_STATS, "DomainBlockStats", 0, block_stats,
              remote_domain_block_stats_args, XDR_OF(remote_domain_block_stats_ret)),
    FLAGS_ROW(DOMAIN_BLOCK_STATS_FLAGS, "DomainBlockStatsFlags", 0, block_stats_flags,
              TYPED_PARAM_STRING_OKAY, remote_domain_block_stats_flags_args,
              XDR_OF(remote_domain_block_stats_flags_ret)),
    PLAIN_ROW(DOMAIN_INTERFACE_STATS, "DomainInterfaceStats", 0, interface_stats,
              remote_domain_interface_stats_args, XDR_OF(remote_domain_interface_stats_ret)),
    FLAGS_ROW(DOMAIN_GET_BLOCK_INFO, "DomainGetBlockInfo", 0, get_block_info, 0,
              remote_domain_get_block_info_args, XDR_OF(remote_domain_get_block_info_ret)),
    FLAGS_ROW(DOMAIN_GET_DISK_ERRORS, "DomainGetDiskErrors", 0, get_disk_errors, 0,
              remote_domain_get_disk_errors_args, XDR_OF(remote_domain_get_disk_errors_ret)),
    FLAGS_ROW(DOMAIN_BLOCK_PEEK, "DomainBlockPeek", RPC_PROC_WRITE | RPC_PROC_HEAVY, block_peek, 0,
              remote_domain_block_peek_args, XDR_OF(remote_domain_block_peek_ret)),
    FLAGS_ROW(DOMAIN_SET_BLOCK_THRESHOLD, "DomainSetBlockThreshold", RPC_PROC_WRITE, set_threshold,
              0, remote_domain_set_block_threshold_args, NO_XDR),
};
const size_t block_n_procs = ARRAY_SIZE(block_procs);
