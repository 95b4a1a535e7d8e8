/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists operations and follows one. */
#include "operation.h"

#include <inttypes.h>
#include <unistd.h>

#define PROGRESS_MS 200

int operation_list(Tool *tool, remote_domain *dom, bool all, vireo_operation_list_ret *ret,
                   Error **reterr) {
    vireo_operation_list_args call = {.dom = dom, .flags = all ? 0 : 1};

    return VIREO_CALL(tool, OPERATION_LIST, vireo_operation_list_args, &call,
                      vireo_operation_list_ret, ret, reterr);
}

/* A line on a terminal that is rewritten; nothing elsewhere. */
static void print_progress(const Tool *tool, const vireo_operation *operation, bool *shown) {
    if (tool->quiet || tool->json || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%s: %u of %u devices, %s", operation->what, operation->done,
            operation->vcpus.vcpus_len, operation->state);
    fflush(stderr);
    *shown = true;
}

static int report_end(Tool *tool, const vireo_operation *operation, bool to_the_end) {
    if (strcmp(operation->state, "done") == 0) {
        if (operation->guest)
            tool_say(tool, "%s\n", *operation->guest);
        return 0;
    }
    if (strcmp(operation->state, "pending") == 0)
        return tool_fail(NULL,
                         "the guest has not released the vCPUs in time; operation %" PRIu64
                         " goes on, 'vireo ops' shows it",
                         (uint64_t)operation->id);
    return tool_fail(NULL, "%s", operation->detail ? *operation->detail : operation->state);
}

int operation_follow(Tool *tool, uint64_t id, bool to_the_end) {
    bool shown = false, over = false;
    int r = 0;

    while (!over) {
        CLEANUP_ERROR Error *error = NULL;
        vireo_operation_timeout_args call = {.id = id, .timeout_ms = PROGRESS_MS};
        vireo_operation_ret ret = {0};

        if (VIREO_CALL(tool, OPERATION_AWAIT, vireo_operation_timeout_args, &call,
                       vireo_operation_ret, &ret, &error) < 0)
            return tool_fail(error, "Failed to get operation %" PRIu64, id);
        over = ret.operation.ended || (!to_the_end && strcmp(ret.operation.state, "pending") == 0);
        over = over && (!to_the_end || ret.operation.guest ||
                        strcmp(ret.operation.state, "done") != 0 || !ret.operation.plug);
        if (!over)
            print_progress(tool, &ret.operation, &shown);
        else if (shown)
            fputs("\r\033[K", stderr);
        if (over)
            r = report_end(tool, &ret.operation, to_the_end);
        xdr_free((xdrproc_t)xdr_vireo_operation_ret, (char *)&ret);
    }
    return r;
}
