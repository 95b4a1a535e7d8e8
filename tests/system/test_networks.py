# SPDX-License-Identifier: LGPL-2.1-or-later
"""Virtual networks: bridges of the host, and isolated ones of their own."""
import os
import signal
import subprocess

import pytest

ISOLATED = """<network><name>{name}</name><bridge name='{bridge}'/>
<ip address='192.168.213.1' netmask='255.255.255.0'/></network>"""


def write(daemon, text):
    path = f"{daemon.root}/network.xml"
    with open(path, "w") as f:
        f.write(text)
    return path


@pytest.fixture
def bridge():
    """A name for one, on a host where bridges can be made."""
    name = f"vt{os.getpid()}"
    if subprocess.run(["ip", "link", "add", name, "type", "bridge"], capture_output=True).returncode:
        pytest.skip("SKIP: no bridge can be made here")
    subprocess.run(["ip", "link", "del", name], check=True)
    yield name
    subprocess.run(["ip", "link", "del", name], capture_output=True)


def test_isolated(daemon, bridge):
    path = write(daemon, ISOLATED.format(name="lab", bridge=bridge))
    daemon.virsh("net-define", path)
    assert "lab" in daemon.virsh("net-list", "--inactive")
    daemon.virsh("net-start", "lab")
    addresses = subprocess.run(["ip", "-4", "addr", "show", bridge], capture_output=True, text=True).stdout
    assert "192.168.213.1/24" in addresses and "UP" in addresses
    assert "already active" in daemon.virsh("net-start", "lab", ok=False)
    xml = daemon.virsh("net-dumpxml", "lab")
    assert f"<bridge name='{bridge}'" in xml and "<mac address='52:54:00:" in xml
    assert bridge in daemon.virsh("net-info", "lab")
    daemon.virsh("net-autostart", "lab")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert ["lab", "active", "yes", "yes"] in [line.split() for line in daemon.virsh("net-list").splitlines()]
    daemon.virsh("net-destroy", "lab")
    assert not os.path.exists(f"/sys/class/net/{bridge}")
    assert "not active" in daemon.virsh("net-destroy", "lab", ok=False)
    daemon.virsh("net-undefine", "lab")
    assert "lab" not in daemon.virsh("net-list", "--all")
    assert "no network with matching name 'lab'" in daemon.virsh("net-info", "lab", ok=False)


def test_without_a_bridge(daemon):
    """A network that names no bridge can be defined and started, as with libvirt; no card can be in it."""
    daemon.virsh("net-define", write(daemon, "<network><name>none</name><forward mode='bridge'/></network>"))
    daemon.virsh("net-start", "none")
    assert "<bridge" not in daemon.virsh("net-dumpxml", "none") and "Bridge" not in daemon.virsh("net-info", "none")
    daemon.define("vm1", extra="<interface type='network'><source network='none'/></interface>")
    assert "names no <bridge>" in daemon.virsh("start", "vm1", ok=False)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert ["none", "active", "no", "yes"] in [line.split() for line in daemon.virsh("net-list").splitlines()]
    daemon.virsh("net-destroy", "none")


def test_leases_of_a_mac(daemon):
    daemon.virsh("net-define", write(daemon, ISOLATED.format(name="lab", bridge="vtnone")))
    assert "stp='on' delay='0'" in daemon.virsh("net-dumpxml", "lab")
    assert "invalid MAC address: x" in daemon.virsh("net-dhcp-leases", "lab", "--mac", "x", ok=False)
    assert "Expiry" in daemon.virsh("net-dhcp-leases", "lab", "--mac", "52:54:00:00:00:01")


def test_the_default_network_is_asked_for(daemon):
    """virt-install and Cockpit take it when nobody names another, and nobody knows of which bridge it is."""
    said = daemon.virsh("net-info", "default", ok=False)
    assert "no network with matching name 'default'" in said and "define 'default' on a bridge of this host" in said
    assert "define" not in daemon.virsh("net-info", "other", ok=False)


def test_transient_and_events(daemon, bridge):
    path = write(daemon, ISOLATED.format(name="once", bridge=bridge))
    daemon.virsh("net-create", path)
    assert "no" in daemon.virsh("net-info", "once").split("Persistent:")[1].split()[0]
    assert daemon.virsh("net-dhcp-leases", "once")
    daemon.virsh("net-destroy", "once")
    assert "once" not in daemon.virsh("net-list", "--all")


@pytest.mark.parametrize("text, what", [
    ("<network><name>n</name><forward mode='nat'/></network>", "forward mode='nat' is not supported"),
    ("<network><name>n</name><ip address='10.0.0.1' prefix='8'><dhcp/></ip></network>", "<dhcp> is not supported"),
    ("<network><name>a/b</name></network>", "a name without '/'"),
    ("<network><name>n</name><ip address='300.0.0.1' prefix='8'/></network>", "none of its family"),
    ("<network><name>n</name><ip address='10.0.0.1' netmask='255.0.255.0'/></network>", "which is none"),
    ("<network><name>n</name><bridge name='way-too-long-for-a-link'/></network>", "cannot be the name of a bridge"),
    ("<network><name>n</name><mac address='x'/></network>", "Invalid bridge mac address 'x'"),
    ("<network><name>n</name>", "network_definition"),
    ("<domain/>", "expecting root element of 'network'"),
])
def test_refused(daemon, text, what):
    assert what in daemon.virsh("net-define", write(daemon, text), ok=False)
    assert len(daemon.virsh("net-list", "--all").split()) == 5


def test_a_bridge_is_of_one_network(daemon):
    text = "<network><name>{}</name>{}<bridge name='vtnosuch'/></network>"
    one = text.format("one", "<uuid>11111111-2222-4111-8111-111111111111</uuid>")
    for _ in range(2):
        daemon.virsh("net-define", write(daemon, one))
    assert "already in use" in daemon.virsh("net-define", write(daemon, text.format("two", "")), ok=False)
    daemon.virsh("net-define", write(daemon, text.format("three", "<forward mode='bridge'/>")))
    assert "already in use" in daemon.virsh("net-define", write(daemon, one), ok=False)


def test_bridge_mode_needs_its_bridge(daemon):
    text = "<network><name>n</name><forward mode='bridge'/><bridge name='nosuchbr0'/></network>"
    daemon.virsh("net-define", write(daemon, text))
    assert "there is no bridge 'nosuchbr0'" in daemon.virsh("net-start", "n", ok=False)
    assert "read only" in daemon.run("virsh", "-r", "net-start", "n", ok=False).stderr
    daemon.virsh("net-undefine", "n")
