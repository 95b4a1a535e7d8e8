# SPDX-License-Identifier: LGPL-2.1-or-later
"""A change of a device that QEMU makes, but only when nobody waits for it any more; vireod may have been killed meanwhile."""
import contextlib
import json
import os
import re
import signal
import subprocess

import pytest

from conftest import client, end_of, wait_for
from test_confine import USER, owner
from test_device import NIC, PORTS, cdrom, device, disk, medium, operations
from test_device_kinds import state
from test_snapshot import needs_strace
from test_taps import bridge, namespace  # noqa: F401

SCSI = "<controller type='scsi' model='virtio-scsi'/>"


@pytest.fixture(autouse=True)
def impatient(daemon):
    """What is looked at here is not the length of the deadline."""
    daemon.configure("answer_timeout_ms = 3000")


@contextlib.contextmanager
def held(pid, path, call):
    """QEMU stops at its next such system call on that file, until this ends: a function says whether it has come there."""
    trace = f"{path}.trace"
    holder = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, "-p", str(pid), "-P", path, "-e", f"trace={call}",
                               "-e", f"inject={call}:signal=SIGSTOP:when=1"], stdin=subprocess.DEVNULL)

    def is_there():
        with open(trace) as f:
            return "stopped by SIGSTOP" in f.read()

    wait_for(lambda: "TracerPid:\t0" not in open(f"/proc/{pid}/status").read(), 20, "strace")
    try:
        yield is_there
    finally:
        os.kill(pid, signal.SIGCONT)
        holder.terminate()
        holder.wait()


@contextlib.contextmanager
def stopped(pid):
    """It reads a command only after this."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_left_open(daemon, name, *command):
    """The command's error says that it is not over, and it is not."""
    code, said = end_of(client(daemon, *command), 60)
    assert code != 0 and re.search("operation [0-9]+ goes on when QEMU answers", said), said
    assert operations(daemon)[-1]["state"] == "acting"
    assert "is not connected" in daemon.virsh("detach-device-alias", name, "ua-any", "--live", ok=False)


def wait_outcome(daemon, wanted):
    wait_for(lambda: operations(daemon)[-1]["state"] not in ("acting", "pending"), 60, lambda: f"an end: {operations(daemon)}")
    assert operations(daemon)[-1]["state"] == wanted, operations(daemon)


def both(daemon, name):
    return daemon.virsh("dumpxml", name), daemon.virsh("dumpxml", name, "--inactive")


def test_image_that_is_opened_late(daemon):
    """QEMU opens it, and never hears of the device: nothing is left, and the next attach finds its names free. The image
    is QEMU's as long as it may have it open."""
    daemon.configure("answer_timeout_ms = 3000", f"user = +{USER}", f"group = +{USER}")
    daemon.paused("w1", extra=PORTS)
    before, inactive = state(daemon, "w1"), daemon.virsh("dumpxml", "w1", "--inactive")
    path, image = device(daemon, disk(daemon)), f"{daemon.root}/vdb.img"
    os.chmod(image, 0o600)
    with stopped(daemon.qemus()["w1"]):
        is_left_open(daemon, "w1", "attach-device", "w1", path, "--live", "--config")
        assert owner(image) == (USER, USER)
    wait_outcome(daemon, "undone")
    assert owner(image) == (os.geteuid(), os.getegid())
    assert state(daemon, "w1") == before and daemon.virsh("dumpxml", "w1", "--inactive") == inactive
    daemon.virsh("attach-device", "w1", path, "--live", "--config")
    assert all("'vdb'" in text for text in both(daemon, "w1"))


@pytest.mark.parametrize("step, outcome", [("sent", "undone"), ("answered", "done")])
def test_killed_transient_disk(daemon, step, outcome):
    """The overlay is what the next daemon knows of, too: the disk's source, or gone."""
    daemon.paused("w1", extra=PORTS)
    before, overlay = state(daemon, "w1"), f"{daemon.root}/vdb.img.TRANSIENT-w1"
    transient = disk(daemon).replace("</disk>", "<transient/></disk>")
    assert daemon.crash_at(step, "attach-device", "w1", device(daemon, transient), "--live")
    wait_outcome(daemon, outcome)
    if outcome == "undone":
        assert state(daemon, "w1") == before and not os.path.exists(overlay)
        return
    assert re.search(f"<source file='{overlay}'.*<backingStore.*<source file='{daemon.root}/vdb.img'",
                     daemon.virsh("dumpxml", "w1"), re.S)
    daemon.virsh("destroy", "w1")
    assert not os.path.exists(overlay)


def card(daemon):
    rom = os.path.join(daemon.root, "card.rom")
    with open(rom, "wb") as f:
        f.write(b"\x55\xaa\x01" + bytes(509))
    return rom, device(daemon, bridge().replace("</interface>", f"<rom file='{rom}'/></interface>"))


def has_card(daemon, before, after, name="w1"):
    assert len(after[0] - before[0]) == 1 and len(after[3]) == len(before[3]) + 1
    for text in both(daemon, name):
        assert text.count("card.rom") == 1


@needs_strace
@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("killed", [False, True])
def test_card_that_comes_late(daemon, killed):
    """QEMU has it by then: it is told of, and in both definitions, and its tap was never taken away."""
    daemon.paused("w1", extra=PORTS)
    before, (rom, path) = state(daemon, "w1"), card(daemon)
    pid = daemon.qemus()["w1"]
    listener = client(daemon, "event", "w1", "--event", "device-added", "--timeout", "60")
    with held(pid, rom, "openat") as is_there:
        if killed:
            attach = client(daemon, "attach-device", "w1", path, "--live", "--config")
            wait_for(is_there, 20, "QEMU at the card's ROM")
            daemon.stop(signal.SIGKILL)
            end_of(attach)
            daemon.start()
        else:
            is_left_open(daemon, "w1", "attach-device", "w1", path, "--live", "--config")
    wait_outcome(daemon, "done")
    has_card(daemon, before, state(daemon, "w1"))
    said = end_of(listener, 70)[1]
    assert killed or "device-added" in said, said
    daemon.stop(signal.SIGKILL)
    daemon.start()
    wait_for(lambda: "card.rom" in daemon.virsh("dumpxml", "w1"), 20, "the card in the next daemon")


@needs_strace
@pytest.mark.usefixtures("namespace")
def test_qemu_that_ends_instead(daemon):
    """Nothing of it is left on the host either."""
    daemon.paused("w1", extra=PORTS)
    before, (rom, path) = state(daemon, "w1")[3], card(daemon)
    pid = daemon.qemus()["w1"]
    with held(pid, rom, "openat"):
        is_left_open(daemon, "w1", "attach-device", "w1", path, "--live", "--config")
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "shut off" in daemon.virsh("domstate", "w1"), 30, "its end")
    assert operations(daemon)[-1]["state"] == "failed"
    daemon.virsh("start", "w1", "--paused")
    assert state(daemon, "w1")[3] == before and "card.rom" not in daemon.virsh("dumpxml", "w1")


def test_disk_that_goes_late(daemon):
    """QEMU lets go of it at once when it hears of that: it is gone from both definitions, with its nodes."""
    daemon.paused("w1", extra=PORTS + SCSI)
    before, inactive = state(daemon, "w1"), daemon.virsh("dumpxml", "w1", "--inactive")
    path = device(daemon, disk(daemon, "sdb").replace("virtio", "scsi"))
    daemon.virsh("attach-device", "w1", path, "--live", "--config")
    with stopped(daemon.qemus()["w1"]):
        is_left_open(daemon, "w1", "detach-disk", "w1", "sdb", "--live", "--config")
    wait_outcome(daemon, "done")
    assert state(daemon, "w1") == before and daemon.virsh("dumpxml", "w1", "--inactive") == inactive


@needs_strace
def test_image_that_is_closed_late(daemon):
    """The device has gone; its nodes go when QEMU answers again."""
    daemon.paused("w1", extra=PORTS + SCSI)
    before = state(daemon, "w1")
    daemon.virsh("attach-device", "w1", device(daemon, disk(daemon, "sdb").replace("virtio", "scsi")), "--live")
    with held(daemon.qemus()["w1"], f"{daemon.root}/sdb.img", "close"):
        daemon.virsh("detach-disk", "w1", "sdb", "--live")
        assert operations(daemon)[-1]["state"] == "pending" and "'sdb'" in daemon.virsh("dumpxml", "w1")
    wait_outcome(daemon, "done")
    assert state(daemon, "w1") == before


@needs_strace
@pytest.mark.parametrize("killed", [False, True])
def test_medium_that_is_opened_late(daemon, killed):
    """The drive has it in the end, and nothing of the old one."""
    daemon.configure("answer_timeout_ms = 3000", f"user = +{USER}", f"group = +{USER}")
    daemon.paused("w1", extra=cdrom(daemon, "a.iso"))
    before, path = len(state(daemon, "w1")[1]), device(daemon, cdrom(daemon, "b.iso"))
    os.chmod(f"{daemon.root}/b.iso", 0o600)
    pid = daemon.qemus()["w1"]
    with held(pid, f"{daemon.root}/b.iso", "openat") as is_there:
        if killed:
            update = client(daemon, "update-device", "w1", path, "--live", "--config")
            wait_for(is_there, 20, "QEMU at the medium")
            daemon.stop(signal.SIGKILL)
            end_of(update)
            daemon.start()
        else:
            is_left_open(daemon, "w1", "update-device", "w1", path, "--live", "--config")
    wait_outcome(daemon, "done")
    assert medium(daemon, "w1") == [f"{daemon.root}/b.iso"]
    assert len(state(daemon, "w1")[1]) == before
    assert owner(f"{daemon.root}/b.iso") == (USER, USER)
    daemon.virsh("change-media", "w1", "sdc", "--eject", "--live", "--force")
    assert owner(f"{daemon.root}/b.iso") == (os.geteuid(), os.getegid()) and medium(daemon, "w1") == []
    daemon.virsh("update-device", "w1", path, "--live")
    assert all("b.iso" in text and "a.iso" not in text for text in both(daemon, "w1"))


@needs_strace
def test_medium_that_is_missing_then(daemon):
    """It was to be put in when vireod was killed, and is no more: the drive has the old one again."""
    daemon.paused("w1", extra=cdrom(daemon, "a.iso"))
    before, inactive, path = state(daemon, "w1"), daemon.virsh("dumpxml", "w1", "--inactive"), cdrom(daemon, "b.iso")
    pid = daemon.qemus()["w1"]
    with held(pid, f"{daemon.root}/b.iso", "openat") as is_there:
        update = client(daemon, "update-device", "w1", device(daemon, path), "--live", "--config")
        wait_for(is_there, 20, "QEMU at the medium")
        daemon.stop(signal.SIGKILL)
        end_of(update)
        os.unlink(f"{daemon.root}/b.iso")
        daemon.start()
    wait_outcome(daemon, "undone")
    assert medium(daemon, "w1") == [f"{daemon.root}/a.iso"]
    assert daemon.virsh("dumpxml", "w1", "--inactive") == inactive
    wait_for(lambda: state(daemon, "w1") == before, 20, lambda: f"the same as before: {state(daemon, 'w1')} {before}")


def test_link_that_is_set_late(daemon):
    """What the definition says of a card is what QEMU was told once more."""
    daemon.paused("w1", extra=PORTS + NIC)
    with stopped(daemon.qemus()["w1"]):
        is_left_open(daemon, "w1", "domif-setlink", "w1", "52:54:00:aa:00:01", "down")
    wait_outcome(daemon, "done")
    assert "<link state='down'/>" in daemon.virsh("dumpxml", "w1")


def test_drive_that_was_empty(daemon):
    """Its medium comes late, and is put in once more: there is one."""
    drive = "<disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk>"
    daemon.paused("w1", extra=drive)
    with stopped(daemon.qemus()["w1"]):
        is_left_open(daemon, "w1", "update-device", "w1", device(daemon, cdrom(daemon, "b.iso")), "--live")
    wait_outcome(daemon, "done")
    assert medium(daemon, "w1") == [f"{daemon.root}/b.iso"]


def iops(daemon, name, target="vdb", *options):
    said = daemon.virsh("blkdeviotune", name, target, *options)
    return int(re.search(r"total_iops_sec\s*: (\d+)", said)[1])


def iops_in_qemu(daemon, name, alias):
    """Of its filter, or of the device."""
    said = json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps(
        {"execute": "qom-get", "arguments": {"path": f"/objects/group-{alias}", "property": "limits"}})))
    if "return" in said:
        return said["return"]["iops-total"]
    blocks = json.loads(daemon.virsh("qemu-monitor-command", name, '{"execute":"query-block"}'))["return"]
    return next(b["inserted"]["iops"] for b in blocks if alias in (b.get("qdev") or ""))


def wait_connected(daemon, name):
    wait_for(lambda: daemon.run("virsh", "qemu-monitor-command", name, '{"execute":"query-status"}', ok=None).returncode == 0,
             60, "a monitor")


@contextlib.contextmanager
def unanswered(daemon, name, how):
    """The n-th answer of QEMU from now on is as `how` says: a function says whether it was stopped there."""
    pid, trace = daemon.qemus()[name], f"{daemon.root}/answers.trace"
    holder = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, "-p", str(pid), "-e", "trace=sendmsg",
                               "-e", f"inject=sendmsg:{how}"], stdin=subprocess.DEVNULL)
    wait_for(lambda: "TracerPid:\t0" not in open(f"/proc/{pid}/status").read(), 20, "strace")
    try:
        yield lambda: "stopped by SIGSTOP" in open(trace).read()
    finally:
        os.kill(pid, signal.SIGCONT)
        holder.terminate()
        holder.wait()


@needs_strace
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("limited, n, then", [(True, 1, 700), (False, 1, 0), (False, 2, 700)],
                         ids=["filter", "no-filter", "device"])
def test_limits_of_a_disk_that_come_late(daemon, limited, n, then, killed):
    """QEMU has them, or has them not: so does the live definition, and the next daemon's, and the persistent one is as it
    was. A disk that had limits at the start has a filter, which is asked first."""
    limits = "<iotune><total_iops_sec>500</total_iops_sec></iotune>" if limited else ""
    daemon.paused("w1", extra=PORTS + disk(daemon).replace("</disk>", f"{limits}<alias name='ua-vdb'/></disk>"))
    before = iops(daemon, "w1", "vdb", "--config")
    call = ["blkdeviotune", "w1", "vdb", "--total-iops-sec", "700", "--live", "--config"]
    how = f"signal=SIGSTOP:when={n}" if killed or not then else f"delay_enter=8000000:when={n}"
    with unanswered(daemon, "w1", how) as is_there:
        waiting = client(daemon, *call)
        if killed:
            wait_for(is_there, 30, "a QEMU that has done it")
            daemon.stop(signal.SIGKILL)
            end_of(waiting)
            daemon.start()
        else:
            code, said = end_of(waiting, 60)
            assert code != 0 and "what QEMU makes of it is seen when it answers" in said
    wait_connected(daemon, "w1")
    assert iops(daemon, "w1") == iops_in_qemu(daemon, "w1", "ua-vdb") == then
    assert killed or iops(daemon, "w1", "vdb", "--config") == before
    daemon.stop(signal.SIGKILL)
    daemon.start()
    wait_connected(daemon, "w1")
    assert iops(daemon, "w1") == then
    daemon.virsh(*call)
    assert iops(daemon, "w1") == iops_in_qemu(daemon, "w1", "ua-vdb") == iops(daemon, "w1", "vdb", "--config") == 700


@needs_strace
def test_size_of_a_disk_that_comes_late(daemon):
    daemon.paused("w1", extra=PORTS + disk(daemon))
    with held(daemon.qemus()["w1"], f"{daemon.root}/vdb.img", "ftruncate"):
        code, said = end_of(client(daemon, "blockresize", "w1", "vdb", "32M"), 60)
        assert code != 0 and "what QEMU makes of it is seen when it answers" in said
        assert "is not connected" in daemon.virsh("blockresize", "w1", "vdb", "64M", ok=False)
    wait_connected(daemon, "w1")
    assert "33554432" in daemon.virsh("domblkinfo", "w1", "vdb")
    daemon.virsh("blockresize", "w1", "vdb", "64M")
    assert "67108864" in daemon.virsh("domblkinfo", "w1", "vdb")
