# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hosts that few people have, as bind mounts over /sys and /etc in a mount namespace of the daemon's own, and a clock that
jumps. Elsewhere: full disks (tests/sim/random-run), slow ones (test_slow_host.py), groups that somebody removes
(test_tune_faults.py), CPUs that go (tests/vm/guest/test_limits.py), polkit that comes and goes (test_polkit.py)."""
import os
import re
import shutil
import threading
import time

import pytest

from conftest import BUILD, VIREOD, client, silent, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: needs root: it mounts")
SLOW_HOST = os.path.join(BUILD, "tests/system/slow-host.so")
LAST = 8191  # CPUs of the kernel's largest configuration
PACKAGES = (1 << 31) - 1
CPU, NODE = "/sys/devices/system/cpu", "/sys/devices/system/node"


def within(daemon, mounts):
    """Starts again with these mounts."""
    daemon.stop()
    daemon.command = ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh", VIREOD]
    daemon.start()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def wide_sysfs(root):
    """The real CPU 0 and 1, then holes up to 8191; all numbers as large as they can be."""
    cpus = [*sorted(os.sched_getaffinity(0)), 4095, 4097, LAST]
    names = ",".join(map(str, cpus))
    for name in "online", "present":
        write(f"{root}/cpu/{name}", f"{names}\n")
    write(f"{root}/cpu/possible", f"0-{LAST}\n")
    write(f"{root}/cpu/isolated", "4095\n")
    write(f"{root}/cpu/kernel_max", f"{LAST}\n")
    for cpu in cpus:
        at = f"{root}/cpu/cpu{cpu}/topology"
        write(f"{at}/physical_package_id", f"{PACKAGES}\n")
        write(f"{at}/core_id", f"{PACKAGES}\n")
        write(f"{at}/die_id", f"{PACKAGES}\n")
        for what in "thread_siblings_list", "core_cpus_list":
            write(f"{at}/{what}", f"{cpu}\n")
        write(f"{root}/cpu/cpu{cpu}/online", "1\n")
    for name in "online", "possible":
        write(f"{root}/node/{name}", "0,1023\n")
    for node, has in (0, names), (1023, ""):
        write(f"{root}/node/node{node}/cpulist", f"{has}\n")
        write(f"{root}/node/node{node}/meminfo", f"Node {node} MemTotal: 1048576 kB\nNode {node} MemFree: 524288 kB\n")
        write(f"{root}/node/node{node}/distance", "10 20\n")
    return cpus


@pytest.fixture
def wide(daemon, tmp_path):
    daemon.cpus = wide_sysfs(str(tmp_path))
    daemon.sysfs = str(tmp_path)
    within(daemon, f"mount --bind {tmp_path}/cpu {CPU} && if [ -d {NODE} ]; then mount --bind {tmp_path}/node {NODE}; fi")
    return daemon


def test_8192_cpus_with_holes_and_packages_of_2_31(wide):
    capabilities = wide.virsh("capabilities")
    ids = [int(found) for found in re.findall(r"<cpu id='(\d+)'", capabilities)]
    assert ids == wide.cpus
    assert len(re.findall(f"socket_id='{PACKAGES}' die_id='{PACKAGES}' core_id='{PACKAGES}'", capabilities)) == len(ids)
    present = wide.virsh("nodecpumap")
    assert re.search(rf"CPUs present: +{LAST + 1}\n", present) and re.search(rf"CPUs online: +{len(ids)}\n", present), present
    assert int(re.search(r"CPU\(s\): +(\d+)", wide.virsh("nodeinfo")).group(1)) > 0
    wide.paused("m1", maximum=2, current=1)
    wide.virsh("setvcpus", "m1", "2", "--live")
    wide.virsh("vcpupin", "m1", "0", str(wide.cpus[0]), "--live")
    # One that sysfs has and this kernel has not; one in a hole.
    for cpu in LAST, 5000:
        wide.virsh("vcpupin", "m1", "1", str(cpu), "--live", ok=False)
    assert wide.counts("m1")[("current", "live")] == 2
    wide.stop()
    wide.start()
    assert wide.counts("m1")[("current", "live")] == 2


def test_nodes_sockets_cores_and_threads(wide):
    """A server of two nodes, arranged as tests/unit/host/test-host-topology.c has it; libvirtd 9.0 says the same of it."""
    for name in "online", "present":
        write(f"{wide.sysfs}/cpu/{name}", "0-7\n")
    for cpu in range(8):
        at = f"{wide.sysfs}/cpu/cpu{cpu}/topology"
        for what, number in ("physical_package_id", cpu % 4 // 2), ("core_id", cpu % 2 * 9), ("die_id", 0):
            write(f"{at}/{what}", f"{number}\n")
        write(f"{at}/thread_siblings_list", f"{cpu % 4},{cpu % 4 + 4}\n")
    for node, has in (0, "0-1,4-5"), (1023, "2-3,6-7"):
        write(f"{wide.sysfs}/node/node{node}/cpulist", f"{has}\n")
    told = re.findall(r"(CPU\(s\)|CPU socket\(s\)|Core.*|Thread.*|NUMA.*): +(\d+)", wide.virsh("nodeinfo"))
    assert [int(number) for _, number in told] == [8, 1, 2, 2, 2 if os.path.isdir(NODE) else 1], told


def test_files_of_sysfs_that_vanish(wide):
    """While clients ask: a CPU may go at any time."""
    stop = threading.Event()

    def go_and_come():
        while not stop.is_set():
            for cpu in wide.cpus[-3:]:
                shutil.rmtree(f"{wide.sysfs}/cpu/cpu{cpu}", ignore_errors=True)
                for name in "online", "present":
                    write(f"{wide.sysfs}/cpu/{name}", "")
            wide_sysfs(wide.sysfs)

    def ask(command):
        for _ in range(8):
            wide.run("virsh", *command, ok=None)

    wide.paused("m1", maximum=4, current=1)
    changes = threading.Thread(target=go_and_come)
    asking = [threading.Thread(target=ask, args=(command,)) for command in
              (["capabilities"], ["nodecpumap"], ["nodeinfo"], ["vcpuinfo", "m1"], ["vcpupin", "m1", "0", "0", "--live"])]
    changes.start()
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    stop.set()
    changes.join()
    for name in os.listdir(f"{wide.sysfs}/cpu"):  # and nothing is left of it
        path = f"{wide.sysfs}/cpu/{name}"
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    wide.run("virsh", "capabilities", ok=None)
    wide.run("virsh", "nodeinfo", ok=None)
    assert wide.process.poll() is None
    assert wide.virsh("domstate", "m1").strip() == "paused"
    wide_sysfs(wide.sysfs)
    wide.virsh("setvcpus", "m1", "2", "--live")
    assert wide.counts("m1")[("current", "live")] == 2


def test_an_etc_that_cannot_be_written(daemon):
    """What runs is changed; what would have to be written down is refused by name, and is as it was."""
    daemon.paused("m1", maximum=4, current=1)
    before = daemon.virsh("dumpxml", "--inactive", "m1")
    within(daemon, f"mount --bind {daemon.root}/etc {daemon.root}/etc && mount -o remount,bind,ro {daemon.root}/etc")
    daemon.virsh("setvcpus", "m1", "2", "--live")
    assert daemon.counts("m1")[("current", "live")] == 2
    for command in (["setvcpus", "m1", "3", "--config"], ["undefine", "m1"], ["autostart", "m1"],
                    ["setvcpus", "m1", "3", "--live", "--config"], ["desc", "m1", "--config", "text"]):
        assert "Read-only file system" in daemon.virsh(*command, ok=False), command
    assert daemon.counts("m1")[("current", "live")] == 2
    assert daemon.virsh("dumpxml", "--inactive", "m1") == before
    daemon.stop()
    daemon.command = [VIREOD]
    daemon.start()
    assert daemon.virsh("dumpxml", "--inactive", "m1") == before
    daemon.virsh("setvcpus", "m1", "3", "--live", "--config")


def test_a_clock_that_jumps(daemon, guest, monkeypatch):
    """The time of day, a year on and a year back, while a removal is waited for and while it is pending: no wait ends early or
    never, and the late answer is taken."""
    offset = f"{daemon.root}/offset"
    write(offset, "0\n")
    monkeypatch.setenv("LD_PRELOAD", SLOW_HOST)
    monkeypatch.setenv("ASAN_OPTIONS", "verify_asan_link_order=0")
    monkeypatch.setenv("CLOCK_OFFSET", offset)
    daemon.configure("unplug_timeout_ms = 4000")
    monkeypatch.delenv("LD_PRELOAD")
    silent(daemon, "m1")
    for years in 1, -1:
        began = time.monotonic()
        waits = client(daemon, "setvcpus", "m1", "2", "--live")
        time.sleep(1)
        write(offset, f"{years * 365 * 86400}\n")
        assert waits.wait(60) != 0 and time.monotonic() - began >= 4
        assert daemon.counts("m1")[("current", "live")] == 3
    daemon.wake("m1")
    daemon.wait_online("m1", "0-1")
    wait_for(lambda: daemon.counts("m1")[("current", "live")] == 2, 20, "current count of 2 after the late answer")
    write(offset, "0\n")
    daemon.stop()
    daemon.start()
    assert daemon.counts("m1")[("current", "live")] == 2
