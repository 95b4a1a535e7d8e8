# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireod as systemd's service, from the units that the project installs."""
import json
import os
import shutil
import signal
import time

import pytest

from conftest import SOCKET, UNITS, run, unit, wait_for


def test_enabled_units_are_good():
    run("systemctl", "enable", *UNITS)
    result = run("systemd-analyze", "verify", "--man=no", *UNITS)
    assert "vireod" not in result.stderr, result.stderr


def test_ready_is_notified(daemon):
    """start returns when the daemon said READY=1, and then it serves."""
    assert unit("vireod.service", "Type") == "notify"
    assert unit("vireod.service", "ActiveState") == "active"
    assert unit("vireod.service", "StatusText") == "Serving domains"
    with open(f"/proc/{daemon.pid()}/comm") as f:
        assert f.read() == "vireod\n"
    daemon.virsh("list", "--all")


def test_its_cgroup(daemon):
    with open(f"/proc/{daemon.pid()}/cgroup") as f:
        assert f.read() == "0::/system.slice/vireod.service\n"


@pytest.mark.long  # the short form has it in test_package.py
def test_socket_activation(daemon):
    run("systemctl", "stop", "vireod.service")
    assert unit("vireod.service", "ActiveState") == "inactive" and daemon.pid() == 0
    assert unit("vireod.socket", "ActiveState") == "active" and os.path.exists(SOCKET)
    daemon.virsh("list", "--all")
    assert unit("vireod.service", "ActiveState") == "active"
    # The read-only one leads to the same daemon, and may not define.
    daemon.define("x")
    readonly = ["virsh", "-c", f"qemu+unix:///system?socket={SOCKET}-ro"]
    assert run(*readonly, "list", "--all", "--name").stdout.split() == ["x"]
    assert "read only" in run(*readonly, "undefine", "x", ok=False).stderr


@pytest.mark.long  # the short form has it in test_package.py
def test_watchdog(daemon):
    """A vireod that runs feeds it; one that hangs is ended, and another comes."""
    directory = "/run/systemd/system/vireod.service.d"
    os.makedirs(directory)
    try:
        with open(f"{directory}/watchdog.conf", "w") as f:
            f.write("[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n")
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", "vireod.service")
        pid = daemon.pid()
        time.sleep(6)
        assert daemon.pid() == pid and unit("vireod.service", "NRestarts") == "0"
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: daemon.pid() not in (0, pid) and unit("vireod.service", "ActiveState") == "active", 20,
                 "new vireod")
    finally:
        shutil.rmtree(directory)
        run("systemctl", "daemon-reload")


@pytest.mark.long  # the short form has it in test_package.py
def test_vcpus_of_a_paused_machine(daemon):
    pid = daemon.paused("v", maximum=4)
    assert daemon.counts("v")[("current", "live")] == 1
    daemon.virsh("setvcpus", "v", "4", "--live")
    assert daemon.counts("v")[("current", "live")] == 4
    cpus = json.loads(daemon.vireo("qemu-monitor-command", "v", "query-cpus-fast"))["return"]
    threads = {str(cpu["thread-id"]) for cpu in cpus}
    assert len(threads) == 4 and threads <= set(os.listdir(f"/proc/{pid}/task"))


@pytest.mark.long  # the short form has it in test_package.py
def test_restart_leaves_machines_running(daemon):
    pid = daemon.paused("r", maximum=4)
    daemon.virsh("setvcpus", "r", "3", "--live")
    before = daemon.pid()
    run("systemctl", "restart", "vireod.service")
    assert daemon.pid() not in (0, before)
    assert daemon.qemus() == {"r": pid}
    assert daemon.virsh("domstate", "r").strip() == "paused"
    assert daemon.counts("r")[("current", "live")] == 3
    daemon.virsh("setvcpus", "r", "4", "--live")
    assert daemon.counts("r")[("current", "live")] == 4


def test_killed_it_comes_again(daemon):
    """Restart=on-failure, and the machine is found again."""
    pid = daemon.paused("k")
    before = daemon.pid()
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: daemon.pid() not in (0, before) and unit("vireod.service", "ActiveState") == "active", 20,
             "new vireod")
    assert daemon.qemus() == {"k": pid}
    assert daemon.virsh("domstate", "k").strip() == "paused"


def entries(**fields):
    """Of vireod in the journal, with these fields."""
    found = run("journalctl", "-u", "vireod.service", "-o", "json", *[f"{key}={value}" for key, value in fields.items()])
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_journal_fields(daemon):
    """Who asked for what, and what came of it, are found by the journal's fields."""
    daemon.paused("j", maximum=4)
    uuid = daemon.virsh("domuuid", "j").strip()
    daemon.virsh("setvcpus", "j", "2", "--live")
    asked = wait_for(lambda: entries(DOMAIN="j", API="virDomainSetVcpusFlags"), 20, "call in the journal")[0]
    assert asked["CLIENT_UID"] == "0" and asked["UUID"] == uuid and asked["MESSAGE"].endswith("done"), asked
    ended = wait_for(lambda: [entry for entry in entries(UUID=uuid) if "OPERATION" in entry], 20, "its operation")[0]
    assert ended["VCPU"] == "1" and "done" in ended["MESSAGE"], ended
    started = [entry for entry in entries(DOMAIN="j") if "has started" in entry["MESSAGE"]][0]
    assert len({asked["MESSAGE_ID"], ended["MESSAGE_ID"], started["MESSAGE_ID"]}) == 3


@pytest.mark.long  # the short form has it in test_package.py
def test_polkit_lets_in(daemon):
    """An ordinary user is refused, and let in to read by a rule; root is not asked about."""
    drop_in, rule = "/run/systemd/system/vireod.socket.d", "/etc/polkit-1/rules.d/50-vireo-test.rules"
    nobody = ["runuser", "-u", "nobody", "--", "virsh", "-c", daemon.uri]
    os.makedirs(drop_in)
    try:
        with open(f"{drop_in}/zz-mode.conf", "w") as f:
            f.write("[Socket]\nSocketMode=0666\n")
        run("systemctl", "daemon-reload")
        daemon.configure("access = polkit")
        daemon.define("p")
        assert "org.vireo.read" in run(*nobody, "list", "--all", ok=False).stderr
        with open(rule, "w") as f:
            f.write('polkit.addRule(function(action, subject) { if (action.id == "org.vireo.read" && '
                    'subject.user == "nobody") return polkit.Result.YES; });\n')
        wait_for(lambda: run(*nobody, "list", "--all", "--name", ok=None).stdout.split() == ["p"], 20, "effect of the rule")
        assert "org.vireo.write" in run(*nobody, "undefine", "p", ok=False).stderr
        assert daemon.virsh("list", "--all", "--name").split() == ["p"]
    finally:
        if os.path.exists(rule):
            os.unlink(rule)
        shutil.rmtree(drop_in)
        run("systemctl", "daemon-reload")
