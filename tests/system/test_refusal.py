# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that is silent, refuses, or ends instead of answering."""
import os
import signal
import time

import pytest

from conftest import client, end_of, quick, silent


@pytest.fixture(autouse=True)
def short_deadline(daemon):
    """What is looked at here is not the length of the deadline."""
    daemon.configure("unplug_timeout_ms = 2000")


def test_silent_guest(daemon, guest):
    """Nobody in the guest answers the eject: an error after the deadline, nothing else waits for it."""
    silent(daemon, "s1")
    daemon.paused("s2")
    removal = client(daemon, "setvcpus", "s1", "1", "--live")
    time.sleep(0.5)
    assert removal.poll() is None
    quick(daemon, "list", "--all")
    quick(daemon, "dominfo", "s1")
    quick(daemon, "vcpucount", "s1")
    quick(daemon, "setvcpus", "s2", "2", "--live")
    status, out = end_of(removal)
    assert status == 1 and "vcpu unplug request timed out" in out, out
    assert daemon.counts("s1")[("current", "live")] == 3
    quick(daemon, "destroy", "s1")


def test_destroy_during_removal(daemon, guest):
    """destroy does not wait for the guest's answer, and the waiting call ends with it."""
    silent(daemon, "s1")
    removal = client(daemon, "setvcpus", "s1", "1", "--live")
    time.sleep(0.5)
    assert removal.poll() is None
    daemon.virsh("destroy", "s1")
    status, out = end_of(removal, 10)
    assert status == 1, out
    assert "shut off" in daemon.virsh("domstate", "s1") and not daemon.qemus()
    daemon.virsh("start", "s1", "--paused")
    assert daemon.counts("s1")[("current", "live")] == 1


def test_qemu_dies_during_removal(daemon, guest):
    silent(daemon, "s1")
    removal = client(daemon, "setvcpus", "s1", "1", "--live")
    time.sleep(0.5)
    assert removal.poll() is None
    os.kill(daemon.qemus()["s1"], signal.SIGKILL)
    status, out = end_of(removal, 10)
    assert status == 1, out
    assert "shut off (crashed)" in daemon.virsh("domstate", "s1", "--reason")


def test_refusal(daemon, guest):
    """A guest that refuses: its reason, at once, and an event."""
    daemon.boot("r1", cmdline="vireo.refuse")
    daemon.virsh("setvcpus", "r1", "2", "--live")
    daemon.wait_online("r1", "0-1")
    start = time.monotonic()
    error = daemon.virsh("setvcpus", "r1", "1", "--live", "--config", ok=False)
    assert time.monotonic() - start < 4.5  # its deadline is 5
    assert "rejected by the guest" in error and "does not support the ejection" in error
    assert daemon.counts("r1")[("current", "live")] == 2
    assert daemon.online("r1") == "0-1"


def test_paused_guest_is_told_apart(daemon, guest):
    """A paused guest cannot answer: refused before anything is sent."""
    daemon.boot("p1")
    daemon.virsh("setvcpus", "p1", "2", "--live")
    daemon.wait_online("p1", "0-1")
    daemon.virsh("suspend", "p1")
    start = time.monotonic()
    assert "is paused" in daemon.virsh("setvcpus", "p1", "1", "--live", ok=False)
    assert time.monotonic() - start < 4.5  # its deadline is 5
    daemon.virsh("resume", "p1")
    daemon.virsh("setvcpus", "p1", "1", "--live")
    daemon.wait_online("p1", "0")
