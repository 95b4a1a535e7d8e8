/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a define adds and how it is written: each row was compared with libvirt 9.0's dumpxml
 * --inactive. Defined again, the text stays the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "fill-rows.h"
#include "util/file.h"

#define NIC(model) "<interface type='user'><model type='" model "'/></interface>"
#define PCI(bus, slot, more)                                                                       \
    "<address type='pci' domain='0x0000' bus='" bus "' slot='" slot "' function='0x0'" more "/>"

typedef struct Row {
    /* Each line of wanted is in the output, in this order; with ! before it, it is nowhere. */
    const char *machine, *devices, *wanted;
} Row;

#define SCSI_OF_HOST(unit)                                                                         \
    "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"                   \
    "<address bus='0' target='0' unit='" unit "'/></source></hostdev>"

static const Row rows[] = {
    /* two on a controller that nobody wrote */
    {"pc-q35-7.2", SCSI_OF_HOST("0") SCSI_OF_HOST("1"),
     "<address type='drive' controller='0' bus='0' target='0' unit='0'/>\n"
     "<address type='drive' controller='0' bus='0' target='0' unit='1'/>\n!type='scsi' index='1'"},
    /* a serial without a port is behind all that have one; a console is where its serial is */
    {"pc-q35-7.2", "<serial type='pty'/><serial type='pty'><target port='3'/></serial>",
     "<target type='isa-serial' port='4'>\n<target type='isa-serial' port='3'>\n"
     "<target type='serial' port='4'/>"},
    {"pc-q35-7.2",
     "<console type='pty'><target type='serial' port='1'/></console><serial type='pty'/>",
     "<target type='isa-serial' port='0'>\n<target type='serial' port='0'/>"},
    {"pc-q35-7.2",
     "<parallel type='file'><source path='/p'/></parallel>"
     "<parallel type='file'><source path='/q'/><target port='1'/></parallel>",
     "<target port='0'/>\n<target port='1'/>"},
    /* numbers of buses in any base */
    {"pc-q35-7.2",
     "<controller type='pci' index='1' model='pcie-root-port'>"
     "<target chassis='0x20' port='011'/></controller>",
     "<target chassis='32' port='0x9'/>"},
    {"pc-i440fx-7.2",
     "<controller type='pci' index='1' model='pci-bridge'><target chassisNr='0x7'/></controller>"
     "<controller type='pci' index='2' model='pci-expander-bus'><target busNr='0xf0'/>"
     "</controller>",
     "<target chassisNr='7'/>\n<target busNr='240'/>"},
    /* what comes behind what */
    {"pc-q35-7.2",
     "<serial type='unix'><source mode='connect' path='/s'><reconnect enabled='yes' timeout='3'/>"
     "<seclabel model='dac' relabel='no'/></source></serial>",
     "<seclabel model='dac' relabel='no'/>\n<reconnect enabled='yes' timeout='3'/>"},
    {"pc-q35-7.2",
     "<disk type='vhostuser'><source type='unix' path='/s'/><target dev='vda'/></disk>",
     "<disk type='vhostuser' device='disk' snapshot='no'>"},
    /* a conventional device on PCI Express: a port and a bridge, and a port to spare */
    {"pc-q35-7.2", NIC("e1000"), "index='2' model='pcie-to-pci-bridge'>\nindex='3' model="},
    {"pc-q35-7.2", NIC("vmxnet3"), "index='2' model='pcie-to-pci-bridge'>"},
    {"pc-q35-7.2", NIC("e1000e"), PCI("0x01", "0x00", "")},
    {"pc-q35-7.2", NIC("ne2k_pci"), "index='2' model='pcie-root-port'>"},
    /* bridges where nobody is placed unasked */
    {"pc-q35-7.2",
     "<controller type='pci' index='1' model='dmi-to-pci-bridge'/>"
     "<controller type='pci' index='2' model='pci-bridge'/>" NIC("rtl8139"),
     PCI("0x02", "0x01", "")},
    {"pc-i440fx-7.2", "<controller type='pci' index='4' model='pci-expander-bus'/>",
     "<target busNr='254'/>"},
    {"pc-i440fx-7.2", "<controller type='usb' index='1' model='ehci'/>",
     "<controller type='usb' index='0' model='piix3-uhci'>"},
    /* the functions of one USB 2 controller */
    {"pc-i440fx-7.2",
     "<controller type='usb' model='ich9-ehci1'/><controller type='usb' model='ich9-uhci1'/>"
     "<controller type='usb' model='ich9-uhci2'/>",
     PCI("0x00", "0x02", " multifunction='on'") "\n<controller type='usb' index='0' "
                                                "model='ich9-uhci2'>\n<master startport='2'/>"},
    {"pc-q35-7.2",
     "<controller type='usb' index='0' model='ich9-ehci1'/>"
     "<controller type='usb' index='0' model='ich9-uhci1'/>"
     "<controller type='usb' index='0' model='ich9-uhci3'/>",
     "<address type='pci' domain='0x0000' bus='0x00' slot='0x1d' function='0x7'/>\n"
     "<master startport='0'/>\n<master startport='4'/>\n"
     "<address type='pci' domain='0x0000' bus='0x00' slot='0x1d' function='0x2'/>"},
    /* disks of one letter stay as they are */
    {"pc-q35-7.2",
     "<disk type='file'><source file='/a'/><target dev='vdb'/></disk>"
     "<disk type='file'><source file='/b'/><target dev='sdb' bus='virtio'/></disk>"
     "<disk type='file'><source file='/c'/><target dev='vda'/></disk>",
     "vda\nvdb\nsdb"},
    {"pc-q35-7.2",
     "<filesystem><driver type='virtiofs'/><source socket='/s'/><target dir='d'/></filesystem>",
     "<filesystem type='mount'>"},
    /* a serial port's place, said twice */
    {"pc-q35-7.2",
     "<serial type='pty'><address type='isa' iobase='0x3f8' irq='4'/></serial><console "
     "type='pty'/>",
     "<serial\n<address type='isa' iobase='0x3f8' irq='0x4'/>\n<console\n"
     "<address type='isa' iobase='0x3f8' irq='0x4'/>"},
    {"pc-q35-7.2",
     "<graphics type='spice' autoport='yes' defaultMode='any'><channel name='usbredir' "
     "mode='insecure'/><channel name='main' mode='any'/><channel name='display' mode='insecure'/>"
     "<channel name='display' mode='secure'/></graphics>",
     "<graphics type='spice' autoport='yes'>\n<channel name='display' mode='secure'/>\n"
     "<channel name='usbredir' mode='insecure'/>\n!'main'\n!'display' mode='insecure'"},
    /* a host's SCSI device, and its controller */
    {"pc-i440fx-7.2",
     "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"
     "<address bus='0' target='0' unit='0'/></source></hostdev>",
     "<controller type='scsi' index='0' model='lsilogic'>\n"
     "<address type='drive' controller='0' bus='0' target='0' unit='0'/>"},
    /* ports of virtio-serial, USB hubs, cards */
    {"pc-i440fx-7.2",
     "<channel type='pty'><target type='virtio' name='c'/>"
     "<address type='virtio-serial' controller='2' bus='0'/></channel>",
     "<controller type='virtio-serial' index='2'>\n"
     "<address type='virtio-serial' controller='2' bus='0' port='1'/>"},
    {"pc-i440fx-7.2",
     "<input type='tablet' bus='usb'/><input type='tablet' bus='usb'/>"
     "<input type='tablet' bus='usb'/>",
     "<address type='usb' bus='0' port='1.1'/>\n<hub type='usb'>"},
    {"pc-i440fx-7.2", "<smartcard mode='host'/>", "<address type='usb' bus='0' port='1'/>"},
    /* a host's card: what it is behind, and where the guest sees it */
    {"pc-i440fx-7.2",
     "<interface type='hostdev'><source><address type='usb' bus='1' device='2'/></source>"
     "</interface>",
     "<address type='usb' bus='1' device='2'/>\n<address type='usb' bus='0' port='1'/>"},
    {"pc-i440fx-7.2",
     "<interface type='hostdev'><source><address type='pci' bus='1' slot='2' function='3'/>"
     "</source></interface>",
     "<address type='pci' domain='0x0000' bus='0x01' slot='0x02' function='0x3'/>\n" PCI(
         "0x00", "0x02", "")},
    {"pc-i440fx-7.2", "<interface><source network='n'/></interface>", "<interface type='user'>"},
    {"pc-i440fx-7.2", "<vsock><cid auto='yes' address='4'/></vsock>",
     "<cid auto='yes' address='4'/>"},
    {"pc-i440fx-7.2",
     "<audio id='1' type='alsa'><output dev='/d' tryPoll='yes'/></audio><audio id='2' type='none'/>"
     "<graphics type='vnc'><audio id='2'/></graphics><graphics type='sdl' fullscreen='no'/>",
     "<audio id='2'/>\n<graphics type='sdl'/>\n<output dev='/d'/>"},
    /* serials and consoles */
    {"pc-i440fx-7.2",
     "<serial type='pty'/><console type='pty'><target type='virtio' port='0'/></console>",
     "<target type='serial' port='0'/>\n<target type='virtio' port='0'/>"},
    {"pc-i440fx-7.2",
     "<console type='pty'><target type='virtio'/></console>"
     "<console type='pty'><target type='virtio' port='3'/></console>",
     "<target type='virtio' port='1'/>"},
    {"pc-i440fx-7.2", "<serial type='pty'><target port='3'/></serial>",
     "<target type='serial' port='3'/>"},
    {"pc-i440fx-7.2",
     "<serial type='udp'><source mode='connect' host='a' service='1'/>"
     "<source mode='bind' host='b' service='2'/></serial>",
     "<source mode='bind' host='b' service='2'/>\n<source mode='connect' host='a' service='1'/>"},
    {"pc-i440fx-7.2", "<serial type='pty'><target type='isa-debug'/></serial>",
     "<model name='isa-debugcon'/>"},
    {"pc-i440fx-7.2",
     "<serial type='tcp'><source mode='connect' host='h' service='1'>"
     "<reconnect enabled='yes' timeout='10'/></source></serial>",
     "<reconnect enabled='yes' timeout='10'/>\n<protocol type='raw'/>"},
    {"pc-i440fx-7.2",
     "<serial type='file'><source path='/l'><seclabel model='dac' relabel='no'/></source></serial>",
     "<seclabel model='dac' relabel='no'/>"},
    /* displays */
    {"pc-i440fx-7.2", "<graphics type='spice'/>", "<graphics type='spice'>\n<listen type='none'/>"},
    {"pc-i440fx-7.2", "<graphics type='spice' port='-1' autoport='no'/>",
     "<graphics type='spice' port='-1' autoport='no'>"},
    {"pc-i440fx-7.2", "<graphics type='spice' autoport='yes'/><graphics type='vnc'/>",
     "<audio id='1' type='none'/>"},
    {"pc-i440fx-7.2", "<graphics type='vnc' passwd='x' passwdValidTo='2010-04-09T15:51:00'/>",
     "passwd='x' passwdValidTo='2010-04-09T15:51:00'>"},
    {"pc-i440fx-7.2", "<graphics type='egl-headless'/>", "<model type='cirrus' vram='16384'"},
    {"pc-i440fx-7.2", "<graphics type='vnc' autoport='no'/>",
     "<graphics type='vnc' autoport='no'>"},
    {"pc-i440fx-7.2", "<graphics type='vnc' port='0'/>", "<graphics type='vnc' autoport='no'>"},
    {"pc-i440fx-7.2", "<graphics type='vnc' port='-1' autoport='no'/>",
     "<graphics type='vnc' autoport='no'>"},
    /* cards */
    {"pc-i440fx-7.2",
     "<interface type='bridge'><source bridge='b'/><model type='e1000'/><driver queues='4'/>"
     "<backend tap='/t' vhost='/v'/></interface>",
     "<model type='e1000'/>\n<backend tap='/t'/>\n!<driver queues='4'/>"},
    {"pc-i440fx-7.2",
     "<interface type='bridge'><source bridge='b'/><model type='virtio'/><driver queues='4'/>"
     "<backend tap='/t' vhost='/v'/></interface>",
     "<driver queues='4'/>\n<backend tap='/t' vhost='/v'/>"},
    {"pc-i440fx-7.2", "<interface type='user'><mac address='52:54:0:A:b:c'/></interface>",
     "<mac address='52:54:00:0a:0b:0c'/>"},
    {"pc-i440fx-7.2", "<interface type='user'><ip address='10.0.0.1' prefix='24'/></interface>",
     "<ip address='10.0.0.1' family='ipv4' prefix='24'/>"},
    {"pc-i440fx-7.2", "<interface type='user'><ip address='fd00::1' prefix='64'/></interface>",
     "<ip address='fd00::1' family='ipv6' prefix='64'/>"},
    {"pc-i440fx-7.2",
     "<interface type='direct'><source dev='e'/><filterref filter='f'/></interface>",
     "!<filterref filter='f'/>"},
    {"pc-i440fx-7.2",
     "<interface type='bridge'><source bridge='b'/><filterref filter='f'>"
     "<parameter name='MAC' value='m'/><parameter name='IP' value='2'/>"
     "<parameter name='IP' value='1'/></filterref></interface>",
     "<filterref filter='f'>\n<parameter name='IP' value='2'/>\n<parameter name='IP' value='1'/>\n"
     "<parameter name='MAC' value='m'/>"},
    {"pc-i440fx-7.2",
     "<interface type='bridge'><source bridge='b'/><virtualport type='openvswitch'/></interface>",
     "<virtualport type='openvswitch'>\n!<virtualport type='openvswitch'/>"},
    /* names of a person's have letters of a name */
    {"pc-i440fx-7.2", "<interface type='user'><alias name='ua-a.b'/></interface>",
     "!<alias name='ua-a.b'/>"},
    {"pc-i440fx-7.2", "<interface type='user'><alias name='ua-a_b-1'/></interface>",
     "<alias name='ua-a_b-1'/>"},
    /* disks */
    {"pc-i440fx-7.2",
     "<disk type='network'><source protocol='iscsi' name='iqn.2013-07.org:t'><host name='h'/>"
     "</source><target dev='vda'/></disk>",
     "<source protocol='iscsi' name='iqn.2013-07.org:t/0'>"},
    {"pc-i440fx-7.2",
     "<disk type='network'><source protocol='gluster' name='v/i'><host name='h' port='1' "
     "transport='tcp'/></source><target dev='vda'/></disk>",
     "<host name='h' port='1'/>"},
    {"pc-i440fx-7.2", "<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>",
     "<driver name='qemu'/>"},
    {"pc-i440fx-7.2",
     "<disk type='nvme'><source type='pci' managed='yes' namespace='1'><address domain='0x0000' "
     "bus='0x01' slot='0x00' function='0x0'/></source><target dev='vda'/></disk>",
     "<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>"},
    {"pc-i440fx-7.2",
     "<disk><source file='/e'><encryption format='luks'/></source><target dev='vda'/></disk>",
     "<encryption format='luks' engine='qemu'/>"},
    {"pc-i440fx-7.2",
     "<disk type='network' device='cdrom'><source protocol='https' name='a'><host name='h'/>"
     "</source><target dev='sda' bus='sata'/></disk>",
     "<host name='h' port='443'/>"},
    /* others */
    {"pc-i440fx-7.2", "<tpm><backend type='emulator'/></tpm>",
     "<backend type='emulator' version='1.2'/>"},
    {"pc-i440fx-7.2", "<tpm model='tpm-crb'><backend type='emulator'/></tpm>",
     "<backend type='emulator' version='2.0'/>"},
    {"pc-i440fx-7.2", "<rng><backend model='random'/></rng>",
     "<backend model='random'>/dev/random</backend>"},
    {"pc-i440fx-7.2", "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>",
     "<model type='virtio'/>"},
    {"pc-i440fx-7.2", "<redirfilter><usbdev class='8' product='0xbeef' allow='yes'/></redirfilter>",
     "<usbdev class='0x08' product='0xBEEF' allow='yes'/>"},
};

static char *define(const char *machine, const char *devices) {
    CLEANUP_FREE char *made = strf(
        "<domain type='qemu'><name>n</name><memory>1024</memory>"
        "<os><type arch='x86_64' machine='%s'>hvm</type></os><devices>%s</devices></domain>",
        machine, devices);

    return fill_text(made, machine);
}

static void test_rows(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *first = define(rows[i].machine, rows[i].devices);
        CLEANUP_FREE char *second = fill_text(first, rows[i].machine);

        assert_string_equal(first, second);
        fill_check(i, first, rows[i].wanted);
    }
}

#define TOP(xml)                                                                                   \
    "<domain type='qemu'><name>n</name><memory>1024</memory><vcpu>3</vcpu>"                        \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os>" xml "</domain>"
#define CELL(id, more) "<cell id='" id "' cpus='" id "' memory='1024' unit='KiB'" more

#define VIRT(arch, devices)                                                                        \
    "<domain type='qemu'><name>n</name><memory>1024</memory><os><type arch='" arch                 \
    "' machine='virt'>hvm</type></os><devices>" devices "</devices></domain>"

#define S390(devices)                                                                              \
    "<domain type='qemu'><name>n</name><memory>1024</memory><os><type arch='s390x' machine="       \
    "'s390-ccw-virtio'>hvm</type></os><devices>" devices "</devices></domain>"
#define CCW(number) "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x000" number "'/>"

/* What is not about a device, or of another machine. */
static void test_machine(void **state) {
    static const Row machines[] = {
        {NULL,
         TOP("<cpu><numa>" CELL("0", "/>")
                 CELL("1", "><distances><sibling id='2' value='21'/></distances></cell>")
                     CELL("2", "><distances><sibling id='1' value='31'/>"
                               "<sibling id='0' value='41'/></distances></cell>") "</numa></cpu>"),
         "<sibling id='0' value='10'/>\n<sibling id='2' value='41'/>\n"
         "<sibling id='1' value='10'/>\n<sibling id='2' value='21'/>\n"
         "<sibling id='0' value='41'/>\n<sibling id='1' value='31'/>\n"
         "<sibling id='2' value='10'/>"},
        {NULL,
         TOP("<memtune><hard_limit>0</hard_limit><swap_hard_limit>0</swap_hard_limit></memtune>"),
         "<hard_limit unit='KiB'>0</hard_limit>\n<swap_hard_limit unit='KiB'>0</swap_hard_limit>"},
        {NULL, TOP("<memtune><hard_limit>9007199254740991</hard_limit></memtune>"), "!<memtune"},
        {NULL,
         "<domain type='qemu'><name>n</name><memory>1024</memory><vcpu placement='auto'>1</vcpu>"
         "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>",
         "<vcpu placement='auto'>1</vcpu>\n<memory mode='strict' placement='auto'/>"},
        {"virt", VIRT("riscv64", "<console type='pty'/><graphics type='vnc'/>" NIC("virtio")),
         "model='pcie-root'/>\nindex='1' model='pcie-root-port'>\n" PCI(
             "0x01", "0x00", "") "\n"
                                 "<target type='system-serial' port='0'>\n<model name='16550a'/>\n"
                                 "<target type='serial' port='0'/>\n<audio id='1' "
                                 "type='none'/>\n<model type='virtio'"},
        {"virt-7.2", VIRT("aarch64", "<serial type='pty'/>" NIC("e1000")),
         "model='pcie-root'/>\nindex='2' model='pcie-to-pci-bridge'>\n<model name='pl011'/>"},
        {"s390-ccw-virtio",
         S390("<serial type='pty'/><controller type='scsi'/><interface type='user'/>"
              "<disk type='file'><source file='/d'/><target dev='vda'/></disk>"
              "<hostdev mode='subsystem' type='mdev' model='vfio-ccw'><source><address uuid="
              "'90c6c135-ad44-41d0-b1b7-bae47de48627'/></source></hostdev>"),
         CCW("0") "\nmodel='virtio-scsi'>\n" CCW("3") "\nmodel='pci-root'/>\n" CCW(
             "1") "\n"
                  "<model name='sclpconsole'/>\n<target type='serial' port='0'/>\n" CCW(
                      "2") "\n" CCW("4") "\n<panic model='s390'/>"},
        {"virt", VIRT("riscv64", "<controller type='scsi'/>"), "index='0' model='lsilogic'>"},
        {NULL, TOP("<memoryBacking/>"), "!<memoryBacking"},
        /* one device without a bus, and the others are */
        {"virt",
         VIRT("riscv64", "<disk type='file'><source file='/d'/><target dev='vda'/>"
                         "<address type='virtio-mmio'/></disk>" NIC("virtio")),
         "<address type='virtio-mmio'/>\n<address type='virtio-mmio'/>\n!pcie-root-port"},
        {"virt",
         VIRT("aarch64", NIC("virtio") "<interface type='user'><model type='virtio'/>"
                                       "<address type='virtio-mmio'/></interface>"),
         "<address type='virtio-mmio'/>\n<address type='virtio-mmio'/>"},
        {"virt",
         "<domain type='qemu'><name>n</name><memory>1024</memory><os><type arch='aarch64' "
         "machine='virt'>hvm</type></os><features><gic/></features></domain>",
         "<gic version='2'/>"},
        {NULL, TOP("<clock offset='localtime' adjustment='-3'/>"),
         "<clock offset='variable' adjustment='-3' basis='localtime'/>"},
        {NULL, TOP("<clock offset='localtime' adjustment='reset'/>"),
         "<clock offset='localtime' adjustment='reset'/>"},
        {NULL, TOP("<bootloader/>"), "!bootloader"},
        {NULL,
         "<domain type='qemu'><name>n</name><memory>1024</memory><os><type arch='x86_64' machine="
         "'pc'>hvm</type><loader readonly='yes' type='pflash'>/c</loader><nvram type='file' "
         "template='/t'><source file='/v'/></nvram></os></domain>",
         "<nvram template='/t' type='file'>"},
        {NULL,
         "<domain type='qemu'><name>n</name><memory>1024</memory><os><type arch='x86_64' machine="
         "'pc-q35-7.2'>hvm</type></os><features><smm state='on'><tseg unit='KiB'>49152</tseg></smm>"
         "</features></domain>",
         "<tseg unit='MiB'>48</tseg>"},
        {NULL, TOP("<memoryBacking><hugepages/></memoryBacking>"), "<memoryBacking>\n<hugepages/>"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        CLEANUP_FREE char *text = fill_text(machines[i].devices,
                                            machines[i].machine ? machines[i].machine : "pc");

        fill_check(i, text, machines[i].wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_machine)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
