/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tuning: the table of its commands. */
#include "cmd-tune.h"

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
static const Option iothreadinfo_options[] = {OPTION_DOMAIN, OPTION_CONFIG, OPTION_LIVE, OPTION_CURRENT, OPTION_END};
static const Option iothreadpin_options[] = {
    OPTION_DOMAIN,
    {"iothread", OPTION_NUMBER, true, "IOThread ID number"},
    {"cpulist", OPTION_STRING, true, "host cpu number(s) to set"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option schedinfo_options[] = {
    OPTION_DOMAIN,
    OPTION_CURRENT,
    {"config", OPTION_FLAG, false, "get/set value to be used on next boot"},
    {"live", OPTION_FLAG, false, "get/set value from running domain"},
    {"set", OPTION_REST, false, "parameter=value"},
    OPTION_END};

static const Command commands[] = {
    {.name = "emulatorpin",
     .help = "control or query domain emulator affinity",
     .description = "Pin domain emulator threads to host physical CPUs.",
     .options = emulatorpin_options,
     .json = true,
     .run = cmd_emulatorpin},
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
