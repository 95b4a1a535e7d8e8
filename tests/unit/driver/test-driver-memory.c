/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client's call allocates: with one allocation that fails it says so and nothing has
 * changed, and a pin of what runs costs no copy of the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "domain/files.h"
#include "driver/run-limits.h"
#include "driver/tune.h"
#include "failing.h"
#include "run-world.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"

static unsigned n_copies;

DomainDef *__real_domain_def_copy(const DomainDef *def);
DomainDef *__wrap_domain_def_copy(const DomainDef *def);

DomainDef *__wrap_domain_def_copy(const DomainDef *def) {
    n_copies++;
    return __real_domain_def_copy(def);
}

static char *xml_of(Domain *domain, unsigned flags) {
    char *text = NULL;

    assert_int_equal(driver_dump_xml(domain, flags, &text, NULL), 0);
    return text;
}

/* ---- define ---- */

/* Each device needs a controller, an address or a name that is filled in. */
#define DEVICES                                                                                    \
    "<devices><emulator>/bin/true</emulator>"                                                      \
    "<disk><source file='/a'/><target dev='sda' bus='scsi'/></disk>"                               \
    "<disk><source file='/b'/><target dev='vdb' bus='virtio'/></disk>"                             \
    "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"  \
    "<channel type='unix'><target type='virtio' name='c'/></channel>"                              \
    "<input type='tablet' bus='usb'/><serial type='pty'/><rng model='virtio'>"                     \
    "<backend model='random'>/dev/urandom</backend></rng></devices>"
#define DEFINITION                                                                                 \
    "<domain type='qemu'><name>new</name><uuid>6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a0ff</uuid>"        \
    "<memory>65536</memory><vcpu current='1'>3</vcpu><iothreads>2</iothreads>"                     \
    "<os><type arch='x86_64' machine='q35'>hvm</type></os>" DEVICES "</domain>"

static bool has_file(const RunWorld *world) {
    CLEANUP_FREE char *path = domain_config_path(&world->driver->services.paths, "new");

    return access(path, F_OK) == 0;
}

/* Listed, in its file and with all that belongs to it, or nothing of these. */
static int try_define(void *userdata, char **ret) {
    RunWorld *world = userdata;
    CLEANUP_DOMAIN Domain *domain = NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r;

    failing_begin();
    r = driver_define(world->driver, DEFINITION, &domain, &error);
    failing_end();
    if (r < 0) {
        assert_null(domain);
        assert_null(driver_find_name(world->driver, "new", NULL));
        assert_false(has_file(world));
        return error && error->code == ERROR_NO_MEMORY ? -ENOMEM : r;
    }
    assert_true(has_file(world));
    *ret = xml_of(domain, XML_INACTIVE);
    assert_int_equal(driver_undefine(domain, 0, NULL), 0);
    return 0;
}

static void define(RunWorld *world) {
    failing_sweep("define", try_define, world);
}

/* ---- pins ---- */

typedef struct Pinning {
    RunWorld *world;
    Bitmap *cpus, *before;
} Pinning;

static int pin(Domain *domain, const Bitmap *cpus, Error **reterr) {
    return driver_pin_vcpu(domain, 0, cpus, AFFECT_LIVE | AFFECT_CONFIG, reterr);
}

static int try_pin(void *userdata, char **ret) {
    const Pinning *pinning = userdata;
    Domain *domain = pinning->world->domain;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *live = NULL, *config = NULL, *old_live = NULL, *old_config = NULL;
    int r;

    old_live = xml_of(domain, 0);
    old_config = xml_of(domain, XML_INACTIVE);
    failing_begin();
    r = pin(domain, pinning->cpus, &error);
    failing_end();
    live = xml_of(domain, 0);
    config = xml_of(domain, XML_INACTIVE);
    if (r < 0) {
        assert_string_equal(live, old_live);
        assert_string_equal(config, old_config);
        return error && error->code == ERROR_NO_MEMORY ? -ENOMEM : r;
    }
    *ret = strf("%s%s", live, config);
    assert_int_equal(pin(domain, pinning->before, NULL), 0);
    return 0;
}

static void resume_limits(RunWorld *world) {
    DomainJob job;

    assert_int_equal(domain_job_begin(world->domain, &job, "the test", NULL), 0);
    run_limits_resume(world->domain, NULL);
    world->domain->run->vcpus.has_tids = true;
    assert_int_equal(domain_save_status(world->domain, NULL), 0);
    domain_job_end(world->domain, &job);
}

static void pins(RunWorld *world) {
    Pinning pinning = {.world = world};

    resume_limits(world);
    assert_int_equal(bitmap_parse("0", BITMAP_MAX_BITS, &pinning.cpus), 0);
    assert_int_equal(bitmap_parse("0-1", BITMAP_MAX_BITS, &pinning.before), 0);
    assert_int_equal(pin(world->domain, pinning.before, NULL), 0);
    failing_sweep("vcpupin", try_pin, &pinning);
    bitmap_free(pinning.cpus);
    bitmap_free(pinning.before);
}

static ino_t inode_of_status(const RunWorld *world) {
    CLEANUP_FREE char *path = domain_status_path(&world->driver->services.paths, "d");
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

/* A guest of many vCPUs and devices is pinned vCPU by vCPU: each costs its line. */
static void a_live_pin_is_cheap(RunWorld *world) {
    CLEANUP_BITMAP Bitmap *cpus = NULL;
    ino_t inode;

    resume_limits(world);
    assert_int_equal(bitmap_parse("0", BITMAP_MAX_BITS, &cpus), 0);
    inode = inode_of_status(world);
    n_copies = 0;
    assert_int_equal(driver_pin_vcpu(world->domain, 0, cpus, AFFECT_LIVE, NULL), 0);
    assert_int_equal(driver_pin_emulator(world->domain, cpus, AFFECT_LIVE, NULL), 0);
    assert_int_equal(n_copies, 0);
    assert_int_equal(inode_of_status(world), inode);
    assert_int_equal(driver_pin_vcpu(world->domain, 0, cpus, AFFECT_CONFIG, NULL), 0);
    assert_int_equal(n_copies, 1); /* they are counted */
}

#define WORLD_TEST(body)                                                                           \
    static void test_##body(void **state) {                                                        \
        run_world("", body);                                                                       \
    }

WORLD_TEST(define)
WORLD_TEST(pins)
WORLD_TEST(a_live_pin_is_cheap)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_define),
        cmocka_unit_test(test_pins),
        cmocka_unit_test(test_a_live_pin_is_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
