/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scopes: names, and the conversation with systemd and machined, which a child of the test plays on
 * a private dbus-daemon. What the fake was asked is in a file, one line per call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "skip.h"
#include "util/fiber.h"
#include "util/file.h"
#include "host/scope.h"

static void assert_text(char *text, const char *expected) {
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void test_machine_names(void **state) {
    CLEANUP_FREE char *longest = NULL;
    char name[300];

    assert_text(scope_machine_name(3, "ol8"), "vireo-3-ol8");
    assert_text(scope_machine_name(3, "a b/c\xc3\xbc_d"), "vireo-3-abcd");
    assert_text(scope_machine_name(3, ".hidden-"), "vireo-3-hidden");
    assert_text(scope_machine_name(3, "a..b.-.c."), "vireo-3-a.b.c");
    assert_text(scope_machine_name(3, "\xff"), "vireo-3");
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    longest = scope_machine_name(4294967295u, name);
    assert_int_equal(strlen(longest), 64);
    name[64 - strlen("vireo-4294967295-") - 1] = '-'; /* the cut leaves no dash at the end */
    assert_text(scope_machine_name(4294967295u, name),
                "vireo-4294967295-"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void test_unit_names(void **state) {
    assert_text(scope_unit_name("vireo-3-ol8"), "machine-vireo\\x2d3\\x2dol8.scope");
    assert_text(scope_unit_name("a.b"), "machine-a.b.scope");
}

static void test_slice_names(void **state) {
    assert_text(scope_slice_name("/machine"), "machine.slice");
    assert_text(scope_slice_name("/machine.slice"), "machine.slice");
    assert_text(scope_slice_name("/machine/a-b"), "machine-a\\x2db.slice");
    assert_text(scope_slice_name("/machine.slice/machine-x.slice"), "machine-x.slice");
    assert_text(scope_slice_name("/a//.b/"), "a-\\x2eb.slice");
    assert_text(scope_slice_name("/"), "-.slice");
}

/* The bus
 * ------------------------------------------------------------------------------------------- */

typedef enum Mood {
    MOOD_DONE,   /* the job ends at once */
    MOOD_FAILED, /* the job ends with "failed" */
    MOOD_SILENT, /* no job ever ends */
    MOOD_EXISTS, /* there is such a unit */
    MOOD_MUTE,   /* no call is ever answered */
} Mood;

typedef struct World {
    char dir[64];
    char *address;
    pid_t daemon, fake;
} World;

typedef struct Fake {
    char *journal;
    Mood mood;
    sd_bus *bus;
} Fake;

static void note(const Fake *fake, const char *text) {
    CLEANUP_CLOSE int fd = open(fake->journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

    if (write(fd, text, strlen(text)) < 0 || write(fd, "\n", 1) < 0)
        _exit(3);
}

/* " Slice=machine.slice Delegate=1 PIDs=4711" of an a(sv). */
static char *read_properties(sd_bus_message *message) {
    char *text = strdup("");
    const char *name, *type;

    sd_bus_message_enter_container(message, 'a', "(sv)");
    while (sd_bus_message_enter_container(message, 'r', "sv") > 0) {
        const char *string = NULL;
        uint64_t number = 0;
        uint32_t pid = 0;
        int flag = 0;
        char *longer;

        sd_bus_message_read(message, "s", &name);
        sd_bus_message_peek_type(message, NULL, &type);
        if (streq(type, "as"))
            sd_bus_message_read(message, "v", "as", 1, &string);
        else if (streq(type, "s"))
            sd_bus_message_read(message, "v", "s", &string);
        else if (streq(type, "b"))
            sd_bus_message_read(message, "v", "b", &flag);
        else if (streq(type, "t"))
            sd_bus_message_read(message, "v", "t", &number);
        else
            sd_bus_message_read(message, "v", "au", 1, &pid);
        longer = string ? strf("%s %s=%s", text, name, string)
                        : strf("%s %s=%lu", text, name, number + pid + flag);
        free(text);
        text = longer;
        sd_bus_message_exit_container(message);
    }
    sd_bus_message_exit_container(message);
    return text;
}

static int on_start(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    CLEANUP_FREE char *properties = NULL, *line = NULL;
    const char *unit, *mode, *job = "/org/freedesktop/systemd1/job/7";
    Fake *fake = userdata;

    sd_bus_message_read(message, "ss", &unit, &mode);
    properties = read_properties(message);
    line = strf("start %s %s%s", unit, mode, properties);
    note(fake, line);
    if (fake->mood == MOOD_MUTE)
        return 1;
    if (fake->mood == MOOD_EXISTS)
        return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.UnitExists",
                                          "Unit %s was there.", unit);
    /* another job's end, and ours before and after the answer: only what comes after counts */
    sd_bus_emit_signal(fake->bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                       "JobRemoved", "uoss", 6, "/org/freedesktop/systemd1/job/6", unit,
                       "canceled");
    sd_bus_reply_method_return(message, "o", job);
    if (fake->mood != MOOD_SILENT)
        sd_bus_emit_signal(fake->bus, "/org/freedesktop/systemd1",
                           "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 7, job, unit,
                           fake->mood == MOOD_DONE ? "done" : "failed");
    return 1;
}

static int on_stop(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    CLEANUP_FREE char *line = NULL;
    const char *unit, *mode;
    Fake *fake = userdata;

    sd_bus_message_read(message, "ss", &unit, &mode);
    line = strf("stop %s %s", unit, mode);
    note(fake, line);
    if (fake->mood == MOOD_EXISTS)
        return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.NoSuchUnit",
                                          "Unit %s is gone.", unit);
    return sd_bus_reply_method_return(message, "o", "/org/freedesktop/systemd1/job/8");
}

static int on_set(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    CLEANUP_FREE char *properties = NULL, *line = NULL;
    Fake *fake = userdata;
    const char *unit;
    int runtime;

    sd_bus_message_read(message, "sb", &unit, &runtime);
    properties = read_properties(message);
    line = strf("set %s %s%s", unit, runtime ? "runtime" : "for good", properties);
    note(fake, line);
    if (fake->mood == MOOD_EXISTS)
        return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.NoSuchUnit",
                                          "Unit %s is gone.", unit);
    return sd_bus_reply_method_return(message, "");
}

static int on_subscribe(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    note(userdata, "subscribe");
    return sd_bus_reply_method_return(message, "");
}

static int on_create(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    CLEANUP_FREE char *properties = NULL, *line = NULL;
    const char *name, *service, *class, *directory;
    const uint8_t *id;
    uint32_t leader;
    size_t n;

    sd_bus_message_read(message, "s", &name);
    sd_bus_message_read_array(message, 'y', (const void **)&id, &n);
    sd_bus_message_read(message, "ssus", &service, &class, &leader, &directory);
    properties = read_properties(message);
    line = strf("create %s id=%zu,%u %s %s %u '%s'%s", name, n, n ? id[15] : 0, service, class,
                leader, directory, properties);
    note(userdata, line);
    return sd_bus_reply_method_return(message, "o", "/org/freedesktop/machine1/machine/x");
}

static int on_terminate(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    CLEANUP_FREE char *line = NULL;
    const char *name;
    Fake *fake = userdata;

    sd_bus_message_read(message, "s", &name);
    line = strf("terminate %s", name);
    note(fake, line);
    if (fake->mood == MOOD_EXISTS)
        return sd_bus_reply_method_errorf(message, "org.freedesktop.machine1.NoSuchMachine",
                                          "No %s.", name);
    return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable systemd_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", on_start,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StopUnit", "ss", "o", on_stop, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetUnitProperties", "sba(sv)", "", on_set, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable machined_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("CreateMachine", "sayssusa(sv)", "o", on_create, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("TerminateMachine", "s", "", on_terminate, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static sd_bus *connect_to(const char *address) {
    sd_bus *bus = NULL;

    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 ||
        sd_bus_set_bus_client(bus, true) < 0 || sd_bus_start(bus) < 0)
        return NULL;
    return bus;
}

static void run_fake(const World *world, Mood mood, bool machined) {
    Fake fake = {
        .mood = mood, .journal = strf("%s/journal", world->dir), .bus = connect_to(world->address)};
    static const char manager[] = "org.freedesktop.systemd1.Manager";

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!fake.bus || sd_bus_add_object_vtable(fake.bus, NULL, "/org/freedesktop/systemd1", manager,
                                              systemd_table, &fake) < 0)
        _exit(1);
    if (machined &&
        (sd_bus_add_object_vtable(fake.bus, NULL, "/org/freedesktop/machine1",
                                  "org.freedesktop.machine1.Manager", machined_table, &fake) < 0 ||
         sd_bus_request_name(fake.bus, "org.freedesktop.machine1", 0) < 0))
        _exit(1);
    if (sd_bus_request_name(fake.bus, "org.freedesktop.systemd1", 0) < 0)
        _exit(1);
    note(&fake, "ready");
    for (;;)
        if (sd_bus_process(fake.bus, NULL) == 0)
            sd_bus_wait(fake.bus, UINT64_MAX);
}

static char *journal(const World *world) {
    CLEANUP_FREE char *path = path_join(world->dir, "journal");
    char *text = NULL;

    return file_read(path, 65536, &text, NULL) < 0 ? strdup("") : text;
}

static void start_fake(World *world, Mood mood, bool machined) {
    uint64_t deadline = deadline_in(10 * USEC_PER_SEC);
    bool ready = false;

    world->fake = fork();
    if (world->fake == 0)
        run_fake(world, mood, machined);
    while (!ready && now_usec() < deadline && world->fake > 0) {
        CLEANUP_FREE char *text = journal(world);

        int status = 0;

        if (waitpid(world->fake, &status, WNOHANG) != 0) {
            print_message("the fake systemd ended with status 0x%x\n", (unsigned)status);
            world->fake = 0;
        }
        ready = strstr(text, "ready");
        usleep(5000);
    }
    assert_true(ready);
}

static void put(const World *world, const char *name, const char *text) {
    CLEANUP_FREE char *path = path_join(world->dir, name);

    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

/* The socket's file is there before somebody listens to it. */
static bool listens(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* A bus that starts no services but those of the test's directory. */
static void start_daemon(World *world) {
    uint64_t deadline = deadline_in(10 * USEC_PER_SEC);
    CLEANUP_FREE char *path = path_join(world->dir, "bus"), *config = NULL, *option = NULL;

    if (access("/usr/bin/dbus-daemon", X_OK) < 0)
        skip_because("no dbus-daemon");
    world->address = strf("unix:path=%s", path);
    config = strf(
        "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth>"
        "<servicedir>%s</servicedir><policy context='default'><allow send_destination='*'/>"
        "<allow receive_sender='*'/><allow own='*'/></policy></busconfig>",
        world->address, world->dir);
    put(world, "bus.conf", config);
    option = strf("--config-file=%s/bus.conf", world->dir);
    world->daemon = fork();
    if (world->daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
        execl("/usr/bin/dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", "--nosyslog",
              option, NULL);
        _exit(127);
    }
    while (!listens(path) && now_usec() < deadline)
        usleep(5000);
    assert_true(listens(path));
}

static int set_up(void **state) {
    World *world = calloc(1, sizeof(World));

    strcpy(world->dir, "/tmp/vireo-test-scope-XXXXXX");
    *state = world;
    return mkdtemp(world->dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    return remove(path);
}

static void end(pid_t pid) {
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int tear_down(void **state) {
    World *world = *state;

    end(world->fake);
    end(world->daemon);
    free(world->address);
    nftw(world->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(world);
    return 0;
}

static int start(const World *world, uint64_t usec, Error **reterr) {
    static const uint8_t uuid[16] = {[15] = 42};
    ScopeParams params = {
        .machine = "vireo-3-ol8", .description = "ol8", .uuid = uuid, .pid = 4711};

    return scope_start(world->address, &params, usec, reterr);
}

#define UNIT "machine-vireo\\x2d3\\x2dol8.scope"
#define PROPERTIES                                                                                 \
    " Slice=machine.slice Delegate=1 TasksMax=32768 CollectMode=inactive-or-failed "               \
    "Before=vireo-guests.service Description=ol8"

static void assert_journal(const World *world, const char *expected) {
    CLEANUP_FREE char *text = journal(world);

    assert_string_equal(text, expected);
}

static void test_start_by_systemd(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    start_daemon(world);
    start_fake(world, MOOD_DONE, false);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, &error), 0);
    assert_journal(world, "ready\nsubscribe\nstart " UNIT " fail" PROPERTIES " PIDs=4711\n");
}

static void test_start_by_machined(void **state) {
    World *world = *state;

    start_daemon(world);
    start_fake(world, MOOD_DONE, true);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, NULL), 0);
    assert_journal(world, "ready\ncreate vireo-3-ol8 id=16,42 vireo vm 4711 ''" PROPERTIES "\n");
}

static void test_a_job_that_fails(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    start_daemon(world);
    start_fake(world, MOOD_FAILED, false);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, &error), -EIO);
    assert_non_null(strstr(error_message(error), "cannot start the scope '" UNIT "': failed"));
}

static void test_a_unit_that_exists(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    start_daemon(world);
    start_fake(world, MOOD_EXISTS, false);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, &error), -EEXIST);
    assert_non_null(strstr(error_message(error), "was there."));
}

/* The deadline is for everything together, whether an answer or a signal is missing. */
static void assert_deadline(World *world, Mood mood) {
    CLEANUP_ERROR Error *error = NULL;
    uint64_t began;

    start_daemon(world);
    start_fake(world, mood, false);
    began = now_usec();
    assert_int_equal(start(world, 300 * USEC_PER_MSEC, &error), -ETIMEDOUT);
    assert_in_range(now_usec() - began, 290 * USEC_PER_MSEC, 3 * USEC_PER_SEC);
    assert_non_null(strstr(error_message(error), "did not start the scope"));
}

static void test_a_job_that_never_ends(void **state) {
    assert_deadline(*state, MOOD_SILENT);
}

static void test_no_answer(void **state) {
    assert_deadline(*state, MOOD_MUTE);
}

static void test_no_systemd_on_the_bus(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    start_daemon(world);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, &error), -ENOTCONN);
    assert_non_null(strstr(error_message(error), "cannot start the scope"));
}

/* Service files without the service, as in a container. */
static void test_systemd_that_cannot_be_spawned(void **state) {
    World *world = *state;

    put(world, "org.freedesktop.systemd1.service",
        "[D-BUS Service]\nName=org.freedesktop.systemd1\nExec=/bin/false\n");
    put(world, "org.freedesktop.machine1.service",
        "[D-BUS Service]\nName=org.freedesktop.machine1\nExec=/bin/false\n");
    start_daemon(world);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, NULL), -ENOTCONN);
}

static void test_no_bus(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    world->address = strdup("unix:path=/nonexistent");
    assert_int_equal(start(world, USEC_PER_SEC, &error), -ENOTCONN);
    assert_non_null(strstr(error_message(error), "the system bus cannot be reached"));
    assert_int_equal(scope_stop(world->address, "vireo-3-ol8", USEC_PER_SEC, NULL), -ENOTCONN);
}

static void test_stop(void **state) {
    World *world = *state;

    start_daemon(world);
    start_fake(world, MOOD_DONE, false);
    assert_int_equal(scope_stop(world->address, "vireo-3-ol8", 10 * USEC_PER_SEC, NULL), 0);
    assert_journal(world, "ready\nstop " UNIT " replace\n");
}

static void test_stop_by_machined(void **state) {
    World *world = *state;

    start_daemon(world);
    start_fake(world, MOOD_DONE, true);
    assert_int_equal(scope_stop(world->address, "vireo-3-ol8", 10 * USEC_PER_SEC, NULL), 0);
    assert_journal(world, "ready\nterminate vireo-3-ol8\n");
}

/* Neither knows it any more: that is what was wanted. */
static void test_stop_what_is_gone(void **state) {
    World *world = *state;

    start_daemon(world);
    start_fake(world, MOOD_EXISTS, true);
    assert_int_equal(scope_stop(world->address, "vireo-3-ol8", 10 * USEC_PER_SEC, NULL), 0);
    assert_journal(world, "ready\nterminate vireo-3-ol8\nstop " UNIT " replace\n");
}

static void test_set_share(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    start_daemon(world);
    start_fake(world, MOOD_DONE, false);
    assert_int_equal(scope_set_share(world->address, "vireo-3-ol8", "CPUShares", 2048,
                                     10 * USEC_PER_SEC, &error),
                     0);
    assert_journal(world, "ready\nset " UNIT " runtime CPUShares=2048\n");
}

static void test_set_share_of_what_is_gone(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    start_daemon(world);
    start_fake(world, MOOD_EXISTS, false);
    assert_true(scope_set_share(world->address, "vireo-3-ol8", "CPUWeight", 200, 10 * USEC_PER_SEC,
                                &error) < 0);
    assert_non_null(
        strstr(error_message(error), "set the share of '" UNIT "': Unit " UNIT " is gone."));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine_names),
        cmocka_unit_test(test_unit_names),
        cmocka_unit_test(test_slice_names),
        cmocka_unit_test_setup_teardown(test_start_by_systemd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_start_by_machined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_job_that_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_unit_that_exists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_job_that_never_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_systemd_on_the_bus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_systemd_that_cannot_be_spawned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_bus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_by_machined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_what_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_share_of_what_is_gone, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
