# SPDX-License-Identifier: LGPL-2.1-or-later
"""Block jobs: what is in one image of a disk goes into another while the disk is used."""
import ctypes
import json
import os
import signal
import socket
import subprocess
import threading

import libvirt
import pytest

from conftest import wait_for
from images import MIB, chain, disk, file_holds, holds, image, io, job, node_names, qmp, slow, write

SNAP = ("snapshot-create-as", "--disk-only", "--no-metadata")


@pytest.fixture
def three(daemon):
    """A paused machine whose disk has three images, each with a mebibyte of its own."""
    base = image(f"{daemon.root}/base.qcow2")
    daemon.paused("b1", extra=disk(base))
    files = [base]
    write(daemon, "b1", 1, 0)
    for n in (1, 2):
        files.append(f"{daemon.root}/over{n}")
        daemon.virsh(*SNAP, "b1", f"s{n}", "--diskspec", f"vda,file={files[n]}")
        write(daemon, "b1", n + 1, n * MIB)
    return files


def whole(daemon):
    """What the guest sees has not changed."""
    for n in range(3):
        holds(daemon, "b1", n + 1, n * MIB)


def again(daemon):
    """The same from the images, in a new QEMU."""
    daemon.virsh("destroy", "b1")
    daemon.virsh("start", "b1", "--paused")
    whole(daemon)


@pytest.fixture
def events(daemon):
    """What a client is told of block jobs, by path and by target."""
    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(daemon.uri)
    told, over = [], threading.Event()
    for kind in (libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2):
        connection.domainEventRegisterAny(None, kind, lambda c, d, name, what, status, o: told.append((name, what, status)),
                                          None)

    def loop():
        while not over.is_set():
            libvirt.virEventRunDefaultImpl()
    libvirt.virEventAddTimeout(100, lambda *_: None, None)
    thread = threading.Thread(target=loop)
    thread.start()
    yield told
    over.set()
    thread.join()
    connection.close()


def test_pivot(daemon, three, events):
    base, first, top = three
    done = daemon.virsh("blockcommit", "b1", "vda", "--active", "--verbose", "--pivot")
    assert "Successfully pivoted" in done
    assert chain(daemon, "b1") == [base, "end"] == chain(daemon, "b1", inactive=True)
    whole(daemon)
    assert all(file_holds(base, n + 1, n * MIB) for n in range(3))
    assert {node for node in node_names(daemon, "b1") if not node.startswith("#")} == {"drive-virtio-disk0",
                                                                                       "file-virtio-disk0"}
    again(daemon)
    commit = libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT
    for name in (top, "vda"):
        wait_for(lambda name=name: [e for e in events if e[0] == name] == [(name, commit, 3), (name, commit, 0)], 10,
                 f"events of {name}")


@pytest.mark.parametrize("filters", ("iotune", "copy_on_read", "header"))
def test_pivot_below_filters(daemon, filters):
    """What became of the job does not hang on what QEMU calls the files of the disk's nodes."""
    base = image(f"{daemon.root}/base.qcow2")
    over = f"{daemon.root}/over"
    xml = disk(base, more="<iotune><total_iops_sec>9000</total_iops_sec></iotune>" if filters == "iotune" else "")
    if filters == "copy_on_read":
        xml = xml.replace("name='qemu'", "name='qemu' copy_on_read='on'")
    if filters == "header":
        base, below = f"{daemon.root}/mid.qcow2", base
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "./base.qcow2", "-F", "qcow2", base], check=True)
        xml = disk(base, more=f"<backingStore type='file'><format type='qcow2'/><source file='{below}'/><backingStore/>"
                   "</backingStore>")
    daemon.paused("b1", extra=xml)
    write(daemon, "b1", 1, 0)
    daemon.virsh(*SNAP, "b1", "s", "--diskspec", f"vda,file={over}")
    write(daemon, "b1", 2, MIB)
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--pivot", "--shallow")
    assert chain(daemon, "b1")[0] == base == chain(daemon, "b1", inactive=True)[0] and job(daemon, "b1") == {}
    write(daemon, "b1", 7, 2 * MIB)
    daemon.virsh("destroy", "b1")
    assert all(file_holds(base, value, at * MIB) for at, value in enumerate((1, 2, 7)))
    daemon.virsh("start", "b1", "--paused")
    assert chain(daemon, "b1")[0] == base


def test_ready_then_abort(daemon, three, events):
    """A job that is ready goes on until it is asked to end; what would touch its disk is refused by libvirt's words."""
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--wait", "--shallow")
    assert job(daemon, "b1")["type"] == "Active Block Commit"
    assert f"<source file='{three[1]}' index='2'/>" in daemon.virsh("dumpxml", "b1").partition("<mirror")[2]
    for words, answer in ((("blockcommit", "b1", "vda", "--active"), "already in active block job"),
                          (("blockpull", "b1", "vda"), "already in active block job"),
                          (("blockresize", "b1", "vda", "32M"), "already in active block job"),
                          (("detach-disk", "b1", "vda"), "already in active block job"),
                          ((*SNAP, "b1", "x"), "already in active block job"),
                          (("save", "b1", f"{daemon.root}/save"), "domain has active block job"),
                          (("managedsave", "b1"), "domain has active block job"),
                          (("migrate", "b1", daemon.uri, "--p2p"), "domain has active block job")):
        assert answer in daemon.virsh(*words, ok=False), words
    daemon.virsh("blkdeviotune", "b1", "vda", "--total-iops-sec", "9000")
    daemon.virsh("setvcpus", "b1", "2", "--live")
    write(daemon, "b1", 9, 5 * MIB)
    daemon.virsh("blockjob", "b1", "vda", "--abort")
    assert job(daemon, "b1") == {} and "<mirror" not in daemon.virsh("dumpxml", "b1")
    assert chain(daemon, "b1")[:3] == three[::-1]
    whole(daemon)
    assert "does not have an active block job" in daemon.virsh("blockjob", "b1", "vda", "--abort", ok=False)
    assert "does not have an active block job" in daemon.virsh("blockjob", "b1", "vda", "--bandwidth", "1", ok=False)
    wait_for(lambda: [e[2] for e in events if e[0] == "vda"] == [3, 2], 10, "ready and canceled")


def test_commit_in_the_middle(daemon, three):
    base, first, top = three
    assert "active flag" in daemon.virsh("blockcommit", "b1", "vda", ok=False)
    assert "is not active" in daemon.virsh("blockcommit", "b1", "vda", "--active", "--top", first, ok=False)
    assert "could not find base image in chain for 'vda'" in daemon.virsh("blockcommit", "b1", "vda", "--top", base, ok=False)
    assert "could not find" in daemon.virsh("blockcommit", "b1", "vda", "--top", "/none", ok=False)
    assert "could not find" in daemon.virsh("blockcommit", "b1", "vda", "--active", "--base", top, ok=False)
    daemon.virsh("blockcommit", "b1", "vda", "--top", "vda[2]", "--wait", "--verbose")
    wait_for(lambda: chain(daemon, "b1") == [top, base, "end"], 20, "a chain without the middle")
    assert chain(daemon, "b1", inactive=True)[:2] == [top, base]
    assert "over1" not in subprocess.run(["qemu-img", "info", "-U", top], capture_output=True, text=True, check=True).stdout
    assert not [node for node in node_names(daemon, "b1") if "overlay-2" in node]
    whole(daemon)
    again(daemon)


@pytest.mark.parametrize("below", ("all", "base"))
def test_pull(daemon, three, events, below):
    base, first, top = three
    daemon.virsh("blockpull", "b1", "vda", "--wait", *([] if below == "all" else ["--base", base]))
    left = [top, "end"] if below == "all" else [top, base, "end"]
    wait_for(lambda: chain(daemon, "b1") == left, 20, "the chain of after")
    wait_for(lambda: ("vda", 1, 0) in events, 10, "the event")
    whole(daemon)
    again(daemon)
    if below == "all":
        daemon.virsh("blockpull", "b1", "vda", "--wait")  # nothing is below it


def test_bandwidth_and_cancel(daemon, three):
    slow(daemon, "b1", words=("blockpull",), more=())
    assert job(daemon, "b1")["type"] == "Block Pull" and job(daemon, "b1")["bandwidth"] == "1"
    assert job(daemon, "b1")["cur"] != job(daemon, "b1")["end"]
    assert "does not support pivot" in daemon.virsh("blockjob", "b1", "vda", "--pivot", ok=False)
    daemon.virsh("blockjob", "b1", "vda", "--bandwidth", "3")
    wait_for(lambda: job(daemon, "b1").get("bandwidth", "3") == "3", 10, "the new speed")
    daemon.virsh("blockjob", "b1", "vda", "--bandwidth", "1", "--bytes")
    daemon.virsh("blockjob", "b1", "vda", "--abort")
    assert job(daemon, "b1") == {} and chain(daemon, "b1")[:3] == three[::-1]
    whole(daemon)
    assert "less than" in daemon.virsh("blockpull", "b1", "vda", "--bandwidth", str(1 << 60), ok=False)
    assert "not copied" in daemon.virsh("blockcopy", "b1", "vda", f"{daemon.root}/copy", "--wait", ok=False)


@pytest.mark.parametrize("when", ("running", "ready", "pending", "pivoted"))
def test_another_daemon(daemon, three, when):
    """A daemon that is killed, and the one after it: the job goes on, is ready, or has ended meanwhile."""
    base, first, top = three
    words = ("--bandwidth", "1", "--bytes") if when == "running" else ()
    daemon.virsh("blockcommit", "b1", "vda", "--active", *words)
    if when != "running":
        wait_for(lambda: "ready='yes'" in daemon.virsh("dumpxml", "b1"), 20, "a job that is ready")
    os.kill(daemon.pid(), signal.SIGSTOP)
    if when in ("pending", "pivoted"):
        monitor_says(daemon, {"execute": "job-complete", "arguments": {"id": "commit-3"}}, b"pending")
    if when == "pivoted":
        monitor_says(daemon, {"execute": "job-finalize", "arguments": {"id": "commit-3"}}, b"concluded")
    os.kill(daemon.pid(), signal.SIGKILL)
    daemon.process.wait()
    daemon.start()
    if when in ("pending", "pivoted"):
        wait_for(lambda: chain(daemon, "b1") == [base, "end"] and job(daemon, "b1") == {}, 20, "the end of the job")
        assert chain(daemon, "b1", inactive=True) == [base, "end"]
    else:
        wait_for(lambda: job(daemon, "b1").get("type") == "Active Block Commit", 20, "the job")
        daemon.virsh("blockjob", "b1", "vda", "--bandwidth", "0")
        wait_for(lambda: "ready='yes'" in daemon.virsh("dumpxml", "b1"), 20, "a job that is ready")
        daemon.virsh("blockjob", "b1", "vda", "--pivot")
        assert chain(daemon, "b1") == [base, "end"]
    whole(daemon)
    again(daemon)


def test_an_abort_that_was_never_sent(daemon, three):
    """A daemon that ended after it wrote down that it would ask."""
    slow(daemon, "b1", more=("--active",))
    daemon.stop(signal.SIGKILL)
    path = f"{daemon.root}/run/domains/b1.xml"
    with open(path) as f:
        text = f.read()
    assert text.count("phase='runs'") == 1
    with open(path, "w") as f:
        f.write(text.replace("phase='runs'", "phase='aborts'"))
    daemon.start()
    wait_for(lambda: job(daemon, "b1").get("type") == "Active Block Commit", 20, "the job")
    daemon.virsh("blockjob", "b1", "vda", "--abort")
    assert job(daemon, "b1") == {} and chain(daemon, "b1")[:3] == three[::-1]


def daemons_sockets(pid):
    """Copies of the connections of a process."""
    handle = os.pidfd_open(pid)
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            copy = ctypes.CDLL(None, use_errno=True).syscall(438, handle, int(fd), 0)  # pidfd_getfd
            assert copy >= 0, os.strerror(ctypes.get_errno())
            with socket.socket(fileno=copy) as s:
                yield s
    os.close(handle)


def peek(s):
    try:
        return s.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


def monitor_says(daemon, command, answer, seconds=20):
    """A daemon that stands still has sent this to its QEMU, which answers so."""
    for s in daemons_sockets(daemon.pid()):
        try:
            if s.family != socket.AF_UNIX or not str(s.getpeername()).startswith(f"{daemon.root}/lib/monitors/"):
                continue
        except OSError:
            continue
        s.send(json.dumps(command).encode() + b"\n")
        wait_for(lambda s=s: answer in peek(s), seconds, "QEMU's answer")
        return
    raise AssertionError("no connection to a monitor")


def test_a_definition_that_cannot_be_written(daemon, three):
    """There is no pivot before the persistent definition says what the disk has then; the guest does not wait for it."""
    base, first, top = three
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--wait")
    path = f"{daemon.root}/etc/domains"
    os.rename(path, path + ".away")
    open(path, "w").close()
    assert "has the images that it had" in daemon.virsh("blockjob", "b1", "vda", "--pivot", ok=False)
    os.unlink(path)
    os.rename(path + ".away", path)
    assert job(daemon, "b1") == {} and qmp(daemon, "b1", "query-jobs") == []
    assert "cannot be written" in daemon.log_text()
    assert chain(daemon, "b1")[:2] == [top, first] == chain(daemon, "b1", inactive=True)[:2]
    write(daemon, "b1", 3, 2 * MIB)
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--wait", "--pivot")
    assert chain(daemon, "b1", inactive=True) == [base, "end"]
    again(daemon)


def test_qemu_ends_at_a_pivot(daemon, three):
    """What the guest wrote, and QEMU has said it did, is there in the next run whatever the daemon did not hear."""
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--wait")
    os.kill(daemon.pid(), signal.SIGSTOP)
    monitor_says(daemon, {"execute": "job-complete", "arguments": {"id": "commit-3"}}, b"pending")
    words = "qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend \"write -P 9 4M 1M\""
    try:
        monitor_says(daemon, {"execute": "human-monitor-command", "arguments": {"command-line": words}}, b"\"\"", 0.5)
        written = True
    except AssertionError:
        written = False  # it waits
    os.kill(daemon.qemus()["b1"], signal.SIGKILL)
    os.kill(daemon.pid(), signal.SIGCONT)
    wait_for(lambda: daemon.virsh("domstate", "b1").strip() == "shut off", 20, "a domain that has ended")
    files = chain(daemon, "b1", inactive=True)
    assert not written or file_holds(files[0], 9, 4 * MIB)
    daemon.virsh("start", "b1", "--paused")
    whole(daemon)


def test_image_without_space(daemon):
    """A base that cannot take it: the job fails, the disk is what it was."""
    small = f"{daemon.root}/small"
    os.mkdir(small)
    os.chmod(small, 0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", small], check=True)
    try:
        base = image(f"{small}/base.qcow2")
        daemon.paused("b1", extra=disk(base))
        over = f"{daemon.root}/over"
        daemon.virsh(*SNAP, "b1", "one", "--diskspec", f"vda,file={over}")
        for n in range(3):
            write(daemon, "b1", n + 1, n * MIB)
        daemon.virsh("blockcommit", "b1", "vda", "--active")
        wait_for(lambda: job(daemon, "b1") == {}, 20, "the end of the job")
        assert chain(daemon, "b1")[:2] == [over, base] and "No space" in daemon.log_text()
        whole(daemon)
    finally:
        daemon.virsh("destroy", "b1", ok=None)
        subprocess.run(["umount", "-l", small], check=True)


@pytest.mark.parametrize("words", (("--active", "--pivot"), ("--top", "vda[2]")))
def test_commit_after_a_restart(daemon, three, words):
    """What is below is only read, until a job has to write to it."""
    again(daemon)
    daemon.virsh("blockcommit", "b1", "vda", "--wait", *words)
    left = [three[0], "end"] if "--active" in words else [three[2], three[0], "end"]
    wait_for(lambda: chain(daemon, "b1") == left, 20, "the chain of after")
    whole(daemon)
    again(daemon)


def test_killed_qemu(daemon, three):
    slow(daemon, "b1", more=("--active",))
    waiting = subprocess.Popen(["virsh", "-c", daemon.uri, "blockjob", "b1", "vda", "--info"], stdin=subprocess.DEVNULL)
    os.kill(daemon.qemus()["b1"], signal.SIGKILL)
    waiting.wait(20)
    wait_for(lambda: daemon.virsh("domstate", "b1").strip() == "shut off", 20, "a domain that has ended")
    daemon.virsh("start", "b1", "--paused")
    whole(daemon)
    assert job(daemon, "b1") == {}


def test_disk_that_goes_during_a_job(daemon, guest):
    """The guest may release a disk whenever it wants to: its job goes with it."""
    daemon.boot("b1", extra=disk(image(f"{daemon.root}/root.qcow2")))
    before = node_names(daemon, "b1")
    path = f"{daemon.root}/disk.xml"
    with open(path, "w") as f:
        f.write(disk(image(f"{daemon.root}/more.qcow2"), "vdb"))
    daemon.virsh("attach-device", "b1", path)
    daemon.virsh(*SNAP, "b1", "one", "--diskspec", "vda,snapshot=no")
    io(daemon, "b1", "write -P 3 0 4M", "virtio-disk1")
    slow(daemon, "b1", "vdb", more=("--active",))
    qmp(daemon, "b1", "device_del", id="virtio-disk1")
    wait_for(lambda: "vdb" not in daemon.virsh("dumpxml", "b1"), 30, "a disk that has gone")
    wait_for(lambda: node_names(daemon, "b1") == before, 20, "the nodes of before")
    assert qmp(daemon, "b1", "query-jobs") == []
