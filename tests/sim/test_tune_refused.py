# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pins, bandwidth, IO threads and memory nodes that cannot be: code and sentence, and nothing is changed."""
import os
import shutil
import sys

import libvirt
import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import define, start  # noqa: E402
import conftest  # noqa: E402
from conftest import daemon  # noqa: E402,F401
from test_refused import CONFIG, CONFIG_UNSUPPORTED, INVALID, INVALID_ARG, LIVE, domain, refused  # noqa: E402,F401

PREFERRED = "<numatune><memory mode='preferred' nodeset='0'/></numatune>"
TUNED = ("<iothreads>1</iothreads><cputune><quota>50000</quota><vcpupin vcpu='0' cpuset='0'/></cputune>" + PREFERRED)
PERIOD, QUOTA, SHARES = "[1000, 1000000]", "[1000, 17592186044415]", "[2, 262144]"
RANGES = [("cpu_shares", 1, SHARES), ("cpu_shares", 262145, SHARES)]
for what in "vcpu", "emulator", "global", "iothread":
    RANGES += [(f"{what}_period", 999, PERIOD), (f"{what}_period", 1000001, PERIOD),
               (f"{what}_quota", 999, QUOTA), (f"{what}_quota", 17592186044416, QUOTA)]


def sched(**values):
    return lambda d, flags: d.setSchedulerParametersFlags(values, flags)


def numa(**values):
    return lambda d, flags: d.setNumaParameters(values, flags)


def iothread(number, **values):
    return lambda d, flags: d.setIOThreadParams(number, values, flags)


REFUSED = [(sched(**{key: value}), INVALID_ARG, f"value of '{key}' is out of range {allowed}")
           for key, value, allowed in RANGES] + [
    (lambda d, f: d.pinVcpuFlags(0, (False,), f), INVALID_ARG, "Empty cpu list for pinning"),
    (lambda d, f: d.pinEmulator((False,), f), INVALID_ARG, "Empty cpu list for pinning"),
    (lambda d, f: d.pinIOThread(1, (False,), f), INVALID_ARG, "Empty cpu list for pinning"),
    (lambda d, f: d.pinIOThread(0, (True,), f), INVALID_ARG, "invalid value of 0 for iothread_id"),
    (lambda d, f: d.pinIOThread(7, (True,), f), INVALID_ARG, "7 not found"),
    (lambda d, f: d.addIOThread(0, f), INVALID_ARG, "invalid value of 0 for iothread_id"),
    (lambda d, f: d.addIOThread(16385, f), INVALID_ARG, "iothread_id '16385' is beyond the limit of 16384"),
    (lambda d, f: d.delIOThread(0, f), INVALID_ARG, "iothread_id in virDomainDelIOThread must not be zero"),
    (lambda d, f: d.delIOThread(7, f), INVALID_ARG, "cannot find IOThread '7' in iothreadids list"),
    (iothread(7, poll_max_ns=1), INVALID_ARG, "cannot find IOThread '7' in iothreadids"),
    (iothread(1, poll_max_ns=2 ** 63), CONFIG_UNSUPPORTED, "must be less than or equal to 2147483647"),
    (iothread(1, thread_pool_min=-2), CONFIG_UNSUPPORTED, "thread_pool_min is at least 0 and thread_pool_max at least 1"),
    (numa(numa_nodeset="0,^0"), INVALID_ARG, "the numa_nodeset is empty"),
    (numa(numa_nodeset="x"), INVALID_ARG, "Invalid nodeset of 'numatune': x"),
    (numa(numa_mode=99), INVALID_ARG, "unsupported numatune mode: '99'"),
]
CONFIG_ONLY = [  # a simulated QEMU has no IO threads
    (lambda d, f: d.pinVcpuFlags(8, (True,), f), INVALID_ARG, "vcpu 8 is out of range of persistent cpu count 8"),
    (lambda d, f: d.addIOThread(1, f), INVALID_ARG, "an IOThread is already using iothread_id '1'"),
    (iothread(1, thread_pool_min=3, thread_pool_max=2), INVALID,
     "thread_pool_min (3) is greater than thread_pool_max (2)"),
]
LIVE_ONLY = [
    (lambda d, f: d.pinVcpuFlags(8, (True,), f), INVALID_ARG, "vcpu 8 is out of range of live cpu count 8"),
    (numa(numa_mode=2), INVALID, "can't change numatune mode for running domain"),
    (numa(numa_nodeset="0"), INVALID, "change of nodeset for running domain requires restrictive numa mode"),
]


def fails(change, code, *words):
    with pytest.raises(libvirt.libvirtError) as caught:
        change()
    for word in words:
        assert word in str(caught.value)
    assert caught.value.get_error_code() == code, str(caught.value)


def define_tuned(daemon, tune):
    define(daemon, "s1", {}, extra_cpu=tune)


def test_running(daemon, domain):
    """All in one domain: each leaves QEMU, XML and threads as they were."""
    define_tuned(daemon, PREFERRED)
    daemon.virsh("start", "s1")
    for change, code, text in REFUSED + LIVE_ONLY:
        refused(daemon, domain, lambda d: change(d, LIVE), code, text)


def test_definition(daemon, domain):
    define_tuned(daemon, TUNED)
    before = domain().XMLDesc()
    for change, code, text in REFUSED + CONFIG_ONLY:
        fails(lambda: change(domain(), CONFIG), code, text)
    for change in (sched(vcpu_quota=5000), numa(numa_nodeset="0"), iothread(1, poll_max_ns=1),
                   lambda d, f: d.pinVcpuFlags(0, (True,), f), lambda d, f: d.pinEmulator((True,), f),
                   lambda d, f: d.pinIOThread(1, (True,), f), lambda d, f: d.addIOThread(2, f),
                   lambda d, f: d.delIOThread(1, f)):
        fails(lambda: change(domain(), LIVE), INVALID, "domain is not running")
    for read in (lambda: domain().vcpus(), lambda: domain().getCPUStats(True), lambda: domain().maxVcpus(),
                 lambda: domain().schedulerParametersFlags(LIVE), lambda: domain().vcpuPinInfo(LIVE),
                 lambda: domain().emulatorPinInfo(LIVE), lambda: domain().ioThreadInfo(LIVE)):
        with pytest.raises(libvirt.libvirtError) as caught:
            read()
        assert caught.value.get_error_code() == INVALID, caught.value
    assert domain().XMLDesc() == before


def test_an_iothread_that_a_disk_uses(daemon, domain):
    define_tuned(daemon, "<iothreads>1</iothreads>")
    with open(f"{daemon.root}/s1.xml") as f:
        xml = f.read()
    with open(f"{daemon.root}/s1.xml", "w") as f:
        f.write(xml.replace("</devices>", "<disk type='file'><driver name='qemu' type='raw' iothread='1'/><source "
                            "file='/d'/><target dev='vda' bus='virtio'/></disk></devices>"))
    daemon.virsh("undefine", "s1")
    daemon.virsh("define", f"{daemon.root}/s1.xml")
    fails(lambda: domain().delIOThread(1, CONFIG), INVALID_ARG,
          "cannot remove IOThread '1' since it is being used by disk 'vda'")


def test_no_threads_to_pin(daemon, domain):
    """A QEMU with one thread for all its vCPUs."""
    start(daemon, "s1", {"shared_thread": True})
    refused(daemon, domain, lambda d: d.pinVcpu(0, (True,)), INVALID, "cpu affinity is not supported")


@pytest.fixture
def no_resctrl(daemon):
    daemon.configure("resctrl = /nonexistent")


@pytest.mark.parametrize("tune, words", [
    ("<cputune><vcpupin vcpu='0' cpuset='5000'/></cputune>", ("domain 's1'", "the vcpupin of vCPU 0", "'5000'")),
    ("<cputune><cachetune vcpus='0'><cache id='0' level='3' type='both' size='1' unit='MiB'/></cachetune></cputune>",
     ("domain 's1'", "there is no resctrl file system at '/nonexistent'")),
    ("<cputune><memorytune vcpus='0'><node id='0' bandwidth='50'/></memorytune></cputune>",
     ("domain 's1'", "there is no resctrl file system at '/nonexistent'")),
])
def test_what_the_host_has_not(daemon, no_resctrl, domain, tune, words):
    """A domain that asks for it does not start."""
    define_tuned(daemon, tune)
    fails(domain().create, CONFIG_UNSUPPORTED, *words)
    assert not domain().isActive() and not daemon.qemus()


@pytest.fixture
def no_cgroups(daemon, monkeypatch):
    """A vireod in a mount namespace without cgroups."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("SKIP: a mount namespace needs root and unshare")
    path = f"{daemon.root}/vireod-without-cgroups"
    with open(path, "w") as f:
        f.write(f"#!/bin/sh\nexec unshare -m sh -c 'umount -R -l /sys/fs/cgroup; exec \"$@\"' sh "
                f"{os.path.abspath(conftest.VIREOD)} \"$@\"\n")
    os.chmod(path, 0o755)
    monkeypatch.setattr(daemon, "command", [path])
    daemon.stop()
    daemon.start()


def test_no_cgroup_controller(daemon, no_cgroups, domain):
    """What needs one is refused with its name; a pin does not need one."""
    start(daemon, "s1", extra_cpu="<numatune><memory mode='strict' nodeset='0'/></numatune>")
    for change, controller in ((sched(vcpu_quota=50000), "CPU"), (sched(cpu_shares=100), "CPU"),
                               (numa(numa_nodeset="0"), "cpuset"), (lambda d, f: d.getCPUStats(True), "CPUACCT")):
        refused(daemon, domain, lambda d: change(d, LIVE), INVALID,
                f"cgroup {controller} controller is not mounted for domain 's1':")
    domain().pinVcpu(0, (True,))


def test_tuning_without_cgroups(daemon, no_cgroups, domain):
    define_tuned(daemon, "<cputune><quota>50000</quota></cputune>")
    with pytest.raises(libvirt.libvirtError) as caught:
        domain().create()
    assert caught.value.get_error_code() == 67
    assert "domain 's1'" in str(caught.value) and "none of the cgroup controllers cpu" in str(caught.value)
    assert not domain().isActive() and not daemon.qemus()
