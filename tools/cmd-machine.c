/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hands on the machine: keys, NMI, what it does when it ends, and where its screens are. */
#include "keys.h"
#include "report.h"
#include "tables.h"
#include "xml-desc.h"

/* ---- send-key, inject-nmi ---- */

#define KEYS_MAX 16 /* the protocol's limit */

/* virKeycodeSet */
static const char *const codesets[] = {"linux",  "xt",  "atset1", "atset2", "atset3", "os_x",
                                       "xt_kbd", "usb", "win32",  "qnum",   NULL};

static int read_keys(const Args *args, bool is_linux, u_int *keys) {
    if (args->n_rest > KEYS_MAX)
        return tool_fail(NULL, "too many keycodes");
    for (size_t i = 0; i < args->n_rest; i++) {
        char *end = NULL;
        long number = strtol(args->rest[i], &end, 0);

        if (end == args->rest[i] || *end)
            number = is_linux ? key_number(args->rest[i]) : -1;
        if (number < 0 || number > 0xffff)
            return tool_fail(NULL, "invalid keycode: '%s'", args->rest[i]);
        keys[i] = (u_int)number;
    }
    return 0;
}

static int cmd_send_key(Tool *tool, const Args *args) {
    const char *codeset = args_string(args, "codeset");
    u_int keys[KEYS_MAX];
    remote_domain_send_key_args call = {
        .keycodes = {.keycodes_val = keys, .keycodes_len = (u_int)args->n_rest}};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    long long holdtime = 0;

    if (codeset && streq(codeset, "rfb"))
        codeset = "qnum"; /* its older name */
    while (codeset && codesets[call.codeset] && !streq(codesets[call.codeset], codeset))
        call.codeset++;
    if (!codesets[call.codeset])
        return tool_fail(NULL, "unknown codeset: '%s'", codeset);
    if (args_number(args, "holdtime", 0, UINT32_MAX, &holdtime) < 0)
        return tool_bad_number(args, "holdtime");
    if (read_keys(args, call.codeset == 0, keys) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.holdtime = (u_int)holdtime;
    if (CALL_VOID(tool, DOMAIN_SEND_KEY, remote_domain_send_key_args, &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

static int cmd_inject_nmi(Tool *tool, const Args *args) {
    return tool_act_flags(tool, args, REMOTE_PROC_DOMAIN_INJECT_NMI, 0, NULL, NULL);
}

/* ---- set-lifecycle-action ---- */

/* virDomainLifecycle, virDomainLifecycleAction */
static const char *const lifecycle_types[] = {"poweroff", "reboot", "crash", NULL},
                         *const lifecycle_actions[] = {
                             "destroy",  "restart",          "rename-restart",
                             "preserve", "coredump-destroy", "coredump-restart",
                             NULL};

static unsigned find_word(const char *const *words, const char *word) {
    unsigned i = 0;

    while (words[i] && !streq(words[i], word))
        i++;
    return i;
}

static int cmd_set_lifecycle_action(Tool *tool, const Args *args) {
    const char *type = args_string(args, "type"), *action = args_string(args, "action");
    remote_domain_set_lifecycle_action_args call = {.type = find_word(lifecycle_types, type),
                                                    .action = find_word(lifecycle_actions, action)};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0)
        return -EINVAL;
    if (!lifecycle_types[call.type])
        return tool_fail(NULL, "Invalid lifecycle type '%s'.", type);
    if (!lifecycle_actions[call.action])
        return tool_fail(NULL, "Invalid lifecycle action '%s'.", action);
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_LIFECYCLE_ACTION, remote_domain_set_lifecycle_action_args, &call,
                  &error) < 0)
        return tool_fail(error, "Unable to change lifecycle action.");
    return 0;
}

/* ---- domdisplay, vncdisplay, ttyconsole ---- */

static const char *const display_types[] = {"vnc", "spice", "rdp", NULL};

static char *display_part(const XmlView *view, const char *type, const char *part) {
    CLEANUP_FREE char *path = text_format("./devices/graphics[@type='%s']/%s", type, part);

    return xml_view_string(view, NULL, path);
}

/* A port; 0 when there is none. */
static int number_of(const char *text) {
    long number = text ? strtol(text, NULL, 10) : 0;

    return number > 0 && number <= UINT16_MAX ? (int)number : 0;
}

/* The part "host:port" of a display's URI. A wildcard address means this host. */
static char *display_address(const char *listen, const char *type, int port) {
    bool local = !listen || streq(listen, "0.0.0.0") || streq(listen, "::");
    const char *host = local ? "localhost" : listen;
    bool colon = strchr(host, ':') != NULL;
    CLEANUP_FREE char *tail = port ? text_format(":%d", streq(type, "vnc") ? port - 5900 : port)
                                   : text_format("%s", "");

    return text_format("%s%s%s%s", colon ? "[" : "", host, colon ? "]" : "", tail);
}

/* The URI of one display, or NULL when the domain has none of this type. */
static char *display_uri(const XmlView *view, const char *type) {
    CLEANUP_FREE char *port = display_part(view, type, "@port");
    CLEANUP_FREE char *tls = display_part(view, type, "@tlsPort");
    CLEANUP_FREE char *socket = display_part(view, type, "listen[@type='socket']/@socket");
    CLEANUP_FREE char *listen = display_part(view, type, "@listen");
    CLEANUP_FREE char *password = display_part(view, type, "@passwd");
    CLEANUP_FREE char *address = NULL, *login = NULL, *query = NULL;
    int number = number_of(port), tls_number = number_of(tls);
    bool spice = streq(type, "spice");

    if (number <= 0 && tls_number <= 0 && !socket)
        return NULL;
    if (!listen)
        listen = display_part(view, type, "listen/@address");
    address = socket ? text_format("%s", socket) : display_address(listen, type, MAX_OF(number, 0));
    login = password && streq(type, "vnc") ? text_format(":%s@", password) : text_format("%s", "");
    query = tls_number > 0 && password && spice
                ? text_format("?tls-port=%d&password=%s", tls_number, password)
            : tls_number > 0    ? text_format("?tls-port=%d", tls_number)
            : password && spice ? text_format("?password=%s", password)
                                : text_format("%s", "");
    return text_format("%s%s://%s%s%s", type, socket ? "+unix" : "", login, address, query);
}

static int cmd_domdisplay(Tool *tool, const Args *args) {
    const char *type = args_string(args, "type");
    bool all = args_has(args, "all"), found = false;
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    json_object *list = NULL;

    if (tool_exclusive(args, "all", "type") < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (dom.id == -1)
        return tool_fail(NULL, "Domain is not running");
    if (xml_view_domain(tool, &dom, args_has(args, "include-password") ? XML_SECURE : 0, &view) < 0)
        return -EIO;
    list = json_object_new_array();
    for (size_t i = 0; display_types[i] && (all || !found); i++) {
        CLEANUP_FREE char *uri = type && !streq(type, display_types[i])
                                     ? NULL
                                     : display_uri(&view, display_types[i]);

        if (!uri)
            continue;
        found = true;
        json_object_array_add(list, json_object_new_string(uri));
        if (!tool->json)
            printf(all ? "%s\n" : "%s", uri);
    }
    if (tool->json && found)
        tool_print_json(list);
    else
        json_object_put(list);
    if (found)
        return 0;
    return type ? tool_fail(NULL, "No graphical display with type '%s' found", type)
                : tool_fail(NULL, "No graphical display found");
}

static int cmd_vncdisplay(Tool *tool, const Args *args) {
    CLEANUP_FREE char *port = NULL, *listen = NULL, *text = NULL;
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (dom.id == -1)
        return tool_fail(NULL, "Domain is not running");
    if (xml_view_domain(tool, &dom, 0, &view) < 0)
        return -EIO;
    port = display_part(&view, "vnc", "@port");
    if (!port)
        return tool_fail(NULL, "Failed to get VNC port. Is this domain using VNC?");
    listen = display_part(&view, "vnc", "@listen");
    if (!listen)
        listen = display_part(&view, "vnc", "listen/@address");
    text = text_format("%s:%d", listen && !streq(listen, "0.0.0.0") ? listen : "",
                       number_of(port) - 5900);
    report_text(tool, "display", text);
    return 0;
}

static int cmd_ttyconsole(Tool *tool, const Args *args) {
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_FREE char *tty = NULL;

    if (tool_domain(tool, args, &dom) < 0 || xml_view_domain(tool, &dom, 0, &view) < 0)
        return -EIO;
    tty = xml_view_string(&view, NULL, "./devices/console/@tty");
    if (!tty)
        return tool_fail(NULL, "domain '%s' has no console on a terminal device", dom.name);
    report_text(tool, "tty", tty);
    return 0;
}

/* ---- tables ---- */

static const Option domdisplay_options[] = {
    OPTION_DOMAIN,
    {"include-password", OPTION_FLAG, false, "with the password"},
    {"type", OPTION_STRING, false, "vnc, spice or rdp", .value = VALUE_WORD,
     .words = display_types},
    {"all", OPTION_FLAG, false, "all of them"},
    OPTION_END};
static const Option inject_nmi_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option send_key_options[] = {
    OPTION_DOMAIN,
    {"codeset", OPTION_STRING, false, "linux, xt, atset1 and others", .named = true,
     .value = VALUE_WORD, .words = codesets},
    {"holdtime", OPTION_NUMBER, false, "milliseconds to hold them", .named = true},
    {"keycode", OPTION_REST, true, "names or numbers of keys"},
    OPTION_END};
static const Option set_lifecycle_action_options[] = {
    OPTION_DOMAIN,
    {"type", OPTION_STRING, true, "poweroff, reboot or crash", .value = VALUE_WORD,
     .words = lifecycle_types},
    {"action", OPTION_STRING, true, "what to do then", .value = VALUE_WORD,
     .words = lifecycle_actions},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option ttyconsole_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option vncdisplay_options[] = {OPTION_DOMAIN, OPTION_END};

const Command commands_machine[] = {{.name = "domdisplay",
                                     .help = "where a domain's screen is",
                                     .options = domdisplay_options,
                                     .json = true,
                                     .run = cmd_domdisplay},
                                    {.name = "inject-nmi",
                                     .help = "inject an NMI into the guest",
                                     .options = inject_nmi_options,
                                     .run = cmd_inject_nmi},
                                    {.name = "send-key",
                                     .help = "press keys in the guest",
                                     .options = send_key_options,
                                     .run = cmd_send_key},
                                    {.name = "set-lifecycle-action",
                                     .help = "set what becomes of a domain that ends",
                                     .options = set_lifecycle_action_options,
                                     .run = cmd_set_lifecycle_action},
                                    {.name = "ttyconsole",
                                     .help = "the terminal of a domain's console",
                                     .options = ttyconsole_options,
                                     .json = true,
                                     .run = cmd_ttyconsole},
                                    {.name = "vncdisplay",
                                     .help = "where a domain's VNC screen is",
                                     .options = vncdisplay_options,
                                     .json = true,
                                     .run = cmd_vncdisplay},
                                    {0}};
