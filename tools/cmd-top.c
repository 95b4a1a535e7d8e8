/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* top: which domains and vCPUs use the host's CPUs, and how long they wait for them. */
#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tables.h"
#include "util/fiber.h"
#include "watch.h"

#define VCPUS_MAX 16384
#define CLEAR "\033[H\033[J"

/* Nanoseconds since the domain started. */
typedef struct Times {
    uint64_t run, wait, steal; /* running; waiting for I/O; ready, but without a host CPU */
} Times;

typedef struct VcpuLoad {
    unsigned number;
    bool online;
    int cpu; /* of the host; -1: not known */
    Times times;
} VcpuLoad;

typedef struct DomainLoad {
    remote_domain dom; /* borrowed from the sample's stats */
    uint64_t cpu_ns;   /* of all its threads */
    VcpuLoad *vcpus;
    size_t n_vcpus;
} DomainLoad;

typedef struct Sample {
    uint64_t at_usec;
    remote_connect_get_all_domain_stats_ret stats;
    DomainLoad *domains;
    size_t n_domains;
} Sample;

static void sample_done(Sample *sample) {
    for (size_t i = 0; i < sample->n_domains; i++)
        free(sample->domains[i].vcpus);
    free(sample->domains);
    xdr_free((xdrproc_t)xdr_remote_connect_get_all_domain_stats_ret, (char *)&sample->stats);
    *sample = (Sample){0};
}

/* ---- taking a sample ---- */

static uint64_t number_of(const remote_typed_param *param) {
    switch (param->value.type) {
    case PARAM_INT:
        return (uint64_t)MAX_OF(param->value.remote_param_value_u.i, 0);
    case PARAM_UINT:
        return param->value.remote_param_value_u.ui;
    case PARAM_ULLONG:
        return param->value.remote_param_value_u.ul;
    }
    return 0;
}

static VcpuLoad *find_vcpu(DomainLoad *load, unsigned number) {
    for (size_t i = 0; i < load->n_vcpus; i++)
        if (load->vcpus[i].number == number)
            return &load->vcpus[i];
    return NULL;
}

/* "vcpu.3.time" and its like. */
static void take_param(DomainLoad *load, const remote_typed_param *param) {
    unsigned number;
    char name[16];
    VcpuLoad *vcpu;

    if (streq(param->field, "cpu.time"))
        load->cpu_ns = number_of(param);
    if (sscanf(param->field, "vcpu.%u.%15s", &number, name) != 2 || number >= VCPUS_MAX)
        return;
    vcpu = find_vcpu(load, number);
    if (!vcpu) {
        load->vcpus = reallocarray(load->vcpus, load->n_vcpus + 1, sizeof(*load->vcpus));
        if (!load->vcpus)
            out_of_memory();
        vcpu = &load->vcpus[load->n_vcpus++];
        *vcpu = (VcpuLoad){.number = number, .cpu = -1};
    }
    if (streq(name, "state"))
        vcpu->online = number_of(param) != 0;
    else if (streq(name, "time"))
        vcpu->times.run = number_of(param);
    else if (streq(name, "wait"))
        vcpu->times.wait = number_of(param);
    else if (streq(name, "delay"))
        vcpu->times.steal = number_of(param);
}

/* On which host CPU each vCPU was seen last. */
static void take_cpus(Tool *tool, DomainLoad *load) {
    remote_domain_get_vcpus_args call = {.dom = load->dom, .maxinfo = (int)load->n_vcpus};
    remote_domain_get_vcpus_ret ret = {0};

    if (load->n_vcpus == 0 || CALL(tool, DOMAIN_GET_VCPUS, remote_domain_get_vcpus_args, &call,
                                   remote_domain_get_vcpus_ret, &ret, NULL) < 0)
        return;
    for (u_int i = 0; i < ret.info.info_len; i++) {
        VcpuLoad *vcpu = find_vcpu(load, ret.info.info_val[i].number);

        if (vcpu)
            vcpu->cpu = ret.info.info_val[i].cpu;
    }
    xdr_free((xdrproc_t)xdr_remote_domain_get_vcpus_ret, (char *)&ret);
}

static int take_sample(Tool *tool, const remote_domain *only, Sample *ret) {
    remote_connect_get_all_domain_stats_args call = {
        .stats = STATS_STATE | STATS_CPU_TOTAL | STATS_VCPU,
        .flags = LIST_ACTIVE | STATS_NOWAIT,
        .doms = {.doms_val = (remote_domain *)only, .doms_len = only ? 1 : 0}};
    CLEANUP_ERROR Error *error = NULL;

    ret->at_usec = now_usec();
    if (CALL(tool, CONNECT_GET_ALL_DOMAIN_STATS, remote_connect_get_all_domain_stats_args, &call,
             remote_connect_get_all_domain_stats_ret, &ret->stats, &error) < 0)
        return tool_failed(error);
    ret->domains = calloc(ret->stats.retStats.retStats_len + 1, sizeof(*ret->domains));
    if (!ret->domains)
        out_of_memory();
    for (u_int i = 0; i < ret->stats.retStats.retStats_len; i++) {
        const remote_domain_stats_record *record = &ret->stats.retStats.retStats_val[i];
        DomainLoad *load = &ret->domains[ret->n_domains++];

        load->dom = record->dom;
        for (u_int k = 0; k < record->params.params_len; k++)
            take_param(load, &record->params.params_val[k]);
        take_cpus(tool, load);
    }
    return 0;
}

/* ---- two samples compared ---- */

/* Percent of one host CPU. */
static double percent(uint64_t before, uint64_t after, uint64_t usec) {
    return after > before && usec ? (double)(after - before) / (double)usec / 10 : 0;
}

static DomainLoad *same_domain(const Sample *sample, const DomainLoad *load) {
    for (size_t i = 0; i < sample->n_domains; i++)
        if (sample->domains[i].dom.id == load->dom.id &&
            memcmp(sample->domains[i].dom.uuid, load->dom.uuid, sizeof(load->dom.uuid)) == 0)
            return &sample->domains[i];
    return NULL;
}

typedef struct Row {
    double run, wait, steal;
} Row;

static Row compare_times(const Times *before, const Times *after, uint64_t usec) {
    return (Row){percent(before->run, after->run, usec), percent(before->wait, after->wait, usec),
                 percent(before->steal, after->steal, usec)};
}

static void print_vcpu(const VcpuLoad *vcpu, const Row *row) {
    CLEANUP_FREE char *cpu = vcpu->cpu >= 0 ? text_format("%d", vcpu->cpu) : text_format("-");

    printf("  %-24u %7.1f %7.1f %7.1f %9s\n", vcpu->number, row->run, row->wait, row->steal, cpu);
}

static json_object *row_json(const Row *row) {
    json_object *object = json_object_new_object();

    json_object_object_add(object, "run_percent", json_object_new_double(row->run));
    json_object_object_add(object, "wait_percent", json_object_new_double(row->wait));
    json_object_object_add(object, "steal_percent", json_object_new_double(row->steal));
    return object;
}

/* One domain with its vCPUs; the lines that were printed. */
static size_t report_domain(const DomainLoad *before, const DomainLoad *now, uint64_t usec,
                            json_object *list, size_t room) {
    json_object *vcpus = json_object_new_array();
    Row total = {0};
    size_t lines = 1;

    for (size_t i = 0; i < now->n_vcpus; i++) {
        const VcpuLoad *old = find_vcpu((DomainLoad *)before, now->vcpus[i].number);
        Row row = old ? compare_times(&old->times, &now->vcpus[i].times, usec) : (Row){0};
        json_object *object = row_json(&row);

        total.wait += row.wait;
        total.steal += row.steal;
        json_object_object_add(object, "vcpu", json_object_new_int64(now->vcpus[i].number));
        json_object_object_add(object, "host_cpu",
                               now->vcpus[i].cpu < 0 ? NULL
                                                     : json_object_new_int(now->vcpus[i].cpu));
        json_object_array_add(vcpus, object);
    }
    total.run = percent(before->cpu_ns, now->cpu_ns, usec);
    if (list) {
        json_object *object = row_json(&total);

        json_object_object_add(object, "domain", json_object_new_string(now->dom.name));
        json_object_object_add(object, "vcpus", vcpus);
        json_object_array_add(list, object);
        return 0;
    }
    json_object_put(vcpus);
    printf("%-26s %7.1f %7.1f %7.1f\n", now->dom.name, total.run, total.wait, total.steal);
    for (size_t i = 0; i < now->n_vcpus && lines < room; i++, lines++) {
        const VcpuLoad *old = find_vcpu((DomainLoad *)before, now->vcpus[i].number);
        Row row = old ? compare_times(&old->times, &now->vcpus[i].times, usec) : (Row){0};

        print_vcpu(&now->vcpus[i], &row);
    }
    return lines;
}

static size_t screen_lines(void) {
    struct winsize size;

    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4
               ? size.ws_row - 1u
               : SIZE_MAX;
}

/* The busiest first. */
static const Sample *sort_before;
static uint64_t load_of(const DomainLoad *load) {
    const DomainLoad *old = same_domain(sort_before, load);

    return old && load->cpu_ns > old->cpu_ns ? load->cpu_ns - old->cpu_ns : 0;
}

static int compare_loads(const void *a, const void *b) {
    uint64_t x = load_of(a), y = load_of(b);

    return x > y ? -1 : x < y;
}

static void report(const Tool *tool, const Sample *before, Sample *now) {
    json_object *list = tool->json ? json_object_new_array() : NULL;
    uint64_t usec = now->at_usec - before->at_usec;
    size_t room = screen_lines();

    sort_before = before;
    qsort(now->domains, now->n_domains, sizeof(*now->domains), compare_loads);
    if (!list) {
        if (room != SIZE_MAX)
            fputs(CLEAR, stdout);
        printf("%-26s %7s %7s %7s %9s\n", "Domain, vCPU", "Run %", "Wait %", "Steal %", "Host CPU");
        room = room == SIZE_MAX ? room : room - 1;
    }
    for (size_t i = 0; i < now->n_domains && room > 0; i++) {
        const DomainLoad *old = same_domain(before, &now->domains[i]);

        if (old) {
            size_t lines = report_domain(old, &now->domains[i], usec, list, room);

            room -= MIN_OF(room, lines);
        }
    }
    if (list)
        watch_print_json(list);
    fflush(stdout);
}

static int cmd_top(Tool *tool, const Args *args) {
    bool endless = !args_has(args, "count") && isatty(STDOUT_FILENO);
    long long seconds = 2, count = 1;
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP(sample_done) Sample before = {0};
    const remote_domain *only = args_has(args, "domain") ? &dom : NULL;

    if (args_number(args, "interval", 1, 3600, &seconds) < 0)
        return tool_bad_number(args, "interval");
    if (args_number(args, "count", 1, INT32_MAX, &count) < 0)
        return tool_bad_number(args, "count");
    if ((only && tool_domain(tool, args, &dom) < 0) || take_sample(tool, only, &before) < 0)
        return -EIO;
    while (endless || count-- > 0) {
        Sample now = {0};

        if (watch_pause((int)seconds * 1000) < 0)
            return 0;
        if (take_sample(tool, only, &now) < 0) {
            sample_done(&now);
            return -EIO;
        }
        report(tool, &before, &now);
        sample_done(&before);
        before = now;
    }
    return 0;
}

/* ---- tables ---- */

static const Option top_options[] = {
    {"domain", OPTION_STRING, false, "only this domain", .value = VALUE_DOMAIN},
    {"interval", OPTION_NUMBER, false, "seconds between two looks (2)", .named = true},
    {"count", OPTION_NUMBER, false,
     "how many times to show it; without: until Ctrl-C on a terminal, else once", .named = true},
    OPTION_END};

const Command commands_top[] = {
    {.name = "top",
     .help = "which domains and vCPUs use the host's CPUs",
     .description =
         "Shows each domain and its vCPUs in percent of one host CPU: how long they ran, waited\n"
         "    for I/O, and were ready but had no host CPU (steal); and on which host CPU they "
         "are.\n"
         "    With --json, one line for each look.",
     .options = top_options,
     .json = true,
     .run = cmd_top},
    {0}};
