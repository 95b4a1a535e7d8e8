/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU calls: counts, single vCPUs, what each thread does and may run on. */
#include <sched.h>

#include "access.h"
#include "daemon.h"
#include "params.h"
#include "util/proc.h"
#include "util/worker.h"

DOMAIN_FUNC(set_vcpus, remote_domain_set_vcpus_args, void) {
    VcpuRequest request = {.count = args->nvcpus, .flags = AFFECT_LIVE};

    return driver_change_vcpus(domain, &request, NULL, reterr);
}

/* What the API's own layer refuses before a driver sees it. */
static int check_set_flags(unsigned flags, Error **reterr) {
    static const char api[] = "virDomainSetVcpusFlags";

    if ((flags & VCPU_GUEST) && (flags & AFFECT_CONFIG))
        return error_argument(
            reterr, api, "ctl",
            "Flags 'VIR_DOMAIN_AFFECT_CONFIG' and 'VIR_DOMAIN_VCPU_GUEST' are mutually "
            "exclusive");
    if ((flags & VCPU_GUEST) && (flags & VCPU_MAXIMUM))
        return error_argument(
            reterr, api, "ctl",
            "Flags 'VIR_DOMAIN_VCPU_MAXIMUM' and 'VIR_DOMAIN_VCPU_GUEST' are mutually "
            "exclusive");
    if ((flags & VCPU_GUEST) && (flags & VCPU_HOTPLUGGABLE))
        return error_argument(
            reterr, api, "ctl",
            "Flags 'VIR_DOMAIN_VCPU_HOTPLUGGABLE' and 'VIR_DOMAIN_VCPU_GUEST' are "
            "mutually exclusive");
    if ((flags & VCPU_MAXIMUM) && !(flags & AFFECT_CONFIG))
        return error_argument(reterr, api, "ctl",
                              "Flag 'VIR_DOMAIN_AFFECT_CONFIG' is required by flag "
                              "'VIR_DOMAIN_VCPU_MAXIMUM'");
    return 0;
}

DOMAIN_FUNC(set_vcpus_flags, remote_domain_set_vcpus_flags_args, void) {
    VcpuRequest request = {.count = args->nvcpus,
                           .flags = args->flags & ~(unsigned)VCPU_ASYNC_UNPLUG,
                           .async = args->flags & VCPU_ASYNC_UNPLUG};
    int r = check_set_flags(args->flags, reterr);

    if (r >= 0 && request.async && (args->flags & VCPU_GUEST))
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "the guest agent takes CPUs offline at once, not asynchronously");
    return r < 0 ? r : driver_change_vcpus(domain, &request, NULL, reterr);
}

static int get_count(Domain *domain, unsigned flags, remote_int_ret *ret, Error **reterr) {
    int r = driver_get_vcpus(domain, flags, reterr);

    ret->value = MAX_OF(r, 0);
    return MIN_OF(r, 0);
}

DOMAIN_FUNC(get_vcpus_flags, remote_domain_flags_args, remote_int_ret) {
    return get_count(domain, args->flags, ret, reterr);
}

/* The agent is not asked for a client that may only read: libvirt's rule. */
HANDLER(get_vcpus_flags_of) {
    const remote_domain_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = 0;

    if ((args->flags & VCPU_GUEST) && rpc_session_readonly(session))
        return error_report(reterr, FROM_DOMAIN, ERROR_OPERATION_DENIED,
                            "read only access prevents %s from asking the guest agent",
                            call->proc->api);
    if (args->flags & VCPU_GUEST)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r >= 0 && domain)
        r = access_check(client_of(session), ACCESS_AGENT, domain, reterr);
    return r < 0 ? r : dispatch_domain_call(session, call, args_, ret_, reterr);
}

DOMAIN_FUNC(get_max_vcpus, void, remote_int_ret) {
    return get_count(domain, AFFECT_LIVE | VCPU_MAXIMUM, ret, reterr);
}

static int check_state(int state, const char *api, Error **reterr) {
    return state == 0 || state == 1
               ? 0
               : error_argument(reterr, api, "state", "unsupported state value");
}

DOMAIN_FUNC(set_vcpu, remote_domain_set_vcpu_args, void) {
    VcpuRequest request = {.single = true,
                           .ids = args->cpumap,
                           .enable = args->state,
                           .flags = args->flags & ~(unsigned)SETVCPU_ASYNC_UNPLUG,
                           .async = args->flags & SETVCPU_ASYNC_UNPLUG};
    int r = check_state(args->state, "virDomainSetVcpu", reterr);

    return r < 0 ? r : driver_change_vcpus(domain, &request, NULL, reterr);
}

/* ---- the guest's own CPUs ---- */

static void add_list(Params *params, const char *name, const Bitmap *map) {
    CLEANUP_FREE char *text = bitmap_format(map);

    if (text)
        params_add_string(params, name, text);
    else
        params->failed = true;
}

DOMAIN_FUNC(get_guest_vcpus, void, remote_domain_get_guest_vcpus_ret) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    CLEANUP_BITMAP Bitmap *all = NULL, *online = NULL, *offlinable = NULL;
    Params params = {0};
    int r = driver_agent_vcpus(domain, &vcpus, reterr);

    if (r < 0)
        return r;
    if (agent_vcpus_sets(&vcpus, &all, &online, &offlinable) < 0)
        return error_no_memory(reterr);
    add_list(&params, "vcpus", all);
    add_list(&params, "online", online);
    add_list(&params, "offlinable", offlinable);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

DOMAIN_FUNC(set_guest_vcpus, remote_domain_set_guest_vcpus_args, void) {
    int r = check_state(args->state, "virDomainSetGuestVcpus", reterr);

    return r < 0 ? r : driver_agent_set_vcpus(domain, args->cpumap, args->state, reterr);
}

/* ---- vcpuinfo ---- */

/* Limits of an n x maplen table of CPU maps. */
static int check_maps(const char *api, const char *what, int n, int maplen, Error **reterr) {
    if (n <= 0)
        return error_argument(reterr, api, what, "%s in %s must be greater than zero", what, api);
    if (maplen < 0)
        return error_argument(reterr, api, "maplen", "maplen in %s must not be negative", api);
    if (n > REMOTE_VCPUINFO_MAX)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "%s > REMOTE_VCPUINFO_MAX", what);
    if ((uint64_t)n * (uint64_t)maplen > REMOTE_CPUMAPS_MAX)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "maxinfo > REMOTE_CPUMAPS_MAX");
    return 0;
}

/* The mask the kernel really applies, as the wire wants it; all host CPUs when it cannot be read.
 */
static void read_affinity(pid_t tid, const Bitmap *all, uint8_t *bytes, size_t len) {
    size_t size = CPU_ALLOC_SIZE(DOMAIN_MAX_VCPUS);
    CLEANUP_FREE cpu_set_t *set = calloc(1, size);

    if (!set || sched_getaffinity(tid, size, set) < 0) {
        bitmap_to_bytes(all, bytes, len);
        return;
    }
    for (size_t cpu = 0; cpu < len * 8 && cpu < DOMAIN_MAX_VCPUS; cpu++)
        if (CPU_ISSET_S(cpu, size, set))
            bytes[cpu / 8] |= 1u << cpu % 8;
}

/* What a worker looks up in /proc for all of them at once. */
typedef struct Lookup {
    pid_t pid, *tids;
    const Bitmap *all;
    remote_domain_get_vcpus_ret *ret;
    size_t map_len;
} Lookup;

static int run_lookup(void *arg) {
    const Lookup *lookup = arg;

    for (unsigned i = 0; i < lookup->ret->info.info_len; i++) {
        remote_vcpu_info *info = &lookup->ret->info.info_val[i];
        pid_t tid = lookup->tids[i];
        ProcStat stat;

        if (tid && proc_stat(lookup->pid, tid, &stat) >= 0) {
            info->cpu_time = stat.utime_ns + stat.stime_ns;
            info->cpu = stat.cpu;
        }
        read_affinity(tid ? tid : lookup->pid, lookup->all,
                      (uint8_t *)lookup->ret->cpumaps.cpumaps_val + i * lookup->map_len,
                      lookup->map_len);
    }
    return 0;
}

static void list_vcpus(const DomainRun *run, unsigned max, Lookup *lookup) {
    remote_domain_get_vcpus_ret *ret = lookup->ret;

    for (unsigned id = 0; id < run->live->n_vcpus_max && ret->info.info_len < max; id++) {
        if (!run->live->vcpus[id].online)
            continue;
        lookup->tids[ret->info.info_len] = vcpu_map_tid(&run->vcpus, id);
        /* state: VIR_VCPU_RUNNING, for it is online */
        ret->info.info_val[ret->info.info_len++] = (remote_vcpu_info){
            .number = id, .state = 1, .cpu = -1};
    }
}

DOMAIN_FUNC(get_vcpus, remote_domain_get_vcpus_args, remote_domain_get_vcpus_ret) {
    CLEANUP_BITMAP Bitmap *all = bitmap_new_range(dispatch_host_cpus());
    CLEANUP_FREE pid_t *tids = NULL;
    Lookup lookup = {.all = all, .ret = ret, .map_len = (size_t)args->maplen};
    int r = check_maps("virDomainGetVcpus", "maxinfo", args->maxinfo, args->maplen, reterr);

    if (r < 0)
        return r;
    if (!domain_is_active(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot retrieve vcpu information for inactive domain");
    lookup.tids = tids = calloc((size_t)args->maxinfo + 1, sizeof(pid_t));
    ret->info.info_val = calloc(args->maxinfo, sizeof(remote_vcpu_info));
    ret->cpumaps.cpumaps_len = args->maxinfo * args->maplen;
    ret->cpumaps.cpumaps_val = calloc(1, ret->cpumaps.cpumaps_len + 1);
    if (!tids || !ret->info.info_val || !ret->cpumaps.cpumaps_val || !all)
        return error_no_memory(reterr);
    lookup.pid = domain->run->pid.pid;
    list_vcpus(domain->run, (unsigned)args->maxinfo, &lookup);
    return worker_run(run_lookup, &lookup);
}

const RpcProc vcpu_procs[] = {
    PLAIN_ROW(DOMAIN_GET_MAX_VCPUS, "DomainGetMaxVcpus", 0, get_max_vcpus, remote_domain_args,
              XDR_OF(remote_int_ret)),
    PLAIN_ROW(DOMAIN_GET_VCPUS, "DomainGetVcpus", 0, get_vcpus, remote_domain_get_vcpus_args,
              XDR_OF(remote_domain_get_vcpus_ret)),
    PLAIN_ROW(DOMAIN_SET_VCPUS, "DomainSetVcpus", RPC_PROC_WRITE, set_vcpus,
              remote_domain_set_vcpus_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SET_VCPUS_FLAGS, "DomainSetVcpusFlags", RPC_PROC_WRITE, set_vcpus_flags,
              AFFECT_LIVE | AFFECT_CONFIG | VCPU_MAXIMUM | VCPU_GUEST | VCPU_HOTPLUGGABLE |
                  VCPU_ASYNC_UNPLUG,
              remote_domain_set_vcpus_flags_args, NO_XDR),
    {REMOTE_PROC_DOMAIN_GET_VCPUS_FLAGS, "virDomainGetVcpusFlags", RPC_PROC_ON_DOMAIN,
     get_vcpus_flags_of, XDR_OF(remote_domain_flags_args), XDR_OF(remote_int_ret),
     CALL_FLAGS(get_vcpus_flags, AFFECT_LIVE | AFFECT_CONFIG | VCPU_MAXIMUM | VCPU_GUEST, true,
                remote_domain_flags_args)},
    FLAGS_ROW(DOMAIN_SET_VCPU, "DomainSetVcpu", RPC_PROC_WRITE, set_vcpu,
              AFFECT_LIVE | AFFECT_CONFIG | SETVCPU_ASYNC_UNPLUG, remote_domain_set_vcpu_args,
              NO_XDR),
    FLAGS_ROW(DOMAIN_GET_GUEST_VCPUS, "DomainGetGuestVcpus", RPC_PROC_WRITE, get_guest_vcpus, 0,
              remote_domain_flags_args, XDR_OF(remote_domain_get_guest_vcpus_ret)),
    FLAGS_ROW(DOMAIN_SET_GUEST_VCPUS, "DomainSetGuestVcpus", RPC_PROC_WRITE, set_guest_vcpus, 0,
              remote_domain_set_guest_vcpus_args, NO_XDR),
};
const size_t vcpu_n_procs = ARRAY_SIZE(vcpu_procs);
