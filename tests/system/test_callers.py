# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: every procedure of every program has a row in tests/data/access, and is asked by root, the daemon's
user, the socket's group, whom polkit admits and a stranger without its arguments, so that one who is let in is told that
they are missing, or gets what needs none, and one who is not is refused before they are looked at."""
import json
import os
import re
import struct
import subprocess

import libvirt
import pytest

from conftest import VIREOD, passable, wait_for
from test_polkit import define, polkit  # noqa: F401 (a fixture)

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {"REMOTE": 0x20008086, "QEMU": 0x20008087, "VIREO": 0x76697265, "ADMIN": 0x06900690}
TABLE = f"{HERE}/../data/access"
STRANGER, MEMBER, GROUP, OWNER = 64911, 64912, 64913, 64914
CLOSED = -1  # the connection, without an answer
ABSENT = -2  # a procedure that is not served
READ_ONLY, DENIED = 29, 88  # libvirt's VIR_ERR_OPERATION_DENIED, VIR_ERR_ACCESS_DENIED
OF_A_DOMAIN = {"DOMAIN_SNAPSHOT_" + name for name in ("CREATE_XML", "NUM", "LIST_NAMES", "LOOKUP_BY_NAME", "CURRENT")}
CLASSES = {"open", "absent", "read", "write", "save", "monitor", "agent", "migrate", "block", "admin"}


def procedures():
    """[(program, name, number)] of the protocol."""
    with open(f"{HERE}/../../src/rpc/remote_protocol.x") as f:
        found = re.findall(r"\b(REMOTE|QEMU|VIREO)_PROC_([A-Z0-9_]+) = (\d+)", f.read())
    return [(program, name, int(number)) for program, name, number in found]


def admin_procedures():
    """The same of the admin program, which is served on a socket of its own."""
    with open(f"{HERE}/../../src/rpc/admin_protocol.x") as f:
        return [("ADMIN", name, int(number)) for name, number in re.findall(r"\bADMIN_PROC_([A-Z0-9_]+) = (\d+)", f.read())]


def table():
    """{(program, name): class}"""
    with open(TABLE) as f:
        rows = [line.split() for line in f if not line.startswith("#")]
    found = {(program, name): kind for program, name, kind in rows}
    assert len(found) == len(rows), "a procedure has two rows"
    return found


ASK = """
import json, socket, struct, sys
sys.path.insert(0, sys.argv[1])
from test_bad_input import frame, read_frame
def opened():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[2])
    name = b"qemu:///system"
    if sys.argv[2].endswith("admin-sock"):
        s.sendall(frame(1, bytes(4), program=0x06900690))
    else:
        s.sendall(frame(1, struct.pack(">II", 1, len(name)) + name + b"\\0\\0" + struct.pack(">I", 0)))
    got = read_frame(s)
    if got is None:
        raise PermissionError
    assert got[0][6] == 0, got
    return s
def ask(program, number):
    global s
    s.sendall(frame(number, bytes.fromhex(sys.argv[3]), program=program, serial=7))
    got = read_frame(s)
    while got and got[0][5] != 7: # an event
        got = read_frame(s)
    if got is None or number in (1, 2):
        s.close()
        s = opened()
    if got is None:
        return -1, ""
    if got[0][6] and b"unknown procedure" in got[1]:
        return -2, ""
    return (struct.unpack(">i", got[1][:4])[0], got[1].decode(errors="replace")) if got[0][6] else (0, "")
try:
    s = opened()
    print(json.dumps([ask(program, number) for program, number in json.load(sys.stdin)]))
except (PermissionError, BrokenPipeError, ConnectionResetError):
    print(json.dumps("closed"))
"""


def ask(path, rows, uid=0, groups=(), payload=b""):
    """The error's code and text of each, 0 for a reply; "closed" when the socket is."""
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", ASK, HERE, path, payload.hex()], user=uid, group=uid,
                          extra_groups=groups, text=True, capture_output=True, timeout=240,
                          input=json.dumps([(PROGRAMS[program], number) for program, _, number in rows]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def differing(rows, answers, expected):
    """What is not as the table says; expected(class, code, text) is whether an answer is."""
    classes = table()
    return [(name, classes[program, name], code, text[:200]) for (program, name, _), (code, text) in zip(rows, answers)
            if not expected(classes[program, name], code, text)]


def all_of_it(kind, code, _text):
    return code not in (READ_ONLY, DENIED) and (code == ABSENT) == (kind == "absent")


def reads_alone(kind, code, _text):
    return (code == ABSENT) == (kind == "absent") and (code == READ_ONLY) == (kind not in ("open", "absent", "read"))


def test_each_procedure_has_its_row():
    """A new one is given a class before it is served."""
    assert set(table()) == {row[:2] for row in procedures() + admin_procedures()}
    assert {row[:2] for row in admin_procedures()} == {row for row, kind in table().items() if kind == "admin"}
    assert set(table().values()) == CLASSES


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: needs root: other users are played")


@needs_root
def test_root_the_group_and_a_stranger(daemon):
    os.chmod(daemon.root, 0o711)
    rows = procedures()
    assert not differing(rows, ask(daemon.socket, rows), all_of_it)
    for uid in 0, STRANGER:
        assert not differing(rows, ask(daemon.socket + "-ro", rows, uid), reads_alone)
    assert ask(daemon.socket, rows[:1], STRANGER) == "closed"
    daemon.configure(f"socket_group = +{GROUP}")
    assert ask(daemon.socket, rows[:1], STRANGER) == "closed"
    assert not differing(rows, ask(daemon.socket, rows, MEMBER, [GROUP]), all_of_it)
    assert not differing(rows, ask(daemon.socket + "-ro", rows, MEMBER, [GROUP]), reads_alone)


def test_flags_that_ask_for_more_than_reading(daemon):
    """A client whose library would let it: the socket for readers refuses them, whoever comes."""
    daemon.paused("vm1")
    connection = libvirt.open(daemon.uri.replace("vireo-sock", "vireo-sock-ro"))
    domain = connection.lookupByName("vm1")
    for flags in range(16):
        if flags & (libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE):
            with pytest.raises(libvirt.libvirtError, match="forbidden"):
                domain.XMLDesc(flags)
        else:
            assert "vm1" in domain.XMLDesc(flags)
    for call in (lambda: domain.vcpusFlags(libvirt.VIR_DOMAIN_VCPU_GUEST), lambda: domain.interfaceAddresses(1),
                 lambda: domain.managedSaveGetXMLDesc(0)):
        with pytest.raises(libvirt.libvirtError) as error:
            call()
        assert error.value.get_error_code() == READ_ONLY, call
    assert domain.vcpusFlags(0) > 0
    connection.close()


def unknown_program(_kind, code, text):
    return code > 0 and "Cannot find program" in text


def check_admin(daemon, uid):
    """He may do all there, and there alone; the others' calls are not known there."""
    path, rows = f"{daemon.root}/run/vireo-admin-sock", admin_procedures()
    assert not differing(rows, ask(path, rows, uid), lambda _kind, code, _text: code not in (READ_ONLY, DENIED, ABSENT))
    assert not differing(rows, ask(daemon.socket, rows, uid), unknown_program)
    others = procedures()[:20]
    assert not differing(others, ask(path, others, uid), unknown_program)


def check_no_admin(daemon, uid, groups=()):
    """Whatever the socket's mode: nothing is read of him."""
    path = f"{daemon.root}/run/vireo-admin-sock"
    assert ask(path, admin_procedures()[:1], uid, groups) == "closed"
    os.chmod(path, 0o666)
    assert ask(path, admin_procedures()[:1], uid, groups) == "closed"
    os.chmod(path, 0o600)


@needs_root
def test_the_admin_program(daemon, polkit):
    """For root; not for a stranger, the socket's group, nor whom polkit admits to everything."""
    daemon.configure("access = polkit", f"socket_group = +{GROUP}")
    polkit.rules('return polkit.Result.YES;')
    check_admin(daemon, 0)
    assert not differing([row for row in procedures() if row[1] == "CONNECT_GET_TYPE"],
                         ask(daemon.socket, [("REMOTE", "CONNECT_GET_TYPE", 3)], STRANGER), all_of_it)
    check_no_admin(daemon, STRANGER)
    check_no_admin(daemon, MEMBER, [GROUP])


def start_as(daemon, uid):
    """A vireod that is not root's."""
    daemon.stop()
    subprocess.run(["chown", "-R", f"{uid}:{uid}", daemon.root], check=True)
    with open(f"{daemon.root}/vireod.log", "ab") as log:
        daemon.process = subprocess.Popen([VIREOD, "--root", daemon.root], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          user=uid, group=uid, extra_groups=[])
    daemon.log = open(f"{daemon.root}/vireod.log")
    wait_for(daemon.answers, 20, "vireod that answers")


@needs_root
def test_the_daemons_user(daemon):
    if not passable(VIREOD):
        pytest.skip("SKIP: only root comes where vireod was built")
    rows = procedures()
    start_as(daemon, OWNER)
    os.chmod(daemon.root, 0o711)
    for uid in 0, OWNER:
        assert not differing(rows, ask(daemon.socket, rows, uid), all_of_it)
    assert not differing(rows, ask(daemon.socket + "-ro", rows, OWNER), reads_alone)
    assert ask(daemon.socket, rows[:1], STRANGER) == "closed"
    assert not differing(rows, ask(daemon.socket + "-ro", rows, STRANGER), reads_alone)
    for uid in 0, OWNER:
        check_admin(daemon, uid)
    check_no_admin(daemon, STRANGER)


def wire_domain(daemon, name):
    define(daemon, name)
    uuid = bytes.fromhex(daemon.virsh("domuuid", name).strip().replace("-", ""))
    return struct.pack(">I", len(name)) + name.encode() + b"\0" * (-len(name) % 4) + uuid + struct.pack(">i", -1)


@needs_root
def test_whom_polkit_admits(daemon, polkit):
    """With a domain in each call, for a call about one is asked about with it: nothing without a rule, whichever class it
    is of, and with one what the rule says."""
    rows = [row for row in procedures() if row[1] not in ("CONNECT_OPEN", "CONNECT_CLOSE")]
    named = [row for row in rows if re.match("DOMAIN_(SNAPSHOT_|REVERT)", row[1]) and row[1] not in OF_A_DOMAIN]
    rows = [row for row in rows if row not in named]
    about = wire_domain(daemon, "asked")
    snapshot = struct.pack(">I4s", 4, b"none") + about
    asked = {about: rows, snapshot: named}

    def nothing(kind, code, text):
        return (code == ABSENT) == (kind == "absent") and \
            (code == DENIED and re.search(rf" do org\.vireo\.{kind}[ ;]", text) is not None) == (kind not in ("open", "absent"))

    def reads(kind, code, _text):
        return (code == ABSENT) == (kind == "absent") and (code == DENIED) == (kind not in ("open", "absent", "read"))

    for payload, some in asked.items():
        assert not differing(some, ask(daemon.socket, some, STRANGER, payload=payload), nothing)
    polkit.rules('return action.id == "org.vireo.read" ? polkit.Result.YES : polkit.Result.NO;')
    for payload, some in asked.items():
        assert not differing(some, ask(daemon.socket, some, STRANGER, payload=payload), reads)
        assert not differing(some, ask(daemon.socket + "-ro", some, STRANGER, payload=payload), reads_alone)
    assert not differing(rows, ask(daemon.socket, rows, payload=struct.pack(">I", 1 << 31)), all_of_it)
    assert daemon.virsh("list", "--all", "--name").split() == ["asked"]
