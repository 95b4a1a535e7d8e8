/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor: what the host and the domains lack, or what differs from what was asked for. */
#include "tables.h"
#include "vireo.h"

/* vireo_finding's level */
enum { LEVEL_GOOD, LEVEL_NOTE, LEVEL_WRONG };

static const char *level_word(int level) {
    return level == LEVEL_GOOD ? "ok" : level == LEVEL_NOTE ? "note" : "wrong";
}

static void print_finding(const vireo_finding *finding) {
    printf("%-6s %-11s %s\n", level_word(finding->level), finding->topic, finding->text);
    if (finding->advice)
        printf("%18s %s\n", "", *finding->advice);
}

static json_object *finding_json(const vireo_finding *finding) {
    json_object *object = json_object_new_object();

    json_object_object_add(object, "level", json_object_new_string(level_word(finding->level)));
    json_object_object_add(object, "topic", json_object_new_string(finding->topic));
    json_object_object_add(object, "text", json_object_new_string(finding->text));
    if (finding->advice)
        json_object_object_add(object, "advice", json_object_new_string(*finding->advice));
    return object;
}

static int cmd_doctor(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    vireo_doctor_args call = {0};
    vireo_doctor_ret ret = {0};
    json_object *list = NULL;
    u_int n_wrong = 0;

    if (args_has(args, "domain") && tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = args_has(args, "domain") ? &dom : NULL;
    if (VIREO_CALL(tool, DOCTOR, vireo_doctor_args, &call, vireo_doctor_ret, &ret, &error) < 0)
        return tool_failed(error);
    list = tool->json ? json_object_new_array() : NULL;
    for (u_int i = 0; i < ret.findings.findings_len; i++) {
        const vireo_finding *finding = &ret.findings.findings_val[i];

        n_wrong += finding->level == LEVEL_WRONG;
        if (list)
            json_object_array_add(list, finding_json(finding));
        else if (!tool->quiet || finding->level != LEVEL_GOOD)
            print_finding(finding);
    }
    if (list)
        tool_print_json(list);
    xdr_free((xdrproc_t)xdr_vireo_doctor_ret, (char *)&ret);
    return n_wrong ? -EIO : 0;
}

/* ---- tables ---- */

static const Option doctor_options[] = {
    {"domain", OPTION_STRING, false, "only this domain, and the host", .value = VALUE_DOMAIN},
    OPTION_END};

const Command commands_doctor[] = {
    {.name = "doctor",
     .help = "what the host and the domains lack or do otherwise",
     .description =
         "Looks at KVM, cgroups, audit, resctrl and QEMU on the host, and at each domain's XML,\n"
         "    operations and limits. Fails when something is wrong.",
     .options = doctor_options,
     .json = true,
     .run = cmd_doctor},
    {0}};
