# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots for which the guest's agent holds its file systems still."""
import os
import re
import socket
import threading

from images import chain, disk, image
from test_agent import agent_guest, ask_when_there, boot  # noqa: F401
from test_snapshot import snapshot


class Agent(threading.Thread):
    """In the place of a guest's agent: has what it was asked in `heard`, and an answer for each command; None: silence."""

    def __init__(self, path, words):
        super().__init__(daemon=True)
        self.words, self.heard, self.server = words, [], socket.socket(socket.AF_UNIX)
        os.unlink(path)
        self.server.bind(path)
        self.server.listen()
        self.start()

    def run(self):
        while True:
            s, _ = self.server.accept()
            try:
                self.serve(s)
            except OSError:
                pass
            s.close()

    def serve(self, s):
        while heard := s.recv(1 << 16):
            for command in re.findall(rb'"execute": ?"guest-([a-z-]+)"', heard):
                sync = re.search(rb'"id": ?(\d+)', heard)
                if command.startswith(b"sync"):
                    s.sendall(b'\xff{"return":%s}\n' % sync.group(1))
                    continue
                self.heard.append(command.decode())
                said = self.words.get(command.decode(), b'{"return":0}\n')
                if said:
                    s.sendall(said)


def with_agent(daemon, words):
    """A guest with a disk whose agent says that."""
    boot(daemon, "q1", vcpus=1)
    ask_when_there(daemon, "q1")
    base, path = image(f"{daemon.root}/base.qcow2"), f"{daemon.root}/disk.xml"
    with open(path, "w") as f:
        f.write(disk(base, "vdb"))
    daemon.virsh("attach-device", "q1", path, "--persistent")
    path = re.search(r"<channel type='unix'>.*?path='([^']+)'", daemon.virsh("dumpxml", "q1"), re.S).group(1)
    daemon.stop()
    agent = Agent(path, words)
    daemon.start()
    return base, agent


def asked(agent):
    return [command for command in agent.heard if command.startswith("fsfreeze")]


def test_frozen_and_thawed(daemon, agent_guest):  # noqa: F811
    base, agent = with_agent(daemon, {"fsfreeze-freeze": b'{"return":1}\n', "fsfreeze-thaw": b'{"return":1}\n'})
    assert "created" in snapshot(daemon, "q1", "--quiesce")
    assert chain(daemon, "q1", "vdb")[:2] == [f"{daemon.root}/base.one", base]
    assert chain(daemon, "q1", "vdb", inactive=True)[:2] == [f"{daemon.root}/base.one", base]
    assert asked(agent) == ["fsfreeze-freeze", "fsfreeze-thaw"]


def test_freeze_that_is_refused(daemon, agent_guest):  # noqa: F811
    """Somebody else holds the guest still: the snapshot does not let it go."""
    base, agent = with_agent(daemon, {"fsfreeze-freeze": b'{"error":{"class":"GenericError","desc":"frozen already"}}\n'})
    assert "frozen already" in snapshot(daemon, "q1", "--quiesce", ok=False)
    assert asked(agent) == ["fsfreeze-freeze"]
    assert chain(daemon, "q1", "vdb", inactive=True) == [base]
    assert chain(daemon, "q1", "vdb")[0] == base and not os.path.exists(f"{daemon.root}/base.one")
