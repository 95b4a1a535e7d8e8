/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the domain parser refuses of tuning: <cputune>, resctrl, IO threads, NUMA nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "domain-errors.h"

#define TUNE(text) INSIDE("<vcpu>4</vcpu><iothreads>2</iothreads><cputune>\n" text "</cputune>")

static const Bad cputune[] = {
    {TUNE("<shares>1</shares>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'shares' must be in range [2, 262144] (line 4)"},
    {TUNE("<shares>262145</shares>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'shares' must be in range [2, 262144] (line 4)"},
    {TUNE("<shares>-1</shares>"), ERROR_XML, "can't parse cputune shares value '-1' (line 4)"},
    {TUNE("<shares>many</shares>"), ERROR_XML, "can't parse cputune shares value 'many'"},
    {TUNE("<period>999</period>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'period' must be in range [1000, 1000000] (line 4)"},
    {TUNE("<period>1000001</period>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'period' must be in range [1000, 1000000] (line 4)"},
    {TUNE("<period>-5</period>"), ERROR_XML, "can't parse cputune period value '-5'"},
    {TUNE("<quota>999</quota>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'quota' must be in range [1000, 17592186044415] (line 4)"},
    {TUNE("<quota>17592186044416</quota>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'quota' must be in range [1000, 17592186044415] (line 4)"},
    {TUNE("<quota>99999999999999999999</quota>"), ERROR_XML, "can't parse cputune quota value"},
    {TUNE("<quota>many</quota>"), ERROR_XML, "can't parse cputune quota value 'many' (line 4)"},
    {TUNE("<shares/>"), ERROR_XML, "can't parse cputune shares value ''"},
    {TUNE("<global_period>1</global_period>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'global_period' must be in range [1000, 1000000] (line 4)"},
    {TUNE("<global_period>1000001</global_period>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'global_period' must be in range [1000, 1000000] (line 4)"},
    {TUNE("<global_quota>1</global_quota>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'global_quota' must be in range [1000, 17592186044415] (li"},
    {TUNE("<global_quota>17592186044416</global_quota>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'global_quota' must be in range [1000, 17592186044415] (li"},
    {TUNE("<emulator_period>x</emulator_period>"), ERROR_XML,
     "can't parse cputune emulator_period value 'x'"},
    {TUNE("<emulator_period>1000001</emulator_period>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'emulator_period' must be in range [1000, 1000000] (line 4"},
    {TUNE("<emulator_quota>17592186044416</emulator_quota>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'emulator_quota' must be in range [1000, 17592186044415] ("},
    {TUNE("<iothread_period>1000001</iothread_period>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'iothread_period' must be in range [1000, 1000000] (line 4"},
    {TUNE("<iothread_quota>17592186044416</iothread_quota>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'iothread_quota' must be in range [1000, 17592186044415] ("},
    {TUNE("<emulator_period>1</emulator_period>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'emulator_period' must be in range [1000, 1000000] (line 4"},
    {TUNE("<emulator_quota>1</emulator_quota>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'emulator_quota' must be in range [1000, 17592186044415] ("},
    {TUNE("<iothread_period>1</iothread_period>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'iothread_period' must be in range [1000, 1000000] (line 4"},
    {TUNE("<iothread_quota>1</iothread_quota>"), ERROR_CONFIG_UNSUPPORTED,
     "Value of cputune 'iothread_quota' must be in range [1000, 17592186044415] ("},
    {TUNE("<vcpupin cpuset='0'/>"), ERROR_XML,
     "Missing required attribute 'vcpu' in element 'vcpupin' (line 4)"},
    {TUNE("<vcpupin vcpu='0'/>"), ERROR_XML,
     "Missing required attribute 'cpuset' in element 'vcpupin' (line 4)"},
    {TUNE("<vcpupin vcpu='x' cpuset='0'/>"), ERROR_XML, "'vcpu' in element 'vcpupin': 'x'"},
    {TUNE("<vcpupin vcpu='-1' cpuset='0'/>"), ERROR_XML, "'vcpu' in element 'vcpupin': '-1'"},
    {TUNE("<vcpupin vcpu='0' cpuset='0,^0'/>"), ERROR_CONFIG_UNSUPPORTED,
     "Invalid value of 'cpuset': 0,^0 (element 'vcpupin' in line 4): the list is empty"},
    {TUNE("<vcpupin vcpu='0' cpuset='a'/>"), ERROR_INVALID_ARG,
     "Failed to parse bitmap 'a': the 'cpuset' of element 'vcpupin' (line 4)"},
    {TUNE("<vcpupin vcpu='0' cpuset='16384'/>"), ERROR_INVALID_ARG,
     "Failed to parse bitmap '16384'"},
    {TUNE("<vcpupin vcpu='1' cpuset='0'/><vcpupin vcpu='1' cpuset='1'/>"), ERROR_INTERNAL,
     "duplicate vcpupin for vcpu '1'"},
    {TUNE("<emulatorpin/>"), ERROR_XML,
     "Missing required attribute 'cpuset' in element 'emulatorpin' (line 4)"},
    {TUNE("<emulatorpin cpuset='0'/><emulatorpin cpuset='0'/>"), ERROR_XML, "only one emulatorpin"},
    {TUNE("<emulatorpin cpuset='0,^0'/>"), ERROR_CONFIG_UNSUPPORTED,
     "Invalid value of 'cpuset': 0,^0 (element 'emulatorpin'"},
    {TUNE("<emulatorpin cpuset='x'/>"), ERROR_INVALID_ARG,
     "the 'cpuset' of element 'emulatorpin' (line 4)"},
    {TUNE("<iothreadpin cpuset='0'/>"), ERROR_XML,
     "Missing required attribute 'iothread' in element 'iothreadpin' (line 4)"},
    {TUNE("<iothreadpin iothread='1'/>"), ERROR_XML,
     "Missing required attribute 'cpuset' in element 'iothreadpin' (line 4)"},
    {TUNE("<iothreadpin iothread='x' cpuset='0'/>"), ERROR_XML,
     "'iothread' in element 'iothreadpin': 'x'"},
    {TUNE("<iothreadpin iothread='0' cpuset='0'/>"), ERROR_CONFIG_UNSUPPORTED,
     "Cannot find 'iothread' : 0"},
    {TUNE("<iothreadpin iothread='1' cpuset='0,^0'/>"), ERROR_CONFIG_UNSUPPORTED,
     "(element 'iothreadpin' in line 4)"},
    {TUNE("<iothreadpin iothread='3' cpuset='0'/>"), ERROR_CONFIG_UNSUPPORTED,
     "Cannot find 'iothread' : 3, which <iothreadpin> in line 4 names"},
    {TUNE("<iothreadpin iothread='1' cpuset='0'/><iothreadpin iothread='1' cpuset='1'/>"),
     ERROR_INTERNAL, "duplicate iothreadpin for same iothread '1'"},
    {TUNE("<vcpusched vcpus='0' scheduler='fair'/>"), ERROR_XML,
     "'scheduler' in element 'vcpusched': 'fair' (line 4): batch, idle, fifo or rr"},
    {TUNE("<vcpusched vcpus='0'/>"), ERROR_XML, "'scheduler' in element 'vcpusched'"},
    {TUNE("<vcpusched vcpus='0' scheduler='fifo'/>"), ERROR_XML,
     "Missing or invalid scheduler priority in element 'vcpusched' (line 4): fifo needs one from 1 "
     "to 99"},
    {TUNE("<vcpusched vcpus='0' scheduler='rr' priority='100'/>"), ERROR_XML,
     "rr needs one from 1 to 99"},
    {TUNE("<vcpusched vcpus='0' scheduler='rr'/>"), ERROR_XML, "rr needs one from 1 to 99"},
    {TUNE("<vcpusched vcpus='0' scheduler='rr' priority='x'/>"), ERROR_XML,
     "'priority' in element 'vcpusched': 'x'"},
    {TUNE("<vcpusched vcpus='0' scheduler='rr' priority='-1'/>"), ERROR_XML,
     "'priority' in element 'vcpusched': '-1'"},
    {TUNE("<vcpusched vcpus='0' scheduler='other'/>"), ERROR_XML,
     "'scheduler' in element 'vcpusched': 'other'"},
    {TUNE("<vcpusched scheduler='batch'/>"), ERROR_XML,
     "Missing required attribute 'vcpus' in element 'vcpusched' (line 4)"},
    {TUNE("<vcpusched vcpus='x' scheduler='batch'/>"), ERROR_INVALID_ARG,
     "the 'vcpus' of element 'vcpusched' (line 4)"},
    {TUNE("<vcpusched vcpus='0,^0' scheduler='batch'/>"), ERROR_CONFIG_UNSUPPORTED,
     "Invalid value of 'vcpus': 0,^0 (element 'vcpusched' in line 4): the list is empty"},
    {TUNE("<vcpusched vcpus='4' scheduler='batch'/>"), ERROR_CONFIG_UNSUPPORTED,
     "vCPU '4' is not present in domain definition, but in <vcpusched> (line 4)"},
    {TUNE("<vcpusched vcpus='0-1' scheduler='batch'/><vcpusched vcpus='1' scheduler='idle'/>"),
     ERROR_XML_DETAIL, "must not overlap (vCPU '1')"},
    {TUNE("<iothreadsched iothreads='3' scheduler='idle'/>"), ERROR_CONFIG_UNSUPPORTED,
     "Cannot find 'iothread' : 3, which <iothreadsched> in line 4 names"},
    {TUNE("<iothreadsched scheduler='idle'/>"), ERROR_XML,
     "Missing required attribute 'iothreads' in element 'iothreadsched' (line 4)"},
    {TUNE("<iothreadsched iothreads='1,^1' scheduler='idle'/>"), ERROR_CONFIG_UNSUPPORTED,
     "Invalid value of 'iothreads': 1,^1"},
    {TUNE("<iothreadsched iothreads='1' scheduler='fair'/>"), ERROR_XML,
     "'scheduler' in element 'iothreadsched': 'fair'"},
    {TUNE("<iothreadsched iothreads='1' scheduler='fifo'/>"), ERROR_XML,
     "fifo needs one from 1 to 99"},
    {TUNE("<iothreadsched iothreads='1' scheduler='idle'/><iothreadsched iothreads='1' "
          "scheduler='idle'/>"),
     ERROR_XML_DETAIL, "must not overlap (iothread '1')"},
    {TUNE("<emulatorsched scheduler='idle'/><emulatorsched scheduler='idle'/>"), ERROR_XML,
     "only one emulatorsched"},
    {TUNE("<emulatorsched scheduler='rr' priority='0'/>"), ERROR_XML, "rr needs one"},
    {TUNE("<emulatorsched/>"), ERROR_XML, "'scheduler' in element 'emulatorsched'"},
};

#define CACHE(more) "<cache id='0' level='3' type='both' size='1' " more "/>"

static const Bad resctrls[] = {
    {TUNE("<cachetune/>"), ERROR_XML,
     "Missing required attribute 'vcpus' in element 'cachetune' (line 4)"},
    {TUNE("<memorytune/>"), ERROR_XML,
     "Missing required attribute 'vcpus' in element 'memorytune' (line 4)"},
    {TUNE("<cachetune vcpus='x'/>"), ERROR_INVALID_ARG,
     "Failed to parse bitmap 'x': the 'vcpus' of element 'cachetune'"},
    {TUNE("<memorytune vcpus='x'/>"), ERROR_INVALID_ARG,
     "the 'vcpus' of element 'memorytune' (line 4)"},
    {TUNE("<cachetune vcpus='0-1'/><cachetune vcpus='1-2'/>"), ERROR_XML,
     "Overlapping vcpus in resctrls: the 'vcpus' of <cachetune> in line 4"},
    {TUNE("<cachetune vcpus='0-1'/><memorytune vcpus='1'/>"), ERROR_XML,
     "of <memorytune> in line 4"},
    {TUNE("<memorytune vcpus='1'/>\n<cachetune vcpus='0-1'/>"), ERROR_XML,
     "of <memorytune> in line 4"},
    {TUNE("<memorytune vcpus='0-1'/><memorytune vcpus='1'/>"), ERROR_XML,
     "Overlapping vcpus in resctrls"},
    {TUNE("<cachetune vcpus='0'/><cachetune vcpus='0'/>"), ERROR_XML,
     "Identical vcpus in cachetunes found"},
    {TUNE("<memorytune vcpus='0'/><memorytune vcpus='0'/>"), ERROR_XML,
     "Identical vcpus in memorytunes found"},
    {TUNE("<cachetune vcpus='0'><cache/></cachetune>"), ERROR_XML,
     "Missing required attribute 'id' in element 'cache' (line 4)"},
    {TUNE("<cachetune vcpus='0'><cache id='0' type='both' size='1'/></cachetune>"), ERROR_XML,
     "Missing required attribute 'level' in element 'cache' (line 4)"},
    {TUNE("<cachetune vcpus='0'><cache id='x' level='3' type='both' size='1'/></cachetune>"),
     ERROR_XML, "'id' in element 'cache': 'x' (line 4)"},
    {TUNE("<cachetune vcpus='0'><cache id='0' level='3' type='both' size='x'/></cachetune>"),
     ERROR_XML, "Invalid value 'x' for element 'cache' (line 4)"},
    {TUNE("<cachetune vcpus='0'><cache id='0' level='3' type='code' size='1'/>" CACHE(
         "") "</cachetune>"),
     ERROR_XML, "Colliding cache allocations for cache level '3' id '0', type 'both' (line 4)"},
    {TUNE("<cachetune vcpus='0'><monitor vcpus='0'/></cachetune>"), ERROR_XML,
     "Missing required attribute 'level' in element 'monitor' (line 4)"},
    {TUNE("<cachetune vcpus='0'><monitor level='3'/></cachetune>"), ERROR_XML,
     "Missing required attribute 'vcpus' in element 'monitor' (line 4)"},
    {TUNE("<cachetune vcpus='0'><monitor level='3' vcpus='x'/></cachetune>"), ERROR_INVALID_ARG,
     "the 'vcpus' of element 'monitor' (line 4)"},
    {TUNE("<cachetune vcpus='0'><monitor level='3' vcpus='0,^0'/></cachetune>"), ERROR_INVALID_ARG,
     "vcpus is empty: <monitor> in line 4 watches nothing"},
    {TUNE("<memorytune vcpus='0'><monitor/></memorytune>"), ERROR_XML,
     "Missing required attribute 'vcpus' in element 'monitor' (line 4)"},
    {TUNE("<memorytune vcpus='0'><monitor vcpus='1'/></memorytune>"), ERROR_INVALID_ARG,
     "Monitor has vcpus conflict with allocation: those of <monitor> in line 4"},
    {TUNE("<memorytune vcpus='0-2'><monitor vcpus='0-1'/><monitor vcpus='1-2'/></memorytune>"),
     ERROR_INVALID_ARG, "Overlapping vcpus found in monitors"},
    {TUNE("<memorytune vcpus='0'><node bandwidth='1'/></memorytune>"), ERROR_XML,
     "Missing required attribute 'id' in element 'node' (line 4)"},
    {TUNE("<memorytune vcpus='0'><node id='0' bandwidth='x'/></memorytune>"), ERROR_XML,
     "'bandwidth' in element 'node': 'x' (line 4)"},
    {TUNE("<cachetune vcpus='0'><cache id='0' level='1' type='both' size='1'/></cachetune>"),
     ERROR_XML, "Invalid cache attribute 'level' value '1'"},
    {TUNE("<cachetune vcpus='0'><cache id='0' level='3' type='warm' size='1'/></cachetune>"),
     ERROR_XML, "'type' in element 'cache': 'warm'"},
    {TUNE("<cachetune vcpus='0'><cache id='0' level='3' size='1'/></cachetune>"), ERROR_XML,
     "Missing cache attribute 'type'"},
    {TUNE("<cachetune vcpus='0'><cache id='0' level='3' type='both'/></cachetune>"), ERROR_XML,
     "Missing cache attribute 'size'"},
    {TUNE("<cachetune vcpus='0'><cache id='0' level='3' type='both' size='0'/></cachetune>"),
     ERROR_XML, "Cache size of 0"},
    {TUNE("<cachetune vcpus='0'>" CACHE("unit='furlong'") "</cachetune>"), ERROR_INVALID_ARG,
     "unknown suffix 'furlong'"},
    {TUNE("<cachetune vcpus='0'>" CACHE("") CACHE("") "</cachetune>"), ERROR_XML,
     "Colliding cache allocations for cache level '3' id '0', type 'both'"},
    {TUNE("<cachetune vcpus='0'><monitor level='2' vcpus='0'/></cachetune>"), ERROR_XML,
     "Invalid monitor cache level '2' (line 4): only level 3"},
    {TUNE("<cachetune vcpus='0'><monitor level='3' vcpus='1'/></cachetune>"), ERROR_INVALID_ARG,
     "Monitor has vcpus conflict with allocation"},
    {TUNE("<cachetune vcpus='0-2'><monitor level='3' vcpus='0-1'/><monitor level='3' "
          "vcpus='1-2'/></cachetune>"),
     ERROR_INVALID_ARG, "Overlapping vcpus found in monitors"},
    {TUNE("<cachetune vcpus='0-2'><monitor level='3' vcpus='0'/><monitor level='3' "
          "vcpus='0'/></cachetune>"),
     ERROR_INVALID_ARG, "Identical vcpu sets found in monitors"},
    {TUNE("<memorytune vcpus='0'><node id='0'/></memorytune>"), ERROR_XML,
     "Missing required attribute 'bandwidth' in element 'node' (line 4)"},
    {TUNE("<memorytune vcpus='0'><node id='0' bandwidth='1'/><node id='0' "
          "bandwidth='2'/></memorytune>"),
     ERROR_XML, "Memory Bandwidth already defined for node 0"},
};

#define CELL "<cpu><numa><cell id='0' cpus='0' memory='1024'/></numa></cpu>"

static const Bad threads_and_nodes[] = {
    {INSIDE("<iothreads>two</iothreads>"), ERROR_XML, "invalid iothreads count 'two' (line 3)"},
    {INSIDE("<iothreads>-1</iothreads>"), ERROR_XML, "invalid iothreads count '-1'"},
    {INSIDE("<iothreads>16385</iothreads>"), ERROR_XML, "a number up to 16384"},
    {INSIDE("<iothreadids><iothread/></iothreadids>"), ERROR_XML,
     "Missing required attribute 'id' in element 'iothread' (line 3)"},
    {INSIDE("<iothreadids><iothread id='0'/></iothreadids>"), ERROR_XML,
     "invalid iothread 'id' value of '0'"},
    {INSIDE("<iothreadids><iothread id='1'/><iothread id='1'/></iothreadids>"), ERROR_XML,
     "duplicate iothread id '1' found"},
    {INSIDE("<iothreads/>"), ERROR_XML, "invalid iothreads count ''"},
    {INSIDE("<iothreadids><iothread id='x'/></iothreadids>"), ERROR_XML,
     "'id' in element 'iothread': 'x' (line 3)"},
    {INSIDE("<iothreadids><iothread id='16385'/></iothreadids>"), ERROR_XML,
     "'id' in element 'iothread': '16385'"},
    {INSIDE("<iothreadids><iothread id='1' thread_pool_max='-2'/></iothreadids>"), ERROR_XML,
     "'thread_pool_max' in element 'iothread': '-2'"},
    {INSIDE("<iothreadids><iothread id='1'><poll grow='x'/></iothread></iothreadids>"), ERROR_XML,
     "'grow' in element 'poll': 'x'"},
    {INSIDE("<iothreadids><iothread id='1'><poll shrink='x'/></iothread></iothreadids>"), ERROR_XML,
     "'shrink' in element 'poll': 'x'"},
    {INSIDE("<iothreadids><iothread id='1'><poll "
            "max='9223372036854775808'/></iothread></iothreadids>"),
     ERROR_XML, "Invalid value for attribute 'max' in element 'poll': '9223372036854775808' "},
    {INSIDE("<iothreadids><iothread id='1' thread_pool_min='x'/></iothreadids>"), ERROR_XML,
     "'thread_pool_min' in element 'iothread': 'x'"},
    {INSIDE(
         "<iothreadids><iothread id='1' thread_pool_min='3' thread_pool_max='2'/></iothreadids>"),
     ERROR_INVALID_ARG,
     "thread_pool_min of iothread '1' must be smaller or equal to thread_pool_max"},
    {INSIDE("<iothreadids><iothread id='1'><poll max='-1'/></iothread></iothreadids>"), ERROR_XML,
     "'max' in element 'poll': '-1'"},
    {INSIDE("<iothreads>1</iothreads><devices><disk><driver iothread='2'/><source "
            "file='/a'/><target dev='vda'/></disk>"
            "</devices>"),
     ERROR_CONFIG_UNSUPPORTED, "Disk iothread '2' of 'vda' is not defined"},
    {INSIDE("<iothreads>1</iothreads><devices><disk><driver iothread='1'/><source "
            "file='/a'/><target dev='sda'/></disk>"
            "</devices>"),
     ERROR_CONFIG_UNSUPPORTED, "IOThreads are only for disks on the virtio bus"},
    {INSIDE("<numatune><memory mode='loose' nodeset='0'/></numatune>"), ERROR_XML,
     "'mode' in element 'memory': 'loose'"},
    {INSIDE("<numatune><memory mode='strict'/></numatune>"), ERROR_XML,
     "nodeset for NUMA memory tuning must be set"},
    {INSIDE("<numatune><memory nodeset='0,^0'/></numatune>"), ERROR_CONFIG_UNSUPPORTED,
     "Invalid value of 'nodeset': 0,^0 (element 'memory' in line 3): the list is empty"},
    {INSIDE(CELL "<numatune><memnode cellid='0'/></numatune>"), ERROR_XML,
     "Missing required attribute 'nodeset' in element 'memnode' (line 3)"},
    {INSIDE(CELL "<numatune><memnode cellid='0' nodeset='0,^0'/></numatune>"),
     ERROR_CONFIG_UNSUPPORTED, "Invalid value of 'nodeset': 0,^0 (element 'memnode'"},
    {INSIDE(CELL "<numatune><memnode cellid='0' mode='loose' nodeset='0'/></numatune>"), ERROR_XML,
     "'mode' in element 'memnode': 'loose'"},
    {INSIDE("<numatune><memory placement='near'/></numatune>"), ERROR_XML,
     "'placement' in element 'memory': 'near'"},
    {INSIDE("<numatune><memory nodeset='0'/><memory nodeset='0'/></numatune>"), ERROR_XML,
     "only one <memory>"},
    {INSIDE("<numatune><memnode nodeset='0'/></numatune>"), ERROR_XML,
     "Missing required attribute 'cellid' in element 'memnode' (line 3)"},
    {INSIDE("<numatune><memnode cellid='0' nodeset='0'/></numatune>"), ERROR_XML,
     "there is no cell 0"},
    {INSIDE(
         CELL
         "<numatune><memnode cellid='0' nodeset='0'/><memnode cellid='0' nodeset='0'/></numatune>"),
     ERROR_XML, "Multiple memnode elements with cellid 0"},
    {INSIDE(CELL
            "<numatune><memory placement='auto'/><memnode cellid='0' nodeset='0'/></numatune>"),
     ERROR_XML, "not compatible with automatic NUMA placement"},
    {INSIDE(CELL "<numatune><memory mode='restrictive' nodeset='0'/><memnode cellid='0' "
                 "nodeset='0'/></numatune>"),
     ERROR_XML, "'restrictive' mode is required"},
    {INSIDE("<resource><partition>machine</partition></resource>"), ERROR_CONFIG_UNSUPPORTED,
     "resource partition 'machine' must start with '/'"},
    {INSIDE("<resource><partition/></resource>"), ERROR_CONFIG_UNSUPPORTED,
     "resource partition '' must start with '/'"},
    {INSIDE("<resource><partition>/a/..</partition></resource>"), ERROR_CONFIG_UNSUPPORTED,
     "is no plain path"},
    {INSIDE("<resource><partition>/a/./b</partition></resource>"), ERROR_CONFIG_UNSUPPORTED,
     "is no plain path"},
    {INSIDE("<resource><partition>/a\n/b</partition></resource>"), ERROR_CONFIG_UNSUPPORTED,
     "is no plain path"},
    {INSIDE("<resource><partition>/a/../b</partition></resource>"), ERROR_CONFIG_UNSUPPORTED,
     "is no plain path"},
};

static void test_cputune(void **state) {
    expect_all_refused(cputune, ARRAY_SIZE(cputune));
}

static void test_resctrls(void **state) {
    expect_all_refused(resctrls, ARRAY_SIZE(resctrls));
}

static void test_threads_and_nodes(void **state) {
    expect_all_refused(threads_and_nodes, ARRAY_SIZE(threads_and_nodes));
}

/* Of vCPUs that are not there: dropped with a warning, so that a lowered maximum leaves the rest
 * readable. */
static void test_tuning_of_no_vcpu_only_warns(void **state) {
    static const char xml[] = TUNE(
        "<vcpupin vcpu='4' cpuset='0'/>\n<vcpupin vcpu='99999' cpuset='0'/>\n"
        "<vcpupin vcpu='4' cpuset='0'/>\n<cachetune vcpus='4-7'/>\n"
        "<cachetune vcpus='0,^0'/>\n<memorytune vcpus='4'/>\n"
        "<cachetune vcpus='3-4'/><memorytune vcpus='3'/>");
    Warnings warnings = {""};
    DomainParseParams params = {
        .default_arch = "x86_64", .warning = note_warning, .userdata = &warnings};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(domain_parse(xml, strlen(xml), &params, &def, &error), 0);
    assert_string_equal(
        warnings.text,
        "/domain/cputune/vcpupin[1]@4 /domain/cputune/vcpupin[2]@5 /domain/cputune/vcpupin[3]@6 "
        "/domain/cputune/cachetune[1]@7 /domain/cputune/cachetune[2]@8 "
        "/domain/cputune/memorytune[1]@9 ");
    for (unsigned i = 0; i < 4; i++)
        assert_null(def->vcpus[i].pin);
    assert_int_equal(def->cputune.n_resctrls, 1);
    assert_true(def->cputune.resctrls[0].has_cachetune && def->cputune.resctrls[0].has_memorytune);
    assert_int_equal(bitmap_count(def->cputune.resctrls[0].vcpus), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cputune),
        cmocka_unit_test(test_resctrls),
        cmocka_unit_test(test_threads_and_nodes),
        cmocka_unit_test(test_tuning_of_no_vcpu_only_warns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
