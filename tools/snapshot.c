/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "snapshot.h"

int snapshot_lookup(Tool *tool, const remote_domain *dom, const char *name,
                    remote_domain_snapshot *ret, Error **reterr) {
    remote_domain_named_args call = {.dom = *dom, .name = (char *)name};
    remote_domain_snapshot_ret found = {0};
    int r = CALL(tool, DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, remote_domain_named_args, &call,
                 remote_domain_snapshot_ret, &found, reterr);

    if (r >= 0)
        *ret = found.snapshot;
    return r;
}

static int find_current(Tool *tool, const remote_domain *dom, remote_domain_snapshot *ret) {
    remote_domain_flags_args call = {.dom = *dom};
    remote_domain_snapshot_ret found = {0};
    remote_int_ret has = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = CALL(tool, DOMAIN_HAS_CURRENT_SNAPSHOT, remote_domain_flags_args, &call, remote_int_ret,
                 &has, &error);

    if (r >= 0 && !has.value)
        return tool_fail(NULL, "domain '%s' has no current snapshot", dom->name);
    if (r >= 0)
        r = CALL(tool, DOMAIN_SNAPSHOT_CURRENT, remote_domain_flags_args, &call,
                 remote_domain_snapshot_ret, &found, &error);
    if (r < 0)
        return tool_failed(error);
    *ret = found.snapshot;
    return 0;
}

int snapshot_named(Tool *tool, const Args *args, bool usual, remote_domain_snapshot *ret) {
    const char *name = args_string(args, "snapshotname");
    const bool asked = args_has_option(args, "current");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (name && asked)
        return tool_fail(NULL, "--current and --snapshotname are mutually exclusive");
    if (!name && !asked && !usual)
        return tool_fail(NULL, "--snapshotname or --current is required");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (!name)
        return find_current(tool, &dom, ret);
    return snapshot_lookup(tool, &dom, name, ret, &error) < 0 ? tool_failed(error) : 0;
}

int snapshot_list(Tool *tool, const remote_domain *dom, const remote_domain_snapshot *from,
                  unsigned flags, remote_domain_snapshot_list_ret *ret, Error **reterr) {
    remote_domain_list_all_args all = {.dom = *dom, .need_results = 1, .flags = flags};
    remote_domain_snapshot_list_all_children_args below = {.need_results = 1, .flags = flags};

    if (!from)
        return CALL(tool, DOMAIN_LIST_ALL_SNAPSHOTS, remote_domain_list_all_args, &all,
                    remote_domain_snapshot_list_ret, ret, reterr);
    below.snap = *from;
    return CALL(tool, DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN,
                remote_domain_snapshot_list_all_children_args, &below,
                remote_domain_snapshot_list_ret, ret, reterr);
}
