/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which device of a definition a client means by the XML it gives: never one that the XML
 * contradicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "conf/device-parse.h"
#include "conf/domain-fill.h"
#include "conf/domain-parse.h"
#include "driver/device-internal.h"
#include "util/file.h"

static const char xml[] =
    "<domain type='qemu'><name>d</name><memory>65536</memory><vcpu>1</vcpu>"
    "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
    "<serial type='file'><source path='/a'/></serial>"
    "<serial type='pty'><target type='usb-serial' port='3'/></serial>"
    "<serial type='tcp'><source mode='bind' host='h' service='1'/></serial>"
    "<channel type='unix'><target type='virtio' name='a'/></channel>"
    "<channel type='unix'><target type='virtio' name='b'/></channel>"
    "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>"
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    "<redirdev bus='usb' type='spicevmc'/>"
    "<redirdev bus='usb' type='tcp'><source mode='connect' host='h' service='2'/></redirdev>"
    "<watchdog model='i6300esb' action='none'/><watchdog model='ib700' action='none'/>"
    "<input type='tablet' bus='usb'/><input type='tablet' bus='virtio'/>"
    "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event1'/></input>"
    "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event2'/></input>"
    "</devices></domain>";

/* Where the list of its kind has the one that is meant; -1: none, -2: several. */
static int find(const DomainDef *def, const char *device) {
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    CLEANUP_ERROR Error *error = NULL;
    DevicePlace wanted, found;

    assert_int_equal(device_parse(device, def, &one, NULL), 0);
    assert_int_equal(device_only(one, &wanted, NULL), 0);
    if (device_find(def, one, &wanted, false, &found, &error) >= 0)
        return (int)found.index;
    return error->code == ERROR_DEVICE_MISSING ? -1 : -2;
}

static void test_only_one_that_is_as_the_xml_says(void **state) {
    static const struct {
        const char *device;
        int at;
    } rows[] = {
        {"<serial type='file'><source path='/a'/></serial>", 0},
        {"<serial type='file'><source path='/b'/></serial>", -1},
        {"<serial type='pty'><target type='usb-serial' port='3'/></serial>", 1},
        {"<serial type='pty'><source path='/dev/pts/7'/><target type='usb-serial'/></serial>", 1},
        {"<serial type='pty'><target type='usb-serial' port='4'/></serial>", -1},
        {"<serial type='pty'><target type='pci-serial'/></serial>", -1},
        {"<serial type='tcp'><source mode='bind' host='h' service='1'/></serial>", 2},
        {"<serial type='tcp'><source mode='bind' host='h' service='9'/></serial>", -1},
        {"<serial type='null'/>", -1},
        {"<channel type='unix'><target type='virtio' name='b'/></channel>", 4},
        {"<channel type='unix'><target type='virtio'/></channel>", -2},
        {"<channel type='spicevmc'><target type='virtio' name='b'/></channel>", -1},
        {"<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>", 1},
        {"<rng model='virtio'><backend model='builtin'/></rng>", -1},
        {"<redirdev bus='usb' type='spicevmc'/>", 0},
        {"<redirdev bus='usb' type='tcp'><source mode='connect' host='h' service='2'/></redirdev>",
         1},
        {"<redirdev bus='usb' type='tcp'><source mode='connect' host='h' service='3'/></redirdev>",
         -1},
        {"<watchdog model='ib700' action='none'/>", 1},
        {"<watchdog model='diag288' action='none'/>", -1},
        {"<input type='tablet' bus='virtio'/>", 1},
        {"<input type='keyboard' bus='virtio'/>", -1},
        {"<input type='passthrough' bus='virtio'><source evdev='/dev/input/event2'/></input>", 3},
        {"<input type='passthrough' bus='virtio'><source evdev='/dev/input/event3'/></input>", -1},
    };
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;

    assert_int_equal(domain_parse(xml, strlen(xml), &(DomainParseParams){0}, &def, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int at = find(def, rows[i].device);

        if (at != rows[i].at)
            print_error("%s\n", rows[i].device);
        assert_int_equal(at, rows[i].at);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_only_one_that_is_as_the_xml_says)};

    return cmocka_run_group_tests_name("driver/device-find", tests, NULL, NULL);
}
