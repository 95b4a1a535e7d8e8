# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest finds that breaks out of its QEMU: read from /proc of a running one."""
import os
import stat

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: only root can confine a QEMU")


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def limits(pid):
    with open(f"/proc/{pid}/limits") as f:
        return {line[:25].strip(): line[26:].split()[:2] for line in f}


def node(pid, name):
    return os.stat(f"/proc/{pid}/root/dev/{name}")


def may_mount():
    """Whether this host lets a process have a /dev of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            os.execvp("unshare", ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt && mknod /mnt/null c 1 3"])
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def test_no_privilege(daemon):
    daemon.paused("plain")
    pid = daemon.qemus()["plain"]
    seen = status(pid)
    assert seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2", seen
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(seen[kind], 16) == 0, (kind, seen[kind])
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    with open(f"/proc/{pid}/environ", "rb") as f:
        names = sorted(word.split(b"=")[0].decode() for word in f.read().split(b"\0") if word)
    assert names == ["HOME", "LC_ALL", "PATH", "VIREO_MONITOR"]
    assert limits(pid)["Max core file size"] == ["0", "0"]
    with open(f"/proc/{pid}/cmdline") as f:
        words = f.read().split("\0")
    assert "dump-guest-core=off" in words[words.index("-machine") + 1]
    assert words[words.index("-sandbox") + 1] == \
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def test_a_small_dev(daemon):
    if not may_mount():
        pytest.skip("SKIP: no mount namespaces here")
    daemon.paused("small", extra="<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")
    pid = daemon.qemus()["small"]
    assert os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    assert stat.S_ISCHR(node(pid, "null").st_mode) and node(pid, "null").st_rdev == os.makedev(1, 3)
    names = set(os.listdir(f"/proc/{pid}/root/dev"))
    assert names <= {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "kvm", "pts", "shm", "mqueue",
                     "hugepages", "fd", "stdin", "stdout", "stderr"}, names
    assert os.path.exists("/dev/null") and not os.path.ismount("/dev/null")  # nothing of it came back here


def test_settings_take_it_back(daemon):
    daemon.configure("sandbox = no", "private_dev = no", "max_core_mib = 1")
    daemon.paused("open")
    pid = daemon.qemus()["open"]
    assert status(pid)["Seccomp"] == "0" and status(pid)["NoNewPrivs"] == "1"
    assert os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    assert limits(pid)["Max core file size"][0] in ("0", str(1 << 20))


def test_a_pty_and_kvm(daemon):
    """What is opened by QEMU itself, in its own /dev."""
    kind = "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) else "qemu"
    cpu = "<cpu mode='custom'><model>kvm64</model></cpu>" if kind == "kvm" else ""
    daemon.paused("pty", kind=kind, cpu=cpu, extra="<console type='pty'><target type='virtio' port='1'/></console>")
    xml = daemon.virsh("dumpxml", "pty")
    assert "path='/dev/pts/" in xml, xml


def test_memory_that_cannot_be_locked_is_named(daemon):
    """With a limit that vireod cannot raise; or it is locked."""
    daemon.define("locked", boot=False, metadata="<memoryBacking><locked/></memoryBacking>")
    result = daemon.run("virsh", "start", "locked", "--paused", ok=None)
    if result.returncode == 0:
        assert int(status(daemon.qemus()["locked"])["VmLck"].split()[0]) >= 64 * 1024
    else:
        assert "cannot be locked" in result.stderr
