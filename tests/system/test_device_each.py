# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attach and detach of each kind of device: what the guest sees of it, what QEMU has, what is left; and the same when the guest
refuses, says nothing, answers late, or vireod is killed meanwhile."""
import os
import re
import signal

import pytest

from conftest import wait_for
from devices_guest import MEMFD, boot, define, devices_guest, sees, wait_sees  # noqa: F401
from test_device import NIC, device, operations, peripherals
from test_device_kinds import state
from test_taps import bridge, namespace  # noqa: F401

pytestmark = pytest.mark.usefixtures("devices_guest", "namespace")
CELL = "<numa><cell id='0' cpus='0-3' memory='384' unit='MiB'/></numa>"
MAXIMUM = "<maxMemory slots='4' unit='MiB'>2048</maxMemory>"
BUSES = ("<controller type='pci' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 12 +
         "<controller type='pci' model='pcie-to-pci-bridge'/><controller type='usb' model='qemu-xhci' ports='15'/>"
         "<controller type='scsi' model='virtio-scsi'/><controller type='virtio-serial'/>"
         "<graphics type='spice' autoport='yes'/><video><model type='vga'/></video>")
CHANNEL = "<channel type='{}'>{}<target type='virtio' name='{}'/></channel>"
# Asks the guest to keep its memory (guest-init-devices).
KEEP = CHANNEL.format("unix", "", "org.vireo.keepmemory")


def disk(target, bus, mib, kind="disk"):
    def make(daemon):
        path = f"{daemon.root}/{target}.img"
        with open(path, "wb") as f:
            f.truncate(mib << 20)
        return f"<disk type='file' device='{kind}'><source file='{path}'/><target dev='{target}' bus='{bus}'/></disk>"
    return make


def folder(daemon):
    os.makedirs(f"{daemon.root}/share", exist_ok=True)
    return (f"<filesystem type='mount'><driver type='virtiofs'/><source dir='{daemon.root}/share'/>"
            "<target dir='tag'/></filesystem>")


def shmem(daemon):
    return (f"<shmem name='{os.path.basename(daemon.root)}'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>")


def fixed(xml):
    return lambda daemon: xml


# What the guest sees of it, None when that is nothing (a USB serial line is there while somebody has its other end);
# whether the guest has to let it go.
KINDS = {
    "virtio disk": (disk("vdb", "virtio", 1), "disk:vd.:2048", True),
    "scsi disk": (disk("sdb", "scsi", 2), "disk:sd.:4096", False),
    "usb disk": (disk("sdx", "usb", 3), "disk:sd.:6144", False),
    "scsi cdrom": (disk("sdc", "scsi", 4, "cdrom"), "disk:sr0:.*", False),
    "interface": (fixed(NIC), "net:52:54:00:aa:00:01", True),
    "e1000e": (fixed(NIC.replace("00:01", "00:02").replace("virtio", "e1000e")), "net:52:54:00:aa:00:02", True),
    "tap": (fixed(bridge().replace("00:01", "00:03")), "net:52:54:00:aa:00:03", True),
    "rng": (fixed("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"), "rng:virtio_rng.*", True),
    "watchdog": (fixed("<watchdog model='i6300esb' action='none'/>"), "watchdog:i6300ESB.*", True),
    "usb input": (fixed("<input type='tablet' bus='usb'/>"), "usb:QEMU_USB_Tablet", False),
    "virtio input": (fixed("<input type='keyboard' bus='virtio'/>"), "input:QEMU_Virtio_Keyboard", True),
    "unix channel": (fixed(CHANNEL.format("unix", "", "org.vireo.a")), "port:org.vireo.a", False),
    "file channel": (lambda daemon: CHANNEL.format("file", f"<source path='{daemon.root}/channel.out'/>", "org.vireo.b"),
                     "port:org.vireo.b", False),
    "usb serial": (fixed("<serial type='pty'><target type='usb-serial' port='3'/></serial>"), None, False),
    "redirdev": (fixed("<redirdev bus='usb' type='spicevmc'/>"), None, False),
    "shmem": (shmem, "pci:1af4:1110", True),
    "filesystem": (folder, "pci:1af4:105a", True),
    "memory": (fixed("<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"), "memory:4",
               True),
}


@pytest.fixture
def clean(daemon):
    """What QEMU makes for a <shmem> it leaves there."""
    yield daemon
    path = f"/dev/shm/{os.path.basename(daemon.root)}"
    if os.path.exists(path):
        os.unlink(path)


def machine(daemon, name="w1", start=boot):
    start(daemon, name, devices=BUSES, memory=MAXIMUM + MEMFD, numa=CELL)


def states(daemon, n):
    return [op["state"] for op in operations(daemon)[-n:]]


def wait_state(daemon, wanted, what):
    wait_for(lambda: state(daemon, "w1") == wanted, 60, lambda: f"end of {what}: {wanted} but {state(daemon, 'w1')}")


def wait_unseen(daemon, word, kind):
    wait_for(lambda: not any(re.fullmatch(word, each) for each in sees(daemon, "w1")), 60, lambda: f"guest without the {kind}")


def plugged(daemon, before):
    """The aliases of what came."""
    return peripherals(daemon, "w1") - before[0]


def test_each_comes_and_goes(clean):
    """By the file of the device or by its alias, in what runs, in the definition, in both."""
    daemon = clean
    machine(daemon)
    inactive = daemon.virsh("dumpxml", "w1", "--inactive")
    for i, (kind, (make, word, _)) in enumerate(KINDS.items()):
        client, flags = (daemon.virsh, daemon.vireo)[i % 2], (["--live"], ["--live", "--config"], ["--current"])[i % 3]
        before, path = state(daemon, "w1"), device(daemon, make(daemon))
        client("attach-device", "w1", path, *flags)
        came = plugged(daemon, before)
        assert len(came) == 1, kind
        assert (daemon.virsh("dumpxml", "w1", "--inactive") == inactive) == ("--config" not in flags), kind
        if word:
            wait_sees(daemon, "w1", word)
        if i % 2 and "--config" not in flags:
            client("detach-device-alias", "w1", came.pop(), *flags)
        else:
            client("detach-device", "w1", path, *flags)
        wait_state(daemon, before, kind)
        if word:
            wait_unseen(daemon, word, kind)
        wait_for(lambda: states(daemon, 2) == ["done", "done"], 20, lambda: f"{kind}: {operations(daemon)[-2:]}")
        assert daemon.virsh("dumpxml", "w1", "--inactive") == inactive, kind


def test_each_is_kept_by_a_guest_that_says_nothing(clean):
    """Until it does: the devices are in the XML and the operations pending, also for the next daemon."""
    daemon = clean
    daemon.configure("unplug_timeout_ms = 200")
    machine(daemon)
    before = state(daemon, "w1")
    slow = {kind: make(daemon) for kind, (make, _, asks) in KINDS.items() if asks}
    for kind, xml in slow.items():
        daemon.virsh("attach-device", "w1", device(daemon, xml), "--live")
    for kind in slow:
        wait_sees(daemon, "w1", KINDS[kind][1])
    daemon.virsh("suspend", "w1")
    there = daemon.virsh("dumpxml", "w1")
    for kind, xml in slow.items():
        daemon.virsh("detach-device", "w1", device(daemon, xml), "--live")
        assert states(daemon, 1) == ["pending"], kind
    assert daemon.virsh("dumpxml", "w1") == there
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert daemon.virsh("dumpxml", "w1") == there
    assert len(plugged(daemon, before)) == len(slow)
    daemon.virsh("resume", "w1")
    wait_state(daemon, before, "all of them")
    wait_for(lambda: states(daemon, len(slow)) == ["done"] * len(slow), 20, lambda: str(operations(daemon)))


def test_what_the_guest_or_its_machine_keeps(clean):
    """A guest that will not give its memory back says so; a slot without hotplug says it for QEMU."""
    daemon = clean
    card = NIC.replace("00:01", "00:09")
    fixed_slot = ("<controller type='pci' index='14' model='pcie-root-port'><target hotplug='off'/></controller>" +
                  card.replace("</", "<address type='pci' domain='0' bus='14' slot='0' function='0'/></"))
    boot(daemon, "w1", devices=BUSES + fixed_slot, memory=MAXIMUM + MEMFD, numa=CELL)
    daemon.virsh("attach-device", "w1", device(daemon, KEEP), "--live")
    wait_sees(daemon, "w1", "keeps")
    memory, word, _ = KINDS["memory"]
    xml = device(daemon, memory(daemon))
    daemon.virsh("attach-device", "w1", xml, "--live", "--config")
    wait_sees(daemon, "w1", word)
    there, inactive = state(daemon, "w1"), daemon.virsh("dumpxml", "w1", "--inactive")
    assert "rejected by the guest" in daemon.virsh("detach-device", "w1", xml, "--live", "--config", ok=False)
    assert states(daemon, 1) == ["refused"]
    assert "hot" in daemon.virsh("detach-device", "w1", device(daemon, card), "--live", "--config", ok=False)
    assert states(daemon, 1) == ["refused"]
    assert (state(daemon, "w1"), daemon.virsh("dumpxml", "w1", "--inactive")) == (there, inactive)
    daemon.virsh("detach-device", "w1", device(daemon, KEEP), "--live")
    wait_unseen(daemon, "keeps", "channel")
    daemon.virsh("detach-device", "w1", device(daemon, memory(daemon)), "--live", "--config")
    wait_for(lambda: "dimm" not in " ".join(peripherals(daemon, "w1")), 60, "the guest lets go of its memory")
    wait_for(lambda: states(daemon, 1) == ["done"], 20, lambda: str(operations(daemon)[-1]))


def test_each_in_a_slot_without_hotplug(clean):
    """QEMU says so at once, whatever is in it: that is a refusal, nothing is pending and nothing has changed."""
    daemon, xmls, devices = clean, [], BUSES
    for port, kind in enumerate(("virtio disk", "interface", "e1000e", "tap", "rng", "virtio input", "shmem", "filesystem"), 14):
        before, end, after = KINDS[kind][0](daemon).rpartition("</")
        if kind == "virtio input":
            before, end, after = "<input type='keyboard' bus='virtio'>", "</", "input>"
        xmls.append(f"{before}<address type='pci' domain='0' bus='{port}' slot='0' function='0'/>{end}{after}")
        devices += f"<controller type='pci' index='{port}' model='pcie-root-port'><target hotplug='off'/></controller>"
    define(daemon, "w1", devices=devices + "".join(xmls), memory=MAXIMUM + MEMFD, numa=CELL)
    daemon.virsh("start", "w1", "--paused")
    there, inactive = state(daemon, "w1"), daemon.virsh("dumpxml", "w1", "--inactive")
    for xml in xmls:
        error = daemon.virsh("detach-device", "w1", device(daemon, xml), "--live", "--config", ok=False)
        assert "does not support hotplugging" in error, (xml, error)
        assert states(daemon, 1) == ["refused"], xml
    assert (state(daemon, "w1"), daemon.virsh("dumpxml", "w1", "--inactive")) == (there, inactive)


def test_each_is_plugged_by_a_daemon_that_is_killed(clean):
    """Before QEMU has it nothing is left of it, afterwards it is there."""
    daemon = clean
    define(daemon, "w1", devices=BUSES, memory=MAXIMUM + MEMFD, numa=CELL)
    daemon.virsh("start", "w1", "--paused")
    for kind, (make, _, _) in KINDS.items():
        path = device(daemon, make(daemon))
        for step, there in (("sent", False), ("answered", True)):
            before = state(daemon, "w1")
            assert daemon.crash_at(step, "attach-device", "w1", path, "--live"), (kind, step)
            wait_for(lambda: states(daemon, 1)[0] in ("done", "undone"), 20, "an outcome")
            assert states(daemon, 1) == ["done" if there else "undone"], (kind, step)
            assert len(plugged(daemon, before)) == there, (kind, step)
            if not there:
                assert state(daemon, "w1") == before, (kind, step)


def test_each_is_asked_back_by_a_daemon_that_is_killed(clean):
    """The next one sees it to its end, in the definition too."""
    daemon = clean
    machine(daemon)
    inactive = daemon.virsh("dumpxml", "w1", "--inactive")
    for i, (kind, (make, word, _)) in enumerate(KINDS.items()):
        step, path = ("journaled", "sent", "answered")[i % 3], device(daemon, make(daemon))
        before = state(daemon, "w1")
        daemon.virsh("attach-device", "w1", path, "--live", "--config")
        if word:
            wait_sees(daemon, "w1", word)
        assert daemon.crash_at(step, "detach-device", "w1", path, "--live", "--config"), (kind, step)
        wait_state(daemon, before, f"{kind} at {step}")
        wait_for(lambda: states(daemon, 1) == ["done"], 20, lambda: f"{kind} at {step}: {operations(daemon)[-1]}")
        assert daemon.virsh("dumpxml", "w1", "--inactive") == inactive, (kind, step)
