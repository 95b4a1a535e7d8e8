/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's state in a file: saved, restored, managed by the daemon, and dumped. */
#include "progress.h"
#include "report.h"
#include "tables.h"
#include "xml-desc.h"

static unsigned save_flags(const Args *args) {
    return (args_has(args, "bypass-cache") ? SAVE_BYPASS_CACHE : 0u) |
           (args_has(args, "running") ? SAVE_RUNNING : 0u) |
           (args_has(args, "paused") ? SAVE_PAUSED : 0u) |
           (args_has_option(args, "reset-nvram") ? SAVE_RESET_NVRAM : 0u);
}

/* The text of the file that --xml names; NULL without. */
static int read_xml_option(const Args *args, char **ret) {
    const char *path = args_string(args, "xml");

    return path ? tool_read_file(path, ret) : 0;
}

/* ---- save, restore ---- */

static int cmd_save(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    remote_domain_save_flags_args call = {.to = (char *)path, .flags = save_flags(args)};
    remote_domain_save_args plain = {.to = (char *)path};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    Progress progress;
    int r;

    if (tool_domain(tool, args, &dom) < 0 || read_xml_option(args, &xml) < 0)
        return -EIO;
    call.dom = plain.dom = dom;
    call.dxml = xml ? &xml : NULL;
    progress_start(&progress, tool, &dom, "Save", args_has(args, "verbose"));
    r = call.flags || xml
            ? CALL_VOID(tool, DOMAIN_SAVE_FLAGS, remote_domain_save_flags_args, &call, &error)
            : CALL_VOID(tool, DOMAIN_SAVE, remote_domain_save_args, &plain, &error);
    progress_stop(&progress, r >= 0);
    if (r < 0)
        return tool_fail(error, "Failed to save domain '%s' to %s", dom.name, path);
    tool_say(tool, "\nDomain '%s' saved to %s\n", dom.name, path);
    return 0;
}

static int cmd_restore(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    remote_domain_restore_flags_args call = {.from = (char *)path, .flags = save_flags(args)};
    remote_domain_restore_args plain = {.from = (char *)path};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    int r;

    if (read_xml_option(args, &xml) < 0)
        return -EIO;
    call.dxml = xml ? &xml : NULL;
    r = call.flags || xml
            ? CALL_VOID(tool, DOMAIN_RESTORE_FLAGS, remote_domain_restore_flags_args, &call, &error)
            : CALL_VOID(tool, DOMAIN_RESTORE, remote_domain_restore_args, &plain, &error);
    if (r < 0)
        return tool_fail(error, "Failed to restore domain from %s", path);
    tool_say(tool, "Domain restored from %s\n", path);
    return 0;
}

/* ---- managedsave ---- */

static int cmd_managedsave(Tool *tool, const Args *args) {
    remote_domain_flags_args call = {.flags = save_flags(args)};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    Progress progress;
    int r;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    progress_start(&progress, tool, &dom, "Managedsave", args_has(args, "verbose"));
    r = CALL_VOID(tool, DOMAIN_MANAGED_SAVE, remote_domain_flags_args, &call, &error);
    progress_stop(&progress, r >= 0);
    if (r < 0)
        return tool_fail(error, "Failed to save domain '%s' state", dom.name);
    tool_say(tool, "\nDomain '%s' state saved by the daemon\n", dom.name);
    return 0;
}

static int cmd_managedsave_remove(Tool *tool, const Args *args) {
    remote_domain_flags_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_int_ret saved = {0};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_HAS_MANAGED_SAVE_IMAGE, remote_domain_flags_args, &call, remote_int_ret,
             &saved, &error) < 0)
        return tool_fail(error, "Failed to check for domain managed save image");
    if (!saved.value) {
        tool_say(tool, "Domain '%s' has no manage save image; removal skipped", dom.name);
        return 0;
    }
    if (CALL_VOID(tool, DOMAIN_MANAGED_SAVE_REMOVE, remote_domain_flags_args, &call, &error) < 0)
        return tool_fail(error, "Failed to remove managed save image for domain '%s'", dom.name);
    tool_say(tool, "Removed managedsave image for domain '%s'", dom.name);
    return 0;
}

/* ---- XML of saved states ---- */

static int cmd_save_image_dumpxml(Tool *tool, const Args *args) {
    remote_domain_save_image_get_xml_desc_args call = {
        .file = (char *)args_string(args, "file"),
        .flags = args_has(args, "security-info") ? XML_SECURE : 0};
    CLEANUP_ERROR Error *error = NULL;
    remote_xml_ret ret = {0};
    int r;

    if (CALL(tool, DOMAIN_SAVE_IMAGE_GET_XML_DESC, remote_domain_save_image_get_xml_desc_args,
             &call, remote_xml_ret, &ret, &error) < 0)
        return tool_failed(error);
    r = xml_print(tool, args, ret.xml);
    xdr_free((xdrproc_t)xdr_remote_xml_ret, (char *)&ret);
    return r;
}

static int cmd_save_image_define(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    remote_domain_save_image_define_xml_args call = {.file = (char *)path,
                                                     .flags = save_flags(args)};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (tool_exclusive(args, "running", "paused") < 0 || read_xml_option(args, &xml) < 0)
        return -EIO;
    call.dxml = xml;
    if (CALL_VOID(tool, DOMAIN_SAVE_IMAGE_DEFINE_XML, remote_domain_save_image_define_xml_args,
                  &call, &error) < 0)
        return tool_fail(error, "Failed to update %s", path);
    tool_say(tool, "State file %s updated.\n", path);
    return 0;
}

static int cmd_managedsave_dumpxml(Tool *tool, const Args *args) {
    remote_domain_flags_args call = {.flags = args_has(args, "security-info") ? XML_SECURE : 0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_xml_ret ret = {0};
    int r;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_MANAGED_SAVE_GET_XML_DESC, remote_domain_flags_args, &call,
             remote_xml_ret, &ret, &error) < 0)
        return tool_failed(error);
    r = xml_print(tool, args, ret.xml);
    xdr_free((xdrproc_t)xdr_remote_xml_ret, (char *)&ret);
    return r;
}

static int cmd_managedsave_define(Tool *tool, const Args *args) {
    remote_domain_managed_save_define_xml_args call = {.flags = save_flags(args)};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (tool_exclusive(args, "running", "paused") < 0 || read_xml_option(args, &xml) < 0 ||
        tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.dxml = &xml;
    if (CALL_VOID(tool, DOMAIN_MANAGED_SAVE_DEFINE_XML, remote_domain_managed_save_define_xml_args,
                  &call, &error) < 0)
        return tool_fail(error, "Failed to update %s XML configuration", dom.name);
    tool_say(tool, "Managed save state file of domain '%s' updated.\n", dom.name);
    return 0;
}

/* ---- dump ---- */

/* virDomainCoreDumpFormat; raw is what there is without --format */
static const char *const dump_formats[] = {"raw",          "kdump-zlib", "kdump-lzo",
                                           "kdump-snappy", "win-dmp",    NULL};

static int read_dump_format(const Args *args, unsigned flags, unsigned *ret) {
    const char *format = args_string(args, "format");
    unsigned i = 0;

    if (format && !(flags & DUMP_MEMORY_ONLY))
        return tool_fail(NULL, "--format only works with --memory-only");
    if (!format || streq(format, "elf"))
        return 0;
    while (dump_formats[i] && !streq(dump_formats[i], format))
        i++;
    if (!dump_formats[i] || i == 0)
        return tool_fail(NULL,
                         "format '%s' is not supported, expecting 'kdump-zlib', 'kdump-lzo', "
                         "'kdump-snappy', 'win-dmp' or 'elf'",
                         format);
    *ret = i;
    return 0;
}

static int cmd_dump(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    remote_domain_core_dump_with_format_args call = {
        .to = (char *)path,
        .flags = (args_has(args, "crash") ? DUMP_CRASH : 0u) |
                 (args_has(args, "live") ? DUMP_LIVE : 0u) |
                 (args_has(args, "bypass-cache") ? DUMP_BYPASS_CACHE : 0u) |
                 (args_has(args, "reset") ? DUMP_RESET : 0u) |
                 (args_has(args, "memory-only") ? DUMP_MEMORY_ONLY : 0u)};
    remote_domain_core_dump_args plain = {.to = (char *)path, .flags = call.flags};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    Progress progress;
    int r;

    if (tool_domain(tool, args, &dom) < 0 ||
        read_dump_format(args, call.flags, &call.dumpformat) < 0)
        return -EIO;
    call.dom = plain.dom = dom;
    progress_start(&progress, tool, &dom, "Dump", args_has(args, "verbose"));
    r = call.dumpformat
            ? CALL_VOID(tool, DOMAIN_CORE_DUMP_WITH_FORMAT,
                        remote_domain_core_dump_with_format_args, &call, &error)
            : CALL_VOID(tool, DOMAIN_CORE_DUMP, remote_domain_core_dump_args, &plain, &error);
    progress_stop(&progress, r >= 0);
    if (r < 0)
        return tool_fail(error, "Failed to core dump domain '%s' to %s", dom.name, path);
    tool_say(tool, "\nDomain '%s' dumped to %s\n", dom.name, path);
    return 0;
}

/* ---- tables ---- */

static const Option dump_options[] = {
    OPTION_DOMAIN,
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    OPTION_LIVE,
    {"crash", OPTION_FLAG, false, "end the domain afterwards"},
    {"bypass-cache", OPTION_FLAG, false, "do not go through the host's cache"},
    {"reset", OPTION_FLAG, false, "replace the keys that are there"},
    {"verbose", OPTION_FLAG, false, "show the progress"},
    {"memory-only", OPTION_FLAG, false, "only the memory"},
    {"format", OPTION_STRING, false, "format of the dump", .value = VALUE_WORD,
     .words = dump_formats},
    OPTION_END};
static const Option managedsave_options[] = {
    OPTION_DOMAIN,
    {"bypass-cache", OPTION_FLAG, false, "do not go through the host's cache"},
    {"running", OPTION_FLAG, false, "let it run afterwards"},
    {"paused", OPTION_FLAG, false, "leave it paused afterwards"},
    {"verbose", OPTION_FLAG, false, "show the progress"},
    OPTION_END};
static const Option managedsave_define_options[] = {
    OPTION_DOMAIN,
    {"xml", OPTION_STRING, true, "file with XML to be used instead", .value = VALUE_FILE},
    {"running", OPTION_FLAG, false, "let it run afterwards"},
    {"paused", OPTION_FLAG, false, "leave it paused afterwards"},
    OPTION_END};
static const Option managedsave_dumpxml_options[] = {
    OPTION_DOMAIN,
    {"security-info", OPTION_FLAG, false, "with passwords"},
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option managedsave_remove_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option restore_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"bypass-cache", OPTION_FLAG, false, "do not go through the host's cache"},
    {"xml", OPTION_STRING, false, "file with XML to be used instead", .value = VALUE_FILE},
    {"running", OPTION_FLAG, false, "let it run afterwards"},
    {"paused", OPTION_FLAG, false, "leave it paused afterwards"},
    {"reset-nvram", OPTION_FLAG, false, "make the nvram from its template again"},
    OPTION_END};
static const Option save_options[] = {
    OPTION_DOMAIN,
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"bypass-cache", OPTION_FLAG, false, "do not go through the host's cache"},
    {"xml", OPTION_STRING, false, "file with XML to be used instead", .value = VALUE_FILE},
    {"running", OPTION_FLAG, false, "let it run afterwards"},
    {"paused", OPTION_FLAG, false, "leave it paused afterwards"},
    {"verbose", OPTION_FLAG, false, "show the progress"},
    OPTION_END};
static const Option save_image_define_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"xml", OPTION_STRING, true, "file with XML to be used instead", .value = VALUE_FILE},
    {"running", OPTION_FLAG, false, "let it run afterwards"},
    {"paused", OPTION_FLAG, false, "leave it paused afterwards"},
    OPTION_END};
static const Option save_image_dumpxml_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"security-info", OPTION_FLAG, false, "with passwords"},
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};

const Command commands_save[] = {
    {.name = "dump",
     .help = "dump a domain's memory to a file",
     .options = dump_options,
     .run = cmd_dump},
    {.name = "managedsave",
     .help = "save a domain's state for its next start",
     .options = managedsave_options,
     .run = cmd_managedsave},
    {.name = "managedsave-define",
     .help = "change the XML of a state that was saved for the next start",
     .options = managedsave_define_options,
     .run = cmd_managedsave_define},
    {.name = "managedsave-dumpxml",
     .help = "XML of a state that was saved for the next start",
     .options = managedsave_dumpxml_options,
     .json = true,
     .run = cmd_managedsave_dumpxml},
    {.name = "managedsave-remove",
     .help = "remove a state that was saved for the next start",
     .options = managedsave_remove_options,
     .run = cmd_managedsave_remove},
    {.name = "restore",
     .help = "restore a domain from a file",
     .options = restore_options,
     .run = cmd_restore},
    {.name = "save",
     .help = "save a domain's state to a file",
     .options = save_options,
     .run = cmd_save},
    {.name = "save-image-define",
     .help = "change the XML of a file with a saved state",
     .options = save_image_define_options,
     .run = cmd_save_image_define},
    {.name = "save-image-dumpxml",
     .help = "XML of a file with a saved state",
     .options = save_image_dumpxml_options,
     .json = true,
     .run = cmd_save_image_dumpxml},
    {0}};
