# SPDX-License-Identifier: LGPL-2.1-or-later
"""What QUIRK_SMM_PLUG refuses does hang this QEMU without KVM. A QEMU that is mended fails here, and the quirk's row gets its
version."""
import os
import re
import time

import pytest

from several import VERSION, emulator  # noqa: F401 (a fixture)
import test_machines_vcpus as machines  # of tests/system
from conftest import daemon, guest, wait_for  # noqa: F401 (fixtures)
from simulated import plug_by_hand


@pytest.mark.skipif(not os.path.exists(machines.CODE), reason="SKIP: no OVMF: scripts/packages test")
def test_a_vcpu_that_comes(daemon, emulator, guest, monkeypatch):
    """Past vireod: CPU 0 stays in SMM for good, the other halts where the firmware has put it, and has not been in SMM."""
    def registers(cpu):
        said = daemon.virsh("qemu-monitor-command", "smm", "--hmp", "info registers -a" if cpu else "info registers")
        return said[said.index(f"CPU#{cpu}"):] if cpu else said

    monkeypatch.setattr(machines, "QEMU", emulator)
    machines.machine(daemon, "smm", attributes="firmware='efi'", os_xml=machines.SECBOOT)
    refused = daemon.virsh("setvcpus", "smm", "2", "--live", ok=False)
    assert f"QEMU {VERSION} without KVM hangs the guest" in refused
    assert "SMM=0" in registers(0)
    plug_by_hand(daemon, "smm", 1, "mine")
    wait_for(lambda: re.search("SMM=0 HLT=1", registers(1)), 30, "a vCPU that the firmware has halted")
    for _ in range(20):  # nothing will happen any more: any time will do
        assert "SMM=1 HLT=0" in registers(0)
        time.sleep(0.5)
    assert daemon.online("smm") == "0"
