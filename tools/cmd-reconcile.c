/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reconcile: mends what differs from the definition in the kernel. */
#include "tables.h"
#include "vireo.h"

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
    if (VIREO_CALL(tool, RECONCILE, remote_domain_args, &call, vireo_reconcile_ret, &ret, &error) <
        0)
        return tool_fail(error, "Failed to reconcile domain '%s'", dom.name);
    print_mended(tool, &ret);
    xdr_free((xdrproc_t)xdr_vireo_reconcile_ret, (char *)&ret);
    return 0;
}

/* ---- tables ---- */

static const Option reconcile_options[] = {OPTION_DOMAIN, OPTION_END};

const Command commands_reconcile[] = {
    {.name = "reconcile",
     .help = "mend limits that somebody else changed",
     .description =
         "Compares what the kernel has for the domain's threads (CPUs, cgroups, scheduler) with "
         "what the\n"
         "domain says, mends each difference, and prints it. 'event --event drift' waits for such.",
     .options = reconcile_options,
     .json = true,
     .run = cmd_reconcile},
    {0}};
