# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages: what an administrator has after installing them, upgrading them while guests run, and, with
test_reboot.py, when the host starts again."""
import glob
import os
import shutil
import signal

import pytest

from conftest import SOCKET, UNITS, Daemon, run, unit, wait_for
from test_limits import scope_of

PACKAGES = "/payload/packages"
SOCKETS = UNITS[1:]
RULE = "/etc/polkit-1/rules.d/50-vireo-test.rules"
MODE = "/run/systemd/system/vireod.socket.d"

pytestmark = pytest.mark.skipif(not glob.glob(f"{PACKAGES}/*.deb"), reason="SKIP: no packages were brought (--packages)")


def activated():
    """No service, only its sockets: what `systemctl enable --now vireod.socket` leaves on a host."""
    run("systemctl", "stop", "vireod.service", *SOCKETS)
    run("systemctl", "disable", "vireod.service", *SOCKETS)
    run("systemctl", "enable", "--now", "vireod.socket")


@pytest.fixture(scope="module")
def host():
    """As the packages leave it; the tests of this file build on each other, for a guest in a guest takes its time."""
    daemon = Daemon()
    yield daemon
    for name in daemon.qemus():
        daemon.vireo("destroy", name, ok=None)
    for name in daemon.virsh("list", "--all", "--name").split():
        daemon.vireo("undefine", name, ok=None)
    shutil.rmtree(MODE, ignore_errors=True)
    if os.path.exists(RULE):
        os.unlink(RULE)
    run("systemctl", "daemon-reload")


def test_what_is_installed(host):
    for name in "vireo-daemon", "vireo-client":
        assert run("dpkg-query", "-W", "-f", "${db:Status-Status}", name).stdout == "installed"
    assert run("getent", "passwd", "vireo-qemu").stdout and run("getent", "group", "vireo").stdout
    for name in UNITS + ["vireo-guests.service"]:
        assert unit(name, "UnitFileState") == "enabled" and unit(name, "ActiveState") == "active", name
    mode = os.stat(SOCKET)
    assert mode.st_mode & 0o777 == 0o660 and run("stat", "-c", "%U:%G", SOCKET).stdout == "root:vireo\n"


def test_first_call_activates(host):
    activated()
    assert unit("vireod.service", "ActiveState") == "inactive" and host.pid() == 0
    assert host.virsh("list", "--all", "--name").split() == []
    assert unit("vireod.service", "ActiveState") == "active"
    run("systemctl", "enable", *UNITS)  # as the package has it, for what follows
    run("systemctl", "start", *UNITS)


def test_at_libvirts_paths(host):
    """Not enabled by itself; then stock clients need no URI, and the guests' owner is the same daemon."""
    units = [f"vireod-libvirt{kind}.socket" for kind in ("", "-ro", "-admin")]
    for name in units:
        assert unit(name, "UnitFileState") == "disabled" and unit(name, "ActiveState") == "inactive", name
    assert not os.path.exists("/run/libvirt/libvirt-sock")
    run("systemctl", "stop", "vireod.service")
    run("systemctl", "enable", "--now", units[0])
    try:
        run("systemctl", "start", "vireod.service")
        for name in units:
            assert unit(name, "UnitFileState") == "enabled" and unit(name, "ActiveState") == "active", name
        host.define("shown")
        assert run("virsh", "list", "--all", "--name").stdout.split() == ["shown"]
        assert run("virsh", "uri").stdout.strip() == "qemu:///system"
        reader = run("runuser", "-u", "nobody", "--", "virsh", "-r", "-c", "qemu:///system", "list", "--all", "--name")
        assert reader.stdout.split() == ["shown"]
        writer = run("runuser", "-u", "nobody", "--", "virsh", "-c", "qemu:///system", "list", ok=False)
        assert "Permission denied" in writer.stderr, writer
        run("virsh", "undefine", "shown")
        if shutil.which("virt-admin"):  # from Debian 13 on it comes with libvirt's daemon
            assert "vireod" in run("virt-admin", "-c", "libvirtd:///system", "server-list").stdout
        assert run("stat", "-c", "%a %U:%G", "/run/libvirt/libvirt-sock").stdout == "660 root:vireo\n"
        with open("/usr/sbin/libvirtd", "x"):  # a host that has libvirt
            pass
        run("systemctl", "stop", *units)
        assert run("systemctl", "start", units[0], ok=False).returncode != 0
    finally:
        if os.path.exists("/usr/sbin/libvirtd") and os.path.getsize("/usr/sbin/libvirtd") == 0:
            os.unlink("/usr/sbin/libvirtd")
        run("systemctl", "disable", "--now", *units, ok=None)
        run("systemctl", "restart", "vireod.service")
    assert host.virsh("list", "--all", "--name").split() == []


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return {line.split(":")[0]: line.split(":")[1].split() for line in f}


def user_of_qemu():
    return run("getent", "passwd", "vireo-qemu").stdout.split(":")[2:4]


def check_nobody(host, name):
    """QEMU is its own user, may nothing, has its profile of AppArmor, and is in a scope of its own."""
    pid = host.qemus()[name]
    facts = status(pid)
    uid, gid = user_of_qemu()
    assert facts["Uid"] == [uid] * 4 and facts["Gid"] == [gid] * 4, facts
    assert facts["Seccomp"] == ["2"] and facts["NoNewPrivs"] == ["1"], facts
    for kind in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
        assert int(facts[kind][0], 16) == 0, (kind, facts)
    assert os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/1/ns/mnt")
    with open(f"/proc/{pid}/attr/current") as f:
        assert f.read().strip("\0\n") == f"vireo-{host.virsh('domuuid', name).strip()} (enforce)"
    scope, _ = scope_of(host, name)
    assert unit(scope, "Slice") == "machine.slice" and unit(scope, "ActiveState") == "active"
    return pid


def test_a_guest_grows_and_shrinks(host, guest):
    """Under TCG, in a guest that boots."""
    host.boot("grows", maximum=3)
    check_nobody(host, "grows")
    host.virsh("setvcpus", "grows", "3", "--live")
    host.wait_online("grows", "0-2")
    # A guest in a guest may answer behind the deadline of a daemon with its defaults: then it is completed late.
    asked = run("virsh", "-c", host.uri, "setvcpus", "grows", "1", "--live", ok=None)
    assert asked.returncode == 0 or "vcpu unplug request timed out" in asked.stderr, asked.stderr
    host.wait_online("grows", "0")
    wait_for(lambda: host.counts("grows")[("current", "live")] == 1, 60, "vCPUs that are given back")
    check_nobody(host, "grows")


def test_who_is_let_in(host):
    """Nobody but root and the group, until polkit is asked: then whom a rule admits, to what it says."""
    nobody = ["runuser", "-u", "nobody", "--", "virsh", "-c", host.uri]
    assert "Permission denied" in run(*nobody, "list", ok=False).stderr
    member = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--groups", "vireo", "--", "virsh", "-c", host.uri]
    assert run(*member, "list", "--all", "--name").stdout.split() == host.virsh("list", "--all", "--name").split()
    os.makedirs(MODE)
    with open(f"{MODE}/zz-mode.conf", "w") as f:
        f.write("[Socket]\nSocketMode=0666\n")
    with open("/etc/vireo/vireod.conf", "a") as f:
        f.write("access = polkit\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "vireod.socket", "vireod.service")
    assert "org.vireo.read" in run(*nobody, "list", "--all", ok=False).stderr
    with open(RULE, "w") as f:
        f.write('polkit.addRule(function(action, subject) { if (action.id == "org.vireo.read" && '
                'subject.user == "nobody") return polkit.Result.YES; });\n')
    wait_for(lambda: run(*nobody, "list", "--all", ok=None).returncode == 0, 20, "effect of the rule")
    for change in ["start", "nothing"], ["undefine", "nothing"]:
        assert "org.vireo.write" in run(*nobody, *change, ok=False).stderr or \
            "failed to get domain" in run(*nobody, *change, ok=False).stderr


LIMITED = "<cputune><period>100000</period><quota>30000</quota><vcpupin vcpu='0' cpuset='1'/></cputune>"


def limits(host, name):
    """What the kernel holds it to."""
    scope, directories = scope_of(host, name)
    found = {}
    for path, _, names in os.walk(directories["cpu"]):
        for file in {"cpu.max", "cpu.weight", "cpuset.cpus"} & set(names):
            with open(f"{path}/{file}") as f:
                found[f"{path}/{file}"] = f.read()
    pid = host.qemus()[name]
    for thread in os.listdir(f"/proc/{pid}/task"):
        facts = status(f"{pid}/task/{thread}")
        if facts["Name"] != ["worker"]:
            found[thread] = facts["Cpus_allowed_list"]
    return found


def test_guests_live_on(host):
    """Over a restart of the service, a reload of systemd's units, a daemon that hangs, and an upgrade of the packages: the
    same QEMUs, held to the same limits, in the same states."""
    host.paused("limited", maximum=3, tune=LIMITED)
    host.define("plain")
    host.virsh("start", "plain")
    host.virsh("setvcpus", "limited", "2", "--live")
    qemus, before = host.qemus(), limits(host, "limited")
    assert any(path.endswith("vcpu0/cpu.max") and text == "30000 100000\n" for path, text in before.items()), before

    def check(what):
        assert host.qemus() == qemus and limits(host, "limited") == before, what
        states = {name: host.virsh("domstate", name).strip() for name in qemus}
        assert states == {name: "paused" if name == "limited" else "running" for name in qemus}, (what, states)

    run("systemctl", "daemon-reload")
    check("a reload")
    run("systemctl", "restart", "vireod.service")
    check("a restart")
    os.makedirs("/run/systemd/system/vireod.service.d")
    with open("/run/systemd/system/vireod.service.d/watchdog.conf", "w") as f:
        f.write("[Service]\nWatchdogSec=4\nTimeoutAbortSec=1\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "vireod.service")
    pid = host.pid()
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: host.pid() not in (0, pid) and unit("vireod.service", "ActiveState") == "active", 30, "new vireod")
    check("a hang")
    shutil.rmtree("/run/systemd/system/vireod.service.d")
    run("systemctl", "daemon-reload")
    pid = host.pid()
    upgrade("0.1.0+upgraded")
    assert unit("vireod.service", "ActiveState") == "active" and host.pid() not in (0, pid)
    check("an upgrade")
    host.virsh("setvcpus", "limited", "3", "--live")
    assert host.counts("limited")[("current", "live")] == 3


def upgrade(version):
    """The same packages with another number."""
    directory = "/var/tmp/upgrade"
    os.makedirs(directory)
    for package in glob.glob(f"{PACKAGES}/vireo-[cd]*_amd64.deb"):
        tree = f"{directory}/{os.path.basename(package)}.tree"
        run("dpkg-deb", "-R", package, tree)
        with open(f"{tree}/DEBIAN/control") as f:
            lines = [f"Version: {version}\n" if line.startswith("Version:") else line for line in f]
        with open(f"{tree}/DEBIAN/control", "w") as f:
            f.writelines(lines)
        run("dpkg-deb", "-Znone", "-b", tree, f"{directory}/{os.path.basename(package)}")
        shutil.rmtree(tree)
    run("dpkg", "-i", "--force-confold", *glob.glob(f"{directory}/*.deb"))
    shutil.rmtree(directory)
    assert run("dpkg-query", "-W", "-f", "${Version}", "vireo-daemon").stdout == version
