# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of the disks of what runs: images above images."""
import contextlib
import os
import shutil
import signal
import subprocess

import pytest
from conftest import wait_for
from images import MIB, chain, disk, file_holds, holds, image, io, node_names, qmp, write

DISKS_ONLY = ("--disk-only", "--no-metadata", "--atomic")


def snapshot(daemon, name, *words, snap="one", ok=True):
    return daemon.virsh("snapshot-create-as", name, snap, *DISKS_ONLY, *words, ok=ok)


def pair(daemon):
    """Two disks; the first has an image below it that only its header names."""
    base = image(f"{daemon.root}/base.qcow2")
    first, second = image(f"{daemon.root}/first.qcow2", base), image(f"{daemon.root}/second.qcow2")
    return base, first, second, disk(first) + disk(second, "vdb")


def test_two_disks_in_one_moment(daemon):
    """The old images stay as they are, the new ones are in both definitions, and a new start finds what was written."""
    base, first, second, devices = pair(daemon)
    daemon.paused("s1", extra=devices)
    write(daemon, "s1", 0x11)
    assert "created" in snapshot(daemon, "s1", "--diskspec", f"vda,file={daemon.root}/over")
    over, other = f"{daemon.root}/over", f"{daemon.root}/second.one"
    assert chain(daemon, "s1") == [over, first, base, "end"]
    assert chain(daemon, "s1", "vdb") == [other, second, "end"]
    assert chain(daemon, "s1", inactive=True)[:2] == [over, first]
    assert chain(daemon, "s1", "vdb", inactive=True)[:2] == [other, second]
    write(daemon, "s1", 0x22)
    assert file_holds(first, 0x11) and file_holds(over, 0x22)
    assert "No current" in daemon.virsh("blockjob", "s1", "vda")
    daemon.virsh("destroy", "s1")
    daemon.virsh("start", "s1", "--paused")
    holds(daemon, "s1", 0x22)
    holds(daemon, "s1", 0, MIB, MIB)
    with pytest.raises(AssertionError):
        holds(daemon, "s1", 0x11)


def test_chosen_and_left_out(daemon):
    base, first, second, devices = pair(daemon)
    daemon.paused("s1", extra=devices + "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>")
    snapshot(daemon, "s1", "--diskspec", "vda,snapshot=no")
    assert chain(daemon, "s1") == [first] and chain(daemon, "s1", "vdb")[0] == f"{daemon.root}/second.one"
    reused = image(f"{daemon.root}/reused", first)
    snapshot(daemon, "s1", "--reuse-external", "--diskspec", f"vda,file={reused}", "--diskspec", "vdb,snapshot=no")
    assert chain(daemon, "s1") == [reused, first, base, "end"]
    write(daemon, "s1", 0x33)
    assert file_holds(reused, 0x33)


def test_refused_by_name(daemon):
    base, first, second, devices = pair(daemon)
    daemon.paused("s1", extra=devices)
    full = image(f"{daemon.root}/full")
    before = daemon.virsh("dumpxml", "s1"), node_names(daemon, "s1"), sorted(os.listdir(daemon.root))
    for words, answer in (
            ((f"--diskspec=vda,file={full}",), "already exists"),
            (("--diskspec=vdz,snapshot=no",), "no disk named 'vdz'"),
            (("--diskspec=vda,snapshot=no", "--diskspec=vdb,snapshot=no"), "nothing selected"),
            (("--diskspec=vda,snapshot=internal",), "require external disk snapshots"),
            ((f"--diskspec=vda,file={daemon.root}/no/where", "--diskspec=vdb,snapshot=no"), "No such file"),
            ((f"--diskspec=vda,file={daemon.root}/same", f"--diskspec=vdb,file={daemon.root}/same"), "one new image"),
            (("--diskspec=vda,driver=raw",), "unsupported: raw"),
            (("--reuse-external", f"--diskspec=vda,file={daemon.root}/none"), "missing existing file"),
            (("--quiesce",), "not running")):
        assert answer in snapshot(daemon, "s1", *words, ok=False), words
        assert before == (daemon.virsh("dumpxml", "s1"), node_names(daemon, "s1"), sorted(os.listdir(daemon.root))), words
    daemon.virsh("destroy", "s1")


def test_a_device_is_not_overwritten(daemon):
    """A block device that is said to be a file is refused before anything is written, to it or to another image."""
    base, first, second, devices = pair(daemon)
    path, precious = f"{daemon.root}/device", b"precious" * (1 << 17)
    with open(path, "wb") as f:
        f.write(precious)
    loop = subprocess.run(["losetup", "-f", "--show", path], capture_output=True, text=True, check=False).stdout.strip()
    if not loop:
        pytest.skip("no loop devices here")
    try:
        daemon.paused("s1", extra=devices)
        before = sorted(os.listdir(daemon.root))
        for words in ((f"--diskspec=vda,file={loop}",), (f"--diskspec=vdb,file={loop}",)):
            assert "its type has to say so" in snapshot(daemon, "s1", *words, ok=False)
            with open(loop, "rb") as f:
                assert f.read() == precious
            assert before == sorted(os.listdir(daemon.root))
        other = f"{daemon.root}/empty"
        with open(other, "wb"):
            pass
        said = snapshot(daemon, "s1", f"--diskspec=vda,file={loop},stype=block",
                        f"--diskspec=vdb,file={other},stype=block", ok=False)
        assert "not a block device" in said
        with open(loop, "rb") as f:
            assert f.read() == precious
        daemon.virsh("destroy", "s1")
    finally:
        subprocess.run(["losetup", "-d", loop], check=True)


def test_shared_disk(daemon):
    """Two domains would have an image each, and nobody be told."""
    shared, own = image(f"{daemon.root}/shared.raw", form="raw"), image(f"{daemon.root}/own.qcow2")
    daemon.paused("s1", extra=disk(shared, more="<shareable/>", form="raw") + disk(own, "vdb"))
    assert "disk 'vda' is shared" in snapshot(daemon, "s1", ok=False)
    snapshot(daemon, "s1", "--diskspec=vda,snapshot=no")
    assert chain(daemon, "s1")[0] == shared and chain(daemon, "s1", "vdb")[:2] == [f"{daemon.root}/own.one", own]


def test_failures_take_all_back(daemon):
    """QEMU refuses at the last step: the second of two images is no qcow2."""
    base, first, second, devices = pair(daemon)
    daemon.paused("s1", extra=devices)
    broken = f"{daemon.root}/broken"
    with open(broken, "wb") as f:
        f.write(b"no image at all" * 100)
    before = daemon.virsh("dumpxml", "s1"), node_names(daemon, "s1")
    good = image(f"{daemon.root}/good", first)
    owner = os.stat(good).st_uid
    assert "qcow2" in snapshot(daemon, "s1", "--reuse-external", f"--diskspec=vda,file={good}",
                               f"--diskspec=vdb,file={broken}", ok=False)
    assert before == (daemon.virsh("dumpxml", "s1"), node_names(daemon, "s1"))
    assert os.stat(good).st_uid == owner
    with open(f"{daemon.root}/run/domains/s1.xml") as f:
        assert "<overlay" not in f.read()
    snapshot(daemon, "s1")
    write(daemon, "s1", 0x44)


def test_full_definition_directory(daemon):
    """What cannot be written down is refused before QEMU is asked."""
    base, first, second, devices = pair(daemon)
    daemon.paused("s1", extra=devices)
    before = daemon.virsh("dumpxml", "s1"), node_names(daemon, "s1"), sorted(os.listdir(daemon.root))
    os.makedirs(f"{daemon.root}/full")
    path = f"{daemon.root}/run/domains"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=1", "none", path], check=True)
    try:
        os.rmdir(f"{daemon.root}/full")
        assert "cannot write" in snapshot(daemon, "s1", ok=False)
    finally:
        subprocess.run(["umount", path], check=True)
    assert before == (daemon.virsh("dumpxml", "s1"), node_names(daemon, "s1"), sorted(os.listdir(daemon.root)))


def with_intent(daemon, overlay):
    """A daemon that is killed with what it had in mind in the status file."""
    path = f"{daemon.root}/run/domains/s1.xml"
    daemon.stop(signal.SIGKILL)
    with open(path) as f:
        text = f.read()
    text = text.replace("version='2'", "version='3'", 1)
    with open(path, "w") as f:
        f.write(text.replace("  <domain ", f"  <disks><overlay disk='vda' node='overlay-9' number='9' format='qcow2' "
                             f"type='file'><source file='{overlay}'/><made/></overlay></disks>\n  <domain ", 1))


def add_overlay(daemon, first):
    overlay = image(f"{daemon.root}/over", first)
    os.chmod(overlay, 0o666)
    for words in ({"driver": "file", "filename": overlay, "node-name": "file-overlay-9"},
                  {"driver": "qcow2", "file": "file-overlay-9", "node-name": "overlay-9", "backing": None}):
        qmp(daemon, "s1", "blockdev-add", **words)
    return overlay


def test_killed_before_it_happened(daemon):
    base, first, second, devices = pair(daemon)
    daemon.paused("s1", extra=devices)
    before = daemon.virsh("dumpxml", "s1"), node_names(daemon, "s1")
    overlay = add_overlay(daemon, first)
    with_intent(daemon, overlay)
    text = config(daemon, "s1")
    source = f"<source file='{first}'/>"
    assert source in text
    with open(f"{daemon.root}/etc/domains/s1.xml", "w") as f:
        f.write(text.replace(source, f"<source file='{overlay}'/><backingStore type='file'><format type='qcow2'/>"
                             f"{source}</backingStore>"))
    daemon.start()
    wait_for(lambda: not os.path.exists(overlay), 20, "an image that is taken back")
    assert chain(daemon, "s1", inactive=True)[0] == first and overlay not in config(daemon, "s1")
    assert before == (daemon.virsh("dumpxml", "s1"), node_names(daemon, "s1"))
    snapshot(daemon, "s1")


def test_killed_after_it_happened(daemon):
    base, first, second, devices = pair(daemon)
    daemon.paused("s1", extra=devices)
    overlay = add_overlay(daemon, first)
    qmp(daemon, "s1", "blockdev-snapshot", node="drive-virtio-disk0", overlay="overlay-9")
    with_intent(daemon, overlay)
    daemon.start()
    wait_for(lambda: chain(daemon, "s1")[0] == overlay, 20, "an image that is kept")
    assert chain(daemon, "s1", inactive=True)[:2] == [overlay, first]
    write(daemon, "s1", 0x55)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    wait_for(lambda: chain(daemon, "s1")[0] == overlay, 20, "the same of the next daemon")
    daemon.virsh("blockcommit", "s1", "vda", "--active", "--pivot", "--wait", "--shallow")
    assert chain(daemon, "s1") == [first, base, "end"] and file_holds(first, 0x55)
    assert not {"overlay-9", "file-overlay-9"} & node_names(daemon, "s1")


def test_detach_after_a_snapshot(daemon, guest):
    """Nothing of the chain is left in QEMU, and the disk can come again."""
    base, first, second, devices = pair(daemon)
    daemon.boot("s1", extra=disk(image(f"{daemon.root}/root.qcow2")))
    before = node_names(daemon, "s1")
    path, source = f"{daemon.root}/disk.xml", first
    for name in ("one", "two"):
        with open(path, "w") as f:
            f.write(disk(source, "vdb"))
        daemon.virsh("attach-device", "s1", path)
        snapshot(daemon, "s1", "--diskspec", "vda,snapshot=no", snap=name)
        source = f"{daemon.root}/first.{name}"
        assert chain(daemon, "s1", "vdb")[0] == source
        daemon.virsh("detach-disk", "s1", "vdb")
        wait_for(lambda: "vdb" not in daemon.virsh("dumpxml", "s1"), 30, "a disk that has gone")
        wait_for(lambda: node_names(daemon, "s1") == before, 10, "the nodes of before")


def test_no_more_than_can_be_read_again(daemon):
    """A definition with too many images below each other would be lost with the daemon that wrote it."""
    path = image(f"{daemon.root}/0")
    for n in range(1, 199):
        path = image(f"{daemon.root}/{n}", path)
    daemon.paused("s1", extra=disk(path))
    snapshot(daemon, "s1", "--diskspec", f"vda,file={daemon.root}/over")
    said = snapshot(daemon, "s1", "--diskspec", f"vda,file={daemon.root}/more", ok=False)
    assert "'vda' has 200 images, as many as there may be" in said and not os.path.exists(f"{daemon.root}/more")
    before = chain(daemon, "s1")
    assert len(before) == 201 and before[-1] == "end"
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert chain(daemon, "s1") == before
    daemon.virsh("blockcommit", "s1", "vda", "--active", "--pivot", "--wait", "--shallow")
    snapshot(daemon, "s1", "--diskspec", f"vda,file={daemon.root}/more")


needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the moment long enough to be hit")


@contextlib.contextmanager
def slowly(pid, what):
    """A process one of whose system calls takes its time."""
    slow = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-e", f"inject={what}"],
                            stdin=subprocess.DEVNULL)
    wait_for(lambda: "TracerPid:\t0" not in open(f"/proc/{pid}/status").read(), 20, "strace")
    try:
        yield
    finally:
        slow.terminate()
        slow.wait()


def begin(daemon, name, *words):
    return subprocess.Popen(["virsh", "-c", daemon.uri, "snapshot-create-as", name, "one", *DISKS_ONLY, *words],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def status(daemon, name):
    with open(f"{daemon.root}/run/domains/{name}.xml") as f:
        return f.read()


def config(daemon, name):
    with open(f"{daemon.root}/etc/domains/{name}.xml") as f:
        return f.read()


def in_qemu(daemon, name, over):
    """QEMU is at it, and a start after its end would find the new image."""
    wait_for(lambda: "<overlay" in status(daemon, name), 20, "a snapshot that begins")
    wait_for(lambda: over in config(daemon, name), 20, "a definition that has the new image")
    assert "<overlay" in status(daemon, name)


@needs_strace
def test_destroyed_while_qemu_takes_it(daemon):
    """The persistent definition has the new image, where the guest's last writes may be."""
    base, over = image(f"{daemon.root}/base.qcow2"), f"{daemon.root}/over"
    daemon.paused("s1", extra=disk(base))
    io(daemon, "s1", f"write -P 1 0 {MIB}")
    with slowly(daemon.qemus()["s1"], "fdatasync:delay_enter=2000000"):
        taking = begin(daemon, "s1", f"--diskspec=vda,file={over}")
        in_qemu(daemon, "s1", over)
        daemon.virsh("destroy", "s1")
        taking.communicate(timeout=100)
    assert chain(daemon, "s1", inactive=True)[:2] == [over, base]
    daemon.virsh("start", "s1", "--paused")
    snapshot(daemon, "s1", snap="two")


@needs_strace
def test_directory_that_fails_while_qemu_takes_it(daemon):
    """Nothing is left to be written to it when QEMU has answered."""
    base, over = image(f"{daemon.root}/base.qcow2"), f"{daemon.root}/over"
    daemon.paused("s1", extra=disk(base))
    io(daemon, "s1", f"write -P 1 0 {MIB}")
    path = f"{daemon.root}/etc/domains"
    with slowly(daemon.qemus()["s1"], "fdatasync:delay_enter=2000000"):
        taking = begin(daemon, "s1", f"--diskspec=vda,file={over}")
        in_qemu(daemon, "s1", over)
        os.rename(path, path + ".away")
        with open(path, "w"):
            pass
        assert "created" in taking.communicate(timeout=100)[0]
        os.unlink(path)
        os.rename(path + ".away", path)
    write(daemon, "s1", 0x77)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    daemon.virsh("destroy", "s1")
    daemon.virsh("start", "s1", "--paused")
    assert chain(daemon, "s1")[:2] == [over, base]
    holds(daemon, "s1", 0x77)


def test_an_end_that_leaves_it_open(daemon):
    """QEMU ends while no daemon is there, and its definition has not got the new image: both files are named."""
    base, first, second, devices = pair(daemon)
    daemon.paused("s1", extra=devices)
    overlay = add_overlay(daemon, first)
    pid = daemon.qemus()["s1"]
    with_intent(daemon, overlay)
    os.kill(pid, signal.SIGKILL)
    daemon.start()
    wait_for(lambda: "shut off" in daemon.virsh("domstate", "s1"), 20, "an end that is seen")
    said = [line for line in daemon.log_text().splitlines() if "QEMU ended during a snapshot" in line]
    assert len(said) == 1 and first in said[0] and overlay in said[0]
    assert os.path.exists(overlay)


def test_the_same_image_at_another_target(daemon):
    """The definition of the next start may name the disk otherwise; its image is the same."""
    base = image(f"{daemon.root}/base.qcow2")
    daemon.paused("s1", extra=disk(base))
    path = f"{daemon.root}/other.xml"
    with open(path, "w") as f:
        f.write(daemon.virsh("dumpxml", "s1", "--inactive").replace("dev='vda'", "dev='vdc'"))
    daemon.virsh("define", path)
    snapshot(daemon, "s1")
    assert chain(daemon, "s1", "vdc", inactive=True)[:2] == [f"{daemon.root}/base.one", base]


@needs_strace
def test_news_of_qemu_meanwhile(daemon):
    """A tray that opens while the snapshot is made is open afterwards."""
    base = image(f"{daemon.root}/base.qcow2")
    daemon.paused("s1", extra=disk(base) + "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>")
    with slowly(daemon.pid(), "rename:delay_exit=1500000"):
        taking = begin(daemon, "s1")
        wait_for(lambda: "base.one" in config(daemon, "s1"), 20, "a definition that has the new image")
        qmp(daemon, "s1", "blockdev-open-tray", id="sata0-0-0")
        assert "created" in taking.communicate(timeout=100)[0]
    assert "tray='open'" in daemon.virsh("dumpxml", "s1")
