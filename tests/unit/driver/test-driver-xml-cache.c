/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A definition that was shown before is shown as it is now. That a text which is kept is the one
 * that would be made is asserted by the driver itself in every build for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "driver/rename.h"
#include "driver/xml-cache.h"
#include "run-world.h"
#include "util/libvirt-numbers.h"

static char *dump(Domain *domain, unsigned flags) {
    char *text = NULL;

    assert_int_equal(driver_dump_xml(domain, flags, &text, NULL), 0);
    assert_non_null(text);
    return text;
}

static const char *kept(const RunWorld *world, const Domain *domain, unsigned flags) {
    return xml_cache_get(world->driver->services.xml, domain->revision, flags);
}

static void dump_and_expect(RunWorld *world, Domain *domain, unsigned flags, const char *part) {
    CLEANUP_FREE char *text = dump(domain, flags);

    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

/* Each form has an entry of its own place at a time; with passwords there is none. */
static void kept_until_it_changes(RunWorld *world) {
    Domain *domain = run_world_define(world, "a");

    dump_and_expect(world, domain, XML_SECURE, "<name>a</name>");
    assert_null(kept(world, domain, 0));
    assert_null(kept(world, domain, XML_SECURE));
    dump_and_expect(world, domain, 0, "<name>a</name>");
    assert_non_null(kept(world, domain, 0));
    assert_null(kept(world, domain, XML_INACTIVE));
    dump_and_expect(world, domain, 0, "<name>a</name>");
    assert_int_equal(driver_rename(domain, "b", NULL), 0);
    assert_null(kept(world, domain, 0));
    dump_and_expect(world, domain, 0, "<name>b</name>");
}

/* While somebody has the job, what is shown may be half of a change. */
static void not_kept_during_a_job(RunWorld *world) {
    Domain *domain = run_world_define(world, "a");
    uint64_t revision = domain->revision;
    DomainJob job;

    assert_int_equal(domain_job_begin(domain, &job, "a change", NULL), 0);
    assert_true(domain->revision > revision);
    dump_and_expect(world, domain, 0, "<name>a</name>");
    assert_null(kept(world, domain, 0));
    revision = domain->revision;
    domain_job_end(domain, &job);
    assert_true(domain->revision > revision);
}

/* QEMU tells of it outside of any job. */
static void changed_by_an_event(RunWorld *world) {
    uint64_t revision = world->domain->revision;

    qmp_peer_event(world->peer, "RTC_CHANGE", "{'offset':1}");
    qmp_peer_expect(world->peer, "query-name", "{}"); /* its answer comes behind the event */
    assert_int_equal(monitor_run(world->domain->run->monitor, "query-name", NULL,
                                 deadline_in(30 * USEC_PER_SEC), NULL, NULL),
                     0);
    assert_true(world->domain->revision > revision);
}

static void changed_by_a_state(RunWorld *world) {
    uint64_t revision = world->domain->revision;

    domain_set_state(world->domain, DOMAIN_PAUSED, PAUSED_USER);
    assert_true(world->domain->revision > revision);
}

/* A place has one text; what is longer than an entry may be is not kept. */
static void test_places(void **state) {
    XmlCache *cache = xml_cache_new();
    CLEANUP_FREE char *text = calloc(1, XML_CACHE_LARGEST + 2);

    assert_non_null(cache);
    assert_non_null(text);
    assert_null(xml_cache_get(cache, 1, 0));
    xml_cache_put(cache, 1, 0, "one");
    assert_string_equal(xml_cache_get(cache, 1, 0), "one");
    assert_null(xml_cache_get(cache, 1, XML_INACTIVE));
    assert_null(xml_cache_get(cache, 1 + XML_CACHE_ENTRIES, 0));
    xml_cache_put(cache, 1 + XML_CACHE_ENTRIES, 0, "two");
    assert_null(xml_cache_get(cache, 1, 0));
    memset(text, 'x', XML_CACHE_LARGEST);
    xml_cache_put(cache, 2, 0, text);
    assert_non_null(xml_cache_get(cache, 2, 0));
    text[XML_CACHE_LARGEST] = 'x';
    xml_cache_put(cache, 3, 0, text);
    assert_null(xml_cache_get(cache, 3, 0));
    xml_cache_free(cache);
}

static void test_kept_until_it_changes(void **state) {
    run_world("", kept_until_it_changes);
}

static void test_not_kept_during_a_job(void **state) {
    run_world("", not_kept_during_a_job);
}

static void test_changed_by_an_event(void **state) {
    run_world("", changed_by_an_event);
}

static void test_changed_by_a_state(void **state) {
    run_world("", changed_by_a_state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places), cmocka_unit_test(test_kept_until_it_changes),
        cmocka_unit_test(test_not_kept_during_a_job), cmocka_unit_test(test_changed_by_an_event),
        cmocka_unit_test(test_changed_by_a_state)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
