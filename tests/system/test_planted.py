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


DEVICES = {"disk": disk, "cdrom": cdrom, "backing": backing, "serial": serial, "log": log_of_serial, "rng": rng}
BOOT = {"kernel": "<kernel>{}</kernel>", "initrd": "<kernel>{}</kernel><initrd>{}</initrd>",
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
    if daemon.run("virsh", "define", path, ok=None).returncode == 0:
        daemon.run("virsh", "start", name, "--paused", ok=None)
        daemon.run("virsh", "destroy", name, ok=None)
        daemon.run("virsh", "undefine", name, ok=None)


@pytest.mark.parametrize("what", [*DEVICES, *BOOT])
def test_of_a_definition(owned, what):
    secret, paths = planted(owned.root)
    before = seen(paths, secret)
    for name, path in paths.items():
        xml = owned.xml(name, boot=False, extra=DEVICES[what](path) if what in DEVICES else "")
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
