# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saved guests that ran: restored, dumped, and in one place whatever dies meanwhile. Each boots a guest: for nights."""
import os
import shutil
import signal
import subprocess

import pytest

from conftest import wait_for
from test_save import answers, files


def test_save_and_restore(daemon, guest):
    path = f"{daemon.root}/vm1.image"
    daemon.boot("vm1", maximum=4)
    daemon.virsh("suspend", "vm1")
    daemon.virsh("save", "vm1", path)
    assert "vm1" in daemon.virsh("list", "--all", "--inactive")
    xml = daemon.virsh("save-image-dumpxml", path)
    assert "<name>vm1</name>" in xml and "<alias" not in xml
    daemon.virsh("restore", path)
    assert daemon.virsh("domstate", "vm1").strip() == "paused"  # as it was saved
    daemon.virsh("destroy", "vm1")
    daemon.virsh("restore", path, "--running")  # the file stays
    answers(daemon, "vm1")
    assert "is already active" in daemon.virsh("restore", path, ok=False)
    daemon.virsh("destroy", "vm1")
    daemon.virsh("undefine", "vm1")
    daemon.virsh("restore", path, "--paused")  # a transient one
    assert "Persistent:     no" in daemon.virsh("dominfo", "vm1")
    daemon.virsh("destroy", "vm1")
    assert "vm1" not in daemon.virsh("list", "--all")


def test_core_dump(daemon, guest):
    path = f"{daemon.root}/core"
    daemon.boot("vm1")
    daemon.virsh("dump", "vm1", path, "--memory-only")
    with open(path, "rb") as f:
        assert f.read(4) == b"\x7fELF"
    assert os.path.getsize(path) > 64 << 20
    assert daemon.virsh("domstate", "vm1").strip() == "running"
    assert daemon.virsh("dump", "vm1", "/dev/null", ok=None) is not None
    assert os.path.exists("/dev/null")
    daemon.virsh("dump", "vm1", path, "--crash")
    assert daemon.virsh("domstate", "vm1", "--reason").strip() == "shut off (crashed)"
    assert "not running" in daemon.virsh("dump", "vm1", path, ok=False)


def test_killed_after_the_file_was_complete(daemon, guest):
    """The guest is in the file: its QEMU, which is still there, is ended."""
    daemon.boot("vm1", maximum=4)
    daemon.crash_at("save-complete", "managedsave", "vm1", seconds=60)
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "shut off", 20, "end of the saved guest's QEMU")
    assert files(daemon) == ["vm1.save"]
    assert not daemon.qemus()
    daemon.virsh("start", "vm1")
    answers(daemon, "vm1")


def test_killed_while_it_was_written(daemon, guest):
    """The guest is in QEMU, and goes on."""
    daemon.boot("vm1", maximum=4)
    daemon.crash_at("save-begun", "managedsave", "vm1", seconds=60)
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "running", 30, "guest that goes on")
    assert files(daemon) == []
    answers(daemon, "vm1")


def test_killed_before_the_restored_guest_ran(daemon, guest):
    """The guest is in the file: the QEMU that has loaded it and not run it is ended."""
    daemon.boot("vm1", maximum=4)
    daemon.virsh("managedsave", "vm1")
    daemon.crash_at("restore-loaded", "start", "vm1", seconds=60)
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "shut off", 20, "end of the QEMU that did not run")
    assert files(daemon) == ["vm1.save"]
    daemon.virsh("start", "vm1")
    answers(daemon, "vm1")


def test_killed_after_the_file_went(daemon, guest):
    """The guest is in QEMU alone, and runs."""
    daemon.boot("vm1", maximum=4)
    daemon.virsh("managedsave", "vm1")
    daemon.crash_at("restore-taken", "start", "vm1", seconds=60)
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "running", 20, "guest that runs")
    assert files(daemon) == []
    answers(daemon, "vm1")


def test_a_silent_qemu_goes_on_when_it_is_back(daemon):
    """A save that QEMU did not answer: the stop may be done late, and the guest runs all the same."""
    daemon.define("vm1", boot=False)
    daemon.virsh("start", "vm1")
    pid = daemon.qemus()["vm1"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert daemon.virsh("managedsave", "vm1", ok=False)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: "save kind" not in open(f"{daemon.root}/run/domains/vm1.xml").read(), 60, "save that is settled")
    assert daemon.virsh("domstate", "vm1").strip() == "running"
    assert files(daemon) == []
    daemon.virsh("managedsave", "vm1")
    assert files(daemon) == ["vm1.save"]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the moment long enough to be hit")
def test_a_qemu_that_is_silent_when_it_is_let_run(daemon):
    """Nobody knows whether the restored guest runs: it and its file are kept until QEMU says so."""
    daemon.define("vm1", boot=False)
    daemon.virsh("start", "vm1")
    daemon.virsh("managedsave", "vm1")
    slow = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(daemon.process.pid),
                             "-e", "inject=rename:delay_exit=1000000"], stdin=subprocess.DEVNULL)
    wait_for(lambda: "TracerPid:\t0" not in open(f"/proc/{daemon.process.pid}/status").read(), 20, "strace")
    starting = subprocess.Popen(["virsh", "-c", daemon.uri, "start", "vm1"], stdin=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)
    wait_for(lambda: files(daemon) == ["vm1.save.taken"], 30, "managed save that is taken")
    pid = daemon.qemus()["vm1"]
    os.kill(pid, signal.SIGSTOP)
    try:
        slow.terminate()
        slow.wait()
        assert "did not answer" in starting.communicate(timeout=300)[1]
        assert files(daemon) == ["vm1.save.taken"]
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: files(daemon) == [], 30, "file that goes")
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "running", 10, "guest that runs")
    assert daemon.qemus()["vm1"] == pid


@pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the moment long enough to be hit")
def test_a_restored_guest_whose_qemu_is_silent_when_it_is_let_run(daemon):
    """Its disks may have changed since it was saved: it is kept, and runs when QEMU says so."""
    path, pid_file = f"{daemon.root}/vm1.image", f"{daemon.root}/run/qemu/vm1.pid"
    daemon.define("vm1", boot=False)
    daemon.virsh("start", "vm1")
    daemon.virsh("save", "vm1", path)
    daemon.virsh("undefine", "vm1")
    slow = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(daemon.process.pid),
                             "-e", "inject=rename:delay_exit=1000000"], stdin=subprocess.DEVNULL)
    wait_for(lambda: "TracerPid:\t0" not in open(f"/proc/{daemon.process.pid}/status").read(), 20, "strace")
    restoring = subprocess.Popen(["virsh", "-c", daemon.uri, "restore", path], stdin=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
    wait_for(lambda: os.path.exists(pid_file), 60, "guest that is here")
    pid = daemon.qemus()["vm1"]
    os.kill(pid, signal.SIGSTOP)
    try:
        slow.terminate()
        slow.wait()
        assert "did not answer 'cont'" in restoring.communicate(timeout=300)[1]
        assert daemon.virsh("list", "--name").split() == ["vm1"]
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "running", 60, "guest that runs")
    assert daemon.qemus()["vm1"] == pid and "no" in daemon.virsh("dominfo", "vm1").split("Persistent:")[1].split()
    daemon.virsh("destroy", "vm1")
    assert not daemon.virsh("list", "--all", "--name").split() and os.path.exists(path)
