/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vireod: options, wiring, the loop. Guests outlive it: on SIGTERM it lets go of them.
 *
 * The order of a start: the directories, the lock on them, the sockets, what runs is found again,
 * clients are served and systemd is told, then come the domains that start with the host. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "admin.h"
#include "remote-network.h"
#include "remote-secret.h"
#include "remote-storage.h"
#include "idle.h"
#include "lock.h"
#include "metrics.h"
#include "node-watch.h"
#include "sockets.h"
#include "host/thread.h"
#include "util/file.h"
#include "util/log.h"
#include "util/path-owner.h"
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

/* Everything that main's functions share. */
typedef struct Vireod {
    Daemon daemon;
    const Options *options;
    Sockets sockets;
} Vireod;

static int make_directories(const Config *config, Error **reterr) {
    const char *dirs[] = {config->etc, config->lib, config->run, config->log};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        int r = dir_make(dirs[i], 0755);

        if (r < 0)
            return error_system(reterr, FROM_NONE, r, "cannot create directory '%s'", dirs[i]);
        r = path_check_owner(dirs[i], "the directory", reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The settings as the file has them. */
static int read_config(const Options *options, Config *config, Error **reterr) {
    CLEANUP_FREE char *path = path_join(config->etc, "vireod.conf");

    if (!path)
        return error_no_memory(reterr);
    return config_load(config, options->config ? options->config : path, options->config != NULL,
                       reterr);
}

static void use_log_level(const Vireod *vireod) {
    log_init(vireod->options->verbose ? LOG_DEBUG : vireod->daemon.config.log_level);
}

/* ---- start ---- */

/* Everything that waits. A client that came meanwhile finds its socket, and is served after the
 * guests have been found again. */
static void start_up(void *userdata) {
    Vireod *vireod = userdata;
    Daemon *daemon = &vireod->daemon;
    CLEANUP_ERROR Error *error = NULL;
    int r = driver_load(daemon->driver, &error);

    if (daemon->tasks.stopping)
        return;
    if (r >= 0)
        r = sockets_serve(&vireod->sockets, daemon->server, daemon->admin, &error);
    if (r >= 0 && daemon->config.metrics)
        r = metrics_new(daemon, daemon->config.metrics, &daemon->metrics, &error);
    if (r < 0) {
        log_error("vireod: %s", error_message(error));
        sd_event_exit(fiber_event(), 1);
        return;
    }
    sd_notify(0, "READY=1\nSTATUS=Serving domains");
    log_info("vireod %s is ready on '%s'", VIREO_VERSION, daemon->config.socket);
    driver_autostart(daemon->driver);
}

/* ---- signals ---- */

static void shut_down(void *userdata) {
    Vireod *vireod = userdata;
    const uint64_t deadline = deadline_in(STOP_USEC);

    rpc_server_stop(vireod->daemon.server, deadline);
    rpc_server_stop(vireod->daemon.admin, deadline);
    task_group_wait(&vireod->daemon.tasks, deadline);
    driver_wait_stopped(vireod->daemon.driver, deadline);
    sd_event_exit(fiber_event(), 0);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    Vireod *vireod = userdata;

    if (vireod->daemon.tasks.stopping)
        return 0;
    log_info("vireod: stopping; guests go on running");
    sd_notify(0, "STOPPING=1");
    task_group_stop(&vireod->daemon.tasks);
    polkit_stop(vireod->daemon.polkit);
    driver_stop(vireod->daemon.driver);
    if (fiber_start("shut-down", shut_down, vireod) < 0) /* without memory nobody is waited for */
        sd_event_exit(fiber_event(), 0);
    return 0;
}

static void use_timeouts(Daemon *daemon) {
    Settings *settings = &daemon->driver->services.settings;

    settings->unplug_timeout_usec = daemon->config.unplug_timeout_ms * USEC_PER_MSEC;
    settings->answer_timeout_usec = daemon->config.answer_timeout_ms * USEC_PER_MSEC;
}

/* Takes over what can change while the daemon runs. With a file that cannot be used everything
 * stays as it was. */
static void reload(void *userdata) {
    Vireod *vireod = userdata;
    Daemon *daemon = &vireod->daemon;
    CLEANUP(config_done) Config fresh = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = config_init(&fresh, vireod->options->root, &error);

    if (r >= 0)
        r = read_config(vireod->options, &fresh, &error);
    if (r >= 0 && fresh.audit_level != daemon->config.audit_level)
        r = driver_set_audit(daemon->driver, fresh.audit_level, &error);
    if (r < 0) {
        log_error("vireod: the settings stay as they are: %s", error_message(error));
        return;
    }
    config_take_changed(&daemon->config, &fresh);
    use_log_level(vireod);
    use_timeouts(daemon);
    log_info("vireod: the settings were read again");
}

static void reload_task(void *userdata) {
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now_usec());
    reload(userdata);
    sd_notify(0, "READY=1");
}

static int on_hang_up(sd_event_source *source, const struct signalfd_siginfo *info,
                      void *userdata) {
    Vireod *vireod = userdata;

    if (task_start(&vireod->daemon.tasks, "reload", reload_task, vireod) == -ENOMEM)
        log_error("vireod: out of memory: the settings were not read again");
    return 0;
}

static int add_signals(sd_event *event, Vireod *vireod) {
    const struct {
        int number;
        sd_event_signal_handler_t handler;
    } signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_hang_up}};
    sigset_t mask;
    int r = 0;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&mask);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaddset(&mask, signals[i].number);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(signals); i++)
        r = sd_event_add_signal(event, NULL, signals[i].number, signals[i].handler, vireod);
    return r;
}

/* ---- the whole ---- */

static int make_driver(Daemon *daemon, Error **reterr) {
    const Config *config = &daemon->config;
    const DriverParams params = {
        .paths = {config->etc, config->lib, config->run, config->log, config->pid_dir},
        .limits = {.partition = config->partition,
                   .resctrl_root = config->resctrl,
                   .cgroups = config->cgroups,
                   .scopes = config->scopes},
        .confinement = {.user = config->user,
                        .group = config->group,
                        .directory = config->lib,
                        .private_dev = config->private_dev,
                        .own_files = config->dynamic_ownership,
                        .sandbox = config->sandbox,
                        .security_driver = config->security_driver,
                        .run = config->run,
                        .core_max = (uint64_t)config->max_core_mib << 20},
        .audit = config->audit_level,
        .default_pool = config->default_pool,
        .events = &daemon_events,
        .pool_event = storage_send_event,
        .network_event = network_send_event,
        .secret_event = secret_send_event,
        .userdata = daemon};
    int r = driver_new(&params, &daemon->driver, reterr);

    if (r < 0)
        return r;
    use_timeouts(daemon);
    daemon->driver->services.settings.postcopy = config->postcopy;
    daemon->driver->services.settings.spice_tls = config->spice_tls ? config->spice_tls_dir : NULL;
    return 0;
}

/* The directories are this daemon's before it looks at what is in them. */
static int set_up(Vireod *vireod, Error **reterr) {
    Daemon *daemon = &vireod->daemon;
    const char *const locked[] = {daemon->config.run, daemon->config.lib};
    int r = read_config(vireod->options, &daemon->config, reterr);

    if (r < 0)
        return r;
    use_log_level(vireod);
    r = make_directories(&daemon->config, reterr);
    if (r >= 0)
        r = lock_directories(locked, ARRAY_SIZE(locked), reterr);
    if (r >= 0)
        r = make_driver(daemon, reterr);
    if (r >= 0)
        r = sockets_bind(&daemon->config, &vireod->sockets, reterr);
    if (r < 0)
        return r;
    daemon_programs_init();
    r = polkit_new(NULL, &daemon->polkit);
    if (r < 0)
        return error_no_memory(reterr);
    r = rpc_server_new(daemon_programs, daemon_n_programs, &client_ops, daemon, NULL,
                       &daemon->server);
    if (r >= 0)
        r = admin_server_new(daemon, &daemon->admin);
    return r < 0 ? error_no_memory(reterr) : 0;
}

/* What a fiber still waits in, and what is on its stack, is left to the end of the process. */
static void tear_down(Vireod *vireod, int status) {
    worker_shutdown(); /* what a worker still does, it does for the driver */
    if (fiber_count() > 0) {
        log_warning("vireod: %u calls or tasks have not ended and are given up", fiber_count());
        fflush(NULL);
        _exit(status);
    }
    metrics_free(vireod->daemon.metrics);
    node_watch_free(vireod->daemon.node_watch);
    idle_free(vireod->daemon.idle);
    rpc_server_free(vireod->daemon.admin);
    rpc_server_free(vireod->daemon.server);
    polkit_free(vireod->daemon.polkit);
    driver_free(vireod->daemon.driver);
    task_group_done(&vireod->daemon.tasks);
    sockets_done(&vireod->sockets);
    config_done(&vireod->daemon.config);
    fiber_shutdown();
}

static int run(Vireod *vireod) {
    CLEANUP_ERROR Error *error = NULL;
    sd_event *event = NULL;
    int r = config_init(&vireod->daemon.config, vireod->options->root, &error);

    if (r >= 0)
        r = sd_event_default(&event);
    if (r >= 0)
        r = sd_event_set_watchdog(event, true);
    if (r >= 0)
        r = fiber_init(event);
    if (r >= 0)
        r = worker_init(N_WORKERS);
    if (r >= 0)
        r = add_signals(event, vireod);
    if (r >= 0)
        r = set_up(vireod, &error);
    if (r >= 0)
        if (r >= 0)
            r = task_start(&vireod->daemon.tasks, "start-up", start_up, vireod);
    if (r < 0)
        log_error("vireod: %s", error ? error_message(error) : strerror(-r));
    else {
        /* Guests' CPU time is no reason to let a client wait: the loop does only short things. */
        thread_go_first();
        r = sd_event_loop(event);
    }
    tear_down(vireod, r == 0 ? 0 : 1);
    sd_event_unref(event);
    return r;
}

int main(int argc, char **argv) {
    static Vireod vireod;
    Options options = {0};
    int r = parse_options(argc, argv, &options);

    if (r != 0)
        return r < 0 ? 2 : 0;
    umask(0022);
    log_init(options.verbose ? LOG_DEBUG : LOG_INFO);
    vireod.options = &options;
    vireod.daemon.verbose = options.verbose;
    return run(&vireod) == 0 ? 0 : 1;
}
