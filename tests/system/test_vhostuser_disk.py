# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that another process has (vhost-user-blk, by qemu-storage-daemon), and those on an NVMe controller of the host."""
import os
import shutil
import signal
import subprocess

import pytest

from conftest import PATIENT, wait_for
from devices_guest import MEMFD, boot, devices_guest, wait_sees  # noqa: F401
from test_device import PORTS, device, peripherals

DISK = """<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/>
<source type='unix' path='{path}'/><target dev='{target}' bus='virtio'/></disk>"""
NVME = """<disk type='nvme' device='disk'><driver name='qemu' type='raw'/><source type='pci' {managed} namespace='1'>
<address domain='{0}' bus='0x{1}' slot='0x{2}' function='0x{3}'/></source><target dev='vda' bus='virtio'/></disk>"""


@pytest.fixture
def backends(daemon):
    """A function that starts one; what it gives is the path of its socket."""
    program = shutil.which("qemu-storage-daemon")
    if not program:
        pytest.skip("SKIP: qemu-storage-daemon is not installed (package qemu-system-common)")
    daemon.configure(*PATIENT)
    running = []

    def start(name):
        path = f"{daemon.root}/{name}.sock"
        with open(f"{daemon.root}/{name}.img", "wb") as f:
            f.truncate(1 << 20)
        running.append(subprocess.Popen(
            [program, "--blockdev", f"driver=file,node-name=file,filename={daemon.root}/{name}.img", "--export",
             f"type=vhost-user-blk,id=export,node-name=file,writable=on,addr.type=unix,addr.path={path}"],
            stdin=subprocess.DEVNULL))
        wait_for(lambda: os.path.exists(path), 20, "a socket of qemu-storage-daemon")
        os.chmod(path, 0o666)  # its QEMU is another user
        return path

    yield start
    for process in running:
        process.send_signal(signal.SIGKILL)
        process.wait()


def chardevs(daemon, name):
    return daemon.virsh("qemu-monitor-command", name, '{"execute":"query-chardev"}')


def test_guest(daemon, backends, guest):
    """The guest has one from the start; a second comes and goes; what it hung on goes, too."""
    daemon.boot("w1", metadata=MEMFD, extra=PORTS + DISK.format(path=backends("one"), target="vda"))
    assert "type='vhostuser'" in daemon.virsh("dumpxml", "w1")
    before = peripherals(daemon, "w1")
    one = device(daemon, DISK.format(path=backends("two"), target="vdb"))
    daemon.virsh("attach-device", "w1", one, "--live")
    assert peripherals(daemon, "w1") - before == {"virtio-disk1"}
    daemon.virsh("detach-device", "w1", one, "--live")
    wait_for(lambda: peripherals(daemon, "w1") == before, 30, "a guest that has let go of the disk")
    wait_for(lambda: "charvirtio-disk1" not in chardevs(daemon, "w1"), 30, "a QEMU without its socket")
    gone = device(daemon, DISK.format(path=f"{daemon.root}/none.sock", target="vdb"))
    assert "none.sock" in daemon.virsh("attach-device", "w1", gone, "--live", ok=False)
    assert peripherals(daemon, "w1") == before and "charvirtio-disk1" not in chardevs(daemon, "w1")


def test_seen(daemon, backends, devices_guest):  # noqa: F811
    """The guest sees both: that it was started with, and that which comes."""
    boot(daemon, "w1", memory=MEMFD, devices=PORTS + DISK.format(path=backends("one"), target="vda"))
    wait_sees(daemon, "w1", "disk:vda:2048")
    daemon.virsh("attach-device", "w1", device(daemon, DISK.format(path=backends("two"), target="vdb")), "--live")
    wait_sees(daemon, "w1", "disk:vdb:2048")


def test_memory_of_its_own(daemon, backends):
    """Without shared memory it is neither defined nor attached."""
    path = backends("one")
    xml = daemon.xml("w1", boot=False, extra=DISK.format(path=path, target="vda"))
    assert "requires shared memory" in daemon.virsh("define", device(daemon, xml), ok=False)
    daemon.paused("w1", extra=PORTS)
    said = daemon.virsh("attach-device", "w1", device(daemon, DISK.format(path=path, target="vda")), "--live", ok=False)
    assert "disk 'vda'" in said and "shared" in said


def test_no_socket(daemon, backends):
    daemon.define("w1", boot=False, metadata=MEMFD, extra=DISK.format(path=f"{daemon.root}/none.sock", target="vda"))
    assert "none.sock' of domain 'w1'" in daemon.virsh("start", "w1", ok=False)


def test_nvme(daemon):
    """Its controller is handed over as a <hostdev> is: one that is not there, or that the host keeps, refuses the start."""
    devices = sorted(os.listdir("/sys/bus/pci/devices")) if os.path.isdir("/sys/bus/pci/devices") else []
    daemon.define("w1", boot=False, extra=NVME.format("0xfffe", "ff", "1f", "7", managed=""))
    assert "this host has no PCI device fffe:ff:1f.7" in daemon.virsh("start", "w1", ok=False)
    bound = [each for each in devices if os.path.exists(f"/sys/bus/pci/devices/{each}/driver")
             and os.path.basename(os.path.realpath(f"/sys/bus/pci/devices/{each}/driver")) != "vfio-pci"]
    if bound:
        domain, bus, rest = bound[0].split(":")
        slot, function = rest.split(".")
        daemon.define("w2", boot=False, extra=NVME.format("0x" + domain, bus, slot, function, managed="managed='no'"))
        assert f"Unmanaged PCI device {bound[0]}" in daemon.virsh("start", "w2", ok=False)
