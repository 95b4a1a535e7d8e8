# SPDX-License-Identifier: LGPL-2.1-or-later
"""What vireod knew of a running guest is lost or damaged while it is away: the guest stays, and is not started twice."""
import json
import os
import re
import signal

import pytest

from conftest import VIREO, daemon, wait_for  # noqa: F401 (fixtures)


def status(daemon, name):
    return f"{daemon.root}/run/domains/{name}.xml"


def remove(path):
    os.unlink(path)


def empty(path):
    os.truncate(path, 0)


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def garbage(path):
    with open(path, "wb") as f:
        f.write(b"\0\xff<domstatus" * 100)


def other_pid(path):
    """The pid of a process that is no QEMU: the test's own."""
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(re.sub(r"(pid=['\"])\d+", rf"\g<1>{os.getpid()}", text, count=1))


def unreadable(path):
    os.unlink(path)
    os.mkdir(path)


DAMAGES = [remove, empty, cut, garbage, other_pid, unreadable]


@pytest.mark.parametrize("damage", DAMAGES)
def test_guest_stays_and_is_not_started_twice(daemon, damage):
    daemon.paused("g")
    pid = daemon.qemus()["g"]
    daemon.stop(signal.SIGKILL)
    damage(status(daemon, "g"))
    daemon.start()
    assert daemon.qemus() == {"g": pid}
    said = daemon.virsh("start", "g", ok=False)
    assert "'g'" in said or "already" in said, said
    os.kill(pid, 0)
    assert daemon.qemus() == {"g": pid}


@pytest.mark.parametrize("damage", DAMAGES[:-1])
def test_guest_is_taken_over_again(daemon, damage):
    """Its monitor answers and says whose it is. (What stands where the status file should be is nobody's to remove.)"""
    daemon.paused("g", maximum=4)
    pid = daemon.qemus()["g"]
    daemon.stop(signal.SIGKILL)
    damage(status(daemon, "g"))
    daemon.start()
    wait_for(lambda: daemon.virsh("domstate", "g").strip() == "paused", 20, "domain that is known to run")
    daemon.virsh("vcpupin", "g", "0", "0", "--live")
    if damage == other_pid:  # the rest of the file is as good as it was
        daemon.virsh("setvcpus", "g", "2", "--live")
    else:  # nobody knows what this QEMU without KVM has done: what it may not survive is not asked of it
        assert "its status file was lost" in daemon.virsh("setvcpus", "g", "2", "--live", ok=False)
    daemon.virsh("destroy", "g")
    wait_for(lambda: pid not in daemon.qemus().values(), 10, "end of QEMU")


def test_doctor_names_it(daemon):
    """A QEMU whose status and definition are gone is left alone, and named with what it is."""
    daemon.paused("g")
    pid = daemon.qemus()["g"]
    daemon.stop(signal.SIGKILL)
    os.unlink(status(daemon, "g"))
    os.unlink(f"{daemon.root}/etc/domains/g.xml")
    daemon.start()

    def strays():
        return [finding["text"] for finding in json.loads(daemon.run(VIREO, "doctor", "--json", ok=None).stdout)
                if finding["topic"] == "strays"]
    stray, = wait_for(strays, 20, "stray that doctor names")
    assert f"process {pid}" in stray and "no domain with its uuid is defined" in stray
    assert daemon.qemus() == {"g": pid}
    os.kill(pid, signal.SIGKILL)
