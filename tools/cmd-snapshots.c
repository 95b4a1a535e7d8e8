/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The snapshots that a domain has: one by one. */
#include "edit.h"
#include "report.h"
#include "snapshot.h"
#include "tables.h"
#include "xml-desc.h"

static int get_xml(Tool *tool, const remote_domain_snapshot *snapshot, unsigned flags, char **ret,
                   Error **reterr) {
    remote_domain_snapshot_flags_args call = {.snap = *snapshot, .flags = flags};
    remote_domain_get_xml_desc_ret xml = {0};
    int r = CALL(tool, DOMAIN_SNAPSHOT_GET_XML_DESC, remote_domain_snapshot_flags_args, &call,
                 remote_domain_get_xml_desc_ret, &xml, reterr);

    if (r < 0)
        return r;
    *ret = text_format("%s", xml.xml);
    xdr_free((xdrproc_t)xdr_remote_domain_get_xml_desc_ret, (char *)&xml);
    return 0;
}

static int print_xml(Tool *tool, const Args *args, const remote_domain_snapshot *snapshot) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    const unsigned flags = args_has(args, "security-info") ? XML_SECURE : 0u;

    if (get_xml(tool, snapshot, flags, &xml, &error) < 0)
        return tool_failed(error);
    return xml_print(tool, args, xml);
}

static int cmd_snapshot_dumpxml(Tool *tool, const Args *args) {
    CLEANUP_SNAPSHOT remote_domain_snapshot snapshot = {0};

    return snapshot_named(tool, args, false, &snapshot) < 0 ? -EIO
                                                            : print_xml(tool, args, &snapshot);
}

/* ---- snapshot-current ---- */

static int make_current(Tool *tool, const remote_domain_snapshot *snapshot) {
    remote_domain_snapshot_create_xml_args call = {.dom = snapshot->dom,
                                                   .flags = SNAPSHOT_REDEFINE | SNAPSHOT_CURRENT};
    remote_domain_snapshot_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    int r = get_xml(tool, snapshot, XML_SECURE, &xml, &error);

    call.xml = xml;
    if (r >= 0)
        r = CALL(tool, DOMAIN_SNAPSHOT_CREATE_XML, remote_domain_snapshot_create_xml_args, &call,
                 remote_domain_snapshot_ret, &ret, &error);
    if (r < 0)
        return tool_failed(error);
    xdr_free((xdrproc_t)xdr_remote_domain_snapshot_ret, (char *)&ret);
    tool_say(tool, "Snapshot %s set as current", snapshot->name);
    return 0;
}

static int cmd_snapshot_current(Tool *tool, const Args *args) {
    CLEANUP_SNAPSHOT remote_domain_snapshot snapshot = {0};

    if (snapshot_named(tool, args, true, &snapshot) < 0)
        return -EIO;
    if (args_has(args, "snapshotname"))
        return make_current(tool, &snapshot);
    if (!args_has(args, "name"))
        return print_xml(tool, args, &snapshot);
    report_text(tool, "name", snapshot.name);
    return 0;
}

/* ---- snapshot-parent, snapshot-info ---- */

/* NULL: it has none. The caller frees. */
static char *parent_of(Tool *tool, const remote_domain_snapshot *snapshot) {
    remote_domain_snapshot_flags_args call = {.snap = *snapshot};
    remote_domain_snapshot_ret ret = {0};
    char *name = NULL;

    if (CALL(tool, DOMAIN_SNAPSHOT_GET_PARENT, remote_domain_snapshot_flags_args, &call,
             remote_domain_snapshot_ret, &ret, NULL) >= 0)
        name = text_format("%s", ret.snapshot.name);
    xdr_free((xdrproc_t)xdr_remote_domain_snapshot_ret, (char *)&ret);
    return name;
}

static int cmd_snapshot_parent(Tool *tool, const Args *args) {
    CLEANUP_SNAPSHOT remote_domain_snapshot snapshot = {0};
    CLEANUP_FREE char *parent = NULL;

    if (snapshot_named(tool, args, false, &snapshot) < 0)
        return -EIO;
    parent = parent_of(tool, &snapshot);
    if (!parent)
        return tool_fail(NULL, "snapshot '%s' has no parent", snapshot.name);
    report_text(tool, "parent", parent);
    return 0;
}

static int ask(Tool *tool, int procedure, const remote_domain_snapshot *snapshot, unsigned flags) {
    remote_domain_snapshot_flags_args call = {.snap = *snapshot, .flags = flags};
    remote_int_ret ret = {0};

    return tool_call(tool, procedure, (xdrproc_t)xdr_remote_domain_snapshot_flags_args, &call,
                     (xdrproc_t)xdr_remote_int_ret, &ret, NULL) < 0
               ? 0
               : ret.value;
}

static int cmd_snapshot_info(Tool *tool, const Args *args) {
    CLEANUP_SNAPSHOT remote_domain_snapshot snapshot = {0};
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL, *parent = NULL, *state = NULL, *external = NULL;
    const int num = REMOTE_PROC_DOMAIN_SNAPSHOT_NUM_CHILDREN;
    Facts facts;

    if (snapshot_named(tool, args, false, &snapshot) < 0)
        return -EIO;
    if (get_xml(tool, &snapshot, 0, &xml, &error) < 0)
        return tool_failed(error);
    if (xml_view_text(xml, &view) < 0)
        return tool_fail(NULL, "the server's XML of snapshot '%s' cannot be parsed", snapshot.name);
    parent = parent_of(tool, &snapshot);
    state = xml_view_string(&view, NULL, "string(state)");
    external = xml_view_string(&view, NULL,
                               "string(memory[@snapshot='external']/@snapshot | "
                               "disks/disk[@snapshot='external']/@snapshot)");
    facts_start(&facts, tool, 15);
    facts_text(&facts, "Name:", "name", snapshot.name);
    facts_text(&facts, "Domain:", "domain", snapshot.dom.name);
    facts_bool(&facts, "Current:", "current",
               ask(tool, REMOTE_PROC_DOMAIN_SNAPSHOT_IS_CURRENT, &snapshot, 0), "yes", "no");
    facts_text(&facts, "State:", "state", state ? state : "");
    facts_text(&facts, "Location:", "location", external && *external ? "external" : "internal");
    facts_text(&facts, "Parent:", "parent", parent ? parent : "-");
    facts_number(&facts, "Children:", "children", (uint64_t)ask(tool, num, &snapshot, 0), NULL);
    facts_number(&facts, "Descendants:", "descendants",
                 (uint64_t)ask(tool, num, &snapshot, SNAPSHOT_LIST_DESCENDANTS), NULL);
    facts_bool(&facts, "Metadata:", "metadata",
               ask(tool, REMOTE_PROC_DOMAIN_SNAPSHOT_HAS_METADATA, &snapshot, 0), "yes", "no");
    facts_print(&facts);
    return 0;
}

/* ---- snapshot-revert, snapshot-delete ---- */

static int act(Tool *tool, const remote_domain_snapshot *snapshot, int procedure, unsigned flags,
               const char *verb) {
    remote_domain_snapshot_flags_args call = {.snap = *snapshot, .flags = flags};
    CLEANUP_ERROR Error *error = NULL;

    return tool_call(tool, procedure, (xdrproc_t)xdr_remote_domain_snapshot_flags_args, &call, NULL,
                     NULL, &error) < 0
               ? tool_fail(error, "Failed to %s snapshot %s", verb, snapshot->name)
               : 0;
}

static int cmd_snapshot_revert(Tool *tool, const Args *args) {
    CLEANUP_SNAPSHOT remote_domain_snapshot snapshot = {0};
    const unsigned flags = (args_has(args, "running") ? SNAPSHOT_REVERT_RUNNING : 0u) |
                           (args_has(args, "paused") ? SNAPSHOT_REVERT_PAUSED : 0u) |
                           (args_has(args, "force") ? SNAPSHOT_REVERT_FORCE : 0u) |
                           (args_has(args, "reset-nvram") ? SNAPSHOT_REVERT_RESET_NVRAM : 0u);

    if (tool_exclusive(args, "running", "paused") < 0)
        return -EINVAL;
    if (snapshot_named(tool, args, false, &snapshot) < 0 ||
        act(tool, &snapshot, REMOTE_PROC_DOMAIN_REVERT_TO_SNAPSHOT, flags, "revert") < 0)
        return -EIO;
    tool_say(tool, "Domain snapshot %s reverted", snapshot.name);
    return 0;
}

static int cmd_snapshot_delete(Tool *tool, const Args *args) {
    CLEANUP_SNAPSHOT remote_domain_snapshot snapshot = {0};
    const bool only = args_has(args, "children-only");
    const unsigned flags = (args_has(args, "children") ? SNAPSHOT_DELETE_CHILDREN : 0u) |
                           (only ? SNAPSHOT_DELETE_CHILDREN_ONLY : 0u) |
                           (args_has(args, "metadata") ? SNAPSHOT_DELETE_METADATA_ONLY : 0u);

    if (tool_exclusive(args, "children", "children-only") < 0)
        return -EINVAL;
    if (snapshot_named(tool, args, false, &snapshot) < 0 ||
        act(tool, &snapshot, REMOTE_PROC_DOMAIN_SNAPSHOT_DELETE, flags, "delete") < 0)
        return -EIO;
    tool_say(tool, "Domain snapshot %s %sdeleted", snapshot.name, only ? "children " : "");
    return 0;
}

/* ---- snapshot-edit ---- */

static int get_to_edit(Tool *tool, void *snapshot, char **ret, Error **reterr) {
    return get_xml(tool, snapshot, XML_SECURE, ret, reterr);
}

static int store_edited(Tool *tool, void *userdata, char *xml, Error **reterr) {
    const remote_domain_snapshot *snapshot = userdata;
    remote_domain_snapshot_create_xml_args call = {
        .dom = snapshot->dom, .xml = xml, .flags = SNAPSHOT_REDEFINE};
    remote_domain_snapshot_ret ret = {0};
    int r;

    if (ask(tool, REMOTE_PROC_DOMAIN_SNAPSHOT_IS_CURRENT, snapshot, 0))
        call.flags |= SNAPSHOT_CURRENT;
    r = CALL(tool, DOMAIN_SNAPSHOT_CREATE_XML, remote_domain_snapshot_create_xml_args, &call,
             remote_domain_snapshot_ret, &ret, reterr);
    xdr_free((xdrproc_t)xdr_remote_domain_snapshot_ret, (char *)&ret);
    return r;
}

static int cmd_snapshot_edit(Tool *tool, const Args *args) {
    CLEANUP_SNAPSHOT remote_domain_snapshot snapshot = {0};
    CLEANUP_FREE char *title = NULL;

    if (snapshot_named(tool, args, false, &snapshot) < 0)
        return -EIO;
    title = text_format("Snapshot %s XML configuration", snapshot.name);
    return edit_run(tool, &(Edit){title, get_to_edit, store_edited, &snapshot});
}

/* ---- tables ---- */

#define OPTION_SNAPSHOT                                                                            \
    { "snapshotname", OPTION_STRING, false, "name of the snapshot", .value = VALUE_SNAPSHOT }
#define OPTION_CURRENT_SNAPSHOT                                                                    \
    { "current", OPTION_FLAG, false, "the current snapshot" }
#define OPTION_SECURITY                                                                            \
    { "security-info", OPTION_FLAG, false, "with passwords" }
#define OPTIONS_XPATH                                                                              \
    {"xpath", OPTION_STRING, false, "print what this selects of the XML", .named = true}, {        \
        "wrap", OPTION_FLAG, false, "wrap what xpath selects in one element"                       \
    }

static const Option dumpxml_options[] = {
    OPTION_DOMAIN,
    {"snapshotname", OPTION_STRING, true, "name of the snapshot", .value = VALUE_SNAPSHOT},
    OPTION_SECURITY,
    OPTIONS_XPATH,
    OPTION_END};
static const Option current_options[] = {OPTION_DOMAIN,
                                         {"name", OPTION_FLAG, false, "only its name"},
                                         OPTION_SECURITY,
                                         {"snapshotname", OPTION_STRING, false,
                                          "make this one the current snapshot", .named = true,
                                          .value = VALUE_SNAPSHOT},
                                         OPTION_END};
static const Option one_options[] = {OPTION_DOMAIN, OPTION_SNAPSHOT, OPTION_CURRENT_SNAPSHOT,
                                     OPTION_END};
static const Option revert_options[] = {
    OPTION_DOMAIN,
    OPTION_SNAPSHOT,
    OPTION_CURRENT_SNAPSHOT,
    {"running", OPTION_FLAG, false, "the guest runs afterwards"},
    {"paused", OPTION_FLAG, false, "the guest is paused afterwards"},
    {"force", OPTION_FLAG, false, "also where the guest starts anew"},
    {"reset-nvram", OPTION_FLAG, false, "its firmware's variables are those of the template"},
    OPTION_END};
static const Option delete_options[] = {
    OPTION_DOMAIN,
    OPTION_SNAPSHOT,
    OPTION_CURRENT_SNAPSHOT,
    {"children", OPTION_FLAG, false, "with all below it"},
    {"children-only", OPTION_FLAG, false, "all below it, but not itself"},
    {"metadata", OPTION_FLAG, false, "only what is kept of it; images stay as they are"},
    OPTION_END};

const Command commands_snapshots[] = {{.name = "snapshot-current",
                                       .help = "show or choose a domain's current snapshot",
                                       .options = current_options,
                                       .json = true,
                                       .run = cmd_snapshot_current},
                                      {.name = "snapshot-delete",
                                       .help = "delete a snapshot",
                                       .options = delete_options,
                                       .run = cmd_snapshot_delete},
                                      {.name = "snapshot-dumpxml",
                                       .help = "a snapshot's XML",
                                       .options = dumpxml_options,
                                       .run = cmd_snapshot_dumpxml},
                                      {.name = "snapshot-edit",
                                       .help = "edit a snapshot's XML",
                                       .options = one_options,
                                       .run = cmd_snapshot_edit},
                                      {.name = "snapshot-info",
                                       .help = "facts about a snapshot",
                                       .options = one_options,
                                       .json = true,
                                       .run = cmd_snapshot_info},
                                      {.name = "snapshot-parent",
                                       .help = "name of a snapshot's parent",
                                       .options = one_options,
                                       .json = true,
                                       .run = cmd_snapshot_parent},
                                      {.name = "snapshot-revert",
                                       .help = "bring a domain back to a snapshot",
                                       .options = revert_options,
                                       .run = cmd_snapshot_revert},
                                      {0}};
