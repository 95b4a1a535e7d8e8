/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "run-world.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/domain-parse.h"
#include "domain/files.h"
#include "driver/run-link.h"
#include "util/file.h"
#include "util/worker.h"

#define WAIT_USEC (30 * USEC_PER_SEC)

static void tell(RunWorld *world, const char *word) {
    size_t used = strlen(world->told);

    snprintf(world->told + used, sizeof(world->told) - used, "%s ", word);
    fiber_cond_broadcast(&world->told_more);
}

static void on_lifecycle(Domain *domain, LifecycleEvent event, int detail, void *userdata) {
    static const char *const names[] = {"DEFINED",   "UNDEFINED",   "STARTED",
                                        "SUSPENDED", "RESUMED",     "STOPPED",
                                        "SHUTDOWN",  "PMSUSPENDED", "CRASHED"};
    char word[40];

    snprintf(word, sizeof(word), "%s:%d", names[event], detail);
    tell(userdata, word);
}

static void on_reboot(Domain *domain, void *userdata) {
    tell(userdata, "reboot");
}

static void tell_device(RunWorld *world, const char *what, const char *alias) {
    char word[80];

    snprintf(word, sizeof(word), "%s:%s", what, alias);
    tell(world, word);
}

static void on_device_added(Domain *domain, const char *alias, void *userdata) {
    tell_device(userdata, "added", alias);
}

static void on_device_removed(Domain *domain, const char *alias, void *userdata) {
    tell_device(userdata, "removed", alias);
}

static void on_device_kept(Domain *domain, const char *alias, void *userdata) {
    tell_device(userdata, "kept", alias);
}

static void on_news(Domain *domain, const DomainNews *news, void *userdata) {
    char word[200];

    snprintf(word, sizeof(word), "news:%d:%d:%lld:%s:%s:%s", news->id, news->code,
             (long long)news->amount, news->alias ? news->alias : "", news->path ? news->path : "",
             news->reason ? news->reason : "");
    tell(userdata, word);
}

static const DomainEvents events = {.news = on_news,
                                    .lifecycle = on_lifecycle,
                                    .reboot = on_reboot,
                                    .device_added = on_device_added,
                                    .device_removed = on_device_removed,
                                    .device_removal_failed = on_device_kept};

static QemuPid make_process(void) {
    pid_t pid = fork();
    QemuPid ret;

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close_range(0, ~0u, 0);
        execlp("sleep", "sleep", "600", NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    assert_int_equal(qemu_process_identify(pid, &ret), 0);
    return ret;
}

static DomainDef *make_def(const char *name, const char *elements) {
    const DomainParseParams params = {.default_arch = "x86_64", .live = true};
    CLEANUP_FREE char *xml = strf(
        "<domain type='qemu'><name>%s</name><memory>65536</memory><vcpu>2</vcpu>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os>%s</domain>",
        name, elements);
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s", error_message(error));
    return def;
}

static void make_driver(RunWorld *world) {
    CLEANUP_FREE char *etc = path_join(world->dir, "etc");
    const DriverParams params = {
        .paths = {.etc = etc, .lib = world->dir, .run = world->dir, .log = world->dir},
        .limits = {.partition = "/none"},
        .events = &events,
        .userdata = world};
    CLEANUP_ERROR Error *error = NULL;

    if (driver_new(&params, &world->driver, &error) < 0)
        fail_msg("%s", error_message(error));
}

static void make_domain(RunWorld *world, const char *elements) {
    Services *services = &world->driver->services;
    Domain *domain = domain_new();
    DomainRun *run;

    assert_non_null(domain);
    domain->config = make_def("d", elements);
    run = domain->run = domain_run_new(store_take_id(services->store), make_def("d", elements));
    run->pid = make_process();
    run->monitor_path = path_join(world->dir, "monitor");
    run->log_path = path_join(world->dir, "log");
    store_add(services->store, domain, services);
    domain_set_state(domain, DOMAIN_RUNNING, RUNNING_BOOTED);
    world->domain = domain_ref(domain);
    domain_unref(domain);
}

Domain *run_world_define(RunWorld *world, const char *name) {
    Services *services = &world->driver->services;
    Domain *domain = domain_new();

    assert_non_null(domain);
    domain->config = make_def(name, "");
    domain_set_state(domain, DOMAIN_SHUTOFF, SHUTOFF_UNKNOWN);
    store_add(services->store, domain, services);
    domain_unref(domain); /* the store has it */
    assert_int_equal(domain_save_config(domain, domain->config, NULL), 0);
    return domain;
}

void run_world_connect(RunWorld *world) {
    int fd;

    if (world->peer)
        qmp_peer_free(world->peer);
    world->peer = qmp_peer_new(&fd);
    monitor_free(TAKE_PTR(world->domain->run->monitor));
    assert_int_equal(
        monitor_new(fd, "d", &run_link_ops, world->domain, &world->domain->run->monitor), 0);
}

void run_world_wait_told(RunWorld *world, const char *word) {
    const uint64_t deadline = deadline_in(WAIT_USEC);
    CLEANUP_FREE char *whole = strf("%s ", word);

    while (!strstr(world->told, whole))
        if (fiber_cond_wait(&world->told_more, deadline) < 0)
            fail_msg("'%s' was not told, but: %s", word, world->told);
}

void run_world_wait_idle(RunWorld *world) {
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    domain_job_end(world->domain, &job);
}

char *run_world_status(const RunWorld *world) {
    CLEANUP_FREE char *path = domain_status_path(&world->driver->services.paths, "d");
    char *text = NULL;
    size_t len;

    return file_read(path, 1 << 20, &text, &len) < 0 ? NULL : text;
}

static struct {
    RunWorld *world;
    void (*body)(RunWorld *world);
} under_test;

static void run_body(void *userdata) {
    RunWorld *world = under_test.world;
    pid_t pid;

    run_world_connect(world);
    pid = world->domain->run->pid.pid;
    under_test.body(world);
    if (world->domain->run) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    driver_stop(world->driver);
    driver_wait_stopped(world->driver, deadline_in(WAIT_USEC));
    while (fiber_count() > 1) /* this one */
        fiber_sleep(USEC_PER_MSEC);
    sd_event_exit(fiber_event(), 0);
}

void run_world(const char *elements, void (*body)(RunWorld *world)) {
    RunWorld world = {.dir = "/tmp/vireo-run.XXXXXX"};
    CLEANUP_FREE char *remove = NULL;
    sd_event *event = NULL;

    assert_int_equal(sd_event_new(&event), 0);
    assert_int_equal(fiber_init(event), 0);
    assert_int_equal(worker_init(2), 0);
    assert_non_null(mkdtemp(world.dir));
    make_driver(&world);
    make_domain(&world, elements);
    under_test.world = &world;
    under_test.body = body;
    assert_int_equal(fiber_start("body", run_body, NULL), 0);
    assert_int_equal(sd_event_loop(event), 0);
    domain_unref(world.domain);
    driver_free(world.driver);
    qmp_peer_free(world.peer);
    worker_shutdown();
    fiber_shutdown();
    sd_event_unref(event);
    remove = strf("rm -r '%s'", world.dir);
    assert_int_equal(system(remove), 0);
}
