/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains: finding, defining, starting and stopping them. */
#include "console.h"
#include "tables.h"
#include "vireo.h"

static int cmd_suspend(Tool *tool, const Args *args) {
    return tool_act(tool, args, REMOTE_PROC_DOMAIN_SUSPEND, "suspend", "suspended");
}

static int cmd_resume(Tool *tool, const Args *args) {
    return tool_act(tool, args, REMOTE_PROC_DOMAIN_RESUME, "resume", "resumed");
}

static int cmd_reset(Tool *tool, const Args *args) {
    return tool_act_flags(tool, args, REMOTE_PROC_DOMAIN_RESET, 0, "reset", "was reset");
}

static int cmd_destroy(Tool *tool, const Args *args) {
    unsigned flags = (args_has(args, "graceful") ? DESTROY_GRACEFUL : 0u) |
                     (args_has(args, "remove-logs") ? DESTROY_REMOVE_LOGS : 0u);

    if (flags)
        return tool_act_flags(tool, args, REMOTE_PROC_DOMAIN_DESTROY_FLAGS, flags, "destroy",
                              "destroyed");
    return tool_act(tool, args, REMOTE_PROC_DOMAIN_DESTROY, "destroy", "destroyed");
}

/* --mode: a comma list of names to bits of virDomainShutdownFlagValues. */
static const char *const modes[] = {"acpi", "agent", "initctl", "signal", "paravirt", NULL};

static int parse_mode(const char *text, unsigned *ret) {
    unsigned flags = 0;

    for (const char *at = text; at && *at;) {
        size_t len = strcspn(at, ","), i = 0;

        while (modes[i] && (strlen(modes[i]) != len || strncmp(modes[i], at, len) != 0))
            i++;
        if (!modes[i])
            return tool_fail(
                NULL,
                "Unknown mode %.*s value, expecting 'acpi', 'agent', 'initctl', 'signal', or "
                "'paravirt'",
                (int)len, at);
        flags |= 1u << i;
        at += len + (at[len] == ',');
    }
    *ret = flags;
    return 0;
}

static int cmd_shutdown(Tool *tool, const Args *args) {
    unsigned flags = 0;

    if (parse_mode(args_string(args, "mode"), &flags) < 0)
        return -EINVAL;
    if (flags)
        return tool_act_flags(tool, args, REMOTE_PROC_DOMAIN_SHUTDOWN_FLAGS, flags, "shutdown",
                              "is being shutdown");
    return tool_act(tool, args, REMOTE_PROC_DOMAIN_SHUTDOWN, "shutdown", "is being shutdown");
}

static int cmd_reboot(Tool *tool, const Args *args) {
    unsigned flags = 0;

    if (parse_mode(args_string(args, "mode"), &flags) < 0)
        return -EINVAL;
    return tool_act_flags(tool, args, REMOTE_PROC_DOMAIN_REBOOT, flags, "reboot",
                          "is being rebooted");
}

static int cmd_autostart(Tool *tool, const Args *args) {
    bool disable = args_has(args, "disable");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_set_autostart_args call;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call = (remote_domain_set_autostart_args){.dom = dom, .autostart = !disable};
    if (CALL_VOID(tool, DOMAIN_SET_AUTOSTART, remote_domain_set_autostart_args, &call, &error) < 0)
        return tool_fail(error, "Failed to %s domain '%s' as autostarted",
                         disable ? "unmark" : "mark", dom.name);
    tool_say(tool, "Domain '%s' %s as autostarted\n", dom.name, disable ? "unmarked" : "marked");
    return 0;
}

/* The bits of virDomainCreateFlags that start and create have in common. */
static unsigned start_flags(const Args *args) {
    return (args_has(args, "paused") ? START_PAUSED : 0u) |
           (args_has(args, "autodestroy") ? START_AUTODESTROY : 0u) |
           (args_has(args, "reset-nvram") ? START_RESET_NVRAM : 0u);
}

static int cmd_start(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_flags_args with_flags = {.flags = start_flags(args)};
    remote_domain_args plain;
    remote_domain_ret ret = {0};
    int r;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (dom.id != -1)
        return tool_fail(NULL, "Domain is already active");
    plain.dom = with_flags.dom = dom;
    with_flags.flags |= (args_has(args, "bypass-cache") ? START_BYPASS_CACHE : 0u) |
                        (args_has(args, "force-boot") ? START_FORCE_BOOT : 0u);
    if (with_flags.flags)
        r = CALL(tool, DOMAIN_CREATE_WITH_FLAGS, remote_domain_flags_args, &with_flags,
                 remote_domain_ret, &ret, &error);
    else
        r = CALL_VOID(tool, DOMAIN_CREATE, remote_domain_args, &plain, &error);
    if (r < 0)
        return tool_fail(error, "Failed to start domain '%s'", dom.name);
    xdr_free((xdrproc_t)xdr_remote_domain_ret, &ret);
    tool_say(tool, "Domain '%s' started\n", dom.name);
    return args_has(args, "console") ? console_connect(tool, &dom, NULL, 0) : 0;
}

/* ---- from a file ---- */

/* Tells people what of the XML is not acted on. A server that is not vireod does not say. */
static void warn_of_xml(Tool *tool, char *xml) {
    vireo_check_xml_args call = {.xml = xml};
    vireo_check_xml_ret ret = {0};

    if (tool->quiet || VIREO_CALL(tool, CHECK_XML, vireo_check_xml_args, &call, vireo_check_xml_ret,
                                  &ret, NULL) < 0)
        return;
    fflush(stdout);
    for (u_int i = 0; i < ret.notes.notes_len; i++) {
        const vireo_xml_note *note = &ret.notes.notes_val[i];

        fprintf(stderr, "warning: line %d: %s is %s\n", note->line, note->path,
                note->kind == VIREO_XML_KEPT ? "kept, but not acted on yet"
                                             : "not known and is left out");
    }
    xdr_free((xdrproc_t)xdr_vireo_check_xml_ret, (char *)&ret);
}

static int cmd_define(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    CLEANUP_FREE char *xml = NULL;
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_ret ret = {0};
    int r;

    if (tool_read_file(path, &xml) < 0)
        return -EIO;
    if (args_has(args, "validate")) {
        remote_domain_define_xml_flags_args call = {.xml = xml, .flags = DEFINE_VALIDATE};

        r = CALL(tool, DOMAIN_DEFINE_XML_FLAGS, remote_domain_define_xml_flags_args, &call,
                 remote_domain_ret, &ret, &error);
    } else {
        remote_domain_define_xml_args call = {.xml = xml};

        r = CALL(tool, DOMAIN_DEFINE_XML, remote_domain_define_xml_args, &call, remote_domain_ret,
                 &ret, &error);
    }
    if (r < 0)
        return tool_fail(error, "Failed to define domain from %s", path);
    tool_say(tool, "Domain '%s' defined from %s\n", ret.dom.name, path);
    warn_of_xml(tool, xml);
    xdr_free((xdrproc_t)xdr_remote_domain_ret, &ret);
    return 0;
}

static int cmd_create(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    CLEANUP_FREE char *xml = NULL;
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_create_xml_args call = {0};
    remote_domain_ret ret = {0};
    int r;

    if (tool_read_file(path, &xml) < 0)
        return -EIO;
    call.xml_desc = xml;
    call.flags = start_flags(args) | (args_has(args, "validate") ? START_VALIDATE : 0u);
    if (CALL(tool, DOMAIN_CREATE_XML, remote_domain_create_xml_args, &call, remote_domain_ret, &ret,
             &error) < 0)
        return tool_fail(error, "Failed to create domain from %s", path);
    tool_say(tool, "Domain '%s' created from %s\n", ret.dom.name, path);
    r = args_has(args, "console") ? console_connect(tool, &ret.dom, NULL, 0) : 0;
    xdr_free((xdrproc_t)xdr_remote_domain_ret, &ret);
    return r;
}

/* ---- names, ids, uuids ---- */

static int cmd_domid(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};

    if (tool_lookup(tool, args, LOOKUP_NAME | LOOKUP_UUID, &dom) < 0)
        return -EIO;
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "id", dom.id < 0 ? NULL : json_object_new_int(dom.id));
        tool_print_json(object);
    } else if (dom.id < 0) {
        puts("-");
    } else {
        printf("%d\n", dom.id);
    }
    return 0;
}

static int print_text(Tool *tool, const char *key, const char *text) {
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, key, json_object_new_string(text));
        tool_print_json(object);
    } else {
        puts(text);
    }
    return 0;
}

static int cmd_domname(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};

    if (tool_lookup(tool, args, LOOKUP_ID | LOOKUP_UUID, &dom) < 0)
        return -EIO;
    return print_text(tool, "name", dom.name);
}

static int cmd_domuuid(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    char uuid[37];

    if (tool_lookup(tool, args, LOOKUP_NAME | LOOKUP_ID, &dom) < 0)
        return -EIO;
    format_uuid(dom.uuid, uuid);
    return print_text(tool, "uuid", uuid);
}

/* ---- tables ---- */

#define MODE_OPTION                                                                                \
    {                                                                                              \
        "mode", OPTION_STRING, false, "shutdown mode: acpi|agent|initctl|signal|paravirt",         \
            .value = VALUE_WORD, .words = modes                                                    \
    }
#define FILE_OPTION                                                                                \
    {                                                                                              \
        "file", OPTION_STRING, true, "file containing an XML domain description",                  \
            .value = VALUE_FILE                                                                    \
    }
#define VALIDATE_OPTION                                                                            \
    { "validate", OPTION_FLAG, false, "validate the XML against the schema" }
#define AUTODESTROY_OPTION                                                                         \
    { "autodestroy", OPTION_FLAG, false, "automatically destroy the guest when vireo disconnects" }
#define RESET_NVRAM_OPTION                                                                         \
    { "reset-nvram", OPTION_FLAG, false, "make the nvram from its template again" }
#define CONSOLE_OPTION                                                                             \
    { "console", OPTION_FLAG, false, "connect to its console afterwards" }
#define PAUSED_OPTION                                                                              \
    { "paused", OPTION_FLAG, false, "leave the guest paused after creation" }

static const Option domain_only[] = {OPTION_DOMAIN, OPTION_END};
static const Option autostart_options[] = {
    OPTION_DOMAIN, {"disable", OPTION_FLAG, false, "disable autostarting"}, OPTION_END};
static const Option create_options[] = {FILE_OPTION,        CONSOLE_OPTION,  PAUSED_OPTION,
                                        AUTODESTROY_OPTION, VALIDATE_OPTION, RESET_NVRAM_OPTION,
                                        OPTION_END};
static const Option define_options[] = {FILE_OPTION, VALIDATE_OPTION, OPTION_END};
static const Option destroy_options[] = {
    OPTION_DOMAIN,
    {"graceful", OPTION_FLAG, false, "terminate gracefully"},
    {"remove-logs", OPTION_FLAG, false, "remove the domain's logs"},
    OPTION_END};
static const Option domid_options[] = {
    {"domain", OPTION_STRING, true, "domain name or uuid", .value = VALUE_DOMAIN}, OPTION_END};
static const Option domname_options[] = {
    {"domain", OPTION_STRING, true, "domain id or uuid", .value = VALUE_DOMAIN}, OPTION_END};
static const Option domuuid_options[] = {
    {"domain", OPTION_STRING, true, "domain id or name", .value = VALUE_DOMAIN}, OPTION_END};
static const Option mode_options[] = {OPTION_DOMAIN, MODE_OPTION, OPTION_END};
static const Option start_options[] = {
    {"domain", OPTION_STRING, true, "name of the inactive domain", .value = VALUE_DOMAIN},
    CONSOLE_OPTION,
    PAUSED_OPTION,
    AUTODESTROY_OPTION,
    {"bypass-cache", OPTION_FLAG, false, "do not read a saved state through the host's cache"},
    {"force-boot", OPTION_FLAG, false, "boot afresh and discard a saved state"},
    RESET_NVRAM_OPTION,
    OPTION_END};
const Command commands_domain[] = {
    {.name = "autostart",
     .help = "autostart a domain",
     .description = "Configure a domain to be automatically started at boot.",
     .options = autostart_options,
     .run = cmd_autostart},
    {.name = "create",
     .help = "create a domain from an XML file",
     .description = "Create a domain.",
     .options = create_options,
     .run = cmd_create},
    {.name = "define",
     .help = "define (but don't start) a domain from an XML file",
     .description = "Define a domain.",
     .options = define_options,
     .run = cmd_define},
    {.name = "destroy",
     .help = "destroy (stop) a domain",
     .description = "Forcefully stop a given domain, but leave its resources intact.",
     .options = destroy_options,
     .run = cmd_destroy},
    {.name = "domid",
     .help = "convert a domain name or UUID to domain id",
     .options = domid_options,
     .json = true,
     .run = cmd_domid},
    {.name = "domname",
     .help = "convert a domain id or UUID to domain name",
     .options = domname_options,
     .json = true,
     .run = cmd_domname},
    {.name = "domuuid",
     .help = "convert a domain name or id to domain UUID",
     .options = domuuid_options,
     .json = true,
     .run = cmd_domuuid},
    {.name = "reboot",
     .help = "reboot a domain",
     .description = "Run a reboot command in the target domain.",
     .options = mode_options,
     .run = cmd_reboot},
    {.name = "reset",
     .help = "reset a domain",
     .description = "Reset the target domain as if by power button",
     .options = domain_only,
     .run = cmd_reset},
    {.name = "resume",
     .help = "resume a domain",
     .description = "Resume a previously suspended domain.",
     .options = domain_only,
     .run = cmd_resume},
    {.name = "shutdown",
     .help = "gracefully shutdown a domain",
     .description = "Run shutdown in the target domain.",
     .options = mode_options,
     .run = cmd_shutdown},
    {.name = "start",
     .help = "start a (previously defined) inactive domain",
     .description = "Start a domain via a fresh boot.",
     .options = start_options,
     .run = cmd_start},
    {.name = "suspend",
     .help = "suspend a domain",
     .description = "Suspend a running domain.",
     .options = domain_only,
     .run = cmd_suspend},
    {0}};
