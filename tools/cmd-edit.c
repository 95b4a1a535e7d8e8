/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions and saved states in an editor. */
#include "edit.h"
#include "named.h"
#include "tables.h"
#include "xml-desc.h"

/* ---- domains ---- */

static int get_domain(Tool *tool, void *dom, char **ret, Error **reterr) {
    return xml_desc_get(tool, dom, XML_SECURE | XML_INACTIVE, ret, reterr);
}

static int store_domain(Tool *tool, void *dom, char *xml, Error **reterr) {
    remote_domain_define_xml_args call = {.xml = xml};
    remote_domain_ret ret = {0};
    int r = CALL(tool, DOMAIN_DEFINE_XML, remote_domain_define_xml_args, &call, remote_domain_ret,
                 &ret, reterr);

    xdr_free((xdrproc_t)xdr_remote_domain_ret, (char *)&ret);
    return r;
}

static int cmd_edit(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_FREE char *title = NULL;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    title = text_format("Domain '%s' XML configuration", dom.name);
    return edit_run(tool, &(Edit){title, get_domain, store_domain, &dom});
}

/* ---- saved states ---- */

typedef struct SavedEdit {
    remote_domain dom; /* of a managed one */
    const char *path;  /* of a file */
    unsigned flags;    /* what is to become of it: running, paused */
} SavedEdit;

static int take_xml(remote_xml_ret *xml, int r, char **ret) {
    if (r >= 0)
        *ret = text_format("%s", xml->xml);
    xdr_free((xdrproc_t)xdr_remote_xml_ret, (char *)xml);
    return r;
}

static int get_managed(Tool *tool, void *userdata, char **ret, Error **reterr) {
    const SavedEdit *saved = userdata;
    remote_domain_flags_args call = {.dom = saved->dom, .flags = XML_SECURE};
    remote_xml_ret xml = {0};

    return take_xml(&xml,
                    CALL(tool, DOMAIN_MANAGED_SAVE_GET_XML_DESC, remote_domain_flags_args, &call,
                         remote_xml_ret, &xml, reterr),
                    ret);
}

static int store_managed(Tool *tool, void *userdata, char *xml, Error **reterr) {
    const SavedEdit *saved = userdata;
    remote_domain_managed_save_define_xml_args call = {
        .dom = saved->dom, .dxml = &xml, .flags = saved->flags};

    return CALL_VOID(tool, DOMAIN_MANAGED_SAVE_DEFINE_XML,
                     remote_domain_managed_save_define_xml_args, &call, reterr);
}

static int get_image(Tool *tool, void *userdata, char **ret, Error **reterr) {
    const SavedEdit *saved = userdata;
    remote_domain_save_image_get_xml_desc_args call = {.file = (char *)saved->path,
                                                       .flags = XML_SECURE};
    remote_xml_ret xml = {0};

    return take_xml(&xml,
                    CALL(tool, DOMAIN_SAVE_IMAGE_GET_XML_DESC,
                         remote_domain_save_image_get_xml_desc_args, &call, remote_xml_ret, &xml,
                         reterr),
                    ret);
}

static int store_image(Tool *tool, void *userdata, char *xml, Error **reterr) {
    const SavedEdit *saved = userdata;
    remote_domain_save_image_define_xml_args call = {
        .file = (char *)saved->path, .dxml = xml, .flags = saved->flags};

    return CALL_VOID(tool, DOMAIN_SAVE_IMAGE_DEFINE_XML, remote_domain_save_image_define_xml_args,
                     &call, reterr);
}

static unsigned saved_flags(const Args *args) {
    return (args_has(args, "running") ? SAVE_RUNNING : 0u) |
           (args_has(args, "paused") ? SAVE_PAUSED : 0u);
}

static int cmd_managedsave_edit(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    SavedEdit saved = {.flags = saved_flags(args)};
    CLEANUP_FREE char *title = NULL;

    if (tool_exclusive(args, "running", "paused") < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    saved.dom = dom;
    title = text_format("Managed save image of domain '%s' XML configuration", dom.name);
    return edit_run(tool, &(Edit){title, get_managed, store_managed, &saved});
}

static int cmd_save_image_edit(Tool *tool, const Args *args) {
    SavedEdit saved = {.path = args_string(args, "file"), .flags = saved_flags(args)};
    CLEANUP_FREE char *title = text_format("Saved image %s XML configuration", saved.path);

    if (tool_exclusive(args, "running", "paused") < 0)
        return -EIO;
    return edit_run(tool, &(Edit){title, get_image, store_image, &saved});
}

/* ---- pools and networks ---- */

typedef struct NamedEdit {
    const NamedKind *kind;
    Named object;
} NamedEdit;

#define XML_STORED 1u /* VIR_STORAGE_XML_INACTIVE, VIR_NETWORK_XML_INACTIVE */

static int get_named(Tool *tool, void *userdata, char **ret, Error **reterr) {
    const NamedEdit *named = userdata;
    remote_storage_pool_flags_args call = {.pool = named->object, .flags = XML_STORED};
    remote_xml_ret xml = {0};

    return take_xml(&xml,
                    tool_call(tool, named->kind->get_xml,
                              (xdrproc_t)xdr_remote_storage_pool_flags_args, &call,
                              (xdrproc_t)xdr_remote_xml_ret, &xml, reterr),
                    ret);
}

static int store_named(Tool *tool, void *userdata, char *xml, Error **reterr) {
    const NamedEdit *named = userdata;
    remote_xml_flags_args call = {.xml = xml};
    remote_storage_pool_ret ret = {0};
    int r = tool_call(tool, named->kind->define,
                      named->kind->flags ? (xdrproc_t)xdr_remote_xml_flags_args
                                         : (xdrproc_t)xdr_remote_network_define_xml_args,
                      &call, (xdrproc_t)xdr_remote_storage_pool_ret, &ret, reterr);

    xdr_free((xdrproc_t)xdr_remote_storage_pool_ret, (char *)&ret);
    return r;
}

static int edit_named(Tool *tool, const NamedKind *kind, const Args *args) {
    CLEANUP_NAMED Named object = {0};
    CLEANUP_FREE char *title = NULL;

    if (named_lookup(tool, kind, args, &object) < 0)
        return -EIO;
    title = text_format("%s %s XML configuration", kind->noun, object.name);
    return edit_run(tool, &(Edit){title, get_named, store_named, &(NamedEdit){kind, object}});
}

static int cmd_net_edit(Tool *tool, const Args *args) {
    return edit_named(tool, &named_network, args);
}

static int cmd_pool_edit(Tool *tool, const Args *args) {
    return edit_named(tool, &named_pool, args);
}

/* ---- tables ---- */

#define OPTION_RUNNING                                                                             \
    { "running", OPTION_FLAG, false, "let it run afterwards" }
#define OPTION_PAUSED                                                                              \
    { "paused", OPTION_FLAG, false, "leave it paused afterwards" }

static const Option edit_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option managedsave_edit_options[] = {OPTION_DOMAIN, OPTION_RUNNING, OPTION_PAUSED,
                                                  OPTION_END};
static const Option save_image_edit_options[] = {
    {"file", OPTION_STRING, true, "file with the saved state", .value = VALUE_FILE},
    OPTION_RUNNING,
    OPTION_PAUSED,
    OPTION_END};
static const Option net_edit_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    OPTION_END};
static const Option pool_edit_options[] = {
    {"pool", OPTION_STRING, true, "name or uuid of the pool", .value = VALUE_POOL}, OPTION_END};

const Command commands_edit[] = {
    {.name = "edit",
     .help = "edit the XML of a domain",
     .description = "Opens it in $VISUAL, $EDITOR or vi, and defines the domain anew",
     .options = edit_options,
     .run = cmd_edit},
    {.name = "managedsave-edit",
     .help = "edit the XML of a state that was saved for the next start",
     .options = managedsave_edit_options,
     .run = cmd_managedsave_edit},
    {.name = "save-image-edit",
     .help = "edit the XML of a file with a saved state",
     .options = save_image_edit_options,
     .run = cmd_save_image_edit},
    {0}};

const Command commands_net_edit[] = {{.name = "net-edit",
                                      .help = "edit the XML of a network",
                                      .options = net_edit_options,
                                      .run = cmd_net_edit},
                                     {0}};

const Command commands_pool_edit[] = {{.name = "pool-edit",
                                       .help = "edit the XML of a pool",
                                       .options = pool_edit_options,
                                       .run = cmd_pool_edit},
                                      {0}};
