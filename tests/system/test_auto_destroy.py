# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines that end with the client that started them: libguestfs's appliances are such ones."""
import libvirt
import pytest
from conftest import client, end_of, wait_for

PAUSED_AND_BOUND = libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY


def open_client(daemon):
    return libvirt.open(daemon.uri)


def start(connection, daemon, name, how):
    if how == "create":
        return connection.createXML(daemon.xml(name, boot=False), PAUSED_AND_BOUND)
    domain = connection.defineXML(daemon.xml(name, boot=False))
    domain.createWithFlags(PAUSED_AND_BOUND)
    return domain


@pytest.mark.parametrize("how", ("create", "start"))
def test_a_machine_ends_with_its_client(daemon, connection, how):
    ours, beside = open_client(daemon), open_client(daemon)
    start(ours, daemon, "bound", how)
    start(beside, daemon, "other", how)
    beside_too = connection.createXML(daemon.xml("free", boot=False), libvirt.VIR_DOMAIN_START_PAUSED)
    assert sorted(daemon.qemus()) == ["bound", "free", "other"]
    ours.close()
    wait_for(lambda: "bound" not in daemon.qemus(), 20, "end of the machine")
    wait_for(lambda: "bound" not in daemon.virsh("list", "--name").split(), 20, "machine that is off")
    assert sorted(daemon.virsh("list", "--name").split()) == ["free", "other"]
    defined = daemon.virsh("list", "--inactive", "--name").split()
    assert defined == (["bound"] if how == "start" else [])  # a transient one leaves nothing
    beside_too.destroy()
    beside.close()
    wait_for(lambda: not daemon.qemus(), 20, "end of the other")


def test_a_client_that_is_killed(daemon):
    daemon.define("vm1", boot=False)
    shell = client(daemon, "start vm1 --paused --autodestroy; event vm1 --event lifecycle --loop --timeout 600")
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "paused", 20, "machine that was started")
    shell.kill()
    end_of(shell)
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "shut off", 20, "end of the machine")


def test_the_next_run_is_nobodys(daemon):
    """Whoever starts it again is another client, or did not ask for it."""
    ours = open_client(daemon)
    domain = start(ours, daemon, "vm1", "start")
    domain.destroy()
    daemon.virsh("start", "vm1", "--paused")
    ours.close()
    daemon.virsh("version", "--daemon")
    assert daemon.virsh("domstate", "vm1").strip() == "paused" and list(daemon.qemus()) == ["vm1"]


def test_it_cannot_be_migrated(daemon):
    ours = open_client(daemon)
    start(ours, daemon, "vm1", "start")
    said = daemon.virsh("migrate", "vm1", daemon.uri, ok=False)
    assert "ends with the client that started it" in said, said
    ours.close()
    wait_for(lambda: not daemon.qemus(), 20, "end of the machine")


def test_the_daemons_end_ends_no_machine(daemon):
    """Guests outlive the daemon, also these; the one that finds them knows no client of theirs."""
    ours = open_client(daemon)
    start(ours, daemon, "vm1", "start")
    daemon.stop()
    assert list(daemon.qemus()) == ["vm1"]
    daemon.start()
    assert daemon.virsh("domstate", "vm1").strip() == "paused"
    ours.close()
