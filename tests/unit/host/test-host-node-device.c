/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's devices, read of a tree that looks like /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/node-device.h"
#include "util/file.h"

#define BRIDGE "sys/devices/pci0000:00/0000:00:1c.0"
#define CARD BRIDGE "/0000:02:00.0"
#define HOST "sys/devices/pci0000:00/0000:00:1f.2/ata1/host0"
#define DISK HOST "/target0:0:0/0:0:0:0"

static char root[] = "/tmp/vireo-node-device.XXXXXX";

static char *at(const char *path) {
    char *full = strf("%s/%s", root, path);

    assert_non_null(full);
    return full;
}

static void make(const char *path, const char *file, const char *text) {
    CLEANUP_FREE char *directory = at(path), *full = strf("%s/%s", directory, file);

    assert_int_equal(dir_make(directory, 0755), 0);
    assert_int_equal(file_write_atomic(full, text, strlen(text), 0644), 0);
}

static void show(const char *class, const char *name, const char *path) {
    CLEANUP_FREE char *directory = at(class), *link = strf("%s/%s", directory, name),
                      *to = at(path);

    assert_int_equal(dir_make(directory, 0755), 0);
    assert_int_equal(symlink(to, link), 0);
}

static int make_host(void **state) {
    assert_non_null(mkdtemp(root));
    make(BRIDGE, "class", "0x060400\n");
    make(CARD, "class", "0x020000\n");
    make(CARD "/net/eth0.7", "address", "52:54:00:aB:11:01\n");
    make(DISK "/block/sda", "uevent", "DEVTYPE=disk\nDEVNAME=sda\nID_SERIAL=ATA X-1\n");
    make(DISK "/block/sda/sda1", "partition", "1\n");
    make("sys/devices/virtual/block/loop0", "size", "0\n");
    make("sys/devices/virtual/drm/card0-DP-1", "status", "connected\n");
    make("sys/devices/virtual/net/lo", "address", "");
    make("sys/devices/usb1/1-1/1-1:1.0", "bInterfaceNumber", "00\n");
    show("sys/bus/pci/devices", "0000:00:1c.0", BRIDGE);
    show("sys/bus/pci/devices", "0000:02:00.0", CARD);
    show("sys/bus/pci/devices", "0000:03:00.0", "sys/devices/gone");
    show("sys/class/net", "eth0.7", CARD "/net/eth0.7");
    show("sys/class/net", "lo", "sys/devices/virtual/net/lo");
    show("sys/bus/scsi/devices", "host0", HOST);
    show("sys/bus/scsi/devices", "target0:0:0", HOST "/target0:0:0");
    show("sys/bus/scsi/devices", "0:0:0:0", DISK);
    show("sys/class/block", "sda", DISK "/block/sda");
    show("sys/class/block", "sda1", DISK "/block/sda/sda1");
    show("sys/class/block", "loop0", "sys/devices/virtual/block/loop0");
    show("sys/class/drm", "card0-DP-1", "sys/devices/virtual/drm/card0-DP-1");
    show("sys/bus/usb/devices", "1-1", "sys/devices/usb1/1-1");
    show("sys/bus/usb/devices", "1-1:1.0", "sys/devices/usb1/1-1/1-1:1.0");
    return 0;
}

static int remove_host(void **state) {
    CLEANUP_FREE char *command = strf("rm -rf %s", root);

    return command ? system(command) : -1;
}

static NodeDevices read_all(void) {
    NodeDevices devices = {0};

    assert_int_equal(node_devices_read(root, &devices), 0);
    return devices;
}

static void test_names_kinds_and_parents(void **state) {
    static const struct {
        const char *name;
        NodeDeviceKind kind;
        const char *parent;
    } wanted[] = {
        {"block_sda_ATA_X_1", NODE_DEVICE_STORAGE, "scsi_0_0_0_0"},
        {"computer", NODE_DEVICE_SYSTEM, NULL},
        {"net_eth0_7_52_54_00_aB_11_01", NODE_DEVICE_NET, "pci_0000_02_00_0"},
        {"net_lo", NODE_DEVICE_NET, "computer"},
        {"pci_0000_00_1c_0", NODE_DEVICE_PCI, "computer"},
        {"pci_0000_02_00_0", NODE_DEVICE_PCI, "pci_0000_00_1c_0"},
        {"scsi_0_0_0_0", NODE_DEVICE_SCSI, "scsi_target0_0_0"},
        {"scsi_host0", NODE_DEVICE_SCSI_HOST, "computer"},
        {"scsi_target0_0_0", NODE_DEVICE_SCSI_TARGET, "scsi_host0"},
        {"usb_1_1", NODE_DEVICE_USB, "computer"},
        {"usb_1_1_1_0", NODE_DEVICE_USB_INTERFACE, "usb_1_1"},
    };
    CLEANUP_NODE_DEVICES NodeDevices devices = read_all();

    assert_int_equal(devices.n, ARRAY_SIZE(wanted));
    for (size_t i = 0; i < devices.n; i++) {
        const NodeDevice *parent = node_devices_parent(&devices, &devices.list[i]);

        assert_string_equal(devices.list[i].name, wanted[i].name);
        assert_int_equal(devices.list[i].kind, wanted[i].kind);
        assert_string_equal(parent ? parent->name : "", wanted[i].parent ? wanted[i].parent : "");
    }
    assert_null(node_devices_find(&devices, "block_loop0"));
    assert_ptr_equal(node_devices_find(&devices, "net_lo"), &devices.list[3]);
}

static void test_what_a_device_says(void **state) {
    CLEANUP_NODE_DEVICES NodeDevices devices = read_all();
    const NodeDevice *disk = node_devices_find(&devices, "block_sda_ATA_X_1");
    CLEANUP_FREE char *name = node_device_property(disk, "DEVNAME");
    CLEANUP_FREE char *nothing = node_device_property(disk, "NAME");
    CLEANUP_FREE char *class = node_device_attribute(&devices.list[4], "class");
    CLEANUP_FREE char *driver = node_device_link(&devices.list[4], "driver");

    assert_string_equal(name, "sda");
    assert_null(nothing);
    assert_string_equal(class, "0x060400");
    assert_null(driver);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_kinds_and_parents),
                                       cmocka_unit_test(test_what_a_device_says)};

    return cmocka_run_group_tests(tests, make_host, remove_host);
}
