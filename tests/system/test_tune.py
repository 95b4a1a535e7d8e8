# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain's threads are held to, read from the kernel: after start, plug, change, restart, unplug, stop."""
import glob
import os
import re
import subprocess

import pytest

from conftest import wait_for
from resctrl_double import resctrl  # noqa: F401 (a fixture)
from tuning import cpus, groups, host_cpus, mounts, threads


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: cgroups need root"),
    pytest.mark.skipif(len(host_cpus()) < 2, reason="SKIP: pins need two host CPUs"),
    pytest.mark.skipif(not {"cpu", "cpuset"} <= set(mounts()), reason="SKIP: no cgroup controllers cpu and cpuset"),
]

TUNE = """<iothreads>2</iothreads>
<cputune><shares>2048</shares><period>100000</period><quota>96000</quota>
<global_period>200000</global_period><global_quota>380000</global_quota>
<emulator_period>50000</emulator_period><emulator_quota>45000</emulator_quota>
<iothread_period>20000</iothread_period><iothread_quota>15000</iothread_quota>
<vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='2' cpuset='1'/><vcpupin vcpu='3' cpuset='0'/>
<emulatorpin cpuset='0-1'/><iothreadpin iothread='2' cpuset='1'/>
<vcpusched vcpus='1,3' scheduler='batch'/><iothreadsched iothreads='1' scheduler='idle'/>
<emulatorsched scheduler='batch'/>
<cachetune vcpus='0-1'><cache id='0' level='3' type='both' size='2' unit='MiB'/><monitor level='3' vcpus='1'/></cachetune>
<memorytune vcpus='0-1'><node id='0' bandwidth='50'/><monitor vcpus='0-1'/></memorytune>
<cachetune vcpus='2-3'><cache id='1' level='3' type='both' size='3' unit='MiB'/></cachetune>
</cputune><numatune><memory mode='strict' nodeset='0'/></numatune>"""

# per thread: CPUs, quota, period, policy
WANTED = {
    "vcpu0": ({0}, 96000, 100000, "other"),
    "vcpu1": ({0, 1}, 96000, 100000, "batch"),
    "vcpu2": ({1}, 96000, 100000, "other"),
    "vcpu3": ({0}, 96000, 100000, "batch"),
    "iothread1": ({0, 1}, 15000, 20000, "idle"),
    "iothread2": ({1}, 15000, 20000, "other"),
    "emulator": ({0, 1}, 45000, 50000, "batch"),
}


def tuned(daemon, name, tune=TUNE, **options):
    daemon.define(name, tune=tune, **options)


def check_thread(thread, child, wanted):
    cpus, quota, period, policy = wanted
    assert thread.cgroup("cpu").endswith("/" + child), (child, thread.cgroup("cpu"))
    own = thread.cgroup("cpuset").endswith("/" + child)  # v1 has none for who may use every CPU
    assert own or cpus == {0, 1}, (child, thread.cgroup("cpuset"))
    assert thread.bandwidth() == (quota, period), child
    assert thread.affinity() == cpus, child
    assert thread.policy()[0] == policy, child
    assert thread.value("cpuset", "cpuset.mems") == "0", child


def check_resctrl(fs, found):
    """Both groups have their vCPUs' threads, the monitor its one, and a group without a vCPU is not there. What such a
    thread has started, as one of QEMU's pool, is in its group for as long as it lasts."""
    all_vcpus = {thread.tid for name, thread in found.items() if name.startswith("vcpu")}
    wanted = {}
    for vcpus, group in (((0, 1), "vireo-1-t-vcpus_0-1"), ((2, 3), "vireo-1-t-vcpus_2-3")):
        tids = {found[f"vcpu{i}"].tid for i in vcpus if f"vcpu{i}" in found}
        if tids:
            wanted[group] = tids
    assert {group: fs.tasks(group) & all_vcpus for group in fs.groups()} == wanted
    assert fs.tasks("vireo-1-t-vcpus_0-1/mon_groups/vcpus_1") & all_vcpus == {found["vcpu1"].tid}


def check(daemon, name, wanted, online, fs):
    """All threads that are there, and no other vCPU's cgroup."""
    found = threads(daemon.qemus()[name])
    assert {key for key in found if key.startswith("vcpu")} == {f"vcpu{i}" for i in online}
    for child, thread in found.items():
        for one in thread if child == "emulator" else [thread]:
            check_thread(one, child, wanted[child])
    made = {path.rsplit("/", 1)[1] for path in groups(daemon)}
    assert {child for child in made if re.fullmatch(r"vcpu\d+", child)} == {f"vcpu{i}" for i in online}
    check_resctrl(fs, found)
    return found


def nothing_left(daemon):
    """Of the machines; the partition itself may be there. (systemd takes a moment to remove a scope.)"""
    return {path.count("/") for path in groups(daemon)} <= {1}


def test_a_whole_life(daemon, guest, resctrl):
    """Start, plug to the maximum, change, daemon restart, unplug, stop: at each step the kernel has what the XML says."""
    fs = resctrl("closids=8", "rmids=16")
    tuned(daemon, "t", maximum=4, current=2, boot=True)
    daemon.virsh("start", "t")
    daemon.wait_online("t", "0-1", 90)
    wanted = dict(WANTED)
    found = check(daemon, "t", wanted, [0, 1], fs)
    top = os.path.dirname(found["vcpu0"].cgroup("cpu"))
    version, where = mounts()["cpu"]
    if version == 1:
        assert open(f"{where}{top}/cpu.shares").read() == "2048\n"
        assert open(f"{where}{top}/cpu.cfs_quota_us").read() == "380000\n"
        assert open(f"{where}{top}/cpu.cfs_period_us").read() == "200000\n"
    else:
        assert open(f"{where}{top}/cpu.weight").read() == "200\n"
        assert open(f"{where}{top}/cpu.max").read() == "380000 200000\n"

    daemon.virsh("setvcpus", "t", "4", "--live")
    check(daemon, "t", wanted, [0, 1, 2, 3], fs)

    daemon.virsh("vcpupin", "t", "0", "1")
    daemon.virsh("emulatorpin", "t", "1")
    daemon.virsh("iothreadpin", "t", "1", "0")
    daemon.virsh("schedinfo", "t", "--set", "vcpu_quota=92000", "emulator_quota=-1", "cpu_shares=512")
    wanted["vcpu0"] = ({1}, 92000, 100000, "other")
    for i in 1, 2, 3:
        wanted[f"vcpu{i}"] = (wanted[f"vcpu{i}"][0], 92000, 100000, wanted[f"vcpu{i}"][3])
    wanted["iothread1"] = ({0}, 15000, 20000, "idle")
    wanted["emulator"] = ({1}, -1, 50000, "batch")
    check(daemon, "t", wanted, [0, 1, 2, 3], fs)

    daemon.stop()
    daemon.start()
    check(daemon, "t", wanted, [0, 1, 2, 3], fs)
    assert "mended" not in daemon.log_text()

    daemon.wait_online("t", "0-3", 60)
    daemon.virsh("setvcpus", "t", "3", "--live")
    check(daemon, "t", wanted, [0, 1, 2], fs)
    assert groups(daemon)
    daemon.virsh("destroy", "t")
    wait_for(lambda: nothing_left(daemon), 10, "end of the machine's cgroups")
    assert fs.groups() == []


def test_every_plugged_vcpu_is_tuned(daemon, kvm):
    """A bulk plug under KVM: 60 threads, each in its own cgroup with its own pin."""
    pins = "".join(f"<vcpupin vcpu='{i}' cpuset='{i % 2}'/>" for i in range(60))
    tuned(daemon, "k", f"<cputune><quota>50000</quota>{pins}</cputune>", kind="kvm", cpu=kvm, maximum=60, boot=False)
    daemon.virsh("start", "k", "--paused")
    daemon.virsh("setvcpus", "k", "60", "--live")
    found = threads(daemon.qemus()["k"])
    for i in range(60):
        thread = found[f"vcpu{i}"]
        assert thread.cgroup("cpu").endswith(f"/vcpu{i}") and thread.bandwidth()[0] == 50000
        assert thread.affinity() == {i % 2}


def test_default_affinity_is_the_hosts(daemon):
    """A daemon that was started on one CPU does not squeeze guests onto it."""
    daemon.stop()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        daemon.start()
    finally:
        os.sched_setaffinity(0, before)
    daemon.paused("t", maximum=2, current=2)
    found = threads(daemon.qemus()["t"])
    assert found["vcpu0"].affinity() == host_cpus() and found["emulator"][0].affinity() == host_cpus()


def test_pins_of_offline_vcpus_are_kept(daemon):
    """One set while the vCPU is offline is in force when it comes."""
    daemon.paused("t", maximum=3, current=1)
    daemon.virsh("vcpupin", "t", "2", "1")
    assert re.search(r"^ 2 +1$", daemon.virsh("vcpupin", "t"), re.M)
    daemon.virsh("setvcpus", "t", "3", "--live")
    found = threads(daemon.qemus()["t"])
    assert found["vcpu2"].affinity() == {1} and found["vcpu1"].affinity() == host_cpus()


def test_live_and_config(daemon):
    """--config leaves the running domain alone; --live the definition; both change both."""
    daemon.paused("t", maximum=2, current=2)
    daemon.virsh("vcpupin", "t", "0", "1", "--config")
    assert threads(daemon.qemus()["t"])["vcpu0"].affinity() == host_cpus()
    assert "<vcpupin vcpu='0' cpuset='1'/>" in daemon.virsh("dumpxml", "t", "--inactive")
    daemon.virsh("vcpupin", "t", "1", "0", "--live")
    assert "vcpu='1'" not in daemon.virsh("dumpxml", "t", "--inactive")
    daemon.virsh("schedinfo", "t", "--live", "--config", "--set", "vcpu_quota=40000")
    assert threads(daemon.qemus()["t"])["vcpu1"].bandwidth()[0] == 40000
    assert "<quota>40000</quota>" in daemon.virsh("dumpxml", "t", "--inactive")
    daemon.virsh("destroy", "t")
    daemon.virsh("start", "t", "--paused")
    found = threads(daemon.qemus()["t"])
    assert found["vcpu0"].affinity() == {1} and found["vcpu0"].bandwidth()[0] == 40000


def test_a_quota_above_the_whole_is_refused_and_nothing_changes(daemon):
    """v1's kernel holds a child to its parent; the error names both, and the live XML and threads stay."""
    if mounts()["cpu"][0] != 1:
        pytest.skip("SKIP: v2 has no such rule")
    tuned(daemon, "t", "<cputune><period>100000</period><quota>50000</quota><global_period>100000</global_period>"
          "<global_quota>100000</global_quota></cputune>", maximum=2, current=2, boot=False)
    daemon.virsh("start", "t", "--paused")
    error = daemon.virsh("schedinfo", "t", "--set", "vcpu_quota=200000", ok=False)
    assert "vcpu0 of domain 't'" in error and "cpu.cfs_quota_us" in error and "smaller quota" in error
    assert threads(daemon.qemus()["t"])["vcpu1"].bandwidth()[0] == 50000
    assert "<quota>50000</quota>" in daemon.virsh("dumpxml", "t")
    daemon.virsh("schedinfo", "t", "--set", "global_quota=40000", "vcpu_quota=30000")
    assert threads(daemon.qemus()["t"])["vcpu1"].bandwidth()[0] == 30000
    daemon.virsh("schedinfo", "t", "--set", "global_quota=90000", "vcpu_quota=80000")
    assert threads(daemon.qemus()["t"])["vcpu1"].bandwidth()[0] == 80000


def test_pins_that_cannot_be(daemon):
    """An empty map, a vCPU beyond the maximum: libvirt's codes and words."""
    import libvirt
    daemon.paused("t", maximum=2, current=2)
    connection = libvirt.open(daemon.uri)
    domain = connection.lookupByName("t")
    with pytest.raises(libvirt.libvirtError) as caught:
        domain.pinVcpuFlags(0, tuple([False]), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert caught.value.get_error_code() == 8 and "Empty cpu list for pinning" in str(caught.value)
    with pytest.raises(libvirt.libvirtError) as caught:
        domain.pinVcpu(9, (True,))
    assert "vcpu 9 is out of range of live cpu count 2" in str(caught.value)
    connection.close()
    assert threads(daemon.qemus()["t"])["vcpu0"].affinity() == host_cpus()


def test_preflight_names_the_vcpu_and_sends_nothing(daemon):
    """A definition pins an offline vCPU to a CPU the host has not: the plug is refused, QEMU receives no device_add."""
    beyond = max(host_cpus()) + 1
    tuned(daemon, "t", f"<cputune><vcpupin vcpu='2' cpuset='{beyond}'/></cputune>", maximum=3, current=1, boot=False)
    daemon.virsh("start", "t", "--paused")
    error = daemon.virsh("setvcpus", "t", "3", "--live", ok=False)
    assert "vCPU 2 of domain 't'" in error and f"'{beyond}'" in error
    assert daemon.counts("t")[("current", "live")] == 1
    daemon.virsh("setvcpus", "t", "2", "--live")


def test_realtime_without_a_budget(daemon):
    """CONFIG_RT_GROUP_SCHED and v1: a real-time policy fails with a sentence that says why; the start leaves nothing."""
    tuned(daemon, "t", "<cputune><vcpusched vcpus='0' scheduler='fifo' priority='1'/></cputune>", boot=False)
    result = daemon.run("virsh", "start", "t", "--paused", ok=None)
    if result.returncode == 0:
        assert threads(daemon.qemus()["t"])["vcpu0"].policy() == ("fifo", 1)
        return
    assert "vcpu0 of domain 't'" in result.stderr and "CONFIG_RT_GROUP_SCHED" in result.stderr, result.stderr
    wait_for(lambda: not daemon.qemus() and nothing_left(daemon), 10, "end of QEMU and its cgroups")


def test_a_tuning_that_fails_after_the_plug_rolls_it_back(daemon, guest):
    """The new vCPU's policy cannot be had: it is taken away again, and nothing of it stays."""
    if not os.path.exists(f"{mounts()['cpu'][1]}/cpu.rt_runtime_us"):
        pytest.skip("SKIP: every cgroup has a real-time budget: v2, or a kernel without CONFIG_RT_GROUP_SCHED")
    tuned(daemon, "t", "<cputune><vcpusched vcpus='2' scheduler='rr' priority='5'/></cputune>", maximum=3, current=1)
    daemon.virsh("start", "t")
    daemon.wait_online("t", "0", 90)
    result = daemon.run("virsh", "setvcpus", "t", "3", "--live", ok=False)
    assert "vcpu2 of domain 't'" in result.stderr and "are removed again" in result.stderr, result.stderr
    assert daemon.counts("t")[("current", "live")] == 1
    found = threads(daemon.qemus()["t"])
    assert "vcpu1" not in found and "vcpu2" not in found
    assert not [path for path in groups(daemon) if path.endswith(("vcpu1", "vcpu2"))]


def test_iothreads(daemon):
    """Added, pinned, set and removed live and in the definition; QEMU has just those."""
    daemon.paused("t")
    daemon.virsh("iothreadadd", "t", "3", "--live", "--config")
    daemon.virsh("iothreadpin", "t", "3", "1", "--live", "--config")
    thread = threads(daemon.qemus()["t"])["iothread3"]
    assert thread.cgroup("cpu").endswith("/iothread3") and thread.affinity() == {1}
    daemon.virsh("iothreadset", "t", "3", "--poll-max-ns", "4096", "--thread-pool-min", "2", "--thread-pool-max", "3")
    assert "iothread.3.poll-max-ns=4096" in daemon.virsh("domstats", "t", "--iothread")
    assert "<poll max='4096'/>" in daemon.virsh("dumpxml", "t")
    assert "cannot find IOThread '9'" in daemon.virsh("iothreaddel", "t", "9", ok=False)
    assert "already using iothread_id '3'" in daemon.virsh("iothreadadd", "t", "3", ok=False)
    daemon.virsh("iothreaddel", "t", "3", "--live")
    assert "iothread3" not in threads(daemon.qemus()["t"])
    assert not [path for path in groups(daemon) if path.endswith("iothread3")]
    assert re.search(r"^ 3 +1$", daemon.virsh("iothreadinfo", "t", "--config"), re.M)


def test_the_pool_of_an_iothread(daemon):
    """Whoever gives a minimum gives a maximum; -1 gives a definition back to QEMU, and a running one nothing."""
    daemon.paused("t")
    daemon.virsh("iothreadadd", "t", "3", "--live", "--config")
    for flag in ("--live", "--config"):
        assert "give both" in daemon.virsh("iothreadset", "t", "3", "--thread-pool-min", "1", flag, ok=False)
        daemon.virsh("iothreadset", "t", "3", "--thread-pool-max", "4", flag)
        daemon.virsh("iothreadset", "t", "3", "--thread-pool-min", "2", flag)
        for words in (("min", "5"), ("min", "-2"), ("max", "0")):
            daemon.virsh("iothreadset", "t", "3", f"--thread-pool-{words[0]}", words[1], flag, ok=False)
    assert "running" in daemon.virsh("iothreadset", "t", "3", "--thread-pool-max", "-1", "--live", ok=False)
    assert "thread_pool_min='2' thread_pool_max='4'" in daemon.virsh("dumpxml", "t", "--inactive")
    daemon.virsh("iothreadset", "t", "3", "--thread-pool-min", "-1", "--thread-pool-max", "-1", "--config")
    assert "thread_pool" not in daemon.virsh("dumpxml", "t", "--inactive")
    assert "thread_pool_min='2' thread_pool_max='4'" in daemon.virsh("dumpxml", "t")


def test_an_iothread_of_a_disk_stays(daemon, tmp_path):
    (tmp_path / "disk").write_bytes(b"\0" * 65536)
    disk = (f"<disk type='file'><driver name='qemu' type='raw' iothread='1'/><source file='{tmp_path}/disk'/>"
            "<target dev='vda' bus='virtio'/></disk>")
    tuned(daemon, "t", "<iothreads>1</iothreads>", boot=False, extra=disk)
    daemon.virsh("start", "t", "--paused")
    assert "being used by disk 'vda'" in daemon.virsh("iothreaddel", "t", "1", ok=False)


def test_scheduler_errors(daemon):
    """Unknown names, wrong types, ranges: each its code and sentence, nothing applied."""
    import libvirt
    daemon.paused("t")
    connection = libvirt.open(daemon.uri)
    domain = connection.lookupByName("t")

    def refused(parameters, code, words):
        with pytest.raises(libvirt.libvirtError) as caught:
            domain.setSchedulerParametersFlags(parameters, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        assert caught.value.get_error_code() == code and words in str(caught.value), caught.value

    refused({"vcpu_period": 999}, 8, "value of 'vcpu_period' is out of range [1000, 1000000]")
    refused({"vcpu_quota": 999}, 8, "value of 'vcpu_quota' is out of range [1000, 17592186044415]")
    refused({"emulator_period": 2000000}, 8, "value of 'emulator_period'")
    refused({"iothread_quota": 1}, 8, "value of 'iothread_quota'")
    refused({"global_period": 1}, 8, "value of 'global_period'")
    refused({"cpu_shares": 1}, 8, "value of 'cpu_shares' is out of range [2, 262144]")
    refused({"cpu_shares": 262145}, 8, "value of 'cpu_shares'")
    values = domain.schedulerParametersFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert values["vcpu_quota"] == -1 and values["vcpu_period"] == 100000 and values["cpu_shares"] == 1024
    connection.close()


def test_numatune(daemon):
    """strict nodes go to every thread's cpuset; a running domain's mode stays."""
    tuned(daemon, "t", "<numatune><memory mode='strict' nodeset='0'/></numatune>", boot=False)
    daemon.virsh("start", "t", "--paused")
    assert threads(daemon.qemus()["t"])["vcpu0"].value("cpuset", "cpuset.mems") == "0"
    out = daemon.virsh("numatune", "t")
    assert re.search(r"numa_mode +: strict", out) and re.search(r"numa_nodeset +: 0", out)
    assert "can't change numatune mode for running domain" in daemon.virsh("numatune", "t", "--mode", "interleave",
                                                                           "--live", ok=False)
    error = daemon.virsh("numatune", "t", "--nodeset", "77", "--live", ok=False)
    assert "change of nodeset for running domain requires restrictive numa mode" in error
    daemon.virsh("numatune", "t", "--nodeset", "0", "--live")
    daemon.virsh("numatune", "t", "--mode", "interleave", "--nodeset", "0", "--config")
    assert "<memory mode='interleave' nodeset='0'/>" in daemon.virsh("dumpxml", "t", "--inactive")


def test_numatune_restrictive(daemon):
    """Only the cpuset says where memory comes from: it can change, to what the host has."""
    tuned(daemon, "t", "<numatune><memory mode='restrictive' nodeset='0'/></numatune>", boot=False)
    daemon.virsh("start", "t", "--paused")
    assert "NUMA node 77 is unavailable" in daemon.virsh("numatune", "t", "--nodeset", "0,77", "--live", ok=False)
    assert threads(daemon.qemus()["t"])["vcpu0"].value("cpuset", "cpuset.mems") == "0"
    assert "nodeset='0'/>" in daemon.virsh("dumpxml", "t")
    daemon.virsh("numatune", "t", "--nodeset", "0", "--live")


MEMNODE = "<numatune><memnode cellid='0' mode='strict' nodeset='{nodes}'/></numatune>"
CELL = "<cpu><numa><cell id='0' cpus='0-3' memory='64' unit='MiB'/></numa></cpu>"


def define_on(daemon, name, cpuset, **options):
    """A domain whose <vcpu> has this cpuset."""
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(daemon.xml(name, boot=False, **options).replace("<vcpu ", f"<vcpu cpuset='{cpuset}' "))
    daemon.virsh("define", path)


def test_nodes_of_a_running_domain_with_memnodes(daemon):
    """The memory of its cells is bound by QEMU: a nodeset for all of it is refused. With no numatune nothing is."""
    tuned(daemon, "t", MEMNODE.format(nodes="0"), boot=False, cpu=CELL)
    daemon.virsh("start", "t", "--paused")
    before = daemon.virsh("dumpxml", "t")
    error = daemon.virsh("numatune", "t", "--nodeset", "0", "--live", ok=False)
    assert "change of nodeset for running domain requires restrictive numa mode" in error
    assert daemon.virsh("dumpxml", "t") == before
    if mounts()["cpuset"][0] == 1:  # v2's groups of a domain without pins need no cpuset
        daemon.paused("free")
        daemon.virsh("numatune", "free", "--nodeset", "0", "--live")
        assert "<memory mode='restrictive' nodeset='0'/>" in daemon.virsh("dumpxml", "free")


@pytest.mark.parametrize("tune, words", [
    ("<cputune><emulatorpin cpuset='0,900'/></cputune>",
     "emulatorpin: unsupported configuration: cannot use CPUs '0,900'"),
    ("<cputune><vcpupin vcpu='0' cpuset='0,900'/></cputune>",
     "the vcpupin of vCPU 0: unsupported configuration: cannot use CPUs '0,900'"),
    ("<iothreads>1</iothreads><cputune><iothreadpin iothread='1' cpuset='0,900'/></cputune>",
     "the iothreadpin of IO thread 1: unsupported configuration: cannot use CPUs '0,900'"),
    ("0,900", "the cpuset of <vcpu>: unsupported configuration: cannot use CPUs '0,900'"),
    ("<numatune><memory mode='strict' nodeset='0,77'/></numatune>", "NUMA node 77 is unavailable"),
    ("<numatune><memory mode='interleave' nodeset='77'/></numatune>", "NUMA node 77 is unavailable"),
    (MEMNODE.format(nodes="77"), "NUMA node 77 is unavailable"),
    ("<numatune><memory mode='preferred' nodeset='77'/></numatune>", "NUMA node 77 is unavailable"),
    ("<numatune><memory mode='restrictive' nodeset='77'/></numatune>", "NUMA node 77 is unavailable"),
])
def test_what_the_host_does_not_have(daemon, tune, words):
    """Neither clipped nor left to QEMU: refused before it is started."""
    if tune.startswith("<"):
        tuned(daemon, "t", tune, boot=False, **({"cpu": CELL} if "memnode" in tune else {}))
    else:
        define_on(daemon, "t", tune)
    error = daemon.virsh("start", "t", "--paused", ok=False)
    assert words in error and "t" not in daemon.qemus(), error


def test_statistics(daemon):
    """CPU time by cgroup and thread: total, per CPU, per vCPU with wait and delay. The firmware alone takes some."""
    tuned(daemon, "t", "", boot=False, maximum=2, current=2)
    daemon.virsh("start", "t")

    def total():
        return float(re.search(r"cpu_time +([\d.]+)", daemon.virsh("cpu-stats", "t", "--total")).group(1))

    wait_for(lambda: total() > 0.2, 30, "CPU time")
    stats = dict(line.strip().split("=") for line in daemon.virsh("domstats", "t").splitlines() if "=" in line)
    assert int(stats["cpu.time"]) > 10 ** 8 and int(stats["cpu.user"]) > 0 and "cpu.system" in stats
    assert int(stats["vcpu.0.delay"]) > 0 and "vcpu.1.wait" in stats
    if mounts()["cpuacct"][0] == 1:
        assert re.search(r"CPU0:\s+cpu_time +[\d.]+ seconds\s+vcpu_time", daemon.virsh("cpu-stats", "t"))


def test_tunable_events(daemon):
    """One event for each live change, with what changed; none for the definition alone."""
    daemon.paused("t", maximum=2, current=2)
    events = subprocess.Popen(["virsh", "-c", daemon.uri, "event", "t", "tunable", "--loop", "--timeout", "4"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: "event 17 registered" in daemon.log_text(), 10, "registration")
    daemon.virsh("vcpupin", "t", "0", "1", "--config")
    daemon.virsh("vcpupin", "t", "1", "0", "--live")
    daemon.virsh("emulatorpin", "t", "1")
    daemon.virsh("schedinfo", "t", "--set", "vcpu_quota=40000", "vcpu_period=50000")
    out, _ = events.communicate(timeout=30)
    assert "cputune.vcpupin0" not in out
    assert "cputune.vcpupin1: 0" in out and "cputune.emulatorpin: 1" in out
    assert "cputune.vcpu_quota: 40000" in out and "cputune.vcpu_period: 50000" in out


@pytest.fixture
def partition(daemon):
    """A cgroup /vireo-test-partition that has the first host CPU only; its name."""
    if mounts()["cpu"][0] != 1 or daemon.partition == "/machine.slice":
        pytest.skip("SKIP: partitions are slices of systemd; tests/vm/guest/test_limits.py has its own")
    name, made = "/vireo-test-partition", []
    first = str(min(host_cpus()))
    for controller in "cpu", "cpuset", "cpuacct":
        path = mounts()[controller][1] + name
        if not os.path.isdir(path):
            os.mkdir(path)
            made.append(path)
    path = mounts()["cpuset"][1] + name
    with open(f"{path}/cpuset.mems", "w") as f:
        f.write("0")
    with open(f"{path}/cpuset.cpus", "w") as f:
        f.write(first)
    yield name
    for path in made:
        wait_for(lambda: not os.path.isdir(path) or not glob.glob(f"{path}/*/"), 10, "end of the partition's groups")
        os.rmdir(path)


def test_partitions(daemon, partition):
    """A domain goes into the partition it names; one that is not there is refused with its name. What the partition
    has not is refused before anything is written, naming it, with the code that clients know; the pin before stays."""
    import libvirt
    tuned(daemon, "t", "<resource><partition>/vireo-no-such</partition></resource>", boot=False)
    error = daemon.virsh("start", "t", "--paused", ok=False)
    assert "vireo-no-such" in error, error
    tuned(daemon, "p", f"<resource><partition>{partition}</partition></resource>", boot=False, maximum=2, current=2)
    daemon.virsh("start", "p", "--paused")
    found = threads(daemon.qemus()["p"])
    first, second = sorted(host_cpus())[:2]
    assert found["vcpu0"].cgroup("cpu").startswith(f"{partition}/") and found["vcpu0"].affinity() == {first}
    connection = libvirt.open(daemon.uri)
    with pytest.raises(libvirt.libvirtError) as caught:
        connection.lookupByName("p").pinVcpu(1, (False,) * second + (True,))
    connection.close()
    assert caught.value.get_error_code() == 38, caught.value
    assert f"the group '{partition}' has only '{first}'" in str(caught.value), caught.value
    assert "vcpupin" not in daemon.virsh("dumpxml", "p") and found["vcpu1"].affinity() == {first}
    daemon.virsh("destroy", "p")


def test_automatic_placement(daemon, tmp_path):
    """placement='auto' asks numad: its nodes' CPUs and memory, kept over a restart; without numad a clear error."""
    if daemon.partition == "/machine.slice":
        pytest.skip("SKIP: a service of systemd has a PATH of its own")
    program = tmp_path / "numad"
    program.write_text(f"#!/bin/sh\necho \"$@\" >>{tmp_path}/asked\necho 0\n")
    program.chmod(0o755)
    before = os.environ["PATH"]

    def restart(path):
        os.environ["PATH"] = path
        try:
            daemon.stop()
            daemon.start()
        finally:
            os.environ["PATH"] = before

    daemon.define("t", boot=False, maximum=2, current=2)
    xml = daemon.virsh("dumpxml", "t").replace("placement='static'", "placement='auto'")
    (tmp_path / "t.xml").write_text(xml)
    daemon.virsh("define", tmp_path / "t.xml")
    restart(str(tmp_path / "nowhere"))
    error = daemon.virsh("start", "t", "--paused", ok=False)
    assert "domain 't'" in error and "there is no program numad; install numad" in error and "placement='static'" in error, error
    restart(f"{tmp_path}:{before}")
    daemon.virsh("start", "t", "--paused")
    assert (tmp_path / "asked").read_text() == "-w 2:64\n"
    with open("/sys/devices/system/node/node0/cpulist") as f:
        node0 = cpus(f.read().strip())
    thread = threads(daemon.qemus()["t"])["vcpu1"]
    assert thread.affinity() == node0 and thread.value("cpuset", "cpuset.mems") == "0"
    restart(str(tmp_path / "nowhere"))
    assert "vcpu1" not in daemon.vireo("reconcile", "t") and "placement='auto'" in daemon.virsh("dumpxml", "t")
    daemon.virsh("setvcpus", "t", "2", "--live")
    program.write_text("#!/bin/sh\necho over there\n")
    restart(f"{tmp_path}:{before}")
    daemon.virsh("destroy", "t")
    assert "'over there" in daemon.virsh("start", "t", "--paused", ok=False)
