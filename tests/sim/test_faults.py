# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each way a QEMU or its guest can fail a vCPU change, and what the caller then sees."""
import json
import os
import re
import signal
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import agree, ask, define, online, plug_by_hand, sent, start  # noqa: E402
from conftest import daemon, wait_for  # noqa: E402,F401

DEADLINE = 2  # long enough for a guest that answers on a busy machine
UP = ("setvcpus", "s1", "4", "--live")
DOWN = ("setvcpus", "s1", "1", "--live")


@pytest.fixture(autouse=True)
def short_deadline(daemon):
    daemon.configure(f"unplug_timeout_ms = {int(DEADLINE * 1000)}")


def no_operations(daemon, seconds=10):
    wait_for(lambda: json.loads(daemon.vireo("ops", "list", "--json")) == [], seconds, "end of all operations")


def timed(daemon, *arguments, ok=False):
    begin = time.monotonic()
    out = daemon.virsh(*arguments, ok=ok)
    return out, time.monotonic() - begin


@pytest.mark.parametrize("form", ["kvm", "tcg"])
@pytest.mark.parametrize("fault", [{}, {"duplicate": 1}, {"event_before_reply": 1}, {"event_delay_ms": [50, 100]},
                                   {"reply_delay_ms": [5, 20]}, {"in_progress": 1}, {"lost_event": 1}])
def test_it_works_all_the_same(daemon, form, fault):
    """Slow, early, doubled or lost: the change is done, and an event too many does no harm to the next one."""
    start(daemon, "s1", {"form": form, **fault})
    for _ in range(2):
        daemon.virsh(*UP)
        assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0, 1, 2, 3]
        daemon.virsh(*DOWN)
        assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0]


@pytest.mark.parametrize("code, reason", [(1, "non-specific"), (0x80, "not support"), (0x81, "in use"),
                                          (0x82, "busy"), (0x83, "depends")])
def test_refusals(daemon, code, reason):
    start(daemon, "s1", {"refuse": 1, "refuse_codes": [code]}, current=1)
    daemon.virsh(*UP)
    error, seconds = timed(daemon, *DOWN)
    assert "rejected by the guest" in error and reason in error and seconds < DEADLINE
    assert online(daemon, "s1") == [0, 1, 2, 3]
    no_operations(daemon)


def test_refusal_of_some(daemon):
    """The guest gives two of three and refuses the third: both are said, and both are so."""
    start(daemon, "s1", {"refuse_codes": [0x81], "event_delay_ms": [20, 20]})
    daemon.virsh(*UP)
    ask(daemon, "s1", set={"refuse_aliases": ["vcpu2"]})
    error = daemon.virsh(*DOWN, ok=False)
    assert "2 of 3 vCPU devices were removed" in error and "vCPU 2 was rejected" in error and "in use" in error
    agree(daemon, "s1")
    assert online(daemon, "s1") == [0, 2]


def test_guest_error(daemon):
    start(daemon, "s1", {"guest_error": 1})
    daemon.virsh(*UP)
    error, seconds = timed(daemon, *DOWN)
    assert "rejected by the guest" in error and seconds < DEADLINE


def test_new_settings_are_in_force(daemon):
    """After SIGHUP a removal waits as long as the file says, and the log has what its new level lets through."""
    daemon.stop()
    before = len(daemon.log_text())
    daemon.verbose = []
    daemon.configure("unplug_timeout_ms = 120000", "log_level = error")
    start(daemon, "s1", {"silent": 1})
    daemon.virsh("setvcpus", "s1", "3", "--live")
    assert "info: " not in daemon.log_text()[before:]
    with open(f"{daemon.root}/etc/vireod.conf", "w") as f:
        f.write("\n".join([*daemon.settings, "unplug_timeout_ms = 200", "log_level = info"]))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "info: vireod: the settings were read again" in daemon.log_text()[before:], 20, "the new settings")
    error, seconds = timed(daemon, *DOWN)
    assert "timed out" in error and seconds < 60
    ask(daemon, "s1", release=True)
    no_operations(daemon)


def test_silent_then_late(daemon):
    start(daemon, "s1", {"silent": 1})
    start(daemon, "other")
    daemon.virsh(*UP)
    error, seconds = timed(daemon, *DOWN)
    assert "timed out" in error and DEADLINE <= seconds
    assert online(daemon, "s1") == [0, 1, 2, 3]
    daemon.virsh("setvcpus", "other", "4", "--live")
    ask(daemon, "s1", release=True)
    no_operations(daemon)
    assert online(daemon, "s1") == [0]


def test_silent_then_late_and_the_event_is_lost(daemon):
    """Nothing is ever heard of it: it is found by looking again."""
    start(daemon, "s1", {"silent": 1, "lost_event": 1})
    daemon.virsh(*UP)
    assert "timed out" in daemon.virsh(*DOWN, ok=False)
    ask(daemon, "s1", release=True)
    no_operations(daemon)
    agree(daemon, "s1")


def test_late_refusal(daemon):
    start(daemon, "s1", {"silent": 1, "refuse": 1})
    daemon.virsh(*UP)
    assert "timed out" in daemon.virsh(*DOWN, ok=False)
    ask(daemon, "s1", release=True)
    no_operations(daemon)
    assert online(daemon, "s1") == [0, 1, 2, 3]
    assert "rejected by the guest" in daemon.vireo("ops", "list", "--all")


def test_progress_extends(daemon):
    """The guest takes longer than the deadline, but says halfway that it is at it."""
    start(daemon, "s1", {"in_progress": 1, "late": 1, "late_ms": [DEADLINE * 1200] * 2,
                         "event_delay_ms": [DEADLINE * 500] * 2})
    daemon.virsh("setvcpus", "s1", "2", "--live")
    daemon.virsh("setvcpus", "s1", "1", "--live")
    assert online(daemon, "s1") == [0]


def test_add_fails_half_way(daemon):
    """What was added is taken away again; the error tells both."""
    start(daemon, "s1", {"seed": 3})
    plug_by_hand(daemon, "s1", 3, "mine")
    error = daemon.virsh("setvcpus", "s1", "6", "--live", ok=False)
    assert "APIC ID 3 exists" in error and "4 of 5 vCPU devices that were added are removed again" in error
    agree(daemon, "s1")
    assert ask(daemon, "s1")["online"] == [0, 3]


def test_add_fails(daemon):
    start(daemon, "s1", {"add_error": 1})
    error = daemon.virsh(*UP, ok=False)
    assert "no vCPU was added" in error and "no room for another CPU" in error
    assert [name for name, _ in sent(daemon, "s1")] == ["device_add"] * 3


def test_del_fails(daemon):
    start(daemon, "s1", {"del_error": 1})
    daemon.virsh(*UP)
    error, seconds = timed(daemon, *DOWN)
    assert "the device stays" in error and seconds < DEADLINE
    no_operations(daemon)


@pytest.mark.parametrize("command", [UP, DOWN])
def test_qemu_ends(daemon, command):
    """The error comes at once, and everything else goes on."""
    start(daemon, "s1")
    start(daemon, "other")
    daemon.virsh("setvcpus", "s1", "3", "--live")
    ask(daemon, "s1", set={"exit": 1})
    _, seconds = timed(daemon, *command)
    assert seconds < 20
    wait_for(lambda: "shut off" in daemon.virsh("domstate", "s1"), 10, "end of s1")
    daemon.virsh("setvcpus", "other", "4", "--live")
    no_operations(daemon)
    daemon.virsh("start", "s1")


@pytest.mark.parametrize("fault", ["disconnect", "garbage"])
@pytest.mark.parametrize("command", [UP, DOWN])
def test_the_connection_breaks(daemon, fault, command):
    """The call fails, the guest stays, and its monitor is connected again."""
    start(daemon, "s1")
    start(daemon, "other")
    daemon.virsh("setvcpus", "s1", "3", "--live")
    pid = ask(daemon, "s1", set={fault: 1})["pid"]
    daemon.run("virsh", *command, ok=None)
    reason = {"disconnect": "QEMU closed its end", "garbage": "QEMU sent"}[fault]
    line = f"warning: domain 's1': the monitor of its QEMU .* was closed: {reason}.*; the guest stays, trying to connect again"
    wait_for(lambda: re.search(line, daemon.log_text()), 30, "a warning that says why")
    daemon.virsh("setvcpus", "other", "4", "--live")
    ask(daemon, "s1", set={fault: 0})
    wait_for(lambda: daemon.run("virsh", "setvcpus", "s1", "5", "--live", ok=None).returncode == 0, 30,
             "a monitor that is connected again")
    assert ask(daemon, "s1")["pid"] == pid
    assert "running" in daemon.virsh("domstate", "s1")
    agree(daemon, "s1")


def test_huge_reply(daemon):
    """A reply that is too large costs its own call, at once; the guest stays."""
    start(daemon, "s1", {})
    pid = ask(daemon, "s1", set={"huge": 1})["pid"]
    _, seconds = timed(daemon, *UP)
    assert seconds < 20
    ask(daemon, "s1", set={"huge": 0})
    wait_for(lambda: daemon.run("virsh", "setvcpus", "s1", "5", "--live", ok=None).returncode == 0, 30,
             "a monitor that answers again")
    assert ask(daemon, "s1")["pid"] == pid
    agree(daemon, "s1")


def test_shared_thread(daemon):
    """All vCPUs on the emulator's thread: they come and go, and nothing is claimed of threads of their own."""
    start(daemon, "s1", {"shared_thread": True})
    daemon.virsh(*UP)
    assert online(daemon, "s1") == [0, 1, 2, 3]
    info = daemon.virsh("vcpuinfo", "s1")
    assert info.count("VCPU:") == 4 and "CPU time" not in info
    daemon.virsh(*DOWN)
    agree(daemon, "s1")


def test_old_qemu(daemon):
    """Without query-hotpluggable-cpus nothing can be plugged, and that is said."""
    start(daemon, "s1", {"without": ["query-hotpluggable-cpus"]})
    assert "hotplug" in daemon.virsh(*UP, ok=False)
    assert sent(daemon, "s1") == []


def test_removal_of_another_hand(daemon):
    """A vCPU that somebody removes through QEMU's monitor is gone for vireod too."""
    start(daemon, "s1")
    daemon.virsh(*UP)
    daemon.virsh("qemu-monitor-command", "s1", '{"execute":"device_del","arguments":{"id":"vcpu2"}}')
    agree(daemon, "s1")
    assert online(daemon, "s1") == [0, 1, 3]


def test_changes_of_one_domain_follow_each_other(daemon):
    """Eight clients at once: the commands of one change are never between those of another."""
    from conftest import client, end_of
    start(daemon, "s1", {"reply_delay_ms": [1, 5]}, maximum=16)
    clients = [client(daemon, "setvcpus", "s1", str(n), "--live") for n in (16, 2, 9, 4, 12, 1, 8, 3)]
    for process in clients:
        end_of(process)
    agree(daemon, "s1")
    kinds = [name for name, _ in ask(daemon, "s1", log=True)["log"] if name in ("device_add", "device_del",
                                                                                "query-cpus-fast")]
    runs = [kinds[i] for i in range(len(kinds)) if i == 0 or kinds[i] != kinds[i - 1]]
    assert all(a == "query-cpus-fast" or b == "query-cpus-fast" for a, b in zip(runs, runs[1:])), runs
