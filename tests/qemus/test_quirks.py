# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a QEMU without KVM does not survive is refused before it is sent, with what to do; nothing else is refused."""
import pytest

from several import OLD, VERSION, emulator, qemu_said, single_thread  # noqa: F401 (a fixture)
from conftest import daemon, guest, wait_for  # noqa: F401 (fixtures)


def alive(daemon, name, pid):
    assert daemon.qemus().get(name) == pid, qemu_said(daemon, name)


@pytest.mark.skipif(not OLD, reason=f"SKIP: QEMU {VERSION} survives it")
def test_plug_after_a_removal(daemon, emulator, guest):
    daemon.boot("g", maximum=4, emulator=emulator)
    pid = daemon.qemus()["g"]
    daemon.virsh("setvcpus", "g", "3", "--live")
    daemon.wait_online("g", "0-2")
    daemon.virsh("setvcpus", "g", "2", "--live")
    said = daemon.virsh("setvcpus", "g", "3", "--live", ok=False)
    assert "'g'" in said and "QEMU 7.2" in said and "KVM" in said, said
    alive(daemon, "g", pid)
    # So is a reset, from outside.
    assert "QEMU 7.2" in daemon.virsh("reset", "g", ok=False)
    alive(daemon, "g", pid)


@pytest.mark.skipif(OLD, reason=f"SKIP: QEMU {VERSION} refuses the first plug after a removal already")
def test_threads_made_are_counted(daemon, emulator, guest):
    """The vCPU threads ever made in a run must not exceed maxcpus: exactly that plug is refused that would."""
    daemon.boot("g", maximum=9, emulator=emulator)
    pid = daemon.qemus()["g"]
    made, count = 1, 1
    for wanted in (4, 2, 4, 2, 4, 2):
        daemon.virsh("setvcpus", "g", str(wanted), "--live")
        made += max(0, wanted - count)
        count = wanted
        daemon.wait_online("g", f"0-{wanted - 1}")
    assert made == 8
    said = daemon.virsh("setvcpus", "g", "4", "--live", ok=False)
    assert "'g'" in said and f"QEMU {VERSION}" in said, said
    alive(daemon, "g", pid)
    daemon.virsh("setvcpus", "g", "3", "--live")
    daemon.wait_online("g", "0-2")
    # The count outlives the daemon.
    daemon.stop()
    daemon.start()
    daemon.virsh("setvcpus", "g", "4", "--live", ok=False)
    alive(daemon, "g", pid)
    daemon.virsh("setvcpus", "g", "2", "--live")
    daemon.virsh("destroy", "g")
    daemon.virsh("start", "g")
    daemon.wait_online("g", "0")
    daemon.virsh("setvcpus", "g", "4", "--live")
    daemon.wait_online("g", "0-3")


def test_refused_plug_makes_no_thread(daemon, emulator, guest):
    """Threads of a run count, not requests."""
    daemon.boot("g", maximum=4, emulator=emulator)
    for _ in range(4):
        daemon.virsh("setvcpus", "g", "5", "--live", ok=False)
    daemon.virsh("setvcpus", "g", "4", "--live")
    daemon.wait_online("g", "0-3")


@pytest.mark.skipif(OLD, reason=f"SKIP: QEMU {VERSION} does not survive it")
def test_reset_after_a_removal(daemon, emulator, guest):
    daemon.boot("g", maximum=4, emulator=emulator)
    pid = daemon.qemus()["g"]
    daemon.virsh("setvcpus", "g", "3", "--live")
    daemon.wait_online("g", "0-2")
    daemon.virsh("setvcpus", "g", "2", "--live")
    daemon.wait_online("g", "0-1")
    before = daemon.said("g", "BUTTON")
    daemon.virsh("reset", "g")
    wait_for(lambda: daemon.said("g", "BUTTON") > before, 60, "a guest that boots again")
    alive(daemon, "g", pid)


def test_one_thread_for_all(daemon, emulator, guest):
    """With thread=single device_del itself ends QEMU."""
    own = single_thread(daemon, emulator)
    daemon.boot("g", maximum=4, emulator=own)
    pid = daemon.qemus()["g"]
    daemon.virsh("setvcpus", "g", "2", "--live")
    daemon.wait_online("g", "0-1")
    said = daemon.virsh("setvcpus", "g", "1", "--live", ok=False)
    assert "'g'" in said and "thread" in said, said
    alive(daemon, "g", pid)
    assert daemon.counts("g")["current", "live"] == 2


@pytest.mark.skipif(OLD, reason=f"SKIP: such a guest hangs under QEMU {VERSION}")
def test_sparse_at_boot(daemon, emulator, guest):
    vcpus = "".join(f"<vcpu id='{i}' enabled='{'yes' if i in (0, 6, 7) else 'no'}'"
                    f" hotpluggable='{'no' if i == 0 else 'yes'}'/>" for i in range(8))
    daemon.define("g", maximum=8, current=3, emulator=emulator, cpu="", initrd="initrd-ordinary",
                  tune=f"<vcpus>{vcpus}</vcpus>")
    daemon.virsh("start", "g")
    daemon.wait_online("g", "0-2")
