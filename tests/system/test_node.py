# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients ask about the host itself."""
import gc
import os
import re

import libvirt
import pytest

libvirt.registerErrorHandler(lambda *_: None, None)


@pytest.fixture
def connection(daemon):
    connection = libvirt.open(daemon.uri)
    gc.disable()  # a collected object of an earlier connection overwrites the error that libvirt has for the thread
    yield connection
    connection.close()
    del connection
    gc.collect()
    gc.enable()


def cpu_seconds(name):
    with open("/proc/stat") as f:
        fields = next(line.split()[1:] for line in f if line.split()[0] == name)
    ticks = dict(zip(("user", "nice", "system", "idle", "iowait", "irq", "softirq"), map(int, fields)))
    return {"user": ticks["user"] + ticks["nice"], "kernel": ticks["system"] + ticks["irq"] + ticks["softirq"],
            "idle": ticks["idle"], "iowait": ticks["iowait"]}


def refused(call, *arguments):
    with pytest.raises(libvirt.libvirtError) as e:
        call(*arguments)
    return e.value


@pytest.mark.parametrize("cpu, line", [(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS, "cpu"), (0, "cpu0")])
def test_cpu_stats(connection, cpu, line):
    tick = 10 ** 9 // os.sysconf("SC_CLK_TCK")
    before = cpu_seconds(line)
    stats = connection.getCPUStats(cpu)
    after = cpu_seconds(line)
    assert set(stats) == {"kernel", "user", "idle", "iowait"}
    for key in ("kernel", "user"):  # idle and iowait of Linux may go back
        assert before[key] * tick <= stats[key] <= after[key] * tick, key


def test_cpu_stats_of_no_cpu(connection):
    error = refused(connection.getCPUStats, 100000)
    assert error.get_error_code() == libvirt.VIR_ERR_INVALID_ARG and str(error) == "Invalid cpuNum in virHostCPUGetStatsLinux"
    assert refused(connection.getCPUStats, -2).get_error_code() == libvirt.VIR_ERR_INVALID_ARG


def test_memory_stats(daemon, connection):
    total = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal:"))
    host = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
    assert set(host) == {"total", "free", "buffers", "cached"}
    assert host["total"] == total and 0 < host["free"] < total and 0 < host["cached"] < total
    assert str(refused(connection.getMemoryStats, 1000)).startswith("cellNum in virHostMemGetStats must be less than")
    cell = connection.getMemoryStats(0)
    assert set(cell) == {"total", "free"} and 0 < cell["free"] < cell["total"] <= total
    error = refused(connection.getMemoryStats, 5000)
    assert error.get_error_code() == libvirt.VIR_ERR_INVALID_ARG and "must be less than or equal to" in str(error)
    assert "cached" in daemon.virsh("nodememstats") and "idle:" in daemon.virsh("nodecpustats")
    assert "cached" in daemon.vireo("nodememstats") and "idle:" in daemon.vireo("nodecpustats")


def test_free_memory_of_cells(connection):
    free = connection.getCellsFreeMemory(0, 64)
    cells = [n for n in os.listdir("/sys/devices/system/node") if n[4:].isdigit()]
    assert len(free) >= len(cells) >= 1 and 0 < free[0] < connection.getMemoryStats(0)["total"] * 1024
    assert len(connection.getCellsFreeMemory(0, 1)) == 1
    assert "out of range" in str(refused(connection.getCellsFreeMemory, 5000, 1))


def test_cpu_models(daemon, connection):
    names = connection.getCPUModelNames("x86_64")
    assert "qemu64" in names and "Nehalem-IBRS" in names and "max" not in names and "Nehalem-v1" not in names
    assert daemon.virsh("cpu-models", "x86_64").split() == names
    error = refused(connection.getCPUModelNames, "nothing")
    assert error.get_error_code() == libvirt.VIR_ERR_INVALID_ARG and "cannot find architecture nothing" in str(error)


def test_pages(daemon):
    """The sizes are in the capabilities, where virsh looks for them; the counts are the kernel's."""
    sizes = re.findall(r"<pages unit='KiB' size='(\d+)'/>", daemon.virsh("capabilities"))
    assert sizes[0] == str(os.sysconf("SC_PAGESIZE") // 1024)
    out = daemon.virsh("freepages", "--all")
    assert out.count("KiB: ") >= len(sizes) and out.startswith("Node 0:")
    assert int(daemon.virsh("freepages", "--cellno", "0", "--pagesize", sizes[0]).split()[-1]) > 0
    assert "page size 3 is not available on node 0" in daemon.virsh("freepages", "--cellno", "0", "--pagesize", "3",
                                                                    ok=False)
    assert "out of range" in daemon.virsh("freepages", "--cellno", "99", "--pagesize", sizes[0], ok=False)


def test_most_vcpus_of_a_type(daemon):
    assert int(daemon.virsh("maxvcpus", "qemu")) > 1
    assert "unknown type 'bogus'" in daemon.virsh("maxvcpus", "bogus", ok=False)
