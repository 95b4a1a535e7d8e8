/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vcpupin, emulatorpin: which host CPUs threads of a domain may run on. */
#include "pin.h"
#include "tables.h"

/* ---- vcpupin ---- */

static int print_vcpu_pins(Tool *tool, const remote_domain *dom, long long only, int n_cpus,
                           unsigned flags) {
    CLEANUP(vcpu_pins_done) remote_domain_get_vcpu_pin_info_ret pins = {0};
    CLEANUP_ERROR Error *error = NULL;
    size_t map_len = vcpu_map_len(n_cpus);
    int n = vcpu_get_count(tool, dom, VCPU_MAXIMUM | flags, &error);
    PinList list;

    if (n < 0)
        return tool_failed(error);
    if (only >= n)
        return tool_fail(NULL, "vcpu %lld is out of range of %s cpu count %d", only,
                         (flags & AFFECT_CONFIG) ||
                                 vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_ACTIVE, dom) != 1
                             ? "persistent"
                             : "live",
                         n);
    if (vcpu_get_pins(tool, dom, n, n_cpus, flags, &pins, &error) < 0)
        return tool_failed(error);
    pin_list_start(&list, tool, "VCPU", "vcpu", n_cpus);
    for (int id = 0; id < n; id++) {
        const uint8_t *map = vcpu_pin_of(&pins, (size_t)id, map_len);

        if (map && (only < 0 || only == id))
            pin_list_add(&list, (unsigned)id, map, map_len);
    }
    pin_list_print(&list);
    return 0;
}

static int show_vcpu_pins(Tool *tool, const Args *args, const remote_domain *dom, long long only,
                          int n_cpus, unsigned flags) {
    if (tool_exclusive(args, "live", "config") < 0)
        return -EINVAL;
    if ((flags & AFFECT_LIVE) && vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_ACTIVE, dom) == 0)
        return tool_fail(NULL, "cannot get vcpupin for offline domain");
    if ((flags & AFFECT_CONFIG) && vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_PERSISTENT, dom) == 0)
        return tool_fail(NULL, "cannot get vcpupin for transient domain");
    return print_vcpu_pins(tool, dom, only, n_cpus, flags);
}

static int pin_vcpu(Tool *tool, const Args *args, const remote_domain *dom, unsigned vcpu,
                    int n_cpus, unsigned flags) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *map = NULL;
    remote_domain_pin_vcpu_flags_args call = {.dom = *dom, .vcpu = vcpu, .flags = flags};
    remote_domain_pin_vcpu_args plain = {.dom = *dom, .vcpu = vcpu};
    int r;

    if (pin_read_cpulist(args, n_cpus, &map) < 0)
        return -EINVAL;
    call.cpumap.cpumap_val = plain.cpumap.cpumap_val = map;
    call.cpumap.cpumap_len = plain.cpumap.cpumap_len = (u_int)vcpu_map_len(n_cpus);
    /* Without any option the old call: the running domain. */
    if (flags == 0 && !args_has(args, "current"))
        r = CALL_VOID(tool, DOMAIN_PIN_VCPU, remote_domain_pin_vcpu_args, &plain, &error);
    else
        r = CALL_VOID(tool, DOMAIN_PIN_VCPU_FLAGS, remote_domain_pin_vcpu_flags_args, &call,
                      &error);
    return r < 0 ? tool_failed(error) : 0;
}

static int cmd_vcpupin(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    long long vcpu = -1;
    unsigned flags = 0;
    int n_cpus;

    if (tool_affect_flags(args, &flags) < 0)
        return -EINVAL;
    if (args_number(args, "vcpu", 0, UINT32_MAX, &vcpu) < 0)
        return tool_bad_number(args, "vcpu");
    if (args_has(args, "cpulist") && vcpu < 0)
        return tool_fail(NULL, "vcpupin: Missing vCPU number in pin mode.");
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    return args_has(args, "cpulist") ? pin_vcpu(tool, args, &dom, (unsigned)vcpu, n_cpus, flags)
                                     : show_vcpu_pins(tool, args, &dom, vcpu, n_cpus, flags);
}

/* ---- emulatorpin ---- */

static int show_emulator_pin(Tool *tool, const remote_domain *dom, int n_cpus, unsigned flags) {
    remote_domain_get_emulator_pin_info_args call = {
        .dom = *dom, .maplen = (int)vcpu_map_len(n_cpus), .flags = flags};
    remote_domain_get_emulator_pin_info_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    const uint8_t *map;

    if (CALL(tool, DOMAIN_GET_EMULATOR_PIN_INFO, remote_domain_get_emulator_pin_info_args, &call,
             remote_domain_get_emulator_pin_info_ret, &ret, &error) < 0)
        return tool_failed(error);
    map = (uint8_t *)ret.cpumaps.cpumaps_val;
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "affinity",
                               json_cpulist(map, ret.cpumaps.cpumaps_len, (size_t)n_cpus));
        tool_print_json(object);
    } else {
        CLEANUP_FREE char *affinity = format_cpulist(map, ret.cpumaps.cpumaps_len, (size_t)n_cpus);

        tool_say(tool, "emulator: CPU Affinity\n----------------------------------\n       *: ");
        printf("%s\n", affinity);
    }
    xdr_free((xdrproc_t)xdr_remote_domain_get_emulator_pin_info_ret, (char *)&ret);
    return 0;
}

static int cmd_emulatorpin(Tool *tool, const Args *args) {
    remote_domain_pin_emulator_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *map = NULL;
    unsigned flags = 0;
    int n_cpus;

    if (tool_affect_flags(args, &flags) < 0)
        return -EINVAL;
    if (!args_has(args, "cpulist") && tool_exclusive(args, "live", "config") < 0)
        return -EINVAL;
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0)
        return n_cpus;
    if (!args_has(args, "cpulist"))
        return show_emulator_pin(tool, &dom, n_cpus, flags);
    if (pin_read_cpulist(args, n_cpus, &map) < 0)
        return -EINVAL;
    call = (remote_domain_pin_emulator_args){
        .dom = dom,
        .cpumap = {.cpumap_val = map, .cpumap_len = (u_int)vcpu_map_len(n_cpus)},
        .flags = flags};
    if (CALL_VOID(tool, DOMAIN_PIN_EMULATOR, remote_domain_pin_emulator_args, &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

/* ---- tables ---- */

static const Option vcpupin_options[] = {
    OPTION_DOMAIN,
    {"vcpu", OPTION_NUMBER, false, "vcpu number"},
    {"cpulist", OPTION_STRING, false, "host cpu number(s) to set, or omit option to query"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option emulatorpin_options[] = {
    OPTION_DOMAIN,
    {"cpulist", OPTION_STRING, false, "host cpu number(s) to set, or omit option to query"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};

const Command commands_pin[] = {
    {.name = "emulatorpin",
     .help = "control or query domain emulator affinity",
     .description = "Pin domain emulator threads to host physical CPUs.",
     .options = emulatorpin_options,
     .json = true,
     .run = cmd_emulatorpin},
    {.name = "vcpupin",
     .help = "control or query domain vcpu affinity",
     .description = "Pin domain VCPUs to host physical CPUs.",
     .options = vcpupin_options,
     .json = true,
     .run = cmd_vcpupin},
    {0}};
