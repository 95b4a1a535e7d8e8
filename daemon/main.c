/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vireod: options, wiring, the loop. Guests outlive it: on SIGTERM it lets go of them. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "daemon.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

#define STOP_USEC (5 * USEC_PER_SEC)
#define N_WORKERS 4

static const char usage[] =
    "Usage: vireod [OPTION]...\n"
    "Manage QEMU virtual machines; speaks libvirt's remote protocol on a unix socket.\n\n"
    "  -r, --root DIR      keep everything below DIR (etc, lib, run, log)\n"
    "  -f, --config FILE   configuration file (default: ETC/vireod.conf)\n"
    "  -v, --verbose       log what it does\n"
    "      --list-steps    print the steps of an operation, for tests that stop at each\n"
    "  -V, --version       print the version\n"
    "  -h, --help          this text\n";

typedef struct Options {
    const char *root, *config;
    bool verbose;
} Options;

/* 0 go on, 1 exit well, negative exit badly. */
static int parse_options(int argc, char **argv, Options *options) {
    static const struct option longs[] = {{"root", required_argument, NULL, 'r'},
                                          {"config", required_argument, NULL, 'f'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"version", no_argument, NULL, 'V'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"list-steps", no_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "r:f:vVh", longs, NULL)) != -1) {
        switch (c) {
        case 'r':
            options->root = optarg;
            break;
        case 'f':
            options->config = optarg;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'V':
            printf("vireod %s\n", VIREO_VERSION);
            return 1;
        case 's':
            for (int step = 0; step < OPERATION_STEP_MAX_; step++)
                puts(operation_step_name(step));
            return 1;
        case 'h':
            fputs(usage, stdout);
            return 1;
        default:
            fputs(usage, stderr);
            return -EINVAL;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "vireod: unexpected argument '%s'\n%s", argv[optind], usage);
        return -EINVAL;
    }
    return 0;
}

/* Sockets handed over by systemd keep their names' meaning: "*-ro" paths are read-only. */
static int listen_activated(Daemon *daemon, int n, Error **reterr) {
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
        bool readonly = sd_is_socket_unix(fd, SOCK_STREAM, 1, daemon->config.socket_ro, 0) > 0;
        int r = rpc_server_add_listener(daemon->server, fd, readonly);

        if (r < 0)
            return error_system(reterr, FROM_RPC, r, "cannot listen on the socket systemd passed");
    }
    return 0;
}

static int listen_own(Daemon *daemon, Error **reterr) {
    const struct {
        const char *path;
        unsigned mode;
        bool readonly;
    } sockets[] = {{daemon->config.socket, daemon->config.socket_mode, false},
                   {daemon->config.socket_ro, daemon->config.socket_ro_mode, true}};

    for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
        int fd = -1, r = rpc_listen_unix(sockets[i].path, sockets[i].mode, &fd, reterr);

        if (r < 0)
            return r;
        r = rpc_server_add_listener(daemon->server, fd, sockets[i].readonly);
        if (r < 0)
            return error_system(reterr, FROM_RPC, r, "cannot listen on '%s'", sockets[i].path);
    }
    return 0;
}

static int make_root(const Config *config, Error **reterr) {
    const char *dirs[] = {config->etc, config->lib, config->run, config->log};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        int r = dir_make(dirs[i], 0755);

        if (r < 0)
            return error_system(reterr, FROM_NONE, r, "cannot create directory '%s'", dirs[i]);
    }
    return 0;
}

/* First fiber: everything that waits. Ready is said after the guests have been found again. */
static void start_up(void *userdata) {
    Daemon *daemon = userdata;
    CLEANUP_ERROR Error *error = NULL;
    int n = sd_listen_fds(1), r;

    r = driver_load(daemon->driver, &error);
    if (r >= 0)
        r = n > 0 ? listen_activated(daemon, n, &error) : listen_own(daemon, &error);
    if (r < 0) {
        log_error("vireod: %s", error_message(error));
        sd_event_exit(fiber_event(), 1);
        return;
    }
    sd_notify(0, "READY=1\nSTATUS=Serving domains");
    log_info("vireod %s is ready on '%s'", VIREO_VERSION, daemon->config.socket);
}

static void shut_down(void *userdata) {
    Daemon *daemon = userdata;

    rpc_server_stop(daemon->server, deadline_in(STOP_USEC));
    driver_stop_background(daemon->driver);
    sd_event_exit(fiber_event(), 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    Daemon *daemon = userdata;

    if (daemon->driver->stopping)
        return 0;
    daemon->driver->stopping = true;
    log_info("vireod: stopping; guests go on running");
    sd_notify(0, "STOPPING=1");
    return fiber_start("shut-down", shut_down, daemon);
}

static int add_signals(sd_event *event, Daemon *daemon) {
    sigset_t mask;
    int r;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, daemon);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGINT, on_signal, daemon);
    return r;
}

static int set_up(Daemon *daemon, const Options *options, Error **reterr) {
    CLEANUP_FREE char *path = path_join(daemon->config.etc, "vireod.conf");
    DriverParams params;
    int r;

    if (!path)
        return error_no_memory(reterr);
    r = config_load(&daemon->config, options->config ? options->config : path,
                    options->config != NULL, reterr);
    if (r < 0)
        return r;
    log_init(options->verbose ? LOG_DEBUG : daemon->config.log_level);
    r = make_root(&daemon->config, reterr);
    params = (DriverParams){
        .paths = {daemon->config.etc, daemon->config.lib, daemon->config.run, daemon->config.log},
        .limits = {.partition = daemon->config.partition,
                   .resctrl_root = daemon->config.resctrl,
                   .cgroups = daemon->config.cgroups,
                   .scopes = daemon->config.scopes},
        .audit = daemon->config.audit_level};
    if (r >= 0)
        r = driver_new(&params, &daemon_events, daemon, &daemon->driver, reterr);
    if (r < 0)
        return r;
    daemon->driver->unplug_timeout_usec = daemon->config.unplug_timeout_ms * USEC_PER_MSEC;
    daemon_programs_init();
    r = rpc_server_new(daemon_programs, daemon_n_programs, &client_ops, daemon, NULL,
                       &daemon->server);
    return r < 0 ? error_no_memory(reterr) : 0;
}

static int run(Daemon *daemon, const Options *options) {
    CLEANUP_ERROR Error *error = NULL;
    sd_event *event = NULL;
    int r;

    if (config_init(&daemon->config, options->root) < 0)
        return -ENOMEM;
    r = sd_event_default(&event);
    if (r < 0)
        return r;
    sd_event_set_watchdog(event, true);
    r = fiber_init(event);
    if (r >= 0)
        r = worker_init(N_WORKERS);
    if (r >= 0)
        r = add_signals(event, daemon);
    if (r >= 0)
        r = set_up(daemon, options, &error);
    if (r >= 0)
        r = fiber_start("start-up", start_up, daemon);
    if (r < 0)
        log_error("vireod: %s", error ? error_message(error) : strerror(-r));
    else
        r = sd_event_loop(event);
    rpc_server_free(daemon->server);
    worker_shutdown(); /* what a worker still does, it does for the driver */
    driver_free(daemon->driver);
    sd_event_unref(event);
    return r;
}

int main(int argc, char **argv) {
    Options options = {0};
    Daemon daemon = {0};
    int r = parse_options(argc, argv, &options);

    if (r != 0)
        return r < 0 ? 2 : 0;
    umask(0022);
    log_init(options.verbose ? LOG_DEBUG : LOG_INFO);
    r = run(&daemon, &options);
    config_done(&daemon.config);
    return r == 0 ? 0 : 1;
}
