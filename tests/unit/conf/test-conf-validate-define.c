/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cannot be together: refused at define with libvirt 9.0's code; and the next thing to
 * each of them, which is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-parse.h"
#include "conf/domain-validate-define.h"

typedef struct Row {
    const char *machine, *xml; /* what stands in <domain>, but name, memory and os */
    ErrorCode code;            /* 0: it is taken */
    const char *words;
} Row;

#define DEVICES(text) "<devices>" text "</devices>"
#define DISK(target, more)                                                                         \
    "<disk type='file'><source file='/d/" target "'/><target dev='" target "'/>" more "</disk>"
#define NIC(more) "<interface type='user'>" more "</interface>"
#define IOMMU "<iommu model='intel'><driver intremap='on'/></iommu>"
#define HOSTDEV_TEAM(type, source, team)                                                           \
    "<hostdev mode='subsystem' type='" type "'><source>" source "</source><teaming " team          \
    "/></hostdev>"
#define USB_SOURCE "<address bus='1' device='2'/>"
#define PCI_SOURCE "<address domain='0' bus='6' slot='2' function='1'/>"
#define VIRTIOFS                                                                                   \
    "<filesystem><driver type='virtiofs'/><source dir='/e'/><target dir='t'/></filesystem>"
#define SPICEVMC "<channel type='spicevmc'><target type='virtio'/></channel>"
#define AUDIO(fixed)                                                                               \
    "<audio id='1' type='none'><input" fixed "><settings frequency='44100'/></input></audio>"
#define REMOTE(protocol, inside, beside)                                                           \
    DEVICES("<disk type='network'>" beside "<source protocol='" protocol "' name='a/b'>" inside    \
            "</source><target dev='vda'/></disk>")
#define SHARED "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
#define VHOST_DISK(driver, inside, beside)                                                         \
    DEVICES("<disk type='vhostuser'>" driver "<source type='unix' path='/s'>" inside               \
            "</source><target dev='vda'/>" beside "</disk>")
#define NVME(type)                                                                                 \
    DEVICES("<disk type='nvme'><source " type " namespace='1'><address domain='0' bus='1' "        \
            "slot='0' function='0'/></source><target dev='vda'/></disk>")
#define AUTH(secret) "<auth username='u'>" secret "</auth>"
#define CEPH "<secret type='ceph' usage='s'/>"
#define ISCSI "<secret type='iscsi' uuid='33333333-2222-4111-8111-111111111111'/>"
#define COOKIE(name, value) "<cookies><cookie name='" name "'>" value "</cookie></cookies>"
#define VIDEO(model) "<video><model type='" model "'/></video>"

#define VHOSTUSER(mode)                                                                            \
    "<interface type='vhostuser'><source type='unix' path='/v' mode='" mode                        \
    "'><reconnect enabled='yes' timeout='1'/></source><model type='virtio'/></interface>"
#define HOST_NIC(address) "<interface type='hostdev'><source>" address "</source></interface>"
#define SECLABEL(relabel)                                                                          \
    "<seclabel type='static' model='dac' relabel='" relabel "'><label>1:1</label></seclabel>"
#define LABELLED                                                                                   \
    "<disk type='file'><source file='/d'><seclabel model='dac' relabel='no'/></source>"            \
    "<target dev='vda'/></disk>"

static const Row rows[] = {
    {"q35", DEVICES(DISK("vda", "<boot order='1'/>") NIC("<boot order='1'/>")),
     ERROR_CONFIG_UNSUPPORTED, "boot order '1' used for more than one device"},
    {"q35", DEVICES(DISK("vda", "<boot order='1'/>") NIC("<boot order='2'/>")), 0, NULL},
    {"q35", DEVICES(NIC("<alias name='ua-a'/>") NIC("<alias name='ua-a'/>")),
     ERROR_CONFIG_UNSUPPORTED, "non unique alias detected: ua-a"},
    {"q35", DEVICES(NIC("<alias name='ua-a'/>") NIC("<alias name='ua-b'/>")), 0, NULL},
    {"q35", DEVICES("<graphics type='sdl'/><graphics type='egl-headless'/>"),
     ERROR_CONFIG_UNSUPPORTED, "egl-headless"},
    {"q35", DEVICES("<graphics type='egl-headless'/>"), 0, NULL},
    {"q35", DEVICES("<graphics type='vnc'/><graphics type='egl-headless'/>"), 0, NULL},
    {"q35", DEVICES(VIDEO("virtio") VIDEO("vga")), ERROR_CONFIG_UNSUPPORTED,
     "video type 'vga' is only valid as primary"},
    {"q35", DEVICES(VIDEO("vga") VIDEO("virtio") VIDEO("qxl")), 0, NULL},
    {"q35", DEVICES(VIDEO("none") VIDEO("virtio")), ERROR_CONFIG_UNSUPPORTED,
     "must be the only video device"},
    {"q35", DEVICES(SPICEVMC), ERROR_CONFIG_UNSUPPORTED,
     "chardev 'spicevmc' not supported without spice graphics"},
    {"q35", DEVICES("<redirdev bus='usb' type='spicevmc'/>"), ERROR_CONFIG_UNSUPPORTED,
     "without spice graphics"},
    {"q35", DEVICES("<smartcard mode='passthrough' type='spicevmc'/>"), ERROR_CONFIG_UNSUPPORTED,
     "without spice graphics"},
    {"q35", DEVICES(SPICEVMC "<graphics type='spice'/>"), 0, NULL},
    {"q35", DEVICES(AUDIO("")), ERROR_CONFIG_UNSUPPORTED, "without fixed settings flag"},
    {"q35", DEVICES(AUDIO(" fixedSettings='yes'")), 0, NULL},
    {"q35",
     DEVICES(DISK("vda", "<iotune><total_bytes_sec>10</total_bytes_sec>"
                         "<read_bytes_sec>5</read_bytes_sec></iotune>")),
     ERROR_XML, "total and read/write bytes_sec cannot be set at the same time"},
    {"q35",
     DEVICES(DISK("vda", "<iotune><total_bytes_sec>10</total_bytes_sec>"
                         "<read_iops_sec>5</read_iops_sec></iotune>")),
     0, NULL},
    {"q35", DEVICES("<disk type='file'><source file='/d'/><target dev='hda' bus='ide'/></disk>"),
     ERROR_CONFIG_UNSUPPORTED, "disk 'hda' can be on bus 'sata'"},
    {"pc", DEVICES("<disk type='file'><source file='/d'/><target dev='hda' bus='ide'/></disk>"), 0,
     NULL},
    {"q35",
     DEVICES("<disk type='block' device='lun' sgio='unfiltered'><source dev='/dev/s'/>"
             "<target dev='sda' bus='scsi'/></disk>"),
     ERROR_CONFIG_UNSUPPORTED, "unfiltered sgio is no longer supported, for disk 'sda'"},
    {"q35",
     DEVICES("<controller type='scsi' model='virtio-scsi'><driver iothread='1'/></controller>"),
     ERROR_CONFIG_UNSUPPORTED, "controller iothread '1' not defined"},
    {"q35",
     "<iothreads>1</iothreads>" DEVICES(
         "<controller type='scsi' model='virtio-scsi'><driver iothread='1'/></controller>"),
     0, NULL},
    {"q35",
     DEVICES("<interface type='ethernet'><mac address='52:54:00:00:00:01'/>"
             "<ip address='1.2.3.4'/></interface>"),
     ERROR_CONFIG_UNSUPPORTED, "not supported by QEMU: interface '52:54:00:00:00:01'"},
    {"q35", DEVICES(NIC("<ip family='ipv4' address='172.17.2.0' prefix='24'/>")), 0, NULL},
    {"q35",
     DEVICES("<interface type='bridge'><source bridge='b'/><bandwidth>"
             "<inbound average='1000' floor='200'/></bandwidth></interface>"),
     ERROR_CONFIG_UNSUPPORTED, "floor attribute is not supported"},
    {"q35",
     DEVICES("<interface type='network'><source network='n'/><bandwidth>"
             "<inbound average='1000' floor='200'/></bandwidth></interface>"),
     0, NULL},
    {"q35",
     DEVICES("<hostdev mode='capabilities' type='misc'><source><char>/dev/x</char></source>"
             "</hostdev>"),
     ERROR_CONFIG_UNSUPPORTED, "hostdev mode 'capabilities'"},
    {"q35",
     DEVICES("<hostdev mode='subsystem' type='scsi' sgio='unfiltered'><source><adapter "
             "name='scsi_host0'/><address bus='0' target='0' unit='0'/></source></hostdev>"),
     ERROR_CONFIG_UNSUPPORTED, "unfiltered sgio is no longer supported"},
    {"q35",
     DEVICES("<disk type='file'><source file='/d' startupPolicy='requisite'/>"
             "<target dev='vda'/></disk>"),
     ERROR_XML, "startupPolicy 'requisite' is allowed only for cdrom or floppy"},
    {"q35",
     DEVICES("<disk type='file' device='cdrom'><source file='/d' startupPolicy='requisite'/>"
             "<target dev='sda' bus='sata'/></disk>"),
     0, NULL},
    {"q35",
     DEVICES("<filesystem accessmode='squash'><driver type='handle'/><source dir='/e'/>"
             "<target dir='t'/></filesystem>"),
     ERROR_CONFIG_UNSUPPORTED, "only supports passthrough accessmode"},
    {"q35", REMOTE("rbd", AUTH(CEPH), ""), 0, NULL},
    {"q35", REMOTE("rbd", "", AUTH(CEPH)), 0, NULL},
    {"q35", REMOTE("rbd", AUTH(CEPH), AUTH(CEPH)), ERROR_CONFIG_UNSUPPORTED, "already found"},
    {"q35", REMOTE("rbd", AUTH(ISCSI), ""), ERROR_CONFIG_UNSUPPORTED, "invalid secret type"},
    {"q35", REMOTE("iscsi", "", AUTH(CEPH)), ERROR_CONFIG_UNSUPPORTED, "invalid secret type"},
    {"q35", REMOTE("iscsi", "", AUTH(ISCSI)), 0, NULL},
    {"q35", REMOTE("http", AUTH(CEPH), ""), 0, NULL},
    {"q35", REMOTE("http", AUTH("<secret type='zap' usage='s'/>"), ""), ERROR_CONFIG_UNSUPPORTED,
     "unknown secret type"},
    {"q35", REMOTE("nbd", AUTH(ISCSI), ""), ERROR_CONFIG_UNSUPPORTED, "protocol 'nbd'"},
    {"q35", REMOTE("rbd", AUTH(""), ""), ERROR_XML, "Missing <secret> element in auth"},
    {"q35", REMOTE("rbd", AUTH("<secret type='ceph'/>"), ""), ERROR_XML, "missing secret uuid or"},
    {"q35", REMOTE("rbd", AUTH("<secret type='ceph' uuid='u' usage='s'/>"), ""), ERROR_XML,
     "either secret uuid or usage"},
    {"q35", REMOTE("nbd", "<host port='1'/>", ""), ERROR_XML, "missing name for host"},
    {"q35", REMOTE("nbd", "<host transport='unix'/>", ""), ERROR_XML, "missing socket for unix"},
    {"q35", REMOTE("http", COOKIE("a", "b"), ""), 0, NULL},
    {"q35", REMOTE("http", COOKIE("a;b", "b"), ""), ERROR_XML, "name of a cookie contains"},
    {"q35", REMOTE("http", COOKIE("a", "b;c"), ""), ERROR_XML, "value of a cookie contains"},
    {"q35", REMOTE("http", COOKIE("a", "b&#10;c"), ""), ERROR_XML, "value of a cookie contains"},
    {"q35", REMOTE("http", COOKIE("a", ""), ""), ERROR_XML, "missing value for a cookie"},
    {"q35", REMOTE("http", COOKIE("", "b"), ""), ERROR_XML, "missing name of a cookie"},
    {"q35", SHARED VHOST_DISK("", "", ""), 0, NULL},
    {"q35", VHOST_DISK("", "", ""), ERROR_CONFIG_UNSUPPORTED, "requires shared memory"},
    {"q35", SHARED VHOST_DISK("<driver cache='none'/>", "", ""), ERROR_CONFIG_UNSUPPORTED,
     "cache is not supported with vhostuser disk"},
    {"q35", SHARED VHOST_DISK("", "", "<readonly/>"), ERROR_CONFIG_UNSUPPORTED,
     "readonly is not supported with vhostuser disk"},
    {"q35", SHARED VHOST_DISK("", "<reconnect enabled='yes'/>", ""), ERROR_XML, "timeout"},
    {"q35", SHARED VHOST_DISK("", "<reconnect enabled='yes' timeout='1'/>", ""), 0, NULL},
    {"q35", SHARED VHOST_DISK("", "<reconnect enabled='maybe'/>", ""), ERROR_XML, "enabled"},
    {"q35", NVME("type='pci'"), 0, NULL},
    {"q35", NVME(""), ERROR_XML, "missing 'type' attribute to disk source"},
    {"q35", "<bootloader>/b</bootloader>", ERROR_CONFIG_UNSUPPORTED, "bootloader"},
    {"q35", DEVICES(VIRTIOFS), ERROR_CONFIG_UNSUPPORTED, "'virtiofs' requires shared memory"},
    {"q35",
     "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>" DEVICES(
         VIRTIOFS),
     0, NULL},
    {"pc", DEVICES(IOMMU), ERROR_CONFIG_UNSUPPORTED, "only supported with Q35 machines"},
    {"q35", DEVICES(IOMMU), 0, NULL},
    {"q35", DEVICES("<watchdog model='i6300esb'/><watchdog model='ib700'/>"), ERROR_INTERNAL,
     "only a single watchdog"},
    {"q35", DEVICES("<nvram/>"), ERROR_CONFIG_UNSUPPORTED, "only supported for PPC64"},
    {"virt", "<features><acpi/></features>", ERROR_CONFIG_UNSUPPORTED,
     "ACPI requires UEFI on this architecture"},
    {"virt", "<features><gic version='3'/></features>", 0, NULL},
    {"q35", "<features><gic version='2'/></features>", ERROR_CONFIG_UNSUPPORTED,
     "The 'gic' feature is not supported for architecture 'x86_64'"},
    {"q35", "<features><hpt resizing='enabled'/></features>", ERROR_CONFIG_UNSUPPORTED,
     "The 'hpt' feature is not supported"},
    {"q35", "<features><hyperv><vendor_id state='on' value='1234567890123'/></hyperv></features>",
     ERROR_XML, "must not be more than 12 characters"},
    {"q35", "<features><hyperv><vendor_id state='on' value='123456789012'/></hyperv></features>", 0,
     NULL},
    {"q35",
     "<cpu mode='host-passthrough'><feature policy='require' name='vmx'/>"
     "<feature policy='disable' name='vmx'/></cpu>",
     ERROR_XML, "CPU feature 'vmx' specified more than once"},
    {"q35", "<maxMemory slots='4' unit='GiB'>4</maxMemory>", ERROR_CONFIG_UNSUPPORTED,
     "At least one numa node has to be configured"},
    {"q35", "<maxMemory unit='GiB'>4</maxMemory>", ERROR_XML,
     "both maximum memory size and memory slot count must be specified"},
    {"q35",
     "<maxMemory slots='4' unit='GiB'>4</maxMemory><cpu><numa><cell cpus='0' memory='1024'/></numa>"
     "</cpu>",
     0, NULL},
    {"q35", DEVICES("<sound model='ich7'/>"), ERROR_INTERNAL, "no sound card of this model"},
    {"q35", DEVICES("<sound model='ich6'/>"), 0, NULL},
    {"q35",
     DEVICES("<smartcard mode='host'/><smartcard mode='passthrough' type='tcp'>"
             "<source mode='bind' host='h' service='1'/></smartcard>"),
     ERROR_CONFIG_UNSUPPORTED, "lacks multiple smartcard support"},
    {"q35",
     DEVICES("<interface type='bridge'><source bridge='b'/><virtualport type='openvswitch'/>"
             "<port isolated='yes'/></interface>"),
     ERROR_CONFIG_UNSUPPORTED, "not supported with a <virtualport type='openvswitch'>"},
    {"q35",
     DEVICES("<interface type='bridge'><source bridge='b'/><port isolated='yes'/></interface>"), 0,
     NULL},
    {"q35", DEVICES(VHOSTUSER("server")), ERROR_CONFIG_UNSUPPORTED,
     "'reconnect' is for a <source> of mode 'client' only"},
    {"q35", DEVICES(VHOSTUSER("client")), 0, NULL},
    {"q35", DEVICES(HOST_NIC("<address type='drive' controller='1'/>")), ERROR_XML,
     "has an <address> of type 'pci' or 'usb'"},
    {"q35", DEVICES(HOST_NIC("<address type='usb' bus='1' device='2'/>")), 0, NULL},
    {"q35", SECLABEL("no") DEVICES(LABELLED), ERROR_CONFIG_UNSUPPORTED,
     "label overrides require relabeling"},
    {"q35", SECLABEL("yes") DEVICES(LABELLED), 0, NULL},
    {"q35", "<defaultiothread thread_pool_min='3' thread_pool_max='2'/>", ERROR_CONFIG_UNSUPPORTED,
     "thread_pool_min must be smaller or equal"},
    {"q35", "<defaultiothread thread_pool_min='2' thread_pool_max='2'/>", 0, NULL},
    {"q35", DEVICES(HOSTDEV_TEAM("usb", USB_SOURCE, "type='transient' persistent='ua-a'")),
     ERROR_CONFIG_UNSUPPORTED, "only supported for pci"},
    {"q35", DEVICES(HOSTDEV_TEAM("pci", PCI_SOURCE, "type='persistent' persistent='ua-a'")),
     ERROR_CONFIG_UNSUPPORTED, "must have type='transient'"},
    {"q35", DEVICES(HOSTDEV_TEAM("pci", PCI_SOURCE, "type='transient'")), ERROR_CONFIG_UNSUPPORTED,
     "missing required persistent attribute"},
    {"q35", DEVICES(HOSTDEV_TEAM("pci", PCI_SOURCE, "type='transient' persistent='ua-a'")), 0,
     NULL},
    {"q35",
     "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
     "<devices><filesystem type='mount'><driver type='virtiofs' wrpolicy='immediate'/><source "
     "dir='/s'/><target dir='t'/></filesystem></devices>",
     ERROR_CONFIG_UNSUPPORTED, "virtiofs does not support wrpolicy"},
    {"q35", "<memtune><min_guarantee>1024</min_guarantee></memtune>", ERROR_CONFIG_UNSUPPORTED,
     "Parameter 'min_guarantee' not supported by QEMU"},
    {"q35", "<on_poweroff>preserve</on_poweroff>", ERROR_CONFIG_UNSUPPORTED,
     "'preserve' action for 'on_reboot'/'on_poweroff'"},
    {"q35", "<on_reboot>coredump-destroy</on_reboot>", ERROR_CONFIG_UNSUPPORTED,
     "Lifecycle event 'reboot' doesn't support 'coredump-destroy' action"},
    {"q35", "<on_crash>coredump-destroy</on_crash>", 0, NULL},
};

static int validate(const Row *row, Error **reterr) {
    const DomainParseParams params = {.default_arch = "x86_64"};
    const DomainFillParams fill = {.emulator = "/usr/bin/qemu-system-x86_64"};
    CLEANUP(domain_def_freep) DomainDef *def = NULL;
    char xml[2048];
    int r;

    snprintf(xml, sizeof(xml),
             "<domain type='kvm'><name>n</name><memory>1024</memory><os><type arch='%s' "
             "machine='%s'>hvm</type></os>%s</domain>",
             streq(row->machine, "virt") ? "aarch64" : "x86_64", row->machine, row->xml);
    r = domain_parse(xml, strlen(xml), &params, &def, reterr);
    if (r >= 0)
        r = domain_fill(def, &fill, reterr);
    return r < 0 ? r : domain_validate_define(def, reterr);
}

static void test_together(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_ERROR Error *error = NULL;
        int r = validate(&rows[i], &error);

        if (!rows[i].code) {
            if (r < 0)
                fail_msg("row %zu: %s", i, error_message(error));
            continue;
        }
        if (r >= 0)
            fail_msg("row %zu is taken: %s", i, rows[i].xml);
        if (error->code != rows[i].code || !strstr(error_message(error), rows[i].words))
            fail_msg("row %zu: %d, %s", i, (int)error->code, error_message(error));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_together)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
