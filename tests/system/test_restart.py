# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon dies, QEMU dies: what must survive does."""
import os
import signal
import subprocess

from conftest import wait_for


def test_kill_daemon(daemon, guest):
    """kill -9 of vireod with guests running, then a restart: all found, and resizable."""
    daemon.boot("a1")
    daemon.boot("a2", current=2)
    daemon.virsh("setvcpus", "a1", "3", "--live")
    daemon.wait_online("a1", "0-2")
    pids = daemon.qemus()
    before = daemon.virsh("dumpxml", "a1")
    daemon.stop(signal.SIGKILL)
    assert daemon.qemus() == pids
    daemon.start()
    assert daemon.qemus() == pids
    assert daemon.virsh("dumpxml", "a1") == before
    daemon.virsh("setvcpus", "a1", "2", "--live")
    daemon.wait_online("a1", "0-1")
    daemon.virsh("setvcpus", "a2", "4", "--live")
    daemon.wait_online("a2", "0-3")
    assert "running" in daemon.virsh("domstate", "a1")


def test_clean_stop_leaves_guests(daemon):
    daemon.paused("s1")
    pids = daemon.qemus()
    assert daemon.stop() == 0
    assert daemon.qemus() == pids
    daemon.start()
    assert "paused" in daemon.virsh("domstate", "s1")


def test_guest_gone_while_daemon_was_away(daemon):
    """A QEMU that ended meanwhile is reported shut off, its definition kept."""
    daemon.paused("g1")
    daemon.stop(signal.SIGKILL)
    os.kill(daemon.qemus()["g1"], signal.SIGKILL)
    wait_for(lambda: not daemon.qemus(), 10, "end of QEMU")
    daemon.start()
    assert "shut off" in daemon.virsh("domstate", "g1")
    daemon.virsh("start", "g1", "--paused")


def test_qemu_killed(daemon):
    """QEMU killed under the daemon: shut off (crashed), the other domain undisturbed."""
    daemon.paused("k1")
    daemon.paused("k2")
    other = daemon.qemus()["k2"]
    os.kill(daemon.qemus()["k1"], signal.SIGKILL)
    wait_for(lambda: "shut off (crashed)" in daemon.virsh("domstate", "k1", "--reason"), 10,
             "state 'shut off (crashed)'")
    assert daemon.qemus() == {"k2": other}
    daemon.virsh("setvcpus", "k2", "3", "--live")
    assert daemon.counts("k2")[("current", "live")] == 3


def test_event_when_qemu_is_killed(daemon):
    """The event reaches a client: Stopped, with the detail libvirt gives for a QEMU that died."""
    daemon.paused("e1")
    watcher = subprocess.Popen(["virsh", "-c", daemon.uri, "event", "--domain", "e1", "--event", "lifecycle",
                                "--timeout", "20"], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: "event 0 registered" in daemon.log_text(), 10, "event registration in the log")
        os.kill(daemon.qemus()["e1"], signal.SIGKILL)
        out, _ = watcher.communicate(timeout=30)
    finally:
        watcher.kill()
    assert "event 'lifecycle' for domain 'e1': Stopped Failed" in out or "Stopped Crashed" in out, out


def test_garbage_in_run_directory(daemon):
    """A status file that cannot be read is named in the log and does not stop the start."""
    daemon.paused("f1")
    daemon.stop(signal.SIGKILL)
    with open(f"{daemon.root}/run/domains/broken.xml", "w") as f:
        f.write("<domstatus state='1'")
    with open(f"{daemon.root}/etc/domains/broken.xml", "w") as f:
        f.write("not xml")
    daemon.start()
    assert "paused" in daemon.virsh("domstate", "f1")
    assert "broken" in daemon.log_text()


def test_stray_qemu(daemon):
    """vireod was killed between a QEMU's start and its status file: the next one ends that QEMU. One whose status
    file cannot be read is left alone."""
    daemon.paused("known")
    daemon.paused("stray")
    pids = daemon.qemus()
    daemon.stop(signal.SIGKILL)
    status = f"{daemon.root}/run/domains/stray.xml"
    os.rename(status, status + ".away")
    daemon.start()
    wait_for(lambda: "stray" not in daemon.qemus(), 10, "end of the stray")
    assert daemon.qemus() == {"known": pids["known"]}
    assert "running" in daemon.virsh("list") or "paused" in daemon.virsh("list")
    daemon.virsh("start", "stray", "--paused")
    pids = daemon.qemus()
    daemon.stop(signal.SIGKILL)
    with open(status, "w") as f:
        f.write("<domstatus")
    daemon.start()
    assert daemon.qemus() == pids
    assert "leaving it alone" in daemon.log_text()
