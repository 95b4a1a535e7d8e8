# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest finds that breaks out of its QEMU: read from /proc of a running one."""
import grp
import os
import pwd
import socket
import stat
import subprocess
from xml.etree import ElementTree

import pytest

from conftest import Daemon, VIREO, VIREOD, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: only root can confine a QEMU")


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def limits(pid):
    with open(f"/proc/{pid}/limits") as f:
        return {line[:25].strip(): line[26:].split()[:2] for line in f}


def node(pid, name):
    return os.stat(f"/proc/{pid}/root/dev/{name}")


def may_mount():
    """Whether this host lets a process have a /dev of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            os.execvp("unshare", ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt && mknod /mnt/null c 1 3"])
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


DAC_OVERRIDE = 1 << 1
NAME = "vireo-qemu"


@pytest.fixture(autouse=True)
def defaults(monkeypatch):
    """Nothing is set for the tests of the default."""
    monkeypatch.setattr(Daemon, "settings", [])


def test_a_user_of_its_own_by_default(daemon):
    """Made at the first start where the host has none of that name."""
    daemon.paused("default")
    entry, seen = pwd.getpwnam(NAME), status(daemon.qemus()["default"])
    assert entry.pw_uid != 0 and entry.pw_shell.endswith("nologin")
    assert seen["Uid"].split() == [str(entry.pw_uid)] * 4 and seen["Gid"].split() == [str(entry.pw_gid)] * 4
    assert set(seen["Groups"].split()) <= {str(entry.pw_gid), *(str(each.gr_gid) for each in grp.getgrall() if each.gr_name == "kvm")}
    assert seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(seen[kind], 16) == 0, (kind, seen[kind])
    if may_mount():
        assert os.readlink(f"/proc/{daemon.qemus()['default']}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    assert f"QEMU runs as user {entry.pw_uid}" in doctor(daemon)

def facts(pid):
    """What must hold of every thread at any time."""
    user, found = pwd.getpwnam(NAME), set()
    own = {grp.getgrgid(gid).gr_gid for gid in os.getgrouplist(NAME, user.pw_gid)}
    for tid in os.listdir(f"/proc/{pid}/task"):
        seen = status(f"{pid}/task/{tid}")
        assert seen["Uid"].split() == [str(user.pw_uid)] * 4 and seen["Gid"].split() == [str(user.pw_gid)] * 4, seen
        assert {int(gid) for gid in seen["Groups"].split()} <= own, seen
        assert seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2", seen
        assert {seen[kind].strip("0") for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}, seen
        assert not may_mount() or os.readlink(f"/proc/{tid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
        found.add(tid)
    return found


def test_every_thread_stays_nobody(daemon):
    """The kernel's word of each thread: at the start, after vCPUs and a device have come, with another daemon."""
    daemon.paused("nobody", extra="<controller type='usb' model='qemu-xhci'/>")
    pid, xml = daemon.qemus()["nobody"], f"{daemon.root}/disk.xml"
    first = facts(pid)
    daemon.virsh("setvcpus", "nobody", "4", "--live")
    assert len(facts(pid) - first) >= 3
    with open(xml, "w") as f:
        f.write(disk(image(daemon, "disk.raw"), "sdx").replace("virtio", "usb"))
    daemon.virsh("attach-device", "nobody", xml, "--live")
    daemon.virsh("iothreadadd", "nobody", "7", "--live")
    daemon.stop()
    daemon.start()
    before = facts(pid)
    daemon.virsh("detach-device", "nobody", xml, "--live")
    daemon.virsh("iothreadadd", "nobody", "8", "--live")
    assert facts(pid) - before


def doctor(daemon):
    return daemon.run(VIREO, "doctor", ok=None).stdout


def without_user(root):
    """A private vireod that cannot make a user: passwd without one, useradd that fails."""
    for name, line in (("passwd", "root:x:0:0::/root:/bin/sh\n"), ("group", "root:x:0:\n")):
        with open(f"{root}/{name}", "w") as f:
            f.write(line)
    os.makedirs(f"{root}/bin")
    with open(f"{root}/bin/useradd", "w") as f:
        f.write("#!/bin/sh\nexit 1\n")
    os.chmod(f"{root}/bin/useradd", 0o755)
    return ["unshare", "-m", "sh", "-c", f"mount --bind {root}/passwd /etc/passwd && "
            f"mount --bind {root}/group /etc/group && PATH={root}/bin:$PATH exec {VIREOD} --root {root}"]


def test_a_user_that_cannot_be_made_is_said(daemon):
    if not may_mount():
        pytest.skip("SKIP: no mount namespaces here")
    daemon.stop()
    with open(f"{daemon.root}/vireod.log", "ab") as log:
        daemon.process = subprocess.Popen(without_user(daemon.root), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    daemon.log = open(f"{daemon.root}/vireod.log")
    wait_for(daemon.answers, 20, "vireod that answers")
    said = f"QEMU runs as root: the user '{NAME}' cannot be made"
    assert said in doctor(daemon) and said in daemon.log_text()
    daemon.paused("root")
    assert status(daemon.qemus()["root"])["Uid"].split() == ["0"] * 4


def test_a_root_that_it_cannot_search_is_said(daemon):
    os.chmod(daemon.root, 0o700)
    daemon.stop()
    daemon.start()
    said = f"QEMU runs as root: the user '{NAME}' may not search '{daemon.root}'"
    assert said in doctor(daemon) and said in daemon.log_text()
    daemon.paused("root")
    assert status(daemon.qemus()["root"])["Uid"].split() == ["0"] * 4


@pytest.fixture
def rooted(daemon):
    """A daemon whose QEMUs stay root."""
    daemon.configure("user = root")
    return daemon


def test_root_opens_what_is_other_peoples(rooted):
    """Without a user of its own, QEMU keeps what opens an image that belongs to somebody else, and changes no owner."""
    daemon = rooted
    path = f"{daemon.root}/theirs.raw"
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    os.chown(path, 12345, 12345)
    os.chmod(path, 0o600)
    daemon.paused("theirs", extra=disk(path))
    assert owner(path) == (12345, 12345)


def test_no_privilege(rooted):
    daemon = rooted
    daemon.paused("plain")
    pid = daemon.qemus()["plain"]
    seen = status(pid)
    assert seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2", seen
    for kind, left in {"CapInh": 0, "CapPrm": DAC_OVERRIDE, "CapEff": DAC_OVERRIDE, "CapBnd": DAC_OVERRIDE,
                       "CapAmb": 0}.items():
        assert int(seen[kind], 16) == left, (kind, seen[kind])
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    with open(f"/proc/{pid}/environ", "rb") as f:
        names = sorted(word.split(b"=")[0].decode() for word in f.read().split(b"\0") if word)
    assert names == ["HOME", "LC_ALL", "PATH", "VIREO_MONITOR"]
    assert limits(pid)["Max core file size"] == ["0", "0"]
    with open(f"/proc/{pid}/cmdline") as f:
        words = f.read().split("\0")
    assert "dump-guest-core=off" in words[words.index("-machine") + 1]
    assert words[words.index("-sandbox") + 1] == \
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def test_a_small_dev(daemon):
    if not may_mount():
        pytest.skip("SKIP: no mount namespaces here")
    daemon.paused("small", extra="<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")
    pid = daemon.qemus()["small"]
    assert os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    assert stat.S_ISCHR(node(pid, "null").st_mode) and node(pid, "null").st_rdev == os.makedev(1, 3)
    names = set(os.listdir(f"/proc/{pid}/root/dev"))
    assert names <= {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "kvm", "pts", "shm", "mqueue",
                     "hugepages", "fd", "stdin", "stdout", "stderr"}, names
    assert os.path.exists("/dev/null") and not os.path.ismount("/dev/null")  # nothing of it came back here


def test_settings_take_it_back(daemon):
    daemon.configure("sandbox = no", "private_dev = no", "max_core_mib = 1")
    daemon.paused("open")
    pid = daemon.qemus()["open"]
    assert status(pid)["Seccomp"] == "0" and status(pid)["NoNewPrivs"] == "1"
    assert os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    assert limits(pid)["Max core file size"][0] in ("0", str(1 << 20))


def test_a_pty_and_kvm(daemon):
    """What is opened by QEMU itself, in its own /dev."""
    kind = "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) else "qemu"
    cpu = "<cpu mode='custom'><model>kvm64</model></cpu>" if kind == "kvm" else ""
    daemon.paused("pty", kind=kind, cpu=cpu, extra="<console type='pty'><target type='virtio' port='1'/></console>")
    xml = daemon.virsh("dumpxml", "pty")
    assert "path='/dev/pts/" in xml, xml


def test_memory_that_cannot_be_locked_is_named(daemon):
    """With a limit that vireod cannot raise; or it is locked."""
    daemon.define("locked", boot=False, metadata="<memoryBacking><locked/></memoryBacking>")
    result = daemon.run("virsh", "start", "locked", "--paused", ok=None)
    if result.returncode == 0:
        assert int(status(daemon.qemus()["locked"])["VmLck"].split()[0]) >= 64 * 1024
    else:
        assert "cannot be locked" in result.stderr


# ---- a user of its own ----

USER = 64901  # nobody's on any host


@pytest.fixture
def owned(daemon):
    """A daemon whose QEMUs are somebody else."""
    daemon.configure(f"user = +{USER}", f"group = +{USER}")
    return daemon


def owner(path):
    info = os.lstat(path)
    return info.st_uid, info.st_gid


def image(daemon, name, mode=0o600):
    path = f"{daemon.root}/{name}"
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    os.chmod(path, mode)
    return path


def disk(path, target="vda", more=""):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}'/>"
            f"<target dev='{target}' bus='virtio'/>{more}</disk>")


def test_is_nobody(owned):
    path = image(owned, "disk.raw")
    owned.paused("nobody", extra=disk(path))
    seen = status(owned.qemus()["nobody"])
    assert seen["Uid"].split() == [str(USER)] * 4 and seen["Gid"].split() == [str(USER)] * 4
    assert seen["Groups"].split() in ([], [str(USER)])
    assert seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2" and int(seen["CapEff"], 16) == 0
    assert owner(path) == (USER, USER) and owner(owned.console("nobody")) == (USER, USER)
    owned.virsh("setvcpus", "nobody", "3", "--live")  # works on
    owned.virsh("destroy", "nobody")
    assert owner(path) == (0, 0) and owner(owned.console("nobody")) == (0, 0)
    assert "trusted.vireo.owner" not in os.listxattr(path)


def test_files_come_back_over_a_restart(owned):
    """Also from another daemon, and exactly as they were."""
    path = image(owned, "disk.raw")
    os.chown(path, 1234, 2345)
    owned.paused("restart", extra=disk(path))
    assert owner(path) == (USER, USER)
    owned.stop()
    owned.start()
    assert owner(path) == (USER, USER)
    owned.virsh("destroy", "restart")
    assert owner(path) == (1234, 2345)


def test_a_shared_image_is_counted(owned):
    path = image(owned, "shared.raw")
    for name in ("one", "two"):
        owned.paused(name, extra=disk(path, more="<shareable/>"))
    owned.virsh("destroy", "one")
    assert owner(path) == (USER, USER)
    owned.virsh("destroy", "two")
    assert owner(path) == (0, 0)


def test_what_can_be_read_stays(owned):
    path = image(owned, "readable.raw", mode=0o644)
    owned.paused("reader", extra=disk(path, more="<readonly/>"))
    assert owner(path) == (0, 0)


def test_a_socket_that_another_listens_at(owned):
    """libguestfs listens and QEMU connects: what QEMU's user may not write to is his for the run."""
    path = f"{owned.root}/listens.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen()
        owned.paused("talks", extra=f"<serial type='unix'><source mode='connect' path='{path}'/></serial>")
        assert owner(path) == (USER, USER)
        listener.accept()[0].close()
        owned.virsh("destroy", "talks")
        assert owner(path) == (0, 0)
    os.unlink(path)
    said = owned.virsh("start", "talks", ok=False)  # nobody listens: QEMU says so
    assert "No such file" in said and "talks" not in owned.qemus()


def test_a_failed_start_gives_back(owned):
    path = image(owned, "disk.raw")
    owned.define("fails", boot=False, extra=disk(path) + disk(f"{owned.root}/other.raw", "vdb"))
    image(owned, "other.raw")
    with open(f"{owned.root}/other.raw", "wb") as f:  # QEMU refuses a disk of no whole sector
        f.truncate(0)
    owned.run("virsh", "start", "fails", "--paused", ok=None)
    owned.run("virsh", "destroy", "fails", ok=None)
    assert owner(path) == (0, 0) and owner(f"{owned.root}/other.raw") == (0, 0)


def test_a_seclabel_says_who(owned):
    path = image(owned, "disk.raw")
    label = "<seclabel type='static' model='dac' relabel='yes'><label>+64902:+64903</label></seclabel>"
    owned.define("label", boot=False, extra=disk(path) + f"</devices>{label}<devices>")
    owned.virsh("start", "label", "--paused")
    seen = status(owned.qemus()["label"])
    assert seen["Uid"].split()[0] == "64902" and seen["Gid"].split()[0] == "64903"
    assert owner(path) == (64902, 64903)
    owned.virsh("destroy", "label")
    assert owner(path) == (0, 0)


def labels(owned, name, *flags):
    """<label> and <imagelabel> of the model dac; None: there is no such <seclabel>."""
    tree = ElementTree.fromstring(owned.virsh("dumpxml", name, *flags))
    found = tree.find("seclabel[@model='dac']")
    return None if found is None else (found.findtext("label"), found.findtext("imagelabel"))


def test_a_dynamic_label_is_of_the_run(owned):
    """Filled in where the definition has none, made anew where a saved guest comes back to another user."""
    uid, gid = (status(os.getpid())[kind].split()[0] for kind in ("Uid", "Gid"))
    owned.define("dynamic", boot=False, extra="</devices><seclabel type='dynamic' model='dac'/><devices>")
    owned.virsh("start", "dynamic", "--paused")
    assert labels(owned, "dynamic") == (f"+{USER}:+{USER}",) * 2
    assert labels(owned, "dynamic", "--inactive") == (None, None)
    owned.virsh("managedsave", "dynamic", "--paused")
    owned.configure("user = root")
    owned.virsh("start", "dynamic", "--paused")
    assert labels(owned, "dynamic") == (f"+{uid}:+{gid}",) * 2
    owned.stop()
    owned.start()
    assert labels(owned, "dynamic") == (f"+{uid}:+{gid}",) * 2


def test_the_definition_of_a_transient_domain(owned):
    """What its run has been given is no part of it."""
    path = image(owned, "disk.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"], check=True, stdin=subprocess.DEVNULL)
    drive = disk(path).replace("type='raw'", "type='qcow2'")
    file = f"{owned.root}/brief.xml"
    with open(file, "w") as f:
        f.write(owned.xml("brief", boot=False, extra=drive))
    owned.virsh("create", file, "--paused")
    assert labels(owned, "brief") == (f"+{USER}:+{USER}",) * 2
    assert owned.virsh("dumpxml", "brief").count("<backingStore/>") == 1
    assert labels(owned, "brief", "--inactive") is None
    assert "<backingStore" not in owned.virsh("dumpxml", "brief", "--inactive")


@pytest.mark.parametrize("model", ["selinux", "apparmor"])
def test_a_static_label_that_would_not_be_applied(owned, model):
    """Refused at the start, whatever the host has; a dynamic one or none is no promise."""
    seclabel = "</devices><seclabel type='{}' model='{}'{}<devices>"
    owned.define("held", boot=False, extra=seclabel.format("static", model, "><label>x</label></seclabel>"))
    assert f"model='{model}'> cannot be applied" in owned.virsh("start", "held", "--paused", ok=False)
    assert owned.virsh("domstate", "held").strip() == "shut off"
    owned.virsh("undefine", "held")
    owned.define("held", boot=False, extra=seclabel.format("dynamic", model, "/>"))
    owned.virsh("start", "held", "--paused")


def test_doctor_says_what_labels_there_are(owned):
    """Of a host that runs neither module; tests/vm has one with AppArmor."""
    if os.path.exists("/sys/fs/selinux/enforce") or os.path.exists("/sys/module/apparmor/parameters/enabled"):
        pytest.skip("SKIP: this host runs SELinux or AppArmor")
    assert "the host has neither SELinux nor AppArmor" in doctor(owned)
    xml = ElementTree.fromstring(owned.virsh("capabilities"))
    assert [model.text for model in xml.findall("host/secmodel/model")] == ["none", "dac"]
    assert [each.text for each in xml.findall("host/secmodel/baselabel")] == [f"+{USER}:+{USER}"] * 2


def test_a_driver_that_cannot_be_used(daemon):
    """One that was set has to be there."""
    if os.path.exists("/sys/module/apparmor/parameters/enabled"):
        pytest.skip("SKIP: this host may run AppArmor")
    for name, why in (("apparmor", "the host does not run AppArmor"), ("smack", "there is no security driver 'smack'")):
        daemon.stop()
        with open(f"{daemon.root}/etc/vireod.conf", "w") as f:
            f.write(f"security_driver = {name}\n")
        result = subprocess.run([VIREOD, "--root", daemon.root], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert result.returncode == 1 and why in result.stderr, result.stderr
    os.unlink(f"{daemon.root}/etc/vireod.conf")
    daemon.start()


def test_a_disk_that_comes_and_goes(owned):
    """It is QEMU's from the attach to the evidence that it has gone, also where the attach fails or the daemon is new."""
    path, empty = image(owned, "disk.raw"), image(owned, "empty.raw")
    os.chown(path, 1234, 2345)
    ports = "<controller type='pci' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 4
    drive = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"
    owned.paused("plug", extra=ports + drive)
    xml = f"{owned.root}/disk.xml"
    with open(xml, "w") as f:
        f.write(disk(path))
    owned.virsh("attach-device", "plug", xml, "--live")
    assert owner(path) == (USER, USER)
    with open(xml, "w") as f:
        f.write(disk(path, "vdb"))
    owned.virsh("attach-device", "plug", xml, "--live", ok=False)  # QEMU has locked it
    assert owner(path) == (USER, USER)
    owned.stop()
    owned.start()
    owned.virsh("change-media", "plug", "sda", empty, "--insert", "--live")
    assert owner(empty) == (USER, USER)
    owned.virsh("change-media", "plug", "sda", "--eject", "--live")
    assert owner(empty) == (0, 0)
    owned.virsh("destroy", "plug")
    assert owner(path) == (1234, 2345) and owner(empty) == (0, 0)


def planted(root):
    """A directory of somebody who wants a file of root's: {what: path}, and the file."""
    secret = f"{root}/secret"
    with open(secret, "w") as f:
        f.write("root's" + " " * 1024)
    os.chmod(secret, 0o600)
    theirs = f"{root}/theirs"
    os.mkdir(theirs, 0o755)
    os.symlink(secret, f"{theirs}/link")
    os.link(secret, f"{theirs}/hardlink")
    os.mkfifo(f"{theirs}/fifo", 0o600)
    with open(f"{theirs}/foreign", "w") as f:
        f.truncate(4096)
    os.chmod(f"{theirs}/foreign", 0o600)
    with open(f"{theirs}/third", "w") as f:
        f.truncate(4096)
    os.chown(f"{theirs}/third", 4321, 4321)
    os.symlink(root, f"{theirs}/directory")
    for name in ("link", "fifo", "directory"):
        os.lchown(f"{theirs}/{name}", 1234, 1234)
    os.chown(theirs, 1234, 1234)
    return secret, {name: f"{theirs}/{name}" for name in ("link", "hardlink", "fifo", "foreign", "third")} | {
        "directory": f"{theirs}/directory/secret"}


def test_nothing_planted_changes_anything(owned):
    secret, paths = planted(owned.root)
    before = {name: os.lstat(path) for name, path in paths.items()}, os.lstat(secret)
    for name, path in paths.items():
        for where, extra in (("disk", disk(path)),
                             ("serial", f"<serial type='file'><source path='{path}'/><target port='1'/></serial>")):
            owned.define(f"{name}-{where}", boot=False, extra=extra)
            said = owned.run("virsh", "start", f"{name}-{where}", "--paused", ok=None)
            assert said.returncode != 0 and path in said.stderr, (name, where, said.stderr)
    for name, path in paths.items():
        info = os.lstat(path)
        assert (info.st_uid, info.st_gid, info.st_mode) == (
            before[0][name].st_uid, before[0][name].st_gid, before[0][name].st_mode), name
    assert owner(secret) == (0, 0) and os.stat(secret).st_size == before[1].st_size
    assert not owned.qemus()


def test_a_directory_that_cannot_be_passed_is_named(owned):
    os.mkdir(f"{owned.root}/closed", 0o700)
    path = image(owned, "closed/disk.raw")
    owned.define("closed", boot=False, extra=disk(path))
    said = owned.virsh("start", "closed", "--paused", ok=False)
    assert f"'{owned.root}/closed'" in said and "search" in said, said
    assert owner(path) == (0, 0)


def test_an_unknown_user_is_no_start(daemon):
    daemon.stop()
    with open(f"{daemon.root}/etc/vireod.conf", "w") as f:
        f.write("user = nobody-knows-them\n")
    ended = subprocess.run([VIREOD, "--root", daemon.root], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=30)
    assert ended.returncode == 1 and "nobody-knows-them" in ended.stderr
    os.unlink(f"{daemon.root}/etc/vireod.conf")
    daemon.start()
