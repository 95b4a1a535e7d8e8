# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a daemon starts and stops: whose the directories are, who else is there, what comes before what."""
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from conftest import VIREOD, Daemon, client, end_of, wait_for


def second(root, cwd="/", seconds=20):
    """Another vireod on a root, which shall leave by itself: (status, what it said)."""
    result = subprocess.run([VIREOD, "--root", root], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=seconds)
    return result.returncode, result.stdout + result.stderr


def test_second_daemon_leaves(daemon):
    """The same root once more, by name, by a link and relative: it names who has it, and nothing is touched."""
    daemon.paused("one")
    pids = daemon.qemus()
    link = daemon.root + ".link"
    os.symlink(daemon.root, link)
    try:
        for root, cwd in ((daemon.root, "/"), (link, "/"), (os.path.basename(daemon.root), "/tmp")):
            status, said = second(root, cwd)
            assert status == 1
            assert f"another vireod (process {daemon.pid()}) has the directory '{daemon.root}/run'" in said, said
    finally:
        os.unlink(link)
    assert daemon.process.poll() is None
    assert daemon.qemus() == pids
    assert "paused" in daemon.virsh("domstate", "one")


def test_second_daemon_during_a_start(daemon):
    """What the first has just started and has written no status of yet is not a QEMU that nobody knows of: the second
    leaves before it looks for one."""
    emulator, gate = slow_emulator(daemon)
    daemon.define("s1", boot=False, emulator=emulator)
    start = client(daemon, "start", "s1", "--paused")
    wait_for(lambda: guests_starting(emulator), 10, "the start")
    os.kill(daemon.pid(), signal.SIGSTOP)
    try:
        with open(gate, "w"):
            pass
        wait_for(lambda: "s1" in daemon.qemus(), 20, "QEMU")
        pid = daemon.qemus()["s1"]
        status, said = second(daemon.root, seconds=60)
    finally:
        os.kill(daemon.pid(), signal.SIGCONT)
    assert status == 1 and "another vireod" in said and f"process {pid}," not in said, said
    status, said = end_of(start)
    assert status == 0, said
    assert daemon.qemus()["s1"] == pid
    assert "paused" in daemon.virsh("domstate", "s1")


def test_second_daemon_after_the_run_directory_was_lost(daemon):
    """The lock outlives what a clean-up of /run takes away."""
    os.rename(f"{daemon.root}/run", f"{daemon.root}/run.lost")  # at once: it is still being written to
    status, said = second(daemon.root)
    assert status == 1
    assert f"another vireod (process {daemon.pid()}) has the directory '{daemon.root}/lib'" in said, said


def test_relative_roots_do_not_meet(daemon):
    """--root rel in two directories is two daemons, each with its own guests."""
    homes = [tempfile.mkdtemp(prefix="vireo-test.", dir="/tmp") for _ in range(2)]
    daemons = []
    try:
        for home in homes:
            os.mkdir(f"{home}/rel", 0o755)
            instance = Daemon(f"{home}/rel")
            instance.log = open(f"{home}/rel/vireod.log", "ab")
            instance.process = subprocess.Popen([VIREOD, "--root", "rel", "-v"], cwd=home, stdin=subprocess.DEVNULL,
                                                stdout=instance.log, stderr=instance.log)
            daemons.append(instance)
            wait_for(instance.answers, 20, "vireod that answers")
            instance.paused("same")
        assert all(instance.process.poll() is None for instance in daemons)
        assert [list(instance.qemus()) for instance in daemons] == [["same"], ["same"]]
    finally:
        for instance in daemons:
            instance.clean_up()
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


def nobody():
    return pwd.getpwnam("nobody").pw_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: only root can give files away")
@pytest.mark.parametrize("what", ["root", "parent", "etc", "etc/domains", "etc/vireod.conf", "link"])
def test_directories_of_somebody_else(what):
    """A root, or a part of it, that somebody else can change is refused, and nothing below it is read."""
    top = tempfile.mkdtemp(prefix="vireo-test.", dir="/tmp")
    root = f"{top}/root"
    os.chmod(top, 0o755)
    os.makedirs(f"{root}/etc/domains")
    with open(f"{root}/etc/vireod.conf", "w") as f:
        f.write("log_level = info\n")
    culprit = {"root": root, "parent": top, "link": f"{top}/link"}.get(what, f"{root}/{what}")
    if what == "link":
        os.symlink(root, culprit)
    os.lchown(culprit, nobody(), -1)
    try:
        status, said = second(culprit if what == "link" else root)
        assert status == 1
        assert f"'{culprit}' belongs to user {nobody()}" in said, said
        assert not os.path.exists(f"{root}/run/vireo-sock")
    finally:
        shutil.rmtree(top)


def test_directory_that_everybody_may_write_to():
    root = tempfile.mkdtemp(prefix="vireo-test.", dir="/tmp")
    os.chmod(root, 0o777)
    try:
        status, said = second(root)
        assert status == 1 and f"everybody may write to '{root}'" in said, said
    finally:
        shutil.rmtree(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: only root can give files away")
def test_emulator_of_somebody_else(daemon):
    """What a domain or a reader names is not run when somebody else could have written it."""
    emulator = f"{daemon.root}/emulator"
    with open(emulator, "w") as f:
        f.write(f"#!/bin/sh\ntouch {daemon.root}/was-run\n")
    os.chmod(emulator, 0o755)
    os.chown(emulator, nobody(), -1)
    daemon.define("d1", boot=False, emulator=emulator)
    said = daemon.virsh("start", "d1", ok=False)
    assert f"the emulator '{emulator}' is not to be trusted: '{emulator}' belongs to user {nobody()}" in said, said
    daemon.virsh("domcapabilities", "--emulatorbin", emulator, ok=False)
    assert not os.path.exists(f"{daemon.root}/was-run")


def test_environment_and_directory_of_qemu(daemon):
    """QEMU gets a short environment and no directory of the daemon's; its log is no link."""
    daemon.stop()
    os.environ["VIREO_TEST_SECRET"] = "x"
    try:
        daemon.start()
    finally:
        del os.environ["VIREO_TEST_SECRET"]
    daemon.paused("e1")
    pid = daemon.qemus()["e1"]
    with open(f"/proc/{pid}/environ") as f:
        names = sorted(line.split("=")[0] for line in f.read().split("\0") if line)
    assert names == ["HOME", "LC_ALL", "PATH", "VIREO_MONITOR"]
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    daemon.virsh("destroy", "e1")
    log = f"{daemon.root}/log/qemu/e1.log"
    os.unlink(log)
    os.symlink(f"{daemon.root}/elsewhere", log)
    assert f"cannot open the log '{log}'" in daemon.virsh("start", "e1", ok=False)
    assert not os.path.exists(f"{daemon.root}/elsewhere")


def test_the_loop_goes_before_guests(daemon):
    """The thread that answers clients has a better nice value than QEMU; QEMU and what works for the daemon have none."""
    daemon.paused("n1")
    own, qemu = daemon.process.pid, daemon.qemus()["n1"]
    threads = {int(tid): os.getpriority(os.PRIO_PROCESS, int(tid))
               for pid in (own, qemu) for tid in os.listdir(f"/proc/{pid}/task")}
    assert threads.pop(own) == (-10 if os.geteuid() == 0 else 0)
    assert len(threads) > 2 and set(threads.values()) == {0}


def test_new_settings_on_sighup(daemon):
    """SIGHUP takes over what can change, says what cannot, and keeps all with a file that cannot be used."""
    config = f"{daemon.root}/etc/vireod.conf"

    def hang_up(text, said):
        with open(config, "w") as f:
            f.write(text)
        before = len(daemon.log_text())
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: said in daemon.log_text()[before:], 10, f"'{said}' in the log")

    daemon.paused("h1")
    hang_up("unplug_timeout_ms = 1234\nsocket = /elsewhere\n", "the settings were read again")
    assert "the setting 'socket' has changed" in daemon.log_text()
    hang_up("unplug_timeout_ms = many\n", "the settings stay as they are")
    hang_up("audit_level = 2\n", "the settings")  # whether there is auditing is the host's business
    assert daemon.process.poll() is None
    assert "paused" in daemon.virsh("domstate", "h1")


# An emulator that takes its time, for starts that are under way.
SLOW = """#!/bin/sh
case "$*" in *guest=*) while [ ! -e {gate} ]; do sleep 0.05; done;; esac
exec /usr/bin/qemu-system-x86_64 "$@"
"""


def slow_emulator(daemon):
    """(path, gate): QEMUs started by it begin when the file `gate` is there."""
    emulator, gate = f"{daemon.root}/slow-emulator", f"{daemon.root}/gate"
    with open(emulator, "w") as f:
        f.write(SLOW.format(gate=gate))
    os.chmod(emulator, 0o755)
    return emulator, gate


def starting(emulator):
    return [int(pid) for pid in filter(str.isdigit, os.listdir("/proc")) if emulator in command_line(pid)]


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as f:
            return f.read()
    except OSError:
        return ""


def guests_starting(emulator):
    """The command lines of domains, not of probes."""
    return {line for line in map(command_line, starting(emulator)) if "guest=" in line}


def test_autostart_in_the_background(daemon):
    """The daemon serves while ten domains start slowly, a few at a time; one that ends goes on where it was."""
    emulator, gate = slow_emulator(daemon)
    names = [f"a{i}" for i in range(10)]
    for name in names:
        daemon.define(name, boot=False, emulator=emulator)
        daemon.virsh("autostart", name)
    daemon.stop()
    os.unlink(f"{daemon.root}/run/autostarted")
    begun = time.monotonic()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{daemon.root}/manager")
        manager.settimeout(50)
        os.environ["NOTIFY_SOCKET"] = f"{daemon.root}/manager"
        try:
            daemon.start()
        finally:
            del os.environ["NOTIFY_SOCKET"]
        assert "a9" in daemon.virsh("list", "--all")
        assert time.monotonic() - begun < 10
        wait_for(lambda: len(guests_starting(emulator)) > 1, 10, "more than one start at a time")
        assert len(guests_starting(emulator)) <= 4
        assert "READY=1" in manager.recv(4096).decode()
    with open(gate, "w"):
        pass
    wait_for(lambda: len(daemon.qemus()) == 10, 60, lambda: f"all domains, there are {sorted(daemon.qemus())}")
    wait_for(lambda: not os.listdir(f"{daemon.root}/run/autostart"), 20, "end of the markers")
    daemon.virsh("destroy", "a0")
    daemon.stop()
    daemon.start()  # what was destroyed is not started once more
    assert "shut off" in daemon.virsh("domstate", "a0")


def test_autostart_goes_on_after_a_kill(daemon):
    """A daemon that is killed in the middle of its autostarts leaves the others to the next one."""
    emulator, gate = slow_emulator(daemon)
    names = [f"a{i}" for i in range(6)]
    for name in names:
        daemon.define(name, boot=False, emulator=emulator)
        daemon.virsh("autostart", name)
    daemon.stop()
    os.unlink(f"{daemon.root}/run/autostarted")
    daemon.start()
    wait_for(lambda: starting(emulator), 10, "the first starts")
    daemon.stop(signal.SIGKILL)
    with open(gate, "w"):
        pass
    daemon.start()
    wait_for(lambda: sorted(daemon.qemus()) == names and
             all("running" in daemon.virsh("domstate", name) for name in names), 60, "all domains")


def test_stop_during_a_start(daemon):
    """SIGTERM with a start under way, and with calls behind it, is a clean end."""
    emulator, _ = slow_emulator(daemon)
    daemon.define("s1", boot=False, emulator=emulator)
    waiting = [client(daemon, "start", "s1") for _ in range(3)]
    wait_for(lambda: starting(emulator), 10, "the start")
    assert daemon.stop() == 0
    for process in waiting:
        end_of(process)
    assert "assert" not in daemon.log_text().lower()
    for pid in starting(emulator):
        os.kill(pid, signal.SIGKILL)


def test_probe_dies_with_the_daemon(daemon):
    """A QEMU that is only asked for its capabilities does not outlive the daemon, however that ends."""
    emulator = f"{daemon.root}/probed-emulator"
    with open(emulator, "w") as f:
        f.write("#!/bin/sh\nexec sleep 600.25\n")
    os.chmod(emulator, 0o755)
    asking = client(daemon, "domcapabilities", "--emulatorbin", emulator)
    probes = wait_for(lambda: [pid for pid in filter(str.isdigit, os.listdir("/proc"))
                               if command_line(pid) == "sleep\x00600.25\x00"], 10, "a probe")
    daemon.stop(signal.SIGKILL)
    end_of(asking)
    wait_for(lambda: not any(command_line(pid) for pid in probes), 10, "end of the probe")
    daemon.start()
