# SPDX-License-Identifier: LGPL-2.1-or-later
"""The VM has what the other tests stand on."""
import os

from conftest import run


def test_systemd_is_up():
    with open("/proc/1/comm") as f:
        assert f.read() == "systemd\n"
    state = run("systemctl", "is-system-running", "--wait", ok=None).stdout.strip()
    assert state in ("running", "degraded"), state


def test_cgroup_v2():
    with open("/proc/mounts") as f:
        kinds = {line.split()[1]: line.split()[2] for line in f}
    assert kinds["/sys/fs/cgroup"] == "cgroup2"
    with open("/sys/fs/cgroup/cgroup.controllers") as f:
        assert {"cpu", "cpuset", "memory", "io", "pids"} <= set(f.read().split())


def test_two_cpus():
    """Of which the tests of pinning may use both."""
    assert os.sched_getaffinity(0) == {0, 1}


def test_auditd():
    status = dict(line.split()[:2] for line in run("auditctl", "-s").stdout.splitlines())
    assert status["enabled"] == "1" and int(status["pid"]) > 0, status


def test_ausearch():
    """auditd wrote down that systemd started a service: itself."""
    found = run("ausearch", "--input-logs", "-m", "SERVICE_START").stdout
    assert "unit=auditd" in found, found


def test_machined():
    assert "org.freedesktop.machine1" in run("busctl", "list", "--activatable").stdout
    assert "ListMachines" in run("busctl", "introspect", "org.freedesktop.machine1", "/org/freedesktop/machine1").stdout


def test_polkit():
    found = run("busctl", "introspect", "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority").stdout
    assert "CheckAuthorization" in found, found
