# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is made for a device that comes to a running machine, and what is left when vireod is cut short."""
import os
import re
import stat

import pytest

from conftest import wait_for
from test_device import NIC, PORTS, device, disk, nodes, operations, peripherals
from test_taps import bridge, links, namespace  # noqa: F401

USB = "<controller type='usb' model='qemu-xhci'/>"
KINDS = {
    "disk": disk,
    "usb disk": lambda daemon: disk(daemon, "sdx").replace("virtio", "usb"),
    "interface": lambda daemon: NIC,
    "tap": lambda daemon: bridge(),
    "rng": lambda daemon: "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "usb input": lambda daemon: "<input type='tablet' bus='usb'/>",
}


def objects(daemon, name):
    answer = daemon.virsh("qemu-monitor-command", name,
                          '{"execute":"qom-list","arguments":{"path":"/objects"}}')
    return set(re.findall(r'"name":\s*"([^"]*)"', answer))


def state(daemon, name):
    """All that a device could leave behind."""
    return (peripherals(daemon, name), sorted(nodes(daemon, name)), objects(daemon, name), links(),
            daemon.virsh("dumpxml", name))


def test_memory(daemon):
    """A DIMM has a place from the start, and comes to a machine that runs."""
    daemon.define("w1", boot=False, extra="", maximum=1)
    text = daemon.virsh("dumpxml", "w1", "--inactive")
    text = text.replace("<memory ", "<maxMemory slots='4' unit='MiB'>1024</maxMemory><memory ", 1)
    text = re.sub("<cpu.*</cpu>", "<cpu mode='custom'><model>qemu64</model><numa><cell id='0' cpus='0' "
                  "memory='64' unit='MiB'/></numa></cpu>", text, flags=re.S)
    daemon.virsh("define", device(daemon, text))
    daemon.virsh("start", "w1", "--paused")
    before = state(daemon, "w1")
    dimm = device(daemon, "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>")
    daemon.virsh("attach-device", "w1", dimm, "--live", "--config")
    assert "dimm0" in peripherals(daemon, "w1")
    assert "<memory unit='KiB'>196608</memory>" in daemon.virsh("dumpxml", "w1")
    assert "<memory model='dimm'>" in daemon.virsh("dumpxml", "w1", "--inactive")
    daemon.virsh("detach-device", "w1", dimm, "--live")
    assert operations(daemon)[-1]["state"] in ("pending", "done"), before


def test_a_tap_that_is_cut_short(daemon, namespace):  # noqa: F811
    """vireod is killed while it plugs a card: what it has made for it is gone, or the card is there."""
    daemon.paused("w1", extra=PORTS)
    for step, there in (("journaled", False), ("sent", False), ("answered", True)):
        before = state(daemon, "w1")
        assert daemon.crash_at(step, "attach-device", "w1", device(daemon, bridge()), "--live"), step
        wait_for(lambda: operations(daemon)[-1]["state"] in ("done", "undone"), 20, "an outcome")
        assert operations(daemon)[-1]["state"] == ("done" if there else "undone"), step
        if there:
            assert len(links() - before[3]) == 1
        else:
            assert state(daemon, "w1") == before, step


def test_own_dev(daemon):
    """A node that a device names is in QEMU's own /dev while it runs."""
    path = f"/dev/vireo-test-{os.getpid()}"
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 9))
    except PermissionError:
        pytest.skip("SKIP: no node can be made here")
    try:
        daemon.paused("w1", extra=PORTS)
        assert os.stat("/proc/self/ns/mnt").st_ino != os.stat(f"/proc/{daemon.qemus()['w1']}/ns/mnt").st_ino
        rng = device(daemon, KINDS["rng"](daemon).replace("/dev/urandom", path))
        daemon.virsh("attach-device", "w1", rng, "--live")
        assert os.stat(f"/proc/{daemon.qemus()['w1']}/root{path}").st_rdev == os.makedev(1, 9)
        assert os.stat(path).st_uid == 0
    finally:
        os.unlink(path)


def test_an_attach_is_held_to_the_rules_of_define(daemon):
    """What a define refuses does not come into a definition by the back door."""
    watchdog = "<watchdog model='i6300esb' action='reset'/>"
    daemon.define("w1", boot=False, extra=watchdog)
    before = daemon.virsh("dumpxml", "w1", "--inactive")
    said = daemon.virsh("attach-device", "w1", device(daemon, watchdog), "--config", ok=False)
    assert "has a <watchdog> already" in said
    floppy = "<disk type='file' device='floppy'><source file='/none'/><target dev='vdb' bus='fdc'/></disk>"
    assert "'fd' is in front" in daemon.virsh("attach-device", "w1", device(daemon, floppy), "--config", ok=False)
    assert daemon.virsh("dumpxml", "w1", "--inactive") == before
    daemon.virsh("attach-device", "w1", device(daemon, KINDS["rng"](daemon)), "--config")


def test_a_vsock_of_the_definition(daemon):
    """It comes into a definition and out of it; a machine has one; one that runs neither gets nor gives it."""
    daemon.define("w1", boot=False)
    before = daemon.virsh("dumpxml", "w1", "--inactive")
    vsock = device(daemon, "<vsock model='virtio'><cid auto='no' address='77'/></vsock>")
    daemon.virsh("attach-device", "w1", vsock, "--config")
    assert "<cid auto='no' address='77'/>" in daemon.virsh("dumpxml", "w1")
    assert "has a <vsock> already" in daemon.virsh("attach-device", "w1", vsock, "--config", ok=False)
    assert "not supported" in daemon.virsh("update-device", "w1", vsock, "--config", ok=False)
    other = device(daemon, "<vsock model='virtio'><cid auto='no' address='78'/></vsock>")
    assert "no <vsock>" in daemon.virsh("detach-device", "w1", other, "--config", ok=False)
    vsock = device(daemon, "<vsock model='virtio'><cid auto='no' address='77'/></vsock>")
    daemon.stop()
    daemon.start()
    daemon.virsh("detach-device", "w1", vsock, "--config")
    assert "<vsock" not in daemon.virsh("dumpxml", "w1")
    assert before.count("pcie-root-port") <= daemon.virsh("dumpxml", "w1").count("pcie-root-port")
    daemon.virsh("start", "w1", "--paused")
    assert "not supported" in daemon.virsh("attach-device", "w1", vsock, "--live", ok=False)
