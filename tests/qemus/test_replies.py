# SPDX-License-Identifier: LGPL-2.1-or-later
"""What this QEMU says is what is recorded of it (tests/data), and what the simulator says it could say, too."""
import json
import os

import pytest

from several import HERE, VERSION, emulator  # noqa: F401 (a fixture)
from qmp_schema import Schema
from record import conversation
from test_model import X86, QUERIES, comparable, simulated

SMP = ["1,maxcpus=8,sockets=8,cores=1,threads=1", "1,maxcpus=16,sockets=2,dies=2,cores=2,threads=2"]


@pytest.mark.parametrize("smp", SMP)
def test_entities(emulator, smp):
    props = {"driver": "max-x86_64-cpu", "core-id": 0, "thread-id": 0, "socket-id": 1, "die-id": 1}
    if "dies" not in smp:
        del props["die-id"]
    commands = [*QUERIES, {"execute": "device_add", "arguments": {**props, "id": "vcpu"}}, *QUERIES,
                {"execute": "device_add", "arguments": {**props, "id": "vcpu"}},
                {"execute": "device_add", "arguments": {**props, "id": "other"}},
                {"execute": "device_del", "arguments": {"id": "nope"}}]
    ours = comparable(simulated("x86_64", [*X86, "-smp", smp], commands))
    theirs = comparable(conversation([emulator, *X86, "-smp", smp], commands)[1:])
    assert [sorted(answer) for answer in ours] == [sorted(answer) for answer in theirs]
    assert [a for a in ours if "return" in a] == [a for a in theirs if "return" in a]
    assert [a["error"]["class"] for a in ours if "error" in a] == [a["error"]["class"] for a in theirs if "error" in a]


def test_recorded_schema(emulator):
    """tests/data/record-schema has to run again when this fails."""
    schema = Schema(VERSION)
    answer = conversation([emulator, "-machine", "none"], [{"execute": "query-commands"}])[1]
    assert {row["name"] for row in answer["return"]} == set(schema.commands)


def test_simulated_replies():
    """The replies that the simulator replays have the types of this QEMU's; they may be shorter, and of an older one."""
    schema = Schema(VERSION)
    with open(os.path.join(HERE, "../sim/replies/x86_64.json"), encoding="utf-8") as f:
        replies = json.load(f)
    for name, value in replies.items():
        if name in schema.commands and name != "query-qmp-schema":
            assert [c for c in schema.reply(name, value) if " wants " not in c] == []
