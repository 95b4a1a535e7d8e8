# SPDX-License-Identifier: LGPL-2.1-or-later
"""vCPUs of machines as people have them: UEFI, memory that others share, NUMA cells, huge pages. The guest is real."""
import json
import os
import re
import subprocess

import pytest

from conftest import CMDLINE, CPU, GUEST, QEMU, wait_for

CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
SECBOOT = "<firmware><feature enabled='yes' name='secure-boot'/><feature enabled='no' name='enrolled-keys'/></firmware>"
PLAIN_EFI = "<firmware><feature enabled='no' name='secure-boot'/></firmware>"
MEMFD = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
CELLS = ("<numa><cell id='0' cpus='0-1' memory='128' unit='MiB'/><cell id='1' cpus='2-3' memory='128' unit='MiB'/>"
         "</numa>")


def define(daemon, name, attributes="", os_xml="", memory="", numa="", features=""):
    cpu = CPU.replace("</cpu>", numa + "</cpu>")
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>256</memory>{memory}
  <vcpu current='1'>4</vcpu>
  <os {attributes}><type arch='x86_64' machine='q35'>hvm</type>{os_xml}<kernel>{GUEST}/vmlinuz</kernel>
    <initrd>{GUEST}/initrd</initrd><cmdline>{CMDLINE}</cmdline></os>
  <features><acpi/><apic/>{features}</features>{cpu}
  <devices><emulator>{QEMU}</emulator><serial type='file'><source path='{daemon.console(name)}'/></serial>
    <memballoon model='none'/></devices></domain>""")
    daemon.virsh("define", path)


def machine(daemon, name, **parts):
    define(daemon, name, **parts)
    daemon.virsh("start", name)
    daemon.wait_online(name, "0", 240)


def up_pin_down(daemon, name, look=None):
    daemon.virsh("setvcpus", name, "4", "--live")
    daemon.wait_online(name, "0-3", 60)
    if look:
        look()
    pin_down(daemon, name)


def pin_down(daemon, name, last=3):
    daemon.virsh("vcpupin", name, last, "0", "--live")
    rows = [line.split() for line in daemon.virsh("vcpupin", name).splitlines() if line.strip()]
    assert [str(last), "0"] in rows
    thread = daemon.virsh("qemu-monitor-command", name, '{"execute":"query-cpus-fast"}')
    tid = json.loads(thread)["return"][last]["thread-id"]
    assert os.sched_getaffinity(tid) == {0}
    daemon.virsh("setvcpus", name, "1", "--live")
    daemon.wait_online(name, "0", 60)
    assert daemon.counts(name)[("current", "live")] == 1


def test_shared_memory(daemon, guest):
    machine(daemon, "shared", memory=MEMFD)
    up_pin_down(daemon, "shared")


def test_a_plugged_vcpu_is_in_its_cell(daemon, guest):
    def look():
        entities = json.loads(daemon.virsh("qemu-monitor-command", "cells", '{"execute":"query-hotpluggable-cpus"}'))
        there = [entity["props"]["node-id"] for entity in entities["return"] if "qom-path" in entity]
        assert sorted(there) == [0, 0, 1, 1]
    machine(daemon, "cells", numa=CELLS)
    up_pin_down(daemon, "cells", look)


@pytest.mark.skipif(not os.path.exists(CODE), reason="SKIP: no OVMF: scripts/packages test")
def test_uefi(daemon, guest):
    machine(daemon, "uefi", attributes="firmware='efi'", os_xml=PLAIN_EFI)
    live = daemon.virsh("dumpxml", "uefi")
    assert "secboot" not in live and "<smm state='on'" not in live
    up_pin_down(daemon, "uefi")


@pytest.mark.skipif(not os.path.exists(CODE), reason="SKIP: no OVMF: scripts/packages test")
def test_uefi_with_smm(daemon, guest):
    """Without KVM no vCPU can come to this firmware (QUIRK_SMM_PLUG): that is refused and the guest runs on. It has those that
    came before its first instruction, and lets them go."""
    define(daemon, "smm", attributes="firmware='efi'", os_xml=SECBOOT)
    daemon.virsh("start", "smm", "--paused")
    live = daemon.virsh("dumpxml", "smm")
    assert "secboot" in live and re.search("<smm state='on'", live)
    daemon.virsh("setvcpus", "smm", "3", "--live")
    daemon.virsh("resume", "smm")
    refused = daemon.virsh("setvcpus", "smm", "4", "--live", ok=False)  # the firmware has agreed to nothing yet
    assert "its firmware uses SMM" in refused and "type='kvm'" in refused
    daemon.wait_online("smm", "0-2", 240)
    assert "its firmware uses SMM" in daemon.virsh("setvcpus", "smm", "4", "--live", ok=False)
    pin_down(daemon, "smm", 2)


def test_huge_pages(daemon, guest):
    """Reserved for the test, if the host has 256 MiB of them to spare."""
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB"
    if not os.path.isdir(path) or os.geteuid() != 0:
        pytest.skip("SKIP: no huge pages of 2 MiB")

    def pages(file):
        with open(f"{path}/{file}") as f:
            return int(f.read())
    before = pages("nr_hugepages")
    try:
        subprocess.run(["sh", "-c", f"echo {before + 128} > {path}/nr_hugepages"], check=True)
        if pages("free_hugepages") < 128:
            pytest.skip("SKIP: this host has no 256 MiB of huge pages to spare")
        free = pages("free_hugepages")
        machine(daemon, "huge", memory="<memoryBacking><hugepages><page size='2' unit='MiB'/></hugepages></memoryBacking>")
        assert pages("free_hugepages") <= free - 128
        up_pin_down(daemon, "huge")
        daemon.virsh("destroy", "huge")
        wait_for(lambda: pages("free_hugepages") >= free, 10, "free huge pages")
    finally:
        subprocess.run(["sh", "-c", f"echo {before} > {path}/nr_hugepages"], check=True)
