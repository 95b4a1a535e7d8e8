# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireo's tuning commands: virsh's output and errors, and the kernel's word for what they did."""
import json
import os
import re
import subprocess

import pytest

from conftest import VIREO, wait_for
from tuning import host_cpus, mounts, threads

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: cgroups need root"),
    pytest.mark.skipif(len(host_cpus()) < 2, reason="SKIP: pins need two host CPUs"),
    pytest.mark.skipif(not {"cpu", "cpuset"} <= set(mounts()), reason="SKIP: no cgroup controllers cpu and cpuset"),
]

TUNE = """<iothreads>2</iothreads><cputune><shares>2048</shares><period>100000</period><quota>60000</quota>
<vcpupin vcpu='0' cpuset='0'/><emulatorpin cpuset='1'/><iothreadpin iothread='2' cpuset='1'/></cputune>
<numatune><memory mode='strict' nodeset='0'/></numatune>"""
BEYOND = max(host_cpus()) + 1


def tuned(daemon, name="t"):
    daemon.paused(name, maximum=3, current=2, tune=TUNE)


def live(daemon, name="t"):
    return threads(daemon.qemus()[name])


def get_json(daemon, *command):
    return json.loads(daemon.vireo(*command, "--json"))


# What goes on counting from one call to the next: QEMU answers the calls themselves.
COUNTERS = re.compile(r"(cpu\.(?:time|user|system)=|\.(?:time|wait|delay)=|balloon\.rss=|"
                      r"(?:cpu|user|system|vcpu)_time +)[0-9.]+")


def both(daemon, *command):
    """What virsh and vireo make of it: status, stdout, stderr; counters are masked."""
    return [(status, COUNTERS.sub(r"\1N", said), errors) for status, said, errors in daemon.both(*command)]


SHOW = [
    ["vcpupin", "t"], ["vcpupin", "t", "1"], ["vcpupin", "t", "--vcpu", "0", "--config"], ["vcpupin", "n"],
    ["emulatorpin", "t"], ["emulatorpin", "n"], ["iothreadinfo", "t"], ["iothreadinfo", "t", "--config"],
    ["iothreadinfo", "n"], ["schedinfo", "t"], ["schedinfo", "t", "--config"], ["schedinfo", "t", "--current"],
    ["schedinfo", "n"], ["numatune", "t"], ["numatune", "n"], ["cpu-stats", "t"], ["cpu-stats", "t", "--total"],
    ["cpu-stats", "t", "--start", "1"], ["cpu-stats", "t", "--count", "1"], ["cpu-stats", "t", "--count", "50000"],
    ["domstats"], ["domstats", "t", "--iothread", "--memory", "--vcpu"], ["domstats", "--list-inactive"],
]


def test_shows_what_virsh_shows(daemon):
    """Paused, so that no time passes between the two; without headers too."""
    tuned(daemon)
    daemon.define("n", boot=False)
    for command in SHOW:
        virsh, vireo = both(daemon, *command)
        assert virsh == vireo and virsh[0] == 0 and virsh[1].strip(), command
    for command in SHOW[:14]:
        virsh, vireo = both(daemon, "-q", *command)
        assert virsh[:2] == vireo[:2], command


ERRORS = [
    ["vcpupin", "t", "9"], ["vcpupin", "t", "9", "0"], ["vcpupin", "t", "0", BEYOND], ["vcpupin", "t", "x"],
    ["vcpupin", "t", "--cpulist", "0"], ["vcpupin", "n", "0", "0"], ["vcpupin", "n", "--live"],
    ["vcpupin", "t", "--live", "--config"], ["emulatorpin", "t", f"0-{BEYOND}"], ["emulatorpin", "n", "--live"],
    ["iothreadpin", "t", "9", "0"], ["iothreadpin", "t", "1"], ["iothreadadd", "t", "1"], ["iothreadadd", "t", "0"],
    ["iothreadadd", "t"], ["iothreaddel", "t", "9"], ["iothreaddel", "t", "x"], ["iothreadset", "t", "1"],
    ["iothreadset", "t", "1", "--poll-grow", "-1"], ["iothreadset", "t", "9", "--poll-grow", "1"],
    ["schedinfo", "t", "nope=1"], ["schedinfo", "t", "--set", "cpu_shares"], ["schedinfo", "t", "cpu_shares=x"],
    ["schedinfo", "t", "cpu_shares=-5"], ["schedinfo", "t", "vcpu_period=1"], ["schedinfo", "t", "vcpu_quota=1.5"],
    ["schedinfo", "t", "--live", "--config"], ["schedinfo", "n", "--live"], ["numatune", "t", "--nodeset", "x"],
    ["numatune", "t", "--mode", "interleave", "--live"], ["numatune", "n", "--live"], ["cpu-stats", "n"],
    ["cpu-stats", "t", "--start", "50000"], ["cpu-stats", "t", "--start", "-1"], ["domstats", "nope"],
]


def test_fails_as_virsh_fails(daemon):
    tuned(daemon)
    daemon.define("n", boot=False)
    for command in ERRORS:
        virsh, vireo = both(daemon, *command)
        assert virsh[0] == vireo[0] == 1 and virsh[2].strip() == vireo[2].strip(), (command, virsh, vireo)


@pytest.mark.parametrize("cpulist", ["", "^0", "x", "0,,1", "1-0", "0-1,^0-1", "99999"])
def test_a_bad_cpulist(daemon, cpulist):
    """virsh's sentence, and what to write instead; the pin stays."""
    tuned(daemon)
    virsh = daemon.virsh("vcpupin", "t", "0", cpulist, ok=False).splitlines()[0]
    vireo = daemon.vireo("vcpupin", "t", "0", cpulist, ok=False).splitlines()
    assert virsh == vireo[0] and len(vireo) > 1
    assert live(daemon)["vcpu0"].affinity() == {0}


def test_pins(daemon):
    """Lists are read from left to right; without an option the running domain only; both; the definition only."""
    tuned(daemon)
    everything = host_cpus()
    for cpulist, wanted in (("0-1,^0", {1}), ("^0,0", {0}), ("r", everything), ("1", {1})):
        daemon.vireo("vcpupin", "t", "0", cpulist)
        assert live(daemon)["vcpu0"].affinity() == wanted, cpulist
    assert "<vcpupin vcpu='0' cpuset='0'/>" in daemon.virsh("dumpxml", "t", "--inactive")
    daemon.vireo("vcpupin", "t", "1", "1", "--live", "--config")
    daemon.vireo("vcpupin", "t", "2", "0", "--config")
    stored = daemon.virsh("dumpxml", "t", "--inactive")
    assert live(daemon)["vcpu1"].affinity() == {1}
    assert "<vcpupin vcpu='1' cpuset='1'/>" in stored and "<vcpupin vcpu='2' cpuset='0'/>" in stored
    daemon.vireo("emulatorpin", "t", "0")
    assert live(daemon)["emulator"][0].affinity() == {0}
    daemon.vireo("iothreadpin", "t", "1", "0", "--live")
    assert live(daemon)["iothread1"].affinity() == {0}


def test_schedinfo(daemon):
    """Set in all the ways that virsh knows; shown after it; the kernel has it, or nothing when a word is wrong."""
    tuned(daemon)
    daemon.vireo("schedinfo", "t", "--set", "vcpu_quota=40000", "vcpu_period=50000")
    assert live(daemon)["vcpu1"].bandwidth() == (40000, 50000)
    out = daemon.vireo("schedinfo", "t", "--set", "vcpu_quota=-1", "--set", "cpu_shares=512")
    assert "vcpu_quota     : -1\n" in out and "cpu_shares     : 512\n" in out
    assert live(daemon)["vcpu1"].bandwidth()[0] == -1
    daemon.vireo("schedinfo", "t", "vcpu_quota=30000", "emulator_quota=20000", "--live", "--config")
    assert live(daemon)["vcpu1"].bandwidth()[0] == 30000 and live(daemon)["emulator"][0].bandwidth()[0] == 20000
    assert "<quota>30000</quota>" in daemon.virsh("dumpxml", "t", "--inactive")
    daemon.vireo("schedinfo", "t", "vcpu_quota=99000", "nope=1", ok=False)
    assert "twice" in daemon.vireo("schedinfo", "t", "vcpu_quota=99000", "vcpu_quota=98000", ok=False)
    assert live(daemon)["vcpu1"].bandwidth()[0] == 30000


def test_iothreads(daemon):
    tuned(daemon)
    daemon.vireo("iothreadadd", "t", "5", "--live", "--config")
    assert "iothread5" in live(daemon)
    daemon.vireo("iothreadset", "t", "5", "--poll-max-ns", "4096", "--poll-grow", "2", "--poll-shrink", "3",
                 "--thread-pool-min", "1", "--thread-pool-max", "4")
    out = daemon.vireo("domstats", "t", "--iothread")
    for line in "iothread.5.poll-max-ns=4096", "iothread.5.poll-grow=2", "iothread.5.poll-shrink=3":
        assert f"  {line}\n" in out
    assert re.search(r"<poll max='4096' grow='2' shrink='3'/>", daemon.virsh("dumpxml", "t"))
    assert "thread_pool_min='1'" in daemon.virsh("dumpxml", "t")
    daemon.vireo("iothreaddel", "t", "5", "--live", "--config")
    assert "iothread5" not in live(daemon)
    assert [row["iothread"] for row in get_json(daemon, "iothreadinfo", "t")] == [1, 2]


def test_numatune(daemon):
    tuned(daemon)
    daemon.vireo("numatune", "t", "--mode", "interleave", "--nodeset", "0", "--config")
    assert "<memory mode='interleave' nodeset='0'/>" in daemon.virsh("dumpxml", "t", "--inactive")
    daemon.vireo("numatune", "t", "--mode", "1", "--nodeset", "0", "--config")
    assert daemon.vireo("numatune", "t", "--config") == daemon.virsh("numatune", "t", "--config")
    error = daemon.vireo("numatune", "t", "--mode", "bogus", ok=False)
    assert error.startswith("error: Invalid mode: bogus\n") and "strict" in error


def test_json(daemon):
    tuned(daemon)
    assert get_json(daemon, "vcpupin", "t", "0") == [{"vcpu": 0, "affinity": [0]}]
    assert get_json(daemon, "emulatorpin", "t") == {"affinity": [1]}
    assert get_json(daemon, "iothreadinfo", "t")[1] == {"iothread": 2, "affinity": [1]}
    sched = get_json(daemon, "schedinfo", "t", "emulator_quota=20000")
    assert sched["scheduler"] == "posix" and sched["vcpu_quota"] == 60000 and sched["emulator_quota"] == 20000
    assert get_json(daemon, "numatune", "t") == {"numa_mode": "strict", "numa_nodeset": "0"}
    stats = get_json(daemon, "cpu-stats", "t")
    assert {row["cpu"] for row in stats["cpus"]} >= host_cpus() and stats["total"]["cpu_time_ns"] > 0
    assert "cpus" not in get_json(daemon, "cpu-stats", "t", "--total")
    assert get_json(daemon, "domstats", "--iothread")[0]["stats"]["iothread.count"] == 2


def test_what_was_asked_for(daemon):
    """vcpuinfo is virsh's until somebody else changes an affinity; then it has both, and reconcile mends it."""
    tuned(daemon)
    assert daemon.vireo("vcpuinfo", "t") == daemon.virsh("vcpuinfo", "t")
    assert daemon.vireo("reconcile", "t") == "Nothing to mend\n\n"
    everything, thread = host_cpus(), live(daemon)["vcpu1"]
    os.sched_setaffinity(thread.tid, {1})
    out = daemon.vireo("vcpuinfo", "t", "--pretty")
    assert out.count("Requested:") == 1
    assert re.search(r"VCPU: +1\n(.+\n)+CPU Affinity: +1 \(out of \d+\)\nRequested: +0-", out), out
    row = get_json(daemon, "vcpuinfo", "t")[1]
    assert row["affinity"] == [1] and set(row["requested"]) >= everything
    out = daemon.vireo("reconcile", "t")
    assert re.search(r"^vcpu1: affinity was '1', is '0-.*' again\n1 difference mended\n", out), out
    assert thread.affinity() == everything and "Requested:" not in daemon.vireo("vcpuinfo", "t")
    os.sched_setaffinity(thread.tid, {0})
    mended = get_json(daemon, "reconcile", "t")
    assert mended["differences"] == 1 and mended["total"] == 2 and mended["mended"][0].startswith("vcpu1: affinity")
    daemon.define("n", boot=False)
    assert "not running" in daemon.vireo("reconcile", "n", ok=False)
    assert "read only" in daemon.run(VIREO, "-r", "reconcile", "t", ok=False).stderr


def follow(daemon, *options):
    return subprocess.Popen([VIREO, "-c", daemon.uri, "event", *options], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)


def test_events(daemon):
    """tunable as virsh prints it, drift likewise; among all events too."""
    tuned(daemon)
    tunable = follow(daemon, "t", "tunable", "--timeout", "20")
    drift = follow(daemon, "t", "drift", "--timeout", "20")
    everything = follow(daemon, "--all", "--loop", "--json", "--timeout", "4")
    virsh = subprocess.Popen(["virsh", "-c", daemon.uri, "event", "t", "tunable", "--timeout", "20"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: daemon.log_text().count("event 17 registered") == 3, 10, "registrations")
    wait_for(lambda: "event 28 registered" in daemon.log_text(), 10, "registration of all")
    daemon.vireo("vcpupin", "t", "0", "1")

    def drifted():
        os.sched_setaffinity(live(daemon)["vcpu1"].tid, {0})
        daemon.vireo("reconcile", "t")
        return drift.poll() is not None

    wait_for(drifted, 10, "drift event")
    assert tunable.communicate(timeout=30)[0] == virsh.communicate(timeout=30)[0]
    assert re.fullmatch(r"event 'drift' for domain 't':\n\tvcpu1: affinity was '0', is '0-.*' again\n"
                        r"events received: 1\n\n", drift.communicate(timeout=30)[0])
    seen = [json.loads(line) for line in everything.communicate(timeout=30)[0].splitlines() if line]
    assert {"tunable", "drift"} <= {event["event"] for event in seen}
    assert seen[0]["params"] == {"cputune.vcpupin0": "1"}
