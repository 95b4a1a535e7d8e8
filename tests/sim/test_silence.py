# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU that does not answer a plug for longer than it is waited for, and carries it out after that."""
import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import agree, ask, online, start  # noqa: E402
from conftest import client, daemon, end_of, wait_for  # noqa: E402,F401


def groups_of(pid, tids):
    """What vireod calls the groups of these threads."""
    found = set()
    for tid in tids:
        with open(f"/proc/{pid}/task/{tid}/cgroup") as f:
            found |= set(re.findall(r"/(vcpu\d+|emulator)$", f.read(), re.M))
    return found


def test_a_plug_that_qemu_makes_late(daemon):
    """What it made is found, told of and held to their limits all the same, and can be changed again."""
    start(daemon, "s1")
    daemon.virsh("vcpupin", "s1", "1", "0", "--live")
    pid = ask(daemon, "s1")["pid"]
    os.kill(pid, signal.SIGSTOP)
    plug = client(daemon, "setvcpus", "s1", "3", "--live")
    try:
        code, said = end_of(plug, 100)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert code != 0 and "no answer to device_add" in said
    # It reads the first command, and finds the connection closed when it answers.
    wait_for(lambda: ask(daemon, "s1")["online"] == [0, 1], 10, "the plug")
    agree(daemon, "s1", 30)
    tids = ask(daemon, "s1")["tids"]
    wait_for(lambda: groups_of(pid, tids.values()) == {"vcpu0", "vcpu1"}, 10, "its thread in its group")
    assert os.sched_getaffinity(tids["1"]) == {0}
    states = [row["state"] for row in json.loads(daemon.vireo("ops", "list", "--all", "--json"))]
    assert states == ["failed"]
    daemon.virsh("setvcpus", "s1", "4", "--live")
    daemon.virsh("setvcpus", "s1", "1", "--live")
    assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0]
