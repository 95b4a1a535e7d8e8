# SPDX-License-Identifier: LGPL-2.1-or-later
"""Evidence of removals at its real pace and with the real deadline, in whatever moment of a look it comes."""
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
