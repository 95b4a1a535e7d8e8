# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was half done and is put right, and what must be read back as it was."""
import glob
import os
import re
import socket
import struct
import subprocess

import libvirt
import pytest

from conftest import wait_for
from test_bad_input import frame, read_frame
from test_starve import LIST_ALL, open_call
from resctrl_double import resctrl  # noqa: F401 (a fixture)
from tuning import host_cpus, mounts, read, threads

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: cgroups need root"),
    pytest.mark.skipif(len(host_cpus()) < 2, reason="SKIP: pins need two host CPUs"),
    pytest.mark.skipif(mounts().get("cpu", (0,))[0] != 1, reason="SKIP: looks at files of cgroup v1"),
]


def restart(daemon):
    daemon.stop()
    daemon.start()


def own_group(daemon, name, controller="cpu"):
    """The directory of the domain's own group."""
    return mounts()[controller][1] + os.path.dirname(threads(daemon.qemus()[name])["vcpu0"].cgroup(controller))


def test_iothreads_keep_their_ids(daemon):
    """Without the first, the second is still the second: in the file, in the status file and in QEMU."""
    daemon.paused("t", tune="<iothreads>2</iothreads><cputune><iothreadpin iothread='2' cpuset='1'/></cputune>")
    daemon.virsh("iothreaddel", "t", "1", "--live", "--config")
    restart(daemon)
    for where in "--live", "--config":
        assert re.findall(r"^ (\d+) +(\S+)$", daemon.virsh("iothreadinfo", "t", where), re.M) == [("2", "1")]
    assert "iothread2" in threads(daemon.qemus()["t"])


def test_a_lowered_maximum_clips_monitors(daemon):
    daemon.define("t", boot=False, maximum=8, tune="<cputune><cachetune vcpus='0-7'><monitor level='3' vcpus='2-7'/>"
                  "<monitor level='3' vcpus='1'/></cachetune><memorytune vcpus='0-7'><monitor vcpus='2-7'/></memorytune>"
                  "</cputune>")
    daemon.virsh("setvcpus", "t", "4", "--maximum", "--config")
    before = daemon.virsh("dumpxml", "t")
    assert before.count("vcpus='2-3'") == 2 and "<cachetune vcpus='0-3'>" in before
    restart(daemon)
    assert daemon.virsh("dumpxml", "t") == before


def test_a_numa_mode_that_could_not_be_read_back(daemon):
    daemon.define("t", boot=False, maximum=2, cpu="<cpu><numa><cell id='0' cpus='0-1' memory='65536'/></numa></cpu>",
                  tune="<numatune><memory mode='strict' nodeset='0'/><memnode cellid='0' mode='strict' nodeset='0'/>"
                       "</numatune>")
    connection = libvirt.open(daemon.uri)
    with pytest.raises(libvirt.libvirtError, match="'restrictive' mode is required"):
        connection.lookupByName("t").setNumaParameters({"numa_mode": 3}, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    connection.close()


def test_what_runs_need_not_be_what_may_be_written(daemon):
    """Somebody plugged a vCPU by hand that no definition could have: pins go on working, and the domain is found again."""
    daemon.paused("t", maximum=4, current=1)
    daemon.virsh("setvcpus", "t", "2", "--live")
    daemon.virsh("qemu-monitor-command", "t", '{"execute":"device_add","arguments":{"driver":"max-x86_64-cpu",'
                 '"socket-id":3,"core-id":0,"thread-id":0}}')
    restart(daemon)
    daemon.virsh("vcpupin", "t", "0", "1", "--live")
    restart(daemon)
    assert daemon.virsh("domstate", "t").strip() == "paused" and daemon.qemus()
    assert threads(daemon.qemus()["t"])["vcpu0"].affinity() == {1}


def test_a_refused_change_leaves_nothing(daemon):
    """Half of it was written already: shares, and a vCPU's quota that the domain's own does not allow."""
    daemon.paused("t", maximum=2, current=2, tune="<cputune><global_period>100000</global_period>"
                  "<global_quota>20000</global_quota></cputune>")
    error = daemon.virsh("schedinfo", "t", "--set", "cpu_shares=5000", "vcpu_quota=50000", ok=False)
    assert "vcpu0 of domain 't'" in error
    assert read(own_group(daemon, "t") + "/cpu.shares") == "1024"
    assert threads(daemon.qemus()["t"])["vcpu0"].bandwidth() == (-1, 100000)
    xml = daemon.virsh("dumpxml", "t")
    assert "shares" not in xml and "<quota>" not in xml


def test_a_refused_iothreadset_leaves_nothing(daemon):
    daemon.paused("t", tune="<iothreads>1</iothreads>")
    before = re.search(r"iothread.1.poll-max-ns=(\d+)", daemon.virsh("domstats", "t", "--iothread")).group(1)
    daemon.virsh("iothreadset", "t", "1", "--poll-max-ns", "77000", "--thread-pool-min", "100", ok=False)
    reply = daemon.virsh("qemu-monitor-command", "t", '{"execute":"query-iothreads"}')
    assert f'"poll-max-ns":{before}' in reply.replace(" ", ""), reply
    assert "77000" not in daemon.virsh("dumpxml", "t")


def test_iothreads_that_changed_unseen(daemon):
    """QEMU's word on its IO threads is the domain's after a restart: they can be deleted and added again."""
    daemon.paused("t", tune="<iothreads>1</iothreads>")
    daemon.virsh("qemu-monitor-command", "t", '{"execute":"object-del","arguments":{"id":"iothread1"}}')
    daemon.virsh("qemu-monitor-command", "t",
                 '{"execute":"object-add","arguments":{"qom-type":"iothread","id":"iothread7"}}')
    restart(daemon)
    assert re.findall(r"^ (\d+) ", daemon.virsh("iothreadinfo", "t", "--live"), re.M) == ["7"]
    daemon.virsh("iothreadadd", "t", "1", "--live")
    daemon.virsh("iothreaddel", "t", "7", "--live")
    daemon.virsh("qemu-monitor-command", "t", '{"execute":"object-del","arguments":{"id":"iothread1"}}')
    daemon.virsh("iothreaddel", "t", "1", "--live")


PINNED = ("<cputune><period>100000</period><quota>50000</quota><vcpupin vcpu='0' cpuset='1'/>"
          "<vcpupin vcpu='2' cpuset='0'/><emulatorpin cpuset='0'/></cputune>")


def test_the_domains_own_cpuset_is_mended(daemon):
    """Somebody narrowed it, and all that is in it: the CPUs it had are there again, and the pins."""
    daemon.paused("t", maximum=3, current=3, tune=PINNED)
    cpuset = own_group(daemon, "t", "cpuset")
    had = read(f"{cpuset}/cpuset.cpus")
    for path in glob.glob(f"{cpuset}/*/cpuset.cpus") + [f"{cpuset}/cpuset.cpus"]:
        with open(path, "w") as f:
            f.write("0")
    found = threads(daemon.qemus()["t"])
    wait_for(lambda: found["vcpu0"].affinity() == {1} and found["vcpu1"].affinity() == host_cpus(), 10, "pins")
    assert read(f"{cpuset}/cpuset.cpus") == had


def remove_groups_of(pid, name):
    """All of a QEMU's threads to the root, then its groups: what an operator's script may do behind the daemon's back."""
    found = {controller: own_group_of(pid, controller) for controller in ("cpu", "cpuset", "cpuacct")}
    for controller, path in found.items():
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"{mounts()[controller][1]}/tasks", "w") as f:
                f.write(task)
        for directory, _, _ in os.walk(path, topdown=False):
            wait_for(lambda d=directory: not os.path.exists(d) or not os.rmdir(d), 5, f"the end of {directory}")
    return found


def own_group_of(pid, controller):
    return mounts()[controller][1] + os.path.dirname(threads(pid)["vcpu0"].cgroup(controller))


def test_groups_removed_behind_its_back(daemon):
    """The next plug makes them again, with what the definition asks for; a failure would leave a vCPU nobody can place."""
    daemon.paused("t", maximum=4, current=2, tune=PINNED.replace("vcpu='2'", "vcpu='3'"))
    pid = daemon.qemus()["t"]
    removed = remove_groups_of(pid, "t")
    daemon.virsh("setvcpus", "t", "4", "--live")
    assert daemon.counts("t")[("current", "live")] == 4
    daemon.vireo("reconcile", "t")
    found = threads(pid)
    for controller, path in removed.items():
        assert mounts()[controller][1] + found["vcpu3"].cgroup(controller) == f"{path}/vcpu3"
        assert mounts()[controller][1] + found["vcpu0"].cgroup(controller) == f"{path}/vcpu0"
    assert found["vcpu3"].affinity() == {0} and found["vcpu0"].affinity() == {1}
    assert [found[f"vcpu{i}"].bandwidth() for i in range(4)] == [(50000, 100000)] * 4
    daemon.virsh("destroy", "t")
    assert not any(os.path.exists(path) for path in removed.values())


@pytest.fixture
def read_only_file(tmp_path):
    """Puts a file that nobody can write over another one."""
    covered = []

    def cover(path, text):
        source = tmp_path / str(len(covered))
        source.write_text(text)
        subprocess.run(["mount", "--bind", source, path], check=True, timeout=10)
        covered.append(path)
        subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True, timeout=10)

    yield cover
    for path in covered:
        subprocess.run(["umount", path], check=True, timeout=10)


def test_what_cannot_be_mended_does_not_hinder(daemon, read_only_file):
    """The CPUs of one vCPU cannot be written: word of it, and another one's quota is put right all the same."""
    daemon.paused("t", maximum=3, current=3, tune=PINNED)
    read_only_file(own_group(daemon, "t", "cpuset") + "/vcpu0/cpuset.cpus", "0\n")
    with open(own_group(daemon, "t") + "/vcpu1/cpu.cfs_quota_us", "w") as f:
        f.write("20000")
    wait_for(lambda: "cannot be compared" in daemon.log_text(), 10, "word of it")
    with open(own_group(daemon, "t") + "/vcpu2/cpu.cfs_quota_us", "w") as f:
        f.write("20000")
    assert "vcpu0 of domain 't'" in daemon.vireo("reconcile", "t", ok=False)
    assert threads(daemon.qemus()["t"])["vcpu2"].bandwidth()[0] == 50000


def test_a_partition_written_oddly(daemon):
    """It is the same partition, and nothing to mend."""
    path = f"{mounts()['cpuset'][1]}{daemon.partition}"
    daemon.paused("first")
    daemon.paused("t", tune=f"<resource><partition>/{daemon.partition}//</partition></resource>")
    assert os.path.isdir(path) and threads(daemon.qemus()["t"])["vcpu0"].cgroup("cpu").startswith(daemon.partition + "/")
    assert "again" not in daemon.vireo("reconcile", "t")


def test_zero_takes_a_value_out_of_the_definition(daemon):
    daemon.define("t", boot=False, tune="<cputune><period>50000</period><quota>40000</quota></cputune>")
    daemon.virsh("schedinfo", "t", "--config", "--set", "vcpu_quota=0", "vcpu_period=0")
    xml = daemon.virsh("dumpxml", "t")
    assert "quota" not in xml and "period" not in xml


def test_a_resctrl_group_that_was_left_and_a_thread_that_was_moved(daemon, resctrl):
    fs = resctrl("closids=4", "rmids=8")
    tune = ("<cputune><cachetune vcpus='0-1'><cache id='0' level='3' type='both' size='2' unit='MiB'/></cachetune>"
            "</cputune>")
    os.mkdir(f"{fs.root}/vireo-1-t-vcpus_0-1")
    daemon.paused("t", maximum=2, current=2, tune=tune)
    tids = {threads(daemon.qemus()["t"])[f"vcpu{i}"].tid for i in (0, 1)}
    assert fs.tasks("vireo-1-t-vcpus_0-1") == tids
    fs.write("tasks", f"{min(tids)}\n")
    assert fs.tasks("vireo-1-t-vcpus_0-1") == {max(tids)}
    assert "resctrl group" in daemon.vireo("reconcile", "t")
    assert fs.tasks("vireo-1-t-vcpus_0-1") == tids


PIN_VCPU, PIN_EMULATOR, PIN_IOTHREAD = 225, 279, 352


def test_live_pins_to_what_the_host_does_not_have(daemon):
    """virsh does not send such a map; who does is told, and each thread stays where it is."""
    daemon.paused("t", maximum=2, current=2, tune="<iothreads>1</iothreads>")
    pid, before = daemon.qemus()["t"], daemon.virsh("dumpxml", "t")
    cpumap = struct.pack(">I", 113) + bytes([1] + [0] * 111 + [0x10]) + b"\0" * 3  # CPUs 0 and 900
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(daemon.socket)
        s.settimeout(100)
        s.sendall(open_call())
        read_frame(s)
        s.sendall(frame(LIST_ALL, struct.pack(">iI", 1, 0)))
        domain = read_frame(s)[1][4:-4]
        for procedure, target in ((PIN_VCPU, struct.pack(">I", 1)), (PIN_EMULATOR, b""), (PIN_IOTHREAD, struct.pack(">I", 1))):
            s.sendall(frame(procedure, domain + target + cpumap + struct.pack(">I", 1)))  # of what runs
            header, body = read_frame(s)
            assert header[6] and b"'0,900'" in body and b"has only" in body, (procedure, body)
    for child, thread in threads(pid).items():
        for one in thread if child == "emulator" else [thread]:
            assert one.affinity() == host_cpus(), child
    assert daemon.virsh("dumpxml", "t") == before
