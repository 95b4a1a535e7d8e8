# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which device nodes the kernel lets a running QEMU open, read from its group of cgroup v1's controller "devices"."""
import errno
import os
import subprocess

import pytest

from conftest import Daemon, wait_for

MOUNT = "/sys/fs/cgroup/devices"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: only root can limit a QEMU's devices"),
    pytest.mark.skipif(not os.access(f"{MOUNT}/devices.deny", os.W_OK), reason="SKIP: no controller 'devices' of cgroup v1"),
]
BASIC = {"c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:2", "c 136:*"}


@pytest.fixture(autouse=True)
def defaults(monkeypatch):
    """As an administrator has it who sets nothing."""
    monkeypatch.setattr(Daemon, "settings", [])


@pytest.fixture
def loop(daemon):
    """A block device of the host, of nobody else."""
    with open(f"{daemon.root}/disk.raw", "wb") as f:
        f.truncate(1 << 20)
    made = subprocess.run(["losetup", "-f", "--show", f"{daemon.root}/disk.raw"], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip("SKIP: no loop devices here")
    yield made.stdout.strip()
    subprocess.run(["losetup", "-d", made.stdout.strip()], check=True)


def group(pid):
    with open(f"/proc/{pid}/cgroup") as f:
        return MOUNT + next(line.split(":", 2)[2].strip() for line in f if line.split(":")[1] == "devices")


def allowed(pid):
    with open(f"{group(pid)}/devices.list") as f:
        lines = f.read().split("\n")
    assert all(line.endswith(" rwm") for line in lines if line), lines
    return {line[:-4] for line in lines if line}


def basic():
    return BASIC | ({numbers("/dev/kvm")} if os.path.exists("/dev/kvm") else set())


def numbers(path):
    info = os.stat(path)
    return f"{'b' if os.path.exists(f'/sys/dev/block/{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}') else 'c'} " \
        f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"


def try_in(directory, path):
    """What a process of root's with all capabilities gets that is in the group: errno or 0."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            with open(f"{directory}/cgroup.procs", "w") as f:
                f.write(str(os.getpid()))
            try:
                os.close(os.open(path, os.O_RDONLY))
                code = 0
            except OSError as error:
                code = error.errno
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def usb_disk(path):
    return (f"<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='{path}'/>"
            "<target dev='sdx' bus='usb'/></disk>")


USB = "<controller type='usb' model='qemu-xhci'/>"


def test_nothing_but_its_own(daemon):
    daemon.paused("plain")
    pid = daemon.qemus()["plain"]
    assert allowed(pid) == basic()
    assert try_in(group(pid), "/dev/null") == 0
    assert try_in(group(pid), "/dev/kmsg") == errno.EPERM and try_in("/sys/fs/cgroup/devices", "/dev/kmsg") == 0
    here = group(pid)
    daemon.virsh("destroy", "plain")
    assert not os.path.exists(here)


def test_a_device_that_comes_and_goes(daemon, loop):
    """Given before QEMU opens it, taken when QEMU has let it go; a daemon that is new takes it, too."""
    daemon.paused("plug", extra=USB)
    pid = daemon.qemus()["plug"]
    xml = f"{daemon.root}/disk.xml"
    with open(xml, "w") as f:
        f.write(usb_disk(loop))
    daemon.virsh("attach-device", "plug", xml, "--live")
    assert allowed(pid) == basic() | {numbers(loop)}
    daemon.virsh("detach-device", "plug", xml, "--live")
    wait_for(lambda: allowed(pid) == basic(), 10, "the node is taken back")
    daemon.virsh("attach-device", "plug", xml, "--live")
    daemon.stop()
    daemon.start()
    assert allowed(pid) == basic() | {numbers(loop)}
    daemon.virsh("setvcpus", "plug", "3", "--live")
    assert {group(f"{pid}/task/{tid}") for tid in os.listdir(f"/proc/{pid}/task")} == {group(pid)}
    daemon.virsh("detach-device", "plug", xml, "--live")
    wait_for(lambda: allowed(pid) == basic(), 10, "the node is taken back by another daemon")


def test_a_device_that_does_not_come(daemon, loop):
    """An attach that QEMU refuses leaves nothing."""
    daemon.paused("refused", extra=USB)
    pid = daemon.qemus()["refused"]
    xml = f"{daemon.root}/disk.xml"
    with open(xml, "w") as f:
        f.write(usb_disk(loop).replace("raw", "qcow2"))
    said = daemon.virsh("attach-device", "refused", xml, "--live", ok=False)
    assert "qcow2" in said, said
    assert allowed(pid) == basic()


def test_a_medium_that_is_changed(daemon, loop):
    daemon.paused("drive", extra="<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>")
    pid = daemon.qemus()["drive"]
    daemon.virsh("change-media", "drive", "sda", loop, "--insert", "--live", "--block")
    assert allowed(pid) == basic() | {numbers(loop)}
    daemon.virsh("change-media", "drive", "sda", "--eject", "--live")
    assert allowed(pid) == basic()


def test_what_a_definition_names(daemon, loop):
    daemon.paused("disk", extra=usb_disk(loop) + USB)
    assert allowed(daemon.qemus()["disk"]) == basic() | {numbers(loop)}


def test_the_setting_takes_it_back(daemon):
    daemon.configure("private_dev = no")
    daemon.paused("open")
    assert group(daemon.qemus()["open"]) == group("self")
