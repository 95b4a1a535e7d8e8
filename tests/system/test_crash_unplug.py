# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same for a removal, with a real guest."""
import pytest

from conftest import silent, wait_for
from test_crash_steps import STEPS, crash


@pytest.mark.parametrize("step", [s for s in STEPS if s != "pending"])
def test_unplug(daemon, guest, step):
    daemon.boot("c1")
    daemon.virsh("setvcpus", "c1", "3", "--live")
    daemon.wait_online("c1", "0-2")
    daemon.virsh("setvcpus", "c1", "3", "--config")
    assert crash(daemon, step, "setvcpus", "c1", "1", "--live", "--config")
    daemon.wait_online("c1", "0")
    assert daemon.counts("c1") == {("maximum", "config"): 4, ("maximum", "live"): 4,
                                   ("current", "config"): 1, ("current", "live"): 1}


def test_unplug_pending(daemon, guest):
    """The step that only a silent guest leads to."""
    daemon.configure("unplug_timeout_ms = 1000")
    silent(daemon, "c1")
    assert daemon.crash_at("pending", "setvcpus", "c1", "1", "--live")
    daemon.wake("c1")
    daemon.wait_online("c1", "0")
    wait_for(lambda: daemon.counts("c1")[("current", "live")] == 1, 20, "current count of 1")
