/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's name, title, description and metadata. */
#include "report.h"
#include "tables.h"

/* ---- calls ---- */

static int set_metadata(Tool *tool, const remote_domain *dom, int type, const char *text,
                        const char *key, const char *uri, unsigned flags, Error **reterr) {
    remote_string strings[] = {(char *)text, (char *)key, (char *)uri};
    remote_domain_set_metadata_args call = {.dom = *dom,
                                            .type = type,
                                            .metadata = text ? &strings[0] : NULL,
                                            .key = key ? &strings[1] : NULL,
                                            .uri = uri ? &strings[2] : NULL,
                                            .flags = flags};

    return CALL_VOID(tool, DOMAIN_SET_METADATA, remote_domain_set_metadata_args, &call, reterr);
}

/* In fresh memory. */
static int get_metadata(Tool *tool, const remote_domain *dom, int type, const char *uri,
                        unsigned flags, char **ret, Error **reterr) {
    remote_string string = (char *)uri;
    remote_domain_get_metadata_args call = {
        .dom = *dom, .type = type, .uri = uri ? &string : NULL, .flags = flags};
    remote_domain_get_metadata_ret answer = {0};
    int r = CALL(tool, DOMAIN_GET_METADATA, remote_domain_get_metadata_args, &call,
                 remote_domain_get_metadata_ret, &answer, reterr);

    if (r < 0)
        return r;
    *ret = text_format("%s", answer.metadata);
    xdr_free((xdrproc_t)xdr_remote_domain_get_metadata_ret, (char *)&answer);
    return 0;
}

/* ---- desc ---- */

static int show_description(Tool *tool, const remote_domain *dom, bool title, unsigned flags) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;
    int type = title ? METADATA_TITLE : METADATA_DESCRIPTION;

    if (get_metadata(tool, dom, type, NULL, flags, &text, &error) < 0) {
        if (error->code != ERROR_NO_DOMAIN_METADATA)
            return tool_failed(error);
        text = text_format("%s", "");
    }
    if (tool->json)
        report_text(tool, title ? "title" : "description", text);
    else if (*text)
        printf("%s", text);
    else
        tool_say(tool, "No %s for domain: %s", title ? "title" : "description", dom->name);
    return 0;
}

static int cmd_desc(Tool *tool, const Args *args) {
    CLEANUP_FREE char *text = args_join_rest(args);
    bool title = args_has(args, "title");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    unsigned flags = 0;

    if (tool_affect_flags(args, &flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (!text)
        return show_description(tool, &dom, title, flags);
    if (set_metadata(tool, &dom, title ? METADATA_TITLE : METADATA_DESCRIPTION, text, NULL, NULL,
                     flags, &error) < 0)
        return tool_fail(error, "Failed to set new domain %s", title ? "title" : "description");
    tool_say(tool, "Domain %s updated successfully", title ? "title" : "description");
    return 0;
}

/* ---- metadata ---- */

static int show_metadata(Tool *tool, const remote_domain *dom, const char *uri, unsigned flags) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    if (get_metadata(tool, dom, METADATA_ELEMENT, uri, flags, &text, &error) < 0)
        return tool_failed(error);
    report_text(tool, "xml", text);
    return 0;
}

static int cmd_metadata(Tool *tool, const Args *args) {
    const char *uri = args_string(args, "uri"), *key = args_string(args, "key"),
               *text = args_string(args, "set");
    bool remove = args_has(args, "remove");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    unsigned flags = 0;

    if (tool_affect_flags(args, &flags) < 0 || tool_exclusive(args, "remove", "set") < 0 ||
        tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (text && !key)
        return tool_fail(NULL, "namespace key is required when modifying metadata");
    if (!text && !remove)
        return show_metadata(tool, &dom, uri, flags);
    if (set_metadata(tool, &dom, METADATA_ELEMENT, text, key, uri, flags, &error) < 0)
        return tool_failed(error);
    tool_say(tool, "Metadata %s\n", remove ? "removed" : "modified");
    return 0;
}

/* ---- domrename ---- */

static int cmd_domrename(Tool *tool, const Args *args) {
    remote_string name = (char *)args_string(args, "new-name");
    remote_domain_rename_args call = {.new_name = &name};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_int_ret ret;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_RENAME, remote_domain_rename_args, &call, remote_int_ret, &ret, &error) <
        0)
        return tool_failed(error);
    tool_say(tool, "Domain successfully renamed\n");
    return 0;
}

/* ---- tables ---- */

static const Option desc_options[] = {OPTION_DOMAIN,
                                      OPTION_LIVE,
                                      OPTION_CONFIG,
                                      OPTION_CURRENT,
                                      {"title", OPTION_FLAG, false, "the title instead"},
                                      {"new-desc", OPTION_REST, false, "the text"},
                                      OPTION_END};
static const Option domrename_options[] = {
    OPTION_DOMAIN, {"new-name", OPTION_STRING, true, "the new name"}, OPTION_END};
static const Option metadata_options[] = {OPTION_DOMAIN,
                                          {"uri", OPTION_STRING, true, "URI of the namespace"},
                                          OPTION_LIVE,
                                          OPTION_CONFIG,
                                          OPTION_CURRENT,
                                          {"key", OPTION_STRING, false, "prefix of the namespace"},
                                          {"set", OPTION_STRING, false, "the new XML"},
                                          {"remove", OPTION_FLAG, false, "take away instead"},
                                          OPTION_END};

const Command commands_metadata[] = {{.name = "desc",
                                      .help = "show or set a domain's description or title",
                                      .options = desc_options,
                                      .json = true,
                                      .run = cmd_desc},
                                     {.name = "domrename",
                                      .help = "rename a domain that is off",
                                      .options = domrename_options,
                                      .run = cmd_domrename},
                                     {.name = "metadata",
                                      .help = "show or set a domain's metadata",
                                      .options = metadata_options,
                                      .json = true,
                                      .run = cmd_metadata},
                                     {0}};
