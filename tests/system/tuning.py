# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel says of a QEMU's threads: the truth the tuning tests compare with."""
import glob
import os
import re


def read(path):
    with open(path) as f:
        return f.read().strip()


def cpus(text):
    """{0, 1, 3} of '0-1,3'."""
    found = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def host_cpus():
    return cpus(read("/sys/devices/system/cpu/online"))


def mounts():
    """{controller: (version, mount point)}"""
    found = {}
    for line in read("/proc/self/mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        where = fields.split()[4]
        if kind == "cgroup":
            for name in options.split(","):
                found[name] = (1, where)
        elif kind == "cgroup2":
            try:
                for name in read(f"{where}/cgroup.controllers").split() + ["cpuacct"]:
                    found.setdefault(name, (2, where))
            except OSError:
                pass
    return found


class Thread:
    """A thread of a process, read when asked."""

    def __init__(self, pid, tid):
        self.pid = pid
        self.tid = tid

    def cgroup(self, controller):
        """Its group's path below the mount point."""
        version, _ = mounts()[controller]
        for line in read(f"/proc/{self.pid}/task/{self.tid}/cgroup").splitlines():
            number, names, path = line.split(":", 2)
            if controller in names.split(",") if version == 1 else number == "0":
                return path
        raise AssertionError(f"no cgroup of {controller}")

    def value(self, controller, name):
        """A file of its group."""
        return read(mounts()[controller][1] + self.cgroup(controller) + "/" + name)

    def bandwidth(self):
        """(quota, period), quota -1 for none."""
        if mounts()["cpu"][0] == 1:
            return int(self.value("cpu", "cpu.cfs_quota_us")), int(self.value("cpu", "cpu.cfs_period_us"))
        quota, period = self.value("cpu", "cpu.max").split()
        return -1 if quota == "max" else int(quota), int(period)

    def affinity(self):
        return os.sched_getaffinity(self.tid)

    def policy(self):
        names = {os.SCHED_OTHER: "other", os.SCHED_BATCH: "batch", os.SCHED_IDLE: "idle", os.SCHED_FIFO: "fifo",
                 os.SCHED_RR: "rr"}
        return names[os.sched_getscheduler(self.tid)], os.sched_getparam(self.tid).sched_priority

    def name(self):
        return read(f"/proc/{self.pid}/task/{self.tid}/comm")


def threads(pid):
    """{'vcpu0': Thread, 'iothread1': Thread, 'emulator': [Thread, ...]} by what QEMU called them."""
    found = {"emulator": []}
    for tid in os.listdir(f"/proc/{pid}/task"):
        thread = Thread(pid, int(tid))
        try:
            name = thread.name()
        except OSError:
            continue
        vcpu = re.match(r"CPU (\d+)/", name)
        iothread = re.match(r"IO iothread(\d+)", name)
        if vcpu:
            found[f"vcpu{vcpu.group(1)}"] = thread
        elif iothread:
            found[f"iothread{iothread.group(1)}"] = thread
        else:
            found["emulator"].append(thread)
    return found


def groups(daemon):
    """Every cgroup of a daemon's machines, and their partition: {'/vireo-tmp-x/vireo-1-t/vcpu0', ...}. Slices that
    systemd made in between stay."""
    found = set()
    for _, where in set(mounts().values()):
        for path in glob.glob(f"{where}{daemon.partition}/**/", recursive=True):
            found.add(path[len(where):].rstrip("/"))
    return {path for path in found if path == daemon.partition or not path.endswith(".slice")}
