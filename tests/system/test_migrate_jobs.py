# SPDX-License-Identifier: LGPL-2.1-or-later
"""A migration under way: how far it is, how fast it may be, and its end before it is done."""
import re

import pytest

from conftest import VIREO, client, end_of, quick, wait_for
from test_migrate import other, state, xml_for  # noqa: F401 (a fixture)
from writing_guest import sector_guest, written


def begin(daemon, other, *flags, program="virsh"):  # noqa: F811
    """A guest whose migration takes long, and the client that leads it."""
    daemon.boot("vm1", maximum=4, current=1)
    daemon.virsh("migrate-setspeed", "vm1", "1")
    assert daemon.virsh("migrate-getspeed", "vm1").strip() == "1"
    process = client(daemon, "migrate", "--live", "vm1", other.uri, "--xml", xml_for(other, daemon, "vm1"), *flags,
                     program=program)
    wait_for(lambda: "Outgoing migration" in daemon.virsh("domjobinfo", "vm1"), 10, "job")
    return process


def test_speed_and_suspend(daemon, other, guest):  # noqa: F811
    events = client(daemon, "event", "--all", "--loop", "--timeout", "300")
    process = begin(daemon, other, "--comp-methods", "xbzrle", "--compressed")
    info = daemon.virsh("domjobinfo", "vm1")
    assert re.search(r"Memory total: +2\d\d\.\d+ MiB", info) and "Compression cache" in info
    daemon.virsh("migrate-setmaxdowntime", "vm1", "1234")
    assert daemon.virsh("migrate-getmaxdowntime", "vm1").strip() == "1234"
    assert "is being migrated already" in daemon.virsh("migrate", "--live", "vm1", other.uri, ok=False)
    quick(daemon, "suspend", "vm1")
    assert state(daemon, "vm1") == "paused (migrating)"
    daemon.virsh("migrate-setspeed", "vm1", "1000")
    assert end_of(process)[0] == 0
    assert state(other, "vm1") == "running (migrated)"
    done = daemon.virsh("domjobinfo", "vm1", "--completed")
    assert "Completed" in done and "Outgoing migration" in done and "Total downtime" in done
    assert "Incoming migration" in other.virsh("domjobinfo", "vm1", "--completed")
    events.terminate()
    said = end_of(events)[1]
    assert "event 'migration-iteration' for domain 'vm1': iteration: '1'" in said
    assert "event 'job-completed' for domain 'vm1'" in said


@pytest.mark.parametrize("program", ["virsh", VIREO])
def test_a_time_limit_suspends(daemon, other, guest, program):  # noqa: F811
    """The client suspends a guest whose migration takes longer; it runs on there."""
    process = begin(daemon, other, "--timeout", "1", program=program)
    wait_for(lambda: state(daemon, "vm1") == "paused (migrating)", 60, "a guest that is suspended")
    daemon.virsh("migrate-setspeed", "vm1", "1000")
    assert end_of(process)[0] == 0
    assert state(other, "vm1") == "running (migrated)"


def test_time_limits_that_are_none(daemon):
    daemon.paused("vm1")
    for words in ("--timeout 5", "--live --timeout -1", "--live --timeout x", "--live --timeout-suspend",
                  "--live --timeout 5 --timeout-suspend --timeout-postcopy", "--live --timeout 5 --timeout-postcopy"):
        virsh, vireo = daemon.both("migrate", "vm1", "qemu+unix:///system?socket=/nothing", *words.split())
        assert virsh == vireo and vireo[0] == 1, words


def test_abort(daemon, other, guest):  # noqa: F811
    process = begin(daemon, other)
    quick(daemon, "domjobabort", "vm1")
    code, said = end_of(process)
    assert code != 0 and "canceled by client" in said
    assert state(daemon, "vm1") == "running (booted)" and not other.qemus()
    assert "No completed job" in daemon.virsh("domjobinfo", "vm1", "--completed") or \
        "None" in daemon.virsh("domjobinfo", "vm1", "--completed")
    assert "no job is active" in daemon.virsh("domjobabort", "vm1", ok=False)
    daemon.virsh("setvcpus", "vm1", "2", "--live")
    daemon.wait_online("vm1", "0-1")


def test_a_guest_that_writes_is_slowed_down(daemon, other):  # noqa: F811
    """One whose memory never would be sent as fast as it writes: auto-converge slows it down until it is."""
    sector_guest(daemon, "vm1")
    daemon.virsh("migrate-setspeed", "vm1", "24")  # 32 MiB a round, and many rounds a second
    xml = xml_for(other, daemon, "vm1")
    process = client(daemon, "migrate", "--live", "vm1", other.uri, "--xml", xml)
    wait_for(lambda: passes(daemon) > 4, 60, "a migration that does not come to its end")
    assert process.poll() is None and "throttle" not in daemon.virsh("domjobinfo", "vm1")
    daemon.virsh("domjobabort", "vm1")
    assert end_of(process)[0] != 0 and not other.qemus()
    process = client(daemon, "migrate", "--live", "--auto-converge", "--auto-converge-initial", "40",
                     "--auto-converge-increment", "25", "vm1", other.uri, "--xml", xml)
    wait_for(lambda: throttle(daemon) >= 40, 60, "throttle")
    wait_for(lambda: throttle(daemon) > 40, 60, "more of it")
    daemon.virsh("migrate-setmaxdowntime", "vm1", "3000")
    assert end_of(process, 60)[0] == 0
    assert state(other, "vm1") == "running (migrated)" and not daemon.qemus()
    before = written(other, "vm1")
    wait_for(lambda: written(other, "vm1") > before + 4, 10, "guest that is as fast as it was")


def passes(daemon):
    found = re.search(r"Iteration: +(\d+)", daemon.virsh("domjobinfo", "vm1"))
    return int(found.group(1)) if found else 0


def throttle(daemon):
    found = re.search(r"Auto converge throttle: +(\d+)", daemon.run("virsh", "domjobinfo", "vm1", ok=None).stdout)
    return int(found.group(1)) if found else 0


def test_what_is_set_of_it(daemon):
    """Speed is the domain's, the downtime and the cache are QEMU's; what cannot be is refused."""
    daemon.define("vm1", boot=False)
    assert int(daemon.virsh("migrate-getspeed", "vm1")) == 8796093022207
    daemon.virsh("migrate-setspeed", "vm1", "77")
    for command in ("migrate-getmaxdowntime", "migrate-compcache"):
        assert "not running" in daemon.virsh(command, "vm1", ok=False)
    daemon.virsh("start", "vm1", "--paused")
    assert daemon.virsh("migrate-getspeed", "vm1").strip() == "77"
    assert daemon.virsh("migrate-getmaxdowntime", "vm1").strip() == "300"
    daemon.virsh("migrate-setmaxdowntime", "vm1", "4321")
    assert daemon.virsh("migrate-getmaxdowntime", "vm1").strip() == "4321"
    assert "64.000 MiB" in daemon.virsh("migrate-compcache", "vm1")
    assert "32.000 MiB" in daemon.virsh("migrate-compcache", "vm1", "--size", str(32 << 20))
    assert "32.000 MiB" in daemon.virsh("migrate-compcache", "vm1")
    for bad in ("1000", str((1 << 63) + 5)):  # less than a page, and more than there is
        daemon.virsh("migrate-compcache", "vm1", "--size", bad, ok=False)
    daemon.virsh("migrate-setmaxdowntime", "vm1", "99999999", ok=False)
    assert daemon.virsh("migrate-getmaxdowntime", "vm1").strip() == "4321"
    assert "Job type:         None" in daemon.virsh("domjobinfo", "vm1")
    daemon.virsh("destroy", "vm1")
    assert daemon.virsh("migrate-getspeed", "vm1").strip() == "77"


def test_led_by_the_daemon(daemon, other, guest):  # noqa: F811
    daemon.paused("vm1")
    said = daemon.virsh("migrate", "--p2p", "vm1", "qemu+unix:///system?socket=/nowhere/sock", ok=False)
    assert "cannot connect to vireod at /nowhere/sock" in said
    assert "unsupported connection URI" in daemon.virsh("migrate", "--p2p", "vm1", "qemu+tls://far/system", ok=False)
    assert "cannot find host 'far.invalid'" in daemon.virsh("migrate", "--p2p", "vm1", "qemu+tcp://far.invalid/system",
                                                           ok=False)
    assert "already active" in daemon.virsh("migrate", "--p2p", "vm1", daemon.uri, ok=False)
    assert state(daemon, "vm1") == "paused (user)"
    xml = xml_for(other, daemon, "vm1")
    daemon.virsh("migrate", "--p2p", "vm1", other.uri, "--xml", xml, "--persistent", "--undefinesource")
    assert state(other, "vm1") == "paused (user)" and not daemon.qemus()
    assert "vm1" not in daemon.virsh("list", "--all")
    assert "vm1" in other.virsh("list", "--all", "--persistent")
