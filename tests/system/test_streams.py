# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams: consoles, pictures, volumes, through unmodified clients."""
import os
import socket
import struct
import subprocess

import pytest

from conftest import wait_for
from test_slow_host import slow  # noqa: F401 (a fixture)

VIDEO = "<video><model type='vga'/></video>"
CONSOLE = "<serial type='pty'/>"

SPEAK = """
import libvirt, sys
libvirt.registerErrorHandler(lambda *a: None, None)
connection = libvirt.open(sys.argv[1])
domain = connection.lookupByName("vm1") if connection.listAllDomains() else None
stream = connection.newStream(0)
"""


def python(daemon, text, *arguments):
    return subprocess.run(["/usr/bin/python3", "-c", SPEAK + text, daemon.uri, *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def make_pool(daemon):
    os.makedirs(f"{daemon.root}/pool")
    daemon.virsh("pool-create-as", "p", "dir", "--target", f"{daemon.root}/pool")


def test_upload_and_download(daemon):
    make_pool(daemon)
    data = os.urandom(3_000_000)
    with open(f"{daemon.root}/in", "wb") as f:
        f.write(data)
    daemon.virsh("vol-create-as", "p", "v", "4M", "--format", "raw")
    daemon.virsh("vol-upload", "v", f"{daemon.root}/in", "--pool", "p")
    daemon.virsh("vol-download", "v", f"{daemon.root}/out", "--pool", "p", "--length", len(data))
    with open(f"{daemon.root}/out", "rb") as f:
        assert f.read() == data
    daemon.virsh("vol-download", "v", f"{daemon.root}/part", "--pool", "p", "--offset", "1000", "--length", "500000")
    with open(f"{daemon.root}/part", "rb") as f:
        assert f.read() == data[1000:501000]
    daemon.virsh("vol-upload", "v", f"{daemon.root}/part", "--pool", "p", "--offset", "2000000")
    with open(f"{daemon.root}/pool/v", "rb") as f:
        assert f.read()[2000000:2500000] == data[1000:501000]
    # more than it was to be: the client is told
    daemon.virsh("vol-upload", "v", f"{daemon.root}/in", "--pool", "p", "--length", "1000", ok=False)
    assert "v" in daemon.virsh("vol-list", "p")
    assert "failed to get vol" in daemon.virsh("vol-download", "none", f"{daemon.root}/out", "--pool", "p", ok=False)
    assert "read only" in daemon.run("virsh", "-r", "vol-download", "v", "/dev/null", "--pool", "p", ok=False).stderr


def blocks(path):
    return os.stat(path).st_blocks * 512


def test_holes_stay_holes(daemon):
    """--sparse: the data is the same and the holes take no place, either way; what a hole falls on is zeros then."""
    make_pool(daemon)
    data, size = os.urandom(100_000), (64 << 20) + 4096
    with open(f"{daemon.root}/in", "wb") as f:
        for at in (1 << 20, 20 << 20, size - len(data) - (2 << 20)):
            f.seek(at)
            f.write(data)
        f.truncate(size)
    with open(f"{daemon.root}/pool/v", "wb") as f:
        f.write(b"x" * (3 << 20))
    daemon.virsh("pool-refresh", "p")
    daemon.virsh("vol-upload", "v", f"{daemon.root}/in", "--pool", "p", "--sparse")
    assert blocks(f"{daemon.root}/pool/v") < 4 << 20
    daemon.virsh("vol-download", "v", f"{daemon.root}/out", "--pool", "p", "--sparse")
    assert blocks(f"{daemon.root}/out") < 4 << 20
    wanted = open(f"{daemon.root}/in", "rb").read()
    for path in ("pool/v", "out"):
        assert open(f"{daemon.root}/{path}", "rb").read() == wanted
    daemon.virsh("vol-download", "v", f"{daemon.root}/part", "--pool", "p", "--sparse", "--offset", "1000000", "--length", "9000000")
    assert open(f"{daemon.root}/part", "rb").read() == wanted[1000000:10000000]
    # a stream that is not sparse brings the holes as zeros, and one that is too long says so
    daemon.virsh("vol-download", "v", f"{daemon.root}/plain", "--pool", "p")
    assert open(f"{daemon.root}/plain", "rb").read() == wanted
    daemon.virsh("vol-upload", "v", f"{daemon.root}/in", "--pool", "p", "--sparse", "--length", "5000000", ok=False)
    assert "v" in daemon.virsh("vol-list", "p")


def test_where_no_hole_can_be_made(daemon, slow):  # noqa: F811
    """What a hole falls on is written over with zeros, but not what is beyond the file's end; and no longer than somebody
    waits for it."""
    make_pool(daemon)
    size = 32 << 20
    for name in "all", "part":
        with open(f"{daemon.root}/pool/{name}", "wb") as f:
            f.write(b"x" * size)
    with open(f"{daemon.root}/pool/all", "ab") as f:
        f.truncate(64 << 20)
    with open(f"{daemon.root}/in", "wb") as f:
        f.truncate(1 << 33)
        f.write(b"begin")
    slow(NO_HOLES_MS=0)
    daemon.virsh("pool-create-as", "p", "dir", "--target", f"{daemon.root}/pool", ok=None)
    daemon.virsh("vol-upload", "all", f"{daemon.root}/in", "--pool", "p", "--sparse")
    with open(f"{daemon.root}/pool/all", "rb") as f:
        assert f.read(5) == b"begin" and not f.read(size).strip(b"\0")
    assert os.path.getsize(f.name) == 1 << 33 and blocks(f.name) <= (size + (1 << 20))
    slow(NO_HOLES_MS=50)  # 26 s for all of it
    daemon.virsh("pool-create-as", "p", "dir", "--target", f"{daemon.root}/pool", ok=None)
    said = python(daemon, """
volume = connection.storagePoolLookupByName("p").storageVolLookupByName("part")
volume.upload(stream, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
stream.sendHole(1 << 40)
import os
os._exit(0)
""")
    assert said.returncode == 0, said.stderr

    def is_closed():
        return not any(os.path.realpath(f"/proc/{daemon.pid()}/fd/{n}").endswith("/pool/part")
                       for n in os.listdir(f"/proc/{daemon.pid()}/fd"))

    wait_for(is_closed, 60, "the end of the upload")
    with open(f"{daemon.root}/pool/part", "rb") as f:
        f.seek(-4096, os.SEEK_END)
        assert f.read() == b"x" * 4096


def test_many_downloads_at_once_and_one_that_stops(daemon):
    make_pool(daemon)
    with open(f"{daemon.root}/pool/big", "wb") as f:
        f.truncate(256 << 20)
    daemon.virsh("pool-refresh", "p")
    readers = [subprocess.Popen(["virsh", "-c", daemon.uri, "vol-download", "big", f"{daemon.root}/out{i}", "--pool", "p"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for i in range(3)]
    readers[0].kill()
    daemon.virsh("list")  # others are served meanwhile
    assert [r.wait(60) for r in readers[1:]] == [0, 0]
    assert os.path.getsize(f"{daemon.root}/out1") == 256 << 20
    readers[0].wait()


def test_screenshot(daemon):
    daemon.paused("vm1", extra=VIDEO)
    path = f"{daemon.root}/picture"
    assert "image/x-portable-pixmap" in daemon.virsh("screenshot", "vm1", path)
    with open(path, "rb") as f:
        assert f.read(2) == b"P6"
    assert "no such screen" in daemon.virsh("screenshot", "vm1", path, "--screen", "1", ok=False)
    assert daemon.virsh("domstate", "vm1").strip() == "paused"
    daemon.virsh("destroy", "vm1")
    assert "not running" in daemon.virsh("screenshot", "vm1", path, ok=False)


def test_console(daemon):
    """What goes in comes out at the tty's other end, and one client has it."""
    daemon.paused("vm1", extra=CONSOLE)
    first = subprocess.Popen(["/usr/bin/python3", "-c", SPEAK + """
domain.openConsole("serial1", stream, 0)
print("open", flush=True)
try:
    while stream.recv(100): pass
    print("end", flush=True)
except libvirt.libvirtError as e:
    print("error", e, flush=True)
""", daemon.uri], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline().strip() == "open"
    second = python(daemon, """
try:
    domain.openConsole("serial1", stream, 0)
except libvirt.libvirtError as e:
    print("busy:", e)
stream = connection.newStream(0)
domain.openConsole("serial1", stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
print("taken")
stream.send(b"hello")
stream.finish()
try:
    domain.openConsole("nothing9", connection.newStream(0), 0)
except libvirt.libvirtError as e:
    print("none:", e)
""")
    assert "busy: operation failed: Active console session exists" in second.stdout, second.stderr
    assert "taken" in second.stdout and "cannot find character device nothing9" in second.stdout
    assert "another client has taken" in first.communicate(timeout=20)[0]


def test_console_ends_with_its_guest(daemon):
    daemon.paused("vm1", extra=CONSOLE)
    reader = subprocess.Popen(["/usr/bin/python3", "-c", SPEAK + """
domain.openConsole("serial1", stream, 0)
print("open", flush=True)
print("end", len(stream.recv(100)), flush=True)
stream.finish()
""", daemon.uri], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert reader.stdout.readline().strip() == "open"
    daemon.virsh("destroy", "vm1")
    assert "end 0" in reader.communicate(timeout=20)[0]
    assert "not running" in python(daemon, """
try:
    domain.openConsole("serial1", stream, 0)
except libvirt.libvirtError as e:
    print(e)
""").stdout


def test_a_display_by_its_descriptor(daemon):
    daemon.paused("vm1", extra=VIDEO + "<graphics type='vnc' port='-1'/>")
    said = python(daemon, """
import os, socket
fd = domain.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
print(socket.socket(fileno=fd).recv(12))
a, b = socket.socketpair()
domain.openGraphics(0, b.fileno(), libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
b.close()
print(a.recv(12))
try:
    domain.openGraphicsFD(1, 0)
except libvirt.libvirtError as e:
    print(e)
""")
    assert said.stdout.count("RFB 003") == 2, said.stderr
    assert "No graphics backend with index 1" in said.stdout


def frame(procedure, kind, serial, status, payload):
    return struct.pack(">IIIiiIi", len(payload) + 28, 0x20008086, 1, procedure, kind, serial, status) + payload


def words(*texts):
    return b"".join(struct.pack(">I", len(t)) + t + bytes(-len(t) % 4) for t in texts)


def raw(daemon):
    """A connection that is open, spoken by hand."""
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(30)
    link.connect(daemon.socket)
    for serial, (procedure, payload) in enumerate(((AUTH_LIST, b""), (OPEN, struct.pack(">I", 1) + words(b"qemu:///system") + bytes(4)))):
        link.sendall(frame(procedure, 0, serial, 0, payload))
        assert reply(link)[2] == 0
    return link


def reply(link):
    """Type, serial, status and payload of the next packet."""
    head = link.recv(28, socket.MSG_WAITALL)
    size, _, _, _, kind, serial, status = struct.unpack(">IIIiiIi", head)
    return kind, serial, status, link.recv(size - 28, socket.MSG_WAITALL) if size > 28 else b""


HOLE, DATA, CONTINUE = 6, 3, 2  # types of packets, and a status
OPEN, AUTH_LIST, UPLOAD = 1, 66, 208


@pytest.mark.parametrize("sparse, payload", [
    (0, struct.pack(">qI", 4096, 0)), (1, struct.pack(">qI", 0, 0)), (1, struct.pack(">qI", -1, 0)), (1, b""),
    (1, bytes(8)), (1, bytes(300)), (1, struct.pack(">qI", (1 << 63) - 1, 0))])
def test_holes_that_are_none(daemon, sparse, payload):
    """The stream ends with an error, the volume is there, and the daemon goes on."""
    make_pool(daemon)
    daemon.virsh("vol-create-as", "p", "v", "1M", "--format", "raw")
    with raw(daemon) as link:
        link.sendall(frame(UPLOAD, 0, 9, 0, words(b"p", b"v", b"v") + struct.pack(">QQI", 0, 0, sparse)))
        assert reply(link)[:3] == (1, 9, 0)
        link.sendall(frame(UPLOAD, DATA, 9, CONTINUE, b"x" * 4096) + frame(UPLOAD, HOLE, 9, CONTINUE, payload))
        kind, serial, status, _ = reply(link)
        assert (kind, serial, status) == (DATA, 9, 1)
    assert "v" in daemon.virsh("vol-list", "p") and os.path.getsize(f"{daemon.root}/pool/v") <= 1 << 20
