# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many vCPUs at once, as KVM threads of a paused machine."""
import glob
import json
import os
import re
import resource
import signal
import subprocess
import time

import pytest

from conftest import wait_for


def test_1_to_240_in_one_call(daemon, kvm):
    daemon.paused("k240", maximum=240, kind="kvm", cpu=kvm)
    daemon.virsh("setvcpus", "k240", "240", "--live")
    assert daemon.counts("k240")[("current", "live")] == 240
    pid = daemon.qemus()["k240"]
    names = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as f:
            names.append(f.read().strip())
    assert sum(1 for name in names if re.fullmatch(r"CPU \d+/KVM", name)) == 240
    xml = daemon.virsh("dumpxml", "k240")
    assert len(re.findall(r"<vcpu id='\d+' enabled='yes'", xml)) == 240

    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert daemon.counts("k240")[("current", "live")] == 240
    assert daemon.virsh("dumpxml", "k240") == xml


def test_descriptor_table(daemon):
    """QEMU starts with room for its vCPUs' descriptors: growing the table makes each of its threads wait."""
    daemon.paused("f1")
    with open(f"/proc/{daemon.qemus()['f1']}/status") as f:
        size = int(re.search(r"^FDSize:\s+(\d+)", f.read(), re.M).group(1))
    assert size >= min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def test_order_is_that_of_arrival(daemon, kvm):
    daemon.paused("o1", maximum=4, kind="kvm", cpu=kvm)
    for vcpu in (3, 1):
        daemon.virsh("setvcpu", "o1", "--enable", vcpu, "--live")
    found = dict(re.findall(r"<vcpu id='(\d)' enabled='yes' hotpluggable='(?:yes|no)' order='(\d)'",
                            daemon.virsh("dumpxml", "o1")))
    assert found == {"0": "1", "3": "2", "1": "3"}


def test_what_kvm_counts(daemon, kvm):
    """Each number that QEMU tells of the machine is there under libvirt's name; TCG has none."""
    daemon.paused("s1", kind="kvm", cpu=kvm)
    asked = daemon.virsh("qemu-monitor-command", "s1", '{"execute": "query-stats", "arguments": {"target": "vm"}}')
    names = {row["name"] for row in json.loads(asked)["return"][0]["stats"] if isinstance(row["value"], int)}
    for _ in range(2):
        told = re.findall(r"vm\.(\w+)\.(?:sum|cur|max)=", daemon.virsh("domstats", "s1", "--vm", "--enforce"))
        assert set(told) == names and len(told) == len(names) > 5
        daemon.stop(signal.SIGKILL)
        daemon.start()
    daemon.paused("s2")
    assert "vm." not in daemon.virsh("domstats", "s2", "--vm", "--perf", "--enforce")


def test_topology(daemon, kvm):
    """Sockets, dies, cores, threads: entities come in topology order, ids count up."""
    cpu = kvm.replace("</cpu>", "<topology sockets='2' dies='2' cores='2' threads='2'/></cpu>")
    daemon.paused("t1", maximum=16, kind="kvm", cpu=cpu)
    for count in (2, 9, 16):
        daemon.virsh("setvcpus", "t1", count, "--live")
        ids = re.findall(r"^VCPU: +(\d+)", daemon.virsh("vcpuinfo", "t1"), re.M)
        assert ids == [str(i) for i in range(count)]


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.4])
def test_killed_in_the_middle(daemon, kvm, delay):
    """kill -9 of vireod during 1 -> 240: the next vireod ends what was begun, without being asked."""
    daemon.paused("k240", maximum=240, kind="kvm", cpu=kvm)
    change = subprocess.Popen(["virsh", "-c", daemon.uri, "setvcpus", "k240", "240", "--live"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    daemon.stop(signal.SIGKILL)
    change.wait(30)
    def journals():
        return glob.glob(f"{daemon.root}/run/operations/*.json")

    begun = bool(journals())
    daemon.start()

    def settled():
        return not journals()

    wait_for(settled, 30, "end of the operation the killed vireod had begun")
    there = len(json.loads(daemon.virsh("qemu-monitor-command", "k240", "query-cpus-fast"))["return"])
    assert daemon.counts("k240")[("current", "live")] == there
    assert len(re.findall(r"^VCPU:", daemon.virsh("vcpuinfo", "k240"), re.M)) == there
    assert there == 240 or (there == 1 and not begun)
