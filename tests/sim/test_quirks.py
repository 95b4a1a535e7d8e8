# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is refused or done otherwise because of a QEMU version without KVM (src/qemu/quirks.c). The simulator does not
crash, so what is sent to it is looked at; that real ones do, and no more, tests/qemus measures."""
import json
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import MODERN, agree, ask, define, online, sent, plug_by_hand, start  # noqa: E402
from conftest import daemon, wait_for  # noqa: E402,F401


def version(major, minor):
    return {**MODERN, "query-version": {"qemu": {"major": major, "minor": minor, "micro": 0}, "package": ""}}


OLD, NEW = version(7, 2), version(11, 1)
DOWN = ("setvcpus", "s1", "1", "--live")


def status(daemon):
    with open(f"{daemon.root}/run/domains/s1.xml") as f:
        return f.read()


def ended(daemon):
    wait_for(lambda: json.loads(daemon.vireo("ops", "list", "--json")) == [], 20, "end of all operations")


def plug(daemon, n, ok=True):
    return daemon.virsh("setvcpus", "s1", str(n), "--live", ok=ok)


def test_threads_are_counted(daemon):
    """4, 2, 4, 2, 4 makes eight threads of nine; the next two are refused, one is not; then it is full."""
    start(daemon, "s1", {"replies": NEW, "form": "tcg"}, kind="qemu", maximum=9)
    for n in (4, 2, 4, 2, 4, 2):
        plug(daemon, n)
    assert " threads='8'" in status(daemon)
    log = sent(daemon, "s1")
    error = plug(daemon, 4, ok=False)
    assert "8 of 9 vCPU threads were made in this run, 1 more can be" in error and "start it again" in error
    assert sent(daemon, "s1") == log
    plug(daemon, 3)
    daemon.stop(9)
    daemon.start()
    plug(daemon, 1)
    assert "0 more can be" in plug(daemon, 2, ok=False)
    daemon.virsh("destroy", "s1")
    daemon.virsh("start", "s1")
    plug(daemon, 9)


def test_what_is_refused_makes_none_and_what_is_rolled_back_does(daemon):
    start(daemon, "s1", {"replies": NEW, "form": "tcg", "add_error": 1}, kind="qemu", maximum=8)
    assert "no vCPU was added" in plug(daemon, 8, ok=False)
    assert " threads='1'" in status(daemon)
    ask(daemon, "s1", set={"add_error": 0})
    plug_by_hand(daemon, "s1", 3, "mine")
    assert "3 of 4 vCPU devices that were added are removed again" in plug(daemon, 5, ok=False)
    assert " threads='5'" in status(daemon)  # the first, three rolled back, and somebody else's


@pytest.mark.parametrize("step", ["sent", "answered", "confirmed"])
def test_a_crash_does_not_lose_the_count(daemon, step):
    start(daemon, "s1", {"replies": NEW, "form": "tcg"}, kind="qemu", maximum=8)
    assert daemon.crash_at(step, "setvcpus", "s1", "5", "--live")
    ended(daemon)
    agree(daemon, "s1")
    assert " threads='5'" in status(daemon)


def test_nothing_after_a_removal(daemon):
    start(daemon, "s1", {"replies": OLD, "form": "tcg"}, kind="qemu", maximum=16)
    plug(daemon, 3)
    plug(daemon, 1)
    assert "a reboot, also from inside the guest, ends it" in daemon.vireo("ops", "list", "--all")
    for command in ("setvcpus s1 2 --live", "reset s1", "reboot s1"):
        error = daemon.virsh(*command.split(), ok=False)
        assert "a vCPU was removed from it, and QEMU 7.2 without KVM crashes" in error and "start it again" in error


def test_nothing_after_a_lost_status_file(daemon):
    """What a QEMU did before its status file was lost is not known: it has done all that it could, and that is said."""
    start(daemon, "s1", {"replies": OLD, "form": "tcg"}, kind="qemu", maximum=16)
    start(daemon, "s2", {"replies": NEW, "form": "tcg"}, kind="qemu", maximum=16)
    daemon.stop(9)
    for name in ("s1", "s2"):
        os.unlink(f"{daemon.root}/run/domains/{name}.xml")
    daemon.start()
    for _ in range(2):
        wait_for(lambda: daemon.virsh("domstate", "s1").strip() == daemon.virsh("domstate", "s2").strip() == "running",
                 10, "domains that were found again")
        error = daemon.virsh("setvcpus", "s1", "2", "--live", ok=False)
        assert "its status file was lost, so a vCPU may have been removed" in error and "start it again" in error
        assert "so a vCPU may have been removed" in daemon.virsh("reset", "s1", ok=False)
        error = daemon.virsh("setvcpus", "s2", "2", "--live", ok=False)
        assert "its status file was lost, so all 16 vCPU threads may have been made" in error
        daemon.stop(9)
        daemon.start()


def test_a_shared_thread(daemon):
    start(daemon, "s1", {"replies": NEW, "shared_thread": True}, kind="qemu")
    plug(daemon, 4)
    log = sent(daemon, "s1")
    assert "all vCPUs share one thread" in plug(daemon, 1, ok=False)
    assert sent(daemon, "s1") == log


@pytest.mark.parametrize("replies, batches", [(OLD, 7), (NEW, 1)])
def test_one_by_one_from_the_top(daemon, replies, batches):
    """Where interrupts get lost each removal waits for the one before; elsewhere all are asked at once."""
    start(daemon, "s1", {"replies": replies, "form": "tcg", "event_delay_ms": [5, 15]}, kind="qemu")
    plug(daemon, 8)
    begin = len(ask(daemon, "s1", log=True)["log"])
    plug(daemon, 1)
    log = ask(daemon, "s1", log=True)["log"][begin:]
    assert [alias for name, alias in log if name == "device_del"] == [f"vcpu{i}" for i in range(7, 0, -1)]
    names = [name for name, _ in log if name in ("device_del", "query-cpus-fast")]
    assert sum(a == "device_del" and b != "device_del" for a, b in zip(names, names[1:])) == batches
    assert online(daemon, "s1") == [0]


def test_one_by_one_when_the_guest_is_late(daemon):
    """The call times out at the first; the rest follows when the guest answers, each after the one before."""
    daemon.configure("unplug_timeout_ms = 200")
    start(daemon, "s1", {"replies": OLD, "form": "tcg"}, kind="qemu")
    plug(daemon, 4)
    ask(daemon, "s1", set={"silent": 1})
    assert "timed out" in plug(daemon, 1, ok=False)
    assert sent(daemon, "s1")[-1] == ["device_del", "vcpu3"]
    ask(daemon, "s1", set={"silent": 0}, release=True)
    ended(daemon)
    assert [row for row in sent(daemon, "s1") if row[0] == "device_del"] == [["device_del", f"vcpu{i}"]
                                                                             for i in (3, 2, 1)]
    assert online(daemon, "s1") == ask(daemon, "s1")["online"] == [0]


def test_one_by_one_until_one_is_refused(daemon):
    start(daemon, "s1", {"replies": OLD, "form": "tcg", "refuse_aliases": ["vcpu2"], "refuse_codes": [0x81]}, kind="qemu")
    plug(daemon, 4)
    error = plug(daemon, 1, ok=False)
    assert "1 of 3 vCPU devices were removed" in error and "vCPU 2 was rejected" in error
    assert online(daemon, "s1") == [0, 1, 2]


def with_firmware(daemon, offered=True, negotiated=0, secure="yes", smm="<smm state='on'/>", kind="qemu", paused=False,
                  **behaviour):
    """A machine whose firmware has agreed to these SMIs."""
    for name in ("code", "vars"):
        with open(f"{daemon.root}/{name}.fd", "wb") as f:
            f.write(bytes(4096))
    smi = {"x-smi-cpu-hotplug": offered, "x-smi-negotiated-features": negotiated}
    define(daemon, "s1", {"replies": NEW, "form": "tcg", "smi": smi, **behaviour}, kind=kind, features=smm,
           os_xml=f"<loader readonly='yes' secure='{secure}' type='pflash'>{daemon.root}/code.fd</loader>"
                  f"<nvram>{daemon.root}/vars.fd</nvram>")
    daemon.virsh("start", "s1", *(["--paused"] if paused else []))


@pytest.mark.parametrize("options", [{"negotiated": 7}, {"negotiated": 3, "secure": "no", "smm": ""},
                                     {"negotiated": 0}])
def test_a_firmware_in_smm(daemon, options):
    """It hangs when a vCPU comes; it may do without those it has, and have any at its next start."""
    with_firmware(daemon, **options)
    for command in (("setvcpus", "s1", "2"), ("setvcpu", "s1", "3", "--enable")):
        error = daemon.virsh(*command, "--live", ok=False)
        assert "'s1': its firmware uses SMM, and QEMU 11.1 without KVM hangs the guest" in error, error
        assert "--config" in error and "type='kvm'" in error
    assert "its firmware uses SMM" in daemon.vireo("setvcpus", "s1", "2", "--live", "--plan", ok=False)
    assert sent(daemon, "s1") == [] and json.loads(daemon.vireo("ops", "list", "--all", "--json")) == []
    plug(daemon, 1)
    daemon.virsh("setvcpus", "s1", "4", "--config")


def test_a_firmware_in_smm_that_has_not_begun(daemon):
    """What is there before the machine's first instruction is counted by it; somebody who paused it later is not fooled."""
    with_firmware(daemon, paused=True)
    plug(daemon, 3)
    daemon.virsh("resume", "s1")
    daemon.virsh("suspend", "s1")
    assert "its firmware uses SMM" in plug(daemon, 4, ok=False)


@pytest.mark.parametrize("options", [{"negotiated": 1}, {"negotiated": 0, "secure": "no"}, {"offered": False},
                                     {"negotiated": 7, "kind": "kvm"}])
def test_a_firmware_that_takes_vcpus(daemon, options):
    """One that has not asked for SMIs, or has none to ask for; and KVM, which keeps an SMI for later."""
    with_firmware(daemon, **options)
    plug(daemon, 4)
    assert online(daemon, "s1") == [0, 1, 2, 3]


@pytest.mark.parametrize("smm, batches", [("<smm state='on'/>", 3), ("", 1)])
def test_a_firmware_in_smm_gives_back_one_by_one(daemon, smm, batches):
    """Also with KVM: a removal waits for the eject before it."""
    with_firmware(daemon, smm=smm, secure="no", kind="kvm", form="kvm", event_delay_ms=[5, 15])
    plug(daemon, 4)
    begin = len(ask(daemon, "s1", log=True)["log"])
    plug(daemon, 1)
    names = [name for name, _ in ask(daemon, "s1", log=True)["log"][begin:] if name in ("device_del", "query-cpus-fast")]
    assert sum(a == "device_del" and b != "device_del" for a, b in zip(names, names[1:])) == batches


def test_a_hole_is_warned_of(daemon):
    start(daemon, "s1", {"replies": OLD, "form": "tcg"}, kind="qemu")
    daemon.virsh("setvcpu", "s1", "5", "--enable", "--live")
    plug(daemon, 8)
    daemon.virsh("setvcpu", "s1", "3", "--disable", "--live")
    assert "may hang, as it has no vCPU 3 but some above it" in daemon.vireo("ops", "list", "--all")
    daemon.virsh("destroy", "s1")
    daemon.virsh("setvcpu", "s1", "6-7", "--enable", "--config")
    daemon.virsh("start", "s1")
    wait_for(lambda: "may hang, as it has no vCPU 1 but some above it" in daemon.log_text(), 5, "the warning")


def test_kvm_has_none_of_it(daemon):
    start(daemon, "s1", {"replies": OLD})
    for n in (8, 1, 8, 1, 8):
        plug(daemon, n)
    daemon.virsh("reset", "s1")
