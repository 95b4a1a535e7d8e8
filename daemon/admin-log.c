/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The admin program's calls about the daemon itself: what it logs, and when it ends by itself. The
 * log has one output, which was chosen as it was started (the journal, or stderr); its level can be
 * changed. Levels of the wire are libvirt's: 1 debug, 2 info, 3 warning, 4 error. */
#include "admin-internal.h"
#include "idle.h"
#include "util/file.h"
#include "util/log.h"

static const int levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

static const char *output_name(void) {
    return log_is_journal() ? "journald" : "stderr";
}

static unsigned level_number(void) {
    unsigned number = 1;

    while (number < ARRAY_SIZE(levels) && log_max_level() < levels[number - 1])
        number++;
    return number;
}

HANDLER(get_outputs) {
    const admin_connect_get_logging_args *args = args_;
    admin_connect_get_logging_outputs_ret *ret = ret_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    ret->n = 1;
    ret->outputs = strf("%u:%s", level_number(), output_name());
    return ret->outputs ? 0 : error_no_memory(reterr);
}

HANDLER(get_filters) {
    const admin_connect_get_logging_args *args = args_;

    return dispatch_flags(args->flags, 0, call->proc->api, reterr);
}

static bool is_empty(const char *text) {
    return !text || text[strspn(text, " ")] == '\0';
}

/* "2:journald": a level and this daemon's output. */
static int parse_output(const char *text, int *ret, Error **reterr) {
    const char *name = output_name();

    while (*text == ' ')
        text++;
    if (*text < '1' || *text > '4' || text[1] != ':')
        return error_report(reterr, FROM_ADMIN, ERROR_INVALID_ARG,
                            "'%s' is no output of a log: it begins with a level, 1 (debug) to 4 "
                            "(error), and a colon",
                            text);
    if (strncmp(text + 2, name, strlen(name)) != 0 || !is_empty(text + 2 + strlen(name)))
        return error_report(reterr, FROM_ADMIN, ERROR_OPERATION_UNSUPPORTED,
                            "vireod logs to '%s' alone, at a level that can be changed (as in "
                            "'%c:%s'); it cannot log to '%s'",
                            name, *text, name, text + 2);
    *ret = levels[*text - '1'];
    return 0;
}

/* None: what the settings say. */
HANDLER(set_outputs) {
    const admin_connect_set_logging_args *args = args_;
    const char *text = dispatch_opt(args->text);
    const Daemon *daemon = admin_daemon(session);
    int level = daemon->verbose ? LOG_DEBUG : daemon->config.log_level;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0 && !is_empty(text))
        r = parse_output(text, &level, reterr);
    if (r >= 0)
        log_init(level);
    return r;
}

HANDLER(set_filters) {
    const admin_connect_set_logging_args *args = args_;
    const char *text = dispatch_opt(args->text);
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0 && !is_empty(text))
        r = error_report(reterr, FROM_ADMIN, ERROR_OPERATION_UNSUPPORTED,
                         "vireod's log has no filters; the level of its output can be changed, and "
                         "'journalctl DOMAIN=NAME' shows the lines about one domain");
    return r;
}

HANDLER(set_timeout) {
    const admin_connect_set_daemon_timeout_args *args = args_;
    Daemon *daemon = admin_daemon(session);
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0 && idle_set(daemon, args->timeout) < 0)
        r = error_no_memory(reterr);
    return r;
}

const RpcProc admin_log_procs[] = {
    ADMIN_ROW(CONNECT_GET_LOGGING_OUTPUTS, "ConnectGetLoggingOutputs", 0, get_outputs,
              XDR_OF(admin_connect_get_logging_args),
              XDR_OF(admin_connect_get_logging_outputs_ret)),
    ADMIN_ROW(CONNECT_GET_LOGGING_FILTERS, "ConnectGetLoggingFilters", 0, get_filters,
              XDR_OF(admin_connect_get_logging_args),
              XDR_OF(admin_connect_get_logging_filters_ret)),
    ADMIN_ROW(CONNECT_SET_LOGGING_OUTPUTS, "ConnectSetLoggingOutputs", RPC_PROC_WRITE, set_outputs,
              XDR_OF(admin_connect_set_logging_args), NO_XDR),
    ADMIN_ROW(CONNECT_SET_LOGGING_FILTERS, "ConnectSetLoggingFilters", RPC_PROC_WRITE, set_filters,
              XDR_OF(admin_connect_set_logging_args), NO_XDR),
    ADMIN_ROW(CONNECT_SET_DAEMON_TIMEOUT, "ConnectSetDaemonTimeout", RPC_PROC_WRITE, set_timeout,
              XDR_OF(admin_connect_set_daemon_timeout_args), NO_XDR),
};
const size_t admin_log_n_procs = ARRAY_SIZE(admin_log_procs);
