# SPDX-License-Identifier: LGPL-2.1-or-later
"""What fails while a guest is in post-copy: it goes on at the destination, or both sides say that it cannot, and it runs
at one of them at most."""
import contextlib
import os
import signal
import subprocess

import libvirt
import pytest

from conftest import wait_for
from migrate_stops import Stops
from test_migrate import state
from test_migrate_faults import FAULTS, fill, forget, left_over, on_small_disk, runs
from test_postcopy import allowed  # noqa: F401 (a fixture)
from writing_guest import sector_guest, written

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: a file system of its own needs root")

THERE, FAILED = ("gone", "running (migrated)"), ("paused (post-copy failed)", "running (post-copy failed)")
EXPECTED = {
    "source vireod": [THERE, ("paused (migrating)", "running (migrated)")],  # it may have been over before the next one came
    "destination vireod": [THERE],
    "source QEMU": [("gone", "running (post-copy failed)")],
    "destination QEMU": [("paused (post-copy failed)", "gone")],
    "client": [THERE],
    "state": [FAILED],
    "source disk": [THERE],
    "destination disk": [THERE],
}


@pytest.fixture(scope="module")
def sides():
    libvirt.registerErrorHandler(lambda *_: None, None)
    with on_small_disk() as here, on_small_disk() as there:
        yield here, there


def place(daemon):
    """How vm1 is there."""
    said = daemon.run("virsh", "domstate", "vm1", "--reason", ok=None)
    text = said.stdout.strip()
    return "gone" if said.returncode or text.startswith("shut off") else text


def places(sides):  # noqa: F811
    return tuple(place(side) for side in sides)


def begin(here, there):
    forget(here)
    forget(there)
    sector_guest(here, "vm1")
    here.virsh("migrate-setspeed", "vm1", "1")


@contextlib.contextmanager
def under_way(here, there, p2p):
    """A migration that would take long, with relays around it."""
    with contextlib.closing(Stops(here, there, None, None)) as stops:
        process = subprocess.Popen(["virsh", "-c", stops.uris[0], "migrate", "--live", "--postcopy", "--postcopy-bandwidth",
                                    "2", "vm1", stops.uris[1]] + ["--p2p"] * p2p, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            wait_for(lambda: "Outgoing migration" in here.virsh("domjobinfo", "vm1"), 20, "migration under way")
            yield stops, process
        finally:
            process.kill()
            process.wait()


def check_end(sides, outcomes):  # noqa: F811
    here, there = sides
    wait_for(lambda: places(sides) in outcomes, 30,
             lambda: f"{outcomes} but {places(sides)}; {here.log_text()[-2500:]}; {there.log_text()[-2500:]}")
    assert not (runs(here) == "runs" and runs(there) == "runs")
    outcome = places(sides)
    if outcome[1] == "running (migrated)":
        before = written(there, "vm1")
        wait_for(lambda: written(there, "vm1") != before, 20, "guest that writes")
    if outcome[0] == "paused (post-copy failed)":
        assert "its guest is at the other host" in here.virsh("resume", "vm1", ok=False)
    for side in sides:
        forget(side)
        wait_for(lambda side=side: not left_over(side), 20, lambda side=side: f"end of {left_over(side)}")


@pytest.mark.parametrize("p2p", (False, True), ids=("direct", "p2p"))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault(sides, allowed, p2p, fault):  # noqa: F811
    here, there = sides
    begin(here, there)
    with under_way(here, there, p2p) as (stops, process):
        here.virsh("migrate-postcopy", "vm1")
        wait_for(lambda: place(there) == "running (post-copy)", 20, "post-copy")
        FAULTS[fault](stops)
        for side in sides:
            if side.process.poll() is not None:
                side.start()
        process.communicate(timeout=300)
        for side in sides:
            fill(side, False)
        check_end(sides, EXPECTED[fault])


@pytest.mark.parametrize("side, step", [("source", "postcopy-asked"), ("destination", "postcopy-come")])
def test_a_killed_daemon(sides, allowed, side, step):  # noqa: F811
    """In the middle of the switch: it is done by the next one."""
    here, there = sides
    victim = here if side == "source" else there
    victim.stop()
    os.environ["VIREOD_CRASH_AT"] = step
    try:
        victim.start()
    finally:
        del os.environ["VIREOD_CRASH_AT"]
    begin(here, there)
    with under_way(here, there, False) as (_, process):
        here.run("virsh", "migrate-postcopy", "vm1", ok=None)
        assert victim.process.wait(60) == -signal.SIGKILL
        victim.start()
        process.communicate(timeout=300)
        check_end(sides, [THERE])


@pytest.mark.parametrize("side", ("source", "destination"))
def test_a_disk_that_is_full_before(sides, allowed, side):  # noqa: F811
    """A source that cannot write that it has asked for it does not ask; a destination goes on without its files."""
    here, there = sides
    begin(here, there)
    with under_way(here, there, False) as (_, process):
        fill(here if side == "source" else there, True)
        said = here.run("virsh", "migrate-postcopy", "vm1", ok=None)
        if side == "source":
            assert said.returncode and "cannot write" in said.stderr, said
            assert state(here, "vm1") == "running (booted)"
            here.virsh("domjobabort", "vm1")
        process.communicate(timeout=300)
        fill(here if side == "source" else there, False)
        check_end(sides, [("running (booted)", "gone")] if side == "source" else [THERE])


def test_a_definition_that_cannot_be_written(sides, allowed):  # noqa: F811
    """The guest has moved, the migration says what is wrong, and the source keeps its definition."""
    here, there = sides
    begin(here, there)
    process = subprocess.Popen(["virsh", "-c", here.uri, "migrate", "--live", "--postcopy", "--persistent", "--undefinesource",
                                "vm1", there.uri], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: "Outgoing migration" in here.virsh("domjobinfo", "vm1"), 20, "migration under way")
    fill(there, True)
    here.virsh("migrate-postcopy", "vm1")
    said = process.communicate(timeout=300)[0]
    fill(there, False)
    assert process.returncode and "has moved here, but is transient" in said, said
    assert "vm1" in here.virsh("list", "--all", "--persistent") and "vm1" not in there.virsh("list", "--all", "--persistent")
    check_end(sides, [THERE])


def test_a_destination_that_is_gone(sides, allowed):  # noqa: F811
    """There is no switch to a place without a vireod: the guest goes on here."""
    here, there = sides
    begin(here, there)
    with under_way(here, there, False) as (_, process):
        there.stop(signal.SIGKILL)
        here.run("virsh", "migrate-postcopy", "vm1", ok=False)
        process.communicate(timeout=300)
        there.start()
        check_end(sides, [("running (booted)", "gone")])
