/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands of pools and networks have in common. */
#include "named.h"

#include <strings.h>
#include <systemd/sd-id128.h>

#include "report.h"
#include "xml-desc.h"

const NamedKind named_pool = {.noun = "Pool",
                              .word = "pool",
                              .by_name = REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME,
                              .by_uuid = REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_UUID,
                              .list = REMOTE_PROC_CONNECT_LIST_ALL_STORAGE_POOLS,
                              .define = REMOTE_PROC_STORAGE_POOL_DEFINE_XML,
                              .create_xml = REMOTE_PROC_STORAGE_POOL_CREATE_XML,
                              .start = REMOTE_PROC_STORAGE_POOL_CREATE,
                              .destroy = REMOTE_PROC_STORAGE_POOL_DESTROY,
                              .undefine = REMOTE_PROC_STORAGE_POOL_UNDEFINE,
                              .get_xml = REMOTE_PROC_STORAGE_POOL_GET_XML_DESC,
                              .get_autostart = REMOTE_PROC_STORAGE_POOL_GET_AUTOSTART,
                              .set_autostart = REMOTE_PROC_STORAGE_POOL_SET_AUTOSTART,
                              .is_active = REMOTE_PROC_STORAGE_POOL_IS_ACTIVE,
                              .is_persistent = REMOTE_PROC_STORAGE_POOL_IS_PERSISTENT,
                              .flags = true};

const NamedKind named_network = {.noun = "Network",
                                 .word = "network",
                                 .by_name = REMOTE_PROC_NETWORK_LOOKUP_BY_NAME,
                                 .by_uuid = REMOTE_PROC_NETWORK_LOOKUP_BY_UUID,
                                 .list = REMOTE_PROC_CONNECT_LIST_ALL_NETWORKS,
                                 .define = REMOTE_PROC_NETWORK_DEFINE_XML,
                                 .create_xml = REMOTE_PROC_NETWORK_CREATE_XML,
                                 .start = REMOTE_PROC_NETWORK_CREATE,
                                 .destroy = REMOTE_PROC_NETWORK_DESTROY,
                                 .undefine = REMOTE_PROC_NETWORK_UNDEFINE,
                                 .get_xml = REMOTE_PROC_NETWORK_GET_XML_DESC,
                                 .get_autostart = REMOTE_PROC_NETWORK_GET_AUTOSTART,
                                 .set_autostart = REMOTE_PROC_NETWORK_SET_AUTOSTART,
                                 .is_active = REMOTE_PROC_NETWORK_IS_ACTIVE,
                                 .is_persistent = REMOTE_PROC_NETWORK_IS_PERSISTENT};

/* ---- look-up ---- */

int named_find(Tool *tool, const NamedKind *kind, const char *text, Named *ret) {
    remote_name_args by_name = {.name = (char *)text};
    remote_storage_pool_ret answer = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_uuid_args by_uuid;
    sd_id128_t id;
    int r = -ENOENT;

    if (sd_id128_from_string(text, &id) >= 0) {
        memcpy(by_uuid.uuid, id.bytes, sizeof(id.bytes));
        r = tool_call(tool, kind->by_uuid, (xdrproc_t)xdr_remote_uuid_args, &by_uuid,
                      (xdrproc_t)xdr_remote_storage_pool_ret, &answer, NULL);
    }
    if (r < 0)
        r = tool_call(tool, kind->by_name, (xdrproc_t)xdr_remote_name_args, &by_name,
                      (xdrproc_t)xdr_remote_storage_pool_ret, &answer, &error);
    if (r < 0)
        return tool_fail(error, "failed to get %s '%s'", kind->word, text);
    *ret = answer.pool;
    return 0;
}

int named_lookup(Tool *tool, const NamedKind *kind, const Args *args, Named *ret) {
    return named_find(tool, kind, args_string(args, kind->word), ret);
}

/* ---- calls ---- */

/* A call that takes just the object, and flags when with_flags. */
static int named_call(Tool *tool, int procedure, const Named *object, bool with_flags,
                      unsigned flags, Error **reterr) {
    remote_storage_pool_flags_args call = {.pool = *object, .flags = flags};

    return tool_call(tool, procedure,
                     with_flags ? (xdrproc_t)xdr_remote_storage_pool_flags_args
                                : (xdrproc_t)xdr_remote_storage_pool_args,
                     &call, NULL, NULL, reterr);
}

int named_act(Tool *tool, const NamedKind *kind, const Args *args, int procedure, bool with_flags,
              unsigned flags, const char *verb, const char *done) {
    CLEANUP_NAMED Named object = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (named_lookup(tool, kind, args, &object) < 0)
        return -EIO;
    if (named_call(tool, procedure, &object, with_flags, flags, &error) < 0)
        return tool_fail(error, "Failed to %s %s %s", verb, kind->word, object.name);
    tool_say(tool, "%s %s %s\n", kind->noun, object.name, done);
    return 0;
}

int named_ask(Tool *tool, int procedure, const Named *object) {
    remote_storage_pool_args call = {.pool = *object};
    remote_int_ret ret = {0};

    return tool_call(tool, procedure, (xdrproc_t)xdr_remote_storage_pool_args, &call,
                     (xdrproc_t)xdr_remote_int_ret, &ret, NULL) < 0
               ? -1
               : ret.value;
}

int named_autostart(Tool *tool, const NamedKind *kind, const Args *args) {
    bool disable = args_has(args, "disable");
    remote_storage_pool_set_autostart_args call = {.autostart = !disable};
    CLEANUP_NAMED Named object = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (named_lookup(tool, kind, args, &object) < 0)
        return -EIO;
    call.pool = object;
    if (tool_call(tool, kind->set_autostart, (xdrproc_t)xdr_remote_storage_pool_set_autostart_args,
                  &call, NULL, NULL, &error) < 0)
        return tool_fail(error, "failed to %s %s %s as autostarted", disable ? "unmark" : "mark",
                         kind->word, object.name);
    tool_say(tool, "%s %s %s as autostarted\n", kind->noun, object.name,
             disable ? "unmarked" : "marked");
    return 0;
}

int named_dumpxml(Tool *tool, const NamedKind *kind, const Args *args, unsigned flags) {
    remote_storage_pool_flags_args call = {.flags = flags};
    CLEANUP_NAMED Named object = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_xml_ret ret = {0};
    int r;

    if (named_lookup(tool, kind, args, &object) < 0)
        return -EIO;
    call.pool = object;
    if (tool_call(tool, kind->get_xml, (xdrproc_t)xdr_remote_storage_pool_flags_args, &call,
                  (xdrproc_t)xdr_remote_xml_ret, &ret, &error) < 0)
        return tool_failed(error);
    r = xml_print(tool, args, ret.xml);
    xdr_free((xdrproc_t)xdr_remote_xml_ret, (char *)&ret);
    return r;
}

int named_from_xml(Tool *tool, const NamedKind *kind, bool create, char *xml, unsigned flags,
                   const char *name, const char *from) {
    remote_xml_flags_args call = {.xml = xml, .flags = flags};
    const char *verb = create ? "create" : "define";
    remote_storage_pool_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    /* remote_network_define_xml_args is the XML alone. */
    if (tool_call(tool, create ? kind->create_xml : kind->define,
                  kind->flags ? (xdrproc_t)xdr_remote_xml_flags_args
                              : (xdrproc_t)xdr_remote_network_define_xml_args,
                  &call, (xdrproc_t)xdr_remote_storage_pool_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to %s %s%s %s", verb, kind->word, from ? " from" : "",
                         from   ? from
                         : name ? name
                                : "");
    if (from)
        tool_say(tool, "%s %s %sd from %s\n", kind->noun, ret.pool.name, verb, from);
    else
        tool_say(tool, "%s %s %sd\n", kind->noun, ret.pool.name, verb);
    xdr_free((xdrproc_t)xdr_remote_storage_pool_ret, (char *)&ret);
    return 0;
}

int named_from_file(Tool *tool, const NamedKind *kind, const Args *args, bool create,
                    unsigned flags) {
    const char *path = args_string(args, "file");
    CLEANUP_FREE char *xml = NULL;

    if (tool_read_file(path, &xml) < 0)
        return -EIO;
    return named_from_xml(tool, kind, create, xml, flags, NULL, path);
}

/* ---- lists ---- */

static int compare_names(const void *a, const void *b) {
    return strcasecmp(((const Named *)a)->name, ((const Named *)b)->name);
}

int named_list(Tool *tool, const NamedKind *kind, unsigned flags,
               remote_connect_list_all_storage_pools_ret *ret) {
    remote_list_all_args call = {.need_results = 1, .flags = flags};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_call(tool, kind->list, (xdrproc_t)xdr_remote_list_all_args, &call,
                  (xdrproc_t)xdr_remote_connect_list_all_storage_pools_ret, ret, &error) < 0)
        return tool_fail(error, "Failed to list %ss", kind->word);
    if (ret->pools.pools_len)
        qsort(ret->pools.pools_val, ret->pools.pools_len, sizeof(Named), compare_names);
    return 0;
}

/* virConnectListAllStoragePoolsFlags and virConnectListAllNetworksFlags begin alike. */
enum {
    NAMED_INACTIVE = 1 << 0,
    NAMED_ACTIVE = 1 << 1,
    NAMED_PERSISTENT = 1 << 2,
    NAMED_TRANSIENT = 1 << 3,
    NAMED_AUTOSTART = 1 << 4,
    NAMED_NO_AUTOSTART = 1 << 5
};

unsigned named_list_flags(const Args *args) {
    unsigned flags = args_has(args, "all")        ? NAMED_ACTIVE | NAMED_INACTIVE
                     : args_has(args, "inactive") ? NAMED_INACTIVE
                                                  : NAMED_ACTIVE;

    return flags | (args_has(args, "persistent") ? NAMED_PERSISTENT : 0u) |
           (args_has(args, "transient") ? NAMED_TRANSIENT : 0u) |
           (args_has(args, "autostart") ? NAMED_AUTOSTART : 0u) |
           (args_has(args, "no-autostart") ? NAMED_NO_AUTOSTART : 0u);
}

int named_print_uuid(Tool *tool, const NamedKind *kind, const Args *args) {
    CLEANUP_NAMED Named object = {0};
    char uuid[37];

    if (named_lookup(tool, kind, args, &object) < 0)
        return -EIO;
    format_uuid(object.uuid, uuid);
    report_text(tool, "uuid", uuid);
    return 0;
}

int named_print_name(Tool *tool, const NamedKind *kind, const Args *args) {
    CLEANUP_NAMED Named object = {0};

    if (named_lookup(tool, kind, args, &object) < 0)
        return -EIO;
    report_text(tool, "name", object.name);
    return 0;
}
