# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nobody can starve the others: what one user takes of connections, calls, registrations and memory is bounded,
root is served meanwhile, and the read-only socket stays usable for everybody else."""
import os
import resource
import socket
import struct
import subprocess
import sys
import time

import pytest

from conftest import wait_for
from test_bad_input import frame, read_frame

NOBODY, SOMEBODY = 65534, 1000
LIST_ALL, REGISTER, STATS, LOOKUP, CAPABILITIES = 273, 316, 344, 23, 7
SANITIZED = "asan" in os.environ.get("VIREO_BUILD", "")  # the sanitizers keep what is freed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users are played")


@pytest.fixture
def open_daemon(daemon):
    os.chmod(daemon.root, 0o711)  # so that other users come to the socket
    return daemon


def open_call():
    name = b"qemu:///system"
    return frame(1, struct.pack(">II", 1, len(name)) + name + b"\0" * (-len(name) % 4) + struct.pack(">I", 0))


def as_user(daemon, uid, body, *arguments):
    """Runs this Python text as that user; it has connect(), opened() and ask(). It prints what it has to say."""
    text = f"""
import socket, struct, sys, time
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_bad_input import frame, read_frame
from test_starve import open_call
path = {daemon.socket + "-ro"!r}
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)  # blocking: a full backlog makes it wait
    s.settimeout(20)
    return s
def opened():
    s = connect()
    s.sendall(open_call())
    assert read_frame(s)[0][6] == 0
    return s
def ask(s, procedure, payload=b""):
    s.sendall(frame(procedure, payload))
    return read_frame(s)
""" + body
    return subprocess.Popen([sys.executable, "-B", "-c", text, *map(str, arguments)], user=uid, group=uid, extra_groups=[],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def heard(process, seconds=60):
    """Its next line."""
    end = time.monotonic() + seconds
    line = process.stdout.readline()
    assert line and time.monotonic() < end, process.poll()
    return line.strip()


def finish(process):
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


def resident(daemon):
    with open(f"/proc/{daemon.pid()}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def loop_seconds(daemon):
    """CPU time of the loop's thread, which is nobody else's meanwhile."""
    with open(f"/proc/{daemon.pid()}/task/{daemon.pid()}/schedstat") as f:
        return int(f.read().split()[0]) / 1e9


def check_others(daemon):
    """Root is served at once, and so is another ordinary user."""
    start = time.monotonic()
    daemon.virsh("list", "--all")
    other = as_user(daemon, SOMEBODY, "print(ask(opened(), 59)[0][6])")
    assert heard(other) == "0"
    finish(other)
    assert time.monotonic() - start < 10


def test_connections(open_daemon):
    """As many open connections as one user can have."""
    greedy = as_user(open_daemon, NOBODY, """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (1500, 1500))
keep, refused = [], 0
for i in range(1200):
    try:
        keep.append(opened())
    except (OSError, TypeError):
        refused += 1
print(len(keep), refused)
sys.stdin.read()
""")
    kept, refused = map(int, heard(greedy).split())
    assert 50 <= kept <= 400 and refused > 500
    check_others(open_daemon)
    finish(greedy)


def test_half_open_connections(open_daemon):
    """Connections that never open make room for those that do, of the same user, too."""
    idle = as_user(open_daemon, NOBODY, """
keep = [connect() for i in range(900)]
s = opened()
print(ask(s, 59)[0][6])
sys.stdin.read()
""")
    assert heard(idle) == "0"
    check_others(open_daemon)
    finish(idle)


def test_lines_that_a_client_causes(open_daemon):
    """However many packets are none, the log has a few lines of them in a while."""
    rude = as_user(open_daemon, NOBODY, """
for i in range(300):
    s = connect()
    s.sendall(struct.pack(">I", 3) + bytes(60))
    try:
        while s.recv(100):
            pass
    except OSError:
        pass
    s.close()
print("closed")
sys.stdin.read()
""")
    assert heard(rude) == "closed"
    assert 1 <= open_daemon.log_text().count("sent a packet that cannot be one") < 50
    check_others(open_daemon)
    finish(rude)


def test_registrations(open_daemon):
    before = resident(open_daemon)
    greedy = as_user(open_daemon, NOBODY, """
good = bad = 0
s = [opened() for i in range(5)]
for i in range(5000):
    status = ask(s[i % 5], 316, struct.pack(">II", 0, 0))[0][6]
    good, bad = good + (status == 0), bad + (status == 1)
print(good, bad)
sys.stdin.read()
""")
    good, bad = map(int, heard(greedy).split())
    assert 100 <= good <= 2000 and bad == 5000 - good
    assert resident(open_daemon) - before < (200 if SANITIZED else 5)
    check_others(open_daemon)
    finish(greedy)


def test_a_domain_named_often(open_daemon):
    """Statistics of one domain, named 16384 times: one record, and others are served meanwhile."""
    open_daemon.define("w1", boot=False)
    before, used = resident(open_daemon), loop_seconds(open_daemon)
    greedy = as_user(open_daemon, NOBODY, """
s = [opened() for i in range(8)]
names = ask(s[0], 273, struct.pack(">iI", 1, 0))[1]
domain = names[4:-4]
payload = struct.pack(">I", 16384) + domain * 16384 + struct.pack(">II", 0, 0)
for each in s:
    each.sendall(frame(344, payload))
print("asked", flush=True)
replies = [read_frame(each) for each in s]
print(max(len(body) for _, body in replies), [struct.unpack(">I", body[:4])[0] for _, body in replies])
sys.stdin.read()
""")
    assert heard(greedy) == "asked"
    start = time.monotonic()
    open_daemon.virsh("list", "--all")
    assert time.monotonic() - start < 10
    size, counts = heard(greedy).split(" ", 1)
    assert int(size) < 10000 and counts == str([1] * 8)
    assert SANITIZED or loop_seconds(open_daemon) - used < 0.5, loop_seconds(open_daemon) - used
    assert resident(open_daemon) - before < 100
    finish(greedy)


def test_clients_that_never_read(open_daemon):
    before = resident(open_daemon)
    greedy = as_user(open_daemon, NOBODY, """
s = [opened() for i in range(10)]
for each in s:
    each.setblocking(False)
ask = frame(7)
for i in range(3000):
    for each in s:
        try:
            each.send(ask)
        except OSError:
            pass
print("asked", flush=True)
sys.stdin.read()
""")
    assert heard(greedy) == "asked"
    time.sleep(1)  # replies go on being made for a while
    assert resident(open_daemon) - before < 120
    check_others(open_daemon)
    finish(greedy)


def test_a_name_as_long_as_a_packet(open_daemon):
    """The error names what was not found: cut, so that it fits into a reply."""
    client = as_user(open_daemon, NOBODY, """
name = b"x" * 4194304
header, body = ask(opened(), 23, struct.pack(">I", len(name)) + name)
print(header[6], len(body) < 300000)
""")
    assert heard(client) == "1 True"
    finish(client)


@pytest.mark.parametrize("pattern", ["(" * 400 + "a" + ")" * 400, "((a{1,255}){1,255}){1,255}", "a" * 300, "(a*)\\1"])
def test_patterns(daemon, pattern):
    error = daemon.virsh("qemu-monitor-event", "--regex", "--event", pattern, "--timeout", "1", ok=False)
    assert "regular expression" in error
    assert resident(daemon) < 100
    daemon.virsh("list")


def test_no_descriptors_left(daemon):
    """The daemon waits without turning in circles, logs little, and goes on when there are some again."""
    def cpu():
        with open(f"/proc/{daemon.pid()}/stat") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    soft, hard = resource.prlimit(daemon.pid(), resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{daemon.pid()}/fd"))
    resource.prlimit(daemon.pid(), resource.RLIMIT_NOFILE, (used + 3, hard))
    clients = []
    for _ in range(30):
        s = socket.socket(socket.AF_UNIX)
        s.connect(daemon.socket)
        clients.append(s)
    before, lines = cpu(), daemon.log_text().count("\n")
    time.sleep(2)
    assert cpu() - before < 0.5
    assert daemon.log_text().count("\n") - lines < 30
    resource.prlimit(daemon.pid(), resource.RLIMIT_NOFILE, (soft, hard))
    for s in clients:
        s.close()
    wait_for(lambda: daemon.run("virsh", "list", ok=None).returncode == 0, 20, "daemon that serves again")
