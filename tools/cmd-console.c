/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's console in this terminal, and a picture of its screen. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>

#include "console.h"
#include "stream.h"
#include "tables.h"

#define ESCAPE 0x1d /* Ctrl + ] */

/* virDomainConsoleFlags */
#define CONSOLE_FORCE 1u
#define CONSOLE_SAFE 2u

/* ---- console ---- */

/* What was typed goes to the guest, up to the escape character: 1 when that or the end came. */
static int send_typed(RpcClientStream *stream, Error **reterr) {
    char typed[1024];
    const ssize_t n = read(STDIN_FILENO, typed, sizeof(typed));
    const char *escape = n > 0 ? memchr(typed, ESCAPE, (size_t)n) : NULL;
    const size_t len = escape ? (size_t)(escape - typed) : n > 0 ? (size_t)n : 0;
    int r;

    if (n < 0)
        return errno == EINTR ? 0
                              : error_system(reterr, FROM_NONE, errno, "cannot read the terminal");
    r = len ? rpc_client_stream_send(stream, typed, len, reterr) : 0;
    return r < 0 ? r : escape || n == 0;
}

/* Writes what has come, one packet of it: a guest that floods leaves the keyboard its turn. 1 at
 * its end. */
static int print_received(RpcClientStream *stream, Error **reterr) {
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t n = 0;
    int r = rpc_client_stream_receive(stream, 0, &bytes, &n, reterr);

    if (r <= 0)
        return r == -EINTR ? 0 : r;
    if (!bytes)
        return 1;
    r = stream_write(STDOUT_FILENO, bytes, n);
    return r < 0 ? error_system(reterr, FROM_NONE, r, "cannot write to the terminal") : 0;
}

static volatile sig_atomic_t ended_by;

static void on_signal(int number) {
    ended_by = number;
}

/* Until the escape character, a signal, or the guest's end. Signals come while it waits, by `mask`:
 * one that came before would not end the wait. */
static int talk(Tool *tool, RpcClientStream *stream, const sigset_t *mask, Error **reterr) {
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = rpc_client_fd(tool->client), .events = POLLIN}};
    int r = 0;

    while (r == 0 && !ended_by) {
        if (ppoll(fds, ARRAY_SIZE(fds), NULL, mask) < 0) {
            if (errno == EINTR)
                continue;
            return error_system(reterr, FROM_NONE, errno, "cannot wait for the terminal");
        }
        if (fds[1].revents)
            r = print_received(stream, reterr);
        if (r == 0 && fds[0].revents)
            r = send_typed(stream, reterr);
    }
    return r < 0 ? r : 0;
}

/* A signal that ends the tool ends the talk first, so that the terminal is as it was. */
static int talk_until_signal(Tool *tool, RpcClientStream *stream, Error **reterr) {
    static const int signals[] = {SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = on_signal}, before[ARRAY_SIZE(signals)];
    sigset_t ends, mask;
    int r;

    ended_by = 0;
    sigemptyset(&ends);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaddset(&ends, signals[i]);
        sigaction(signals[i], &action, &before[i]);
    }
    sigprocmask(SIG_BLOCK, &ends, &mask);
    r = talk(tool, stream, &mask, reterr);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &before[i], NULL);
    return r;
}

/* Raw: the guest echoes, and Ctrl + C is its. */
static int talk_raw(Tool *tool, RpcClientStream *stream, Error **reterr) {
    struct termios before, raw;
    int r;

    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return error_system(reterr, FROM_NONE, errno, "cannot set up the terminal");
    raw = before;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    r = talk_until_signal(tool, stream, reterr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    if (ended_by)
        raise(ended_by);
    return r;
}

static int check_terminal(void) {
    return isatty(STDIN_FILENO)
               ? 0
               : tool_fail(NULL, "Cannot run interactive console without a controlling TTY");
}

int console_connect(Tool *tool, const remote_domain *dom, const char *devname, unsigned flags) {
    remote_domain_open_console_args call = {
        .dom = *dom, .dev_name = devname ? (remote_string *)&devname : NULL, .flags = flags};
    CLEANUP_ERROR Error *error = NULL;
    RpcClientStream stream;
    int r;

    if (check_terminal() < 0)
        return -EIO;
    tool_say(tool, "Connected to domain '%s'\nEscape character is ^] (Ctrl + ])\n", dom->name);
    fflush(stdout);
    r = rpc_client_stream_begin(tool->client, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_OPEN_CONSOLE,
                                (xdrproc_t)xdr_remote_domain_open_console_args, &call, NULL, NULL,
                                &stream, &error);
    if (r < 0)
        return tool_failed(error);
    r = talk_raw(tool, &stream, &error);
    if (r >= 0)
        r = rpc_client_stream_finish(&stream, &error);
    else
        rpc_client_stream_abort(&stream);
    return r < 0 ? tool_failed(error) : 0;
}

static int cmd_console(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};

    /* The terminal is looked at before anybody is asked, as virsh does. */
    if (check_terminal() < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    return console_connect(tool, &dom, args_string(args, "devname"),
                           (args_has(args, "force") ? CONSOLE_FORCE : 0u) |
                               (args_has(args, "safe") ? CONSOLE_SAFE : 0u));
}

/* ---- screenshot ---- */

/* "ol8-2026-11-27T10:00:00.png", in fresh memory. */
static char *default_name(const char *domain, const char *mime) {
    const char *slash = mime ? strrchr(mime, '/') : NULL, *kind = slash ? slash + 1 : "img";
    const bool ppm = strstr(kind, "pixmap") != NULL;
    const time_t now = time(NULL);
    struct tm local;
    char at[32];

    localtime_r(&now, &local);
    strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &local);
    return text_format("%s-%s.%s", domain, at, ppm ? "ppm" : kind);
}

static int cmd_screenshot(Tool *tool, const Args *args) {
    remote_domain_screenshot_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    const char *file = args_string(args, "file");
    remote_domain_screenshot_ret ret = {0};
    CLEANUP_FREE char *made = NULL;
    CLEANUP_ERROR Error *error = NULL;
    RpcClientStream stream;
    long long screen = 0;
    int r;

    if (args_number(args, "screen", 0, UINT32_MAX, &screen) < 0)
        return tool_bad_number(args, "screen");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    call.screen = (unsigned)screen;
    r = rpc_client_stream_begin(tool->client, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_SCREENSHOT,
                                (xdrproc_t)xdr_remote_domain_screenshot_args, &call,
                                (xdrproc_t)xdr_remote_domain_screenshot_ret, &ret, &stream, &error);
    if (r < 0)
        return tool_fail(error, "could not take a screenshot of %s", dom.name);
    if (!file)
        file = made = default_name(dom.name, ret.mime ? *ret.mime : NULL);
    r = stream_to_path(&stream, file, &error);
    if (r >= 0)
        tool_say(tool, "Screenshot saved to %s, with type of %s", file,
                 ret.mime ? *ret.mime : "unknown");
    xdr_free((xdrproc_t)xdr_remote_domain_screenshot_ret, (char *)&ret);
    return r < 0 ? tool_failed(error) : 0;
}

/* ---- tables ---- */

static const Option console_options[] = {
    OPTION_DOMAIN,
    {"devname", OPTION_STRING, false, "alias of the console, serial or channel"},
    {"force", OPTION_FLAG, false, "end another one's session with it"},
    {"safe", OPTION_FLAG, false, "only when nobody else can have it"},
    OPTION_END};
static const Option screenshot_options[] = {
    OPTION_DOMAIN,
    {"file", OPTION_STRING, false, "where to write the picture", .value = VALUE_FILE},
    {"screen", OPTION_NUMBER, false, "number of the screen"},
    OPTION_END};

const Command commands_console[] = {{.name = "console",
                                     .help = "connect to the guest console",
                                     .description = "Ctrl + ] ends it",
                                     .options = console_options,
                                     .run = cmd_console},
                                    {.name = "screenshot",
                                     .help = "take a picture of a guest's screen",
                                     .options = screenshot_options,
                                     .run = cmd_screenshot},
                                    {0}};
