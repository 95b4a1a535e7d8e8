# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that goes back to a snapshot, by each QEMU."""
from several import emulator  # noqa: F401 (a fixture)
from conftest import daemon  # noqa: F401 (a fixture)
from images import disk, holds, image, write


def test_back_and_forth(daemon, emulator):  # noqa: F811
    """With the vCPUs that were plugged at that moment, running or paused as it was."""
    first = image(f"{daemon.root}/first.qcow2")
    daemon.paused("s1", emulator=emulator, extra=disk(first), cpu="")
    write(daemon, "s1", 1)
    daemon.virsh("setvcpus", "s1", "3", "--live")
    daemon.virsh("snapshot-create-as", "s1", "a")
    daemon.virsh("setvcpus", "s1", "4", "--live")
    write(daemon, "s1", 2)
    daemon.virsh("resume", "s1")
    daemon.virsh("snapshot-create-as", "s1", "b")
    assert daemon.virsh("domstate", "s1").strip() == "running"
    daemon.virsh("snapshot-revert", "s1", "a")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "paused (from snapshot)"
    assert daemon.counts("s1")["current", "live"] == 3
    holds(daemon, "s1", 1)
    daemon.virsh("snapshot-revert", "s1", "b")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "running (from snapshot)"
    assert daemon.counts("s1")["current", "live"] == 4
    holds(daemon, "s1", 2)
    daemon.virsh("snapshot-delete", "s1", "a", "--children")
