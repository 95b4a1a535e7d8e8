/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pins behind a status file: read back, also when the last write was cut short at any byte, and
 * what n of them write to the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "domain/files.h"
#include "domain/services.h"
#include "domain/status-file.h"
#include "live-def.h"
#include "util/file.h"

typedef struct World {
    char dir[64];
    char *path;
    Services services;
    Domain *domain;
    DomainJob job;
} World;

static Bitmap *cpus(const char *text) {
    Bitmap *map = NULL;

    assert_int_equal(bitmap_parse(text, BITMAP_MAX_BITS, &map), 0);
    return map;
}

static DomainDef *make_def(unsigned n) {
    CLEANUP_FREE char *xml = strf(
        "<domain type='qemu'><name>d</name><memory>65536</memory><vcpu>%u</vcpu>"
        "<iothreads>2</iothreads><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>",
        n);

    return live_def(xml);
}

static void begin(World *world, unsigned n_vcpus) {
    CLEANUP_FREE char *domains = NULL;
    DomainRun *run;

    *world = (World){.dir = "/tmp/vireo-status.XXXXXX"};
    if (access("/dev/shm", W_OK) == 0) /* thousands of fdatasync that cost nothing there */
        snprintf(world->dir, sizeof(world->dir), "/dev/shm/vireo-status.XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    domains = path_join(world->dir, "domains");
    assert_int_equal(mkdir(domains, 0700), 0);
    world->services.paths.run = world->dir;
    world->path = path_join(domains, "d.xml");
    world->domain = domain_new();
    world->domain->services = &world->services;
    run = world->domain->run = domain_run_new(1, make_def(n_vcpus));
    run->pid = (QemuPid){.pid = 4711, .start_time = 1};
    run->monitor_path = strdup("/m");
    run->log_path = strdup("/l");
    assert_int_equal(domain_job_begin(world->domain, &world->job, "the test", NULL), 0);
}

static void end(World *world) {
    CLEANUP_FREE char *command = strf("rm -r '%s'", world->dir);

    domain_job_end(world->domain, &world->job);
    domain_unref(world->domain);
    free(world->path);
    assert_int_equal(system(command), 0);
}

static int pin(World *world, StatusPin kind, unsigned id, const char *text) {
    DomainDef *live = world->domain->run->live;
    Bitmap **slot = kind == STATUS_PIN_VCPU       ? &live->vcpus[id].pin
                    : kind == STATUS_PIN_IOTHREAD ? &domain_def_iothread(live, id)->pin
                                                  : &live->cputune.emulator_pin;

    bitmap_free(*slot);
    *slot = cpus(text);
    return domain_save_pin(world->domain, kind, id, NULL);
}

static char *text_of(const World *world, size_t *ret_len) {
    char *text = NULL;

    assert_int_equal(file_read(world->path, DOMAIN_XML_MAX, &text, ret_len), 0);
    return text;
}

static void assert_pin(const Bitmap *map, const char *text) {
    CLEANUP_FREE char *have = map ? bitmap_format(map) : NULL;

    if (text)
        assert_string_equal(have ? have : "none", text);
    else
        assert_null(map);
}

static void test_read_back(void **state) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_ERROR Error *error = NULL;
    StatusRecord record;
    size_t len;
    World world;

    begin(&world, 4);
    assert_int_equal(domain_save_status(world.domain, NULL), 0);
    assert_int_equal(pin(&world, STATUS_PIN_VCPU, 3, "0-1"), 0);
    assert_int_equal(pin(&world, STATUS_PIN_IOTHREAD, 2, "1"), 0);
    assert_int_equal(pin(&world, STATUS_PIN_EMULATOR, 0, "0,2"), 0);
    assert_int_equal(pin(&world, STATUS_PIN_VCPU, 3, "1"), 0);
    text = text_of(&world, &len);
    if (status_file_parse(text, len, &record, &error) < 0)
        fail_msg("%s", error_message(error));
    assert_pin(record.run->live->vcpus[3].pin, "1");
    assert_pin(record.run->live->vcpus[2].pin, NULL);
    assert_pin(domain_def_iothread(record.run->live, 2)->pin, "1");
    assert_pin(record.run->live->cputune.emulator_pin, "0,2");
    domain_run_free(record.run);
    end(&world);
}

/* What was intended with the guest, and what has happened to it, is the next daemon's too. */
static void test_intent(void **state) {
    World world;

    begin(&world, 1);
    for (unsigned bits = 0; bits < 4; bits++) {
        DomainRun *run = world.domain->run;
        CLEANUP_FREE char *text = NULL;
        StatusRecord record;
        size_t len;

        run->rebooting = bits & 1;
        run->vcpu_was_removed = bits & 2;
        assert_int_equal(domain_save_status(world.domain, NULL), 0);
        text = text_of(&world, &len);
        assert_int_equal(status_file_parse(text, len, &record, NULL), 0);
        assert_true(record.run->rebooting == run->rebooting);
        assert_true(record.run->vcpu_was_removed == run->vcpu_was_removed);
        domain_run_free(record.run);
    }
    end(&world);
}

/* Two plugged vCPUs, one that was there at boot, and one that is not there. */
static void plug_some(DomainRun *run) {
    static const GuestVerdict verdicts[] = {GUEST_UNTOLD, GUEST_ONLINE, GUEST_SILENT,
                                            GUEST_PRESENT};

    run->vcpus.n_entities = ARRAY_SIZE(verdicts);
    run->vcpus.entities = calloc(ARRAY_SIZE(verdicts), sizeof(VcpuEntity));
    assert_non_null(run->vcpus.entities);
    for (unsigned i = 0; i < ARRAY_SIZE(verdicts); i++)
        run->vcpus.entities[i] = (VcpuEntity){.first_id = i,
                                              .n_vcpus = 1,
                                              .qom_path = i < 3 ? strdup("/machine/x") : NULL,
                                              .verdict = verdicts[i]};
}

static void test_verdicts(void **state) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_ERROR Error *error = NULL;
    StatusRecord record;
    size_t len;
    World world;

    begin(&world, 4);
    plug_some(world.domain->run);
    assert_int_equal(domain_save_status(world.domain, NULL), 0);
    text = text_of(&world, &len);
    if (status_file_parse(text, len, &record, &error) < 0)
        fail_msg("%s", error_message(error));
    assert_pin(record.run->found_verdicts[GUEST_ONLINE], "1");
    assert_pin(record.run->found_verdicts[GUEST_SILENT], "2");
    assert_pin(record.run->found_verdicts[GUEST_PRESENT], NULL);
    assert_pin(record.run->found_verdicts[GUEST_UNKNOWN], NULL);
    domain_run_free(record.run);
    end(&world);
}

/* Whatever a cut write has left behind the last whole line, what was before it is read. */
static void test_cut_short(void **state) {
    CLEANUP_FREE char *text = NULL;
    size_t whole, first, len;
    World world;

    begin(&world, 4);
    assert_int_equal(domain_save_status(world.domain, NULL), 0);
    whole = world.domain->run->status.now;
    assert_int_equal(pin(&world, STATUS_PIN_VCPU, 0, "0-1"), 0);
    first = world.domain->run->status.now;
    assert_int_equal(pin(&world, STATUS_PIN_VCPU, 1, "3"), 0);
    text = text_of(&world, &len);
    for (size_t cut = whole - 1; cut <= len; cut++) {
        StatusRecord record;

        assert_int_equal(status_file_parse(text, cut, &record, NULL), 0);
        assert_pin(record.run->live->vcpus[0].pin, cut < first ? NULL : "0-1");
        assert_pin(record.run->live->vcpus[1].pin, cut < len ? NULL : "3");
        domain_run_free(record.run);
    }
    end(&world);
}

static void test_bad_lines(void **state) {
    static const char *const lines[] = {"<?vcpupin 4 0?>\n",     "<?vcpupin 0 ?>\n",
                                        "<?vcpupin?>\n",         "<?vcpupin -1 0?>\n",
                                        "<?iothreadpin 3 0?>\n", "<?emulatorpin 1 0?>\n",
                                        "<?somethingelse 1?>\n", "<?vcpupin 0 99999?>\n"};
    CLEANUP_FREE char *whole = NULL;
    World world;

    begin(&world, 4);
    assert_int_equal(domain_save_status(world.domain, NULL), 0);
    whole = text_of(&world, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        CLEANUP_FREE char *text = strf("%s%s", whole, lines[i]);
        CLEANUP_ERROR Error *error = NULL;
        StatusRecord record;

        assert_true(status_file_parse(text, strlen(text), &record, &error) < 0);
        assert_non_null(strstr(error_message(error), "no pin of this domain"));
        assert_null(record.run);
    }
    end(&world);
}

static void test_versions(void **state) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_ERROR Error *error = NULL;
    StatusRecord record;
    const size_t at = strlen("<domstatus version='");
    size_t len;
    World world;

    begin(&world, 4);
    assert_int_equal(domain_save_status(world.domain, NULL), 0);
    text = text_of(&world, &len);
    text[at] = '1';
    assert_int_equal(status_file_parse(text, len, &record, NULL), 0);
    domain_run_free(record.run);
    text[at] = '9';
    assert_true(status_file_parse(text, len, &record, &error) < 0);
    assert_non_null(strstr(error_message(error), "from a newer vireod"));
    end(&world);
}

/* A file that is not the one that was written is written whole, and nothing is put behind it. */
static void test_another_file(void **state) {
    CLEANUP_FREE char *text = NULL;
    StatusRecord record;
    size_t len;
    World world;
    FILE *file;

    begin(&world, 4);
    assert_int_equal(domain_save_status(world.domain, NULL), 0);
    file = fopen(world.path, "a");
    assert_non_null(file);
    fputs("<?vcpup", file);
    fclose(file);
    assert_int_equal(pin(&world, STATUS_PIN_VCPU, 1, "3"), 0);
    assert_int_equal(unlink(world.path), 0);
    assert_int_equal(pin(&world, STATUS_PIN_VCPU, 2, "2"), 0);
    text = text_of(&world, &len);
    assert_int_equal(status_file_parse(text, len, &record, NULL), 0);
    assert_pin(record.run->live->vcpus[1].pin, "3");
    assert_pin(record.run->live->vcpus[2].pin, "2");
    domain_run_free(record.run);
    end(&world);
}

/* ---- what it costs ---- */

static unsigned long long written(void) {
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(file_read("/proc/self/io", 4096, &text, NULL), 0);
    return strtoull(strstr(text, "wchar:") + strlen("wchar:"), NULL, 10);
}

/* Bytes that pinning each of n vCPUs four times writes. */
static unsigned long long bytes_of(unsigned n) {
    unsigned long long before;
    World world;

    begin(&world, n);
    assert_int_equal(domain_save_status(world.domain, NULL), 0);
    before = written();
    for (unsigned i = 0; i < 4 * n; i++)
        assert_int_equal(pin(&world, STATUS_PIN_VCPU, i % n, i / n % 2 ? "0-1" : "1"), 0);
    before = written() - before;
    end(&world);
    return before;
}

static void test_grows_with_the_pins(void **state) {
    const unsigned long long few = bytes_of(256), many = bytes_of(1024);

    print_message("4 x 256 pins write %llu bytes, 4 x 1024 write %llu\n", few, many);
    assert_true(many <= 8 * few); /* 4 times as many pins; squared it would be 16 */
}

/* A status that finds no place is written when there is one, though nothing changes any more. */
static void test_written_later(void **state) {
    CLEANUP_FREE char *domains = NULL, *away = NULL;
    const uint64_t end_of_wait = now_usec() + 30 * USEC_PER_SEC;
    sd_event *event = NULL;
    World world;

    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(fiber_init(event), 0);
    begin(&world, 4);
    domains = path_join(world.dir, "domains");
    away = path_join(world.dir, "away");
    assert_int_equal(rename(domains, away), 0);
    assert_true(domain_save_status(world.domain, NULL) < 0);
    assert_true(world.domain->run->status.behind);
    assert_int_equal(rename(away, domains), 0);
    domain_job_end(world.domain, &world.job);
    while (world.domain->run->status.behind) {
        assert_true(sd_event_run(event, 100 * USEC_PER_MSEC) >= 0);
        assert_true(now_usec() < end_of_wait);
    }
    while (fiber_count() > 0)
        assert_true(sd_event_run(event, UINT64_MAX) >= 0);
    assert_int_equal(access(world.path, F_OK), 0);
    assert_null(world.domain->run->save_again);
    assert_int_equal(domain_job_begin(world.domain, &world.job, "the test", NULL), 0);
    end(&world);
    fiber_shutdown();
    sd_event_unref(event);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_back),    cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_bad_lines),    cmocka_unit_test(test_versions),
        cmocka_unit_test(test_another_file), cmocka_unit_test(test_grows_with_the_pins),
        cmocka_unit_test(test_verdicts),     cmocka_unit_test(test_written_later),
        cmocka_unit_test(test_intent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
