# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes that meet a removal from before: what is known by then counts, and what was asked later wins."""
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


LATER = {"a count": [("setvcpus", "s1", "6", "--config")],
         "a count of both": [("setvcpus", "s1", "5", "--live", "--config"), ("setvcpus", "s1", "6", "--live", "--config")],
         "a vCPU": [("setvcpu", "s1", "4,5", "--enable", "--config")],
         "a definition": [("define", "six.xml")]}


@pytest.mark.parametrize("later,between", [*((later, "nothing") for later in LATER), ("a count", "a kill")])
def test_the_definition_is_the_last_one_s(daemon, later, between):
    """A removal that the guest carries out late does not take back what the definition was made since."""
    daemon.configure("unplug_timeout_ms = 200")
    start(daemon, "s1", {"silent": 1})
    daemon.virsh("setvcpus", "s1", "4", "--live", "--config")
    with open(f"{daemon.root}/six.xml", "w") as f:
        f.write(daemon.virsh("dumpxml", "--inactive", "s1").replace("current='4'", "current='6'"))
    assert "timed out" in daemon.virsh("setvcpus", "s1", "2", "--live", "--config", ok=False)
    for words in LATER[later]:
        daemon.virsh(*(word.replace("six.xml", f"{daemon.root}/six.xml") for word in words))
    assert "the definition was changed since" in daemon.vireo("ops", "list")
    if between == "a kill":
        daemon.stop(9)
        daemon.start()
    ask(daemon, "s1", release=True)
    no_operation(daemon)
    assert online(daemon, "s1") == ask(daemon, "s1")["online"]
    assert 2 not in online(daemon, "s1")
    assert int(daemon.virsh("vcpucount", "s1", "--config", "--active")) == 6


def test_other_vcpus_are_not_about_it(daemon):
    """Each of two removals of one vCPU is in the definition, whichever the guest carries out first; so is a removal
    after which the maximum was changed."""
    daemon.configure("unplug_timeout_ms = 200")
    start(daemon, "s1", {"silent": 1})
    daemon.virsh("setvcpus", "s1", "4", "--live", "--config", "--hotpluggable")
    assert "timed out" in daemon.virsh("setvcpu", "s1", "3", "--disable", "--live", "--config", ok=False)
    ask(daemon, "s1", set={"silent": 0})
    daemon.virsh("setvcpu", "s1", "2", "--disable", "--live", "--config")
    daemon.virsh("setvcpus", "s1", "7", "--maximum", "--config")
    ask(daemon, "s1", release=True)
    no_operation(daemon)
    assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0, 1]
    assert int(daemon.virsh("vcpucount", "s1", "--config", "--active")) == 2
