/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the domain parser refuses: the code, the words and the line; and what it only warns of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "conf/domain-format.h"
#include "domain-errors.h"
#include "util/file.h"

#define RESERVATIONS(managed, source)                                                              \
    "<disk type='block' device='lun'><source dev='/d'><reservations " managed ">" source           \
    "</reservations></source><target dev='sda' bus='scsi'/></disk>"

static const Bad malformed[] = {
    {"", ERROR_XML_DETAIL, "(domain_definition):1:"},
    {"no xml", ERROR_XML_DETAIL, "(domain_definition):1:"},
    {"<domain type='kvm'>\n<name>n</name>\n", ERROR_XML_DETAIL, "(domain_definition):3:"},
    {"<domain type='kvm'>\n<name>n</nome>\n</domain>", ERROR_XML_DETAIL, "(domain_definition):2:"},
    {"<domain type='kvm'>\n\n&nothing;</domain>", ERROR_XML_DETAIL, "(domain_definition):3:"},
    {"<domain a='1' a='2'/>", ERROR_XML_DETAIL, "(domain_definition):1:"},
    {"<network/>", ERROR_XML, "expecting root element of 'domain', not 'network'"},
    {"<domain/>", ERROR_XML, "Missing required attribute 'type' in element 'domain' (line 1)"},
    {"<domain type='vmware'/>", ERROR_CONFIG_UNSUPPORTED, "does not support virt type 'vmware'"},
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
    {INSIDE("<memory unit='TiB'>99999999999</memory>"), ERROR_OVERFLOW,
     "value too large: 99999999999 TiB in element 'memory' (line 3)"},
    {INSIDE("<memory>9007199254740992</memory>"), ERROR_OVERFLOW, "value too large"},
    {INSIDE("<memory>99999999999999999999</memory>"), ERROR_XML, "for element 'memory' (line 3)"},
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
    {INSIDE("<features><zap/></features>"), ERROR_CONFIG_UNSUPPORTED, "unexpected feature: 'zap'"},
    {INSIDE("<features><hyperv><zap state='on'/></hyperv></features>"), ERROR_CONFIG_UNSUPPORTED,
     "unsupported HyperV Enlightenment feature: 'zap' (line 3)"},
    {INSIDE("<features><kvm><zap state='on'/></kvm></features>"), ERROR_CONFIG_UNSUPPORTED,
     "unsupported KVM feature: 'zap'"},
    {INSIDE("<bootloader>/usr/bin/pygrub</bootloader>"), ERROR_CONFIG_UNSUPPORTED,
     "bootloader is not supported by QEMU"},
    {INSIDE("<devices><disk><driver name='phy'/><source file='/f'/><target dev='vda'/></disk>"
            "</devices>"),
     ERROR_CONFIG_UNSUPPORTED, "unsupported driver name 'phy'"},
    {INSIDE("<devices><rng model='virtio'/></devices>"), ERROR_XML, "missing backend in <rng>"},
    {INSIDE("<devices><hostdev type='usb'><source><address bus='1'/></source></hostdev></devices>"),
     ERROR_XML, "Missing required attribute 'device' in element 'address'"},
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
    {DEVICES(RESERVATIONS("", "")), ERROR_XML, "'managed'"},
    {DEVICES(RESERVATIONS("managed='no'", "")), ERROR_XML, "source type, path and mode"},
    {DEVICES(RESERVATIONS("managed='no'", "<source type='unix' mode='client'/>")), ERROR_XML,
     "source type, path and mode"},
    {DEVICES(RESERVATIONS("managed='no'", "<source type='unix' path='/p' mode='server'/>")),
     ERROR_XML, "mode='server'"},
    {DEVICES(RESERVATIONS("managed='no'", "<source type='tcp' path='/p' mode='client'/>")),
     ERROR_XML, "type='tcp'"},
    {DEVICES("<iommu model='intel'/><iommu model='intel'/>"), ERROR_XML, "only one <iommu>"},
    {DEVICES("<iommu model='intel'><driver eim='x'/></iommu>"), ERROR_XML,
     "'eim' in element 'driver'"},
    {DEVICES("<iommu model='intel'><driver aw_bits='65'/></iommu>"), ERROR_XML,
     "'aw_bits' in element 'driver'"},
    {DEVICES("<controller/>"), ERROR_XML,
     "Missing required attribute 'type' in element 'controller' (line 4)"},
    {DEVICES("<controller type='usb' index='-1'/>"), ERROR_XML, "'index' in element 'controller'"},
};

/* What is kept and cannot be started: the text after two lines, and what is told of it. */
static const struct {
    const char *xml, *path;
} not_started[] = {
    {"<os><type>hvm</type><shim>/boot/shim</shim></os>", "/domain/os/shim"},
    {"<devices><lease><key>k</key><target path='/l'/></lease></devices>", "/domain/devices/lease"},
    {"<devices><interface type='internal'><source name='n'/></interface></devices>",
     "/domain/devices/interface@type' of 'internal'"},
    {"<devices><interface type='hostdev'><source><address type='pci' domain='0' bus='5' slot='0' "
     "function='0'/></source><virtualport type='802.1Qbh'><parameters profileid='p'/>"
     "</virtualport></interface></devices>",
     "/domain/devices/interface/virtualport@type' of '802.1Qbh'"},
    {"<devices><interface type='user'><model type='vfio-pci'/></interface></devices>",
     "/domain/devices/interface/model@type' of 'vfio-pci'"},
    {"<devices><disk><source file='/a'/><target dev='vda' bus='xen'/></disk></devices>",
     "/domain/devices/disk/target@bus' of 'xen'"},
    {"<devices><disk><driver type='vhd'/><source file='/a'/><target dev='vda'/></disk></devices>",
     "/domain/devices/disk/driver@type' of 'vhd'"},
    {"<devices><serial type='stdio'/></devices>", "/domain/devices/serial@type' of 'stdio'"},
    {"<devices><serial type='tcp'><source mode='bind' host='h' service='1' tls='yes'/></serial>"
     "</devices>",
     "/domain/devices/serial/source@tls' of 'yes'"},
    {"<devices><serial type='tcp'><source mode='bind' host='h' service='1'/>"
     "<protocol type='telnets'/></serial></devices>",
     "/domain/devices/serial/protocol@type' of 'telnets'"},
    {"<devices><hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5'/>"
     "</hostdev></devices>",
     "/domain/devices/hostdev@type' of 'scsi_host'"},
};

static void test_malformed(void **state) {
    expect_all_refused(malformed, ARRAY_SIZE(malformed));
}

static void test_identity(void **state) {
    expect_all_refused(identity, ARRAY_SIZE(identity));
}

static void test_vcpus(void **state) {
    expect_all_refused(vcpus, ARRAY_SIZE(vcpus));
}

static void test_cpus(void **state) {
    expect_all_refused(cpus, ARRAY_SIZE(cpus));
}

static void test_devices(void **state) {
    expect_all_refused(devices, ARRAY_SIZE(devices));
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
                                   "<serial type='pty'/><interface type='user'/>"
                                   "<serial type='tcp'><source mode='bind' host='h' service='1' "
                                   "tls='no'/></serial></devices>" TAIL;
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
    expect_refused(xml, ERROR_INVALID_ARG, "bytes long");
}

static void test_depth_limit(void **state) {
    const unsigned depth = 100000;
    CLEANUP_FREE char *xml = malloc(depth * 3 + 1);

    for (unsigned i = 0; i < depth; i++)
        memcpy(xml + i * 3, "<a>", 4);
    expect_refused(xml, ERROR_XML_DETAIL, "(domain_definition):1:");
}

static void test_unknown_only_warns(void **state) {
    static const char xml[] = HEAD "<flavour>mint</flavour>\n"
                                   "<devices>\n<teleporter/><input type='mouse'/>\n"
                                   "<disk><source file='/a'/><target dev='vda'/><frob/></disk>\n"
                                   "<interface type='user'><frob/></interface>\n"
                                   "<serial type='pty'><frob/></serial></devices>\n"
                                   "<cpu><frob/></cpu>\n<clock><zap/></clock>" TAIL;
    Warnings warnings = {""};
    DomainParseParams params = {
        .default_arch = "x86_64", .warning = note_warning, .userdata = &warnings};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(domain_parse(xml, strlen(xml), &params, &def, &error), 0);
    assert_string_equal(warnings.text,
                        "/domain/flavour@3 /domain/devices/teleporter@5 "
                        "/domain/devices/disk/frob@6 /domain/devices/interface/frob@7 "
                        "/domain/devices/serial/frob@8 /domain/cpu/frob@9 /domain/clock/zap@10 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_vcpus),
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_kept_and_not_started),
        cmocka_unit_test(test_plain_can_be_started),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_depth_limit),
        cmocka_unit_test(test_unknown_only_warns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
