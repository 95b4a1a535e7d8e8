# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon dies, QEMU dies: what must survive does."""
import glob
import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import VIREOD, client, end_of, wait_for
from test_snapshot import needs_strace
from tuning import groups, mounts, threads


def test_kill_daemon(daemon, guest):
    """kill -9 of vireod with guests running, then a restart: all found, and resizable."""
    daemon.boot("a1")
    daemon.boot("a2", current=2)
    daemon.virsh("setvcpus", "a1", "3", "--live")
    daemon.wait_online("a1", "0-2")
    pids = daemon.qemus()
    before = daemon.virsh("dumpxml", "a1")
    daemon.stop(signal.SIGKILL)
    assert daemon.qemus() == pids
    daemon.start()
    assert daemon.qemus() == pids
    assert daemon.virsh("dumpxml", "a1") == before
    daemon.virsh("setvcpus", "a1", "2", "--live")
    daemon.wait_online("a1", "0-1")
    daemon.virsh("setvcpus", "a2", "4", "--live")
    daemon.wait_online("a2", "0-3")
    assert "running" in daemon.virsh("domstate", "a1")


def test_clean_stop_leaves_guests(daemon):
    daemon.paused("s1")
    pids = daemon.qemus()
    assert daemon.stop() == 0
    assert daemon.qemus() == pids
    daemon.start()
    assert "paused" in daemon.virsh("domstate", "s1")


def test_guest_gone_while_daemon_was_away(daemon):
    """A QEMU that ended meanwhile is reported shut off, its definition kept."""
    daemon.paused("g1")
    daemon.stop(signal.SIGKILL)
    os.kill(daemon.qemus()["g1"], signal.SIGKILL)
    wait_for(lambda: not daemon.qemus(), 10, "end of QEMU")
    daemon.start()
    assert "shut off" in daemon.virsh("domstate", "g1")
    daemon.virsh("start", "g1", "--paused")


def test_qemu_killed(daemon):
    """QEMU killed under the daemon: shut off (crashed), the other domain undisturbed."""
    daemon.paused("k1")
    daemon.paused("k2")
    other = daemon.qemus()["k2"]
    os.kill(daemon.qemus()["k1"], signal.SIGKILL)
    wait_for(lambda: "shut off (crashed)" in daemon.virsh("domstate", "k1", "--reason"), 10,
             "state 'shut off (crashed)'")
    assert daemon.qemus() == {"k2": other}
    daemon.virsh("setvcpus", "k2", "3", "--live")
    assert daemon.counts("k2")[("current", "live")] == 3


def test_event_when_qemu_is_killed(daemon):
    """The event reaches a client: Stopped, with the detail libvirt gives for a QEMU that died."""
    daemon.paused("e1")
    watcher = subprocess.Popen(["virsh", "-c", daemon.uri, "event", "--domain", "e1", "--event", "lifecycle",
                                "--timeout", "20"], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: "event 0 registered" in daemon.log_text(), 10, "event registration in the log")
        os.kill(daemon.qemus()["e1"], signal.SIGKILL)
        out, _ = watcher.communicate(timeout=30)
    finally:
        watcher.kill()
    assert "event 'lifecycle' for domain 'e1': Stopped Failed" in out or "Stopped Crashed" in out, out


def test_garbage_in_run_directory(daemon):
    """A status file that cannot be read is named in the log and does not stop the start."""
    daemon.paused("f1")
    daemon.stop(signal.SIGKILL)
    with open(f"{daemon.root}/run/domains/broken.xml", "w") as f:
        f.write("<domstatus state='1'")
    with open(f"{daemon.root}/etc/domains/broken.xml", "w") as f:
        f.write("not xml")
    daemon.start()
    assert "paused" in daemon.virsh("domstate", "f1")
    assert "broken" in daemon.log_text()


def damage(daemon, how, name):
    """Takes from a daemon that is not there what it needs to find a running domain again."""
    status = f"{daemon.root}/run/domains/{name}.xml"
    if how == "run directory":
        shutil.rmtree(f"{daemon.root}/run")
        return
    with open(status) as f:
        text = f.read()
    os.unlink(status)
    texts = {"empty": "", "cut": text[:len(text) // 2], "garbage": "\0\xff<domstatus",
             "pid": re.sub(r" pid='\d+' start='\d+'", " pid='1999999' start='7'", text)}
    if how in texts:
        with open(status, "w") as f:
            f.write(texts[how])


def vcpu_groups(pid):
    """{"vcpu0": its thread's cgroup, ...}; none without the controller."""
    if "cpu" not in mounts():
        return {}
    return {name: thread.cgroup("cpu") for name, thread in threads(pid).items() if name.startswith("vcpu")}


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "garbage", "pid", "run directory"])
def test_status_file_lost(daemon, how):
    """Whatever becomes of a status file: the QEMU stays, and is the domain's again, with its cgroup."""
    daemon.paused("lost")
    daemon.paused("other")
    daemon.virsh("setvcpus", "lost", "3", "--live")
    pids = daemon.qemus()
    before = daemon.virsh("dumpxml", "lost")
    places = vcpu_groups(pids["lost"])
    daemon.stop(signal.SIGKILL)
    damage(daemon, how, "lost")
    daemon.start()
    assert "paused" in daemon.virsh("domstate", "lost")
    assert daemon.qemus() == pids
    assert "already" in daemon.virsh("start", "lost", ok=False)
    assert daemon.counts("lost")[("current", "live")] == 3
    assert vcpu_groups(pids["lost"]) == places
    assert daemon.virsh("dumpxml", "lost").split("<devices>")[1] == before.split("<devices>")[1]
    if how == "pid":
        daemon.virsh("setvcpus", "lost", "4", "--live")
        plugged = vcpu_groups(pids["lost"])
        assert plugged == ({f"vcpu{i}": places["vcpu0"].replace("vcpu0", f"vcpu{i}") for i in range(4)} if places else {})
    else:  # what this QEMU has done is not known any more, and without KVM a plug could end it
        assert "its status file was lost" in daemon.virsh("setvcpus", "lost", "4", "--live", ok=False)
    daemon.virsh("resume", "lost")
    assert "running" in daemon.virsh("domstate", "lost")
    daemon.virsh("destroy", "lost")
    wait_for(lambda: not [group for group in groups(daemon) if "-lost" in group], 20, "end of its cgroups")
    daemon.virsh("destroy", "other")
    assert daemon.qemus() == {}
    daemon.virsh("start", "lost", "--paused")


def test_lost_qemu_that_does_not_answer(daemon):
    """Left alone, named, and its domain not started a second time; found again when it answers."""
    daemon.paused("mute")
    pid = daemon.qemus()["mute"]
    daemon.stop(signal.SIGKILL)
    damage(daemon, "run directory", "mute")
    os.kill(pid, signal.SIGSTOP)
    try:
        daemon.start()
        said = daemon.virsh("start", "mute", "--paused", ok=False)
        assert f"the domain may already be running: QEMU process {pid} " in said, said
        assert list(daemon.qemus().values()) == [pid]
        assert f"a QEMU (process {pid}, " in daemon.log_text() and "is left alone" in daemon.log_text()
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: "paused" in daemon.virsh("domstate", "mute"), 30, "domain 'mute' found again")
    assert daemon.qemus()["mute"] == pid


def test_lost_qemu_of_no_domain(daemon):
    """A transient domain whose status file is lost is nobody's: left alone, and its files go when it has ended."""
    path = f"{daemon.root}/t.xml"
    with open(path, "w") as f:
        f.write(daemon.xml("t", boot=False))
    daemon.virsh("create", path, "--paused")
    pid = daemon.qemus()["t"]
    daemon.stop(signal.SIGKILL)
    damage(daemon, "missing", "t")
    daemon.start()
    wait_for(lambda: "no domain with its uuid is defined" in daemon.log_text(), 20, "its name in the log")
    assert daemon.qemus() == {"t": pid}
    assert os.listdir(f"{daemon.root}/lib/monitors")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not os.listdir(f"{daemon.root}/lib/monitors"), 20, "end of its monitor's socket")
    groups = glob.glob(f"/sys/fs/cgroup/*{daemon.partition}/*/") + glob.glob(f"/sys/fs/cgroup{daemon.partition}/*/")
    assert not [group for group in groups if "-t" in os.path.basename(group.rstrip("/"))]


SLOW = """#!/bin/sh
case "$*" in *guest=*) while [ ! -e {gate} ]; do sleep 0.05; done;; esac
exec /usr/bin/qemu-system-x86_64 "$@"
"""


def command_lines():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", errors="replace") as f:
                yield f.read()
        except OSError:
            pass


def test_start_that_was_cut_short(daemon):
    """vireod was killed between a QEMU's start and its status file: that QEMU has run nothing, and the next vireod
    ends it. A start is possible again."""
    emulator, gate = f"{daemon.root}/emulator", f"{daemon.root}/gate"
    with open(emulator, "w") as f:
        f.write(SLOW.format(gate=gate))
    os.chmod(emulator, 0o755)
    daemon.define("cut", boot=False, emulator=emulator)
    daemon.paused("known")
    known = daemon.qemus()
    starting = client(daemon, "start", "cut")
    births = f"{daemon.root}/run/births"
    wait_for(lambda: any(emulator in line and "guest=cut" in line for line in command_lines()), 10, "its QEMU's start")
    daemon.stop(signal.SIGKILL)
    end_of(starting)
    with open(gate, "w"):
        pass
    wait_for(lambda: "cut" in daemon.qemus(), 10, "the QEMU of the start that was cut short")
    daemon.start()
    daemon.virsh("list")
    wait_for(lambda: daemon.qemus() == known, 20, "end of that QEMU")
    wait_for(lambda: not os.listdir(births), 10, "end of the birth record")
    daemon.virsh("start", "cut", "--paused")


def test_names_of_others_mean_nothing(daemon):
    """A process that looks like a QEMU of this daemon, by its program, command line and environment, is not touched."""
    daemon.paused("q1")
    with open(f"/proc/{daemon.qemus()['q1']}/cmdline") as f:
        arguments = f.read().split("\0")[1:-1]
    environment = {**os.environ, "VIREO_MONITOR": f"{daemon.root}/lib/monitors/77.sock"}
    likeness = subprocess.Popen(["/bin/sh", "-c", "sleep 600 & wait", *arguments], env=environment,
                                stdin=subprocess.DEVNULL, start_new_session=True)
    twin = subprocess.Popen([VIREOD, "--root", daemon.root, "-v"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        assert twin.wait(20) == 1
        daemon.stop(signal.SIGKILL)
        daemon.start()
        daemon.virsh("list")
        assert likeness.poll() is None
    finally:
        os.killpg(likeness.pid, signal.SIGKILL)
        likeness.wait()


def test_odd_definition_files(daemon):
    """A copy of a definition does not bring its domain back."""
    daemon.define("twice", boot=False)
    daemon.define("once", boot=False)
    shutil.copy(f"{daemon.root}/etc/domains/once.xml", f"{daemon.root}/etc/domains/copy.xml")
    daemon.stop()
    daemon.start()
    names = daemon.virsh("list", "--all", "--name").split()
    assert sorted(names) == ["once", "twice"]
    assert "copy.xml' is not the file of domain 'once'" in daemon.log_text()
    daemon.virsh("undefine", "once")
    daemon.stop()
    daemon.start()
    assert daemon.virsh("list", "--all", "--name").split() == ["twice"]


def test_state_follows_qemu_whatever_job_is_held(daemon):
    """stop and cont by another hand, a start with other XML over the definition."""
    daemon.paused("v1")
    daemon.virsh("qemu-monitor-command", "v1", "--hmp", "cont")
    wait_for(lambda: "running" in daemon.virsh("domstate", "v1"), 10, "state 'running'")
    daemon.virsh("qemu-monitor-command", "v1", "--hmp", "stop")
    wait_for(lambda: "paused" in daemon.virsh("domstate", "v1"), 10, "state 'paused'")
    daemon.virsh("destroy", "v1")
    path = f"{daemon.root}/other.xml"
    uuid = daemon.virsh("domuuid", "v1").strip()
    with open(path, "w") as f:
        f.write(daemon.xml("v1", boot=False, maximum=7).replace("<name>", f"<uuid>{uuid}</uuid><name>"))
    daemon.virsh("create", path, "--paused")
    assert daemon.counts("v1")[("maximum", "live")] == 7 and daemon.counts("v1")[("maximum", "config")] == 4
    daemon.virsh("destroy", "v1")
    assert daemon.counts("v1")[("maximum", "config")] == 4


@pytest.mark.parametrize("kind, said", [
    ("arch='x86_64' machine='never-made'", "does not support machine type 'never-made'"),
    ("arch='ppc64' machine='q35'", "does not support machine type 'q35'"),
    ("arch='sparc99' machine='q35'", "no emulator is known for arch 'sparc99'")])
def test_a_machine_that_is_not_there_is_refused_at_define(daemon, kind, said):
    path = f"{daemon.root}/m1.xml"
    with open(path, "w") as f:
        f.write("<domain type='qemu'><name>m1</name><memory>65536</memory><vcpu>1</vcpu>"
                f"<os><type {kind}>hvm</type></os></domain>")
    assert said in daemon.virsh("define", path, ok=False)
    assert "m1" not in daemon.virsh("list", "--all")


@needs_strace
def test_half_written_files_go(daemon):
    """What a kill between the writing of a file and its name has left goes with the next start. What is not the daemon's own
    stays, and so does what a link leads to."""
    directory = f"{daemon.root}/etc/domains"
    daemon.define("h1", boot=False)
    slow = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(daemon.pid()), "-e",
                             "inject=rename:signal=SIGKILL:when=1"], stdin=subprocess.DEVNULL)
    wait_for(lambda: "TracerPid:\t0" not in open(f"/proc/{daemon.pid()}/status").read(), 20, "strace")
    daemon.run("virsh", "desc", "h1", "--config", "--title", "new", ok=None)
    assert daemon.process.wait(20) == -signal.SIGKILL
    slow.wait(20)
    left, = glob.glob(f"{directory}/h1.xml.tmp-??????")
    mades = [f"{daemon.root}/run/made/{name}.tmp-aaaaaa" for name in ("one.json", "two.json")]
    os.makedirs(os.path.dirname(mades[0]), exist_ok=True)
    theirs = [f"{daemon.root}/theirs.tmp-aaaaaa", f"{directory}/note.tmp-abc", f"{directory}/link.xml.tmp-aaaaaa"]
    for path in [*mades, *theirs[:2]]:
        with open(path, "w") as f:
            f.write("half")
    os.symlink(theirs[0], theirs[2])
    daemon.start()
    assert "h1" in daemon.virsh("list", "--all") and "new" not in daemon.virsh("dumpxml", "h1")
    assert not any(map(os.path.exists, [left, *mades])) and all(map(os.path.exists, theirs))
