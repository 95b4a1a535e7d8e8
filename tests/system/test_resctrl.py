# SPDX-License-Identifier: LGPL-2.1-or-later
"""Parts of caches and memory bandwidth for vCPUs, on a file system that has the kernel's rules (tests/doubles)."""
import os
import shutil
import subprocess
import tempfile

import pytest

from conftest import BUILD, wait_for
from tuning import threads

DOUBLE = os.path.join(BUILD, "tests/unit/util/resctrl-fuse")

TUNE = """<cputune>
<cachetune vcpus='0-1'><cache id='0' level='3' type='both' size='2' unit='MiB'/>
  <monitor level='3' vcpus='0-1'/><monitor level='3' vcpus='1'/></cachetune>
<memorytune vcpus='0-1'><node id='0' bandwidth='50'/><monitor vcpus='0-1'/></memorytune>
<cachetune vcpus='2-3'><cache id='1' level='3' type='both' size='3' unit='MiB'/></cachetune>
</cputune>"""


class Resctrl:
    def __init__(self, *options):
        self.root = tempfile.mkdtemp(prefix="vireo-resctrl.", dir="/tmp")
        self.process = subprocess.Popen([DOUBLE, self.root, *options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: os.path.exists(f"{self.root}/info") or self.process.poll() is not None, 10, "resctrl double")
        if self.process.poll() is not None:
            error = self.process.stderr.read()
            self.stop()
            pytest.skip(f"SKIP: FUSE cannot be used here: {error.strip()}")
        # As an administrator has to: the default group gives up what machines can have.
        self.write("schemata", "L3:0=3;1=3\n")

    def read(self, name):
        with open(f"{self.root}/{name}") as f:
            return f.read()

    def write(self, name, text):
        with open(f"{self.root}/{name}", "w") as f:
            f.write(text)

    def groups(self):
        return sorted(name for name in os.listdir(self.root)
                      if os.path.isdir(f"{self.root}/{name}") and name not in ("info", "mon_groups", "mon_data"))

    def tasks(self, name):
        return {int(line) for line in self.read(f"{name}/tasks").split()}

    def stop(self):
        subprocess.run(["umount", "-l", self.root], stderr=subprocess.DEVNULL, timeout=10)
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


@pytest.fixture
def resctrl(daemon):
    if not os.path.exists(DOUBLE):
        pytest.skip("SKIP: no resctrl double (package libfuse3-dev)")
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("SKIP: /dev/fuse cannot be used")
    made = []

    def mount(*options):
        made.append(Resctrl(*options))
        daemon.configure(f"resctrl = {made[-1].root}")
        return made[-1]

    yield mount
    for instance in made:
        instance.stop()


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
