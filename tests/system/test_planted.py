# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every path of a definition or a call at which the daemon writes, or changes an owner, with something planted there by
another user: a link to a file of root's, another name of it, a FIFO, a third user's file, a link to a directory. Whatever
the call says, what is outside stays as it was, and the daemon goes on.

The daemon's own directories (etc, lib, run, log) are root's alone and refused at the start otherwise: test_start.py."""
import os
import stat

import pytest

from conftest import Daemon
from test_confine import USER, disk, planted

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: only root gives files to others")


def serial(path):
    return f"<serial type='file'><source path='{path}'/><target port='1'/></serial>"


def log_of_serial(path):
    return f"<serial type='null'><log file='{path}'/><target port='1'/></serial>"


def cdrom(path):
    return f"<disk type='file' device='cdrom'><source file='{path}'/><target dev='sda' bus='sata'/><readonly/></disk>"


def backing(path):
    return disk("{good}", more=f"<backingStore type='file'><format type='raw'/><source file='{path}'/></backingStore>")


def rng(path):
    return f"<rng model='virtio'><backend model='random'>{path}</backend></rng>"


def nvdimm(path):
    return (f"<memory model='nvdimm'><source><path>{path}</path></source>"
            "<target><size unit='KiB'>131072</size><node>0</node></target></memory>")


def channel(path):
    return f"<channel type='unix'><source mode='bind' path='{path}'/><target type='virtio' name='planted.0'/></channel>"


def vnc(path):
    return f"<graphics type='vnc'><listen type='socket' socket='{path}'/></graphics>"


DEVICES = {"disk": disk, "cdrom": cdrom, "backing": backing, "serial": serial, "log": log_of_serial, "rng": rng,
           "nvdimm": nvdimm, "channel": channel, "vnc": vnc}
BOOT = {"loader": "<loader>{}</loader>", "dtb": "<kernel>{}</kernel><dtb>{}</dtb>",
        "acpi": "<acpi><table type='slic'>{}</table></acpi>",
        "kernel": "<kernel>{}</kernel>", "initrd": "<kernel>{}</kernel><initrd>{}</initrd>",
        "nvram": "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
                 "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{}</nvram>"}


@pytest.fixture
def owned(daemon, monkeypatch):
    monkeypatch.setattr(Daemon, "settings", [])
    daemon.configure(f"user = +{USER}", f"group = +{USER}")
    with open(f"{daemon.root}/good.raw", "wb") as f:
        f.truncate(1 << 20)
    return daemon


def seen(paths, secret):
    """Who has it and what it is, of all of them, and root's own words."""
    rows = {}
    for path in [*paths.values(), secret]:
        info = os.lstat(path)
        rows[path] = (info.st_uid, info.st_gid, info.st_mode, info.st_ino,
                      info.st_size if stat.S_ISREG(info.st_mode) else 0)
    with open(secret, "rb") as f:
        return rows, f.read()


def start(daemon, name, xml):
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(xml.replace("{good}", f"{daemon.root}/good.raw"))
    if daemon.run("virsh", "create", path, "--paused", ok=None).returncode == 0:
        daemon.virsh("destroy", name)


@pytest.mark.parametrize("what", [*DEVICES, *BOOT])
def test_of_a_definition(owned, what):
    secret, paths = planted(owned.root)
    before = seen(paths, secret)
    for name, path in paths.items():
        xml = owned.xml(name, boot=False, extra=DEVICES[what](path) if what in DEVICES else "")
        if what == "nvdimm":
            xml = xml.replace("<vcpu", "<maxMemory slots='4' unit='GiB'>4</maxMemory><vcpu", 1)
        if what in BOOT:
            xml = xml.replace("hvm</type>", "hvm</type>" + BOOT[what].replace("{}", path))
        start(owned, name, xml)
        assert seen(paths, secret) == before, (what, name)
    assert not owned.qemus()


@pytest.mark.parametrize("call", ["save", "dump", "pool"])
def test_of_a_call(owned, call):
    """A save has its name by a rename: it may replace what is planted, but not what that leads to. A core is written over
    one of root's that is there."""
    secret, paths = planted(owned.root)
    if call == "save":
        paths = {"directory": paths["directory"]} | {name: paths[name] for name in ("link", "hardlink")}
    if call == "dump":
        del paths["foreign"]
    watched = {} if call == "save" else paths
    before = seen(watched, secret)
    for name, path in paths.items():
        if call == "pool":
            owned.run("virsh", "pool-create-as", name, "dir", "--target", path, ok=None)
            owned.run("virsh", "vol-create-as", name, "link", "1M", ok=None)
            owned.run("virsh", "pool-destroy", name, ok=None)
        else:
            owned.paused(name)
            owned.run("virsh", call, name, path, ok=None)
            owned.run("virsh", "destroy", name, ok=None)
        assert seen(watched, secret) == before, (call, name)


def test_of_a_volume(owned):
    """In a directory that is somebody else's. A file of root's there is root's to write."""
    secret, paths = planted(owned.root)
    del paths["foreign"], paths["directory"]
    before = seen(paths, secret)
    with open(f"{owned.root}/words", "w") as f:
        f.write("other words")
    owned.virsh("pool-create-as", "theirs", "dir", "--target", f"{owned.root}/theirs")
    for name in paths:
        for call in (("vol-wipe", name), ("vol-resize", name, "8192"), ("vol-resize", name, "8192", "--allocate"),
                     ("vol-upload", name, f"{owned.root}/words"), ("vol-create-as", name, "4096"),
                     ("vol-create-as", name, "4096", "--format", "qcow2")):
            words = (call[0], "theirs", *call[1:]) if "create" in call[0] else (*call, "--pool", "theirs")
            owned.run("virsh", *words, ok=None)
            assert seen(paths, secret) == before, words
    assert owned.virsh("vol-wipe", "foreign", "--pool", "theirs")


def test_of_a_saved_guest(owned):
    """Its definition is changed where it lies, not in another one that somebody has linked to."""
    owned.paused("guest")
    path, theirs = f"{owned.root}/guest.save", f"{owned.root}/theirs"
    owned.virsh("save", "guest", path)
    os.mkdir(theirs, 0o755)
    os.symlink(path, f"{theirs}/link")
    os.link(path, f"{theirs}/hardlink")
    os.lchown(f"{theirs}/link", 1234, 1234)
    os.chown(theirs, 1234, 1234)
    with open(path, "rb") as f:
        before = f.read()
    with open(f"{owned.root}/guest.xml", "w") as f:
        f.write(owned.virsh("save-image-dumpxml", path).replace("</name>", "</name><title>changed</title>"))
    for name in "link", "hardlink":
        owned.run("virsh", "save-image-define", f"{theirs}/{name}", f"{owned.root}/guest.xml", ok=None)
        with open(path, "rb") as f:
            assert f.read() == before, name
    os.unlink(f"{theirs}/hardlink")
    owned.virsh("save-image-define", path, f"{owned.root}/guest.xml")
    with open(path, "rb") as f:
        assert f.read() != before


@pytest.mark.parametrize("what", ["link", "hardlink", "fifo", "foreign"])
def test_of_the_only_directory_that_qemu_writes(owned, what):
    """A guest that broke out has made what is in the way of another one's agent. Nothing else in the daemon's own
    directories belongs to QEMU's user, or may be written by it, while a guest runs, but its sockets."""
    secret, paths = planted(owned.root)
    agent = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    owned.paused("first", extra=agent)
    name = f"{owned.root}/lib/channel/second.channel0"
    assert os.path.exists(f"{owned.root}/lib/channel/first.channel0")
    os.rename(paths[what], name)
    before = seen({}, secret)
    owned.define("second", boot=False, extra=agent)
    owned.run("virsh", "start", "second", "--paused", ok=None)
    owned.run("virsh", "destroy", "second", ok=None)
    assert seen({}, secret) == before
    for directory in ("etc", "lib", "run", "log"):
        for where, _, names in os.walk(f"{owned.root}/{directory}"):
            for path in [where, *(f"{where}/{each}" for each in names)]:
                info = os.lstat(path)
                if stat.S_ISSOCK(info.st_mode) or stat.S_ISLNK(info.st_mode) or path == name:
                    continue
                assert info.st_uid != USER and not info.st_mode & stat.S_IWOTH, path
                assert not (info.st_mode & stat.S_IWGRP and info.st_gid == USER) or path == f"{owned.root}/lib/channel", path
