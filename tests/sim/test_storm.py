# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU that says the same thousands of times a second."""
import os
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import ask, start  # noqa: E402
from conftest import daemon, end_of, wait_for  # noqa: E402,F401


@pytest.fixture
def told(daemon):
    """The lines of a virsh that listens to s1."""
    start(daemon, "s1")
    path = f"{daemon.root}/events"
    with open(path, "w") as out:
        listener = subprocess.Popen(["virsh", "-c", daemon.uri, "event", "s1", "--all", "--loop"], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=subprocess.STDOUT)

    def lines(word):
        with open(path) as f:
            return [line for line in f if word in line]

    wait_for(lambda: daemon.virsh("desc", "s1", "--title", "--live", "a title") is not None and lines("metadata-change"), 60,
             "a virsh that listens")
    yield lines
    listener.terminate()
    end_of(listener)


def errors(action):
    return {"name": "BLOCK_IO_ERROR", "data": {"device": "", "node-name": "", "operation": "read", "action": action,
                                               "reason": "Input/output error"}}


def test_io_errors_of_a_kind(daemon, told):
    """The first is told at once, that there were more once a second; one that stops the guest is never held back."""
    begun = time.monotonic()
    ask(daemon, "s1", flood={**errors("report"), "times": 20000})
    wait_for(lambda: len(told("'io-error'")) >= 2, 30, "the last of them")
    wait_for(lambda: len(told("'io-error-reason'")) >= 2, 30, "the last of them")
    assert len(told("'io-error'")) <= 2 + (time.monotonic() - begun), told("'io-error'")
    for n in 1, 2, 3:
        ask(daemon, "s1", flood={**errors("stop"), "times": 1})
        wait_for(lambda: len([line for line in told("'io-error'") if "pause" in line]) == n, 30, "an error that stops")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "paused (I/O error)"
