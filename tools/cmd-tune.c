/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tuning: the table of its commands, and reconcile. */
#include "cmd-tune.h"

/* ---- reconcile ---- */

static void print_mended(const Tool *tool, const vireo_reconcile_ret *ret) {
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "differences", json_object_new_int64(ret->differences));
        json_object_object_add(object, "mended", json_lines(ret->text));
        json_object_object_add(object, "total", json_object_new_uint64(ret->total));
        tool_print_json(object);
        return;
    }
    fputs(ret->text, stdout);
    if (ret->differences)
        tool_say(tool, "%u %s mended\n", ret->differences,
                 ret->differences == 1 ? "difference" : "differences");
    else
        tool_say(tool, "Nothing to mend\n");
}

static int cmd_reconcile(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_args call;
    vireo_reconcile_ret ret = {0};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (rpc_client_call(tool->client, VIREO_PROGRAM, VIREO_PROC_RECONCILE,
                        (xdrproc_t)xdr_remote_domain_args, &call,
                        (xdrproc_t)xdr_vireo_reconcile_ret, &ret, -1, &error) < 0)
        return tool_fail(error, "Failed to reconcile domain '%s'", dom.name);
    print_mended(tool, &ret);
    xdr_free((xdrproc_t)xdr_vireo_reconcile_ret, (char *)&ret);
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
static const Option iothreadinfo_options[] = {OPTION_DOMAIN, OPTION_CONFIG, OPTION_LIVE,
                                              OPTION_CURRENT, OPTION_END};
static const Option iothreadpin_options[] = {
    OPTION_DOMAIN,
    {"iothread", OPTION_NUMBER, true, "IOThread ID number"},
    {"cpulist", OPTION_STRING, true, "host cpu number(s) to set"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option iothreadadd_options[] = {
    OPTION_DOMAIN,  {"id", OPTION_NUMBER, true, "iothread for the new IOThread"},
    OPTION_CONFIG,  OPTION_LIVE,
    OPTION_CURRENT, OPTION_END};
static const Option iothreaddel_options[] = {
    OPTION_DOMAIN,  {"id", OPTION_NUMBER, true, "iothread_id for the IOThread to delete"},
    OPTION_CONFIG,  OPTION_LIVE,
    OPTION_CURRENT, OPTION_END};
static const Option iothreadset_options[] = {
    OPTION_DOMAIN,
    {"id", OPTION_NUMBER, true, "iothread id of existing IOThread"},
    {"poll-max-ns", OPTION_NUMBER, false, "set the maximum IOThread polling time in ns"},
    {"poll-grow", OPTION_NUMBER, false, "set the value to increase the IOThread polling time"},
    {"poll-shrink", OPTION_NUMBER, false,
     "set the value for reduction of the IOThread polling time"},
    {"thread-pool-min", OPTION_NUMBER, false, "lower boundary for worker thread pool"},
    {"thread-pool-max", OPTION_NUMBER, false, "upper boundary for worker thread pool"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option numatune_options[] = {
    OPTION_DOMAIN,
    {"mode", OPTION_STRING, false,
     "NUMA mode: strict, preferred, interleave, restrictive, or its number"},
    {"nodeset", OPTION_STRING, false, "NUMA node selections to set"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option cpu_stats_options[] = {
    OPTION_DOMAIN,
    {"total", OPTION_FLAG, false, "Show total statistics only"},
    {"start", OPTION_NUMBER, false, "Show statistics from this CPU"},
    {"count", OPTION_NUMBER, false, "Number of shown CPUs at most"},
    OPTION_END};
static const Option reconcile_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option schedinfo_options[] = {
    OPTION_DOMAIN,
    OPTION_CURRENT,
    {"config", OPTION_FLAG, false, "get/set value to be used on next boot"},
    {"live", OPTION_FLAG, false, "get/set value from running domain"},
    {"set", OPTION_REST, false, "parameter=value"},
    OPTION_END};

static const Command commands[] = {
    {.name = "cpu-stats",
     .help = "show domain cpu statistics",
     .description = "Display per-CPU and total statistics about the domain's CPUs",
     .options = cpu_stats_options,
     .json = true,
     .run = cmd_cpu_stats},
    {.name = "emulatorpin",
     .help = "control or query domain emulator affinity",
     .description = "Pin domain emulator threads to host physical CPUs.",
     .options = emulatorpin_options,
     .json = true,
     .run = cmd_emulatorpin},
    {.name = "iothreadadd",
     .help = "add an IOThread to the guest domain",
     .description = "Add an IOThread to the guest domain.",
     .options = iothreadadd_options,
     .run = cmd_iothreadadd},
    {.name = "iothreaddel",
     .help = "delete an IOThread from the guest domain",
     .description = "Delete an IOThread from the guest domain.",
     .options = iothreaddel_options,
     .run = cmd_iothreaddel},
    {.name = "iothreadinfo",
     .help = "view domain IOThreads",
     .description = "Returns basic information about the domain IOThreads.",
     .options = iothreadinfo_options,
     .json = true,
     .run = cmd_iothreadinfo},
    {.name = "iothreadpin",
     .help = "control domain IOThread affinity",
     .description = "Pin domain IOThreads to host physical CPUs.",
     .options = iothreadpin_options,
     .run = cmd_iothreadpin},
    {.name = "iothreadset",
     .help = "modifies an existing IOThread of the guest domain",
     .description = "Modifies an existing IOThread of the guest domain.",
     .options = iothreadset_options,
     .run = cmd_iothreadset},
    {.name = "numatune",
     .help = "Get or set numa parameters",
     .description = "Get or set the current numa parameters for a guest domain.",
     .options = numatune_options,
     .json = true,
     .run = cmd_numatune},
    {.name = "reconcile",
     .help = "mend limits that somebody else changed",
     .description =
         "Compares what the kernel has for the domain's threads (CPUs, cgroups, scheduler) with "
         "what the\n"
         "domain says, mends each difference, and prints it. 'event --event drift' waits for such.",
     .options = reconcile_options,
     .json = true,
     .run = cmd_reconcile},
    {.name = "schedinfo",
     .help = "show/set scheduler parameters",
     .description = "Show/Set scheduler parameters.",
     .options = schedinfo_options,
     .json = true,
     .run = cmd_schedinfo},
    {.name = "vcpupin",
     .help = "control or query domain vcpu affinity",
     .description = "Pin domain VCPUs to host physical CPUs.",
     .options = vcpupin_options,
     .json = true,
     .run = cmd_vcpupin},
    {0}};

const CommandGroup group_tune = {"Tuning", "tune", commands};
