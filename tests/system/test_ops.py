# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations: what `vireo ops`, --plan, --async and --timeout say and do, and the trace."""
import json
import os
import re
import signal
import subprocess
import time

from conftest import VIREO, silent, wait_for


def ops(daemon, *arguments):
    return json.loads(daemon.vireo("ops", *arguments, "--json"))


def test_list_and_show(daemon):
    daemon.paused("o1")
    assert ops(daemon, "list", "--all") == []
    daemon.vireo("setvcpus", "o1", "3", "--live")
    operation, = ops(daemon, "list", "--all")
    assert (operation["domain"], operation["operation"], operation["state"]) == ("o1", "setvcpus 3 --live", "done")
    assert operation["vcpus"] == [1, 2]
    assert ops(daemon, "list") == []
    assert "setvcpus 3 --live" in daemon.vireo("ops", "show", operation["id"])
    assert "no operation 99" in daemon.vireo("ops", "show", "99", ok=False)
    assert "only a pending one" in daemon.vireo("ops", "cancel", operation["id"], ok=False)


def test_plan_changes_nothing(daemon):
    daemon.paused("p1")
    before = daemon.virsh("dumpxml", "p1")
    plan = daemon.vireo("setvcpus", "p1", "3", "--live", "--config", "--plan")
    assert "plug    vcpu1: device_add max-x86_64-cpu" in plan and "plug    vcpu2" in plan
    assert "config  1 of 4 vCPUs, will be 3 of 4" in plan
    assert "host    2 threads more, 3 in all on" in plan and "warning no guest agent is connected" in plan
    assert "greater than max allowable" in daemon.vireo("setvcpus", "p1", "9", "--live", "--plan", ok=False)
    assert daemon.virsh("dumpxml", "p1") == before
    assert ops(daemon, "list", "--all") == []


def test_async_await(daemon, guest):
    """--async returns at once; await sees the end; the config half came with it."""
    silent(daemon, "a1")
    start = time.monotonic()
    daemon.vireo("setvcpus", "a1", "1", "--live", "--config", "--async")
    assert time.monotonic() - start < 4.5  # it would wait 5
    operation, = ops(daemon, "list")
    assert operation["state"] == "pending" and sorted(operation["vcpus"]) == [1, 2]
    assert daemon.vireo("vcpuinfo", "a1").count(f"removal (operation {operation['id']})") == 2
    with open(f"{daemon.root}/run/domains/a1.xml") as f:
        # QEMU 7.2 without KVM is asked for one after the other, from the top.
        assert re.findall(r"<vcpu id='(\d)'[^>]* pending='removal'/>", f.read())[-1] == "2"
    assert "is pending" in daemon.vireo("ops", "await", operation["id"], "--timeout", "1", ok=False)
    daemon.wake("a1")
    daemon.vireo("ops", "await", operation["id"], "--timeout", "30")
    assert ops(daemon, "list") == []
    assert "Pending" not in daemon.vireo("vcpuinfo", "a1")
    assert daemon.counts("a1")[("current", "live")] == 1
    assert daemon.counts("a1")[("current", "config")] == 1


def test_timeout_cancel_retry(daemon, guest):
    """A deadline of one's own; a pending removal is given up, or asked for again."""
    silent(daemon, "t1")
    start = time.monotonic()
    assert "timed out" in daemon.vireo("setvcpus", "t1", "2", "--live", "--timeout", "1", ok=False)
    assert 0.9 < time.monotonic() - start < 4.8  # without its own deadline 5
    first, = ops(daemon, "list")
    daemon.vireo("ops", "cancel", first["id"])
    assert ops(daemon, "list") == []
    assert "timed out" in daemon.vireo("setvcpus", "t1", "2", "--live", "--timeout", "1", ok=False)
    second, = ops(daemon, "list")
    assert "timed out" in daemon.vireo("ops", "retry", second["id"], "--timeout", "1", ok=False)
    assert ops(daemon, "list")[0]["state"] == "pending"
    daemon.wake("t1")
    daemon.vireo("ops", "await", second["id"], "--timeout", "30")
    daemon.wait_online("t1", "0-1")
    states = {o["id"]: o["state"] for o in ops(daemon, "list", "--all")}
    assert states[first["id"]] == "cancelled" and states[second["id"]] == "done"


def test_trace(daemon):
    """The QMP conversation, each line with its direction, from the change on."""
    daemon.paused("q1")
    watcher = subprocess.Popen([VIREO, "-c", daemon.uri, "trace", "q1"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        daemon.vireo("setvcpus", "q1", "2", "--live")
        time.sleep(0.2)
    finally:
        watcher.send_signal(signal.SIGINT)
        out, _ = watcher.communicate(timeout=10)
    lines = [line.split(None, 3) for line in out.splitlines() if line]
    assert [l for l in lines if l[1] == ">" and '"device_add"' in l[3]], out
    assert [l for l in lines if l[1] == "<" and '"return"' in l[3]], out
    for line in lines:
        json.loads(line[3])
    assert watcher.returncode == 0


def test_wait(daemon, guest):
    """--wait goes on past the deadline, to the guest's answer; for a plug it tells what the guest made of it."""
    silent(daemon, "w1")
    daemon.configure("unplug_timeout_ms = 500")
    change = subprocess.Popen([VIREO, "-c", daemon.uri, "setvcpus", "w1", "1", "--live", "--wait"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: [o for o in ops(daemon, "list") if o["state"] == "pending"], 10, "pending operation")
    assert change.poll() is None
    daemon.wake("w1")
    out, _ = change.communicate(timeout=30)
    assert change.returncode == 0, out
    assert daemon.counts("w1")[("current", "live")] == 1
    daemon.paused("w2")
    assert "whether the guest uses the vCPUs is not known" in daemon.vireo("setvcpus", "w2", "3", "--live", "--wait")


def test_progress_on_a_terminal(daemon, guest):
    silent(daemon, "t1")
    daemon.configure("unplug_timeout_ms = 1500")
    master, slave = os.openpty()
    change = subprocess.Popen([VIREO, "-c", daemon.uri, "setvcpus", "t1", "1", "--live"], stdin=subprocess.DEVNULL,
                              stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    try:
        while part := os.read(master, 4096):
            text += part
    except OSError:
        pass  # the other end is closed
    os.close(master)
    assert change.wait(10) == 1
    assert b"setvcpus 1 --live: 0 of 2 devices, acting" in text and b"goes on, 'vireo ops' shows it" in text
    assert "requested vcpus is greater" in daemon.vireo("setvcpus", "t1", "9", "--live", "--wait", ok=False)
