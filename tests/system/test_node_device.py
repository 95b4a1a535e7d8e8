# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's devices beside what /sys has, and their events."""
import os
import re
import subprocess
import xml.etree.ElementTree as ET

import libvirt
import pytest

LINK = f"vnd{os.getpid() % 100000}"


def ip(*words):
    return subprocess.run(["ip", "link", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True).returncode


def test_pci_devices_and_links_as_the_kernel_has_them(daemon):
    connection = libvirt.open(daemon.uri)
    pci = {re.sub("[:.]", "_", f"pci_{address}") for address in os.listdir("/sys/bus/pci/devices")}
    listed = connection.listAllDevices(libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV)
    assert {device.name() for device in listed} == pci
    assert set(connection.listDevices("pci")) == pci and connection.numOfDevices("pci") == len(pci)
    for device in connection.listAllDevices(libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET):
        tree = ET.fromstring(device.XMLDesc())
        name = tree.findtext("capability/interface")
        with open(f"/sys/class/net/{name}/address") as f:
            assert tree.findtext("capability/address") == f.read().strip()
        assert tree.findtext("path") == os.path.realpath(f"/sys/class/net/{name}")
        assert tree.findtext("parent") == device.parent() and device.listCaps() == ["net"]
        assert device.isActive() and device.isPersistent()


def test_computer_and_refusals(daemon):
    connection = libvirt.open(daemon.uri)
    computer = connection.nodeDeviceLookupByName("computer")
    assert computer.parent() is None and "<capability type='system'>" in computer.XMLDesc()
    assert connection.listDevices("bogus") == []
    assert connection.listAllDevices(libvirt.VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE) == []
    for code, call in ((libvirt.VIR_ERR_NO_NODE_DEVICE, lambda: connection.nodeDeviceLookupByName("x")),
                       (libvirt.VIR_ERR_CONFIG_UNSUPPORTED, computer.destroy),
                       (libvirt.VIR_ERR_INVALID_ARG, computer.reset),
                       (libvirt.VIR_ERR_XML_DETAIL, lambda: connection.nodeDeviceCreateXML("<device>")),
                       (libvirt.VIR_ERR_CONFIG_UNSUPPORTED, lambda: connection.nodeDeviceCreateXML("<device/>"))):
        with pytest.raises(libvirt.libvirtError) as error:
            call()
        assert error.value.get_error_code() == code, error.value


def test_a_link_comes_and_goes(daemon):
    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(daemon.uri)
    seen, late = [], []
    connection.nodeDeviceEventRegisterAny(None, libvirt.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE,
                                          lambda _c, device, event, _d, _o: seen.append((device.name(), event)), None)
    timer = libvirt.virEventAddTimeout(30000, lambda _t, _o: late.append(True), None)

    def wait_for(event):
        while not late and not [name for name, what in seen if f"net_{LINK}_" in name and what == event]:
            libvirt.virEventRunDefaultImpl()
        assert not late, seen

    if ip("add", LINK, "type", "bridge") != 0:
        pytest.skip("SKIP: no link can be made here")
    try:
        wait_for(libvirt.VIR_NODE_DEVICE_EVENT_CREATED)
    finally:
        ip("del", LINK)
    wait_for(libvirt.VIR_NODE_DEVICE_EVENT_DELETED)
    libvirt.virEventRemoveTimeout(timer)
    connection.close()
