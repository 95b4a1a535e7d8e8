# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each kind of device comes to a guest that runs, and goes with everything that was made for it."""
from conftest import wait_for
from test_device import PORTS, device, disk, operations, peripherals
from test_device_kinds import KINDS, USB, state
from test_taps import namespace  # noqa: F401


def test_comes_and_goes(daemon, guest, namespace):  # noqa: F811
    daemon.boot("w1", extra=PORTS + USB)
    inactive = daemon.virsh("dumpxml", "w1", "--inactive")
    for i, (kind, make) in enumerate(KINDS.items()):
        client = (daemon.virsh, daemon.vireo)[i % 2]
        before, path = state(daemon, "w1"), device(daemon, make(daemon))
        client("attach-device", "w1", path, "--live", "--config")
        assert len(peripherals(daemon, "w1") - before[0]) == 1, kind
        assert daemon.virsh("dumpxml", "w1", "--inactive") != inactive, kind
        client("detach-device", "w1", path, "--live", "--config")
        wait_for(lambda: state(daemon, "w1") == before, 60, lambda: f"nothing of the {kind} is left: "
                 f"{before} but {state(daemon, 'w1')}")
        assert daemon.virsh("dumpxml", "w1", "--inactive") == inactive, kind
        assert [op["state"] for op in operations(daemon)[-2:]] == ["done", "done"], kind


def test_a_detach_that_is_cut_short(daemon, guest):
    """vireod is killed at each step of a detach: the next one sees it to its end, the definition's half too."""
    daemon.boot("w1", extra=PORTS)
    xml = device(daemon, disk(daemon))
    for step in ("journaled", "sent", "answered", "config"):
        before = state(daemon, "w1")
        daemon.virsh("attach-device", "w1", xml, "--live", "--config")
        assert daemon.crash_at(step, "detach-device", "w1", xml, "--live", "--config"), step
        wait_for(lambda: operations(daemon)[-1]["state"] == "done", 60, lambda: str(operations(daemon)))
        wait_for(lambda: state(daemon, "w1") == before, 20, step)
        assert "vdb" not in daemon.virsh("dumpxml", "w1", "--inactive"), step
