# SPDX-License-Identifier: LGPL-2.1-or-later
"""What QEMU tells comes to those who wait for it: stock virsh's `event`, on a real QEMU."""
import os
import socket
import subprocess

import pytest

from conftest import PATIENT, end_of, wait_for

DEVICES = """<disk type='file' device='cdrom'><source file='{iso}'/><target dev='sda' bus='sata'/></disk>
<disk type='file'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda' bus='virtio'/></disk>
<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>"""


@pytest.fixture
def machine(daemon):
    """A paused machine with a CD-ROM, a disk and a display, and a virsh that prints its events."""
    for name in "iso", "image":
        with open(f"{daemon.root}/{name}", "wb") as f:
            f.truncate(1 << 20)
    daemon.configure(*PATIENT)
    daemon.paused("m1", extra=DEVICES.format(iso=f"{daemon.root}/iso", image=f"{daemon.root}/image"))
    path = f"{daemon.root}/events"
    with open(path, "w") as out:
        listener = subprocess.Popen(["virsh", "-c", daemon.uri, "event", "--all", "--loop"], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=subprocess.STDOUT)

    def events():
        with open(path) as f:
            return f.read().splitlines()

    # it says nothing when it is ready: the first event that comes tells
    wait_for(lambda: daemon.virsh("desc", "m1", "--title", "--live", "a title") is not None and
             any("metadata-change" in line for line in events()), 60, "a virsh that listens")
    yield daemon, events
    listener.terminate()
    end_of(listener)


def expect(events, *parts):
    wait_for(lambda: any(all(part in line for part in parts) for line in events()), 30,
             lambda: f"an event with {parts} in {events()}")


def test_tray(machine):
    daemon, events = machine
    assert "tray=" not in daemon.virsh("dumpxml", "m1")
    daemon.virsh("qemu-monitor-command", "m1", '{"execute": "blockdev-open-tray", "arguments": {"id": "sata0-0-0"}}')
    expect(events, "'tray-change' for domain 'm1' disk sata0-0-0: opened")
    assert "<target dev='sda' bus='sata' tray='open'/>" in daemon.virsh("dumpxml", "m1")
    daemon.stop()  # the next daemon is not told of it again
    daemon.start()
    assert "<target dev='sda' bus='sata' tray='open'/>" in daemon.virsh("dumpxml", "m1")
    daemon.virsh("qemu-monitor-command", "m1", '{"execute": "blockdev-close-tray", "arguments": {"id": "sata0-0-0"}}')
    wait_for(lambda: "tray=" not in daemon.virsh("dumpxml", "m1"), 30, "a definition with a closed tray")


def test_display(machine):
    daemon, events = machine
    port = 5900 + int(daemon.virsh("vncdisplay", "m1").strip().rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as viewer:
        mine = viewer.getsockname()[1]
        assert viewer.recv(12).startswith(b"RFB 003.")
        viewer.sendall(b"RFB 003.008\n")
        assert viewer.recv(2) == b"\1\1"
        viewer.sendall(b"\1")
        assert viewer.recv(4) == bytes(4)
        viewer.sendall(b"\1")
        expect(events, "'graphics' for domain 'm1'", ": connect local[", f"127.0.0.1 {port}]", f" {mine}]", "none")
        expect(events, "'graphics' for domain 'm1'", ": initialize ", f" {mine}]")
    expect(events, "'graphics' for domain 'm1'", ": disconnect ", f" {mine}]")


def test_metadata(machine):
    daemon, events = machine
    daemon.virsh("metadata", "m1", "urn:vireo:test", "--key", "v", "--set", "<note/>", "--live")
    expect(events, "'metadata-change' for domain 'm1': ", "element, uri urn:vireo:test")


MEDIUM = """<disk type='file' device='cdrom'><source file='{path}' startupPolicy='{policy}'/>
<target dev='sda' bus='sata'/></disk>"""
DISK = """<disk type='file'><driver name='qemu' type='raw'/><source file='{path}' startupPolicy='optional'/>
<target dev='vda' bus='virtio'/></disk>"""


def replace(daemon, extra):
    """The machine is another one, which is shut off and has these disks."""
    daemon.virsh("destroy", "m1")
    daemon.virsh("undefine", "m1")
    daemon.define("m1", boot=False, extra=extra)


def test_missing_at_start(machine):
    """What may be missing is left out of the machine, and stays in its definition."""
    daemon, events = machine
    path = f"{daemon.root}/gone.iso"
    replace(daemon, MEDIUM.format(path=path, policy="optional") + DISK.format(path=f"{path}.img"))
    daemon.virsh("start", "m1", "--paused")
    expect(events, "'disk-change' for domain 'm1' disk sata0-0-0: ", f"{path} -> ")
    expect(events, "'disk-change' for domain 'm1' disk virtio-disk0: ", f"{path}.img -> ")
    live, kept = daemon.virsh("dumpxml", "m1"), daemon.virsh("dumpxml", "m1", "--inactive")
    assert "gone.iso" not in live and "<target dev='sda' bus='sata'/>" in live and "vda" not in live
    assert f"<source file='{path}' startupPolicy='optional'/>" in kept and "vda" in kept
    daemon.virsh("destroy", "m1")
    for name in path, f"{path}.img":
        with open(name, "wb") as f:
            f.truncate(1 << 20)
    daemon.virsh("start", "m1", "--paused")
    assert "gone.iso" in daemon.virsh("dumpxml", "m1") and "vda" in daemon.virsh("dumpxml", "m1")


@pytest.mark.parametrize("policy", ["mandatory", "requisite"])
def test_missing_and_wanted(machine, policy):
    daemon, events = machine
    path = f"{daemon.root}/gone.iso"
    replace(daemon, MEDIUM.format(path=path, policy=policy))
    said = daemon.virsh("start", "m1", ok=False)
    assert f"cannot read the disk '{path}' of domain 'm1'" in said
    assert daemon.virsh("domstate", "m1").strip() == "shut off"


def test_missing_after_save(machine):
    """A guest that had it when it was saved goes on without what is requisite."""
    daemon, events = machine
    path = f"{daemon.root}/soon-gone.iso"
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    replace(daemon, MEDIUM.format(path=path, policy="requisite"))
    daemon.virsh("start", "m1", "--paused")
    daemon.virsh("managedsave", "m1")
    os.unlink(path)
    daemon.virsh("start", "m1")
    expect(events, "'disk-change' for domain 'm1' disk sata0-0-0: ", f"{path} -> ")
    assert "soon-gone" not in daemon.virsh("dumpxml", "m1")
