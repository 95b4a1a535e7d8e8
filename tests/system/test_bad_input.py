# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: a clear error on that call; the daemon and the other domains go on."""
import os
import random
import socket
import struct
import subprocess
import time

import pytest

from conftest import QEMU, wait_for

REMOTE = 0x20008086


@pytest.fixture
def other(daemon):
    """A domain that must not be disturbed."""
    daemon.paused("other")
    pid = daemon.qemus()["other"]
    daemon_pid = daemon.pid()
    yield
    assert daemon.process.poll() is None and daemon.pid() == daemon_pid
    assert daemon.qemus()["other"] == pid
    daemon.virsh("setvcpus", "other", "2", "--live")
    assert daemon.counts("other")[("current", "live")] == 2


def define_text(daemon, text):
    path = f"{daemon.root}/bad.xml"
    with open(path, "w") as f:
        f.write(text)
    return daemon.virsh("define", path, ok=False)


def test_xml(daemon, other):
    for text, expected in (("<domain", "Couldn't find end of Start Tag"),
                           ("", "empty"),
                           ("<domain type='qemu'><name>x</name></domain>", "emory"),
                           ("<domain type='nope'><name>x</name></domain>", "nope"),
                           (daemon.xml("x", maximum=0, boot=False), "vcpu"),
                           (daemon.xml("x", maximum=2, current=3, boot=False), "vcpu"),
                           (daemon.xml("x" * 300, boot=False), "name"),
                           (daemon.xml("a/b", boot=False), "name"),
                           ("<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>" +
                            daemon.xml("x", boot=False).replace("<name>x", "<name>&b;"), "document type")):
        assert expected in define_text(daemon, text), text[:80]
    assert "other" in daemon.virsh("list")


def test_deep_and_large_xml(daemon, other):
    define_text(daemon, "<domain>" + "<a>" * 100000)
    define_text(daemon, daemon.xml("x", boot=False).replace("</devices>", "<x y='%s'/></devices>" % ("z" * 3000000))
                .replace("<memory", "<memery"))


def test_counts(daemon, other):
    daemon.paused("n1")
    assert "greater than max allowable vcpus for the live domain: 1000000000 > 4" in \
        daemon.virsh("setvcpus", "n1", 10 ** 9, "--live", ok=False)
    for count in ("0", "-1", "99999999999", "x"):
        daemon.virsh("setvcpus", "n1", count, "--live", ok=False)
    for cpus in ("9", "1-", "^1", "", "0-1000000", "1,,2", "x"):
        daemon.virsh("setvcpu", "n1", "--vcpulist", cpus, "--enable", "--live", ok=False)
    assert daemon.counts("n1")[("current", "live")] == 1


def test_unknown_names(daemon, other):
    assert "failed to get domain 'nope'" in daemon.virsh("start", "nope", ok=False)
    assert "nope" in daemon.virsh("setvcpus", "nope", "2", ok=False)
    daemon.virsh("domname", "11111111-2222-3333-4444-555555555555", ok=False)


@pytest.mark.parametrize("options, expected", [
    ({"kernel": "/nonexistent/kernel"}, "/nonexistent/kernel"),
    ({"boot": False, "emulator": "/nonexistent/qemu"}, "cannot run the emulator '/nonexistent/qemu'"),
    ({"boot": False, "emulator": "/tmp"}, "/tmp"),
    ({"boot": False, "emulator": "/bin/false"}, "/bin/false"),
    ({"boot": False, "extra": "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
      "<source file='/nonexistent/disk.qcow2'/><target dev='vda' bus='virtio'/></disk>"},
     "/nonexistent/disk.qcow2"),
    ({"boot": False, "cpu": "<cpu mode='custom'><model>noSuchModel</model></cpu>"},
     "unable to find CPU model 'noSuchModel'"),
])
def test_start_fails(daemon, other, options, expected):
    """A missing file or binary, a QEMU that exits at start: its last words are in the error."""
    path = f"{daemon.root}/s1.xml"
    with open(path, "w") as f:
        f.write(daemon.xml("s1", **options))
    result = daemon.run("virsh", "define", path, ok=None)
    if result.returncode == 0:
        error = daemon.virsh("start", "s1", ok=False)
        assert "shut off" in daemon.virsh("domstate", "s1")
    else:
        error = result.stderr
    assert expected in error
    assert set(daemon.qemus()) == {"other"}


def start_with_emulator(daemon, script, mode=0o755):
    """`virsh start` of a domain whose emulator is this shell script, as a process that runs."""
    emulator = f"{daemon.root}/emulator.sh"
    with open(emulator, "w") as f:
        f.write(f"#!/bin/sh\n{script}\n")
    os.chmod(emulator, mode)
    daemon.define("s1", boot=False, emulator=emulator)
    return subprocess.Popen(["virsh", "-c", daemon.uri, "start", "s1", "--paused"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_last_words(daemon, other):
    """A QEMU that passed its probe and exits at start: the last lines of its log are in the error."""
    client = start_with_emulator(daemon, f'case "$*" in *guest=*) echo first words >&2; sleep 0.5; echo last words >&2;'
                                 f' exit 3;; *) exec {QEMU} "$@";; esac')
    _, error = client.communicate(timeout=120)
    assert client.returncode == 1 and "first words" in error and "last words" in error, error
    assert "shut off" in daemon.virsh("domstate", "s1")


def test_emulator_without_permission(daemon, other):
    client = start_with_emulator(daemon, "exit 0", mode=0o644)
    _, error = client.communicate(timeout=120)
    assert client.returncode == 1 and "emulator.sh': Permission denied" in error, error


def test_emulator_that_hangs(daemon, other):
    """A program that never opens a monitor: an error at a deadline, served meanwhile, and it is ended."""
    open(f"{daemon.root}/pid", "w").close()
    os.chmod(f"{daemon.root}/pid", 0o666)
    client = start_with_emulator(daemon, f"echo $$ >{daemon.root}/pid; exec sleep 1000")
    pid = wait_for(lambda: open(f"{daemon.root}/pid").read().strip(), 10, "running emulator")
    start = time.monotonic()
    assert "other" in daemon.virsh("list")
    assert time.monotonic() - start < 10
    _, error = client.communicate(timeout=200)
    assert client.returncode == 1 and "does not answer" in error, error
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 5, "end of the emulator that hung")


# ---- frames ----

def connect(daemon):
    s = socket.socket(socket.AF_UNIX)
    s.connect(daemon.socket)  # blocking: a full backlog makes it wait
    s.settimeout(60)
    return s


def frame(procedure, payload=b"", program=REMOTE, version=1, kind=0, serial=0, status=0, length=None):
    return struct.pack(">IIIiiIi", len(payload) + 28 if length is None else length, program, version, procedure,
                       kind, serial, status) + payload


def read_frame(s):
    head = b""
    while len(head) < 28:
        more = s.recv(28 - len(head))
        if not more:
            return None
        head += more
    fields = struct.unpack(">IIIiiIi", head)
    body = b""
    while len(body) < fields[0] - 28:
        body += s.recv(fields[0] - 28 - len(body))
    return fields, body


def opened(daemon):
    s = connect(daemon)
    s.sendall(frame(66))
    assert read_frame(s)[0][6] == 0
    name = b"qemu:///system"
    s.sendall(frame(1, struct.pack(">II", 1, len(name)) + name + b"\0" * (-len(name) % 4) + struct.pack(">I", 0)))
    assert read_frame(s)[0][6] == 0
    return s


def test_frame_lengths(daemon, other):
    """Lengths outside 28...32 MiB close the connection at once."""
    for length in (0, 4, 27, 33554437, 0xffffffff):
        with connect(daemon) as s:
            s.sendall(frame(66, length=length))
            assert read_frame(s) is None, length


def test_truncated_frames(daemon, other):
    """A frame that never ends, and a client that goes in the middle of one."""
    whole = frame(1, struct.pack(">III", 0, 0, 0))
    for cut in range(1, len(whole)):
        with connect(daemon) as s:
            s.sendall(whole[:cut])
    with opened(daemon) as s:
        s.sendall(frame(23, b"\0\0"))  # arguments too short
        fields, body = read_frame(s)
        assert fields[6] == 1 and b"Unable to decode message payload" in body
        s.sendall(frame(59))
        assert read_frame(s)[0][6] == 0


def test_unknown_program_and_procedure(daemon, other):
    with opened(daemon) as s:
        for bad, text in ((frame(1, program=0x1234), b"Cannot find program"), (frame(1, version=9), b"Cannot find program"),
                          (frame(9999), b"unknown procedure: 9999"), (frame(-1), b"unknown procedure"),
                          (frame(318), b"unknown procedure")):
            s.sendall(bad)
            fields, body = read_frame(s)
            assert fields[6] == 1 and text in body


def test_string_lengths(daemon, other):
    """A string that claims to be longer than the frame, or than any string may be."""
    with opened(daemon) as s:
        for size in (5, 100, 4194305, 0x7fffffff, 0xffffffff):
            s.sendall(frame(23, struct.pack(">I", size) + b"abcd"))
            fields, _ = read_frame(s)
            assert fields[6] == 1


def test_random_bytes(daemon, other):
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(200):
        with connect(daemon) as s:
            try:
                s.sendall(rng.randbytes(rng.randrange(1, 400)))
            except OSError:
                pass
    for _ in range(300):
        with opened(daemon) as s:
            s.sendall(frame(rng.choice([14, 16, 20, 23, 24, 32, 199, 200, 230, 273, 316, 344, 384]),
                            rng.randbytes(rng.randrange(0, 25) * 4)))
    assert "other" in daemon.virsh("list")


def test_pipelined_calls(daemon, other):
    """Forty calls in one write: forty answers, each with its serial."""
    with opened(daemon) as s:
        s.sendall(b"".join(frame(59, serial=n) for n in range(40)))
        assert sorted(read_frame(s)[0][5] for _ in range(40)) == list(range(40))


def test_client_vanishes_during_call(daemon, other):
    """The work goes on without its client."""
    daemon.define("v1", boot=False)
    s = opened(daemon)
    s.sendall(frame(23, struct.pack(">I", 2) + b"v1\0\0"))
    _, body = read_frame(s)
    s.sendall(frame(9, body))
    s.close()
    wait_for(lambda: "running" in daemon.virsh("domstate", "v1"), 20, "running domain")
