# SPDX-License-Identifier: LGPL-2.1-or-later
"""What somebody else changes of a domain's threads is found, mended, counted and told."""
import os
import signal
import subprocess
import time

import pytest

from conftest import wait_for
from tuning import groups, host_cpus, mounts, read, threads

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: cgroups need root"),
    pytest.mark.skipif(len(host_cpus()) < 2, reason="SKIP: pins need two host CPUs"),
    pytest.mark.skipif(not {"cpu", "cpuset"} <= set(mounts()), reason="SKIP: no cgroup controllers cpu and cpuset"),
]

TUNE = ("<cputune><shares>2048</shares><period>100000</period><quota>60000</quota><vcpupin vcpu='0' cpuset='0'/>"
        "<vcpupin vcpu='1' cpuset='1'/><vcpusched vcpus='0' scheduler='batch'/></cputune>")


def write(path, value):
    with open(path, "w") as f:
        f.write(str(value))


def write_quota(thread, quota):
    version, where = mounts()["cpu"]
    write(where + thread.cgroup("cpu") + ("/cpu.cfs_quota_us" if version == 1 else "/cpu.max"), quota)


def mended(daemon):
    return daemon.log_text().count("changed by somebody else and are mended")


def test_a_written_file_is_mended_at_once(daemon):
    """inotify sees the write; a change of our own is none."""
    daemon.paused("t", maximum=2, current=2, tune=TUNE)
    daemon.virsh("schedinfo", "t", "--set", "vcpu_quota=70000")
    thread = threads(daemon.qemus()["t"])["vcpu1"]
    write_quota(thread, 20000)
    wait_for(lambda: thread.bandwidth() == (70000, 100000), 10, "quota as it was")
    wait_for(lambda: mended(daemon) == 1, 10, "word of it")
    assert "vcpu1: quota was '20000', is '70000' again" in daemon.log_text()


def test_several_domains_are_watched_by_one_inotify(daemon):
    """A user may have 128 of them (fs.inotify.max_user_instances). What is written to one domain's files is its own."""
    for name in "t", "u", "v":
        daemon.paused(name, maximum=2, current=1, tune=TUNE)
    links = [f"/proc/{daemon.pid()}/fd/{fd}" for fd in os.listdir(f"/proc/{daemon.pid()}/fd")]
    assert [os.readlink(link) for link in links if os.path.islink(link)].count("anon_inode:inotify") == 1
    daemon.virsh("setvcpus", "v", "2", "--live")
    daemon.virsh("destroy", "t")
    for child in "vcpu0", "vcpu1":  # one that was there at the start, one that was plugged
        thread = threads(daemon.qemus()["v"])[child]
        before = mended(daemon)
        write_quota(thread, 20000)
        wait_for(lambda: mended(daemon) == before + 1, 10, "word of it")
        assert thread.bandwidth() == (60000, 100000)
    assert daemon.log_text().count("domain 'v': 1 settings") == 2 and "domain 'u': 1 settings" not in daemon.log_text()


def test_reconcile_finds_everything(daemon):
    """Affinity, policy, cgroup membership and shares; a second pass finds nothing. On a slow machine the daemon has
    seen the writes itself before it is asked: then its log has the words."""
    daemon.paused("t", maximum=2, current=2, tune=TUNE)
    found = threads(daemon.qemus()["t"])
    os.sched_setaffinity(found["vcpu1"].tid, host_cpus() if mounts()["cpuset"][0] == 2 else {1})
    os.sched_setscheduler(found["vcpu0"].tid, os.SCHED_OTHER, os.sched_param(0))
    version, where = mounts()["cpu"]
    there = where + os.path.dirname(found["vcpu0"].cgroup("cpu")) + "/emulator"
    write(there + ("/tasks" if version == 1 else "/cgroup.threads"), found["vcpu1"].tid)
    assert found["vcpu1"].cgroup("cpu").endswith("/emulator")
    out = daemon.vireo("reconcile", "t") + daemon.log_text()
    assert "vcpu0: scheduler was 'other', is 'batch' again" in out, out
    assert "vcpu1: cgroup was" in out, out
    assert found["vcpu0"].policy()[0] == "batch" and found["vcpu1"].cgroup("cpu").endswith("/vcpu1")
    assert found["vcpu1"].affinity() == {1}
    assert "again" not in daemon.vireo("reconcile", "t")


def test_nothing_is_found_after_our_own_changes(daemon):
    """Plug, pin and schedinfo leave nothing to mend, by hand, and are no sign of drift."""
    daemon.paused("t", maximum=4, current=2, tune=TUNE)
    daemon.virsh("setvcpus", "t", "4", "--live")
    daemon.virsh("vcpupin", "t", "3", "1")
    daemon.virsh("emulatorpin", "t", "0")
    daemon.virsh("schedinfo", "t", "--set", "vcpu_quota=70000", "cpu_shares=512", "global_quota=-1")
    assert "again" not in daemon.vireo("reconcile", "t")
    time.sleep(0.6)  # twice what the daemon waits for more of them
    assert mended(daemon) == 0 and "a sign of drift" not in daemon.log_text()


def test_what_happened_while_the_daemon_was_away(daemon):
    """A quota changed and a group of a vCPU that is none left behind: both are put right by the next daemon."""
    daemon.paused("t", maximum=4, current=2, tune=TUNE)
    thread = threads(daemon.qemus()["t"])["vcpu0"]
    left = mounts()["cpu"][1] + os.path.dirname(thread.cgroup("cpu")) + "/vcpu3"
    daemon.stop()
    write_quota(thread, 20000)
    os.mkdir(left)
    daemon.start()
    wait_for(lambda: mended(daemon) == 1 and not os.path.exists(left), 20, "both put right")
    assert thread.bandwidth() == (60000, 100000)


def test_a_machine_that_ended_unseen(daemon):
    """Its cgroup goes when the next daemon finds out."""
    daemon.paused("t", maximum=2, current=2, tune=TUNE)
    pid = daemon.qemus()["t"]
    daemon.stop()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not daemon.qemus(), 10, "end of QEMU")
    daemon.start()
    wait_for(lambda: not [path for path in groups(daemon) if path != daemon.partition], 20, "end of its cgroup")


def test_a_group_that_was_left(daemon):
    """It is not taken over with its limits."""
    if daemon.partition == "/machine.slice":
        pytest.skip("SKIP: systemd removes a scope's cgroup itself")
    daemon.paused("t")
    left = f"{mounts()['cpu'][1]}{daemon.partition}/vireo-2-u"
    os.makedirs(f"{left}/vcpu0")
    write(f"{left}/vcpu0/" + ("cpu.cfs_quota_us" if mounts()["cpu"][0] == 1 else "cpu.max"), "5000")
    daemon.paused("u", maximum=2)
    thread = threads(daemon.qemus()["u"])["vcpu0"]
    assert thread.cgroup("cpu").endswith("/vireo-2-u/vcpu0") and thread.bandwidth()[0] == -1


def test_it_is_not_running(daemon):
    daemon.define("t", boot=False)
    assert "domain is not running" in daemon.vireo("reconcile", "t", ok=False)
    result = subprocess.run(["virsh", "-c", daemon.uri, "list"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert result.returncode == 0


@pytest.fixture
def partition(daemon):
    """A partition of an operator's own, with every CPU and node, for domain 't': its name, and its group, which is a
    slice where systemd is."""
    name = f"/vireo.operator.{os.getpid()}"
    group = name + (".slice" if daemon.partition == "/machine.slice" else "")
    if mounts()["cpuset"][0] != 1:
        pytest.skip("SKIP: with cgroup v2 nothing is written down the tree")
    for controller in "cpu", "cpuacct", "cpuset":
        os.makedirs(mounts()[controller][1] + group, exist_ok=True)  # cpu and cpuacct may be one hierarchy
    top = mounts()["cpuset"][1]
    for file in "cpuset.cpus", "cpuset.mems":
        write(f"{top}{group}/{file}", read(f"{top}/{file}"))
    yield name, group
    daemon.run("virsh", "destroy", "t", ok=None)
    for controller in "cpu", "cpuacct", "cpuset":
        wait_for(lambda path=mounts()[controller][1] + group: removed(path), 60, "end of the partition")


def removed(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def narrow(partition):
    """To CPU 0: the kernel wants it from below; what is below is mended on a slow machine before he has come up."""
    try:
        for directory, _, _ in os.walk(partition, topdown=False):
            write(f"{directory}/cpuset.cpus", "0")
    except OSError:
        return False
    return True


def test_an_operators_partition_is_a_bound(daemon, partition):
    """He narrows it while a domain runs: what is in it follows and says so, and it stays as he wrote it."""
    name, group = partition
    daemon.paused("t", maximum=3, current=3, tune=f"<resource><partition>{name}</partition></resource>"
                  "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='1' cpuset='0-1'/></cputune>")
    top = mounts()["cpuset"][1]
    found = threads(daemon.qemus()["t"])
    tree = top + os.path.dirname(found["vcpu0"].cgroup("cpuset"))
    assert tree.startswith(top + group + "/")
    wait_for(lambda: narrow(top + group), 10, "a narrow partition")
    wait_for(lambda: "is bound by what others set" in daemon.log_text(), 10, "word of it")
    out = daemon.vireo("reconcile", "t")
    assert "vcpu1: its CPUs '0-1' are clipped to '0'" in out and "again" not in out, out
    assert read(f"{top}{group}/cpuset.cpus") == "0"
    assert all(found[f"vcpu{i}"].affinity() == {0} for i in range(3))
    assert "the group" in daemon.virsh("vcpupin", "t", "2", "1", "--live", ok=False)
    for directory in [f"{top}{group}", os.path.dirname(tree)]:  # where systemd is, there is a scope between them
        write(f"{directory}/cpuset.cpus", "0-1")
    assert "again" in daemon.vireo("reconcile", "t")
    assert found["vcpu1"].affinity() == {0, 1} and found["vcpu0"].affinity() == {0}
    assert "clipped" not in daemon.vireo("reconcile", "t")
