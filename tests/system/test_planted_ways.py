# SPDX-License-Identifier: LGPL-2.1-or-later
"""Directories on the way to a file, and names that change while the daemon works: a stranger's link leads to a directory of
root's, or is put in the place of what is being made. Nothing there is made, written, removed or given to anybody."""
import contextlib
import os
import stat
import subprocess
import sys

import pytest

from test_planted import owned  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: only root gives files to others")
THEM = 1234
CODE = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


def tree(directory):
    found = {}
    for where, directories, names in os.walk(directory):
        for name in directories + names:
            path = os.path.join(where, name)
            info = os.lstat(path)
            found[path] = (info.st_ino, info.st_uid, info.st_gid, info.st_mode,
                           info.st_size if stat.S_ISREG(info.st_mode) else 0)
    return found


@pytest.fixture
def ways(owned):  # noqa: F811
    """The daemon, a directory of root's, one of a stranger's with a link "way" to it; root's is as it was afterwards."""
    roots, theirs = f"{owned.root}/roots", f"{owned.root}/theirs"
    os.makedirs(f"{roots}/sub")
    os.makedirs(theirs)
    with open(f"{roots}/file", "w") as f:
        f.write("root's")
    os.symlink(roots, f"{theirs}/way")
    os.symlink(f"{roots}/file", f"{theirs}/link")
    os.mkfifo(f"{theirs}/fifo")
    for name in ("way", "link", "fifo"):
        os.lchown(f"{theirs}/{name}", THEM, THEM)
    os.chown(theirs, THEM, THEM)
    before = tree(roots)
    yield owned, roots, theirs
    assert tree(roots) == before


def define(daemon, name, os_part="", extra="", head=""):
    with open(f"{daemon.root}/{name}.xml", "w") as f:
        f.write(daemon.xml(name, boot=False, extra=extra).replace("hvm</type>", "hvm</type>" + os_part)
                .replace("<vcpu", head + "<vcpu", 1))
    daemon.virsh("define", f.name)


def test_firmware_variables(ways):
    daemon, roots, theirs = ways
    before = tree(roots)
    for name, path, options in (("new", f"{theirs}/way/new", []), ("deep", f"{theirs}/way/deep/new", []),
                                ("reset", f"{theirs}/way/file", ["--reset-nvram"])):
        define(daemon, name, CODE + f"<nvram template='{VARIABLES}'>{path}</nvram>")
        assert path in daemon.virsh("start", name, "--paused", *options, ok=False)
        assert tree(roots) == before, name


@pytest.mark.parametrize("what", ["link", "fifo", "way/file"])
def test_template_of_firmware_variables(ways, what):
    """It would be the guest's to read."""
    daemon, _, theirs = ways
    define(daemon, "guest", CODE + f"<nvram template='{theirs}/{what}'>{daemon.root}/variables</nvram>")
    assert f"{theirs}/{what}" in daemon.virsh("start", "guest", "--paused", ok=False)
    assert not os.path.exists(f"{daemon.root}/variables")


def test_pool(ways):
    daemon, roots, theirs = ways
    before = tree(roots)
    for path in (f"{theirs}/way/new/deep", f"{theirs}/way/sub", f"{theirs}/way"):
        with open(f"{daemon.root}/pool.xml", "w") as f:
            f.write(f"<pool type='dir'><name>p</name><target><path>{path}</path><permissions><owner>{THEM}</owner>"
                    f"<group>{THEM}</group><mode>0777</mode></permissions></target></pool>")
        daemon.virsh("pool-define", f.name)
        for call in ("pool-build", "pool-start", "pool-delete"):
            assert path in daemon.virsh(call, "p", ok=False)
            assert tree(roots) == before, (path, call)
        daemon.virsh("pool-undefine", "p")


def test_pool_whose_directory_is_exchanged(ways):
    """For a link to root's, while it is active."""
    daemon, roots, theirs = ways
    os.mkdir(f"{theirs}/pool")
    for name in ("file", "image"):
        with open(f"{theirs}/pool/{name}", "w") as f:
            f.write("theirs")
    os.mkdir(f"{theirs}/pool/sub")
    daemon.virsh("pool-create-as", "p", "dir", "--target", f"{theirs}/pool")
    os.rename(f"{theirs}/pool", f"{theirs}/old")
    os.rename(f"{theirs}/way", f"{theirs}/pool")
    before = tree(roots)
    for call in (["vol-delete", "file"], ["vol-delete", "sub"], ["vol-wipe", "file"], ["vol-resize", "file", "1M"],
                 ["vol-create-as", "p", "new", "1M"], ["vol-create-as", "p", "new", "1M", "--format", "qcow2"],
                 ["vol-clone", "file", "clone"]):
        daemon.virsh(*call, *([] if "create" in call[0] else ["--pool", "p"]), ok=False)
        assert tree(roots) == before, call


def test_what_root_runs(ways):
    """A stranger's program is not run, a stranger's link is not served."""
    daemon, roots, theirs = ways
    program = f"{theirs}/program"
    with open(program, "w") as f:
        f.write(f"#!/bin/sh\ntouch {roots}/ran\n")
    os.chmod(program, 0o755)
    os.chown(program, THEM, THEM)
    os.mkdir(f"{daemon.root}/shared", 0o777)
    folder = "<filesystem type='mount'><driver type='virtiofs'/>{}<source dir='{}'/><target dir='x'/></filesystem>"
    for name, path, extra in (("binary", program, folder.format(f"<binary path='{program}'/>", f"{daemon.root}/shared")),
                              ("folder", f"{theirs}/way", folder.format("", f"{theirs}/way")),
                              ("script", program, f"<interface type='ethernet'><script path='{program}'/></interface>")):
        define(daemon, name, extra=extra, head=SHARED)
        said = daemon.virsh("start", name, "--paused", ok=False)
        assert path in said or (name == "script" and "net/tun" in said), said  # a host without taps
    assert not os.path.exists(f"{roots}/ran")


# As the stranger, for ever: NAME is a link to TARGET, or to nothing there yet.
SWAP = f"""
import os, sys
os.setgid({THEM})
os.setuid({THEM})
os.chdir(sys.argv[1])
target, name, only_there = sys.argv[2], sys.argv[3], sys.argv[4:]
print("begun", flush=True)
while True:
    try:
        if not only_there or os.path.lexists(name):
            os.symlink(target, "swap")
            os.rename("swap", name)
    except OSError:
        pass
"""


@contextlib.contextmanager
def swapping(*words):
    process = subprocess.Popen([sys.executable, "-c", SWAP, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("how", ["raw", "qcow2", "clone"])
def test_volume_that_is_made_meanwhile(ways, how):
    daemon, roots, theirs = ways
    before = tree(roots)
    os.mkdir(f"{theirs}/pool")
    os.chown(f"{theirs}/pool", THEM, THEM)
    daemon.virsh("pool-create-as", "p", "dir", "--target", f"{theirs}/pool")
    daemon.virsh("vol-create-as", "p", "source", "1M")
    call = ["vol-clone", "source", "v", "--pool", "p"] if how == "clone" else ["vol-create-as", "p", "v", "1M", "--format", how]
    with swapping(f"{theirs}/pool", f"{roots}/file", ".vireo-new-v"):
        for _ in range(4):
            daemon.run("virsh", *call, ok=None)
            assert tree(roots) == before
            daemon.run("virsh", "vol-delete", "v", "--pool", "p", ok=None)
    if os.path.lexists(f"{theirs}/pool/.vireo-new-v"):
        os.rename(f"{theirs}/pool/.vireo-new-v", f"{theirs}/away")
    daemon.virsh(*call)
    assert sorted(os.listdir(f"{theirs}/pool")) in (["source", "v"], ["source", "swap", "v"])


@pytest.mark.parametrize("running", [False, True])
def test_image_of_a_snapshot_that_is_made_meanwhile(ways, running):
    daemon, roots, theirs = ways
    image, before = f"{daemon.root}/disk.qcow2", tree(roots)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"], check=True)
    define(daemon, "guest", extra=f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
                                  "<target dev='vda' bus='virtio'/></disk>")
    if running:
        daemon.virsh("start", "guest", "--paused")
    with swapping(theirs, f"{roots}/file", "new.qcow2", "only when it is there"):
        for i in range(4):
            with contextlib.suppress(OSError):
                os.unlink(f"{theirs}/new.qcow2")
            said = daemon.run("virsh", "snapshot-create-as", "guest", f"s{i}", "--disk-only", "--diskspec",
                              f"vda,file={theirs}/new.qcow2", ok=None)
            assert tree(roots) == before
            if said.returncode == 0:
                break
