# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines in scopes of systemd, on cgroup v2 and on v1: what tests/system/test_tune.py cannot see on a host without
systemd."""
import errno
import json
import os
import re
import subprocess
import threading

import libvirt
import pytest

from conftest import run, unit, wait_for
from tuning import cpus, groups, mounts, read, threads

TUNE = ("<cputune><shares>2048</shares><period>100000</period><quota>60000</quota><vcpupin vcpu='0' cpuset='0'/>"
        "<vcpupin vcpu='2' cpuset='1'/><emulatorpin cpuset='1'/></cputune>")


V2 = mounts()["cpu"][0] == 2


def scope_of(daemon, name):
    """The unit that has the machine's QEMU, and its directory in the controllers' hierarchies."""
    path = threads(daemon.qemus()[name])["emulator"][0].cgroup("cpu")
    path = path[:path.index(".scope") + len(".scope")]
    return os.path.basename(path), {name: mounts()[name][1] + path for name in ("cpu", "cpuset", "cpuacct")}


def shares(directory):
    """In v1's unit, as the definition has them."""
    return int(read(f"{directory}/cpu.weight")) * 1024 // 100 if V2 else int(read(f"{directory}/cpu.shares"))


def exists(directories):
    return any(os.path.exists(path) for path in directories.values())


def test_a_scope_of_its_own(daemon):
    """Known to systemd and machined, delegated, gone with the machine."""
    daemon.paused("s", maximum=4, current=2, tune=TUNE)
    name, directories = scope_of(daemon, "s")
    assert re.fullmatch(r"machine-vireo\\x2d\d+\\x2ds\.scope", name), name
    assert unit(name, "Slice") == "machine.slice" and unit(name, "Delegate") == "yes"
    assert unit(name, "ActiveState") == "active"
    machines = json.loads(run("machinectl", "list", "-o", "json").stdout)
    assert any(row["machine"].endswith("-s") and row["class"] == "vm" for row in machines), machines
    assert shares(directories["cpu"]) == 2048, "shares weigh against other machines: they belong to the scope"
    daemon.virsh("destroy", "s")
    wait_for(lambda: not exists(directories), 10, "end of the scope")
    assert "machine" not in run("machinectl", "list", "-o", "json").stdout
    wait_for(lambda: unit(name, "LoadState") == "not-found", 10, "end of the unit")


def test_a_scope_that_systemd_leaves(daemon):
    """systemd tries to remove a scope's directory once: one that is busy then goes, too, when it no longer is."""
    daemon.paused("s", maximum=1, current=1)
    name, directories = scope_of(daemon, "s")
    busy = f"{directories['cpu']}/vireo/vcpu0"
    run("mount", "-t", "tmpfs", "none", busy)  # a directory with a mount on it is busy
    try:
        destroy = threading.Thread(target=daemon.virsh, args=("destroy", "s"))
        destroy.start()
        wait_for(lambda: unit(name, "ActiveState") in ("inactive", "failed"), 10, "end of the unit")
        assert os.path.exists(directories["cpu"])
    finally:
        run("umount", busy)
    destroy.join()
    assert not exists(directories)


@pytest.mark.long
def test_systemd_and_the_bus_come_anew(daemon):
    """Between two changes: machines run on in their scopes, and the next one gets a scope of its own."""
    before = daemon.paused("before", maximum=4, current=1)
    scope, directories = scope_of(daemon, "before")
    for what in (["systemctl", "daemon-reexec"], ["systemctl", "kill", "-s", "KILL", "dbus.service"],
                 ["systemctl", "restart", "systemd-machined.service"]):
        pid = daemon.pid()
        run(*what)
        wait_for(lambda: run("systemctl", "is-system-running", ok=None).stdout.strip() in ("running", "degraded"), 60,
                 f"systemd after {what}")
        daemon.virsh("setvcpus", "before", "2", "--live")
        daemon.virsh("schedinfo", "before", "--live", "--set", "cpu_shares=512")
        assert unit(scope, "ActiveState") == "active" and shares(directories["cpu"]) == 512, what
        daemon.paused("after", maximum=2, current=1, tune=TUNE)
        name, others = scope_of(daemon, "after")
        assert name != scope and unit(name, "ActiveState") == "active" and shares(others["cpu"]) == 2048, what
        daemon.virsh("destroy", "after")
        daemon.virsh("undefine", "after")
        daemon.virsh("schedinfo", "before", "--live", "--set", "cpu_shares=1024")
        assert daemon.qemus() == {"before": before} and daemon.pid() == pid, what
    assert daemon.counts("before")[("current", "live")] == 2


def test_a_slice_of_its_own(daemon):
    """A partition is a slice: the scope is in it, and the next machine of the same partition, too."""
    for name in "s", "t":
        daemon.paused(name, maximum=1, tune="<resource><partition>/machine/web</partition></resource>")
        scope, _ = scope_of(daemon, name)
        assert unit(scope, "Slice") == "machine-web.slice"
        assert "/machine-web.slice/" in threads(daemon.qemus()[name])["vcpu0"].cgroup("cpuset")


def test_limits_survive_a_reload(daemon):
    """systemctl daemon-reload writes what systemd knows: nothing of the machine's changes by it."""
    daemon.paused("s", maximum=4, current=2, tune=TUNE)
    daemon.virsh("setvcpus", "s", "4", "--live")
    directories = scope_of(daemon, "s")[1]

    def everything():
        found = {"scope": shares(directories["cpu"]), "machine": shares(f"{directories['cpu']}/vireo")}
        for child in "vcpu0", "vcpu1", "vcpu2", "vcpu3", "emulator":
            thread = threads(daemon.qemus()["s"])[child]
            thread = thread[0] if child == "emulator" else thread
            found[child] = (thread.bandwidth(), thread.value("cpuset", "cpuset.cpus"), thread.cgroup("cpu"),
                            thread.cgroup("cpuset"))
        return found

    before = everything()
    assert before["vcpu2"][1] == "1" and before["vcpu3"][0] == (60000, 100000)
    assert before["vcpu3"][2].endswith(".scope/vireo/vcpu3") and before["vcpu2"][2] == before["vcpu2"][3]
    run("systemctl", "daemon-reload")
    assert everything() == before
    daemon.virsh("schedinfo", "s", "--set", "cpu_shares=512")
    run("systemctl", "daemon-reload")
    assert shares(directories["cpu"]) == 512


def opened(pid, path):
    """What a process of root's with all capabilities gets that opens the node in that one's group: 0 or an errno."""
    group = next(line.split(":", 2)[2].strip() for line in open(f"/proc/{pid}/cgroup") if line.startswith("0::"))
    child = subprocess.run(["python3", "-c", "import os, sys\nopen(sys.argv[1], 'w').write(str(os.getpid()))\n"
                            "try: os.close(os.open(sys.argv[2], os.O_RDONLY))\nexcept OSError as e: sys.exit(e.errno)",
                            f"/sys/fs/cgroup{group}/cgroup.procs", path])
    return child.returncode


@pytest.mark.skipif(not V2, reason="SKIP: v1 has a controller for it (tests/system/test_device_nodes)")
def test_device_nodes(daemon, tmp_path):
    """The kernel lets a QEMU open its own nodes and no others, after a reload too, and a disk's while it has the disk."""
    (tmp_path / "disk.raw").write_bytes(bytes(1 << 20))
    first, loop = (run("losetup", "-f", "--show", str(tmp_path / "disk.raw")).stdout.strip() for _ in range(2))
    try:
        pid = daemon.paused("s", maximum=1, extra="<controller type='usb' model='qemu-xhci'/><disk type='block'>"
                            f"<driver type='raw'/><source dev='{first}'/><target dev='sdw' bus='usb'/></disk>")
        assert opened(pid, first) == 0
        assert opened(pid, "/dev/null") == 0 and opened(pid, "/dev/urandom") == 0
        assert opened(pid, "/dev/kmsg") == errno.EPERM and opened(pid, loop) == errno.EPERM
        daemon.virsh("attach-disk", "s", loop, "sdx", "--targetbus", "usb", "--live")
        assert opened(pid, loop) == 0 and opened(pid, "/dev/null") == 0
        run("systemctl", "daemon-reload")
        assert opened(pid, loop) == 0 and opened(pid, "/dev/kmsg") == errno.EPERM
        daemon.stop()
        daemon.start()
        assert opened(pid, loop) == 0 and opened(pid, "/dev/kmsg") == errno.EPERM
        daemon.virsh("destroy", "s")
    finally:
        run("losetup", "-d", first, loop)


def test_an_ancestor_that_clips(daemon):
    """machine.slice has one CPU: a pin to another is refused naming it, and what was there stays."""
    if not V2:
        pytest.skip("SKIP: systemd does not use v1's cpuset; test_tune.test_partitions shows it")
    daemon.paused("s", maximum=2, current=2)
    run("systemctl", "set-property", "--runtime", "machine.slice", "AllowedCPUs=0")
    try:
        wait_for(lambda: read("/sys/fs/cgroup/machine.slice/cpuset.cpus.effective") == "0", 10, "a narrow slice")
        connection = libvirt.open(daemon.uri)
        with pytest.raises(libvirt.libvirtError) as caught:
            connection.lookupByName("s").pinVcpu(1, (False, True))
        connection.close()
        assert caught.value.get_error_code() == 38, caught.value
        assert "'/machine.slice' has only '0'" in str(caught.value), caught.value
        assert "vcpupin" not in daemon.virsh("dumpxml", "s")
        # Asked for everything, it has what there is: vcpuinfo shows both.
        daemon.virsh("vcpupin", "s", "0", "0")
        assert threads(daemon.qemus()["s"])["vcpu0"].affinity() == {0}
    finally:
        run("systemctl", "set-property", "--runtime", "machine.slice", "AllowedCPUs=")


@pytest.mark.long
def test_realtime_policies(daemon):
    """Debian has no real-time groups: the policy is had, at start and at plug."""
    daemon.paused("s", maximum=3, current=1,
                  tune="<cputune><vcpusched vcpus='0' scheduler='fifo' priority='3'/>"
                       "<vcpusched vcpus='2' scheduler='rr' priority='7'/><emulatorsched scheduler='batch'/></cputune>")
    daemon.virsh("setvcpus", "s", "3", "--live")
    found = threads(daemon.qemus()["s"])
    assert found["vcpu0"].policy() == ("fifo", 3) and found["vcpu2"].policy() == ("rr", 7)
    assert found["vcpu1"].policy()[0] == "other", "a new thread does not keep the emulator's policy"
    assert found["emulator"][0].policy()[0] == "batch"


def test_memory_nodes(daemon):
    """restrictive to node 1: every thread's cpuset has it alone; the emulator's is open while QEMU makes threads."""
    daemon.paused("s", maximum=4, current=1, tune="<numatune><memory mode='restrictive' nodeset='1'/></numatune>")
    found = threads(daemon.qemus()["s"])
    emulator = mounts()["cpuset"][1] + found["emulator"][0].cgroup("cpuset") + "/cpuset.mems"
    assert found["vcpu0"].value("cpuset", "cpuset.mems") == "1" and read(emulator) == "1"
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.is_set():
            seen.add(read(emulator))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        daemon.virsh("setvcpus", "s", "4", "--live")
    finally:
        stop.set()
        watcher.join()
    assert "0-1" in seen, seen
    assert read(emulator) == "1" and threads(daemon.qemus()["s"])["vcpu3"].value("cpuset", "cpuset.mems") == "1"
    daemon.virsh("numatune", "s", "--nodeset", "0-1", "--live")
    assert threads(daemon.qemus()["s"])["vcpu3"].value("cpuset", "cpuset.mems") == "0-1"


def test_a_host_cpu_goes_and_comes(daemon):
    """Once it is back, all that may run on it does again, by itself; and what comes next can be pinned to it."""
    daemon.paused("s", maximum=3, current=2, tune="<cputune><vcpupin vcpu='1' cpuset='0-1'/></cputune>")
    found = threads(daemon.qemus()["s"])
    thread = found["vcpu1"]
    switch = "/sys/devices/system/cpu/cpu1/online"
    try:
        with open(switch, "w") as f:
            f.write("0")
        wait_for(lambda: thread.affinity() == {0}, 10, "vCPU 1 on CPU 0 alone")
    finally:
        with open(switch, "w") as f:
            f.write("1")
    everything = [found["vcpu0"], thread, *found["emulator"]]
    wait_for(lambda: all(each.affinity() == {0, 1} for each in everything), 20, "every thread on both CPUs again")
    effective = "cpuset.cpus.effective" if V2 else "cpuset.effective_cpus"
    assert cpus(thread.value("cpuset", effective)) == {0, 1}
    daemon.virsh("vcpupin", "s", "2", "1")
    daemon.virsh("setvcpus", "s", "3", "--live")
    assert threads(daemon.qemus()["s"])["vcpu2"].affinity() == {1}
    daemon.paused("t", maximum=1, tune="<cputune><vcpupin vcpu='0' cpuset='1'/></cputune>")
    assert threads(daemon.qemus()["t"])["vcpu0"].affinity() == {1}


def test_audit_records(daemon):
    """Start, each plugged vCPU, stop: a record each, in libvirt's form."""
    run("auditctl", "-s")
    daemon.paused("a", maximum=3, current=1)
    uuid = daemon.virsh("domuuid", "a").strip()
    daemon.virsh("setvcpus", "a", "3", "--live")
    daemon.virsh("destroy", "a")

    def records():
        out = run("ausearch", "-m", "VIRT_CONTROL,VIRT_RESOURCE", "--raw", ok=None).stdout
        return [line for line in out.splitlines() if uuid in line]

    wait_for(lambda: any("op=stop" in line for line in records()), 20, "stop record")
    text = "\n".join(records())
    prefix = f'virt=qemu resrc=vcpu reason=update vm="a" uuid={uuid} '
    for words in (f'virt=qemu resrc=vcpu reason=start vm="a" uuid={uuid} old-vcpu=0 new-vcpu=1',
                  f'virt=qemu resrc=mem reason=start vm="a" uuid={uuid} old-mem=0 new-mem=65536',
                  prefix + "old-vcpu=1 new-vcpu=2", prefix + "old-vcpu=2 new-vcpu=3",
                  f'virt=qemu op=start reason=booted vm="a" uuid={uuid} vm-pid=',
                  f'virt=qemu op=stop reason=destroyed vm="a" uuid={uuid}',
                  f'virt=qemu resrc=cgroup reason=allow vm="a" uuid={uuid} cgroup='):
        assert words in text, (words, text)
    assert text.count("res=success") == len(records())


def failed_records(uuid, words):
    out = run("ausearch", "-m", "VIRT_CONTROL,VIRT_RESOURCE", "--raw", ok=None).stdout
    return [line for line in out.splitlines() if uuid in line and words in line and "res=failed" in line]


@pytest.mark.long
def test_audit_of_failures(daemon):
    """A plug that QEMU refuses, for somebody took the slot by hand, and a start that fails."""
    daemon.paused("c", maximum=3, current=1)
    uuid = daemon.virsh("domuuid", "c").strip()
    daemon.virsh("qemu-monitor-command", "c", '{"execute":"device_add","arguments":{"driver":"max-x86_64-cpu",'
                 '"id":"mine","socket-id":2,"core-id":0,"thread-id":0}}')
    daemon.virsh("setvcpus", "c", "3", "--live", ok=False)
    wait_for(lambda: failed_records(uuid, "resrc=vcpu reason=update"), 20, "record of a failed plug")
    daemon.virsh("destroy", "c")

    daemon.define("b", tune="<cputune><vcpupin vcpu='0' cpuset='9'/></cputune>")
    error = daemon.virsh("start", "b", ok=False)
    assert "'9'" in error, error
    uuid = daemon.virsh("domuuid", "b").strip()

    wait_for(lambda: failed_records(uuid, "op=start"), 20, "record of a failed start")
    wait_for(lambda: not any(".scope" in path for path in groups(daemon)), 10, "end of its scope")
