/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU tells is told to clients in libvirt's numbers, and is in the definition that runs. The
 * members are those of QEMU's QAPI; node names are those of QEMU 7.2 and later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "domain/status-file.h"
#include "driver/memory.h"
#include "driver/metadata.h"
#include "driver/news.h"
#include "run-world.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"

/* Says an event, and compares what was told of it: the answer of a question comes behind it. */
static void expect(RunWorld *world, const char *name, const char *data, const char *told) {
    world->told[0] = '\0';
    qmp_peer_event(world->peer, name, data);
    qmp_peer_expect(world->peer, "query-name", "{}");
    assert_int_equal(monitor_run(world->domain->run->monitor, "query-name", NULL,
                                 deadline_in(30 * USEC_PER_SEC), NULL, NULL),
                     0);
    if (!strstr(world->told, told))
        fail_msg("%s: told '%s', not '%s'", name, world->told, told);
}

static void expect_xml(RunWorld *world, const char *part) {
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(driver_dump_xml(world->domain, 0, &text, NULL), 0);
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

static void watchdog(RunWorld *world) {
    expect(world, "WATCHDOG", "{'action':'inject-nmi'}", "news:3:6:0:");
    expect(world, "WATCHDOG", "{'action':'none'}", "news:3:0:0:");
    expect(world, "WATCHDOG", "{'action':'reset'}", "news:3:2:0:");
    expect(world, "WATCHDOG", "{'action':'something new'}", "news:3:0:0:");
    /* in libvirt's order: what happened, then what followed from it */
    expect(world, "WATCHDOG", "{'action':'pause'}", "news:3:1:0::: SUSPENDED:3 ");
}

#define DISKS                                                                                      \
    "<devices><disk type='file' device='cdrom'><target dev='sda' bus='sata'/>"                     \
    "<alias name='sata0-0-0'/></disk><disk type='file' device='disk'>"                             \
    "<source file='/images/a.img'/><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/>"   \
    "</disk></devices>"

static void io_error(RunWorld *world) {
    static const char *const nodes[] = {"drive-virtio-disk0", "file-virtio-disk0",
                                        "throttle-virtio-disk0", "cor-virtio-disk0"};

    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        CLEANUP_FREE char *data = strf("{'device':'','node-name':'%s','operation':'write',"
                                       "'action':'report','reason':'x'}",
                                       nodes[i]);

        expect(world, "BLOCK_IO_ERROR", data,
               "news:4:2:0:virtio-disk0:/images/a.img: news:6:2:0:virtio-disk0:/images/a.img: ");
        if (i == 0) { /* the same once more is told within a second */
            expect(world, "BLOCK_IO_ERROR", data, "");
            assert_string_equal(world->told, "");
            run_world_wait_told(world, "news:6:2:0:virtio-disk0:/images/a.img:");
        }
        io_errors_done(&world->domain->run->io_errors);
    }
    expect(world, "BLOCK_IO_ERROR", "{'node-name':'else','action':'ignore'}", "news:6:0:0::: ");
    expect(world, "BLOCK_IO_ERROR",
           "{'node-name':'drive-virtio-disk0','action':'stop','nospace':true}",
           "news:6:1:0:virtio-disk0:/images/a.img:enospc SUSPENDED:2 ");
}

static void tray(RunWorld *world) {
    run_world_wait_idle(world);
    expect_xml(world, "<target dev='sda' bus='sata'/>");
    expect(world, "DEVICE_TRAY_MOVED", "{'device':'','id':'sata0-0-0','tray-open':true}",
           "news:10:0:0:sata0-0-0:");
    expect_xml(world, "<target dev='sda' bus='sata' tray='open'/>");
    run_world_wait_idle(world);
    {
        CLEANUP_FREE char *status = run_world_status(world);

        assert_non_null(strstr(status, "tray='open'"));
    }
    expect(world, "DEVICE_TRAY_MOVED", "{'device':'','id':'sata0-0-0','tray-open':false}",
           "news:10:1:0:sata0-0-0:");
    run_world_wait_idle(world);
    expect_xml(world, "<target dev='sda' bus='sata'/>");
    expect(world, "DEVICE_TRAY_MOVED", "{'device':'','id':'nobody','tray-open':true}", "");
    assert_string_equal(world->told, "");
}

/* The guest has set its clock: QEMU counts from the time it was started with, again and again. */
static void clock_of_its_own(RunWorld *world) {
    expect(world, "RTC_CHANGE", "{'offset':-20}", "news:2:0:80:");
    run_world_wait_idle(world);
    expect_xml(world, "<clock offset='variable' adjustment='80' basis='utc'/>");
    expect(world, "RTC_CHANGE", "{'offset':5}", "news:2:0:105:");
    run_world_wait_idle(world);
    expect_xml(world, "<clock offset='variable' adjustment='105' basis='utc'/>");
    {
        CLEANUP_FREE char *status = run_world_status(world);

        assert_non_null(strstr(status, " clock='100'"));
    }
}

/* What came behind the last save is written when the daemon stops. */
static void clock_at_a_stop(RunWorld *world) {
    CLEANUP_FREE char *status = NULL;

    expect(world, "RTC_CHANGE", "{'offset':-20}", "news:2:0:80:");
    run_world_wait_idle(world);
    expect(world, "RTC_CHANGE", "{'offset':5}", "news:2:0:105:");
    driver_stop(world->driver);
    driver_wait_stopped(world->driver, deadline_in(20 * USEC_PER_SEC));
    status = run_world_status(world);
    assert_non_null(strstr(status, "adjustment='105'"));
}

static void clock_of_the_host(RunWorld *world) {
    expect(world, "RTC_CHANGE", "{'offset':7}", "news:2:0:7:");
    expect_xml(world, "<clock offset='utc'/>");
}

/* A guest may move its tray as often as it likes: one save waits for the job, whatever comes. */
static void tray_moved_often(RunWorld *world) {
    unsigned n_waiting = 0;
    DomainJob job;

    run_world_wait_idle(world);
    assert_int_equal(domain_job_begin(world->domain, &job, "a change", NULL), 0);
    for (unsigned i = 0; i < 50; i++) {
        expect(world, "DEVICE_TRAY_MOVED", "{'device':'','id':'sata0-0-0','tray-open':true}",
               "news:10:0:0:sata0-0-0:");
        expect(world, "DEVICE_TRAY_MOVED", "{'device':'','id':'sata0-0-0','tray-open':true}", "");
        assert_string_equal(world->told, ""); /* no news */
        expect(world, "DEVICE_TRAY_MOVED", "{'device':'','id':'sata0-0-0','tray-open':false}",
               "news:10:1:0:sata0-0-0:");
    }
    for (const DomainJob *at = job.next; at; at = at->next)
        n_waiting++;
    assert_int_equal(n_waiting, 1);
    domain_job_end(world->domain, &job);
}

/* Only a drive has a tray. */
static void tray_of_a_disk(RunWorld *world) {
    expect(world, "DEVICE_TRAY_MOVED", "{'device':'','id':'virtio-disk0','tray-open':true}", "");
    assert_string_equal(world->told, "");
}

/* Whatever QEMU says, the next daemon can read what is written of it. */
static void nonsense(RunWorld *world) {
    static const struct {
        const char *name, *data;
    } rows[] = {{"BALLOON_CHANGE", "{'actual':9223372036854775807}"},
                {"BALLOON_CHANGE", "{'actual':18446744073709551615}"},
                {"BALLOON_CHANGE", "{'actual':-5}"},
                {"BALLOON_CHANGE", "{'actual':'x'}"},
                {"BALLOON_CHANGE", "{}"},
                {"RTC_CHANGE", "{'offset':9223372036854775807}"},
                {"RTC_CHANGE", "{'offset':-9223372036854775808}"},
                {"MEMORY_DEVICE_SIZE_CHANGE", "{'id':'virtiomem0','size':18446744073709550592}"},
                {"MEMORY_DEVICE_SIZE_CHANGE", "{'id':'virtiomem0','size':9223372036854775807}"},
                {"MEMORY_DEVICE_SIZE_CHANGE", "{'size':[]}"},
                {"DEVICE_TRAY_MOVED", "{'id':{},'tray-open':7}"},
                {"BLOCK_IO_ERROR", "{'node-name':3,'action':[],'nospace':'yes'}"},
                {"VNC_CONNECTED", "{'server':[],'client':7}"},
                {"WATCHDOG", "{'action':{}}"},
                {"MEMORY_FAILURE", "{'flags':3}"}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_ERROR Error *error = NULL;
        StatusRecord record;

        expect(world, rows[i].name, rows[i].data, "");
        assert_int_equal(status_file_format(world->domain, &text), 0);
        if (status_file_parse(text, strlen(text), &record, &error) < 0)
            fail_msg("%s %s: %s in %s", rows[i].name, rows[i].data, error_message(error), text);
        assert_true(record.run->live->current_memory_kib <= record.run->live->memory_kib);
        domain_run_free(record.run);
    }
    expect_xml(world, "<clock offset='variable' adjustment='100' basis='utc'/>");
}

typedef struct Setting {
    Domain *domain;
    int result;
    bool over;
    FiberCond cond;
} Setting;

static void set_memory(void *userdata) {
    Setting *setting = userdata;

    setting->result = driver_set_memory(setting->domain, 40960, AFFECT_LIVE, NULL);
    setting->over = true;
    fiber_cond_broadcast(&setting->cond);
}

/* The change has a copy of the definition that takes its place: what comes meanwhile is not lost.
 */
static void told_during_a_change(RunWorld *world) {
    Setting setting = {.domain = world->domain, .result = 1};

    run_world_wait_idle(world);
    qmp_peer_expect_silent(world->peer, "balloon");
    qmp_peer_event(world->peer, "DEVICE_TRAY_MOVED",
                   "{'device':'','id':'sata0-0-0','tray-open':true}");
    qmp_peer_event(world->peer, "RTC_CHANGE", "{'offset':33}");
    qmp_peer_event(world->peer, "BALLOON_CHANGE", "{'actual':41943040}");
    qmp_peer_answer(world->peer, "{}");
    assert_int_equal(fiber_start("setmem", set_memory, &setting), 0);
    while (!setting.over)
        assert_true(fiber_cond_wait(&setting.cond, deadline_in(30 * USEC_PER_SEC)) >= 0);
    fiber_cond_done(&setting.cond);
    assert_int_equal(setting.result, 0);
    expect_xml(world, "<target dev='sda' bus='sata' tray='open'/>");
    expect_xml(world, "adjustment='133'");
    expect_xml(world, "<currentMemory unit='KiB'>40960</currentMemory>");
}

/* A new connection asks for what it was not told. */
static void recalled(RunWorld *world) {
    DomainJob job;

    run_world_wait_idle(world);
    assert_int_equal(domain_job_begin(world->domain, &job, "a look", NULL), 0);
    qmp_peer_expect(world->peer, "query-block",
                    "[{'device':'','qdev':'sata0-0-0','tray_open':true},"
                    "{'device':'','qdev':'/machine/peripheral/virtio-disk0/virtio-backend'},7]");
    qmp_peer_expect(world->peer, "query-balloon", "{'actual':16777216}");
    news_recall(world->domain);
    domain_job_end(world->domain, &job);
    expect_xml(world, "<target dev='sda' bus='sata' tray='open'/>");
    expect_xml(world, "<currentMemory unit='KiB'>16384</currentMemory>");
}

static void power(RunWorld *world) {
    expect(world, "SUSPEND", NULL, "news:12:0:0:");
    expect(world, "WAKEUP", NULL, "news:11:0:0:");
    expect(world, "SUSPEND_DISK", NULL, "news:14:0:0:");
}

static void memory(RunWorld *world) {
    expect(world, "BALLOON_CHANGE", "{'actual':33554432}", "news:13:0:32768:");
    expect_xml(world, "<currentMemory unit='KiB'>32768</currentMemory>");
    expect(world, "MEMORY_FAILURE",
           "{'recipient':'guest','action':'inject','flags':{'action-required':true,"
           "'recursive':false}}",
           "news:25:1:0:");
}

static void graphics(RunWorld *world) {
    static const char data[] = "{'server':{'auth':'vnc','family':'ipv4','service':'5900',"
                               "'host':'127.0.0.1','websocket':false},"
                               "'client':{'family':'ipv6','service':'40000','host':'::1'}}";

    expect(world, "VNC_CONNECTED", data, "news:5:0:0:::vnc ");
    expect(world, "VNC_INITIALIZED", data, "news:5:1:0:::vnc ");
    expect(world, "SPICE_DISCONNECTED", "{'server':{},'client':{}}", "news:5:2:0::: ");
    expect(world, "VNC_DISCONNECTED", "{}", "news:5:2:0::: ");
}

static void metadata(RunWorld *world) {
    const MetadataChange title = {.type = METADATA_TITLE, .text = "a title"};
    const MetadataChange element = {
        .type = METADATA_ELEMENT, .text = "<a/>", .key = "k", .uri = "urn:k"};
    Domain *domain = run_world_define(world, "a");

    world->told[0] = '\0';
    assert_int_equal(driver_set_metadata(domain, &title, 0, NULL), 0);
    assert_int_equal(driver_set_metadata(domain, &element, 0, NULL), 0);
    assert_string_equal(world->told, "news:23:1:0::: news:23:2:0:::urn:k ");
}

static void test_watchdog(void **state) {
    run_world("", watchdog);
}

static void test_io_error(void **state) {
    run_world(DISKS, io_error);
}

static void test_tray(void **state) {
    run_world(DISKS, tray);
}

static void test_tray_moved_often(void **state) {
    run_world(DISKS, tray_moved_often);
    run_world(DISKS, tray_of_a_disk);
}

#define BALLOON "<memballoon model='virtio'/></devices>"
#define CLOCK "<clock offset='variable' adjustment='100'/>"
static const char drives[] = CLOCK
    "<devices><disk type='file' device='cdrom'>"
    "<target dev='sda' bus='sata'/><alias name='sata0-0-0'/></disk>" BALLOON;

static void test_nonsense(void **state) {
    run_world(
        "<maxMemory slots='2' unit='KiB'>1048576</maxMemory>"
        "<cpu><numa><cell id='0' cpus='0-1' memory='65536'/></numa></cpu>" CLOCK
        "<devices><memory model='virtio-mem'><target><size unit='KiB'>131072</size><node>0</node>"
        "<block unit='KiB'>2048</block><requested unit='KiB'>0</requested></target>"
        "<alias name='virtiomem0'/></memory>" BALLOON,
        nonsense);
}

static void test_told_during_a_change(void **state) {
    run_world(drives, told_during_a_change);
}

static void test_recalled(void **state) {
    run_world(drives, recalled);
}

static void test_clocks(void **state) {
    run_world("<clock offset='variable' adjustment='100'/>", clock_of_its_own);
    run_world("<clock offset='variable' adjustment='100'/>", clock_at_a_stop);
    run_world("", clock_of_the_host);
}

static void test_power(void **state) {
    run_world("", power);
}

static void test_memory(void **state) {
    run_world("", memory);
}

static void test_graphics(void **state) {
    run_world("", graphics);
}

static void test_metadata(void **state) {
    run_world("", metadata);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_watchdog),
                                       cmocka_unit_test(test_io_error),
                                       cmocka_unit_test(test_tray),
                                       cmocka_unit_test(test_clocks),
                                       cmocka_unit_test(test_power),
                                       cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_graphics),
                                       cmocka_unit_test(test_metadata),
                                       cmocka_unit_test(test_tray_moved_often),
                                       cmocka_unit_test(test_nonsense),
                                       cmocka_unit_test(test_told_during_a_change),
                                       cmocka_unit_test(test_recalled)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
