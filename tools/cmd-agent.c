/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest's agent tells and does, apart from its CPUs: time, file systems, users, power. */
#include <inttypes.h>
#include <time.h>

#include "param.h"
#include "report.h"
#include "tables.h"

/* ---- domtime ---- */

#define TIME_SYNC 1u /* VIR_DOMAIN_TIME_SYNC */

static int set_time(Tool *tool, const Args *args, const remote_domain *dom, long long seconds) {
    remote_domain_set_time_args call = {
        .dom = *dom, .seconds = seconds, .flags = args_has(args, "sync") ? TIME_SYNC : 0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL_VOID(tool, DOMAIN_SET_TIME, remote_domain_set_time_args, &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

static int show_time(Tool *tool, const Args *args, const remote_domain *dom) {
    remote_domain_flags_args call = {.dom = *dom};
    remote_domain_get_time_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    char text[64] = "";
    time_t seconds;
    Facts facts;
    struct tm tm;

    if (CALL(tool, DOMAIN_GET_TIME, remote_domain_flags_args, &call, remote_domain_get_time_ret,
             &ret, &error) < 0)
        return tool_failed(error);
    seconds = (time_t)ret.seconds;
    if (tool->json) {
        facts_start(&facts, tool, 0);
        facts_number(&facts, "", "seconds", (uint64_t)ret.seconds, NULL);
        facts_number(&facts, "", "nanoseconds", ret.nseconds, NULL);
        facts_print(&facts);
    } else if (args_has(args, "pretty") && gmtime_r(&seconds, &tm)) {
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
        printf("Time: %s", text);
    } else {
        printf("Time: %" PRId64, (int64_t)ret.seconds);
    }
    return 0;
}

static int cmd_domtime(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    long long seconds = 0;
    int r;

    if (tool_exclusive(args, "time", "now") < 0 || tool_exclusive(args, "time", "sync") < 0 ||
        tool_exclusive(args, "now", "sync") < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    r = args_number(args, "time", INT64_MIN, INT64_MAX, &seconds);
    if (r < 0)
        return tool_bad_number(args, "time");
    if (args_has(args, "now"))
        seconds = (long long)time(NULL);
    return r > 0 || args_has(args, "now") || args_has(args, "sync")
               ? set_time(tool, args, &dom, seconds)
               : show_time(tool, args, &dom);
}

/* ---- file systems ---- */

static void add_filesystem(Rows *rows, const remote_domain_fsinfo *info) {
    CLEANUP_FREE char *targets = text_format("%s", "");

    for (u_int i = 0; i < info->dev_aliases.dev_aliases_len; i++) {
        CLEANUP_FREE char *before = targets;

        targets = text_format("%s%s%s", before, i ? "," : "", info->dev_aliases.dev_aliases_val[i]);
    }
    rows_add(rows, (const char *const[]){info->mountpoint, info->name, info->fstype, targets});
}

static int cmd_domfsinfo(Tool *tool, const Args *args) {
    static const char *const titles[] = {"Mountpoint", "Name", "Type", "Target"}, *const keys[] = {
                                                                                      "mountpoint",
                                                                                      "name",
                                                                                      "type",
                                                                                      "target"};
    remote_domain_flags_args call = {0};
    remote_domain_get_fsinfo_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    Rows rows;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_FSINFO, remote_domain_flags_args, &call, remote_domain_get_fsinfo_ret,
             &ret, &error) < 0)
        return tool_fail(error, "Unable to get filesystem information");
    if (ret.info.info_len == 0 && !tool->json) {
        tool_say(tool, "No filesystems are mounted in the domain");
        return 0;
    }
    rows_start(&rows, tool, ARRAY_SIZE(titles), titles, keys);
    for (u_int i = 0; i < ret.info.info_len; i++)
        add_filesystem(&rows, &ret.info.info_val[i]);
    rows_print(&rows);
    xdr_free((xdrproc_t)xdr_remote_domain_get_fsinfo_ret, (char *)&ret);
    return 0;
}

/* Freeze and thaw take and answer the same. */
static int change_filesystems(Tool *tool, const Args *args, int procedure, const char *verb,
                              const char *done) {
    remote_domain_fsfreeze_args call = {.mountpoints = {.mountpoints_val = (char **)args->rest,
                                                        .mountpoints_len = (u_int)args->n_rest}};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_int_ret ret = {0};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (tool_call(tool, procedure, (xdrproc_t)xdr_remote_domain_fsfreeze_args, &call,
                  (xdrproc_t)xdr_remote_int_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to %s filesystems", verb);
    tool_say(tool, "%s %d filesystem(s)\n", done, ret.value);
    return 0;
}

static int cmd_domfsfreeze(Tool *tool, const Args *args) {
    return change_filesystems(tool, args, REMOTE_PROC_DOMAIN_FSFREEZE, "freeze", "Froze");
}

static int cmd_domfsthaw(Tool *tool, const Args *args) {
    return change_filesystems(tool, args, REMOTE_PROC_DOMAIN_FSTHAW, "thaw", "Thawed");
}

static int cmd_domfstrim(Tool *tool, const Args *args) {
    remote_string mountpoint = (char *)args_string(args, "mountpoint");
    remote_domain_fstrim_args call = {.mountPoint = mountpoint ? &mountpoint : NULL};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    long long minimum = 0;

    if (args_number(args, "minimum", 0, INT64_MAX, &minimum) < 0)
        return tool_bad_number(args, "minimum");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.minimum = (uint64_t)minimum;
    if (CALL_VOID(tool, DOMAIN_FSTRIM, remote_domain_fstrim_args, &call, &error) < 0)
        return tool_fail(error, "Unable to invoke fstrim");
    return 0;
}

/* ---- guestinfo, domhostname ---- */

/* virDomainGuestInfoTypes, in the order of their bits */
static const char *const info_types[] = {"user",       "os",   "timezone", "hostname",
                                         "filesystem", "disk", "interface"};

static int cmd_guestinfo(Tool *tool, const Args *args) {
    remote_domain_get_guest_info_args call = {0};
    remote_domain_get_guest_info_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(info_types); i++)
        call.types |= args_has(args, info_types[i]) ? 1u << i : 0;
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_GUEST_INFO, remote_domain_get_guest_info_args, &call,
             remote_domain_get_guest_info_ret, &ret, &error) < 0)
        return tool_failed(error);
    params_print(tool, ret.params.params_val, ret.params.params_len, 20, NULL);
    xdr_free((xdrproc_t)xdr_remote_domain_get_guest_info_ret, (char *)&ret);
    return 0;
}

static const char *const hostname_sources[] = {"lease", "agent", NULL};

static int cmd_domhostname(Tool *tool, const Args *args) {
    const char *source = args_string(args, "source");
    remote_domain_flags_args call = {0};
    remote_domain_get_hostname_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    /* virDomainGetHostnameFlags: bit 0 the leases, bit 1 the agent */
    for (size_t i = 0; source && hostname_sources[i]; i++)
        call.flags |= streq(source, hostname_sources[i]) ? 1u << i : 0;
    if (source && call.flags == 0)
        return tool_fail(NULL, "Unknown data source '%s'", source);
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_HOSTNAME, remote_domain_flags_args, &call,
             remote_domain_get_hostname_ret, &ret, &error) < 0)
        return tool_fail(error, "failed to get hostname");
    report_text(tool, "hostname", ret.hostname);
    xdr_free((xdrproc_t)xdr_remote_domain_get_hostname_ret, (char *)&ret);
    return 0;
}

/* ---- users ---- */

#define PASSWORD_ENCRYPTED 1u /* VIR_DOMAIN_PASSWORD_ENCRYPTED */

static int cmd_set_user_password(Tool *tool, const Args *args) {
    remote_string user = (char *)args_string(args, "user"),
                  password = (char *)args_string(args, "password");
    remote_domain_set_user_password_args call = {
        .user = &user,
        .password = &password,
        .flags = args_has(args, "encrypted") ? PASSWORD_ENCRYPTED : 0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_USER_PASSWORD, remote_domain_set_user_password_args, &call,
                  &error) < 0)
        return tool_failed(error);
    tool_say(tool, "Password set successfully for %s in %s", user, dom.name);
    return 0;
}

static int cmd_get_user_sshkeys(Tool *tool, const Args *args) {
    remote_domain_authorized_ssh_keys_get_args call = {.user = (char *)args_string(args, "user")};
    remote_domain_authorized_ssh_keys_get_ret ret = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    json_object *list = tool->json ? json_object_new_array() : NULL;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_AUTHORIZED_SSH_KEYS_GET, remote_domain_authorized_ssh_keys_get_args,
             &call, remote_domain_authorized_ssh_keys_get_ret, &ret, &error) < 0) {
        json_object_put(list);
        return tool_failed(error);
    }
    for (u_int i = 0; i < ret.keys.keys_len; i++) {
        if (list)
            json_object_array_add(list, json_object_new_string(ret.keys.keys_val[i]));
        else
            printf("%s\n", ret.keys.keys_val[i]);
    }
    if (list)
        tool_print_json(list);
    xdr_free((xdrproc_t)xdr_remote_domain_authorized_ssh_keys_get_ret, (char *)&ret);
    return 0;
}

/* virDomainAuthorizedSSHKeysSetFlags */
#define SSHKEYS_APPEND 1u
#define SSHKEYS_REMOVE 2u
#define SSHKEYS_MAX 2048

/* The text's lines as the call's keys; the text is cut into them. */
static int split_keys(char *text, remote_domain_authorized_ssh_keys_set_args *call) {
    char *rest = text, *line;

    call->keys.keys_val = calloc(SSHKEYS_MAX, sizeof(*call->keys.keys_val));
    if (!call->keys.keys_val)
        return tool_fail(NULL, "out of memory");
    while ((line = strsep(&rest, "\n")))
        if (*line && call->keys.keys_len < SSHKEYS_MAX)
            call->keys.keys_val[call->keys.keys_len++] = line;
    return 0;
}

static int cmd_set_user_sshkeys(Tool *tool, const Args *args) {
    bool remove = args_has(args, "remove"), reset = args_has(args, "reset");
    remote_domain_authorized_ssh_keys_set_args call = {.user = (char *)args_string(args, "user"),
                                                       .flags = remove  ? SSHKEYS_REMOVE
                                                                : reset ? 0
                                                                        : SSHKEYS_APPEND};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;
    int r;

    if (tool_exclusive(args, "reset", "remove") < 0)
        return -EINVAL;
    if (!args_has(args, "file") && !reset)
        return tool_fail(NULL, "Option --file is required");
    if (tool_domain(tool, args, &dom) < 0 ||
        (args_has(args, "file") && tool_read_file(args_string(args, "file"), &text) < 0) ||
        (text && split_keys(text, &call) < 0))
        return -EIO;
    call.dom = dom;
    r = CALL_VOID(tool, DOMAIN_AUTHORIZED_SSH_KEYS_SET, remote_domain_authorized_ssh_keys_set_args,
                  &call, &error);
    free(call.keys.keys_val);
    return r < 0 ? tool_failed(error) : 0;
}

/* ---- guest-agent-timeout ---- */

static int cmd_guest_agent_timeout(Tool *tool, const Args *args) {
    remote_domain_agent_set_response_timeout_args call = {0};
    long long seconds = AGENT_COMMAND_BLOCK;
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (args_number(args, "timeout", INT32_MIN, INT32_MAX, &seconds) < 0)
        return tool_bad_number(args, "timeout");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.timeout = (int)seconds;
    if (CALL_VOID(tool, DOMAIN_AGENT_SET_RESPONSE_TIMEOUT,
                  remote_domain_agent_set_response_timeout_args, &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

/* ---- dompmsuspend, dompmwakeup ---- */

/* virNodeSuspendTarget */
static const char *const suspend_targets[] = {"mem", "disk", "hybrid", NULL};

static int cmd_dompmsuspend(Tool *tool, const Args *args) {
    remote_domain_pm_suspend_for_duration_args call = {0};
    const char *target = args_string(args, "target");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    long long duration = 0;

    if (args_number(args, "duration", 0, INT64_MAX, &duration) < 0)
        return tool_bad_number(args, "duration");
    while (suspend_targets[call.target] && !streq(suspend_targets[call.target], target))
        call.target++;
    if (!suspend_targets[call.target])
        return tool_fail(NULL, "Invalid target");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.duration = (uint64_t)duration;
    if (CALL_VOID(tool, DOMAIN_PM_SUSPEND_FOR_DURATION, remote_domain_pm_suspend_for_duration_args,
                  &call, &error) < 0)
        return tool_fail(error, "Domain '%s' could not be suspended", dom.name);
    tool_say(tool, "Domain '%s' successfully suspended", dom.name);
    return 0;
}

static int cmd_dompmwakeup(Tool *tool, const Args *args) {
    remote_domain_flags_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_PM_WAKEUP, remote_domain_flags_args, &call, &error) < 0)
        return tool_fail(error, "Domain '%s' could not be woken up", dom.name);
    tool_say(tool, "Domain '%s' successfully woken up", dom.name);
    return 0;
}

/* ---- tables ---- */

static const Option domfsfreeze_options[] = {
    OPTION_DOMAIN,
    {"mountpoint", OPTION_REST, false, "where the file system is mounted"},
    OPTION_END};
static const Option domfsinfo_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option domfsthaw_options[] = {
    OPTION_DOMAIN,
    {"mountpoint", OPTION_REST, false, "where the file system is mounted"},
    OPTION_END};
static const Option domfstrim_options[] = {
    OPTION_DOMAIN,
    {"minimum", OPTION_NUMBER, false, "shortest run of free bytes to discard"},
    {"mountpoint", OPTION_STRING, false, "where the file system is mounted"},
    OPTION_END};
static const Option domhostname_options[] = {OPTION_DOMAIN,
                                             {"source", OPTION_STRING, false, "lease or agent",
                                              .value = VALUE_WORD, .words = hostname_sources},
                                             OPTION_END};
static const Option dompmsuspend_options[] = {
    OPTION_DOMAIN,
    {"target", OPTION_STRING, true, "mem, disk or hybrid", .value = VALUE_WORD,
     .words = suspend_targets},
    {"duration", OPTION_NUMBER, false, "seconds, 0: until woken", .named = true},
    OPTION_END};
static const Option dompmwakeup_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option domtime_options[] = {
    OPTION_DOMAIN,
    {"now", OPTION_FLAG, false, "the host's time"},
    {"pretty", OPTION_FLAG, false, "for people"},
    {"sync", OPTION_FLAG, false, "the guest's clock from its RTC"},
    {"time", OPTION_NUMBER, false, "seconds since 1970"},
    OPTION_END};
static const Option get_user_sshkeys_options[] = {
    OPTION_DOMAIN, {"user", OPTION_STRING, true, "name of the user"}, OPTION_END};
static const Option guest_agent_timeout_options[] = {
    OPTION_DOMAIN,
    {"timeout", OPTION_NUMBER, false, "seconds; -2: without limit, -1: its default, 0: do not wait",
     .named = true},
    OPTION_END};
static const Option guestinfo_options[] = {OPTION_DOMAIN,
                                           {"user", OPTION_FLAG, false, "name of the user"},
                                           {"os", OPTION_FLAG, false, "the operating system"},
                                           {"timezone", OPTION_FLAG, false, "the time zone"},
                                           {"hostname", OPTION_FLAG, false, "the name"},
                                           {"filesystem", OPTION_FLAG, false, "file systems"},
                                           {"disk", OPTION_FLAG, false, "disks"},
                                           {"interface", OPTION_FLAG, false, "network interfaces"},
                                           OPTION_END};
static const Option set_user_password_options[] = {
    OPTION_DOMAIN,
    {"user", OPTION_STRING, true, "name of the user"},
    {"password", OPTION_STRING, true, "the new password"},
    {"encrypted", OPTION_FLAG, false, "the password is a hash"},
    OPTION_END};
static const Option set_user_sshkeys_options[] = {
    OPTION_DOMAIN,
    {"user", OPTION_STRING, true, "name of the user"},
    {"file", OPTION_STRING, false, "XML file", .value = VALUE_FILE},
    {"reset", OPTION_FLAG, false, "replace the keys that are there"},
    {"remove", OPTION_FLAG, false, "take away instead"},
    OPTION_END};

const Command commands_agent[] = {{.name = "domfsfreeze",
                                   .help = "freeze the guest's file systems",
                                   .options = domfsfreeze_options,
                                   .run = cmd_domfsfreeze},
                                  {.name = "domfsinfo",
                                   .help = "the guest's file systems",
                                   .options = domfsinfo_options,
                                   .json = true,
                                   .run = cmd_domfsinfo},
                                  {.name = "domfsthaw",
                                   .help = "thaw the guest's file systems",
                                   .options = domfsthaw_options,
                                   .run = cmd_domfsthaw},
                                  {.name = "domfstrim",
                                   .help = "discard free blocks of the guest's file systems",
                                   .options = domfstrim_options,
                                   .run = cmd_domfstrim},
                                  {.name = "domhostname",
                                   .help = "the guest's hostname",
                                   .options = domhostname_options,
                                   .json = true,
                                   .run = cmd_domhostname},
                                  {.name = "dompmsuspend",
                                   .help = "suspend the guest by its power management",
                                   .options = dompmsuspend_options,
                                   .run = cmd_dompmsuspend},
                                  {.name = "dompmwakeup",
                                   .help = "wake a guest that was suspended",
                                   .options = dompmwakeup_options,
                                   .run = cmd_dompmwakeup},
                                  {.name = "domtime",
                                   .help = "get or set the guest's time",
                                   .options = domtime_options,
                                   .json = true,
                                   .run = cmd_domtime},
                                  {.name = "get-user-sshkeys",
                                   .help = "ssh keys of a user in the guest",
                                   .options = get_user_sshkeys_options,
                                   .json = true,
                                   .run = cmd_get_user_sshkeys},
                                  {.name = "guest-agent-timeout",
                                   .help = "set how long the agent is waited for",
                                   .options = guest_agent_timeout_options,
                                   .run = cmd_guest_agent_timeout},
                                  {.name = "guestinfo",
                                   .help = "what the guest says about itself",
                                   .options = guestinfo_options,
                                   .json = true,
                                   .run = cmd_guestinfo},
                                  {.name = "set-user-password",
                                   .help = "set the password of a user in the guest",
                                   .options = set_user_password_options,
                                   .run = cmd_set_user_password},
                                  {.name = "set-user-sshkeys",
                                   .help = "add or remove ssh keys of a user in the guest",
                                   .options = set_user_sshkeys_options,
                                   .run = cmd_set_user_sshkeys},
                                  {0}};
