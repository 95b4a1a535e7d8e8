# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU is born inside its cgroup and on its CPUs: what it uses is counted and bounded from its exec on."""
import os
import re

import pytest

from conftest import QEMU
from tuning import host_cpus, mounts, read, threads

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: cgroups need root"),
    pytest.mark.skipif(len(host_cpus()) < 2, reason="SKIP: pins need two host CPUs"),
    pytest.mark.skipif(not {"cpu", "cpuset", "cpuacct"} <= set(mounts()), reason="SKIP: no cgroup controllers"),
]
TICK = 1 / os.sysconf("SC_CLK_TCK")


def group(daemon, controller):
    """The directory of the domain's own group, above its threads'."""
    path = threads(daemon.qemus()["t"])["vcpu0"].cgroup(controller)
    return mounts()[controller][1] + re.sub("/vcpu0$", "", path)


def cpu_seconds(daemon):
    if mounts()["cpuacct"][0] == 1:
        return int(read(group(daemon, "cpuacct") + "/cpuacct.usage")) / 1e9
    return int(re.search(r"usage_usec (\d+)", read(group(daemon, "cpuacct") + "/cpu.stat")).group(1)) / 1e6


def process_seconds(pid):
    """From the birth of the process: its exec included."""
    fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def test_cpu_time(daemon):
    """The kernel's count of the process, the cgroup's and what clients are told are one: nothing ran outside."""
    daemon.paused("t", maximum=16, current=16)
    process = process_seconds(daemon.qemus()["t"])
    assert process > 2 * TICK, "QEMU's own start takes CPU time"
    assert cpu_seconds(daemon) >= process - 2 * TICK
    info = float(re.search(r"CPU time: +([\d.]+)s", daemon.virsh("dominfo", "t")).group(1))
    stats = int(re.search(r"cpu\.time=(\d+)", daemon.virsh("domstats", "t", "--cpu-total")).group(1)) / 1e9
    total = float(re.search(r"cpu_time +([\d.]+) seconds", daemon.virsh("cpu-stats", "t", "--total")).group(1))
    assert info >= process - 0.1 and stats >= info - 0.1 - 2 * TICK and total >= stats, (process, info, stats, total)


def test_first_instruction(daemon):
    """What stands in QEMU's place at the exec has its group and its CPUs already."""
    emulator, born = f"{daemon.root}/qemu-system-x86_64", f"{daemon.root}/log/born"
    with open(emulator, "w") as f:
        f.write(f'#!/bin/sh\ncase "$*" in *guest=t*) cat /proc/self/cgroup /proc/self/status >{born};; esac\n'
                f'exec {QEMU} "$@"\n')
    os.chmod(emulator, 0o755)
    open(born, "w").close()
    os.chmod(born, 0o666)
    daemon.paused("t", emulator=emulator, tune="<cputune><emulatorpin cpuset='1'/></cputune>")
    found = read(born)
    assert re.search(r"^Cpus_allowed_list:\s+1$", found, re.M), found
    for controller in "cpu", "cpuset", "cpuacct":
        path = threads(daemon.qemus()["t"])["emulator"][0].cgroup(controller)
        assert f":{path}\n" in found and daemon.partition in path, (path, found)
