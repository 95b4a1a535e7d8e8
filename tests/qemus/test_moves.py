# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that goes there and back, led by its client and by its vireod, with vCPUs plugged and released on both sides."""
import json
import os
import signal

import pytest

from several import OLD, emulator  # noqa: F401 (a fixture)
from conftest import HOLES, PATIENT, daemon, end_of, guest, wait_for  # noqa: F401 (fixtures)
from test_migrate import migrate, online_ids, other, state  # noqa: F401 (a fixture)
from test_postcopy import allowed, moving  # noqa: F401 (a fixture)

MOVES = int(os.environ.get("VIREO_MOVES", "3"))  # tests/nightly has more


def set_deadline(daemon, ms):  # noqa: F811
    """How long a removal is waited for, from the next one on."""
    with open(f"{daemon.root}/etc/vireod.conf", "w") as f:
        f.write("\n".join([*daemon.settings, f"unplug_timeout_ms = {ms}"]) + "\n")
    before = daemon.log_text().count("settings")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.log_text().count("settings") > before, 10, "settings that are read again")


def press(daemon, word):  # noqa: F811
    """The power button of a guest that listens to it, whose console began when it came, and its word for it."""
    before = daemon.said("vm1", word)
    daemon.virsh("shutdown", "vm1")
    wait_for(lambda: daemon.said("vm1", word) > before, 30, f"'{word}' on the console")


def leave_pending(daemon):  # noqa: F811
    """The removal of vCPU 2, which the guest has not heard of."""
    press(daemon, "DEAF")
    set_deadline(daemon, 1000)
    said = daemon.virsh("setvcpu", "vm1", "2", "--disable", "--live", ok=False)
    assert "timed out" in said or "in time" in said, said
    set_deadline(daemon, 20000)


def check_moved(here, there, ids):
    assert list(here.qemus()) == ["vm1"] and not there.qemus()
    assert state(here, "vm1") == "running (migrated)"
    assert online_ids(here, "vm1") == ids
    assert here.virsh("vcpupin", "vm1", "--vcpu", "3").splitlines()[2].split() == ["3", "0"]


def wait_all(daemon, n):  # noqa: F811
    """That many CPUs are online; what the guest has said, if they are not."""
    try:
        daemon.wait_online("vm1", f"0-{n - 1}")
    except AssertionError as error:
        with open(daemon.console("vm1"), errors="replace") as f:
            raise AssertionError(f"{error}; it said: {f.read()[-1500:]}")


@pytest.mark.parametrize("flags", [[], ["--p2p"]], ids=["direct", "p2p"])
def test_there_and_back(daemon, other, emulator, guest, flags):  # noqa: F811
    daemon.configure(*PATIENT)
    other.configure(*PATIENT)
    daemon.boot("vm1", maximum=6, current=1, cmdline=f"{HOLES} vireo.deaf", emulator=emulator)
    wait_for(lambda: daemon.said("vm1", "BUTTON"), 30, "a guest that listens to its power button")
    for vcpu in "3", "1", "2":
        daemon.virsh("setvcpu", "vm1", vcpu, "--enable")
    daemon.wait_online("vm1", "0-3")  # it counts them as they come
    daemon.virsh("vcpupin", "vm1", "3", "0", "--live")
    ids, here, there = ["0", "1", "2", "3"], daemon, other
    for move in range(MOVES):
        pending = move % 3 == 1 and not OLD  # 7.2 does not survive a move after a removal
        if pending:
            leave_pending(here)
        migrate(here, there, "vm1", *flags)
        here, there = there, here
        check_moved(here, there, ids)
        assert state(there, "vm1") == "shut off (migrated)" if there is daemon else "vm1" not in there.virsh("list", "--all")
        if pending:
            press(here, "AWAKE")
            wait_for(lambda: online_ids(here, "vm1") == [vcpu for vcpu in ids if vcpu != "2"], 30, "end of the removal")
            here.wait_online("vm1", f"0-2,{len(ids) - 1}" if len(ids) > 4 else "0-2")  # Linux has numbered it 3
            here.virsh("setvcpu", "vm1", "2", "--enable")
            wait_all(here, len(ids))
        elif "5" not in ids:
            here.virsh("setvcpu", "vm1", "5", "--enable")
            wait_all(here, 5)
            ids = ["0", "1", "2", "3", "5"]
        elif not OLD:
            here.virsh("setvcpu", "vm1", "5", "--disable")
            wait_all(here, 4)
            ids = ["0", "1", "2", "3"]


EJECTION = 3  # what the guest answers (ACPI 6.4, 6.3.5)


def answered(daemon, slot):  # noqa: F811
    """Whether the guest has answered the question for that CPU, and not with "in progress"."""
    said = daemon.virsh("qemu-monitor-command", "vm1", "query-acpi-ospm-status")
    row = [row for row in json.loads(said)["return"] if row["slot-type"] == "CPU" and row["slot"] == slot][0]
    return row["source"] == EJECTION and row["status"] not in (0, 0x84)


@pytest.mark.skipif(OLD, reason="SKIP: this QEMU does not survive a move after a removal")
@pytest.mark.parametrize("postcopy", [False, True], ids=["precopy", "postcopy"])
def test_a_refusal_on_its_way(daemon, other, emulator, guest, allowed, postcopy):  # noqa: F811
    """The guest refuses at the source what it was asked for before the migration: nobody waits at the destination."""
    daemon.boot("vm1", maximum=3, cmdline=f"{HOLES} vireo.deaf vireo.refuse", emulator=emulator)
    wait_for(lambda: daemon.said("vm1", "BUTTON"), 30, "a guest that listens to its power button")
    daemon.virsh("setvcpus", "vm1", "3", "--live")
    daemon.wait_online("vm1", "0-2")
    leave_pending(daemon)
    with moving(daemon, other) as process:
        before = daemon.said("vm1", "AWAKE")
        daemon.virsh("qemu-monitor-command", "vm1", "system_powerdown")
        wait_for(lambda: daemon.said("vm1", "AWAKE") > before, 60, "guest that hears again")
        wait_for(lambda: answered(daemon, "2"), 60, "refusal")
        assert process.poll() is None
        assert "pending" in daemon.vireo("ops", "list")
        daemon.virsh(*(["migrate-postcopy", "vm1"] if postcopy else ["migrate-setspeed", "vm1", "1000"]))
        code, said = end_of(process)
        assert code == 0, said
    assert "was rejected by the guest of domain 'vm1'" in daemon.vireo("ops", "list", "--all")
    assert state(other, "vm1") == "running (migrated)" and online_ids(other, "vm1") == ["0", "1", "2"]
    with open(f"{other.root}/run/domains/vm1.xml") as f:
        assert "pending=" not in f.read()
    # Asked again there, it answers again.
    assert "was rejected by the guest" in other.virsh("setvcpu", "vm1", "2", "--disable", "--live", ok=False)


def ops(daemon, *words):  # noqa: F811
    return [(row["operation"], row["state"], row.get("detail") or "")
            for row in json.loads(daemon.vireo("ops", "list", *words, "--json"))]


@pytest.mark.skipif(OLD, reason="SKIP: this QEMU does not survive a move after a removal")
def test_an_operation_goes_along(daemon, other, emulator, guest):  # noqa: F811
    """A removal of two vCPUs and its half in the definition, begun at one side and ended at the other."""
    daemon.boot("vm1", maximum=3, cmdline=f"{HOLES} vireo.deaf", emulator=emulator)
    wait_for(lambda: daemon.said("vm1", "BUTTON"), 30, "a guest that listens to its power button")
    daemon.virsh("setvcpus", "vm1", "3", "--live", "--config")
    daemon.wait_online("vm1", "0-2")
    press(daemon, "DEAF")
    set_deadline(daemon, 1000)
    daemon.virsh("setvcpus", "vm1", "1", "--live", "--config", ok=False)
    name = "setvcpus 1 --live --config"
    assert (name, "pending", "waiting for the guest") in ops(daemon)
    migrate(daemon, other, "vm1", "--persistent")
    assert [state for what, state, detail in ops(daemon, "--all") if what == name and "it goes on at '" in detail] == ["cancelled"]
    assert ops(other) == [(name, "pending", "waiting for the guest")] and os.listdir(f"{other.root}/run/operations")
    assert other.counts("vm1")[("current", "config")] == 3
    press(other, "AWAKE")
    other.wait_online("vm1", "0")
    wait_for(lambda: not ops(other), 30, "end of the operation")
    assert [what for what, state, _ in ops(other, "--all") if state == "done"] == [name]
    assert other.counts("vm1")[("current", "config")] == other.counts("vm1")[("current", "live")] == 1
