/* SPDX-License-Identifier: LGPL-2.1-or-later */
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
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "skip.h"
#include "scope-world.h"
#include "util/fiber.h"
#include "util/file.h"

typedef struct Fake {
    char *journal;
    const char *policy; /* DevicePolicy= of every unit */
    Mood mood;
    sd_bus *bus;
} Fake;

static void note(const Fake *fake, const char *text) {
    CLEANUP_CLOSE int fd = open(fake->journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

    if (write(fd, text, strlen(text)) < 0 || write(fd, "\n", 1) < 0)
        _exit(3);
}

/* "/dev/char/1:3=rwm,char-pts=rwm" of a variant with an a(ss). */
static char *read_devices(sd_bus_message *message) {
    char *text = strdup("");
    const char *node, *access;

    sd_bus_message_enter_container(message, 'v', "a(ss)");
    sd_bus_message_enter_container(message, 'a', "(ss)");
    while (sd_bus_message_read(message, "(ss)", &node, &access) > 0) {
        char *longer = strf("%s%s%s=%s", text, *text ? "," : "", node, access);

        free(text);
        text = longer;
    }
    sd_bus_message_exit_container(message);
    sd_bus_message_exit_container(message);
    return text;
}

/* " Slice=machine.slice Delegate=1 PIDs=4711" of an a(sv). */
static char *read_properties(sd_bus_message *message) {
    char *text = strdup("");
    const char *name, *type;

    sd_bus_message_enter_container(message, 'a', "(sv)");
    while (sd_bus_message_enter_container(message, 'r', "sv") > 0) {
        CLEANUP_FREE char *devices = NULL;
        const char *string = NULL;
        uint64_t number = 0;
        uint32_t pid = 0;
        int flag = 0;
        char *longer;

        sd_bus_message_read(message, "s", &name);
        sd_bus_message_peek_type(message, NULL, &type);
        if (streq(type, "as"))
            sd_bus_message_read(message, "v", "as", 1, &string);
        else if (streq(type, "a(ss)"))
            string = devices = read_devices(message);
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
    if (strstr(properties, "DevicePolicy=strict"))
        fake->policy = "strict";
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

static int get_policy(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    const Fake *fake = userdata;

    return sd_bus_message_append(reply, "s", fake->policy);
}

static const sd_bus_vtable scope_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("DevicePolicy", "s", get_policy, 0, 0),
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
    Fake fake = {.policy = "auto",
                 .mood = mood,
                 .journal = strf("%s/journal", world->dir),
                 .bus = connect_to(world->address)};
    static const char manager[] = "org.freedesktop.systemd1.Manager";
    CLEANUP_FREE char *unit = NULL;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!fake.bus || sd_bus_add_object_vtable(fake.bus, NULL, "/org/freedesktop/systemd1", manager,
                                              systemd_table, &fake) < 0)
        _exit(1);
    if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", UNIT, &unit) < 0 ||
        sd_bus_add_object_vtable(fake.bus, NULL, unit, "org.freedesktop.systemd1.Scope",
                                 scope_table, &fake) < 0)
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

char *scope_world_journal(const World *world) {
    CLEANUP_FREE char *path = path_join(world->dir, "journal");
    char *text = NULL;

    return file_read(path, 65536, &text, NULL) < 0 ? strdup("") : text;
}

void scope_world_start_fake(World *world, Mood mood, bool machined) {
    uint64_t deadline = deadline_in(10 * USEC_PER_SEC);
    bool ready = false;

    world->fake = fork();
    if (world->fake == 0)
        run_fake(world, mood, machined);
    while (!ready && now_usec() < deadline && world->fake > 0) {
        CLEANUP_FREE char *text = scope_world_journal(world);

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

void scope_world_put(const World *world, const char *name, const char *text) {
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
void scope_world_start_daemon(World *world) {
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
    scope_world_put(world, "bus.conf", config);
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

int scope_world_set_up(void **state) {
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

int scope_world_tear_down(void **state) {
    World *world = *state;

    end(world->fake);
    end(world->daemon);
    free(world->address);
    nftw(world->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(world);
    return 0;
}
