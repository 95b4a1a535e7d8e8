# SPDX-License-Identifier: LGPL-2.1-or-later
"""What dies in the middle of a migration: the guest runs on one side at most, and is lost on none."""
import json
import os
import signal

import pytest

from conftest import client, end_of, wait_for
from test_migrate import other, state, xml_for  # noqa: F401


def runs(daemon, name):
    if name not in daemon.qemus():
        return "gone"
    answer = json.loads(daemon.virsh("qemu-monitor-command", name, '{"execute":"query-status"}'))
    return "runs" if answer["return"]["running"] else "stands"


@pytest.mark.parametrize("side, step, here, there", [
    ("source", "migrate-begun", "runs", "gone"),
    ("source", "migrate-moved", "runs", "gone"),
    ("source", "migrate-given", "stands", "gone"),
    ("destination", "migrate-ready", "runs", "gone"),
    ("destination", "migrate-yours", "stands", "gone"),
])
def test_a_killed_daemon(daemon, other, guest, side, step, here, there):  # noqa: F811
    victim = daemon if side == "source" else other
    victim.stop()
    os.environ["VIREOD_CRASH_AT"] = step
    try:
        victim.start()
    finally:
        del os.environ["VIREOD_CRASH_AT"]
    daemon.boot("vm1", maximum=4, current=1)
    xml = xml_for(other, daemon, "vm1")
    daemon.run("virsh", "migrate", "--live", "vm1", other.uri, "--xml", xml, ok=None)
    assert victim.process.wait(60) == -signal.SIGKILL
    victim.start()
    wait_for(lambda: (runs(daemon, "vm1"), runs(other, "vm1")) == (here, there), 15,
             lambda: f"{here}, {there}: {runs(daemon, 'vm1')}, {runs(other, 'vm1')}; {state(daemon, 'vm1')}")
