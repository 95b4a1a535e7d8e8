/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vcpucount: how many vCPUs a domain has and may have. */
#include "tables.h"
#include "vcpu.h"

typedef struct CountRow {
    const char *what, *where;
    unsigned flags;
} CountRow;

static const CountRow count_rows[] = {{"maximum", "config", VCPU_MAXIMUM | AFFECT_CONFIG},
                                      {"maximum", "live", VCPU_MAXIMUM | AFFECT_LIVE},
                                      {"current", "config", AFFECT_CONFIG},
                                      {"current", "live", AFFECT_LIVE}};

/* All four, without those that the domain does not have. */
static int all_counts(Tool *tool, const remote_domain *dom) {
    json_object *object = tool->json ? json_object_new_object() : NULL;
    int persistent = vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_PERSISTENT, dom);
    int active = vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_ACTIVE, dom);

    for (size_t i = 0; i < ARRAY_SIZE(count_rows); i++) {
        const CountRow *row = &count_rows[i];
        CLEANUP_ERROR Error *error = NULL;
        int count;

        if ((row->flags & AFFECT_CONFIG ? persistent : active) <= 0)
            continue;
        count = vcpu_get_count(tool, dom, row->flags, &error);
        if (count < 0) {
            json_object_put(object);
            return tool_fail(error, row->flags & VCPU_MAXIMUM
                                        ? "Failed to retrieve maximum vcpu count"
                                        : "Failed to retrieve current vcpu count");
        }
        if (object) {
            CLEANUP_FREE char *key = text_format("%s_%s", row->what, row->where);

            json_object_object_add(object, key, json_object_new_int(count));
        } else {
            printf("%-12s %-12s %3d\n", row->what, row->where, count);
        }
    }
    if (object)
        tool_print_json(object);
    return 0;
}

/* --current alone is virsh's old word for --active, and then may stand beside --live or --config.
 */
static int count_flags(const Args *args, unsigned *ret) {
    bool counts = args_has(args, "maximum") || args_has(args, "active");

    if ((counts && (tool_exclusive(args, "current", "live") < 0 ||
                    tool_exclusive(args, "current", "config") < 0)) ||
        tool_exclusive(args, "live", "config") < 0 ||
        tool_exclusive(args, "active", "maximum") < 0 ||
        tool_exclusive(args, "guest", "config") < 0)
        return -EINVAL;
    *ret = (args_has(args, "live") ? AFFECT_LIVE : 0u) |
           (args_has(args, "config") ? AFFECT_CONFIG : 0u) |
           (args_has(args, "maximum") ? VCPU_MAXIMUM : 0u) |
           (args_has(args, "guest") ? VCPU_GUEST : 0u);
    return 0;
}

static int cmd_vcpucount(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    unsigned flags = 0;
    int count;

    if (count_flags(args, &flags) < 0)
        return -EINVAL;
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (!flags && !args_has(args, "active") && !args_has(args, "current"))
        return all_counts(tool, &dom);
    count = vcpu_get_count(tool, &dom, flags, &error);
    if (count < 0)
        return tool_failed(error);
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "count", json_object_new_int(count));
        tool_print_json(object);
    } else {
        printf("%d\n", count);
    }
    return 0;
}

/* ---- tables ---- */

static const Option vcpucount_options[] = {
    OPTION_DOMAIN,
    {"maximum", OPTION_FLAG, false, "get maximum count of vcpus"},
    {"active", OPTION_FLAG, false, "get number of currently active vcpus"},
    {"live", OPTION_FLAG, false, "get value from running domain"},
    {"config", OPTION_FLAG, false, "get value to be used on next boot"},
    {"current", OPTION_FLAG, false, "get value according to current domain state"},
    {"guest", OPTION_FLAG, false, "retrieve vcpu count from the guest instead of the hypervisor"},
    OPTION_END};

const Command commands_vcpucount[] = {
    {.name = "vcpucount",
     .help = "domain vcpu counts",
     .description = "Returns the number of virtual CPUs used by the domain.",
     .options = vcpucount_options,
     .json = true,
     .run = cmd_vcpucount},
    {0}};
