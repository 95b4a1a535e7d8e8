# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: every procedure of every program, asked by five callers without its arguments, so that one who is
let in is told that they are missing, or gets what needs none, and one who is not is refused before they are looked at."""
import json
import os
import re
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {"REMOTE": 0x20008086, "QEMU": 0x20008087, "VIREO": 0x76697265}
STRANGER, MEMBER, GROUP = 64911, 64912, 64913
READ_ONLY = 29  # libvirt's VIR_ERR_OPERATION_DENIED
# What changes something, or shows what is the guest's own, by the words that libvirt's names have for it.
CHANGES = re.compile(r"_(SET|CREATE|DEFINE|UNDEFINE|DESTROY|START|STOP|ATTACH|DETACH|UPDATE|DELETE|SAVE|RESTORE|MIGRATE|"
                     r"PIN|REBOOT|RESET|SHUTDOWN|SUSPEND|RESUME|ABORT|RENAME|RESIZE|WIPE|UPLOAD|DOWNLOAD|REFRESH|BUILD|"
                     r"MONITOR_COMMAND|AGENT_COMMAND|CANCEL|RETRY|CHANGE|RECONCILE|INJECT|SEND|FSTRIM|FSFREEZE|FSTHAW|"
                     r"PEEK|SCREENSHOT|CORE_DUMP|OPEN_CONSOLE|OPEN_CHANNEL|OPEN_GRAPHICS|MONITOR_EVENT)(_|$)")
READS = re.compile(r"_(GET|HAS|IS|LIST|NUM)(_|$)")


def procedures():
    """[(program, name, number)]"""
    with open(f"{HERE}/../../src/rpc/remote_protocol.x") as f:
        found = re.findall(r"\b(REMOTE|QEMU|VIREO)_PROC_([A-Z0-9_]+) = (\d+)", f.read())
    return [(PROGRAMS[program], name, int(number)) for program, name, number in found]


ASK = """
import json, socket, struct, sys
sys.path.insert(0, sys.argv[1])
from test_bad_input import frame, read_frame
def opened():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[2])
    name = b"qemu:///system"
    s.sendall(frame(1, struct.pack(">II", 1, len(name)) + name + b"\\0\\0" + struct.pack(">I", 0)))
    got = read_frame(s)
    assert got[0][6] == 0, got
    return s
def code(program, number):
    global s
    s.sendall(frame(number, program=program, serial=7))
    got = read_frame(s)
    while got and got[0][5] != 7: # an event
        got = read_frame(s)
    if got is None or number in (1, 2):
        s.close()
        s = opened()
    if got is None:
        return -1
    if got[0][6] and b"unknown procedure" in got[1]:
        return -2
    return struct.unpack(">i", got[1][:4])[0] if got[0][6] else 0
try:
    s = opened()
    print(json.dumps([code(program, number) for program, number in json.load(sys.stdin)]))
except PermissionError:
    print(json.dumps("closed"))
"""


def ask(path, rows, uid=0, groups=()):
    """The error code of each, 0 for a reply, -2 for one that is not served; "closed" when the socket is."""
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", ASK, HERE, path], user=uid, group=uid,
                          extra_groups=groups, text=True, capture_output=True, timeout=240,
                          input=json.dumps([row[::2] for row in rows]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: needs root: other users are played")
def test_every_procedure_and_five_callers(daemon):
    os.chmod(daemon.root, 0o711)
    rows = procedures()
    assert len(rows) > 400
    root = ask(daemon.socket, rows)
    assert READ_ONLY not in root
    read_only = ask(daemon.socket + "-ro", rows)
    stranger = ask(daemon.socket + "-ro", rows, STRANGER)
    assert ask(daemon.socket, rows[:1], STRANGER) == "closed"
    daemon.configure(f"socket_group = +{GROUP}")
    assert ask(daemon.socket, rows[:1], STRANGER) == "closed"
    member = ask(daemon.socket, rows, MEMBER, [GROUP])
    assert READ_ONLY not in member
    allowed = []
    for (program, name, _), ro, other in zip(rows, read_only, stranger):
        assert ro == other or READ_ONLY not in (ro, other), name
        if ro not in (READ_ONLY, -2):
            allowed.append(name)
    wrong = [name for name in allowed if CHANGES.search("_" + name) and not READS.search("_" + name)]
    assert not wrong, wrong
    assert {"DOMAIN_GET_INFO", "CONNECT_LIST_ALL_DOMAINS", "DOMAIN_GET_XML_DESC"} <= set(allowed)
    assert not {"DOMAIN_CREATE", "DOMAIN_SET_VCPUS_FLAGS", "DOMAIN_MONITOR_COMMAND", "CHANGE_VCPUS"} & set(allowed)
