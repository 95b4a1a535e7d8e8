# SPDX-License-Identifier: LGPL-2.1-or-later
"""A snapshot that QEMU makes, but only when nobody waits for it any more."""
import os
import signal
import subprocess
import time

from conftest import client, end_of, wait_for
from images import MIB, chain, disk, holds, image, io, node_names, write
from test_agent import agent_guest  # noqa: F401
from test_snapshot import begin, config, needs_strace, slowly, snapshot, status
from test_snapshot_quiet import asked, with_agent


@needs_strace
def test_answer_that_comes_late(daemon):
    """What would not know which images the disks have is refused; QEMU is asked until it has said so."""
    base, over = image(f"{daemon.root}/base.qcow2"), f"{daemon.root}/over"
    medium = image(f"{daemon.root}/medium", form="raw")
    daemon.paused("s1", extra=disk(base) + "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>")
    io(daemon, "s1", f"write -P 1 0 {MIB}")
    new, saved = f"{daemon.root}/new.xml", f"{daemon.root}/saved"
    with open(new, "w") as f:
        f.write(disk(image(f"{daemon.root}/other.qcow2"), "vdb"))
    commands = (f"save s1 {saved}", "detach-disk s1 vda --live", f"attach-device s1 {new}", "blockresize s1 vda 32M",
                f"change-media s1 sda {medium} --insert --live", "blockcommit s1 vda --active")
    with slowly(daemon.qemus()["s1"], "fdatasync:delay_enter=37000000:when=1"):
        assert "did not answer" in begin(daemon, "s1", f"--diskspec=vda,file={over}").communicate(timeout=200)[0]
        assert "<overlay" in status(daemon, "s1") and over in config(daemon, "s1")
        said = subprocess.run(["virsh", "-c", daemon.uri, "; ".join(commands)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False).stderr
        assert said.count("has not said yet what became of the last snapshot") == len(commands), said
        wait_for(lambda: "<overlay" not in status(daemon, "s1"), 60, "an answer")
    assert chain(daemon, "s1")[:2] == [over, base]
    write(daemon, "s1", 0x77)
    daemon.virsh("save", "s1", saved)
    daemon.virsh("restore", saved, "--paused")
    assert chain(daemon, "s1")[:2] == [over, base]
    holds(daemon, "s1", 0x77)


def test_memory_that_is_written_for_long(daemon):
    """QEMU answers nobody meanwhile, longer than any command waits: the snapshot is made all the same."""
    path = image(f"{daemon.root}/disk.qcow2")
    daemon.paused("s1", extra=disk(path))
    pid = daemon.qemus()["s1"]
    os.kill(pid, signal.SIGSTOP)
    making = client(daemon, "snapshot-create-as", "s1", "a")
    time.sleep(70)
    assert making.poll() is None and not daemon.virsh("snapshot-list", "s1", "--name").strip()
    os.kill(pid, signal.SIGCONT)
    status, said = end_of(making)
    assert status == 0, said
    assert daemon.virsh("snapshot-list", "s1", "--name").strip() == "a"
    daemon.virsh("snapshot-revert", "s1", "a")


@needs_strace
def test_image_that_is_opened_late(daemon):
    """QEMU has the new image when nobody waits for it any more: it lets go of it, and nothing is left."""
    base, over = image(f"{daemon.root}/base.qcow2"), f"{daemon.root}/over"
    daemon.paused("s1", extra=disk(base))
    before = node_names(daemon, "s1")
    with slowly(daemon.qemus()["s1"], "openat:delay_exit=33000000:when=1"):
        assert "did not answer" in begin(daemon, "s1", f"--diskspec=vda,file={over}").communicate(timeout=200)[0]
        wait_for(lambda: "<overlay" not in status(daemon, "s1"), 60, "an answer")
    assert node_names(daemon, "s1") == before and chain(daemon, "s1")[0] == base == chain(daemon, "s1", inactive=True)[0]
    assert not os.path.exists(over)
    snapshot(daemon, "s1", f"--diskspec=vda,file={over}")
    assert chain(daemon, "s1")[:2] == [over, base]


def test_agent_that_freezes_and_does_not_say_so(daemon, agent_guest):  # noqa: F811
    """It is not waited for without end, and is asked to thaw: it may have frozen."""
    base, agent = with_agent(daemon, {"fsfreeze-freeze": None})
    assert "no answer" in snapshot(daemon, "q1", "--quiesce", ok=False)
    assert asked(agent) == ["fsfreeze-freeze", "fsfreeze-thaw"]
    assert chain(daemon, "q1", "vdb")[0] == base and not os.path.exists(f"{daemon.root}/base.one")
