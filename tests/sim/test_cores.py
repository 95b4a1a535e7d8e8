# SPDX-License-Identifier: LGPL-2.1-or-later
"""Entities of several vCPUs: POWER cores of four threads. No real QEMU here has them (its TCG has no such cores)."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import ask, define, online, sent, start  # noqa: E402
from conftest import daemon  # noqa: E402,F401

POWER = {"arch": "ppc64", "machine": "pseries", "maximum": 16, "current": 4,
         "extra_cpu": "<cpu><topology sockets='1' cores='4' threads='4'/></cpu>"}


def test_counts(daemon):
    start(daemon, "p1", **POWER)
    daemon.virsh("setvcpus", "p1", "12", "--live", "--config")
    assert online(daemon, "p1") == ask(daemon, "p1")["online"] == list(range(12))
    assert sent(daemon, "p1") == [["device_add", "vcpu4"], ["device_add", "vcpu8"]]
    xml = daemon.virsh("dumpxml", "p1")
    assert re.findall(r"<vcpu id='(?:4|7|8)' enabled='yes' hotpluggable='yes' order='(\d)'", xml) == ["2", "2", "3"]
    daemon.virsh("setvcpus", "p1", "4", "--live")
    assert online(daemon, "p1") == ask(daemon, "p1")["online"] == [0, 1, 2, 3]


def test_granularity(daemon):
    """A count within a core, a core's part: said before anything is sent."""
    start(daemon, "p1", **POWER)
    for count in ("5", "6", "15"):
        assert "granularity" in daemon.virsh("setvcpus", "p1", count, "--live", ok=False)
    daemon.virsh("setvcpus", "p1", "8", "--live")
    before = sent(daemon, "p1")
    assert "granularity" in daemon.virsh("setvcpus", "p1", "6", "--live", ok=False)
    assert "name all of them" in daemon.virsh("setvcpu", "p1", "8", "--enable", "--live", ok=False)
    assert "name all of them" in daemon.virsh("setvcpu", "p1", "4-6", "--disable", "--live", ok=False)
    assert "only one hotpluggable entity" in daemon.virsh("setvcpu", "p1", "8-15", "--enable", "--live", ok=False)
    assert sent(daemon, "p1") == before


def test_one_core(daemon):
    start(daemon, "p1", **POWER)
    daemon.virsh("setvcpu", "p1", "8-11", "--enable", "--live")
    assert online(daemon, "p1") == ask(daemon, "p1")["online"] == [0, 1, 2, 3, 8, 9, 10, 11]
    assert len(re.findall(r"^VCPU:", daemon.virsh("vcpuinfo", "p1"), re.M)) == 8
    daemon.virsh("setvcpu", "p1", "8-11", "--disable", "--live")
    assert online(daemon, "p1") == [0, 1, 2, 3]


def test_start_count_must_be_whole_cores(daemon):
    """A definition of a part of a core is refused; one that became so is kept by the next daemon, and does not start."""
    define(daemon, "p1", {}, **POWER)
    xml = daemon.virsh("dumpxml", "p1").replace("current='4'", "current='6'")
    with open(f"{daemon.root}/p1.xml", "w") as f:
        f.write(xml)
    assert "granularity" in daemon.virsh("define", f.name, ok=False)
    daemon.virsh("setvcpus", "p1", "6", "--config")
    daemon.stop()
    daemon.start()
    assert daemon.virsh("list", "--all", "--name").split() == ["p1"]
    assert "granularity" in daemon.virsh("start", "p1", ok=False)
    assert "shut off" in daemon.virsh("domstate", "p1")


def test_a_core_is_alike_after_changes_of_the_definition(daemon):
    """Threads that were changed one by one and those nobody spoke of: a core of both starts."""
    define(daemon, "p1", {}, **POWER)
    daemon.virsh("setvcpus", "p1", "6", "--config")
    assert "granularity" in daemon.virsh("start", "p1", ok=False)
    for count in ("4", "8"):
        daemon.virsh("setvcpus", "p1", count, "--config")
        daemon.virsh("start", "p1")
        assert len(online(daemon, "p1")) == int(count)
        daemon.virsh("destroy", "p1")


def test_cpu_add(daemon):
    """QEMUs that have no hotpluggable entities but the older command: from low to high ids, and none goes."""
    start(daemon, "s1", {"without": ["query-hotpluggable-cpus"], "cpu_add": True})
    assert "cannot be plugged before vcpu 1" in daemon.virsh("setvcpu", "s1", "3", "--enable", "--live", ok=False)
    assert "cpu-add 1" in daemon.vireo("setvcpus", "s1", "4", "--live", "--plan")
    daemon.virsh("setvcpus", "s1", "4", "--live", "--config")
    assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0, 1, 2, 3]
    log = [row[0] for row in ask(daemon, "s1", log=True)["log"]]
    assert log.count("cpu-add") == 3 and "device_add" not in log
    assert "can't be unplugged" in daemon.virsh("setvcpus", "s1", "2", "--live", ok=False)
    daemon.stop()
    daemon.start()
    daemon.virsh("setvcpu", "s1", "4", "--enable", "--live")
    assert online(daemon, "s1") == [0, 1, 2, 3, 4]


def test_removed_vcpus_each_have_an_event(daemon):
    import subprocess
    from conftest import VIREO, end_of, wait_for
    start(daemon, "p1", **POWER)
    daemon.virsh("setvcpus", "p1", "8", "--live")
    watcher = subprocess.Popen([VIREO, "-c", daemon.uri, "event", "p1", "--event", "vcpu-removed", "--loop"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: f"client {watcher.pid}: event" in daemon.log_text(), 10, "registration")
    daemon.virsh("setvcpus", "p1", "4", "--live")
    watcher.send_signal(2)
    _, out = end_of(watcher)
    assert re.findall(r"vcpu-removed' for domain 'p1': (\d+)", out) == ["4", "5", "6", "7"]
