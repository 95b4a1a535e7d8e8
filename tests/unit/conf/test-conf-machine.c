/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What machines that are no PC get at a define; each text was compared with libvirt 9.0's dumpxml
 * --inactive. Defined again, it stays the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "util/file.h"

static char *define(const char *xml) {
    DomainParseParams params = {.default_arch = "x86_64"};
    DomainFillParams add = {0};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    char *text = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s\n%s", xml, error_message(error));
    add.machine = def->os.machine;
    if (domain_fill(def, &add, &error) < 0)
        fail_msg("%s\n%s", xml, error_message(error));
    assert_int_equal(domain_format(def, &(DomainFormatParams){0}, &text), 0);
    return text;
}

/* Each of `wanted`, up to NULL, is in the text, in this order; with ! before it, it is nowhere. */
static void expect(const char *arch, const char *machine, const char *devices,
                   const char *const *wanted) {
    CLEANUP_FREE char *xml = strf("<domain type='qemu'><name>n</name><memory>1024</memory><os>"
                                  "<type arch='%s' machine='%s'>hvm</type></os><devices>%s"
                                  "</devices></domain>",
                                  arch, machine, devices);
    CLEANUP_FREE char *first = define(xml), *second = define(first);
    const char *at = first;

    assert_string_equal(first, second);
    for (; *wanted; wanted++) {
        if (**wanted == '!') {
            if (strstr(first, *wanted + 1))
                fail_msg("%s in\n%s", *wanted + 1, first);
            continue;
        }
        at = strstr(at, *wanted);
        if (!at)
            fail_msg("no %s in its place in\n%s", *wanted, first);
    }
}

#define EXPECT(arch, machine, devices, ...)                                                        \
    expect(arch, machine, devices, (const char *const[]){__VA_ARGS__, NULL})
#define NIC(model) "<interface type='user'><model type='" model "'/></interface>"
#define PLAIN_NIC "<interface type='user'/>"
#define DISK(target) "<disk type='file'><source file='/d'/><target dev='" target "'/></disk>"
#define PCI(bus, slot)                                                                             \
    "<address type='pci' domain='0x0000' bus='0x0" bus "' slot='0x" slot "' function='0x0'/>"
#define VIO(reg) "<address type='spapr-vio' reg='0x" reg "'/>"
#define ZPCI(slot, uid, fid)                                                                       \
    "<address type='pci' domain='0x0000' bus='0x00' slot='0x0" slot "' function='0x0'>\n"          \
    "        <zpci uid='0x000" uid "' fid='0x0000000" fid "'/>"
#define CCW(devno) "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x000" devno "'/>"

static void test_pseries(void **state) {
    EXPECT("ppc64", "pseries-7.2",
           DISK("sda") DISK("vda") NIC("spapr-vlan") NIC("virtio") NIC("spapr-vlan") PLAIN_NIC
           "<serial type='pty'/><serial type='pty'/><graphics type='vnc'/><nvram/>"
           "<tpm><backend type='emulator'/></tpm>",
           PCI("0", "04"), "index='0' model='qemu-xhci'>", PCI("0", "03"),
           "<model name='spapr-pci-host-bridge'/>", "<target index='0'/>", "model='ibmvscsi'>",
           VIO("00003000"), "spapr-vlan", VIO("00001000"), PCI("0", "01"), "spapr-vlan",
           VIO("00002000"), "'rtl8139'", PCI("0", "02"), "spapr-vty", VIO("30000000"), "spapr-vty",
           VIO("30001000"), "<console", VIO("30000000"), "<input type='keyboard'", "port='1'",
           "<input type='mouse'", "port='2'", "tpm-spapr", "version='2.0'", VIO("00005000"),
           "<model type='vga' vram='16384'", PCI("0", "06"), PCI("0", "05"), VIO("00004000"),
           "<panic model='pseries'/>");
    /* A register that is given is another's no more, and host bridges are numbered. */
    EXPECT("ppc64le", "pseries",
           "<serial type='pty'/><serial type='pty'><address type='spapr-vio' reg='0x30000000'/>"
           "</serial><controller type='pci' index='1' model='pci-root'/>",
           "<target index='0'/>", "<target index='1'/>", VIO("30001000"), VIO("30000000"));
    EXPECT("ppc64", "powernv9", "<serial type='pty'/>", "!spapr", "<target port='0'/>", "!panic");
}

static void test_many_cards_of_pseries(void **state) {
    char devices[40 * sizeof(NIC("virtio"))] = "";

    for (unsigned i = 0; i < 40; i++)
        strcat(devices, NIC("virtio"));
    EXPECT("ppc64", "pseries-7.2", devices, "<controller type='pci' index='1' model='pci-root'>",
           "<target index='1'/>", PCI("0", "01"), PCI("1", "01"), "!pci-bridge");
}

static void test_s390(void **state) {
    EXPECT("s390x", "s390-ccw-virtio-7.2",
           DISK("vda") PLAIN_NIC
           "<console type='pty'/><graphics type='vnc'/><input type='mouse'/>"
           "<sound model='ich6'/><hostdev mode='subsystem' type='pci'><source>"
           "<address domain='1' bus='0' slot='0' function='0'/></source>"
           "</hostdev>",
           CCW("0"), "model='pci-root'/>", CCW("1"), "<model name='sclpconsole'/>",
           "<target type='serial' port='0'/>", "bus='virtio'>", CCW("3"), ZPCI("1", "1", "0"),
           "<model type='virtio'", CCW("2"), ZPCI("2", "2", "1"), CCW("4"), "<panic model='s390'/>",
           "!type='usb'");
}

static void test_arm(void **state) {
    EXPECT("aarch64", "virt-7.2", DISK("vda") PLAIN_NIC, "<gic version='2'/>", PCI("2", "00"),
           "model='pcie-root'/>", "<model type='virtio'/>", PCI("1", "00"), "!memballoon", "!usb");
    EXPECT("armv7l", "vexpress-a15", DISK("vda") PLAIN_NIC "<serial type='pty'/>",
           "<address type='virtio-mmio'/>", "lan9118", "<target port='0'/>", "!gic", "!pci",
           "!memballoon");
    EXPECT("riscv64", "virt", PLAIN_NIC "<console type='pty'/>", "<model type='virtio'/>",
           "<model name='16550a'/>", "<memballoon model='virtio'>", "!gic");
}

static void test_board(void **state) {
    EXPECT("ppc", "g3beige", "<graphics type='vnc'/>", "model='piix3-uhci'>", PCI("0", "01"),
           "model='pci-root'/>", "<model type='cirrus'", PCI("0", "03"), PCI("0", "02"),
           "!keyboard");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pseries), cmocka_unit_test(test_many_cards_of_pseries),
        cmocka_unit_test(test_s390), cmocka_unit_test(test_arm), cmocka_unit_test(test_board)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
