# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest's state in files of ours, and its memory in a core file."""
from several import emulator  # noqa: F401 (a fixture)
from conftest import daemon  # noqa: F401 (a fixture)


def test_saved_and_restored(daemon, emulator):  # noqa: F811
    """QEMU's stream goes to a file behind a header of ours and comes from there."""
    daemon.paused("vm1", emulator=emulator, maximum=4)
    daemon.virsh("setvcpus", "vm1", "3", "--live")
    image, core = f"{daemon.root}/image", f"{daemon.root}/core"
    daemon.virsh("dump", "vm1", core, "--memory-only", "--live")
    with open(core, "rb") as f:
        assert f.read(4) == b"\x7fELF"
    daemon.virsh("save", "vm1", image)
    assert not daemon.qemus()
    daemon.virsh("restore", image, "--paused")
    assert daemon.counts("vm1")["current", "live"] == 3
    daemon.virsh("managedsave", "vm1")
    daemon.virsh("start", "vm1", "--paused")
    assert daemon.counts("vm1")["current", "live"] == 3
