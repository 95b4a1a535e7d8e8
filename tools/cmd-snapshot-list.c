/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshot-list: a domain's snapshots, as a table, as names, as a tree. */
#include <strings.h>
#include <time.h>

#include "report.h"
#include "snapshot.h"
#include "tables.h"
#include "tree.h"
#include "xml-desc.h"

/* What a line tells of one. */
typedef struct Row {
    char *name, *state, *parent; /* parent NULL: none */
    time_t created;
} Row;

typedef struct List {
    Row *rows;
    size_t n;
} List;

static void list_done(List *list) {
    for (size_t i = 0; i < list->n; i++) {
        free(list->rows[i].name);
        free(list->rows[i].state);
        free(list->rows[i].parent);
    }
    free(list->rows);
}

/* ---- what is asked for ---- */

static unsigned flags_of(const Args *args) {
    static const struct {
        const char *option;
        unsigned flag;
    } rows[] = {{"roots", SNAPSHOT_LIST_ROOTS},         {"descendants", SNAPSHOT_LIST_DESCENDANTS},
                {"metadata", SNAPSHOT_LIST_METADATA},   {"no-metadata", SNAPSHOT_LIST_NO_METADATA},
                {"leaves", SNAPSHOT_LIST_LEAVES},       {"no-leaves", SNAPSHOT_LIST_NO_LEAVES},
                {"inactive", SNAPSHOT_LIST_INACTIVE},   {"active", SNAPSHOT_LIST_ACTIVE},
                {"disk-only", SNAPSHOT_LIST_DISK_ONLY}, {"internal", SNAPSHOT_LIST_INTERNAL},
                {"external", SNAPSHOT_LIST_EXTERNAL},   {"topological", SNAPSHOT_LIST_TOPOLOGICAL}};
    unsigned flags = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        flags |= args_has(args, rows[i].option) ? rows[i].flag : 0u;
    return flags;
}

static bool is_from(const Args *args) {
    return args_has(args, "from") || args_has(args, "current");
}

static int check(const Args *args) {
    static const char *const pairs[][2] = {
        {"tree", "parent"},  {"tree", "roots"}, {"tree", "name"},    {"tree", "leaves"},
        {"from", "current"}, {"roots", "from"}, {"roots", "current"}};

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        if (tool_exclusive(args, pairs[i][0], pairs[i][1]) < 0)
            return -EINVAL;
    if (args_has(args, "descendants") && !is_from(args))
        return tool_fail(NULL, "--descendants requires either --from or --current");
    return 0;
}

static int find_from(Tool *tool, const Args *args, const remote_domain *dom,
                     remote_domain_snapshot *ret) {
    remote_domain_flags_args call = {.dom = *dom};
    remote_domain_snapshot_ret found = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r;

    if (args_has(args, "from")) {
        r = snapshot_lookup(tool, dom, args_string(args, "from"), ret, &error);
    } else {
        r = CALL(tool, DOMAIN_SNAPSHOT_CURRENT, remote_domain_flags_args, &call,
                 remote_domain_snapshot_ret, &found, &error);
        *ret = found.snapshot;
    }
    return r < 0 ? tool_failed(error) : 0;
}

/* ---- what is there ---- */

static int fill(Tool *tool, const remote_domain_snapshot *snapshot, Row *row) {
    remote_domain_snapshot_flags_args call = {.snap = *snapshot};
    remote_domain_get_xml_desc_ret xml = {0};
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_FREE char *created = NULL;

    row->name = text_format("%s", snapshot->name);
    if (CALL(tool, DOMAIN_SNAPSHOT_GET_XML_DESC, remote_domain_snapshot_flags_args, &call,
             remote_domain_get_xml_desc_ret, &xml, NULL) < 0)
        return -ENOENT; /* it has gone meanwhile */
    if (xml_view_text(xml.xml, &view) >= 0) {
        row->state = xml_view_string(&view, NULL, "string(state)");
        row->parent = xml_view_string(&view, NULL, "parent/name");
        created = xml_view_string(&view, NULL, "string(creationTime)");
        row->created = created ? (time_t)strtoll(created, NULL, 10) : 0;
    }
    xdr_free((xdrproc_t)xdr_remote_domain_get_xml_desc_ret, (char *)&xml);
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcasecmp(((const Row *)a)->name, ((const Row *)b)->name);
}

static int get(Tool *tool, const Args *args, List *list) {
    CLEANUP_SNAPSHOT remote_domain_snapshot from = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_snapshot_list_ret ret = {0};
    unsigned flags = flags_of(args);

    if (tool_domain(tool, args, &dom) < 0 ||
        (is_from(args) && find_from(tool, args, &dom, &from) < 0))
        return -EIO;
    if (args_has(args, "tree") && is_from(args))
        flags |= SNAPSHOT_LIST_DESCENDANTS;
    if (snapshot_list(tool, &dom, is_from(args) ? &from : NULL, flags, &ret, &error) < 0)
        return tool_failed(error);
    list->rows = calloc(ret.snapshots.snapshots_len + 2, sizeof(Row));
    if (!list->rows)
        out_of_memory();
    if (args_has(args, "tree") && is_from(args)) /* the tree's root */
        list->n += fill(tool, &from, &list->rows[0]) >= 0;
    for (u_int i = 0; i < ret.snapshots.snapshots_len; i++)
        list->n += fill(tool, &ret.snapshots.snapshots_val[i], &list->rows[list->n]) >= 0;
    xdr_free((xdrproc_t)xdr_remote_domain_snapshot_list_ret, (char *)&ret);
    if (!(flags & SNAPSHOT_LIST_TOPOLOGICAL))
        qsort(list->rows, list->n, sizeof(Row), by_name);
    return 0;
}

/* ---- how it is shown ---- */

static void print_tree(const List *list) {
    CLEANUP_FREE TreeNode *nodes = calloc(list->n + 1, sizeof(TreeNode));

    if (!nodes)
        out_of_memory();
    for (size_t i = 0; i < list->n; i++)
        nodes[i] = (TreeNode){list->rows[i].name, list->rows[i].parent};
    tree_print(nodes, list->n);
}

static void print_rows(Tool *tool, const Args *args, const List *list) {
    static const char *const titles[] = {"Name", "Creation Time", "State", "Parent"},
                             *const keys[] = {"name", "created", "state", "parent"};
    const bool parents = args_has(args, "parent") || tool->json;
    Rows rows;

    rows_start(&rows, tool, parents ? 4 : 3, titles, keys);
    for (size_t i = 0; i < list->n; i++) {
        const Row *row = &list->rows[i];
        char created[64] = "";
        struct tm local;
        const char *cells[] = {row->name, created, row->state ? row->state : "",
                               row->parent  ? row->parent
                               : tool->json ? "-"
                                            : ""};

        if (localtime_r(&row->created, &local))
            strftime(created, sizeof(created), "%Y-%m-%d %H:%M:%S %z", &local);
        rows_add(&rows, cells);
    }
    rows_print(&rows);
}

static int cmd_snapshot_list(Tool *tool, const Args *args) {
    CLEANUP(list_done) List list = {0};

    if (check(args) < 0 || get(tool, args, &list) < 0)
        return -EIO;
    if (tool->json) {
        print_rows(tool, args, &list);
    } else if (args_has(args, "tree")) {
        print_tree(&list);
    } else if (args_has(args, "name")) {
        for (size_t i = 0; i < list.n; i++)
            puts(list.rows[i].name);
    } else {
        print_rows(tool, args, &list);
    }
    return 0;
}

static const Option list_options[] = {
    OPTION_DOMAIN,
    {"parent", OPTION_FLAG, false, "with their parents"},
    {"roots", OPTION_FLAG, false, "those without a parent"},
    {"leaves", OPTION_FLAG, false, "those without children"},
    {"no-leaves", OPTION_FLAG, false, "those with children"},
    {"metadata", OPTION_FLAG, false, "those that are known by name (all)"},
    {"no-metadata", OPTION_FLAG, false, "those that are not (none)"},
    {"inactive", OPTION_FLAG, false, "those of a domain that was shut off"},
    {"active", OPTION_FLAG, false, "those of a guest that ran or was paused"},
    {"disk-only", OPTION_FLAG, false, "those of the disks of what ran"},
    {"internal", OPTION_FLAG, false, "those inside of images"},
    {"external", OPTION_FLAG, false, "those with new images"},
    {"tree", OPTION_FLAG, false, "as a tree"},
    {"from", OPTION_STRING, false, "the children of this one", .value = VALUE_SNAPSHOT},
    {"current", OPTION_FLAG, false, "the children of the current one"},
    {"descendants", OPTION_FLAG, false, "with theirs"},
    {"name", OPTION_FLAG, false, "names only"},
    {"topological", OPTION_FLAG, false, "parents before their children"},
    OPTION_END};

const Command commands_snapshot_list[] = {{.name = "snapshot-list",
                                           .help = "snapshots of a domain",
                                           .options = list_options,
                                           .json = true,
                                           .run = cmd_snapshot_list},
                                          {0}};
