# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real qemu-guest-agent in the embedded guest: its counts, its CPUs, its silence, its absence."""
import json
import os
import re
import socket
import threading
import time

import pytest

from conftest import GUEST, wait_for

CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
NOT_CONNECTED = "Guest agent is not responding: QEMU guest agent is not connected"
PING = '{"execute":"guest-ping"}'


@pytest.fixture
def agent_guest(guest):
    if not os.path.exists(f"{GUEST}/initrd-agent"):
        pytest.skip(f"SKIP: no guest with an agent in {GUEST}: scripts/make-guest says what hinders it")


def define(daemon, name, initrd="initrd-agent", **options):
    path = f"{daemon.root}/{name}.define.xml"
    with open(path, "w") as f:
        f.write(daemon.xml(name, extra=CHANNEL, **options).replace(f"{GUEST}/initrd<", f"{GUEST}/{initrd}<"))
    daemon.virsh("define", path)


def agents_started(daemon, name):
    with open(daemon.console(name), errors="replace") as f:
        return f.read().splitlines().count("AGENT")


def boot(daemon, name, vcpus=4, maximum=None, **options):
    """A guest whose agent has its port open."""
    define(daemon, name, maximum=maximum or vcpus, current=vcpus, **options)
    daemon.bring_up(name, vcpus)
    wait_for(lambda: agents_started(daemon, name), 20, "agent in the guest")


def ask(daemon, name, command, *arguments, ok=True):
    return daemon.virsh("qemu-agent-command", name, *arguments, command, ok=ok)


def ask_when_there(daemon, name):
    """The console says that the agent begins; a moment later it answers."""
    def answers():
        result = daemon.run("virsh", "qemu-agent-command", name, PING, ok=None)
        assert result.returncode == 0 or "Guest agent is not responding" in result.stderr, result.stderr
        return result.returncode == 0
    wait_for(answers, 20, f"answer of the agent of '{name}'")


def execute(daemon, name, script):
    """Runs a shell script in the guest, by the agent itself, without waiting for its end."""
    command = {"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", script]}}
    assert "pid" in ask(daemon, name, json.dumps(command))


def test_agent_in_the_guest_answers_on_its_socket(daemon, agent_guest):
    """Not by vireod: the guest, its modules, the channel and QEMU's socket."""
    boot(daemon, "raw", vcpus=2)
    path = re.search(r"<channel type='unix'>.*?path='([^']+)'", daemon.virsh("dumpxml", "raw"), re.S).group(1)
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(20)
        channel.connect(path)
        lines = channel.makefile("rb")

        def answer(command):
            channel.sendall(json.dumps(command).encode() + b"\n")
            return json.loads(lines.readline().lstrip(b"\xff"))

        channel.sendall(b"\xff")
        answer({"execute": "guest-sync-delimited", "arguments": {"id": 1}})  # the agent complains of the 0xff
        assert lines.readline() == b'\xff{"return": 1}\n'
        cpus = answer({"execute": "guest-get-vcpus"})["return"]
        assert sorted((c["logical-id"], c["online"]) for c in cpus) == [(0, True), (1, True)]
        off = {"execute": "guest-set-vcpus", "arguments": {"vcpus": [{"logical-id": 1, "online": False}]}}
        assert answer(off) == {"return": 1}
        daemon.wait_online("raw", "0", 10)


def test_counts_and_cpus_by_virsh(daemon, agent_guest):
    boot(daemon, "w1")
    ask_when_there(daemon, "w1")
    assert json.loads(ask(daemon, "w1", PING)) == {"return": {}}
    assert "unable to execute QEMU agent command 'nope'" in ask(daemon, "w1", '{"execute":"nope"}', ok=False)
    assert "error" in ask(daemon, "w1", "not JSON", ok=False)
    assert daemon.virsh("vcpucount", "w1", "--guest").split() == ["4"]

    # Down and up from the lowest that can go, as with libvirt; the machine's own count stays.
    daemon.virsh("setvcpus", "w1", "2", "--guest")
    daemon.wait_online("w1", "0,3", 10)
    assert daemon.virsh("vcpucount", "w1", "--guest").split() == ["2"]
    assert daemon.counts("w1")[("current", "live")] == 4
    daemon.virsh("setvcpus", "w1", "4", "--guest")
    daemon.wait_online("w1", "0-3", 10)
    assert "error" in daemon.virsh("setvcpus", "w1", "9", "--guest", ok=False)
    assert "error" in daemon.virsh("setvcpus", "w1", "2", "--guest", "--config", ok=False)

    def guest_vcpus():
        rows = [line.split(":", 1) for line in daemon.virsh("guestvcpus", "w1").splitlines() if ":" in line]
        return {key.strip(): value.strip() for key, value in rows}

    assert guest_vcpus() == {"vcpus": "0-3", "online": "0-3", "offlinable": "1-3"}
    assert daemon.vireo("guestvcpus", "w1").split() == daemon.virsh("guestvcpus", "w1").split()
    assert json.loads(daemon.vireo("qemu-agent-command", "w1", PING)) == {"return": {}}
    assert "--enable or --disable" in daemon.vireo("guestvcpus", "w1", "1", ok=False)
    daemon.vireo("guestvcpus", "w1", "1", "--disable")
    daemon.wait_online("w1", "0,2-3", 10)
    daemon.vireo("guestvcpus", "w1", "1", "--enable")
    daemon.wait_online("w1", "0-3", 10)
    daemon.virsh("guestvcpus", "w1", "--cpulist", "2", "--disable")
    daemon.wait_online("w1", "0-1,3", 10)
    assert guest_vcpus()["online"] == "0-1,3"
    assert "guest is missing vCPUs '9'" in daemon.virsh("guestvcpus", "w1", "--cpulist", "2,9", "--enable", ok=False)
    assert "error" in daemon.virsh("guestvcpus", "w1", "--cpulist", "0", "--disable", ok=False)
    assert guest_vcpus()["online"] == "0-1,3"
    daemon.virsh("guestvcpus", "w1", "--cpulist", "2", "--enable")
    daemon.wait_online("w1", "0-3", 10)

    # A new daemon finds the agent where it was.
    daemon.stop()
    daemon.start()
    assert json.loads(ask(daemon, "w1", PING)) == {"return": {}}


def test_stuck_agent_blocks_only_its_callers(daemon, agent_guest):
    boot(daemon, "w1", vcpus=2)
    ask_when_there(daemon, "w1")
    # Stopped for a while, by a child of its own.
    execute(daemon, "w1", "sleep 1; kill -STOP $PPID; sleep 14; kill -CONT $PPID")
    time.sleep(3)
    results = []

    def caller():
        start = time.monotonic()
        results.append((ask(daemon, "w1", PING, ok=False), time.monotonic() - start))

    threads = [threading.Thread(target=caller), threading.Thread(target=caller)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    start = time.monotonic()
    assert daemon.counts("w1")[("current", "live")] == 2
    daemon.virsh("setvcpus", "w1", "1", "--config")
    daemon.virsh("dumpxml", "w1")
    assert time.monotonic() - start < 4.5  # it waits 5 s for the agent, whoever waits
    for thread in threads:
        thread.join(60)
    assert all("Guest agent is not responding" in text for text, _ in results)
    assert max(seconds for _, seconds in results) < 14  # one behind the other, 5 s each
    ask_when_there(daemon, "w1")
    for _ in range(3):  # the answers that come late are nobody's
        assert daemon.virsh("vcpucount", "w1", "--guest").split() == ["2"]
        assert json.loads(ask(daemon, "w1", PING)) == {"return": {}}


def test_agent_that_ends_and_comes_again(daemon, agent_guest):
    boot(daemon, "w1", vcpus=1)
    ask_when_there(daemon, "w1")
    execute(daemon, "w1", "sleep 1; kill -9 $PPID")
    wait_for(lambda: agents_started(daemon, "w1") > 1, 20, "second agent")
    ask_when_there(daemon, "w1")
    assert daemon.virsh("vcpucount", "w1", "--guest").split() == ["1"]


def test_no_agent(daemon):
    """A channel with nobody behind it is known at once; one that is not there, too."""
    define(daemon, "w1", boot=False)
    assert "for live domains" in daemon.virsh("vcpucount", "w1", "--guest", ok=False)
    daemon.virsh("start", "w1")
    start = time.monotonic()
    assert NOT_CONNECTED in ask(daemon, "w1", PING, ok=False)
    assert NOT_CONNECTED in daemon.virsh("vcpucount", "w1", "--guest", ok=False)
    assert NOT_CONNECTED in daemon.virsh("setvcpus", "w1", "1", "--guest", ok=False)
    assert NOT_CONNECTED in daemon.virsh("guestvcpus", "w1", ok=False)
    assert time.monotonic() - start < 5
    daemon.virsh("suspend", "w1")
    assert "domain is not running" in ask(daemon, "w1", PING, ok=False)
    daemon.paused("w2")
    assert "error" in ask(daemon, "w2", PING, ok=False)
    assert "error" in ask(daemon, "w2", PING, "--timeout", "1", ok=False)
    daemon.virsh("destroy", "w1")
    assert "domain is not running" in ask(daemon, "w1", PING, ok=False)


def last_operation(daemon, name):
    daemon.vireo("ops", "await", json.loads(daemon.vireo("ops", "list", "--domain", name, "--all", "--json"))[-1]["id"],
                 "--timeout", "30")
    return json.loads(daemon.vireo("ops", "list", "--domain", name, "--all", "--json"))[-1]


def test_plugged_cpus_are_brought_online(daemon, agent_guest):
    """A guest that leaves new CPUs offline, and one that was taken offline before: only the new ones come."""
    boot(daemon, "p1", vcpus=2, maximum=6, cmdline="vireo.leaveoffline")
    ask_when_there(daemon, "p1")
    daemon.virsh("setvcpus", "p1", "1", "--guest")
    daemon.wait_online("p1", "0")
    daemon.virsh("setvcpus", "p1", "5", "--live")
    operation = last_operation(daemon, "p1")
    assert operation["guest"] == "online: all 3 new CPUs are online in the guest"
    daemon.wait_online("p1", "0,2-4")


def test_plug_with_a_stuck_agent(daemon, agent_guest):
    """It costs the plug a few tenths of a second, and the guest is judged from outside."""
    boot(daemon, "p2", vcpus=1, maximum=4)
    ask_when_there(daemon, "p2")
    execute(daemon, "p2", "sleep 1; kill -STOP $PPID")  # after its answer
    time.sleep(3)
    start = time.monotonic()
    daemon.virsh("setvcpus", "p2", "3", "--live")
    assert time.monotonic() - start < 4.5  # without its agent's word it would be 5
    daemon.wait_online("p2", "0-2")
    wait_for(lambda: last_operation(daemon, "p2")["guest"].startswith("online: all 2 new CPUs"), 60,
             lambda: f"a verdict, it is {last_operation(daemon, 'p2')}")
    assert daemon.counts("p2")[("current", "live")] == 3


def test_plug_without_agent(daemon):
    daemon.paused("p3")
    daemon.virsh("setvcpus", "p3", "3", "--live")
    assert last_operation(daemon, "p3")["guest"] == \
        "unknown: whether the guest uses the vCPUs is not known: it does not run"


def test_agent_errors_send_nothing_to_qemu(daemon, agent_guest, monkeypatch):
    monkeypatch.setenv("VIREO_QMP_DEBUG", "1")
    daemon.stop()
    daemon.start()
    boot(daemon, "e1", vcpus=2, maximum=4)
    ask_when_there(daemon, "e1")
    assert "less cpu than requested" in daemon.virsh("setvcpus", "e1", "3", "--guest", ok=False)
    assert "guest is missing vCPUs '3'" in daemon.virsh("guestvcpus", "e1", "--cpulist", "3", "--enable", ok=False)
    assert "not offlinable" in daemon.virsh("guestvcpus", "e1", "--cpulist", "0", "--disable", ok=False)
    log = daemon.log_text()
    assert '"execute":"device_' not in log
    daemon.virsh("setvcpus", "e1", "3", "--live")
    assert '"execute":"device_add"' in daemon.log_text()  # it would have been seen


def test_the_agent_ends_the_guest(daemon, agent_guest):
    """By its own way alone, when that is asked for: the power button is not pressed."""
    boot(daemon, "g1", vcpus=1)
    ask_when_there(daemon, "g1")
    execute(daemon, "g1", "mkdir -p /sbin; printf '#!/bin/sh\necho SHUTDOWN $* >/dev/console\npoweroff -f\n' >/sbin/shutdown; "
                          "chmod 755 /sbin/shutdown; echo WRITTEN >/dev/console")
    wait_for(lambda: daemon.said("g1", "WRITTEN"), 20, "program that the agent runs")
    daemon.virsh("shutdown", "g1", "--mode", "agent")
    wait_for(lambda: "shut off (shutdown)" in daemon.virsh("domstate", "g1", "--reason"), 30, "shut off after shutdown")
    with open(daemon.console("g1"), errors="replace") as f:
        said = f.read()
    assert "SHUTDOWN -h -P +0" in said and "POWEROFF" not in said, said[-500:]
    for command in "shutdown", "reboot":
        assert "domain is not running" in daemon.virsh(command, "g1", "--mode", "agent", ok=False)


def test_time_name_and_file_systems(daemon, agent_guest, monkeypatch):
    monkeypatch.setenv("VIREO_QMP_DEBUG", "1")
    daemon.stop()
    daemon.start()
    boot(daemon, "g1", vcpus=1)
    ask_when_there(daemon, "g1")
    by_agent = json.loads(ask(daemon, "g1", '{"execute":"guest-get-time"}'))["return"] // 10 ** 9
    seconds = int(daemon.virsh("domtime", "g1").split()[1])
    assert by_agent <= seconds <= json.loads(ask(daemon, "g1", '{"execute":"guest-get-time"}'))["return"] // 10 ** 9
    name = json.loads(ask(daemon, "g1", '{"execute":"guest-get-host-name"}'))["return"]["host-name"]
    assert daemon.virsh("domhostname", "g1").strip() == name
    assert "no networks with leases" in daemon.virsh("domhostname", "g1", "--source", "lease", ok=False)
    # The guest lives in memory: nothing can be frozen, and the agent says so by its count.
    assert "Froze 0 filesystem" in daemon.virsh("domfsfreeze", "g1")
    assert "Froze 0 filesystem" in daemon.virsh("domfsfreeze", "g1", "/", "/proc")
    assert "Thawed 0 filesystem" in daemon.virsh("domfsthaw", "g1")
    daemon.virsh("domfstrim", "g1")
    log = daemon.log_text()
    for command in ("freeze", "thaw"):
        assert f'"execute":"guest-fsfreeze-{command}"' in log, command
    assert '"execute":"guest-fsfreeze-freeze-list","arguments":{"mountpoints":["/","/proc"]}' in log
    assert '"execute":"guest-fstrim","arguments":{"minimum":0}' in log
    assert "not supported" in daemon.virsh("domfstrim", "g1", "--mountpoint", "/", ok=False)
    assert "not supported" in daemon.virsh("domfsthaw", "g1", "/", ok=False)


def test_time_name_and_file_systems_without_agent(daemon):
    define(daemon, "g2", boot=False)
    daemon.virsh("start", "g2")
    for command in ("domtime", "domhostname", "domfsfreeze", "domfsthaw", "domfstrim"):
        assert NOT_CONNECTED in daemon.virsh(command, "g2", ok=False), command


def test_addresses(daemon, agent_guest):
    boot(daemon, "a1", vcpus=1)
    ask_when_there(daemon, "a1")
    known = json.loads(ask(daemon, "a1", '{"execute":"guest-network-get-interfaces"}'))["return"]
    shown = [line.split() for line in
             daemon.virsh("domifaddr", "a1", "--source", "agent", "--full").splitlines()[2:] if line.strip()]
    expected = [(interface["name"], address["ip-address-type"], f"{address['ip-address']}/{address['prefix']}")
                for interface in known for address in interface.get("ip-addresses", [])]
    assert [(row[0], row[2], row[3]) for row in shown if row[3] != "N/A"] == expected
    assert {row[0] for row in shown} == {interface["name"] for interface in known} != set()
    for source in ("lease", "arp"):
        assert "lo" not in daemon.virsh("domifaddr", "a1", "--source", source)


def test_addresses_without_agent(daemon):
    define(daemon, "a2", boot=False)
    assert "domain is not running" in daemon.virsh("domifaddr", "a2", ok=False)
    daemon.virsh("start", "a2")
    assert NOT_CONNECTED in daemon.virsh("domifaddr", "a2", "--source", "agent", ok=False)
    result = daemon.run("virsh", "--readonly", "domifaddr", "a2", "--source", "agent", ok=False)
    assert "read only access prevents" in result.stderr, "a client that may only read asks no agent"
