# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that move between two vireods on this host, moved by stock virsh."""
import os
import re
import subprocess
import sys

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench"))

import private_libvirtd  # noqa: E402
from conftest import HOLES, PATIENT, VIREO, private_daemon, wait_for


@pytest.fixture
def other():
    """The second vireod."""
    yield from private_daemon()


def online_ids(daemon, name):
    return [line.split()[1] for line in daemon.virsh("vcpuinfo", name).splitlines() if line.startswith("VCPU:")]


def xml_for(other, daemon, name):
    """The definition as `other` is to have it: with a console of its own."""
    path = f"{other.root}/{name}.migrate.xml"
    with open(path, "w") as f:
        f.write(daemon.virsh("dumpxml", name, "--migratable").replace(daemon.console(name), other.console(name)))
    return path


def migrate(daemon, other, name, *flags, ok=True):
    return daemon.virsh("migrate", "--live", name, other.uri, "--xml", xml_for(other, daemon, name), *flags, ok=ok)


def state(daemon, name):
    return daemon.virsh("domstate", name, "--reason").strip()


def test_a_guest_with_plugged_vcpus_moves(daemon, other, guest):
    daemon.configure(*PATIENT)
    daemon.boot("vm1", maximum=4, current=1, cmdline=HOLES)
    daemon.virsh("setvcpu", "vm1", "3", "--enable")
    daemon.virsh("setvcpu", "vm1", "1", "--enable")
    daemon.wait_online("vm1", "0-2")  # it counts them as they come
    daemon.virsh("vcpupin", "vm1", "3", "0", "--live")
    migrate(daemon, other, "vm1")
    assert state(daemon, "vm1") == "shut off (migrated)"
    assert not daemon.qemus() and list(other.qemus()) == ["vm1"]
    assert state(other, "vm1") == "running (migrated)"
    assert online_ids(other, "vm1") == ["0", "1", "3"]
    assert other.virsh("vcpupin", "vm1", "--vcpu", "3").splitlines()[2].split() == ["3", "0"]
    other.virsh("setvcpus", "vm1", "4", "--live")
    other.wait_online("vm1", "0-3")
    assert "no" in [line.split()[-1] for line in other.virsh("dominfo", "vm1").splitlines() if "Persistent" in line]
    migrate(other, daemon, "vm1", "--p2p")  # and back, led by the vireod that has it
    assert list(daemon.qemus()) == ["vm1"] and not other.qemus()
    assert state(daemon, "vm1") == "running (migrated)" and online_ids(daemon, "vm1") == ["0", "1", "2", "3"]
    daemon.virsh("setvcpus", "vm1", "1", "--live")
    daemon.wait_online("vm1", "0")
    # What QEMU 7.2 would not survive is refused.
    assert "after a removal" in migrate(daemon, other, "vm1", ok=False)
    assert "after a removal" in daemon.virsh("managedsave", "vm1", ok=False)
    assert state(daemon, "vm1") == "running (migrated)"
    assert "vm1" not in other.virsh("list", "--all")  # it was transient there
    assert wait_for(lambda: not os.listdir(f"{other.root}/run/births"), 5, "start that is over")


def test_vireo_moves_it(daemon, other):
    """The tool's own command, under virsh's names: led by the tool over TCP, and back led by the vireod."""
    daemon.paused("vm1", maximum=4, current=2)
    path = xml_for(other, daemon, "vm1")
    with open(path) as f, open(f"{path}.other", "w") as g:
        g.write(f.read().replace("chassis='1'", "chassis='9'"))
    said = daemon.vireo("migrate", "vm1", other.uri, "--xml", f"{path}.other", ok=False)
    assert re.search(r"its 'devices/controller\[\d+\]/target@chassis' is another", said), said
    moved = daemon.run(VIREO, "migrate", "vm1", other.uri, "--live", "--verbose", "--xml", path,
                       "--migrateuri", "tcp:127.0.0.1", "--persistent", "--undefinesource", "--bandwidth", "1000")
    assert "Migration: [100 %]" in moved.stderr and not moved.stdout.strip()
    assert state(other, "vm1") == "paused (user)"
    assert online_ids(other, "vm1") == ["0", "1"] and not daemon.qemus()
    assert "vm1" not in daemon.virsh("list", "--all") and "vm1" in other.virsh("list", "--all", "--persistent")
    assert "not encrypted here" in other.vireo("migrate", "vm1", daemon.uri, "--tls", ok=False)
    assert "cannot connect to vireod at /nowhere" in other.vireo("migrate", "vm1", "/nowhere", ok=False)
    with open(path, "w") as f:  # what is written for its next start fits, too
        f.write(other.virsh("dumpxml", "vm1", "--inactive").replace(other.console("vm1"), daemon.console("vm1")))
    for bad, words in ((".x", "cannot begin with '.'"), ("a/b", "cannot contain '/'"), ("  ", "not a space")):
        assert words in other.vireo("migrate", "vm1", daemon.uri, "--p2p", "--xml", path, "--dname", bad, ok=False)
    other.vireo("migrate", "vm1", daemon.uri, "--p2p", "--xml", path, "--dname", "vm1")
    assert list(daemon.qemus()) == ["vm1"] and not other.qemus() and "vm1" in other.virsh("list", "--all")


def test_a_reboot_that_was_asked_for(daemon, other):
    """The guest's power-off means it at the other side, too, until that vireod gives it up."""
    daemon.paused("vm1")
    daemon.virsh("reboot", "vm1", "--mode", "acpi")
    migrate(daemon, other, "vm1")
    with open(f"{other.root}/run/domains/vm1.xml") as f:
        assert " intent='reboot'" in f.read()
    migrate(other, daemon, "vm1", "--p2p")
    daemon.virsh("resume", "vm1")
    daemon.virsh("shutdown", "vm1", "--mode", "acpi")  # which takes it back
    migrate(daemon, other, "vm1")
    with open(f"{other.root}/run/domains/vm1.xml") as f:
        assert " intent=" not in f.read()


@pytest.mark.skipif(not private_libvirtd.LIBVIRTD or os.geteuid() != 0, reason="SKIP: no libvirtd, or not root")
@pytest.mark.parametrize("p2p", [(), ("--p2p",)])
def test_a_definition_moves_without_a_guest(daemon, other, p2p):
    """--offline: defined there, started by nobody, and here no more when that was asked for; what is in the way stops
    it before anything is written."""
    def move(*flags, ok=True):
        return daemon.virsh("migrate", "--offline", "vm1", other.uri, *p2p, *flags, ok=ok)

    daemon.define("vm1", boot=False)
    assert "persistent" in move(ok=False)
    move("--persistent")
    assert state(other, "vm1").startswith("shut off") and state(daemon, "vm1").startswith("shut off")
    assert other.virsh("dumpxml", "vm1") == daemon.virsh("dumpxml", "vm1")
    other.virsh("start", "vm1", "--paused")
    assert "runs here" in move("--persistent", ok=False)
    other.virsh("destroy", "vm1")
    daemon.virsh("start", "vm1", "--paused")
    assert "leave --offline out" in move("--persistent", ok=False)
    daemon.virsh("managedsave", "vm1")
    assert "managed save" in move("--persistent", "--undefinesource", ok=False)
    daemon.virsh("managedsave-remove", "vm1")
    move("--persistent", "--undefinesource")
    assert "vm1" not in daemon.virsh("list", "--all", "--name")
    assert state(other, "vm1").startswith("shut off")
    other.stop()
    other.start()
    assert other.virsh("list", "--all", "--persistent", "--name").split() == ["vm1"]


def test_a_libvirtd(daemon):
    """Guests do not move between the two: each way is refused by name, and the guest is where it was."""
    daemon.paused("vm1")
    server = private_libvirtd.Libvirtd(os.access("/dev/kvm", os.W_OK))
    try:
        path = f"{daemon.root}/vm2.xml"
        with open(path, "w") as f:
            f.write(daemon.xml("vm2", boot=False))
        theirs = ["virsh", "-c", server.uri]
        for words in ["define", path], ["start", "vm2", "--paused"]:
            subprocess.run([*theirs, *words], stdin=subprocess.DEVNULL, check=True, timeout=60)
        for flags in [], ["--p2p"]:
            said = daemon.virsh("migrate", "--live", "--unsafe", *flags, "vm1", server.uri, ok=False)
            assert "its guests move between two vireods" in said, said
            said = subprocess.run([*theirs, "migrate", "--live", "--unsafe", *flags, "vm2", daemon.uri],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False).stderr
            assert "it is libvirt's; guests move between two vireods" in said, said
        assert state(daemon, "vm1") == "paused (user)" and "vm2" not in daemon.virsh("list", "--all")
        listed = subprocess.run([*theirs, "list", "--all"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=60, check=True).stdout
        assert re.search(r"vm2 +paused", listed) and "vm1" not in listed, listed
        subprocess.run([*theirs, "destroy", "vm2"], stdin=subprocess.DEVNULL, check=True, timeout=60)
    finally:
        server.stop()


def test_post_copy_is_off(daemon, other):
    """When the settings of one side say so."""
    daemon.paused("vm1")
    for allowing, refusing in ((other, daemon), (daemon, other)):
        for side, word in ((allowing, "yes"), (refusing, "no")):
            side.stop()
            with open(f"{side.root}/etc/vireod.conf", "w") as f:
                f.write("\n".join([*side.settings, f"postcopy = {word}"]) + "\n")
            side.start()
        said = migrate(daemon, other, "vm1", "--postcopy", ok=False)
        assert "'postcopy = no' in vireod.conf" in said and state(daemon, "vm1") == "paused (user)" and not other.qemus(), said
