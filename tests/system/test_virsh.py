# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job through stock virsh, with the guest's console as the witness."""
import re
import time

from conftest import HOLES, PATIENT, wait_for


def test_main_job(daemon, guest):
    """define, start, 1 -> 4 -> 2 live, counts, vcpuinfo, dumpxml, destroy, undefine."""
    daemon.configure(*PATIENT)
    daemon.boot("w1")
    assert daemon.counts("w1") == {("maximum", "config"): 4, ("maximum", "live"): 4,
                                   ("current", "config"): 1, ("current", "live"): 1}
    daemon.virsh("setvcpus", "w1", "4", "--live")
    daemon.wait_online("w1", "0-3")
    assert daemon.counts("w1")[("current", "live")] == 4
    assert len(re.findall(r"^VCPU:", daemon.virsh("vcpuinfo", "w1"), re.M)) == 4

    daemon.virsh("setvcpus", "w1", "2", "--live")
    daemon.wait_online("w1", "0-1")
    assert daemon.counts("w1") == {("maximum", "config"): 4, ("maximum", "live"): 4,
                                   ("current", "config"): 1, ("current", "live"): 2}
    info = daemon.virsh("vcpuinfo", "w1")
    assert re.findall(r"^VCPU: +(\d+)", info, re.M) == ["0", "1"]
    assert info.count("State:          running") == 2

    xml = daemon.virsh("dumpxml", "w1")
    assert "<vcpu placement='static' current='2'>4</vcpu>" in xml
    assert "<vcpu id='1' enabled='yes' hotpluggable='yes' order='2'/>" in xml
    assert "<vcpu id='3' enabled='no' hotpluggable='yes'/>" in xml
    assert "current='1'" in daemon.virsh("dumpxml", "w1", "--inactive")

    daemon.virsh("destroy", "w1")
    assert "shut off (destroyed)" in daemon.virsh("domstate", "w1", "--reason")
    assert not daemon.qemus()
    daemon.virsh("undefine", "w1")
    assert "w1" not in daemon.virsh("list", "--all")


def test_one_vcpu_and_back(daemon, guest):
    """setvcpu picks the vCPU: ids may have a gap, and the console says which CPU came."""
    daemon.boot("w1", cmdline=HOLES)
    daemon.virsh("setvcpu", "w1", "--enable", "2", "--live")
    daemon.wait_online("w1", "0-1")  # the guest numbers by arrival
    assert re.findall(r"^VCPU: +(\d+)", daemon.virsh("vcpuinfo", "w1"), re.M) == ["0", "2"]
    error = daemon.virsh("setvcpu", "w1", "--enable", "2", "--live", ok=False)
    assert "vcpu '2' is already in requested state" in error
    daemon.virsh("setvcpu", "w1", "--disable", "2", "--live")
    daemon.wait_online("w1", "0")
    error = daemon.virsh("setvcpu", "w1", "--disable", "0", "--live", ok=False)
    assert "vcpu '0' can't be unplugged" in error


def test_suspend_resume_shutdown(daemon, guest):
    """Life: states and reasons, and a shutdown by the power button that the guest answers."""
    daemon.boot("w1")
    daemon.virsh("suspend", "w1")
    assert "paused (user)" in daemon.virsh("domstate", "w1", "--reason")
    for mode in ("acpi", "agent", "acpi,agent"):
        assert "domain is not running" in daemon.virsh("shutdown", "w1", "--mode", mode, ok=False)
    daemon.virsh("resume", "w1")
    assert "running (unpaused)" in daemon.virsh("domstate", "w1", "--reason")
    for command in "shutdown", "reboot":
        assert "guest agent is not configured" in daemon.virsh(command, "w1", "--mode", "agent", ok=False)
    time.sleep(0.5)  # the guest's button listener starts after its first line
    daemon.virsh("shutdown", "w1")
    wait_for(lambda: "shut off (shutdown)" in daemon.virsh("domstate", "w1", "--reason"), 30,
             "shut off after shutdown")
    with open(daemon.console("w1"), errors="replace") as f:
        assert "POWEROFF" in f.read()


def test_reboot_keeps_vcpus(daemon, guest):
    """A reboot by the power button resets the same QEMU: the vCPUs stay."""
    daemon.boot("w1")
    daemon.virsh("setvcpus", "w1", "3", "--live")
    daemon.wait_online("w1", "0-2")
    pid = daemon.qemus()["w1"]
    time.sleep(0.5)
    daemon.virsh("reboot", "w1")

    def booted_again():
        with open(daemon.console("w1"), errors="replace") as f:
            after = f.read().partition("POWEROFF")[2]
        return "ONLINE 0-2" in after

    wait_for(booted_again, 60, "second boot with three CPUs")
    assert daemon.qemus()["w1"] == pid
    assert daemon.counts("w1")[("current", "live")] == 3


def test_config_counts(daemon):
    """--config and --maximum change the persistent definition only."""
    daemon.define("c1", boot=False)
    daemon.virsh("setvcpus", "c1", "3", "--config")
    daemon.virsh("setvcpus", "c1", "6", "--maximum", "--config")
    assert daemon.counts("c1") == {("maximum", "config"): 6, ("current", "config"): 3}
    error = daemon.virsh("setvcpus", "c1", "7", "--config", ok=False)
    assert "requested vcpus is greater than max allowable vcpus for the persistent domain: 7 > 6" in error
    error = daemon.virsh("setvcpus", "c1", "2", "--live", ok=False)
    assert "domain is not running" in error


def test_what_is_so_already(daemon):
    """In the definition, enabling what is enabled is no error and changes nothing; live it is one."""
    daemon.define("s1", boot=False, maximum=4, current=2)
    daemon.virsh("setvcpu", "s1", "3", "--enable", "--config")
    before = daemon.virsh("dumpxml", "s1", "--inactive")
    daemon.virsh("setvcpu", "s1", "3", "--enable", "--config")
    daemon.virsh("setvcpu", "s1", "1,3", "--enable", "--config")
    daemon.virsh("setvcpu", "s1", "2", "--disable", "--config")
    assert daemon.virsh("dumpxml", "s1", "--inactive") == before
    daemon.virsh("start", "s1", "--paused")
    assert "already in requested state" in daemon.virsh("setvcpu", "s1", "3", "--enable", "--live", ok=False)
    assert "already in requested state" in daemon.virsh("setvcpu", "s1", "2", "--disable", "--live", ok=False)


def test_a_vcpu_that_is_not_there(daemon):
    """The answer names one that was asked for, in the definition as live, and nothing is changed."""
    daemon.define("s1", boot=False, maximum=4, current=2)
    daemon.virsh("start", "s1", "--paused")
    before = daemon.virsh("dumpxml", "s1", "--inactive")
    for asked, named in (("4", 4), ("17", 17), ("16-17", 17), ("3,200", 200)):
        for flag, where in (("--live", "live"), ("--config", "persistent")):
            error = daemon.virsh("setvcpu", "s1", asked, "--enable", flag, ok=False)
            assert f"vcpu {named} is not present in {where} config" in error
    assert daemon.virsh("dumpxml", "s1", "--inactive") == before
    assert daemon.counts("s1")["current", "live"] == 2


def test_boot_with_hotpluggable(daemon, guest):
    """vCPUs that are enabled and hotpluggable at boot are there when the guest starts, and can go."""
    daemon.define("b1")
    daemon.virsh("setvcpus", "b1", "3", "--config", "--hotpluggable")
    daemon.virsh("start", "b1")
    daemon.wait_online("b1", "0-2")
    daemon.virsh("setvcpus", "b1", "1", "--live")
    daemon.wait_online("b1", "0")


def test_monitor_command(daemon):
    daemon.paused("m1")
    assert '"status":"prelaunch"' in daemon.virsh("qemu-monitor-command", "m1", "query-status").replace(" ", "") or \
        '"status":"paused"' in daemon.virsh("qemu-monitor-command", "m1", "query-status").replace(" ", "")
    assert "thread_id" in daemon.virsh("qemu-monitor-command", "m1", "--hmp", "info cpus")
    assert "CommandNotFound" in daemon.virsh("qemu-monitor-command", "m1", '{"execute":"nope"}')


def test_replug_under_tcg_is_refused(daemon, guest):
    """QEMU 7.2 without KVM aborts when a vCPU is plugged after a removal: refused, the guest lives."""
    daemon.boot("r1")
    version = daemon.virsh("version")
    daemon.virsh("setvcpus", "r1", "2", "--live")
    daemon.wait_online("r1", "0-1")
    daemon.virsh("setvcpus", "r1", "1", "--live")
    daemon.wait_online("r1", "0")
    if not re.search(r"hypervisor: QEMU ([1-6]\.|7\.[012]\.)", version):
        return
    error = daemon.virsh("setvcpus", "r1", "2", "--live", ok=False)
    assert "shut the domain down and start it again" in error
    daemon.stop()
    daemon.start()  # the mark is kept in the status file
    assert "shut the domain down" in daemon.virsh("setvcpus", "r1", "2", "--live", ok=False)
    assert "running" in daemon.virsh("domstate", "r1")


def test_readonly(daemon):
    """The read-only flag: looking is allowed, changing is refused by name."""
    daemon.define("o1", boot=False)
    assert "o1" in daemon.run("virsh", "-r", "list", "--all").stdout
    result = daemon.run("virsh", "-r", "start", "o1", ok=False)
    assert "read only access prevents virDomainCreate" in result.stderr or "forbidden" in result.stderr


def test_unsupported_calls_answer(daemon):
    """What is not there yet says so, and the connection goes on."""
    daemon.define("u1", boot=False)
    error = daemon.virsh("checkpoint-create-as", "u1", "c1", ok=False)
    assert "unknown procedure" in error or "not supported" in error
    assert "u1" in daemon.virsh("list", "--all")
    daemon.virsh("net-list")
    daemon.virsh("pool-list")
