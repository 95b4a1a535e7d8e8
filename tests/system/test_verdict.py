# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the guest did with plugged vCPUs, as the operation tells it without an agent: against the guest's own console,
with plugs at any moment of its boot. VIREO_VERDICTS is the number of plugs of each kind of guest (1; 17 at night)."""
import json
import os
import pathlib
import random
import re
import time

import pytest

from conftest import daemon, guest, wait_for  # noqa: F401 (fixtures)

PLUGS = int(os.environ.get("VIREO_VERDICTS") or 1)
BOOT = 6  # seconds, in the first part of which the plug comes
KINDS = {"onlines": {"initrd": "initrd-ordinary"}, "leaves offline": {"initrd": "initrd-offline"},
         "no ACPI": {"initrd": "initrd-ordinary", "cmdline": "acpi=off"}}


def verdict(daemon):
    """The last operation's word on the guest."""
    return json.loads(daemon.vireo("ops", "list", "--all", "--json"))[0].get("guest") or ""


def word(daemon, name, after):
    """What the console says of the plug of one vCPU."""
    cpus = daemon.online(name)
    if "-" in cpus:
        return "online"
    return after


def settled(daemon, name, expected):
    wait_for(lambda: verdict(daemon).startswith(word(daemon, name, expected)), 60,
             lambda: f"verdict '{word(daemon, name, expected)}', it is '{verdict(daemon)}'")


def vcpu_verdicts(daemon, name):
    """What vcpuinfo says of each vCPU; None of one that was there at boot."""
    return [vcpu.get("guest") for vcpu in json.loads(daemon.vireo("vcpuinfo", name, "--json"))]


@pytest.mark.parametrize("kind", KINDS)
def test_at_any_moment_of_the_boot(daemon, guest, kind):
    rng = random.Random()
    for _ in range(PLUGS):
        moment = rng.uniform(0, BOOT)
        print(f"a plug after {moment:.2f} s")
        daemon.define("g", maximum=2, cpu="", **KINDS[kind])
        daemon.virsh("start", "g")
        time.sleep(moment)
        daemon.virsh("setvcpus", "g", "2", "--live")
        wait_for(lambda: daemon.online("g"), 90, "a guest whose init has run")
        settled(daemon, "g", {"onlines": "online", "leaves offline": "present, offline", "no ACPI": "silent"}[kind])
        time.sleep(1)  # a verdict that is right by chance does not stay
        settled(daemon, "g", {"onlines": "online", "leaves offline": "present, offline", "no ACPI": "silent"}[kind])
        daemon.virsh("destroy", "g")
        daemon.virsh("undefine", "g")


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_guest_that_runs(daemon, guest, kind):
    """Right when the call with --wait is over, a second after the plug; and when the guest changes its mind, later. On
    a busy machine a guest may have come less far in that second: then it is what it has come to."""
    daemon.boot("g", maximum=2, cpu="", **KINDS[kind])
    said = daemon.vireo("setvcpus", "g", "2", "--live", "--wait")
    way = ["silent: 0 of 1", "present, offline: 0 of 1", "online: all 1 new CPUs"]
    expected = {"onlines": way[2], "leaves offline": way[1], "no ACPI": way[0]}[kind]
    assert any(word in said for word in way[:way.index(expected) + 1]), said
    settled(daemon, "g", expected)
    assert ("udev rule SUBSYSTEM" in verdict(daemon)) == (kind == "leaves offline")
    if kind == "onlines":
        daemon.wait_online("g", "0-1")
    else:
        assert daemon.online("g") == "0"
    word = expected.split(":")[0]
    assert vcpu_verdicts(daemon, "g") == [None, word]
    assert re.findall(r"^Guest: +(.*)", daemon.vireo("vcpuinfo", "g"), re.M) == [word]
    operation = json.loads(daemon.vireo("ops", "list", "--all", "--json"))[0]["id"]
    assert re.search(rf"^Guest: +{word}\b", daemon.vireo("ops", "show", str(operation)), re.M)
    status = pathlib.Path(daemon.root, "run/domains/g.xml")
    wait_for(lambda: f'{word.split(",")[0]}="1"' in status.read_text(), 10, lambda: f"it in {status.read_text()}")
    daemon.stop()
    daemon.start()
    assert vcpu_verdicts(daemon, "g") == [None, word], "the next daemon has forgotten it"
    if kind != "onlines":  # its last word is not said yet: the operation is kept until it is
        assert verdict(daemon).startswith(word), "the next daemon has forgotten the operation"
