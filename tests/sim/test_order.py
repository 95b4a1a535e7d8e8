# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes that meet a removal from before: what is known by then counts."""
import json
import os
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import ask, online, sent, start  # noqa: E402
from conftest import client, daemon, end_of, wait_for  # noqa: E402,F401


def no_operation(daemon):
    wait_for(lambda: json.loads(daemon.vireo("ops", "list", "--json")) == [], 10, "end of the operations")


@pytest.mark.parametrize("second", [("setvcpus", "s1", "5"), ("setvcpu", "s1", "3", "--enable")])
def test_evidence_that_came_during_another_change(daemon, second):
    """A change waits for its turn behind another when an old removal is done: it is planned with that."""
    daemon.configure("unplug_timeout_ms = 60000")
    start(daemon, "s1", {"silent": 1})
    daemon.virsh("setvcpus", "s1", "4", "--live")
    daemon.vireo("setvcpus", "s1", "3", "--live", "--async")
    ask(daemon, "s1", set={"reply_delay_ms": [1000, 1000]})
    first = client(daemon, "setvcpus", "s1", "5", "--live")
    wait_for(lambda: ["device_add", "vcpu4"] in sent(daemon, "s1"), 10, "the first change")
    waiting = client(daemon, *second, "--live")
    time.sleep(.3)  # until it waits; without it the test passes for nothing
    ask(daemon, "s1", release=True)
    assert end_of(first)[0] == 0
    code, said = end_of(waiting)
    assert code == 0, said
    ask(daemon, "s1", replace={})
    assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0, 1, 2, 3, 4]
    assert "vCPU 3 removed" in daemon.log_text()
    no_operation(daemon)
