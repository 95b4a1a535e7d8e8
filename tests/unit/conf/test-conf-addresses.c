/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The places of devices: a second fill changes none, two devices in one place are both named, and
 * an address far out makes no heap of controllers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-format.h"
#include "conf/domain-parse.h"

#define DOMAIN(arch, machine, devices)                                                             \
    "<domain type='qemu'><name>n</name><uuid>6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a003</uuid>"          \
    "<memory>1024</memory><os><type arch='" arch "' machine='" machine "'>hvm</type></os>"         \
    "<devices>" devices "</devices></domain>"
#define PC(devices) DOMAIN("x86_64", "pc-i440fx-7.2", devices)
#define NIC(more)                                                                                  \
    "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>" more         \
    "</interface>"
#define DISK(target, more)                                                                         \
    "<disk><source file='/a'/><target dev='" target "' bus='scsi'/>" more "</disk>"

static int fill(const char *xml, char **ret, Error **reterr) {
    DomainParseParams params = {.default_arch = "x86_64"};
    DomainFillParams add = {.emulator = "/usr/bin/qemu"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    int r = domain_parse(xml, strlen(xml), &params, &def, reterr);

    if (r < 0)
        fail_msg("%s\n%s", xml, *reterr ? error_message(*reterr) : "no error");
    add.machine = def->os.machine;
    r = domain_fill(def, &add, reterr);
    return r < 0 ? r : domain_format(def, &(DomainFormatParams){0}, ret);
}

/* Filled in twice; `wanted` is in what comes of it. */
static void expect(const char *xml, const char *wanted) {
    CLEANUP_FREE char *first = NULL, *second = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(fill(xml, &first, &error), 0);
    assert_int_equal(fill(first, &second, &error), 0);
    assert_string_equal(first, second);
    if (!strstr(first, wanted))
        fail_msg("no %s in\n%s", wanted, first);
}

static void expect_error(const char *xml, ErrorCode code, const char *words) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_true(fill(xml, &text, &error) < 0);
    if (error->code != code || !strstr(error->message, words))
        fail_msg("wanted: %d, %s\n   got: %d, %s", code, words, error->code, error->message);
}

static void test_stay(void **state) {
    expect(PC(NIC("") DISK("sda", "")),
           "<address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>");
    expect(PC(DISK("sdh", "")),
           "<address type='drive' controller='1' bus='0' target='0' unit='0'/>");
    expect(DOMAIN("x86_64", "pc-q35-7.2", NIC("")), "model='pcie-root-port'");
    expect(DOMAIN("s390x", "s390-ccw-virtio-7.2", NIC("") NIC("")),
           "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0001'/>");
    expect(DOMAIN("ppc64", "pseries-7.2", NIC("") "<serial type='pty'/>"),
           "<target type='spapr-vio-serial' port='0'>");
}

#define AT "<address type='pci' domain='0' bus='0' slot='9' function='0'/>"
#define UNIT "<address type='drive' controller='0' bus='0' target='0' unit='3'/>"

#define CHANNEL(name, port)                                                                        \
    "<channel type='pty'><target type='virtio' name='" name "'/><address type='virtio-serial' "    \
    "controller='0' bus='0' port='" port "'/></channel>"
#define CARD "<smartcard mode='host'><address type='ccid' controller='0' slot='0'/></smartcard>"
#define TABLET(port)                                                                               \
    "<input type='tablet' bus='usb'><address type='usb' bus='0' port='" port "'/></input>"
#define CCW "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0001'/>"
#define VTY "<serial type='pty'><address type='spapr-vio' reg='0x30000000'/></serial>"

static void test_clash_on_other_buses(void **state) {
    expect_error(PC(CHANNEL("org.a", "1") CHANNEL("org.b", "1")), ERROR_XML,
                 "'org.a' and 'org.b' both have it");
    expect_error(PC(CHANNEL("org.a", "31")), ERROR_XML, "does not have port 31");
    expect_error(PC(CARD CARD), ERROR_XML, "number 1 and <smartcard> number 2 are both in slot 0");
    expect_error(PC(TABLET("1") TABLET("1")), ERROR_XML, "Duplicate USB address bus 0 port 1");
    expect_error(PC(TABLET("3")), ERROR_XML, "requested USB port 3 not present on USB bus 0");
    expect_error(PC(TABLET("1.2")), ERROR_XML, "there is no such hub");
    expect_error(DOMAIN("s390x", "s390-ccw-virtio-7.2", NIC(CCW) NIC(CCW)), ERROR_XML,
                 "<interface> number 1 and <interface> number 2 both have it");
    expect_error(DOMAIN("ppc64", "pseries-7.2", VTY VTY), ERROR_XML,
                 "<serial> number 1 and <serial> number 2 both have it");
}

static void test_clash(void **state) {
    expect_error(PC(NIC(AT) NIC(AT)), ERROR_XML,
                 "double use of PCI Address 0000:00:09.0: <interface> number 2 and <interface> "
                 "number 1 both have it");
    expect_error(PC(DISK("sda", UNIT) DISK("sdb", UNIT)), ERROR_XML,
                 "duplicate drive address: the disks 'sda' and 'sdb' are both controller 0");
}

#define FAR "controller='4294967295' bus='0'"

static void test_far_out(void **state) {
    expect_error(PC(DISK("sda", "<address type='drive' " FAR " target='0' unit='0'/>")), ERROR_XML,
                 "controller number 4294967295 is too high, the last one is 255");
    expect_error(PC("<channel type='pty'><target type='virtio' name='a'/>"
                    "<address type='virtio-serial' " FAR " port='1'/></channel>"),
                 ERROR_XML, "controller number 4294967295 is too high");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stay), cmocka_unit_test(test_clash),
                                       cmocka_unit_test(test_clash_on_other_buses),
                                       cmocka_unit_test(test_far_out)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
