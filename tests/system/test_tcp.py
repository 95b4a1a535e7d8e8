# SPDX-License-Identifier: LGPL-2.1-or-later
"""TCP: off unless asked for, for root of this host unless said otherwise, and as robust as the unix sockets."""
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

from conftest import VIREO, VIREOD, wait_for
from test_bad_input import frame, read_frame
from test_migrate import other, state, xml_for  # noqa: F401 (a fixture)

STRANGER = 64911
DESTROY = 12
PEER = b"over TCP root of this host may manage domains and nobody else"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def port(daemon):
    number = free_port()
    daemon.configure("listen_tcp = yes", f"tcp_port = {number}")
    return number


def uri(port, host="127.0.0.1"):
    return f"qemu+tcp://{host}:{port}/system"


def virsh(where, *words, uid=0):
    return subprocess.run(["virsh", "-c", where, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, user=uid, group=uid, extra_groups=[],
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), timeout=60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


OPEN = struct.pack(">II", 1, 14) + b"qemu:///system\0\0" + struct.pack(">I", 0)


def listens(pid):
    """Ports that the process listens at."""
    inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    found = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}") as f:
            for row in [line.split() for line in f][1:]:
                if row[3] == "0A" and f"socket:[{row[9]}]" in inodes:
                    found.add(int(row[1].split(":")[1], 16))
    return found


def test_off_unless_asked_for(daemon):
    assert listens(daemon.pid()) == set()


def test_clients(daemon, port):
    assert listens(daemon.pid()) == {port}
    daemon.paused("vm1", current=2)
    said = virsh(uri(port), "vcpucount", "vm1", "--live", "--current")
    assert said.stdout.strip() == "2", said
    assert virsh(uri(port), "setvcpus", "vm1", "3", "--live").returncode == 0
    said = subprocess.run([VIREO, "-c", uri(port), "list"], capture_output=True, text=True, timeout=60)
    assert "vm1" in said.stdout, said
    import libvirt
    connection = libvirt.open(uri(port))
    assert connection.isSecure() == 0 and connection.getURI() == uri(port)
    admin = f"libvirtd:///system?socket={daemon.root}/run/vireo-admin-sock"
    said = subprocess.run(["virt-admin", "-c", admin, "client-list", "vireod"], capture_output=True, text=True, timeout=60)
    number, transport = said.stdout.splitlines()[2].split()[:2]
    assert transport == "tcp"
    said = subprocess.run(["virt-admin", "-c", admin, "client-info", "vireod", number], capture_output=True, text=True,
                          timeout=60)
    assert "127.0.0.1:" in said.stdout and "unix_user" not in said.stdout, said
    connection.close()
    assert "127.0.0.1 port " in daemon.log_text()  # who called
    assert f"root of this host is served at 127.0.0.1 port {port}" in daemon.vireo("doctor")


def test_a_stranger_is_refused(daemon, port):
    daemon.paused("vm1")
    for words in (["list"], ["-r", "list"], ["destroy", "vm1"]):
        said = virsh(uri(port), *words, uid=STRANGER)
        assert said.returncode != 0 and PEER.decode() in said.stderr, said
    # Whoever does not ask is told, too.
    code = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); " \
           "s.sendall(bytes.fromhex(sys.argv[2])); print(s.recv(9999))"
    said = subprocess.run(["/usr/bin/python3", "-c", code, str(port), frame(1, OPEN).hex()], user=STRANGER, group=STRANGER,
                          extra_groups=[], capture_output=True, text=True, timeout=60)
    assert "authentication required" in said.stdout, said


def test_a_socket_that_was_closed_is_not_roots(daemon, port):
    """The kernel shows a socket that nobody has open any more as root's."""
    daemon.paused("vm1")
    uuid = bytes.fromhex(daemon.virsh("domuuid", "vm1").strip().replace("-", ""))
    destroy = frame(DESTROY, struct.pack(">I", 3) + b"vm1\0" + uuid + struct.pack(">i", -1), serial=3)
    pongs = frame(2, program=0x6b656570, kind=2) * 300  # more than is read at once: the connection has opened by then
    words = (frame(66) + frame(1, OPEN, serial=1) + pongs + destroy).hex()
    code = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); " \
           "s.sendall(bytes.fromhex(sys.argv[2])); s.close()"
    os.kill(daemon.pid(), signal.SIGSTOP)
    for uid in (STRANGER, STRANGER + 1):
        subprocess.run(["/usr/bin/python3", "-c", code, str(port), words], user=uid, group=uid, extra_groups=[],
                       check=True, timeout=60)
    os.kill(daemon.pid(), signal.SIGCONT)
    with connect(port) as s:  # it comes after them
        s.sendall(frame(66))
        assert read_frame(s)[0][6] == 0
    time.sleep(0.2)
    assert "vm1" in daemon.qemus() and state(daemon, "vm1") == "paused (user)"


def test_everybody_when_told_so(daemon):
    number = free_port()
    daemon.configure("listen_tcp = yes", f"tcp_port = {number}", "tcp_auth = none", "listen_addr = ::")
    daemon.paused("vm1")
    for host in ("127.0.0.1", "[::1]"):
        assert "vm1" in virsh(uri(number, host), "list", uid=STRANGER).stdout
    with open("/proc/net/fib_trie") as f:
        own = [line.split()[1] for line in f if line.strip().startswith("|-- ") and not line.split()[1].startswith("127.")]
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    for host in [a for a in addresses if "." in a and a in own][:1]:
        assert "vm1" in virsh(uri(number, host), "list").stdout
    said = daemon.run(VIREO, "doctor", ok=None).stdout
    assert "may do all that root may" in said and f"port {number}" in said


def test_another_address_needs_the_word(tmp_path):
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/vireod.conf").write_text("listen_tcp = yes\nlisten_addr = 0.0.0.0\n")
    done = subprocess.run([VIREOD, "--root", str(root)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "is no loopback address" in done.stderr and "tcp_auth = none" in done.stderr, done


def test_who_does_not_open(daemon, port):
    """One user's connections that do nothing are few, and keep nobody out."""
    code = "import socket, sys; a = [socket.create_connection(('127.0.0.1', int(sys.argv[1]))) for _ in range(60)]; " \
           "print('there', flush=True); sys.stdin.read()"
    with subprocess.Popen(["/usr/bin/python3", "-c", code, str(port)], user=STRANGER, group=STRANGER, extra_groups=[],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as idle:
        assert idle.stdout.readline().strip() == b"there"
        assert virsh(uri(port), "list").returncode == 0
        admin = f"libvirtd:///system?socket={daemon.root}/run/vireo-admin-sock"

        def waiting():
            said = subprocess.run(["virt-admin", "-c", admin, "server-clients-info", "vireod"], capture_output=True,
                                  text=True, timeout=60).stdout
            return int(said.split("nclients_unauth ")[1].split()[1])
        assert wait_for(waiting, 10, "connections that wait") <= 20
        idle.stdin.close()
        idle.wait(60)


def test_bad_bytes(daemon, port):
    daemon.paused("vm1")
    for first in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0\0\0\0", b"\xff" * 64, struct.pack(">I", 33554436),
                  struct.pack(">I", 28) + b"\xff" * 24, frame(66)[:20],
                  frame(1, struct.pack(">I", 32), kind=4), frame(1, struct.pack(">I", 33), kind=4)):
        with connect(port) as s:
            s.sendall(first)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass
    with connect(port) as s:  # descriptors that are announced cannot come
        s.sendall(frame(66) + frame(1, OPEN, serial=1))
        assert read_frame(s)[0][6] == 0 and read_frame(s)[0][6] == 0
        s.sendall(frame(60, struct.pack(">i", 8), serial=2))
        assert read_frame(s)[1] == b"\0\0\0\0"  # no passing of descriptors
        for byte in frame(59, serial=3):  # byte by byte
            s.sendall(bytes([byte]))
        assert read_frame(s)[0][5] == 3
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert "vm1" in virsh(uri(port), "list").stdout


def test_descriptors_do_not_go_over_it(daemon, port):
    daemon.paused("vm1", extra="<graphics type='vnc'><listen type='socket'/></graphics>")
    uuid = bytes.fromhex(daemon.virsh("domuuid", "vm1").strip().replace("-", ""))
    ask = frame(343, struct.pack(">I", 3) + b"vm1\0" + uuid + struct.pack(">iII", -1, 0, 0), serial=2)
    for path in (daemon.socket, None):
        with socket.socket(socket.AF_UNIX) if path else connect(port) as s:
            if path:
                s.connect(path)
            s.sendall(frame(66) + frame(1, OPEN, serial=1))
            assert [read_frame(s)[0][6] for _ in range(2)] == [0, 0]
            s.sendall(ask)
            fields, body = read_frame(s)
            assert (fields[4], fields[6]) == ((5, 0) if path else (1, 1)), body
            assert path or b"cannot be passed on over TCP" in body


def test_a_guest_moves_by_it(daemon, other):  # noqa: F811
    """Led by the vireod that has it, which dials the other's TCP port."""
    number = free_port()
    other.configure("listen_tcp = yes", f"tcp_port = {number}")
    daemon.paused("vm1", maximum=4, current=2)
    xml = xml_for(other, daemon, "vm1")
    daemon.virsh("migrate", "--p2p", "vm1", uri(number), "--xml", xml)
    assert state(other, "vm1") == "paused (user)" and not daemon.qemus()
    assert "cannot connect to vireod at '127.0.0.1' port 1:" in other.virsh("migrate", "--p2p", "vm1", uri(1), ok=False)
    assert "it has no usable port" in other.virsh("migrate", "--p2p", "vm1", "qemu+tcp://127.0.0.1:99999/system", ok=False)
