/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a define adds and how it is written: each row was compared with libvirt 9.0's dumpxml
 * --inactive. Defined again, the text stays the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "util/file.h"

#define NIC(model) "<interface type='user'><model type='" model "'/></interface>"
#define PCI(bus, slot, more)                                                                       \
    "<address type='pci' domain='0x0000' bus='" bus "' slot='" slot "' function='0x0'" more "/>"

typedef struct Row {
    const char *machine, *devices, *wanted; /* each line of wanted is in the output */
} Row;

static const Row rows[] = {
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
     "<controller type='usb' index='0' model='ich9-uhci2'>\n<master startport='2'/>\n" PCI(
         "0x00", "0x02", " multifunction='on'")},
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
     "<hub type='usb'>\n<address type='usb' bus='0' port='1.1'/>"},
    {"pc-i440fx-7.2", "<smartcard mode='host'/>", "<address type='usb' bus='0' port='1'/>"},
    /* serials and consoles */
    {"pc-i440fx-7.2",
     "<serial type='pty'/><console type='pty'><target type='virtio' port='0'/></console>",
     "<target type='serial' port='0'/>\n<target type='virtio' port='0'/>"},
    {"pc-i440fx-7.2",
     "<console type='pty'><target type='virtio'/></console>"
     "<console type='pty'><target type='virtio' port='3'/></console>",
     "<target type='virtio' port='1'/>"},
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
    /* disks */
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

static char *define(const char *machine, const char *devices, const char *xml) {
    CLEANUP_FREE char *made = strf(
        "<domain type='qemu'><name>n</name><memory>1024</memory>"
        "<os><type arch='x86_64' machine='%s'>hvm</type></os><devices>%s</devices></domain>",
        machine, devices);
    DomainParseParams params = {.default_arch = "x86_64"};
    DomainFillParams add = {.machine = machine};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    char *text = NULL;

    xml = xml ? xml : made;
    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0 ||
        domain_fill(def, &add, &error) < 0)
        fail_msg("%s\n%s", xml, error ? error_message(error) : "no memory");
    assert_int_equal(domain_format(def, &(DomainFormatParams){.secrets = true}, &text), 0);
    return text;
}

static void test_rows(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *first = define(rows[i].machine, rows[i].devices, NULL);
        CLEANUP_FREE char *second = define(rows[i].machine, NULL, first);
        CLEANUP_FREE char *lines = strdup(rows[i].wanted);

        assert_string_equal(first, second);
        for (char *save = NULL, *line = strtok_r(lines, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save))
            if (!strstr(first, line))
                fail_msg("row %zu: no %s in\n%s", i, line, first);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
