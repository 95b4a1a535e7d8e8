# SPDX-License-Identifier: LGPL-2.1-or-later
"""Evidence of removals at its real pace and with the real deadline, in whatever moment of a look it comes."""
import glob
import json
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import ask, online, start  # noqa: E402
from conftest import daemon, wait_for  # noqa: E402,F401

CALLS = int(os.environ.get("VIREO_EVIDENCE_CALLS") or 25)
NOT_BY_EVIDENCE = "by the deadline"  # vireod's word for a wait that nothing ended


def status(daemon, name):
    with open(f"{daemon.root}/run/domains/{name}.xml") as f:
        return f.read()


@pytest.mark.parametrize("form", ["kvm", "tcg"])
def test_no_call_sleeps_past_its_evidence(daemon, form):
    """Eight removals, the events of which come while some of them are being settled: each call is ended by them."""
    start(daemon, "s1", {"form": form, "event_delay_ms": [0, 60]}, maximum=9)
    for _ in range(CALLS):
        daemon.virsh("setvcpus", "s1", "9", "--live")
        daemon.virsh("setvcpus", "s1", "1", "--live")
        assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0]
    assert NOT_BY_EVIDENCE not in daemon.log_text()


@pytest.mark.parametrize("form", ["kvm", "tcg"])
def test_a_sign_that_comes_while_qemu_is_asked(daemon, form):
    """The answer of a look is delayed; what comes meanwhile is not taken back by it."""
    start(daemon, "s1", {"form": form, "event_delay_ms": [0, 30], "reply_delay_ms": [10, 30]}, maximum=5)
    for _ in range(max(1, CALLS // 5)):
        daemon.virsh("setvcpus", "s1", "5", "--live")
        daemon.virsh("setvcpus", "s1", "1", "--live")
        assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0]
    assert NOT_BY_EVIDENCE not in daemon.log_text()


def test_the_deadline_is_noticed(daemon):
    """The tests above can fail: a removal whose event is lost is found by the look at the deadline, and that is said."""
    daemon.configure("unplug_timeout_ms = 200")
    start(daemon, "s1", {"lost_event": 1})
    daemon.virsh("setvcpus", "s1", "3", "--live")
    daemon.virsh("setvcpus", "s1", "1", "--live")
    assert NOT_BY_EVIDENCE in daemon.log_text()


def test_gone_while_vireod_was_away(daemon):
    """What was removed between two daemons is settled by the second: events, groups, and that it was removed."""
    daemon.configure("unplug_timeout_ms = 300")
    start(daemon, "s1", {"silent": 1})
    daemon.virsh("setvcpus", "s1", "3", "--live")
    assert "timed out" in daemon.virsh("setvcpus", "s1", "1", "--live", ok=False)
    daemon.stop(9)
    ask(daemon, "s1", release=True)
    wait_for(lambda: ask(daemon, "s1")["online"] == [0], 10, "end of vCPUs 1 and 2")
    daemon.start()
    wait_for(lambda: json.loads(daemon.vireo("ops", "list", "--json")) == [], 10, "end of the operation")
    assert online(daemon, "s1") == [0]
    wait_for(lambda: "vCPU 2 removed" in daemon.log_text() and "vCPU 1 removed" in daemon.log_text(), 10, "the removals")
    wait_for(lambda: "removed='1'" in status(daemon, "s1"), 10, "the mark in the status file")


@pytest.mark.parametrize("cut", ["killed", "disconnect"])
def test_a_refusal_that_nobody_heard_of_a_paused_guest(daemon, cut):
    """The guest refuses while vireod has no monitor, and is paused when it has one: it is asked again once it runs."""
    daemon.configure("unplug_timeout_ms = 60000")  # no look at the deadline helps
    start(daemon, "s1", {"silent": 1})
    daemon.virsh("setvcpus", "s1", "3", "--live")
    daemon.vireo("setvcpus", "s1", "1", "--live", "--async")
    daemon.virsh("suspend", "s1")
    if cut == "killed":
        daemon.stop(9)
    else:
        ask(daemon, "s1", set={"disconnect": 1})
        daemon.run("virsh", "qemu-monitor-command", "s1", "--hmp", "info status", ok=None)
    ask(daemon, "s1", set={"refuse": 1}, release=True)
    wait_for(lambda: ask(daemon, "s1")["leaving"] == [], 10, "the guest's refusal")
    ask(daemon, "s1", replace={})
    if cut == "killed":
        daemon.start()
    wait_for(lambda: "can't release a vCPU" in daemon.vireo("ops", "list", "--json"), 30, "a monitor again")
    assert ask(daemon, "s1")["online"] == [0, 1, 2]
    daemon.virsh("resume", "s1")
    wait_for(lambda: json.loads(daemon.vireo("ops", "list", "--json")) == [], 10, "end of the operation")
    assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0]


def test_taken_over_only_by_what_is_journaled(daemon):
    """The journal of a second change cannot be written: the first, which is pending, is not lost."""
    daemon.configure("unplug_timeout_ms = 200")
    start(daemon, "s1", {"silent": 1})
    daemon.virsh("setvcpus", "s1", "4", "--live", "--config")
    assert "timed out" in daemon.virsh("setvcpus", "s1", "1", "--live", "--config", ok=False)
    journals = f"{daemon.root}/run/operations"
    os.rename(journals, journals + ".away")
    with open(journals, "w"):
        pass
    assert "cannot write the operation's journal" in daemon.virsh("setvcpus", "s1", "2", "--live", ok=False)
    os.unlink(journals)
    os.rename(journals + ".away", journals)
    assert [row["state"] for row in json.loads(daemon.vireo("ops", "list", "--json"))] == ["pending"]
    ask(daemon, "s1", release=True)
    wait_for(lambda: json.loads(daemon.vireo("ops", "list", "--json")) == [], 10, "end of the operation")
    assert int(daemon.virsh("vcpucount", "s1", "--config", "--active")) == 1


def test_a_thread_that_lingers(daemon):
    """The host thread of a removed vCPU ends late: the definition, the reply and the events do not wait for it, its
    groups go when it has gone, also when it is plugged again meanwhile."""
    start(daemon, "s1", {"linger_ms": 2000})
    daemon.virsh("setvcpus", "s1", "3", "--live", "--config")
    truth = ask(daemon, "s1")
    task = f"/proc/{truth['pid']}/task/{truth['tids']['2']}"
    daemon.virsh("setvcpus", "s1", "2", "--live", "--config")
    assert os.path.exists(task)
    assert int(daemon.virsh("vcpucount", "s1", "--config", "--active")) == 2
    assert "vCPU 2 removed" in daemon.log_text()
    ask(daemon, "s1", set={"linger_ms": 0})
    daemon.virsh("setvcpus", "s1", "3", "--live")
    daemon.virsh("setvcpus", "s1", "1", "--live")
    wait_for(lambda: not os.path.exists(task), 10, "end of the thread")
    wait_for(lambda: not [path for path in glob.glob(f"/sys/fs/cgroup/**{daemon.partition}*/**/vcpu2", recursive=True)],
             10, "end of its groups")


def test_the_verdict_is_that_operation_s(daemon):
    """What the guest makes of a plug is told of the operation that plugged, also by the next daemon; nothing of it is
    kept beyond the run."""
    def last():
        rows = json.loads(daemon.vireo("ops", "list", "--all", "--json"))
        return (rows[0]["id"], rows[0]["state"], rows[0].get("guest")) if rows else None

    start(daemon, "s1")
    daemon.virsh("setvcpus", "s1", "3", "--live")
    assert last()[1] == "done"
    daemon.stop(9)  # before anybody has looked
    daemon.start()
    wait_for(lambda: last() and last()[2], 10, "verdict by the next daemon")
    told = last()
    assert told[1] == "done" and not told[2].startswith("online"), told
    daemon.stop(9)
    daemon.start()
    wait_for(lambda: last() == told, 10, lambda: f"{told} once more, it is {last()}")
    daemon.virsh("destroy", "s1")
    wait_for(lambda: not os.listdir(f"{daemon.root}/run/operations"), 10, "end of the journal")
