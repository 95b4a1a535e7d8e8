/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the domain parser refuses: the code, the words and the line; and what it only warns of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "util/file.h"

typedef struct Bad {
    const char *xml; /* the whole text, or what follows HEAD's two lines inside <domain> */
    ErrorCode code;
    const char *words;
} Bad;

#define HEAD "<domain type='kvm'>\n<name>n</name>\n"
#define TAIL "\n<memory>1024</memory><os><type>hvm</type></os></domain>"
#define DEVICES(text) HEAD "<devices>\n" text "\n</devices>" TAIL
#define INSIDE(text) HEAD text TAIL

static const Bad malformed[] = {
    {"", ERROR_XML_DETAIL, "(domain_definition):1:"},
    {"no xml", ERROR_XML_DETAIL, "(domain_definition):1:"},
    {"<domain type='kvm'>\n<name>n</name>\n", ERROR_XML_DETAIL, "(domain_definition):3:"},
    {"<domain type='kvm'>\n<name>n</nome>\n</domain>", ERROR_XML_DETAIL, "(domain_definition):2:"},
    {"<domain type='kvm'>\n\n&nothing;</domain>", ERROR_XML_DETAIL, "(domain_definition):3:"},
    {"<domain a='1' a='2'/>", ERROR_XML_DETAIL, "(domain_definition):1:"},
    {"<network/>", ERROR_XML, "unexpected root element <network>"},
    {"<domain/>", ERROR_XML, "Missing required attribute 'type' in element 'domain' (line 1)"},
    {"<domain type='vmware'/>", ERROR_XML, "'type' in element 'domain': 'vmware' (line 1)"},
    {"<domain type='kvm'><memory>1</memory></domain>", ERROR_NO_NAME, "missing name information"},
    {"<domain type='kvm'><name></name><memory>1</memory></domain>", ERROR_NO_NAME, "missing name"},
    {"<domain type='kvm'><name>n</name></domain>", ERROR_XML, "Memory size must be specified"},
    {"<domain type='kvm'><name>../n</name><memory>1</memory></domain>", ERROR_XML,
     "cannot contain '/'"},
    {"<domain type='kvm'><name>a\nb</name><memory>1</memory></domain>", ERROR_XML_DETAIL,
     "invalid char in name"},
    {"<!DOCTYPE domain [<!ENTITY a 'x'>]>\n<domain type='kvm'><name>&a;</name></domain>",
     ERROR_XML_DETAIL, "document type"},
};

static const Bad identity[] = {
    {INSIDE("<uuid>6c1a0fd2</uuid>"), ERROR_INTERNAL, "malformed uuid element"},
    {INSIDE("<title>two\nlines</title>"), ERROR_XML, "title can't contain newlines"},
    {INSIDE("<memory unit='parsec'>1</memory>"), ERROR_INVALID_ARG,
     "unknown suffix 'parsec' in element 'memory' (line 3)"},
    {INSIDE("<memory>-1</memory>"), ERROR_XML, "Invalid value '-1' for element 'memory' (line 3)"},
    {INSIDE("<memory>1x</memory>"), ERROR_XML, "Invalid value '1x' for element 'memory'"},
    {INSIDE("<memory unit='TiB'>99999999999</memory>"), ERROR_XML, "for element 'memory' (line 3)"},
    {INSIDE("<on_crash>explode</on_crash>"), ERROR_XML,
     "Invalid value 'explode' for element 'on_crash' (line 3)"},
    {INSIDE("<os>\n<type>xen</type></os>"), ERROR_CONFIG_UNSUPPORTED,
     "os type 'xen' is not supported"},
    {INSIDE("<os><boot dev='tape'/></os>"), ERROR_XML,
     "unknown boot device 'tape': 'dev' of element 'boot' (line 3)"},
    {"<domain type='kvm'><name>n</name><memory>1</memory><os/></domain>", ERROR_XML,
     "an os <type> must be specified"},
    {"<domain type='kvm'><name>.n</name><memory>1</memory></domain>", ERROR_XML,
     "name .n cannot begin with '.'"},
    {INSIDE("<os>\n<boot/></os>"), ERROR_XML, "missing boot device (line 4)"},
    {INSIDE("<clock offset='timezone'/>"), ERROR_XML,
     "Missing required attribute 'timezone' in element 'clock' (line 3)"},
    {INSIDE("<clock offset='utc'>\n<timer/></clock>"), ERROR_XML,
     "Missing required attribute 'name' in element 'timer' (line 4)"},
    {INSIDE("<features><pmu state='maybe'/></features>"), ERROR_XML,
     "'state' in element 'pmu': 'maybe' (line 3)"},
};

#define TWO_VCPUS(first, second)                                                                   \
    INSIDE("<vcpu>2</vcpu><vcpus>\n<vcpu id='0' " first "/>\n<vcpu id='1' " second "/></vcpus>")

static const Bad vcpus[] = {
    {INSIDE("<vcpu>0</vcpu>"), ERROR_XML, "an integer from 1 to 16384, not '0' (line 3)"},
    {INSIDE("<vcpu>-1</vcpu>"), ERROR_XML, "not '-1' (line 3)"},
    {INSIDE("<vcpu>1000000000</vcpu>"), ERROR_XML, "not '1000000000' (line 3)"},
    {INSIDE("<vcpu>99999999999999999999999</vcpu>"), ERROR_XML, "not '99999999999999999999999'"},
    {INSIDE("<vcpu>16385</vcpu>"), ERROR_XML, "not '16385'"},
    {INSIDE("<vcpu>two</vcpu>"), ERROR_XML, "not 'two' (line 3)"},
    {INSIDE("<vcpu>0</vcpu><vcpu>1</vcpu>"), ERROR_XML, "not '0' (line 3)"}, /* the first counts */
    {INSIDE("<vcpu>3</vcpu><vcpus><vcpu id='0' enabled='yes'/><vcpu id='1' enabled='no'/>"
            "<vcpu id='2' enabled='yes' hotpluggable='no'/></vcpus>"),
     ERROR_CONFIG_UNSUPPORTED,
     "vcpu '2' is online and not hotpluggable, but follows vcpu '1', which is offline"},
    {INSIDE("<vcpu/>"), ERROR_XML, "maximum vcpus count must be"},
    {INSIDE("<vcpu current='0'>2</vcpu>"), ERROR_XML, "greater than 0 (line 3)"},
    {INSIDE("<vcpu current='-1'>2</vcpu>"), ERROR_XML,
     "'current' in element 'vcpu': '-1' (line 3)"},
    {INSIDE("<vcpu current='3'>2</vcpu>"), ERROR_CONFIG_UNSUPPORTED,
     "maximum vCPU count must not be less than current vCPU count (2 < 3) in <vcpu> (line 3)"},
    {INSIDE("<vcpu placement='here'>2</vcpu>"), ERROR_CONFIG_UNSUPPORTED, "placement 'here'"},
    {INSIDE("<vcpu cpuset='1-'>2</vcpu>"), ERROR_INVALID_ARG,
     "Failed to parse bitmap '1-': the 'cpuset' of element 'vcpu' (line 3)"},
    {INSIDE("<vcpu cpuset='16384'>2</vcpu>"), ERROR_INVALID_ARG, "Failed to parse bitmap '16384'"},
    {INSIDE("<vcpu cpuset='1,^1'>2</vcpu>"), ERROR_CONFIG_UNSUPPORTED,
     "Invalid value of 'cpuset': 1,^1 (element 'vcpu' in line 3): the list is empty"},
    {INSIDE("<vcpus><vcpu enabled='yes'/></vcpus>"), ERROR_XML, "missing vcpu id (line 3)"},
    {INSIDE("<vcpus><vcpu id='0'/></vcpus>"), ERROR_XML, "missing 'enabled' of vcpu '0' (line 3)"},
    {INSIDE("<vcpus><vcpu id='1' enabled='yes'/></vcpus>"), ERROR_XML,
     "vcpu id '1' is out of range of maximum vcpu count 1 (line 3)"},
    {INSIDE("<vcpus><vcpu id='4294967294' enabled='yes'/></vcpus>"), ERROR_XML,
     "vcpu id '4294967294' is out of range of maximum vcpu count"},
    {INSIDE("<vcpus><vcpu id='4294967295' enabled='yes'/></vcpus>"), ERROR_XML,
     "'id' in element 'vcpu': '4294967295' (line 3)"},
    {INSIDE("<vcpus><vcpu id='-1' enabled='yes'/></vcpus>"), ERROR_XML,
     "'id' in element 'vcpu': '-1'"},
    {INSIDE("<vcpus><vcpu id='0' enabled='maybe'/></vcpus>"), ERROR_XML,
     "'enabled' in element 'vcpu': 'maybe'"},
    {INSIDE("<vcpus><vcpu id='0' enabled='yes' hotpluggable='maybe'/></vcpus>"), ERROR_XML,
     "'hotpluggable' in element 'vcpu': 'maybe' (line 3)"},
    {INSIDE("<vcpus><vcpu id='0' enabled='yes' order='x'/></vcpus>"), ERROR_XML,
     "'order' in element 'vcpu': 'x'"},
    {INSIDE("<vcpus><vcpu id='0' enabled='yes' order='-1'/></vcpus>"), ERROR_XML,
     "'order' in element 'vcpu': '-1'"},
    {TWO_VCPUS("enabled='no'", "enabled='yes'"), ERROR_CONFIG_UNSUPPORTED,
     "vcpu 0 can't be offline"},
    {TWO_VCPUS("enabled='yes'", "enabled='no' hotpluggable='no'"), ERROR_CONFIG_UNSUPPORTED,
     "vcpu '1' is both offline and not hotpluggable"},
    {TWO_VCPUS("enabled='yes' hotpluggable='yes'", "enabled='no'"), ERROR_CONFIG_UNSUPPORTED,
     "vcpu0 can't be hotpluggable"},
    {TWO_VCPUS("enabled='yes' order='2'", "enabled='yes' order='1'"), ERROR_CONFIG_UNSUPPORTED,
     "vcpu0 must be enabled first: its order is '2', not '1'"},
    {TWO_VCPUS("enabled='yes' order='1'", "enabled='yes'"), ERROR_CONFIG_UNSUPPORTED,
     "all vcpus must have either set or unset order"},
    {TWO_VCPUS("enabled='yes'", "enabled='yes' order='1'"), ERROR_CONFIG_UNSUPPORTED,
     "all vcpus must have either set or unset order"},
    {TWO_VCPUS("enabled='yes' order='1'", "enabled='yes' order='3'"), ERROR_CONFIG_UNSUPPORTED,
     "order '3' of vCPU '1' is beyond the maximum of 2 vcpus"},
    {INSIDE("<vcpu>3</vcpu><vcpus><vcpu id='0' enabled='yes'/>"
            "<vcpu id='1' enabled='yes' hotpluggable='yes'/><vcpu id='2' enabled='yes' "
            "hotpluggable='no'/></vcpus>"),
     ERROR_CONFIG_UNSUPPORTED,
     "ordered prior to hotpluggable vcpus: vcpu '2' follows a hotpluggable one"},
    {INSIDE("<vcpu>3</vcpu><vcpus><vcpu id='0' enabled='yes' order='1'/>"
            "<vcpu id='1' enabled='yes' order='3'/><vcpu id='2' enabled='yes' order='2'/></vcpus>"),
     ERROR_CONFIG_UNSUPPORTED,
     "must be ordered in ascending order: vcpu '2' has order '2' after '3'"},
};

static const Bad cpus[] = {
    {INSIDE("<cpu mode='magic'/>"), ERROR_XML, "'mode' in element 'cpu': 'magic' (line 3)"},
    {INSIDE("<cpu mode='custom'/>"), ERROR_XML, "needs a <model> (line 3)"},
    {INSIDE("<cpu><model>a,b=c</model></cpu>"), ERROR_XML, "needs a <model>"},
    {INSIDE("<cpu mode='host-model'>\n<feature/></cpu>"), ERROR_XML, "CPU feature name (line 4)"},
    {INSIDE("<cpu><model>a</model><feature name='x,y=on'/></cpu>"), ERROR_XML, "CPU feature name"},
    {INSIDE("<cpu><model>a</model><feature name='x' policy='beg'/></cpu>"), ERROR_XML,
     "'policy' in element 'feature': 'beg'"},
    {INSIDE("<cpu><topology sockets='1' cores='1'/></cpu>"), ERROR_XML,
     "zero 'threads' attribute in CPU topology (line 3)"},
    {INSIDE("<cpu><topology sockets='1' cores='1' threads='1' dies='0'/></cpu>"), ERROR_XML,
     "zero 'dies' attribute"},
    {INSIDE("<cpu><topology sockets='0' cores='1' threads='1'/></cpu>"), ERROR_XML,
     "zero 'sockets' attribute"},
    {INSIDE("<cpu><topology sockets='1' cores='x' threads='1'/></cpu>"), ERROR_XML,
     "'cores' in element 'topology': 'x' (line 3)"},
    {INSIDE("<cpu><topology sockets='1' threads='1'/></cpu>"), ERROR_XML, "zero 'cores' attribute"},
    {INSIDE("<cpu><topology sockets='1' clusters='0' cores='1' threads='1'/></cpu>"), ERROR_XML,
     "zero 'clusters' attribute"},
    {INSIDE("<vcpu>4</vcpu><cpu><topology sockets='1' cores='2' threads='1'/></cpu>"),
     ERROR_CONFIG_UNSUPPORTED,
     "CPU topology doesn't match maximum vcpu count: <topology> must make 4 CPUs"},
    {INSIDE("<vcpu>4</vcpu><cpu><topology sockets='2' dies='2' cores='2' threads='1'/></cpu>"),
     ERROR_CONFIG_UNSUPPORTED, "CPU topology doesn't match"},
    {INSIDE("<vcpu>4</vcpu><cpu><topology sockets='2' clusters='2' cores='2' threads='1'/></cpu>"),
     ERROR_CONFIG_UNSUPPORTED, "CPU topology doesn't match"},
    {INSIDE("<cpu><topology sockets='16384' dies='16384' clusters='16384' cores='16384' "
            "threads='16384'/></cpu>"),
     ERROR_CONFIG_UNSUPPORTED, "CPU topology doesn't match"},
    {INSIDE("<cpu><numa>\n<cell id='1' memory='1'/></numa></cpu>"), ERROR_XML,
     "Exactly one 'cell' element per guest NUMA cell allowed, ids from 0 without "},
    {INSIDE("<cpu><numa>\n<cell id='0'/></numa></cpu>"), ERROR_XML,
     "Missing required attribute 'memory' in element 'cell' (line 4)"},
    {INSIDE("<cpu><numa><cell id='0' memory='1'/><cell id='0' memory='1'/></numa></cpu>"),
     ERROR_XML, "Exactly one 'cell' element per guest NUMA cell allowed, ids from 0 without "},
    {INSIDE("<cpu><numa><cell cpus='x' memory='1'/></numa></cpu>"), ERROR_INVALID_ARG,
     "Failed to parse bitmap 'x': the 'cpus' of element 'cell' (line 3)"},
    {INSIDE("<cpu><numa><cell cpus='0-1' memory='1'/></numa></cpu>"), ERROR_CONFIG_UNSUPPORTED,
     "CPU IDs in <numa> exceed the <vcpu> count: NUMA cell 0 has CPU '1', the last one is '0'"},
    {INSIDE("<cpu><numa><cell cpus='0' memory='1'/><cell cpus='0' memory='1'/></numa></cpu>"),
     ERROR_CONFIG_UNSUPPORTED, "NUMA cells 0 and 1 have overlapping vCPU ids"},
    {INSIDE(
         "<cpu><numa><cell memory='8000000' unit='TiB'/><cell memory='8000000' unit='TiB'/></numa>"
         "</cpu>"),
     ERROR_XML, "memory of the NUMA cells"},
};

#define DISK(rest) DEVICES("<disk type='file'>\n<source file='/a'/>" rest "</disk>")

static const Bad devices[] = {
    {DEVICES("<disk><source file='/a'/></disk>"), ERROR_XML, "missing target in <disk> (line 4)"},
    {DEVICES("<disk><target dev='vda'/></disk>"), ERROR_XML, "missing source in <disk> (line 4)"},
    {DEVICES("<disk><source file=''/><target dev='vda'/></disk>"), ERROR_XML,
     "missing source in <disk> (line 4)"},
    {DEVICES("<serial type='file'><source path=''/></serial>"), ERROR_XML,
     "missing source path in <serial>"},
    {DEVICES("<disk type='network'/>"), ERROR_XML, "missing target in <disk> (line 4)"},
    {DEVICES("<disk device='floppy'/>"), ERROR_XML, "missing target in <disk> (line 4)"},
    {DISK("<target dev='vda'/><boot order='first'/>"), ERROR_XML,
     "'order' in element 'boot': 'first'"},
    {DEVICES("<disk device='cdrom'><target dev='vda'/></disk>"), ERROR_CONFIG_UNSUPPORTED,
     "disk type of 'vda' does not support ejectable media: a cdrom cannot be on t"},
    {DEVICES("<disk><source file='/a'/><target dev='vda'/></disk>"
             "<disk><source file='/b'/><target dev='vda'/></disk>"),
     ERROR_XML, "target 'vda' duplicated"},
    {DEVICES("<interface type='network'/>"), ERROR_XML, "missing source in <interface> (line 4)"},
    {DISK("<target dev='vda'/><driver cache='sometimes'/>"), ERROR_XML,
     "Invalid value for attribute 'cache' in element 'driver': 'sometimes' (line "},
    {DISK("<target dev='vda'/><driver io='fast'/>"), ERROR_XML,
     "Invalid value for attribute 'io' in element 'driver': 'fast' (line 5)"},
    {DISK("<target dev='vda'/><driver discard='all'/>"), ERROR_XML,
     "Invalid value for attribute 'discard' in element 'driver': 'all' (line 5)"},
    {DISK("<target dev='vda'/><driver detect_zeroes='maybe'/>"), ERROR_XML,
     "Invalid value for attribute 'detect_zeroes' in element 'driver': 'maybe' (line 5)"},
    {DEVICES("<interface/>"), ERROR_XML,
     "Missing required attribute 'type' in element 'interface' (line 4)"},
    {DEVICES("<interface type='user'><mac address='5254'/></interface>"), ERROR_XML,
     "unable to parse mac address '5254'"},
    {DEVICES("<interface type='user'><mac address='52:54:00:aa:bb:+1'/></interface>"), ERROR_XML,
     "unable to parse mac address"},
    {DEVICES("<serial type='tcp'/>"), ERROR_XML,
     "missing source host and service in <serial> (line 4)"},
    {DEVICES("<serial type='file'/>"), ERROR_XML, "missing source path in <serial> (line 4)"},
    {DEVICES("<serial type='unix'/>"), ERROR_XML, "missing source path in <serial> (line 4)"},
    {DEVICES("<serial type='null'><target port='x'/></serial>"), ERROR_XML,
     "'port' in element 'target'"},
    {DEVICES("<channel type='spicevmc'/>"), ERROR_XML, "missing target type in <channel> (line 4)"},
    {DEVICES("<channel type='unix'/>"), ERROR_XML, "missing target type in <channel> (line 4)"},
    {DEVICES("<rng model='virtio'><rate bytes='-1'/></rng>"), ERROR_XML,
     "'bytes' in element 'rate'"},
    {DEVICES("<iommu/>"), ERROR_XML,
     "Missing required attribute 'model' in element 'iommu' (line 4)"},
    {DEVICES("<iommu model='intel'/><iommu model='intel'/>"), ERROR_XML, "only one <iommu>"},
    {DEVICES("<iommu model='intel'><driver eim='x'/></iommu>"), ERROR_XML,
     "'eim' in element 'driver'"},
    {DEVICES("<iommu model='intel'><driver aw_bits='65'/></iommu>"), ERROR_XML,
     "'aw_bits' in element 'driver'"},
    {DEVICES("<controller/>"), ERROR_XML,
     "Missing required attribute 'type' in element 'controller' (line 4)"},
    {DEVICES("<controller type='usb' index='-1'/>"), ERROR_XML, "'index' in element 'controller'"},
};

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

/* What is kept and cannot be started: the text after two lines, and what is told of it. */
static const struct {
    const char *xml, *path;
} not_started[] = {
    {"<os><type>hvm</type><shim>/boot/shim</shim></os>", "/domain/os/shim"},
    {"<devices><lease><key>k</key><target path='/l'/></lease></devices>", "/domain/devices/lease"},
    {"<devices><nvram><address type='spapr-vio' reg='0x3000'/></nvram></devices>",
     "/domain/devices/nvram"},
    {"<devices><interface type='internal'><source name='n'/></interface></devices>",
     "/domain/devices/interface@type' of 'internal'"},
    {"<devices><interface type='user'><model type='vfio-pci'/></interface></devices>",
     "/domain/devices/interface/model@type' of 'vfio-pci'"},
    {"<devices><disk><source file='/a'/><target dev='vda' bus='xen'/></disk></devices>",
     "/domain/devices/disk/target@bus' of 'xen'"},
    {"<devices><disk><driver type='vhd'/><source file='/a'/><target dev='vda'/></disk></devices>",
     "/domain/devices/disk/driver@type' of 'vhd'"},
    {"<devices><serial type='stdio'/></devices>", "/domain/devices/serial@type' of 'stdio'"},
};

static void expect(const char *xml, ErrorCode code, const char *words) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r = domain_parse(xml, strlen(xml), &params, &def, &error);

    if (r >= 0)
        fail_msg("accepted:\n%s", xml);
    assert_null(def);
    if (!error)
        fail_msg("no error for:\n%s", xml);
    if (error->code != code || !strstr(error->message, words))
        fail_msg("%s\n wanted: %d, ...%s...\n    got: %d, %s", xml, code, words, error->code,
                 error->message);
    /* Nobody has to want the sentence. */
    assert_true(domain_parse(xml, strlen(xml), &params, &def, NULL) < 0);
}

static void expect_all(const Bad *rows, size_t n) {
    for (size_t i = 0; i < n; i++)
        expect(rows[i].xml, rows[i].code, rows[i].words);
}

static void test_malformed(void **state) {
    expect_all(malformed, ARRAY_SIZE(malformed));
}

static void test_identity(void **state) {
    expect_all(identity, ARRAY_SIZE(identity));
}

static void test_vcpus(void **state) {
    expect_all(vcpus, ARRAY_SIZE(vcpus));
}

static void test_cpus(void **state) {
    expect_all(cpus, ARRAY_SIZE(cpus));
}

static void test_devices(void **state) {
    expect_all(devices, ARRAY_SIZE(devices));
}

static void test_cputune(void **state) {
    expect_all(cputune, ARRAY_SIZE(cputune));
}

static void test_resctrls(void **state) {
    expect_all(resctrls, ARRAY_SIZE(resctrls));
}

static void test_threads_and_nodes(void **state) {
    expect_all(threads_and_nodes, ARRAY_SIZE(threads_and_nodes));
}

/* The line is that of the definition as it is shown. */
static unsigned line_of(const DomainDef *def, const char *word) {
    CLEANUP_FREE char *text = NULL;
    unsigned line = 1;
    const char *at;

    assert_int_equal(domain_format(def, &(DomainFormatParams){0}, &text), 0);
    at = strstr(text, word);
    if (!at)
        fail_msg("no %s in %s", word, text);
    for (const char *c = text; c < at; c++)
        line += *c == '\n';
    return line;
}

static void test_kept_and_not_started(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(not_started); i++) {
        CLEANUP_FREE char *xml = strf(HEAD "%s" TAIL, not_started[i].xml), *line = NULL,
                          *word = NULL;
        DomainParseParams params = {.default_arch = "x86_64"};
        CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
        CLEANUP_ERROR Error *error = NULL;
        const char *path = not_started[i].path, *name;
        size_t len = strcspn(path, "@'");

        if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
            fail_msg("%s: %s", xml, error_message(error));
        assert_true(domain_def_check_start(def, &error) < 0);
        assert_int_equal(error->code, ERROR_CONFIG_UNSUPPORTED);
        name = memrchr(path, '/', len);
        word = strf("<%.*s", (int)(path + len - name - 1), name + 1);
        line = strf("(line %u of", line_of(def, word));
        if (!strstr(error->message, path) || !strstr(error->message, line))
            fail_msg("%s %s: %s", path, line, error->message);
    }
}

static void test_plain_can_be_started(void **state) {
    static const char xml[] = HEAD "<devices><disk><source file='/a'/><target dev='vda'/></disk>"
                                   "<serial type='pty'/><interface type='user'/></devices>" TAIL;
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(domain_parse(xml, strlen(xml), &params, &def, NULL), 0);
    if (domain_def_check_start(def, &error) < 0)
        fail_msg("%s", error_message(error));
}

static void test_size_limit(void **state) {
    size_t len = DOMAIN_XML_MAX + 1u;
    CLEANUP_FREE char *xml = malloc(len + 1);

    memset(xml, ' ', len);
    xml[len] = '\0';
    memcpy(xml, "<domain/>", 9);
    expect(xml, ERROR_INVALID_ARG, "bytes long");
}

static void test_depth_limit(void **state) {
    const unsigned depth = 100000;
    CLEANUP_FREE char *xml = malloc(depth * 3 + 1);

    for (unsigned i = 0; i < depth; i++)
        memcpy(xml + i * 3, "<a>", 4);
    expect(xml, ERROR_XML_DETAIL, "(domain_definition):1:");
}

typedef struct Warnings {
    char text[1000];
} Warnings;

static void note(const char *path, int line, void *userdata) {
    Warnings *warnings = userdata;
    size_t used = strlen(warnings->text);

    snprintf(warnings->text + used, sizeof(warnings->text) - used, "%s@%d ", path, line);
}

static void test_unknown_only_warns(void **state) {
    static const char xml[] = HEAD "<flavour>mint</flavour>\n"
                                   "<devices>\n<teleporter/><input type='mouse'/></devices>\n"
                                   "<cpu><frob/></cpu>\n<features><zap/></features>" TAIL;
    Warnings warnings = {""};
    DomainParseParams params = {.default_arch = "x86_64", .warning = note, .userdata = &warnings};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(domain_parse(xml, strlen(xml), &params, &def, &error), 0);
    assert_string_equal(warnings.text, "/domain/flavour@3 /domain/devices/teleporter@5 "
                                       "/domain/cpu/frob@6 /domain/features/zap@7 ");
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
    DomainParseParams params = {.default_arch = "x86_64", .warning = note, .userdata = &warnings};
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
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_vcpus),
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_cputune),
        cmocka_unit_test(test_resctrls),
        cmocka_unit_test(test_threads_and_nodes),
        cmocka_unit_test(test_kept_and_not_started),
        cmocka_unit_test(test_plain_can_be_started),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_depth_limit),
        cmocka_unit_test(test_unknown_only_warns),
        cmocka_unit_test(test_tuning_of_no_vcpu_only_warns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
