# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks with <transient/>: what a guest writes is there while it runs and gone afterwards, however it ends; its image
stays as it was, byte for byte, and so does whatever else has the overlay's name."""
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import wait_for
from images import file_holds, holds, image, io, write
from test_device import PORTS, device, operations

# At each boot: reads sector 2 by the firmware's int 13h, adds one to its first byte, writes it back and says the byte on
# the serial console.
SECTOR = bytes.fromhex("31c08ed88ec08ed0bc007cbb007eb80102b90200b600cd13fe06007eb80103b90200b600cd13a0007ebaf803eef4ebfd")
SHARED = "<transient shareBacking='yes'/>"


def counting_image(root, name, form="raw"):
    """An image that boots and counts its boots: A, B, C."""
    path = f"{root}/{name}"
    with open(path, "wb") as f:
        f.write(SECTOR.ljust(510, b"\0") + b"\x55\xaa" + b"@".ljust(512, b"\0") + bytes((1 << 20) - 1024))
    if form != "raw":
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, path, path + ".converted"], check=True)
        os.rename(path + ".converted", path)
    return path


def disk(path, how="<transient/>", form="raw", target="vda", bus="virtio"):
    return (f"<disk type='file'><driver name='qemu' type='{form}'/><source file='{path}'/>"
            f"<target dev='{target}' bus='{bus}'/>{how}</disk>")


def digest(path):
    with open(path, "rb") as f:
        info = os.fstat(f.fileno())
        return hashlib.sha256(f.read()).hexdigest(), info.st_uid, info.st_gid, info.st_mode, info.st_ino


def overlays(daemon):
    return sorted(name for name in os.listdir(daemon.root) if ".TRANSIENT-" in name)


def notes(daemon):
    """What the daemon still has to remove."""
    directory = f"{daemon.root}/run/made"
    return [name for name in os.listdir(directory) if name.endswith(".json")] if os.path.isdir(directory) else []


def counted(daemon, name):
    try:
        with open(daemon.console(name), errors="replace") as f:
            return re.sub("[^A-Z]", "", f.read())
    except OSError:
        return ""


def wait_counted(daemon, name, text):
    wait_for(lambda: counted(daemon, name) == text, 30, lambda: f"'{text}', not '{counted(daemon, name)}'")


def ended(daemon, name):
    return daemon.virsh("domstate", name).strip() == "shut off"


def destroy(daemon, name):
    daemon.virsh("destroy", name)


def kill_qemu(daemon, name):
    os.kill(daemon.qemus()[name], signal.SIGKILL)


def kill_both(daemon, name):
    """QEMU ends while no daemon is there."""
    daemon.stop(signal.SIGKILL)
    kill_qemu(daemon, name)
    wait_for(lambda: name not in daemon.qemus(), 10, "end of QEMU")
    daemon.start()


def kill_daemon(daemon, name):
    """The next one finds the guest, and what is to be removed."""
    daemon.stop(signal.SIGKILL)
    daemon.start()
    wait_for(lambda: not ended(daemon, name), 10, "guest that is found again")
    destroy(daemon, name)


def quit_qemu(daemon, name):
    daemon.run("virsh", "qemu-monitor-command", name, "quit", ok=None)


ENDS = [destroy, kill_qemu, kill_both, kill_daemon, quit_qemu]


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_writes_go_away(daemon, form):
    """The guest reads what it wrote, over a reset too; the next start has the image as it was."""
    path = counting_image(daemon.root, "vm.img", form)
    os.chmod(path, 0o600)
    before, other = digest(path), sorted(os.listdir(daemon.root))
    daemon.define("t1", boot=False, extra=disk(path, form=form))
    for end in ENDS if form == "raw" else [destroy]:
        daemon.virsh("start", "t1")
        wait_counted(daemon, "t1", "A")
        daemon.virsh("reset", "t1")
        wait_counted(daemon, "t1", "AB")
        assert overlays(daemon) == ["vm.img.TRANSIENT-t1"] and digest(path)[0] == before[0], end
        end(daemon, "t1")
        wait_for(lambda: ended(daemon, "t1"), 20, "end of the guest")
        assert overlays(daemon) == [] and digest(path) == before and notes(daemon) == [], end
        os.unlink(daemon.console("t1"))
    left = set(os.listdir(daemon.root)) - set(other) - {"t1.define.xml"}
    assert not left, left


def test_what_is_shown_and_given(daemon):
    """The live XML has the overlay above the image, the definition the image; QEMU writes to the overlay alone."""
    below = image(f"{daemon.root}/below.qcow2")
    path = image(f"{daemon.root}/vm.qcow2", below)
    for each in (below, path):
        os.chmod(each, 0o600)
    before = digest(path), digest(below)
    daemon.define("t1", boot=False, extra=disk(path, form="qcow2", bus="sata", target="sda"))
    inactive = daemon.virsh("dumpxml", "t1", "--inactive")
    daemon.virsh("start", "t1")
    live = ElementTree.fromstring(daemon.virsh("dumpxml", "t1")).find("devices/disk")
    assert live.find("source").get("file") == path + ".TRANSIENT-t1" and live.find("driver").get("type") == "qcow2"
    assert live.find("backingStore/source").get("file") == path and live.find("transient") is not None
    assert int(live.find("source").get("index")) > int(live.find("backingStore").get("index"))
    assert daemon.virsh("dumpxml", "t1", "--inactive") == inactive
    pid = daemon.qemus()["t1"]
    owner, modes = os.stat(f"/proc/{pid}").st_uid, {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        name = os.readlink(f"/proc/{pid}/fd/{fd}")
        if name.startswith(f"{daemon.root}/") and "qcow2" in name:
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                modes[os.path.basename(name)] = int(re.search(r"flags:\s+(\d+)", f.read())[1], 8) & os.O_ACCMODE
    assert modes == {"below.qcow2": os.O_RDONLY, "vm.qcow2": os.O_RDONLY, "vm.qcow2.TRANSIENT-t1": os.O_RDWR}
    info = os.stat(path + ".TRANSIENT-t1")
    assert info.st_uid == owner and stat.S_IMODE(info.st_mode) == 0o600
    daemon.stop()
    daemon.start()  # the status file has all of it
    again = ElementTree.fromstring(daemon.virsh("dumpxml", "t1")).find("devices/disk")
    assert ElementTree.tostring(again) == ElementTree.tostring(live)
    daemon.virsh("destroy", "t1")
    assert overlays(daemon) == [] and (digest(path), digest(below)) == before


def plant(path, kind, secret):
    if kind == "file":
        with open(path, "w") as f:
            f.write("mine")
    elif kind == "empty":
        os.close(os.open(path, os.O_CREAT, 0o600))
    elif kind == "folder":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.symlink(secret if kind == "link" else secret + ".none", path)


@pytest.mark.parametrize("kind", ["file", "empty", "folder", "fifo", "link", "dangling"])
def test_what_has_its_name_is_not_ours(daemon, kind):
    path, secret = counting_image(daemon.root, "vm.img"), f"{daemon.root}/secret"
    with open(secret, "w") as f:
        f.write("secret")
    planted = path + ".TRANSIENT-t1"
    plant(planted, kind, secret)
    before, found = digest(path), os.lstat(planted)
    daemon.define("t1", boot=False, extra=disk(path))
    for _ in range(2):
        error = daemon.virsh("start", "t1", ok=False)
        assert f"Overlay file '{planted}' for transient disk 'vda' already exists" in error
        now = os.lstat(planted)
        assert (now.st_ino, now.st_size, now.st_mode, now.st_uid) == (found.st_ino, found.st_size, found.st_mode, found.st_uid)
        assert digest(path) == before and notes(daemon) == [] and not os.path.exists(secret + ".none")
        daemon.stop(signal.SIGKILL)
        daemon.start()
    with open(secret) as f:
        assert f.read() == "secret"


def test_a_file_in_the_place_of_the_overlay_stays(daemon):
    """Whoever replaces an overlay while its guest runs keeps what he has put there."""
    path = counting_image(daemon.root, "vm.img")
    daemon.define("t1", boot=False, extra=disk(path))
    daemon.virsh("start", "t1")
    os.rename(path + ".TRANSIENT-t1", f"{daemon.root}/aside")
    with open(path + ".TRANSIENT-t1", "w") as f:
        f.write("mine")
    daemon.virsh("destroy", "t1")
    with open(path + ".TRANSIENT-t1") as f:
        assert f.read() == "mine"
    assert os.path.exists(f"{daemon.root}/aside")


def test_a_start_that_fails(daemon):
    """After the overlay was made: by another disk's, by QEMU, by an image that is none."""
    path = counting_image(daemon.root, "vm.img")
    second = image(f"{daemon.root}/second.qcow2")
    before = digest(path), digest(second)
    arguments = "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-no-such'/></qemu:commandline>"
    for more, words in ((disk(second, form="qcow2", target="vdb"), "already exists"),
                        (disk(path, form="raw", target="vdb"), "already exists"),
                        (disk(f"{daemon.root}/none.qcow2", form="qcow2", target="vdb"), "none.qcow2"),
                        (disk(path, form="qcow2", target="vdb"), "vm.img"),
                        (arguments, "no-such")):
        if second in more:
            plant(second + ".TRANSIENT-t1", "file", None)
        xml = daemon.xml("t1", boot=False, extra=disk(path) + (more if "<disk" in more else ""))
        with open(f"{daemon.root}/t1.xml", "w") as f:
            f.write(xml.replace("</domain>", arguments + "</domain>") if more == arguments else xml)
        assert words in daemon.virsh("create", f"{daemon.root}/t1.xml", ok=False)
        if second in more:
            os.unlink(second + ".TRANSIENT-t1")
        assert overlays(daemon) == [] and notes(daemon) == [] and (digest(path), digest(second)) == before, words


def test_shared(daemon):
    """Who says so shares the image with others that have an overlay of their own; who does not say so has to be the
    first, as with libvirt."""
    path = counting_image(daemon.root, "vm.img")
    before = digest(path)
    for name, how in (("s1", SHARED), ("s2", SHARED), ("alone", "<transient/>"), ("writes", "")):
        daemon.define(name, boot=False, extra=disk(path, how))
    for first in ("s1", "alone"):
        daemon.virsh("start", first)
        daemon.virsh("start", "s2")
        if first == "s1":
            assert "Failed to get \"write\" lock" in daemon.virsh("start", "alone", ok=False)
        assert "lock" in daemon.virsh("start", "writes", ok=False)  # QEMU's own
        wait_counted(daemon, first, "A")
        wait_counted(daemon, "s2", "A")
        assert overlays(daemon) == sorted(["vm.img.TRANSIENT-s2", f"vm.img.TRANSIENT-{first}"])
        for name in (first, "s2"):
            daemon.virsh("destroy", name)
            os.unlink(daemon.console(name))
        assert overlays(daemon) == [] and digest(path) == before
    daemon.virsh("start", "writes")
    for name in ("s1", "alone"):
        daemon.virsh("start", name, ok=False)
    assert overlays(daemon) == []


def test_what_is_refused(daemon):
    """What would keep what the guest wrote, or take it elsewhere."""
    path = image(f"{daemon.root}/vm.qcow2")
    daemon.define("t1", boot=False, extra=disk(path, form="qcow2"))
    daemon.virsh("start", "t1", "--paused")
    moves, jobs = "migration with transient disk is not supported", "block jobs are not supported on transient disk 'vda'"
    for words, command in ((moves, ("save", "t1", f"{daemon.root}/saved")), (moves, ("managedsave", "t1")),
                           (moves, ("snapshot-create-as", "t1", "s")),
                           (moves, ("migrate", "t1", daemon.uri.replace("system", "session"), "--live", "--unsafe")),
                           (jobs, ("snapshot-create-as", "t1", "s", "--disk-only")),
                           (jobs, ("blockcommit", "t1", "vda", "--active")), (jobs, ("blockpull", "t1", "vda"))):
        assert words in daemon.virsh(*command, ok=False), command
    write(daemon, "t1", 7)
    holds(daemon, "t1", 7)
    daemon.virsh("blockresize", "t1", "vda", "32M")
    daemon.virsh("destroy", "t1")
    assert file_holds(path, 0)
    for how in ("<transient/><readonly/>", "<transient/>"):
        kind = " device='floppy'" if "only" not in how else ""
        target = "<target dev='fda' bus='fdc'/>" if kind else "<target dev='vda' bus='virtio'/>"
        with open(f"{daemon.root}/bad.xml", "w") as f:
            f.write(daemon.xml("bad", boot=False, extra=f"<disk type='file'{kind}><source file='{path}'/>{target}{how}</disk>"))
        assert "transient disk" in daemon.virsh("define", f"{daemon.root}/bad.xml", ok=False)


def lose_run(daemon, name):
    """What the host's end does: nothing runs, and what is in the run directory is gone."""
    daemon.stop(signal.SIGKILL)
    kill_qemu(daemon, name)
    wait_for(lambda: name not in daemon.qemus(), 10, "end of QEMU")
    shutil.rmtree(f"{daemon.root}/run")


def test_after_the_end_of_the_host(daemon):
    """What this domain's run has left goes with the next start; another's, and what may be in use, stays."""
    path = counting_image(daemon.root, "vm.img")
    overlay, before = path + ".TRANSIENT-t1", digest(path)
    daemon.define("t1", boot=False, extra=disk(path))
    daemon.virsh("start", "t1")
    wait_counted(daemon, "t1", "A")
    try:
        mark = os.getxattr(overlay, "trusted.vireo.run").decode()
    except OSError as error:
        pytest.skip(f"SKIP: no attributes of root's here: {error}")
    lose_run(daemon, "t1")
    daemon.start()
    owner, boot = mark.split()
    for other in (mark, f"{owner[:-1]}x {boot[:-1]}x", f"{owner}x {boot[:-1]}x", owner):
        os.setxattr(overlay, "trusted.vireo.run", other.encode())
        inode = os.stat(overlay).st_ino
        assert "already exists" in daemon.virsh("start", "t1", ok=False), other
        assert os.stat(overlay).st_ino == inode
    os.setxattr(overlay, "trusted.vireo.run", f"{owner} {boot[:-1]}x".encode())
    holder = subprocess.Popen(["qemu-io", "-f", "qcow2", overlay], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.read(8)  # its prompt: it has the lock
    assert "already exists" in daemon.virsh("start", "t1", ok=False)
    holder.communicate(b"quit\n")
    os.unlink(daemon.console("t1"))
    daemon.virsh("start", "t1")
    wait_counted(daemon, "t1", "A")
    daemon.virsh("destroy", "t1")
    assert overlays(daemon) == [] and digest(path) == before


def test_a_transient_domain(daemon):
    """What is dumped of it to be defined has the image, not the overlay."""
    path = counting_image(daemon.root, "vm.img")
    with open(f"{daemon.root}/t1.xml", "w") as f:
        f.write(daemon.xml("t1", boot=False, extra=disk(path)))
    daemon.virsh("create", f"{daemon.root}/t1.xml")
    inactive = daemon.virsh("dumpxml", "t1", "--inactive")
    found = ElementTree.fromstring(inactive).find("devices/disk")
    assert found.find("source").attrib == {"file": path} and found.find("backingStore") is None
    with open(f"{daemon.root}/t1.xml", "w") as f:
        f.write(inactive)
    daemon.virsh("define", f"{daemon.root}/t1.xml")
    daemon.virsh("destroy", "t1")
    assert overlays(daemon) == []
    os.unlink(daemon.console("t1"))
    daemon.virsh("start", "t1")
    wait_counted(daemon, "t1", "A")


def test_in_a_folder_of_somebody_else(daemon):
    """Images in the folder of a user: the overlay is QEMU's there, too."""
    folder = f"{daemon.root}/home"
    os.mkdir(folder)
    path = counting_image(folder, "vm.img")
    for each in (folder, path):
        os.chown(each, 1234, 1234)
    os.chmod(path, 0o600)
    before = digest(path)
    daemon.define("t1", boot=False, extra=disk(path))
    daemon.virsh("start", "t1")
    wait_counted(daemon, "t1", "A")
    daemon.virsh("destroy", "t1")
    assert os.listdir(folder) == ["vm.img"] and digest(path) == before


def test_what_is_no_file(daemon):
    """A pipe is not waited for, and a device has no file beside it."""
    os.mkfifo(f"{daemon.root}/pipe")
    for path in (f"{daemon.root}/pipe", "/dev/zero", daemon.root):
        daemon.define("t1", boot=False, extra=disk(path))
        assert "is not in a regular file" in daemon.virsh("start", "t1", ok=False)
        daemon.virsh("undefine", "t1")


def test_a_run_whose_status_is_lost(daemon):
    """The daemon that finds QEMU by its monitor knows of the overlay by its note."""
    path = counting_image(daemon.root, "vm.img")
    daemon.define("t1", boot=False, extra=disk(path))
    daemon.virsh("start", "t1")
    wait_counted(daemon, "t1", "A")
    daemon.stop(signal.SIGKILL)
    os.unlink(f"{daemon.root}/run/domains/t1.xml")
    daemon.start()
    wait_for(lambda: not ended(daemon, "t1"), 20, "guest that is found again")
    found = ElementTree.fromstring(daemon.virsh("dumpxml", "t1")).find("devices/disk")
    assert found.find("source").get("file") == path + ".TRANSIENT-t1"
    assert found.find("backingStore/source").get("file") == path
    daemon.virsh("destroy", "t1")
    assert overlays(daemon) == []


def test_an_image_that_stays_whose_it_is(daemon):
    """What is said of the image's owner is not said of the overlay."""
    path = counting_image(daemon.root, "vm.img")
    label = "<seclabel model='dac' relabel='no'/>"
    daemon.define("t1", boot=False, extra=disk(path).replace(f"file='{path}'/>", f"file='{path}'>{label}</source>"))
    daemon.virsh("start", "t1")
    wait_counted(daemon, "t1", "A")


def test_a_slice(daemon):
    """The guest sees as much as without the overlay."""
    path = f"{daemon.root}/two.img"
    with open(path, "wb") as f:
        f.truncate(4 << 20)
    piece = "<slices><slice type='storage' offset='1048576' size='2097152'/></slices>"
    xml = disk(path).replace(f"file='{path}'/>", f"file='{path}'>{piece}</source>")
    assert piece in xml
    daemon.define("t1", boot=False, extra=xml)
    daemon.virsh("start", "t1", "--paused")
    assert "2097152" in re.search("Capacity:.*", daemon.virsh("domblkinfo", "t1", "vda"))[0]
    daemon.virsh("destroy", "t1")
    assert overlays(daemon) == []


@pytest.fixture
def slow_qemu_img(daemon, monkeypatch):
    """A qemu-img that does nothing for a minute once it is to make something: its path then."""
    directory = f"{daemon.root}/slow"
    os.mkdir(directory)
    with open(f"{directory}/qemu-img", "w") as f:
        f.write(f"#!/bin/sh\n[ \"$1\" != create ] || {{ echo $$ >{directory}/pid; exec sleep 60; }}\nexec /usr/bin/qemu-img \"$@\"\n")
    os.chmod(f"{directory}/qemu-img", 0o755)
    daemon.stop()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", directory + ":" + os.environ["PATH"])
        daemon.start()
    return directory


def end_slow(directory):
    with open(f"{directory}/pid") as f:
        try:
            os.kill(int(f.read()), signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_a_daemon_that_ends_while_it_makes_one(daemon, slow_qemu_img):
    path = counting_image(daemon.root, "vm.img")
    before = digest(path)
    daemon.define("t1", boot=False, extra=disk(path))
    client = subprocess.Popen(["virsh", "-c", daemon.uri, "start", "t1"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(f"{slow_qemu_img}/pid"), 20, "qemu-img that is asked")
    assert overlays(daemon) == ["vm.img.TRANSIENT-t1"]
    daemon.stop(signal.SIGKILL)
    client.wait(20)
    end_slow(slow_qemu_img)
    daemon.start()
    assert "shut off" in daemon.virsh("domstate", "t1")  # it answers once it has looked at what is left
    assert overlays(daemon) == [] and notes(daemon) == [] and digest(path) == before
    daemon.virsh("start", "t1")
    wait_counted(daemon, "t1", "A")


def test_a_daemon_that_ends_while_it_attaches_one(daemon, slow_qemu_img):
    path = counting_image(daemon.root, "vm.img")
    before = digest(path)
    daemon.define("t1", boot=False, extra=PORTS)
    daemon.virsh("start", "t1", "--paused")
    attaching = subprocess.Popen(["virsh", "-c", daemon.uri, "attach-device", "t1", device(daemon, disk(path))],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(f"{slow_qemu_img}/pid"), 20, "qemu-img that is asked")
    assert overlays(daemon) == ["vm.img.TRANSIENT-t1"]
    daemon.stop(signal.SIGKILL)
    attaching.wait(20)
    end_slow(slow_qemu_img)
    daemon.start()
    wait_for(lambda: operations(daemon)[-1]["state"] == "undone", 20, lambda: str(operations(daemon)))
    assert overlays(daemon) == [] and digest(path) == before
    daemon.virsh("attach-device", "t1", device(daemon, disk(path)))
    assert overlays(daemon) == ["vm.img.TRANSIENT-t1"]


def test_a_daemon_that_ends_during_a_start(daemon):
    """Wherever it was: the guest runs with its overlay, or there is neither."""
    path = counting_image(daemon.root, "vm.img")
    before = digest(path)
    daemon.define("t1", boot=False, extra=disk(path))
    for i in range(5):
        client = subprocess.Popen(["virsh", "-c", daemon.uri, "start", "t1"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            client.wait(0.05 + 0.06 * i)
        except subprocess.TimeoutExpired:
            pass
        daemon.stop(signal.SIGKILL)
        client.wait(20)
        daemon.start()
        wait_for(lambda: ended(daemon, "t1") == (not daemon.qemus()), 20, "daemon that knows what runs")
        assert overlays(daemon) == ([] if ended(daemon, "t1") else ["vm.img.TRANSIENT-t1"])
        said = daemon.run("virsh", "destroy", "t1", ok=None)
        wait_for(lambda: overlays(daemon) == [] and notes(daemon) == [], 20,
                 lambda: f"end of {overlays(daemon)}, {notes(daemon)}, {daemon.qemus()}: {said} {daemon.log_text()[-3000:]}")
        assert digest(path) == before


def test_one_that_comes_and_goes(daemon, guest):
    """Attached to a guest that runs, written to, and given back; with what has its name, twice, and a QEMU that refuses."""
    path = image(f"{daemon.root}/vm.qcow2")
    os.chmod(path, 0o600)
    before = digest(path)
    xml = device(daemon, disk(path, SHARED, "qcow2", "vdb"))
    daemon.boot("w1", extra=PORTS)
    plant(path + ".TRANSIENT-w1", "file", None)
    assert "already exists" in daemon.virsh("attach-device", "w1", xml, ok=False)
    with open(path + ".TRANSIENT-w1") as f:
        assert f.read() == "mine"
    os.unlink(path + ".TRANSIENT-w1")
    bad = disk(path, "<transient/><address type='pci' bus='0' slot='0'/>", "qcow2", "vdc")
    with open(f"{daemon.root}/bad.xml", "w") as f:
        f.write(bad)
    daemon.virsh("attach-device", "w1", f"{daemon.root}/bad.xml", ok=False)
    assert overlays(daemon) == [] and digest(path) == before
    daemon.virsh("attach-device", "w1", xml, "--live")
    alias = re.search(r"alias name='(virtio-disk\d+)'", daemon.virsh("dumpxml", "w1"))[1]
    assert operations(daemon)[-1]["state"] == "done" and overlays(daemon) == ["vm.qcow2.TRANSIENT-w1"]
    for words in ("write -P 9 0 1M", "flush"):
        io(daemon, "w1", words, alias)
    again = f"{daemon.root}/again.xml"
    with open(again, "w") as f:
        f.write(disk(path, SHARED, "qcow2", "vdc"))
    assert "already exists" in daemon.virsh("attach-device", "w1", again, "--live", ok=False)
    assert overlays(daemon) == ["vm.qcow2.TRANSIENT-w1"]  # it is the first one's
    assert file_holds(path + ".TRANSIENT-w1", 9) and file_holds(path, 0)
    daemon.virsh("detach-device", "w1", xml, "--live")
    wait_for(lambda: "vdb" not in daemon.virsh("dumpxml", "w1"), 60, "guest that gives it back")
    assert overlays(daemon) == [] and digest(path) == before
    for step in ("journaled", "sent", "answered", "saved"):
        assert daemon.crash_at(step, "attach-device", "w1", xml, "--live"), step
        wait_for(lambda: operations(daemon)[-1]["state"] in ("done", "undone"), 20, lambda: str(operations(daemon)))
        there = "vdb" in daemon.virsh("dumpxml", "w1")
        assert overlays(daemon) == (["vm.qcow2.TRANSIENT-w1"] if there else []), step
        assert there == (step in ("answered", "saved")), step
        if there:
            assert f"{path}.TRANSIENT-w1" in daemon.virsh("dumpxml", "w1")
            daemon.virsh("detach-device", "w1", xml, "--live")
            wait_for(lambda: "vdb" not in daemon.virsh("dumpxml", "w1"), 60, "guest that gives it back")
        assert overlays(daemon) == [] and digest(path) == before, step
    daemon.virsh("attach-device", "w1", xml, "--live")
    daemon.virsh("destroy", "w1")
    assert overlays(daemon) == [] and digest(path) == before and notes(daemon) == []
