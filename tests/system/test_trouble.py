# SPDX-License-Identifier: LGPL-2.1-or-later
"""Things that happen at a bad moment: to one domain or one client, and to nobody else."""
import os
import signal
import socket
import struct
import threading
import time

import pytest

from conftest import client, end_of, quick, wait_for


def test_stopped_qemu(daemon):
    """A QEMU that does not answer its monitor (SIGSTOP) costs its own calls only."""
    daemon.paused("q1")
    daemon.paused("q2")
    pid = daemon.qemus()["q1"]
    os.kill(pid, signal.SIGSTOP)
    try:
        stuck = client(daemon, "setvcpus", "q1", "3", "--live")
        time.sleep(0.5)
        quick(daemon, "list", "--all")
        quick(daemon, "dominfo", "q1")
        quick(daemon, "dumpxml", "q1")
        quick(daemon, "setvcpus", "q2", "3", "--live")
    finally:
        os.kill(pid, signal.SIGCONT)
    status, out = end_of(stuck)
    assert status == 0, out
    assert daemon.counts("q1")[("current", "live")] == 3


def test_destroy_of_stopped_qemu(daemon):
    """destroy works on a QEMU that ignores everything but SIGKILL."""
    daemon.paused("q1")
    os.kill(daemon.qemus()["q1"], signal.SIGSTOP)
    daemon.virsh("destroy", "q1")
    wait_for(lambda: not daemon.qemus(), 10, "end of QEMU")
    assert "shut off" in daemon.virsh("domstate", "q1")


def test_restart_with_stopped_qemu(daemon):
    """A domain that does not answer at the daemon's start does not keep the others from it."""
    daemon.paused("q1")
    daemon.paused("q2")
    pid = daemon.qemus()["q1"]
    os.kill(pid, signal.SIGSTOP)
    try:
        daemon.stop(signal.SIGKILL)
        daemon.start()
        wait_for(lambda: daemon.run("virsh", "setvcpus", "q2", "3", "--live", ok=None).returncode == 0, 20,
                 "resize of the domain that does answer")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert daemon.qemus().get("q1") == pid
    wait_for(lambda: "paused" in daemon.run("virsh", "domstate", "q1", ok=None).stdout, 20,
             "domain 'q1' once its QEMU answers")


def test_many_at_once(daemon):
    """Eight clients resize four domains against each other: every call is answered, counts agree with QEMU."""
    names = ["m1", "m2", "m3", "m4"]
    for name in names:
        daemon.paused(name, maximum=16)
    clients = [client(daemon, "setvcpus", name, count, "--live") for count in ("9", "16") for name in names]
    results = [end_of(process, 60) for process in clients]
    # Whoever comes second with the smaller count asks for a removal that no guest is there to answer.
    for status, out in results:
        assert status == 0 or "is paused" in out, out
    for name in names:
        assert daemon.counts(name)[("current", "live")] == 16
        threads = daemon.virsh("qemu-monitor-command", name, "--hmp", "info cpus")
        assert threads.count("thread_id") == 16


def test_two_starts(daemon):
    """Two clients start one domain: one QEMU, one success, one clear error."""
    daemon.define("t1", boot=False)
    results = [end_of(process) for process in [client(daemon, "start", "t1", "--paused") for _ in range(2)]]
    assert sorted(status for status, _ in results) == [0, 1], results
    assert any("already running" in out or "already active" in out for _, out in results), results
    assert len(daemon.qemus()) == 1


def test_transient_domain(daemon):
    """create without define: gone when it ends, also when it ended while no daemon ran."""
    for name in ("c1", "c2"):
        with open(f"{daemon.root}/{name}.xml", "w") as f:
            f.write(daemon.xml(name, boot=False))
        daemon.virsh("create", f"{daemon.root}/{name}.xml", "--paused")
    daemon.virsh("destroy", "c1")
    assert "c1" not in daemon.virsh("list", "--all")
    daemon.stop(signal.SIGKILL)
    os.kill(daemon.qemus()["c2"], signal.SIGKILL)
    wait_for(lambda: not daemon.qemus(), 10, "end of QEMU")
    daemon.start()
    assert "c2" not in daemon.virsh("list", "--all")


def test_undefine_while_running(daemon):
    """The running domain becomes transient, and stays found over a restart."""
    daemon.paused("u1")
    daemon.virsh("undefine", "u1")
    assert "no" in daemon.virsh("dominfo", "u1").split("Persistent:")[1].split("\n")[0]
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert "u1" in daemon.virsh("list")
    daemon.virsh("destroy", "u1")
    assert "u1" not in daemon.virsh("list", "--all")


# ---- clients that behave badly on the wire ----

def frame(procedure, payload=b"", serial=0):
    return struct.pack(">IIIiiIi", len(payload) + 28, 0x20008086, 1, procedure, 0, serial, 0) + payload


OPEN = struct.pack(">I", 1) + struct.pack(">I", 14) + b"qemu:///system\0\0" + struct.pack(">I", 0)


def memory_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def test_client_that_never_reads(daemon):
    """Calls without end and no answer taken: the daemon stops reading or closes it, and serves others."""
    daemon.paused("w1", maximum=200)
    s = socket.socket(socket.AF_UNIX)
    s.connect(daemon.socket)
    s.sendall(frame(66) + frame(1, OPEN))
    before = memory_kib(daemon.pid())
    capabilities = frame(7) * 100
    s.settimeout(1)
    with pytest.raises(OSError):  # 2.4 GB of answers are not taken on
        for _ in range(4000):
            s.sendall(capabilities)
    quick(daemon, "list")
    quick(daemon, "setvcpus", "w1", "2", "--live")
    grown = memory_kib(daemon.pid()) - before
    s.close()
    # The limit is 64 MiB of answers; the rest is room for malloc's and the sanitizers' own.
    assert grown < 1024 * 1024, f"the daemon grew by {grown} KiB"
    quick(daemon, "list")


def test_slow_and_idle_clients(daemon):
    """Half a frame held open on many connections: others are served."""
    held = []
    for _ in range(50):
        s = socket.socket(socket.AF_UNIX)
        s.connect(daemon.socket)
        s.sendall(frame(1, OPEN)[:20])
        held.append(s)
    quick(daemon, "list", "--all")
    for s in held:
        s.close()
    quick(daemon, "list", "--all")


def test_flood_of_connections(daemon):
    """More connections than a daemon may keep: it lives, and serves again when they are gone."""
    held = []
    stop = threading.Event()

    def connect():
        while not stop.is_set() and len(held) < 1500:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(2)
            try:
                s.connect(daemon.socket)
            except OSError:
                s.close()
                time.sleep(0.01)
                continue
            held.append(s)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join(5)
    stop.set()
    thread.join()
    assert daemon.process.poll() is None
    for s in held:
        s.close()
    wait_for(lambda: daemon.run("virsh", "list", ok=None).returncode == 0, 20, "service after the flood")
