# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMUs of other machines: POWER and s390x cores, and one that has no CPU hotplug."""
import json
import os
import re

import pytest

from conftest import wait_for


def define(daemon, name, arch, machine, maximum=4, current=1):
    emulator = f"/usr/bin/qemu-system-{arch}"
    if not os.path.exists(emulator):
        pytest.skip(f"SKIP: {emulator} is not installed")
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>256</memory>
  <vcpu current='{current}'>{maximum}</vcpu><os><type arch='{arch}' machine='{machine}'>hvm</type></os>
  <devices><emulator>{emulator}</emulator><memballoon model='none'/></devices></domain>""")
    daemon.virsh("define", path)


def online(daemon, name):
    return [int(i) for i in re.findall(r"<vcpu id='(\d+)' enabled='yes'", daemon.virsh("dumpxml", name))]


def threads(daemon, name):
    return daemon.virsh("qemu-monitor-command", name, "--hmp", "info cpus").count("thread_id")


def test_power_cores(daemon):
    """Plugged and, before the guest runs, taken away at once; threads are children of the core."""
    define(daemon, "p1", "ppc64", "pseries", maximum=4)
    daemon.virsh("start", "p1", "--paused")
    daemon.virsh("setvcpus", "p1", "3", "--live", "--config")
    assert online(daemon, "p1") == [0, 1, 2] and threads(daemon, "p1") == 3
    daemon.virsh("setvcpu", "p1", "3", "--enable", "--live")
    assert daemon.counts("p1")[("current", "live")] == 4
    assert len(re.findall(r"^VCPU:", daemon.virsh("vcpuinfo", "p1"), re.M)) == 4
    daemon.stop()
    daemon.start()
    assert online(daemon, "p1") == [0, 1, 2, 3]


def test_s390x_cores(daemon):
    """They come and never go: QEMU cannot take one away there, and that is said before it is asked."""
    define(daemon, "z1", "s390x", "s390-ccw-virtio")
    daemon.virsh("start", "z1", "--paused")
    daemon.virsh("setvcpus", "z1", "3", "--live")
    assert online(daemon, "z1") == [0, 1, 2] and threads(daemon, "z1") == 3
    error = daemon.virsh("setvcpus", "z1", "2", "--live", ok=False)
    assert "s390x" in error and "cannot be removed" in error
    assert online(daemon, "z1") == [0, 1, 2]
    daemon.virsh("setvcpus", "z1", "2", "--config")


def test_without_hotplug(daemon):
    define(daemon, "e1", "x86_64", "microvm", maximum=2, current=2)
    daemon.virsh("start", "e1", "--paused")
    error = daemon.virsh("setvcpus", "e1", "1", "--live", ok=False)
    assert "hotplug" in error
    assert daemon.counts("e1")[("current", "live")] == 2


def test_plugged_at_boot_in_their_order(daemon):
    """Sparse, ordered, hotpluggable vCPUs: there before the guest runs, in the order the definition gives."""
    path = f"{daemon.root}/b1.xml"
    vcpus = "".join(f"<vcpu id='{i}' enabled='{e}' hotpluggable='{h}'{o}/>" for i, e, h, o in
                    ((0, "yes", "no", " order='1'"), (1, "yes", "yes", " order='4'"), (2, "no", "yes", ""),
                     (3, "yes", "yes", " order='2'"), (4, "yes", "yes", " order='3'")))
    with open(path, "w") as f:
        f.write(daemon.xml("b1", maximum=5, boot=False).replace("</vcpu>", f"</vcpu><vcpus>{vcpus}</vcpus>"))
    daemon.virsh("define", path)
    daemon.virsh("start", "b1", "--paused")
    xml = daemon.virsh("dumpxml", "b1")
    assert re.findall(r"<vcpu id='(\d)' enabled='yes' hotpluggable='\w+' order='(\d)'", xml) == \
        [("0", "1"), ("1", "4"), ("3", "2"), ("4", "3")]
    with open(path, "w") as f:
        f.write(xml.replace("order='3'", "order='2'").replace("id='1'>", ">", 1))
    daemon.virsh("destroy", "b1")
    daemon.virsh("undefine", "b1")
    result = daemon.run("virsh", "define", path, ok=None)
    error = result.stderr if result.returncode else daemon.virsh("start", "b1", ok=False)
    assert "duplicate vcpu order" in error


def test_more_than_255(daemon, kvm):
    """With the interrupt remapping that takes; asked for, or added."""
    daemon.paused("k288", maximum=288, kind="kvm", cpu=kvm)
    daemon.virsh("setvcpus", "k288", "288", "--live")
    assert daemon.counts("k288")[("current", "live")] == 288 and threads(daemon, "k288") == 288
    own = "<iommu model='intel'><driver intremap='on' eim='on'/></iommu>"
    daemon.paused("own", maximum=256, kind="kvm", cpu=kvm, extra=own)
    daemon.virsh("setvcpus", "own", "256", "--live")
    assert "<driver intremap='on' eim='on'/>" in daemon.virsh("dumpxml", "own")
    daemon.define("off", maximum=256, kind="kvm", cpu=kvm, boot=False, extra=own.replace("eim='on'", "eim='off'"))
    assert "require <iommu> with intremap='on' and eim='on'" in daemon.virsh("start", "off", ok=False)
    daemon.define("pc", maximum=289, kind="kvm", cpu=kvm, boot=False)
    assert "machine type limit 288" in daemon.virsh("start", "pc", ok=False)


def test_dies_and_nodes_are_passed_back(daemon):
    """die-id and node-id go to device_add as QEMU gave them; QEMU refuses a vCPU of another node."""
    cpu = ("<cpu mode='maximum'><topology sockets='2' dies='2' cores='2' threads='2'/><numa>"
           "<cell id='0' cpus='0-7' memory='32' unit='MiB'/><cell id='1' cpus='8-15' memory='32' unit='MiB'/>"
           "</numa></cpu>")
    daemon.paused("n1", maximum=16, cpu=cpu)
    daemon.virsh("setvcpus", "n1", "16", "--live")
    rows = json.loads(daemon.virsh("qemu-monitor-command", "n1", "query-hotpluggable-cpus"))["return"]
    assert all("qom-path" in row for row in rows) and len(rows) == 16
    assert {(r["props"]["socket-id"], r["props"]["node-id"]) for r in rows} == {(0, 0), (1, 1)}
    assert {r["props"]["die-id"] for r in rows} == {0, 1}
    assert online(daemon, "n1") == list(range(16))
