# SPDX-License-Identifier: LGPL-2.1-or-later
"""The admin program: virt-admin, unmodified, at each of its commands, and nothing for anybody but root."""
import os
import random
import re
import socket
import struct
import subprocess

import pytest

from conftest import wait_for
from test_bad_input import frame, read_frame

ADMIN = 0x06900690
REMOTE = 0x20008086
STRANGER = 64911
HERE = os.path.dirname(os.path.abspath(__file__))


def path(daemon):
    return f"{daemon.root}/run/vireo-admin-sock"


def admin(daemon, *words, ok=True):
    """What virt-admin says."""
    done = subprocess.run(["virt-admin", "-c", f"libvirtd:///system?socket={path(daemon)}", *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert (done.returncode == 0) == ok, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout if ok else done.stderr


def values(text):
    """{name: value} of "name : value" lines."""
    return dict(re.split(r"\s*: ", line, maxsplit=1) for line in text.splitlines() if ": " in line)


def clients(daemon, server="vireod"):
    return [line.split()[0] for line in admin(daemon, "client-list", server).splitlines()[2:] if line.strip()]


class Waiting:
    """A virsh that stays connected."""

    def __init__(self, daemon, more=""):
        self.process = subprocess.Popen(["virsh", "-c", daemon.uri + more, "event", "--all", "--loop"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True)

    def end(self):
        self.process.terminate()
        return self.process.communicate(timeout=60)[0]


@pytest.fixture
def waiting(daemon):
    process = Waiting(daemon)
    wait_for(lambda: clients(daemon), 10, "client that is connected")
    yield process
    process.end()


def test_what_it_shows(daemon, waiting):
    assert "libvirt 9.0.0" in admin(daemon, "version") and "daemon: 10.0.0" in admin(daemon, "version")
    assert [line.split() for line in admin(daemon, "server-list").splitlines()[2:4]] == [["0", "vireod"], ["1", "admin"]]
    pool = values(admin(daemon, "server-threadpool-info", "vireod"))
    assert (pool["nWorkers"], pool["minWorkers"], pool["maxWorkers"], pool["jobQueueDepth"]) == ("4", "4", "4", "0"), pool
    assert int(pool["freeWorkers"]) <= 4
    assert values(admin(daemon, "server-threadpool-info", "admin"))["nWorkers"] == "0"
    who = values(admin(daemon, "client-info", "vireod", clients(daemon)[0]))
    assert who["unix_process_id"] == str(waiting.process.pid) and who["transport"] == "unix", who
    assert (who["unix_user_id"], who["unix_user_name"], who["unix_group_id"], who["unix_group_name"],
            who["readonly"]) == ("0", "root", "0", "root", "no"), who
    assert len(clients(daemon, "admin")) == 1  # virt-admin itself
    limits = values(admin(daemon, "server-clients-info", "vireod"))
    assert limits["nclients"] == "1" and limits["nclients_unauth"] == "0" and int(limits["nclients_max"]) > 1, limits
    # What is not there is named.
    assert "no server 'nobody'" in admin(daemon, "client-list", "nobody", ok=False)
    assert "no client 4711 of server 'vireod'" in admin(daemon, "client-info", "vireod", "4711", ok=False)


def test_what_cannot_be_set_is_refused_by_name(daemon):
    assert "minWorkers of server 'vireod' is 4" in admin(daemon, "server-threadpool-set", "vireod", "--min-workers", "2",
                                                         ok=False)
    admin(daemon, "server-threadpool-set", "vireod", "--max-workers", "4")  # so it is
    assert "no TLS" in admin(daemon, "server-update-tls", "vireod", ok=False)
    assert "logs to 'stderr' alone" in admin(daemon, "daemon-log-outputs", "--outputs", "1:file:/tmp/x", ok=False)
    assert "begins with a level" in admin(daemon, "daemon-log-outputs", "--outputs", "9:stderr", ok=False)
    assert "no filters" in admin(daemon, "daemon-log-filters", "--filters", "1:qemu", ok=False)
    assert "nclients_max of server 'vireod' can be 1 to" in \
        admin(daemon, "server-clients-set", "vireod", "--max-clients", "100000000", ok=False)
    assert "nclients_unauth_max" in admin(daemon, "server-clients-set", "vireod", "--max-unauth-clients", "100000",
                                          ok=False)
    assert values(admin(daemon, "server-clients-info", "vireod"))["nclients_unauth_max"] != "100000"


def test_a_client_is_disconnected(daemon, waiting):
    daemon.paused("other")
    admin(daemon, "client-disconnect", "vireod", clients(daemon)[0])
    out, _ = waiting.process.communicate(timeout=60)
    assert waiting.process.returncode != 0 or "closed" in out or "Disconnected" in out, out
    assert clients(daemon) == [] and "other" in daemon.qemus()
    assert "virAdmClientClose: done" in daemon.log_text()


def test_limits_of_clients(daemon, waiting):
    admin(daemon, "server-clients-set", "vireod", "--max-clients", "2", "--max-unauth-clients", "2")
    second = Waiting(daemon)
    try:
        wait_for(lambda: len(clients(daemon)) == 2, 10, "second client")
        daemon.virsh("list", ok=False)
        # The admin server has limits of its own.
        assert values(admin(daemon, "server-clients-info", "vireod"))["nclients"] == "2"
        admin(daemon, "server-clients-set", "vireod", "--max-clients", "3")
        daemon.virsh("list")
    finally:
        second.end()


def test_log_level(daemon):
    assert "Logging outputs: 1:stderr" in admin(daemon, "daemon-log-outputs")  # started with -v
    assert admin(daemon, "daemon-log-filters").split() == ["Logging", "filters:"]
    admin(daemon, "daemon-log-outputs", "--outputs", "4:stderr")
    daemon.paused("quiet")
    assert "'quiet'" not in daemon.log_text()
    assert "4:stderr" in admin(daemon, "daemon-log-outputs")
    admin(daemon, "daemon-log-outputs", "--outputs", "")
    assert "1:stderr" in admin(daemon, "daemon-log-outputs")
    daemon.virsh("destroy", "quiet")
    assert "'quiet'" in daemon.log_text()


def test_timeout(daemon):
    daemon.paused("busy")
    admin(daemon, "daemon-timeout", "--timeout", "1")
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.process.wait(4)  # a machine runs
    daemon.virsh("destroy", "busy")
    assert daemon.process.wait(100) == 0
    assert "nothing to do for 1 s" in daemon.log_text()
    daemon.start()  # not remembered
    assert daemon.virsh("list", "--all", "--name").split() == ["busy"]


CALL = """
import os, sys
sys.path.insert(0, sys.argv[1])
from test_admin import call
print(call(sys.argv[2], int(sys.argv[3]), 1, b"\\0\\0\\0\\0"))
"""


def call(where, program, number, payload):
    """The text of the error, "" of a reply, "closed" without one."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(where)
        try:
            s.sendall(frame(number, payload, program=program))
            got = read_frame(s)
        except (ConnectionError, BrokenPipeError):
            return "closed"
    return "closed" if got is None else got[1].decode(errors="replace") if got[0][6] else ""


def test_nobody_else(daemon):
    assert os.stat(path(daemon)).st_mode & 0o777 == 0o600
    os.chmod(path(daemon), 0o666)  # the mode is not what keeps others out
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", CALL, HERE, path(daemon), str(ADMIN)], user=STRANGER,
                          group=STRANGER, extra_groups=[], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "closed", done
    assert f"user {STRANGER} " in daemon.log_text()
    # Nor are the programs on each other's sockets.
    assert f"Cannot find program {ADMIN} version 1" in call(daemon.socket, ADMIN, 1, b"\0\0\0\0")
    assert f"Cannot find program {REMOTE} version 1" in call(path(daemon), REMOTE, 1, b"\0" * 8)
    assert call(path(daemon), ADMIN, 1, b"\0\0\0\0") == ""


def test_bad_bytes(daemon, waiting):
    """Each procedure with arguments that are none, flags that are not there, and packets that are none."""
    dice = random.Random(7)
    for number in range(0, 25):
        for payload in (b"", b"\xff" * 64, dice.randbytes(200), struct.pack(">I", 6) + b"vireod\0\0" + b"\xff" * 40):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(60)
                s.connect(path(daemon))
                s.sendall(frame(1, b"\0\0\0\0", program=ADMIN))
                assert read_frame(s)[0][6] == 0
                s.sendall(frame(number, payload, program=ADMIN, serial=1))
                got = read_frame(s)
                assert got is None or got[0][5] == 1
    for bytes_ in (b"\0\0\0\0", b"\xff\xff\xff\xff", struct.pack(">I", 28) + b"\xff" * 24):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path(daemon))
            s.sendall(bytes_)
    assert "unsupported flags (0x1)" in call(path(daemon), ADMIN, 1, b"\0\0\0\1")
    assert len(clients(daemon)) == 1
    assert daemon.process.poll() is None
