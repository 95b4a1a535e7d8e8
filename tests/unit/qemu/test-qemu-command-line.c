/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Golden command lines: tests/data/domain/NAME.xml makes NAME.args, one option per line, quoted as
 * for a shell. REGENERATE=1 rewrites them; TEST_DATA names another data directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>

#include "conf/domain-parse.h"
#include "failing.h"
#include "qemu/command-line.h"
#include "util/file.h"

static QemuMachine machines[] = {
    {.name = (char *)"pc-q35-7.2",
     .alias = (char *)"q35",
     .cpu_max = 288,
     .hotpluggable_cpus = true},
    {.name = (char *)"pc-i440fx-7.2",
     .alias = (char *)"pc",
     .cpu_max = 255,
     .hotpluggable_cpus = true,
     .is_default = true},
    {.name = (char *)"microvm", .cpu_max = 288},
};

static QemuMachine other_machines[] = {
    {.name = (char *)"pseries-7.2",
     .alias = (char *)"pseries",
     .cpu_max = 4096,
     .hotpluggable_cpus = true},
    {.name = (char *)"s390-ccw-virtio-7.2",
     .alias = (char *)"s390-ccw-virtio",
     .cpu_max = 248,
     .hotpluggable_cpus = true},
    {.name = (char *)"virt-7.2", .alias = (char *)"virt", .cpu_max = 512},
};

static QemuCaps caps = {.n_refs = 1,
                        .binary = (char *)"/usr/bin/qemu-system-x86_64",
                        .arch = (char *)"x86_64",
                        .major = 7,
                        .minor = 2,
                        .machines = machines,
                        .n_machines = ARRAY_SIZE(machines),
                        .kvm = true};

static QemuCaps other_caps = {.n_refs = 1,
                              .binary = (char *)"/usr/bin/qemu-system-other",
                              .arch = (char *)"other",
                              .major = 7,
                              .minor = 2,
                              .machines = other_machines,
                              .n_machines = ARRAY_SIZE(other_machines)};

static const char *data_dir(void) {
    const char *dir = getenv("TEST_DATA");

    return dir ? dir : TEST_DATA_DIR;
}

static DomainDef *parse(const char *file, const char *xml) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s: %s", file, error_message(error));
    return def;
}

/* The command line as text, or NULL and an error. */
static char *command_line(DomainDef *def, Error **reterr) {
    QemuCaps *used = streq(def->os.arch, "x86_64") || streq(def->os.arch, "i686") ? &caps
                                                                                  : &other_caps;
    QemuCommandParams params = {.def = def, .caps = used, .channel_dir = "/lib/channel"};
    char **argv = NULL, *text = NULL;
    size_t size = 0;
    FILE *out;

    assert_int_equal(qemu_assign_aliases(def, params.channel_dir), 0);
    if (qemu_command_line(&params, &argv, reterr) < 0)
        return NULL;
    out = open_memstream(&text, &size);
    for (size_t i = 0; argv[i]; i++) {
        CLEANUP_FREE char *one = qemu_argv_format((char *[]){argv[i], NULL});

        fprintf(out, "%s%s", i == 0 ? "" : *argv[i] == '-' ? "\n" : " ", one);
    }
    fputc('\n', out);
    fclose(out);
    qemu_argv_free(argv);
    return text;
}

static void check_file(const char *file) {
    CLEANUP_FREE char *path = strf("%.*s.args", (int)(strlen(file) - strlen(".xml")), file);
    CLEANUP_FREE char *xml = NULL, *expected = NULL, *got = NULL;
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(file_read(file, DOMAIN_XML_MAX, &xml, NULL), 0);
    def = parse(file, xml);
    got = command_line(def, &error);
    if (!got)
        fail_msg("%s: %s", file, error_message(error));
    if (getenv("REGENERATE"))
        assert_int_equal(file_write_atomic(path, got, strlen(got), 0644), 0);
    if (file_read(path, 1 << 20, &expected, NULL) < 0)
        fail_msg("no %s", path);
    for (const char *a = expected, *b = got; !streq(expected, got);
         a += strcspn(a, "\n") + 1, b += strcspn(b, "\n") + 1) {
        size_t m = strcspn(a, "\n"), n = strcspn(b, "\n");

        if (m != n || memcmp(a, b, n) != 0)
            fail_msg("%s\n expected: %.*s\n      got: %.*s", path, (int)m, a, (int)n, b);
    }
}

static void test_golden(void **state) {
    CLEANUP_FREE char *pattern = path_join(data_dir(), "domain/*.xml");
    unsigned n = 0;
    glob_t found = {0};

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *file = found.gl_pathv[i];
        size_t len = strlen(file);

        if (len > 8 && streq(file + len - 8, ".out.xml"))
            continue;
        check_file(file);
        n++;
    }
    globfree(&found);
    assert_true(n >= 12);
}

/* ---- allocations that fail ---- */

static int try_command_line(void *userdata, char **ret) {
    const DomainDef *def = userdata;
    CLEANUP_DOMAIN_DEF DomainDef *own = domain_def_copy(def);
    QemuCommandParams params = {
        .def = own,
        .caps = streq(def->os.arch, "x86_64") || streq(def->os.arch, "i686") ? &caps : &other_caps,
        .channel_dir = "/lib/channel",
        .now = 1};
    char **argv = NULL;
    int r;

    failing_begin();
    r = qemu_assign_aliases(own, params.channel_dir);
    if (r >= 0)
        r = qemu_command_line(&params, &argv, NULL);
    failing_end();
    *ret = r < 0 ? NULL : qemu_argv_format(argv);
    qemu_argv_free(argv);
    return r;
}

static void test_no_word_is_missing(void **state) {
    CLEANUP_FREE char *pattern = path_join(data_dir(), "domain/*.xml");
    glob_t found = {0};

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
        CLEANUP_FREE char *xml = NULL;

        if (strstr(found.gl_pathv[i], ".out.xml"))
            continue;
        assert_int_equal(file_read(found.gl_pathv[i], DOMAIN_XML_MAX, &xml, NULL), 0);
        def = parse(found.gl_pathv[i], xml);
        failing_sweep(found.gl_pathv[i], try_command_line, def);
    }
    globfree(&found);
}

static char *line_of(const char *rest) {
    CLEANUP_FREE char *xml = strf(
        "<domain type='kvm'><name>n</name>"
        "<uuid>6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a0ff</uuid><memory>1024</memory>%s"
        "<os><type>hvm</type></os></domain>",
        rest);
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(rest, xml);
    CLEANUP_ERROR Error *error = NULL;
    char *text = command_line(def, &error);

    if (!text)
        fail_msg("%s: %s", rest, error_message(error));
    return text;
}

static void test_many_vcpus_bring_remapping(void **state) {
    CLEANUP_FREE char *few = line_of("<vcpu>255</vcpu><os><type machine='q35'>hvm</type></os>");
    CLEANUP_FREE char *many = line_of("<vcpu>256</vcpu><os><type machine='q35'>hvm</type></os>");

    assert_true(strstr(few, "intel-iommu") == NULL);
    assert_true(strstr(many, "intel-iommu") != NULL);
    assert_true(strstr(many, "kernel-irqchip=split") != NULL);
}

/* One without the mode gets it; what runs says so, and what it implies goes with it. */
static void test_iommu_is_filled_in(void **state) {
    static const struct {
        const char *vcpus, *driver, *expected;
    } rows[] = {
        {"256", "", "\"intremap\":\"on\",\"eim\":\"on\"}"},
        {"256", "<driver intremap='on'/>", "\"intremap\":\"on\",\"eim\":\"on\"}"},
        {"4", "<driver eim='on'/>", "\"intremap\":\"on\",\"eim\":\"on\"}"},
        {"4", "<driver intremap='off' iotlb='on'/>", "\"intremap\":\"off\",\"device-iotlb\":true}"},
        {"4", "", "{\"driver\":\"intel-iommu\",\"id\":\"iommu0\"}"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *rest = strf(
            "<vcpu>%s</vcpu><os><type machine='pc-q35-7.2'>hvm</type></os>"
            "<devices><iommu model='intel'>%s</iommu></devices>",
            rows[i].vcpus, rows[i].driver);
        CLEANUP_FREE char *text = line_of(rest);

        if (!strstr(text, rows[i].expected))
            fail_msg("%s: %s", rest, text);
        assert_int_equal(strstr(text, "kernel-irqchip=split") != NULL,
                         strstr(text, "\"intremap\":\"on\"") != NULL);
    }
}

/* Only what is online and cannot be unplugged is there from the start. */
static void test_boot_vcpus(void **state) {
    CLEANUP_FREE char *text = line_of(
        "<vcpu>4</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/>"
        "<vcpu id='1' enabled='yes' hotpluggable='no'/>"
        "<vcpu id='2' enabled='yes' hotpluggable='yes'/></vcpus>");

    assert_true(strstr(text, "-smp 2,maxcpus=4,sockets=4,cores=1,threads=1\n") != NULL);
}

#define IOMMU(driver)                                                                              \
    "<os><type machine='q35'>hvm</type></os><devices><iommu model='intel'>" driver                 \
    "</iommu></devices>"
#define SERIAL(end, protocol)                                                                      \
    "<devices><serial type='tcp'><source mode='connect' host='h' service='1' " end                 \
    "/><protocol type='" protocol "'/></serial></devices>"
#define CELLS(rows)                                                                                \
    "<cpu><numa><cell cpus='0' memory='1'/><cell id='1' memory='1'/><interconnects>" rows          \
    "</interconnects></numa></cpu>"
#define CORES(vcpu, vcpus)                                                                         \
    vcpu "<os><type arch='ppc64' machine='pseries'>hvm</type></os><cpu>"                           \
         "<topology sockets='1' cores='2' threads='4'/></cpu>" vcpus

#define REMOTE(protocol, name, inside)                                                             \
    "<devices><disk type='network'><source protocol='" protocol "' name='" name "'>" inside        \
    "</source><target dev='vda'/></disk></devices>"

/* Of which QEMU 11 has none. */
static void test_gluster(void **state) {
    CLEANUP_FREE char *text = line_of(REMOTE(
        "gluster", "volume/dir/image", "<host name='h'/><host transport='unix' socket='/s'/>"));

    assert_non_null(strstr(text,
                           "\"driver\":\"gluster\",\"volume\":\"volume\",\"path\":\"dir/image\","
                           "\"server\":[{\"type\":\"inet\",\"host\":\"h\",\"port\":\"24007\"},"
                           "{\"type\":\"unix\",\"path\":\"/s\"}]"));
}

/* The cells name four of eight. */
static void test_vcpus_of_no_cell(void **state) {
    CLEANUP_FREE char *text = line_of(
        "<vcpu>8</vcpu><cpu><numa><cell id='0' cpus='1' memory='512'/>"
        "<cell id='1' cpus='4-6' memory='512'/></numa></cpu>");

    assert_non_null(strstr(text, "-numa node,nodeid=0,cpus=0-3,cpus=7,memdev=ram-node0\n"));
    assert_non_null(strstr(text, "-numa node,nodeid=1,cpus=4-6,memdev=ram-node1\n"));
}

/* With certificates; a display of an automatic port has the ports by now. */
static void test_spice_tls(void **state) {
    static const struct {
        const char *graphics, *expected;
    } rows[] = {
        {"port='5901' tlsPort='5902'>",
         "port=5901,tls-port=5902,addr=127.0.0.1,disable-ticketing=on,x509-dir=/x,,509,"
         "seamless-migration=on"},
        {"tlsPort='5902' defaultMode='secure'>",
         "tls-port=5902,addr=127.0.0.1,disable-ticketing=on,x509-dir=/x,,509,tls-channel=default,"
         "seamless-migration=on"},
        {"port='5901' defaultMode='insecure'>",
         "port=5901,addr=127.0.0.1,disable-ticketing=on,plaintext-channel=default,"
         "seamless-migration=on"},
        {"port='5901' tlsPort='5902' defaultMode='secure'><channel name='main' mode='insecure'/>"
         "<channel name='record' mode='secure'/>",
         "port=5901,tls-port=5902,addr=127.0.0.1,disable-ticketing=on,x509-dir=/x,,509,"
         "tls-channel=default,plaintext-channel=main,tls-channel=record,seamless-migration=on"},
        {"tlsPort='5902'><listen type='none'/>",
         "port=0,disable-ticketing=on,seamless-migration=on"},
        {"port='5901'><channel name='main' mode='secure'/>", "'main' of a spice display is to be "
                                                             "secure, and it has no TLS port"},
        {"tlsPort='5902' defaultMode='insecure'>",
         "'default' of a spice display is to be insecure, and it has only a TLS port"},
    };
    const QemuHostParts parts = {.spice_tls = "/x,509"};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *xml = strf("<domain type='qemu'><name>n</name><memory>1024</memory><os>"
                                      "<type arch='x86_64'>hvm</type></os><devices><graphics "
                                      "type='spice' %s</graphics></devices></domain>",
                                      rows[i].graphics);
        CLEANUP_DOMAIN_DEF DomainDef *def = parse("tls", xml);
        const QemuCommandParams params = {
            .def = def, .caps = &caps, .channel_dir = "/lib/channel", .parts = &parts};
        CLEANUP_ERROR Error *error = NULL;
        CLEANUP_FREE char *line = NULL;
        char **argv = NULL;

        assert_int_equal(qemu_assign_aliases(def, params.channel_dir), 0);
        if (qemu_command_line(&params, &argv, &error) >= 0)
            line = qemu_argv_format(argv);
        qemu_argv_free(argv);
        if (!strstr(line ? line : error_message(error), rows[i].expected))
            fail_msg("%s: %s", rows[i].graphics, line ? line : error_message(error));
    }
}

/* The daemon has opened it: a number of a descriptor, or a name of one that QEMU was given. */
static void test_vdpa(void **state) {
    static const char *const expected[] = {
        "'{\"type\":\"vhost-vdpa\",\"vhostfd\":\"7\",\"queues\":2,\"id\":\"hostnet0\"}'",
        "'{\"type\":\"vhost-vdpa\",\"vhostfd\":\"" QEMU_FD_NAME "7\",\"queues\":2,"
        "\"id\":\"hostnet0\"}'"};

    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        CLEANUP_DOMAIN_DEF DomainDef *def = parse(
            "vdpa", "<domain type='qemu'><name>n</name><memory>1024</memory><os><type "
                    "arch='x86_64'>hvm</type></os><devices><interface type='vdpa'><source "
                    "dev='/dev/vhost-vdpa-0'/><model type='virtio'/><driver queues='2'/>"
                    "</interface></devices></domain>");
        const QemuTap tap = {.fds = {7}, .n_fds = 1, .named = i == 1};
        const QemuHostParts parts = {.taps = &tap};
        const QemuCommandParams params = {
            .def = def, .caps = &caps, .channel_dir = "/lib/channel", .parts = &parts};
        CLEANUP_ERROR Error *error = NULL;
        CLEANUP_FREE char *line = NULL;
        char **argv = NULL;

        assert_int_equal(qemu_assign_aliases(def, params.channel_dir), 0);
        assert_int_equal(qemu_command_line(&params, &argv, &error), 0);
        line = qemu_argv_format(argv);
        qemu_argv_free(argv);
        if (!strstr(line, expected[i]) || !strstr(line, "\"virtio-net-pci\""))
            fail_msg("%s", line);
    }
}

static void test_refusals(void **state) {
    static const struct {
        const char *rest, *words;
        bool no_kvm; /* the host has none, or type='qemu' */
        const char *type;
    } rows[] = {
        {"<os><type machine='sun4m'>hvm</type></os>",
         "the emulator '/usr/bin/qemu-system-x86_64' does not support the machine type 'sun4m'",
         false, "kvm"},
        {"<vcpu>289</vcpu><os><type machine='q35'>hvm</type></os>",
         "Maximum CPUs greater than specified machine type limit 288", false, "kvm"},
        {"<vcpu>256</vcpu><os><type machine='pc'>hvm</type></os>",
         "Maximum CPUs greater than specified machine type limit 255", false, "kvm"},
        {"<vcpu>256</vcpu><os><type machine='microvm'>hvm</type></os>",
         "more than 255 vCPUs are only supported on q35-based machine types, not on 'microvm'",
         false, "kvm"},
        {"", "cannot use /dev/kvm on this host", true, "kvm"},
        {"<vcpu>256</vcpu><os><type machine='q35'>hvm</type></os>",
         "'/usr/bin/qemu-system-x86_64' cannot give it more than 255 vCPUs: QEMU 7.2 without KVM "
         "has no x2APIC; use type='kvm'",
         true, "qemu"},
        {IOMMU("<driver eim='on'/>"), "cannot give it <iommu> with eim='on': QEMU 7.2", true,
         "qemu"},
        {IOMMU("<driver intremap='off' eim='on'/>"), "eim='on' requires intremap='on'", false,
         "kvm"},
        {"<vcpu>256</vcpu>" IOMMU("<driver eim='off'/>"),
         "more than 255 vCPUs require extended interrupt mode", false, "kvm"},
        {"<vcpu>256</vcpu>" IOMMU("<driver intremap='off'/>"),
         "more than 255 vCPUs require extended interrupt mode", false, "kvm"},
        {"<vcpu>256</vcpu><os><type machine='q35'>hvm</type></os><features><acpi/></features>"
         "<devices><iommu model='virtio'/></devices>",
         "more than 255 vCPUs require extended interrupt mode", false, "kvm"},
        {"<devices><iommu model='intel'/></devices>",
         "requires the q35 machine type, not 'pc-i440fx-7.2'", false, "kvm"},
        {"<devices><graphics type='spice' port='5900'><channel name='main' mode='secure'/>"
         "</graphics></devices>",
         "channel 'main' of a spice display is to be secure", false, "kvm"},
        {"<devices><graphics type='spice' port='5900' defaultMode='secure'/></devices>",
         "channel 'default' of a spice display is to be secure", false, "kvm"},
        {SERIAL("tls='yes'", "raw"), "the character device 'serial0' is to be encrypted", false,
         "kvm"},
        {SERIAL("tls='no'", "tls"), "the character device 'serial0' is to be encrypted", false,
         "kvm"},
        {SERIAL("", "telnets"), "the character device 'serial0' is to be encrypted", false, "kvm"},
        {"<devices><disk device='floppy'><source file='/f'/><geometry cyls='80' heads='2' "
         "secs='18'/><target dev='fda'/></disk></devices>",
         "disk 'fda': QEMU has no <geometry> for a drive that is no hard disk", false, "kvm"},
        {"<devices><interface type='network'><mac address='52:54:00:00:00:01'/><source "
         "network='n'/><teaming type='transient' persistent='ua-a'/></interface></devices>",
         "interface 52:54:00:00:00:01: only one of type='hostdev' can be <teaming "
         "type='transient'>",
         false, "kvm"},
        {CELLS("<latency initiator='0' target='2' type='access' value='5'/>"),
         "from cell 0 to cell 2", false, "kvm"},
        {CELLS("<latency initiator='1' target='0' type='access' value='5'/>"),
         "from cell 1 to cell 0", false, "kvm"},
        {CELLS("<bandwidth initiator='0' target='1' cache='1' type='read' value='5'/>"),
         "name the cache 1 of cell 1", false, "kvm"},
        {REMOTE("ftp", "a", "<host name='h'/><cookies><cookie name='a'>b</cookie></cookies>"),
         "protocol 'ftp' with <cookies>", false, "kvm"},
        {REMOTE("http", "a", "<host name='h'/><host name='i'/>"), "has one <host>, not 2", false,
         "kvm"},
        {REMOTE("nbd", "a", "<host name='h' transport='rdma'/>"),
         "'nbd' is not reached by transport 'rdma'", false, "kvm"},
        {REMOTE("iscsi", "a", "<host transport='unix' socket='/s'/>"),
         "'iscsi' is not reached by transport 'unix'", false, "kvm"},
        {REMOTE("ssh", "/a",
                "<host name='h'/><auth username='u'><secret type='iscsi' usage='s'/></auth>"),
         "protocol 'ssh' with <auth>", false, "kvm"},
        {REMOTE("nfs", "/a", "<host name='h'/><identity user='ali'/>"),
         "<identity user='ali'> is no number", false, "kvm"},
        {REMOTE("nbd", "a' tls='yes", "<host name='h'/>"), "'nbd' with tls='yes'", false, "kvm"},
        {REMOTE("sheepdog", "a", "<host name='h'/>"), "protocol 'sheepdog' cannot be started",
         false, "kvm"},
        {"<devices><disk><driver type='qcow2'/><source file='/f'><slices><slice type='storage' "
         "offset='0' size='512'/></slices></source><target dev='vda'/></disk></devices>",
         "disk 'vda': <slices> can be started with one slice of a raw image", false, "kvm"},
        {REMOTE("rbd", "image", ""), "an rbd disk's name is POOL/IMAGE, not 'image'", false, "kvm"},
        {CORES("<vcpu current='6'>8</vcpu>", ""),
         "vCPUs count must be a multiple of the vCPU hotplug granularity (4): domain 'n' has 6 "
         "online vCPUs, 6 "
         "of them not hotpluggable",
         true, "qemu"},
        {CORES("<vcpu>8</vcpu>", "<vcpus><vcpu id='0' enabled='yes'/>"
                                 "<vcpu id='1' enabled='yes' hotpluggable='yes'/>"
                                 "<vcpu id='2' enabled='yes' hotpluggable='yes'/>"
                                 "<vcpu id='3' enabled='yes' hotpluggable='yes'/></vcpus>"),
         "granularity (4): domain 'n' has 4 online vCPUs, 1 of them not hotpluggable", true,
         "qemu"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *xml = strf("<domain type='%s'><name>n</name><memory>1</memory>%s"
                                      "<os><type>hvm</type></os></domain>",
                                      rows[i].type, rows[i].rest),
                          *text = NULL;
        CLEANUP_DOMAIN_DEF DomainDef *def = parse(rows[i].rest, xml);
        CLEANUP_ERROR Error *error = NULL;

        caps.kvm = !rows[i].no_kvm;
        text = command_line(def, &error);
        caps.kvm = true;
        if (text)
            fail_msg("%s: %s", rows[i].rest, text);
        assert_int_equal(error->code, ERROR_CONFIG_UNSUPPORTED);
        if (!strstr(error->message, rows[i].words))
            fail_msg("%s", error->message);
    }
}

/* Since then TCG has an x2APIC. */
static void test_many_vcpus_without_kvm(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "", "<domain type='qemu'><name>n</name><memory>1</memory><vcpu>288"
            "</vcpu><os><type machine='q35'>hvm</type></os></domain>");
    CLEANUP_FREE char *text = NULL;

    caps.major = 9;
    text = command_line(def, NULL);
    caps.major = 7;
    assert_non_null(text);
    assert_non_null(strstr(text, "\"eim\":\"on\""));
    assert_null(strstr(text, "kernel-irqchip"));
}

static void test_quoting(void **state) {
    CLEANUP_FREE char *text = qemu_argv_format((char *[]){(char *)"a-b_c=d.e,f/g:h@i+j%k",
                                                          (char *)"", (char *)"it's", (char *)"a b",
                                                          (char *)"$x", NULL});

    assert_string_equal(text, "a-b_c=d.e,f/g:h@i+j%k '' 'it'\\''s' 'a b' '$x'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_no_word_is_missing),
        cmocka_unit_test(test_many_vcpus_bring_remapping),
        cmocka_unit_test(test_iommu_is_filled_in),
        cmocka_unit_test(test_boot_vcpus),
        cmocka_unit_test(test_gluster),
        cmocka_unit_test(test_vcpus_of_no_cell),
        cmocka_unit_test(test_spice_tls),
        cmocka_unit_test(test_vdpa),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_many_vcpus_without_kvm),
        cmocka_unit_test(test_quoting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
