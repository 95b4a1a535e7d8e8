# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of images that a QEMU wrote which a guest has taken over: what they name is not read, written or waited for by
the programs that root runs on them."""
import os
import struct
import subprocess

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: only root gives files to others")
WORDS = b"the words of root"


def img(*words):
    subprocess.run(["qemu-img", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def put(path, at, what):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(what)


@pytest.fixture
def secret(daemon):
    path = f"{daemon.root}/elsewhere/secret"
    os.makedirs(os.path.dirname(path))
    os.makedirs(f"{daemon.root}/pool")
    with open(path, "wb") as f:
        f.write(WORDS.ljust(65536))
    os.chmod(path, 0o600)
    daemon.virsh("pool-create-as", "p", "dir", "--target", f"{daemon.root}/pool")
    return path


def data_file(path, secret):
    other = secret[:-1] + "x"
    img("create", "-q", "-f", "qcow2", "-o", f"data_file={other},data_file_raw=on", path, "65536")
    with open(path, "rb") as f:
        text = f.read(65536)
    put(path, text.index(other.encode()), secret.encode())
    os.unlink(other)


def backing(path, secret):
    img("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", secret, path, "65536")


def json_backing(path, secret):
    img("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b",
        'json:{"driver":"raw","file":{"driver":"file","filename":"%s"}}' % secret, path, "65536")


def vmdk(path, secret):
    """A header that says: look into the description, which is inside."""
    text = ('# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n\n'
            'RW 128 FLAT "%s" 0\n' % secret).encode()
    header = struct.pack("<4sIIQQQQIQQQ", b"KDMV", 1, 0, 0, 0, 1, 20, 0, 0, 0, 0)
    with open(path, "wb") as f:
        f.write(header.ljust(512, b"\0") + text.ljust(20 * 512, b"\0"))
        f.truncate(65536)


def backing_fifo(path, secret):
    """Nobody writes to it: who opens it waits."""
    fifo = f"{path}.fifo"
    os.mkfifo(fifo)
    img("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", fifo, path, "65536")


HEADERS = {"data-file": data_file, "backing": backing, "json": json_backing, "vmdk": vmdk, "fifo": backing_fifo}
CALLS = {"vol-clone": ["vol-clone", "{v}", "new-{v}", "--pool", "p"],
         "vol-create-from": ["vol-create-from", "p", "{new}", "{v}", "--inputpool", "p"],
         "vol-resize": ["vol-resize", "{v}", "1M", "--pool", "p"],
         "vol-create-as": ["vol-create-as", "p", "new-{v}", "1M", "--format", "qcow2", "--backing-vol", "{v}",
                           "--backing-vol-format", "{format}"]}


def unharmed(daemon, secret):
    for where, _, names in os.walk(f"{daemon.root}/pool"):
        for name in names:
            if os.path.isfile(os.path.join(where, name)) and not os.path.islink(os.path.join(where, name)):
                with open(os.path.join(where, name), "rb") as f:
                    assert WORDS not in f.read(), name
    with open(secret, "rb") as f:
        assert f.read() == WORDS.ljust(65536)


@pytest.mark.parametrize("call", CALLS)
def test_of_a_volume(daemon, secret, call):
    for name, make in HEADERS.items():
        make(f"{daemon.root}/pool/{name}", secret)
    os.symlink(secret, f"{daemon.root}/pool/link")
    os.lchown(f"{daemon.root}/pool/link", 1234, 1234)
    daemon.virsh("pool-refresh", "p")
    for name in [*HEADERS, "link"]:
        with open(f"{daemon.root}/new.xml", "w") as f:
            f.write(f"<volume><name>new-{name}</name><capacity>65536</capacity><target><format type='raw'/></target></volume>")
        known = {"v": name, "new": f.name, "format": {"vmdk": "vmdk", "link": "raw"}.get(name, "qcow2")}
        said = daemon.run("virsh", *(word.format(**known) for word in CALLS[call]), ok=None)
        unharmed(daemon, secret)
        # what is only opened may be anywhere, and is in no new file
        if (call, name) not in (("vol-resize", "backing"), ("vol-create-as", "backing"), ("vol-create-as", "link")):
            assert said.returncode != 0, (name, said)


def test_what_may_be_below(daemon, secret):
    """Beside the image, or in another pool."""
    os.makedirs(f"{daemon.root}/other")
    daemon.virsh("pool-create-as", "o", "dir", "--target", f"{daemon.root}/other")
    for name, below in (("beside", "base"), ("across", f"{daemon.root}/other/base")):
        path = os.path.join(f"{daemon.root}/pool", below)
        with open(path, "wb") as f:
            f.write(b"what is below".ljust(65536))
        img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", below, f"{daemon.root}/pool/{name}")
        daemon.virsh("pool-refresh", "p")
        with open(f"{daemon.root}/new.xml", "w") as f:
            f.write(f"<volume><name>new-{name}</name><capacity>65536</capacity><target><format type='raw'/></target></volume>")
        daemon.virsh("vol-create-from", "p", f.name, name, "--inputpool", "p")
        with open(f"{daemon.root}/pool/new-{name}", "rb") as f:
            assert f.read(13) == b"what is below"
        daemon.virsh("vol-resize", name, "1M", "--pool", "p")


def test_of_a_snapshot(daemon, secret):
    """Of a domain that does not run."""
    for name, make in HEADERS.items():
        path = f"{daemon.root}/pool/{name}"
        make(path, secret)
        if name == "vmdk":
            continue
        daemon.define(name, boot=False, extra=f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
                                              "<target dev='vda' bus='virtio'/></disk>")
        said = daemon.run("virsh", "snapshot-create-as", name, "s", ok=None)
        assert (said.returncode == 0) == (name == "backing"), (name, said)
        if name == "backing":
            daemon.virsh("snapshot-revert", name, "s")
            daemon.virsh("snapshot-delete", name, "s")
        unharmed(daemon, secret)
