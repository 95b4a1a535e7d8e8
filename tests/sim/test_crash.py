# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of vireod at every step of every kind of operation, the steps as the code lists them: the next daemon
ends it as if nothing had happened, or it is reported undone."""
import glob
import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import agree, ask, online, start  # noqa: E402
from conftest import VIREOD, daemon, wait_for  # noqa: E402,F401

STEPS = subprocess.run([VIREOD, "--list-steps"], capture_output=True, text=True).stdout.split()
# From vCPUs 0, 1, 2 of 8: the command and what it leads to.
KINDS = {"setvcpus up": (("setvcpus", "s1", "6"), [0, 1, 2, 3, 4, 5]),
         "setvcpu enable": (("setvcpu", "s1", "5", "--enable"), [0, 1, 2, 5]),
         "setvcpus down": (("setvcpus", "s1", "1"), [0]),
         "setvcpu disable": (("setvcpu", "s1", "1", "--disable"), [0, 2])}
FLAGS = {"live": ("--live",), "both": ("--live", "--config")}


def ended(daemon):
    wait_for(lambda: json.loads(daemon.vireo("ops", "list", "--json")) == [], 20, "end of the operation")
    assert glob.glob(f"{daemon.root}/run/operations/*.json") == []  # those that are done may be there for their verdict


def prepare(daemon, **behaviour):
    """Three of eight vCPUs, live and in the definition, the last two of them plugged."""
    daemon.configure("unplug_timeout_ms = 300")
    start(daemon, "s1", behaviour)
    daemon.virsh("setvcpus", "s1", "3", "--live")
    daemon.virsh("setvcpus", "s1", "3", "--config", "--hotpluggable")


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [s for s in STEPS if s != "pending"])
def test_crash(daemon, step, kind, flags):
    prepare(daemon)
    command, expected = KINDS[kind]
    came = daemon.crash_at(step, *command, *FLAGS[flags], seconds=2)
    assert came or (step == "config" and flags == "live")
    ended(daemon)
    agree(daemon, "s1")
    assert online(daemon, "s1") == ask(daemon, "s1")["online"] == expected
    assert int(daemon.virsh("vcpucount", "s1", "--config", "--active")) == (len(expected) if flags == "both" else 3)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("kind", ["setvcpus down", "setvcpu disable"])
@pytest.mark.parametrize("step", STEPS)
def test_crash_with_a_silent_guest(daemon, step, kind, flags):
    """The guest answers only after the restart; steps that need its answer are not reached before."""
    prepare(daemon, silent=1)
    command, expected = KINDS[kind]
    came = daemon.crash_at(step, *command, *FLAGS[flags], seconds=2)
    assert came == (step not in ("confirmed", "tuned", "config", "ended"))
    if not came:
        assert online(daemon, "s1") == [0, 1, 2]
    ask(daemon, "s1", set={"silent": 0}, release=True)
    ended(daemon)
    agree(daemon, "s1")
    assert online(daemon, "s1") == expected
    assert int(daemon.virsh("vcpucount", "s1", "--config", "--active")) == (len(expected) if flags == "both" else 3)


@pytest.mark.parametrize("step", [s for s in STEPS if s not in ("pending", "confirmed", "config")])
def test_crash_of_a_change_that_fails(daemon, step):
    """QEMU refuses a device_add: nothing of it is left, whenever the daemon ended."""
    prepare(daemon, add_error=0)
    ask(daemon, "s1", set={"add_error": 1})
    assert daemon.crash_at(step, "setvcpus", "s1", "6", "--live", "--config") or step == "saved"
    ended(daemon)
    agree(daemon, "s1")
    assert online(daemon, "s1") == [0, 1, 2]
    assert int(daemon.virsh("vcpucount", "s1", "--config", "--active")) == 3
