# SPDX-License-Identifier: LGPL-2.1-or-later
"""Up and down, several vCPUs in one call, in the embedded guest and in one that takes no precautions for TCG."""
import pytest

from several import OLD, ROUNDS, VERSION, emulator, qemu_said  # noqa: F401 (a fixture)
from conftest import CPU, daemon, guest  # noqa: F401 (fixtures)

GUESTS = {"embedded": {"cpu": CPU}, "ordinary": {"cpu": "", "initrd": "initrd-ordinary"}}


def go(daemon, name, count):
    """One call, and the guest's own word for what came of it. It takes what its default deadline allows."""
    daemon.virsh("setvcpus", name, str(count), "--live")
    daemon.wait_online(name, "0" if count == 1 else f"0-{count - 1}")
    assert daemon.counts(name)["current", "live"] == count


@pytest.mark.parametrize("kind", GUESTS)
def test_maximum_of_8(daemon, emulator, guest, kind):
    daemon.define("g", maximum=8, emulator=emulator, **GUESTS[kind])
    for turn in range(ROUNDS):
        daemon.bring_up("g", 1)
        pid = daemon.qemus()["g"]
        for count in (8, 2, 1):
            go(daemon, "g", count)
        assert daemon.qemus()["g"] == pid, f"turn {turn}: QEMU has ended"
        daemon.virsh("destroy", "g")


@pytest.mark.skipif(OLD, reason=f"SKIP: QEMU {VERSION} without KVM ends itself at a plug after a removal")
@pytest.mark.parametrize("kind", GUESTS)
def test_maximum_of_16(daemon, emulator, guest, kind):
    daemon.define("g", maximum=16, emulator=emulator, **GUESTS[kind])
    for turn in range(ROUNDS):
        daemon.bring_up("g", 1)
        pid = daemon.qemus()["g"]
        for count in (8, 2, 8, 1):
            go(daemon, "g", count)
        assert daemon.qemus()["g"] == pid, f"turn {turn}: QEMU has ended"
        daemon.virsh("destroy", "g")


def test_one_at_a_time(daemon, emulator, guest):
    daemon.boot("g", maximum=4, emulator=emulator, **GUESTS["ordinary"])
    for count in (2, 3, 4, 3, 2, 1):
        go(daemon, "g", count)


def test_main_job(daemon, emulator, guest):
    """1 to 6 while the guest runs, kept in the definition, and back; QEMU has nothing to say against its command line."""
    daemon.boot("ol8", maximum=8, emulator=emulator, **GUESTS["ordinary"])
    daemon.virsh("setvcpus", "ol8", "6", "--live", "--config")
    daemon.wait_online("ol8", "0-5")
    daemon.virsh("setvcpus", "ol8", "1", "--live", "--config")
    daemon.wait_online("ol8", "0")
    assert daemon.counts("ol8") == {("maximum", "config"): 8, ("maximum", "live"): 8, ("current", "config"): 1,
                                    ("current", "live"): 1}
    assert not [line for line in qemu_said(daemon, "ol8") if "deprecated" in line]
