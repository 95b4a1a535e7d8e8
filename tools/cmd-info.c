/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reports on domains: list, dominfo, domstate, dumpxml. */
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <strings.h>

#include "cmd-info.h"

/* ---- list ---- */

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
    } filters[] = {{"persistent", 1u << 2},    {"transient", 1u << 3},
                   {"state-running", 1u << 4}, {"state-paused", 1u << 5},
                   {"state-shutoff", 1u << 6}, {"state-other", 1u << 7},
                   {"autostart", 1u << 10},    {"no-autostart", 1u << 11}};
    unsigned flags = args_has(args, "all") ? 3 : args_has(args, "inactive") ? 2 : 1;

    for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
        if (args_has(args, filters[i].name)) {
            flags |= filters[i].flag;
        }
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

static char *get_title(Tool *tool, const remote_domain *dom) {
    remote_domain_get_metadata_args call = {.dom = *dom, .type = 1};
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

static void list_table(Tool *tool, const Row *rows, size_t n, bool title) {
    static const char *const titles[] = {"Id", "Name", "State", "Title"};
    CLEANUP(table_done) Table table = {0};

    table_start(&table, title ? 4 : 3, titles);
    for (size_t i = 0; i < n; i++) {
        const remote_domain *dom = rows[i].dom;
        CLEANUP_FREE char *id = dom->id < 0 ? text_format("-") : text_format("%d", dom->id);
        CLEANUP_FREE char *text = title ? get_title(tool, dom) : NULL;
        const char *cells[] = {id, dom->name, format_state(rows[i].state), text};

        if (rows[i].state >= 0)
            table_add(&table, cells);
    }
    table_print(&table, !tool->quiet);
}

static void list_json(Tool *tool, const Row *rows, size_t n, bool title) {
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
                               json_object_new_string(format_state(rows[i].state)));
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
            list_json(tool, rows, n, args_has(args, "title"));
        else if (plain)
            list_plain(args, rows, n);
        else
            list_table(tool, rows, n, args_has(args, "title"));
    }
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_domains_ret, &ret);
    return rows ? 0 : tool_fail(NULL, "out of memory");
}

/* ---- dominfo ---- */

/* What one domain is; the parts that the server does not tell stay at their "unknown". */
typedef struct Info {
    remote_domain_get_info_ret info;
    char *os_type;
    int persistent, autostart, managed_save; /* -1 unknown */
    char *model, *doi, *label;               /* NULL: none */
    int enforcing;
    remote_domain_get_messages_ret messages;
} Info;

static void info_done(Info *info) {
    free(info->os_type);
    free(info->model);
    free(info->doi);
    free(info->label);
    xdr_free((xdrproc_t)xdr_remote_domain_get_messages_ret, &info->messages);
}

static int ask_int(Tool *tool, int procedure, const remote_domain *dom, bool with_flags) {
    remote_domain_flags_args call = {.dom = *dom};
    remote_int_ret ret = {0};
    int r = tool_call(tool, procedure,
                      with_flags ? (xdrproc_t)xdr_remote_domain_flags_args
                                 : (xdrproc_t)xdr_remote_domain_args,
                      &call, (xdrproc_t)xdr_remote_int_ret, &ret, NULL);

    return r < 0 ? -1 : ret.value;
}

static void get_security(Tool *tool, const remote_domain *dom, Info *info) {
    remote_node_get_security_model_ret model = {0};
    remote_domain_get_security_label_ret label = {0};
    remote_domain_get_security_label_args call = {.dom = *dom};

    if (CALL_NONE(tool, NODE_GET_SECURITY_MODEL, remote_node_get_security_model_ret, &model, NULL) <
        0)
        return;
    if (model.model.model_len > 0) {
        info->model = text_format("%.*s", (int)model.model.model_len, model.model.model_val);
        info->doi = text_format("%.*s", (int)model.doi.doi_len, model.doi.doi_val);
    }
    xdr_free((xdrproc_t)xdr_remote_node_get_security_model_ret, &model);
    if (!info->model || !*info->model)
        return;
    if (CALL(tool, DOMAIN_GET_SECURITY_LABEL, remote_domain_get_security_label_args, &call,
             remote_domain_get_security_label_ret, &label, NULL) < 0)
        return;
    if (label.label.label_len > 0)
        info->label = text_format("%.*s", (int)label.label.label_len, label.label.label_val);
    info->enforcing = label.enforcing;
    xdr_free((xdrproc_t)xdr_remote_domain_get_security_label_ret, &label);
}

static int get_info(Tool *tool, const remote_domain *dom, Info *info) {
    remote_domain_args plain = {.dom = *dom};
    remote_domain_flags_args with_flags = {.dom = *dom};
    remote_domain_get_os_type_ret os = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL(tool, DOMAIN_GET_OS_TYPE, remote_domain_args, &plain, remote_domain_get_os_type_ret,
             &os, NULL) >= 0) {
        info->os_type = text_format("%s", os.type);
        xdr_free((xdrproc_t)xdr_remote_domain_get_os_type_ret, &os);
    }
    if (CALL(tool, DOMAIN_GET_INFO, remote_domain_args, &plain, remote_domain_get_info_ret,
             &info->info, &error) < 0)
        return tool_fail(error, "Failed to get information about domain '%s'", dom->name);
    info->persistent = ask_int(tool, REMOTE_PROC_DOMAIN_IS_PERSISTENT, dom, false);
    info->autostart = ask_int(tool, REMOTE_PROC_DOMAIN_GET_AUTOSTART, dom, false);
    info->managed_save = ask_int(tool, REMOTE_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, dom, true);
    get_security(tool, dom, info);
    if (CALL(tool, DOMAIN_GET_MESSAGES, remote_domain_flags_args, &with_flags,
             remote_domain_get_messages_ret, &info->messages, NULL) < 0)
        info->messages = (remote_domain_get_messages_ret){0};
    return 0;
}

static const char *yes_no(int value) {
    return value < 0 ? "unknown" : value ? "yes" : "no";
}

static void print_info(const remote_domain *dom, const Info *info) {
    char uuid[37];

    format_uuid(dom->uuid, uuid);
    if (dom->id < 0)
        printf("%-15s %s\n", "Id:", "-");
    else
        printf("%-15s %d\n", "Id:", dom->id);
    printf("%-15s %s\n%-15s %s\n", "Name:", dom->name, "UUID:", uuid);
    if (info->os_type)
        printf("%-15s %s\n", "OS Type:", info->os_type);
    printf("%-15s %s\n", "State:", format_state(info->info.state));
    printf("%-15s %d\n", "CPU(s):", info->info.nrVirtCpu);
    if (info->info.cpuTime)
        printf("%-15s %.1lfs\n", "CPU time:", (double)info->info.cpuTime / 1e9);
    printf("%-15s %llu KiB\n", "Max memory:", (unsigned long long)info->info.maxMem);
    printf("%-15s %llu KiB\n", "Used memory:", (unsigned long long)info->info.memory);
    printf("%-15s %s\n", "Persistent:", yes_no(info->persistent));
    if (info->autostart >= 0)
        printf("%-15s %s\n", "Autostart:", info->autostart ? "enable" : "disable");
    printf("%-15s %s\n", "Managed save:", yes_no(info->managed_save));
    if (info->model && *info->model) {
        printf("%-15s %s\n%-15s %s\n", "Security model:", info->model, "Security DOI:", info->doi);
        if (info->label && *info->label)
            printf("%-15s %s (%s)\n", "Security label:", info->label,
                   info->enforcing ? "enforcing" : "permissive");
    }
    for (unsigned i = 0; i < info->messages.msgs.msgs_len; i++)
        printf("%-15s %s\n", i == 0 ? "Messages:" : "", info->messages.msgs.msgs_val[i]);
}

static json_object *json_tristate(int value) {
    return value < 0 ? NULL : json_object_new_boolean(value);
}

static void print_info_json(const remote_domain *dom, const Info *info) {
    json_object *object = json_object_new_object(), *messages = json_object_new_array();
    char uuid[37];

    format_uuid(dom->uuid, uuid);
    json_object_object_add(object, "id", dom->id < 0 ? NULL : json_object_new_int(dom->id));
    json_object_object_add(object, "name", json_object_new_string(dom->name));
    json_object_object_add(object, "uuid", json_object_new_string(uuid));
    if (info->os_type)
        json_object_object_add(object, "os_type", json_object_new_string(info->os_type));
    json_object_object_add(object, "state", json_object_new_string(format_state(info->info.state)));
    json_object_object_add(object, "vcpus", json_object_new_int(info->info.nrVirtCpu));
    json_object_object_add(object, "cpu_time_ns", json_object_new_uint64(info->info.cpuTime));
    json_object_object_add(object, "max_memory_kib", json_object_new_uint64(info->info.maxMem));
    json_object_object_add(object, "used_memory_kib", json_object_new_uint64(info->info.memory));
    json_object_object_add(object, "persistent", json_tristate(info->persistent));
    json_object_object_add(object, "autostart", json_tristate(info->autostart));
    json_object_object_add(object, "managed_save", json_tristate(info->managed_save));
    if (info->model)
        json_object_object_add(object, "security_model", json_object_new_string(info->model));
    for (unsigned i = 0; i < info->messages.msgs.msgs_len; i++)
        json_object_array_add(messages, json_object_new_string(info->messages.msgs.msgs_val[i]));
    json_object_object_add(object, "messages", messages);
    tool_print_json(object);
}

static int cmd_dominfo(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP(info_done) Info info = {0};

    if (tool_domain(tool, args, &dom) < 0 || get_info(tool, &dom, &info) < 0)
        return -EIO;
    if (tool->json)
        print_info_json(&dom, &info);
    else
        print_info(&dom, &info);
    return 0;
}

/* ---- domstate ---- */

#define REASONS_MAX 15

static const char *format_reason(int state, int reason) {
    static const char *const names[][REASONS_MAX] = {
        [1] = {"unknown", "booted", "migrated", "restored", "from snapshot", "unpaused",
               "migration canceled", "save canceled", "event wakeup", "crashed", "post-copy",
               "post-copy failed"},
        [2] = {"unknown"},
        [3] = {"unknown", "user", "migrating", "saving", "dumping", "I/O error", "watchdog",
               "from snapshot", "shutting down", "creating snapshot", "crashed", "starting up",
               "post-copy", "post-copy failed", "api error"},
        [4] = {"unknown", "user"},
        [5] = {"unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed",
               "from snapshot", "daemon"},
        [6] = {"unknown", "panicked"},
        [7] = {"unknown"},
    };

    if (state < 1 || (size_t)state >= ARRAY_SIZE(names) || reason < 0 || reason >= REASONS_MAX ||
        !names[state][reason])
        return "unknown";
    return names[state][reason];
}

static int cmd_domstate(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_flags_args call = {0};
    remote_domain_get_state_ret ret = {0};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_STATE, remote_domain_flags_args, &call, remote_domain_get_state_ret,
             &ret, &error) < 0)
        return tool_fail(error, "Failed to get the state of domain '%s'", dom.name);
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "state", json_object_new_string(format_state(ret.state)));
        json_object_object_add(object, "reason",
                               json_object_new_string(format_reason(ret.state, ret.reason)));
        tool_print_json(object);
    } else if (args_has(args, "reason")) {
        printf("%s (%s)\n", format_state(ret.state), format_reason(ret.state, ret.reason));
    } else {
        puts(format_state(ret.state));
    }
    return 0;
}

/* ---- dumpxml ---- */

int info_get_xml(Tool *tool, const remote_domain *dom, unsigned flags, char **ret, Error **reterr) {
    remote_domain_flags_args call = {.dom = *dom, .flags = flags};
    remote_domain_get_xml_desc_ret xml = {0};
    int r;

    r = CALL(tool, DOMAIN_GET_XML_DESC, remote_domain_flags_args, &call,
             remote_domain_get_xml_desc_ret, &xml, reterr);
    if (r < 0)
        return r;
    *ret = text_format("%s", xml.xml);
    xdr_free((xdrproc_t)xdr_remote_domain_get_xml_desc_ret, &xml);
    return 0;
}

static void print_node(xmlDoc *doc, xmlNode *node) {
    xmlBuffer *buffer = xmlBufferCreate();

    if (buffer && xmlNodeDump(buffer, doc, node, 0, 1) >= 0)
        puts((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
}

static int print_nodes(const xmlNodeSet *nodes, xmlDoc *doc, bool wrap) {
    xmlNode *root = NULL;

    if (!nodes)
        return 0;
    if (!wrap) {
        for (int i = 0; i < nodes->nodeNr; i++)
            print_node(doc, nodes->nodeTab[i]);
        return 0;
    }
    root = xmlNewDocNode(doc, NULL, BAD_CAST "nodes", NULL);
    for (int i = 0; root && i < nodes->nodeNr; i++) {
        xmlNode *copy = xmlDocCopyNode(nodes->nodeTab[i], doc, 1);

        if (copy && !xmlAddChild(root, copy))
            xmlFreeNode(copy);
    }
    if (root)
        print_node(doc, root);
    xmlFreeNode(root);
    return 0;
}

static int print_xpath(const char *xml, const char *expression, bool wrap) {
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR);
    xmlXPathContext *context = doc ? xmlXPathNewContext(doc) : NULL;
    xmlXPathObject *object = context ? xmlXPathEval(BAD_CAST expression, context) : NULL;
    int r;

    if (!object)
        r = tool_fail(NULL, "cannot evaluate xpath expression '%s'", expression);
    else if (object->type == XPATH_NODESET)
        r = print_nodes(object->nodesetval, doc, wrap);
    else {
        xmlChar *text = xmlXPathCastToString(object);

        r = 0;
        puts(text ? (const char *)text : "");
        xmlFree(text);
    }
    if (object)
        xmlXPathFreeObject(object);
    if (context)
        xmlXPathFreeContext(context);
    xmlFreeDoc(doc);
    return r;
}

static int cmd_dumpxml(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    unsigned flags = (args_has(args, "security-info") ? 1u : 0) |
                     (args_has(args, "inactive") ? 2u : 0) |
                     (args_has(args, "update-cpu") ? 4u : 0) |
                     (args_has(args, "migratable") ? 8u : 0);

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (info_get_xml(tool, &dom, flags, &xml, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    if (args_has(args, "xpath"))
        return print_xpath(xml, args_string(args, "xpath"), args_has(args, "wrap"));
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "xml", json_object_new_string(xml));
        tool_print_json(object);
    } else {
        printf("%s", xml);
    }
    return 0;
}

/* ---- tables ---- */

static const Option list_options[] = {
    {"inactive", OPTION_FLAG, false, "list inactive domains"},
    {"all", OPTION_FLAG, false, "list inactive & active domains"},
    {"transient", OPTION_FLAG, false, "list transient domains"},
    {"persistent", OPTION_FLAG, false, "list persistent domains"},
    {"state-running", OPTION_FLAG, false, "list domains in running state"},
    {"state-paused", OPTION_FLAG, false, "list domains in paused state"},
    {"state-shutoff", OPTION_FLAG, false, "list domains in shutoff state"},
    {"state-other", OPTION_FLAG, false, "list domains in other states"},
    {"autostart", OPTION_FLAG, false, "list domains with autostart enabled"},
    {"no-autostart", OPTION_FLAG, false, "list domains with autostart disabled"},
    {"uuid", OPTION_FLAG, false, "list uuid's only"},
    {"name", OPTION_FLAG, false, "list domain names only"},
    {"id", OPTION_FLAG, false, "list domain IDs only"},
    {"table", OPTION_FLAG, false, "list table (default)"},
    {"title", OPTION_FLAG, false, "show domain title"},
    OPTION_END};
static const Option dominfo_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option domstate_options[] = {
    OPTION_DOMAIN, {"reason", OPTION_FLAG, false, "also print reason for the state"}, OPTION_END};
static const Option dumpxml_options[] = {
    OPTION_DOMAIN,
    {"inactive", OPTION_FLAG, false, "show inactive defined XML"},
    {"security-info", OPTION_FLAG, false, "include security sensitive information in XML dump"},
    {"update-cpu", OPTION_FLAG, false, "update guest CPU according to host CPU"},
    {"migratable", OPTION_FLAG, false, "provide XML suitable for migrations"},
    {"xpath", OPTION_STRING, false, "xpath expression to filter the XML document"},
    {"wrap", OPTION_FLAG, false, "wrap xpath results in an common root element"},
    OPTION_END};

static const Command commands[] = {
    {.name = "dominfo",
     .help = "domain information",
     .description = "Returns basic information about the domain.",
     .options = dominfo_options,
     .json = true,
     .run = cmd_dominfo},
    {.name = "domstate",
     .help = "domain state",
     .description = "Returns state about a domain.",
     .options = domstate_options,
     .json = true,
     .run = cmd_domstate},
    {.name = "domstats",
     .help = "get statistics about one or multiple domains",
     .description = "Gets statistics about one or more (or all) domains",
     .options = domstats_options,
     .json = true,
     .run = cmd_domstats},
    {.name = "dumpxml",
     .help = "domain information in XML",
     .description = "Output the domain information as an XML dump to stdout.",
     .options = dumpxml_options,
     .json = true,
     .run = cmd_dumpxml},
    {.name = "list",
     .help = "list domains",
     .description = "Returns list of domains.",
     .options = list_options,
     .json = true,
     .run = cmd_list},
    {0}};

const CommandGroup group_info = {"Domain Monitoring", "monitor", commands};
