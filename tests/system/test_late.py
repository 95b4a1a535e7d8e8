# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that answers too late."""
import json
import signal
import time

import pytest

from conftest import client, end_of, silent, wait_for


@pytest.fixture(autouse=True)
def short_deadline(daemon):
    """What is looked at here is not the length of the deadline."""
    daemon.configure("unplug_timeout_ms = 2000")


def test_late_answer(daemon, guest):
    """The guest hears nothing until past the deadline; then the removal completes by itself, and with it the
    definition's half of the same call."""
    silent(daemon, "l1")
    daemon.define("other", boot=False)
    assert "timed out" in daemon.virsh("setvcpus", "l1", "1", "--live", "--config", ok=False)
    assert daemon.counts("l1")[("current", "live")] == 3
    daemon.virsh("desc", "l1", "--config", "one")  # meanwhile: the definition is not locked
    daemon.wake("l1")
    daemon.wait_online("l1", "0")
    wait_for(lambda: daemon.counts("l1")[("current", "live")] == 1, 20, "current count of 1 after the late answer")
    wait_for(lambda: daemon.counts("l1")[("current", "config")] == 1, 20, "the definition's half after it")


def test_late_answer_and_a_newer_definition(daemon, guest):
    """A count that was defined meanwhile is what the definition keeps."""
    silent(daemon, "l1")
    assert "timed out" in daemon.virsh("setvcpus", "l1", "1", "--live", "--config", ok=False)
    daemon.virsh("setvcpus", "l1", "2", "--config")
    daemon.wake("l1")
    wait_for(lambda: daemon.counts("l1")[("current", "live")] == 1, 20, "current count of 1 after the late answer")
    wait_for(lambda: json.loads(daemon.vireo("ops", "list", "--json")) == [], 20, "the operation's end")
    assert daemon.counts("l1")[("current", "config")] == 2


def test_late_answer_after_restart(daemon, guest):
    """The daemon is killed while the removal is pending; the next one completes it."""
    silent(daemon, "l2")
    daemon.virsh("setvcpus", "l2", "3", "--config")
    assert "timed out" in daemon.virsh("setvcpus", "l2", "2", "--live", "--config", ok=False)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert daemon.counts("l2")[("current", "live")] == 3
    daemon.wake("l2")
    daemon.wait_online("l2", "0-1")
    wait_for(lambda: daemon.counts("l2") == {("maximum", "config"): 4, ("maximum", "live"): 4,
                                             ("current", "config"): 2, ("current", "live"): 2}, 20,
             "both halves after the late answer")


def test_cancelled_removal_after_restart(daemon, guest):
    """Nobody waits for it any more, but the status file knows that the guest was asked."""
    silent(daemon, "l3")
    assert "timed out" in daemon.virsh("setvcpus", "l3", "2", "--live", ok=False)
    daemon.vireo("ops", "cancel", "2")  # 1 was the plug
    daemon.stop(signal.SIGKILL)
    daemon.start()
    daemon.wake("l3")
    wait_for(lambda: daemon.counts("l3")[("current", "live")] == 2, 20, "removal that was seen")
    def mark():
        with open(f"{daemon.root}/run/domains/l3.xml") as f:
            return "pending" in f.read()
    wait_for(lambda: not mark(), 10, "status file without the mark")


def test_late_answer_after_a_save(daemon, guest):
    """The guest was asked in one QEMU, and answers in another."""
    def marks(name):
        with open(f"{daemon.root}/run/domains/{name}.xml") as f:
            return f.read().count("pending='removal'")

    silent(daemon, "l4")
    assert "timed out" in daemon.virsh("setvcpus", "l4", "2", "--live", ok=False)
    assert marks("l4") == 1
    daemon.virsh("managedsave", "l4")
    daemon.virsh("start", "l4")
    assert marks("l4") == 1 and daemon.counts("l4")[("current", "live")] == 3
    daemon.virsh("shutdown", "l4")  # wakes it, whose console began anew
    wait_for(lambda: daemon.said("l4", "AWAKE"), 30, "guest that hears again")
    wait_for(lambda: daemon.counts("l4")[("current", "live")] == 2, 20, "removal that was seen")
    wait_for(lambda: marks("l4") == 0, 20, "status file without the mark")


def test_daemon_dies_during_removal(daemon, guest):
    """The restarted daemon finds the domain as QEMU has it, and can go on with it."""
    silent(daemon, "s1")
    removal = client(daemon, "setvcpus", "s1", "1", "--live")
    time.sleep(0.5)
    assert removal.poll() is None
    daemon.stop(signal.SIGKILL)
    status, _ = end_of(removal)
    assert status == 1
    daemon.start()
    assert daemon.counts("s1")[("current", "live")] == 3
    daemon.virsh("setvcpus", "s1", "4", "--live")
    assert daemon.counts("s1")[("current", "live")] == 4
