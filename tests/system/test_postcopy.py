# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that are switched to post-copy on their way, moved by stock virsh."""
import contextlib
import fcntl
import os
import re
import signal
import struct

import pytest

from conftest import GUEST, VIREO, Daemon, client, end_of, wait_for
from test_migrate import other, state, xml_for  # noqa: F401 (a fixture)
from writing_guest import rounds, sector_guest, writing_initrd, written

SYSCTL = "/proc/sys/vm/unprivileged_userfaultfd"


@contextlib.contextmanager
def sysctl(value):
    """It is the whole host's: one test at a time has it."""
    with open(SYSCTL) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        before = f.read().strip()
        try:
            write_sysctl(value)
        except OSError as error:
            pytest.skip(f"SKIP: {SYSCTL} cannot be set: {error}")
        try:
            yield
        finally:
            write_sysctl(before)


def write_sysctl(value):
    with open(SYSCTL) as f:
        if f.read().strip() == value:
            return
    with open(SYSCTL, "w") as f:
        f.write(value)


@pytest.fixture
def allowed():
    """QEMU may have its memory in post-copy."""
    with sysctl("1"):
        yield


@contextlib.contextmanager
def moving(daemon, other, *flags, speed="1", postcopy_speed=None):  # noqa: F811
    """virsh that moves vm1, which would take for ever."""
    daemon.virsh("migrate-setspeed", "vm1", speed)
    slow = ["--postcopy-bandwidth", postcopy_speed] if postcopy_speed else []
    process = client(daemon, "migrate", "--live", "--postcopy", *slow, *flags, "vm1", other.uri, "--xml",
                     xml_for(other, daemon, "vm1"))
    try:
        wait_for(lambda: process.poll() is not None or
                 "Outgoing migration" in daemon.run("virsh", "domjobinfo", "vm1", ok=None).stdout, 20,
                 "migration under way")
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_guest_that_writes(daemon, other, allowed, guest):  # noqa: F811
    """Linux, which finds again what it has written before, during and after."""
    writing_initrd(f"{daemon.root}/initrd-writing")
    daemon.define("vm1", initrd=os.path.relpath(f"{daemon.root}/initrd-writing", GUEST))
    daemon.virsh("start", "vm1")
    wait_for(lambda: rounds(daemon, "vm1") > 2, 60, "guest that writes")
    here, there = (client(side, "event", "--all", "--loop", "--timeout", "300") for side in (daemon, other))
    with moving(daemon, other, speed="8", postcopy_speed="16") as process:
        daemon.virsh("migrate-postcopy", "vm1")
        wait_for(lambda: state(other, "vm1") == "running (post-copy)", 20, "post-copy")
        assert state(daemon, "vm1") == "paused (post-copy)"
        assert re.search(r"Postcopy requests: +\d+", daemon.virsh("domjobinfo", "vm1"))
        assert daemon.virsh("migrate-getspeed", "vm1", "--postcopy").strip() == "16"
        assert "it is in post-copy" in daemon.virsh("domjobabort", "vm1", ok=False)
        daemon.virsh("migrate-setspeed", "vm1", "--postcopy", "1000")
        assert end_of(process)[0] == 0
    assert state(daemon, "vm1") == "shut off (migrated)" and not daemon.qemus()
    assert state(other, "vm1") == "running (migrated)"
    before = rounds(other, "vm1")
    wait_for(lambda: rounds(other, "vm1") > before + 2, 60, "guest that finds its memory")
    done = daemon.virsh("domjobinfo", "vm1", "--completed")
    assert "Outgoing migration" in done and "Completed" in done
    for process in here, there:
        process.terminate()
    said = end_of(here)[1]
    assert re.search(r"Suspended Post-copy\n(.*\n)*.*Stopped Migrated", said), said
    assert re.search(r"Resumed Post-copy\n(.*\n)*.*Resumed Migrated", end_of(there)[1])
    other.virsh("setvcpus", "vm1", "2", "--live")
    other.wait_online("vm1", "0-1")
    # What post-copy has set does not stay: it can be saved.
    other.virsh("managedsave", "vm1", ok=False)  # it is transient here
    other.virsh("save", "vm1", f"{other.root}/saved")
    other.virsh("restore", f"{other.root}/saved")
    wait_for(lambda: rounds(other, "vm1") > before + 3, 60, "guest that was saved")


def test_it_is_refused_when_it_cannot_be(daemon, other):  # noqa: F811
    daemon.paused("vm1")
    assert "while outgoing migration is in progress" in daemon.virsh("migrate-postcopy", "vm1", ok=False)
    if "user = root" in Daemon.settings:
        pytest.skip("SKIP: QEMU is not a user of its own here")
    with sysctl("0"):
        said = daemon.virsh("migrate", "--live", "--postcopy", "vm1", other.uri, "--xml", xml_for(other, daemon, "vm1"),
                            ok=False)
        assert "vm.unprivileged_userfaultfd = 1" in said, said
        assert "vm.unprivileged_userfaultfd is 0" in daemon.vireo("doctor")
    assert state(daemon, "vm1") == "paused (user)" and not other.qemus()
    assert "vm1" not in other.virsh("list", "--all")


def test_it_is_interrupted(daemon, other, allowed):  # noqa: F811
    """What is left is what libvirt leaves, and nobody runs it a second time."""
    sector_guest(daemon, "vm1")
    with moving(daemon, other, postcopy_speed="1") as process:
        daemon.virsh("migrate-postcopy", "vm1")
        wait_for(lambda: state(other, "vm1") == "running (post-copy)", 20, "post-copy")
        daemon.virsh("domjobabort", "vm1", "--postcopy")
        code, said = end_of(process)
        assert code != 0 and "post-copy of domain 'vm1' was interrupted" in said, said
    for _ in range(2):
        wait_for(lambda: state(daemon, "vm1") == "paused (post-copy failed)", 20, lambda: state(daemon, "vm1"))
        wait_for(lambda: state(other, "vm1") == "running (post-copy failed)", 20, lambda: state(other, "vm1"))
        assert "its guest is at the other host" in daemon.virsh("resume", "vm1", ok=False)
        assert "its post-copy has failed" in daemon.run(VIREO, "doctor", ok=None).stdout
        for side in daemon, other:
            assert "its memory is at two hosts" in side.virsh("save", "vm1", f"{side.root}/saved", ok=False)
            assert "its memory is at two hosts" in side.virsh("migrate", "--live", "vm1", other.uri, ok=False)
        assert "vm1" in daemon.qemus() and "vm1" in other.qemus()
        for side in daemon, other:  # a vireod that comes later finds it so
            side.stop(signal.SIGKILL)
            side.start()
    # What was begun is brought to its end over another connection, also after it has failed once more.
    resume = ["migrate", "--live", "--postcopy", "--postcopy-resume", "vm1"]
    assert "there is nothing to resume" in other.virsh(*resume, daemon.uri, ok=False)
    process = client(daemon, *resume, other.uri)
    wait_for(lambda: state(other, "vm1") == "running (post-copy)", 20, "post-copy that goes on")
    assert state(daemon, "vm1") == "paused (post-copy)"
    daemon.virsh("domjobabort", "vm1", "--postcopy")
    assert end_of(process)[0] != 0
    wait_for(lambda: state(daemon, "vm1") == "paused (post-copy failed)", 20, lambda: state(daemon, "vm1"))
    wait_for(lambda: state(other, "vm1") == "running (post-copy failed)", 20, lambda: state(other, "vm1"))
    daemon.virsh("migrate-setspeed", "vm1", "--postcopy", "1000")
    daemon.virsh(*resume, other.uri, "--p2p")
    assert state(daemon, "vm1") == "shut off (migrated)" and state(other, "vm1") == "running (migrated)"
    before = written(other, "vm1")
    wait_for(lambda: written(other, "vm1") != before, 20, "guest that writes")
    other.virsh("save", "vm1", f"{other.root}/saved")
    assert "there is nothing to resume" in daemon.virsh(*resume, other.uri, ok=False) or \
        "not running" in daemon.virsh(*resume, other.uri, ok=False)


@contextlib.contextmanager
def locked(path):
    """Somebody who has the image open and lets nobody else write to it: QEMU's byte for that is 201 (its
    block/file-posix.c)."""
    with open(path, "rb") as f:
        fcntl.fcntl(f, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 201, 1, 0))
        yield


def test_it_is_not_let_run(daemon, other, allowed):  # noqa: F811
    """A guest that is at the destination and nowhere else, and whose QEMU says no: asked again, and said."""
    disk = f"{daemon.root}/disk"
    with open(disk, "wb") as f:
        f.truncate(1 << 20)
    extra = f"<disk type='file' device='disk'><source file='{disk}'/><target dev='vdb' bus='virtio'/></disk>"
    sector_guest(daemon, "vm1", more=extra)
    with moving(daemon, other, "--unsafe", postcopy_speed="1") as process:
        with locked(disk):
            daemon.virsh("migrate-postcopy", "vm1")
            wait_for(lambda: state(other, "vm1") == "paused (post-copy)", 20, lambda: state(other, "vm1"))
        wait_for(lambda: state(other, "vm1") == "running (post-copy)", 20, lambda: state(other, "vm1"))
        daemon.virsh("migrate-setspeed", "vm1", "--postcopy", "1000")
        code, said = end_of(process)
        assert code == 0, said
    assert state(other, "vm1") == "running (migrated)" and not daemon.qemus()
    with locked(disk), moving(other, daemon, "--unsafe") as process:
        other.virsh("migrate-postcopy", "vm1")
        code, said = end_of(process)
        assert code != 0 and "has moved here, and stands still" in said and "lock" in said, said
    assert state(daemon, "vm1") == "paused (unknown)" and not other.qemus()
    daemon.virsh("resume", "vm1")
    before = written(daemon, "vm1")
    wait_for(lambda: written(daemon, "vm1") != before, 20, "guest that writes")


def test_a_switch_that_qemu_does_not_come_to(daemon, other, allowed):  # noqa: F811
    """Nobody reads what it sends: whoever gives it up gets the guest back here, and nothing waits there."""
    sector_guest(daemon, "vm1")
    with moving(daemon, other, speed="1000") as process:
        os.kill(other.qemus()["vm1"], signal.SIGSTOP)
        daemon.virsh("migrate-postcopy", "vm1")
        assert state(daemon, "vm1") == "paused (post-copy)"
        daemon.virsh("domjobabort", "vm1")
        wait_for(lambda: state(daemon, "vm1") == "running (unpaused)", 20, lambda: state(daemon, "vm1"))
        code, said = end_of(process, 60)
        assert code != 0 and "canceled by client" in said, said
    wait_for(lambda: not other.qemus(), 10, "end of the QEMU that nobody needs")
    before = written(daemon, "vm1")
    wait_for(lambda: written(daemon, "vm1") != before, 20, "guest that writes")
    assert "vm1" not in other.virsh("list", "--all")


def test_a_migration_without_it_is_not_switched(daemon, other, allowed):  # noqa: F811
    sector_guest(daemon, "vm1")
    daemon.virsh("migrate-setspeed", "vm1", "1")
    process = client(daemon, "migrate", "--live", "vm1", other.uri, "--xml", xml_for(other, daemon, "vm1"))
    wait_for(lambda: "Outgoing migration" in daemon.virsh("domjobinfo", "vm1"), 20, "migration under way")
    assert "begun without --postcopy" in daemon.virsh("migrate-postcopy", "vm1", ok=False)
    assert "is not in post-copy" in daemon.virsh("domjobabort", "vm1", "--postcopy", ok=False)
    daemon.virsh("domjobabort", "vm1")
    assert end_of(process)[0] != 0
    assert state(daemon, "vm1") == "running (booted)"
