# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines that are no PC, by their own emulators: defined without addresses and started, up to where their CPUs would run.
QEMU has each device where the definition says."""
import json
import os
import xml.etree.ElementTree as ET

import pytest

DISK = ("<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='{}'/>"
        "<shareable/></disk>")
CARD = "<interface type='user'><model type='{}'/></interface>"
MACHINES = {
    "ppc64": ("pseries", DISK.replace("{}", "vda") + DISK.replace("{}", "sda") + CARD.format("spapr-vlan") +
              CARD.format("virtio") * 33 + "<serial type='pty'/><serial type='pty'/><graphics type='vnc'/><nvram/>"
              "<rng model='virtio'><backend model='random'/></rng>"),
    "s390x": ("s390-ccw-virtio", DISK.replace("{}", "vda") + DISK.replace("{}", "sda") + CARD.format("virtio") +
              "<console type='pty'/><graphics type='vnc'/><input type='mouse'/>"),
    "riscv64": ("virt", DISK.replace("{}", "vda") + CARD.format("virtio") + "<console type='pty'/><graphics type='vnc'/>"),
    "aarch64": ("virt", DISK.replace("{}", "vda") + DISK.replace("{}", "sda") + CARD.format("virtio") +
                "<console type='pty'/><controller type='usb'/><input type='tablet' bus='usb'/><graphics type='vnc'/>"),
    "armv7l": ("vexpress-a15", DISK.replace("{}", "vda") + CARD.format("virtio") + "<serial type='pty'/>"),
    "i686": ("pc", DISK.replace("{}", "hda") + CARD.format("rtl8139") + "<serial type='pty'/>"),
}
QEMU_NAMES = {"i686": "i386", "armv7l": "arm"}


def emulator(arch):
    return f"/usr/bin/qemu-system-{QEMU_NAMES.get(arch, arch)}"


def addresses(text):
    return [sorted(at.attrib.items()) for at in ET.fromstring(text).iter("address")]


def property_of(daemon, alias, name):
    path = f"/machine/peripheral/{alias}"
    reply = json.loads(daemon.virsh("qemu-monitor-command", "other", json.dumps(
        {"execute": "qom-get", "arguments": {"path": path, "property": name}})))
    return reply.get("return")


@pytest.mark.parametrize("arch", list(MACHINES))
def test_it_is_defined_and_started(daemon, tmp_path, arch):
    if not os.path.exists(emulator(arch)):
        pytest.skip(f"SKIP: {emulator(arch)} is not installed")
    image, (machine, devices) = tmp_path / "image", MACHINES[arch]
    image.write_bytes(bytes(1 << 20))
    image.chmod(0o666)
    path = tmp_path / "domain.xml"
    path.write_text(f"<domain type='qemu'><name>other</name><memory unit='MiB'>256</memory><os><type arch='{arch}' "
                    f"machine='{machine}'>hvm</type></os><devices>{devices.replace('{image}', str(image))}</devices></domain>")
    daemon.virsh("define", str(path))
    kept = daemon.virsh("dumpxml", "--inactive", "other")
    assert ET.fromstring(kept).findtext("devices/emulator") == emulator(arch)
    daemon.virsh("start", "other", "--paused")
    live = daemon.virsh("dumpxml", "other")
    assert addresses(live) == addresses(kept)
    for device in ET.fromstring(live).find("devices"):
        address, alias = device.find("address"), device.find("alias")
        if address is None or alias is None or device.tag == "console":
            continue
        if address.get("type") == "spapr-vio":
            assert property_of(daemon, alias.get("name"), "reg") == int(address.get("reg"), 16), ET.tostring(device)
        if address.get("type") == "pci" and device.tag != "controller":
            slot, function = int(address.get("slot"), 16), int(address.get("function"), 16)
            assert property_of(daemon, alias.get("name"), "addr") == slot * 8 + function, ET.tostring(device)
    daemon.virsh("destroy", "other")
    (tmp_path / "kept.xml").write_text(kept)
    daemon.virsh("define", str(tmp_path / "kept.xml"))
    assert daemon.virsh("dumpxml", "--inactive", "other") == kept
