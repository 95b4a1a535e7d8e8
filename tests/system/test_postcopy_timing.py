# SPDX-License-Identifier: LGPL-2.1-or-later
"""Migrations, most of them switched to post-copy, at many timings, with and without something that fails near it: the guest
runs at one side, or, where both sides cannot know, stands still at both until a person decides; never does it run at two."""
import contextlib
import os
import random
import subprocess
import threading
import time

import libvirt
import pytest

from conftest import VIREO, wait_for
from migrate_stops import Stops
from test_migrate_faults import EMULATOR, FAULTS, fill, forget, left_over, on_small_disk, runs
from test_postcopy import allowed  # noqa: F401 (a fixture)
from test_postcopy_faults import places
from writing_guest import sector_guest, written

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: a file system of its own needs root")

N = int(os.environ.get("POSTCOPY_TIMINGS", "60"))
SEED = int(os.environ.get("POSTCOPY_SEED", "1"))


def on_both(fault):
    """The same of each side at once."""
    def fail(stops):
        for side in "source", "destination":
            FAULTS[f"{side} {fault}"](stops)
    return fail


ALL_FAULTS = {**FAULTS, "both vireods": on_both("vireod"), "both disks": on_both("disk"),
              "client and state": lambda stops: (stops.cut_calls(), stops.cut_state())}
WINDOW = 0.1  # seconds; the kernel counts CPU time in hundredths


@pytest.fixture(scope="module")
def sides():
    libvirt.registerErrorHandler(lambda *_: None, None)
    with on_small_disk() as here, on_small_disk() as there:
        yield here, there


class Watch:
    """Whether both guests' vCPUs use CPU time at once: each in two windows in a row, so that a switch is none."""

    def __init__(self, sides):
        self.sides, self.both, self.over = sides, 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def used(pid):
        with contextlib.suppress(OSError, IndexError, ValueError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/stat") as f:
                    name, _, rest = f.read().partition("(")[2].rpartition(")")
                if name.startswith("CPU 0"):
                    return int(rest.split()[11])
        return None

    def run(self):
        pids, before, last = [None, None], [None, None], False
        while not self.over:
            now = []
            for i, side in enumerate(self.sides):
                if pids[i] is None or not os.path.exists(f"/proc/{pids[i]}"):
                    pids[i], before[i] = side.qemus().get("vm1"), None
                now.append(self.used(pids[i]) if pids[i] else None)
            grew = all(a is not None and b is not None and a > b for a, b in zip(now, before))
            self.both += grew and last
            last, before = grew, now
            time.sleep(WINDOW)

    def end(self):
        self.over = True
        self.thread.join()
        return self.both


def start(stops, p2p, postcopy_speed):
    return subprocess.Popen(["virsh", "-c", stops.uris[0], "migrate", "--live", "--postcopy", "--postcopy-bandwidth",
                             postcopy_speed, "vm1", stops.uris[1]] + ["--p2p"] * p2p, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def settled(sides):  # noqa: F811
    """Where it runs by QEMU's own word, once both sides have an answer."""
    now = runs(sides[0]), runs(sides[1])
    return None if "unknown" in now or any("in post-copy" in x or "(post-copy)" in x for x in places(sides)) else now


@pytest.mark.parametrize("seed", range(SEED, SEED + N))
def test_a_timing(sides, allowed, seed):  # noqa: F811
    here, there = sides
    chance = random.Random(seed)
    fault = chance.choice([None, *ALL_FAULTS])
    switches = chance.random() < 0.7
    p2p, speed = chance.random() < 0.5, chance.choice(["1", "1", "8", "100"] if switches else ["100", "1000", "1000"])
    postcopy_speed = chance.choice(["1", "8", "1000", "1000"])
    before_switch, before_fault = chance.uniform(0, 0.5), chance.choice([0, chance.uniform(0, 0.1), chance.uniform(0, 0.6)])
    emulator = {} if seed % 3 or not os.environ.get("POSTCOPY_NEWER") else {"emulator": EMULATOR}
    forget(here)
    forget(there)
    sector_guest(here, "vm1", **emulator)
    here.virsh("migrate-setspeed", "vm1", speed)
    with contextlib.closing(Stops(here, there, None, None)) as stops:
        process = start(stops, p2p, postcopy_speed)
        watch = Watch(sides)
        try:
            wait_for(lambda: process.poll() is not None or "Outgoing migration" in
                     here.run("virsh", "domjobinfo", "vm1", ok=None).stdout, 20, "migration under way")
            time.sleep(before_switch)
            command = "migrate-postcopy" if switches else "domjobinfo"
            switch = subprocess.Popen(["virsh", "-c", here.uri, command, "vm1"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(before_fault)
            if fault:
                ALL_FAULTS[fault](stops)
            said = switch.communicate(timeout=60)[0]
            for side in sides:
                if side.process.poll() is not None:
                    side.start()
            if not switches:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
            if switch.returncode or not switches:  # the guest writes faster than it goes
                here.run("virsh", "domjobabort", "vm1", ok=None)
            said += process.communicate(timeout=300)[0]
            for side in sides:
                fill(side, False)
            wait_for(lambda: settled(sides), 60, lambda: f"end: {places(sides)}")
        finally:
            both = watch.end()
            process.kill()
            process.wait()
    outcome, where = settled(sides), places(sides)
    print(f"timing {seed}: {fault} {'post-copy' if switches else 'pre-copy'} {'p2p' if p2p else 'direct'} {speed} {postcopy_speed} {before_switch:.2f} {before_fault:.2f}: {where}")
    logs = f"{seed}: {fault}: {outcome} {where}: {said}: {here.log_text()[-3000:]}: {there.log_text()[-3000:]}"
    assert both == 0 and outcome != ("runs", "runs"), f"{both} {logs}"
    if "runs" in outcome:
        side = sides[outcome.index("runs")]
        if "failed" not in where[1]:
            before = written(side, "vm1")
            wait_for(lambda: written(side, "vm1") != before, 20, "guest that writes")
    elif fault in (None, "client", "source disk", "destination disk", "both disks"):
        raise AssertionError(f"it runs nowhere: {logs}")
    elif not fault.endswith("QEMU"):
        assert outcome[0] == "stands" or outcome[1] == "stands", f"it is nowhere: {logs}"
        if where[0] == "paused (migrating)":  # a person has decided
            assert "handed over" in here.run(VIREO, "doctor", "vm1", ok=None).stdout, logs
            here.virsh("resume", "vm1")
            before = written(here, "vm1")
            wait_for(lambda: written(here, "vm1") != before, 20, "guest that writes")
    for side in sides:
        forget(side)
        wait_for(lambda side=side: not left_over(side), 20, lambda side=side: f"end of {left_over(side)}")
