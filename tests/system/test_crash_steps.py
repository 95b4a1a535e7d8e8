# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 at every step of an operation, the steps as the code lists them: the next daemon ends it as if
nothing had happened."""
import glob
import json
import subprocess

import pytest

from conftest import VIREOD, wait_for

STEPS = subprocess.run([VIREOD, "--list-steps"], capture_output=True, text=True).stdout.split()


def crash(daemon, step, *command):
    """Also waits until the operation has ended; whether the daemon came to the step."""
    crashed = daemon.crash_at(step, *command)
    wait_for(lambda: not json.loads(daemon.vireo("ops", "list", "--json")), 30, "end of the operation")
    assert glob.glob(f"{daemon.root}/run/operations/*.json") == []  # those that are done may be there for their verdict
    return crashed


def test_there_are_steps():
    assert len(STEPS) >= 8 and "journaled" in STEPS and "ended" in STEPS


@pytest.mark.parametrize("step", [s for s in STEPS if s != "pending"])
def test_plug(daemon, step):
    daemon.paused("c1")
    assert crash(daemon, step, "setvcpus", "c1", "3", "--live", "--config")
    assert daemon.counts("c1") == {("maximum", "config"): 4, ("maximum", "live"): 4,
                                   ("current", "config"): 3, ("current", "live"): 3}
    assert daemon.virsh("qemu-monitor-command", "c1", "--hmp", "info cpus").count("thread_id") == 3


@pytest.mark.parametrize("step", [s for s in STEPS if s != "pending"])
def test_plug_one(daemon, step):
    daemon.paused("c1")
    assert crash(daemon, step, "setvcpu", "c1", "--enable", "2", "--live", "--config")
    xml = daemon.virsh("dumpxml", "c1")
    assert "<vcpu id='2' enabled='yes'" in xml and "<vcpu id='1' enabled='no'" in xml
    assert "<vcpu id='2' enabled='yes'" in daemon.virsh("dumpxml", "c1", "--inactive")
