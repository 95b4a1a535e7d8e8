# SPDX-License-Identifier: LGPL-2.1-or-later
"""Parts of caches and memory bandwidth for vCPUs, on a file system that has the kernel's rules (tests/doubles)."""
import os

import pytest

from conftest import wait_for
from resctrl_double import resctrl  # noqa: F401 (a fixture)
from tuning import threads

TUNE = """<cputune>
<cachetune vcpus='0-1'><cache id='0' level='3' type='both' size='2' unit='MiB'/>
  <monitor level='3' vcpus='0-1'/><monitor level='3' vcpus='1'/></cachetune>
<memorytune vcpus='0-1'><node id='0' bandwidth='50'/><monitor vcpus='0-1'/></memorytune>
<cachetune vcpus='2-3'><cache id='1' level='3' type='both' size='3' unit='MiB'/></cachetune>
</cputune>"""


def tids(daemon, name, *vcpus):
    found = threads(daemon.qemus()[name])
    return {found[f"vcpu{i}"].tid for i in vcpus}


def test_groups_follow_the_vcpus(daemon, resctrl):
    """A group and its monitors come with the first vCPU that needs them, and all is gone at the end; foreign groups
    stay."""
    fs = resctrl("closids=8", "rmids=16")
    os.mkdir(f"{fs.root}/foreign")
    fs.write("foreign/schemata", "L3:0=c;1=c\n")
    daemon.paused("t", maximum=4, current=1, tune=TUNE)
    group = "vireo-1-t-vcpus_0-1"
    assert fs.groups() == ["foreign", group], "the group of vCPUs 2-3 is not needed yet"
    assert fs.tasks(group) == tids(daemon, "t", 0)
    daemon.virsh("setvcpus", "t", "4", "--live")
    assert fs.groups() == ["foreign", group, "vireo-1-t-vcpus_2-3"]
    assert fs.tasks("vireo-1-t-vcpus_2-3") == tids(daemon, "t", 2, 3)
    assert fs.tasks(group) == tids(daemon, "t", 0, 1)
    assert fs.tasks(f"{group}/mon_groups/vcpus_1") == tids(daemon, "t", 1)
    lines = dict(line.strip().split(":") for line in fs.read(f"{group}/schemata").splitlines())
    mask = int(dict(part.split("=") for part in lines["L3"].split(";"))["0"], 16)
    assert bin(mask).count("1") == 2 and not mask & 0xf, "two bits that nobody else has"
    assert "0=50" in lines["MB"].replace(" ", "")
    stats = daemon.virsh("domstats", "t", "--cpu-total", "--memory")
    assert "cpu.cache.monitor.count=2" in stats and "cpu.cache.monitor.0.bank.0.bytes=" in stats
    assert "memory.bandwidth.monitor.0.node.0.bytes.total=" in stats
    daemon.stop()
    daemon.start()
    assert fs.tasks("vireo-1-t-vcpus_2-3") == tids(daemon, "t", 2, 3)
    daemon.virsh("destroy", "t")
    assert fs.groups() == ["foreign"]


def test_groups_go_with_the_last_vcpu(daemon, resctrl, guest):
    """Unplugged whole, a group's part of the cache is free for others."""
    if daemon.partition == "/machine.slice":
        pytest.skip("SKIP: a guest in a guest takes long; test_tune.test_a_whole_life shows it")
    fs = resctrl("closids=8", "rmids=16")
    daemon.boot("t", maximum=4, current=2, tune=TUNE)
    daemon.virsh("setvcpus", "t", "4", "--live")
    daemon.wait_online("t", "0-3")
    daemon.virsh("setvcpus", "t", "2", "--live")
    assert fs.groups() == ["vireo-1-t-vcpus_0-1"]


def refused_start(daemon, name, tune, *words):
    daemon.define(name, boot=False, maximum=4, tune=tune)
    error = daemon.virsh("start", name, "--paused", ok=False)
    for word in words:
        assert word in error, (word, error)
    wait_for(lambda: name not in daemon.qemus(), 10, "end of QEMU")


def test_what_cannot_be_had(daemon, resctrl):
    """Sizes, ids, levels, percentages, exhaustion: each a sentence, and nothing is left behind."""
    fs = resctrl("closids=2", "rmids=4")

    def cache(size, unit="MiB", level=3, number=0, vcpus="0"):
        return (f"<cputune><cachetune vcpus='{vcpus}'><cache id='{number}' level='{level}' type='both' size='{size}' "
                f"unit='{unit}'/></cachetune></cputune>")

    refused_start(daemon, "a", cache(1500, "KiB"), "the resctrl group of vCPUs '0' of domain 'a'", "1536000 bytes",
                  "divided in steps of 1048576 bytes")
    refused_start(daemon, "b", cache(20), "20971520 bytes of cache 'L3' 0 are all of it")
    refused_start(daemon, "c", cache(1, level=2), "cannot divide the cache 'L2'")
    refused_start(daemon, "d", cache(1, number=9), "no cache 'L3' with the id 9")
    refused_start(daemon, "e", "<cputune><memorytune vcpus='0'><node id='0' bandwidth='5'/></memorytune></cputune>", "10")
    refused_start(daemon, "f", cache(19), "19922944 bytes")
    assert fs.groups() == []
    daemon.paused("g", maximum=4, current=1, tune=cache(2, vcpus="0")[:-len("</cputune>")] +
                  cache(2, vcpus="1")[len("<cputune>"):])
    error = daemon.virsh("setvcpus", "g", "2", "--live", ok=False)
    assert "resctrl" in error, error
    assert daemon.counts("g")[("current", "live")] == 1, "refused before device_add"
    assert fs.groups() == ["vireo-7-g-vcpus_0"]


def test_no_resctrl_here(daemon):
    """A host without it refuses the domain and says what is missing."""
    daemon.configure("resctrl = /nonexistent")
    refused_start(daemon, "t", TUNE, "no resctrl file system at '/nonexistent'")


def test_without_kvm(daemon):
    """libvirt's rule, unless the tree is named."""
    import libvirt
    daemon.define("t", boot=False, maximum=4, tune=TUNE)
    connection = libvirt.open(daemon.uri)
    with pytest.raises(libvirt.libvirtError, match="only supported for KVM domains") as caught:
        connection.lookupByName("t").create()
    connection.close()
    assert caught.value.get_error_code() == 67
