# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kinds of fault that libvirt's CVEs since 2019 were of, a test for each, named after it. Beyond these: tests/fuzz for
bytes, test_planted.py for links, tests/faults for errors on the way out of errors."""
import os
import re
import signal
import socket
import stat
import struct
import threading
import time

from conftest import wait_for
from test_agent import agent_guest, boot  # noqa: F401 (a fixture)
from test_bad_input import connect, frame, opened, read_frame

DENIED, READ_ONLY = 88, 29
INT_EDGES = [-1, -(1 << 31), (1 << 31) - 1, 1 << 16, 0, 4, 1 << 14, 1 << 18, 1 << 30]
MAPS_MAX = 8 << 20  # bytes of CPU maps in one reply
MAPS = {20, 230}  # GET_VCPUS, GET_VCPU_PIN_INFO: so many maps of that length
RISE_MIB = 64


def text(value):
    return struct.pack(">I", len(value)) + value + bytes(-len(value) % 4)


def wire_domain(daemon, name):
    uuid = bytes.fromhex(daemon.virsh("domuuid", name).strip().replace("-", ""))
    return text(name.encode()) + uuid + struct.pack(">i", -1)


def resident_mib(daemon):
    with open(f"/proc/{daemon.pid()}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def call(s, procedure, payload=b"", serial=0):
    """(status, payload) of its reply; events are not for here."""
    s.sendall(frame(procedure, payload, serial=serial))
    fields, body = read_frame(s)
    assert fields[5] == serial, "a reply to another call"
    return fields[6], body


def check(daemon, before):
    assert daemon.process.poll() is None
    assert resident_mib(daemon) - before < RISE_MIB
    daemon.virsh("list", "--all")


def counted_calls(domain):
    """(procedure, its arguments for two counts): each multiplies them, or makes room for so many."""
    def pair(procedure, *between):
        return lambda a, b: (procedure, domain + struct.pack(">ii", a, b) + bytes(4 * len(between)))
    return [pair(20), pair(230, 0), pair(280), pair(159),
            lambda a, b: (262, domain + struct.pack(">iiiI", a, b, a, 0)),
            lambda a, b: (223, domain + struct.pack(">iI", a, 0)),
            lambda a, b: (101, struct.pack(">ii", a, b)), lambda a, b: (37, struct.pack(">i", a)),
            lambda a, b: (21, struct.pack(">i", a)), lambda a, b: (227, struct.pack(">iiI", a, b, 0)),
            lambda a, b: (103, domain + text(b"/nowhere") + struct.pack(">QII", a & 0xffffffffffffffff, b & 0xffffffff, 0))]


def test_count_times_length_and_negative_length(daemon):
    """Products that wrap to nothing, counts that are negative: refused or bounded, and no room is made for them."""
    daemon.paused("k1", maximum=4)
    before, s = resident_mib(daemon), opened(daemon)
    for make in counted_calls(wire_domain(daemon, "k1")):
        for a in INT_EDGES:
            for b in INT_EDGES:
                procedure, arguments = make(a, b)
                status, body = call(s, procedure, arguments)
                assert len(body) < MAPS_MAX + (1 << 16)
                if procedure in MAPS and 0 < a <= 1 << 14 and b > 0:
                    assert (status == 0) == (a * b <= MAPS_MAX), (procedure, a, b, body[8:80])
    check(daemon, before)


class HostileAgent(threading.Thread):
    """In the place of a guest's agent: the next of `words` to whatever it is told behind a sync, which it answers."""

    def __init__(self, path, words):
        super().__init__(daemon=True)
        self.words, self.server = list(words), socket.socket(socket.AF_UNIX)
        os.unlink(path)
        self.server.bind(path)
        self.server.listen()
        self.start()

    def run(self):
        while self.words:
            s, _ = self.server.accept()
            try:
                self.serve(s)
            except OSError:  # it was hung up on
                pass
            s.close()

    def serve(self, s):
        while self.words and (heard := s.recv(1 << 16)):
            sync = re.search(rb'"id": ?(\d+)', heard)
            if sync:
                s.sendall(b'\xff{"return":%s}\n' % sync.group(1))
            else:
                s.sendall(self.words.pop(0))


def vcpus(*items):
    return b'{"return":[%s]}\n' % b",".join(b'{"logical-id":%s,"online":%s,"can-offline":true}' % item for item in items)


HOSTILE = [b"{" * 5000 + b"\n", b"x" * (64 << 20) + b"\n", b'{"return":{}}\n', b'{"return":7}\n{"return":8}\n', b"\xff\0\xff\n",
           b'{"error":{"class":"%s%n","desc":"' + b"d" * 200000 + b'"}}\n',
           vcpus((b"-1", b"true")), vcpus((b"18446744073709551615", b"true")), vcpus((b"4294967296", b"true")),
           vcpus((b"1", b"true"), (b"1", b"false")), vcpus((b"0", b"7")), vcpus(*[(b"%d" % i, b"true") for i in range(200000)]),
           b'{"return":[{"logical-id":[],"online":{}}]}\n', b'{"return":[[[[1]]]]}\n']


def ask_agent(daemon, name):
    """What the daemon says of the agent's answer; it may have to connect first, as after each time it hung up."""
    def answer():
        said = daemon.virsh("guestvcpus", name, ok=False)
        return None if "agent is not connected" in said else said
    return wait_for(answer, 30, "a daemon that has connected to the agent")


def test_hostile_agent(daemon, agent_guest):  # noqa: F811
    """Whatever a guest's agent says is an answer that is refused: nothing of it is believed, and no room is made for it."""
    boot(daemon, "k5", vcpus=2)
    path = re.search(r"<channel type='unix'>.*?path='([^']+)'", daemon.virsh("dumpxml", "k5"), re.S).group(1)
    before = resident_mib(daemon)
    daemon.stop()
    agent = HostileAgent(path, HOSTILE)
    daemon.start()
    for left in range(len(HOSTILE) - 1, -1, -1):
        answer = ask_agent(daemon, "k5")
        assert len(answer) < 70000 and len(agent.words) == left, (HOSTILE[-left - 1][:80], answer[:200])
        daemon.virsh("dominfo", "k5")
    agent.join(20)
    check(daemon, before)


def test_parsed_before_allowed(daemon):
    """A definition of a megabyte on the read-only socket costs no parsing: the answer is that it may not, whatever is in it."""
    before = resident_mib(daemon)
    s = socket.socket(socket.AF_UNIX)
    s.connect(daemon.socket + "-ro")
    s.settimeout(60)
    s.sendall(frame(1, struct.pack(">I", 1) + text(b"qemu:///system") + struct.pack(">I", 1)))
    assert read_frame(s)[0][6] == 0
    begin = time.monotonic()
    for payload in text(b"<domain>" * 130000) + bytes(4), text(b"\xff" * (1 << 20)) + bytes(4), b"", bytes(1 << 20):
        status, body = call(s, 350, payload)
        assert status == 1 and struct.unpack(">i", body[:4])[0] in (DENIED, READ_ONLY), body[:200]
    assert time.monotonic() - begin < 10
    s.close()
    check(daemon, before)


def test_links_and_modes(daemon):
    """Nothing of the daemon's own is for others to write, and what has secrets or the guest's words not to read."""
    daemon.paused("k2")
    for at, names, files in os.walk(daemon.root):
        for name in names + files:
            info = os.lstat(os.path.join(at, name))
            if stat.S_ISLNK(info.st_mode) or name.startswith(("vireo-sock", "k2.")) and at.endswith("/run"):
                continue
            assert not info.st_mode & 0o002 or stat.S_ISSOCK(info.st_mode), (at, name, oct(info.st_mode))
    for path in f"{daemon.root}/run/domains/k2.xml", f"{daemon.root}/etc/domains/k2.xml", f"{daemon.root}/log/qemu/k2.log":
        assert not os.stat(path).st_mode & 0o077, path


def test_text_that_becomes_syntax(daemon, tmp_path):
    """A name or a path with QEMU's separators, JSON's or a terminal's stays one value."""
    name = "a,debug-threads=off"
    xml = f"""<domain type='qemu'><name>{name}</name><memory>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/nowhere/x,read-only=on&quot;,&quot;y'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""
    path = tmp_path / "x.xml"
    path.write_text(xml)
    daemon.virsh("define", path)
    words = daemon.virsh("domxml-to-native", "qemu-argv", path)
    assert "guest=a,,debug-threads=off" in words, words
    assert '"filename":"/nowhere/x,read-only=on\\"' in words.replace("\\\\", "\\") or "x,,read-only=on" in words, words
    for bad in "a\nb", "../a", "a/b", ".", "":
        path.write_text(f"<domain type='qemu'><name>{bad}</name><memory>65536</memory><vcpu>1</vcpu>"
                        "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>")
        daemon.virsh("define", path, ok=False)
    assert daemon.virsh("list", "--all", "--name").split() == [name]


def test_empty_and_racing_lists(daemon):
    """Lists of nothing, and lists while domains come and go: each is whole."""
    s = opened(daemon)
    for need in 0, 1:
        status, body = call(s, 273, struct.pack(">II", need, 0))
        assert status == 0 and body == bytes(8)
    assert daemon.virsh("domstats").strip() == ""
    stop, errors = threading.Event(), []

    def come_and_go(number):
        try:
            while not stop.is_set():
                daemon.define(f"r{number}", boot=False)
                daemon.virsh("undefine", f"r{number}")
        except AssertionError as error:
            errors.append(error)

    threads = [threading.Thread(target=come_and_go, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        status, body = call(s, 273, struct.pack(">II", 1, 0))
        assert status == 0
        n = struct.unpack(">I", body[:4])[0]
        assert n <= 3 and struct.unpack(">I", body[-4:])[0] == n
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors[:1]


def test_lock_and_lifetime(daemon):
    """A domain that ends and is undefined while calls wait for its QEMU, one of them without its client: each is answered."""
    daemon.paused("k3", maximum=4)
    pid = daemon.qemus()["k3"]
    domain = wire_domain(daemon, "k3")
    os.kill(pid, signal.SIGSTOP)
    waiting, gone = opened(daemon), opened(daemon)
    for s in waiting, gone:
        s.sendall(frame(199, domain + struct.pack(">II", 2, 1), serial=5))
        s.sendall(frame(160, domain + text(b"<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")
                        + struct.pack(">I", 1), serial=6))
    time.sleep(0.3)
    gone.close()
    daemon.virsh("destroy", "k3")
    daemon.virsh("undefine", "k3")
    replies = [read_frame(waiting) for _ in range(2)]
    assert sorted(fields[5] for fields, _ in replies) == [5, 6] and all(fields[6] == 1 for fields, _ in replies), replies
    assert daemon.virsh("list", "--all", "--name").split() == []


def test_double_reply_and_id_wrap(daemon):
    """One reply for each call, whatever its serial: the same twice, the last one, the first one behind it."""
    s = opened(daemon)
    serials = [0xffffffff, 0, 7, 7, 0xffffffff, 1]
    s.sendall(b"".join(frame(157, serial=serial) for serial in serials))
    assert sorted(read_frame(s)[0][5] for _ in serials) == sorted(serials)
    s.settimeout(0.5)
    try:
        assert not s.recv(1), "a reply more"
    except TimeoutError:
        pass


def test_the_error_path_itself(daemon):
    """What an error quotes may be long, no text or a format: it is cut, and as it was said."""
    s = opened(daemon)
    for name in b"%s%n%x" * 100, b"\xff\xfe" * 4000, b"\x1b[2J" * 100, b"n" * (1 << 20):
        status, body = call(s, 23, text(name))
        assert status == 1 and len(body) < 140000  # the text is there twice
        length = struct.unpack(">I", body[12:16])[0]
        assert length <= 65536 and b"\0" not in body[16:16 + length]
    assert call(s, 157)[0] == 0


def test_trust_in_host_files(daemon, tmp_path):
    """What lies where the daemon keeps its own, and is a pipe, a directory, a link or endless: passed over at its start."""
    daemon.define("k4", boot=False)
    daemon.stop()
    endless = os.open(f"{daemon.root}/etc/domains/big.xml", os.O_CREAT | os.O_WRONLY, 0o600)
    os.ftruncate(endless, 1 << 40)
    os.close(endless)
    for place in "etc/domains", "run/domains", "run/operations":
        os.makedirs(f"{daemon.root}/{place}", exist_ok=True)
        end = "json" if place.endswith("operations") else "xml"
        os.mkdir(f"{daemon.root}/{place}/directory.{end}")
        os.symlink("/dev/zero", f"{daemon.root}/{place}/zero.{end}")
        os.symlink("/nowhere", f"{daemon.root}/{place}/link.{end}")
        os.mkfifo(f"{daemon.root}/{place}/pipe.{end}")
    before = time.monotonic()
    daemon.start()
    assert time.monotonic() - before < 30
    assert daemon.virsh("list", "--all", "--name").split() == ["k4"]
    wait_for(lambda: "pipe.xml" in daemon.log_text(), 10, "a line about the pipe")


def test_a_hostile_peer_before_it_has_opened(daemon):
    """Calls before the open, a second open, a close and calls behind it."""
    s = connect(daemon)
    for procedure in 273, 350, 199:
        s.sendall(frame(procedure, bytes(64)))
        reply = read_frame(s)
        if reply is None:
            s.close()
            s = connect(daemon)
            continue
        assert reply[0][6] == 1
    s.close()
    daemon.virsh("list")
