/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list: the domains. */
#include <strings.h>

#include "tables.h"
#include "vireo.h"

typedef struct Row {
    const remote_domain *dom;
    int state; /* -1: gone meanwhile */
} Row;

static int compare_rows(const void *a, const void *b) {
    const Row *x = a, *y = b;

    if ((x->dom->id < 0) != (y->dom->id < 0))
        return x->dom->id < 0 ? 1 : -1;
    if (x->dom->id >= 0)
        return x->dom->id < y->dom->id ? -1 : x->dom->id > y->dom->id;
    return strcasecmp(x->dom->name, y->dom->name);
}

/* virConnectListAllDomainsFlags */
static unsigned list_flags(const Args *args) {
    static const struct {
        const char *name;
        unsigned flag;
    } filters[] = {{"persistent", LIST_PERSISTENT},
                   {"transient", LIST_TRANSIENT},
                   {"state-running", LIST_RUNNING},
                   {"state-paused", LIST_PAUSED},
                   {"state-shutoff", LIST_SHUTOFF},
                   {"state-other", LIST_OTHER},
                   {"with-snapshot", LIST_HAS_SNAPSHOT},
                   {"without-snapshot", LIST_NO_SNAPSHOT},
                   {"with-checkpoint", LIST_HAS_CHECKPOINT},
                   {"without-checkpoint", LIST_NO_CHECKPOINT},
                   {"with-managed-save", LIST_MANAGED_SAVE},
                   {"without-managed-save", LIST_NO_MANAGED_SAVE},
                   {"autostart", LIST_AUTOSTART},
                   {"no-autostart", LIST_NO_AUTOSTART}};
    unsigned flags = args_has(args, "all")        ? LIST_ACTIVE | LIST_INACTIVE
                     : args_has(args, "inactive") ? LIST_INACTIVE
                                                  : LIST_ACTIVE;

    for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
        if (args_has(args, filters[i].name))
            flags |= filters[i].flag;
    return flags;
}

static void get_state(Tool *tool, Row *row) {
    remote_domain_flags_args call = {.dom = *row->dom};
    remote_domain_get_state_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    row->state = CALL(tool, DOMAIN_GET_STATE, remote_domain_flags_args, &call,
                      remote_domain_get_state_ret, &ret, &error) < 0
                     ? -1
                     : ret.state;
}

/* With `saved`, an inactive domain that has a saved state is "saved". */
static const char *state_text(Tool *tool, const Row *row, bool saved) {
    remote_domain_flags_args call = {.dom = *row->dom};
    remote_int_ret ret = {0};

    if (saved && row->dom->id < 0 &&
        CALL(tool, DOMAIN_HAS_MANAGED_SAVE_IMAGE, remote_domain_flags_args, &call, remote_int_ret,
             &ret, NULL) >= 0 &&
        ret.value)
        return "saved";
    return format_state(row->state);
}

static char *get_title(Tool *tool, const remote_domain *dom) {
    remote_domain_get_metadata_args call = {.dom = *dom, .type = METADATA_TITLE};
    remote_domain_get_metadata_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    char *title;

    if (CALL(tool, DOMAIN_GET_METADATA, remote_domain_get_metadata_args, &call,
             remote_domain_get_metadata_ret, &ret, &error) < 0)
        return text_format("%s", "");
    title = text_format("%s", ret.metadata);
    xdr_free((xdrproc_t)xdr_remote_domain_get_metadata_ret, &ret);
    return title;
}

static void list_table(Tool *tool, const Row *rows, size_t n, bool title, bool saved) {
    static const char *const titles[] = {"Id", "Name", "State", "Title"};
    CLEANUP(table_done) Table table = {0};

    table_start(&table, title ? 4 : 3, titles);
    for (size_t i = 0; i < n; i++) {
        const remote_domain *dom = rows[i].dom;
        CLEANUP_FREE char *id = dom->id < 0 ? text_format("-") : text_format("%d", dom->id);
        CLEANUP_FREE char *text = title ? get_title(tool, dom) : NULL;
        const char *cells[] = {id, dom->name, state_text(tool, &rows[i], saved), text};

        if (rows[i].state >= 0)
            table_add(&table, cells);
    }
    table_print(&table, !tool->quiet);
}

static void list_json(Tool *tool, const Row *rows, size_t n, bool title, bool saved) {
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < n; i++) {
        const remote_domain *dom = rows[i].dom;
        json_object *object;
        char uuid[37];

        if (rows[i].state < 0)
            continue;
        format_uuid(dom->uuid, uuid);
        object = json_object_new_object();
        json_object_object_add(object, "id", dom->id < 0 ? NULL : json_object_new_int(dom->id));
        json_object_object_add(object, "name", json_object_new_string(dom->name));
        json_object_object_add(object, "uuid", json_object_new_string(uuid));
        json_object_object_add(object, "state",
                               json_object_new_string(state_text(tool, &rows[i], saved)));
        if (title) {
            CLEANUP_FREE char *text = get_title(tool, dom);

            json_object_object_add(object, "title", json_object_new_string(text));
        }
        json_object_array_add(list, object);
    }
    tool_print_json(list);
}

/* --id, --uuid, --name: words without a table. */
static void list_plain(const Args *args, const Row *rows, size_t n) {
    bool id = args_has(args, "id"), uuid = args_has(args, "uuid"), name = args_has(args, "name");

    for (size_t i = 0; i < n; i++) {
        const char *blank = "";
        char text[37];

        format_uuid(rows[i].dom->uuid, text);
        if (rows[i].dom->id < 0 && !uuid && !name)
            continue; /* only ids, and this one has none */
        if (id) {
            printf(rows[i].dom->id < 0 ? "-" : "%d", rows[i].dom->id);
            blank = " ";
        }
        if (uuid) {
            printf("%s%s", blank, text);
            blank = " ";
        }
        if (name)
            printf("%s%s", blank, rows[i].dom->name);
        putchar('\n');
    }
}

static int cmd_list(Tool *tool, const Args *args) {
    remote_connect_list_all_domains_args call = {.need_results = 1, .flags = list_flags(args)};
    remote_connect_list_all_domains_ret ret = {0};
    bool plain = args_has(args, "id") || args_has(args, "uuid") || args_has(args, "name");
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE Row *rows = NULL;
    size_t n;

    if (tool_exclusive(args, "table", "name") < 0 || tool_exclusive(args, "table", "uuid") < 0 ||
        tool_exclusive(args, "table", "id") < 0)
        return -EINVAL;
    if (CALL(tool, CONNECT_LIST_ALL_DOMAINS, remote_connect_list_all_domains_args, &call,
             remote_connect_list_all_domains_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to list domains");
    n = ret.domains.domains_len;
    rows = calloc(n + 1, sizeof(*rows));
    for (size_t i = 0; rows && i < n; i++) {
        rows[i].dom = &ret.domains.domains_val[i];
        if (!plain || tool->json)
            get_state(tool, &rows[i]);
    }
    if (rows) {
        qsort(rows, n, sizeof(*rows), compare_rows);
        if (tool->json)
            list_json(tool, rows, n, args_has(args, "title"), args_has(args, "managed-save"));
        else if (plain)
            list_plain(args, rows, n);
        else
            list_table(tool, rows, n, args_has(args, "title"), args_has(args, "managed-save"));
    }
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_domains_ret, &ret);
    return rows ? 0 : tool_fail(NULL, "out of memory");
}

/* ---- tables ---- */

static const Option list_options[] = {
    {"inactive", OPTION_FLAG, false, "list inactive domains"},
    {"all", OPTION_FLAG, false, "list inactive & active domains"},
    {"transient", OPTION_FLAG, false, "list transient domains"},
    {"persistent", OPTION_FLAG, false, "list persistent domains"},
    {"with-snapshot", OPTION_FLAG, false, "list domains with existing snapshot"},
    {"without-snapshot", OPTION_FLAG, false, "list domains without a snapshot"},
    {"with-checkpoint", OPTION_FLAG, false, "list domains with existing checkpoint"},
    {"without-checkpoint", OPTION_FLAG, false, "list domains without a checkpoint"},
    {"state-running", OPTION_FLAG, false, "list domains in running state"},
    {"state-paused", OPTION_FLAG, false, "list domains in paused state"},
    {"state-shutoff", OPTION_FLAG, false, "list domains in shutoff state"},
    {"state-other", OPTION_FLAG, false, "list domains in other states"},
    {"autostart", OPTION_FLAG, false, "list domains with autostart enabled"},
    {"no-autostart", OPTION_FLAG, false, "list domains with autostart disabled"},
    {"with-managed-save", OPTION_FLAG, false, "list domains with managed save state"},
    {"without-managed-save", OPTION_FLAG, false, "list domains without managed save state"},
    {"uuid", OPTION_FLAG, false, "list uuid's only"},
    {"name", OPTION_FLAG, false, "list domain names only"},
    {"id", OPTION_FLAG, false, "list domain IDs only"},
    {"table", OPTION_FLAG, false, "list table (default)"},
    {"managed-save", OPTION_FLAG, false, "mark inactive domains with managed save state"},
    {"title", OPTION_FLAG, false, "show domain title"},
    OPTION_END};

const Command commands_list[] = {{.name = "list",
                                  .help = "list domains",
                                  .description = "Returns list of domains.",
                                  .options = list_options,
                                  .json = true,
                                  .run = cmd_list},
                                 {0}};
